"""A score on one page: the summary beside floor and chance, every joint, and every frame."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np

from ..pose_sequence import LIMB_NAMES
from .page import FAINT, GRID, PANEL, SIDE_COLOURS, TEXT, open_page, to_pixels

if TYPE_CHECKING:
    from ..score.report import FrameReport
    from ..score.style import StyleScore

#: Blue, orange and grey: told apart by people who don't see red and green.
RIGHT, WRONG, LOST = SIDE_COLOURS["right"], SIDE_COLOURS["left"], FAINT
_SUMMARY = (("pck", "PCK"), ("oks", "OKS"), ("ap", "OKS-AP"))


def plot_score(report: FrameReport, *, size: tuple[int, int] = (960, 600), path: str | os.PathLike | None = None) -> np.ndarray:
    """Draw a report.

    Left the limbs' joints: share of frames in which each was right (blue), wrong (orange), not found (grey); the white tick is the detector's
    noise floor. Right above the summary with chance dashed, below it every frame's OKS, and the
    warping error where it was measured.

    Returns
    -------
    (H, W, 3) uint8 RGB
    """
    figure = open_page(size)
    pose = report.pose
    grid = figure.add_gridspec(6, 2, width_ratios=[1, 1.15])
    joints = figure.add_subplot(grid[:, 0])
    _draw_joints(joints, report)
    summary = figure.add_subplot(grid[:2, 1])
    _draw_summary(summary, report)
    steady = report.steadiness is not None
    frames = figure.add_subplot(grid[2:4, 1] if steady else grid[2:, 1])
    number = np.arange(len(pose))
    frames.plot(number, pose.frame_oks, color=RIGHT, linewidth=1.4, marker="o" if len(pose) < 40 else "", markersize=3, label="these frames")
    if report.floor is not None:
        frames.axhline(report.floor.oks, color=TEXT, linewidth=1.0, label="noise floor")
    if math.isfinite(pose.chance.oks):
        frames.axhline(pose.chance.oks, color=FAINT, linewidth=1.4, linestyle="--", label="in random order")
    frames.set_ylim(-0.04, 1.28)
    frames.set_yticks([0, 0.25, 0.5, 0.75, 1])
    frames.set_ylabel("OKS", color=TEXT, fontsize=8.5)
    frames.legend(loc="upper right", ncol=3, fontsize=7.5, facecolor=PANEL, edgecolor=GRID, labelcolor=TEXT, handlelength=1.6)
    if steady:
        frames.tick_params(labelbottom=False)
        below = figure.add_subplot(grid[4:, 1], sharex=frames)
        for found, colour, words in ((report.steadiness, RIGHT, "frames"), (report.source_steadiness, TEXT, "source")):
            if found is not None:
                below.plot(np.arange(len(found.error)) + 0.5, found.error, color=colour, linewidth=1.2, label=f"{words}: {found.mean:.2f}")
        below.set_ylim(0, 1.35 * max(below.get_ylim()[1], 1e-3))
        below.set_ylabel("warping error\n(of 255)", color=TEXT, fontsize=8.5)
        below.set_xlabel("frame", color=TEXT, fontsize=8.5)
        below.legend(loc="upper right", ncol=2, fontsize=7.5, facecolor=PANEL, edgecolor=GRID, labelcolor=TEXT)
    else:
        frames.set_xlabel("frame", color=TEXT, fontsize=8.5)
    return to_pixels(figure, size, path)


def _draw_joints(plot, report: FrameReport) -> None:
    pose = report.pose
    names = [joint for joint in pose.joints if joint in LIMB_NAMES and pose.requested[pose.joints.index(joint)]]
    rows = np.arange(len(names))
    columns = [pose.joints.index(joint) for joint in names]
    asked = pose.requested[columns]
    right, lost = pose.correct[columns] / asked, 1 - pose.found[columns] / asked
    wrong = 1 - right - lost
    start = np.zeros(len(names))
    for values, colour, words in ((right, RIGHT, "right"), (wrong, WRONG, "wrong"), (lost, LOST, "not found")):
        plot.barh(rows, values, left=start, color=colour, height=0.72, label=words)
        start = start + values
    if report.floor is not None:
        floor = report.floor
        for row, joint in enumerate(names):
            if joint in floor.joints and floor.requested[floor.joints.index(joint)]:
                k = floor.joints.index(joint)
                at = floor.correct[k] / floor.requested[k]
                plot.plot([at, at], [row - 0.42, row + 0.42], color="#ffffff", linewidth=2.0, label="noise floor" if row == 0 else None, solid_capstyle="butt")
    plot.set_yticks(rows, [name.replace("_", " ") for name in names])
    plot.invert_yaxis()
    plot.set_xlim(0, 1)
    plot.set_axisbelow(True)
    plot.set_title(f"joints within {pose.threshold:g} of the trunk", color=TEXT, fontsize=9)
    plot.legend(loc="upper center", bbox_to_anchor=(0.4, -0.04), ncol=4, fontsize=7.5, facecolor=PANEL, edgecolor=GRID, labelcolor=TEXT, handlelength=1.2)


def _draw_summary(plot, report: FrameReport) -> None:
    pose, rows = report.pose, np.arange(len(_SUMMARY))
    for row, (key, _) in enumerate(_SUMMARY):
        value = getattr(pose, key)
        plot.barh(row, value, color=RIGHT, height=0.6)
        inside = value > 0.25
        plot.text(
            value - 0.015 if inside else value + 0.015, row, f"{value:.3f}", ha="right" if inside else "left", va="center", fontsize=9,
            color="#10131a" if inside else TEXT, fontweight="bold",
        )  # fmt: skip
        if report.floor is not None:
            at = getattr(report.floor, key)
            plot.plot([at, at], [row - 0.42, row + 0.42], color="#ffffff", linewidth=2.0, solid_capstyle="butt")
        chance = getattr(pose.chance, key, math.nan)
        if math.isfinite(chance):
            ink = "#10131a" if chance < value else FAINT
            plot.plot([chance, chance], [row - 0.42, row + 0.42], color=ink, linewidth=1.6, linestyle=(0, (2, 1.5)))
    plot.set_yticks(rows, [words for _, words in _SUMMARY])
    plot.invert_yaxis()
    plot.set_axisbelow(True)
    plot.set_xlim(0, 1.02)
    lines = [f"angles {pose.angle_error:.1f}°"] if math.isfinite(pose.angle_error) else []
    if math.isfinite(pose.velocity_error):
        lines.append(f"velocities {pose.velocity_error:.2f} body lengths/s")
    lines.append(f"{pose.without_person:.0%} nobody found")
    plot.set_title("   ".join(lines), color=TEXT, fontsize=8.5)


def plot_style_score(score: StyleScore, *, size: tuple[int, int] = (900, 420), path: str | os.PathLike | None = None) -> np.ndarray:
    """Draw the held-out loss under every LoRA: a small dot per picture, a large one for the mean; blue with the right pose, orange with a wrong one.

    Returns
    -------
    (H, W, 3) uint8 RGB
    """
    figure = open_page(size)
    plot = figure.add_subplot()
    posed = score.rows[0].wrong is not None
    for k, row in enumerate(score.rows):
        for values, colour, shift in ((row.right, RIGHT, -0.14 if posed else 0.0), (row.wrong, WRONG, 0.14)):
            if values is None:
                continue
            spread = k + shift + np.linspace(-0.06, 0.06, len(values))
            plot.plot(values, spread, ".", color=colour, markersize=4, alpha=0.55)
            plot.plot(values.mean(), k + shift, "D", color=colour, markersize=9, markeredgecolor="#ffffff")
            plot.annotate(
                f"{values.mean():.4g}", (values.mean(), k + shift), (0, 11 if shift <= 0 else -11), textcoords="offset points", color=TEXT, fontsize=8.5,
                ha="center", va="center",
            )  # fmt: skip
    names = [row.name if len(row.name) <= 34 else f"{row.name[:33]}…" for row in score.rows]
    words = {"base": "base model", "own": "own style", "other": "another style"}
    plot.set_yticks(range(len(names)), [f"{name}\n{words[row.kind]}" for name, row in zip(names, score.rows, strict=True)])
    plot.set_ylim(len(names) - 0.5, -0.5)
    values = np.concatenate([part for row in score.rows for part in (row.right, row.wrong) if part is not None])
    if values.min() > 0 and values.max() / values.min() > 20:
        plot.set_xscale("log")
    plot.set_xlabel("loss on held-out clips: left is better", color=TEXT, fontsize=9)
    marks = [(RIGHT, "right pose"), (WRONG, "wrong pose")] if posed else [(RIGHT, "no ControlNet")]
    for colour, label in marks:
        plot.plot([], [], "D", color=colour, markeredgecolor="#ffffff", label=label)
    plot.legend(loc="best", fontsize=8.5, facecolor=PANEL, edgecolor=GRID, labelcolor=TEXT)
    return to_pixels(figure, size, path)
