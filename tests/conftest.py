"""What several rooms of the tests share: the sample clips, drawn once, and a real server."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT, ROOT / "scripts", ROOT / "tests" / "unit"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory) -> list[Path]:
    """The six standard sample clips, each with its truth JSON beside it: copies of those that this version of the pack drew before, once for all processes."""
    from filelock import FileLock

    from kinetics.synthetic import SHOTS, write_sample_clips

    sources = [*sorted((ROOT / "kinetics" / "synthetic").glob("*.py")), ROOT / "kinetics" / "video" / "encode.py"]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    drawn = ROOT / "tests" / "artefacts" / f"sample_clips_{version}"
    drawn.parent.mkdir(exist_ok=True)
    with FileLock(drawn.with_suffix(".lock")):
        if not drawn.is_dir():
            beside = tmp_path_factory.mktemp("drawing")
            write_sample_clips(beside, workers=2)
            shutil.copytree(beside, drawn.with_suffix(".part"), dirs_exist_ok=True)
            drawn.with_suffix(".part").rename(drawn)
    folder = tmp_path_factory.mktemp("sample_clips")
    shutil.copytree(drawn, folder, dirs_exist_ok=True)
    return [folder / f"{shot}.mp4" for shot in SHOTS]
