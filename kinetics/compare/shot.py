"""One stroke as it is compared: the skeleton without the camera's movement, and, where the bat was measured, its tip, its speed and impact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from ..motion.measure import SwingMeasurement
from ..pose_sequence import PoseSequence


@dataclass(frozen=True)
class Shot:
    """One stroke.

    Attributes
    ----------
    pose : PoseSequence
        Of a measured swing: in pixels of the reference frame, with ``bat_tip``, and only the frames of the camera shot that was measured.
    tip_speed : (T,) float64 or None
        NaN where there is none; None when the bat was not measured.
    speed_unit : str
        Of ``tip_speed``, e.g. ``m/s``; empty without.
    impact : float or None
        When bat meets ball, s, where known.
    """

    pose: PoseSequence
    tip_speed: np.ndarray | None = None
    speed_unit: str = ""
    impact: float | None = None


def as_shot(value: PoseSequence | SwingMeasurement | Shot) -> Shot:
    """A stroke out of a skeleton or of a measured swing.

    Raises
    ------
    KineticsError
        When a swing was measured without a skeleton.
    """
    if isinstance(value, Shot):
        return value
    if isinstance(value, PoseSequence):
        return Shot(value)
    pose = value.pose_with_bat()
    if pose is None:
        raise KineticsError("This swing was measured without a skeleton; plug the batter's skeleton into Measure Swing.")
    same = value.camera.shot == value.shot
    pose = pose.with_step("frames of one shot", xy=pose.xy[same], conf=pose.conf[same], t=pose.t[same], shot=int(value.shot))
    return Shot(pose, value.tip_speed[same], f"{value.unit}/s", None if value.impact is None else value.impact.t)


def pair_speeds(shots: Sequence[Shot]) -> tuple[np.ndarray, ...] | None:
    """The measured tip speeds of all shots in one unit, None where a shot has none or the units differ."""
    if any(shot.tip_speed is None for shot in shots) or len({shot.speed_unit for shot in shots}) > 1:
        return None
    return tuple(shot.tip_speed for shot in shots)
