"""Clean-up of a skeleton: gate, left/right repair, outliers, short gaps; every step in the provenance.

Each step is a free function from one PoseSequence to a new one. :func:`clean` runs them in the order that makes sense: swaps
before outliers, since a swapped sample looks like an outlier until it is put back; gaps last, so that nothing is judged
by an invented sample.
"""

from __future__ import annotations

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .body import MIDPOINTS, find_stretches, midpoint, runs
from .outliers import reject_outliers
from .swaps import repair_swaps

#: A filled sample has this share of the smaller confidence of the two samples beside its gap.
FILLED_CONFIDENCE = 0.5


def gate_confidence(pose: PoseSequence, threshold: float = 0.3) -> PoseSequence:
    """Remove samples with a confidence below ``threshold``.

    Returns
    -------
    PoseSequence
        Gated samples NaN with confidence 0. Provenance step ``gate_confidence``: ``threshold``, ``removed`` (a count) and
        ``by_joint`` (counts).

    Raises
    ------
    KineticsError
        When the threshold isn't between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise KineticsError(f"Confidence threshold is {threshold}; give a number from 0 to 1.")
    low = (pose.conf < threshold) & ~pose.missing
    counts = low.sum(axis=0)
    return pose.with_step(
        "gate_confidence", xy=np.where(low[..., None], np.nan, pose.xy), conf=np.where(low, 0.0, pose.conf), threshold=float(threshold),
        removed=int(low.sum()), by_joint={name: int(count) for name, count in zip(pose.names, counts, strict=True) if count},
    )  # fmt: skip


def fill_gaps(pose: PoseSequence, max_gap_s: float = 0.2) -> PoseSequence:
    """Fill short gaps in each joint's track by a monotone cubic (PCHIP) over the times.

    A gap is filled when the samples beside it are at most ``max_gap_s`` apart; never before a joint's first or after its last
    sample, nor across a cut (:func:`.body.find_stretches`). The bat's tip is left alone: it travels an arc, and within 0.1 s of a swing a
    curve through the ends strays by tens of pixels.

    Parameters
    ----------
    pose : PoseSequence
        Any unit.
    max_gap_s : float
        Seconds from the sample before a gap to the one after it; 0.2 s is four missing frames at 25 a second. 0 fills nothing.

    Returns
    -------
    PoseSequence
        Filled samples have half the smaller confidence of their neighbours; longer gaps stay NaN. Provenance step ``fill_gaps``:
        ``max_gap_s``, ``filled`` (a count), ``left`` (samples still missing) and ``at`` (per joint, first and last frame of
        each filled gap).

    Raises
    ------
    KineticsError
        When the length is negative or NaN.

    References
    ----------
    Fritsch & Butland (1984) doi:10.1137/0905021, as ``scipy.interpolate.PchipInterpolator``.
    """
    from scipy.interpolate import PchipInterpolator

    if not max_gap_s >= 0:
        raise KineticsError(f"Longest gap to fill is {max_gap_s} s; give 0 or more.")
    xy, conf = pose.xy.copy(), pose.conf.copy()
    missing = pose.missing
    stretch = find_stretches(pose)
    at: dict[str, list[list[int]]] = {}
    for column, name in enumerate(pose.names):
        if name == "bat_tip":
            continue
        # A frame interval summed from rounded timestamps may exceed its nominal length by a rounding error.
        gaps = [
            (first, last)
            for first, last in runs(missing[:, column])
            if first > 0
            and last < len(pose) - 1
            and pose.t[last + 1] - pose.t[first - 1] <= max_gap_s + 1e-6
            and stretch[last + 1] == stretch[first - 1]
        ]
        if not gaps:
            continue
        seen = ~missing[:, column]
        curve = PchipInterpolator(pose.t[seen], pose.xy[seen, column])
        for first, last in gaps:
            inside = slice(first, last + 1)
            xy[inside, column] = curve(pose.t[inside])
            conf[inside, column] = FILLED_CONFIDENCE * min(conf[first - 1, column], conf[last + 1, column])
        at[name] = [list(gap) for gap in gaps]
    filled = sum(last - first + 1 for gaps in at.values() for first, last in gaps)
    return pose.with_step("fill_gaps", xy=xy, conf=conf, max_gap_s=float(max_gap_s), filled=filled, left=int(missing.sum()) - filled, at=at)


def derive_midpoints(pose: PoseSequence) -> PoseSequence:
    """Place ``neck`` and ``pelvis``, where the sequence has them, midway between the shoulders and the hips as they are now.

    Returns
    -------
    PoseSequence
        NaN where a shoulder or hip is missing; confidence the smaller of the two. Provenance step ``derive_midpoints`` names
        the ``joints``. The sequence itself when it has neither joint, or not their parents.
    """
    joints = [name for name, parents in MIDPOINTS.items() if name in pose.names and set(parents) <= set(pose.names)]
    if not joints:
        return pose
    xy, conf = pose.xy.copy(), pose.conf.copy()
    for name in joints:
        xy[:, pose.index(name)], conf[:, pose.index(name)] = midpoint(xy, conf, pose.names, name)
    return pose.with_step("derive_midpoints", xy=xy, conf=conf, joints=joints)


def clean(
    pose: PoseSequence,
    confidence: float = 0.3,
    *,
    swaps: bool = True,
    outliers: bool = True,
    max_gap_s: float = 0.2,
    n_sigmas: float = 3.0,
) -> PoseSequence:
    """Gate by confidence, repair left/right swaps, reject outliers, fill short gaps, place the derived joints anew.

    Parameters
    ----------
    pose : PoseSequence
    confidence : float
        Samples below it are removed first; 0 keeps all.
    swaps, outliers : bool
        Whether these steps run.
    max_gap_s : float
        Longest gap to fill, seconds; 0 fills nothing.
    n_sigmas : float
        Threshold of the outlier test.

    Returns
    -------
    PoseSequence
        Samples that couldn't be trusted or filled are NaN. One provenance step per step run.

    Raises
    ------
    KineticsError
        When a setting is out of its range.
    """
    pose = gate_confidence(pose, confidence)
    if swaps:
        pose = repair_swaps(pose)
    if outliers:
        pose = reject_outliers(pose, n_sigmas=n_sigmas)
    pose = fill_gaps(pose, max_gap_s)
    return derive_midpoints(pose)
