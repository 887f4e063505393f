"""Colours and shapes for the drawn training samples: quick, smooth-edged, on uint8 layers of three or four planes."""

from __future__ import annotations

import cv2
import numpy as np

#: Ranges of hue (of 180), saturation and value that colours are drawn from.
_PALETTES = {
    "any": ((0, 180), (0, 220), (25, 255)),
    "pale": ((0, 180), (0, 50), (165, 255)),
    "dark": ((0, 180), (0, 150), (8, 80)),
    "vivid": ((0, 180), (130, 255), (90, 255)),
    "wood": ((9, 26), (20, 130), (125, 255)),
    "skin": ((4, 16), (50, 170), (60, 235)),
    "grass": ((28, 62), (50, 190), (50, 200)),
    "earth": ((8, 28), (20, 120), (90, 225)),
}
_ARC = np.exp(1j * np.linspace(np.pi / 2, 3 * np.pi / 2, 6))


def pick(rng: np.random.Generator, **chances: float) -> str:
    """One of the names, by their chances (they need not add up to 1)."""
    names = list(chances)
    weights = np.cumsum(list(chances.values()))
    return names[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]


def colour(rng: np.random.Generator, palette: str | None = None) -> np.ndarray:
    """(3,) RGB, 0-255, from a palette; a mixture of them when left out."""
    palette = palette or pick(rng, any=0.35, pale=0.2, dark=0.2, vivid=0.2, wood=0.05)
    hsv = [rng.uniform(*span) for span in _PALETTES[palette]]
    return cv2.cvtColor(np.uint8([[hsv]]), cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def lit(shade: np.ndarray, factor: float) -> np.ndarray:
    """The colour made lighter or darker."""
    return np.clip(np.asarray(shade) * factor + (6 if factor > 1 else 0), 0, 255)


def fixed(points: np.ndarray) -> np.ndarray:
    """Points as OpenCV takes them with 4 fractional bits."""
    return np.round(np.asarray(points) * 16).astype(np.int32)


def fill(layer: np.ndarray, polygon: np.ndarray, shade: np.ndarray) -> None:
    """Fill a convex polygon. On a layer of four planes the fourth gathers the cover: colour times cover, and cover."""
    cv2.fillConvexPoly(layer, fixed(polygon), (*(float(v) for v in shade), 255.0)[: layer.shape[2]], cv2.LINE_AA, 4)


def line(layer: np.ndarray, start: np.ndarray, end: np.ndarray, shade: np.ndarray, width: int = 1) -> None:
    """A straight line."""
    ends = [tuple(fixed(p).tolist()) for p in (start, end)]
    cv2.line(layer, *ends, (*(float(v) for v in shade), 255.0)[: layer.shape[2]], width, cv2.LINE_AA, 4)


def capsule(start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float) -> np.ndarray:
    """(12, 2) outline of a limb: two half circles and the straight sides between them."""
    a, b = complex(*start), complex(*end)
    along = (b - a) / max(abs(b - a), 1e-9)
    outline = np.concatenate([a + _ARC * along * start_radius, b - _ARC * along * end_radius])
    return outline.view(float).reshape(-1, 2)


def box(centre: np.ndarray, along: np.ndarray, half_length: float, half_width: float) -> np.ndarray:
    """(4, 2) corners of a rectangle that lies along a unit vector."""
    u, v = np.asarray(along) * half_length, np.array([-along[1], along[0]]) * half_width
    return np.array([centre - u - v, centre + u - v, centre + u + v, centre - u + v])


def lay_over(picture: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The layer (colour times cover, cover) over the picture; new uint8 array."""
    clear = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2RGB)
    return cv2.add(cv2.multiply(picture, clear, scale=1 / 255), cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB))


def noise(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """(height, width) smooth noise of unit size with bumps of ``cell`` pixels."""
    small = rng.standard_normal((max(height // cell, 2), max(width // cell, 2)), dtype=np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
