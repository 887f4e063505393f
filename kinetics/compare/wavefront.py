"""The recurrence in NumPy: all cells of one anti-diagonal at once, so that the interpreter is asked T + M times, not T × M times.

A block of rows is laid out skewed, cell (i, j) in row i + j, so that each anti-diagonal is a row and its three predecessors lie in the
two rows above. Between blocks only the last row of the table is kept, and two bits a cell that say where it came from.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .local_cost import LocalCost

#: Arrays up to this many numbers are kept for the next call, in each thread: 8 MB.
_KEEP = 1_000_000
_KEPT = threading.local()

#: Anti-diagonals whose directions are read off at a time.
_CHUNK = 128


def limits(frames: int, columns: int, band: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Sakoe-Chiba band of each row of the table: its first column, and the one after its last.

    Row i holds the columns j with -r - max(0, T - M) <= j - i <= r + max(0, M - T): a strip of slope 1 that holds both corners, r wide
    beyond them. So tslearn and dtaidistance lay it for clips of unequal length; aeon's follows the line from corner to corner.

    Returns
    -------
    (T,) int64, (T,) int64
    """
    i = np.arange(frames)
    if band is None:
        return np.zeros(frames, np.int64), np.full(frames, columns, np.int64)
    return np.maximum(0, i - band - max(0, frames - columns)), np.minimum(columns, i + band + max(0, columns - frames) + 1)


def block_rows(band: int | None) -> int:
    """Rows that are laid out at a time; fewer in a band, whose blocks are as wide as it and they together."""
    return 512 if band is None else 256


def sweep(table: np.ndarray) -> None:
    """Turn costs into D(i, j) = c(i, j) + min(D(i-1, j-1), D(i-1, j), D(i, j-1)), anti-diagonal by anti-diagonal, in place.

    Parameters
    ----------
    table : (2 + diagonals, 1 + n) float64
        Column 0 and rows 0 and 1 hold what lies above the block and isn't changed; infinite where there is no cell.
    """
    best = np.empty(table.shape[1] - 1)
    least, add = np.minimum, np.add
    here, before = table[:, 1:], table[:, :-1]
    for cost, left, up, diagonal in zip(here[2:], here[1:], before[1:], before, strict=False):
        least(up, left, out=best)
        least(best, diagonal, out=best)
        add(cost, best, out=cost)


def skewed(table: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """View of a table as (rows, columns): element (i, j) is ``table[i + j + 2, i + 1]``."""
    down, across = table.strides
    return as_strided(table[2:, 1:], (rows, columns), (down + across, down))


def warp(cost: LocalCost, band: int | None, open_begin: bool, open_end: bool) -> np.ndarray | None:
    """The path (n, 2) of least cost; None where no path has a finite one. Ties go to the diagonal, then to the row above."""
    frames, columns = len(cost.f), len(cost.g)
    low, high = limits(frames, columns, band)
    above = np.full(columns + 1, 0.0 if open_begin else np.inf)
    above[0] = 0.0
    size = block_rows(band)
    blocks = []
    for first in range(0, frames, size):
        rows = slice(first, min(frames, first + size))
        left, right = int(low[first]), int(high[rows.stop - 1])
        table = _fill_block(cost, rows, left, low[rows], high[rows], above[left : right + 1])
        # A table that is all there is can be walked back as it stands; of several, only the directions are kept.
        kept = (table,) if frames <= size else _directions(table)
        blocks.append((first, left, kept))
        above = np.full(columns + 1, np.inf)
        above[left + 1 : right + 1] = skewed(table, rows.stop - first, right - left)[-1]
        del table  # before the next one is made
    column = int(above[1:].argmin()) if open_end else columns - 1
    if not np.isfinite(above[column + 1]):
        return None
    path: list[tuple[int, int]] = []
    row = frames - 1
    for first, left, kept in reversed(blocks):
        steps = _steps_by_value(*kept) if len(kept) == 1 else _steps_by_direction(*kept)
        row, column = _walk_back(steps, first, left, row, column, path)
    return np.array(path[::-1], dtype=np.int64)


def _fill_block(cost: LocalCost, rows: slice, left: int, low: np.ndarray, high: np.ndarray, above: np.ndarray) -> np.ndarray:
    """The table of a block of rows; ``above`` is the row before, from the column left of ``left`` on."""
    height, width = len(low), len(above) - 1
    local = cost.block(rows.start, rows.stop, left, left + width, out=borrow("local", height, width))
    if low[-1] > left or high[0] < left + width:
        j = np.arange(left, left + width)
        local[(j < low[:, None]) | (j >= high[:, None])] = np.inf
    table = borrow("table", height + width + 1, height + 1)
    table.fill(np.inf)
    table[: width + 1, 0] = above
    skewed(table, height, width)[...] = local
    sweep(table)
    return table


def borrow(name: str, rows: int, columns: int) -> np.ndarray:
    """An array whose memory this thread keeps from call to call: fresh pages cost as much as the arithmetic on them."""
    kept = getattr(_KEPT, name, None)
    if kept is None or len(kept) < rows * columns:
        kept = np.empty(rows * columns)
        if len(kept) <= _KEEP:
            setattr(_KEPT, name, kept)
    return kept[: rows * columns].reshape(rows, columns)


def _directions(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two bit arrays (diagonals, height + 1): came diagonally; came from above, if not."""
    size = len(table) - 2, -(-(table.shape[1] - 1) // 8)
    diagonals, ups = np.empty(size, np.uint8), np.empty(size, np.uint8)
    for k in range(0, len(table) - 2, _CHUNK):
        part = table[k : k + _CHUNK + 2]
        up, left = part[1:-1, :-1], part[1:-1, 1:]
        diagonals[k : k + _CHUNK] = np.packbits(part[:-2, :-1] <= np.minimum(up, left), axis=1)
        ups[k : k + _CHUNK] = np.packbits(up <= left, axis=1)
    return diagonals, ups


def _steps_by_value(table: np.ndarray):
    values = memoryview(table)

    def step(d: int, r: int) -> tuple[int, int]:
        diagonal, up, left = values[d, r], values[d + 1, r], values[d + 1, r + 1]
        if diagonal <= up and diagonal <= left:
            return d - 2, r - 1
        return (d - 1, r - 1) if up <= left else (d - 1, r)

    return step


def _steps_by_direction(diagonals: np.ndarray, ups: np.ndarray):
    diagonal, up = memoryview(diagonals), memoryview(ups)

    def step(d: int, r: int) -> tuple[int, int]:
        byte, bit = r >> 3, 128 >> (r & 7)
        if diagonal[d, byte] & bit:
            return d - 2, r - 1
        return (d - 1, r - 1) if up[d, byte] & bit else (d - 1, r)

    return step


def _walk_back(step, first: int, left: int, row: int, column: int, path: list[tuple[int, int]]) -> tuple[int, int]:
    """Add the pairs of one block to ``path``, last first; the pair above the block where it goes on."""
    r, d = row - first, row - first + column - left
    while r >= 0:
        path.append((r + first, d - r + left))
        d, r = step(d, r)
    return r + first, d - r + left
