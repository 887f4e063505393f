"""Lengths that make pixels into body heights or metres."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from swing_samples import true_stroke

from kinetics.errors import KineticsError
from kinetics.motion.camera_maps import stabilise_pose
from kinetics.motion.scale import (
    CREASE,
    STUMPS,
    BatLength,
    BodyHeight,
    MarkedLength,
    Scale,
    combine_scales,
    local_heights,
    scale_from_bat,
    scale_from_body,
    scale_from_height,
    scale_from_length,
)
from kinetics.synthetic.scenes import random_scene
from kinetics.synthetic.strokes import SHOTS


def test_a_marked_length_is_measured_in_the_reference_frame():
    # The frame is zoomed in twofold: the reference shows the stumps at half the length.
    mark = MarkedLength(3, (100.0, 50.0), (100.0, 200.0), STUMPS, "the stumps")
    scale = scale_from_length(mark, np.diag([0.5, 0.5, 1.0]))
    assert scale.px_per_unit == pytest.approx(75.0 / STUMPS)
    # 1.5 px at both ends of 150 px, and 2 % for the depth, by the docstrings.
    assert scale.sigma == pytest.approx(np.hypot(np.sqrt(2) * 1.5 / 150, 0.02))
    assert scale.unit == "m" and "stumps" in scale.source


@given(st.floats(20, 500), st.floats(0, 2 * np.pi), st.floats(0.3, 20))
def test_a_marked_length_gives_back_its_pixels_per_metre(pixels, turn, metres):
    end = (300 + pixels * np.cos(turn), 300 + pixels * np.sin(turn))
    scale = scale_from_length(MarkedLength(0, (300.0, 300.0), end, metres), np.eye(3))
    assert scale.px_per_unit == pytest.approx(pixels / metres, rel=1e-9)


def test_the_bats_upper_envelope_is_its_length():
    rng = np.random.default_rng(0)
    # 2000 tilts out of the plane; the 95th percentile of cos of angles spread over ±35° is what ENVELOPE corrects to within its spread.
    shown = 300.0 * np.cos(np.radians(rng.uniform(-35, 35, 2000)))
    scale = scale_from_bat(shown, BatLength(0.86, 0.005))
    assert scale.px_per_unit == pytest.approx(300.0 / 0.73, rel=0.05)
    assert 0.04 < scale.sigma < 0.06
    assert scale_from_bat(shown).sigma == pytest.approx(0.054, abs=0.005)  # the figure in its docstring


def test_where_the_hands_are_on_the_handle_counts():
    shown = np.full(10, 280.0)
    top, middle, bottom = (scale_from_bat(shown, grip=grip).px_per_unit for grip in ("top", "midpoint", "bottom"))
    assert top < middle < bottom


def test_height_from_a_skeleton_within_its_sigma():
    rng = np.random.default_rng(5)
    off = []
    for shot in SHOTS:
        scene = random_scene(rng, shot)
        _, pose, camera, truth = true_stroke(scene=scene, fps=25, noise=1.0)
        scale = scale_from_body(stabilise_pose(pose, camera))
        off.append(np.log(scale.px_per_unit / (truth.px_per_m[0] * scene.batter.height)) / scale.sigma)
    # Six random batters: all inside 2 sigma, most inside 1.
    assert np.abs(off).max() < 2 and np.median(np.abs(off)) < 1


def test_height_in_metres_makes_metres_of_body_heights():
    body = Scale("body", 360.0, 0.04, "segments")
    scale = scale_from_height(body, BodyHeight(1.8))
    assert scale.unit == "m" and scale.px_per_unit == pytest.approx(200.0) and scale.sigma > 0.04


def test_local_heights_follow_an_unknown_zoom():
    _, pose, _, _ = true_stroke(fps=25, noise=0.0)
    # From the middle of the clip on twice as large, as a zoom that nobody measured.
    factor = np.where(pose.t < 1.5, 1.0, 2.0)
    zoomed = pose.with_step("zoom", xy=pose.xy * factor[:, None, None])
    before, after = local_heights(zoomed)[10], local_heights(zoomed)[-10]
    # The batter moves between the two, and the camera zooms by itself from 0.84 to 1: 1.6 to 2.6 instead of 2.
    assert 1.6 < after / before < 2.6


def test_scales_are_combined_by_their_certainty():
    one, two = Scale("m", 200.0, 0.02, "a"), Scale("m", 206.0, 0.04, "b")
    both, said = combine_scales([one, two])
    assert 200 < both.px_per_unit < 203 and both.sigma == pytest.approx(1 / np.sqrt(1 / 0.02**2 + 1 / 0.04**2)) and said == ""
    assert combine_scales([one]) == (one, "")


def test_scales_that_disagree_are_flagged_and_less_sure():
    both, said = combine_scales([Scale("m", 200.0, 0.02, "the stumps"), Scale("m", 300.0, 0.03, "the crease")])
    assert "disagree by 50 %" in said and "stumps" in said
    assert both.sigma >= np.log(1.5) / 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scale_from_bat(np.full(4, np.nan)), "in no frame"),
        (lambda: scale_from_bat(np.full(4, 9.0), BatLength(1.2)), "can't be"),
        (lambda: scale_from_length(MarkedLength(2, (1, 1), (2, 2), CREASE, "the crease"), np.eye(3)), "far apart"),
        (lambda: scale_from_length(MarkedLength(2, (1, 1), (200, 2), CREASE), np.full((3, 3), np.nan)), "camera is unknown"),
        (lambda: scale_from_height(Scale("body", 300.0, 0.04, ""), BodyHeight(180.0)), "can't be"),
        (lambda: Scale("m", 0.0, 0.1, ""), "can't be"),
        (lambda: Scale("yards", 1.0, 0.1, ""), "unknown"),
        (lambda: scale_from_body(true_stroke(fps=25)[1].select(["nose", "left_wrist"])), "Too little"),
    ],
)
def test_bad_lengths_are_told_in_a_sentence(call, words):
    with pytest.raises(KineticsError, match=words):
        call()
