"""The ground as one big still picture: pitch, creases, stumps, mown grass, boards and crowd, seen from where the camera stands.

The camera only turns and zooms, so every frame's background is this plate under a homography, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Camera
from .figure import Eye, Painter
from .raster import Raster

#: Radius of the field and its middle on the pitch, m; heights of the boards and of the stand behind them.
_RADIUS, _MIDDLE, _BOARDS, _STAND = 58.0, 9.0, 0.95, 11.0
_WORDS = ("CORRELATED", "KINETICS", "LONG ROOM", "22 YARDS", "WILLOW & CO", "TEA INTERVAL", "NIGHT WATCH", "MIDWICKET")
_BOARD_COLOURS = ((20, 52, 120), (176, 30, 44), (240, 240, 236), (16, 104, 84), (248, 186, 36), (52, 40, 92), (0, 118, 168), (222, 92, 30))
_BOARD_PX, _CROWD_PX = 64, 40


@dataclass(frozen=True)
class Plate:
    """The still picture and the camera, without moves, that took it."""

    image: np.ndarray
    camera: Camera

    def to_frame(self, camera: Camera, t: float) -> np.ndarray:
        """Homography (3, 3) from the plate's pixels to those of ``camera`` at ``t``."""
        now, zero = np.array([t]), np.zeros(1)
        plate = self.camera
        h = camera.intrinsics(now)[0] @ camera.rotation(now)[0] @ plate.rotation(zero)[0].T @ np.linalg.inv(plate.intrinsics(zero)[0])
        return h / h[2, 2]


def plate_camera(camera: Camera, t: np.ndarray, margin: int = 6) -> Camera:
    """A still camera in the same place whose picture holds all that ``camera`` sees at times ``t``, at the largest zoom's scale."""
    width, height = camera.size
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]], dtype=np.float64)
    rays = np.einsum("tji,tjk,ck->tci", camera.rotation(t), np.linalg.inv(camera.intrinsics(t)), corners).reshape(-1, 3)
    pan, tilt = np.arctan2(rays[:, 1], rays[:, 0]), np.arctan2(rays[:, 2], np.hypot(rays[:, 0], rays[:, 1]))
    # Seen from afar the angles span a few degrees, far from ±pi only after turning to their middle.
    pan0 = np.angle(np.exp(1j * pan).mean())
    pan = pan0 + np.angle(np.exp(1j * (pan - pan0)))
    a, b = 0.5 * (pan.min() + pan.max()), 0.5 * (tilt.min() + tilt.max())
    look = np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    focal = camera.angles(t)[2].max()
    still = Camera(camera.place, tuple(np.asarray(camera.place) + 50.0 * look), focal / 50.0, (1, 1))
    px = still.project(np.asarray(camera.place) + rays * 50.0, np.zeros(len(rays)))[0]
    half = np.ceil(np.abs(px).max(axis=0)).astype(int) + margin
    return Camera(camera.place, still.aim, still.px_per_m, (int(2 * half[0] + 1), int(2 * half[1] + 1)))


def paint_plate(camera: Camera, t: np.ndarray, rng: np.random.Generator) -> Plate:
    """Paint the ground for every frame that ``camera`` takes at times ``t``."""
    still = plate_camera(camera, t)
    width, height = still.size
    image = np.empty((height, width, 3), np.uint8)
    textures = np.roll(_boards(), int(rng.integers(0, 8)) * 7 * _BOARD_PX, axis=1), _crowd(rng), _noise(rng)
    back = np.linalg.inv(still.intrinsics(np.zeros(1))[0] @ still.rotation(np.zeros(1))[0]).astype(np.float64)
    for top in range(0, height, 128):
        rows = np.arange(top, min(height, top + 128))
        x, y = np.meshgrid(np.arange(width), rows)
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ back.T
        image[rows] = _colours(np.asarray(still.place), rays, textures, still)
    _stumps(image, still)
    return Plate(image, still)


def _colours(place: np.ndarray, rays: np.ndarray, textures, still: Camera) -> np.ndarray:
    """Colours (h, w, 3) uint8 of what rays (h, w, 3) from ``place`` hit: the field inside the circle, else boards and stand."""
    boards, crowd, noise = textures
    dx, dy, dz = rays[..., 0], rays[..., 1], rays[..., 2]
    px, py = place[0] - _MIDDLE, place[1]
    a, b, c = dx**2 + dy**2, px * dx + py * dy, px**2 + py**2 - _RADIUS**2
    far = (-b + np.sqrt(b * b - a * c)) / a
    wall_z = place[2] + far * dz
    on_field = wall_z < 0.0
    near = np.where(on_field, -place[2] / np.where(on_field, dz, -1.0), far)
    x, y = place[0] + near * dx, place[1] + near * dy
    out = _field(x, y, near * np.sqrt(a), noise, still)
    arc = np.arctan2(place[1] + far * dy, place[0] + far * dx - _MIDDLE) * _RADIUS
    board = _sample(boards, -arc * _BOARD_PX, (_BOARDS - wall_z) * _BOARD_PX)
    stand = _sample(crowd, arc * _CROWD_PX, (_STAND - wall_z) * _CROWD_PX)
    stand = stand * (1.0 - 0.35 * np.clip((wall_z - _BOARDS) / 6.0, 0.0, 1.0))[..., None]
    stand[wall_z < _BOARDS + 0.16] = (70, 74, 80)
    out = np.where(on_field[..., None], out, np.where((wall_z < _BOARDS)[..., None], board, stand))
    return np.clip(out, 0, 255).astype(np.uint8)


def _field(x, y, distance, noise, still: Camera) -> np.ndarray:
    """Grass with mowing bands, the pitch with its worn ends, creases and the rope."""
    focal = still.px_per_m * still.distance
    foot_x = distance / focal
    foot_y = foot_x * distance / still.place[2]
    fine, coarse = _sample(noise, x * 26.0, y * 16.0)[..., :1], _sample(noise, x * 2.6 + 300.0, y * 1.7)[..., :1]
    # Bands run down the ground and across it, as two passes of the mower leave them; tanh makes their edges a brush wide.
    bands = 0.6 * np.tanh(6.0 * np.sin(np.pi * x / 4.6)) + 0.9 * np.tanh(6.0 * np.sin(np.pi * (y + 2.0) / 7.0))
    grass = np.array([98.0, 138.0, 72.0]) + bands[..., None] * np.array([12.0, 16.0, 10.0]) + fine * 8.0 + coarse * 3.5
    worn = np.exp(-(((x + 0.2) / 1.1) ** 2) - (y / 0.75) ** 2) + np.exp(-(((x - 3.4) / 2.2) ** 2) - (y / 0.9) ** 2) * 0.6
    strip = np.array([205.0, 184.0, 142.0]) + fine * 9.0 + coarse * 10.0 - worn[..., None] * np.array([20.0, 22.0, 24.0])
    inside = _slab(y, -1.525, 1.525, foot_y) * _slab(x, -3.2, 23.3, foot_x)
    out = grass + inside[..., None] * (strip - grass)
    lines = np.zeros_like(x)
    for crease, sign in ((0.0, 1.0), (17.68, -1.0)):
        stumps = crease - sign * 1.22
        lines += _slab(x, crease - 0.025, crease + 0.025, foot_x) * _slab(y, -1.83, 1.83, foot_y)
        lines += _slab(x, stumps - 0.025, stumps + 0.025, foot_x) * _slab(y, -1.32, 1.32, foot_y)
        low, high = sorted((crease, crease - sign * 2.44))
        for side in (-1.32, 1.32):
            lines += _slab(y, side - 0.025, side + 0.025, foot_y) * _slab(x, low, high, foot_x)
    out = out + np.clip(lines, 0, 1)[..., None] * 0.92 * (np.array([246.0, 246.0, 240.0]) - out)
    rope = _slab(np.hypot(x - _MIDDLE, y), _RADIUS - 3.2, _RADIUS - 2.9, foot_y)
    return out + rope[..., None] * (np.array([240.0, 240.0, 236.0]) - out)


def _slab(v, low: float, high: float, footprint) -> np.ndarray:
    """Share of a pixel ``footprint`` wide that lies between ``low`` and ``high``."""
    half = 0.5 * footprint
    return np.clip((np.minimum(v + half, high) - np.maximum(v - half, low)) / footprint, 0.0, 1.0)


def _sample(texture: np.ndarray, u, v) -> np.ndarray:
    """Bilinear look-up, repeated in both directions."""
    height, width = texture.shape[:2]
    found = cv2.remap(texture, (u % (width - 1)).astype(np.float32), (v % (height - 1)).astype(np.float32), cv2.INTER_LINEAR)
    return found.reshape(*found.shape[:2], -1).astype(np.float64)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """(512, 512) float32, about unit variance, that repeats without a seam."""
    base = rng.standard_normal((512, 512)).astype(np.float32)
    soft = cv2.GaussianBlur(np.tile(base, (2, 2)), (0, 0), 1.1)[256:768, 256:768]
    return np.ascontiguousarray(soft / soft.std() * 0.8 + 0.25 * base)


def _boards() -> np.ndarray:
    """Advertising boards, 7 m each, in a row."""
    long, tall = 7 * _BOARD_PX, int(_BOARDS * _BOARD_PX)
    row = np.zeros((tall, long * len(_WORDS), 3), np.float32)
    for k, (word, colour) in enumerate(zip(_WORDS, _BOARD_COLOURS, strict=True)):
        board = np.full((tall, long, 3), colour, np.uint8)
        ink = (24, 30, 60) if sum(colour) > 420 else (250, 250, 246)
        (w, h), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.45, 3)
        cv2.putText(board, word, ((long - w) // 2, (tall + h) // 2), cv2.FONT_HERSHEY_DUPLEX, 1.45, ink, 3, cv2.LINE_AA)
        cv2.rectangle(board, (0, 0), (long - 1, tall - 1), (60, 62, 66), 2)
        row[:, k * long : (k + 1) * long] = board
    return cv2.GaussianBlur(row, (0, 0), 0.9)


def _crowd(rng: np.random.Generator) -> np.ndarray:
    """A stand full of people, out of focus: rows of heads and shirts, aisles between blocks."""
    tall, long = int(_STAND * _CROWD_PX), 48 * _CROWD_PX
    image = np.full((tall, long, 3), (62, 66, 78), np.uint8)
    pitch_x, pitch_y = 20, 30
    shirts = np.array(
        [(220, 60, 60), (240, 240, 240), (60, 90, 190), (250, 200, 70), (40, 140, 110), (60, 60, 70), (236, 130, 60), (150, 90, 170)]
    )
    skins = np.array([(226, 180, 150), (190, 138, 104), (140, 96, 70), (96, 64, 48)])
    for row, y in enumerate(range(pitch_y // 2, tall, pitch_y)):
        cv2.rectangle(image, (0, y + 12), (long, y + 15), (92, 96, 106), -1)
        for x in range(pitch_x // 2, long, pitch_x):
            if (x // pitch_x) % 16 == 0 or rng.random() < 0.10:
                continue
            px, py = int(x + rng.integers(-3, 4) + 5 * (row % 2)), int(y + rng.integers(-2, 3))
            shirt, skin = shirts[rng.integers(len(shirts))].tolist(), skins[rng.integers(len(skins))].tolist()
            cv2.ellipse(image, (px, py + 9), (8, 9), 0, 0, 360, shirt, -1, cv2.LINE_AA)
            cv2.circle(image, (px, py - 3), 5, skin, -1, cv2.LINE_AA)
            cv2.ellipse(image, (px, py - 5), (5, 4), 0, 180, 360, (36, 28, 24), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 2.2).astype(np.float32) * 0.82


def _stumps(image: np.ndarray, still: Camera) -> None:
    """Three stumps and two bails at each end, with their shadows."""
    width, height = still.size
    raster = Raster((0, 0, width, height))
    painter = Painter(raster, Eye(still, 0.0))
    for x in (-1.22, 18.90):
        for y in (-0.105, 0.0, 0.105):
            painter.limb((x, y, 0.0), (x, y, 0.70), 0.019, 0.019, (232, 196, 132))
            painter.limb((x, y, 0.40), (x, y, 0.52), 0.0195, 0.0195, (200, 40, 50))
        for y in (-0.0525, 0.0525):
            painter.limb((x, y - 0.05, 0.713), (x, y + 0.05, 0.713), 0.011, 0.011, (250, 226, 170))
    image[:] = np.clip(image * (1.0 - raster.alpha[..., None]) + raster.colour, 0, 255).astype(np.uint8)
