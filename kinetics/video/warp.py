"""A clip on another clock: each frame written shows the clip at a time that was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import Progress
from .decode import Clip
from .encode import VideoWriter
from .picture import RgbMaker
from .resample import check_times, on_screen, switch_midway


def warp_clip(
    clip: Clip,
    at: np.ndarray,
    output: str | os.PathLike,
    *,
    fps: Fraction | float,
    blend: bool = False,
    crf: int = 18,
    preset: str = "fast",
    progress: Progress | None = None,
) -> Path:
    """Write a clip on another clock: frame k, shown at k/fps, is the clip's frame nearest in time to ``at[k]``. Sound is left out.

    Parameters
    ----------
    clip : Clip
    at : (n,) s
        The clip's own time to show in each frame, never going back. Before the clip's first frame the first is held, after its last the last.
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    fps : number
        Frames a second of the output.
    blend : bool
        Mix the two frames on either side of ``at[k]`` by their nearness instead of showing the nearer one: smoother in slow motion, with
        ghosts where things are fast.
    crf, preset
        Of x264.
    progress : callable, optional
        Called once per frame written; may raise to cancel.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    KineticsError
        When the times are not a list of finite seconds that never go back, or the clip can't be read, or the output not written.
    """
    at = check_times(at, clip.name)
    info = clip.info
    make_rgb = RgbMaker(clip.layout)
    with VideoWriter(output, info.width, info.height, fps, crf=crf, preset=preset) as writer:
        pictures = ((t, picture) for _, t, picture in clip.pictures())
        with closing(pictures):
            for k, image in enumerate(_mixed(pictures, at, make_rgb) if blend else _nearest(pictures, at, make_rgb)):
                writer.write(image)
                if progress:
                    progress(k + 1, len(at))
    return Path(output)


def _nearest(pictures: Iterator[tuple[float, av.VideoFrame]], at: np.ndarray, make_rgb: RgbMaker) -> Iterator[np.ndarray]:
    for picture, is_new in on_screen(switch_midway(pictures), at):
        if is_new:
            image = make_rgb(picture)
        yield image


def _mixed(pictures: Iterator[tuple[float, av.VideoFrame]], at: np.ndarray, make_rgb: RgbMaker) -> Iterator[np.ndarray]:
    images = ((t, make_rgb(picture)) for t, picture in pictures)
    here = next(images)
    ahead = next(images, None)
    for t in at:
        while ahead is not None and ahead[0] <= t:
            here, ahead = ahead, next(images, None)
        share = 0.0 if ahead is None else max((t - here[0]) / (ahead[0] - here[0]), 0.0)
        # In whole 256ths, so that a frame at its own time is itself.
        part = np.uint16(round(256 * share))
        yield ((here[1] * (256 - part) + ahead[1] * part + np.uint16(128)) >> 8).astype(np.uint8) if part else here[1]
