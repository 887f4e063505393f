"""Outlying samples of a joint's track: Hampel's test on what the neighbours in time don't predict."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .body import MIDPOINTS, RAYLEIGH_MEDIAN, find_stretches, torso_length

#: Longest stretch of adjacent wrong samples that is looked for.
LONGEST_BLOCK = 3

#: How far, as a share of the neighbouring steps, a true path may stray from the cubic through its neighbours. Measured on closed-form
#: swings of 0.08-0.10 s FWHM at 25 frames a second: 0.35 loses no clean sample, 0.15 loses 0.1 % and finds 2-6 % more errors.
MOTION_SHARE = 0.35


def reject_outliers(pose: PoseSequence, window_s: float = 0.2, n_sigmas: float = 3.0, noise_floor: float = 0.01) -> PoseSequence:
    """Remove samples that lie too far from where their neighbours in time say the joint is.

    Each sample, and each block of up to three adjacent samples, is predicted by the cubic through the two samples before and
    the two after it (at the ends of a track: the quadratic or line that is left). A block goes when every sample in it misses its
    prediction by more than

        r > k sigma sqrt(1 + sum c²) + share · sum|c| · (fastest neighbouring step)

    with c the prediction's weights (so sqrt(1 + sum c²) is its noise gain), k the radius with the same tail as ``n_sigmas`` of one normal
    axis, k = sqrt(-2 ln p), and sigma from the median residual, of the whole track or of the samples near by, whichever is larger
    (Hampel's identifier). The second term is what a true swing may stray, so that it isn't mistaken for an error. The worst
    block goes first, then all are judged again without it, until none is left.

    Parameters
    ----------
    pose : PoseSequence
        Any unit. NaN samples stay NaN and are no neighbours. Derived joints (neck, pelvis) aren't judged, their parents are.
    window_s : float
        Neighbours are at most this far away, in seconds; a longer gap ends the run, and so does a cut (:func:`.body.find_stretches`).
        Runs under 4 samples aren't judged.
    n_sigmas : float
        As for a normal variable on one axis: 3 keeps 99.73 % of clean samples.
    noise_floor : float
        Smallest sigma, as a share of the trunk's length.

    Returns
    -------
    PoseSequence
        Rejected samples NaN with confidence 0. Provenance step ``reject_outliers``: the settings, ``removed`` (a count) and
        ``at`` (per joint, the frames).

    Raises
    ------
    KineticsError
        When a setting isn't positive.

    References
    ----------
    Hampel (1974) doi:10.1080/01621459.1974.10482962; Pearson et al. (2016) doi:10.1186/s13634-016-0383-6.
    """
    for name, value in (("window_s", window_s), ("n_sigmas", n_sigmas), ("noise_floor", noise_floor)):
        if not value > 0:
            raise KineticsError(f"{name} of the outlier test is {value}; give a number above 0.")
    floor = noise_floor * torso_length(pose.xy, pose.names)
    stretch = find_stretches(pose)
    xy, conf = pose.xy.copy(), pose.conf.copy()
    at: dict[str, list[int]] = {}
    if np.isfinite(floor):
        for column, name in enumerate(pose.names):
            if name in MIDPOINTS:
                continue
            bad = _outlying(pose.t, stretch, xy[:, column], window_s, n_sigmas, floor)
            if bad.any():
                xy[bad, column], conf[bad, column] = np.nan, 0.0
                at[name] = np.flatnonzero(bad).tolist()
    return pose.with_step(
        "reject_outliers", xy=xy, conf=conf, window_s=float(window_s), n_sigmas=float(n_sigmas), noise_floor=float(noise_floor),
        removed=sum(map(len, at.values())), at=at,
    )  # fmt: skip


def _outlying(t: np.ndarray, stretch: np.ndarray, track: np.ndarray, window_s: float, n_sigmas: float, floor: float) -> np.ndarray:
    """(T,) bool: samples of one (T, 2) track to remove."""
    from scipy.stats import norm

    radius = np.sqrt(-2 * np.log(2 * norm.sf(n_sigmas)))
    there = ~np.isnan(track[:, 0])
    bad = np.zeros(len(t), bool)
    seen = np.flatnonzero(there)
    starts = np.concatenate([[0], np.flatnonzero((np.diff(t[seen]) > window_s) | (np.diff(stretch[seen]) > 0)) + 1, [len(seen)]])
    for first, end in pairwise(starts):
        kept = seen[first:end]
        while len(kept) >= 4:
            blocks = _worst_blocks(t[kept], track[kept], window_s, radius, floor)
            if not blocks.any():
                break
            bad[kept[blocks]] = True
            kept = kept[~blocks]
    return bad


def _worst_blocks(t: np.ndarray, track: np.ndarray, window_s: float, radius: float, floor: float) -> np.ndarray:
    """(n,) bool: the samples of the worst blocks, no two of them near enough to have judged each other."""
    n = len(t)
    sigma = None
    scores: list[tuple[float, int, int]] = []
    for length in range(1, min(LONGEST_BLOCK, n - 3) + 1):
        starts, nodes, weights = _neighbours(t, length)
        inside = starts[:, None] + np.arange(length)
        prediction = np.einsum("bln,bnd->bld", weights, track[nodes])
        residual = np.linalg.norm(track[inside] - prediction, axis=2)
        gain = np.sqrt(1 + (weights**2).sum(axis=2))
        if sigma is None:
            sigma = _noise(t, residual[:, 0] / gain[:, 0], window_s, floor)
        step = np.linalg.norm(np.diff(track[nodes], axis=1), axis=2)
        gap = np.diff(t[nodes], axis=1)
        # What noise alone would make of a step is no motion.
        step = np.maximum(step - 2 * sigma[starts, None], 0)
        speed = np.divide(step, gap, out=np.zeros_like(step), where=gap > 0).max(axis=1)
        spacing = gap.max(axis=1) / 2
        allowed = radius * sigma[starts, None] * gain + MOTION_SHARE * (np.abs(weights).sum(axis=2)) * (speed * spacing)[:, None]
        near = np.abs(t[nodes] - t[starts, None]).max(axis=1) <= window_s
        score = np.where(near, (residual / allowed).min(axis=1), 0.0)
        scores += [(float(score[j]), int(starts[j]), length) for j in np.flatnonzero(score > 1)]
    chosen = np.zeros(n, bool)
    touched = np.zeros(n, bool)
    for _, start, length in sorted(scores, reverse=True):
        around = slice(max(0, start - 2), start + length + 2)
        if not touched[around].any():
            chosen[start : start + length] = True
            touched[max(0, start - 2) : start + length + 2] = True
    return chosen


def _neighbours(t: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks of ``length`` samples: their starts (b,), the four samples that predict them (b, 4) and the weights (b, length, 4).

    A single sample at or beside an end of the track has fewer than four predictors: the rest have weight 0.
    """
    n = len(t)
    starts = np.arange(n) if length == 1 else np.arange(2, n - length - 1)
    offsets = np.tile([-2, -1, length, length + 1], (len(starts), 1))
    usable = np.ones(offsets.shape, bool)
    if length == 1:
        # A line at the very ends: a quadratic there has twice its noise gain, and would take the end's error for its neighbour's.
        for start, nodes, used in (
            (0, (1, 1, 1, 2), (0, 0, 1, 1)), (1, (-1, -1, 1, 2), (0, 1, 1, 1)),
            (n - 2, (-2, -1, 1, 1), (1, 1, 1, 0)), (n - 1, (-2, -1, -1, -1), (1, 1, 0, 0)),
        ):  # fmt: skip
            offsets[start], usable[start] = nodes, np.array(used, bool)
    nodes = starts[:, None] + offsets
    at = t[starts[:, None] + np.arange(length)]
    weights = np.zeros((len(starts), length, 4))
    for this in range(4):
        product = np.ones((len(starts), length))
        for other in range(4):
            if other != this:
                pair = usable[:, this] & usable[:, other]
                below = np.where(pair, t[nodes[:, this]] - t[nodes[:, other]], 1.0)[:, None]
                product *= np.where(pair[:, None], (at - t[nodes[:, other]][:, None]) / below, 1.0)
        weights[..., this] = np.where(usable[:, this, None], product, 0.0)
    return starts, nodes, weights


def _noise(t: np.ndarray, residual: np.ndarray, window_s: float, floor: float) -> np.ndarray:
    """(n,) sigma of one axis: the median residual of the track or, where larger, of the samples within 1.5 windows."""
    first, last = np.searchsorted(t, t - 1.5 * window_s), np.searchsorted(t, t + 1.5 * window_s, side="right")
    local = np.array([np.median(residual[a:b]) for a, b in zip(first, last, strict=True)])
    return np.maximum(np.maximum(local, np.median(residual)) / RAYLEIGH_MEDIAN, floor)
