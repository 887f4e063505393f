"""Where a pixel of one frame lies in another: dense flow, and how far it can be trusted."""

from __future__ import annotations

import cv2
import numpy as np

#: A point that comes back from the other frame this far (px) from where it left is trusted by exp(-1/2).
ROUND_TRIP = 0.7


class FlowFinder:
    """Flow between the frames of a window, each pair found once.

    OpenCV's DIS (Kroeger et al., ECCV 2016, doi:10.1007/978-3-319-46493-0_29).
    """

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._found: dict[tuple[int, int], np.ndarray] = {}

    def between(self, a: int, b: int, pictures: dict[int, np.ndarray]) -> np.ndarray:
        """Flow (H, W, 2) px: what frame ``a`` shows at x, frame ``b`` shows at x + flow. ``pictures``: (H, W) uint8 by number."""
        if (a, b) not in self._found:
            self._found[a, b] = find_flow(self._dis, pictures[a], pictures[b])
        return self._found[a, b]

    def forget(self, before: int) -> None:
        """Drop the pairs with a frame numbered lower than ``before``."""
        for pair in [pair for pair in self._found if min(pair) < before]:
            del self._found[pair]


def find_flow(dis: cv2.DISOpticalFlow, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Flow (H, W, 2) from picture ``a`` to ``b``, uint8. Pictures too small for patches of flow are taken to stand still."""
    if min(a.shape) < 24:
        return np.zeros((*a.shape, 2), np.float32)
    return dis.calc(a, b, None)


def pixel_grid(shape: tuple[int, int]) -> np.ndarray:
    """(H, W, 2) float32: x, y of each pixel."""
    return np.dstack(np.meshgrid(*(np.arange(side, dtype=np.float32) for side in shape[::-1])))


def warp(image: np.ndarray, at: np.ndarray, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
    """The picture at ``at`` (H, W, 2) px; its rim is held outside."""
    return cv2.remap(image, at, None, interpolation, borderMode=cv2.BORDER_REPLICATE)


def trust_round_trip(there: np.ndarray, back: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(H, W) 0-1: whether a point that follows the flow and the flow back arrives where it began; 0 outside the other frame."""
    returned = cv2.remap(back, grid + there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(1e3, 1e3))
    return np.exp(((there + returned) ** 2).sum(axis=2) / (-2 * ROUND_TRIP**2))
