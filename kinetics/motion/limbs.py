"""The batter's limbs as shapes in a view, from the pose: where a movement is likely not the bat's."""

from __future__ import annotations

import numpy as np

from ..pose_sequence import PoseSequence
from .bat_patches import SIDE, Patch, at

#: Two joints, and how thick the limb between them is, bat lengths. Pads and shoes are on.
_ARMS = (("shoulder", "elbow", 0.17), ("elbow", "wrist", 0.13))
_LEGS = (("hip", "knee", 0.27), ("knee", "ankle", 0.25), ("ankle", "foot", 0.16))
_HEAD = 0.36

#: The forearm ends short of the wrist: hands and handle begin there, and poses slip along the arm.
_FOREARM = 0.8


def draw_limbs(pose: PoseSequence, patch: Patch, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Arms; and legs, trunk and head.

    Returns
    -------
    arms, body : (SIDE, SIDE) float32
        1 on them, 0 elsewhere; a limb whose joints are missing is left out.
    """
    import cv2

    arms, body = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    places = dict(zip(pose.names, at(patch.to_view, pose.xy[patch.frame]), strict=True))

    def joint(name: str) -> np.ndarray:
        return places.get(name, np.full(2, np.nan))

    def bar(plane: np.ndarray, a: np.ndarray, b: np.ndarray, width: float) -> None:
        if np.isfinite(a + b).all() and max(np.abs(a).max(), np.abs(b).max()) < 8 * SIDE:
            ends = [tuple(np.round(point).astype(int).tolist()) for point in (a, b)]
            cv2.line(plane, *ends, 1, max(1, round(width * length)))

    for side in ("left", "right"):
        for first, second, width in _ARMS:
            a, b = joint(f"{side}_{first}"), joint(f"{side}_{second}")
            bar(arms, a, a + (_FOREARM if second == "wrist" else 1.0) * (b - a), width)
        for first, second, width in _LEGS:
            bar(body, joint(f"{side}_{first}"), joint(f"{side}_{second}"), width)
    trunk = np.array([joint(name) for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")])
    if np.isfinite(trunk).all() and np.abs(trunk).max() < 8 * SIDE:
        hull = cv2.convexHull(np.round(trunk).astype(np.int32))
        cv2.fillConvexPoly(body, hull, 1)
        cv2.polylines(body, [hull], True, 1, max(1, round(0.25 * length)))
    head = np.array([joint(name) for name in ("nose", "left_ear", "right_ear")])
    if np.isfinite(head).any(axis=0).all():
        middle = np.nanmean(head, axis=0)
        bar(body, middle, middle, _HEAD)
    return arms.astype(np.float32), body.astype(np.float32)
