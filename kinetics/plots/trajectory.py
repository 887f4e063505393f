"""The paths of tip and hands on one frame of the clip, coloured by speed, as a camera that stands still would have seen them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..draw import View, _backdrop
from ..errors import KineticsError
from ..ink import Colour, dot, fill, stroke, write
from ..motion.measure import PER_SECOND, SwingMeasurement
from ..pose.body import torso_length
from ..stick_figure import BAT, HALO, draw_skeleton
from .page import save_png
from .swing import plot_span, tell_peak

if TYPE_CHECKING:
    from ..video.decode import Clip

#: Slow to fast: blue, green, yellow, red. Light rises with speed up to yellow, so that it reads without colours too.
RAMP = np.array([(52, 96, 214), (64, 190, 190), (250, 232, 80), (255, 84, 64)], float)

GREY: Colour = (165, 172, 184)

#: Across a gap longer than this, s, a path isn't joined.
_JOINED = 0.1


def speed_colour(speed: float, fastest: float) -> Colour:
    """Colour of a speed on the ramp from 0 to ``fastest``; grey where it is unknown."""
    if not np.isfinite(speed) or not fastest > 0:
        return GREY
    place = float(np.clip(speed / fastest, 0, 1)) * (len(RAMP) - 1)
    low = min(int(place), len(RAMP) - 2)
    return tuple(round(value) for value in RAMP[low] + (place - low) * (RAMP[low + 1] - RAMP[low]))


def plot_trajectory(
    swing: SwingMeasurement, clip: Clip | None = None, path: str | os.PathLike | None = None, size: tuple[int, int] = (1280, 720), frame: int | None = None
) -> np.ndarray:  # fmt: skip
    """Draw the paths of bat tip and hands over a frame of the clip, with that frame's skeleton.

    The paths are those in the coordinates of that frame: the camera's movement is taken out. Each piece has the colour of its speed; the bat
    is a thin line in every measured frame, and where a tip is unknown or refused nothing is drawn. Of a long clip only the stroke is shown.

    Parameters
    ----------
    swing : SwingMeasurement
    clip : Clip, optional
        The footage; black without it.
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels.
    frame : int, optional
        The frame underneath; that of the impact when not given.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        When the frame isn't one of the measured shot, or the clip doesn't have it.
    """
    frame = _choose_frame(swing) if frame is None else frame
    if not 0 <= frame < len(swing) or swing.camera.shot[frame] != swing.shot or not swing.camera.known[frame]:
        raise KineticsError(f"Frame {frame} isn't in the measured shot, or its camera is unknown; choose another frame for the trajectory.")
    span = plot_span(swing, "auto")
    shown = (swing.camera.shot == swing.shot) & (swing.t >= span[0]) & (swing.t <= span[1]) & (swing.status != "repeat")
    tip, hands = (_into_frame(swing, points, frame, shown) for points in (swing.tip_reference, swing.hands_reference))
    joints = None if swing.pose is None else swing.pose.xy[frame]
    view = _fit([tip, hands, *([] if joints is None else [joints])], swing.size, size)
    image = _backdrop(None if clip is None else _picture(clip, frame), view, dim=False)
    image[:] = (image * 0.55).astype(np.uint8)
    unit = view.zoom * (110.0 if swing.pose is None else torso_length(swing.pose.xy[max(0, frame - 12) : frame + 13], swing.pose.names))
    line = float(np.clip(0.05 * unit, 2.0, 7.0)) if np.isfinite(unit) else 3.0
    if joints is not None:
        names = [name for name in swing.pose.names if name != "bat_tip"]
        columns = [swing.pose.index(name) for name in names]
        draw_skeleton(image, view.place(joints[columns]), swing.pose.conf[frame][columns], names, scale=0.75 * unit)

    fastest = float(np.nanmax(swing.tip_speed[shown], initial=0.0)) if np.isfinite(swing.tip_speed[shown]).any() else 0.0
    tip, hands = view.place(tip), view.place(hands)
    for k in np.flatnonzero(np.isfinite(tip[:, 0] + hands[:, 0])):
        stroke(image, np.array([hands[k], tip[k]]), speed_colour(swing.tip_speed[k], fastest), max(1.0, 0.3 * line), 0.38)
    hand_speed = np.where(swing.status == "repeat", np.nan, swing.hand_speed)
    _draw_path(image, swing.t, hands, hand_speed, fastest, 0.7 * line)
    _draw_path(image, swing.t, tip, swing.tip_speed, fastest, line)
    if np.isfinite(tip[frame]).all() and np.isfinite(hands[frame]).all():
        stroke(image, np.array([hands[frame], tip[frame]]), HALO, 1.9 * line, 0.7)
        stroke(image, np.array([hands[frame], tip[frame]]), BAT, line, 0.95)
    _mark_fastest(image, swing, tip, line, size)
    _draw_key(image, swing, fastest, frame)
    save_png(image, path)
    return image


def _choose_frame(swing: SwingMeasurement) -> int:
    """The frame nearest to the impact, else to the middle of the shot, that has hands and tip."""
    here = (swing.camera.shot == swing.shot) & swing.camera.known
    both = here & np.isfinite(swing.tip_reference[:, 0] + swing.hands_reference[:, 0])
    frames = np.flatnonzero(both if both.any() else here)
    when = swing.impact.t if swing.impact is not None else float(np.mean(swing.t[frames]))
    return int(frames[np.argmin(np.abs(swing.t[frames] - when))])


def _into_frame(swing: SwingMeasurement, points: np.ndarray, frame: int, shown: np.ndarray) -> np.ndarray:
    """Reference pixels -> pixels of one frame, where shown."""
    inverse = np.linalg.inv(swing.camera.matrix[frame])
    there = np.column_stack([np.where(shown[:, None], points, np.nan), np.ones(len(points))]) @ inverse.T
    return there[:, :2] / there[:, 2:]


def _fit(tracks: list[np.ndarray], source: tuple[int, int], size: tuple[int, int]) -> View:
    """A view that holds every track and as much of the picture about them as the canvas's shape asks for."""
    points = np.concatenate(tracks)
    points = points[np.isfinite(points).all(axis=1)]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.array(source, float))
    margin = 0.1 * float((high - low).max()) + 8
    canvas = np.array(size, float)
    zoom = float(min((canvas / (high - low + 2 * margin)).min(), 3.0))
    # Centred on the paths, but moved so that as little as can be shows beyond the picture's edges.
    middle, half, edge = (low + high) / 2, canvas / zoom / 2, np.array(source, float)
    inside = np.where(2 * half <= edge, np.clip(middle, half, np.maximum(edge - half, half)), edge / 2)
    middle = np.clip(inside, high + margin - half, low - margin + half)
    return View(zoom, np.round(canvas / 2 - middle * zoom), (int(size[0]), int(size[1])))


def _picture(clip: Clip, frame: int) -> np.ndarray:
    for picture in clip.frames():
        if picture.index == frame:
            return picture.image
    raise KineticsError(f"{clip.info.name} has no frame {frame}; give the clip that the bat was followed in.")


def _draw_path(image: np.ndarray, t: np.ndarray, at: np.ndarray, speed: np.ndarray, fastest: float, width: float) -> None:
    seen = np.flatnonzero(np.isfinite(at[:, 0]))
    pieces = [(a, b) for a, b in zip(seen[:-1], seen[1:], strict=True) if t[b] - t[a] <= _JOINED]
    for a, b in pieces:
        stroke(image, at[[a, b]], HALO, width + 2.4, 0.55)
    for a, b in pieces:
        both = [value for value in (speed[a], speed[b]) if np.isfinite(value)]
        stroke(image, at[[a, b]], speed_colour(float(np.mean(both)) if both else np.nan, fastest), width, 0.95)
    for k in seen:
        dot(image, at[k], 0.75 * width, HALO, 0.8)
        dot(image, at[k], 0.5 * width, speed_colour(speed[k], fastest), 1.0)


def _mark_fastest(image: np.ndarray, swing: SwingMeasurement, tip: np.ndarray, line: float, size: tuple[int, int]) -> None:
    """A ring where the tip was fastest, when it was seen then; the peak in words there, or in the upper right corner."""
    seen = np.flatnonzero(np.isfinite(tip[:, 0]) & np.isfinite(swing.tip_speed))
    if not len(seen):
        return
    text, letters = tell_peak(swing.peak_tip_speed, PER_SECOND[swing.unit]), max(11, round(min(size) / 34))
    k = int(seen[np.argmin(np.abs(swing.clock[seen] - swing.peak_tip_speed.t))])
    if abs(swing.clock[k] - swing.peak_tip_speed.t) > 1.01 * float(np.median(np.diff(swing.t))):
        write(image, f"peak {text}, between seen frames", (size[0] - letters, 1.3 * letters), letters, (255, 255, 255), anchor="right")
        return
    dot(image, tip[k], 2.2 * line, (255, 255, 255), 0.95, ring=max(1.5, 0.45 * line))
    right = tip[k, 0] < 0.62 * size[0]
    x = tip[k, 0] + (1 if right else -1) * (2.8 * line + 4)
    y = float(np.clip(tip[k, 1], 1.2 * letters, size[1] - 1.2 * letters))
    write(image, text, (x, y), letters, (255, 255, 255), anchor="left" if right else "right")


def _draw_key(image: np.ndarray, swing: SwingMeasurement, fastest: float, frame: int) -> None:
    """The ramp with its numbers in the lower left corner, the frame's time in the lower right."""
    high, wide = image.shape[:2]
    size = max(10, round(min(high, wide) / 44))
    left, base, length, thick = 1.2 * size, high - 1.3 * size, 0.22 * wide, 0.55 * size
    if fastest > 0:
        panel = np.array([[0.5 * size, base - 3.4 * size], [left + length + 0.9 * size, base - 3.4 * size], [left + length + 0.9 * size, base + 0.9 * size], [0.5 * size, base + 0.9 * size]])
        fill(image, panel, HALO, 0.6)
        x0, x1, y0 = round(left), round(left + length), round(base - 1.5 * size)
        ramp = [speed_colour(fastest * share, fastest) for share in np.linspace(0, 1, x1 - x0)]
        image[y0 : y0 + round(thick), x0:x1] = np.array(ramp, np.uint8)
        write(image, f"tip and hands, {PER_SECOND[swing.unit]}", (left, base - 2.5 * size), size, (217, 221, 229))
        for share in (0.0, 0.5, 1.0):
            anchor = "left" if share == 0 else "right" if share == 1 else "centre"
            write(image, f"{share * fastest:.3g}", (left + share * length, base - 0.05 * size), size, (217, 221, 229), anchor=anchor)
    else:
        write(image, "nothing was measured; grey: the way of the hands", (left, base), size, (217, 221, 229))
    write(image, f"frame {frame}, {swing.t[frame]:.3f} s", (wide - 1.2 * size, base), size, (217, 221, 229), anchor="right")
