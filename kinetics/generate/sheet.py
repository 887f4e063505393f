"""A plan at a glance: hints side by side, each with its time and phase."""

from __future__ import annotations

import numpy as np

from ..video.grid import grid_shape
from ..video.placement import place
from ..video.titles import title_strip
from .instants import ELSEWHERE
from .plan import HintPlan

#: At most so many hints, and the longer side of each.
MOST, SIDE = 8, 240
GROUND = (34, 34, 34)


def hint_sheet(plan: HintPlan) -> np.ndarray:
    """(H, W, 3) uint8: up to eight frames spread over the plan."""
    import cv2

    chosen = np.unique(np.linspace(0, len(plan) - 1, MOST).round().astype(int))
    tile = place(plan.size, (SIDE, SIDE), "letterbox").size
    strip = title_strip("x", *tile, GROUND).shape[0]
    rows, columns = grid_shape(len(chosen))
    gap = 4
    sheet = np.full((rows * (tile[1] + strip + gap) - gap, columns * (tile[0] + gap) - gap, 3), GROUND, np.uint8)
    for place_in_sheet, frame in enumerate(chosen):
        row, column = divmod(place_in_sheet, columns)
        y, x = row * (tile[1] + strip + gap), column * (tile[0] + gap)
        sheet[y : y + tile[1], x : x + tile[0]] = cv2.resize(plan.draw(int(frame)), tile, interpolation=cv2.INTER_AREA)
        phase = plan.phases[frame]
        words = f"{plan.pose.t[frame]:.2f} s" + ("" if phase == ELSEWHERE else f"  {phase.replace('_', ' ')}")
        sheet[y + tile[1] : y + tile[1] + strip, x : x + tile[0]] = title_strip(words, *tile, GROUND)
    return sheet
