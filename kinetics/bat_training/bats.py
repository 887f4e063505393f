"""Cricket bats for the training samples: a bat as a small picture, and its smear over an exposure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .paint import colour, fill, lit, noise, pick

#: Width of the blade and thickness of its edge, in metres.
BLADE, EDGE = 0.108, 0.038


@dataclass(frozen=True)
class Bat:
    """A bat lying along x, butt left, at the tilt it is seen under.

    ``picture`` (h, w, 4) uint8: colour times cover, and cover. ``grip`` and ``toe`` are x of the middle of the hands and of the toe,
    ``middle`` is y of the axis, ``density`` pixels per metre.
    """

    picture: np.ndarray
    grip: float
    toe: float
    middle: float
    density: float

    @property
    def reach(self) -> float:
        """Metres from the middle of the hands to the toe, as it is seen."""
        return (self.toe - self.grip) / self.density


def random_bat(rng: np.random.Generator, length: float, density: float, shorten: float) -> Bat:
    """A bat of ``length`` metres from the hands to the toe, shortened by ``shorten`` (1: in the image plane), rolled anyhow."""
    roll = rng.uniform(-1, 1) * np.pi / 2 if rng.random() < 0.6 else rng.normal(0, 0.25)
    face, edge = BLADE * abs(np.cos(roll)), EDGE * abs(np.sin(roll))
    toe_depth = EDGE * np.sqrt(1 - shorten**2) * abs(np.cos(roll)) + BLADE * 0.35 * np.sqrt(1 - shorten**2) * abs(np.sin(roll))
    butt = rng.uniform(0.04, 0.17) * shorten
    margin = 0.03
    height = int(np.ceil((BLADE + EDGE + 2 * margin) * density)) | 1
    width = int(np.ceil((butt + length * shorten + toe_depth + 2 * margin) * density))
    layer = np.zeros((height, width, 4), np.uint8)
    y = (height - 1) / 2
    start = margin * density
    grip = start + butt * density
    toe = grip + length * shorten * density
    shoulder = grip + rng.uniform(0.13, 0.27) * shorten * density
    half = (face + edge) / 2 * density
    half = max(half, 0.016 * density)
    wood = colour(rng, pick(rng, wood=0.64, pale=0.24, any=0.06, dark=0.06))
    handle = colour(rng)
    taper = rng.uniform(0.02, 0.09) * shorten * density
    thin = 0.0165 * density
    fill(layer, np.array([(start, y - thin), (shoulder + taper, y - thin), (shoulder + taper, y + thin), (start, y + thin)]), handle)
    for k in range(int(rng.integers(0, 4))):
        x = start + (shoulder - start) * rng.random()
        fill(layer, np.array([(x, y - thin), (x + 3, y - thin), (x + 3, y + thin), (x, y + thin)]), lit(handle, 0.7) if k else colour(rng))
    corner = rng.uniform(0.05, 0.9) * half * max(shorten, 0.3)
    if rng.random() < 0.55:
        arc = np.linspace(-np.pi / 2, np.pi / 2, 9)
        end = np.stack([toe - corner + corner * np.cos(arc), y + half * np.sin(arc)], axis=1)
    else:
        end = np.array([(toe - corner, y - half), (toe, y - half * 0.55), (toe, y + half * 0.55), (toe - corner, y + half)])
    blade = np.concatenate(
        [[(shoulder, y + thin * 1.05), (shoulder, y - thin * 1.05), (shoulder + taper, y - half)], end, [(shoulder + taper, y + half)]]
    )
    if toe_depth * density > 0.7:
        fill(
            layer,
            np.array(
                [
                    (toe - corner, y - half),
                    (toe + toe_depth * density, y - half * 0.7),
                    (toe + toe_depth * density, y + half * 0.7),
                    (toe - corner, y + half),
                ]
            ),
            lit(wood, rng.uniform(0.6, 1.15)),
        )
    fill(layer, blade, wood)
    _decorate(rng, layer, blade, wood, (shoulder + taper, toe, y, half), edge / (face + edge), density)
    return Bat(cv2.GaussianBlur(layer, (0, 0), 0.5), grip, toe + toe_depth * density / 2, y, density)


def _decorate(
    rng: np.random.Generator, layer: np.ndarray, blade: np.ndarray, wood: np.ndarray, place: tuple, edge_share: float, density: float
) -> None:
    """Edge, spine, stickers, toe guard, light along the bat and grain; all inside the blade."""
    left, toe, y, half = place
    inside = np.zeros(layer.shape[:2], np.uint8)
    fill(inside[..., None], blade, (255.0,))
    top = layer[..., :3].copy()

    def strip(low: float, high: float, first: float, last: float, shade: np.ndarray) -> None:
        fill(top, np.array([(first, y + low * half), (last, y + low * half), (last, y + high * half), (first, y + high * half)]), shade)

    reach = toe - left
    if rng.random() < 0.5:
        ridge = rng.normal(0, 0.3)
        strip(ridge, 1.1, left - reach, toe + 3, lit(wood, rng.uniform(0.65, 1.1)))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.3, 0.3, 0.25, 0.15]))):
        first = left + reach * rng.uniform(-0.05, 0.9)
        middle, size = rng.normal(0, 0.3), rng.uniform(0.25, 1.1)
        strip(middle - size, middle + size, first, first + reach * rng.uniform(0.04, 0.3), colour(rng))
    if rng.random() < 0.12:
        strip(-1.1, 1.1, left - reach, left + reach * rng.uniform(0.5, 1.1), colour(rng))
    if edge_share > 0.05:
        share = 2 * edge_share * rng.choice([-1, 1])
        strip(*((-1.1, -1 - share) if share < 0 else (1 - share, 1.1)), left - reach, toe + 3, lit(wood, rng.uniform(0.55, 1.2)))
    if rng.random() < 0.2:
        strip(-1.1, 1.1, toe - 0.03 * density, toe + 3, colour(rng, "dark"))
    light = np.linspace(rng.uniform(0.78, 1.15), rng.uniform(0.78, 1.15), layer.shape[1], dtype=np.float32)[None, :]
    grain = light + rng.uniform(0, 0.05) * noise(rng, *layer.shape[:2], 3)
    top = np.clip(top * grain[..., None], 0, 255).astype(np.uint8)
    within = cv2.cvtColor(inside, cv2.COLOR_GRAY2RGB)
    shown = cv2.multiply(top, within, scale=1 / 255)
    layer[..., :3] = cv2.add(cv2.multiply(layer[..., :3], 255 - within, scale=1 / 255), shown)


def sweep(bat: Bat, size: int, scale: float, hand: np.ndarray, angles: tuple[float, float], path: np.ndarray) -> np.ndarray:
    """The bat on a (size, size, 4) layer, averaged over an exposure.

    ``scale`` is pixels per metre, ``hand`` the middle of the hands half-way through, ``angles`` (radians) at the start and the end,
    ``path`` how far the hand goes meanwhile. The average of enough placements that the toe steps by less than 2.5 pixels.
    """
    zoom = scale / bat.density
    arc = abs(angles[1] - angles[0]) * (bat.toe - bat.grip) * zoom + float(np.hypot(*path))
    steps = int(np.clip(np.ceil(arc / 2.5), 1, 16))
    total = None
    for k in range(steps):
        u = (k + 0.5) / steps
        angle = angles[0] + (angles[1] - angles[0]) * u
        c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
        at = hand + path * (u - 0.5)
        turn = np.array([[c, -s, at[0] - c * bat.grip + s * bat.middle], [s, c, at[1] - s * bat.grip - c * bat.middle]])
        placed = cv2.warpAffine(bat.picture, turn, (size, size), flags=cv2.INTER_LINEAR)
        if steps == 1:
            return placed
        total = np.zeros((size, size, 4), np.float32) if total is None else total
        cv2.accumulate(placed, total)
    return (total / steps + 0.5).astype(np.uint8)
