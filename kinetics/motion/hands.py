"""The hands on the handle, from a pose: where they are, how well that is known, and which is the top hand."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .camera import Camera
from .derivatives import differentiate

_FINGERS = ("index", "pinky", "thumb")

#: Beyond the wrist lie the knuckles; halfway to them lies the middle of the hand: this part of the forearm.
_REACH = 0.17

#: A hand farther than this from the median of five frames is a slip of the pose, bat lengths.
_SLIP = 0.3

#: Frames over which the offset from one hand to the middle of both is carried to where only one is seen, s.
_CARRIED = 0.5

#: Standard deviation per axis, bat lengths: of the middle of two hands, and added where it is told from one alone.
_BOTH, _ALONE = 0.035, 0.06


@dataclass(frozen=True)
class Hands:
    """Hands in the frames' pixels.

    Attributes
    ----------
    left, right, middle : (T, 2)
        NaN where unknown; ``middle`` lies between both, or is told from one.
    sigma : (T,)
        Standard deviation of ``middle`` per axis; NaN where it is.
    """

    left: np.ndarray
    right: np.ndarray
    middle: np.ndarray
    sigma: np.ndarray


def read_hands(pose: PoseSequence, camera: Camera, length: np.ndarray) -> Hands:
    """Middle of each hand and of both: half wrist, half knuckles; a little beyond the wrist where the pose has no knuckles.

    Parameters
    ----------
    pose : PoseSequence
    camera : Camera
        Takes its movement out where hands are compared from frame to frame.
    length : (T,) px
        Bat length in each frame.

    Raises
    ------
    KineticsError
        When no hand is ever seen.
    """
    sides = [_side(pose, side) for side in ("left", "right")]
    unit = np.nanmedian(length * camera.zoom)
    sides = [np.where(_slips(camera.to_reference(side), camera.shot, _SLIP * unit)[:, None], np.nan, side) for side in sides]
    left, right = sides
    if np.isnan(left[:, 0] + 0).all() and np.isnan(right[:, 0]).all():
        raise KineticsError(f"{pose.source or 'The skeleton'} shows no hands in any frame; choose another subject.")
    middle = (left + right) / 2
    both = ~np.isnan(middle[:, 0])
    apart = right - left
    for side, sign in ((left, 0.5), (right, -0.5)):
        alone = ~np.isnan(side[:, 0]) & ~both & np.isnan(middle[:, 0])
        offset, near = _carried(apart / length[:, None], both, pose.t)
        shift = np.where(near[:, None], sign * offset * length[:, None], 0.0)
        middle[alone] = (side + shift)[alone]
    scatter = _scatter(camera.to_reference(middle), camera.shot) / camera.zoom
    sigma = np.sqrt(scatter**2 + (_BOTH * length) ** 2 + np.where(both, 0.0, (_ALONE * length) ** 2))
    return Hands(left, right, middle, np.where(np.isnan(middle[:, 0]), np.nan, sigma))


def hold(hands: Hands, tip: np.ndarray, grip: str) -> tuple[np.ndarray, np.ndarray, str]:
    """The hand proxy that was asked for.

    The top hand is the one farther from the toe along the bat, by the majority of the frames in which both hands and the toe are seen.

    Returns
    -------
    place : (T, 2) px, sigma : (T,) px
    flag : str
        Empty, or why it is the midpoint after all.
    """
    if grip == "midpoint":
        return hands.middle, hands.sigma, ""
    along = tip - hands.middle
    ahead = ((hands.right - hands.left) * along).sum(axis=1)
    seen = ~np.isnan(ahead)
    votes = int(np.sign(ahead[seen]).sum())
    if abs(votes) < 3:
        return hands.middle, hands.sigma, f"Which is the {grip} hand can't be told: both hands and the toe are seen together too rarely; the midpoint is used."
    left_is_top = votes > 0
    chosen = hands.left if left_is_top == (grip == "top") else hands.right
    return chosen, np.where(np.isnan(chosen[:, 0]), np.nan, np.nanmedian(hands.sigma)), ""


def join_hands(hands: Hands, seen: np.ndarray, seen_sigma: np.ndarray) -> Hands:
    """The middle of the hands where it was seen in the picture takes the pose's place: the pose puts it towards the wrists, and slips."""
    known = ~np.isnan(seen[:, 0])
    return replace(hands, middle=np.where(known[:, None], seen, hands.middle), sigma=np.where(known, seen_sigma, hands.sigma))


def _side(pose: PoseSequence, side: str) -> np.ndarray:
    """(T, 2) middle of one hand."""
    wrist = pose.joint(f"{side}_wrist")
    names = [f"{side}_{finger}" for finger in _FINGERS if f"{side}_{finger}" in pose.names]
    beyond = wrist + _REACH * (wrist - pose.joint(f"{side}_elbow"))
    if not names:
        return np.where(np.isnan(beyond), wrist, beyond)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no knuckle at all is NaN, as meant
        knuckles = np.nanmean([pose.joint(name) for name in names], axis=0)
    middle = (wrist + knuckles) / 2
    return np.where(np.isnan(middle), np.where(np.isnan(beyond), wrist, beyond), middle)


def _slips(track: np.ndarray, shot: np.ndarray, limit: float) -> np.ndarray:
    """(T,) bool: far from the median of the five frames round it, in the same shot."""
    slips = np.zeros(len(track), bool)
    for k in range(len(track)):
        near = np.arange(max(0, k - 2), min(len(track), k + 3))
        near = near[(shot[near] == shot[k]) & ~np.isnan(track[near, 0])]
        if len(near) >= 4:
            slips[k] = np.linalg.norm(track[k] - np.median(track[near], axis=0)) > limit
    return slips


def _carried(offset: np.ndarray, known: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values (T, 2) of the nearest known frame, and (T,) whether it is near enough in time."""
    if not known.any():
        return np.zeros_like(offset), np.zeros(len(t), bool)
    where = np.flatnonzero(known)
    nearest = where[np.abs(t[:, None] - t[where][None, :]).argmin(axis=1)]
    return np.nan_to_num(offset[nearest]), np.abs(t[nearest] - t) <= _CARRIED


def _scatter(track: np.ndarray, shot: np.ndarray) -> float:
    """Standard deviation per axis of white noise on a smooth track, from its third differences inside shots (their variance is 20 times it)."""
    third = track[3:] - 3 * track[2:-1] + 3 * track[1:-2] - track[:-3]
    third = third[(shot[3:] == shot[:-3]) & ~np.isnan(third[:, 0])]
    return float(1.4826 * np.median(np.abs(third)) / np.sqrt(20.0)) if len(third) else 0.0


def hand_speed(t: np.ndarray, hands: np.ndarray, sigma: np.ndarray, used: np.ndarray, smoothing: dict) -> tuple[np.ndarray, np.ndarray]:
    """How fast the hands are, debiased, and its standard error.

    Parameters
    ----------
    t : (T,) s
    hands : (T, 2) px
    sigma : (T,) px
        Standard deviation per axis.
    used : (n,) int
        Frames that take part; fewer than three give nothing.
    smoothing : dict
        As :func:`.derivatives.differentiate` takes it.

    Returns
    -------
    (T,), (T,) px/s
        NaN in the other frames.
    """
    value, error = np.full(len(t), np.nan), np.full(len(t), np.nan)
    if len(used) >= 3:
        found = differentiate(hands[used], t[used], sigma=sigma[used, None], **smoothing)
        error[used] = found.sigma[:, 0]
        value[used] = np.sqrt(np.maximum((found.value**2).sum(axis=1) - 2 * found.sigma[:, 0] ** 2, 0.0))
    return value, error
