"""A contact sheet: what each clip is, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import Progress
from .decode import Clip
from .grid import grid_shape
from .placement import paste, place
from .titles import title_strip

BACKGROUND = (16, 16, 20)


def describe_clip(clip: Clip) -> str:
    """``cover_drive · 1280×720 · 25 fps · 3.00 s``"""
    info = clip.info
    rate = f"{float(info.fps):.4g} fps" + (" variable" if info.variable_rate else "")
    return f"{Path(clip.name).stem} · {info.width}×{info.height} · {rate} · {info.duration:.2f} s"


def clip_sheet(clips: Sequence[Clip], tile: tuple[int, int] = (360, 203), progress: Progress | None = None) -> np.ndarray:
    """The middle frame of each clip, with its name, size, rate and duration below.

    Returns
    -------
    (H, W, 3) uint8
        RGB.

    Raises
    ------
    KineticsError
        When a clip can't be read.
    """
    from PIL import Image

    rows, cols = grid_shape(len(clips))
    strip = title_strip("x", *tile, BACKGROUND).shape[0]
    gap, height = 4, tile[1] + strip
    sheet = np.full((rows * height + (rows - 1) * gap, cols * tile[0] + (cols - 1) * gap, 3), BACKGROUND, dtype=np.uint8)
    for index, clip in enumerate(clips):
        frame = next(clip.trimmed(clip.info.duration / 2).frames())
        spot = place((frame.image.shape[1], frame.image.shape[0]), tile, "letterbox")
        cell = np.full((height, tile[0], 3), BACKGROUND, dtype=np.uint8)
        small = Image.fromarray(frame.image).resize(spot.size, Image.Resampling.BICUBIC)
        paste(cell, np.asarray(small), spot.at)
        cell[tile[1] :] = title_strip(describe_clip(clip), *tile, BACKGROUND)
        y, x = divmod(index, cols)
        sheet[y * (height + gap) : y * (height + gap) + height, x * (tile[0] + gap) : x * (tile[0] + gap) + tile[0]] = cell
        if progress:
            progress(index + 1, len(clips))
    return sheet
