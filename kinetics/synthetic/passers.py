"""A person who walks through the picture: a fielder crossing behind or in front of the batter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import UP, Batter, facing, leg, trunk_and_head, two_bones
from .smooth import vector


@dataclass(frozen=True)
class Passer:
    """Walks a straight line at constant speed.

    Attributes
    ----------
    body : Batter
        His proportions (he holds no bat).
    start, velocity : (x, y) m, m/s
        Where he is at t = 0, and how he walks, world axes.
    dress : str
        Which clothes: ``"fielder"`` or ``"umpire"``.
    cadence : float
        Double steps per second.
    """

    body: Batter
    start: tuple[float, float]
    velocity: tuple[float, float]
    dress: str = "fielder"
    cadence: float = 0.95

    def joints(self, t) -> dict[str, np.ndarray]:
        """Joints at times ``t`` (T,), real or complex: name -> (T, 3) m. A foot on the ground doesn't slide more than a sine's flat
        part."""
        body, size = self.body, self.body.height / 1.80
        vx, vy = self.velocity
        speed = float(np.hypot(vx, vy))
        omega = 2.0 * np.pi * self.cadence
        phase = omega * t
        yaw = np.arctan2(vx, -vy) + 0.0 * t
        middle = vector(self.start[0] + vx * t, self.start[1] + vy * t, 0.0 * t)
        hip = body.ankle_height + 0.955 * (body.thigh + body.shank) + 0.012 * size * np.cos(2.0 * phase)
        pose = {
            "pelvis_x": middle[..., 0], "pelvis_y": middle[..., 1], "pelvis_z": hip, "pelvis_yaw": yaw + 0.10 * np.sin(phase),
            "torso_yaw": yaw - 0.12 * np.sin(phase), "bend": 0.06 + 0.0 * t, "lean": 0.0 * t, "gaze_yaw": yaw, "gaze_pitch": 0.05 + 0.0 * t,
        }  # fmt: skip
        joints = trunk_and_head(body, pose)
        left, forward = facing(yaw)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            own = phase if side == "left" else phase + np.pi
            ahead = -(speed / omega) * np.sin(own) * 0.92
            foot = middle + ahead[..., None] * forward + sign * 0.09 * size * left
            raised = 0.05 * size * (1.0 - np.cos(own)) * 0.5
            heel = 0.045 * size * (1.0 + np.sin(own)) * 0.5
            joints |= leg(body, joints, side, foot[..., 0], foot[..., 1], raised, yaw, heel)
            swing = (0.42 * np.sin(own))[..., None]
            shoulder = joints[f"{side}_shoulder"]
            wrist = shoulder + 0.93 * (body.upper_arm + body.forearm) * (np.sin(swing) * forward - np.cos(swing) * UP) + sign * 0.06 * left
            joints[f"{side}_wrist"] = wrist
            joints[f"{side}_elbow"] = two_bones(shoulder, wrist, body.upper_arm, body.forearm, sign * 0.4 * left - forward)
            for finger, drop, out in (("index", 0.085, 0.02), ("pinky", 0.08, -0.02), ("thumb", 0.05, 0.03)):
                joints[f"{side}_{finger}"] = wrist - drop * size * UP + out * size * forward
        return joints
