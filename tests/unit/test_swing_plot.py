"""Plots of a stroke: what is drawn, and what isn't."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from swing_samples import true_stroke

from kinetics.errors import KineticsError
from kinetics.motion.measure import measure_swing
from kinetics.motion.swing import Peak
from kinetics.plots.page import OUTLIER
from kinetics.plots.swing import IMPACT, OMEGA, SPEED, plot_swing, tell_peak, wrap_flags
from kinetics.plots.trajectory import RAMP, plot_trajectory, speed_colour
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


@pytest.fixture(scope="module")
def swing():
    track, pose, camera, _ = true_stroke("off_drive", fps=25, noise=1.0)
    tip = track.tip.copy()
    tip[9] = track.hands[9] + [0, 600.0]
    return measure_swing(replace(track, tip=tip), pose, camera, method="centred")


@pytest.fixture(scope="module")
def nothing():
    track, pose, camera, _ = true_stroke("off_drive", fps=25, noise=1.0)
    return measure_swing(replace(track, tip=track.hands + 1.0), pose, camera)


def count(image: np.ndarray, colour, tolerance: int = 14) -> int:
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)] if isinstance(colour, str) else colour
    return int((np.abs(image.astype(int) - wanted).max(axis=2) <= tolerance).sum())


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (500, 700)])
def test_curves_peaks_and_phases_are_there_at_every_size(swing, size):
    image = plot_swing(swing, size=size)
    assert image.shape == (size[1], size[0], 3) and image.dtype == np.uint8
    for colour in (SPEED, OMEGA, IMPACT, OUTLIER):
        assert count(image, colour) > 20
    # The ribbon over the curves has the phases' colours, 55 % over the page: a stroke has four of them.
    row = image[round(0.1 * size[1]) : round(0.2 * size[1])].reshape(-1, 3)
    shades = {tuple(pixel) for pixel in row[:: max(1, len(row) // 4000)] if max(pixel) - min(pixel) > 40}
    assert len(shades) >= 3


def test_nothing_measured_has_no_curve(nothing, swing):
    image, full = plot_swing(nothing), plot_swing(swing)
    # Only letters of the header stay: no curve, no band.
    assert count(image[110:620], SPEED) < 0.05 * count(full[110:620], SPEED)
    assert count(image[110:620], OMEGA) < 0.05 * count(full[110:620], OMEGA) + 5


def test_missing_samples_part_the_curve(swing):
    track, pose, camera, _ = true_stroke("off_drive", fps=25, noise=1.0)
    tip = track.tip.copy()
    tip[52:70] = np.nan
    gap = measure_swing(replace(track, tip=tip), pose, camera, method="centred")
    whole, parted = plot_swing(swing, view="clip"), plot_swing(gap, view="clip")
    # Frames 52 to 69 of 75, seen in the columns between 73 and 90 % of the width, above the strip of the frames and below the words at the peak.
    columns = slice(round(0.73 * 1280), round(0.88 * 1280))
    assert count(parted[250:540, columns], SPEED) < 0.2 * count(whole[250:540, columns], SPEED)


def test_the_png_is_the_picture(swing, tmp_path):
    image = plot_swing(swing, tmp_path / "plots" / "swing.png", size=(640, 360))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "plots" / "swing.png")), image)
    image = plot_trajectory(swing, path=tmp_path / "trajectory.png", size=(640, 360))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "trajectory.png")), image)


def test_peaks_are_written_as_their_sigma_bears():
    assert tell_peak(Peak(12.345, 0.321, 1, 0.01), "m/s") == "12.35 ± 0.32 m/s"
    assert tell_peak(Peak(2911.4, 63.2, 1, 0.01), "px/s") == "2,911 ± 63 px/s"
    assert tell_peak(Peak(-21.44, 1.6, 1, 0.01), "rad/s") == "\u221221.4 ± 1.6 rad/s"
    assert tell_peak(Peak(np.nan, np.nan, np.nan, np.nan), "m/s") == "not measured"


def test_flags_are_wrapped_and_what_does_not_fit_is_counted():
    flags = ["one two three four five six", "seven eight", "nine", "ten"]
    lines = wrap_flags(flags, 14, 4)
    assert [text for text, _ in lines] == ["one two three", "four five six", "seven eight", "and 2 more, in swing.json"]
    assert [first for _, first in lines] == [True, False, True, False]
    assert len(wrap_flags(flags, 80, 4)) == 4 and wrap_flags([], 80, 4) == []


def test_speed_has_its_colour():
    assert speed_colour(0.0, 10.0) == tuple(RAMP[0]) and speed_colour(10.0, 10.0) == tuple(RAMP[-1])
    assert speed_colour(99.0, 10.0) == tuple(RAMP[-1]) and len(set(speed_colour(np.nan, 10.0)) - {165, 172, 184}) == 0


def test_the_path_lies_where_the_tip_was(swing):
    image = plot_trajectory(swing, size=(1280, 720))
    # The fast part of the tip's path is drawn in the ramp's warm colours, which skeleton and page don't have.
    assert count(image, tuple(RAMP[-1]), 40) > 100
    assert count(image, tuple(RAMP[0]), 30) > 100


def test_trajectory_on_the_clips_frame(tmp_path):
    track, pose, camera, _ = true_stroke("off_drive", fps=25, noise=1.0)
    swing = measure_swing(track, pose, camera, method="centred")
    with VideoWriter(tmp_path / "grey.mp4", 1280, 720, 25) as video:
        for _ in range(41):
            video.write(np.full((720, 1280, 3), 200, np.uint8))
    image = plot_trajectory(swing, Clip(tmp_path / "grey.mp4"), size=(640, 360), frame=40)
    # The footage is dimmed to 55 %.
    assert count(image, (110, 110, 110), 4) > 0.5 * 640 * 360
    with pytest.raises(KineticsError, match="Frame 400"):
        plot_trajectory(swing, frame=400)


def test_a_trajectory_of_nothing_says_so(nothing):
    image = plot_trajectory(nothing, size=(640, 360))
    assert count(image, tuple(RAMP[-1]), 40) == 0
