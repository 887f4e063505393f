"""A shot alone as the numbers that it is searched by: posture, frame by frame, at one rate, cut to the stroke about the impact."""

from __future__ import annotations

import numpy as np

from ..compare.features import compute_features
from ..compare.in_step import HANDS_LEAD, find_braking
from ..errors import KineticsError
from ..pose_sequence import LIMB_NAMES, PoseSequence

#: Frames a second of every description: between the rates of broadcasts, so that neither 25 nor 50 fps is made up or thrown away.
RATE = 30.0

#: Seconds of the stroke before and after impact: from the backlift to the follow-through.
BEFORE, AFTER = 0.7, 0.4

#: A shot that shows less than this before, or after, impact is no stroke that can be compared, s.
LEAST_BEFORE, LEAST_AFTER = 0.35, 0.15

#: A joint that isn't seen for longer is refused; up to that it is taken to move evenly (at the ends of the stroke: to stand still), s.
GAP = 0.2

#: The mean over this time is taken, so that the noise of 50 fps and of 25 fps weighs alike, s.
_WINDOW, _SAMPLES = 0.04, 5

#: Numbers of a frame: x and y of the limbs' twelve joints.
WIDTH = 2 * len(LIMB_NAMES)

#: Changes with what a description is made of: descriptions of another recipe can't be compared with these.
RECIPE = f"limbs from the pelvis, trunk lengths, {RATE:g}/s, -{BEFORE:g} to {AFTER:g} s, 1"


def describe_shot(pose: PoseSequence, impact_t: float | None = None) -> np.ndarray:
    """Turn a shot into numbers that don't depend on any other shot.

    Each frame is the places of the twelve joints of the limbs, seen from the pelvis (neither the batter's travel nor the camera's pan is in
    them), in trunk lengths (the median over the stroke). The picture's upright is kept: a trunk that leans is style, and broadcast cameras
    stand level. Left and right are kept: a left-hander's cover drive is not like a right-hander's.

    Parameters
    ----------
    pose : PoseSequence
        At any rate, in any unit; NaN where a joint is missing. A camera that zooms during the stroke should be taken out before.
    impact_t : float, optional
        When bat meets ball, s. When not given the hands tell it (:func:`kinetics.compare.in_step.find_braking`). An archive always asks the
        hands, so that one skeleton has one description.

    Returns
    -------
    (T, 24) float32
        Trunk lengths, :data:`RATE` frames a second, no NaN; frames lie at whole steps from impact. A clip that begins or ends inside the
        stroke gives fewer frames than one that shows it whole.

    Raises
    ------
    KineticsError
        When no stroke is seen, the impact lies outside the clip, too little of the stroke is shown, or a joint is missing for longer than
        :data:`GAP`.
    """
    where = pose.source or "The skeleton"
    absent = [name for name in LIMB_NAMES if name not in pose.names]
    if absent:
        raise KineticsError(
            f"{where} has no {absent[0]}; a search needs the limbs' twelve joints: take the skeleton with another estimator."
        )
    if impact_t is None:
        impact_t = min(find_braking(pose) + HANDS_LEAD, float(pose.t[-1]))
    begin, end = float(pose.t[0]), float(pose.t[-1])
    if not begin <= impact_t <= end:
        raise KineticsError(f"Impact of {where} at {impact_t:.2f} s lies outside its frames, {begin:.2f} to {end:.2f} s.")
    # Rounding must not cost a frame.
    first = -int(np.floor(min(BEFORE, impact_t - begin) * RATE + 1e-6))
    last = int(np.floor(min(AFTER, end - impact_t) * RATE + 1e-6))
    if -first < int(LEAST_BEFORE * RATE) or last < int(LEAST_AFTER * RATE):
        raise KineticsError(
            f"{where} shows {-first / RATE:.2f} s before and {last / RATE:.2f} s after impact at {impact_t:.2f} s; a search needs at least "
            f"{LEAST_BEFORE:g} s and {LEAST_AFTER:g} s of the stroke."
        )
    t = impact_t + np.arange(first, last + 1) / RATE
    near = (pose.t >= t[0] - GAP) & (pose.t <= t[-1] + GAP)
    cut = pose.with_step("stroke", xy=pose.xy[near], conf=pose.conf[near], t=pose.t[near])
    for hip in ("left_hip", "right_hip"):  # without one of them nothing else has a place
        _check_gaps(cut.t[~cut.missing[:, cut.index(hip)]], t, hip, where)
    value = compute_features([cut], ("positions",), joints=LIMB_NAMES, root=True)[0].value
    return _resample(value, cut.t, t, where).astype(np.float32)


def _resample(value: np.ndarray, t: np.ndarray, wanted: np.ndarray, where: str) -> np.ndarray:
    """(T, D) means about the times ``wanted`` of the straight lines between the frames that are seen."""
    about = wanted[:, None] + _WINDOW * (np.arange(_SAMPLES) / (_SAMPLES - 1) - 0.5)
    found = np.empty((len(wanted), value.shape[1]))
    for column in range(0, value.shape[1], 2):
        seen = np.isfinite(value[:, column])
        _check_gaps(t[seen], wanted, LIMB_NAMES[column // 2], where)
        for axis in (column, column + 1):
            found[:, axis] = np.interp(about, t[seen], value[seen, axis]).mean(axis=1)
    return found


def _check_gaps(seen: np.ndarray, wanted: np.ndarray, joint: str, where: str) -> None:
    """Refuse a joint that isn't seen within the stroke for longer than :data:`GAP`."""
    inside = seen[(seen >= wanted[0]) & (seen <= wanted[-1])]
    before, after = seen[seen < wanted[0]][-1:], seen[seen > wanted[-1]][:1]
    marks = np.concatenate([before if len(before) else wanted[:1], inside, after if len(after) else wanted[-1:]])
    longest = float(np.diff(marks).max(initial=0.0)) if len(inside) else float(wanted[-1] - wanted[0])
    if longest > GAP + 1e-9:
        raise KineticsError(
            f"{where} doesn't show the {joint.replace('_', ' ')} for {longest:.2f} s of the stroke (at most {GAP:g} s): find the batter "
            "again, or choose another clip."
        )
