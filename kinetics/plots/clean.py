"""A skeleton before and after clean-up."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import KineticsError
from ..pose.body import ARMS, LEGS, find_stretches
from ..pose_sequence import LIMB_NAMES, PoseSequence
from .page import FAINT, FILLED, GATED, OUTLIER, SIDE_COLOURS, SWAPPED, TEXT, open_page, to_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Joints shown first among those that changed as much.
PREFERRED = ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "bat_tip")


def plot_clean(
    raw: PoseSequence,
    clean: PoseSequence,
    joints: Sequence[str] | None = None,
    path: str | os.PathLike | None = None,
    size: tuple[int, int] = (960, 640),
) -> np.ndarray:
    """Plot x and y over time before and after clean-up.

    Raw samples are faint dots, those that were gated or rejected in colour; the clean track is a line, left orange and right blue; filled
    gaps are shaded, and frames whose left and right were exchanged have a bar along the top. The last line counts what each step did.

    Parameters
    ----------
    raw, clean : PoseSequence
        Before and after; the same frames and joints. What each step did is read from ``clean``'s provenance.
    joints : sequence of str, optional
        Rows; when not given the four of the limbs and the bat's tip that changed most (wrists and ankles first among equals).
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels.

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        When the two don't have the same frames and joints, or a joint isn't there.
    """
    if raw.names != clean.names or len(raw) != len(clean) or not np.allclose(raw.t, clean.t):
        raise KineticsError(
            f"Raw and clean skeletons of {raw.source or 'the clip'} don't match ({len(raw)} and {len(clean)} frames, {len(raw.names)} and "
            f"{len(clean.names)} joints); give the skeleton before and after one clean-up."
        )
    steps = {step["step"]: step for step in clean.provenance.get("steps", ())}
    origin = _exchanged(raw, steps)
    marks = {name: _marks(raw, origin, steps, name) for name in raw.names}
    if joints is None:
        large = [name for name in raw.names if name in (*LIMB_NAMES, "bat_tip")] or raw.names
        shown = sorted(large, key=lambda name: (-sum(map(len, marks[name].values())), _preference(name, raw.names)))
        joints = [name for name in shown if not raw.missing[:, raw.index(name)].all()][:4] or list(raw.names[:1])
    rows = [clean.index(name) for name in joints]

    stretch = find_stretches(clean)
    figure = open_page(size)
    grid = figure.subplots(len(rows), 2, sharex=True, squeeze=False)
    unit = {"px": "px", "body": "body lengths", "m": "m"}[clean.space]
    for row, (column, name) in enumerate(zip(rows, joints, strict=True)):
        side = name.partition("_")[0]
        for axis in (0, 1):
            _draw_track(grid[row, axis], raw, clean, origin, stretch, column, axis, marks[name], SIDE_COLOURS.get(side, TEXT))
            grid[row, axis].set_ylabel(f"{'xy'[axis]} ({unit})", color=FAINT, fontsize=8)
            if axis == 1:
                grid[row, axis].invert_yaxis()  # y grows downwards in a picture: up on the plot is up in the clip
        grid[row, 0].set_title(name.replace("_", " "), loc="left", fontsize=9, color=SIDE_COLOURS.get(side, TEXT), pad=3)
    for axis in (0, 1):
        grid[-1, axis].set_xlabel("time (s)", color=FAINT, fontsize=8)
    _key(figure, steps)
    figure.supxlabel(_summary(raw, clean, steps), color=TEXT, fontsize=7.8)
    return to_pixels(figure, size, path)


def _draw_track(
    plot: Axes, raw: PoseSequence, clean: PoseSequence, origin: np.ndarray, stretch: np.ndarray, column: int, axis: int, marks: Mapping[str, list[int]], colour: str
) -> None:  # fmt: skip
    t = raw.t
    plot.plot(t, raw.xy[:, column, axis], ".", color=FAINT, markersize=2.5, alpha=0.8, zorder=2)
    half = float(np.median(np.diff(t))) / 2 if len(t) > 1 else 0.5
    for frame in marks["filled"]:
        plot.axvspan(t[frame] - half, t[frame] + half, color=FILLED, alpha=0.28, linewidth=0, zorder=1)
    for frame in marks["swapped"]:
        plot.axvspan(t[frame] - half, t[frame] + half, ymin=0.95, color=SWAPPED, linewidth=0, zorder=3)
    for kind, shade, marker in (("gated", GATED, "."), ("outlier", OUTLIER, "x")):
        frames = marks[kind]
        plot.plot(t[frames], origin[frames, column, axis], marker, color=shade, markersize=3 if marker == "." else 5, zorder=4)
    for number in range(stretch[-1] + 1):
        within = stretch == number
        plot.plot(t[within], clean.xy[within, column, axis], "-", color=colour, linewidth=1.2, zorder=5)
    # The clean track and the bulk of the raw one set the scale: one wild sample mustn't flatten the rest.
    bounds = np.concatenate([clean.xy[:, column, axis], _bulk(raw.xy[:, column, axis])])
    if np.isfinite(bounds).any():
        low, high = np.nanmin(bounds), np.nanmax(bounds)
        margin = max(0.12 * (high - low), 1e-3 * max(clean.size))
        plot.set_ylim(low - margin, high + margin)
    else:
        plot.text(0.5, 0.5, "never seen", transform=plot.transAxes, color=FAINT, ha="center", va="center", fontsize=8)


def _bulk(values: np.ndarray) -> np.ndarray:
    """The 4th and 96th percentile of what is there, empty when nothing is."""
    there = values[np.isfinite(values)]
    return np.percentile(there, [4, 96]) if len(there) else there


def _exchanged(raw: PoseSequence, steps: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """(T, K, 2) raw positions with left and right as the swap repair left them: where later steps found what they removed."""
    xy = raw.xy.copy()
    for limb, parts in (("arms", ARMS), ("legs", LEGS)):
        for first, last in steps.get("repair_swaps", {}).get("at", {}).get(limb, ()):
            for part in parts:
                if {f"left_{part}", f"right_{part}"} <= set(raw.names):
                    left, right = raw.index(f"left_{part}"), raw.index(f"right_{part}")
                    xy[first : last + 1, [left, right]] = raw.xy[first : last + 1, [right, left]]
    return xy


def _marks(raw: PoseSequence, origin: np.ndarray, steps: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, list[int]]:
    """Frames at which each step touched a joint."""
    column = raw.index(name)
    threshold = steps.get("gate_confidence", {}).get("threshold", 0.0)
    part = name.partition("_")[2]
    limb = "arms" if part in ARMS else "legs" if part in LEGS else ""
    return {
        "gated": np.flatnonzero((raw.conf[:, column] < threshold) & np.isfinite(origin[:, column, 0])).tolist(),
        "outlier": list(steps.get("reject_outliers", {}).get("at", {}).get(name, ())),
        "filled": [k for a, b in steps.get("fill_gaps", {}).get("at", {}).get(name, ()) for k in range(a, b + 1)],
        "swapped": [k for a, b in steps.get("repair_swaps", {}).get("at", {}).get(limb, ()) for k in range(a, b + 1)],
    }


def _preference(name: str, names: Sequence[str]) -> int:
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED) + list(names).index(name)


def _summary(raw: PoseSequence, clean: PoseSequence, steps: Mapping[str, Mapping[str, Any]]) -> str:
    said = [f"{len(raw)} frames, {len(raw.names)} joints"]
    if "gate_confidence" in steps:
        said.append(f"{steps['gate_confidence']['removed']} gated (confidence < {steps['gate_confidence']['threshold']:g})")
    if "repair_swaps" in steps:
        said.append(f"{steps['repair_swaps']['frames']} frames left/right repaired")
    if "reject_outliers" in steps:
        said.append(f"{steps['reject_outliers']['removed']} outliers")
    if "fill_gaps" in steps:
        said.append(f"{steps['fill_gaps']['filled']} filled (gaps \u2264 {steps['fill_gaps']['max_gap_s']:g} s)")
    said.append(f"missing {100 * raw.missing.mean():.1f} % \u2192 {100 * clean.missing.mean():.1f} %")
    return "  ·  ".join(said)


def _key(figure: Figure, steps: Mapping[str, Mapping[str, Any]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[Any] = [
        Line2D([], [], color=FAINT, marker=".", linestyle="", label="raw"),
        Line2D([], [], color=SIDE_COLOURS["left"], label="clean, left"),
        Line2D([], [], color=SIDE_COLOURS["right"], label="clean, right"),
    ]
    for step, entry in (
        ("gate_confidence", Line2D([], [], color=GATED, marker=".", linestyle="", label="gated")),
        ("reject_outliers", Line2D([], [], color=OUTLIER, marker="x", linestyle="", label="outlier")),
        ("fill_gaps", Patch(color=FILLED, alpha=0.5, label="filled")),
        ("repair_swaps", Patch(color=SWAPPED, label="left/right repaired")),
    ):
        if step in steps:
            entries.append(entry)
    figure.legend(
        handles=entries, loc="outside upper center", ncols=len(entries), frameon=False, labelcolor=TEXT, fontsize=8.5, handlelength=1.4,
        columnspacing=1.6,
    )  # fmt: skip
