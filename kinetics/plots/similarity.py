"""Distances between shots: a heat map with their dendrogram, and all shots on one page, like ones together."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..compare.features import common_joints, joint_speed, trunk_length
from ..compare.in_step import InStep, in_step_times
from ..compare.similarity import Similarity
from ..compare.tempo import measure_tempo
from ..draw import View
from ..errors import KineticsError
from ..ink import dot, stroke, write, write_name
from ..pose_sequence import PoseSequence
from ..stick_figure import draw_skeleton
from .corrpath import scaled_page
from .page import FAINT, GRID, PANEL, SIDE_COLOURS, TEXT, blank_page, rgb, save_png, to_pixels

#: Up to so many shots each cell has its number, and the columns their names.
_NUMBERED = 14

#: Letters of a name in the heat map.
_LONGEST = 24

#: Pixels of a row, of 960 across; and of the dendrogram and the margins together.
_ROW, _REST = 26, 250

#: Up to so many shots stand in one column, in two; more in three. Skeletons per shot, and the height of a row over its width.
_COLUMNS = ((6, 1), (16, 2))
_INSTANTS = {1: 6, 2: 4, 3: 4}
_SHAPE = {1: 0.145, 2: 0.29, 3: 0.32}

#: Seconds shown of each shot before and after its stroke.
_ROUND = 0.15


def plot_similarity(
    similarity: Similarity, *, linkage: str = "average", path: str | os.PathLike | None = None, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Draw the N × N distances, the shots in the order of their dendrogram, which stands above.

    Parameters
    ----------
    similarity : Similarity
    linkage : {"average", "complete", "single"}
        How far apart two groups are.
    path : path, optional
        A .png to write as well.
    size : (W, H), optional
        Pixels; type grows with the width. 960 across, and 720 or as many down as the shots' names need, when not given.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        As :meth:`Similarity.tree`.
    """
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(similarity.tree(linkage), no_plot=True)
    order = drawn["leaves"]
    count = len(order)
    distance = similarity.distance[np.ix_(order, order)]
    size = size or (960, max(720, _REST + _ROW * count))
    figure = scaled_page(size)
    tree, heat = figure.subplots(2, 1, gridspec_kw={"height_ratios": [1, max(4, 0.2 * count)]}, sharex=True)
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        tree.plot((np.array(x) - 5) / 10, y, color=TEXT, linewidth=1.4)
    tree.set_ylim(0, None)
    tree.tick_params(labelbottom=False)
    unit = f" ({similarity.unit})" if similarity.unit else " (parts of the spread)"
    tree.set_ylabel(f"distance\n{unit.strip()}", color=FAINT, fontsize=8.5)
    image = heat.pcolormesh(np.arange(count), np.arange(count), distance, cmap="cividis", vmin=0, shading="nearest")
    heat.set_axisbelow(True)
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in (similarity.names[k] for k in order)]
    heat.set_yticks([])
    for row, name in enumerate(names):
        heat.text(-0.012, row, name, color=TEXT, fontsize=8.5, ha="right", va="center", transform=heat.get_yaxis_transform())
    heat.invert_yaxis()
    if count > _NUMBERED:
        heat.set_xticks([])
        heat.set_xlabel("the same shots in the same order", color=FAINT, fontsize=8.5)
    else:
        heat.set_xticks(range(count), names, rotation=35, ha="right", rotation_mode="anchor")
        middle = float(distance.max()) * 0.55
        for a, b in np.argwhere(~np.eye(count, dtype=bool)):
            ink = "#000000" if distance[a, b] > middle else "#ffffff"
            heat.text(b, a, f"{distance[a, b]:.2f}", color=ink, fontsize=9, ha="center", va="center")
    bar = figure.colorbar(image, ax=[tree, heat], fraction=0.04, pad=0.015)
    bar.set_label(f"distance of the partners{unit}", color=FAINT, fontsize=8.5)
    bar.outline.set_edgecolor(GRID)
    bar.ax.set_axisbelow(True)
    return to_pixels(figure, size, path)


def plot_similarity_sheet(
    similarity: Similarity,
    poses: Sequence[PoseSequence],
    *,
    impacts: Sequence[float | None] | None = None,
    linkage: str = "average",
    path: str | os.PathLike | None = None,
    width: int = 960,
) -> np.ndarray:
    """Draw every shot in a tile, in the order of the dendrogram, down the columns.

    The shot that is nearest to all others chooses the instants: evenly spaced over its stroke, impact among them; every other shot is shown
    where playing it in step puts them. On the right runs the speed of the bat's tip, or of the wrists, in each shot's own time, the same
    seconds and speeds in every tile, with a line at impact and dots at the instants shown.

    Parameters
    ----------
    similarity : Similarity
    poses : N PoseSequences
        The shots it was made of, in its order.
    impacts : seconds or None per shot, optional
        As in :func:`kinetics.compare.in_step.in_step_times`.
    linkage : {"average", "complete", "single"}
        As in :meth:`Similarity.tree`.
    path : path, optional
        A .png to write as well.
    width : int
        Pixels; the height follows from the number of shots.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        When the poses aren't as many as the shots, or as :meth:`Similarity.tree` and :func:`kinetics.compare.in_step.in_step_times`.
    """
    if len(poses) != len(similarity.names):
        raise KineticsError(f"There are {len(poses)} skeletons for {len(similarity.names)} shots; give those that were compared.")
    order = similarity.order(linkage)
    columns = next((columns for most, columns in _COLUMNS if len(poses) <= most), 3)
    rows = -(-len(poses) // columns)
    letters = max(9, round(width / 64))
    gap = max(2, width // 240)
    tile = (width - gap * (columns - 1)) // columns, round(_SHAPE[columns] * width / columns) + round(1.6 * letters)
    head = round(2.2 * letters)
    sheet = blank_page((width, head + rows * (tile[1] + gap) - gap))
    shots = _match(similarity, poses, impacts, _INSTANTS[columns])
    _draw_head(sheet[:head], shots, letters)
    for place, n in enumerate(order):
        column, row = divmod(place, rows)
        y, x = head + row * (tile[1] + gap), column * (tile[0] + gap)
        cell = sheet[y : y + tile[1], x : x + tile[0]]
        cell[:] = rgb(PANEL)
        _draw_tile(cell, shots, n, similarity.names[n], letters)
    save_png(sheet, path)
    return sheet


class _Shots:
    """All shots with the seconds of each at which its instants are, its impact, and its speeds; and the seconds that are shown about impact."""

    def __init__(self, poses: Sequence[PoseSequence], step: InStep, chosen: np.ndarray):
        self.poses, self.impacts = poses, step.impacts
        self.judged = "hands" in step.known
        self.instants = [time_map(chosen) for time_map in step.maps]
        reach = np.array([[at[0] - impact, at[-1] - impact] for at, impact in zip(self.instants, step.impacts, strict=True)])
        self.span = float(np.median(reach[:, 0])) - _ROUND, float(np.median(reach[:, 1])) + _ROUND
        tip = all("bat_tip" in pose.names and not np.isnan(pose.joint("bat_tip")).all() for pose in poses)
        wrists = [name for name in ("left_wrist", "right_wrist") if all(name in pose.names for pose in poses)]
        self.what = "tip speed" if tip else "wrist speed" if wrists else "joint speed"
        joints = ["bat_tip"] if tip else wrists or list(common_joints(poses))
        self.speed = [joint_speed(pose, joints) / trunk_length(pose) for pose in poses]
        self.fastest = float(np.nanpercentile(np.concatenate(self.speed), 99.5))


def _match(similarity: Similarity, poses: Sequence[PoseSequence], impacts: Sequence[float | None] | None, count: int) -> _Shots:
    """The instants of the shot nearest to all others, and where they are in each."""
    middle = int(similarity.distance.sum(axis=1).argmin())
    step, ref = in_step_times(poses, impacts=impacts, reference=middle), poses[middle]
    tempo = measure_tempo(ref, common_joints(poses), step.maps[middle], (ref.t[0], ref.t[-1]), (step.impacts[middle], None))
    before = count // 2 + 1
    chosen = np.concatenate([np.linspace(tempo.first, tempo.turn, before), np.linspace(tempo.turn, tempo.last, count - before + 1)[1:]])
    return _Shots(poses, step, chosen)


def _draw_head(image: np.ndarray, shots: _Shots, letters: int) -> None:
    x, y = 0.5 * letters, image.shape[0] / 2
    for word, colour in (("left", SIDE_COLOURS["left"]), ("right", SIDE_COLOURS["right"])):
        stroke(image, np.array([[x, y], [x + 1.3 * letters, y]]), rgb(colour), 0.25 * letters)
        x += 1.8 * letters
        x += write(image, word, (x, y), letters, rgb(colour)) + letters
    about = "impact, judged by the hands" if shots.judged else "impact"
    words = f"{shots.what}, 0 to {shots.fastest:.0f} trunks/s, {shots.span[0]:.1f} to {shots.span[1]:+.1f} s about {about}"
    write(image, words, (image.shape[1] - 0.5 * letters, y), letters, rgb(TEXT), anchor="right")


def _draw_tile(image: np.ndarray, shots: _Shots, n: int, name: str, letters: int) -> None:
    high, wide = image.shape[:2]
    pose, foot, spark = shots.poses[n], round(1.6 * letters), round(0.24 * wide)
    box = (wide - spark) // len(shots.instants[n]), high - foot
    frames = [int(np.abs(pose.t - t).argmin()) for t in shots.instants[n]]
    bodies = [pose.xy[frame][~pose.missing[frame]] for frame in frames]
    # One scale for the whole shot: the tallest and the widest figure fit.
    reach = np.max([np.ptp(body, axis=0) for body in bodies if len(body)] or [np.ones(2)], axis=0)
    zoom = float((0.94 * np.array(box) / np.maximum(reach, trunk_length(pose))).min())
    for k, (frame, body) in enumerate(zip(frames, bodies, strict=True)):
        if len(body):
            view = View(zoom, np.array(box) / 2 - (body.min(axis=0) + body.max(axis=0)) / 2 * zoom, box)
            part = image[: box[1], k * box[0] : (k + 1) * box[0]]
            draw_skeleton(part, view.place(pose.xy[frame]), pose.conf[frame], pose.names, scale=trunk_length(pose) * zoom)
    write_name(image, name, (0.5 * letters, high - foot / 2), letters, rgb(TEXT), wide - spark - letters)
    _draw_speed(image[:, wide - spark :], shots, n, letters)


def _draw_speed(image: np.ndarray, shots: _Shots, n: int, letters: int) -> None:
    high, wide = image.shape[:2]
    left, right, top, bottom = 0.05 * wide, 0.95 * wide, 0.12 * high, high - 0.8 * letters
    pose, speed, (first, last) = shots.poses[n], shots.speed[n], shots.span

    def place(t: np.ndarray, value: np.ndarray) -> np.ndarray:
        x = left + (np.asarray(t) - shots.impacts[n] - first) / (last - first) * (right - left)
        return np.stack([x, bottom - np.clip(np.asarray(value) / shots.fastest, 0, 1) * (bottom - top)], axis=-1)

    line = max(1.2, letters / 9)
    stroke(image, np.array([[left, bottom], [right, bottom]]), rgb(GRID), 1.2)
    x = place(np.array(shots.impacts[n]), np.array(0.0))[0]
    stroke(image, np.array([[x, top], [x, bottom]]), rgb(FAINT), 1.2)
    shown = (pose.t >= shots.impacts[n] + first) & (pose.t <= shots.impacts[n] + last)
    stroke(image, place(pose.t[shown], speed[shown]), rgb(TEXT), line)
    at = shots.instants[n]
    for t, value in zip(at, np.interp(at, pose.t, np.nan_to_num(speed)), strict=True):
        if first <= t - shots.impacts[n] <= last:
            dot(image, place(np.array(t), np.array(value)), 1.8 * line, rgb(TEXT))
