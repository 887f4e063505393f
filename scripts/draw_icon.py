"""Draws the pack's icon and banner, docs/icon.png and docs/banner.png, from the motion of a sample shot: draw_icon.py."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kinetics.files import write_beside  # noqa: E402
from kinetics.ink import dot, fill, stroke  # noqa: E402
from kinetics.plots.trajectory import speed_colour  # noqa: E402
from kinetics.stick_figure import draw_skeleton  # noqa: E402
from kinetics.synthetic import default_scene  # noqa: E402

#: Drawn so many times larger, and made smaller at the end.
FINE = 3
NIGHT, DUSK = (13, 17, 28), (30, 40, 66)
#: What a small picture can show of a skeleton.
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")
HEAD = (232, 232, 232)


class Swing:
    """A cover drive seen square on, in metres: x to the right, y down, the ground at 0."""

    def __init__(self) -> None:
        scene = default_scene("cover_drive")
        self.hit = scene.peaks["tip_speed"][1]
        self.t = np.arange(self.hit - 0.5, self.hit + 0.42, 0.0025)
        truth = scene.truth(self.t)
        self.names, self.speed = truth.names, truth.tip_speed
        angle = np.radians(315)
        self.xy = np.stack([truth.m @ (np.cos(angle), np.sin(angle), 0), -truth.m[..., 2]], axis=-1)
        self.xy[..., 0] -= self.xy[:, self.names.index("pelvis"), 0].mean()

    def trail(self, image: np.ndarray, place: np.ndarray, scale: float, width: float, until: float) -> None:
        """The tip's way in the colours of its speed, thicker and brighter where it is faster."""
        tip = self.xy[:, self.names.index("bat_tip")] * scale + place
        fastest = self.speed.max()
        for k in range(0, np.searchsorted(self.t, self.hit + until) - 2, 2):
            share = self.speed[k + 1] / fastest
            bright = 0.45 + 0.55 * share  # opaque, mixed with the night: see-through pieces would show where they overlap
            fast = speed_colour(self.speed[k + 1], fastest)
            colour = tuple(round(bright * c + (1 - bright) * n) for c, n in zip(fast, NIGHT, strict=True))
            stroke(image, tip[k : k + 3], colour, width * (0.35 + 0.65 * share))

    def figure(self, image: np.ndarray, place: np.ndarray, scale: float, line: float, after: float, strength: float = 1.0) -> None:
        """The batter so many seconds after the bat was fastest; ``line`` is the trunk that the lines are wide enough for, px."""
        k = int(np.searchsorted(self.t, self.hit + after))
        keep = [i for i, name in enumerate(self.names) if name.partition("_")[2] in PARTS or name == "bat_tip"]
        layer = image.copy()
        xy = self.xy[k] * scale + place
        neck, head = xy[self.names.index("neck")], xy[self.names.index("head")]
        stroke(layer, np.array([neck, neck + 0.4 * (head - neck)]), HEAD, 0.06 * line)
        draw_skeleton(layer, xy[keep], np.ones(len(keep)), [self.names[i] for i in keep], scale=line)
        dot(layer, head, 0.11 * scale, HEAD)
        image[:] = np.rint(image + strength * (layer.astype(float) - image)).astype(np.uint8)


def backdrop(width: int, height: int) -> np.ndarray:
    """Night above, a little lighter towards the ground."""
    share = (np.linspace(0, 1, height) ** 2)[:, None, None]
    return np.broadcast_to(np.array(NIGHT) * (1 - share) + np.array(DUSK) * share, (height, width, 3)).round().astype(np.uint8).copy()


def draw_icon(swing: Swing, side: int = 400) -> Image.Image:
    """(side, side) with round, clear corners."""
    big = side * FINE
    image = backdrop(big, big)
    place, scale = np.array([0.37, 0.875]) * big, 0.375 * big
    swing.trail(image, place, scale, 0.045 * big, 0.42)
    swing.figure(image, place, scale, 0.55 * big, 0.1)
    mask = Image.new("L", (big, big))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, big - 1, big - 1), radius=0.18 * big, fill=255)
    icon = Image.fromarray(image)
    icon.putalpha(mask)
    return icon.resize((side, side), Image.Resampling.LANCZOS)


def draw_banner(swing: Swing, width: int = 1680, height: int = 720) -> Image.Image:
    """21:9: the name, the shot at several moments, and the tip's speed."""
    from matplotlib import get_data_path

    w, h = width * FINE, height * FINE
    image = backdrop(w, h)
    place, scale = np.array([0.70 * w, 0.9 * h]), 0.375 * h
    swing.trail(image, place, scale, 0.034 * h, 0.42)
    swing.figure(image, place, scale, 0.26 * h, -0.26, 0.3)
    swing.figure(image, place, scale, 0.32 * h, 0.1)
    left, low, wide, tall = 0.065 * w, 0.86 * h, 0.36 * w, 0.2 * h
    curve = np.stack([left + wide * (swing.t - swing.t[0]) / np.ptp(swing.t), low - tall * swing.speed / swing.speed.max()], axis=-1)
    for k in range(0, len(curve) - 4, 4):
        colour = speed_colour(swing.speed[k + 2], swing.speed.max())
        under = np.array([*curve[[k, k + 4]], [curve[k + 4, 0], low], [curve[k, 0], low]])
        fill(image, under, colour, 0.16)
        stroke(image, curve[k : k + 5], colour, 0.009 * h)
    page = Image.fromarray(image)
    pen = ImageDraw.Draw(page)
    fonts = Path(get_data_path()) / "fonts" / "ttf"
    title = ImageFont.truetype(fonts / "DejaVuSans-Bold.ttf", round(0.125 * h))
    for row, words in ((0.15, "Correlated"), (0.29, "Kinetics")):
        pen.text((left, row * h), words, font=title, fill=(244, 246, 250), anchor="lt")
    below = ImageFont.truetype(fonts / "DejaVuSans.ttf", round(0.04 * h))
    pen.text((left, 0.47 * h), "The motion of a batter, measured in ComfyUI", font=below, fill=(176, 186, 204), anchor="lt")
    return page.resize((width, height), Image.Resampling.LANCZOS)


def main() -> None:
    swing = Swing()
    for name, picture in (("icon", draw_icon(swing)), ("banner", draw_banner(swing))):
        with write_beside(ROOT / "docs" / f"{name}.png") as part:
            picture.save(part, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
