"""Pictures without the camera's motion: single frames brought onto the reference frame, and whole clips."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from ..errors import KineticsError, Progress
from ..video.decode import Clip
from ..video.encode import VideoWriter
from .camera_maps import Camera, apply_maps

#: A canvas is never larger than this many times the clip's picture, nor its longer side than so many pixels.
_MOST_AREA, _MOST_SIDE = 4.0, 4096
#: Ways to choose the canvas of a stabilised clip.
CANVASES = ("frame", "all")


def warp_to(
    camera: Camera,
    image: np.ndarray,
    frame: int,
    *,
    size: tuple[int, int] | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    without_graphics: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a frame onto a canvas that stands still.

    Parameters
    ----------
    camera : Camera
    image : (H, W) or (H, W, 3) uint8 or float32
        The frame, of the camera's size.
    frame : int
    size : (W, H), optional
        Of the canvas; the picture's own when left out.
    offset : (x, y)
        Reference px that lies at the canvas' (0, 0).
    scale : float
        Canvas px per reference px: canvas = scale · (reference - offset).
    without_graphics : bool
        Pixels of graphics that stand still on the screen don't count as seen.

    Returns
    -------
    image : the canvas, 0 outside the frame
    valid : (H, W) bool
        Where the frame shows the scene; nowhere when the camera is unknown.
    """
    width, height = size or camera.size
    if tuple(image.shape[1::-1]) != tuple(camera.size):
        raise KineticsError(
            f"The picture is {image.shape[1]}×{image.shape[0]}, the camera's {camera.size[0]}×{camera.size[1]}; give its own frames."
        )
    if not camera.known[frame]:
        return np.zeros((height, width, *image.shape[2:]), image.dtype), np.zeros((height, width), bool)
    to_canvas = _to_canvas(camera, frame, offset, scale)
    shrink = 1.0 / max(scale * float(camera.zoom[frame]), 1e-6)
    if shrink > 1.5:
        # Left as it is, a picture made smaller would flicker.
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    warped = cv2.warpPerspective(image, to_canvas, (width, height), flags=cv2.INTER_LINEAR)
    return warped, _lay(_scene(camera, frame, without_graphics), to_canvas, (width, height))


def _scene(camera: Camera, frame: int, without_graphics: bool) -> np.ndarray:
    """255 on the scene, (H, W) uint8: pixels at the rim are mixed with the black outside; they and the graphics are not it."""
    seen = np.full(camera.size[::-1], 255, np.uint8)
    seen[0], seen[-1], seen[:, 0], seen[:, -1] = 0, 0, 0, 0
    if without_graphics and camera.graphics:
        seen[camera.graphics[camera.shot[frame]]] = 0
    return seen


def _lay(seen: np.ndarray, to_canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: a mask of the frame on the canvas."""
    return cv2.warpPerspective(seen, to_canvas, size, flags=cv2.INTER_NEAREST) > 0


def _to_canvas(camera: Camera, frame: int, offset: tuple[float, float], scale: float) -> np.ndarray:
    return np.array([[scale, 0, -scale * offset[0]], [0, scale, -scale * offset[1]], [0, 0, 1]]) @ camera.matrix[frame]


def choose_canvas(camera: Camera, shot: int | None = None, canvas: str = "all") -> tuple[tuple[int, int], tuple[float, float], float]:
    """Canvas (size, offset, scale) for :func:`warp_to`.

    Parameters
    ----------
    shot : int, optional
        One shot; all of them when left out.
    canvas : {"frame", "all"}
        ``frame``: the reference frame itself. ``all``: all that the frames show, as a box; where that is larger than four pictures (or
        4096 px), it is made smaller, and where it reaches more than two pictures beyond the reference frame, cut off there.
    """
    if canvas not in CANVASES:
        raise KineticsError(f"Canvas {canvas!r} is unknown; use {' or '.join(CANVASES)}.")
    width, height = camera.size
    use = camera.known & (True if shot is None else camera.shot == shot)
    if canvas == "frame" or not use.any():
        return (width, height), (0.0, 0.0), 1.0
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - 0.5
    there = apply_maps(camera.matrix[use], np.tile(corners, (use.sum(), 1, 1)))
    limit = 2.0 * np.array([width, height])
    low = np.maximum(np.floor(there.min(axis=(0, 1))), -limit)
    high = np.minimum(np.ceil(there.max(axis=(0, 1))), (3 * width, 3 * height))
    box = high - low
    scale = min(1.0, np.sqrt(_MOST_AREA * width * height / box.prod()), _MOST_SIDE / box.max())
    size = tuple(int(2 * np.ceil(scale * side / 2)) for side in box)
    return size, (float(low[0]), float(low[1])), float(scale)


def stabilise_clip(
    clip: Clip,
    camera: Camera,
    path: str | os.PathLike,
    *,
    canvas: str = "frame",
    crf: int = 18,
    progress: Progress | None = None,
) -> Path:
    """Write the clip with the camera's motion taken out: every frame on the canvas of its shot's reference frame.

    Parameters
    ----------
    clip, camera : Clip, Camera
        Of the same frames.
    path : path
        The .mp4 to appear, whole or not at all; the frames keep their own timestamps.
    canvas : {"frame", "all"}
        See :func:`choose_canvas`. Outside the frame stays, darker, what an earlier frame of the shot showed there.
    crf : int
        H.264 constant quality.
    progress : callable, optional
        ``progress(done, total)`` per frame.

    Returns
    -------
    Path
    """
    path = Path(path)
    size, offset, scale = choose_canvas(camera, canvas=canvas)
    left, shot = np.zeros((size[1], size[0], 3), np.uint8), -1
    with VideoWriter(path, *size, clip.info.fps, crf=crf) as writer:
        for index, t, image in clip.frames():
            if index >= len(camera):
                raise KineticsError(f"{clip.name} has more frames than the camera ({len(camera)}); measure the camera on this clip.")
            if camera.shot[index] != shot:
                left[:], shot = 0, camera.shot[index]
            warped, valid = warp_to(camera, image, index, size=size, offset=offset, scale=scale, without_graphics=False)
            writer.write(np.where(valid[..., None], warped, left // 3), t)
            if camera.known[index]:
                scene = _lay(_scene(camera, index, True), _to_canvas(camera, index, offset, scale), size)
                left[scene] = warped[scene]
            if progress:
                progress(index + 1, max(len(camera), index + 1))
    return path
