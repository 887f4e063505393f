"""A clip enlarged to a file: one frame in memory at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError, Progress
from ..video.decode import Clip
from ..video.encode import VideoWriter
from .lanczos import resize
from .steady import Steadier

if TYPE_CHECKING:
    import torch

#: Longest side of a clip that is written, px.
MOST = 8192


@dataclass(frozen=True)
class UpscaleReport:
    """``flicker``: change from frame to frame along the motion, grey levels (RMS): source, as enlarged, as written; NaN where not measured."""

    path: Path
    size: tuple[int, int]
    frames: int
    flicker: tuple[float, float, float]
    notes: tuple[str, ...]


def choose_size(source: tuple[int, int], factor: float | None = None, width: int = 0, height: int = 0) -> tuple[int, int]:
    """Size (W, H) of the result: a factor, or a width or height that the other side follows; both even.

    Raises
    ------
    KineticsError
        When nothing was asked for, or the result would be too small or too large to be written.
    """
    if factor is not None:
        if not (math.isfinite(factor) and factor > 0):
            raise KineticsError(f"A factor of {factor:g} has no meaning; give 2 for twice the size.")
        wanted = factor * source[0], factor * source[1]
    elif width or height:
        wanted = (width or height * source[0] / source[1]), (height or width * source[1] / source[0])
    else:
        raise KineticsError("Neither a width nor a height is given; give one of them, or a factor.")
    size = tuple(2 * round(side / 2) for side in wanted)
    if min(size) < 2 or max(size) > MOST:
        raise KineticsError(f"The result would be {size[0]}×{size[1]} pixels; sides of 2 to {MOST} can be written, so choose a {'larger' if min(size) < 2 else 'smaller'} size.")
    return size


def upscale_clip(
    clip: Clip,
    output: str | os.PathLike,
    size: tuple[int, int],
    enlarge: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    steady: bool = True,
    device: str | torch.device = "cpu",
    crf: int = 16,
    progress: Progress | None = None,
) -> UpscaleReport:
    """Write a clip at another size, at its own times. Sound is left out.

    Parameters
    ----------
    clip : Clip
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    size : (W, H)
    enlarge : callable, optional
        (h, w, 3) uint8 to a larger (.., .., 3) float32 0-255, such as :class:`.tiles.TileEnlarger`; brought to ``size`` by Lanczos' kernel
        afterwards. Lanczos alone when left out.
    steady : bool
        Of what ``enlarge`` makes: damp detail that changes from frame to frame where the source doesn't.
    device : str or torch.device
        Where Lanczos is done.
    crf : int
    progress : callable, optional
        Called once per frame; may raise to cancel.

    Raises
    ------
    KineticsError
        When the clip can't be read, or the output not written.
    """
    steadier = Steadier(steady) if enlarge else None
    with VideoWriter(output, *size, clip.info.fps, crf=crf) as writer:
        for index, t, image in clip.frames():
            plain = resize(image, size, device) if steadier or not enlarge else None
            made = plain
            if enlarge:
                larger = (enlarge(image) + 0.5).clip(0, 255).astype(np.uint8)
                made = steadier.step(image, plain, resize(larger, size, device))
            writer.write(made, t)
            if progress:
                progress(index + 1, max(clip.info.frame_count, index + 1))
        frames = writer.frames
    flicker = steadier.flicker if steadier else (float("nan"),) * 3
    return UpscaleReport(Path(output), tuple(size), frames, flicker, tuple(clip.losses))
