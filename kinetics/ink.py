"""Ink on RGB pictures: anti-aliased, sub-pixel, see-through strokes, dots and words."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

#: Points further out than this many pixels are not drawn.
FARTHEST = 30_000.0

Colour = tuple[int, int, int]


def stroke(image: np.ndarray, points: np.ndarray, colour: Colour, width: float, alpha: float | np.ndarray = 1.0) -> None:
    """Draw a polyline with round ends and joins.

    Where its pieces overlap the strongest counts once, so that a see-through line has no knots.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB, changed in place
    points : (n, 2) float pixels; (0, 0) is the middle of the first pixel. A NaN breaks the line.
    colour : RGB
    width : float, pixels
    alpha : float or (n - 1,)
        Of the line or each piece: 0 (nothing) to 1 (opaque).
    """
    half = width / 2
    opacity = np.broadcast_to(alpha, max(len(points) - 1, 0))
    pieces = [
        (start, end, share)
        for start, end, share in zip(points[:-1], points[1:], opacity, strict=True)
        if np.isfinite(start).all() and np.isfinite(end).all() and share > 0
    ]
    if not pieces:
        return
    low, high = _box(image, np.array([piece[:2] for piece in pieces]).reshape(-1, 2), half)
    if (high <= low).any():
        return
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.float32)
    for start, end, share in pieces:
        part_low, part_high = _box(image, np.array([start, end]), half)
        if (part_high <= part_low).any():
            continue
        x, y = _grid(part_low, part_high)
        along = end - start
        square = float(along @ along)
        where = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / square, 0, 1) if square > 0 else np.float32(0)
        distance = np.hypot(x - start[0] - where * along[0], y - start[1] - where * along[1])
        view = mask[part_low[1] - low[1] : part_high[1] - low[1], part_low[0] - low[0] : part_high[0] - low[0]]
        # Coverage of a pixel by an edge at this distance from its middle; a line under a pixel wide is fainter, not wider.
        np.maximum(view, np.clip(half + 0.5 - distance, 0, min(1.0, width)) * share, out=view)
    blend(image[low[1] : high[1], low[0] : high[0]], mask, colour)


def fill(image: np.ndarray, points: np.ndarray, colour: Colour, alpha: float = 1.0) -> None:
    """Fill a convex polygon of (n, 2) finite points in order; parameters as :func:`stroke`."""
    low, high = _box(image, points, 0.0)
    if (high <= low).any():
        return
    x, y = _grid(low, high)
    middle = points.mean(axis=0)
    outside = np.full((high[1] - low[1], high[0] - low[0]), -np.inf, np.float32)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        normal = np.array([end[1] - start[1], start[0] - end[0]])
        length = np.hypot(*normal)
        if length > 0:
            normal = normal / length if normal @ (middle - start) <= 0 else -normal / length
            np.maximum(outside, (x - start[0]) * normal[0] + (y - start[1]) * normal[1], out=outside)
    blend(image[low[1] : high[1], low[0] : high[0]], np.clip(0.5 - outside, 0, 1) * alpha, colour)


def dot(image: np.ndarray, centre: np.ndarray, radius: float, colour: Colour, alpha: float = 1.0, ring: float = 0.0) -> None:
    """Draw a disc, or the outer ``ring`` pixels of it when that isn't 0; parameters as :func:`stroke`, ``radius`` in pixels."""
    low, high = _box(image, np.reshape(centre, (1, 2)), radius)
    if (high <= low).any():
        return
    x, y = _grid(low, high)
    distance = np.hypot(x - centre[0], y - centre[1])
    mask = np.clip(radius + 0.5 - distance, 0, 1)
    if ring:
        mask = np.minimum(mask, np.clip(distance - (radius - ring) + 0.5, 0, 1))
    blend(image[low[1] : high[1], low[0] : high[0]], mask * alpha, colour)


def _box(image: np.ndarray, points: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """First and end (x, y) pixel of what ink within ``reach`` of the points touches, inside the picture."""
    if np.abs(points).max() > FARTHEST:
        return np.zeros(2, int), np.zeros(2, int)
    low = np.maximum(np.floor(points.min(axis=0) - reach - 1), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0) + reach + 1) + 1, (image.shape[1], image.shape[0])).astype(int)
    return low, high


def _grid(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row numbers of a box, to broadcast."""
    return np.arange(low[0], high[0], dtype=np.float32)[None, :], np.arange(low[1], high[1], dtype=np.float32)[:, None]


def blend(region: np.ndarray, mask: np.ndarray, colour: Colour) -> None:
    """Lay ``colour`` over a view of a picture, where and as much as the (h, w) float ``mask``, 0 to 1, says."""
    share = mask[..., None]
    region[:] = np.rint(region + (np.array(colour, np.float32) - region) * share).astype(np.uint8)


def write(
    image: np.ndarray,
    text: str,
    at: tuple[float, float],
    size: int,
    colour: Colour = (235, 235, 235),
    anchor: str = "left",
    alpha: float = 1.0,
) -> int:
    """Write a short ASCII label with a dark outline.

    Parameters
    ----------
    at : (x, y)
        Left (or, by ``anchor``, centre or right) end and vertical middle of the text, pixels.
    size : int
        Height of the letters' em, pixels.

    Returns
    -------
    int
        Width of the text, pixels.
    """
    import cv2

    letters = _letters(text, size)
    edge = max(1, round(size / 9))
    tall, wide = letters.shape
    x = round(at[0] - {"left": 0, "centre": wide / 2, "right": wide}[anchor])
    y = round(at[1] - tall / 2)
    padded = cv2.copyMakeBorder(letters, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    outline = cv2.dilate(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge + 1, 2 * edge + 1)))
    left, top = x - edge, y - edge
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + padded.shape[1], image.shape[1]), min(top + padded.shape[0], image.shape[0])
    if x1 > x0 and y1 > y0:
        inside = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        blend(image[y0:y1, x0:x1], outline[inside] * np.float32(0.75 / 255), (0, 0, 0))
        blend(image[y0:y1, x0:x1], padded[inside] / np.float32(255), colour)
    return wide


def write_name(image: np.ndarray, text: str, at: tuple[float, float], size: int, colour: Colour, room: int) -> int:
    """Write a name in any script that this machine has a font for, shortened to ``room`` pixels; parameters as :func:`write`.

    Returns
    -------
    int
        Width of the text, pixels.
    """
    from .video.titles import draw_title

    # A title's letters have a fifteenth of its picture's height and at most a 22nd of its width.
    strip = draw_title(text, max(room + 2 * size, 22 * size), 15 * size).astype(np.float32)
    mask = strip[..., 0] / 245 * strip[..., 3] / 255
    used = np.flatnonzero(mask.max(axis=0) > 0.05)
    if not len(used):
        return 0
    left, top = max(round(at[0]), 0), max(round(at[1] - mask.shape[0] / 2), 0)
    mask = np.clip(mask[: image.shape[0] - top, used[0] : min(used[-1] + 1, used[0] + room, used[0] + image.shape[1] - left)], 0, 1)
    blend(image[top : top + mask.shape[0], left : left + mask.shape[1]], mask, colour)
    return mask.shape[1]


@lru_cache(maxsize=256)
def _letters(text: str, size: int) -> np.ndarray:
    """(h, w) uint8 mask of a text in Pillow's own font."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    left, _, right, _ = font.getbbox(text)
    picture = Image.new("L", (int(np.ceil(right - left)) + 1, round(size * 1.1)), 0)
    ImageDraw.Draw(picture).text((-left, picture.height / 2), text, fill=255, font=font, anchor="lm")
    return np.asarray(picture)
