"""Warping costs of all pairs of N shots: on every core, and on a graphics card when one is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np

from ..errors import KineticsError, Progress
from . import wavefront
from .dtw import check_memory, choose_kernel, find_radius, hide_missing, load_compiled, to_sequence
from .local_cost import LocalCost

BACKENDS = ("auto", "cuda", "numba", "numpy", "torch")

#: Cells below which a graphics card isn't asked: starting it takes longer than the work.
_WORTH_A_CARD = 1_000_000_000

#: Numbers in a batch's table: 8 MB, which stays near the processor.
_BATCH = 1_000_000

#: Clips that one thread compares with another before it reports back.
_PER_JOB = 64


class Bank(NamedTuple):
    """Clips one after another, shortest first.

    ``values`` (sum T, D) and ``weights`` (the same, or None); clip k is rows starts[k] to starts[k] + lengths[k]; ``band`` as it was given.
    """

    values: np.ndarray
    weights: np.ndarray | None
    starts: np.ndarray
    lengths: np.ndarray
    band: float | None

    def clip(self, k: int) -> slice:
        return slice(int(self.starts[k]), int(self.starts[k] + self.lengths[k]))

    def radius(self, a: int, b: int) -> int | None:
        return find_radius(self.band, int(self.lengths[a]), int(self.lengths[b]))


def compute_costs(
    shots: Sequence[np.ndarray],
    band: float | None = None,
    *,
    weights: Sequence[np.ndarray] | None = None,
    missing: str = "refuse",
    backend: str = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """The cost that :func:`.dtw.dtw` gives, for every pair of shots.

    Parameters
    ----------
    shots : N arrays (T, D)
        Features of each shot; lengths may differ.
    band, missing
        As in :func:`.dtw.dtw`.
    weights : N arrays (T, D), optional
    backend : {"auto", "cuda", "numba", "numpy", "torch"}
        ``auto``: a CUDA card for much work where torch sees one, else as :func:`.dtw.dtw` chooses. ``torch`` is the card's
        code on the processor.
    workers : int, optional
        Threads; every core that this process may use when not given.
    progress : callable, optional
        Called with the pairs done and all pairs; may raise to cancel.

    Returns
    -------
    (N, N) float64
        Symmetric, 0 on the diagonal; infinite where two shots can't be warped onto each other (too few joints in common).

    Raises
    ------
    KineticsError
        As :func:`.dtw.dtw`; when fewer than two shots are given, or the backend asked for isn't there.
    """
    if len(shots) < 2:
        raise KineticsError(f"Comparing all pairs needs at least two shots; {len(shots)} was given.")
    if backend not in BACKENDS:
        raise KineticsError(f"Backend {backend!r} is not known; use one of {', '.join(BACKENDS)}.")
    bank, order = _fill_bank(shots, weights, missing, band)
    upper = np.zeros((len(order), len(order)))
    total = len(order) * (len(order) - 1) // 2
    done = 0
    for a, others, costs in _choose(backend, bank)(bank, workers or _cores()):
        upper[a, others] = costs
        done += len(costs)
        if progress:
            progress(done, total)
    cost = np.empty_like(upper)
    cost[np.ix_(order, order)] = upper + upper.T
    return cost


def _fill_bank(
    shots: Sequence[np.ndarray], weights: Sequence[np.ndarray] | None, missing: str, band: float | None
) -> tuple[Bank, np.ndarray]:
    clips, masks = [], []
    for n, shot in enumerate(shots):
        x, w, _, _ = hide_missing(to_sequence(shot, f"{n + 1}."), None if weights is None else weights[n], missing, f"{n + 1}.")
        clips.append(x)
        masks.append(w)
    widths = sorted({x.shape[1] for x in clips})
    if len(widths) > 1:
        raise KineticsError(f"Shots with {widths[0]} and {widths[-1]} features can't be compared; give all the same joints and features.")
    order = np.argsort([len(x) for x in clips], kind="stable")
    lengths = np.array([len(clips[n]) for n in order])
    longest = int(lengths[-1])
    check_memory(longest, longest, widths[0], find_radius(band, longest, longest))
    ones = [np.ones(x.shape) if w is None else w for x, w in zip(clips, masks, strict=True)]
    masked = any(w is not None for w in masks)
    return Bank(
        np.concatenate([clips[n] for n in order]), np.concatenate([ones[n] for n in order]) if masked else None,
        np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths, band,
    ), order  # fmt: skip


def _choose(backend: str, bank: Bank) -> Callable[[Bank, int], Iterator]:
    from . import on_card

    cells = int(bank.lengths.sum()) ** 2 // 2
    if backend == "auto" and cells > _WORTH_A_CARD and on_card.has_card():
        backend = "cuda"
    if backend == "cuda" and not on_card.has_card():
        raise KineticsError("torch sees no CUDA card here; use backend 'auto'.")
    if backend in ("cuda", "torch"):
        return lambda bank, _workers: on_card.all_costs(bank, "cuda" if backend == "cuda" else "cpu")
    return _by_numpy if choose_kernel(backend, cells) is None else _by_numba


def _in_threads(jobs: list[tuple], work: Callable, workers: int) -> Iterator[tuple]:
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _by_numba(bank: Bank, workers: int) -> Iterator[tuple[int, slice, np.ndarray]]:
    compiled = load_compiled()
    weighted = bank.weights is not None
    left, right = compiled.factor(LocalCost(bank.values, bank.values, bank.weights, bank.weights))
    # Clip after clip: only rows without gaps between their numbers are turned into vector instructions.
    parts = [compiled.widen(right[:, bank.clip(k)]) for k in range(len(bank.lengths))]
    offsets = np.cumsum([0, *(part.size for part in parts)])
    right = np.concatenate([part.ravel() for part in parts])

    def work(a: int, first: int, last: int):
        rows, out = bank.clip(a), np.empty(last - first)
        bands = np.array([-1 if bank.band is None else bank.radius(a, b) for b in range(first, last)])
        compiled.fill_costs(
            bank.values[rows], left[rows], bank.values, right, weighted, bank.starts[first:last], bank.lengths[first:last],
            offsets[first:last], bands, out,
        )  # fmt: skip
        return a, slice(first, last), out

    count = len(bank.lengths)
    jobs = [(a, first, min(count, first + _PER_JOB)) for a in range(count - 1) for first in range(a + 1, count, _PER_JOB)]
    return _in_threads(jobs, work, workers)


def _by_numpy(bank: Bank, workers: int) -> Iterator[tuple[int, slice, np.ndarray]]:
    def work(a: int, first: int, last: int):
        return a, slice(first, last), _batch(bank, a, first, last)

    jobs = []
    for a in range(len(bank.lengths) - 1):
        first = a + 1
        while first < len(bank.lengths):
            last = first + 1
            while last < len(bank.lengths) and (last + 1 - first) * _table_size(bank, a, last) <= _BATCH:
                last += 1
            jobs.append((a, first, last))
            first = last
    return _in_threads(jobs, work, workers)


def _table_size(bank: Bank, a: int, longest: int) -> int:
    return int((bank.lengths[a] + 1) * (bank.lengths[a] + bank.lengths[longest] + 1))


def _batch(bank: Bank, a: int, first: int, last: int) -> np.ndarray:
    """Costs of clip ``a`` against clips first..last: their tables side by side, so that one sweep fills them all."""
    rows, columns = bank.clip(a), slice(int(bank.starts[first]), int(bank.starts[last - 1] + bank.lengths[last - 1]))
    f, g = bank.values[rows], bank.values[columns]
    weighted = bank.weights is not None
    cost = LocalCost(f, g, bank.weights[rows] if weighted else None, bank.weights[columns] if weighted else None)
    local = cost.block(0, len(f), 0, len(g))
    wide = len(f) + 1
    table = wavefront.borrow("table", len(f) + int(bank.lengths[last - 1]) + 1, (last - first) * wide)
    table.fill(np.inf)
    table[0, ::wide] = 0.0
    ends = np.empty((last - first, 2), np.int64)
    for n, b in enumerate(range(first, last)):
        begin, count = int(bank.starts[b]) - columns.start, int(bank.lengths[b])
        part = local[:, begin : begin + count]
        radius = bank.radius(a, b)
        if radius is not None:
            low, high = wavefront.limits(len(f), count, radius)
            j = np.arange(count)
            part[(j < low[:, None]) | (j >= high[:, None])] = np.inf
        wavefront.skewed(table[:, n * wide :], len(f), count)[...] = part
        ends[n] = len(f) + count, n * wide + len(f)
    wavefront.sweep(table)
    return table[ends[:, 0], ends[:, 1]]


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
