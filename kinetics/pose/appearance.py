"""What a person looks like: colours of shirt and trousers, to tell one from another."""

from __future__ import annotations

import cv2
import numpy as np

from .estimators import Person

_BINS = (6, 16, 16)
_COLOURS = (64, 191)
_PARTS = (("left_shoulder", "right_shoulder", "right_hip", "left_hip"), ("left_hip", "left_knee"), ("right_hip", "right_knee"))


def look_of(image: np.ndarray, person: Person, names: tuple[str, ...]) -> np.ndarray:
    """Histograms of torso and thighs in Lab.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB
    person : Person
        Joints in the picture's pixels.
    names : tuple of str
        Joint names.

    Returns
    -------
    (2, 1536) float64
        Each row sums to 1; a row whose part lies outside the picture is all 0.
    """
    x, y, width, height = person.box
    left, top = max(0, int(x)), max(0, int(y))
    window = image[top : int(y + height) + 2, left : int(x + width) + 2]
    looks = np.zeros((2, int(np.prod(_BINS))))
    if window.size == 0:
        return looks
    # Colours don't need every pixel of a close-up.
    scale = min(1.0, 96 / max(window.shape[:2]))
    small = cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else window
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    # The bins are fine where colours of clothes are; the few beyond belong to the outermost.
    lab[..., 1:] = np.clip(lab[..., 1:], *_COLOURS)
    points = {name: (person.xy[names.index(name)] - (left, top)) * scale for part in _PARTS for name in part}
    width_of_limb = max(2, round(0.07 * person.extent * scale))
    for row, parts in enumerate((_PARTS[:1], _PARTS[1:])):
        mask = np.zeros(small.shape[:2], np.uint8)
        for part in parts:
            corners = np.array([points[name] for name in part])
            if not np.isfinite(corners).all():
                continue
            corners = np.round(corners).astype(np.int32)
            if len(part) == 4:
                cv2.fillConvexPoly(mask, cv2.convexHull(corners), 255)
            cv2.polylines(mask, [corners], len(part) == 4, 255, width_of_limb)
        counts = cv2.calcHist([lab], [0, 1, 2], mask, list(_BINS), [0, 256, 64, 192, 64, 192])
        counts = cv2.GaussianBlur(counts.reshape(_BINS[0], -1), (1, 3), 0).reshape(-1).astype(np.float64)
        looks[row] = counts / counts.sum() if counts.sum() > 0 else 0.0
    return looks


def unlikeness(one: np.ndarray, other: np.ndarray) -> float:
    """Bhattacharyya distance of two looks, 0 alike to 1 nothing in common; 0.5 where no part can be compared."""
    seen = (one.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    if not seen.any():
        return 0.5
    overlap = np.sqrt(one[seen] * other[seen]).sum(axis=1)
    return float(np.sqrt(np.clip(1.0 - overlap, 0.0, 1.0)).mean())
