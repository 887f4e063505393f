"""A camera on a tripod that pans, tilts and zooms: closed-form in time, so its picture of a still world is an exact homography."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .smooth import step, vector


@dataclass(frozen=True)
class Camera:
    """A pinhole at a fixed place.

    Attributes
    ----------
    place : (3,) m
        Where it stands, world axes.
    aim : (3,) m
        The world point that is in the middle of the picture when no move has begun.
    px_per_m : float
        Scale of the picture at ``aim`` when no move has begun.
    size : (W, H)
    pans, tilts : tuple of (metres, centre, width)
        Smooth steps of the aim, sideways to the right and upwards, measured at ``aim``.
    zooms : tuple of (factor, centre, width)
        Smooth steps of the focal length.
    sway : float
        Slow wander of the operator's hand, m at ``aim``.
    """

    place: tuple[float, float, float]
    aim: tuple[float, float, float]
    px_per_m: float
    size: tuple[int, int]
    pans: tuple[tuple[float, float, float], ...] = ()
    tilts: tuple[tuple[float, float, float], ...] = ()
    zooms: tuple[tuple[float, float, float], ...] = ()
    sway: float = 0.0

    @property
    def distance(self) -> float:
        """From the camera to ``aim``, m."""
        return float(np.linalg.norm(np.subtract(self.aim, self.place)))

    def angles(self, t):
        """Pan (from +x towards +y), tilt (upwards), radians, and focal length, px, at times ``t`` (T,)."""
        dx, dy, dz = np.subtract(self.aim, self.place)
        level = np.hypot(dx, dy)
        right = sum((m * step(t, c, w) for m, c, w in self.pans), self.sway * (np.sin(1.7 * t + 0.4) + 0.5 * np.sin(3.1 * t)))
        up = sum((m * step(t, c, w) for m, c, w in self.tilts), 0.6 * self.sway * np.sin(2.3 * t + 1.0))
        focal = self.px_per_m * self.distance * np.exp(sum((np.log(k) * step(t, c, w) for k, c, w in self.zooms), 0.0 * t))
        return np.arctan2(dy, dx) - right / level, np.arctan2(dz, level) + up / self.distance, focal

    def rotation(self, t) -> np.ndarray:
        """World to camera (T, 3, 3): rows are the picture's right, down and forward axes."""
        pan, tilt, _ = self.angles(t)
        cp, sp, ct, st = np.cos(pan), np.sin(pan), np.cos(tilt), np.sin(tilt)
        return np.stack([vector(sp, -cp, 0.0 * pan), vector(st * cp, st * sp, -ct), vector(ct * cp, ct * sp, st)], axis=-2)

    def intrinsics(self, t) -> np.ndarray:
        """K (T, 3, 3), pixels; pixel (0, 0) is the middle of the first pixel."""
        focal = self.angles(t)[2]
        k = np.zeros((*np.shape(focal), 3, 3), dtype=np.asarray(focal).dtype)
        k[..., 0, 0] = k[..., 1, 1] = focal
        k[..., 0, 2], k[..., 1, 2], k[..., 2, 2] = 0.5 * (self.size[0] - 1), 0.5 * (self.size[1] - 1), 1.0
        return k

    def project(self, points, t):
        """World points (T, 3) at times ``t`` (T,) -> (pixels (T, 2), depth (T,) m)."""
        eye = np.einsum("...ij,...j->...i", self.rotation(t), points - np.asarray(self.place))
        focal = self.angles(t)[2]
        middle = 0.5 * (np.asarray(self.size) - 1)
        return focal[..., None] * eye[..., :2] / eye[..., 2:] + middle, eye[..., 2]

    def homography(self, t, t0: float) -> np.ndarray:
        """Picture at ``t0`` -> picture at ``t``, (T, 3, 3) with H[2, 2] = 1; exact, since the camera only turns and zooms."""
        t = np.asarray(t, dtype=np.float64)
        first = np.full(1, t0)
        back = self.rotation(first)[0].T @ np.linalg.inv(self.intrinsics(first)[0])
        h = self.intrinsics(t) @ self.rotation(t) @ back
        return h / h[..., 2:, 2:]

    def similarity(self, t, t0: float) -> tuple[np.ndarray, np.ndarray]:
        """The similarity nearest to :meth:`homography` over the picture: (T, 2, 3), and its largest error there, px (T,)."""
        width, height = self.size
        x, y = np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9))
        grid = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        h = self.homography(t, t0)
        there = h @ grid
        p, q = grid[0] + 1j * grid[1], (there[..., 0, :] + 1j * there[..., 1, :]) / there[..., 2, :]
        p_mean, q_mean = p.mean(), q.mean(axis=-1, keepdims=True)
        a = ((q - q_mean) * np.conj(p - p_mean)).sum(axis=-1, keepdims=True) / (np.abs(p - p_mean) ** 2).sum()
        b = q_mean - a * p_mean
        matrix = np.stack([np.concatenate([a.real, -a.imag, b.real], -1), np.concatenate([a.imag, a.real, b.imag], -1)], axis=-2)
        return matrix, np.abs(a * p + b - q).max(axis=-1)
