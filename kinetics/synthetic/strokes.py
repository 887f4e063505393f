"""Six strokes as tables: how a right-hander stands, lifts the bat, strikes and finishes.

Each quantity has four values (stance, top of the backlift, strike, finish) joined by smooth steps, so that a pose at any time
is a closed form. The bat is u = cos theta d + sin theta m with m the horizontal direction of the stroke, turned by ``azimuth`` from the
bowler towards the off side, and d straight down tilted by ``tilt`` away from the body: theta = 0 is the moment at which the bat
passes its lowest (or, for a flat bat, its most outstretched) position; -90° points away from the stroke, ±180° is upside down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import KineticsError
from .smooth import bump, ramp, step

#: Names of the six canonical shots.
SHOTS = ("cover_drive", "down_the_ground", "hook", "inside_edge", "off_drive", "square_drive")

Keys = tuple[float, float, float, float]

#: What the strokes have in common: a front-foot drive. Lengths in metres for a height of 1.80 m, angles in degrees.
_DRIVE: dict[str, Keys] = {
    "front_x": (0.16, 0.16, 0.70, 0.71), "front_y": (0.12, 0.12, -0.02, -0.02), "front_yaw": (12, 12, 50, 55),
    "back_x": (-0.28, -0.28, -0.26, -0.12), "back_y": (0.12, 0.12, 0.12, 0.10), "back_yaw": (-5, -5, 5, 34),
    "back_heel": (0.0, 0.0, 0.07, 0.11), "weight": (0.50, 0.44, 0.66, 0.74), "seat": (0.07, 0.07, 0.05, 0.03),
    "pelvis_z": (0.84, 0.84, 0.79, 0.80), "pelvis_yaw": (6, -4, 32, 62), "torso_yaw": (8, -16, 26, 74),
    "bend": (30, 24, 24, 8), "lean": (6, 6, 16, 8), "gaze_yaw": (66, 68, 58, 72), "gaze_pitch": (10, 10, 32, 14),
    "hand_left": (-0.07, -0.15, 0.10, 0.10), "hand_forward": (0.20, 0.26, 0.30, 0.28), "hand_up": (-0.53, -0.22, -0.43, 0.10),
    "theta": (-33, -142, 126, 200), "tilt": (6, 8, 10, 14), "azimuth": (0, -14, 20, 24), "roll": (0, 0, 0, 0),
    "le_left": (0.8, 0.5, 0.9, 0.6), "le_forward": (0.0, 0.6, 0.35, 0.45), "le_up": (-0.6, -0.5, 0.05, -0.5),
    "re_left": (-0.8, -0.7, -0.6, -0.5), "re_forward": (-0.2, -0.3, -0.2, 0.2), "re_up": (-0.6, -0.9, -0.8, -0.7),
}  # fmt: skip

_CHANGES: dict[str, dict[str, Keys]] = {
    "down_the_ground": {
        "front_x": (0.16, 0.16, 0.68, 0.69), "front_y": (0.12, 0.12, 0.08, 0.08), "front_yaw": (12, 12, 58, 62),
        "azimuth": (0, -8, -2, -4), "tilt": (6, 6, 5, 4), "theta": (-33, -150, 134, 214), "torso_yaw": (8, -16, 36, 82),
        "pelvis_yaw": (6, -4, 42, 70), "hand_up": (-0.53, -0.18, -0.43, 0.20), "hand_left": (-0.07, -0.15, 0.12, 0.02),
        "hand_forward": (0.20, 0.26, 0.30, 0.30),
    },
    "off_drive": {},
    "cover_drive": {
        "front_x": (0.16, 0.16, 0.64, 0.66), "front_y": (0.12, 0.12, -0.16, -0.16), "front_yaw": (12, 12, 36, 42),
        "azimuth": (0, -16, 42, 52), "tilt": (6, 8, 16, 24), "theta": (-33, -140, 124, 188), "torso_yaw": (8, -20, 12, 58),
        "pelvis_yaw": (6, -6, 20, 48), "bend": (30, 26, 28, 6), "hand_left": (-0.07, -0.16, 0.04, 0.16),
        "hand_forward": (0.20, 0.26, 0.36, 0.28), "hand_up": (-0.53, -0.20, -0.42, 0.14),
    },
    "square_drive": {
        "front_x": (0.16, 0.16, 0.58, 0.58), "front_y": (0.12, 0.12, -0.26, -0.26), "front_yaw": (12, 12, 14, 18),
        "azimuth": (0, -20, 66, 88), "tilt": (6, 14, 42, 56), "theta": (-33, -132, 112, 150), "torso_yaw": (8, -24, -2, 30),
        "pelvis_yaw": (6, -8, 8, 26), "bend": (30, 28, 36, 18), "lean": (6, 4, 8, 6), "pelvis_z": (0.84, 0.84, 0.78, 0.82),
        "hand_left": (-0.07, -0.16, -0.02, 0.05), "hand_forward": (0.20, 0.26, 0.36, 0.38), "hand_up": (-0.53, -0.16, -0.40, -0.08),
        "gaze_yaw": (66, 68, 44, 48),
    },
    "inside_edge": {
        "front_x": (0.16, 0.16, 0.60, 0.62), "front_y": (0.12, 0.12, 0.04, 0.04), "front_yaw": (12, 12, 44, 46),
        "azimuth": (0, -12, 12, -14), "tilt": (6, 8, 8, 14), "theta": (-33, -104, 56, 62), "torso_yaw": (8, -12, 18, 34),
        "pelvis_yaw": (6, -4, 22, 32), "bend": (30, 26, 30, 26), "lean": (6, 6, 14, 10), "pelvis_z": (0.84, 0.84, 0.82, 0.82),
        "hand_left": (-0.07, -0.13, 0.04, 0.08), "hand_forward": (0.20, 0.25, 0.28, 0.30), "hand_up": (-0.53, -0.30, -0.40, -0.32),
        "roll": (0, 0, -12, -40), "le_left": (0.8, 0.5, 0.9, 0.9), "le_up": (-0.6, -0.5, 0.05, -0.3),
    },
    "hook": {
        "front_x": (0.16, 0.16, 0.08, -0.06), "front_y": (0.12, 0.12, 0.22, 0.34), "front_yaw": (12, 12, 60, 100),
        "back_x": (-0.28, -0.30, -0.52, -0.52), "back_y": (0.12, 0.12, 0.02, 0.02), "back_yaw": (-5, -5, 40, 70),
        "back_heel": (0.0, 0.0, 0.0, 0.05), "weight": (0.50, 0.44, 0.36, 0.46), "seat": (0.07, 0.07, 0.02, 0.02),
        "pelvis_z": (0.84, 0.84, 0.89, 0.88), "pelvis_yaw": (6, -6, 56, 98), "torso_yaw": (8, -18, 52, 108),
        "bend": (30, 20, 10, 6), "lean": (6, 0, -8, -6), "gaze_yaw": (66, 70, 78, 112), "gaze_pitch": (10, 4, 4, 0),
        "hand_left": (-0.07, -0.19, 0.08, 0.18), "hand_forward": (0.20, 0.27, 0.40, 0.28), "hand_up": (-0.53, -0.14, -0.18, 0.12),
        "theta": (-33, -132, 120, 172), "tilt": (6, 46, 84, 106), "azimuth": (0, -34, -84, -104), "roll": (0, 0, 10, 20),
        "le_left": (0.8, 0.5, 0.9, 0.4), "le_forward": (0.0, 0.6, 0.1, 0.4), "le_up": (-0.6, -0.5, -0.5, -0.8),
        "re_left": (-0.8, -1.0, -0.8, -0.6), "re_up": (-0.6, -0.1, -0.5, -0.6),
    },
}  # fmt: skip

#: Groups of quantities that move together: centres of the three steps relative to impact and their widths, seconds.
_TIMING: dict[str, tuple[tuple[float, float], ...]] = {
    "feet": ((-0.66, 0.10), (-0.36, 0.085), (0.30, 0.16)),
    "pelvis": ((-0.64, 0.12), (-0.20, 0.115), (0.22, 0.14)),
    "torso": ((-0.62, 0.12), (-0.15, 0.110), (0.20, 0.13)),
    "hands": ((-0.60, 0.11), (-0.095, 0.100), (0.185, 0.105)),
    "plane": ((-0.60, 0.11), (-0.13, 0.080), (0.22, 0.12)),
    "bat": ((-0.60, 0.11), (0.0, 0.105), (0.235, 0.105)),
}  # fmt: skip
_GROUPS = {
    "feet": ("front_x", "front_y", "front_yaw", "back_x", "back_y", "back_yaw", "back_heel"),
    "pelvis": ("weight", "seat", "pelvis_z", "pelvis_yaw"),
    "torso": ("torso_yaw", "bend", "lean", "gaze_yaw", "gaze_pitch"),
    "hands": ("hand_left", "hand_forward", "hand_up", "le_left", "le_forward", "le_up", "re_left", "re_forward", "re_up"),
    "plane": ("tilt", "azimuth", "roll"),
    "bat": ("theta",),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}
_ANGLES = frozenset(
    ("front_yaw", "back_yaw", "pelvis_yaw", "torso_yaw", "bend", "lean", "gaze_yaw", "gaze_pitch", "theta", "tilt", "azimuth", "roll")
)
#: Width of the bat's main step, s: the narrower, the faster the swing.
_SNAP = {"cover_drive": 0.112, "down_the_ground": 0.110, "hook": 0.088, "inside_edge": 0.098, "off_drive": 0.112, "square_drive": 0.094}
#: Metre-valued quantities, which grow with the batter.
_LENGTHS = frozenset(name for name in _GROUP_OF if name not in _ANGLES and name != "weight" and not name.startswith(("le_", "re_")))


@dataclass(frozen=True)
class Stroke:
    """One shot as a closed form in time.

    Attributes
    ----------
    shot : str
        One of :data:`SHOTS`.
    keys : dict
        The four values of every quantity, lengths for a height of 1.80 m, angles in degrees.
    impact : float
        When bat meets ball, s.
    snap : float
        Width of the bat's main step, s.
    lags : dict
        Seconds by which the strike of each group is later than the table says.
    waggle : float
        Amplitude of the taps while waiting, degrees.
    tap_rate : float
        Taps per second.
    impact_loss : float
        Part of the bat's angular rate that the ball takes at impact (regained within about 0.1 s); 0 = none.
    """

    shot: str
    keys: Mapping[str, Keys] = field(repr=False)
    impact: float = 1.6
    snap: float = 0.11
    lags: Mapping[str, float] = field(default_factory=dict)
    waggle: float = 6.0
    tap_rate: float = 1.6
    impact_loss: float = 0.0

    def __post_init__(self) -> None:
        check_shot(self.shot)

    def pose(self, t, tempo: float = 1.0, size: float = 1.0) -> dict[str, np.ndarray]:
        """Every quantity at times ``t`` (T,), real or complex: metres (times ``size``), radians.

        ``tempo`` runs the whole stroke faster about the moment of impact.
        """
        s = (t - self.impact) * tempo
        pose = {}
        for name, (stance, lift, strike, finish) in self.keys.items():
            group = _GROUP_OF[name]
            (c1, w1), (c2, w2), (c3, w3) = _TIMING[group]
            w2 = self.snap if group == "bat" else w2
            c2 += self.lags.get(group, 0.0)
            value = stance + (lift - stance) * step(s, c1, w1) + (strike - lift) * step(s, c2, w2) + (finish - strike) * step(s, c3, w3)
            pose[name] = np.radians(1.0) * value if name in _ANGLES else size * value if name in _LENGTHS else value + 0.0 * s
        still = 1.0 - step(s, -0.85, 0.07)
        tap = still * np.sin(2.0 * np.pi * self.tap_rate * s)
        pose["theta"] = pose["theta"] + np.radians(self.waggle) * (tap - still)
        pose["hand_up"] = pose["hand_up"] + 0.012 * size * (tap + still)
        pose["pelvis_z"] = pose["pelvis_z"] + 0.004 * size * np.sin(0.9 * np.pi * s) * still
        if self.impact_loss:
            (_, lift, through, _), rate = self.keys["theta"], 0.5 / self.snap
            after = ramp(s, 0.0, 0.0015)
            pose["theta"] = pose["theta"] - self.impact_loss * rate * np.radians(through - lift) * after * np.exp(-after / 0.05)
        pose["front_raised"] = 0.075 * size * bump(s, _TIMING["feet"][1][0] + self.lags.get("feet", 0.0), 0.10)
        pose["back_raised"] = 0.0 * s if abs(self.keys["back_x"][2] - self.keys["back_x"][1]) < 0.1 else 0.05 * size * bump(s, -0.36, 0.10)
        return pose


def check_shot(shot: str) -> None:
    """Raise KineticsError unless ``shot`` is one of :data:`SHOTS`."""
    if shot not in SHOTS:
        raise KineticsError(f"There is no sample shot called {shot!r}; choose from {', '.join(SHOTS)}.")


def default_stroke(shot: str) -> Stroke:
    """The canonical stroke of that name; impact lies 1.50 to 1.70 s into the clip, at a time of its own per shot."""
    check_shot(shot)
    keys = {**_DRIVE, **_CHANGES[shot]}
    return Stroke(shot, keys, impact=1.50 + 0.04 * SHOTS.index(shot), snap=_SNAP[shot])


def random_shot(rng: np.random.Generator, shot: str) -> Stroke:
    """The stroke of that name played with a batter's own timing, reach and angles."""
    stroke = default_stroke(shot)
    spread = {name: 4.0 if name in _ANGLES else 0.03 if name in _LENGTHS else 0.0 for name in stroke.keys}
    keys = {name: tuple(float(value + spread[name] * rng.uniform(-1, 1)) for value in values) for name, values in stroke.keys.items()}
    keys["back_heel"] = tuple(float(np.clip(value, 0.0, 0.12)) for value in keys["back_heel"])
    lags = {group: rng.uniform(-0.025, 0.025) for group in ("feet", "pelvis", "torso", "hands", "plane")}
    return replace(
        stroke, keys=keys, impact=rng.uniform(1.45, 1.75), snap=stroke.snap * rng.uniform(0.92, 1.06), lags=lags,
        waggle=rng.uniform(2.0, 9.0), tap_rate=rng.uniform(1.2, 2.2),
    )  # fmt: skip
