#!/usr/bin/env bash
# The page of docs/ (index.html and media/) anew, from the six sample clips; takes some minutes on a CPU.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
"$here/scripts/setup.sh" pack
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
kinetics() { PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" "$here/.venv/bin/python" -m kinetics "$@"; }
kinetics synth "$scratch/clips" --size 960x540
# --download fetches the pose model where it is missing.
kinetics page "$scratch"/clips/*.mp4 -o "$scratch/page" --title "Six strokes, measured" --download
rm -rf "$here/docs/media"
mv "$scratch/page/media" "$here/docs/media"
mv "$scratch/page/index.html" "$here/docs/index.html"
