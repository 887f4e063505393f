"""A camera that turns and zooms on the spot: all frames of a shot at once, with one focal length more than similarities have.

Over a wide pan similarities are not enough: what lies near the edge of the picture moves along a curve. A camera on a tripod has as many
unknowns per frame, tilt, pan, roll and zoom, and its maps are exact homographies, K R K^-1 (Hartley & Zisserman, Multiple View Geometry,
§8.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import splu
from scipy.spatial.transform import Rotation

from .background import Pair

_ROUNDS = 25
#: Pairs whose equations are held in memory at a time.
_CHUNK = 256
#: Focal lengths that are believed, in sides of the picture.
_SHORTEST, _LONGEST = 0.6, 60.0
#: What is known of it beforehand, where the search starts: the usual one, and the power of e within which it lies.
_USUAL, _VAGUE = 8.0, 2.0
#: Degrees between the middle of a picture and the reference frame's beyond which its map is no longer a picture.
_WIDEST = 60.0


@dataclass(frozen=True, eq=False)
class PanTilt:
    """The frames of a shot as views from one place.

    Attributes
    ----------
    focal : float
        Of the reference frame, px.
    zoom : (N,)
        Focal length of each frame over that.
    turn : (N, 3, 3)
        Camera axes (right, down, forward) -> those of the reference frame.
    """

    focal: float
    zoom: np.ndarray
    turn: np.ndarray

    @property
    def maps(self) -> np.ndarray:
        """(N, 3, 3): pixels of the frames -> those of the reference frame, both from the middle of the picture."""
        far = np.stack([self.zoom * self.focal, self.zoom * self.focal, np.ones(len(self.zoom))], axis=1)
        maps = np.array([self.focal, self.focal, 1.0])[:, None] * self.turn / far[:, None, :]
        return maps / maps[:, 2:, 2:]

    @property
    def widest(self) -> float:
        """Degrees by which a frame is turned away from the reference frame at most."""
        return float(np.degrees(np.arccos(np.clip(self.turn[:, 2, 2].min(), -1.0, 1.0))))


def solve_pan_tilt(frames: Sequence[int], pairs: Sequence[Pair], a: np.ndarray, b: np.ndarray, side: float) -> PanTilt | None:
    """Turns, zooms and the focal length that bring the points of all pairs together, by Gauss-Newton from similarities.

    Parameters
    ----------
    frames, pairs
        As for :func:`kinetics.motion.pose_graph.solve_similarities`.
    a, b : (N,) complex
        Its answer.
    side : float
        Longer side of the picture, px.

    Returns
    -------
    PanTilt or None
        None when the camera turns so far that the reference frame's picture can't hold what it sees.
    """
    found = _Graph(frames, pairs, side).solve(a, b, _USUAL * side)
    return found if found.widest < _WIDEST else None


class _Graph:
    """The points of all pairs, padded to one length, and the equations they give."""

    def __init__(self, frames: Sequence[int], pairs: Sequence[Pair], side: float) -> None:
        place = {frame: k for k, frame in enumerate(frames)}
        self._count, self._side = len(frames), side
        self._i, self._j = (np.array([place[getattr(pair, end)] for pair in pairs]) for end in "ij")
        shape = (len(pairs), max(len(pair.p) for pair in pairs))
        self._p, self._q, self._weight = np.zeros(shape, complex), np.zeros(shape, complex), np.zeros(shape)
        for k, pair in enumerate(pairs):
            n = len(pair.p)
            self._p[k, :n], self._q[k, :n], self._weight[k, :n] = pair.p, pair.q, pair.weight**2 * pair.count / pair.found

    def solve(self, a: np.ndarray, b: np.ndarray, focal: float) -> PanTilt:
        shift = b / focal
        pan = Rotation.from_rotvec(np.stack([-shift.imag, shift.real, np.zeros(len(b))], axis=1))
        turn = pan * Rotation.from_rotvec(np.angle(a)[:, None] * [0.0, 0.0, 1.0])
        zoom, reach = 1.0 / np.abs(a), 2.0
        for _ in range(_ROUNDS):
            normal, right, typical = self._equations(focal, zoom, turn.as_matrix(), reach)
            x = splu(normal).solve(right)
            # Far from the answer a whole step would overshoot it.
            x *= min(1.0, 0.5 / max(abs(x[-1]), 1e-9))
            step = np.concatenate([np.zeros((1, 4)), x[:-1].reshape(-1, 4)]) / self._units(focal)
            longer = float(np.clip(focal * np.exp(x[-1]), _SHORTEST * self._side, _LONGEST * self._side))
            pan = Rotation.from_rotvec((focal / longer - 1.0) * _pans(turn.as_matrix()))
            turn, zoom, focal = pan * turn * Rotation.from_rotvec(step[:, :3]), zoom * np.exp(step[:, 3]), longer
            reach = max(3.0 * typical, 0.15)
            if np.abs(x).max() < 1e-3:
                break
        return PanTilt(focal, zoom, turn.as_matrix())

    def _units(self, focal: float) -> np.ndarray:
        """Pixels that a radian of tilt, pan and roll, and a unit of log zoom, move the picture by."""
        return np.array([focal, focal, self._side / 2, self._side / 2])

    def _equations(self, focal: float, zoom: np.ndarray, turn: np.ndarray, reach: float) -> tuple[csc_matrix, np.ndarray, float]:
        """Normal matrix and right side of the next step, unknowns in px but the last, log focal; and the median residual."""
        n = 4 * self._count + 1
        rows, cols, values, right, all_off = [], [], [], np.zeros(n), []
        for first in range(0, len(self._i), _CHUNK):
            part = slice(first, first + _CHUNK)
            i, j = self._i[part], self._j[part]
            off, jacobian = self._linear(part, focal, zoom, turn)
            length = np.hypot(off[..., 0], off[..., 1])
            weight = self._weight[part] / (1.0 + (length / reach) ** 2)
            all_off.append(length[self._weight[part] > 0])
            block = np.einsum("kn,knrx,knry->kxy", weight, jacobian, jacobian, optimize=True)
            gradient = -np.einsum("kn,knrx,knr->kx", weight, jacobian, off, optimize=True)
            where = np.concatenate([4 * i[:, None] + np.arange(4), 4 * j[:, None] + np.arange(4), np.full((len(i), 1), n - 1)], axis=1)
            np.add.at(right, where, gradient)
            rows.append(np.repeat(where, 9, axis=1).ravel())
            cols.append(np.tile(where, 9).ravel())
            values.append(block.ravel())
        rows.append([n - 1])
        cols.append([n - 1])
        values.append([_VAGUE**-2])
        right[-1] -= np.log(focal / (_USUAL * self._side)) * _VAGUE**-2
        normal = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=(n, n)).tocsc()
        return normal[4:, 4:], right[4:], float(np.median(np.concatenate(all_off)))

    def _linear(self, part: slice, focal: float, zoom: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (P, N, 2) px in frame j and their derivatives (P, N, 2, 9): turn and log zoom of i, those of j, log focal.

        A longer focal length goes with smaller pans: the shift of the picture, focal · angle, is held.
        """
        i, j = self._i[part], self._j[part]
        p, q = self._p[part], self._q[part]
        flat = p / (focal * zoom[i])[:, None]
        u = np.stack([flat.real, flat.imag, np.ones(p.shape)], axis=-1)
        between = np.swapaxes(turn[j], 1, 2) @ turn[i]
        v = np.einsum("kab,knb->kna", between, u)
        far = (focal * zoom[j])[:, None, None]
        seen = far * v[..., :2] / v[..., 2:]
        # d seen / d v
        onto = np.zeros((*p.shape, 2, 3))
        onto[..., 0, 0] = onto[..., 1, 1] = far[..., 0] / v[..., 2]
        onto[..., :, 2] = -seen / v[..., 2:]
        tilt, pan, roll, size = self._units(focal)
        spread = np.stack([u[..., 0], u[..., 1], np.zeros(p.shape)], axis=-1)
        turn_i = np.einsum("kab,knbc->knac", between, -_cross(u))
        columns = [onto @ turn_i / [tilt, pan, roll], -(onto @ np.einsum("kab,knb->kna", between, spread)[..., None]) / size]
        columns += [onto @ _cross(v) / [tilt, pan, roll], seen[..., None] / size]
        pans = _pans(turn)
        held = np.einsum("kab,knb->kna", np.swapaxes(turn[j], 1, 2) @ _cross(pans[j] - pans[i]) @ turn[i], u)
        columns += [onto @ (held - np.einsum("kab,knb->kna", between, spread))[..., None] + seen[..., None]]
        off = seen - np.stack([q.real, q.imag], axis=-1)
        return off, np.concatenate(columns, axis=-1)


def _pans(turn: np.ndarray) -> np.ndarray:
    """(N, 3) rotation vectors, without roll, that take the reference frame's forward axis to each frame's."""
    x, y, z = turn[:, :, 2].T
    across = np.hypot(x, y)
    angle = np.arctan2(across, z) / np.maximum(across, 1e-300)
    return np.stack([-y * angle, x * angle, np.zeros(len(x))], axis=1)


def _cross(v: np.ndarray) -> np.ndarray:
    """(..., 3, 3) with ``_cross(v) @ w = v × w``."""
    x, y, z = np.moveaxis(v, -1, 0)
    o = np.zeros_like(x)
    return np.stack([np.stack([o, -z, y], -1), np.stack([z, o, -x], -1), np.stack([-y, x, o], -1)], axis=-2)
