"""What several rooms of the tests share: the sample clips, drawn once, and a real server."""

from __future__ import annotations

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
    """The six standard sample clips, each with its truth JSON beside it."""
    from kinetics.synthetic import write_sample_clips

    return write_sample_clips(tmp_path_factory.mktemp("sample_clips"))
