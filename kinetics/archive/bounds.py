"""What the banded warping cost of two shots can't be less than, far cheaper than the cost itself.

A path pairs every frame of one shot with at least one frame of the other inside the band. So each frame adds at least its squared distance
from the box around the frames that it may meet (Keogh and Ratanamahatana 2005, doi:10.1007/s10115-004-0154-9), from
either side; the first and the last frames are paired for certain. What the box of the other's nearest points adds from the other side may
be added on top (Lemire 2009, doi:10.1016/j.patcog.2008.11.030). Distances along some orthonormal axes are never more than those along all.
"""

from __future__ import annotations

import numpy as np

#: Shots whose differences are held at a time: with six numbers a frame 2 MB, which stays near the processor.
_AT_ONCE = 2048


def find_envelope(x: np.ndarray, frames: int, radius: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Largest and least of what each frame of another shot may meet.

    Parameters
    ----------
    x : (..., M, D)
    frames : int
        T, of the other shot.
    radius : int or None
        Of the band, as :func:`kinetics.compare.wavefront.limits` lays it.

    Returns
    -------
    (..., T, D), (..., T, D)
    """
    columns = x.shape[-2]
    radius = max(frames, columns) if radius is None else min(radius, max(frames, columns))
    # Row i of the table holds the columns i - before to i + after.
    before, after = radius + max(0, frames - columns), radius + max(0, columns - frames)
    wide = np.full((*x.shape[:-2], frames + before + after, x.shape[-1]), -np.inf, x.dtype)
    wide[..., before : before + columns, :] = x
    upper = _slide(wide, before + after + 1, np.maximum)
    np.copyto(wide, np.inf, where=wide == -np.inf)
    return upper, _slide(wide, before + after + 1, np.minimum)


def _slide(x: np.ndarray, window: int, most: np.ufunc) -> np.ndarray:
    """(..., n - window + 1, D) largest or least of each window: of two halves that may overlap, each found the same way."""
    done = 1
    while done < window:
        step = min(done, window - done)
        x = most(x[..., :-step, :], x[..., step:, :])
        done += step
    return x


def find_excess(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """(..., T) squared distance of each frame of x (..., T, D) from its box."""
    over = np.clip(x, lower, upper)
    np.subtract(x, over, out=over)
    return np.einsum("...d,...d->...", over, over)


def pin_ends(excess: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Excess (..., T) of x (..., T, D), in place, with the true distances of its ends from those of y (..., M, D), which every path pairs."""
    for end in (0, -1) if excess.shape[-1] > 1 else (0,):
        apart = x[..., end, :] - y[..., end, :]
        excess[..., end] = np.einsum("...d,...d->...", apart, apart)
    return excess


def find_axes(frames: np.ndarray, count: int) -> np.ndarray:
    """(D, count) orthonormal axes along which frames (n, D) are spread the most."""
    centred = frames - frames.mean(axis=0)
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :count]


def bound_roughly(query: np.ndarray, shots: np.ndarray, radius: int | None, compiled: bool = False) -> np.ndarray:
    """(n,) float32 bounds of a query (T, m) float64 against shots (n, M, m) float32, both along the same few axes.

    Rounded downwards: the boxes are wider by what float32 loses, so the bound holds for the unrounded shots.
    """
    upper, lower = find_envelope(query, shots.shape[1], radius)
    size = max(float(np.abs(query).max()), float(np.abs(shots).max(initial=0.0)))
    slack = 4 * float(np.finfo(np.float32).eps) * size
    upper, lower = (upper + slack).astype(np.float32), (lower - slack).astype(np.float32)
    found = np.empty(len(shots), np.float32)
    if compiled:
        from .banded_compiled import sum_excess

        sum_excess(shots, upper, lower, found)
    else:
        for k in range(0, len(shots), _AT_ONCE):
            found[k : k + _AT_ONCE] = find_excess(shots[k : k + _AT_ONCE], upper, lower).sum(axis=1)
    # What a sum of so many squares in float32 may be too large by.
    return found * np.float32(1 - np.finfo(np.float32).eps * upper.size)


def bound_closely(query: np.ndarray, shots: np.ndarray, radius: int | None, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of a query (T, D) against shots (n, M, D), float64; only shots that pass one bound are asked the next.

    Returns
    -------
    (p,) int64
        Shots whose bounds are no more than ``limit``.
    (p,)
        Their bounds.
    (p, T)
        What each row of the query's table adds at least.
    """
    upper, lower = find_envelope(query, shots.shape[1], radius)
    left = np.arange(len(shots))
    bound = pin_ends(find_excess(shots, upper, lower), shots, query).sum(axis=1)
    kept = bound <= limit
    left, bound, shots = left[kept], bound[kept], shots[kept]
    rows = pin_ends(find_excess(query, *find_envelope(shots, len(query), radius)), query, shots)
    bound = np.maximum(bound, rows.sum(axis=1))
    kept = bound <= limit
    left, bound, rows, shots = left[kept], bound[kept], rows[kept], shots[kept]
    nearest = np.clip(shots, lower, upper)
    both = find_excess(shots, upper, lower).sum(axis=1) + find_excess(query, *find_envelope(nearest, len(query), radius)).sum(axis=1)
    bound = np.maximum(bound, both)
    kept = bound <= limit
    return left[kept], bound[kept], rows[kept]
