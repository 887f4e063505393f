"""What viewers in nodes read: small copies of clips and data about them, in the host's temp folder, under names made of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import folder_paths
import numpy as np
from comfy_api.v0_0_2 import io

from ..kinetics.errors import Progress
from ..kinetics.files import write_beside
from .host import saved_result

if TYPE_CHECKING:
    from ..kinetics.video.decode import Clip

#: Longest side of a copy, px: one clip shown large, and one among several.
ALONE, AMONG = 960, 640


def viewer_folder() -> Path:
    """Where they lie; the host empties it when it starts."""
    folder = Path(folder_paths.get_temp_directory()) / "correlated_kinetics" / "viewers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_data(data: Any) -> dict[str, Any]:
    """Put JSON into the folder; how the front end asks for it. The same data has the same name."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    path = viewer_folder() / f"{hashlib.sha256(text).hexdigest()[:16]}.json"
    if not path.exists():
        with write_beside(path) as part:
            part.write_bytes(text)
    return dict(saved_result(path, io.FolderType.temp))


def write_copy(clip: Clip, longest: int, progress: Progress | None = None) -> tuple[dict[str, Any], np.ndarray]:
    """Put a copy of a clip that browsers play into the folder, unless it is there; how the front end asks for it, and its times (T,) s from 0."""
    from ..kinetics.show.proxy import write_proxy

    path = viewer_folder() / f"{clip.fingerprint()}_{longest}.mp4"
    times = path.with_suffix(".times.npy")
    if not (path.exists() and times.exists()):
        found = write_proxy(clip, path, longest=longest, progress=progress)
        with write_beside(times) as part, part.open("wb") as file:
            np.save(file, found)
    return dict(saved_result(path, io.FolderType.temp)), np.load(times)


def player_payload(clips: Sequence[Clip], parts: Sequence[dict[str, Any]], titles: Sequence[str], in_step=None, progress: Progress | None = None) -> dict:
    """The clip player's data: ``clips`` and ``data`` as files, and ``names``.

    Parameters
    ----------
    clips : sequence of Clip
    parts : as many dicts
        ``pose``, ``track`` or ``swing`` of each, as :func:`kinetics.show.tile.make_tile` takes them.
    titles : as many str
    in_step : InStep, optional
    progress : callable, optional
        Called over the frames of all clips.
    """
    from ..kinetics.show.sync import sync_maps
    from ..kinetics.show.tile import make_tile

    frames, done = sum(clip.info.frame_count for clip in clips), 0
    files, tiles = [], []
    for clip, part, title in zip(clips, parts, titles, strict=True):
        step = progress and (lambda count, _, before=done: progress(min(before + count, frames), frames))
        file, times = write_copy(clip, AMONG if len(clips) > 1 else ALONE, step)
        done += len(times)
        files.append(file)
        tiles.append(make_tile(title, (clip.info.width, clip.info.height), times, **part))
    return {"clips": files, "data": write_data({"tiles": tiles, "sync": sync_maps(tiles, in_step=in_step)}), "names": list(titles)}
