"""One skeleton drawn into a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .ink import Colour, dot, fill, stroke, write
from .pose.body import torso_length

#: Orange and sky blue of Okabe & Ito's palette: told apart with every kind of colour vision, and on black, grass and skin.
LEFT: Colour = (242, 150, 20)
RIGHT: Colour = (70, 172, 245)
CENTRE: Colour = (232, 232, 232)
BAT: Colour = (250, 232, 80)
HALO: Colour = (12, 12, 14)

#: Bones: two joints and the share of the full line width.
BONES = (
    ("left_shoulder", "right_shoulder", 1.0), ("left_hip", "right_hip", 1.0), ("left_shoulder", "left_hip", 0.75), ("right_shoulder", "right_hip", 0.75),
    ("neck", "nose", 0.75),
    *((f"{side}_{a}", f"{side}_{b}", width) for side in ("left", "right") for a, b, width in (
        ("shoulder", "elbow", 1.0), ("elbow", "wrist", 1.0), ("hip", "knee", 1.15), ("knee", "ankle", 1.15),
        ("ankle", "heel", 0.6), ("heel", "foot", 0.6), ("ankle", "foot", 0.6),
        ("wrist", "index", 0.45), ("wrist", "pinky", 0.45), ("wrist", "thumb", 0.45), ("index", "pinky", 0.45),
    )),
)  # fmt: skip

#: Size of a joint's dot against those of the large joints; by name or by name without its side. Others, such as the mouth's, have none.
DOTS = {
    **dict.fromkeys(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), 1.0),
    "nose": 0.6, "eye": 0.4, "ear": 0.4, "heel": 0.5, "foot": 0.6, "thumb": 0.4, "index": 0.4, "pinky": 0.4,
}  # fmt: skip

#: Below this confidence a joint is a ring, not a disc.
SURE = 0.5


def draw_skeleton(
    image: np.ndarray, xy: np.ndarray, conf: np.ndarray, names: Sequence[str], *, scale: float | None = None,
    trail: Mapping[str, np.ndarray] | None = None, colour: Colour | None = None,
) -> None:  # fmt: skip
    """Draw one frame's skeleton into a picture.

    Left is orange, right is blue, the middle near-white, the bat yellow, all with a dark edge. The less sure a joint is, the fainter it and
    its bones are; below 0.5 its dot is hollow. A missing joint isn't drawn, nor a bone with a missing end.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB, changed in place
    xy : (K, 2) pixels of ``image``, NaN where missing; (0, 0) is the middle of the first pixel
    conf : (K,) 0 to 1
    names : K joint names
    scale : float, optional
        Trunk length in pixels, which sets the line width; that of this frame when not given.
    trail : mapping of joint name to (n, 3), optional
        Recent positions x, y and age, oldest first; age from 0 (now) to 1 (faded away). NaN breaks the trail.
    colour : RGB, optional
        Of everything, to tell two people apart instead of left and right.
    """
    xy = np.asarray(xy, np.float64)
    at = {name: point for name, point in zip(names, xy, strict=True) if np.isfinite(point).all()}
    sure = {name: float(np.clip(c, 0, 1)) for name, c in zip(names, conf, strict=True)}
    unit = torso_length(xy[None], names) if scale is None else float(scale)
    line = _line_width(unit)

    def ink(name: str) -> Colour:
        return colour or _colour(name)

    for name, path in (trail or {}).items():
        _draw_trail(image, path, ink(name), line)
    if "neck" not in at and {"left_shoulder", "right_shoulder"} <= set(at):
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
        sure["neck"] = min(sure["left_shoulder"], sure["right_shoulder"])
    bones = [(a, b, max(1.2, share * line), min(sure[a], sure[b])) for a, b, share in BONES if a in at and b in at]
    dots = [(name, max(1.2, 0.85 * line * _dot_share(name))) for name in at if _dot_share(name) > 0]
    edge = max(0.8, 0.35 * line)
    for a, b, width, certainty in bones:
        stroke(image, np.array([at[a], at[b]]), HALO, width + 2 * edge, 0.75 * _opacity(certainty))
    for name, radius in dots:
        dot(image, at[name], radius + min(edge, 0.6 * radius), HALO, 0.75 * _opacity(sure[name]))
    for a, b, width, certainty in bones:
        stroke(image, np.array([at[a], at[b]]), ink(a) if _side(a) == _side(b) else colour or CENTRE, width, _opacity(certainty))
    for name, radius in dots:
        if sure[name] >= SURE:
            dot(image, at[name], radius, _lighter(ink(name)), _opacity(sure[name]))
        else:
            dot(image, at[name], radius, HALO, 0.9)
            dot(image, at[name], radius, ink(name), 0.9, ring=max(1.0, 0.3 * line))
    if "bat_tip" in at:
        _draw_bat(image, at, sure["bat_tip"], unit, edge, ink("bat_tip"))


def draw_legend(image: np.ndarray) -> None:
    """Write a small L and R in their colours into the upper left corner."""
    size = max(9, round(min(image.shape[:2]) / 26))
    x = y = 0.9 * size
    for letter, colour in (("L", LEFT), ("R", RIGHT)):
        stroke(image, np.array([[x, y], [x + 0.8 * size, y]]), HALO, max(3.0, 0.45 * size), 0.6)
        stroke(image, np.array([[x, y], [x + 0.8 * size, y]]), colour, max(2.0, 0.22 * size), 0.95)
        x += 1.25 * size
        x += write(image, letter, (x, y), size, colour) + 0.8 * size


def _draw_trail(image: np.ndarray, path: np.ndarray, colour: Colour, line: float) -> None:
    fresh = 1 - (path[:-1, 2] + path[1:, 2]) / 2
    stroke(image, path[:, :2], colour, 0.7 * line, 0.8 * np.clip(fresh, 0, 1) ** 1.5)


def _draw_bat(image: np.ndarray, at: Mapping[str, Any], certainty: float, unit: float, edge: float, colour: Colour) -> None:
    """The bat from the hands to its tip: a thin handle, and the blade from 35 % of the way on."""
    hands = [at[name] for name in ("left_wrist", "right_wrist") if name in at]
    if not hands:
        dot(image, at["bat_tip"], max(2.0, 0.05 * unit), colour, _opacity(certainty))
        return
    grip, tip = np.mean(hands, axis=0), at["bat_tip"]
    along = tip - grip
    length = float(np.linalg.norm(along))
    if length < 1:
        return
    across = np.array([-along[1], along[0]]) / length * max(1.5, 0.055 * unit)
    shoulder = grip + 0.35 * along
    blade = np.array([shoulder + 0.8 * across, tip + across, tip - across, shoulder - 0.8 * across])
    handle = np.array([grip, shoulder])
    alpha = _opacity(certainty)
    thin = max(1.2, 0.035 * unit)
    stroke(image, handle, HALO, thin + 2 * edge, 0.75 * alpha)
    stroke(image, np.concatenate([blade, blade[:1]]), HALO, 2 * edge, 0.75 * alpha)
    stroke(image, handle, colour, thin, alpha)
    fill(image, blade, colour, 0.9 * alpha)


def _line_width(unit: float) -> float:
    return float(np.clip(0.052 * unit, 1.5, 24)) if np.isfinite(unit) else 2.0


def _side(name: str) -> str:
    return name.partition("_")[0] if name.startswith(("left_", "right_")) else "centre"


def _colour(name: str) -> Colour:
    return BAT if name == "bat_tip" else {"left": LEFT, "right": RIGHT, "centre": CENTRE}[_side(name)]


def _lighter(colour: Colour) -> Colour:
    return tuple(round(0.7 * value + 0.3 * 255) for value in colour)


def _dot_share(name: str) -> float:
    return DOTS.get(name.removeprefix("left_").removeprefix("right_"), 0.0)


def _opacity(certainty: float) -> float:
    return 0.3 + 0.7 * certainty
