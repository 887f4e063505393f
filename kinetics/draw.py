"""Skeletons as pictures: on black, on the clip, with trails; strips and sheets for previews."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .errors import KineticsError, Progress
from .ink import fill, stroke, write
from .pose.body import find_stretches, torso_length
from .pose_sequence import PoseSequence
from .stick_figure import BAT, HALO, draw_legend, draw_skeleton

if TYPE_CHECKING:
    from .video.decode import Clip

#: Joints whose paths are drawn as trails.
TRAIL_NAMES = ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "bat_tip")

#: Clip and skeleton may differ this much in length, seconds.
LENGTH_SLACK = 0.5


class View(NamedTuple):
    """From source pixels to canvas pixels: ``xy * zoom + shift``, the shift in whole pixels."""

    zoom: float
    shift: np.ndarray
    size: tuple[int, int]

    def place(self, xy: np.ndarray) -> np.ndarray:
        """Positions on the canvas. (0, 0) is the middle of the first pixel, so half a pixel goes along with the zoom."""
        return (xy + 0.5) * self.zoom - 0.5 + self.shift


def render_skeleton_clip(
    pose: PoseSequence,
    output: str | os.PathLike,
    background: str = "black",
    *,
    clip: Clip | None = None,
    trails: float = 0.0,
    size: tuple[int, int] | None = None,
    view: str = "frame",
    fps: float | None = None,
    legend: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write an .mp4 of the skeleton, one picture per frame of ``pose`` at that frame's own time.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    background : {"black", "clip", "dim"}
        Black, the footage, or the footage darkened.
    clip : Clip, optional
        The footage the skeleton was found in; needed for ``"clip"`` and ``"dim"``. Its frames are matched by their timestamps.
    trails : float
        Seconds of the wrists', ankles' and bat tip's recent paths, fading, and ending at a cut; 0 draws none.
    size : (W, H), optional
        Canvas in pixels; the skeleton's own picture size when not given. The picture is scaled to fit, never stretched.
    view : {"frame", "subject"}
        The whole picture, or the fixed box that holds the person over all frames, padded to the canvas's shape.
    fps : float, optional
        Nominal rate written to the file; the median of the frames' own when not given. It moves no frame.
    legend : bool
        A small L/R key in the upper left corner.
    progress : callable, optional
        Called once per frame; may raise to cancel.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    KineticsError
        When the unit isn't pixels, a word isn't known, the clip is missing, or has another size or length than the skeleton.
    """
    from .video.encode import VideoWriter

    if background not in ("black", "clip", "dim"):
        raise KineticsError(f"Background {background!r} is not known; use black, clip or dim.")
    if not trails >= 0:
        raise KineticsError(f"Trails of {trails} s can't be drawn; give 0 or more seconds.")
    frame_view = fit_view(pose, size or pose.size, view)
    if background == "black":
        clip = None
    elif clip is None:
        raise KineticsError(
            f"Drawing {pose.source or 'a skeleton'} on {background!r} needs the clip it was found in; give it, or use black."
        )
    else:
        _check_fits(pose, clip)
    rate = fps or (1 / float(np.median(np.diff(pose.t))) if len(pose) > 1 else 25.0)  # one frame has no rate; any will hold it
    pictures = None if clip is None else _pictures_at(clip, pose)
    stretch = find_stretches(pose)
    with VideoWriter(output, *frame_view.size, rate) as video:
        for frame in range(len(pose)):
            image = _backdrop(next(pictures) if pictures else None, frame_view, dim=background == "dim")
            _draw_frame(image, pose, frame, frame_view, stretch, trails)
            if legend:
                draw_legend(image)
            video.write(image, float(pose.t[frame]))
            if progress:
                progress(frame + 1, len(pose))
    return Path(output)


def fit_view(pose: PoseSequence, size: tuple[int, int], view: str = "frame") -> View:
    """Where a skeleton's picture goes on a canvas.

    ``"frame"`` fits the whole picture. ``"subject"`` fits the box that holds the middle 98 % of the person's joint positions over all frames
    (so that a few wild samples don't shrink the rest) with a margin of 15 %; it is the whole picture for a skeleton without any joint.

    Raises
    ------
    KineticsError
        When the unit isn't pixels or the view isn't known.
    """
    if pose.space != "px":
        raise KineticsError(
            f"{pose.source or 'The skeleton'} is in unit {pose.space!r} and can't be drawn on a picture; give it in pixels."
        )
    if view not in ("frame", "subject"):
        raise KineticsError(f"View {view!r} is not known; use frame or subject.")
    if view == "subject" and not pose.missing.all():
        return view_points(pose.xy.reshape(-1, 2), size)
    return _fit_box(np.zeros(2), np.array(pose.size, float), size)


def view_points(points: np.ndarray, size: tuple[int, int], margin: float = 0.15) -> View:
    """The view of the box that holds the middle 98 % of the points (n, 2), NaN left out, with a margin as a part of its longer side."""
    low, high = np.nanpercentile(points, [1, 99], axis=0)
    room = max(margin * float((high - low).max()), 4.0)
    return _fit_box(low - room, high + room, size)


def _fit_box(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> View:
    canvas = np.array(size, float)
    zoom = float((canvas / (high - low)).min())
    return View(zoom, np.round(canvas / 2 - (low + high) / 2 * zoom), (int(size[0]), int(size[1])))


def draw_people_choice(image: np.ndarray, people: Sequence[tuple]) -> np.ndarray:
    """A copy of a frame with a numbered box around each person, for choosing one by number.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB
    people : sequence of ``(box,)`` or ``(box, xy, conf, names)``
        Box (x, y, w, h) in pixels, numbered from 0 in this order; with joints the skeleton is drawn as well.

    Returns
    -------
    (H, W, 3) uint8 RGB
    """
    out = np.array(image)
    size = max(14, round(min(out.shape[:2]) / 18))
    for _box, *joints in people:
        if joints:
            draw_skeleton(out, *joints)
    for number, (box, *_) in enumerate(people):
        x, y, w, h = map(float, box)
        corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]])
        stroke(out, corners, HALO, max(3, size // 4), 0.7)
        stroke(out, corners, BAT, max(1, size // 10), 1.0)
        # The tag stands on the box's upper left corner, or inside the picture where that is out of it.
        left, top = max(x, 0.0), max(y - 1.3 * size, 0.0)
        wide = (0.75 + 0.6 * len(str(number))) * size
        fill(out, np.array([[left, top], [left + wide, top], [left + wide, top + 1.3 * size], [left, top + 1.3 * size]]), HALO, 0.85)
        write(out, str(number), (left + wide / 2, top + 0.65 * size), size, BAT, anchor="centre")
    return out


def contact_sheet(images: Sequence[np.ndarray], cols: int, gap: int = 2) -> np.ndarray:
    """Lay pictures of one size out in rows of ``cols``, ``gap`` dark pixels between them; (H, W, 3) uint8 RGB."""
    if not images or cols < 1:
        raise KineticsError(f"A sheet of {len(images)} pictures in {cols} columns can't be made; give at least one of each.")
    high, wide = images[0].shape[:2]
    rows = -(-len(images) // cols)
    sheet = np.full((rows * (high + gap) - gap, cols * (wide + gap) - gap, 3), 30, np.uint8)
    for number, image in enumerate(images):
        y, x = (number // cols) * (high + gap), (number % cols) * (wide + gap)
        sheet[y : y + high, x : x + wide] = image
    return sheet


def pose_preview_image(pose: PoseSequence, clip: Clip | None = None, frames: int = 8, width: int = 960) -> np.ndarray:
    """A sheet of moments, evenly spaced in time, of the person close up: on black, or on the dimmed clip.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    clip : Clip, optional
        The footage; decoded once, one frame in memory at a time.
    frames : int
        Moments to show, in rows of four; fewer when the skeleton is shorter.
    width : int
        Of the sheet, about, in pixels.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        As :func:`render_skeleton_clip`.
    """
    moments = np.unique(np.round(np.linspace(0, len(pose) - 1, min(frames, len(pose)))).astype(int))
    cols = min(4, len(moments))
    tile = width // cols
    view = fit_view(pose, (tile, max(2, round(tile * pose.size[1] / pose.size[0]))), "subject")
    if clip is not None:
        _check_fits(pose, clip)
    pictures = None if clip is None else _pictures_at(clip, pose, moments)
    stretch = find_stretches(pose)
    tiles = []
    for frame in moments:
        image = _backdrop(next(pictures) if pictures else None, view, dim=True)
        _draw_frame(image, pose, frame, view, stretch)
        write(image, f"{pose.t[frame]:.2f} s", (tile - 6, view.size[1] - 10), 12, (200, 200, 200), anchor="right")
        tiles.append(image)
    draw_legend(tiles[0])
    return contact_sheet(tiles, cols)


def _draw_frame(image: np.ndarray, pose: PoseSequence, frame: int, view: View, stretch: np.ndarray, trails: float = 0.0) -> None:
    """One frame's skeleton, or the note that nobody is there; nothing of another stretch between cuts has a part in it."""
    now = pose.t[frame]
    first, last = np.searchsorted(stretch, [stretch[frame], stretch[frame] + 1])
    # The trunk's length about now, since a camera zooms: half a second either way.
    near = slice(*np.clip(np.searchsorted(pose.t, [now - 0.5, now + 0.5]), first, last))
    scale = torso_length(pose.xy[near], pose.names) * view.zoom
    trail = {}
    if trails > 0:
        recent = slice(max(int(np.searchsorted(pose.t, now - trails)), first), frame + 1)
        age = (now - pose.t[recent]) / trails
        trail = {name: np.column_stack([view.place(pose.joint(name)[recent]), age]) for name in TRAIL_NAMES if name in pose.names}
    draw_skeleton(image, view.place(pose.xy[frame]), pose.conf[frame], pose.names, scale=scale, trail=trail)
    if pose.missing[frame].all():
        size = max(9, round(min(image.shape[:2]) / 22))
        write(image, "no person", (image.shape[1] / 2, image.shape[0] - 1.6 * size), size, (170, 170, 170), anchor="centre")


def _backdrop(picture: np.ndarray | None, view: View, dim: bool) -> np.ndarray:
    """The canvas: black, with the picture where the view puts it."""
    import cv2

    wide, high = view.size
    canvas = np.zeros((high, wide, 3), np.uint8)
    if picture is None:
        return canvas
    # What of the source shows, with a margin for the filter, so that a close view resizes little.
    size = np.array(picture.shape[1::-1])
    low = np.clip(np.floor(-view.shift / view.zoom) - 2, 0, size).astype(int)
    high_end = np.clip(np.ceil((np.array(view.size) - view.shift) / view.zoom) + 2, 0, size).astype(int)
    if (high_end <= low).any():
        return canvas
    part = picture[low[1] : high_end[1], low[0] : high_end[0]]
    move = np.array([[view.zoom, 0, 0], [0, view.zoom, 0]])
    move[:, 2] = view.place(low.astype(float))
    if view.zoom < 1:
        # Averaging over the shrunken pixel: a plain warp would skip rows.
        blur = 0.5 * np.sqrt(1 / view.zoom**2 - 1)
        part = cv2.GaussianBlur(part, (0, 0), blur) if blur > 0.2 else part
    cv2.warpAffine(part, move, view.size, dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    return (canvas * 0.4).astype(np.uint8) if dim else canvas


def _check_fits(pose: PoseSequence, clip: Clip) -> None:
    info = clip.info
    if (info.width, info.height) != tuple(pose.size):
        raise KineticsError(
            f"{info.name} is {info.width}x{info.height} but the skeleton was found in {pose.size[0]}x{pose.size[1]}; give the clip it was found in."
        )
    frame = 1 / float(info.fps)
    length = float(pose.t[-1]) + frame
    if abs(length - float(info.duration)) > max(LENGTH_SLACK, 1.5 * frame):
        raise KineticsError(
            f"{info.name} lasts {float(info.duration):.2f} s but the skeleton {length:.2f} s; give the clip it was found in, trimmed the same."
        )


def _pictures_at(clip: Clip, pose: PoseSequence, moments: Sequence[int] | None = None) -> Iterator[np.ndarray]:
    """The clip's picture nearest in time to each frame of the skeleton, at most half a frame away."""
    slack = 0.5 / float(clip.info.fps) + 1e-6
    frames = clip.frames()
    here = next(frames, None)
    ahead = next(frames, None)
    for moment in range(len(pose)) if moments is None else moments:
        t = float(pose.t[moment])
        while ahead is not None and abs(ahead.t - t) <= abs(here.t - t):
            here, ahead = ahead, next(frames, None)
        if here is None or abs(here.t - t) > slack:
            raise KineticsError(f"{clip.info.name} has no frame at {t:.3f} s, where the skeleton has one; give the clip it was found in.")
        yield here.image
