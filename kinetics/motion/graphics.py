"""Graphics that stand still on the screen while the camera moves: score bars, logos, watermarks, borders, a recorder's buttons."""

from __future__ import annotations

import cv2
import numpy as np

from .background import LEAST_POINTS, find_corners

#: Edges are looked at in every so manieth pixel.
_THIN = 2
#: Width of the small pictures in which it is seen whether the camera has moved, and by how much it has to: px of them, and of the
#: thinned picture.
_WIDTH, _MOVED_SMALL, _MOVED = 320, 0.5, 1.0
#: Part of the corners, and of the cells that hold corners, that have to have moved together.
_LEAST_PART, _LEAST_CELLS = 0.25, 0.25
#: Grey levels per pixel of a full edge.
_EDGE = 5.0
#: Looks that an edge has to have stood still through, and part of them in which it has to be there.
_LOOKS, _CONSTANT = 4, 0.8
#: After so many looks only every second frame is looked at, after twice as many every third.
_OFTEN = 12


class GraphicsFinder:
    """Looks at the frames of one shot and keeps sums over those between which the camera has moved.

    An edge of a graphic is there at the same place with the same direction each time; an edge of the scene has gone somewhere else.
    A look counts at a pixel only where the camera's motion would have carried such an edge away: a line along which the camera pans
    stays where it is, and so does what lies about the fixed point of a zoom.
    """

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._shape = (0, 0)
        self._sum = self._looks = np.zeros(0, np.float32)
        self._taken = self._wait = 0

    def add(self, grey: np.ndarray, people: np.ndarray) -> None:
        """Look at the next frame, (H, W) uint8; where ``people`` (H, W) uint8 is 0, a camera that follows him keeps a person still."""
        height, width = (side // _THIN for side in grey.shape)
        factor = width / _WIDTH
        if self._last is None:
            self._shape = grey.shape
            self._last = cv2.resize(grey, (_WIDTH, max(8, round(height / factor))), interpolation=cv2.INTER_AREA)
            self._sum, self._looks = np.zeros((2, height, width), np.float32), np.zeros((height, width), np.float32)
            return
        self._wait -= 1
        if self._wait > 0:
            return
        small = cv2.resize(grey, self._last.shape[::-1], interpolation=cv2.INTER_AREA)
        motion = _camera_motion(self._last, small, max(_MOVED_SMALL, _MOVED / factor))
        if motion is None:
            return
        self._last = small
        # The more looks there have been, the less the next one adds.
        self._taken += 1
        self._wait = self._taken // _OFTEN
        smooth = cv2.GaussianBlur(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), (0, 0), 0.8)
        gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3, scale=0.25) for d in ((1, 0), (0, 1)))
        strength = cv2.magnitude(gx, gy)
        # How far the camera's motion carries the scene at each pixel.
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        (a, b, c), (d, e, f) = motion
        dx = np.float32(a - 1) * x + (np.float32(b) * y + np.float32(c * factor))
        dy = np.float32(d) * x + (np.float32(e - 1) * y + np.float32(f * factor))
        told = np.abs(gx * dx + gy * dy) > _MOVED * strength
        told |= (strength < 0.5 * _EDGE) & (dx * dx + dy * dy > _MOVED**2)
        told &= cv2.resize(people, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        unit = told / np.maximum(strength, np.float32(_EDGE))
        self._sum += gx * unit, gy * unit
        self._looks += told

    def mask(self) -> np.ndarray:
        """(H, W) bool: True on graphics and a little round them; nowhere when the camera stood still."""
        still = (self._looks >= _LOOKS) & (np.hypot(*self._sum) > _CONSTANT * self._looks)
        return cv2.resize(_fill(still.astype(np.uint8)), self._shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _fill(still: np.ndarray) -> np.ndarray:
    """From edges that stand still, (H, W) of 0 and 1, to the graphics they belong to."""
    unit = max(still.shape) / 640.0
    # Specks are chance.
    edges = _drop_small(cv2.dilate(still, np.ones((3, 3), np.uint8)), 16 * unit**2)
    areas = _drop_small(cv2.morphologyEx(edges, cv2.MORPH_CLOSE, _disc(6 * unit)), 120 * unit**2)
    grown = cv2.dilate(areas, _disc(3 * unit))
    return 1 - _drop_small(1 - grown, 0.05 * still.size)


def _drop_small(mask: np.ndarray, area: float) -> np.ndarray:
    """The parts of a mask that hang together and have at least this area."""
    _, label, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= area
    large[0] = False
    return large[label].astype(np.uint8)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _camera_motion(last: np.ndarray, now: np.ndarray, least: float) -> np.ndarray | None:
    """The similarity (2, 3) by which much of the picture, and not in one place only, has moved ``least`` px or more; None if none has."""
    corners = find_corners(last, np.full(last.shape, 255, np.uint8))
    if len(corners) < LEAST_POINTS:
        return None
    there, seen, _ = cv2.calcOpticalFlowPyrLK(last, now, corners[:, None], None, winSize=(15, 15), maxLevel=3)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(now, last, there, None, winSize=(15, 15), maxLevel=3)
    ok = (seen[:, 0] > 0) & (returned[:, 0] > 0) & (np.linalg.norm(back[:, 0] - corners, axis=1) < 0.7)
    p, q = corners[ok], there[ok, 0]
    moved = np.linalg.norm(q - p, axis=1) > least
    enough = max(LEAST_POINTS, _LEAST_PART * len(p))
    if moved.sum() < enough:
        return None
    motion, inside = cv2.estimateAffinePartial2D(p[moved], q[moved], method=cv2.RANSAC, ransacReprojThreshold=0.75)
    if motion is None or inside.sum() < enough:
        return None
    cells = {tuple(cell) for cell in (p // 32).astype(int)}
    together = {tuple(cell) for cell in (p[moved][inside[:, 0] > 0] // 32).astype(int)}
    return motion if len(together) >= _LEAST_CELLS * len(cells) else None
