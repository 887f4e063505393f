"""Two shots laid on each other in one picture: as a video, and as a sheet of instants."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..compare.features import common_joints, trunk_length
from ..compare.tempo import measure_tempo
from ..compare.time_map import TimeMap
from ..draw import View, view_points
from ..errors import KineticsError, Progress
from ..ink import dot, stroke, write, write_name
from ..pose.body import torso_length
from ..pose_sequence import PoseSequence
from ..stick_figure import draw_skeleton
from .corrpath import SHOT_COLOURS
from .page import FAINT, GRID, PANEL, TEXT, blank_page, rgb, save_png

#: The reference is drawn wide and faint, the other narrow upon it, so that they are told apart without colours as well.
_WIDE, _NARROW, _GHOST = 1.9, 0.8, 0.62

#: The widest gap is named when it is at least this part of a trunk length.
_WORTH_NAMING = 0.1


def render_overlay(
    reference: PoseSequence,
    other: PoseSequence,
    output: str | os.PathLike,
    *,
    labels: tuple[str, str] = ("reference", "other"),
    impact: float | None = None,
    size: tuple[int, int] = (960, 720),
    fps: float | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write an .mp4 of two skeletons in one picture, a frame per frame of the reference at its own time.

    The reference is the wide figure, the other the narrow one upon it. A white line joins the partners that lie furthest apart and says
    how far, in trunk lengths of the reference; below runs the root mean squared distance of all joints that both show.

    Parameters
    ----------
    reference, other : PoseSequence
        In the same place and at the same times: see :func:`kinetics.compare.in_step.overlay_pair`.
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    labels : (str, str)
        What the legend calls the two.
    impact : float, optional
        When the reference's bat meets the ball, s.
    size : (W, H)
        Pixels, at least 320 × 240.
    fps : float, optional
        Nominal rate written to the file; the median of the reference's own when not given. It moves no frame.
    progress : callable, optional
        Called once per frame; may raise to cancel.

    Returns
    -------
    Path

    Raises
    ------
    KineticsError
        When the two haven't the same times and unit, or no joints in common, or the picture is too small.
    """
    from ..video.encode import VideoWriter

    scene = _Scene(reference, other, labels, size)
    head, foot = scene.letters * 3, round(size[1] * 0.17)
    view = scene.look((size[0], size[1] - head - foot))
    strip = _Strip(scene, (size[0], foot), impact)
    base = blank_page(size)
    scene.draw_legend(base[:head])
    rate = fps or (1 / float(np.median(np.diff(reference.t))) if len(reference) > 1 else 25.0)  # one frame has no rate; any will hold it
    with VideoWriter(output, *size, rate) as video:
        for frame in range(len(reference)):
            image = base.copy()
            scene.draw(image[head : size[1] - foot], view, frame, named=True)
            strip.draw(image[size[1] - foot :], frame)
            video.write(image, float(reference.t[frame]))
            if progress:
                progress(frame + 1, len(reference))
    return Path(output)


def plot_overlay_sheet(
    reference: PoseSequence,
    other: PoseSequence,
    *,
    labels: tuple[str, str] = ("reference", "other"),
    impact: float | None = None,
    path: str | os.PathLike | None = None,
    size: tuple[int, int] = (960, 720),
) -> np.ndarray:
    """Eight instants of two skeletons in one picture: five up to impact, or to where the hands are fastest, three after it.

    Parameters
    ----------
    reference, other, labels, impact, size
        As in :func:`render_overlay`.
    path : path, optional
        A .png to write as well.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        As :func:`render_overlay`.
    """
    scene = _Scene(reference, other, labels, size)
    tempo = measure_tempo(reference, scene.joints, TimeMap(reference.t[[0, -1]], reference.t[[0, -1]]), (reference.t[0], reference.t[-1]), (impact, None))
    instants = [*np.linspace(tempo.first, tempo.turn, 5), *np.linspace(tempo.turn, tempo.last, 4)[1:]]
    frames = [int(np.abs(reference.t - t).argmin()) for t in instants]
    letters, head, gap = scene.letters, scene.letters * 3, 4
    tile = (size[0] - 3 * gap) // 4, (size[1] - head - gap) // 2
    foot = 2 * letters
    view = scene.look((tile[0], tile[1] - foot), frames)
    sheet = blank_page(size)
    scene.draw_legend(sheet[:head])
    for k, frame in enumerate(frames):
        row, column = divmod(k, 4)
        y, x = head + row * (tile[1] + gap), column * (tile[0] + gap)
        cell = sheet[y : y + tile[1], x : x + tile[0]]
        cell[:] = rgb(PANEL)
        scene.draw(cell[: tile[1] - foot], view, frame)
        line = tile[1] - foot / 2
        word = ("impact " if tempo.at_impact else "fastest ") if k == 4 else ""
        write(cell, f"{word}{reference.t[frame]:.2f} s", (0.5 * letters, line), letters, rgb(TEXT))
        if np.isfinite(scene.apart[frame]):
            write(cell, f"{100 * scene.apart[frame]:.0f} %", (tile[0] - 0.5 * letters, line), letters, rgb(TEXT), anchor="right")
    save_png(sheet, path)
    return sheet


class _Scene:
    """Two skeletons that share their times, and how far apart they are."""

    def __init__(self, reference: PoseSequence, other: PoseSequence, labels: tuple[str, str], size: tuple[int, int]):
        if len(reference) != len(other) or not np.allclose(reference.t, other.t, rtol=0, atol=1e-6) or reference.space != other.space:
            raise KineticsError(
                f"{labels[0]} ({len(reference)} frames, {reference.space}) and {labels[1]} ({len(other)} frames, {other.space}) don't have the same "
                "times and unit; lay one on the other first."
            )
        if min(size[0] / 320, size[1] / 240) < 1:
            raise KineticsError(f"An overlay of {size[0]}×{size[1]} pixels can't be read; give at least 320×240.")
        self.poses, self.labels = (reference, other), labels
        self.joints = common_joints(self.poses)
        self.letters = max(9, round(size[0] / 53))
        self.unit = trunk_length(reference)
        step = np.linalg.norm(reference.select(self.joints).xy - other.select(self.joints).xy, axis=2) / self.unit
        self.step = step
        seen = np.isfinite(step)
        square = np.where(seen, step, 0.0) ** 2
        self.apart = np.where(seen.any(axis=1), np.sqrt(square.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)), np.nan)

    def look(self, size: tuple[int, int], frames: list[int] | None = None) -> View:
        """Both figures with their bats, in all frames or in some, with little room about them."""
        points = []
        for pose in self.poses:
            shown = pose.xy if frames is None else pose.xy[frames]
            points.append(shown.reshape(-1, 2))
            if "bat_tip" in pose.names:  # as many as of the joints, or it would count as one of the wild samples
                points.append(np.repeat(shown[:, pose.index("bat_tip")], len(pose.names), axis=0))
        return view_points(np.concatenate(points), size, 0.06)

    def draw(self, image: np.ndarray, view: View, frame: int, named: bool = False) -> None:
        lower, upper = self.poses
        first, last = np.searchsorted(lower.t, [lower.t[frame] - 0.5, lower.t[frame] + 0.5])
        near = torso_length(lower.xy[first:last], lower.names)
        unit = (near if np.isfinite(near) else self.unit) * view.zoom
        ghost = image.copy()
        draw_skeleton(ghost, view.place(lower.xy[frame]), lower.conf[frame], lower.names, scale=_WIDE * unit, colour=rgb(SHOT_COLOURS[0]))
        image[:] = np.rint(image + (ghost.astype(np.float32) - image) * np.float32(_GHOST)).astype(np.uint8)
        if named and np.isfinite(self.step[frame]).any():
            self._name_widest(image, view, frame)
        draw_skeleton(image, view.place(upper.xy[frame]), upper.conf[frame], upper.names, scale=_NARROW * unit, colour=rgb(SHOT_COLOURS[1]))

    def _name_widest(self, image: np.ndarray, view: View, frame: int) -> None:
        widest = int(np.nanargmax(self.step[frame]))
        apart = float(self.step[frame, widest])
        if apart < _WORTH_NAMING:
            return
        name = self.joints[widest]
        ends = np.array([view.place(pose.joint(name)[frame]) for pose in self.poses])
        stroke(image, ends, (255, 255, 255), max(1.5, self.letters / 7), 0.95)
        for end in ends:
            dot(image, end, max(3.0, self.letters / 3), (255, 255, 255), 0.95, ring=max(1.5, self.letters / 9))
        words = f"{name.replace('_', ' ')} {100 * apart:.0f} %"
        write(image, words, (image.shape[1] - 0.8 * self.letters, 0.9 * self.letters), self.letters, (255, 255, 255), anchor="right")

    def draw_legend(self, image: np.ndarray) -> None:
        """A swatch as wide as the figure's line, and the name in any script, for each; what the percentages are."""
        wide, high = image.shape[1], image.shape[0]
        x, y = 0.8 * self.letters, high * 0.5
        for label, colour, width, share in zip(self.labels, SHOT_COLOURS, (0.75, 0.3), (_GHOST, 1.0), strict=True):
            stroke(image, np.array([[x + 0.3 * self.letters, y], [x + 1.8 * self.letters, y]]), rgb(colour), width * self.letters, share)
            x += 2.7 * self.letters
            x += write_name(image, label, (x, y), self.letters, rgb(colour), round(0.3 * wide) - 3 * self.letters) + 1.2 * self.letters
        write(image, "joints apart, RMS, % of a trunk length", (wide - 0.8 * self.letters, y), self.letters, rgb(FAINT), anchor="right")


class _Strip:
    """The distance over time below the picture, and where the picture is in it."""

    def __init__(self, scene: _Scene, size: tuple[int, int], impact: float | None):
        self.scene, letters, t = scene, scene.letters, scene.poses[0].t
        self.base = np.empty((size[1], size[0], 3), np.uint8)
        self.base[:] = rgb(PANEL)
        left, right, top, bottom = 0.8 * letters, size[0] - 0.8 * letters, 2.2 * letters, size[1] - 0.7 * letters
        most = 1.08 * max(float(np.nanmax(scene.apart)) if np.isfinite(scene.apart).any() else 0.0, 0.05)
        span = max(float(t[-1] - t[0]), 1e-9)
        self.x = left + (t - t[0]) / span * (right - left)
        self.y = bottom - scene.apart / most * (bottom - top)
        stroke(self.base, np.array([[left, bottom], [right, bottom]]), rgb(GRID), 1.5)
        if impact is not None and t[0] <= impact <= t[-1]:
            x = left + (impact - t[0]) / span * (right - left)
            stroke(self.base, np.array([[x, top - 0.4 * letters], [x, bottom]]), rgb(TEXT), 1.5, 0.7)
            write(self.base, "impact", (x, letters), letters, rgb(TEXT), anchor="centre")
        stroke(self.base, np.stack([self.x, self.y], axis=1), rgb(TEXT), max(1.5, letters / 8), 0.55)

    def draw(self, image: np.ndarray, frame: int) -> None:
        letters, apart = self.scene.letters, self.scene.apart[frame]
        image[:] = self.base
        now = f"{self.scene.poses[0].t[frame]:.2f} s"
        stroke(image, np.stack([self.x[: frame + 1], self.y[: frame + 1]], axis=1), (255, 255, 255), max(2.0, letters / 6))
        if np.isfinite(apart):
            dot(image, np.array([self.x[frame], self.y[frame]]), 0.35 * letters, (255, 255, 255))
            now = f"{100 * apart:.0f} %   {now}"
        write(image, now, (image.shape[1] - 0.8 * letters, letters), letters, rgb(TEXT), anchor="right")
