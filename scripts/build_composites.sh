#!/usr/bin/env bash
# The same composites with no server: build_composites.sh CLIP... [-o OUT_DIR] [--grid 2x3] [--no-skeletons] ...
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
[ $# -gt 0 ] || { echo "Usage: $0 CLIP... [-o OUT_DIR] [--grid 2x3] [--tile 480x270] [--fps 30] [--subject auto] [--no-skeletons]" >&2; exit 2; }
"$here/scripts/setup.sh" pack
case " $* " in *" -o "*|*" --output "*|*" --output="*) ;; *) set -- "$@" -o output ;; esac
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$here/.venv/bin/python" -m kinetics composites "$@"
