"""Where the batter and the bat are in a crop, for a loss that counts only them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..ink import FARTHEST

#: Two joints and how thick the limb between them is, body heights. Pads, gloves and shoes are on, and cloth hangs.
_LIMBS = (
    ("shoulder", "elbow", 0.095), ("elbow", "wrist", 0.08), ("hip", "knee", 0.14), ("knee", "ankle", 0.13), ("ankle", "heel", 0.09), ("heel", "foot", 0.09),
    ("ankle", "foot", 0.09), ("wrist", "index", 0.08), ("wrist", "pinky", 0.08),
)  # fmt: skip
_TRUNK, _HEAD, _HAND = 0.13, 0.19, 0.10

#: The blade and what the tip's error adds; the handle's end behind the hands, and the toe's edge beyond the tip, body heights.
_BAT, _BUTT, _TOE = 0.09, 0.07, 0.02

#: The edge is softened by a Gaussian of this sigma, body heights.
_SOFT = 0.012


def draw_mask(points: Mapping[str, np.ndarray], height: float, size: tuple[int, int]) -> np.ndarray:
    """Batter and bat as capsules about the bones, with a soft edge.

    Parameters
    ----------
    points : mapping of joint name to (2,) px of the crop
        As :func:`kinetics.hints.hint_points` gives them; missing joints leave their limbs out.
    height : float, px
        Of the batter in the crop.
    size : (W, H)

    Returns
    -------
    (H, W) float32
        0 to 1.
    """
    plane = np.zeros((size[1], size[0]), np.uint8)
    near = {name: point for name, point in points.items() if np.abs(point).max() < FARTHEST}
    for side in ("left", "right"):
        for first, second, thick in _LIMBS:
            _bar(plane, near.get(f"{side}_{first}"), near.get(f"{side}_{second}"), thick * height)
        _bar(plane, near.get(f"{side}_wrist"), near.get(f"{side}_wrist"), _HAND * height)
    _trunk(plane, near, height)
    face = [near[name] for name in ("nose", "left_ear", "right_ear", "left_eye", "right_eye") if name in near]
    if face:
        middle = np.mean(face, axis=0)
        _bar(plane, near.get("neck", middle), middle, 0.6 * _HEAD * height)
        _bar(plane, middle, middle, _HEAD * height)
    _draw_bat(plane, near, height)
    return _soften(plane, height)


def draw_bat_mask(points: Mapping[str, np.ndarray], height: float, size: tuple[int, int]) -> np.ndarray:
    """The bat alone, as :func:`draw_mask` draws it: to be added to a mask of the batter that was given."""
    plane = np.zeros((size[1], size[0]), np.uint8)
    _draw_bat(plane, {name: point for name, point in points.items() if np.abs(point).max() < FARTHEST}, height)
    return _soften(plane, height)


def _trunk(plane: np.ndarray, points: Mapping[str, np.ndarray], height: float) -> None:
    import cv2

    corners = [points[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip") if name in points]
    if len(corners) < 3:
        return
    hull = cv2.convexHull(np.round(corners).astype(np.int32))
    cv2.fillConvexPoly(plane, hull, 255)
    cv2.polylines(plane, [hull], True, 255, max(1, round(_TRUNK * height)))


def _draw_bat(plane: np.ndarray, points: Mapping[str, np.ndarray], height: float) -> None:
    if "hands" not in points or "bat_tip" not in points:
        return
    hands, tip = points["hands"], points["bat_tip"]
    length = float(np.linalg.norm(tip - hands))
    along = (tip - hands) / length if length > 0 else np.zeros(2)
    _bar(plane, hands - _BUTT * height * along, tip + _TOE * height * along, _BAT * height)


def _bar(plane: np.ndarray, a: np.ndarray | None, b: np.ndarray | None, width: float) -> None:
    import cv2

    if a is not None and b is not None:
        cv2.line(plane, *(tuple(np.round(point).astype(int).tolist()) for point in (a, b)), 255, max(1, round(width)))


def _soften(plane: np.ndarray, height: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(plane.astype(np.float32) / 255, (0, 0), max(0.5, _SOFT * height))
