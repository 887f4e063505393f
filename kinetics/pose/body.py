"""The body the joints belong to: which joints are a pair, which bones join them, how long the trunk is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..pose_sequence import PoseSequence

#: Joints that come as ``left_`` and ``right_``, by the limb that a swap would take along.
ARMS = ("shoulder", "elbow", "wrist", "thumb", "index", "pinky")
LEGS = ("hip", "knee", "ankle", "heel", "foot")

#: Derived joints and the two joints each lies midway between.
MIDPOINTS = {"neck": ("left_shoulder", "right_shoulder"), "pelvis": ("left_hip", "right_hip")}

#: Median length of a 2-D vector of normal noise, sigma = 1 on each axis: sqrt(2 ln 2). Turns a median of residual lengths into sigma.
RAYLEIGH_MEDIAN = np.sqrt(2 * np.log(2))

#: A trunk doesn't jump this far between two frames, in trunk lengths, nor this fast, in trunk lengths a second (about 5 m/s).
JUMP, JUMP_SPEED = 0.4, 10.0

#: A jump that is undone within so many frames is an error of the estimator, not a cut.
GLITCH_FRAMES = 3


def midpoint(xy: np.ndarray, conf: np.ndarray, names: Sequence[str], joint: str) -> tuple[np.ndarray, np.ndarray]:
    """Place a derived joint (``neck`` or ``pelvis``) midway between its two joints.

    Parameters
    ----------
    xy : (T, K, 2) float64
    conf : (T, K) float64
    names : K names, both parents among them
    joint : {"neck", "pelvis"}

    Returns
    -------
    (T, 2) float64, (T,) float64
        Position, NaN where either parent is missing, and the smaller of the parents' confidences, 0 there.
    """
    left, right = (list(names).index(parent) for parent in MIDPOINTS[joint])
    at = (xy[:, left] + xy[:, right]) / 2
    return at, np.where(np.isnan(at[:, 0]), 0.0, np.minimum(conf[:, left], conf[:, right]))


def torso_length(xy: np.ndarray, names: Sequence[str]) -> float:
    """Median distance from the middle of the shoulders to the middle of the hips, in the unit of ``xy``.

    Parameters
    ----------
    xy : (T, K, 2) float64, NaN where missing
    names : K joint names

    Returns
    -------
    float
        Where the trunk is never seen, 0.3 of the median diagonal of the joints' bounding box (a standing body's
        trunk is near 0.3 of its height); NaN when no frame has two joints.
    """
    names = list(names)
    parents = [parent for pair in MIDPOINTS.values() for parent in pair]
    if all(parent in names for parent in parents):
        ls, rs, lh, rh = (xy[:, names.index(parent)] for parent in parents)
        length = np.linalg.norm((ls + rs) / 2 - (lh + rh) / 2, axis=1)
        length = length[np.isfinite(length)]
        if len(length) and np.median(length) > 0:
            return float(np.median(length))
    seen = (~np.isnan(xy[..., 0])).sum(axis=1) >= 2
    if not seen.any():
        return float("nan")
    spread = np.nanmax(xy[seen], axis=1) - np.nanmin(xy[seen], axis=1)
    return 0.3 * float(np.median(np.linalg.norm(spread, axis=1)))


def find_stretches(pose: PoseSequence) -> np.ndarray:
    """Number the stretches between cuts: motion says nothing across one, so every clean-up step and trail stops there.

    A cut is a frame that the provenance lists under ``cuts`` (seen in the pictures), or one where the whole body is suddenly
    elsewhere: see :func:`find_jumps`.

    Returns
    -------
    (T,) int
        0 for the first stretch, growing by one at each cut.
    """
    starts = find_jumps(pose.xy, pose.t, pose.names)
    for frame in pose.provenance.get("cuts", ()):
        if 0 < frame < len(pose):
            starts[frame] = True
    return np.cumsum(starts)


def find_jumps(xy: np.ndarray, t: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Frames at which the whole body is suddenly elsewhere: a cut in the clip, or another person.

    Asked are the middles of left-right pairs (a swap of left and right doesn't move them) and the joints without a side, but the
    bat's tip: their median step has to exceed what a trunk can do. A jump that is undone within three frames is an error of the
    estimator and no cut. A cut that leaves the body in place (a zoom) isn't found here, only in the pictures.

    Parameters
    ----------
    xy : (T, K, 2) float64, NaN where missing
    t : (T,) seconds
    names : K joint names

    Returns
    -------
    (T,) bool
        True at the first frame of each new stretch (never at frame 0).
    """
    names = list(names)
    sides = [name[5:] for name in names if name.startswith("left_") and f"right_{name[5:]}" in names]
    single = [name for name in names if not name.startswith(("left_", "right_")) and name != "bat_tip"]
    pairs = (xy[:, [names.index(f"left_{part}") for part in sides]] + xy[:, [names.index(f"right_{part}") for part in sides]]) / 2
    points = np.concatenate([pairs, xy[:, [names.index(name) for name in single]]], axis=1)
    jumps = np.zeros(len(t), bool)
    unit = torso_length(xy, names)
    seen = np.flatnonzero((~np.isnan(points[..., 0])).sum(axis=1) >= 2)
    if not np.isfinite(unit) or len(seen) < 2:
        return jumps
    points, at = points[seen], t[seen]

    def step(later: int) -> np.ndarray:
        """(n - later,) trunk lengths the body's middle has moved so many frames later, 0 where it can't be told."""
        lengths = np.sort(np.linalg.norm(points[later:] - points[:-later], axis=2), axis=1)  # NaN comes last
        known = (~np.isnan(lengths)).sum(axis=1)
        # The lower median: of two points both have to move.
        return np.where(known >= 2, lengths[np.arange(len(lengths)), np.maximum(known - 1, 0) // 2], 0.0) / unit

    leaves = step(1) > np.maximum(JUMP, JUMP_SPEED * np.diff(at))
    back = np.zeros(len(leaves), bool)
    for later in range(2, min(GLITCH_FRAMES + 1, len(at) - 1) + 1):
        here = step(later) <= JUMP
        back[: len(here)] |= here & leaves[: len(here)]
    cut = leaves & ~back
    for k in np.flatnonzero(leaves & back):
        # The step home again is part of the same glitch.
        cut[k + 1 : k + 1 + GLITCH_FRAMES] = False
    jumps[seen[1:][cut]] = True
    return jumps


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last index (inclusive) of each run of True in a (T,) bool array."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], np.asarray(flags, bool), [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]
