"""The tip from a mask of the bat: the far end along its principal axis, seen from the hands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import KineticsError

#: A mask smaller than this, bat lengths squared, is a speck.
_SPECK = 0.01

#: The longest a bat's mask can be, bat lengths; handles reach behind the hands.
_LONGEST = 1.5

#: How far the mask's near end may be from the hands, bat lengths.
_GAP = 0.5

#: A bat is at least this much longer than wide, unless it points at the camera.
_SLENDER = 1.7

#: The hands are at least this part of the mask's length away from its middle.
_OFF_MIDDLE = 0.1

#: The end band whose middle is the tip, as part of the mask's length.
_BAND = 0.06


def read_masks(masks: Any, frames: int) -> list[np.ndarray | None]:
    """One 2-D array per frame, or None where there is no mask.

    Parameters
    ----------
    masks : (T, H, W) array or tensor, or a sequence of one (H, W) array or None per frame
        Any height and width: they are scaled to the clip's.
    frames : int

    Raises
    ------
    KineticsError
        When there isn't one per frame.
    """
    if len(masks) != frames:
        raise KineticsError(f"{len(masks)} masks of the bat don't fit {frames} frames; give one per frame.")
    read: list[np.ndarray | None] = []
    for number, mask in enumerate(masks):
        plane = None if mask is None else np.squeeze(np.asarray(mask))
        if plane is not None and plane.ndim != 2:
            raise KineticsError(f"The mask of the bat for frame {number} has shape {np.shape(mask)}; give height × width.")
        read.append(None if plane is None or not (plane > 0.5).any() else plane > 0.5)
    return read


def mask_tips(
    masks: list[np.ndarray | None], hands: np.ndarray, length: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[int, np.ndarray, float]]:
    """Tips of the masks that show one.

    Parameters
    ----------
    masks : list of (H, W) bool or None
    hands : (T, 2) px
        Near enough to tell the handle's end from the toe's; frames without are left out.
    length : (T,) px
        Bat length, to about a fifth.
    size : (W, H)
        Of the clip.

    Yields
    ------
    frame : int
    tip : (2,) px
    sigma : float, px
    """
    for frame, mask in enumerate(masks):
        if mask is not None and np.isfinite(hands[frame]).all() and np.isfinite(length[frame]):
            found = mask_tip(mask, hands[frame], float(length[frame]), size)
            if found is not None:
                yield frame, *found


def mask_tip(mask: np.ndarray, hand: np.ndarray, length: float, size: tuple[int, int]) -> tuple[np.ndarray, float] | None:
    """Tip and its standard deviation, px, of one mask; None where it can't be the whole end of a bat."""
    import cv2

    height, width = mask.shape
    scale = np.array([size[0] / width, size[1] / height])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    # Gloves and stickers cut a bat's mask in pieces: all but specks count.
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] * scale.prod() > _SPECK * length**2]
    if not large:
        return None
    rows, columns = np.nonzero(np.isin(labels, large))
    points = (np.stack([columns, rows], axis=1) + 0.5) * scale - 0.5
    centre = points.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov((points - centre).T))
    axis = axes[:, 1]
    along, across = (points - centre) @ axis, (points - centre) @ axes[:, 0]
    towards_hand = (hand - centre) @ axis
    if towards_hand > 0:
        axis, along, towards_hand = -axis, -along, -towards_hand
    low, high = np.percentile(along, [0.3, 99.7])
    if high - low > _LONGEST * length or spread[1] < _SLENDER**2 * spread[0]:
        return None
    if low - towards_hand > _GAP * length or abs((hand - centre) @ axes[:, 0]) > _GAP * length:
        return None
    if -towards_hand < _OFF_MIDDLE * (high - low):
        return None  # held in its middle: which end is the toe can't be told
    band = along > high - _BAND * (high - low)
    tip = centre + high * axis + np.median(across[band]) * axes[:, 0]
    if (tip < 1.5 * scale).any() or (tip > np.array(size) - 1 - 1.5 * scale).any():
        return None
    return tip, float(np.hypot(scale.max(), 0.012 * length))
