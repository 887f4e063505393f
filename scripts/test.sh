#!/usr/bin/env bash
# Sets everything up and runs the tests, WORKERS files at a time (2). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh test
.venv/bin/ruff check --quiet .
for argument in "$@"; do [ -e "${argument%%::*}" ] && exec .venv/bin/python -m pytest -c tests/pytest.ini "$@"; done
exec .venv/bin/python -m pytest -c tests/pytest.ini -n "${WORKERS:-2}" --dist loadfile tests "$@"
