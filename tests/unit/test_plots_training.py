"""The page of a training run."""

from __future__ import annotations

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.plots.page import FILLED, OUTLIER, SIDE_COLOURS
from kinetics.plots.training import plot_training, smooth_losses


def has(image: np.ndarray, colour: str) -> bool:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((np.abs(image[:, : image.shape[1] // 2].astype(int) - wanted).max(axis=2) <= 12).any())  # left of the key


def test_running_mean_is_a_mean():
    values = np.arange(80.0)
    assert smooth_losses(values)[40] == pytest.approx(40) and smooth_losses(values)[0] == pytest.approx(1)  # 0, 1, 2 at the edge
    assert smooth_losses([3.0]) == [3.0]


def test_every_curve_is_drawn(tmp_path):
    losses = list(0.1 + np.exp(-np.arange(60) / 20))
    held_out = [{"step": step, "right": 0.2 + 1 / (1 + step), "wrong": 0.4 + 1 / (1 + step), "base": 1.3} for step in (0, 20, 40, 60)]
    image = plot_training(losses, held_out, path=tmp_path / "a.png")
    assert image.shape == (520, 900, 3) and (tmp_path / "a.png").exists()
    assert all(has(image, colour) for colour in (FILLED, SIDE_COLOURS["left"], SIDE_COLOURS["right"], OUTLIER))
    alone = plot_training([0.5], [])
    assert has(alone, SIDE_COLOURS["right"]) is False and not has(alone, FILLED)  # a line of one point has no length


def test_nothing_trained_is_told():
    with pytest.raises(KineticsError, match="nothing was trained"):
        plot_training([], [])
