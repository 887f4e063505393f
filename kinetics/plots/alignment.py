"""A skeleton beside its reference, before and after Procrustes: a person sees whether the fit is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError
from ..pose.body import torso_length
from ..pose_sequence import PoseSequence
from ..stick_figure import BONES
from .page import FAINT, SIDE_COLOURS, TEXT, open_page, to_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOMENTS = 5


def plot_alignment(
    pose: PoseSequence,
    aligned: PoseSequence,
    ref: PoseSequence,
    *,
    pairs: np.ndarray,
    caption: str,
    original: PoseSequence | None = None,
    size: tuple[int, int] = (1100, 560),
) -> np.ndarray:
    """Draw a sequence over its reference at a few moments, as it came (upper row) and aligned (lower row).

    Parameters
    ----------
    pose, aligned, ref : PoseSequence
        The skeleton before and after, and the reference, which is drawn in grey. ``aligned`` has the frames of ``pose``.
    pairs : (n, 2) int
        Frames of ``pose`` and of ``ref`` that belong together, in order.
    caption : str
        The line below: what was fitted, and how well.
    original : PoseSequence, optional
        The reference as it came, when ``ref`` was changed too (root-centred).
    size : (W, H) pixels

    Returns
    -------
    (H, W, 3) uint8 RGB

    Raises
    ------
    KineticsError
        When there are no pairs.
    """
    if not len(pairs):
        raise KineticsError(f"{pose.source or 'The skeleton'} and {ref.source or 'the reference'} share no moment to be drawn.")
    figure = open_page(size)
    chosen = [pairs[k] for k in np.unique(np.linspace(0, len(pairs) - 1, _MOMENTS).round().astype(int))]
    grid = figure.subplots(2, len(chosen), squeeze=False)
    for row, (moving, still, title) in enumerate(((pose, original or ref, "as it came"), (aligned, ref, "aligned"))):
        for column, (i, j) in enumerate(chosen):
            plot = grid[row, column]
            _figure(plot, still, int(j), grey=True)
            _figure(plot, moving, int(i), grey=False)
            plot.set_title(f"{moving.t[i]:.2f} s on {still.t[j]:.2f} s" if row else "", fontsize=8, color=FAINT, pad=3)
        drawn = [part.xy[[pair[which] for pair in chosen]] for part, which in ((moving, 0), (still, 1))]
        _frame(grid[row], np.concatenate([part.reshape(-1, 2) for part in drawn]))
        grid[row, 0].set_ylabel(title, color=TEXT, fontsize=9)
    figure.supxlabel(caption, color=TEXT, fontsize=8.5)
    return to_pixels(figure, size, None)


def describe_fit(pose: PoseSequence, step: dict) -> str:
    """The line under the plot, from the provenance step that the alignment left."""
    if step["step"] == "align_sequence":
        similarity = step["similarity"]
        angle = np.degrees(np.arctan2(similarity["R"][1][0], similarity["R"][0][0]))
        torso = torso_length(pose.xy, pose.names)
        share = f" ({100 * step['residual'] / torso:.0f} % of the trunk)" if np.isfinite(torso) and torso > 0 else ""
        return (
            f"one similarity for all frames:  scale {similarity['s']:.3f} ± {step['sigma_s']:.3f}   rotation {angle:.1f} ± "
            f"{np.degrees(step['sigma_angle']):.1f}°   residual {step['residual']:.1f} px RMS{share}   {step['points']} points"
        )
    if step["step"] == "align_per_frame":
        return f"a similarity of its own for each frame: postures only, no speeds   {len(step['refused'])} frames can't be fitted"
    return f"pelvis at the origin, unit the median shoulder width ({step['shoulder_width']:.1f} {step['unit']})"


def _figure(plot: Axes, pose: PoseSequence, frame: int, grey: bool) -> None:
    at = dict(zip(pose.names, pose.xy[frame], strict=True))
    if "neck" not in at and {"left_shoulder", "right_shoulder"} <= set(at):
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
    for a, b, width in BONES:
        if a in at and b in at:
            side = a.partition("_")[0] if a.partition("_")[0] == b.partition("_")[0] else ""
            colour = "#5b6270" if grey else SIDE_COLOURS.get(side, TEXT)
            plot.plot(*zip(at[a], at[b], strict=True), color=colour, linewidth=(4.5 if grey else 2) * width, solid_capstyle="round")


def _frame(plots: np.ndarray, points: np.ndarray) -> None:
    """One window for a row of panels, y down as in the picture, without ticks."""
    points = points[np.isfinite(points).all(axis=1)]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.ones(2))
    middle, half = (low + high) / 2, 0.55 * max(float((high - low).max()), 1e-6)
    for plot in plots:
        plot.set_xlim(middle[0] - half, middle[0] + half)
        plot.set_ylim(middle[1] + half, middle[1] - half)
        plot.set_aspect("equal")
        plot.set_xticks([])
        plot.set_yticks([])
