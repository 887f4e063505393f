"""Clothes for a skeleton: shapes in metres from joints, drawn by a :class:`~.raster.Raster` through a camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .body import BLADE_DEPTH, BLADE_WIDTH, HANDLE, UP
from .raster import Raster

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Dress:
    """Colours of a person's clothes, RGB."""

    shirt: Rgb
    sleeve: Rgb
    trousers: Rgb
    helmet: Rgb
    skin: Rgb
    pads: Rgb = (238, 238, 230)
    gloves: Rgb = (240, 240, 236)
    shoes: Rgb = (236, 236, 232)
    stripe: Rgb = (250, 205, 60)
    hat: str = "helmet"


#: The batter's kits; ``Batter.kit`` picks one.
KITS = (
    Dress(
        shirt=(28, 78, 168), sleeve=(28, 78, 168), trousers=(26, 66, 142), helmet=(20, 44, 104), skin=(198, 146, 112), pads=(84, 132, 214)
    ),
    Dress(
        shirt=(246, 202, 54),
        sleeve=(36, 110, 72),
        trousers=(228, 186, 48),
        helmet=(30, 92, 60),
        skin=(224, 176, 144),
        stripe=(30, 100, 66),
        pads=(244, 220, 130),
    ),
    Dress(
        shirt=(196, 40, 58),
        sleeve=(196, 40, 58),
        trousers=(150, 30, 46),
        helmet=(110, 22, 36),
        skin=(132, 90, 66),
        stripe=(245, 235, 220),
        pads=(214, 96, 104),
    ),
    Dress(
        shirt=(238, 238, 232),
        sleeve=(238, 238, 232),
        trousers=(230, 230, 224),
        helmet=(28, 38, 70),
        skin=(206, 156, 122),
        stripe=(40, 60, 120),
    ),
    Dress(
        shirt=(20, 140, 140),
        sleeve=(16, 100, 110),
        trousers=(18, 112, 116),
        helmet=(12, 64, 74),
        skin=(178, 128, 96),
        stripe=(255, 240, 120),
        pads=(70, 178, 172),
    ),
    Dress(
        shirt=(112, 56, 150),
        sleeve=(238, 120, 170),
        trousers=(92, 46, 128),
        helmet=(74, 34, 104),
        skin=(176, 124, 92),
        stripe=(240, 130, 180),
    ),
)
#: Clothes of the people who walk through.
PASSERS = {
    "fielder": Dress((58, 70, 104), (58, 70, 104), (46, 54, 78), (36, 40, 56), (182, 132, 100), stripe=(236, 124, 60), hat="cap"),
    "umpire": Dress((206, 64, 60), (206, 64, 60), (40, 42, 50), (236, 232, 222), (214, 168, 138), shoes=(30, 30, 32), hat="sun"),
}
_LEATHER, _WILLOW, _EDGE, _RUBBER = (30, 30, 30), (226, 190, 132), (176, 138, 88), (214, 60, 70)
_STICKER = (214, 36, 48)


class Eye:
    """One moment's camera: world points -> pixels and depth, world vectors -> the picture's axes."""

    def __init__(self, camera, t: float) -> None:
        moment = np.array([t])
        self._rotation = camera.rotation(moment)[0]
        self._place = np.asarray(camera.place)
        self._focal = float(camera.angles(moment)[2][0])
        self._middle = 0.5 * (np.asarray(camera.size) - 1)

    def point(self, p):
        """(…, 3) m -> pixels (…, 2), depth (…,) m."""
        q = (np.asarray(p) - self._place) @ self._rotation.T
        return self._focal * q[..., :2] / q[..., 2:] + self._middle, q[..., 2]

    def metre(self, z: float) -> float:
        """Pixels per metre at depth ``z``."""
        return self._focal / z

    def axes(self, v):
        """World vectors (…, 3) in the picture's axes."""
        return np.asarray(v) @ self._rotation.T


class Painter:
    """Draws shapes given in metres."""

    def __init__(self, raster: Raster, eye: Eye) -> None:
        self.raster, self.eye = raster, eye

    def limb(self, a, b, ra: float, rb: float, rgb: Rgb) -> None:
        (pa, za), (pb, zb) = self.eye.point(a), self.eye.point(b)
        metre = self.eye.metre(0.5 * (za + zb))
        self.raster.capsule(pa, pb, ra * metre, rb * metre, za, zb, metre, np.asarray(rgb, np.float32))

    def blob(self, centre, axes, rgb: Rgb, above: float | None = None) -> None:
        p, z = self.eye.point(centre)
        self.raster.ellipsoid(p, float(z), self.eye.axes(axes), self.eye.metre(z), np.asarray(rgb, np.float32), above)

    def face(self, corners, rgb: Rgb, bias: float = 0.0, light: float = 1.0) -> None:
        p, z = self.eye.point(np.asarray(corners))
        self.raster.polygon(p, z, np.asarray(rgb, np.float32) * light, bias)


def draw_person(painter: Painter, j: Mapping[str, np.ndarray], size: float, dress: Dress, pads: bool) -> None:
    """Draw one person from joints ``j`` (name -> (3,) m, with the unit vectors of chest and face); ``size`` = height / 1.80 m."""
    _legs(painter, j, size, dress, pads)
    _trunk(painter, j, size, dress)
    for side in ("left", "right"):
        _arm(painter, j, size, dress, side, gloves=pads)
    _head(painter, j, size, dress)


def _lerp(a, b, f: float):
    return a + f * (b - a)


def _legs(painter: Painter, j, size: float, dress: Dress, pads: bool) -> None:
    for side in ("left", "right"):
        hip, knee, ankle, toe, heel = (j[f"{side}_{n}"] for n in ("hip", "knee", "ankle", "foot", "heel"))
        painter.limb(_lerp(hip, knee, 0.05), knee, 0.092 * size, 0.064 * size, dress.trousers)
        calf = 0.050 if pads else 0.060
        painter.limb(knee, _lerp(knee, ankle, 0.35), 0.062 * size, calf * size, dress.trousers)
        painter.limb(_lerp(knee, ankle, 0.35), ankle, calf * size, 0.042 * size, dress.trousers)
        painter.limb(heel + 0.016 * size * UP, toe, 0.046 * size, 0.040 * size, dress.shoes)
        painter.limb(ankle, _lerp(ankle, toe, 0.8), 0.042 * size, 0.038 * size, dress.shoes)
        painter.limb(heel - 0.010 * size * UP, toe - 0.014 * size * UP, 0.040 * size, 0.034 * size, dress.stripe)
        if pads:
            _pad(painter, j, size, dress, side, knee, ankle)


def _pad(painter: Painter, j, size: float, dress: Dress, side: str, knee, ankle) -> None:
    """A batting pad: three bolsters down the shin, a knee roll, straps round the calf."""
    shin = (ankle - knee) / np.linalg.norm(ankle - knee)
    front = j[f"{side}_foot"] - j[f"{side}_heel"]
    front = front - (front @ shin) * shin
    front = front / np.linalg.norm(front)
    across = np.cross(shin, front)
    top, bottom = knee - 0.035 * size * shin, ankle - 0.012 * size * shin
    for offset, radius in ((-0.046, 0.032), (0.046, 0.032), (0.0, 0.038)):
        push = (0.036 * front + offset * across) * size
        painter.limb(top + push, bottom + 0.8 * push, radius * size, 0.80 * radius * size, dress.pads)
    for f, radius in ((0.05, 0.040), (0.15, 0.036)):
        roll = _lerp(knee, ankle, f) + 0.046 * size * front
        painter.limb(roll - 0.055 * size * across, roll + 0.055 * size * across, radius * size, radius * size, dress.pads)
    for f in (0.35, 0.75):
        place = _lerp(knee, ankle, f) - 0.016 * size * front
        painter.limb(place - 0.016 * size * shin, place + 0.016 * size * shin, 0.054 * size, 0.053 * size, (214, 214, 208))


def _trunk(painter: Painter, j, size: float, dress: Dress) -> None:
    left, forward, up = j["_left"], j["_forward"], j["_up"]
    pelvis, neck = j["pelvis"], j["neck"]
    hips = j["left_hip"] - j["right_hip"]
    hips = hips / np.linalg.norm(hips)
    seat = np.cross(hips, UP)
    painter.blob(pelvis + 0.0 * UP, np.stack([0.165 * hips, 0.112 * seat, 0.125 * up]) * size, dress.trousers)
    waist, chest = _lerp(pelvis, neck, 0.34), _lerp(pelvis, neck, 0.70)
    painter.blob(_lerp(pelvis, neck, 0.50), np.stack([0.170 * left, 0.122 * forward, 0.335 * up]) * size, dress.shirt)
    painter.blob(_lerp(pelvis, neck, 0.73), np.stack([0.184 * left, 0.127 * forward, 0.205 * up]) * size, dress.shirt)
    for side in ("left", "right"):
        shoulder = j[f"{side}_shoulder"]
        painter.limb(_lerp(neck, shoulder, 0.15) + 0.028 * size * up, shoulder - 0.004 * size * up, 0.070 * size, 0.066 * size, dress.shirt)
        flank = left * (0.150 if side == "left" else -0.150) * size
        painter.limb(chest + flank * 0.92 + 0.01 * up, waist + flank * 0.88 - 0.06 * up, 0.022 * size, 0.020 * size, dress.stripe)
    painter.blob(_lerp(pelvis, neck, 0.115), np.stack([0.158 * left, 0.113 * forward, 0.028 * up]) * size, (34, 34, 40))
    badge = chest + (0.126 * forward + 0.01 * up) * size
    bar = lambda a, b, h: [badge + (x * left + z * up) * size for x, z in ((a, -h), (b, -h), (b, h), (a, h))]  # noqa: E731
    painter.face(bar(-0.078, 0.078, 0.024), dress.stripe, bias=0.03)
    painter.limb(neck, _lerp(neck, j["head"], 0.65), 0.060 * size, 0.054 * size, dress.skin)
    painter.limb(neck + 0.034 * size * up, neck + 0.044 * size * up, 0.068 * size, 0.064 * size, dress.stripe)


def _arm(painter: Painter, j, size: float, dress: Dress, side: str, gloves: bool) -> None:
    shoulder, elbow, wrist = (j[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist"))
    sleeve = _lerp(shoulder, elbow, 0.52)
    painter.limb(shoulder, elbow, 0.050 * size, 0.042 * size, dress.skin)
    painter.limb(elbow, _lerp(elbow, wrist, 0.25), 0.042 * size, 0.044 * size, dress.skin)
    painter.limb(_lerp(elbow, wrist, 0.25), wrist, 0.044 * size, 0.029 * size, dress.skin)
    painter.limb(shoulder, sleeve, 0.066 * size, 0.058 * size, dress.sleeve)
    index, pinky, thumb = (j[f"{side}_{n}"] for n in ("index", "pinky", "thumb"))
    palm = (index + pinky + thumb) / 3.0
    if gloves:
        painter.limb(_lerp(wrist, elbow, 0.01), _lerp(wrist, palm, 0.12), 0.043 * size, 0.045 * size, dress.stripe)
        painter.limb(_lerp(wrist, palm, 0.3), palm, 0.044 * size, 0.050 * size, dress.gloves)
        for f in (0.0, 0.33, 0.67, 1.0):
            knuckle = _lerp(index, pinky, f)
            painter.limb(knuckle, knuckle + 0.6 * (palm - wrist), 0.024 * size, 0.020 * size, dress.gloves)
    else:
        painter.limb(wrist, palm, 0.036 * size, 0.034 * size, dress.skin)


def _head(painter: Painter, j, size: float, dress: Dress) -> None:
    face, side, up, head = j["_face"], j["_face_left"], j["_face_up"], j["head"]

    def at(f: float, s: float, u: float):
        return head + (f * face + s * side + u * up) * size

    painter.blob(at(0.0, 0.0, 0.005), np.stack([0.076 * side, 0.094 * face, 0.114 * up]) * size, dress.skin)
    painter.blob(at(0.030, 0.0, -0.055), np.stack([0.056 * side, 0.062 * face, 0.064 * up]) * size, dress.skin)
    painter.limb(at(0.094, 0.0, -0.004), at(0.108, 0.0, -0.026), 0.011 * size, 0.017 * size, tuple(int(0.95 * c) for c in dress.skin))
    for s in (-1, 1):
        painter.limb(at(0.086, s * 0.034, 0.012), at(0.086, s * 0.034, 0.012), 0.0155 * size, 0.0155 * size, (245, 242, 236))
        painter.limb(at(0.094, s * 0.033, 0.011), at(0.094, s * 0.033, 0.011), 0.0092 * size, 0.0092 * size, (44, 28, 20))
        painter.limb(at(0.092, s * 0.020, 0.036), at(0.086, s * 0.052, 0.034), 0.0068 * size, 0.006 * size, (46, 30, 22))
        painter.blob(at(-0.006, s * 0.077, -0.010), np.stack([0.012 * side, 0.022 * face, 0.032 * up]) * size, dress.skin)
    painter.limb(at(0.084, -0.024, -0.066), at(0.084, 0.024, -0.066), 0.0085 * size, 0.0085 * size, (150, 70, 64))
    painter.blob(at(-0.022, 0.0, 0.0), np.stack([0.080 * side, 0.088 * face, 0.108 * up]) * size, (50, 34, 26))
    if dress.hat == "helmet":
        painter.blob(at(-0.008, 0.0, 0.026), np.stack([0.096 * side, 0.116 * face, 0.112 * up]) * size, dress.helmet, above=0.12)
        painter.blob(at(-0.040, 0.0, -0.004), np.stack([0.092 * side, 0.088 * face, 0.104 * up]) * size, dress.helmet)
        painter.limb(at(0.100, -0.052, 0.050), at(0.100, 0.052, 0.050), 0.017 * size, 0.017 * size, dress.helmet)
        painter.limb(at(0.128, -0.030, 0.046), at(0.128, 0.030, 0.046), 0.011 * size, 0.011 * size, dress.helmet)
        steel = (120, 122, 128)
        for u, f in ((-0.040, 0.128), (-0.078, 0.120)):
            ring = [at(0.010, -0.092, u), at(0.082, -0.076, u), at(f, 0.0, u), at(0.082, 0.076, u), at(0.010, 0.092, u)]
            for a, b in pairwise(ring):
                painter.limb(a, b, 0.0050 * size, 0.0050 * size, steel)
        for s in (-1, 1):
            painter.limb(at(0.066, s * 0.080, 0.040), at(0.074, s * 0.078, -0.078), 0.0050 * size, 0.0050 * size, steel)
        painter.blob(at(0.096, 0.0, 0.090), np.stack([0.020 * side, 0.012 * face, 0.018 * up]) * size, dress.stripe)
    else:
        wide = 0.150 if dress.hat == "sun" else 0.084
        painter.blob(at(-0.006, 0.0, 0.034), np.stack([0.084 * side, 0.104 * face, 0.094 * up]) * size, dress.helmet, above=0.10)
        painter.blob(
            at(0.0 if dress.hat == "sun" else 0.085, 0.0, 0.046),
            np.stack([wide * side, 0.9 * wide * face, 0.010 * up]) * size,
            dress.helmet,
        )


def draw_bat(painter: Painter, j: Mapping[str, np.ndarray]) -> None:
    """The bat: a round handle with a grip, and a blade with a flat face, a ridged back, edges and a toe."""
    end, tip, axis, face = j["bat_handle_end"], j["bat_tip"], j["_axis"], j["_blade"]
    across = np.cross(axis, face)
    painter.limb(end + 0.016 * axis, end + (HANDLE + 0.02) * axis, 0.0165, 0.0175, _RUBBER)
    half, front, back, ridge = 0.5 * BLADE_WIDTH, 0.35 * BLADE_DEPTH, 0.15 * BLADE_DEPTH, 0.65 * BLADE_DEPTH
    shoulder, neck = end + (HANDLE + 0.055) * axis, end + (HANDLE - 0.01) * axis

    def section(place, width: float, deep: float):
        return [place + width * across + front * face, place + width * across - back * face, place - (back + deep * ridge) * face,
                place - width * across - back * face, place - width * across + front * face]  # fmt: skip

    rings = [
        section(neck, 0.020, 0.3),
        section(shoulder, half, 0.5),
        section(tip - 0.22 * axis, half, 1.0),
        section(tip, 0.92 * half, 0.35),
    ]
    paint = (_EDGE, _WILLOW, _WILLOW, _EDGE, _WILLOW)
    look = painter.eye.axes
    for low, high in pairwise(rings):
        for k in range(5):
            corners = [low[k], low[(k + 1) % 5], high[(k + 1) % 5], high[k]]
            normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
            normal = look(normal / np.linalg.norm(normal))
            outward = look(0.25 * sum(corners) - (0.5 * (low[0] + high[4]) - 0.5 * front * face))
            normal = normal if normal @ outward > 0 else -normal
            if normal[2] < 0.05:
                painter.face(corners, paint[k], light=0.72 + 0.34 * max(0.0, float(normal @ np.array([-0.42, -0.70, -0.58]))))
    painter.face(rings[-1], _EDGE, light=0.9)
    for a, b, rgb in ((0.10, 0.30, _STICKER), (0.42, 0.47, (40, 44, 60))):
        for sign, deep in ((front, 1), (-back, 0)):
            sticker = [
                _lerp(shoulder, tip, f) + w * across + (sign * 1.02) * face
                for f, w in ((a, -0.8 * half), (a, 0.8 * half), (b, 0.8 * half), (b, -0.8 * half))
            ]
            if deep and look(face)[2] < 0.0:
                painter.face(sticker, rgb, bias=0.004)
