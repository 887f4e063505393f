#!/usr/bin/env bash
# The main job in a real ComfyUI: clips in, skeletons and synchronised composites out.
#   ./scripts/demo.sh                    on six sample clips
#   ./scripts/demo.sh a.mp4 b.mp4 ...    on your own, one to six
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
"$here/scripts/setup.sh" host
exec "$here/.venv/bin/python" "$here/scripts/demo.py" "$@"
