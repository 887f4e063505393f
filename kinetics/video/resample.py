"""Which picture is on screen at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from ..errors import KineticsError

T = TypeVar("T")


def on_screen(items: Iterable[tuple[float, T]], instants: Iterable[float], slack: float = 0.0) -> Iterator[tuple[T, bool]]:
    """For every instant, what is on screen then.

    Parameters
    ----------
    items : iterable of (t, what)
        In order of time. ``what`` is on screen from ``t`` until the next item's time.
    instants : iterable of float
        In order of time, on the same clock.
    slack : float
        An item counts as there when its time is at most this much later than the instant: timestamps are rounded to ticks.

    Yields
    ------
    (what, is_new)
        ``is_new`` tells whether ``what`` differs from the item yielded before. Before the first item the first is on
        screen, after the last the last. Nothing is yielded when there are no items.

    Notes
    -----
    Reads one item ahead, no more.
    """
    source = iter(items)
    current = next(source, None)
    if current is None:
        return
    following = next(source, None)
    is_new = True
    for instant in instants:
        while following is not None and following[0] <= instant + slack:
            current, following, is_new = following, next(source, None), True
        yield current[1], is_new
        is_new = False


def switch_midway(items: Iterable[tuple[float, T]]) -> Iterator[tuple[float, T]]:
    """The same items for :func:`on_screen`, each appearing midway between the one before and itself: what is shown is the nearest in time."""
    before = None
    for t, what in items:
        yield t if before is None else (before + t) / 2, what
        before = t


def check_times(at: np.ndarray, name: str) -> np.ndarray:
    """(n,) float64 seconds of a clip's clock, one per frame to be written.

    Raises
    ------
    KineticsError
        When they are not one row of finite numbers that never go back.
    """
    at = np.asarray(at, dtype=np.float64)
    if at.ndim != 1 or not len(at):
        raise KineticsError(f"The times at which to show {name} have shape {at.shape}; give one time in seconds per frame.")
    if not np.isfinite(at).all():
        raise KineticsError(f"The times at which to show {name} hold {int((~np.isfinite(at)).sum())} that are not finite; give seconds.")
    back = np.flatnonzero(np.diff(at) < 0)
    if len(back):
        k = int(back[0])
        raise KineticsError(f"{name} would run backwards from {at[k]:.3f} s to {at[k + 1]:.3f} s at frame {k + 1}; give times that never go back.")
    return at
