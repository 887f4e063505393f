"""The clip with what was measured drawn into it: skeleton, bat, the tip's trail, and live dials below the picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import KineticsError, Progress
from ..ink import Colour, dot, fill, stroke, write
from ..motion.measure import PER_SECOND, SwingMeasurement
from ..pose.body import torso_length
from ..stick_figure import BAT, HALO, draw_skeleton
from .swing import IMPACT, OMEGA, PHASE_COLOURS, SPEED, plot_span
from .trajectory import speed_colour

if TYPE_CHECKING:
    from ..video.decode import Clip

PAGE: Colour = (21, 23, 28)
PANEL: Colour = (29, 32, 39)
DIM: Colour = (74, 81, 96)
FAINT: Colour = (125, 134, 150)
TEXT: Colour = (217, 221, 229)

#: Seconds about a frame from which the body's size in the picture is taken; a trail isn't joined across a longer gap than the second, s.
_SIZE_SPAN, _JOINED = 0.5, 0.1

#: A dial's arc, degrees clockwise from the right: open below.
_ARC = (150.0, 390.0)


class _Dial(NamedTuple):
    """One quantity: its name, unit, values to show per frame, the largest, its colour, and whether it goes below zero."""

    name: str
    unit: str
    value: np.ndarray
    sigma: np.ndarray
    top: float
    colour: Colour
    signed: bool


def render_swing_video(
    swing: SwingMeasurement, clip: Clip, output: str | os.PathLike, *, trail: float = 0.6, progress: Progress | None = None
) -> Path:  # fmt: skip
    """Write an .mp4 of the clip with the measurement drawn in, every frame at its own time.

    In the picture: the skeleton, the bat as a thin line from the hands to a ring at its toe (so that the eye can judge whether it lies on the
    bat), the tip's trail of the last ``trail`` seconds coloured by speed and moved along with the camera, a red cross where a tip was refused.
    Below the picture: the phases with a mark that runs, and a dial and a curve each for tip speed and omega. Where nothing was measured nothing is
    drawn and the dials stand empty; a repeated frame shows what the picture showed before.

    Parameters
    ----------
    swing : SwingMeasurement
    clip : Clip
        The footage that the bat was followed in.
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    trail : float
        Seconds; 0 draws none.
    progress : callable, optional
        Called once per frame; may raise to cancel.

    Returns
    -------
    Path

    Raises
    ------
    KineticsError
        When the clip has another size or other frames than the measurement, or the trail is negative.
    """
    from ..video.encode import VideoWriter

    if not trail >= 0:
        raise KineticsError(f"A trail of {trail} s can't be drawn; give 0 or more seconds.")
    info = clip.info
    if (info.width, info.height) != tuple(swing.size):
        raise KineticsError(f"{info.name} is {info.width}x{info.height} but the swing was measured in {swing.size[0]}x{swing.size[1]}; give the clip it was measured in.")
    wide, high = swing.size
    bar = _Bar(swing)
    canvas = np.empty((high + bar.height, wide, 3), np.uint8)
    drawn = 0
    with VideoWriter(output, wide, high + bar.height, info.fps) as video:
        for frame, t, picture in clip.frames():
            if frame >= len(swing) or abs(t - swing.t[frame]) > 1e-3:
                raise KineticsError(f"{info.name} has a frame at {t:.3f} s that the measurement doesn't have; give the clip it was measured in, trimmed the same.")
            canvas[:high] = picture
            _draw_measured(canvas[:high], swing, frame, trail)
            bar.draw(canvas[high:], frame)
            video.write(canvas, t)
            drawn += 1
            if progress:
                progress(drawn, len(swing))
        if drawn < len(swing):
            raise KineticsError(f"{info.name} has {drawn} frames but the measurement {len(swing)}; give the clip it was measured in, trimmed the same.")
    return Path(output)


def _draw_measured(image: np.ndarray, swing: SwingMeasurement, frame: int, trail: float) -> None:
    shown = _shown_frame(swing, frame)
    unit = 0.16 * swing.size[1]
    if swing.pose is not None:
        pose = swing.pose
        first, last = np.searchsorted(pose.t, [pose.t[frame] - _SIZE_SPAN, pose.t[frame] + _SIZE_SPAN])
        near = np.arange(first, last)[swing.camera.shot[first:last] == swing.camera.shot[frame]]
        found = torso_length(pose.xy[near], pose.names)
        unit = found if np.isfinite(found) else unit
        columns = [pose.index(name) for name in pose.names if name != "bat_tip"]
        draw_skeleton(image, pose.xy[frame][columns], pose.conf[frame][columns], [pose.names[k] for k in columns], scale=0.8 * unit)
    line = float(np.clip(0.035 * unit, 1.5, 5.0))
    if trail > 0:
        _draw_trail(image, swing, frame, trail, 1.3 * line)
    hands, tip = swing.hands[shown], swing.tip[shown]
    if np.isfinite(hands).all() and np.isfinite(tip).all():
        _draw_bat(image, hands, tip, line)
    elif np.isfinite(swing.track.tip[frame]).all():
        x, y = swing.track.tip[frame]
        for sign in (-1, 1):
            stroke(image, np.array([[x - 2.4 * line, y - 2.4 * line * sign], [x + 2.4 * line, y + 2.4 * line * sign]]), (255, 93, 93), line, 0.95)
    _draw_phase(image, swing, frame)


def _draw_bat(image: np.ndarray, hands: np.ndarray, tip: np.ndarray, line: float) -> None:
    """A thin line, and a ring that leaves the toe itself to be seen."""
    along = tip - hands
    length = float(np.hypot(*along))
    radius = 2.6 * line
    end = tip - along / length * min(radius, length) if length > 0 else tip
    stroke(image, np.array([hands, end]), HALO, line + 2, 0.7)
    dot(image, tip, radius + 1, HALO, 0.7, ring=line + 2)
    stroke(image, np.array([hands, end]), BAT, line, 0.95)
    dot(image, tip, radius, BAT, 1.0, ring=line)
    dot(image, hands, 1.1 * line, BAT, 1.0)


def _draw_trail(image: np.ndarray, swing: SwingMeasurement, frame: int, trail: float, width: float) -> None:
    """Where the tip was, in this frame's coordinates; older is fainter."""
    if not swing.camera.known[frame] or swing.camera.shot[frame] != swing.shot:
        return
    now = swing.t[frame]
    recent = np.arange(np.searchsorted(swing.t, now - trail), frame + 1)
    recent = recent[(swing.status[recent] != "repeat") & np.isfinite(swing.tip_reference[recent, 0])]
    if len(recent) < 2:
        return
    inverse = np.linalg.inv(swing.camera.matrix[frame])
    at = np.column_stack([swing.tip_reference[recent], np.ones(len(recent))]) @ inverse.T
    at = at[:, :2] / at[:, 2:]
    fastest = float(np.nanmax(swing.tip_speed)) if swing.measured.any() else 0.0
    for k in range(len(recent) - 1):
        a, b = recent[k], recent[k + 1]
        if swing.t[b] - swing.t[a] > _JOINED:
            continue
        fresh = 1 - (now - swing.t[b]) / trail
        speeds = [value for value in swing.tip_speed[[a, b]] if np.isfinite(value)]
        stroke(image, at[k : k + 2], HALO, width + 2, 0.45 * fresh)
        stroke(image, at[k : k + 2], speed_colour(float(np.mean(speeds)) if speeds else np.nan, fastest), width, 0.95 * fresh)


def _draw_phase(image: np.ndarray, swing: SwingMeasurement, frame: int) -> None:
    """The name of the phase in the upper left corner; the impact has its own for the frame in which it lies."""
    size = max(12, round(min(image.shape[:2]) / 26))
    impact, t = swing.impact, swing.t[frame]
    step = float(np.median(np.diff(swing.t))) if len(swing) > 1 else 0.04
    name = swing.phases.at(t)
    if swing.camera.shot[frame] != swing.shot:
        words, colour = "other shot: not measured", FAINT
    elif impact is not None and abs(t - impact.t) <= step / 2:
        words, colour = "impact" + (" (estimated)" if impact.estimated else ""), _rgb(IMPACT)
    elif name:
        words, colour = name.replace("_", "-"), _rgb(PHASE_COLOURS[name])
    else:
        return
    x, y = 0.8 * size, 1.3 * size
    fill(image, np.array([[x, y - 0.45 * size], [x + 0.9 * size, y - 0.45 * size], [x + 0.9 * size, y + 0.45 * size], [x, y + 0.45 * size]]), colour)
    write(image, words, (x + 1.35 * size, y), size, TEXT)


class _Bar:
    """The strip under the picture; what doesn't change is drawn once."""

    def __init__(self, swing: SwingMeasurement) -> None:
        wide, high = swing.size
        self.swing = swing
        self.height = int(2 * round(max(84.0, 0.19 * min(wide, high, 760)) / 2)) + high % 2
        self.letters = max(10, round(self.height / 9.5))
        self.span = plot_span(swing, "auto")
        sure = np.where(swing.unreliable, np.nan, swing.omega)
        turn = swing.peak_omega.value
        self.dials = (
            _Dial("tip speed", PER_SECOND[swing.unit], swing.tip_speed, swing.tip_speed_sigma, _top(swing.tip_speed, swing.peak_tip_speed.value), _rgb(SPEED), False),
            _Dial("angular velocity", "rad/s", sure, swing.omega_sigma, _top(np.abs(sure), turn), _rgb(OMEGA), True),
        )  # fmt: skip
        self.ribbon = round(0.15 * self.height)
        self.base = np.empty((self.height, wide, 3), np.uint8)
        self.base[:] = PAGE
        self._draw_phases()
        margin, gap = round(0.07 * self.height), round(0.07 * self.height)
        top = self.ribbon + gap
        width = (wide - 2 * margin - gap) / 2
        self.cards = [(round(margin + k * (width + gap)), top, round(width), self.height - top - margin) for k in range(2)]
        for card, dial in zip(self.cards, self.dials, strict=True):
            self._draw_card(card, dial)

    def draw(self, canvas: np.ndarray, frame: int) -> None:
        canvas[:] = self.base
        t, shown = self.swing.t[frame], _shown_frame(self.swing, frame)
        if self.span[0] <= t <= self.span[1]:
            x = self._x(t, 0, canvas.shape[1])
            stroke(canvas, np.array([[x, 0], [x, self.ribbon]]), (255, 255, 255), 2.0)
        write(canvas, f"{t:.2f} s", (canvas.shape[1] - 0.5 * self.letters, self.ribbon / 2), self.letters, TEXT, anchor="right")
        for card, dial in zip(self.cards, self.dials, strict=True):
            self._draw_live(canvas, card, dial, shown, t)

    def _x(self, t: float, left: float, width: float) -> float:
        return left + (t - self.span[0]) / (self.span[1] - self.span[0]) * width

    def _draw_phases(self) -> None:
        wide = self.base.shape[1]
        self.base[: self.ribbon] = PANEL
        for phase in self.swing.phases.found:
            if phase.name not in PHASE_COLOURS:
                continue
            a, b = (float(np.clip(self._x(t, 0, wide), 0, wide)) for t in (phase.start, phase.end))
            if b - a < 1:
                continue
            fill(self.base, np.array([[a, 0], [b, 0], [b, self.ribbon - 1], [a, self.ribbon - 1]]), _rgb(PHASE_COLOURS[phase.name]), 0.5)
            words = phase.name.replace("_", "-")
            if b - a > 0.62 * self.letters * len(words):
                write(self.base, words, ((a + b) / 2, self.ribbon / 2), self.letters, (255, 255, 255), anchor="centre")
        impact = self.swing.impact
        if impact is not None and self.span[0] <= impact.t <= self.span[1]:
            x = self._x(impact.t, 0, wide)
            stroke(self.base, np.array([[x, 0], [x, self.ribbon]]), _rgb(IMPACT), 2.0)

    def _places(self, card: tuple[int, int, int, int]) -> tuple[np.ndarray, float, tuple[float, float, float, float]]:
        """Middle and radius of the dial, and the box (left, top, right, bottom) of the curve."""
        left, top, width, high = card
        radius = min(0.44 * high, 0.19 * width)
        middle = np.array([left + 1.25 * radius, top + 0.53 * high])
        begins = middle[0] + 1.35 * radius
        return middle, radius, (begins, top + 1.5 * self.letters, left + width - 0.5 * self.letters, top + high - 0.45 * self.letters)

    def _draw_card(self, card: tuple[int, int, int, int], dial: _Dial) -> None:
        left, top, width, high = card
        fill(self.base, np.array([[left, top], [left + width, top], [left + width, top + high], [left, top + high]]), PANEL)
        middle, radius, (x0, y0, x1, y1) = self._places(card)
        stroke(self.base, _arc(middle, radius, 0, 1), DIM, 0.16 * radius, 0.8)
        write(self.base, f"{dial.name}, {dial.unit}", (x0, top + 0.8 * self.letters), self.letters, FAINT)
        zero = self._y(0.0, dial, y0, y1)
        stroke(self.base, np.array([[x0, zero], [x1, zero]]), DIM, 1.0, 0.7)
        self._draw_curve(self.base, dial, (x0, y0, x1, y1), None, 0.35)

    def _y(self, value: float, dial: _Dial, y0: float, y1: float) -> float:
        low = -1.0 if dial.signed else 0.0
        return y1 - (float(np.clip(value / dial.top, low, 1.0)) - low) / (1 - low) * (y1 - y0)

    def _draw_curve(self, image: np.ndarray, dial: _Dial, box: tuple[float, float, float, float], until: float | None, alpha: float) -> None:
        x0, y0, x1, y1 = box
        swing = self.swing
        frames = np.flatnonzero((swing.status != "repeat") & (swing.t >= self.span[0]) & (swing.t <= (self.span[1] if until is None else until)))
        points = np.array([
            (self._x(swing.t[k], x0, x1 - x0), self._y(dial.value[k], dial, y0, y1) if np.isfinite(dial.value[k]) else np.nan) for k in frames
        ]).reshape(-1, 2)  # fmt: skip
        stroke(image, points, dial.colour, max(1.2, self.letters / 8), alpha)
        for k, point in enumerate(points):
            lone = np.isfinite(point).all() and not any(np.isfinite(points[j]).all() for j in (k - 1, k + 1) if 0 <= j < len(points))
            if lone:
                dot(image, point, max(1.4, self.letters / 7), dial.colour, alpha)

    def _draw_live(self, canvas: np.ndarray, card: tuple[int, int, int, int], dial: _Dial, shown: int, t: float) -> None:
        middle, radius, box = self._places(card)
        value, sigma = dial.value[shown], dial.sigma[shown]
        self._draw_curve(canvas, dial, box, t, 1.0)
        if np.isfinite(value):
            share = float(np.clip(abs(value) / dial.top, 0.0, 1.0))
            if share > 0.005:
                stroke(canvas, _arc(middle, radius, 0, share), dial.colour, 0.16 * radius)
            write(canvas, _short(value), (middle[0], middle[1] - 0.06 * radius), max(11, round(0.62 * radius)), dial.colour, anchor="centre")
            write(canvas, f"± {_short(sigma)}", (middle[0], middle[1] + 0.5 * radius), max(9, round(0.32 * radius)), FAINT, anchor="centre")
            x = self._x(t, box[0], box[2] - box[0])
            if box[0] <= x <= box[2]:
                dot(canvas, np.array([x, self._y(value, dial, box[1], box[3])]), max(2.5, self.letters / 4.5), (255, 255, 255))
        else:
            stroke(canvas, middle + np.array([[-0.2 * radius, 0.0], [0.2 * radius, 0.0]]), FAINT, max(1.5, 0.06 * radius))


def _shown_frame(swing: SwingMeasurement, frame: int) -> int:
    """The frame whose picture this is: the last one that isn't a repeat."""
    while frame > 0 and swing.status[frame] == "repeat":
        frame -= 1
    return frame


def _arc(middle: np.ndarray, radius: float, start: float, end: float) -> np.ndarray:
    """Points of a dial's arc from one share of it to another."""
    turn = np.radians(_ARC[0] + (_ARC[1] - _ARC[0]) * np.linspace(start, end, max(2, int(40 * (end - start)) + 2)))
    return middle + radius * np.column_stack([np.cos(turn), np.sin(turn)])


def _top(value: np.ndarray, peak: float) -> float:
    """End of a scale: a little over the largest."""
    known = [float(np.nanmax(value))] if np.isfinite(value).any() else []
    return 1.08 * max([*known, peak if np.isfinite(peak) else 0.0, 1e-9])


def _short(value: float) -> str:
    """Three figures at most, a true minus sign left to fonts that have one."""
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 1 else f"{value:.2f}"


def _rgb(code: str) -> Colour:
    return tuple(int(code[k : k + 2], 16) for k in (1, 3, 5))
