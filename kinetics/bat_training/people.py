"""Figures for the training samples: a batter about his hands, and other people, in metres; drawn on layers.

x right, y down. The looks cover what misled the first network: helmets with a hard rear edge, pale pads with ribs, shoes, gloves, stripes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .paint import box, capsule, colour, fill, line, lit, pick

SIDES = ("left", "right")


@dataclass(frozen=True)
class Look:
    """Colours and choices of one person's clothing."""

    top: np.ndarray
    trousers: np.ndarray
    skin: np.ndarray
    sleeve: np.ndarray
    helmet: np.ndarray
    grille: np.ndarray
    gloves: np.ndarray
    glove_mark: np.ndarray
    shoes: np.ndarray
    pads: np.ndarray
    trim: np.ndarray
    head_kind: str
    padded: bool
    bare_hands: bool
    ribs: int
    rolls: int
    pad_width: float
    bulk: float
    light: np.ndarray
    facing: float
    head_tilt: float
    marks: np.ndarray


def random_look(rng: np.random.Generator, padded: float = 0.85, helmeted: float = 0.75) -> Look:
    """A person's clothing; ``padded`` and ``helmeted`` are the chances of pads and of a helmet."""
    top = colour(rng)
    trousers = top if rng.random() < 0.4 else colour(rng)
    pads = pick(rng, pale=0.5, any=0.3, trousers=0.2)
    pad_colour = trousers if pads == "trousers" else colour(rng, pads)
    helmet = pick(rng, dark=0.33, any=0.3, pale=0.15, top=0.12, pads=0.1)
    return Look(
        top=top,
        trousers=trousers,
        skin=colour(rng, "skin"),
        sleeve=top if rng.random() < 0.5 else colour(rng, pick(rng, skin=0.7, pale=0.2, any=0.1)),
        helmet=top if helmet == "top" else pad_colour if helmet == "pads" else colour(rng, helmet),
        grille=colour(rng, pick(rng, dark=0.6, pale=0.4)),
        gloves=colour(rng, pick(rng, pale=0.65, any=0.35)),
        glove_mark=colour(rng),
        shoes=colour(rng, pick(rng, pale=0.65, any=0.35)),
        pads=pad_colour,
        trim=colour(rng),
        head_kind="helmet" if rng.random() < helmeted else pick(rng, cap=0.4, bare=0.3, hat=0.3),
        padded=rng.random() < padded,
        bare_hands=rng.random() < 0.1,
        ribs=int(rng.integers(0, 7)),
        rolls=int(rng.integers(0, 4)),
        pad_width=rng.uniform(0.085, 0.125),
        bulk=rng.uniform(0.8, 1.25),
        light=np.array([rng.uniform(-0.9, 0.9), -rng.uniform(0.1, 0.6)]),
        facing=float(rng.choice([-1, 1])),
        head_tilt=rng.normal(0.15, 0.35),
        marks=rng.random((3, 3)),
    )


def bend(start: np.ndarray, end: np.ndarray, upper: float, lower: float, side: float) -> tuple[np.ndarray, np.ndarray]:
    """The joint between two bones that reach from start towards end, bent to one side, and where they reach."""
    d = end - start
    span = max(float(np.hypot(*d)), 1e-6)
    reach = min(span, 0.98 * (upper + lower))
    end = start + d * (reach / span)
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    off = np.sqrt(max(upper**2 - along**2, 0.0))
    u = d / span
    return start + u * along + side * off * np.array([-u[1], u[0]]), end


def random_batter(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Joints of a batter, metres about the middle of the hands; stance, backlift, drive, cross-bat shot or follow-through."""
    facing = rng.choice([-1.0, 1.0])
    joints = {}
    lean = np.deg2rad(rng.normal(18, 20))
    up = np.array([facing * np.sin(lean), -np.cos(lean)])
    trunk = 0.50 * rng.uniform(0.75, 1.02)
    pelvis = np.zeros(2)
    neck = pelvis + trunk * up
    across = np.array([rng.uniform(0.02, 0.19), rng.normal(0, 0.05)])
    for side, sign in zip(SIDES, (-1, 1), strict=True):
        joints[f"{side}_shoulder"] = neck + sign * across + rng.normal(0, 0.01, 2)
        joints[f"{side}_hip"] = pelvis + sign * across * rng.uniform(0.4, 0.7)
        joints[f"{side}_ankle"] = pelvis + np.array([sign * (0.45 * rng.random() ** 1.5 - 0.04), rng.uniform(0.58, 0.84)])
        joints[f"{side}_knee"], joints[f"{side}_ankle"] = bend(
            joints[f"{side}_hip"], joints[f"{side}_ankle"], 0.42, 0.42, rng.choice([-1, 1], p=[0.25, 0.75]) * -facing * rng.uniform(0.5, 1)
        )
        joints[f"{side}_foot"] = joints[f"{side}_ankle"] + np.array([facing * rng.uniform(-0.12, 0.24), rng.uniform(0.03, 0.09)])
    kind = pick(rng, low=0.38, middle=0.22, high=0.25, near=0.15)
    if kind == "low":
        hand = neck + np.array([facing * rng.uniform(-0.1, 0.35), rng.uniform(0.35, 0.62)])
    elif kind == "middle":
        hand = neck + rng.uniform(0.3, 0.56) * np.array([rng.choice([-1, 1]) * np.cos(a := rng.normal(0.2, 0.5)), np.sin(a)])
    elif kind == "high":
        hand = neck + np.array([rng.normal(0, 0.3), -rng.uniform(0.0, 0.45)])
    else:
        hand = neck + np.array([rng.normal(0, 0.15), rng.uniform(-0.05, 0.35)])
    for side in SIDES:
        shoulder = joints[f"{side}_shoulder"]
        near = shoulder + (hand - shoulder) * max(0.0, 1 - 0.05 / (np.hypot(*(hand - shoulder)) + 1e-6))
        joints[f"{side}_elbow"], joints[f"{side}_wrist"] = bend(shoulder, near, 0.29, 0.26, rng.choice([-1, 1]) * rng.uniform(0.4, 1))
    joints["nose"] = neck + np.array([facing * rng.uniform(-0.05, 0.12) + 0.12 * up[0], -rng.uniform(0.17, 0.26)])
    # The hands are where the arms reach; they are the origin.
    origin = (joints["left_wrist"] + joints["right_wrist"]) / 2
    return {name: place - origin for name, place in joints.items()}


def random_bystander(rng: np.random.Generator, kind: str) -> dict[str, np.ndarray]:
    """Joints of a keeper, an umpire or a fielder, metres about the point between the feet."""
    facing = rng.choice([-1.0, 1.0])
    crouch = rng.uniform(0.35, 0.6) if kind == "keeper" else rng.uniform(0.74, 0.86)
    lean = np.deg2rad(rng.normal(35, 12) if kind == "keeper" else rng.normal(5, 8))
    pelvis = np.array([rng.normal(0, 0.06), -crouch])
    up = np.array([facing * np.sin(lean), -np.cos(lean)])
    neck = pelvis + 0.5 * rng.uniform(0.8, 1) * up
    half = rng.uniform(0.1, 0.2)
    joints = {}
    for side, sign in zip(SIDES, (-1, 1), strict=True):
        joints[f"{side}_shoulder"] = neck + np.array([sign * half, 0.02])
        joints[f"{side}_hip"] = pelvis + np.array([sign * half * 0.6, 0])
        ankle = np.array([sign * rng.uniform(0.05, 0.3), -0.06])
        joints[f"{side}_knee"], joints[f"{side}_ankle"] = bend(
            joints[f"{side}_hip"], ankle, 0.42, 0.42, -sign if kind == "keeper" else facing
        )
        joints[f"{side}_foot"] = joints[f"{side}_ankle"] + np.array([facing * 0.1, 0.05])
        hand = neck + (np.array([sign * 0.1, 0.45]) if kind != "fielder" else rng.normal((0, 0.2), 0.35))
        joints[f"{side}_elbow"], joints[f"{side}_wrist"] = bend(joints[f"{side}_shoulder"], hand, 0.29, 0.26, sign)
    joints["nose"] = neck + np.array([facing * 0.05, -0.2])
    return joints


class Brush:
    """Draws a person's parts on a layer: metres to pixels by ``scale`` and ``origin``."""

    def __init__(self, layer: np.ndarray, joints: dict[str, np.ndarray], look: Look, scale: float, origin: np.ndarray):
        self.layer, self.look, self.scale = layer, look, scale
        self.at = {name: np.asarray(origin) + scale * place for name, place in joints.items()}

    def _limb(
        self, start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float, shade: np.ndarray, shaded: bool = True
    ) -> None:
        a, b = start_radius * self.scale, end_radius * self.scale
        fill(self.layer, capsule(start, end, a, b), shade)
        if shaded:
            shift = self.look.light * min(a, b) * 0.4
            fill(self.layer, capsule(start + shift, end + shift, a * 0.45, b * 0.45), lit(shade, 1.14))
            fill(self.layer, capsule(start - shift * 1.5, end - shift * 1.5, a * 0.3, b * 0.3), lit(shade, 0.82))

    def legs(self) -> None:
        """Both legs with shoes, and pads where worn."""
        look, s, at = self.look, self.scale, self.at
        for side in SIDES:
            hip, knee, ankle, foot = (at[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "foot"))
            self._limb(hip, knee, 0.095 * look.bulk, 0.07 * look.bulk, look.trousers)
            self._limb(knee, ankle, 0.065 * look.bulk, 0.05 * look.bulk, look.trousers)
            self._limb(ankle + np.array([0, 0.02 * s]), foot, 0.05, 0.04, look.shoes, False)
            if look.marks[2, 2] > 0.5:
                sole = np.array([0, 0.035 * s])
                line(self.layer, ankle + sole, foot + sole, lit(look.shoes, 0.6))
                line(self.layer, (ankle + foot) / 2 - sole, (ankle + foot) / 2 + sole / 2, look.trim)
            if look.padded:
                self._pad(knee, ankle)

    def _pad(self, knee: np.ndarray, ankle: np.ndarray) -> None:
        look, s = self.look, self.scale
        u = knee - ankle
        u = u / max(np.hypot(*u), 1e-6)
        across = np.array([-u[1], u[0]])
        top, bottom = knee + u * 0.15 * s, ankle + u * 0.02 * s
        width = look.pad_width
        self._limb(bottom, knee, width * 0.75, width, look.pads)
        self._limb(knee, top, width, width * 0.85, look.pads, False)
        for k in range(look.ribs):
            offset = across * width * s * 0.8 * (2 * (k + 0.5) / look.ribs - 1)
            line(self.layer, bottom + offset * 0.8, top + offset, lit(look.pads, 0.78 if k % 2 else 0.86))
        for k in range(look.rolls):
            middle = knee + u * s * (0.06 * k - 0.05)
            line(self.layer, middle - across * width * s, middle + across * width * s, lit(look.pads, 0.72))
        if look.marks[0, 0] < 0.4:
            edge = across * width * s * look.light[0] / abs(look.light[0])
            line(self.layer, bottom + edge * 0.8, top + edge, look.trim)

    def trunk(self) -> None:
        """Shirt and neck."""
        look, s, at = self.look, self.scale, self.at
        neck = (at["left_shoulder"] + at["right_shoulder"]) / 2
        pelvis = (at["left_hip"] + at["right_hip"]) / 2
        half = max(np.hypot(*(at["left_shoulder"] - at["right_shoulder"])) / 2 / s, 0.06)
        self._limb(neck + (pelvis - neck) * 0.15, pelvis, (half + 0.05) * look.bulk, 0.135 * look.bulk, look.top)
        self._limb(at["left_shoulder"], at["right_shoulder"], 0.08 * look.bulk, 0.08 * look.bulk, look.top, False)
        down = pelvis - neck
        for chance, place, size in look.marks:
            if chance < 0.5:
                middle = neck + down * (0.2 + 0.7 * place) + np.array([(size - 0.5) * 0.2 * s, 0])
                fill(self.layer, box(middle, np.array([1.0, 0.05]), (0.02 + 0.1 * size) * s, (0.015 + 0.05 * place) * s), look.trim)
        if look.marks[1, 1] < 0.35:
            edge = np.array([0.1 * s * look.facing, 0])
            line(self.layer, neck + edge, pelvis + edge, look.trim, max(1, int(0.03 * s)))

    def head(self) -> None:
        """Face, and helmet, cap, hat or hair; tilted as the look has it."""
        look, s = self.look, self.scale * (0.92 + 0.25 * self.look.marks[2, 1])
        # In the head's own frame x runs forward and y down.
        c, sn = np.cos(look.head_tilt), np.sin(look.head_tilt)
        turn = s * np.array([[c * look.facing, -sn * look.facing], [sn, c]])
        face = self.at["nose"]

        def blob(start: tuple, end: tuple, start_radius: float, end_radius: float, shade: np.ndarray) -> None:
            fill(self.layer, capsule(face + turn @ start, face + turn @ end, start_radius * s, end_radius * s), shade)

        def stroke(start: tuple, end: tuple, shade: np.ndarray, width: int = 1) -> None:
            line(self.layer, face + turn @ start, face + turn @ end, shade, width)

        blob((-0.02, -0.03), (0.015, 0.07), 0.085, 0.06, look.skin)
        if look.head_kind == "helmet":
            if look.marks[2, 0] < 0.6:  # flaps over ears and neck
                blob((-0.06, 0.03), (-0.055, 0.075), 0.06, 0.045, lit(look.helmet, 0.9))
            blob((-0.05, -0.06), (0.01, -0.055), 0.12, 0.115, look.helmet)
            blob((-0.06 + 0.03 * look.light[0], -0.1), (-0.01, -0.1), 0.05, 0.045, lit(look.helmet, 1.25))
            if look.marks[1, 2] < 0.5:
                stroke((-0.15, -0.03), (-0.03, -0.16), lit(look.helmet, 1.3 if look.marks[1, 2] < 0.25 else 0.7))
            if look.marks[2, 2] < 0.4:
                blob((0.03, -0.08), (0.05, -0.08), 0.03, 0.03, look.trim)
            fill(
                self.layer,
                (face + (turn @ np.array([[0.06, -0.05], [0.17, -0.02], [0.165, 0.0], [0.05, -0.01]]).T).T),
                lit(look.helmet, 0.8),
            )
            for k in range(3):
                stroke((0.0, 0.01 + 0.035 * k), (0.115, 0.02 + 0.035 * k), look.grille)
            stroke((0.11, -0.01), (0.1, 0.1), look.grille)
        elif look.head_kind in ("cap", "hat"):
            blob((-0.045, -0.085), (0.02, -0.085), 0.075, 0.075, look.helmet)
            front = 0.16 if look.head_kind == "hat" else 0.15
            back = -0.16 if look.head_kind == "hat" else 0.0
            corners = np.array([[back, -0.065], [front, -0.06], [front, -0.035], [back, -0.035]])
            fill(self.layer, face + (turn @ corners.T).T, lit(look.helmet, 0.85))
        else:
            blob((-0.04, -0.075), (0.0, -0.075), 0.072, 0.07, lit(look.skin, 0.3))

    def arm(self, side: str) -> None:
        """One arm: sleeve, forearm, elbow guard or wristband at times."""
        look = self.look
        shoulder, elbow, wrist = (self.at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
        self._limb(shoulder, elbow, 0.062 * look.bulk, 0.048 * look.bulk, look.top)
        self._limb(elbow, wrist, 0.044 * look.bulk, 0.034 * look.bulk, look.sleeve)
        if look.marks[2, 0] < 0.25:
            self._limb(elbow, elbow + (wrist - elbow) * 0.6, 0.052, 0.042, look.pads)
        elif look.marks[2, 0] < 0.45:
            fill(self.layer, box(elbow + (wrist - elbow) * 0.8, _unit(wrist - elbow), 0.02 * self.scale, 0.045 * self.scale), look.trim)

    def hands(self, along: np.ndarray, spread: float, size: float) -> None:
        """Two gloved (or bare) hands on a handle that lies along ``along`` (pixels per metre of handle, shortened by the view)."""
        look, s = self.look, self.scale
        middle = (self.at["left_wrist"] + self.at["right_wrist"]) / 2
        across = np.array([-along[1], along[0]]) / max(np.hypot(*along), 1e-6) * s
        shade = look.skin if look.bare_hands else look.gloves
        size = size * (0.7 if look.bare_hands else 1.0)
        for sign in (-1, 1):
            place = middle + along * spread * sign
            a, b = place - across * 0.03 * size / 0.05, place + across * 0.035 * size / 0.05
            fill(self.layer, capsule(a, b, size * s, size * 0.85 * s), shade)
            fill(self.layer, capsule(a + look.light * 0.01 * s, b + look.light * 0.01 * s, size * 0.5 * s, size * 0.4 * s), lit(shade, 1.1))
            if not look.bare_hands:
                for k in range(2):
                    across_finger = place + along * 0.02 * (2 * k - 1) * (size / 0.05)
                    line(self.layer, across_finger - across * 0.04, across_finger + across * 0.05, lit(shade, 0.75))
                if look.marks[0, 1] < 0.5:
                    fill(self.layer, capsule(a, a + across * 0.02, size * 0.5 * s, size * 0.4 * s), look.glove_mark)


def draw_person(layer: np.ndarray, joints: dict[str, np.ndarray], look: Look, scale: float, origin: np.ndarray) -> None:
    """A whole bystander on a layer."""
    brush = Brush(layer, joints, look, scale, origin)
    brush.legs()
    brush.trunk()
    brush.head()
    for side in SIDES:
        brush.arm(side)
        radius = 0.05 if look.bare_hands or not look.padded else 0.09
        hand = brush.at[f"{side}_wrist"]
        fill(
            layer,
            capsule(hand, hand + np.array([0, 0.03 * scale]), radius * scale, radius * scale),
            look.gloves if look.padded else look.skin,
        )


def _across(middle: np.ndarray, half: float, radius: float) -> np.ndarray:
    return capsule(middle - np.array([half, 0]), middle + np.array([half, 0]), radius, radius)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / max(np.hypot(*v), 1e-6)
