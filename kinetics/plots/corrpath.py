"""The correlation path of two shots as a picture: what the warping saw, the way it took, and both batters where it paired them."""

from __future__ import annotations

import os
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from ..compare.align import ShotComparison
from ..compare.distances import pair_distances
from ..compare.features import joint_speed, trunk_length
from ..errors import KineticsError
from ..names import short_name
from ..pose_sequence import PoseSequence
from ..stick_figure import BONES
from .page import FAINT, GRID, SIDE_COLOURS, TEXT, open_page, to_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Bluish green and reddish purple of Okabe & Ito: which shot a curve or a name belongs to. Left and right have the palette's other two.
SHOT_COLOURS = ("#2bc79a", "#e58fc0")
PATH_COLOUR, BAT_COLOUR = "#ffffff", "#fae850"

#: The picture is laid out for this width and scaled to the one asked for, type and lines with it.
WIDTH = 840

#: Width of a skeleton's panel over its height.
_NARROW = 0.46

#: Frames along an edge of the matrix at most; beyond it, every so-manyth is shown.
_MOST_CELLS = 600


def plot_corrpath(
    comparison: ShotComparison,
    *,
    names: tuple[str, str] | None = None,
    series: tuple[np.ndarray, np.ndarray, str] | None = None,
    path: str | os.PathLike | None = None,
    size: tuple[int, int] = (960, 640),
) -> np.ndarray:
    """Draw the cost matrix with the path, a series of each shot along its edges, both skeletons at matched instants, the tempo in words.

    Parameters
    ----------
    comparison : ShotComparison
        The matrix shows how far apart the joints are in every pair of frames after Procrustes, whatever features the path was found on.
    names : (str, str), optional
        Of the two shots; the files' when not given.
    series : ((T,), (M,), str), optional
        A number per frame of each shot and its name with unit, e.g. ``"tip speed (m/s)"``. When not given the speed of the bat's tip where
        both have it, else of the wrists, in trunk lengths a second.
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels. Type grows with the width: 960 for a node, 2400 for print at 300 dots an inch and 20 cm.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        When a series doesn't have one number per frame.
    """
    ref, other = comparison.ref, comparison.other
    names = names or _short_names(ref, other)
    values = series or _default_series(comparison)
    if [np.shape(values[0]), np.shape(values[1])] != [(len(ref),), (len(other),)]:
        raise KineticsError(
            f"The series have shapes {np.shape(values[0])} and {np.shape(values[1])}; give one number per frame of each shot."
        )
    figure = scaled_page(size)
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05, wspace=0.02, hspace=0.02)
    left, right = figure.subfigures(1, 2, width_ratios=[1.12, 1])
    for part in (left, right):
        part.set_facecolor("none")
    moments = _moments(comparison)
    _draw_matrix(left, comparison, values, names, moments)
    _draw_skeletons(right, comparison, names, moments)
    words = comparison.tempo.words(*names)
    apart = f" Joints lie {100 * comparison.rms:.0f} % of a trunk length apart (RMS)." if np.isfinite(comparison.rms) else ""
    figure.supxlabel(fill((words + apart).replace(" %", "\u00a0%"), 104), color=TEXT, fontsize=9.5, linespacing=1.35)
    figure.canvas.draw()
    return to_pixels(figure, size, path)


def scaled_page(size: tuple[int, int]) -> Figure:
    """An empty figure of ``size`` pixels, laid out as if it were :data:`WIDTH` wide."""
    # A hundredth of a pixel more, or rounding may take one off; the picture is cut to its size when it is done.
    figure = open_page((WIDTH * (1 + 0.01 / size[0]), WIDTH * (size[1] + 0.01) / size[0]))
    figure.set_dpi(100 * size[0] / WIDTH)
    return figure


def _draw_matrix(
    figure: Figure, comparison: ShotComparison, values, names: tuple[str, str], moments: list[tuple[float, float, str]]
) -> None:
    ref, other = comparison.ref, comparison.other
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 4], height_ratios=[4, 1])
    matrix = figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, 1], sharex=matrix)
    beside = figure.add_subplot(grid[0, 0], sharey=matrix)
    apart, t, at = pair_distances(comparison, _MOST_CELLS)
    image = matrix.pcolormesh(
        t, at, apart.T, cmap="cividis", vmin=0, vmax=float(np.nanpercentile(apart, 98)), shading="nearest", rasterized=True
    )
    pairs = comparison.alignment.path
    x, y = ref.t[pairs[:, 0]], other.t[pairs[:, 1]]
    matrix.plot(x, y, color="#000000", linewidth=4.2, alpha=0.75, solid_joinstyle="round")
    matrix.plot(x, y, color=PATH_COLOUR, linewidth=1.8, solid_joinstyle="round")
    for number, (a, b, _) in enumerate(moments, 1):
        matrix.plot(
            a, b, "o", markersize=13, markerfacecolor="#101216", markeredgecolor=PATH_COLOUR, markeredgewidth=1.2, zorder=5, clip_on=False
        )
        matrix.text(a, b, str(number), color=PATH_COLOUR, fontsize=8.5, ha="center", va="center_baseline", zorder=6)
        below.axvline(a, color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
        beside.axhline(b, color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)))
    below.plot(ref.t, values[0], color=SHOT_COLOURS[0], linewidth=1.6)
    beside.plot(values[1], other.t, color=SHOT_COLOURS[1], linewidth=1.6)
    beside.invert_xaxis()
    matrix.set_xlim(ref.t[0], ref.t[-1])
    matrix.set_ylim(other.t[0], other.t[-1])
    matrix.tick_params(labelbottom=False, labelleft=False)
    highest = 1.08 * float(np.nanmax(np.concatenate(values[:2])))
    below.set_ylim(0, highest)
    beside.set_xlim(highest, 0)
    below.set_xlabel(f"{names[0]}, time (s)", color=SHOT_COLOURS[0], fontsize=9.5)
    beside.set_ylabel(f"{names[1]}, time (s)", color=SHOT_COLOURS[1], fontsize=9.5)
    quantity, _, unit = values[2].partition(" (")
    label = f"{quantity}\n({unit}" if unit else quantity
    below.set_ylabel(label, color=FAINT, fontsize=8.5)
    beside.set_xlabel(label, color=FAINT, fontsize=8.5)
    beside.xaxis.label.set_in_layout(False)  # there is room in the corner
    matrix.set_axisbelow(True)  # no grid over the colours
    bar = figure.colorbar(image, ax=matrix, location="top", fraction=0.05, pad=0.02, aspect=34)
    bar.set_label("distance of the joints (% of a trunk length)", color=FAINT, fontsize=8.5)
    bar.outline.set_edgecolor(GRID)
    bar.ax.set_axisbelow(True)


def _draw_skeletons(figure: Figure, comparison: ShotComparison, names: tuple[str, str], moments: list[tuple[float, float, str]]) -> None:
    plots = figure.subplots(2, len(moments))
    shots = (comparison.ref, comparison.aligned)
    drawn = []
    for row, (pose, name) in enumerate(zip(shots, names, strict=True)):
        for column, moment in enumerate(moments):
            plot = plots[row, column]
            frame = int(np.abs(pose.t - moment[row]).argmin())
            drawn.append((plot, _skeleton(plot, pose, frame)))
            plot.set_xticks([])
            plot.set_yticks([])
            plot.set_xlabel(f"{pose.t[frame]:.2f} s", color=TEXT, fontsize=9, labelpad=3)
            if row == 0:
                plot.set_title(
                    f"{column + 1}" + (f"\n{moment[2]}" if moment[2] else "\n "), color=TEXT, fontsize=9.5, pad=4, linespacing=1.2
                )
        plots[row, 0].set_ylabel(name, color=SHOT_COLOURS[row], fontsize=9.5, labelpad=4)
    seen = [points for _, points in drawn if len(points)]
    # The widest and the tallest have to fit the panels, which are _NARROW times as wide as tall.
    half = 0.54 * max((max(np.ptp(points[:, 0]) / _NARROW, np.ptp(points[:, 1])) for points in seen), default=1.0)
    for plot, points in drawn:
        middle = (points.min(axis=0) + points.max(axis=0)) / 2 if len(points) else np.zeros(2)
        plot.set_xlim(middle[0] - _NARROW * half, middle[0] + _NARROW * half)
        plot.set_ylim(middle[1] + half, middle[1] - half)
        plot.set_aspect("equal")


def _skeleton(plot: Axes, pose: PoseSequence, frame: int) -> np.ndarray:
    """Draw one frame; the points (n, 2) that were drawn."""
    at = {name: point for name, point in zip(pose.names, pose.xy[frame], strict=True) if np.isfinite(point).all()}
    if "neck" not in at and {"left_shoulder", "right_shoulder"} <= set(at):
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    used = []
    for a, b, width in BONES:
        if a in at and b in at:
            side = a.partition("_")[0] if a.partition("_")[0] == b.partition("_")[0] else ""
            plot.plot(
                *zip(at[a], at[b], strict=True), color=SIDE_COLOURS.get(side, TEXT), linewidth=2.4 * width, solid_capstyle="round", zorder=3
            )
            used += [at[a], at[b]]
    if "nose" in at:
        plot.plot(*at["nose"], "o", color=TEXT, markersize=6.5, zorder=3)
    hands = [at[name] for name in ("left_wrist", "right_wrist") if name in at]
    if hands and "bat_tip" in at:
        grip = np.mean(hands, axis=0)
        plot.plot(*zip(grip, at["bat_tip"], strict=True), color=BAT_COLOUR, linewidth=3.2, solid_capstyle="butt", zorder=4)
        used.append(at["bat_tip"])
    return np.array(used).reshape(-1, 2)


def _default_series(comparison: ShotComparison) -> tuple[np.ndarray, np.ndarray, str]:
    poses = (comparison.ref, comparison.other)
    tip = all("bat_tip" in pose.names and not np.isnan(pose.joint("bat_tip")).all() for pose in poses)
    wrists = [name for name in ("left_wrist", "right_wrist") if all(name in pose.names for pose in poses)]
    joints = ["bat_tip"] if tip else wrists or list(comparison.joints)
    what = "tip speed" if tip else "wrist speed" if wrists else "joint speed"
    first, second = (joint_speed(pose, joints) / trunk_length(pose) for pose in poses)
    return first, second, f"{what} (trunks/s)"


def _moments(comparison: ShotComparison) -> list[tuple[float, float, str]]:
    """Seconds in both shots, and a word: the beginning, half-way to the turning point, that point, the end."""
    tempo = comparison.tempo
    first, turn, last = tempo.first, tempo.turn, tempo.last
    chosen = [(first, "start"), ((first + turn) / 2, ""), (turn, "impact" if tempo.at_impact else "fastest"), (last, "end")]
    return [(t, float(comparison.time_map(t)), word) for t, word in chosen]


def _short_names(ref: PoseSequence, other: PoseSequence) -> tuple[str, str]:
    """The files' names without folder and ending; A and B where they are missing or the same."""
    stems = [short_name(pose.source).replace("_", " ")[:24] for pose in (ref, other)]
    if not all(stems) or stems[0] == stems[1]:
        return f"A {stems[0]}".strip(), f"B {stems[1]}".strip()
    return stems[0], stems[1]
