"""The tip from boxes round the bat: near the corner that lies farthest from the hands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Blade width over bat length (hands to toe).
_BLADE = 0.15

#: Standard deviation per axis of a tip told from a box, bat lengths.
_SIGMA = 0.07

#: A bat's box is no longer than this along its diagonal, bat lengths, and the hands are no farther from it than this.
_LONGEST, _GAP = 1.6, 0.5


def box_tips(
    boxes: Mapping[int, tuple[float, float, float, float]], hands: np.ndarray, length: np.ndarray, size: tuple[int, int]
) -> dict[int, tuple[np.ndarray, float]]:
    """Tip and its standard deviation, px, by frame.

    Parameters
    ----------
    boxes : mapping of frame to (x, y, width, height) px
    hands : (T, 2) px
    length : (T,) px
    size : (W, H)

    Returns
    -------
    dict
        Without the frames whose box can't be a bat's, whose hands are unknown or in the middle of the box, or whose toe lies beyond the
        picture's edge.
    """
    found = {}
    for frame, box in boxes.items():
        hand, unit = hands[frame], length[frame]
        if not (np.isfinite(hand).all() and np.isfinite(unit)):
            continue
        tip = _tip(np.array(box[:2]), np.array(box[2:]), hand, float(unit))
        if tip is not None and (tip > 2).all() and (tip < np.array(size) - 3).all():
            found[frame] = (tip, _SIGMA * float(unit))
    return found


def _tip(low: np.ndarray, sides: np.ndarray, hand: np.ndarray, unit: float) -> np.ndarray | None:
    """Middle of the end edge of a bar that fills the box and begins near the hand.

    A bar of length l and width b at an angle a fills a box of w = l cos a + b sin a, h = l sin a + b cos a; the middle of its end edge lies
    b/2 sin a and b/2 cos a inside the far corner.
    """
    high = low + sides
    if np.hypot(*sides) > _LONGEST * unit or np.linalg.norm(hand - np.clip(hand, low, high)) > _GAP * unit:
        return None
    middle = low + sides / 2
    away = np.where(hand <= middle, 1.0, -1.0)
    if np.abs((hand - middle) / sides).max() < 0.2:
        return None
    blade = min(_BLADE * unit, sides.min())
    angle = np.arctan2(sides[1], sides[0])
    for _ in range(20):
        bar = np.maximum(sides - blade * np.array([np.sin(angle), np.cos(angle)]), 1e-6)
        angle = np.arctan2(bar[1], bar[0])
    inset = blade / 2 * np.array([np.sin(angle), np.cos(angle)])
    return np.where(away > 0, high, low) - away * inset
