"""Distances between shots as a heat map with their dendrogram."""

from __future__ import annotations

import os

import numpy as np

from ..compare.similarity import Similarity
from .corrpath import scaled_page
from .page import FAINT, GRID, TEXT, to_pixels

#: Up to so many shots each cell has its number.
_NUMBERED = 14


def plot_similarity(
    similarity: Similarity, *, linkage: str = "average", path: str | os.PathLike | None = None, size: tuple[int, int] = (960, 720)
) -> np.ndarray:
    """Draw the N × N distances, the shots in the order of their dendrogram, which stands above.

    Parameters
    ----------
    similarity : Similarity
    linkage : {"average", "complete", "single"}
        How far apart two groups are.
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels; type grows with the width.

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
    figure = scaled_page(size)
    tree, heat = figure.subplots(2, 1, gridspec_kw={"height_ratios": [1, 4]}, sharex=True)
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        tree.plot((np.array(x) - 5) / 10, y, color=TEXT, linewidth=1.4)
    tree.set_ylim(0, None)
    tree.tick_params(labelbottom=False)
    unit = f" ({similarity.unit})" if similarity.unit else " (parts of the spread)"
    tree.set_ylabel(f"distance\n{unit.strip()}", color=FAINT, fontsize=8.5)
    image = heat.pcolormesh(np.arange(count), np.arange(count), distance, cmap="cividis", vmin=0, shading="nearest")
    heat.set_axisbelow(True)
    names = [similarity.names[k] for k in order]
    heat.set_xticks(range(count), names, rotation=35, ha="right", rotation_mode="anchor")
    heat.set_yticks(range(count), names)
    heat.invert_yaxis()
    if count <= _NUMBERED:
        middle = float(distance.max()) * 0.55
        for a, b in np.argwhere(~np.eye(count, dtype=bool)):
            ink = "#000000" if distance[a, b] > middle else "#ffffff"
            heat.text(b, a, f"{distance[a, b]:.2f}", color=ink, fontsize=9, ha="center", va="center")
    bar = figure.colorbar(image, ax=[tree, heat], fraction=0.04, pad=0.015)
    bar.set_label(f"distance of the partners{unit}", color=FAINT, fontsize=8.5)
    bar.outline.set_edgecolor(GRID)
    bar.ax.set_axisbelow(True)
    return to_pixels(figure, size, path)
