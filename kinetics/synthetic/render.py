"""Frames of a scene: the warped ground, shadows, people in order of depth, motion blur by averaged sub-frames, lens and grain."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .body import BODY_NAMES
from .camera import Camera
from .figure import KITS, PASSERS, Eye, Painter, draw_bat, draw_person
from .ground import Plate, paint_plate
from .overlays import draw_overlays
from .raster import Raster
from .scene import ShotScene
from .visibility import SEGMENTS

_BALL_RADIUS = 0.036


class Renderer:
    """Draws the frames of one scene.

    Parameters
    ----------
    scene : ShotScene
    fps : float
    shutter : float
        Part of the frame time during which the film is exposed, 0 (sharp) to 1; the exposure is centred on the frame's time.
    grain : float
        Standard deviation of the sensor's noise, 8-bit levels; new in every frame.
    seed : int or sequence of int
        Of the crowd, the grass and the grain.
    overlays : bool
        A score bar, a logo and a watermark that stay where they are.
    """

    def __init__(self, scene: ShotScene, fps: float, shutter: float = 0.5, grain: float = 3.0, seed=0, overlays: bool = False) -> None:
        self.scene, self.fps, self.shutter, self.grain, self.overlays = scene, fps, shutter, grain, overlays
        self.t = np.arange(round(scene.duration * fps)) / fps
        self._seed = list(np.atleast_1d(seed))
        self._plates: dict[int, Plate] = {}
        width, height = scene.camera.size
        noise = np.random.default_rng([*self._seed, 1]).standard_normal((height + 128, width + 128, 3)).astype(np.float32)
        noise = 0.75 * noise[..., :1] + 0.45 * noise
        noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
        self._noise = noise / noise.std()

    def frames(self) -> Iterator[np.ndarray]:
        """Frames (H, W, 3) uint8 RGB, one at a time."""
        for index in range(len(self.t)):
            yield self.frame(index)

    def frame(self, index: int) -> np.ndarray:
        """The frame of that number, (H, W, 3) uint8 RGB; the same whichever frames were drawn before."""
        t = self.t[index]
        camera = self.scene.camera_at(t)
        moments, share = self._moments(camera, t)
        picture = self._background(camera, moments)
        for layer in self._layers(camera, moments, share):
            layer(picture)
        picture = cv2.GaussianBlur(picture, (0, 0), 0.55 * max(0.6, camera.size[1] / 720.0))
        if self.overlays:
            draw_overlays(picture, t)
        rng = np.random.default_rng([*self._seed, 2, index])
        dy, dx = rng.integers(0, 128, size=2)
        height, width = picture.shape[:2]
        picture += self.grain * self._noise[dy : dy + height, dx : dx + width]
        return np.clip(picture + 0.5, 0, 255).astype(np.uint8)

    def _plate(self, camera: Camera) -> Plate:
        """The ground as this camera sees it, painted once."""
        if id(camera) not in self._plates:
            self._plates[id(camera)] = paint_plate(
                camera, np.append(self.t, self.t[-1] + 1.0 / self.fps), np.random.default_rng([*self._seed, 0])
            )
        return self._plates[id(camera)]

    def _moments(self, camera: Camera, t: float) -> tuple[np.ndarray, int]:
        """Times in the exposure at which the bat is drawn, about 4 px apart at most, and how many share one drawing of the body."""
        half = 0.5 * self.shutter / self.fps
        ends = t + np.array([-half, 0.0, half])
        px = camera.project(self.scene.track(ends), ends[:, None])[0]
        moved = np.linalg.norm(np.diff(px, axis=0), axis=-1).sum(axis=0)
        body = int(np.clip(np.ceil(moved[: len(BODY_NAMES)].max() / 4.0), 1, 8))
        share = int(np.clip(np.ceil(moved.max() / 4.0 / body), 1, 6))
        return t + half * ((np.arange(body * share) + 0.5) / (body * share) * 2.0 - 1.0), share

    def _background(self, camera: Camera, moments: np.ndarray) -> np.ndarray:
        plate = self._plate(camera)
        moved = [plate.to_frame(camera, s) for s in (moments[0], moments[-1])]
        middle = np.array([camera.size[0] / 2, camera.size[1] / 2, 1.0])
        corner = np.linalg.inv(moved[0]) @ middle
        shift = np.linalg.norm((moved[1] @ corner / (moved[1] @ corner)[2] - middle)[:2])
        # Middles of equal parts of the exposure: their mean is its middle, where the people are drawn too.
        count = int(np.clip(np.ceil(shift / 3.0), 1, 8))
        few = moments[0] + (moments[-1] - moments[0]) * (np.arange(count) + 0.5) / count
        picture = np.zeros((camera.size[1], camera.size[0], 3), np.float32)
        for s in few:
            picture += cv2.warpPerspective(plate.image, plate.to_frame(camera, s), camera.size, flags=cv2.INTER_LINEAR)
        return picture / len(few)

    def _layers(self, camera: Camera, moments: np.ndarray, share: int):
        """What lies over the ground, farthest first; each is a function that draws onto the picture."""
        scene, middle = self.scene, moments[len(moments) // 2 : len(moments) // 2 + 1]
        people = [(scene.points, scene.batter, KITS[scene.batter.kit % len(KITS)], True)]
        people += [(passer.joints, passer.body, PASSERS[passer.dress], False) for passer in scene.passers.values()]
        depths = [float(camera.project(points(middle)["pelvis"], middle)[1][0]) for points, *_ in people]
        order = [people[k] for k in np.argsort(depths)[::-1]]
        yield lambda picture: self._shadows(picture, camera, middle, order)
        yield lambda picture: self._ball(picture, camera, moments)
        for points, body, dress, batting in order:
            yield lambda picture, a=points, b=body, c=dress, d=batting: self._person(picture, camera, moments, share, a, b, c, d)

    def _person(self, picture, camera: Camera, moments, share: int, points, body, dress, batting: bool) -> None:
        """Average the sub-frames of one person, then lay them over the picture."""
        j = points(moments)
        window = _window(camera, moments, np.stack([j[n] for n in (*BODY_NAMES, *(("bat_tip",) if batting else ()))], axis=1))
        if window is None:
            return
        layer = _Layer(window)
        size = body.height / 1.80
        for first in range(0, len(moments), share):
            group = range(first, min(first + share, len(moments)))
            middle = group[len(group) // 2]
            drawn = Raster(window)
            draw_person(
                Painter(drawn, Eye(camera, moments[middle])), {name: value[middle] for name, value in j.items()}, size, dress, pads=batting
            )
            if not batting:
                layer.add(drawn, len(group))
                continue
            for k in group:
                raster = drawn.copy() if k != group[-1] else drawn
                painter = Painter(raster, Eye(camera, moments[k]))
                draw_bat(painter, {name: j[name][k] for name in ("bat_handle_end", "bat_tip", "_axis", "_blade")})
                self._draw_ball(painter, moments[k])
                layer.add(raster, 1)
        layer.lay_over(picture)

    def _draw_ball(self, painter: Painter, s: float) -> None:
        place = self.scene.ball(np.array([s]))[0]
        painter.limb(place, place, _BALL_RADIUS, _BALL_RADIUS, (238, 236, 226))

    def _ball(self, picture, camera: Camera, moments) -> None:
        places = self.scene.ball(moments)
        window = _window(camera, moments, places[:, None], pad=0.15)
        if window is None:
            return
        layer = _Layer(window)
        for s in moments:
            raster = Raster(window)
            self._draw_ball(Painter(raster, Eye(camera, s)), s)
            layer.add(raster, 1)
        layer.lay_over(picture)

    def _shadows(self, picture, camera: Camera, moment, people) -> None:
        """Soft shadows on the ground, of everyone, as capsules thrown along the sun."""
        eye = Eye(camera, float(moment[0]))
        right, forward = camera.rotation(moment)[0][0], camera.rotation(moment)[0][2]
        slide = 0.55 * right + 0.35 * forward / np.hypot(forward[0], forward[1])
        mask = np.zeros(picture.shape[:2], np.uint8)
        for points, body, _, batting in people:
            j = points(moment)
            segments = [*SEGMENTS, *((("bat_handle_end", "bat_tip", 0.04),) if batting else ())]
            for a, b, radius in segments:
                ends = np.stack([j[a][0], j[b][0]])
                ground = ends + ends[:, 2:] * slide
                ground[:, 2] = 0.0
                px, z = eye.point(ground)
                if np.abs(px).max() > 4000:
                    continue
                wide = max(1, round(1.2 * radius * eye.metre(float(z.mean())) * body.height / 1.80))
                p, q = (tuple(round(v) for v in point) for point in px)
                cv2.line(mask, p, q, 255, wide, cv2.LINE_AA)
        rows = np.flatnonzero(mask.any(axis=1))
        if len(rows):
            low, high = max(0, rows[0] - 12), min(len(mask), rows[-1] + 13)
            soft = cv2.GaussianBlur(mask[low:high], (0, 0), 2.5 * max(0.4, camera.size[1] / 720.0)).astype(np.float32)
            picture[low:high] *= (1.0 - 0.45 / 255.0 * soft)[..., None]


class _Layer:
    """The mean of sub-frames of one window of the picture."""

    def __init__(self, window: tuple[int, int, int, int]) -> None:
        self._window, self._colour, self._alpha, self._count = window, 0.0, 0.0, 0

    def add(self, raster: Raster, times: int) -> None:
        self._colour = self._colour + times * raster.colour
        self._alpha = self._alpha + times * raster.alpha
        self._count += times

    def lay_over(self, picture: np.ndarray) -> None:
        x0, y0, x1, y1 = self._window
        part = picture[y0:y1, x0:x1]
        part *= 1.0 - (self._alpha / self._count)[..., None]
        part += self._colour / self._count


def _window(camera: Camera, moments, points, pad: float = 0.32) -> tuple[int, int, int, int] | None:
    """The part of the picture that holds points (T, K, 3) and ``pad`` metres more; None when there is none."""
    px, depth = camera.project(points, moments[:, None])
    extra = pad * float(camera.angles(moments)[2].max() / depth.min())
    low = np.maximum(np.floor(px.min(axis=(0, 1)) - extra), 0).astype(int)
    high = np.minimum(np.ceil(px.max(axis=(0, 1)) + extra), camera.size).astype(int)
    return None if (low >= high).any() else (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
