"""Pose hints: a skeleton drawn as the pose ControlNets of SD1.5 and SDXL were taught to read it."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping

import numpy as np

from .errors import KineticsError
from .ink import FARTHEST, Colour
from .pose.body import MIDPOINTS
from .pose.openpose_json import HANDS, KNUCKLES, OPENPOSE_18
from .pose_sequence import PoseSequence

#: OpenPose's 17 limbs in the order they are drawn: later ones lie on top.
LIMBS = (
    ("neck", "right_shoulder"), ("neck", "left_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("neck", "right_hip"), ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"), ("neck", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("neck", "nose"), ("nose", "right_eye"), ("right_eye", "right_ear"), ("nose", "left_eye"), ("left_eye", "left_ear"),
)  # fmt: skip

#: RGB of the joints in the order of OPENPOSE_18, and, dimmed, of the limbs in the order of LIMBS.
COLOURS: tuple[Colour, ...] = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85), (0, 255, 170),
    (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip

#: What is left of a limb's colour; joints keep theirs whole.
DIMMED = 0.6

#: Bones of a hand: pairs of its 21 points, the wrist 0, then four per finger from the thumb on. The hue goes round from bone to bone.
HAND_BONES = tuple((0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4))

#: A hand's points are blue, the face's white.
HAND_COLOUR: Colour = (0, 0, 255)
FACE_COLOUR: Colour = (255, 255, 255)

#: Points of the face: 68 landmarks, then the two eyes.
FACE_LANDMARKS = 68

#: Width of a hand's bone, radius of its points, and of the face's, pixels, where a body's joint has the radius :data:`STICK`.
BONE_WIDTH, KNUCKLE, LANDMARK = 2, 4, 3

#: A hand or face of which less than this part is known isn't drawn: the ControlNets never saw three knuckles stand for a hand.
KNOWN_PART = 0.5

#: The bat is white, its shaft dimmed as limbs are: every hue is a joint's or a limb's own.
BAT_COLOUR: Colour = (255, 255, 255)

#: Half the width of a limb and the radius of a joint, pixels, on a canvas whose shorter side is so long; in proportion on others.
STICK, STICK_CANVAS = 4, 512


def hand_names(side: str) -> tuple[str, ...]:
    """Joint names of a hand's 21 points in OpenPose's order: the wrist, the knuckles by their own names, the others by number."""
    return (f"{side}_wrist", *(f"{side}_{KNUCKLES.get(place, f'hand_{place}')}" for place in range(1, 21)))


#: Joint names of the face in OpenPose's order.
FACE_NAMES = (*(f"face_{place}" for place in range(FACE_LANDMARKS)), "right_eye", "left_eye")


def stick_width(size: tuple[int, int]) -> int:
    """Half a limb's width for a canvas (W, H): 4 px where the shorter side is 512, as the detectors draw before they scale."""
    return max(1, round(STICK * min(size) / STICK_CANVAS))


def hint_points(pose: PoseSequence, frame: int, matrix: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Joints of one frame that are there, in pixels of the canvas.

    Parameters
    ----------
    pose : PoseSequence
        In pixels. Its joint ``hands``, where it has one, is where the bat is held.
    frame : int
    matrix : (2, 3), optional
        Affine map from the skeleton's pixels to the canvas's; both count from the middle of the first pixel. None leaves them as they are.

    Returns
    -------
    dict of name to (2,) float64
        Only joints with a position and a confidence above 0. ``neck`` is the middle of the shoulders where the skeleton has none, ``hands`` that of
        the wrists, or the one wrist that is seen.

    Raises
    ------
    KineticsError
        When the skeleton isn't in pixels.
    """
    if pose.space != "px":
        raise KineticsError(f"{pose.source or 'The skeleton'} is in unit {pose.space!r}, and a pose hint needs pixels; give it before it was normalised.")
    there = ~pose.missing[frame] & (pose.conf[frame] > 0)
    points = {name: pose.xy[frame, k] for k, name in enumerate(pose.names) if there[k]}
    if "neck" not in points and set(MIDPOINTS["neck"]) <= set(points):
        points["neck"] = (points["left_shoulder"] + points["right_shoulder"]) / 2
    wrists = [points[name] for name in ("left_wrist", "right_wrist") if name in points]
    if "hands" not in points and wrists:
        points["hands"] = np.mean(wrists, axis=0)
    if matrix is None:
        return points
    return {name: matrix[:, :2] @ point + matrix[:, 2] for name, point in points.items()}


def draw_hint(points: Mapping[str, np.ndarray], size: tuple[int, int], *, bat: bool = False, details: bool = False, stick: int | None = None) -> np.ndarray:
    """Draw one hint on black.

    Parameters
    ----------
    points : mapping of joint name to (2,) pixels of the canvas
        Joints that are missing are left out of it, as are the limbs that end at them. Other names than OpenPose's 18 are passed over.
    size : (W, H)
    bat : bool
        Draw the bat beneath the body, from ``hands`` to ``bat_tip``, as a limb in white, with a disc at the tip. The ControlNets never saw one: switch
        it on for a LoRA that is trained with it.
    details : bool
        Draw hands (:func:`hand_names`) and face (:data:`FACE_NAMES`) over the body, as DWPose does, each where at least half of its points are known.
    stick : int, optional
        Half a limb's width and the radius of a joint; :func:`stick_width` of the canvas when left out.

    Returns
    -------
    (H, W, 3) uint8
        RGB.

    Notes
    -----
    Limbs are filled ellipses, 0.6 times their colour, in OpenPose's order, then the joints as discs; positions are cut to whole pixels:
    ``draw_bodypose``, ``draw_handpose`` and ``draw_facepose`` of controlnet_aux 0.0.10 (`controlnet_aux/open_pose/util.py`), pixel for pixel.
    """
    import cv2

    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    stick = stick_width(size) if stick is None else stick
    near = {name: point for name, point in points.items() if np.isfinite(point).all() and np.abs(point).max() < FARTHEST}

    def limb(first: str, second: str, colour: Colour) -> None:
        if first not in near or second not in near:
            return
        (x1, y1), (x2, y2) = near[first], near[second]
        length, angle = math.hypot(x1 - x2, y1 - y2), math.degrees(math.atan2(y1 - y2, x1 - x2))
        outline = cv2.ellipse2Poly((int((x1 + x2) / 2), int((y1 + y2) / 2)), (int(length / 2), stick), int(angle), 0, 360, 1)
        cv2.fillConvexPoly(canvas, outline, [int(value * DIMMED) for value in colour])

    def joint(name: str, colour: Colour) -> None:
        if name in near:
            cv2.circle(canvas, (int(near[name][0]), int(near[name][1])), stick, colour, thickness=-1)

    if bat:
        limb("hands", "bat_tip", BAT_COLOUR)
        joint("bat_tip", BAT_COLOUR)
    for (first, second), colour in zip(LIMBS, COLOURS[: len(LIMBS)], strict=True):
        limb(first, second, colour)
    for name, colour in zip(OPENPOSE_18, COLOURS, strict=True):
        joint(name, colour)
    if details:
        for side in HANDS:
            _draw_hand(canvas, [near.get(name) for name in hand_names(side)], stick)
        _draw_face(canvas, [near.get(name) for name in FACE_NAMES], stick)
    return canvas


def _draw_hand(canvas: np.ndarray, points: list[np.ndarray | None], stick: int) -> None:
    import cv2

    if sum(point is not None for point in points) < KNOWN_PART * len(points):
        return
    at = [None if point is None else (int(point[0]), int(point[1])) for point in points]
    for number, (a, b) in enumerate(HAND_BONES):
        if at[a] is not None and at[b] is not None:
            colour = [255 * part for part in colorsys.hsv_to_rgb(number / len(HAND_BONES), 1.0, 1.0)]
            cv2.line(canvas, at[a], at[b], colour, thickness=max(1, round(BONE_WIDTH * stick / STICK)))
    for point in at:
        if point is not None:
            cv2.circle(canvas, point, max(1, round(KNUCKLE * stick / STICK)), HAND_COLOUR, thickness=-1)


def _draw_face(canvas: np.ndarray, points: list[np.ndarray | None], stick: int) -> None:
    import cv2

    # The eyes are joints of the body too: they alone are no face.
    if sum(point is not None for point in points[:FACE_LANDMARKS]) < KNOWN_PART * FACE_LANDMARKS:
        return
    for point in points:
        if point is not None:
            cv2.circle(canvas, (int(point[0]), int(point[1])), max(1, round(LANDMARK * stick / STICK)), FACE_COLOUR, thickness=-1)


def draw_pose_hint(
    pose: PoseSequence, frame: int, size: tuple[int, int], matrix: np.ndarray | None = None, *, bat: bool = False, details: bool = False,
    stick: int | None = None,
) -> np.ndarray:  # fmt: skip
    """The hint of one frame of a skeleton: :func:`hint_points`, then :func:`draw_hint`."""
    return draw_hint(hint_points(pose, frame, matrix), size, bat=bat, details=details, stick=stick)
