"""Plots of clean-up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.plots.clean import plot_clean
from kinetics.plots.page import FILLED, GATED, OUTLIER, SWAPPED
from kinetics.pose.clean import clean
from kinetics.pose_sequence import PoseSequence


def has(image: np.ndarray, colour: str, tolerance: int = 12) -> bool:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    # The key above the panels shows every colour; only the panels count.
    return bool((np.abs(image[60:-40].astype(int) - wanted).max(axis=2) <= tolerance).any())


@pytest.fixture
def spoilt(stick_batter) -> PoseSequence:
    """A batter with one of each: a gated joint, an outlier, a swap."""
    pose = stick_batter(noise=1.0)
    xy, conf = pose.xy.copy(), pose.conf.copy()
    wrist = pose.index("left_wrist")
    conf[20:32, wrist] = 0.1
    xy[75, wrist] += [25, -15]
    for part in ("shoulder", "elbow", "wrist"):
        left, right = pose.index(f"left_{part}"), pose.index(f"right_{part}")
        xy[40:45, [left, right]] = xy[40:45, [right, left]]
    return replace(pose, xy=xy, conf=conf)


def test_what_each_step_did_is_in_its_colour(spoilt):
    image = plot_clean(spoilt, clean(spoilt), joints=["left_wrist"])
    assert image.shape == (640, 960, 3) and image.dtype == np.uint8
    assert has(image, GATED) and has(image, OUTLIER) and has(image, SWAPPED)
    shade = [round(0.72 * int("1d2027"[k : k + 2], 16) + 0.28 * int(FILLED[k + 1 : k + 3], 16)) for k in (0, 2, 4)]
    assert (np.abs(image[60:-40].astype(int) - shade).max(axis=2) <= 6).any()


def test_a_clean_track_has_none_of_these_colours(stick_batter):
    pose = stick_batter()
    image = plot_clean(pose, clean(pose), joints=["left_wrist"])
    assert not has(image, GATED) and not has(image, OUTLIER) and not has(image, SWAPPED)


def test_the_joint_that_changed_most_leads(spoilt):
    cleaned = clean(spoilt)
    auto = plot_clean(spoilt, cleaned)
    named = plot_clean(spoilt, cleaned, joints=["left_wrist", "right_wrist", "left_shoulder", "right_shoulder"])
    # The first row is the same; below it the order among equals is the plot's own.
    assert np.array_equal(auto[40:160], named[40:160])


def test_file_is_written_whole_and_of_the_size_asked(spoilt, tmp_path):
    from PIL import Image

    image = plot_clean(spoilt, clean(spoilt), path=tmp_path / "plots" / "clean.png", size=(900, 600))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "plots" / "clean.png")), image) and image.shape == (600, 900, 3)
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["clean.png"]


def test_nobody_at_all_is_still_a_plot():
    nobody = PoseSequence(np.full((5, 2, 2), np.nan), np.zeros((5, 2)), np.arange(5) / 25, ("nose", "neck"), (64, 48))
    assert plot_clean(nobody, clean(nobody)).shape == (640, 960, 3)


def test_pyplot_is_left_alone(spoilt):
    import matplotlib.pyplot as plt

    plot_clean(spoilt, clean(spoilt))
    assert plt.get_fignums() == []


def test_two_that_do_not_belong_together_are_refused(spoilt, stick_batter):
    with pytest.raises(KineticsError, match="don't match"):
        plot_clean(spoilt, stick_batter(seconds=3))
    with pytest.raises(KineticsError, match="no joint 'tail'"):
        plot_clean(spoilt, clean(spoilt), joints=["tail"])
