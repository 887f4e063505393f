"""One training sample: a drawn batter, what the network sees of him, and where his toe truly is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..motion.bat_crops import SIZE, WIDTH, draw_skeleton
from ..motion.bat_network import CELLS
from .backdrops import Bank, draw_net
from .bats import random_bat, sweep
from .lens import degrade
from .paint import box, capsule, colour, fill, lay_over, noise, pick
from .people import SIDES, Brush, random_batter, random_look

#: The toe counts as seen where this share of the blade's end shows, and as hidden below the other; between them the sample has no say.
SEEN, HIDDEN = 0.55, 0.25

#: Share of samples in which somebody goes by behind the batter, and what is drawn of him beyond the crop, pixels.
PASSERS, MARGIN = 0.3, 24


@dataclass(frozen=True)
class Sample:
    """``planes`` (8, 128, 128) uint8 as in the network's BatCrop; ``blade`` (64, 64) uint8, cover of the bat that shows; ``toe`` and
    ``grip`` (2,) px of the crop; ``seen`` 1, 0, or -1 where it can't be said; ``length`` px, the bat's own; ``turn`` degrees a
    frame."""

    planes: np.ndarray
    blade: np.ndarray
    toe: np.ndarray
    grip: np.ndarray
    seen: int
    length: float
    turn: float

    def label(self) -> np.ndarray:
        """(7,) float32: toe x, y, grip x, y, seen, length, turn."""
        return np.array([*self.toe, *self.grip, self.seen, self.length, self.turn], np.float32)


def draw_sample(rng: np.random.Generator, bank: Bank) -> Sample:
    """Draw one."""
    guess = 0.68 * np.exp(np.clip(rng.normal(0, 0.17), -0.4, 0.4))
    scale = SIZE / (WIDTH * guess)
    # The crop is cut round the wrists of the pose, which may be well off the hands; then the skeleton's arms are off with it.
    astray = rng.normal(0, rng.choice([0.06, 0.18, 0.35], p=[0.5, 0.35, 0.15]), 2) * guess
    scene = _Scene(rng, bank, scale, (SIZE - 1) / 2 - astray * scale)
    now, swept, cover = scene.frame(0)
    frames = [
        now if scene.still and rng.random() < 0.5 else scene.frame(-1)[0],
        now,
        now if scene.still and rng.random() < 0.5 else scene.frame(1)[0],
    ]
    frames = [frame.copy() for frame in frames]
    for frame in (frames[0], frames[2]):
        _slip(rng, frame)
    if rng.random() < 0.04:
        mesh = rng.bit_generator.state
        for frame in frames:
            rng.bit_generator.state = mesh
            draw_net(rng, frame)
    _overlays(rng, frames)
    inside = _picture_edge(rng)
    frames = [cv2.bitwise_and(frame, cv2.merge([inside] * 3)) for frame in degrade(rng, frames)]
    shows = cv2.bitwise_and(cv2.multiply(swept[..., 3], 255 - cover, scale=1 / 255), inside)
    reach = scene.bat.reach * scale
    toe = scene.hand + reach * np.array([np.cos(scene.angle), np.sin(scene.angle)])
    seen = _seen(shows, swept[..., 3], inside, toe, 0.13 * scene.length * scale, scene.bat.reach / scene.length) if scene.held else 0
    body, arms = _noisy_skeleton(rng, scene.joints, scale, scene.hand, astray)
    greys = [cv2.transform(frame, np.full((1, 3), 1 / 3)) for frame in (frames[0], frames[2])]
    planes = np.concatenate([frames[1].transpose(2, 0, 1), np.stack([*greys, body, arms, inside])])
    blade = cv2.resize(shows, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return Sample(planes, blade, toe, scene.hand, seen, scene.length * scale, float(np.degrees(scene.turn)))


class _Scene:
    """A batter with his bat before a backdrop, and how they move from frame to frame."""

    def __init__(self, rng: np.random.Generator, bank: Bank, scale: float, hand: np.ndarray):
        self.scale, self.hand = scale, hand
        self.length = rng.uniform(0.62, 0.76)
        self.joints, self.look = random_batter(rng), random_look(rng)
        self.held = rng.random() < 0.92
        self.bat = random_bat(rng, self.length, scale * 1.5, _tilt(rng))
        self.angle, self.turn = _angle(rng), _turn(rng)
        self._spin, self._shutter = self.turn * rng.uniform(-0.25, 0.25), rng.uniform(0.1, 1.0)
        self.still = rng.random() < 0.3
        pace = 0.0 if self.still else abs(self.turn) * rng.uniform(0, 0.12) + rng.uniform(0, 0.02)
        self._drift = rng.normal(0, 0.6, 2) * pace * scale
        self._body_drift, self._sway = self._drift * rng.uniform(0, 1), rng.normal(0, 0.012)
        self._far_arm = rng.choice([*SIDES, "none"], p=[0.25, 0.25, 0.5])
        self._spread, self._glove = rng.uniform(0.03, 0.07), rng.uniform(0.038, 0.058)
        self._stack = {
            "front": ("far", "trunk", "legs", "bat", "hands"),
            "behind": ("bat", "far", "trunk", "legs", "hands"),
            "legs": ("far", "trunk", "bat", "legs", "hands"),
        }[pick(rng, front=0.78, behind=0.14, legs=0.08)]
        self._body = self._draw_body()
        if rng.random() < 0.6:
            _crease(rng, self._body)
        feet = max(self.joints["left_ankle"][1], self.joints["right_ankle"][1]) + 0.05
        self._backdrop = bank.cut(rng, SIZE, scale, hand, feet)
        if rng.random() < 0.4:
            outline = cv2.max(self._body["legs"][..., 3], self._body["trunk"][..., 3])
            self._backdrop = _cast_shadow(rng, self._backdrop, outline, hand[1] + feet * scale)
        self._front = _things_in_front(rng, bank, scale, hand, feet)
        self._passer, self._walk = _passer_by(rng, bank, scale, hand, feet) if rng.random() < PASSERS else (None, np.zeros(2))

    def frame(self, when: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frame ``when`` (-1, 0, 1): the picture, the layer of the bat, and what covers the bat (128, 128)."""
        at = self.hand + self._drift * when
        aim = self.angle + self.turn * when + self._spin * when * when / 2
        layers = dict(self._body)
        if when:
            s, shift = self._sway * when, self._body_drift * when
            moved = np.array([[1, -s, shift[0] + s * self.hand[1]], [s, 1, shift[1] - s * self.hand[0]]])
            layers = {name: cv2.warpAffine(layer, moved, (SIZE, SIZE)) for name, layer in layers.items()}
        layers["bat"] = np.zeros((SIZE, SIZE, 4), np.uint8)
        if self.held:
            half = (self.turn + self._spin * when) * self._shutter / 2
            layers["bat"] = sweep(self.bat, SIZE, self.scale, at, (aim - half, aim + half), self._drift * self._shutter)
        layers["hands"] = self._draw_hands(when, at, aim)
        picture, cover, over_bat = self._backdrop, np.zeros((SIZE, SIZE), np.uint8), False
        if self._passer is not None:
            x, y = self._walk * when - MARGIN
            picture = lay_over(picture, cv2.warpAffine(self._passer, np.array([[1, 0, x], [0, 1, y]]), (SIZE, SIZE)))
        for name in self._stack:
            picture = lay_over(picture, layers[name])
            if over_bat:
                cover = cv2.max(cover, layers[name][..., 3])
            over_bat = over_bat or name == "bat"
        if self._front is not None:
            picture, cover = lay_over(picture, self._front), cv2.max(cover, self._front[..., 3])
        return picture, layers["bat"], cover

    def _draw_body(self) -> dict[str, np.ndarray]:
        layers = {name: np.zeros((SIZE, SIZE, 4), np.uint8) for name in ("far", "trunk", "legs")}
        brushes = {name: Brush(layer, self.joints, self.look, self.scale, self.hand) for name, layer in layers.items()}
        if self._far_arm != "none":
            brushes["far"].arm(self._far_arm)
        brushes["trunk"].trunk()
        brushes["trunk"].head()
        brushes["legs"].legs()
        return layers

    def _draw_hands(self, when: int, at: np.ndarray, aim: float) -> np.ndarray:
        """The near arm or arms, which reach from the body to the hands, and the hands on the handle."""
        layer = np.zeros((SIZE, SIZE, 4), np.uint8)
        behind = (self._body_drift - self._drift) * when / self.scale
        joints = dict(self.joints)
        for name in (f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "elbow")):
            joints[name] = joints[name] + behind
        brush = Brush(layer, joints, self.look, self.scale, at)
        for side in SIDES:
            if side != self._far_arm:
                brush.arm(side)
        shortened = self.bat.reach / self.length
        brush.hands(np.array([np.cos(aim), np.sin(aim)]) * self.scale * shortened, self._spread, self._glove)
        return layer


def _slip(rng: np.random.Generator, frame: np.ndarray) -> None:
    """What is left of the camera's motion between a neighbour and the frame: mostly little, in one of five a lot."""
    x, y = rng.normal(0, 0.4 if rng.random() < 0.8 else 5, 2)
    frame[:] = cv2.warpAffine(frame, np.array([[1, 0, x], [0, 1, y]]), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def _tilt(rng: np.random.Generator) -> float:
    """How much of its length the bat shows: mostly most of it."""
    return float(np.cos(np.deg2rad(min(abs(rng.normal(0, 40)), 88))))


def _angle(rng: np.random.Generator) -> float:
    """Direction from the hands to the toe in the picture, radians, y down: down by the pads, up behind the shoulder, level, or any."""
    kind = pick(rng, down=0.3, up=0.25, level=0.2, any=0.25)
    if kind == "any":
        return rng.uniform(-np.pi, np.pi)
    middle = {"down": 90, "up": -90, "level": rng.choice([0, 180])}[kind]
    return np.deg2rad(middle + rng.normal(0, 26))


def _turn(rng: np.random.Generator) -> float:
    """Radians a frame."""
    kind = pick(rng, still=0.4, slow=0.27, fast=0.33)
    span = {"still": (0, 2), "slow": (2, 15), "fast": (15, 60)}[kind]
    return np.deg2rad(rng.uniform(*span)) * rng.choice([-1, 1])


def _crease(rng: np.random.Generator, layers: dict[str, np.ndarray]) -> None:
    """Folds and light over the clothes: the layers' colours made lighter and darker in soft patches."""
    depth = rng.uniform(3, 16)
    patches = np.clip(depth * (noise(rng, SIZE, SIZE, int(rng.choice([4, 7, 16]))) - 0.8), -60, 0).astype(np.int16)
    for name in ("trunk", "legs"):
        layer = layers[name]
        dark = cv2.cvtColor((-patches).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        layer[..., :3] = cv2.subtract(cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), dark)


def _cast_shadow(rng: np.random.Generator, backdrop: np.ndarray, cover: np.ndarray, ground: float) -> np.ndarray:
    """The backdrop with the batter's shadow on the ground: his outline laid down from the feet."""
    slant, flat = rng.uniform(-1.5, 1.5), rng.choice([-1, 1]) * rng.uniform(0.15, 0.6)
    lay = np.array([[1, slant, -slant * ground], [0, flat, ground * (1 - flat)]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(cover, lay, (SIZE, SIZE)), (0, 0), 1.0)
    dark = 255 - cv2.convertScaleAbs(shadow, alpha=rng.uniform(0.25, 0.65))
    return cv2.multiply(backdrop, cv2.merge([dark] * 3), scale=1 / 255)


def _passer_by(rng: np.random.Generator, bank: Bank, scale: float, hand: np.ndarray, feet: float) -> tuple[np.ndarray, np.ndarray]:
    """Somebody who walks or runs behind the batter: a layer with ``MARGIN`` round the crop, and pixels a frame. A cap that moves behind the
    bat was taken for its toe by a network that had seen only people who stand."""
    size_ratio = rng.uniform(0.55, 1.1)
    place = hand + np.array([rng.normal(0, 0.6), feet - (1 - size_ratio) * rng.uniform(0, 0.9) + rng.normal(0, 0.08)]) * scale
    pace = rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.01), np.log(0.25))) * size_ratio * scale
    return bank.bystander_layer(rng, place + MARGIN, size_ratio * scale, SIZE + 2 * MARGIN), np.array([pace, rng.normal(0, 0.1 * abs(pace))])


def _things_in_front(rng: np.random.Generator, bank: Bank, scale: float, hand: np.ndarray, feet: float) -> np.ndarray | None:
    """A layer of what stands before the batter, in one sample of six: somebody, a pole, a ball."""
    kind = pick(rng, nothing=0.84, person=0.05, bar=0.05, ball=0.06)
    if kind == "nothing":
        return None
    layer = np.zeros((SIZE, SIZE, 4), np.uint8)
    if kind == "person":
        return bank.bystander_layer(
            rng,
            hand + np.array([rng.choice([-1, 1]) * rng.uniform(0.25, 1.0), feet + rng.uniform(0, 0.4)]) * scale,
            scale * rng.uniform(0.9, 1.3),
            SIZE,
        )
    if kind == "bar":
        angle = rng.uniform(0, np.pi)
        fill(
            layer,
            box(
                hand + rng.uniform(-0.6, 0.6, 2) * scale,
                np.array([np.cos(angle), np.sin(angle)]),
                rng.uniform(0.1, 1.2) * scale,
                rng.uniform(0.01, 0.05) * scale,
            ),
            colour(rng),
        )
    else:
        place, path = rng.uniform(0, SIZE, 2), rng.normal(0, 0.1, 2) * scale
        fill(layer, capsule(place, place + path, 0.036 * scale, 0.036 * scale), colour(rng, pick(rng, pale=0.6, vivid=0.4)))
    return layer


def _overlays(rng: np.random.Generator, frames: list[np.ndarray]) -> None:
    """Score bars and logos on the screen, in one sample of ten."""
    if rng.random() > 0.1:
        return
    top, left = rng.integers(0, SIZE, 2)
    if rng.random() < 0.5:
        left, top = 0, rng.choice([0, SIZE - 14])
    wide, tall = rng.integers(20, SIZE), rng.integers(5, 16)
    shade, ink = colour(rng), colour(rng)
    dots = rng.integers(0, max(wide - 4, 1), 12)
    for frame in frames:
        cv2.rectangle(frame, (int(left), int(top)), (int(left + wide), int(top + tall)), shade.tolist(), -1)
        for x in dots:
            cv2.rectangle(frame, (int(left + x), int(top + 2)), (int(left + x + 2), int(top + tall - 3)), ink.tolist(), -1)


def _picture_edge(rng: np.random.Generator) -> np.ndarray:
    """(128, 128) uint8: 255 inside the picture; in one sample of three an edge or two cut in."""
    inside = np.full((SIZE, SIZE), 255, np.uint8)
    if rng.random() < 0.25:
        for side in rng.choice(4, size=rng.integers(1, 3), replace=False):
            depth = int(2 + 56 * rng.random() ** 2)
            view = inside if side < 2 else inside.T
            view[:depth] = view[:depth] if side % 2 else 0
            view[SIZE - depth :] = 0 if side % 2 else view[SIZE - depth :]
    return inside


def _seen(shows: np.ndarray, whole: np.ndarray, inside: np.ndarray, toe: np.ndarray, radius: float, shortened: float) -> int:
    """1 where the end of the blade shows, 0 where it doesn't, lies outside or points at the camera, -1 between."""
    if not (1 <= toe[0] < SIZE - 1 and 1 <= toe[1] < SIZE - 1) or not inside[round(toe[1]), round(toe[0])]:
        return 0
    near = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(near, tuple(np.round(toe).astype(int).tolist()), int(np.ceil(radius)), 255, -1)
    there = near > 0
    share = float(shows[there].sum()) / max(float(whole[there].sum()), 1.0)
    if share < HIDDEN or shortened < 0.2:
        return 0
    return 1 if share > SEEN and shortened > 0.3 else -1


def _noisy_skeleton(
    rng: np.random.Generator, joints: dict, scale: float, hand: np.ndarray, astray: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The skeleton as an estimator would give it: shifted, jittered, some joints far off or missing, at times none at all."""
    if rng.random() < 0.06:
        return np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    jitter, shift = rng.uniform(0.008, 0.05), rng.normal(0, 0.03, 2)
    no_arm = rng.choice([*SIDES, "", "", ""])
    follow = rng.choice([0.0, 1.0], p=[0.15, 0.85])
    known = {}
    for name, place in joints.items():
        if rng.random() < 0.03 or (no_arm and name in (f"{no_arm}_elbow", f"{no_arm}_wrist")):
            continue
        wrong = rng.normal(0, 0.2, 2) if rng.random() < 0.03 else 0
        if name.endswith("wrist"):
            wrong = wrong + follow * astray
        known[name] = hand + scale * (place + shift + rng.normal(0, jitter, 2) + wrong)
    return draw_skeleton(known)
