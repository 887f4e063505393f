"""Ready scenes: the canonical shot before a broadcast camera, and random batters for tests."""

from __future__ import annotations

import numpy as np

from .body import Batter
from .camera import Camera
from .passers import Passer
from .scene import ShotScene
from .strokes import SHOTS, Stroke, check_shot, default_stroke, random_shot

#: Degrees by which the camera stands round from square on the off side towards the bowler.
_AZIMUTH = {"cover_drive": 30, "down_the_ground": 34, "hook": 36, "inside_edge": 34, "off_drive": 30, "square_drive": 36}
_DISTANCE, _ELEVATION = 48.0, 3.4


def broadcast_camera(
    batter: Batter, stroke: Stroke, size: tuple[int, int], batter_px: float | None = None, rng: np.random.Generator | None = None
) -> Camera:
    """A camera on the off side that follows the shot and zooms in on it.

    Parameters
    ----------
    batter, stroke : Batter, Stroke
    size : (W, H)
        Picture, pixels.
    batter_px : float, optional
        Height of the batter standing upright once zoomed in; default 460 of 720 lines (about 390 in the stance).
    rng : Generator, optional
        Draws another camera man's place and moves; None = the canonical ones.

    Returns
    -------
    Camera
    """
    off = -1.0 if batter.handed == "right" else 1.0
    jitter = (lambda spread: 0.0) if rng is None else (lambda spread: float(rng.uniform(-spread, spread)))
    azimuth = np.radians(_AZIMUTH[stroke.shot] + jitter(8.0))
    distance = _DISTANCE * (1.0 + jitter(0.15))
    scale = (460.0 / 720.0 * size[1] if batter_px is None else batter_px) / batter.height
    aim = (0.05 + jitter(0.05), 0.0, 1.02 + jitter(0.04))
    place = (aim[0] + distance * np.sin(azimuth), off * distance * np.cos(azimuth), _ELEVATION * (1.0 + jitter(0.2)))
    # Seen from the off side the bowler's end is on the right for a right-hander, on the left for a left-hander.
    side = 1.0 if batter.handed == "right" else -1.0
    impact = stroke.impact
    follow = side * (0.32 if stroke.shot != "hook" else -0.18) * (1.0 + jitter(0.4))
    after = side * (0.22 if stroke.shot != "hook" else -0.16) * (1.0 + jitter(0.5))
    before = 0.84 * (1.0 + jitter(0.06))
    return Camera(
        place=place, aim=aim, px_per_m=scale * before, size=size,
        pans=((follow, impact - 0.30, 0.22 + jitter(0.04)), (after, impact + 0.35, 0.25 + jitter(0.05))),
        tilts=((0.05 + jitter(0.05), impact - 0.2, 0.3),),
        zooms=((1.0 / before, impact - 0.55 + jitter(0.2), 0.35), (0.93 * (1.0 + jitter(0.05)), impact + 0.75, 0.3)),
        sway=0.006,
    )  # fmt: skip


def default_scene(shot: str, seed: int = 0, size: tuple[int, int] = (1280, 720), batter_px: float | None = None) -> ShotScene:
    """The sample scene of a shot.

    Seed 0 is the canonical one: a right-hander 1.80 m tall, the stroke as tabled. Any other seed draws a batter, his
    way of playing the shot and the camera's moves.

    Raises
    ------
    KineticsError
        When ``shot`` is not one of ``SHOTS``.
    """
    check_shot(shot)
    if seed:
        return random_scene(np.random.default_rng([seed, SHOTS.index(shot)]), shot, size, batter_px)
    batter, stroke = Batter(kit=SHOTS.index(shot)), default_stroke(shot)
    return ShotScene(batter, stroke, broadcast_camera(batter, stroke, size, batter_px))


def random_scene(rng: np.random.Generator, shot: str, size: tuple[int, int] = (1280, 720), batter_px: float | None = None) -> ShotScene:
    """A random batter playing ``shot`` in his own way before a random camera."""
    batter = Batter.random(rng)
    stroke = random_shot(rng, shot)
    return ShotScene(batter, stroke, broadcast_camera(batter, stroke, size, batter_px, rng))


def crossing_passer(scene: ShotScene, where: str, dress: str, middle: float, pace: float = 1.5) -> Passer:
    """Someone who crosses the picture ``"behind"`` or in ``"front"`` of the batter, level with him at time ``middle`` (s)."""
    camera = scene.camera
    moment = np.array([middle])
    right, forward = camera.rotation(moment)[0][0], camera.rotation(moment)[0][2]
    level = forward[:2] / np.linalg.norm(forward[:2])
    pelvis = scene.points(moment)["pelvis"][0, :2]
    velocity = pace * right[:2] * (1.0 if where == "front" else -1.0)
    start = pelvis + level * (-1.6 if where == "front" else 3.0) - velocity * middle
    return Passer(
        Batter(height=1.78), (float(start[0]), float(start[1])), (float(velocity[0]), float(velocity[1])), dress, cadence=0.35 + 0.42 * pace
    )


def wide_camera(scene: ShotScene) -> Camera:
    """The camera that a cut goes to: high behind the bowler's arm side, the field wide, slowly panning."""
    width, height = scene.camera.size
    off = -1.0 if scene.batter.handed == "right" else 1.0
    return Camera(
        (62.0, off * 34.0, 17.0), (8.0, off * 2.0, 0.0), 24.0 * height / 720.0, (width, height), pans=((2.0, scene.duration - 0.3, 0.4),)
    )
