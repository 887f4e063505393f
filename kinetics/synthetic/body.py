"""A batter's body: proportions, and joints from a pose by two-bone inverse kinematics.

World axes in metres, right-handed: x down the pitch towards the bowler, y towards the leg side of a right-hander
(so -y is the off side), z up; the origin is the middle of the popping crease. Everything is worked out for a right-hander;
a left-hander is the mirror image in y with left and right exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .smooth import dot, unit, vector

UP = np.array([0.0, 0.0, 1.0])
#: Distances of the hands from the end of the handle, and the blade's size, in metres.
TOP_HAND, BOTTOM_HAND = 0.07, 0.185
HANDLE, BLADE_WIDTH, BLADE_DEPTH = 0.30, 0.108, 0.050

#: Joints that every person of a scene has, in this order.
BODY_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "neck", "pelvis", "head", "left_foot", "right_foot", "left_heel", "right_heel",
    "left_index", "right_index", "left_pinky", "right_pinky", "left_thumb", "right_thumb",
)  # fmt: skip


@dataclass(frozen=True)
class Batter:
    """Size and habits of a batter.

    Attributes
    ----------
    height : float
        Standing height, m. Lengths of trunk, arms and legs follow from it (de Leva 1996, doi:10.1016/0021-9290(95)00178-6).
    arm, leg, breadth : float
        Factors on those bone lengths and on the shoulders' and hips' breadth.
    handed : {"right", "left"}
    bat_length : float
        m, 0.965 at most (Law 5).
    tempo : float
        1 = the stroke's own timing; 1.1 = everything 10 % faster.
    stance_width : float
        Factor on the distance between the feet.
    crouch : float
        Extra bend of the trunk, degrees.
    kit : int
        Which clothes he wears.
    """

    height: float = 1.80
    arm: float = 1.0
    leg: float = 1.0
    breadth: float = 1.0
    handed: str = "right"
    bat_length: float = 0.96
    tempo: float = 1.0
    stance_width: float = 1.0
    crouch: float = 0.0
    kit: int = 0

    @classmethod
    def random(cls, rng: np.random.Generator) -> Batter:
        """A batter drawn from plausible sizes and habits."""
        return cls(
            height=rng.uniform(1.65, 1.95), arm=rng.uniform(0.97, 1.04), leg=rng.uniform(0.97, 1.03), breadth=rng.uniform(0.93, 1.08),
            handed="left" if rng.random() < 0.3 else "right", bat_length=rng.uniform(0.89, 0.965), tempo=rng.uniform(0.92, 1.08),
            stance_width=rng.uniform(0.85, 1.25), crouch=rng.uniform(-6.0, 6.0), kit=int(rng.integers(0, 6)),
        )  # fmt: skip

    @property
    def thigh(self) -> float:
        return 0.2425 * self.height * self.leg

    @property
    def shank(self) -> float:
        return 0.2493 * self.height * self.leg

    @property
    def upper_arm(self) -> float:
        return 0.162 * self.height * self.arm

    @property
    def forearm(self) -> float:
        return 0.1545 * self.height * self.arm

    @property
    def hand(self) -> float:
        """Wrist to the middle of the closed hand."""
        return 0.038 * self.height

    @property
    def trunk(self) -> float:
        """Middle of the hips to the middle of the shoulders."""
        return 0.296 * self.height

    @property
    def half_shoulders(self) -> float:
        return 0.104 * self.height * self.breadth

    @property
    def half_hips(self) -> float:
        return 0.056 * self.height * self.breadth

    @property
    def ankle_height(self) -> float:
        return 0.042 * self.height

    @property
    def foot(self) -> float:
        """Ankle to toes."""
        return 0.105 * self.height


def facing(yaw):
    """Unit vectors (left, forward) of someone turned by ``yaw`` radians from facing off (0) towards facing the bowler (pi/2)."""
    zero = 0.0 * yaw
    return vector(np.cos(yaw), np.sin(yaw), zero), vector(np.sin(yaw), -np.cos(yaw), zero)


def frame(yaw, bend, lean):
    """Unit vectors (left, forward, up) turned by yaw, bent forward, then leaning to the left; radians."""
    left, forward = facing(yaw)
    cb, sb = np.cos(bend)[..., None], np.sin(bend)[..., None]
    bent_up, forward = cb * UP + sb * forward, cb * forward - sb * UP
    cl, sl = np.cos(lean)[..., None], np.sin(lean)[..., None]
    return cl * left - sl * bent_up, forward, cl * bent_up + sl * left


def two_bones(root, end, first: float, second: float, pole):
    """The middle joint between ``root`` and ``end``, bent towards ``pole``; |root - middle| = first, |middle - end| = second.

    Analytic; real only while |end - root| < first + second (:class:`~.scene.ShotScene` sees to that).
    """
    reach = end - root
    d2 = dot(reach, reach)
    d = np.sqrt(d2)
    along = (first**2 - second**2 + d2) / (2.0 * d)
    axis = reach / d
    out = unit(pole - dot(pole, axis) * axis)
    return root + along * axis + np.sqrt(first**2 - along**2) * out


def trunk_and_head(body: Batter, pose: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pelvis, hips, neck, shoulders and head, with the unit vectors of chest and face under ``_``-names."""
    scale = body.height / 1.80
    pelvis = vector(pose["pelvis_x"], pose["pelvis_y"], pose["pelvis_z"])
    hip_left, hip_forward, _ = frame(pose["pelvis_yaw"], 0.35 * pose["bend"], 0.3 * pose["lean"])
    left, forward, up = frame(pose["torso_yaw"], pose["bend"], pose["lean"])
    neck = pelvis + body.trunk * up
    face_left, face, face_up = frame(pose["gaze_yaw"], pose["gaze_pitch"], 0.25 * pose["lean"])
    head = neck + scale * (0.105 * unit(up + 0.8 * UP) + 0.095 * face_up + 0.015 * face)
    return {
        "pelvis": pelvis, "left_hip": pelvis + body.half_hips * hip_left, "right_hip": pelvis - body.half_hips * hip_left,
        "neck": neck, "left_shoulder": neck + body.half_shoulders * left, "right_shoulder": neck - body.half_shoulders * left,
        "head": head, "nose": head + scale * (0.108 * face - 0.025 * face_up),
        "left_eye": head + scale * (0.088 * face + 0.033 * face_left + 0.012 * face_up),
        "right_eye": head + scale * (0.088 * face - 0.033 * face_left + 0.012 * face_up),
        "left_ear": head + scale * (0.076 * face_left - 0.008 * face), "right_ear": head - scale * (0.076 * face_left + 0.008 * face),
        "_left": left, "_forward": forward, "_up": up, "_hip_forward": hip_forward,
        "_face": face, "_face_left": face_left, "_face_up": face_up,
    }  # fmt: skip


def leg(body: Batter, joints: Mapping[str, np.ndarray], side: str, x, y, raised, yaw, heel) -> dict[str, np.ndarray]:
    """Knee, ankle, heel and toes of one leg standing at (x, y), the whole foot ``raised`` and its heel lifted by ``heel`` m."""
    _, toward = facing(yaw)
    ankle = vector(x, y, body.ankle_height + raised + heel)
    sin_pitch = (0.55 * body.ankle_height + heel) / body.foot
    toe = (np.sqrt(1.0 - sin_pitch**2)[..., None] * toward - sin_pitch[..., None] * UP) * body.foot
    toe_up = (sin_pitch[..., None] * toward + np.sqrt(1.0 - sin_pitch**2)[..., None] * UP) * body.ankle_height
    knee = two_bones(joints[f"{side}_hip"], ankle, body.thigh, body.shank, toward + 0.35 * joints["_hip_forward"])
    return {f"{side}_ankle": ankle, f"{side}_knee": knee, f"{side}_foot": ankle + toe, f"{side}_heel": ankle - 0.33 * toe - 0.5 * toe_up}


def arm(body: Batter, joints: Mapping[str, np.ndarray], side: str, grip, along, out, pole) -> dict[str, np.ndarray]:
    """Elbow, wrist and knuckles of one arm whose closed hand holds ``grip`` on a handle along ``along``, its face ``out``."""
    shoulder = joints[f"{side}_shoulder"]
    back = shoulder - grip
    wrist = grip + body.hand * unit(back - 0.75 * dot(back, along) * along)
    elbow = two_bones(shoulder, wrist, body.upper_arm, body.forearm, pole)
    return {
        f"{side}_wrist": wrist, f"{side}_elbow": elbow, f"{side}_index": grip + 0.030 * along + 0.025 * out,
        f"{side}_pinky": grip - 0.030 * along + 0.025 * out, f"{side}_thumb": grip + 0.025 * along - 0.020 * out,
    }  # fmt: skip
