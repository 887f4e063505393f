"""What the bat network looks at: crops round the hands, cut out of the frames, and where the pose says to cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence

#: Pixels along a side of the crop, and its side in bat lengths (hands to toe).
SIZE, WIDTH = 128, 3.2

#: What the planes of a crop are.
PLANES = ("red", "green", "blue", "grey before", "grey after", "body", "arms", "inside")

#: Two joints and the brightness of the line between them, in the plane "body" and in the plane "arms".
BODY_LINES = (
    *(
        (f"{side}_{first}", f"{side}_{second}")
        for side in ("left", "right")
        for first, second in pairwise(("shoulder", "hip", "knee", "ankle", "foot"))
    ),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
)
ARM_LINES = tuple(
    (f"{side}_{first}", f"{side}_{second}") for side in ("left", "right") for first, second in pairwise(("shoulder", "elbow", "wrist"))
)
HEAD = ("nose", "left_ear", "right_ear")

#: Lengths of limbs in bat lengths (0.68 m from the middle of the hands to the toe) of a grown batter: the yardstick of the crop.
_LIMBS = {("shoulder", "hip"): 0.735, ("hip", "knee"): 0.62, ("knee", "ankle"): 0.62, ("shoulder", "elbow"): 0.41, ("elbow", "wrist"): 0.38}


@dataclass(frozen=True)
class BatCrop:
    """What the network sees of one frame.

    Attributes
    ----------
    planes : (8, 128, 128) uint8
        See :data:`PLANES`.
    origin : (2,) px
        Place in the frame of the middle of the crop's first pixel.
    scale : float
        Pixels of the frame per pixel of the crop.
    length : float, px
        The bat length that the crop was cut for.
    """

    planes: np.ndarray
    origin: np.ndarray
    scale: float
    length: float


def cut_crop(
    image: np.ndarray,
    hand: Sequence[float],
    length: float,
    joints: Mapping[str, Sequence[float]] | None = None,
    *,
    before: tuple[np.ndarray, np.ndarray | None] | None = None,
    after: tuple[np.ndarray, np.ndarray | None] | None = None,
) -> BatCrop:
    """Cut what the network looks at out of a frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        The frame, RGB.
    hand : (2,) px
        Middle of the hands, to within a third of a bat length.
    length : float, px
        Bat length, hands to toe, when the bat lies in the image plane; to within a quarter.
    joints : mapping of name to (x, y) px, optional
        The batter's joints by the names of the pose; missing or NaN ones are left out.
    before, after : (image, map), optional
        The nearest earlier and later frame that shows another picture, and the 3×3 matrix that takes its pixels to this frame's (None: the
        camera stood still). Left out: the frame itself stands in.

    Raises
    ------
    KineticsError
        When the hand or the length is not finite, the length not positive, or the image not (H, W, 3) uint8.
    """
    import cv2

    hand = np.asarray(hand, dtype=np.float64)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise KineticsError(f"The bat network got a picture of shape {image.shape}, {image.dtype}; give (height, width, 3) uint8.")
    if not (np.isfinite(hand).all() and np.isfinite(length) and length > 0):
        raise KineticsError(f"The bat network can't cut round hands at {hand} with a bat of {length} px; give finite numbers.")
    scale = WIDTH * length / SIZE
    origin = hand - scale * (SIZE - 1) / 2
    to_crop = np.array([[1 / scale, 0, -origin[0] / scale], [0, 1 / scale, -origin[1] / scale], [0, 0, 1]])

    def warp(picture: np.ndarray, to_here: np.ndarray | None) -> np.ndarray:
        return _shrink(picture, to_crop if to_here is None else to_crop @ np.asarray(to_here, dtype=np.float64))

    colour = warp(image, None)
    greys = [cv2.transform(colour if other is None else warp(*other), np.full((1, 3), 1 / 3)) for other in (before, after)]
    height, width = image.shape[:2]
    inside = cv2.warpPerspective(np.full((height, width), 255, np.uint8), to_crop, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
    at = {name: (np.asarray(point, dtype=np.float64) - origin) / scale for name, point in (joints or {}).items()}
    body, arms = draw_skeleton(at)
    return BatCrop(np.concatenate([colour.transpose(2, 0, 1), np.stack([*greys, body, arms, inside])]), origin, scale, float(length))


def draw_skeleton(joints: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The planes "body" and "arms", (128, 128) uint8 each, from joints in pixels of the crop; what is missing or NaN isn't drawn."""
    import cv2

    planes = np.zeros((2, SIZE, SIZE), np.uint8)
    at = {name: point for name, point in joints.items() if np.isfinite(point).all() and np.abs(point).max() < 20 * SIZE}
    for plane, lines in zip(planes, (BODY_LINES, ARM_LINES), strict=True):
        for first, second in lines:
            if first in at and second in at:
                ends = [tuple(np.round(np.asarray(at[name]) * 16).astype(int).tolist()) for name in (first, second)]
                cv2.line(plane, *ends, 255, 2, cv2.LINE_AA, 4)
    head = [at[name] for name in HEAD if name in at]
    if head:
        cv2.circle(planes[0], tuple(np.round(np.mean(head, axis=0) * 16).astype(int).tolist()), 5 * 16, 170, -1, cv2.LINE_AA, 4)
    for name in ("left_wrist", "right_wrist"):
        if name in at:
            cv2.circle(planes[1], tuple(np.round(np.asarray(at[name]) * 16).astype(int).tolist()), 2 * 16, 140, -1, cv2.LINE_AA, 4)
    return planes[0], planes[1]


def joints_at(pose: PoseSequence, frame: int) -> dict[str, np.ndarray]:
    """The joints of one frame by name, for :func:`cut_crop`; NaN where missing."""
    return dict(zip(pose.names, pose.xy[frame], strict=True))


def guess_hands(pose: PoseSequence) -> np.ndarray:
    """Where to cut: (T, 2) px, the middle of the hands, of one hand where only one is known; straight lines over gaps; NaN when no
    frame knows one.

    Halfway from wrist to knuckles where the pose has knuckles, else 0.18 forearms beyond the wrist. A place to look at, not a measurement.
    """
    import warnings

    sides = []
    for side in ("left", "right"):
        wrist, elbow = pose.joint(f"{side}_wrist"), pose.joint(f"{side}_elbow")
        reach = wrist + 0.18 * np.nan_to_num(wrist - elbow)
        knuckles = [pose.joint(f"{side}_{finger}") for finger in ("index", "pinky") if f"{side}_{finger}" in pose.names]
        if knuckles:
            middle = (wrist + np.mean(knuckles, axis=0)) / 2
            reach = np.where(np.isfinite(middle), middle, reach)
        sides.append(reach)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN, as meant
        hands = np.nanmean(sides, axis=0)
    known = np.isfinite(hands).all(axis=1)
    frames = np.arange(len(hands))
    return np.stack([np.interp(frames, frames[known], hands[known, axis]) for axis in (0, 1)], axis=1) if known.any() else hands


def guess_length(pose: PoseSequence) -> np.ndarray:
    """Bat length to cut for: (T,) px, hands to toe in the image plane, a prior good to about 15 %.

    The second longest of five limbs by a batter's proportions, median over 15 frames; straight lines over gaps; NaN when no frame has
    two limbs.
    """
    from scipy.ndimage import median_filter

    ratios = []
    for (first, second), share in _LIMBS.items():
        spans = [
            np.linalg.norm(pose.joint(f"{side}_{first}") - pose.joint(f"{side}_{second}"), axis=1) / share for side in ("left", "right")
        ]
        ratios.append(np.fmax(*spans))
    ordered = np.sort(np.nan_to_num(np.array(ratios), nan=0.0), axis=0)
    length = np.where(ordered[-2] > 0, ordered[-2], np.nan)
    known = np.isfinite(length)
    if not known.any():
        return length
    frames = np.arange(len(length))
    return median_filter(np.interp(frames, frames[known], length[known]), 15, mode="nearest")


def _shrink(picture: np.ndarray, to_crop: np.ndarray) -> np.ndarray:
    """(128, 128, 3): the picture in the crop, softened first where it shrinks; black outside."""
    import cv2

    # Only the part that the crop shows is softened: a small crop of a large frame costs little.
    corners = np.array([[-8, -8], [SIZE + 8, -8], [SIZE + 8, SIZE + 8], [-8, SIZE + 8]], dtype=np.float64)
    back = cv2.perspectiveTransform(corners[None], np.linalg.inv(to_crop))[0]
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(back.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(back.max(axis=0)) + 1, (left + 1, top + 1), (width, height)).astype(int)
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    zoom = np.sqrt(abs(np.linalg.det(to_crop[:2, :2])))
    if zoom < 0.7:
        part = cv2.GaussianBlur(part, (0, 0), 0.4 / zoom)
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], dtype=np.float64)
    return cv2.warpPerspective(part, to_crop @ shift, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
