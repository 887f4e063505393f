"""A stroke out of a measured swing, and the part of a long clip where it is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from swing_samples import true_stroke

from kinetics.compare.align import compare_shots, cut_shot
from kinetics.compare.shot import Shot, as_shot, pair_speeds
from kinetics.errors import KineticsError
from kinetics.motion.camera_maps import Camera
from kinetics.motion.measure import measure_swing
from kinetics.synthetic import default_scene


@pytest.fixture(scope="module")
def stroke():
    track, pose, camera, truth = true_stroke("off_drive", fps=50, noise=1.0)
    return measure_swing(track, pose, camera, unit="px", draws=60), truth


def test_a_swing_brings_its_bat_speed_and_impact(stroke):
    swing, truth = stroke
    shot = as_shot(swing)
    assert "bat_tip" in shot.pose.names and shot.speed_unit == "px/s"
    np.testing.assert_array_equal(shot.tip_speed, swing.tip_speed)
    assert shot.impact == swing.impact.t
    assert as_shot(shot) is shot
    assert as_shot(swing.pose).impact is None and as_shot(swing.pose).pose is swing.pose
    # The bat's tip is where it truly is, in the reference frame: 1 px of noise in x and y.
    tip = shot.pose.joint("bat_tip") - swing.camera.to_reference(truth.point_px("bat_tip"))
    assert np.nanmedian(np.linalg.norm(tip, axis=1)) < 2.5


def test_only_the_measured_side_of_a_cut_counts():
    track, pose, camera, _ = true_stroke("off_drive", fps=50, noise=1.0)
    after = pose.t > 2.2
    cut = replace(camera, shot=camera.shot + after)
    shot = as_shot(measure_swing(track, pose, cut, unit="px", method="centred"))
    assert shot.pose.t[-1] <= 2.2 and len(shot.tip_speed) == len(shot.pose) == int((~after).sum())


def test_a_swing_without_skeleton_is_refused(stroke):
    swing, _ = stroke
    with pytest.raises(KineticsError, match="without a skeleton; plug"):
        as_shot(measure_swing(swing.track, None, Camera.still(swing.t, swing.size), unit="px", method="centred"))


def test_speeds_of_different_units_are_not_compared(stroke):
    shot = as_shot(stroke[0])
    assert pair_speeds((shot, shot)) is not None
    assert pair_speeds((shot, replace(shot, speed_unit="m/s"))) is None
    assert pair_speeds((shot, Shot(shot.pose))) is None


def test_a_stroke_is_cut_out_of_a_long_clip():
    long = default_scene("off_drive").pose_sequence(50)
    inside = slice(45, 95)
    stroke = long.with_step("cut", xy=long.xy[inside], conf=long.conf[inside], t=long.t[inside])
    part, distance = cut_shot(stroke, long)
    assert (part.t[0], part.t[-1]) == (stroke.t[0], stroke.t[-1])
    assert distance < 0.02  # the very same frames; only the trunk, measured over the cut or over all, differs by a per cent
    np.testing.assert_array_equal(part.xy, stroke.xy)


def test_frame_times_of_a_shot_on_another_s_pace():
    shots = [default_scene(name).pose_sequence(fps) for name, fps in (("off_drive", 50), ("cover_drive", 25))]
    found = compare_shots(*shots, root=True)
    at, rate = found.frame_times()
    assert rate == pytest.approx(50) and len(at) == len(shots[0])
    np.testing.assert_allclose(at, found.time_map(shots[0].t), atol=1e-9)  # the same instants, made from a rate instead of a clock
    slow, rate = found.frame_times(100.0)
    assert rate == 100.0 and len(slow) == 2 * len(at) - 1 and (np.diff(slow) > 0).all()
