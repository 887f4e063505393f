"""How steady frames are: what is left between neighbours after the motion is taken out, where nothing is covered or uncovered."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError, Progress
from ..video.flow import find_flow, pixel_grid, warp

#: Pictures are compared at most this large (longer side, pixels), source and generated ones alike.
WORKING_SIDE = 512

#: A pixel is covered or uncovered where there and back again don't meet, |f + b|² > 0.01(|f|² + |b|²) + 0.5; and flow says nothing at the edge of what
#: moves, |gradient of f|² > 0.01|f|² + 0.002 (Sundaram et al. 2010; Ruder et al. 2016, eq. 5 and 6).
_OCCLUDED, _EDGE = (0.01, 0.5), (0.01, 0.002)

#: A pair of which less than this part can be compared says nothing.
_LEAST_SEEN = 0.1


@dataclass(frozen=True)
class Steadiness:
    """Warping error of each pair of neighbouring frames.

    Attributes
    ----------
    error : (T - 1,) float
        Mean absolute difference, of 255, of a frame and its successor warped onto it; NaN where hardly anything can be compared.
    occluded : (T - 1,) float
        Share of the picture left out.
    """

    error: np.ndarray
    occluded: np.ndarray

    @property
    def mean(self) -> float:
        known = self.error[np.isfinite(self.error)]
        return float(known.mean()) if len(known) else math.nan


def measure_steadiness(
    pictures: Iterable[np.ndarray], side: int = WORKING_SIDE, progress: Progress | None = None, total: int = 0
) -> Steadiness:
    """Warping error between neighbours, with two frames in memory.

    Optical flow (OpenCV's DIS) from each frame to the next and back; the next is warped onto the first, and compared where both ways meet.

    Parameters
    ----------
    pictures : iterable of (H, W, 3) uint8
        At least two of one size.
    side : int
        The longer side at which they are compared; never enlarged.
    progress : callable, optional
        progress(frames done, total).

    Raises
    ------
    KineticsError
        With fewer than two pictures, or pictures of several sizes.

    References
    ----------
    Lai et al. 2018, "Learning Blind Video Temporal Consistency", eq. 8 (their E_warp is the mean square); Sundaram et al. 2010 for the occlusions.
    """
    import cv2

    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    before, errors, hidden = None, [], []
    for number, picture in enumerate(pictures, 1):
        shape = picture.shape
        picture = shrink(picture, side)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        if before is not None:
            if shape != before[2]:
                raise KineticsError(f"Frame {number - 1} is {shape[1]}x{shape[0]} and the one before {before[2][1]}x{before[2][0]}; give frames of one size.")
            error, occluded = _compare(before[0], picture, find_flow(dis, before[1], grey), find_flow(dis, grey, before[1]))
            errors.append(error)
            hidden.append(occluded)
        before = picture, grey, shape
        if progress:
            progress(number, max(total, number))
    if not errors:
        raise KineticsError("Steadiness needs at least two frames; give a clip or a longer batch.")
    return Steadiness(np.array(errors), np.array(hidden))


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture whose longer side is at most ``side`` pixels."""
    import cv2

    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _compare(first: np.ndarray, second: np.ndarray, there: np.ndarray, back: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference where nothing is occluded and the flow is sure, and the share that is left out."""
    import cv2

    height, width = first.shape[:2]
    to = pixel_grid((height, width)) + there
    home = warp(back, to, cv2.INTER_LINEAR)
    apart = ((there + home) ** 2).sum(axis=2)
    inside = ((to >= 0) & (to <= (width - 1, height - 1))).all(axis=2)
    steep = sum((slope**2).sum(axis=2) for slope in np.gradient(there, axis=(0, 1)))
    sure = steep <= _EDGE[0] * (there**2).sum(axis=2) + _EDGE[1]
    seen = inside & sure & (apart <= _OCCLUDED[0] * ((there**2).sum(axis=2) + (home**2).sum(axis=2)) + _OCCLUDED[1])
    share = float(seen.mean())
    if share < _LEAST_SEEN:
        return math.nan, 1 - share
    warped = warp(second, to, cv2.INTER_LINEAR)
    return float(np.abs(first.astype(np.float32) - warped)[seen].mean()), 1 - share
