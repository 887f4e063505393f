"""Local cost of frames against frames: squared distances by one matrix product, made exact where the product can't be trusted."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

#: |f|² + |g|² - 2 f·g loses about eps (|f|² + |g|²). Below this part of it a distance is computed again from the differences, so that
#: every one is right to 1e-10 of itself (1e-9 with weights), and frames that are equal cost exactly nothing.
CANCELS = 1e-5

#: A product of at most so many multiplications is done by the thread that asks for it. OpenBLAS wakes all its threads for a larger one, and
#: they wait for each other longer than the whole product takes as soon as anything else runs on the machine.
_QUIET = 2**18
_TILE = 256

#: Differences held at a time when distances are computed again: 100 kB, which never leaves the cache.
_CHUNK = 12_000


class LocalCost:
    """c(i, j) = |f_i - g_j|², or D sum wf wg (f - g)² / sum wf wg with weights: what is missing on either side has no part in the mean.

    Parameters
    ----------
    f, g : (T, D) and (M, D) float64
        Finite; anything where the weight is 0.
    wf, wg : (T, D) and (M, D) float64, optional
        Not negative; both or none.
    """

    def __init__(self, f: np.ndarray, g: np.ndarray, wf: np.ndarray | None = None, wg: np.ndarray | None = None) -> None:
        self.f, self.g, self.wf, self.wg = f, g, wf, wg

    @cached_property
    def factors(self) -> tuple[np.ndarray, np.ndarray, float]:
        """(T, n) and (n, M) whose product is the cost (with weights: the sum over the weights' sum), and where to doubt it."""
        # Taken about a common middle, or far-off pixels cancel in the product. Rounded to a power of two that the spread can't feel:
        # whole numbers stay sums of powers of two, whose products are exact, and ties stay ties.
        low, high = np.minimum(self.f.min(axis=0), self.g.min(axis=0)), np.maximum(self.f.max(axis=0), self.g.max(axis=0))
        spread = float((high - low).max())
        step = 2.0 ** np.floor(np.log2(spread) - 6) if spread > 0 else 1.0
        middle = np.round((self.f.mean(axis=0) + self.g.mean(axis=0)) / (2 * step)) * step
        width = self.f.shape[1]
        if self.wf is None:
            left, right = np.ones((len(self.f), width + 2)), np.ones((width + 2, len(self.g)))
            f, g = np.subtract(self.f, middle, out=left[:, :-2]), np.subtract(self.g.T, middle[:, None], out=right[:-2])
            ff, gg = np.einsum("td,td->t", f, f, out=left[:, -2]), np.einsum("dt,dt->t", g, g, out=right[-1])
            f *= -2
            return left, right, CANCELS * (float(ff.max()) + float(gg.max()))
        f, g, wf, wg = self.f - middle, (self.g - middle).T, self.wf, self.wg.T
        left = np.concatenate([-2 * wf * f, wf * f**2, wf], axis=1)
        right = np.concatenate([wg * g, wg, wg * g**2])
        # The terms of a pair of frames are weighted by both, so they may be some times larger than either frame's own mean.
        least = np.finfo(float).tiny
        sizes = [float(((w * x**2).sum(axis=k) / np.maximum(w.sum(axis=k), least)).max()) for x, w, k in ((f, wf, 1), (g, wg, 0))]
        return left, right, 4 * CANCELS * width * sum(sizes)

    def block(self, first: int, last: int, left: int, right: int, out: np.ndarray | None = None) -> np.ndarray:
        """(last - first, right - left) costs, into ``out`` when given; infinite where two frames have nothing in common."""
        rows, columns, doubt = self.factors
        cost = _multiply(rows[first:last], columns[:, left:right], out)
        if self.wf is not None:
            width = self.f.shape[1]
            common = _multiply(self.wf[first:last], columns[width : 2 * width, left:right])
            cost *= width
            with np.errstate(divide="ignore", invalid="ignore"):
                cost /= common
            cost[common == 0] = np.inf
        doubtful = np.flatnonzero(cost < doubt)
        if len(doubtful):
            i, j = np.divmod(doubtful, right - left)
            cost.ravel()[doubtful] = self.pairs(i + first, j + left)
        return cost

    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """(n,) costs of frames ``i`` of f with frames ``j`` of g, from the differences themselves."""
        cost = np.empty(len(i))
        step = max(1, _CHUNK // self.f.shape[1])
        for k in range(0, len(i), step):
            a, b = i[k : k + step], j[k : k + step]
            difference = self.f[a] - self.g[b]
            if self.wf is None:
                cost[k : k + step] = np.einsum("nd,nd->n", difference, difference)
            else:
                both = self.wf[a] * self.wg[b]
                cost[k : k + step] = self.f.shape[1] * np.einsum("nd,nd,nd->n", both, difference, difference) / both.sum(axis=1)
        return cost


def _multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """left (T, n) @ right (n, M), both with rows without gaps, in tiles of :data:`_QUIET` multiplications."""
    if out is None:
        out = np.empty((len(left), right.shape[1]))
    for first in range(0, right.shape[1], _TILE):
        part, target = right[:, first : first + _TILE], out[:, first : first + _TILE]
        rows = max(1, _QUIET // part.size)
        whole = len(left) // rows * rows
        tiles = as_strided(target, (whole // rows, rows, part.shape[1]), (rows * target.strides[0], *target.strides))
        np.matmul(left[:whole].reshape(-1, rows, left.shape[1]), part, out=tiles)
        np.matmul(left[whole:], part, out=target[whole:])
    return out
