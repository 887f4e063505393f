"""A whole scene: one stroke by one batter before one camera, and its truth at any time without drawing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .body import BODY_NAMES, BOTTOM_HAND, TOP_HAND, UP, Batter, arm, facing, leg, trunk_and_head
from .camera import Camera
from .passers import Passer
from .smooth import dot, rate, shifted, unit, vector
from .strokes import Stroke

#: Points of the bat that stand beside the joints: ``hands`` is midway between the two hands on the handle.
BAT_NAMES = ("bat_tip", "bat_handle_end", "top_hand", "bottom_hand", "hands")
POINT_NAMES = BODY_NAMES + BAT_NAMES

_GRIP = 0.5 * (TOP_HAND + BOTTOM_HAND)


@dataclass(frozen=True)
class Truth:
    """What is true at times ``t``.

    Attributes
    ----------
    t : (T,) s
    names : tuple of K str
        Joints, then the points of the bat.
    m, px : (T, K, 3) m, (T, K, 2) px
        Places in the world and in the picture of that moment.
    velocity : (T, K, 3) m/s
    px_velocity : (T, K, 2) px/s
        In the picture of a camera that stays as it was at ``reference_time`` (pan and zoom taken out).
    tip_speed : (T,) m/s
        |d tip/dt|.
    tip_speed_image : (T,) m/s
        Its part across the line of sight to the tip: what a perfect tracker of the picture could see.
    tip_speed_px : (T,) px/s
        |px_velocity| of the tip.
    omega_vector : (T, 3) rad/s
        u × du/dt of the bat's axis u (handle to toe): the turn about its own axis is not in it.
    omega : (T,) rad/s
        |omega_vector|.
    angle_image, omega_image : (T,) rad, rad/s
        arg(bat_tip - hands) in the picture of the still camera, x right, y down (so clockwise is positive), unwrapped; its derivative.
    apparent_length : (T,)
        Length of hands to tip in the still picture over its true length: 1 across the line of sight, 0 end-on.
    px_per_m : (T,)
        Scale of the moment's picture at the hands, across the line of sight.
    """

    t: np.ndarray
    names: tuple[str, ...]
    m: np.ndarray
    px: np.ndarray
    velocity: np.ndarray
    px_velocity: np.ndarray
    tip_speed: np.ndarray
    tip_speed_image: np.ndarray
    tip_speed_px: np.ndarray
    omega_vector: np.ndarray
    omega: np.ndarray
    angle_image: np.ndarray
    omega_image: np.ndarray
    apparent_length: np.ndarray
    px_per_m: np.ndarray

    def point(self, name: str) -> np.ndarray:
        """(T, 3) m of one joint or point of the bat."""
        return self.m[:, self.names.index(name)]

    def point_px(self, name: str) -> np.ndarray:
        """(T, 2) px of one joint or point of the bat."""
        return self.px[:, self.names.index(name)]


@dataclass(frozen=True)
class ShotScene:
    """One stroke by one batter before one camera.

    Attributes
    ----------
    batter, stroke, camera
        The closed forms.
    duration : float
        s.
    passers : dict
        Other people by name, e.g. ``{"second": Passer}``.
    reference_time : float
        The moment whose pan, tilt and zoom the still camera keeps, s.
    cut_time, cut_camera
        From this time on another camera shows the scene (None: no cut).

    Raises
    ------
    KineticsError
        When the batter's limbs can't reach what the stroke asks, however it is scaled.
    """

    batter: Batter
    stroke: Stroke
    camera: Camera
    duration: float = 3.0
    passers: Mapping[str, Passer] = field(default_factory=dict)
    reference_time: float = 0.0
    cut_time: float | None = None
    cut_camera: Camera | None = None

    @cached_property
    def _fit(self) -> tuple[float, float, float]:
        """Constants that make the stroke fit the body: hips lowered (m), hands raised (m), factor on the hands' reach."""
        t = np.arange(0.0, self.duration, 0.005)
        body = self.batter
        sunk, raised, reach = 0.0, 0.0, 1.0
        for _ in range(200):
            with np.errstate(invalid="ignore"):
                pts = self._canonical(t, (sunk, raised, reach))
            legs = max(np.sqrt(dot(d, d)).max() for d in (pts[f"{s}_hip"] - pts[f"{s}_ankle"] for s in ("left", "right")))
            arms = max(np.sqrt(dot(d, d)).max() for d in (pts[f"{s}_shoulder"] - pts[f"{s}_wrist"] for s in ("left", "right")))
            low = pts["bat_tip"][:, 2].min()
            if legs > 0.992 * (body.thigh + body.shank):
                sunk += 0.005
            elif arms > 0.985 * (body.upper_arm + body.forearm):
                reach *= 0.99
            elif low < 0.012:
                raised += 0.005
            elif np.isfinite(legs + arms + low):
                return sunk, raised, reach
            else:
                break
        raise KineticsError(f"A batter {body.height:.2f} m tall can't play this {self.stroke.shot}; give other sizes or another seed.")

    def _canonical(self, t, fit: tuple[float, float, float]) -> dict[str, np.ndarray]:
        """Joints, bat and helpers of the right-handed form at times ``t``, real or complex."""
        body, (sunk, raised, reach) = self.batter, fit
        size = body.height / 1.80
        pose = self.stroke.pose(t, body.tempo, size)
        front_x = pose["front_x"] + (body.stance_width - 1.0) * 0.2 * size
        back_x = pose["back_x"] - (body.stance_width - 1.0) * 0.2 * size
        w = pose["weight"]
        pose["bend"] = pose["bend"] + np.radians(body.crouch)
        pose["pelvis_x"] = w * front_x + (1.0 - w) * back_x
        pose["pelvis_y"] = w * pose["front_y"] + (1.0 - w) * pose["back_y"] + pose["seat"]
        pose["pelvis_z"] = pose["pelvis_z"] * body.leg - sunk
        pts = trunk_and_head(body, pose)
        pts |= leg(body, pts, "left", front_x, pose["front_y"], pose["front_raised"], pose["front_yaw"], 0.0 * t)
        pts |= leg(body, pts, "right", back_x, pose["back_y"], pose["back_raised"], pose["back_yaw"], pose["back_heel"])
        return pts | self._bat(body, pose, pts, raised, reach)

    @staticmethod
    def _bat(body: Batter, pose, pts, raised: float, reach: float) -> dict[str, np.ndarray]:
        """The bat in both hands, and the arms that hold it."""
        left, forward = facing(pose["torso_yaw"])
        hands = pts["neck"] + reach * (
            pose["hand_left"][..., None] * left + pose["hand_forward"][..., None] * forward + (pose["hand_up"] + raised)[..., None] * UP
        )
        sa, ca = np.sin(pose["azimuth"]), np.cos(pose["azimuth"])
        along = vector(ca, -sa, 0.0 * ca)
        down = np.sin(pose["tilt"])[..., None] * vector(-sa, -ca, 0.0 * ca) - np.cos(pose["tilt"])[..., None] * UP
        st, ct = np.sin(pose["theta"])[..., None], np.cos(pose["theta"])[..., None]
        axis, face = ct * down + st * along, ct * along - st * down
        sr, cr = np.sin(pose["roll"])[..., None], np.cos(pose["roll"])[..., None]
        face = cr * face + sr * np.cross(axis, face)
        end = hands - _GRIP * axis
        top, bottom = end + TOP_HAND * axis, end + BOTTOM_HAND * axis
        pole_left = _mix(pts, pose, "le")
        pole_right = _mix(pts, pose, "re")
        return {
            "hands": hands, "bat_tip": end + body.bat_length * axis, "bat_handle_end": end, "top_hand": top, "bottom_hand": bottom,
            "_axis": axis, "_blade": face,
            **arm(body, pts, "left", top, axis, face, pole_left), **arm(body, pts, "right", bottom, axis, face, pole_right),
        }  # fmt: skip

    def points(self, t) -> dict[str, np.ndarray]:
        """Every joint, the points of the bat, and unit vectors (names with ``_``) at times ``t`` (T,), real or complex: name -> (T, 3)."""
        pts = self._canonical(t, self._fit)
        if self.batter.handed == "right":
            return pts
        other = {"left": "right", "right": "left"}
        mirror = np.array([1.0, -1.0, 1.0])
        swapped = {"_".join(other.get(part, part) for part in name.split("_")): mirror * value for name, value in pts.items()}
        for name in ("_left", "_face_left"):
            swapped[name] = -mirror * pts[name]
        return swapped

    @cached_property
    def _contact(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the ball's middle is at impact (on the blade, 0.15 m from the toe), and the velocity with which it leaves."""
        at = np.array([self.stroke.impact])
        pts = self.points(at)
        axis, face = pts["_axis"][0], pts["_blade"][0]
        place = pts["bat_tip"][0] - 0.15 * axis + 0.055 * face
        if self.stroke.shot == "inside_edge":
            return place, np.array([-17.0, -4.0 * face[1] + (4.5 if self.batter.handed == "right" else -4.5), -1.5])
        return place, 1.2 * float(np.linalg.norm(rate(self.points(shifted(at))["bat_tip"]))) * unit(face + 0.12 * UP)

    def ball(self, t) -> np.ndarray:
        """The ball's middle (T, 3) m at real times ``t``: from the bowler by way of its bounce, then off the bat."""
        place, leaving = self._contact
        s = np.asarray(t, dtype=np.float64) - self.stroke.impact
        pitched = 0.11 if self.stroke.shot != "hook" else 0.30
        bounce = place + np.array([27.0 * pitched, 0.0, 0.0])
        bounce[2] = 0.036
        up_to = bounce + (s + pitched)[:, None] * np.array([-31.0, 0.0, 0.0])
        up_to[:, 2] = 0.036 - (s + pitched) * 5.2
        rising = place + (s / pitched)[:, None] * (place - bounce)
        off = place + s[:, None] * leaving
        off[:, 2] = np.maximum(0.036, off[:, 2] - 4.905 * s**2)
        return np.where((s < -pitched)[:, None], up_to, np.where((s < 0.0)[:, None], rising, off))

    def track(self, t) -> np.ndarray:
        """Joints and points of the bat, in the order of ``POINT_NAMES``, at times ``t`` (T,), real or complex: (T, K, 3) m."""
        pts = self.points(t)
        return np.stack([pts[name] for name in POINT_NAMES], axis=-2)

    def camera_at(self, t: float) -> Camera:
        """The camera that is on air at time ``t``."""
        return self.camera if self.cut_time is None or t < self.cut_time else self.cut_camera

    def truth(self, t) -> Truth:
        """Everything that is known at times ``t`` (scalar or (T,), s), exact, from the closed form; derivatives by complex step.

        Pixels before the cut are those of ``camera``, after it those of ``cut_camera``. Pixel velocities and image angles are always
        those of ``camera`` held still as at ``reference_time``.
        """
        t = np.atleast_1d(np.asarray(t, dtype=np.float64))
        pts = self.points(shifted(t))
        moving = np.stack([pts[name] for name in POINT_NAMES], axis=-2)
        m, velocity = moving.real, rate(moving)
        still = replace(self.camera, **_held(self.camera, self.reference_time))
        moving_px, still_depth = still.project(moving, t[:, None])
        tip, hands = POINT_NAMES.index("bat_tip"), POINT_NAMES.index("hands")
        arm = moving_px[:, tip] - moving_px[:, hands]
        arm_px, arm_rate, px_velocity = arm.real, rate(arm), rate(moving_px)
        sight = unit(m[:, tip] - np.asarray(self.camera.place))
        across = velocity[:, tip] - dot(velocity[:, tip], sight) * sight
        omega_vector = np.cross(pts["_axis"].real, rate(pts["_axis"]))
        scale = still.px_per_m * still.distance / still_depth[:, hands].real
        px, depth = self.picture(m, t)
        return Truth(
            t=t, names=POINT_NAMES, m=m, px=px, velocity=velocity, px_velocity=px_velocity,
            tip_speed=np.linalg.norm(velocity[:, tip], axis=-1), tip_speed_image=np.linalg.norm(across, axis=-1),
            tip_speed_px=np.linalg.norm(px_velocity[:, tip], axis=-1),
            omega_vector=omega_vector, omega=np.linalg.norm(omega_vector, axis=-1),
            angle_image=np.unwrap(np.arctan2(arm_px[:, 1], arm_px[:, 0])),
            omega_image=(arm_px[:, 0] * arm_rate[:, 1] - arm_px[:, 1] * arm_rate[:, 0]) / (arm_px**2).sum(axis=-1),
            apparent_length=np.linalg.norm(arm_px, axis=-1) / scale / (self.batter.bat_length - _GRIP),
            px_per_m=self.focal(t) / depth[:, hands],
        )  # fmt: skip

    def _on_air(self, t: np.ndarray):
        """(camera, mask of the times ``t`` that it shows) of each camera that shows any."""
        after = np.zeros(len(t), bool) if self.cut_time is None else t >= self.cut_time
        return [(camera, mask) for camera, mask in ((self.camera, ~after), (self.cut_camera, after)) if mask.any()]

    def focal(self, t: np.ndarray) -> np.ndarray:
        """Focal length (T,) px of the camera on air."""
        focal = np.empty(len(t))
        for camera, mask in self._on_air(t):
            focal[mask] = camera.angles(t[mask])[2]
        return focal

    def picture(self, points: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (T, K, 3) m at times ``t`` (T,) -> pixels (T, K, 2) and depth (T, K) m of the camera on air."""
        px, depth = np.empty((*points.shape[:2], 2)), np.empty(points.shape[:2])
        for camera, mask in self._on_air(t):
            px[mask], depth[mask] = camera.project(points[mask], t[mask][:, None])
        return px, depth

    @cached_property
    def peaks(self) -> dict[str, tuple[float, float]]:
        """Largest value and its time of tip_speed, tip_speed_image (m/s), omega and |omega_image| (rad/s), found to 1e-5 s.

        ``omega_image`` counts only while the bat shows at least half its length: end-on to the camera its image turns without bound.
        """
        found = {}
        coarse = np.linspace(0.0, self.duration, 301)
        whole = self.truth(coarse)
        for name in ("tip_speed", "tip_speed_image", "omega", "omega_image"):
            truth = whole
            for _ in range(4):
                values = np.abs(getattr(truth, name)) * ((truth.apparent_length >= 0.5) if name == "omega_image" else 1.0)
                best, width = truth.t[int(np.argmax(values))], truth.t[1] - truth.t[0]
                truth = self.truth(np.clip(np.linspace(best - width, best + width, 21), 0.0, self.duration))
            found[name] = (float(values.max()), float(best))
        return found

    def pose_sequence(self, fps: float) -> PoseSequence:
        """The truth in pixels at frame times 0, 1/fps, …: all joints, ``bat_tip`` and the other points of the bat, confidence 1."""
        t = np.arange(round(self.duration * fps)) / fps
        px = self.truth(t).px
        source = f"synthetic {self.stroke.shot}"
        return PoseSequence(
            px, np.ones(px.shape[:2]), t, POINT_NAMES, self.camera.size, provenance={"source": source, "estimator": "truth", "steps": []}
        )


def _mix(pts, pose, prefix: str):
    """An elbow's direction, given in the chest's axes."""
    return sum(pose[f"{prefix}_{key}"][..., None] * pts[f"_{key}"] for key in ("left", "forward", "up"))


def _held(camera: Camera, t: float) -> dict:
    """Fields of a camera that stays as this one is at time ``t``."""
    pan, tilt, focal = (float(value[0]) for value in camera.angles(np.array([t])))
    look = np.array([np.cos(tilt) * np.cos(pan), np.cos(tilt) * np.sin(pan), np.sin(tilt)])
    return {
        "aim": tuple(np.asarray(camera.place) + camera.distance * look), "px_per_m": focal / camera.distance,
        "pans": (), "tilts": (), "zooms": (), "sway": 0.0,
    }  # fmt: skip
