"""Points of the background found again from frame to frame, and the similarity that they tell.

Points are complex numbers x + iy from the middle of the picture, so that a similarity is z -> s·z + t.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..pose_sequence import PoseSequence
from .procrustes import solve_similarity

#: Corners looked for in a frame, spread over cells of the picture so that one busy place does not outvote the rest.
CORNERS, CELLS = 480, 12
#: The points of a pair are averaged within so many by so many parts of the picture, for the solution over all frames.
PARTS = 8
#: Fewer points than this, or a smaller part of those found again, tell no motion.
LEAST_POINTS, LEAST_SHARE = 12, 0.3
#: Points from which a homography is told apart from a similarity.
_ENOUGH = 40
#: There and back again within so many pixels.
_RETURN = 0.7

_FLOW = {"winSize": (21, 21), "criteria": (3, 20, 0.01), "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
#: Halvings of the picture in which points are looked for: where the camera may be anywhere, and where it is known to a few pixels.
_FAR, _NEAR = 4, 1


@dataclass(frozen=True, eq=False)
class Pair:
    """What two frames say of the camera: ``z_j = s z_i + t``.

    Attributes
    ----------
    i, j : int
        Frames.
    s, t : complex
        The similarity.
    p, q : (N,) complex64
        Places of the background in frame i and in frame j: means over the points in a part of the picture.
    count : (N,) float32
        How many points each is the mean of.
    found : int
        How many agreed.
    residual : float
        Their median distance from the similarity, px.
    """

    i: int
    j: int
    s: complex
    t: complex
    p: np.ndarray
    q: np.ndarray
    count: np.ndarray
    found: int
    residual: float

    @property
    def weight(self) -> float:
        """One over the pair's standard deviation, 1/px.

        More points help only so far. A codec lets a slowly moving background lag behind by a tenth of a pixel and catch up some frames
        later: in a chain of neighbours that adds up, over a longer span it does not.
        """
        lag = 0.3 if self.j - self.i == 1 else 0.1
        return 1.0 / np.sqrt(lag**2 + self.residual**2 / self.found)


@dataclass(frozen=True, eq=False)
class View:
    """A frame as the tracker sees it: grey, small enough, with the corners of its background.

    ``corners`` (N, 2) float32 are in pixels of ``grey``.
    """

    index: int
    grey: np.ndarray
    corners: np.ndarray

    @property
    def middle(self) -> complex:
        height, width = self.grey.shape
        return complex(width - 1, height - 1) / 2


def find_corners(grey: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(N, 2) float32: the best corners of each cell of the picture, inside the mask, to about two pixels."""
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    strength = cv2.cornerMinEigenVal(half, 3, ksize=3)
    peaks = (strength >= cv2.dilate(strength, np.ones((5, 5)))) & (cv2.resize(mask, half.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0)
    peaks[:3] = peaks[-3:] = peaks[:, :3] = peaks[:, -3:] = False
    y, x = np.nonzero(peaks)
    value = strength[y, x]
    if not len(value):
        return np.zeros((0, 2), np.float32)
    enough = value > 1e-3 * np.percentile(value, 99)
    y, x, value = y[enough], x[enough], value[enough]
    side = max(half.shape) / CELLS
    cell = (y // side).astype(int) * CELLS + (x // side).astype(int)
    order = np.lexsort((-value, cell))
    cell = cell[order]
    rank = np.arange(len(cell)) - np.searchsorted(cell, cell)
    # As many from each cell as fill the number wanted.
    counts = np.bincount(cell)
    share = next(n for n in range(1, CORNERS + 1) if np.minimum(counts, n).sum() >= min(CORNERS, len(cell)))
    best = order[rank < share]
    return 2.0 * np.stack([x[best], y[best]], axis=1).astype(np.float32) + 0.5


def people_mask(pose: PoseSequence | None, index: int, scale: float, shape: tuple[int, int]) -> np.ndarray:
    """255 outside the batter and the reach of his bat, (H, W) uint8, in a picture ``scale`` times the pose's."""
    mask = np.full(shape, 255, np.uint8)
    if pose is None:
        return mask
    seen = pose.xy[index][~pose.missing[index]]
    if len(seen) < 3:
        return mask
    seen = (scale * (seen + 0.5) - 0.5).astype(np.float32)
    tall = float(np.ptp(seen, axis=0).max())
    hull = cv2.convexHull(seen).astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 0)
    cv2.polylines(mask, [hull], True, 0, 2 * max(3, round(0.12 * tall)))
    for name in ("left_wrist", "right_wrist"):
        if name in pose.names and np.isfinite(pose.joint(name)[index]).all():
            x, y = scale * (pose.joint(name)[index] + 0.5) - 0.5
            cv2.circle(mask, (round(x), round(y)), int(0.5 * tall), 0, -1)
    return mask


def measure_pair(a: View, b: View, mask: np.ndarray, s: complex = 1.0, t: complex = 0.0, near: bool = False) -> Pair | None:
    """Find the corners of ``a`` in ``b`` and fit the similarity they agree on; None where they tell none.

    Parameters
    ----------
    a, b : View
    mask : (H, W) uint8
        255 where frame b may show background.
    s, t : complex
        Where the camera is thought to have gone, frame a -> frame b, from the middle of the picture.
    near : bool
        That is true to a few pixels.
    """
    if len(a.corners) < LEAST_POINTS:
        return None
    p = a.corners.astype(np.float64) @ [1, 1j] - a.middle
    grey = b.grey
    bent = abs(s - 1) > 0.04
    if bent:
        # At another zoom the windows would not look alike: b is brought onto a first.
        size = a.grey.shape[::-1]
        shift = b.middle + t - s * a.middle
        m = np.array([[s.real, -s.imag, shift.real], [s.imag, s.real, shift.imag]])
        grey = cv2.warpAffine(grey, m, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        mask = cv2.warpAffine(mask, m, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    q, ok = _flow(a.grey, grey, mask, a.corners, p + a.middle if bent else s * p + t + b.middle, _NEAR if near else _FAR)
    q = s * (q - a.middle) + t if bent else q - b.middle
    p, q = p[ok], q[ok]
    if len(p) < LEAST_POINTS:
        return None
    inside = _consensus(p, q)
    if inside.sum() < max(LEAST_POINTS, LEAST_SHARE * len(p)):
        return None
    p, q = p[inside], q[inside]
    s, t = _similarity(p, q)
    return Pair(a.index, b.index, s, t, *_means(p, q, max(a.grey.shape)), len(p), float(np.median(np.abs(s * p + t - q))))


def _flow(
    a: np.ndarray, b: np.ndarray, mask: np.ndarray, corners: np.ndarray, guess: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where corners (N, 2) of picture a lie in picture b, complex, and which came back to where they started."""
    start = np.stack([guess.real, guess.imag], axis=1).astype(np.float32)
    there, seen, _ = cv2.calcOpticalFlowPyrLK(a, b, corners[:, None], start[:, None].copy(), maxLevel=levels, **_FLOW)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(b, a, there, corners[:, None].copy(), maxLevel=_NEAR, **_FLOW)
    there, back = there[:, 0], back[:, 0]
    height, width = b.shape
    ok = (seen[:, 0] > 0) & (returned[:, 0] > 0) & (np.linalg.norm(back - corners, axis=1) < _RETURN)
    ok &= (there >= 2).all(axis=1) & (there[:, 0] <= width - 3) & (there[:, 1] <= height - 3)
    whole = there[ok].round().astype(int)
    ok[ok] = mask[whole[:, 1], whole[:, 0]] > 0
    return there.astype(np.float64) @ [1, 1j], ok


def _means(p: np.ndarray, q: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of points within parts of the picture, and how many went into each: over a part, any map of the camera is nearly linear."""
    part = np.floor(p.real * (PARTS / side) + PARTS / 2).astype(int) + 1000 * np.floor(p.imag * (PARTS / side) + PARTS / 2).astype(int)
    _, where = np.unique(part, return_inverse=True)
    count = np.bincount(where)
    means = [(np.bincount(where, z.real) + 1j * np.bincount(where, z.imag)) / count for z in (p, q)]
    return means[0].astype(np.complex64), means[1].astype(np.complex64), count.astype(np.float32)


def _consensus(p: np.ndarray, q: np.ndarray, reach: float = 2.0, rounds: int = 4) -> np.ndarray:
    """(N,) bool: the points that agree on a similarity, by RANSAC, and then on a homography near it, by trimmed least squares.

    A similarity alone would drop what lies near the edge when the camera has turned far.
    """
    ends = [np.stack([z.real, z.imag], axis=1) for z in (p, q)]
    m, inside = cv2.estimateAffinePartial2D(*ends, method=cv2.RANSAC, ransacReprojThreshold=reach, maxIters=2000, confidence=0.999)
    if m is None:
        return np.zeros(len(p), bool)
    inside = inside[:, 0] > 0
    for _ in range(rounds):
        if inside.sum() < LEAST_POINTS:
            break
        off = (_off_homography if inside.sum() >= _ENOUGH else _off_similarity)(p, q, inside)
        inside = off < np.clip(3.5 * np.median(off[inside]), 0.3, reach)
    return inside


def _off_similarity(p: np.ndarray, q: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Distances of all points from the similarity fitted to those inside."""
    s, t = _similarity(p[inside], q[inside])
    return np.abs(s * p + t - q)


def _off_homography(p: np.ndarray, q: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Distances of all points from the homography fitted to those inside, linear in its eight numbers."""
    side = np.abs(p).max()
    x, y, u, v = p.real / side, p.imag / side, q.real / side, q.imag / side
    o, e = np.zeros_like(x), np.ones_like(x)
    rows = np.stack([[x, y, e, o, o, o, -u * x, -u * y], [o, o, o, x, y, e, -v * x, -v * y]])[..., inside]
    rows = np.concatenate(list(rows), axis=1).T
    h = np.linalg.solve(rows.T @ rows, rows.T @ np.concatenate([u[inside], v[inside]]))
    w = h[6] * x + h[7] * y + 1.0
    return side * np.hypot((h[0] * x + h[1] * y + h[2]) / w - u, (h[3] * x + h[4] * y + h[5]) / w - v)


def _similarity(p: np.ndarray, q: np.ndarray) -> tuple[complex, complex]:
    """Least squares of ``q = s p + t`` over complex points."""
    s, p_mean, q_mean = solve_similarity(p, q, np.ones(len(p)))
    return complex(s), complex(q_mean - s * p_mean)
