"""Which joints the camera can see, and the boxes round people, from the skeletons alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .body import BODY_NAMES
from .scene import ShotScene

#: Body parts as capsules: two joints and a radius, m, for a height of 1.80 m.
SEGMENTS = (
    ("left_hip", "left_knee", 0.09), ("left_knee", "left_ankle", 0.07), ("right_hip", "right_knee", 0.09),
    ("right_knee", "right_ankle", 0.07),
    ("pelvis", "neck", 0.16), ("left_shoulder", "left_elbow", 0.06), ("left_elbow", "left_wrist", 0.05),
    ("right_shoulder", "right_elbow", 0.06),
    ("right_elbow", "right_wrist", 0.05), ("head", "head", 0.11), ("left_heel", "left_foot", 0.05), ("right_heel", "right_foot", 0.05),
)  # fmt: skip
#: Joints that lie inside the part they belong to, which therefore doesn't hide them.
_TRUNK = {"left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck", "pelvis"}
_HEAD = {"head", "nose", "left_eye", "right_eye", "left_ear", "right_ear"}
#: A joint counts as hidden when a surface lies this much nearer than the joint's middle, m.
_DEPTH_MARGIN = 0.10


def visible(scene: ShotScene, t) -> dict[str, np.ndarray]:
    """Joints of the batter that are inside the picture and not behind a body part, his own or another person's.

    Parameters
    ----------
    scene : ShotScene
    t : (T,) s

    Returns
    -------
    dict
        Name -> (T,) bool, for every joint and ``bat_tip``. Whole capsules stand for the limbs; the bat and the ball hide nothing.
    """
    t = np.atleast_1d(np.asarray(t, dtype=np.float64))
    own = scene.points(t)
    people = [(own, scene.batter.height, True)] + [(p.joints(t), p.body.height, False) for p in scene.passers.values()]
    width, height = scene.camera.size
    seen = {}
    for name in (*BODY_NAMES, "bat_tip"):
        px, depth = _project(scene, own[name], t)
        shown = (px >= -0.5).all(axis=1) & (px[:, 0] < width - 0.5) & (px[:, 1] < height - 0.5)
        for points, tall, same in people:
            for a, b, radius in SEGMENTS:
                if same and (name in (a, b) or _belongs(name, a)):
                    continue
                shown &= ~_hides(scene, points[a], points[b], radius * tall / 1.80, px, depth, t)
        seen[name] = shown
    return seen


def _belongs(name: str, part: str) -> bool:
    """Whether a joint is inside the part that starts at joint ``part``."""
    if part == "pelvis":
        return name in _TRUNK
    if part == "head":
        return name in _HEAD
    side, _, joint = name.partition("_")
    return part.startswith(side) and (
        (joint in ("index", "pinky", "thumb", "wrist") and part.endswith("elbow"))
        or (joint in ("foot", "heel", "ankle") and part.endswith(("knee", "heel")))
    )


def _hides(scene: ShotScene, a, b, radius: float, px, depth, t) -> np.ndarray:
    """Whether the capsule from ``a`` to ``b`` (T, 3) m covers the points ``px`` (T, 2) and lies clearly nearer than ``depth`` (T,)."""
    (pa, za), (pb, zb) = _project(scene, a, t), _project(scene, b, t)
    along, reach = pb - pa, px - pa
    length2 = (along**2).sum(axis=1)
    s = np.clip((reach * along).sum(axis=1) / np.maximum(length2, 1e-9), 0.0, 1.0)
    z = za + s * (zb - za)
    focal = scene.focal(t)
    apart = np.linalg.norm(reach - s[:, None] * along, axis=1) * z / focal / radius
    surface = z - radius * np.sqrt(np.maximum(1.0 - apart**2, 0.0))
    return (apart < 1.0) & (surface < depth - _DEPTH_MARGIN)


def _project(scene: ShotScene, points, t) -> tuple[np.ndarray, np.ndarray]:
    px, depth = scene.picture(points[:, None], t)
    return px[:, 0], depth[:, 0]


def person_box(scene: ShotScene, points: Mapping[str, np.ndarray], tall: float, t) -> np.ndarray:
    """Box (T, 4) x0, y0, x1, y1 px round a person's capsules (clothes, not the bat); it may reach beyond the picture."""
    focal = scene.focal(t)
    low, high = np.full((len(t), 2), np.inf), np.full((len(t), 2), -np.inf)
    for a, b, radius in SEGMENTS:
        for name in (a, b):
            px, depth = _project(scene, points[name], t)
            pad = ((0.14 if name == "head" else radius) * tall / 1.80 * focal / depth)[:, None]
            low, high = np.minimum(low, px - pad), np.maximum(high, px + pad)
    return np.concatenate([low, high], axis=1)
