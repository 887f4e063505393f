"""Dynamic time warping: which frame of one shot belongs to which frame of another.

D(i, j) = |f_i - g_j|² + min(D(i-1, j-1), D(i-1, j), D(i, j-1)), D(0, 0) = 0 before the first frames (Sakoe and Chiba 1978,
doi:10.1109/TASSP.1978.1163055, symmetric form without slope weights). Of equal predecessors the diagonal is taken, then i - 1, then j - 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import KineticsError
from . import wavefront
from .local_cost import LocalCost

#: A table that would need more than this many bytes is refused before anything is computed.
MEMORY_LIMIT = 2_000_000_000

#: Cells that NumPy fills in the time that loading numba takes, about two seconds.
_WORTH_COMPILING = 50_000_000

MISSING = ("refuse", "mask")
KERNELS = ("auto", "numba", "numpy")


@dataclass(frozen=True)
class Alignment:
    """What :func:`dtw` found.

    Attributes
    ----------
    cost : float
        sum |f_i - g_j|² over the path; the squared unit of the features.
    path : (n, 2) int64
        Frames of f and of g that belong together, in order. Every step is one of (1, 1), (1, 0), (0, 1), counted without :attr:`skipped`.
    local : (n,) float64
        The local cost of each pair of the path.
    skipped : two tuples of int
        Frames of f and of g that show nothing at all and are in no pair (only with ``missing="mask"`` or weights).
    band : int or None
        Sakoe-Chiba radius in frames; with anchors that of the first part.
    kernel : {"numba", "numpy"}
        What computed it.
    """

    cost: float
    path: np.ndarray
    local: np.ndarray
    skipped: tuple[tuple[int, ...], tuple[int, ...]]
    band: int | None
    kernel: str

    def __len__(self) -> int:
        return len(self.path)


def dtw(
    f: np.ndarray,
    g: np.ndarray,
    band: float | None = None,
    *,
    weights: tuple[np.ndarray, np.ndarray] | None = None,
    missing: str = "refuse",
    open_begin: bool = False,
    open_end: bool = False,
    anchors: Sequence[tuple[int, int]] = (),
    kernel: str = "auto",
) -> Alignment:
    """Warp the time of ``g`` onto that of ``f`` so that the summed squared distance is least.

    Parameters
    ----------
    f, g : (T,), (T, D) and (M,), (M, D) array
        Features, frame by frame, of any lengths from 1.
    band : int or float, optional
        Sakoe-Chiba radius in frames, or (a fraction up to 1) as a part of the shorter sequence, rounded down. On unequal lengths the band
        is the strip -r - max(0, T - M) <= j - i <= r + max(0, M - T): slope 1, holding both corners, r wide beyond them.
    weights : ((T, D), (M, D)) arrays, optional
        Not negative, e.g. confidences. The local cost is then D sum wf wg (f - g)² / sum wf wg: what one side doesn't show has no part in
        it, and no share of zero. Two frames that show nothing in common are never paired.
    missing : {"refuse", "mask"}
        NaN is an error, unless its weight is 0, or gets weight 0. A frame without any weight is left out (:attr:`Alignment.skipped`).
    open_begin, open_end : bool
        The path may begin, or end, at any frame of ``g``; every frame of ``f`` is used. Both: find ``f`` inside a long ``g``.
    anchors : pairs of frames
        That the path has to pass, in order, e.g. both impacts. The band then holds between each two of them.
    kernel : {"auto", "numba", "numpy"}
        ``auto`` takes numba where it can be imported and is loaded already, or the table is large enough to wait for it (it takes a second
        or two, and ten the first time of all). Both give the same path and cost.

    Returns
    -------
    Alignment

    Raises
    ------
    KineticsError
        On sequences that are empty, of different width, not finite (unless masked) or show nothing in common; a band that is negative or
        meets an open end; anchors that aren't frames in order; a table beyond :data:`MEMORY_LIMIT`.
    """
    if len(anchors):
        return _through(f, g, band, weights, missing, open_begin, open_end, anchors, kernel)
    f, g = to_sequence(f, "first"), to_sequence(g, "second")
    if f.shape[1] != g.shape[1]:
        raise KineticsError(f"Can't warp {f.shape[1]} features onto {g.shape[1]}: give both shots the same joints and features.")
    if missing not in MISSING or kernel not in KERNELS:
        raise KineticsError(f"Can't warp with missing={missing!r}, kernel={kernel!r}: use one of {MISSING} and one of {KERNELS}.")
    f, wf, kept_f, skipped_f = hide_missing(f, None if weights is None else weights[0], missing, "first")
    g, wg, kept_g, skipped_g = hide_missing(g, None if weights is None else weights[1], missing, "second")
    if wf is not None or wg is not None:
        wf, wg = (np.ones(x.shape) if w is None else w for x, w in ((f, wf), (g, wg)))
    radius = find_radius(band, len(f), len(g))
    if radius is not None and (open_begin or open_end):
        raise KineticsError("A band needs both ends of the path; leave it out when the path may begin or end anywhere.")
    check_memory(len(f), len(g), f.shape[1], radius)
    compiled = choose_kernel(kernel, len(f) * len(g))

    cost = LocalCost(f, g, wf, wg)
    if compiled is None:
        path = wavefront.warp(cost, radius, open_begin, open_end)
    else:
        path = compiled.warp(cost, *wavefront.limits(len(f), len(g), radius), open_begin, open_end)
    if path is None:
        raise KineticsError("The two shots can't be warped onto each other: too many of their frames show no joint in common.")
    local = cost.pairs(path[:, 0], path[:, 1])
    path = np.stack([kept_f[path[:, 0]], kept_g[path[:, 1]]], axis=1)
    return Alignment(float(local.sum()), path, local, (skipped_f, skipped_g), radius, "numpy" if compiled is None else "numba")


def _through(f, g, band, weights, missing, open_begin, open_end, anchors, kernel) -> Alignment:
    """One warping between each two anchors, joined."""
    marks = np.asarray(anchors)
    inside = marks.ndim == 2 and marks.shape[1] == 2 and marks.min() >= 0 and (marks.max(axis=0) < (len(f), len(g))).all()
    if not inside or (np.diff(marks, axis=0) < 0).any():
        raise KineticsError(f"The path can't pass {marks.tolist()}: give pairs of frames in order, inside {len(f)} and {len(g)} frames.")
    corners = [(0, 0), *map(tuple, marks.tolist()), (len(f) - 1, len(g) - 1)]
    parts = []
    for n, ((i, j), (i_end, j_end)) in enumerate(zip(corners[:-1], corners[1:], strict=True)):
        rows, columns = slice(i, i_end + 1), slice(j, j_end + 1)
        part = dtw(
            f[rows], g[columns], band, weights=None if weights is None else (weights[0][rows], weights[1][columns]), missing=missing,
            open_begin=open_begin and n == 0, open_end=open_end and n == len(corners) - 2, kernel=kernel,
        )  # fmt: skip
        path = part.path + np.array([i, j])
        ends = ([tuple(path[0])] if n else []) + ([tuple(path[-1])] if n < len(corners) - 2 else [])
        if any(end not in corners[1:-1] for end in ends):
            raise KineticsError(f"The path can't pass {marks.tolist()}: one of those frames shows nothing at all; choose another one.")
        begin = 1 if n else 0  # an anchor is the last pair of one part and the first of the next
        skipped = (tuple(k + i for k in part.skipped[0]), tuple(k + j for k in part.skipped[1]))
        parts.append((path[begin:], part.local[begin:], skipped, part))
    local = np.concatenate([part[1] for part in parts])
    return Alignment(
        float(local.sum()), np.concatenate([part[0] for part in parts]), local,
        tuple(sum((part[2][side] for part in parts), ()) for side in (0, 1)), parts[0][3].band, parts[0][3].kernel,
    )  # fmt: skip


def estimate_memory(frames: int, columns: int, width: int, band: int | None = None) -> int:
    """Bytes that :func:`dtw` takes at most beside its arguments; they grow with the features and, a quarter byte a cell, the table."""
    low, high = wavefront.limits(frames, columns, band)
    rows = min(frames, wavefront.block_rows(band))
    wide = int((high[rows - 1 :] - low[: len(low) - rows + 1]).max())
    # The last term: a few hundred anti-diagonals while their directions are read off.
    block = 9 * rows * wide + 8 * (rows + 1) * (rows + wide + 1) + 4_000_000
    directions = -(-frames // rows) * (rows + wide) * (rows // 8 + 1) * 2
    return 6 * 8 * (frames + columns) * (width + 2) + block + max(directions, frames * columns // 4)


def check_memory(frames: int, columns: int, width: int, band: int | None) -> None:
    """Refuse a table that would need more than :data:`MEMORY_LIMIT`, before anything is computed."""
    need = estimate_memory(frames, columns, width, band)
    if need > MEMORY_LIMIT:
        raise KineticsError(
            f"Warping {frames} frames onto {columns} would take {need / 1e9:.1f} GB of memory (at most {MEMORY_LIMIT / 1e9:g} GB): "
            "cut the clips to the shot, or give fewer frames a second."
        )


def choose_kernel(kernel: str, cells: int):
    """The machine-code kernel, or None for NumPy's.

    Raises
    ------
    KineticsError
        When numba is asked for by name and isn't there.
    """
    if kernel == "numpy" or (kernel == "auto" and cells < _WORTH_COMPILING and "numba" not in sys.modules):
        return None
    compiled = load_compiled()
    if kernel == "numba" and compiled is None:
        raise KineticsError("numba can't be imported here; install it, or leave the choice to 'auto'.")
    return compiled


@lru_cache(maxsize=1)
def load_compiled():
    """The machine-code kernel, or None where numba can't be imported (not installed, or at odds with this NumPy)."""
    try:
        from . import compiled
    except ImportError:
        return None
    return compiled


def to_sequence(x: np.ndarray, which: str) -> np.ndarray:
    """(T, D) float64, its rows one after another in memory."""
    x = np.asarray(x, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or not x.size:
        raise KineticsError(f"The {which} sequence to warp has shape {x.shape}; give frames, or frames × features, at least one of each.")
    return np.ascontiguousarray(x)


def hide_missing(x: np.ndarray, weight: np.ndarray | None, missing: str, which: str):
    """Frames that show something, their weights (None when all are 1), their numbers, and the numbers of the others."""
    there = np.isfinite(x)
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float64)
        if weight.shape != x.shape or not (np.isfinite(weight).all() and (weight >= 0).all()):
            raise KineticsError(
                f"Weights of the {which} sequence have to be 0 or more and of its shape {x.shape}; they have {weight.shape}."
            )
    if missing == "refuse" and not (there if weight is None else there | (weight == 0)).all():
        frame = int(np.argmin((there if weight is None else there | (weight == 0)).all(axis=1)))
        raise KineticsError(f"The {which} sequence has a missing value at frame {frame}; fill it, or let missing joints be masked.")
    if weight is None and there.all():
        return x, None, np.arange(len(x)), ()
    weight = np.where(there, 1.0 if weight is None else weight, 0.0)
    seen = weight.any(axis=1)
    if not seen.any():
        raise KineticsError(f"The {which} sequence shows nothing in any of its {len(x)} frames; there is nothing to warp.")
    x = np.where(there, x, 0.0)[seen]
    return x, weight[seen], np.flatnonzero(seen), tuple(np.flatnonzero(~seen).tolist())


def find_radius(band: float | None, frames: int, columns: int) -> int | None:
    """The band in frames; see :func:`dtw`."""
    if band is None:
        return None
    if not band >= 0 or (band > 1 and band != int(band)):
        raise KineticsError(f"A band of {band} makes no sense; give a whole number of frames, or a fraction between 0 and 1.")
    if isinstance(band, float) and band <= 1:
        return int(band * min(frames, columns))
    return int(band)
