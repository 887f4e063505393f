"""The pictures of a training on one page: for each held-out pose its hint, the true frame, and what the LoRA drew over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ink import write, write_name
from .samples import StyleDataset, StyleSample

#: Pictures side by side; of different steps at most: the first, the last, and others evenly between, so that a pose fills two lines.
ACROSS, STEPS = 5, 8
#: Size of a picture on the page, px.
WIDTH, HEIGHT = 300, 400
_GAP, _HEAD, _FOOT = 14, 40, 40
_GROUND, _TEXT, _QUIET = (22, 22, 26), (236, 236, 236), (165, 165, 172)


def picture_sheet(dataset: StyleDataset, rows: Sequence[tuple[StyleSample, Mapping[int, np.ndarray]]]) -> np.ndarray:
    """Draw the page.

    Parameters
    ----------
    rows
        A sample and its pictures (H, W, 3) uint8 by step; at least one picture among them.

    Returns
    -------
    (H, W, 3) uint8

    Raises
    ------
    KineticsError
        When a picture of the dataset can't be decoded.
    """
    steps = pick_steps(sorted({step for _, pictures in rows for step in pictures}))
    wide = max(min(WIDTH, round(HEIGHT * sample.width / sample.height)) for sample, _ in rows)
    tall = max(round(min(HEIGHT, wide * sample.height / sample.width)) for sample, _ in rows)
    titles = ["pose", "true frame", *("without the LoRA" if step == 0 else f"step {step}" for step in steps)]
    across = min(ACROSS, len(titles))
    block = -(-len(titles) // across) * (_HEAD + tall) + _FOOT
    page = np.full((len(rows) * block, _GAP + across * (wide + _GAP), 3), _GROUND, np.uint8)
    for row, (sample, pictures) in enumerate(rows):
        frame, hint, _ = dataset.pictures(sample)
        for k, (words, picture) in enumerate(zip(titles, [hint, frame, *(pictures.get(step) for step in steps)], strict=True)):
            left, top = _GAP + k % across * (wide + _GAP), row * block + k // across * (_HEAD + tall)
            write(page, words, (left + wide / 2, top + _HEAD / 2), min(22, wide // 9), _TEXT, anchor="centre")
            if picture is not None:
                place_picture(page, picture, (left, top + _HEAD), (wide, tall))
        words = f"{sample.clip}, {sample.t:.2f} s: {sample.text}"
        write_name(page, words, (_GAP, (row + 1) * block - _FOOT / 2), 20, _QUIET, page.shape[1] - 2 * _GAP)
    return page


def pick_steps(steps: Sequence[int]) -> list[int]:
    """At most :data:`STEPS` of them, the first and the last too."""
    if len(steps) <= STEPS:
        return list(steps)
    return [steps[round(k * (len(steps) - 1) / (STEPS - 1))] for k in range(STEPS)]


def place_picture(page: np.ndarray, picture: np.ndarray, corner: tuple[int, int], room: tuple[int, int]) -> None:
    """A picture scaled into its place, in the middle of it."""
    from PIL import Image

    scale = min(room[0] / picture.shape[1], room[1] / picture.shape[0])
    width, height = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    way = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(picture).resize((width, height), way))
    left, top = corner[0] + (room[0] - width) // 2, corner[1] + (room[1] - height) // 2
    page[top : top + height, left : left + width] = small

