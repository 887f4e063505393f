"""Tasks for the archive's engines that cost nothing: what is tested is who does them, how often, and what becomes of the answers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from kinetics.archive.tables import STEPS
from kinetics.errors import KineticsError, MissingDependency

SETTINGS = {"recipe": 0, "what": "a test"}
JOINTS = ("left_wrist", "right_wrist", "bat_tip")


def make_files(folder: Path, count: int, names: str = "clip_{:03}.mp4") -> list[Path]:
    """Files of different content that are called as clips are; ``folder/.calls`` will tell who was worked on."""
    (folder / ".calls").mkdir(parents=True, exist_ok=True)
    paths = [folder / names.format(k) for k in range(count)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def calls(folder: Path) -> dict[str, int]:
    """How often each file was begun."""
    return {path.name: len(path.read_bytes()) for path in (folder / ".calls").iterdir()}


def _begin(item: dict) -> None:
    path = Path(item["path"])
    with open(path.parent / ".calls" / path.name, "ab") as log:
        log.write(b"x")


def rows(item: dict, frames: int = 4) -> dict:
    """The three tables of a clip that only its content decides."""
    rng = np.random.default_rng(list(bytes.fromhex(item["sha256"])))
    t = np.arange(frames) / 25
    xy = rng.uniform(0, 100, (frames, len(JOINTS), 2))
    xy[1, 0] = np.nan
    clip = {
        "key": item["key"], "path": item["path"], "sha256": item["sha256"], "duration_s": frames / 25, "fps": 25.0, "frames": frames, "width": 320, "height": 180,
        "subject": "somebody", "frames_with_skeleton": frames, "peak_tip_speed": rng.uniform(5, 15), "peak_tip_speed_sigma": 0.1, "peak_tip_speed_t": 0.04,
        "peak_omega": rng.normal(0, 20), "peak_omega_sigma": 1.0, "peak_omega_t": 0.04, "unit": "body", "impact_t": np.nan, "swing_reason": "", "flags": ["a note"],
        "chain_path": ["pelvis", "bat_tip"], "reaches_bat": True, "chain_reason": "", **dict.fromkeys((f"seconds_{step}" for step in STEPS), 0.1), "pack": "0", "settings_key": "0",
    }  # fmt: skip
    count = frames * len(JOINTS)
    return {
        "clips": {name: [value] for name, value in clip.items()},
        "frames": {
            "key": [item["key"]] * count, "frame": np.repeat(np.arange(frames), len(JOINTS)), "t": np.repeat(t, len(JOINTS)), "joint": list(JOINTS) * frames,
            "x": xy[..., 0].ravel(), "y": xy[..., 1].ravel(), "conf": np.where(np.isnan(xy[..., 0]), 0, 0.5).ravel(), "xs": xy[..., 0].ravel() + 1, "ys": xy[..., 1].ravel() + 2,
        },
        "edges": {"key": [item["key"]], "source": ["pelvis"], "target": ["bat_tip"], "weight": [0.5], "lag_s": [0.04], "p": [np.nan]},
    }  # fmt: skip


def quick(item: dict) -> dict:
    """Done at once."""
    _begin(item)
    return rows(item)


def slow(item: dict) -> dict:
    """Takes a while."""
    _begin(item)
    time.sleep(0.25)
    return rows(item)


def long(item: dict) -> dict:
    """Enough frames that a batch of a few is some hundred kilobytes."""
    _begin(item)
    return rows(item, 2000)


def endless(item: dict) -> dict:
    """Never ends by itself."""
    _begin(item)
    time.sleep(600)
    return rows(item)


def deadly(item: dict) -> dict:
    """Kills its worker: ``deadly_*`` each time, ``once_*`` the first time."""
    _begin(item)
    path = Path(item["path"])
    if path.name.startswith("deadly") or (path.name.startswith("once") and calls(path.parent)[path.name] == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return rows(item)


def fails(item: dict) -> dict:
    """``bad_*`` fails as a clip does, ``odd_*`` as a library does; until the file ``mended`` lies beside."""
    _begin(item)
    path = Path(item["path"])
    if not (path.parent / "mended").exists():
        if path.name.startswith("bad"):
            error = KineticsError("Nobody was found; look at the clip <b>first</b>.")
            error.step = "pose"
            raise error
        if path.name.startswith("odd"):
            raise ZeroDivisionError("somewhere deep")
    return rows(item)


def lacks(item: dict) -> dict:
    """A machine without a package."""
    _begin(item)
    raise MissingDependency("The package nothing is not installed; run `pip install nothing`.")


def report_process(item: dict) -> dict:
    """Which process did it, and how many threads it would use."""
    import cv2

    return {"pid": os.getpid(), "threads": cv2.getNumThreads(), "omp": os.environ["OMP_NUM_THREADS"], "item": item["number"], "array": item["array"] * 2}
