"""A LoRA's training on one page: the loss of every step, and the held-out losses with right pose, wrong pose and no LoRA."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import KineticsError
from .page import FAINT, FILLED, GRID, OUTLIER, PANEL, SIDE_COLOURS, TEXT, open_page, to_pixels

#: Held-out losses: key, colour, words.
_CURVES = (
    ("right", FILLED, "held out, right pose"),
    ("wrong", SIDE_COLOURS["left"], "held out, wrong pose"),
    ("base", OUTLIER, "held out, without the LoRA"),
)


def smooth_losses(losses: Sequence[float]) -> np.ndarray:
    """A running mean (N,) over a twentieth of the run, shorter at its ends."""
    values = np.asarray(losses, float)
    half = len(values) // 40
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first, last = np.maximum(np.arange(len(values)) - half, 0), np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (sums[last] - sums[first]) / (last - first)


def plot_training(
    losses: Sequence[float],
    held_out: Sequence[Mapping[str, float]],
    *,
    size: tuple[int, int] = (900, 520),
    path: str | os.PathLike | None = None,
) -> np.ndarray:
    """Draw the losses, on a logarithmic scale.

    Parameters
    ----------
    losses
        Of every step, from the first.
    held_out
        ``step``, ``right``, ``base`` and, with a ControlNet, ``wrong``; may be empty.
    path
        Also write a .png here.

    Returns
    -------
    numpy.ndarray (H, W, 3) uint8

    Raises
    ------
    KineticsError
        When nothing was trained.
    """
    if not losses:
        raise KineticsError("There is no loss to draw: nothing was trained.")
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = open_page(size)
    plot = figure.add_subplot()
    steps = np.arange(1, len(losses) + 1)
    plot.plot(steps, losses, ".", color=FAINT, markersize=2, label="a step's batch, weighted")
    plot.plot(steps, smooth_losses(losses), color=SIDE_COLOURS["right"], linewidth=1.5, label="running mean")
    for key, colour, words in _CURVES:
        points = [(entry["step"], entry[key]) for entry in held_out if key in entry]
        if points:
            plot.plot(
                *zip(*points, strict=True),
                "--" if key == "base" else "o-",
                color=colour,
                linewidth=1.3,
                markersize=4,
                label=f"{words}: {points[-1][1]:.4g}",
            )
    plot.set_yscale("log")
    plot.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    plot.yaxis.set_major_formatter("{x:g}")
    plot.yaxis.set_minor_formatter(NullFormatter())
    plot.set_xlabel("step", color=TEXT, fontsize=9)
    plot.set_ylabel("loss", color=TEXT, fontsize=9)
    plot.legend(loc="upper right", fontsize=8, facecolor=PANEL, edgecolor=GRID, labelcolor=TEXT, framealpha=1.0)
    return to_pixels(figure, size, path)
