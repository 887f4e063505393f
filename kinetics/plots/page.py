"""The page that every plot is drawn on: colours, an empty figure without a display, and its pixels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..files import write_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, PANEL, GRID, TEXT, FAINT = "#15171c", "#1d2027", "#343a46", "#d9dde5", "#7d8696"
GATED, OUTLIER, FILLED, SWAPPED = "#f0c040", "#ff5d5d", "#3fae7a", "#b18cff"
SIDE_COLOURS = {"left": "#f29614", "right": "#46acf5"}


def open_page(size: tuple[int, int]) -> Figure:
    """An empty dark figure of exactly ``size`` pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor=PAGE, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def to_pixels(figure: Figure, size: tuple[int, int], path: str | os.PathLike | None) -> np.ndarray:
    """Style the axes, draw, and write the .png when asked."""
    for plot in figure.axes:
        plot.set_facecolor(PANEL)
        plot.grid(True, color=GRID, linewidth=0.6)
        plot.tick_params(colors=FAINT, labelsize=7.5, length=2)
        for spine in plot.spines.values():
            spine.set_color(GRID)
        plot.margins(x=0.01)
    figure.canvas.draw()
    image = np.array(figure.canvas.buffer_rgba())[: size[1], : size[0], :3]
    save_png(image, path)
    return image


def save_png(image: np.ndarray, path: str | os.PathLike | None) -> None:
    """Write a picture as .png, whole or not at all; nothing when there is no path."""
    if path is None:
        return
    from PIL import Image

    with write_beside(path) as part:
        Image.fromarray(image).save(part, format="PNG")


def blank_page(size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 of the page's colour, to be drawn on with :mod:`kinetics.ink`."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = rgb(PAGE)
    return image


def rgb(code: str) -> tuple[int, int, int]:
    """``#46acf5`` -> (70, 172, 245)."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
