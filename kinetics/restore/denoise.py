"""Frames averaged along the motion: each pixel with what its neighbours in time show of the same point, as far as they agree."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..video.flow import FlowFinder, pixel_grid, trust_round_trip, warp

#: Frames before and after that are averaged in.
REACH = 3
#: Error (grey levels) of a well-matched pixel of another frame: interpolation, light, what flow leaves.
_WARPED = 2.0
#: Error (grey levels, squared) of a pixel as recorded, beside its grain.
_OWN = 0.02
#: Part of the squared slope across rows that interpolating a row between them errs by, and that two frames may differ by for that.
_BOB, _SLOPE = 0.08, 0.1
#: Which of the two masks of known rows counts for luma, Cr and Cb.
_PLANES = [0, 1, 1]
#: What brightness and the two colours count when two patches are compared.
_COMPARED = np.array([1.0, 0.5, 0.5], np.float32)

@dataclass(frozen=True)
class Moment:
    """A picture on its way through restoration.

    Attributes
    ----------
    t : s
    seen : (H, W, 3) float32
        Luma and chroma (OpenCV's YCrCb) as recorded, 0-255.
    like : (H, W, 3) float32
        The best estimate of the same picture so far: what others are compared with and flow is found on.
    known : (H, W, 2) float32 or None
        Of luma and of chroma: 1 where a row was recorded, 0 where it was interpolated; None where all were.
    left : (H, W) float32 or None
        Part of the noise's variance that ``like`` still has; None where nothing was averaged.
    """

    t: float
    seen: np.ndarray
    like: np.ndarray
    known: np.ndarray | None = None
    left: np.ndarray | None = None


def in_windows(moments: Iterable[Moment], reach: int) -> Iterator[tuple[int, dict[int, Moment]]]:
    """Each number with the moments around it, those at the ends with fewer; no more than 2·reach + 1 are held."""
    window: deque[tuple[int, Moment]] = deque()
    for number, moment in enumerate(moments):
        window.append((number, moment))
        if number >= reach:
            yield number - reach, dict(window)
        if len(window) > 2 * reach:
            window.popleft()
    if window:
        last = window[-1][0]
        for number in range(max(last - reach + 1, 0), last + 1):
            yield number, {k: moment for k, moment in window if k >= number - reach}


class Averager:
    """Averages moments along the motion.

    Parameters
    ----------
    noise : float
        Standard deviation of the grain in luma, grey levels.
    reach : int
    refine : bool
        The moments have been averaged once: what they look like is nearly free of noise and has all rows.
    hold_back : callable, optional
        ``hold_back(t, shape)`` gives (H, W) 0-1, how far neighbours count in each pixel, or None: less near a fast bat.
    """

    def __init__(self, noise: float, reach: int = REACH, refine: bool = False, hold_back: Callable | None = None):
        self._noise, self._reach, self._refine, self._hold_back = noise, reach, refine, hold_back
        self._flows = FlowFinder()
        self._guides: dict[int, np.ndarray] = {}

    def average(self, moments: Iterable[Moment]) -> Iterator[Moment]:
        """The same moments, ``like`` and ``left`` made anew."""
        for number, window in in_windows(moments, self._reach):
            for k, moment in window.items():
                if k not in self._guides:
                    self._guides[k] = self._guide(moment)
            yield self._fuse(number, window)
            self._flows.forget(number + 1 - self._reach)
            self._guides = {k: guide for k, guide in self._guides.items() if k > number - self._reach}

    def _guide(self, moment: Moment) -> np.ndarray:
        """What flow is found on, (H, W) uint8."""
        luma = moment.like[..., 0]
        if not self._refine:
            luma = cv2.GaussianBlur(luma, (0, 0), 1.2)
        return (luma + 0.5).clip(0, 255).astype(np.uint8)

    def _flow(self, a: int, b: int, window: dict[int, Moment]) -> tuple[np.ndarray, np.ndarray, float]:
        """Flow there and back, and the part of it that leads from ``a`` to ``b``.

        Rows that a field lacks make fine lines twitter: between fields of different rows the flow is half of that to the field after.
        """
        beyond = b + (1 if b > a else -1)
        if window[a].known is None or self._refine or (b - a) % 2 == 0 or beyond not in window:
            return self._flows.between(a, b, self._guides), self._flows.between(b, a, self._guides), 1.0
        return self._flows.between(a, beyond, self._guides), self._flows.between(beyond, a, self._guides), (b - a) / (beyond - a)

    def _fuse(self, number: int, window: dict[int, Moment]) -> Moment:
        own = window[number]
        shape = own.seen.shape[:2]
        grid = pixel_grid(shape)
        grain = self._noise**2
        gaps = _row_error(own)
        # Of luma alone, or of luma, Cr, Cb: their rows are not the same.
        weight = np.full((*shape, 1), 1 / (grain + _OWN), np.float32)
        if gaps is not None:
            weight = 1 / (grain + _OWN + _BOB * gaps * (1 - own.known[..., _PLANES]))
        total, sum_weight, sum_square = own.seen * weight, weight.copy(), weight[..., 0] ** 2
        held = None if self._hold_back is None else self._hold_back(own.t, shape)
        box = (5, 5) if self._refine else (7, 7)
        for k, other in window.items():
            if k == number:
                continue
            there, back, part = self._flow(number, k, window)
            at = grid + part * there
            seen = warp(other.seen, at)
            like = seen if other.like is other.seen else warp(other.like, at)
            differ = cv2.blur(((like - own.like) ** 2) @ _COMPARED, box)
            # What grain alone makes of the difference: all of it between frames as seen, little between averages.
            expected = (0.8 if self._refine else 3.0) * grain + 2.0
            error = np.float32(grain + _WARPED**2)
            if gaps is not None:
                known = cv2.remap(other.known, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                beyond = warp(_row_error(other)[..., 0], at, cv2.INTER_LINEAR)
                expected = expected + _SLOPE * np.maximum(gaps[..., 0], beyond)
                error = error + _BOB * gaps * (1 - known[..., _PLANES])
            agree = trust_round_trip(there, back, grid) * np.exp(-np.maximum(differ / expected - 1, 0))
            if held is not None:
                agree *= held
            share = agree[..., None] / error
            total += seen * share
            sum_weight += share
            sum_square += share[..., 0] ** 2
        return replace(own, like=total / sum_weight, left=sum_square / sum_weight[..., 0] ** 2)


def _row_error(moment: Moment) -> np.ndarray | None:
    """(H, W, 3): the squared slope across the rows that were interpolated, over the distance of those recorded; None where all were."""
    if moment.known is None:
        return None
    picture = moment.seen
    slope = (np.roll(picture, -1, axis=0) - np.roll(picture, 1, axis=0)) ** 2
    slope[..., 1:] = ((np.roll(picture[..., 1:], -2, axis=0) - np.roll(picture[..., 1:], 2, axis=0)) ** 2).max(axis=2, keepdims=True)
    return cv2.blur(slope, (5, 5)) + 8.0
