"""What two shots are compared by: places of the joints, angles, velocities, the speed of the bat's tip, or several weighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from ..motion.derivatives import differentiate
from ..pose.body import find_stretches, midpoint, torso_length
from ..pose_sequence import LIMB_NAMES, PoseSequence

KINDS = ("positions", "angles", "velocities", "tip_speed")

#: What one number of each kind is measured in.
UNITS = {"positions": "trunk lengths", "angles": "chords of the unit circle", "velocities": "trunk lengths/s", "tip_speed": "as given"}

#: Angles between two bones: at the second joint, from the first to the third. The sides come in front.
ANGLES = {
    "elbow": ("shoulder", "elbow", "wrist"), "shoulder": ("hip", "shoulder", "elbow"),
    "hip": ("shoulder", "hip", "knee"), "knee": ("hip", "knee", "ankle"),
}  # fmt: skip

#: Window of the local polynomial that velocities are read from, seconds.
_WINDOW = 0.2


@dataclass(frozen=True)
class Features:
    """Numbers of one shot, frame by frame, ready for :func:`.dtw.dtw` with ``missing="mask"``.

    Attributes
    ----------
    value : (T, D) float64
        NaN where missing.
    weight : (T, D) float64
        Confidence of each, 0 where missing.
    t : (T,) s
    names : tuple of D str
        ``kind joint part``, e.g. ``positions left_wrist x``.
    unit : str
        Of one number; ``""`` when several kinds are mixed and each is scaled to its own spread.
    """

    value: np.ndarray
    weight: np.ndarray
    t: np.ndarray
    names: tuple[str, ...]
    unit: str


def compute_features(
    poses: Sequence[PoseSequence],
    kinds: Mapping[str, float] | Sequence[str] = ("positions",),
    *,
    joints: Sequence[str] | None = None,
    root: bool = False,
    tip_speeds: Sequence[np.ndarray] | None = None,
) -> list[Features]:
    """The same features of every shot.

    Parameters
    ----------
    poses : PoseSequences
        For positions, already laid on each other (:func:`.align.align_shots`), or ``root``.
    kinds : mapping of kind to weight, or kinds
        ``positions``: places in trunk lengths of the first shot (from the ``root``: of each shot's own). ``angles``: elbows, shoulders,
        hips and knees, each as the cosine and sine of the signed angle, so that a turn through pi is no jump. ``velocities``: of the
        joints, trunk lengths a second. ``tip_speed``: of the bat.
        One kind keeps its unit. Several are each divided by their spread over all shots (root mean squared distance of a frame from the
        mean frame), so that equal weights count equally; the weight multiplies the squared distance.
    joints : names, optional
        For positions and velocities; when not given the limbs' joints that every shot has, or all common ones.
    root : bool
        Positions from the pelvis of the same frame: posture alone, neither the batter's travel nor the camera's.
    tip_speeds : (T,) arrays, optional
        Of each shot, one unit for all, e.g. m/s of a measured swing; without them that of the joint ``bat_tip``, trunk lengths a second.

    Returns
    -------
    list of Features

    Raises
    ------
    KineticsError
        On an unknown kind, a weight that isn't above 0, joints that aren't common, a shot without trunk, bat tip or pelvis where needed.
    """
    weights = dict(kinds) if isinstance(kinds, Mapping) else dict.fromkeys(kinds, 1.0)
    if not weights or not set(weights) <= set(KINDS) or not all(np.isfinite(weight) and weight > 0 for weight in weights.values()):
        raise KineticsError(f"Features {weights} can't be compared; use some of {', '.join(KINDS)}, each with a weight above 0.")
    names = common_joints(poses, joints)
    made = [
        [
            _one_kind(kind, pose, names, None if root else trunk_length(poses[0]), None if tip_speeds is None else tip_speeds[n])
            for n, pose in enumerate(poses)
        ]
        for kind in weights
    ]
    if len(weights) > 1:
        for parts, weight in zip(made, weights.values(), strict=True):
            scale = np.sqrt(weight) / _spread(parts)
            parts[:] = [Features(scale * part.value, part.weight, part.t, part.names, "") for part in parts]
    return [
        Features(
            np.concatenate([part.value for part in parts], axis=1), np.concatenate([part.weight for part in parts], axis=1),
            parts[0].t, sum((part.names for part in parts), ()), parts[0].unit,
        )
        for parts in zip(*made, strict=True)
    ]  # fmt: skip


def common_joints(poses: Sequence[PoseSequence], joints: Sequence[str] | None = None) -> tuple[str, ...]:
    """Joints to compare: those asked for, else the limbs' that all shots have and show at least once, else all such joints.

    Raises
    ------
    KineticsError
        When a joint asked for isn't there, or fewer than three are common.
    """
    if joints is not None:
        for pose in poses:
            for name in joints:
                pose.index(name)
        return tuple(joints)
    shown = [{name for name, gone in zip(pose.names, pose.missing.all(axis=0), strict=True) if not gone} for pose in poses]
    for pose, seen in zip(poses, shown, strict=True):
        if not seen:
            raise KineticsError(
                f"{pose.source or 'The skeleton'} shows no joint in any of its {len(pose)} frames; there is nothing to compare."
            )
    both = set.intersection(*shown)
    names = tuple(name for name in LIMB_NAMES if name in both)
    if len(names) < 3:
        names = tuple(name for name in poses[0].names if name in both)
    if len(names) < 3:
        raise KineticsError(
            f"{' and '.join(pose.source or 'a skeleton' for pose in poses[:2])} have {len(names)} joints in common; at least 3 are needed: "
            "take both skeletons with the same estimator."
        )
    return names


def trunk_length(pose: PoseSequence) -> float:
    """Median trunk length, in the pose's unit.

    Raises
    ------
    KineticsError
        When the body is never seen well enough to measure it.
    """
    length = torso_length(pose.xy, pose.names)
    if not (np.isfinite(length) and length > 0):
        raise KineticsError(f"{pose.source or 'The skeleton'} never shows two joints at once; its size can't be measured.")
    return length


def centre_frames(pose: PoseSequence) -> PoseSequence:
    """Each frame moved so that the pelvis stands where it is in the middle (median) of the clip; a frame without it is NaN.

    Raises
    ------
    KineticsError
        When the pelvis is never seen.
    """
    root = _pelvis(pose)
    xy = pose.xy - root[:, None] + np.nanmedian(root, axis=0)
    return pose.with_step("centre_frames", xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0.0, pose.conf))


def _pelvis(pose: PoseSequence) -> np.ndarray:
    """(T, 2), NaN where it isn't seen."""
    root = np.full((len(pose), 2), np.nan)
    if "pelvis" in pose.names:
        root = pose.joint("pelvis")
    elif {"left_hip", "right_hip"} <= set(pose.names):
        root = midpoint(pose.xy, pose.conf, pose.names, "pelvis")[0]
    if np.isnan(root).all():
        raise KineticsError(f"{pose.source or 'The skeleton'} never shows the hips; its frames can't be centred on them.")
    return root


def _one_kind(kind: str, pose: PoseSequence, joints: Sequence[str], unit: float | None, tip_speed: np.ndarray | None) -> Features:
    make = {"positions": _positions, "angles": _angles, "velocities": _velocities}
    if kind == "tip_speed":
        return _tip_speed(pose, tip_speed)
    value, conf, parts = make[kind](pose, joints, unit)
    value = value.reshape(len(pose), -1)
    weight = np.where(np.isfinite(value), np.repeat(conf, 2, axis=1), 0.0)
    axes = ("cos", "sin") if kind == "angles" else ("x", "y")
    return Features(value, weight, pose.t, tuple(f"{kind} {part} {axis}" for part in parts for axis in axes), UNITS[kind])


def _positions(pose: PoseSequence, joints: Sequence[str], unit: float | None) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    seen = pose.select(joints)
    if unit is not None:
        return seen.xy / unit, seen.conf, joints
    return (seen.xy - _pelvis(pose)[:, None]) / trunk_length(pose), seen.conf, joints


def _velocities(pose: PoseSequence, joints: Sequence[str], _unit: float | None) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    seen = pose.select(joints)
    velocity = differentiate(seen.xy / trunk_length(pose), pose.t, 1, "savgol", _WINDOW, 2, sigma=1.0, stretch=find_stretches(pose)).value
    return velocity, seen.conf, joints


def _angles(pose: PoseSequence, _joints: Sequence[str], _unit: float | None) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    parts, values, confs = [], [], []
    for side in ("left", "right"):
        for name, bones in ANGLES.items():
            corners = [f"{side}_{joint}" for joint in bones]
            if set(corners) <= set(pose.names):
                start, corner, end = (pose.joint(joint) @ [1, 1j] for joint in corners)
                turn = (end - corner) * (start - corner).conj()
                with np.errstate(invalid="ignore", divide="ignore"):
                    turn = turn / np.abs(turn)
                values.append(np.stack([turn.real, turn.imag], axis=1))
                confs.append(np.min([pose.conf[:, pose.index(joint)] for joint in corners], axis=0))
                parts.append(f"{side}_{name}")
    if not parts:
        raise KineticsError(
            f"{pose.source or 'The skeleton'} has no elbow, shoulder, hip or knee with both of its bones; compare positions."
        )
    return np.stack(values, axis=1), np.stack(confs, axis=1), parts


def _tip_speed(pose: PoseSequence, given: np.ndarray | None) -> Features:
    where = pose.source or "The skeleton"
    if given is None:
        if "bat_tip" not in pose.names:
            raise KineticsError(f"{where} has no bat tip; measure the swing first, or compare other features.")
        speed = joint_speed(pose, ["bat_tip"]) / trunk_length(pose)
        conf, unit = pose.conf[:, pose.index("bat_tip")], "trunk lengths/s"
    else:
        speed, conf, unit = np.asarray(given, dtype=np.float64), np.ones(len(pose)), UNITS["tip_speed"]
        if speed.shape != (len(pose),):
            raise KineticsError(f"{where} has {len(pose)} frames, its tip speeds have shape {speed.shape}; give one per frame.")
    if not np.isfinite(speed).any():
        raise KineticsError(f"{where} shows the bat's tip in no two neighbouring frames; compare other features.")
    return Features(speed[:, None], np.where(np.isfinite(speed), conf, 0.0)[:, None], pose.t, ("tip_speed",), unit)


def joint_speed(pose: PoseSequence, joints: Sequence[str]) -> np.ndarray:
    """(T,) mean speed of some joints, in the pose's unit per second; of those that are there; NaN where none is."""
    x = pose.select(joints).xy
    velocity = differentiate(x, pose.t, 1, "savgol", _WINDOW, 2, sigma=1.0, stretch=find_stretches(pose)).value
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    known = np.isfinite(speed)
    return np.where(known.any(axis=1), np.where(known, speed, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1), np.nan)


def _spread(parts: Sequence[Features]) -> float:
    """Root mean squared distance of a frame from the mean frame, over all shots, whatever is missing."""
    value = np.concatenate([part.value for part in parts])
    weight = np.concatenate([part.weight for part in parts])
    filled = np.where(weight > 0, value, 0.0)
    total = np.maximum(weight.sum(axis=0), np.finfo(float).tiny)
    mean = (weight * filled).sum(axis=0) / total
    spread = float(np.sqrt(((weight * (filled - mean) ** 2).sum(axis=0) / total).sum()))
    return spread if spread > 0 else 1.0
