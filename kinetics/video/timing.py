"""The clock of a clip, read from its packets: average rate, range of rates, whether it varies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ..errors import KineticsError

#: Rates in use, tried before a fraction read off the clock: containers with coarse ticks blur them.
STANDARD_RATES = tuple(Fraction(*rate) for rate in (
    (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1), (100, 1), (120000, 1001),
    (120, 1), (200, 1), (240, 1), (15, 1), (12, 1), (10, 1),
))  # fmt: skip

#: A decimal rate this near to a standard one means it: 29.97 is 30000/1001.
_DECIMALS = Fraction(1, 2000)

#: Intervals that differ by more than this part of the median interval make the rate variable.
JITTER = 0.05


def as_rate(fps: Fraction | float) -> Fraction:
    """The rate a number of frames per second means; not checked for sign."""
    if isinstance(fps, float) and not math.isfinite(fps):
        raise KineticsError(f"A rate of {fps} fps has no meaning; give a number such as 25 or 29.97.")
    exact = Fraction(fps)
    near = min(STANDARD_RATES, key=lambda rate: abs(rate - exact))
    return near if abs(near - exact) < _DECIMALS else exact.limit_denominator(1001)


@dataclass(frozen=True)
class Timing:
    """``fps`` average, ``interval`` median between frames (s), ``slowest``/``fastest`` in frames per second."""

    fps: Fraction
    interval: Fraction
    variable: bool
    slowest: float
    fastest: float


def measure_timing(ticks: np.ndarray, tick: Fraction, nominal: Fraction | None = None) -> Timing:
    """Rate of a clip from its timestamps.

    Parameters
    ----------
    ticks : (N,) int64
        Presentation times in ticks, sorted, each once.
    tick : Fraction
        Seconds per tick.
    nominal : Fraction, optional
        Rate the container states; believed when it explains the timestamps to within a tick, and for a single frame.

    Notes
    -----
    A constant rate rounded to ticks gives intervals that differ by at most one tick. The rate counts as variable when they
    differ by more than that and by more than ``JITTER`` of the median; where the ticks are the frames (AVI), any difference counts.
    """
    stated = nominal if nominal else Fraction(25)
    gaps = np.diff(ticks)
    if not len(gaps):
        return Timing(stated, 1 / stated, False, float(stated), float(stated))
    median = int(np.median(gaps))
    spread = int(gaps.max() - gaps.min())
    rounding = 1 if median > 1 else 0
    variable = spread > max(rounding, JITTER * median)
    span = int(ticks[-1] - ticks[0]) * tick
    fps = Fraction(len(gaps)) / span
    if not variable:
        # A stated rate with a long denominator is only an average over the ticks.
        plain = [nominal] if nominal and nominal.denominator <= 1001 else []
        candidates = (*plain, *STANDARD_RATES, fps.limit_denominator(1001))
        fps = next((rate for rate in candidates if abs(len(gaps) / rate - span) <= tick * rounding), fps)
    return Timing(fps, median * tick, variable, float(1 / (int(gaps.max()) * tick)), float(1 / (int(gaps.min()) * tick)))


def describe_spans(times: Sequence[float], interval: float) -> str:
    """Where a set of instants lies, in words: "at 1.20 s", "between 1.20 s and 1.32 s", "in 3 places between …"."""
    ordered = sorted(times)
    places = 1 + sum(b - a > 1.5 * interval for a, b in pairwise(ordered))
    if len(ordered) == 1:
        return f"at {ordered[0]:.2f} s"
    where = f"between {ordered[0]:.2f} s and {ordered[-1]:.2f} s"
    return where if places == 1 else f"in {places} places {where}"
