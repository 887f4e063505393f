"""Where the batter stands on the canvas that is generated."""

from __future__ import annotations

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from ..video.placement import place

#: whole: all of the clip's picture. fill: the picture fills the canvas, the rest is cut off. batter: one box that holds him in all frames.
#: follow: a box of one size that goes with him.
FITS = ("batter", "follow", "whole", "fill")

#: The box that follows is smoothed by a Gaussian of this sigma, s.
SMOOTH = 0.25

#: The body goes on beyond the joints: a crown and shoes, body lengths in the picture, on each side.
BEYOND = 0.06

#: Sides of a canvas whose size nobody gives: an area of this number squared.
DEFAULT_SIDE = 512

#: No canvas is longer.
LONGEST = 16384


def fit_canvas(
    pose: PoseSequence, width: int = 0, height: int = 0, *, fit: str = "batter", padding: float = 0.1, multiple: int = 64
) -> tuple[tuple[int, int], np.ndarray]:
    """Choose the canvas and the map onto it.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    width, height : int
        Of the canvas, brought to the next multiple; 0 follows from the other and the shape of what is shown, both 0 from an area of
        512².
    fit : {"batter", "follow", "whole", "fill"}
        See :data:`FITS`.
    padding : float
        Room about the batter for ``batter`` and ``follow``, part of his box's longer side, on each side.
    multiple : int
        8 is what a latent needs, 64 what every network is content with.

    Returns
    -------
    (W, H) : tuple of int
    (T, 2, 3) float64
        Affine map of every frame from the skeleton's pixels to the canvas's, both counted from the middle of the first.

    Raises
    ------
    KineticsError
        When a setting isn't possible or no joint is known in any frame.
    """
    if fit not in FITS:
        raise KineticsError(f"Fit {fit!r} is unknown; use {', '.join(FITS)}.")
    if min(width, height) < 0 or max(width, height) > LONGEST or multiple < 1 or not 0 <= padding <= 10:
        raise KineticsError(
            f"A canvas of {width}×{height} in multiples of {multiple} with padding {padding:g} isn't possible; sides go up to {LONGEST}, padding to 10."
        )
    if pose.space != "px":
        raise KineticsError(
            f"{pose.source or 'The skeleton'} is in unit {pose.space!r}, and pose hints need pixels; give it before it was normalised."
        )
    low, high = _bounds(pose)
    seen = np.isfinite(low).all(axis=1)
    if not seen.any():
        raise KineticsError(
            f"No joint of {pose.source or 'the skeleton'} is known in any frame, so there is nothing to draw; give a skeleton that was found."
        )
    if fit in ("whole", "fill"):
        size = _canvas_size(width, height, pose.size, multiple)
        spot = place(pose.size, size, "letterbox" if fit == "whole" else "crop")
        s = max(spot.size) / max(pose.size)
        shift = np.array(spot.at) + 0.5 * s - 0.5
        return size, np.broadcast_to(np.column_stack([s * np.eye(2), shift]), (len(pose), 2, 3))
    if fit == "batter":
        middle = np.broadcast_to((np.nanmin(low, axis=0) + np.nanmax(high, axis=0)) / 2, low.shape)
    else:
        middle = _smooth((low + high) / 2, pose.t, seen)
    half = np.nanmax(np.maximum(high - middle, middle - low), axis=0)
    half = np.maximum(half + (padding * 2 + BEYOND) * half.max(), 1.0)
    size = _canvas_size(width, height, tuple(2 * half), multiple)
    s = min(side / (2 * extent) for side, extent in zip(size, half, strict=True))
    shift = np.array(size) / 2 - 0.5 - s * middle
    matrices = np.zeros((len(pose), 2, 3))
    matrices[:, :, :2], matrices[:, :, 2] = s * np.eye(2), shift
    return size, matrices


def _bounds(pose: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2) upper left and lower right of the joints that are there, NaN where none is."""
    there = (~pose.missing & (pose.conf > 0))[..., None]
    low, high = np.where(there, pose.xy, np.inf).min(axis=1), np.where(there, pose.xy, -np.inf).max(axis=1)
    return np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)


def _smooth(middle: np.ndarray, t: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(T, 2) by a Gaussian in seconds; frames without a joint take what is near in time."""
    weight = np.exp(-0.5 * ((t[:, None] - t[None, seen]) / SMOOTH) ** 2)
    nearest = np.abs(t[:, None] - t[None, seen]).argmin(axis=1)
    weight[np.arange(len(t)), nearest] += 1e-9  # where all others are too far to weigh anything
    return weight @ middle[seen] / weight.sum(axis=1, keepdims=True)


def _canvas_size(width: int, height: int, shape: tuple[float, float], multiple: int) -> tuple[int, int]:
    """Sides given, or by the shape of what is shown."""
    aspect = shape[0] / shape[1]
    if not width and not height:
        width = DEFAULT_SIDE * aspect**0.5
    wide = width or height * aspect
    tall = height or wide / aspect
    size = tuple(min(max(multiple, multiple * round(side / multiple)), LONGEST // multiple * multiple) for side in (wide, tall))
    return size[0], size[1]
