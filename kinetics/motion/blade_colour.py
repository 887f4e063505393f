"""The blade's colour, learned from the clip itself: from the frames in which the bat is surest, against everything else near the batter."""

from __future__ import annotations

import numpy as np

#: Bins of a colour's lightness and of its two hues (Lab).
_BINS = 16

#: What the blade's colours weigh before anything was seen, so that a colour met once is no proof.
_PRIOR = 2e-5


class BladeColour:
    """Two histograms over Lab colours, and P(blade | colour) from them."""

    def __init__(self) -> None:
        self._blade = np.zeros((_BINS,) * 3)
        self._other = np.zeros((_BINS,) * 3)
        self.frames = 0

    def learn(self, picture: np.ndarray, hand: np.ndarray, toe: np.ndarray, length: float, moved: np.ndarray | None = None) -> None:
        """Add one picture whose bat is sure.

        Parameters
        ----------
        picture : (H, W, 3) uint8
            RGB.
        hand, toe : (2,) px
        length : float
            Full bat length, px of the picture.
        moved : (H, W), optional
            0-1: only what moved counts as blade.
        """
        import cv2

        keys = _keys(picture)
        shape = picture.shape[:2]
        blade, near = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)

        def line(plane: np.ndarray, low: float, high: float, width: float) -> None:
            ends = [tuple(np.round(hand + part * (toe - hand)).astype(int).tolist()) for part in (low, high)]
            cv2.line(plane, *ends, 1, max(2, round(width * length)))

        line(blade, 0.45, 0.93, 0.07)
        line(near, 0.2, 1.08, 0.22)
        round_hands = np.zeros(shape, np.uint8)
        cv2.circle(round_hands, tuple(np.round(hand).astype(int).tolist()), round(1.4 * length), 1, -1)
        is_blade = (blade > 0) & (True if moved is None else moved > 0.5)
        if is_blade.sum() < 0.3 * (blade > 0).sum():
            return
        np.add.at(self._blade, tuple(keys[is_blade].T), 1.0 / is_blade.sum())
        is_other = (near == 0) & (round_hands > 0)
        np.add.at(self._other, tuple(keys[is_other].T), 1.0 / max(1, is_other.sum()))
        self.frames += 1

    def likeness(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) float32: P(blade | colour) with even odds before, softened by a pixel; 0.5 where nothing was learned."""
        import cv2
        from scipy.ndimage import gaussian_filter

        if not self.frames:
            return np.full(picture.shape[:2], 0.5, np.float32)
        blade, other = (gaussian_filter(part / self.frames, 0.8) + _PRIOR for part in (self._blade, self._other))
        share = (blade / (blade + other)).astype(np.float32)
        keys = _keys(picture)
        return cv2.GaussianBlur(share[keys[..., 0], keys[..., 1], keys[..., 2]], (0, 0), 1.0)


def _keys(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) bins: lightness in sixteenths, the hues of ordinary things spread over sixteen bins of 8 levels."""
    import cv2

    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.7), cv2.COLOR_RGB2LAB).astype(np.int16)
    hues = np.clip((lab[..., 1:] - 64) >> 3, 0, _BINS - 1)
    return np.concatenate([lab[..., :1] >> 4, hues], axis=2)
