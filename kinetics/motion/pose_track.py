"""The bat of a skeleton that carries a ``bat_tip``: another program's track, taken with caution."""

from __future__ import annotations

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .bat_track import GRIPS, BatTrack
from .derivatives import estimate_noise

#: What such a tip was read from, among the words of :data:`.bat_track.SOURCES`.
POSE_SOURCE = "pose"

#: Least standard deviation per axis, px, of a joint or tip that an estimator found.
_LEAST = 0.5


def track_from_pose(pose: PoseSequence, grip: str = "midpoint") -> BatTrack:
    """Hands and tip from a skeleton with wrists and ``bat_tip``, such as a ``*_series.npz`` of the earlier analysis.

    Such tips were often placed where no bat was seen, so each is held against the batter's body when it is measured
    (:func:`.plausible.impossible_tips`). How good they are the skeleton doesn't say; sigma comes from how they scatter.

    Parameters
    ----------
    pose : PoseSequence
        In pixels; ``left_wrist``, ``right_wrist`` and ``bat_tip`` among its joints.
    grip : {"midpoint", "top", "bottom"}
        Middle of the wrists, or the wrist farther from (top) or nearer to (bottom) the tip.

    Returns
    -------
    BatTrack

    Raises
    ------
    KineticsError
        When a joint is missing, the unit isn't pixels, or no tip is there at all.
    """
    where = pose.source or "The skeleton"
    if pose.space != "px":
        raise KineticsError(f"{where} is in unit {pose.space!r}; give it in pixels, so that the bat can be measured.")
    if grip not in GRIPS:
        raise KineticsError(f"Grip {grip!r} isn't known; choose {', '.join(GRIPS)}.")
    left, right, tip = (pose.joint(name) for name in ("left_wrist", "right_wrist", "bat_tip"))
    if np.isnan(tip[:, 0]).all():
        raise KineticsError(f"{where} has a joint bat_tip but no place for it in any frame; give the clip, or a skeleton with a bat.")
    apart = np.stack([np.linalg.norm(tip - wrist, axis=1) for wrist in (left, right)])
    both = np.isfinite(left[:, 0] + right[:, 0])
    order = np.where((apart[0] <= apart[1])[:, None, None], np.stack([left, right], axis=1), np.stack([right, left], axis=1))
    place = {"midpoint": (left + right) / 2, "bottom": order[:, 0], "top": order[:, 1]}[grip]
    hands = np.where(both[:, None], place, np.where(np.isnan(left), right, left))
    seen = np.isfinite(tip[:, 0])
    return BatTrack(
        t=np.array(pose.t), hands=hands, tip=np.array(tip), hands_sigma=_sigma(hands, pose.t), tip_sigma=_sigma(tip, pose.t),
        source=np.where(seen, POSE_SOURCE, "").astype("U8"), confidence=np.where(seen, pose.conf[:, pose.index("bat_tip")], 0.0),
        repeat=np.zeros(len(pose), bool), size=pose.size, grip=grip,
        flags=(f"The tips are those of {pose.provenance.get('estimator', 'another program')}: how well it saw the bat is not known.",),
        provenance={"tracker": "bat_tip of the skeleton", "source": pose.source, "tips": int(seen.sum())},
    )  # fmt: skip


def _sigma(track: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(T,) px per axis from the scatter of the track; NaN where it is missing."""
    seen = np.isfinite(track[:, 0])
    level = np.nan
    if len(t) >= 4 and seen.any():
        level = float(np.sqrt((estimate_noise(track, t) ** 2).mean()))
    return np.where(seen, max(level, _LEAST) if np.isfinite(level) else 3.0, np.nan)
