"""Frames that repeat the one before: telecine, doubled rates, screen recordings."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Interpolation

from ..errors import Progress
from .decode import Clip
from .picture import Scaler
from .timing import STANDARD_RATES

#: Width in pixels of the grey pictures that are compared: small enough to average grain and compression away.
_WIDTH = 160
#: Part of the picture, the part that changes most, whose change is averaged: a batter fills little of a broadcast frame.
_PART = 0.05
#: Grey levels (of 255) that a moving frame changes this part by. Repeats in compressed clips measured 0 to 2, and up to 5 where a
#: key frame draws the picture afresh; frames in which a limb turns about measured 5 to 12.
_FLOOR = 2.0
#: A repeat changes at most this much of what the moving frames around it change: below the floor, and above it.
_RATIO, _RATIO_ABOVE = 0.15, 0.05
#: More unmoving frames in a row than this are a still scene, not repeats (10 fps shown at 60 makes 5).
_LONGEST = 5


@dataclass(frozen=True)
class RepeatReport:
    """Which frames repeat the one before.

    Attributes
    ----------
    repeats : (T,) bool
    t : (T,) float64
        Times of all frames, seconds.
    period : float
        Frames from one repeat to the next on average, in a regular pattern; 0 when there is none.
    fps, true_fps : Fraction
        Rate of the clip, and of its different frames in a regular pattern (else None).
    sentence : str
        Empty when nothing repeats.
    """

    repeats: np.ndarray
    t: np.ndarray
    period: float
    fps: Fraction
    true_fps: Fraction | None
    sentence: str

    def kept_times(self) -> np.ndarray:
        """(N,) seconds of the frames that don't repeat.

        A regular pattern shows frames at uneven times that were taken at even ones: they are spread evenly, where that moves
        none by more than one frame. Otherwise they keep the times they have.
        """
        kept = self.t[~self.repeats]
        if self.true_fps is None:
            return kept
        even = kept[0] + np.arange(len(kept)) / float(self.true_fps)
        return even if np.abs(even - kept).max() <= 1 / float(self.fps) else kept


class RepeatFinder:
    """Collects how much each frame changes, one number per frame."""

    def __init__(self) -> None:
        self._scaler = Scaler()
        self._last: np.ndarray | None = None
        self._changes: list[float] = []
        self._t: list[float] = []

    def add(self, t: float, picture: av.VideoFrame) -> None:
        height = max(8, round(_WIDTH * picture.height / picture.width))
        grey = self._scaler(picture, (_WIDTH, height), "gray", Interpolation.AREA).to_ndarray().astype(np.int16)
        if self._last is not None:
            change = np.abs(grey - self._last).ravel()
            most = round(_PART * change.size)
            self._changes.append(float(np.partition(change, -most)[-most:].mean()))
        self._last = grey
        self._t.append(t)

    def report(self, name: str, fps: Fraction) -> RepeatReport:
        """Judge the frames added so far; ``name`` and ``fps`` are the clip's."""
        repeats = np.concatenate([[False], find_dips(np.array(self._changes))])
        t = np.array(self._t)
        count = int(repeats.sum())
        if not count:
            return RepeatReport(repeats, t, 0.0, fps, None, "")
        period, true_fps = _pattern(repeats, fps)
        return RepeatReport(repeats, t, period, fps, true_fps, f"{name}: {_words(len(repeats), count, period, fps, true_fps)}")


def find_repeats(clip: Clip, progress: Progress | None = None) -> RepeatReport:
    """Find the frames of a clip that repeat the one before.

    The change of a frame is that of the liveliest twentieth of the picture, grey and small. A frame is a repeat when this is at
    most 0.15 (0.05 above 2 grey levels, more than compression makes) of what the moving frames on both sides of it change, with at
    most five such frames in a row. So a still scene, however long, holds no repeats: nothing around it moves.

    Parameters
    ----------
    clip : Clip
        Decoded once, one frame in memory.
    """
    finder = RepeatFinder()
    total = clip.info.frame_count
    for index, t, picture in clip.pictures():
        finder.add(t, picture)
        if progress:
            progress(index + 1, max(total, index + 1))
    return finder.report(clip.name, clip.info.fps)


def find_dips(changes: np.ndarray) -> np.ndarray:
    """(N,) bool: which changes, from one frame to the next, are dips between moving frames.

    Parameters
    ----------
    changes : (N,) float64
        Grey levels. The ends count as moving: a clip may start or end on a repeat.
    """
    count = len(changes)
    dips = np.zeros(count, dtype=bool)
    for i, change in enumerate(changes):
        least = max(change / (_RATIO if change <= _FLOOR else _RATIO_ABOVE), _FLOOR)
        left = next((j for j in range(i - 1, max(-1, i - _LONGEST - 1), -1) if changes[j] >= least), None)
        right = next((j for j in range(i + 1, min(count, i + _LONGEST + 1)) if changes[j] >= least), None)
        if left is None and i < _LONGEST and right is not None:
            left = -1
        if right is None and i >= count - _LONGEST and left is not None and left >= 0:
            right = count
        dips[i] = left is not None and right is not None and right - left - 1 <= _LONGEST
    return dips


def _pattern(repeats: np.ndarray, fps: Fraction) -> tuple[float, Fraction | None]:
    """Mean distance of repeats that lie evenly, and the rate of the frames that differ; (0, None) when they don't.

    Material of one rate shown at a higher one repeats a frame whenever its clock falls behind, so its repeats lie on a line to
    within a frame. Four are asked for, because three may do so by chance.
    """
    where = np.flatnonzero(repeats)
    if len(where) < 4:
        return 0.0, None
    order = np.arange(len(where))
    period, first = np.polyfit(order, where, 1)
    if np.abs(where - first - period * order).max() > 1:
        return 0.0, None
    true_fps = fps * (1 - 1 / Fraction(period))
    # The ends of the line are known to a frame each.
    doubt = float(fps) * 2 / (period * (where[-1] - where[0]))
    known = [rate for rate in STANDARD_RATES if abs(rate - true_fps) <= doubt and rate < fps]
    return float(period), min(known, key=lambda rate: abs(rate - true_fps), default=true_fps.limit_denominator(1001))


def _words(frames: int, count: int, period: float, fps: Fraction, true_fps: Fraction | None) -> str:
    if true_fps is None:
        which = "1 frame repeats" if count == 1 else f"{count} of {frames} frames repeat"
        return f"{which} the one before, in no regular pattern."
    whole = round(period)
    if abs(period - whole) > 0.02:
        which = f"{count} of {frames} frames repeat"
    else:
        which = "every second frame repeats" if whole == 2 else f"every {whole}{ {3: 'rd', 22: 'nd', 23: 'rd'}.get(whole, 'th')} frame repeats"
    film = 23.9 < true_fps < 24.1 and (29.9 < fps < 30.1 or 59.9 < fps < 60.1)
    how = f"24 fps film telecined to {round(fps)}" if film else f"{float(true_fps):.4g} fps material shown at {float(fps):.4g}"
    return f"{which} the one before: {how}."
