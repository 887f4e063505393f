"""How the camera moved: pan, zoom and what is left over, over time."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .page import FAINT, OUTLIER, SIDE_COLOURS, TEXT, open_page, to_pixels

if TYPE_CHECKING:
    from ..motion.camera import Camera


def plot_camera(camera: Camera, name: str = "", size: tuple[int, int] = (1000, 560)) -> np.ndarray:
    """Draw a camera's way: where the picture's middle lies in its shot's reference frame, the zoom, and the residual of the background.

    Parameters
    ----------
    camera : Camera
    name : str
        Of the clip, for the title.
    size : (W, H) pixels

    Returns
    -------
    (H, W, 3) uint8 RGB
        Frames without a camera are gaps; a cut is a dashed line. The camera's flags stand below.
    """
    figure = open_page(size)
    pan, zoom, left = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1.3, 1.3))
    middle = np.array([camera.size[0], camera.size[1]]) / 2 - 0.5
    way = camera.to_reference(np.broadcast_to(middle, (len(camera.t), 2))) - middle
    for shot in np.unique(camera.shot):
        within = camera.shot == shot
        for axis, (side, label) in enumerate((("left", "x: right"), ("right", "y: down"))):
            pan.plot(camera.t[within], way[within, axis], color=SIDE_COLOURS[side], linewidth=1.5, label=label if shot == 0 else None)
        # The map leads to the reference frame: a picture zoomed in is laid down smaller there.
        zoom.plot(camera.t[within], 1 / camera.zoom[within], color=TEXT, linewidth=1.5)
        left.plot(camera.t[within], camera.residual[within], color=FAINT, linewidth=1.2)
    for cut in np.flatnonzero(np.diff(camera.shot)) + 1:
        for plot in (pan, zoom, left):
            plot.axvline(camera.t[cut], color=OUTLIER, linewidth=1, linestyle="--")
        pan.annotate("cut", (camera.t[cut], 1), xycoords=("data", "axes fraction"), xytext=(3, -10), textcoords="offset points", color=OUTLIER, fontsize=8)
    pan.set_ylabel("picture's middle (px)", color=FAINT, fontsize=8)
    zoom.set_ylabel("zoom (×)", color=FAINT, fontsize=8)
    left.set_ylabel("residual (px)", color=FAINT, fontsize=8)
    left.set_xlabel("time (s)", color=FAINT, fontsize=8)
    left.set_ylim(bottom=0)
    left.set_xlim(camera.t[0], camera.t[-1])
    low, high = zoom.get_ylim()
    zoom.set_ylim(min(low, 0.95), max(high, 1.05))
    pan.legend(loc="best", frameon=False, labelcolor=TEXT, fontsize=8)
    pan.set_title(f"{name}   camera: {camera.model}".strip(), loc="left", fontsize=9.5, color=TEXT)
    if camera.flags:
        figure.supxlabel("\n".join(textwrap.fill(flag, 150) for flag in camera.flags), color=TEXT, fontsize=8)
    return to_pixels(figure, size, None)
