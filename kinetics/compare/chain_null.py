"""Is a link more than chance? Segments are paired anew between clips, and the correlation that is left is what chance gives.

Two bursts look alike at some lag whoever made them (independent ones reach rho ~ 0.93), so a correlation inside one clip proves nothing.
What proves something is that one lag fits many clips. The statistic of a pair is therefore the mean correlation over the clips at the one
lag that suits them best; and it is compared with what comes out when the leader of each clip is paired with the follower of another, each
at its own time from the clips' clock (the shift predictor of Perkel, Gerstein and Moore 1967, doi:10.1016/S0006-3495(67)86597-4). What
all swings have in common is in the re-paired clips too, so that only what varies together from clip to clip counts as a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np

from ..errors import Progress
from .lagged import correlate

#: Re-pairings drawn; where there are no more than this, all of them.
DRAWS = 1999

#: Numbers gathered at a time: 64 MB.
_CHUNK = 8_000_000


@dataclass(frozen=True)
class PairTest:
    """Chance of each pair's correlation.

    Attributes
    ----------
    p : (K, K)
        Symmetric; NaN where a pair can't be tested.
    p_adjusted : (K, K)
        Corrected for the number of pairs tested (:func:`adjust`).
    clips : (K, K) int
        How many clips hold both.
    """

    p: np.ndarray
    p_adjusted: np.ndarray
    clips: np.ndarray


def repair_clips(
    velocity: np.ndarray,
    reach: int,
    testable: np.ndarray,
    least: int = 4,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress | None = None,
) -> PairTest:
    """Test every pair of segments by re-pairing them between clips.

    Parameters
    ----------
    velocity : (N, K, n)
        Velocities of K segments in N clips, on the same grid about each clip's clock; NaN where missing.
    reach : int
        Largest lag, samples.
    testable : (K, K) bool
        Pairs to test. A segment whose timing is the same in every clip is best left out: re-pairing changes nothing there.
    least : int
        A pair is tested where so many clips hold both.
    draws, seed : int
    progress : callable, optional
        Once per segment.

    Returns
    -------
    PairTest
    """
    segments = velocity.shape[1]
    p = np.full((segments, segments), np.nan)
    present = np.isfinite(velocity).any(axis=2)
    shared = present.astype(int).T @ present.astype(int)
    tracks = np.moveaxis(velocity, 1, 0)
    ways = {count: _pairings(count, draws, seed) for count in np.unique(shared).tolist() if count >= least}
    for i in range(segments - 1):
        others = [j for j in range(i + 1, segments) if testable[i, j] and shared[i, j] in ways]
        rho = correlate(tracks[i], tracks[others], reach) if others else None
        for k, j in enumerate(others):
            both = np.flatnonzero(present[:, i] & present[:, j])
            p[i, j] = p[j, i] = _chance(rho[:, k][:, both[:, None], both], ways[len(both)])
        if progress is not None:
            progress(i + 1, segments - 1)
    adjusted = np.full_like(p, np.nan)
    upper = np.triu_indices(segments, 1)
    adjusted[upper] = adjust(p[upper])
    adjusted.T[upper] = adjusted[upper]
    return PairTest(p, adjusted, shared)


def count_needed(alpha: float) -> int:
    """How many clips it takes for a p of ``alpha``: n can be paired in n! ways, and the true one is one of them."""
    return next(count for count in range(2, 171) if 1 / factorial(count) <= alpha)


def adjust(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """p corrected for many tests after Benjamini and Hochberg (1995, doi:10.1111/j.2517-6161.1995.tb02031.x): of the pairs kept at alpha,
    at most the part alpha is expected to be chance. NaN stays NaN and doesn't count."""
    p = np.asarray(p, np.float64)
    found = np.full_like(p, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return found


def _pairings(clips: int, draws: int, seed: int) -> np.ndarray:
    """(B, clips) int: the pairing as it is first, then all others, or that many drawn."""
    if factorial(min(clips, 20)) <= draws + 1:
        return np.array(list(permutations(range(clips))))
    rng = np.random.default_rng(seed)
    return np.concatenate([np.arange(clips)[None], rng.permuted(np.tile(np.arange(clips), (draws, 1)), axis=1)])


def _chance(rho: np.ndarray, ways: np.ndarray) -> float:
    """Part of the pairings that do as well as the true one, itself counted; from correlations (lags, N, N).

    A lag counts where half the clips have it.
    """
    clips = np.arange(rho.shape[1])
    known = np.isfinite(rho)
    filled = np.where(known, rho, 0.0)
    best = np.empty(len(ways))
    rows = max(1, _CHUNK // (len(rho) * len(clips)))
    for start in range(0, len(ways), rows):
        way = ways[start : start + rows]
        count = known[:, clips, way].sum(axis=2)
        mean = filled[:, clips, way].sum(axis=2) / np.maximum(count, 1)
        best[start : start + rows] = np.where(2 * count >= len(clips), mean, -1.0).max(axis=0)
    return float((best >= best[0] - 1e-12).mean())
