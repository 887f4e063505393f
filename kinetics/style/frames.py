"""What each frame of a shot is good for: its phase, how sharp it can be, how sure its skeleton is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..motion.derivatives import differentiate
from ..motion.measure import SwingMeasurement
from ..motion.phases import LONGEST_BLIND
from ..motion.scale import local_heights
from ..pose.body import find_stretches
from ..pose_sequence import LIMB_NAMES, PoseSequence
from ..video.decode import Clip
from .samples import PACES

#: A frame with fewer of the limbs' 12 joints says too little of the pose.
FEWEST_JOINTS = 8

#: A smear so long, in body heights, counts half: of the bat's tip, and of the quickest joint where the tip isn't known.
TIP_SMEAR, JOINT_SMEAR = 0.15, 0.05

#: The shutter is taken to be open for this part of the frame's time where nobody says.
SHUTTER = 0.5

#: Limbs' ends, whose speed stands in for the tip's; and the window of their derivative, s.
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_QUICK, _WINDOW = ("left_wrist", "right_wrist", "left_ankle", "right_ankle"), 0.16

#: Steps after which a skeleton no longer lies on its clip's pictures.
_MOVED = ("stabilise", "centre_on_root", "mirror_sequence", "centre_frames", "laid on the reference", "warp_pose")


@dataclass(frozen=True, eq=False)
class StyleShot:
    """One clip of the batter, with what was measured in it.

    Attributes
    ----------
    clip : Clip
    pose : PoseSequence
        The batter's skeleton in pixels of the clip.
    swing : SwingMeasurement or None
        Gives phases, the bat and its smear.
    name : str
        Names the samples' files; the clip's own name when empty.
    shot : str
        What captions call the stroke; told from the name when empty.
    footage : str
        What the clip was cut from: shots of one footage are never divided between training and held-out. The clip's name when empty.
    exposure : float or None
        s that the shutter is open; half of the frame's time when not known.
    masks : sequence or None
        Per frame of the skeleton a (H, W) array or tensor, 0 to 1, of the batter; None: told from the skeleton.
    """

    clip: Clip
    pose: PoseSequence
    swing: SwingMeasurement | None = None
    name: str = ""
    shot: str = ""
    footage: str = ""
    exposure: float | None = None
    masks: Sequence[Any] | None = None

    @property
    def title(self) -> str:
        return self.name or Path(self.clip.name).stem


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Per row of the skeleton what the choice of frames needs; rows without a value are NaN.

    Attributes
    ----------
    pose : PoseSequence
        With the joints ``hands`` and ``bat_tip`` where a swing gave them.
    heights : (T,) px
        The batter's.
    phase : (T,) str
        Empty outside the stroke.
    refused : (T,) str
        Why a frame can't be taken; empty where it can.
    sharp : (T,)
        By the smear that is foretold, speed × exposure: 1 without, ½ at :data:`TIP_SMEAR` of the tip or :data:`JOINT_SMEAR` of a joint.
    confidence : (T,)
        Mean over the limbs' joints, 0 for a missing one.
    stretch : (T,) int
        A number per stretch between cuts.
    phases_from : str
        ``swing`` or ``joint speed``.
    exposure : float
        s.
    notes : tuple of str
    """

    pose: PoseSequence
    heights: np.ndarray
    phase: np.ndarray
    refused: np.ndarray
    sharp: np.ndarray
    confidence: np.ndarray
    stretch: np.ndarray
    phases_from: str
    exposure: float
    notes: tuple[str, ...] = field(default=())

    def track(self, name: str) -> np.ndarray:
        """(T, 2) px of a joint; NaN throughout when there is none of that name."""
        return self.pose.joint(name) if name in self.pose.names else np.full((len(self.pose), 2), np.nan)


def check_shot(shot: StyleShot) -> None:
    """Raise unless skeleton and swing lie on the clip's pictures.

    Raises
    ------
    KineticsError
        When the picture's size differs, the skeleton is not in pixels of the frames, or the swing is of other frames.
    """
    info, pose, swing = shot.clip.info, shot.pose, shot.swing
    if pose.space != "px" or any(step.get("step") in _MOVED for step in pose.provenance.get("steps", ())):
        raise KineticsError(f"The skeleton of {shot.title} was moved off its pictures; give it in the clip's own pixels, not stabilised or aligned.")
    if tuple(pose.size) != (info.width, info.height):
        raise KineticsError(
            f"The skeleton of {shot.title} is of pictures {pose.size[0]}×{pose.size[1]}, the clip's are {info.width}×{info.height}; find it in this clip."
        )
    if swing is not None and (len(swing) != len(pose) or np.abs(swing.t - pose.t).max() > 1e-3 or tuple(swing.size) != tuple(pose.size)):
        raise KineticsError(f"The swing of {shot.title} is not of its skeleton's frames; measure both in the same clip, trimmed the same.")
    if shot.exposure is not None and not shot.exposure > 0:
        raise KineticsError(f"An exposure of {shot.exposure} s can't be; give seconds above 0, e.g. 0.002.")
    if shot.masks is not None and len(shot.masks) != len(pose):
        raise KineticsError(f"{len(shot.masks)} masks don't fit the {len(pose)} frames of {shot.title}; give one per frame.")


def judge_frames(shot: StyleShot) -> FrameTable:
    """Tell phase, smear and confidence of every row of a shot's skeleton; the shot has been checked."""
    pose, swing = shot.pose, shot.swing
    notes: list[str] = []
    heights = local_heights(pose)
    limbs = [name for name in LIMB_NAMES if name in pose.names]
    conf = pose.select(limbs).conf
    seen = ((conf > 0).sum(axis=1) >= FEWEST_JOINTS) & np.isfinite(heights)
    refused = np.where(seen, "", "no pose").astype("U24")
    stretch = find_stretches(pose)
    interval = float(np.median(np.diff(pose.t))) if len(pose) > 1 else 0.0
    exposure = SHUTTER * interval if shot.exposure is None else shot.exposure
    sharp = _sharpness(_joint_speed(pose, stretch) * exposure / heights, JOINT_SMEAR)
    phase, told = None, "joint speed"
    if swing is not None:
        stretch = stretch + swing.camera.shot
        refused[(refused == "") & (swing.status == "other shot")] = "other shot"
        refused[(refused == "") & (swing.camera.repeat | swing.track.repeat)] = "repeated frame"
        pose = _with_bat(pose, swing)
        sharp = np.minimum(sharp, _sharpness(_tip_speed(swing) * exposure / heights, TIP_SMEAR))
        phase = _phases(swing, interval)
        if phase is not None:
            told = "swing"
            refused[(refused == "") & (phase == "")] = "outside the stroke"
    if phase is None:
        why = "the bat was not measured" if swing is None else "no phase was found in its swing"
        notes.append(f"{shot.title}: {why}, so its frames are balanced by how fast the limbs move: {', '.join(PACES)}.")
        phase = _paces(_joint_speed(pose, stretch, about_trunk=True) / heights, refused == "")
    return FrameTable(
        pose, heights, phase, refused, sharp, conf.sum(axis=1) / len(LIMB_NAMES), stretch, told, exposure, tuple(notes)
    )  # fmt: skip


def _with_bat(pose: PoseSequence, swing: SwingMeasurement) -> PoseSequence:
    known = np.isfinite(swing.hands[:, 0])
    pose = pose.with_joint("hands", swing.hands, known.astype(float))
    return pose.with_joint("bat_tip", swing.tip, np.where(np.isfinite(swing.tip[:, 0]), np.maximum(swing.track.confidence, 0.01), 0.0))


def _tip_speed(swing: SwingMeasurement) -> np.ndarray:
    """(T,) px/s of each frame; in short gaps, where the bat is often smeared away, what its neighbours and the peak tell; else NaN."""
    speed, clock, peak = swing.tip_speed, swing.clock, swing.peak_tip_speed
    known = np.isfinite(speed)
    if not known.any():
        return speed
    times, values = clock[known], speed[known]
    if np.isfinite(peak.t):
        order = np.argsort(np.append(times, peak.t), kind="stable")
        times, values = np.append(times, peak.t)[order], np.append(values, peak.value)[order]
    after = np.clip(np.searchsorted(times, clock), 1, len(times) - 1) if len(times) > 1 else None
    short = np.zeros(len(clock), bool) if after is None else times[after] - times[after - 1] <= LONGEST_BLIND
    inside = short & (clock >= times[0]) & (clock <= times[-1]) & (swing.status != "other shot")
    filled = np.where(known, speed, np.where(inside, np.interp(clock, times, values), np.nan))
    return filled * swing.scale.px_per_unit / swing.camera.zoom


def _joint_speed(pose: PoseSequence, stretch: np.ndarray, about_trunk: bool = False) -> np.ndarray:
    """(T,) px/s of the quickest limb's end, in the picture or about the trunk, which takes the camera's pan out; NaN where none is known."""
    xy = pose.select([name for name in _QUICK if name in pose.names]).xy
    if about_trunk:
        trunk = pose.select([name for name in _TRUNK if name in pose.names]).xy
        there = np.isfinite(trunk)
        count = there.sum(axis=1)
        xy = xy - np.where(count > 0, np.where(there, trunk, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)[:, None]
    xy = xy[:, ~np.isnan(xy).all(axis=(0, 2))]
    if not xy.size or len(pose) < 3:
        return np.full(len(pose), np.nan)
    velocity = differentiate(xy, pose.t, 1, "savgol", _WINDOW, 2, sigma=1.0, stretch=stretch).value
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    return np.where(np.isfinite(speed).any(axis=1), np.where(np.isfinite(speed), speed, 0.0).max(axis=1), np.nan)


def _sharpness(smear: np.ndarray, half: float) -> np.ndarray:
    """(T,) 1/(1 + (smear/half)²) of a smear in body heights; 1 where it isn't known."""
    return np.where(np.isfinite(smear), 1 / (1 + (smear / half) ** 2), 1.0)


def _phases(swing: SwingMeasurement, interval: float) -> np.ndarray | None:
    """(T,) phase of each frame; impact is what lies within its sigma, or half a frame; None when the swing has none."""
    if not swing.phases.found:
        return None
    phase = np.array([swing.phases.at(t) for t in swing.clock], dtype="U24")
    if swing.impact is not None:
        phase[(np.abs(swing.clock - swing.impact.t) <= max(swing.impact.sigma, interval / 2)) & (swing.status != "other shot")] = "impact"
    return phase


def _paces(speed: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(T,) third of the speed that a frame lies in; where no speed is known, slow."""
    known = counted & np.isfinite(speed)
    bounds = np.quantile(speed[known], [1 / 3, 2 / 3]) if known.any() else np.zeros(2)
    return np.array(PACES, dtype="U24")[np.searchsorted(bounds, np.where(np.isfinite(speed), speed, 0.0), side="left")]
