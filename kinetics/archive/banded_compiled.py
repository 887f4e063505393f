"""Bounds and warping in machine code, where numba can be imported: :mod:`.bounds` and :mod:`.banded` are its equal in NumPy.

One shot after the other: each bound is given up as soon as it is beyond the limit, and nothing is laid out in memory.
"""

from __future__ import annotations

import numpy as np

from ..compare.compiled import _compile
from ..compare.wavefront import limits
from .bounds import find_envelope


def warp_near(query: np.ndarray, shots: np.ndarray, radius: int | None, limit: float) -> tuple[np.ndarray, int, int]:
    """Costs of a query (T, D) and shots (n, M, D), all float64, that are no more than ``limit``.

    Returns
    -------
    (n,) float64
        Infinite where more than ``limit``.
    int, int
        Shots that were warped, cells that were filled.
    """
    cost = np.empty(len(shots))
    upper, lower = find_envelope(query, shots.shape[1], radius)
    warped, cells = _warp_all(query, upper, lower, shots, *limits(len(query), shots.shape[1], radius), limit, cost)
    return cost, warped, cells


@_compile
def sum_excess(shots, upper, lower, found):
    """Sums (n,) of the squared distances of shots (n, M, m) from boxes (M, m), all float32, into ``found``."""
    for k in range(shots.shape[0]):
        total = np.float32(0)
        for j in range(shots.shape[1]):
            for d in range(shots.shape[2]):
                x = shots[k, j, d]
                over = max(max(x - upper[j, d], lower[j, d] - x), np.float32(0))
                total += over * over
        found[k] = total


@_compile
def _apart(x, y):
    total = 0.0
    for d in range(x.shape[0]):
        total += (x[d] - y[d]) ** 2
    return total


@_compile
def _excess(x, upper, lower):
    total = 0.0
    for d in range(x.shape[0]):
        over = max(max(x[d] - upper[d], lower[d] - x[d]), 0.0)
        total += over * over
    return total


@_compile
def _bound_columns(query, upper, lower, shot, limit):
    """What the columns of the table add at least; more than ``limit`` is all that is told beyond it."""
    last = shot.shape[0] - 1
    total = _apart(query[0], shot[0])
    if last > 0:
        total += _apart(query[-1], shot[last])
    for j in range(1, last):
        if total > limit:
            break
        total += _excess(shot[j], upper[j], lower[j])
    return total


@_compile
def _bound_rows(query, shot, low, high, upper, lower, rows, limit):
    """The same of the rows, each kept in ``rows``; ``upper`` and ``lower`` (D,) are room."""
    last = query.shape[0] - 1
    total = 0.0
    for i in range(last + 1):
        if i == 0:
            rows[i] = _apart(query[i], shot[0])
        elif i == last:
            rows[i] = _apart(query[i], shot[-1])
        else:
            upper[:] = shot[low[i]]
            lower[:] = shot[low[i]]
            for j in range(low[i] + 1, high[i]):
                for d in range(upper.shape[0]):
                    upper[d] = max(upper[d], shot[j, d])
                    lower[d] = min(lower[d], shot[j, d])
            rows[i] = _excess(query[i], upper, lower)
        total += rows[i]
        if total > limit:
            break
    return total


@_compile
def _warp(query, shot, low, high, rows, limit, above, here):
    """Cost, infinite when it is more than ``limit``; the cells that were filled. ``above`` and ``here`` (M + 1,) are room."""
    above[:] = np.inf
    above[0] = 0.0
    cells = 0
    to_come = rows.sum()
    for i in range(query.shape[0]):
        here[:] = np.inf
        least = np.inf
        for j in range(low[i], high[i]):
            here[j + 1] = _apart(query[i], shot[j]) + min(min(above[j], above[j + 1]), here[j])
            least = min(least, here[j + 1])
        cells += high[i] - low[i]
        to_come -= rows[i]
        if not least + to_come <= limit:
            return np.inf, cells
        above, here = here, above
    return above[-1], cells


@_compile
def _warp_all(query, upper, lower, shots, low, high, limit, cost):
    """Costs (n,) into ``cost``; shots that were warped, cells that were filled."""
    above, here = np.empty(shots.shape[1] + 1), np.empty(shots.shape[1] + 1)
    most, least, rows = np.empty(query.shape[1]), np.empty(query.shape[1]), np.empty(query.shape[0])
    warped = cells = 0
    for k in range(shots.shape[0]):
        shot = shots[k]
        cost[k] = np.inf
        if _bound_columns(query, upper, lower, shot, limit) > limit:
            continue
        if _bound_rows(query, shot, low, high, most, least, rows, limit) > limit:
            continue
        cost[k], filled = _warp(query, shot, low, high, rows, limit, above, here)
        warped += 1
        cells += filled
    return warped, cells
