"""The motion of the camera: where each frame's pixels lie in the picture of its shot's reference frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence

#: How a camera was described: standing still, by similarities, or by the homographies of a camera that turns and zooms on the spot.
MODELS = ("still", "similarity", "homography")


@dataclass(frozen=True, eq=False)
class Camera:
    """Per frame the map from its pixels to those of the reference frame of its shot (the shot's first known frame).

    Attributes
    ----------
    t : (T,) s
        The frames' own timestamps.
    matrix : (T, 3, 3)
        Frame px -> reference px, homogeneous, ``matrix[:, 2, 2] = 1``; NaN where the camera is unknown.
    shot : (T,) int
        From 0, one more after each cut: frames of different shots have nothing to do with one another.
    residual : (T,) px
        Median distance, in the frame, between background points and where the camera puts them; NaN where nothing was measured.
    size : (W, H) px
    model : {"still", "similarity", "homography"}
        The richest description that a shot of the clip needed.
    flags : tuple of str
        Sentences for the user; empty when nothing is odd.
    provenance : dict
        How it was measured: settings, counts, the figures of each shot.
    repeat : (T,) bool
        The frame shows the picture of the one before again.
    graphics : tuple of (H, W) bool
        Per shot the pixels that stand still on the screen while the camera moves (score bars, logos, borders); empty when nobody looked.

    Raises
    ------
    KineticsError
        When lengths disagree or the model is unknown.
    """

    t: np.ndarray
    matrix: np.ndarray
    shot: np.ndarray
    residual: np.ndarray
    size: tuple[int, int]
    model: str = "similarity"
    flags: tuple[str, ...] = ()
    provenance: dict = field(default_factory=dict)
    repeat: np.ndarray | None = None
    graphics: tuple[np.ndarray, ...] = ()

    def __post_init__(self) -> None:
        frames = len(self.t)
        if self.repeat is None:
            object.__setattr__(self, "repeat", np.zeros(frames, bool))
        shapes = {"matrix": (frames, 3, 3), "shot": (frames,), "residual": (frames,), "repeat": (frames,)}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise KineticsError(f"The camera's {name} has shape {np.shape(getattr(self, name))}; it has to be {shape}.")
        if self.model not in MODELS:
            raise KineticsError(f"The camera's model is {self.model!r}; use one of {', '.join(MODELS)}.")

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def still(cls, t: np.ndarray, size: tuple[int, int]) -> Camera:
        """A camera that stands still: one shot, identity everywhere."""
        t = np.asarray(t, dtype=np.float64)
        eye = np.tile(np.eye(3), (len(t), 1, 1))
        return cls(t, eye, np.zeros(len(t), int), np.full(len(t), np.nan), size, "still", provenance={"model": "still"})

    @property
    def known(self) -> np.ndarray:
        """(T,) bool: frames whose camera is known."""
        return np.isfinite(self.matrix[:, 0, 0])

    @property
    def zoom(self) -> np.ndarray:
        """(T,) local scale of the map frame -> reference at the middle of the picture: the root of its area scale; NaN where unknown."""
        x, y = 0.5 * (np.asarray(self.size) - 1)
        m = self.matrix
        w = m[:, 2, 0] * x + m[:, 2, 1] * y + m[:, 2, 2]
        # The Jacobian of a homography has the determinant det(M) / w³.
        return np.sqrt(np.abs(np.linalg.det(np.where(np.isfinite(m), m, 0.0)) / w**3))

    def to_reference(self, points: np.ndarray) -> np.ndarray:
        """Frame pixels (T, ..., 2) -> pixels of each frame's reference; NaN where the camera or the point is unknown."""
        return apply_maps(self.matrix, points)

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Reference pixels (T, ..., 2) -> pixels of each frame; NaN where the camera or the point is unknown."""
        return apply_maps(invert_maps(self.matrix), points)

    def between(self, i: int, j: int) -> np.ndarray:
        """(3, 3) map of frame ``i``'s pixels to frame ``j``'s; NaN when they belong to different shots or a camera is unknown."""
        if self.shot[i] != self.shot[j]:
            return np.full((3, 3), np.nan)
        return normalised(invert_maps(self.matrix[j]) @ self.matrix[i])


def normalised(maps: np.ndarray) -> np.ndarray:
    """Homogeneous maps (..., 3, 3) scaled to a last element of 1."""
    return maps / maps[..., 2:, 2:]


def invert_maps(maps: np.ndarray) -> np.ndarray:
    """Inverse of homogeneous maps (..., 3, 3), last element 1; NaN stays NaN."""
    unknown = ~np.isfinite(maps).all(axis=(-1, -2))
    return np.where(unknown[..., None, None], np.nan, normalised(np.linalg.inv(np.where(unknown[..., None, None], np.eye(3), maps))))


def apply_maps(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (T, ..., 2) through maps (T, 3, 3), one map per first index; NaN where either is."""
    points = np.asarray(points, dtype=np.float64)
    if points.shape[:1] != maps.shape[:1] or points.shape[-1:] != (2,):
        raise KineticsError(f"Points of shape {points.shape} don't fit {len(maps)} frames; give frames × ... × 2.")
    m = maps.reshape(len(maps), *(1,) * (points.ndim - 2), 3, 3)
    there = np.einsum("...ij,...j->...i", m[..., :2], points) + m[..., 2]
    return there[..., :2] / there[..., 2:]


def stabilise_pose(pose: PoseSequence, camera: Camera) -> PoseSequence:
    """The skeleton in pixels of the reference frame of each shot; joints are missing where the camera is unknown.

    Parameters
    ----------
    pose : PoseSequence
        In pixels, of the same frames as ``camera``.
    camera : Camera

    Returns
    -------
    PoseSequence
        With a step ``stabilise`` in its provenance; ``cuts`` holds the first frames of the camera's shots, so that nothing is
        measured across them.

    Raises
    ------
    KineticsError
        When the frames or the picture's size differ, or the skeleton is not in pixels.
    """
    check_same_frames(pose, camera)
    if pose.space != "px":
        name = pose.source or "The skeleton"
        raise KineticsError(f"{name} is in {pose.space}, not in pixels; remove the camera's motion before the scale.")
    xy = camera.to_reference(pose.xy)
    conf = np.where(np.isnan(xy[..., 0]), 0.0, pose.conf)
    cuts = (np.flatnonzero(np.diff(camera.shot)) + 1).tolist()
    return pose.with_step(
        "stabilise", xy=xy, conf=conf, model=camera.model, cuts=cuts, frames_without_camera=np.flatnonzero(~camera.known).tolist()
    )


def check_same_frames(pose: PoseSequence, camera: Camera) -> None:
    """Raise unless a skeleton and a camera tell about the same frames."""
    if len(pose) != len(camera) or np.abs(pose.t - camera.t).max() > 1e-3:
        raise KineticsError(
            f"{pose.source or 'The skeleton'} has {len(pose)} frames from {pose.t[0]:.3f} s, the camera {len(camera)} from "
            f"{camera.t[0]:.3f} s; measure both on the same clip, trimmed the same way."
        )
    if tuple(pose.size) != tuple(camera.size):
        raise KineticsError(
            f"{pose.source or 'The skeleton'} is measured in a picture of {pose.size[0]}×{pose.size[1]}, the camera in one of "
            f"{camera.size[0]}×{camera.size[1]}; measure both on the same clip."
        )
