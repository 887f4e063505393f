"""Banded warping costs of one shot against many of equal length, given up as soon as they can't be among the least."""

from __future__ import annotations

import numpy as np

from ..compare.wavefront import limits

#: The others are made room for when fewer than this part of the shots is left.
_LEFT = 0.75

#: Bounds and costs are rounded sums: a limit has to be larger by this part of itself, or a shot at the limit might be given up.
ROUNDING = 1e-9


def count_cells(frames: int, columns: int, radius: int | None) -> int:
    """Cells of the band: what a cost takes that isn't given up."""
    low, high = limits(frames, columns, radius)
    return int((high - low).sum())


def warp_within(query: np.ndarray, shots: np.ndarray, radius: int | None, rows: np.ndarray, limit: float) -> tuple[np.ndarray, int]:
    """Costs as :func:`kinetics.compare.dtw.dtw` gives them, of those shots whose cost is no more than ``limit``.

    Row by row of the query's table, all shots side by side. A shot is given up when the least of its row and what the rows to come
    add at least are more than the limit.

    Parameters
    ----------
    query : (T, D) float64
    shots : (n, M, D) float64
    radius : int or None
    rows : (n, T)
        What each row adds at least, of :func:`.bounds.bound_closely`.
    limit : float

    Returns
    -------
    (n,) float64
        Infinite where given up.
    int
        Cells that were filled.
    """
    count, columns = shots.shape[:2]
    low, high = limits(len(query), columns, radius)
    to_come = rows.sum(axis=1)[:, None] - np.cumsum(rows, axis=1)
    left = np.arange(count)
    # Column 0 is the one before the first; a row is the shots side by side.
    above = np.full((columns + 1, count), np.inf)
    above[0] = 0.0
    cost = np.full(count, np.inf)
    cells = 0
    for i, (begin, end) in enumerate(zip(low, high, strict=True)):
        apart = shots[:, begin:end] - query[i]
        local = np.einsum("njd,njd->jn", apart, apart)
        here = np.full_like(above, np.inf)
        ways = np.minimum(above[begin:end], above[begin + 1 : end + 1])
        for j in range(end - begin):
            np.minimum(ways[j], here[begin + j], out=ways[j])
            np.add(local[j], ways[j], out=here[begin + j + 1])
        cells += local.size
        above = here
        alive = here[begin + 1 : end + 1].min(axis=0) + to_come[:, i] <= limit
        if np.count_nonzero(alive) < _LEFT * len(left) or i == len(query) - 1:
            shots, left, to_come, above = shots[alive], left[alive], to_come[alive], above[:, alive]
            if not len(left):
                break
    cost[left] = above[-1]
    return cost, cells
