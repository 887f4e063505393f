"""A guess, for when nothing of the bat is seen: it points along the forearms."""

from __future__ import annotations

import warnings

import numpy as np

from ..pose_sequence import PoseSequence

#: Standard deviation per axis of such a tip, bat lengths: wrists cock by 60° and more.
SIGMA = 0.6


def forearm_line(pose: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    """Mean direction of the forearms from elbow to wrist, (T, 2) of length 1, and their mean length, (T,) px; NaN where neither is known."""
    forearms = np.stack([pose.joint(f"{side}_wrist") - pose.joint(f"{side}_elbow") for side in ("left", "right")])
    lengths = np.linalg.norm(forearms, axis=2)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # no forearm at all is NaN, as meant
        along = np.nanmean(forearms / lengths[..., None], axis=0)
        return along / np.linalg.norm(along, axis=1, keepdims=True), np.nanmean(lengths, axis=0)


def forearm_tips(pose: PoseSequence, hands: np.ndarray, length: np.ndarray) -> dict[int, tuple[np.ndarray, float]]:
    """Tip and its standard deviation, px, by frame: one bat length from the hands along the mean direction of the forearms.

    Parameters
    ----------
    pose : PoseSequence
    hands : (T, 2) px
    length : (T,) px

    Returns
    -------
    dict
        Without the frames in which hands or both forearms are unknown, or the tip would lie outside the picture.
    """
    along, _ = forearm_line(pose)
    tips = hands + length[:, None] * along
    within = np.isfinite(tips).all(axis=1) & (tips >= 0).all(axis=1) & (tips < np.array(pose.size)).all(axis=1)
    return {int(k): (tips[k], float(SIGMA * length[k])) for k in np.flatnonzero(within)}
