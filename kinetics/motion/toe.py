"""The toe to a part of a pixel: the middle of the smear, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Fineness of the polar map about the pivot: rad, and bat lengths.
_ANGLE, _RADIUS = np.radians(0.75), 0.02

#: Radii on each side of an edge that its fall is taken over, and what a bat length's distance from the coarse toe is worth against it.
_SIDE, _AWAY = 5, 0.4


@dataclass(frozen=True)
class Toe:
    """One toe as read.

    Attributes
    ----------
    place : (2,) px of the view
    contrast : float
        Evidence in the bat over that beside it, 0-1.
    width : float, rad
        Angle that the bat covers about the pivot.
    edge : float
        Fall of the evidence across the toe, 0-1.
    """

    place: np.ndarray
    contrast: float
    width: float
    edge: float


def read_toe(evidence: np.ndarray, known: np.ndarray, pivot: np.ndarray, toe: np.ndarray, half: float, length: float) -> Toe | None:
    """Read the toe near a coarse one.

    Parameters
    ----------
    evidence : (H, W) float32, 0-1
    known : (H, W) bool
    pivot, toe : (2,) px of the view
        Of the coarse wedge.
    half : float, rad
        Half its angle.
    length : float
        Full bat length, px of the view.

    Returns
    -------
    Toe or None
        None where no edges stand out on both sides and at the end.
    """
    import cv2
    from scipy.ndimage import gaussian_filter1d

    arm = complex(*(toe - pivot))
    reach, angle = abs(arm) / length, np.angle(arm)
    angles = np.arange(-half - 0.42, half + 0.42, _ANGLE)
    radii = np.arange(0.25 * reach, 1.25 * reach + 0.1, _RADIUS)
    ray = length * radii[:, None] * np.exp(1j * (angle + angles))
    x, y = (pivot[0] + ray.real).astype(np.float32), (pivot[1] + ray.imag).astype(np.float32)
    value = cv2.remap(evidence * known, x, y, cv2.INTER_LINEAR)
    there = cv2.remap(known.astype(np.uint8), x, y, cv2.INTER_NEAREST) > 0
    inner = (radii > 0.45 * reach) & (radii < 0.93 * reach)
    if there[inner].mean() < 0.35:
        return None
    across = value[inner].sum(axis=0) / np.maximum(there[inner].sum(axis=0), 4)
    sides = _edges(across, len(angles) // 2, int(half / _ANGLE) + 4)
    if sides is None:
        return None
    low, high, contrast = sides
    middle = (low + high) / 2
    first, last = int(max(0, np.ceil(low + 0.2 * (high - low)))), int(high - 0.2 * (high - low)) + 1
    core = slice(first, max(last, first + 1))
    along = gaussian_filter1d(value[:, core].mean(axis=1), 1.0)
    inside = along[inner].mean()
    # What lies past the toe: a coarse toe that was too short leaves some of the bat in there, so the least of it counts.
    past = min(np.percentile(along[radii > reach], 15), inside)
    level = (inside + past) / 2
    ends = np.flatnonzero((radii[1:] > 0.8 * reach) & (along[1:] < level) & (along[:-1] >= level)) + 1
    if not len(ends):
        return None
    # Stickers and what lies behind make dips: the toe is where the evidence falls most, the nearer the better.
    falls = [along[max(0, end - _SIDE) : end].mean() - along[end + 1 : end + 1 + _SIDE].mean() if end + 2 < len(along) else -1.0 for end in ends]
    end = ends[np.argmax(np.array(falls) - _AWAY * np.abs(radii[ends] - reach))]
    if not (there[min(end + 2, len(radii) - 1), core].all() and there[end - 1, core].all()):
        return None
    radius = radii[end - 1] + _RADIUS * (along[end - 1] - level) / max(along[end - 1] - along[end], 1e-6)
    turned = angle + np.interp(middle, np.arange(len(angles)), angles)
    place = pivot + length * radius * np.array([np.cos(turned), np.sin(turned)])
    return Toe(place, float(contrast), float((high - low) * _ANGLE), float(inside - past))


def _edges(profile: np.ndarray, middle: int, half: int) -> tuple[float, float, float] | None:
    """Half-maximum edges of the run of ``profile`` at ``middle``, between samples, and its contrast; None where nothing stands out there."""
    window = profile[max(0, middle - half) : middle + half + 1]
    base, top = np.percentile(profile, 20), np.percentile(window, 90)
    level = (base + top) / 2
    over = np.flatnonzero(profile > level)
    if top - base < 0.12 or not len(over):
        return None
    runs = np.split(over, np.flatnonzero(np.diff(over) > 4) + 1)
    run = min(runs, key=lambda part: max(part[0] - middle, middle - part[-1], 0))
    if not run[0] - 3 <= middle <= run[-1] + 3 or run[0] == 0 or run[-1] == len(profile) - 1:
        return None
    low = run[0] - (profile[run[0]] - level) / max(profile[run[0]] - profile[run[0] - 1], 1e-6)
    high = run[-1] + (profile[run[-1]] - level) / max(profile[run[-1]] - profile[run[-1] + 1], 1e-6)
    return float(low), float(high), float(top - base)
