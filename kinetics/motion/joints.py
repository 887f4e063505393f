"""Joint angles and joint speeds of the batter in the picture's plane, each with its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..pose_sequence import PoseSequence
from .derivatives import differentiate, estimate_noise

#: Angles at a joint between the lines to two others: 180° is straight, 0° is folded up.
HINGES = {
    "elbow": ("shoulder", "elbow", "wrist"), "shoulder": ("hip", "shoulder", "elbow"),
    "hip": ("shoulder", "hip", "knee"), "knee": ("hip", "knee", "ankle"),
}  # fmt: skip

#: Joints whose speed is measured; both sides, then those in the middle.
MOVING = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
MIDDLE = ("nose", "neck", "pelvis")

#: Savitzky-Golay for joints, s and degree: of the windows tried (0.2-0.28 s, degrees 2-4, 25-100 fps, 2 px of noise) the one with the least error
#: at the quickest joints' peaks; degree 2 over 0.2 s takes 15 % off them.
WINDOW, DEGREE = 0.24, 3

#: The least noise that is believed of a joint, px, and of an angle, degrees: a drawn figure has none.
_LEAST_NOISE, _LEAST_ANGLE = 1e-3, 1e-3

#: A segment shorter than this part of its longest points at the camera: an angle at its end says nothing there.
SHOWN = 0.25


@dataclass(frozen=True)
class JointMotion:
    """Angles and speeds per frame; NaN where a joint is missing or a segment points at the camera.

    Attributes
    ----------
    angle_names : tuple of A str
        ``left_elbow``, ``left_shoulder``, ``left_hip``, ``left_knee`` and the right ones: the angle in the joint, 180° straight;
        ``trunk_lean``: pelvis to neck against the picture's upright, positive to the right; ``left_wrist_cock`` and ``right_wrist_cock``:
        between that forearm and the bat, 0° in one line.
    angle, angle_sigma : (T, A) degrees
    rate, rate_sigma : (T, A) degrees/s
    joint_names : tuple of J str
    speed, speed_sigma : (T, J)
        px of the reference frame per second, debiased.
    """

    angle_names: tuple[str, ...]
    angle: np.ndarray
    angle_sigma: np.ndarray
    rate: np.ndarray
    rate_sigma: np.ndarray
    joint_names: tuple[str, ...]
    speed: np.ndarray
    speed_sigma: np.ndarray


def measure_joints(
    pose: PoseSequence, hands: np.ndarray, tip: np.ndarray, tip_sigma: np.ndarray, used: np.ndarray,
    method: str = "savgol", window: float = WINDOW, degree: int = DEGREE,
) -> JointMotion:  # fmt: skip
    """Angles in the joints, between forearms and bat, and their rates; speeds of the joints.

    Angles are those of the picture: a limb that points out of its plane bends otherwise in truth. Rates and speeds come from
    :func:`.derivatives.differentiate`; the noise of each joint is estimated from its track and carried into every value. What smoothing
    takes off a short peak is not in sigma: in drawn strokes 5 % of the quickest elbows and wrists.

    Parameters
    ----------
    pose : PoseSequence
        In pixels of the reference frame (the camera's movement taken out).
    hands, tip : (T, 2) px
        The same; NaN where unknown.
    tip_sigma : (T,) px
    used : (T,) bool
        Frames that count: not repeated, in the shot that is measured.
    method, window, degree
        Of the derivatives.

    Returns
    -------
    JointMotion
        NaN in the frames that don't count. Joints that the skeleton lacks aren't listed.
    """
    kept = np.flatnonzero(used)
    t, xy = pose.t[kept], pose.xy[kept]
    noise = _noise(xy, t)
    at = {name: (xy[:, k], noise[k]) for k, name in enumerate(pose.names) if np.isfinite(xy[:, k]).any()}
    for name, parents in (("neck", ("left_shoulder", "right_shoulder")), ("pelvis", ("left_hip", "right_hip"))):
        if name not in at and set(parents) <= set(at):
            (a, s), (b, r) = (at[parent] for parent in parents)
            at[name] = ((a + b) / 2, np.hypot(s, r) / 2)

    angles: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for side in ("left", "right"):
        for name, ends in HINGES.items():
            parts = [f"{side}_{end}" for end in ends]
            if set(parts) <= set(at):
                angles[f"{side}_{name}"] = _hinge(*(at[part] for part in parts))
    if {"neck", "pelvis"} <= set(at):
        angles["trunk_lean"] = _lean(at["pelvis"], at["neck"])
    bat, bat_sigma = tip[kept] - hands[kept], tip_sigma[kept]
    for side in ("left", "right"):
        if {f"{side}_elbow", f"{side}_wrist"} <= set(at) and np.isfinite(bat).any():
            angles[f"{side}_wrist_cock"] = _cock(at[f"{side}_elbow"], at[f"{side}_wrist"], bat, bat_sigma)
    angles = {name: value for name, value in angles.items() if np.isfinite(value[0]).any()}
    moving = [f"{side}_{part}" for part in MOVING for side in ("left", "right") if f"{side}_{part}" in at] + [n for n in MIDDLE if n in at]

    frames = len(pose)
    angle, angle_sigma = (_scattered([value[k] for value in angles.values()], kept, frames) for k in (0, 1))
    settings = {"method": method, "window": window, "degree": degree}
    rates = [_rate(*value, t, settings) for value in angles.values()]
    speeds = [_speed(*at[name], t, settings) for name in moving]
    rate, rate_sigma = (_scattered([value[k] for value in rates], kept, frames) for k in (0, 1))
    speed, speed_sigma = (_scattered([value[k] for value in speeds], kept, frames) for k in (0, 1))
    return JointMotion(tuple(angles), angle, angle_sigma, rate, rate_sigma, tuple(moving), speed, speed_sigma)


def _noise(xy: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(K,) px per axis; joints seen too seldom to tell get that of the others."""
    if len(t) < 4 or np.isnan(xy).all():
        return np.full(xy.shape[1], np.nan)
    found = np.sqrt((estimate_noise(xy, t) ** 2).mean(axis=1))
    return np.where(np.isfinite(found), found, np.nanmedian(found) if np.isfinite(found).any() else np.nan)


def _hinge(first, middle, last) -> tuple[np.ndarray, np.ndarray]:
    """Degrees between middle -> first and middle -> last, and sigma: both ends turn it by sigma/length, the middle one by both at once."""
    (a, sa), (m, sm), (b, sb) = first, middle, last
    u, v = a - m, b - m
    lu, lv = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
    shown = _shown(lu) & _shown(lv)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.abs(np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1)))
        # The middle joint moves u and v alike: the turn of one less that of the other, |û_perp/lu - v_hat_perp/lv|.
        both = (1 / lu**2 + 1 / lv**2 - 2 * np.cos(value) / (lu * lv)) * sm**2
        sigma = np.sqrt((sa / lu) ** 2 + (sb / lv) ** 2 + both)
    return np.degrees(np.where(shown, value, np.nan)), np.degrees(np.where(shown, sigma, np.nan))


def _lean(pelvis, neck) -> tuple[np.ndarray, np.ndarray]:
    """Degrees of pelvis -> neck from the upright, positive to the right."""
    trunk = neck[0] - pelvis[0]
    length = np.linalg.norm(trunk, axis=1)
    shown = _shown(length)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.hypot(neck[1], pelvis[1]) / length
    return np.degrees(np.where(shown, np.arctan2(trunk[:, 0], -trunk[:, 1]), np.nan)), np.degrees(np.where(shown, sigma, np.nan))


def _cock(elbow, wrist, bat: np.ndarray, bat_sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees between elbow -> wrist and hands -> tip."""
    forearm = wrist[0] - elbow[0]
    lf, lb = np.linalg.norm(forearm, axis=1), np.linalg.norm(bat, axis=1)
    shown = _shown(lf) & _shown(lb)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.abs(np.arctan2(forearm[:, 0] * bat[:, 1] - forearm[:, 1] * bat[:, 0], (forearm * bat).sum(axis=1)))
        sigma = np.sqrt((wrist[1] ** 2 + elbow[1] ** 2) / lf**2 + (bat_sigma / lb) ** 2)
    return np.degrees(np.where(shown, value, np.nan)), np.degrees(np.where(shown, sigma, np.nan))


def _shown(length: np.ndarray) -> np.ndarray:
    """Where a segment is long enough in the picture to have a direction."""
    return length >= SHOWN * np.nanpercentile(length, 90) if np.isfinite(length).any() else np.zeros(len(length), bool)


def _rate(value: np.ndarray, sigma: np.ndarray, t: np.ndarray, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Degrees a second."""
    if len(t) < 3:
        return np.full(len(t), np.nan), np.full(len(t), np.nan)
    found = differentiate(value, t, sigma=np.where(sigma > 0, sigma, _LEAST_ANGLE), **settings)
    return found.value, found.sigma


def _speed(xy: np.ndarray, noise: float, t: np.ndarray, settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """|x'| without what noise adds to it: E|v_hat|² = |v|² + 2 sigma²."""
    if len(t) < 3 or not np.isfinite(noise):
        return np.full(len(t), np.nan), np.full(len(t), np.nan)
    found = differentiate(xy, t, sigma=max(noise, _LEAST_NOISE), **settings)
    sigma = found.sigma[:, 0]
    return np.sqrt(np.maximum((found.value**2).sum(axis=1) - 2 * sigma**2, 0.0)), sigma


def _scattered(columns: list[np.ndarray], kept: np.ndarray, frames: int) -> np.ndarray:
    """(T, n) with each column at the frames that count, NaN elsewhere."""
    out = np.full((frames, len(columns)), np.nan)
    for k, column in enumerate(columns):
        out[kept, k] = column
    return out
