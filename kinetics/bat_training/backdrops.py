"""What lies behind the batter in the training samples: ground, pitch, stands, boards, nets, stumps and other people.

A bank of tiles is made once and renewed slowly; a sample cuts its backdrop out of one. A tile is centred where the hands will be, and 128
pixels of it span the crop at its usual scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .bats import random_bat, sweep
from .paint import box, capsule, colour, fill, lay_over, line, lit, noise, pick
from .people import draw_person, random_bystander, random_look

#: Side of a tile, and pixels per metre on it.
TILE, METRE = 288, 59.0
_SPRITE = 150


class Bank:
    """Tiles and bystanders to draw from. ``photos`` are pictures (H, W, 3) uint8 used as textures; none are needed."""

    def __init__(self, rng: np.random.Generator, photos: Sequence[np.ndarray] = (), tiles: int = 250, sprites: int = 120):
        self._rng, self._photos = rng, list(photos)
        self._sprites = [self._sprite() for _ in range(sprites)]
        self._tiles = [self._tile() for _ in range(tiles)]

    def renew(self) -> None:
        """Make one tile and one bystander anew."""
        self._sprites[self._rng.integers(len(self._sprites))] = self._sprite()
        self._tiles[self._rng.integers(len(self._tiles))] = self._tile()

    def cut(self, rng: np.random.Generator, size: int, scale: float, hand: np.ndarray, feet: float) -> np.ndarray:
        """(size, size, 3): a backdrop for hands at ``hand`` and feet ``feet`` metres below them, with stumps and bystanders about."""
        tile = self._tiles[rng.integers(len(self._tiles))]
        zoom = scale / METRE * rng.uniform(0.8, 1.5)
        mirror = rng.choice([-1, 1])
        middle = TILE / 2 + rng.normal(0, 6, 2)
        turn = np.array([[mirror * zoom, 0, hand[0] - mirror * zoom * middle[0]], [0, zoom, hand[1] - zoom * middle[1]]])
        picture = cv2.warpAffine(tile, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        if rng.random() < 0.5:
            self._stumps(
                rng, picture, hand + np.array([rng.choice([-1, 1]) * rng.uniform(0.15, 1.0), feet + rng.normal(0, 0.07)]) * scale, scale
            )
        for _ in range(rng.choice([0, 1, 2, 3], p=[0.4, 0.35, 0.15, 0.1])):
            size_ratio = rng.uniform(0.3, 1.1)
            ground = feet - (1 - size_ratio) * rng.uniform(0, 0.9)
            at = hand + np.array([rng.choice([-1, 1]) * rng.uniform(0.25, 1.4), ground + rng.normal(0, 0.08)]) * scale
            picture = self.bystander(rng, picture, at, size_ratio * scale)
        if rng.random() < 0.15:
            self.strays(rng, picture, scale, int(rng.integers(1, 4)))
        return picture

    def bystander(self, rng: np.random.Generator, picture: np.ndarray, feet: np.ndarray, scale: float) -> np.ndarray:
        """The picture with one bystander whose feet stand at ``feet``, drawn at ``scale`` pixels per metre."""
        return lay_over(picture, self.bystander_layer(rng, feet, scale, len(picture)))

    def bystander_layer(self, rng: np.random.Generator, feet: np.ndarray, scale: float, size: int) -> np.ndarray:
        """(size, size, 4): one bystander on a layer."""
        sprite = self._sprites[rng.integers(len(self._sprites))]
        zoom, mirror = scale / METRE, rng.choice([-1, 1])
        turn = np.array([[mirror * zoom, 0, feet[0] - mirror * zoom * _SPRITE / 2], [0, zoom, feet[1] - zoom * (_SPRITE - 10)]])
        return cv2.warpAffine(sprite, turn, (size, size), flags=cv2.INTER_LINEAR)

    @staticmethod
    def strays(rng: np.random.Generator, picture: np.ndarray, scale: float, count: int) -> None:
        """Bars, planks and lines of a bat's size and colour, in no hands."""
        size = len(picture)
        for _ in range(count):
            middle, angle = rng.uniform(0, size, 2), rng.uniform(0, np.pi)
            along = np.array([np.cos(angle), np.sin(angle)])
            shade = colour(rng, pick(rng, wood=0.4, pale=0.4, any=0.2))
            fill(picture, box(middle, along, rng.uniform(0.1, 0.45) * scale, rng.uniform(0.01, 0.07) * scale), shade)

    @staticmethod
    def _stumps(rng: np.random.Generator, picture: np.ndarray, base: np.ndarray, scale: float) -> None:
        scale = scale * rng.uniform(0.75, 1.1)
        shade = colour(rng, pick(rng, wood=0.45, dark=0.15, vivid=0.2, any=0.2))
        band, bails = colour(rng), rng.random() < 0.6
        gap, radius, tall = rng.uniform(0.03, 0.11), rng.uniform(0.016, 0.024), rng.uniform(0.64, 0.75)
        tilt = rng.normal(0, 0.03)
        for k in range(3):
            foot = base + np.array([(k - 1) * gap * scale, 0])
            top = foot + np.array([tilt, -tall]) * scale
            fill(picture, capsule(foot, top, radius * scale, radius * scale), shade)
            aside = np.array([radius * scale * 0.5, 0])
            line(picture, foot + aside, top + aside, lit(shade, 0.75))
            if rng.random() < 0.5:
                fill(picture, capsule(foot + (top - foot) * 0.55, foot + (top - foot) * 0.85, radius * scale, radius * scale), band)
        if bails:
            top = base + np.array([tilt, -tall - 0.015]) * scale
            reach = np.array([gap * scale, 0])
            line(picture, top - reach, top + reach, lit(shade, 1.2))

    def _sprite(self) -> np.ndarray:
        """A bystander, feet at the middle of the lower edge; one in six holds a bat of his own."""
        rng = self._rng
        kind = pick(rng, keeper=0.35, umpire=0.3, fielder=0.35)
        look = random_look(rng, padded=0.9 if kind == "keeper" else 0.1, helmeted=0.5 if kind == "keeper" else 0.1)
        joints = random_bystander(rng, kind)
        layer = np.zeros((_SPRITE, _SPRITE, 4), np.uint8)
        feet = np.array([_SPRITE / 2, _SPRITE - 10.0])
        draw_person(layer, joints, look, METRE, feet)
        if rng.random() < 0.17:
            bat = random_bat(rng, 0.68, METRE * 1.5, rng.uniform(0.5, 1))
            angle = np.deg2rad(rng.choice([90, -70, 30, 150]) + rng.normal(0, 25))
            layer = _stack(layer, sweep(bat, _SPRITE, METRE, feet + METRE * joints["left_wrist"], (angle, angle), np.zeros(2)))
        return layer

    def _texture(self, height: int, width: int, palette: str | None) -> np.ndarray:
        """(height, width, 3) float32: a part of a photo, or a colour with noise of several sizes."""
        rng = self._rng
        if self._photos and rng.random() < 0.3:
            photo = self._photos[rng.integers(len(self._photos))]
            side = int(rng.uniform(0.2, 1) * min(photo.shape[:2]))
            top, left = (int(rng.integers(0, n - side + 1)) for n in photo.shape[:2])
            part = cv2.resize(photo[top : top + side, left : left + side], (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
            if palette is None or rng.random() < 0.3:
                return part * rng.uniform(0.5, 1.3) + rng.uniform(-20, 40)
            grey = part.mean(axis=2, keepdims=True)
            return colour(rng, palette).astype(np.float32) * (0.4 + 0.6 * grey / max(grey.mean(), 1))
        plane = np.broadcast_to(colour(rng, palette).astype(np.float32), (height, width, 3)).copy()
        for _ in range(rng.integers(1, 4)):
            cell = int(rng.choice([1, 2, 3, 6, 12, 30, 60]))
            wave = (
                noise(rng, height, width, cell)
                if rng.random() < 0.7
                else noise(rng, max(height // 4, 2), width, cell).repeat(5, axis=0)[:height]
            )
            if len(wave) < height:
                wave = cv2.resize(wave, (width, height))
            plane += wave[..., None] * rng.uniform(1, 6 if cell < 3 else 16) * (1 + rng.normal(0, 0.12, 3)).astype(np.float32)
        return plane

    def _tile(self) -> np.ndarray:
        rng = self._rng
        if rng.random() < 0.12:
            tile = np.clip(self._texture(TILE, TILE, None), 0, 255).astype(np.uint8)
            return self._clutter(tile)
        ground = pick(rng, grass=0.5, earth=0.35, any=0.15)
        tile = np.clip(self._texture(TILE, TILE, None if ground == "any" else ground), 0, 255).astype(np.uint8)
        horizon = int(TILE / 2 + rng.uniform(-0.5, 0.95) * METRE) if rng.random() < 0.65 else 0
        if ground == "grass" and rng.random() < 0.5:
            self._pitch(tile, horizon)
        for _ in range(rng.integers(0, 4)):
            y = rng.uniform(horizon, TILE)
            line(tile, np.array([0, y]), np.array([TILE, y + rng.normal(0, 12)]), colour(rng, "pale"), int(rng.integers(1, 4)))
        if horizon:
            tile[:horizon] = self._above(horizon)
            self._boards(tile, horizon)
        if rng.random() < 0.35:
            self._crowd(tile, horizon or TILE // 2)
        if rng.random() < 0.07:
            draw_net(rng, tile)
        return tile if rng.random() < 0.6 else cv2.GaussianBlur(tile, (0, 0), rng.uniform(0.4, 3))

    def _pitch(self, tile: np.ndarray, horizon: int) -> None:
        rng = self._rng
        top, bottom = rng.uniform(horizon, TILE * 0.7), TILE * rng.uniform(0.75, 1.3)
        shade = colour(rng, "earth")
        fill(tile, np.array([(0, top), (TILE, top + rng.normal(0, 8)), (TILE, bottom), (0, bottom)]), shade)
        tile[:] = np.clip(tile + (noise(rng, TILE, TILE, int(rng.choice([1, 3, 8]))) * rng.uniform(2, 8))[..., None], 0, 255).astype(
            np.uint8
        )

    def _above(self, height: int) -> np.ndarray:
        """What stands above the ground: seats, a crowd, sky, trees, a wall."""
        rng = self._rng
        kind = pick(rng, seats=0.3, crowd=0.25, plain=0.25, texture=0.2)
        part = np.clip(self._texture(height, TILE, pick(rng, dark=0.4, any=0.6) if kind != "texture" else None), 0, 255).astype(np.uint8)
        if kind == "seats":
            shade, gap, rise = colour(rng), rng.uniform(4, 11), rng.uniform(4, 10)
            wide, tall = gap * rng.uniform(0.3, 0.48), rise * rng.uniform(0.25, 0.45)
            for row, y in enumerate(np.arange(0, height, rise)):
                for x in np.arange((row % 2) * gap / 2, TILE, gap):
                    if rng.random() < 0.93:
                        part[int(y - tall) % height : int(y + tall) + 1, int(max(x - wide, 0)) : int(x + wide) + 1] = lit(
                            shade, rng.uniform(0.85, 1.1)
                        )
            for _ in range(rng.integers(0, 3)):
                x = rng.uniform(0, TILE)
                line(part, np.array([x, 0]), np.array([x + rng.normal(0, 90), height]), colour(rng), int(rng.integers(2, 12)))
        elif kind == "crowd":
            for _ in range(int(rng.integers(150, 500))):
                x, y, r = rng.uniform(0, TILE), rng.uniform(0, height), rng.uniform(0.8, 3.5)
                cv2.circle(part, (int(x), int(y)), int(r), colour(rng).tolist(), -1)
        return part

    def _boards(self, tile: np.ndarray, horizon: int) -> None:
        rng = self._rng
        for _ in range(rng.choice([0, 1, 2], p=[0.35, 0.45, 0.2])):
            height = rng.uniform(4, 34)
            top, shade = horizon - height - rng.uniform(0, 20), colour(rng)
            fill(tile, np.array([(0, top), (TILE, top), (TILE, top + height), (0, top + height)]), shade)
            ink = colour(rng, "pale" if shade.mean() < 130 else None)
            x = rng.uniform(0, 40)
            while x < TILE and height > 8 and rng.random() < 0.97:
                wide, tall = rng.uniform(1.5, 5), height * rng.uniform(0.3, 0.75)
                fill(tile, box(np.array([x, top + height / 2]), np.array([1.0, rng.normal(0, 0.2)]), wide, tall / 2), ink)
                x += 2 * wide + (rng.uniform(1, 5) if rng.random() < 0.85 else 30)

    def _crowd(self, tile: np.ndarray, horizon: int) -> None:
        """People far off along the horizon."""
        rng = self._rng
        for _ in range(rng.integers(2, 14)):
            feet = np.array([rng.uniform(0, TILE), horizon + rng.uniform(-3, 30)])
            tile[:] = self.bystander(rng, tile, feet, METRE * rng.uniform(0.12, 0.5))

    def _clutter(self, tile: np.ndarray) -> np.ndarray:
        self.strays(self._rng, tile, METRE, int(self._rng.integers(0, 6)))
        return tile


def draw_net(rng: np.random.Generator, picture: np.ndarray) -> None:
    """A mesh over the whole picture."""
    size, gap, slant = len(picture), rng.uniform(4, 14), rng.uniform(-0.6, 0.6)
    shade = colour(rng, pick(rng, dark=0.5, pale=0.3, any=0.2))
    for x in np.arange(-size, 2 * size, gap):
        line(picture, np.array([x, 0]), np.array([x + slant * size, size]), shade)
        line(picture, np.array([0, x]), np.array([size, x - slant * size]), shade)


def _stack(under: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Two layers as one."""
    clear = cv2.merge([255 - over[..., 3]] * 4)
    return cv2.add(cv2.multiply(under, clear, scale=1 / 255), over)
