"""Flicker of an enlarged clip: what it adds to its source from frame to frame, measured along the motion, and damped."""

from __future__ import annotations

import cv2
import numpy as np

from ..video.flow import find_flow, pixel_grid, trust_round_trip, warp

#: Part of the new detail that is taken from the frame before, where it shows the same point.
_KEPT = 0.6
#: Side of the square (px of the result) over which it is judged whether averaging steadies.
_NEAR = 15
#: The source may differ by this (grey levels) between two views of one point.
_SAME = 4.0


class Steadier:
    """Damps what the enlarging invents anew in every frame.

    The picture is its source enlarged plainly plus detail. The detail is averaged with that of the frame before, brought along the
    source's motion, where flow and source agree; what the source itself shows is never averaged.
    """

    def __init__(self, damp: bool = True) -> None:
        self._damp = damp
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._grey: np.ndarray | None = None
        self._plain = self._made = self._detail = np.zeros(0, np.float32)
        self._sums = np.zeros(4)

    def step(self, source: np.ndarray, plain: np.ndarray, made: np.ndarray) -> np.ndarray:
        """One frame.

        Parameters
        ----------
        source : (h, w, 3) uint8
        plain : (H, W, 3) uint8
            The source enlarged plainly.
        made : (H, W, 3) uint8
            The source enlarged by the network.

        Returns
        -------
        (H, W, 3) uint8
        """
        grey = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY)
        base = plain.astype(np.float32)
        detail = made.astype(np.float32) - base
        result = made
        if self._grey is not None:
            at, trust = self._motion(grey, source.shape[:2], made.shape[:2])
            before = warp(self._plain, at, cv2.INTER_LINEAR)
            moved = ((base - before) ** 2).mean(axis=2)
            trust = trust * np.exp(-cv2.blur(moved, (5, 5)) / (2 * _SAME**2))
            sure = trust > 0.5
            raw = warp(self._made, at, cv2.INTER_LINEAR)
            steadied = warp(self._shown, at, cv2.INTER_LINEAR)
            if self._damp:
                change = _KEPT * trust[..., None] * (warp(self._detail, at, cv2.INTER_LINEAR) - detail)
                detail += _share(change, steadied - made)[..., None] * change
                result = (base + detail + 0.5).clip(0, 255).astype(np.uint8)
            if sure.any():
                self._sums += sure.sum() * np.array(
                    [1, moved[sure].mean(), ((made - raw)[sure] ** 2).mean(), ((result - steadied)[sure] ** 2).mean()]
                )
        self._grey, self._plain, self._made, self._detail = grey, base, made.astype(np.float32), detail
        self._shown = result.astype(np.float32)
        return result

    @property
    def flicker(self) -> tuple[float, float, float]:
        """Root mean square of the change from frame to frame along the motion, grey levels: source, as enlarged, as handed out; NaN of one frame."""
        if not self._sums[0]:
            return (float("nan"),) * 3
        return tuple(float(value) for value in np.sqrt(self._sums[1:] / self._sums[0]))

    def _motion(self, grey: np.ndarray, small: tuple[int, int], large: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel of the large picture was in the frame before, (H, W, 2), and how far that can be trusted."""
        there, back = find_flow(self._dis, grey, self._grey), find_flow(self._dis, self._grey, grey)
        trust = trust_round_trip(there, back, pixel_grid(small))
        factor = np.array([large[1] / small[1], large[0] / small[0]], np.float32)
        flow = cv2.resize(there, large[::-1], interpolation=cv2.INTER_LINEAR) * factor
        return pixel_grid(large) + flow, cv2.resize(trust, large[::-1], interpolation=cv2.INTER_LINEAR)


def _share(change: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(H, W), 0 to 1: how much of a change brings a picture nearest to the one before, by least squares around each pixel.

    A network that takes the source's noise off has detail that changes as that noise does: averaging it would bring the noise back.
    """
    along, size = (cv2.blur((change * other).sum(axis=2), (_NEAR, _NEAR)) for other in (wanted, change))
    return np.clip(along / np.maximum(size, 1e-6), 0, 1)
