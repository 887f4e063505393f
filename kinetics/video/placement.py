"""Where a picture goes on a canvas: letterboxed, cropped or stretched."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ..errors import KineticsError

Fit = Literal["letterbox", "crop", "stretch"]
FITS = ("letterbox", "crop", "stretch")


class Placement(NamedTuple):
    """``size`` (W, H) to scale the picture to; ``at`` (x, y) of its corner on the canvas, negative where it is cropped."""

    size: tuple[int, int]
    at: tuple[int, int]


def place(picture: tuple[int, int], canvas: tuple[int, int], fit: Fit, multiple: int = 1) -> Placement:
    """Scale a picture onto a canvas and centre it.

    Parameters
    ----------
    picture, canvas : (W, H)
        Pixels.
    fit : {"letterbox", "crop", "stretch"}
        The whole picture with bars; the canvas filled and the rest cut off; the canvas filled and the aspect changed.
    multiple : int
        Sizes and corner come out as multiples of this (2 where colour has half the resolution).
    """
    if fit not in FITS:
        raise KineticsError(f"Fit {fit!r} is unknown; use {', '.join(FITS)}.")
    if fit == "stretch":
        return Placement(canvas, (0, 0))
    ratios = [whole / part for whole, part in zip(canvas, picture, strict=True)]
    scale = min(ratios) if fit == "letterbox" else max(ratios)
    size = [max(multiple, multiple * round(scale * side / multiple)) for side in picture]
    for axis, ratio in enumerate(ratios):
        if ratio == scale:
            size[axis] = canvas[axis]
    at = [multiple * ((whole - side) // (2 * multiple)) for whole, side in zip(canvas, size, strict=True)]
    return Placement((size[0], size[1]), (at[0], at[1]))


def paste(canvas: np.ndarray, image: np.ndarray, at: tuple[int, int]) -> None:
    """Copy ``image`` (h, w, ...) into ``canvas`` (H, W, ...) with its corner ``at`` (x, y); what lies outside is cut off."""
    x, y = at
    left, top = max(0, x), max(0, y)
    right, bottom = min(canvas.shape[1], x + image.shape[1]), min(canvas.shape[0], y + image.shape[0])
    if right > left and bottom > top:
        canvas[top:bottom, left:right] = image[top - y : bottom - y, left - x : right - x]
