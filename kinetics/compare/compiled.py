"""The recurrence in machine code, where numba can be imported; :mod:`.wavefront` is its equal in NumPy.

Four rows of the table advance together, each a column behind the one above it, so that none waits for another's result. Their local costs are
sums of products, |f|² + |g|² - 2 f·g, a third of the work of differences squared; where that can't be trusted (:mod:`.local_cost`) they are
taken from the differences.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .local_cost import CANCELS, LocalCost

DIAGONAL, UP, LEFT = 0, 1, 2

#: Factors are filled up with zeros to a multiple of four terms and of so many columns: what is left over would go one number at a time.
_WIDE = 32


def _compile(function):
    """Machine code that runs without the interpreter's lock, kept on disk where a folder can be written.

    ``contract``: a product and the sum it goes into are one instruction, rounded once.
    """
    settings = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(**settings, cache=True)(function)
    except RuntimeError:  # numba finds no place for its cache
        return njit(**settings)(function)


@_compile
def _round_up(count, unit):
    return (count + unit - 1) // unit * unit


@_compile
def _add_products(a, b, c, d, g0, g1, g2, g3, left, i, k):
    """Four terms of the products of four rows, from column k of ``left`` on."""
    p0, p1, p2, p3 = left[i, k], left[i, k + 1], left[i, k + 2], left[i, k + 3]
    q0, q1, q2, q3 = left[i + 1, k], left[i + 1, k + 1], left[i + 1, k + 2], left[i + 1, k + 3]
    r0, r1, r2, r3 = left[i + 2, k], left[i + 2, k + 1], left[i + 2, k + 2], left[i + 2, k + 3]
    s0, s1, s2, s3 = left[i + 3, k], left[i + 3, k + 1], left[i + 3, k + 2], left[i + 3, k + 3]
    for j in range(a.shape[0]):
        u0, u1, u2, u3 = g0[j], g1[j], g2[j], g3[j]
        a[j] = (((a[j] + p0 * u0) + p1 * u1) + p2 * u2) + p3 * u3
        b[j] = (((b[j] + q0 * u0) + q1 * u1) + q2 * u2) + q3 * u3
        c[j] = (((c[j] + r0 * u0) + r1 * u1) + r2 * u2) + r3 * u3
        d[j] = (((d[j] + s0 * u0) + s1 * u1) + s2 * u2) + s3 * u3


@_compile
def _add_product(a, g, p):
    for j in range(a.shape[0]):
        a[j] += p * g[j]


@_compile
def _fill_plain(f, g, left, right, i, rows, first, last, most, cost):
    """Local costs of ``rows`` rows from i in columns first..last and some more, into cost[:, 4:]."""
    # Each row of a block is cut out by itself: only then numba knows that its numbers lie side by side.
    width = f.shape[1]
    stop = min(first + _round_up(last - first, _WIDE), right.shape[1])
    end = 4 + stop - first
    for r in range(rows):
        cost[r, 4:end] = 0.0
    for k in range(0, left.shape[1], 4):
        if rows == 4:
            _add_products(
                cost[0, 4:end], cost[1, 4:end], cost[2, 4:end], cost[3, 4:end],
                right[k, first:stop], right[k + 1, first:stop], right[k + 2, first:stop], right[k + 3, first:stop], left, i, k,
            )  # fmt: skip
        else:
            for r in range(rows):
                for q in range(k, k + 4):
                    _add_product(cost[r, 4:end], right[q, first:stop], left[i + r, q])
    for r in range(rows):
        _mend(f[i + r], g[first:last], cost[r, 4 : 4 + last - first], CANCELS * (left[i + r, width] + most))


@_compile
def _mend(f, g, cost, doubt):
    """Costs of one frame that lie below ``doubt``, from the differences."""
    doubtful = 0
    for j in range(cost.shape[0]):
        doubtful += cost[j] < doubt
    if doubtful == 0:
        return
    for j in range(cost.shape[0]):
        if cost[j] < doubt:
            total = 0.0
            for k in range(f.shape[0]):
                x = f[k] - g[j, k]
                total += x * x
            cost[j] = total


@_compile
def _add_weighted(a, total, g, w, p, v):
    for j in range(a.shape[0]):
        x, both = p - g[j], v * w[j]
        a[j] += both * x * x
        total[j] += both


@_compile
def _add_four_weighted(a, total, g0, g1, g2, g3, w0, w1, w2, w3, p0, p1, p2, p3, v0, v1, v2, v3):
    for j in range(a.shape[0]):
        x0, x1, x2, x3 = p0 - g0[j], p1 - g1[j], p2 - g2[j], p3 - g3[j]
        u0, u1, u2, u3 = v0 * w0[j], v1 * w1[j], v2 * w2[j], v3 * w3[j]
        a[j] += (u0 * x0 * x0 + u1 * x1 * x1) + (u2 * x2 * x2 + u3 * x3 * x3)
        total[j] += (u0 + u1) + (u2 + u3)


@_compile
def _fill_weighted(left, right, i, first, last, a, total):
    """Local costs of row i, D sum w(f - g)² / sum w; infinite where nothing is common."""
    n = left.shape[1] // 2
    f, wf, g, wg = left[:, :n], left[:, n:], right[:n], right[n:]
    a[:] = 0.0
    total[:] = 0.0
    k = 0
    while k + 4 <= n:
        _add_four_weighted(
            a, total, g[k, first:last], g[k + 1, first:last], g[k + 2, first:last], g[k + 3, first:last],
            wg[k, first:last], wg[k + 1, first:last], wg[k + 2, first:last], wg[k + 3, first:last],
            f[i, k], f[i, k + 1], f[i, k + 2], f[i, k + 3], wf[i, k], wf[i, k + 1], wf[i, k + 2], wf[i, k + 3],
        )  # fmt: skip
        k += 4
    while k < n:
        _add_weighted(a, total, g[k, first:last], wg[k, first:last], f[i, k], wf[i, k])
        k += 1
    for j in range(a.shape[0]):
        a[j] = n * a[j] / total[j] if total[j] > 0 else np.inf


@_compile
def _fill(f, g, left, right, weighted, i, rows, low, high, most, cost, spare):
    """Local costs of ``rows`` rows from i into cost[:, 4:], infinite outside the band; 4 infinite columns stay on either side."""
    first, last = low[i], high[i + rows - 1]
    width = last - first
    if weighted:
        for r in range(rows):
            _fill_weighted(left, right, i + r, first, last, cost[r, 4 : 4 + width], spare[:width])
    else:
        _fill_plain(f, g, left, right, i, rows, first, last, most, cost)
    for r in range(rows):
        cost[r, 4 : 4 + low[i + r] - first] = np.inf
        cost[r, 4 + high[i + r] - first : 8 + width] = np.inf


@_compile
def _one_row(cost, above, first, last, code):
    left = np.inf
    diagonal = above[first]
    for j in range(first, last):
        up = above[j + 1]
        best, step = diagonal, DIAGONAL
        if up < best:
            best, step = up, UP
        if left < best:
            best, step = left, LEFT
        left = cost[j - first + 4] + best
        diagonal = up
        above[j + 1] = left
        if code.shape[0] > 0:
            code[j - first] = step
    above[first] = np.inf


@_compile
def _four_rows(cost, above, first, last):
    c0, c1, c2, c3 = cost[0], cost[1], cost[2], cost[3]
    a = b = c = d = a_before = b_before = c_before = np.inf
    up = above[first]
    width = last - first
    top = above[first + 1 :]
    for s in range(width + 3):
        diagonal = up
        up = top[s] if s < width else np.inf
        a_next = c0[s + 4] + min(min(diagonal, up), a)
        b_next = c1[s + 3] + min(min(a_before, a), b)
        c_next = c2[s + 2] + min(min(b_before, b), c)
        d_next = c3[s + 1] + min(min(c_before, c), d)
        a_before, b_before, c_before = a, b, c
        a, b, c, d = a_next, b_next, c_next, d_next
        if s >= 3:
            top[s - 3] = d
    above[first] = np.inf


@_compile
def _choose(diagonal, up, left):
    best = diagonal if diagonal <= up else up
    step = DIAGONAL if diagonal <= up else UP
    return (best, step) if best <= left else (left, LEFT)


@_compile
def _four_rows_traced(cost, above, first, last, packed):
    """As :func:`_four_rows`, and where each cell came from: two bits a row, four rows to a byte."""
    c0, c1, c2, c3 = cost[0], cost[1], cost[2], cost[3]
    a = b = c = d = a_before = b_before = c_before = np.inf
    up = above[first]
    width = last - first
    top = above[first + 1 :]
    code = np.zeros((4, width + 3), np.uint8)
    code0, code1, code2, code3 = code[0], code[1], code[2], code[3]
    for s in range(width + 3):
        diagonal = up
        up = top[s] if s < width else np.inf
        a_best, code0[s] = _choose(diagonal, up, a)
        b_best, code1[s] = _choose(a_before, a, b)
        c_best, code2[s] = _choose(b_before, b, c)
        d_best, code3[s] = _choose(c_before, c, d)
        a_before, b_before, c_before = a, b, c
        a, b, c, d = c0[s + 4] + a_best, c1[s + 3] + b_best, c2[s + 2] + c_best, c3[s + 1] + d_best
        if s >= 3:
            top[s - 3] = d
    for j in range(width):
        packed[j] = code0[j] | code1[j + 1] << 2 | code2[j + 2] << 4 | code3[j + 3] << 6
    above[first] = np.inf


@_compile
def _start(count, open_begin):
    """The row above the table: 0 before the corner, or before every column when the path may begin anywhere."""
    above = np.full(count + 1, 0.0 if open_begin else np.inf)
    above[0] = 0.0
    return above


@_compile
def _fill_table(f, g, left, right, weighted, low, high, open_begin, packed):
    """The last row of the table, (M,).

    Parameters
    ----------
    f, g : (T, D) and (M, D) float64
        Frames in rows.
    left, right : (T, n) and (n, M rounded up to :data:`_WIDE`) float64
        Of :func:`factor`.
    weighted : bool
    low, high : (T,) int64
        First column of the band in each row, and the one after its last; neither may fall.
    open_begin : bool
    packed : (ceil(T/4), M) uint8, or (0, 0) when no path is wanted
        Takes the directions; see :func:`_trace`.
    """
    frames, columns = f.shape[0], g.shape[0]
    above = _start(columns, open_begin)
    cost = np.full((4, columns + 8 + _WIDE), np.inf)
    spare = np.empty(columns)
    most = 0.0 if weighted else right[f.shape[1] + 1].max()
    traced = packed.shape[0] > 0
    odd = frames % 4
    code = np.zeros(columns if traced else 0, np.uint8)
    for i in range(odd):
        first, last = low[i], high[i]
        _fill(f, g, left, right, weighted, i, 1, low, high, most, cost, spare)
        _one_row(cost[0], above, first, last, code)
        if traced:
            slot = 2 * (4 - odd + i)
            for j in range(first, last):
                packed[0, j] |= code[j - first] << slot
    for i in range(odd, frames, 4):
        first, last = low[i], high[i + 3]
        _fill(f, g, left, right, weighted, i, 4, low, high, most, cost, spare)
        if traced:
            _four_rows_traced(cost, above, first, last, packed[(i + 3) // 4, first:last])
        else:
            _four_rows(cost, above, first, last)
    return above[1:]


@_compile
def _trace(packed, frames, column):
    """The path (n, 2) that ends in ``column`` of the last row."""
    pad = (4 - frames % 4) % 4
    path = np.empty((frames + column + 1, 2), np.int64)
    n = len(path)
    i, j = frames - 1, column
    while i >= 0:
        n -= 1
        path[n, 0], path[n, 1] = i, j
        step = packed[(i + pad) // 4, j] >> (2 * ((i + pad) % 4)) & 3
        if step != LEFT:
            i -= 1
        if step != UP:
            j -= 1
    return path[n:].copy()


def factor(cost: LocalCost) -> tuple[np.ndarray, np.ndarray]:
    """What the local costs are made of, (T, n) and (n, M): :attr:`.LocalCost.factors`; with weights, both values and weights."""
    if cost.wf is None:
        left, right, _ = cost.factors
        terms = right.shape[0] + -right.shape[0] % 4
        return _fill_up(left, len(left), terms), _fill_up(right, terms, right.shape[1])
    return np.concatenate([cost.f, cost.wf], axis=1), np.concatenate([cost.g, cost.wg], axis=1).T.copy()


def widen(right: np.ndarray) -> np.ndarray:
    """Right factors (n, M) with columns of zeros up to a multiple of :data:`_WIDE`."""
    return _fill_up(right, len(right), right.shape[1] + -right.shape[1] % _WIDE)


def _fill_up(part: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The array with zeros after its rows and columns, as large as said."""
    if part.shape == (rows, columns):
        return part
    whole = np.zeros((rows, columns))
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def warp(cost: LocalCost, low: np.ndarray, high: np.ndarray, open_begin: bool, open_end: bool) -> np.ndarray | None:
    """As :func:`.wavefront.warp`, with the band's limits."""
    packed = np.zeros((-(-len(cost.f) // 4), len(cost.g)), np.uint8)
    left, right = factor(cost)
    row = _fill_table(cost.f, cost.g, left, widen(right), cost.wf is not None, low, high, open_begin, packed)
    column = int(row.argmin()) if open_end else len(row) - 1
    return _trace(packed, len(cost.f), column) if np.isfinite(row[column]) else None


@_compile
def _limits(frames, columns, band):
    """As :func:`.wavefront.limits`; no band below 0."""
    low, high = np.zeros(frames, np.int64), np.full(frames, columns, np.int64)
    if band >= 0:
        for i in range(frames):
            low[i] = max(0, i - band - max(0, frames - columns))
            high[i] = min(columns, i + band + max(0, columns - frames) + 1)
    return low, high


@_compile
def fill_costs(f, left, values, right, weighted, starts, lengths, offsets, bands, out):
    """Costs of one clip f (T, D), ``left`` (T, n), against some of a bank's, into ``out`` (len(starts),).

    Clip k has the rows starts[k] to starts[k] + lengths[k] of ``values`` (sum M, D); its right factors, widened, row by row, begin at offsets[k]
    of ``right``; its band is bands[k].
    """
    nothing = np.empty((0, 0), np.uint8)
    width = left.shape[1]
    for k in range(len(starts)):
        begin, end = starts[k], starts[k] + lengths[k]
        low, high = _limits(f.shape[0], lengths[k], bands[k])
        wide = _round_up(lengths[k], _WIDE)
        factors = right[offsets[k] : offsets[k] + width * wide].reshape(width, wide)
        out[k] = _fill_table(f, values[begin:end], left, factors, weighted, low, high, False, nothing)[-1]
