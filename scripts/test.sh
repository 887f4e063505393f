#!/usr/bin/env bash
# Sets everything up and runs the tests, WORKERS files at a time (2), the long ones of browser and host first, at last those that want the machine for themselves.
# Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh test
.venv/bin/ruff check --quiet .
for argument in "$@"; do [ -e "${argument%%::*}" ] && exec .venv/bin/python -m pytest -c tests/pytest.ini "$@"; done
run() { .venv/bin/python -m pytest -c tests/pytest.ini --durations 40 --durations-min 5 "$@" tests || [ $? = 5 ]; }  # 5: none of these was asked for
failed=0
run -n "${WORKERS:-2}" --dist loadfile --no-loadscope-reorder -m "not alone" "$@" || failed=1
run -m alone "$@" || failed=1
exit $failed
