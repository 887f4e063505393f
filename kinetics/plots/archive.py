"""What an archive's clips come to, on one page: how peak speeds and angular velocities are spread, and how many clips tell none."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import KineticsError
from ..motion.measure import PER_SECOND
from .page import FAINT, SIDE_COLOURS, TEXT, open_page, to_pixels


def plot_archive(clips: Mapping[str, Sequence], *, size: tuple[int, int] = (680, 300), path: str | os.PathLike | None = None) -> np.ndarray:
    """Draw histograms of the clips' peak tip speed and peak omega.

    Parameters
    ----------
    clips : mapping
        The columns of an archive's table of clips: ``unit``, ``peak_tip_speed``, ``peak_omega`` (NaN or None where not told).
    path
        Also write a .png here.

    Returns
    -------
    numpy.ndarray (H, W, 3) uint8
        Speeds in the unit that most clips have; how many have another one, or tell no speed, stands above.

    Raises
    ------
    KineticsError
        When there is no clip.
    """
    units = np.array([unit or "" for unit in clips["unit"]], object)
    if not len(units):
        raise KineticsError("There is no clip in the archive to draw; build it with clips in which somebody bats.")
    speed, omega = (np.array([np.nan if value is None else value for value in clips[name]], float) for name in ("peak_tip_speed", "peak_omega"))
    told = np.isfinite(speed)
    counts = Counter(units[told])
    unit = counts.most_common(1)[0][0] if counts else ""
    others = sum(counts.values()) - counts[unit]
    figure = open_page(size)
    left, right = figure.subplots(1, 2)
    notes = [f"{(~told).sum()} of {len(units)} clips tell none"] + ([f"{others} in another unit"] if others else [])
    _histogram(left, speed[told & (units == unit)], f"peak tip speed, {PER_SECOND.get(unit, unit)}", "; ".join(notes), SIDE_COLOURS["right"])
    silent = int((~np.isfinite(omega)).sum())
    _histogram(right, omega[np.isfinite(omega)], "peak \u03c9, rad/s", f"{silent} of {len(units)} clips tell none", SIDE_COLOURS["left"])
    left.set_ylabel("clips", color=TEXT, fontsize=9)
    return to_pixels(figure, size, path)


def _histogram(plot, values: np.ndarray, label: str, note: str, colour: str) -> None:
    from matplotlib.ticker import MaxNLocator

    if len(values):
        # Freedman-Diaconis gives too many bars for a few clips, and none for equal ones.
        bars = np.histogram_bin_edges(values, bins=int(np.clip(np.sqrt(2 * len(values)), 4, 60)))
        plot.hist(values, bars, color=colour, edgecolor=FAINT, linewidth=0.5)
        middle = float(np.median(values))
        plot.axvline(middle, color=TEXT, linewidth=1, linestyle="--")
        note = f"median {middle:.3g}; {note}"
    plot.yaxis.set_major_locator(MaxNLocator(integer=True))
    plot.set_xlabel(label, color=TEXT, fontsize=9)
    plot.set_title(note, color=FAINT, fontsize=8)
