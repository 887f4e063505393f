"""A small software rasteriser with a depth buffer: shaded tapered capsules, ellipsoids and flat polygons, edges one pixel soft."""

from __future__ import annotations

import copy

import cv2
import numpy as np

#: Direction towards the light in the picture's axes (x right, y down, z away from the eye), and its balance.
_LIGHT = np.array([-0.42, -0.70, -0.58], dtype=np.float32) / np.float32(np.sqrt(0.42**2 + 0.70**2 + 0.58**2))
_AMBIENT, _DIFFUSE, _RIM = 0.58, 0.58, 0.18


class Raster:
    """Colour (premultiplied), coverage and depth of the drawn people in one window of the picture.

    Parameters
    ----------
    window : (x0, y0, x1, y1)
        The part of the picture that is drawn, pixels, x1 and y1 exclusive.
    """

    def __init__(self, window: tuple[int, int, int, int]) -> None:
        self.x0, self.y0, x1, y1 = window
        self.width, self.height = x1 - self.x0, y1 - self.y0
        self.colour = np.zeros((self.height, self.width, 3), np.float32)
        self.alpha = np.zeros((self.height, self.width), np.float32)
        self.depth = np.full((self.height, self.width), np.inf, np.float32)

    def copy(self) -> Raster:
        """Another raster with the same contents."""
        other = copy.copy(self)
        other.colour, other.alpha, other.depth = self.colour.copy(), self.alpha.copy(), self.depth.copy()
        return other

    def _box(self, low, high):
        """Index slices of the pixels within a bounding box, or None when it lies outside the window."""
        x0, y0 = max(0, int(low[0]) - self.x0 - 1), max(0, int(low[1]) - self.y0 - 1)
        x1, y1 = min(self.width, int(high[0]) - self.x0 + 3), min(self.height, int(high[1]) - self.y0 + 3)
        return None if x0 >= x1 or y0 >= y1 else (slice(y0, y1), slice(x0, x1))

    def _grid(self, box):
        y = np.arange(box[0].start + self.y0, box[0].stop + self.y0, dtype=np.float32)[:, None]
        return np.arange(box[1].start + self.x0, box[1].stop + self.x0, dtype=np.float32)[None, :], y

    def _put(self, box, cover, depth, rgb) -> None:
        """Blend where nearer than what is there; ``rgb`` is (3,) or (h, w, 3)."""
        old, colour, alpha = self.depth[box], self.colour[box], self.alpha[box]
        cover = cover * (depth < old)
        colour += cover[..., None] * (rgb - colour)
        alpha += cover * (1.0 - alpha)
        np.copyto(old, depth, where=cover > 0.5)

    @staticmethod
    def _shade(nx, ny, nz, rgb):
        """Lambert light with a darker rim; (h, w, 3)."""
        lit = np.maximum(nx * _LIGHT[0] + ny * _LIGHT[1] + nz * _LIGHT[2], 0.0)
        return (_AMBIENT + _DIFFUSE * lit - _RIM * (1.0 + nz) ** 2)[..., None] * rgb

    def capsule(self, a, b, ra: float, rb: float, za: float, zb: float, metre: float, rgb) -> None:
        """A cone with round ends from ``a`` to ``b`` (px), radii ``ra``, ``rb`` (px), axis depths ``za``, ``zb`` (m), ``metre`` px long."""
        r = max(ra, rb)
        box = self._box(np.minimum(a, b) - r, np.maximum(a, b) + r)
        if box is None:
            return
        x, y = self._grid(box)
        dx, dy = float(b[0] - a[0]), float(b[1] - a[1])
        length2 = dx * dx + dy * dy
        px, py = x - np.float32(a[0]), y - np.float32(a[1])
        s = np.clip((px * dx + py * dy) / length2, 0.0, 1.0) if length2 > 1e-6 else np.zeros(np.broadcast(x, y).shape, np.float32)
        ex, ey = px - s * dx, py - s * dy
        radius = ra + s * (rb - ra)
        d = np.sqrt(ex * ex + ey * ey)
        cover = np.clip(radius - d + 0.5, 0.0, 1.0)
        nx, ny = ex / radius, ey / radius
        nz = -np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
        depth = za + s * (zb - za) + nz * (radius / metre)
        self._put(box, cover, depth, self._shade(nx, ny, nz, rgb))

    def ellipsoid(self, centre, z: float, axes, metre: float, rgb, above: float | None = None) -> None:
        """An ellipsoid about ``centre`` (px) at depth ``z`` (m) with semi-axes ``axes`` (3, 3): rows in m along the picture's axes.

        ``above`` keeps only the part whose coordinate along the third semi-axis exceeds it (a cap: -1 keeps all, 0 the upper half).
        """
        inverse = np.linalg.inv(np.asarray(axes, dtype=np.float64).T)
        m = inverse.T @ inverse
        # Along a ray the form m is quadratic in depth; its discriminant is the outline q(x, y) = 1.
        flat = m[:2, :2] - np.outer(m[:2, 2], m[2, :2]) / m[2, 2]
        extent = np.sqrt(np.diag(np.linalg.inv(flat))) * metre
        box = self._box(centre - extent, centre + extent)
        if box is None:
            return
        x, y = self._grid(box)
        px, py = (x - np.float32(centre[0])) / metre, (y - np.float32(centre[1])) / metre
        fx, fy = flat[0, 0] * px + flat[0, 1] * py, flat[0, 1] * px + flat[1, 1] * py
        q = px * fx + py * fy
        root = np.sqrt(np.maximum(q, 1e-9))
        slope = np.sqrt(fx * fx + fy * fy) / root
        cover = np.clip((1.0 - root) / np.maximum(slope, 1e-6) * metre + 0.5, 0.0, 1.0).astype(np.float32)
        pz = -(m[0, 2] * px + m[1, 2] * py) / m[2, 2] - np.sqrt(np.maximum(1.0 - q, 0.0) / m[2, 2])
        if above is not None:
            w = inverse[2, 0] * px + inverse[2, 1] * py + inverse[2, 2] * pz
            cover = cover * np.clip((w - above) * 14.0 + 0.5, 0.0, 1.0)
        nx = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz
        ny = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz
        nz = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz
        norm = np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
        shade = self._shade((nx / norm).astype(np.float32), (ny / norm).astype(np.float32), (nz / norm).astype(np.float32), rgb)
        self._put(box, cover, (z + pz).astype(np.float32), shade)

    def polygon(self, points, z, rgb, bias: float = 0.0) -> None:
        """A flat convex polygon: corners (n, 2) px, their depths (n,) m, ``bias`` m nearer than it is (paint on a surface)."""
        points = np.asarray(points, dtype=np.float64)
        box = self._box(points.min(axis=0), points.max(axis=0))
        if box is None:
            return
        origin = np.array([box[1].start + self.x0, box[0].start + self.y0])
        mask = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.uint8)
        cv2.fillConvexPoly(mask, np.round((points - origin) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
        z = np.asarray(z, dtype=np.float64)
        flat, height = points - points.mean(axis=0), z - z.mean()
        # Seen edge-on the fit is singular; the ridge then leaves the mean depth.
        slope = np.linalg.solve(flat.T @ flat + 0.05 * np.eye(2), flat.T @ height)
        x, y = self._grid(box)
        depth = z.mean() - bias + np.float32(slope[0]) * (x - points[:, 0].mean()) + np.float32(slope[1]) * (y - points[:, 1].mean())
        self._put(box, mask.astype(np.float32) / 255.0, np.clip(depth, z.min() - bias, z.max() - bias).astype(np.float32), rgb)
