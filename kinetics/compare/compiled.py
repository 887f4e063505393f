"""The recurrence in machine code, where numba can be imported; :mod:`.wavefront` is its equal in NumPy.

Four rows of the table advance together, each a column behind the one above it, so that none waits for another's result; the local
costs of two rows at a time are differences squared and summed, never a matrix product, so equal frames cost exactly nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

DIAGONAL, UP, LEFT = 0, 1, 2


def _compile(function):
    """Machine code that runs without the interpreter's lock, kept on disk where a folder can be written."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba finds no place for its cache
        return njit(nogil=True, error_model="numpy")(function)


@_compile
def _add_four(a, b, g0, g1, g2, g3, p0, p1, p2, p3, q0, q1, q2, q3):
    for j in range(a.shape[0]):
        u0, u1, u2, u3 = g0[j], g1[j], g2[j], g3[j]
        x0, x1, x2, x3 = p0 - u0, p1 - u1, p2 - u2, p3 - u3
        y0, y1, y2, y3 = q0 - u0, q1 - u1, q2 - u2, q3 - u3
        a[j] += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3)
        b[j] += (y0 * y0 + y1 * y1) + (y2 * y2 + y3 * y3)


@_compile
def _add_one(a, b, g, p, q):
    for j in range(a.shape[0]):
        x, y = p - g[j], q - g[j]
        a[j] += x * x
        b[j] += y * y


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
def _fill_plain(f, g, i, first, last, a, b):
    """Local costs of rows i and i + 1 (or i twice, when it is the last) in columns first..last; g is (D, M)."""
    n = f.shape[1]
    a[:] = 0.0
    b[:] = 0.0
    other = min(i + 1, f.shape[0] - 1)
    k = 0
    while k + 4 <= n:
        _add_four(
            a, b, g[k, first:last], g[k + 1, first:last], g[k + 2, first:last], g[k + 3, first:last],
            f[i, k], f[i, k + 1], f[i, k + 2], f[i, k + 3], f[other, k], f[other, k + 1], f[other, k + 2], f[other, k + 3],
        )  # fmt: skip
        k += 4
    while k < n:
        _add_one(a, b, g[k, first:last], f[i, k], f[other, k])
        k += 1


@_compile
def _fill_weighted(f, g, wf, wg, i, first, last, a, total):
    """Local costs of row i, D Σ w(f − g)² / Σ w; infinite where nothing is common."""
    n = f.shape[1]
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
def _fill(f, g, wf, wg, i, rows, low, high, first, last, cost, spare):
    """Local costs of ``rows`` rows from i into cost[:, 4:], infinite outside the band; 4 infinite columns stay on either side."""
    width = last - first
    if wf.shape[0] == 0:
        for r in range(0, rows, 2):
            second = cost[r + 1, 4 : 4 + width] if r + 1 < rows else spare[:width]
            _fill_plain(f, g, i + r, first, last, cost[r, 4 : 4 + width], second)
    else:
        for r in range(rows):
            _fill_weighted(f, g, wf, wg, i + r, first, last, cost[r, 4 : 4 + width], spare[:width])
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
def _fill_table(f, g, wf, wg, low, high, open_begin, packed):
    """The last row of the table, (M,).

    Parameters
    ----------
    f : (T, D); g : (D, M) float64
        Frames of one in rows, those of the other in columns.
    wf, wg : (T, D) and (D, M) float64, or (0, 0)
    low, high : (T,) int64
        First column of the band in each row, and the one after its last; neither may fall.
    open_begin : bool
    packed : (⌈T/4⌉, M) uint8, or (0, 0) when no path is wanted
        Takes the directions; see :func:`_trace`.
    """
    frames, columns = f.shape[0], g.shape[1]
    above = _start(columns, open_begin)
    cost = np.full((4, columns + 8), np.inf)
    spare = np.empty(columns)
    traced = packed.shape[0] > 0
    odd = frames % 4
    code = np.zeros(columns if traced else 0, np.uint8)
    for i in range(odd):
        first, last = low[i], high[i]
        _fill(f, g, wf, wg, i, 1, low, high, first, last, cost, spare)
        _one_row(cost[0], above, first, last, code)
        if traced:
            slot = 2 * (4 - odd + i)
            for j in range(first, last):
                packed[0, j] |= code[j - first] << slot
    for i in range(odd, frames, 4):
        first, last = low[i], high[i + 3]
        _fill(f, g, wf, wg, i, 4, low, high, first, last, cost, spare)
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


def warp(f, g, wf, wg, low, high, open_begin, open_end):
    """As :func:`.wavefront.warp`, with the arguments of :func:`_fill_table`."""
    packed = np.zeros((-(-len(f) // 4), g.shape[1]), np.uint8)
    row = _fill_table(f, g, wf, wg, low, high, open_begin, packed)
    column = int(row.argmin()) if open_end else len(row) - 1
    return _trace(packed, len(f), column) if np.isfinite(row[column]) else None


@_compile
def fill_costs(f, bank, wf, weights, starts, lengths, low, high, offsets, out):
    """Costs of one clip f (T, D) against clips of a bank (D, ΣM), into ``out`` (n,).

    Clip k lies in columns starts[k] to starts[k] + lengths[k]; its band is ``low``, ``high`` from offsets[k] on.
    """
    nothing = np.empty((0, 0), np.uint8)
    frames = f.shape[0]
    for k in range(len(starts)):
        begin, end, band = starts[k], starts[k] + lengths[k], slice(offsets[k], offsets[k] + frames)
        # Copied, as only rows without gaps between their numbers are turned into vector instructions.
        wg = weights[:, begin:end].copy() if wf.shape[0] > 0 else weights
        out[k] = _fill_table(f, bank[:, begin:end].copy(), wf, wg, low[band], high[band], False, nothing)[-1]
