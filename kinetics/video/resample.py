"""Which picture is on screen at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

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
