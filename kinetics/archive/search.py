"""The k nearest of many described shots, exactly: bounds over all of them first, warping for the few that are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from . import banded, bounds

#: Radius of the Sakoe-Chiba band, frames of a description (0.13 s): what a tempo 15 % slower shifts the backlift by.
RADIUS = 4

#: Axes along which all shots are bounded first; in drawn shots they hold 97 % of the spread.
_AXES = 6

#: Frames from which the axes are found; any orthonormal axes give true bounds.
_SAMPLE = 20_000

#: Shots that are bounded closely and warped at a time, in the order of their rough bounds.
_CHUNK = 256

#: Shots that are warped before the limit is looked at again.
_STEP = 64


class Group(NamedTuple):
    """Shots of one length M: their rows in the block, values (n, M, D) float32, and the same along the block's axes (n, M, m) float32."""

    rows: np.ndarray
    values: np.ndarray
    rough: np.ndarray


class Block(NamedTuple):
    """Described shots: keys (N,), groups of equal length, and the axes (D, m) of the rough bounds."""

    keys: np.ndarray
    groups: tuple[Group, ...]
    axes: np.ndarray


@dataclass
class Work:
    """What a search did: shots it was asked about, shots warped, cells filled, and the cells that warping all of them fills."""

    shots: int = 0
    warped: int = 0
    cells: int = 0
    cells_of_all: int = 0

    def __iadd__(self, other: Work) -> Work:
        self.shots, self.warped = self.shots + other.shots, self.warped + other.warped
        self.cells, self.cells_of_all = self.cells + other.cells, self.cells_of_all + other.cells_of_all
        return self


@dataclass
class Nearest:
    """The ``count`` nearest so far: (distance, key), nearest first, ties by key."""

    count: int
    found: list[tuple[float, str]] = field(default_factory=list)

    @property
    def limit(self) -> float:
        """Squared distance beyond which nothing is wanted; as much more as rounding may take off."""
        return self.found[-1][0] ** 2 * (1 + banded.ROUNDING) if len(self.found) >= self.count else np.inf

    def add(self, squared: np.ndarray, keys: np.ndarray) -> None:
        """Take those that are finite and among the nearest."""
        near = np.flatnonzero(np.isfinite(squared) & (squared <= self.limit))
        self.found = sorted([*self.found, *zip(np.sqrt(squared[near]).tolist(), keys[near].tolist(), strict=True)])[: self.count]


def make_block(keys: Sequence[str], shots: Sequence[np.ndarray]) -> Block:
    """Shots (T, D) float32, lengths may differ, made ready to be searched."""
    lengths = np.array([len(shot) for shot in shots])
    frames = np.concatenate(shots)
    axes = bounds.find_axes(frames[:: max(1, len(frames) // _SAMPLE)].astype(np.float64), _AXES)
    groups = []
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        values = np.stack([shots[row] for row in rows])
        # Turned in float64 and rounded once: the rough bound knows what that costs.
        groups.append(Group(rows, values, np.stack([(shot.astype(np.float64) @ axes).astype(np.float32) for shot in values])))
    return Block(np.array(keys), tuple(groups), axes)


def search_block(
    query: np.ndarray, block: Block, nearest: Nearest, *, exclude: str | None = None, radius: int | None = RADIUS, compiled: bool = False
) -> Work:
    """Find what of a block belongs among the nearest of a query, and put it there.

    Parameters
    ----------
    query : (T, D) float32
    block : Block
    nearest : Nearest
        What was found in other blocks narrows the search.
    exclude : key, optional
        Not to be found, e.g. the query's own.
    radius : int or None
        Of the band.
    compiled : bool
        Warp in machine code (numba; where :func:`kinetics.compare.dtw.choose_kernel` says so).

    Returns
    -------
    Work
    """
    query = query.astype(np.float64)
    turned = query @ block.axes
    work = Work(len(block.keys))
    rough, which, place, scales = [], [], [], []
    for n, group in enumerate(block.groups):
        scales.append(find_scale(len(query), group.values.shape[1], query.shape[1]))
        rough.append(scales[-1] * bounds.bound_roughly(turned, group.rough, radius, compiled))
        which.append(np.full(len(group.rows), n))
        place.append(np.arange(len(group.rows)))
        work.cells_of_all += len(group.rows) * banded.count_cells(len(query), group.values.shape[1], radius)
    rough, which, place = np.concatenate(rough), np.concatenate(which), np.concatenate(place)
    if exclude is not None:
        rough[np.concatenate([block.keys[group.rows] == exclude for group in block.groups])] = np.inf
    size = max(16, 2 * nearest.count)
    order = _least_first(rough, size)
    first = 0
    while first < len(order):
        chunk = order[first : first + size]
        chunk = chunk[np.isfinite(rough[chunk]) & (rough[chunk] <= nearest.limit)]
        for n in np.unique(which[chunk]):
            group = block.groups[n]
            mine = place[chunk[which[chunk] == n]]
            _search_group(query, group.values[mine], block.keys[group.rows[mine]], scales[n], nearest, radius, compiled, work)
        if first == 0:
            # With a first limit the rest is few, and only they are sorted.
            rest = order[size:]
            rest = rest[rough[rest] <= nearest.limit]
            order = np.concatenate([order[:size], rest[np.argsort(rough[rest], kind="stable")]])
        first, size = first + size, _CHUNK
    return work


def _least_first(values: np.ndarray, count: int) -> np.ndarray:
    """All numbers, those of the ``count`` least values in front, in order."""
    if count >= len(values):
        return np.argsort(values, kind="stable")
    order = np.argpartition(values, count)
    return np.concatenate([order[:count][np.argsort(values[order[:count]], kind="stable")], order[count:]])


def _search_group(query, shots, keys, scale: float, nearest: Nearest, radius: int | None, compiled: bool, work: Work) -> None:
    """Bound some shots of equal length closely and warp those that may be near."""
    shots = shots.astype(np.float64)
    if compiled:
        from .banded_compiled import warp_near

        for k in range(0, len(shots), _STEP):
            cost, warped, cells = warp_near(query, shots[k : k + _STEP], radius, nearest.limit / scale)
            nearest.add(cost * scale, keys[k : k + _STEP])
            work.warped, work.cells = work.warped + warped, work.cells + cells
        return
    left, bound, rows = bounds.bound_closely(query, shots, radius, nearest.limit / scale)
    order = np.argsort(bound, kind="stable")
    left, rows = left[order], rows[order]
    for k in range(0, len(left), _STEP):
        some = left[k : k + _STEP]
        cost, cells = banded.warp_within(query, shots[some], radius, rows[k : k + _STEP], nearest.limit / scale)
        nearest.add(cost * scale, keys[some])
        work.warped, work.cells = work.warped + len(some), work.cells + cells


def measure_distances(query: np.ndarray, shots: Sequence[np.ndarray], radius: int | None = RADIUS) -> np.ndarray:
    """(n,) distances of a description (T, D) from others, every one warped."""
    found = np.empty(len(shots))
    lengths = np.array([len(shot) for shot in shots])
    query = query.astype(np.float64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        values = np.stack([shots[row] for row in rows]).astype(np.float64)
        cost, _ = banded.warp_within(query, values, radius, np.zeros((len(rows), len(query))), np.inf)
        found[rows] = np.sqrt(find_scale(len(query), int(length), query.shape[1]) * cost)
    return found


def find_scale(frames: int, columns: int, width: int) -> float:
    """Squared distance of a cost: its mean over the joints and over half of all frames, which a path has when nothing is stretched."""
    return 2 / (frames + columns) / (width / 2)
