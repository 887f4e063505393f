"""The plan of what is generated: canvas, instants, bat layer, phases, and what doesn't fit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.generate.canvas import FITS, fit_canvas
from kinetics.generate.instants import (
    ELSEWHERE,
    phase_at,
    resample_count,
    resample_key_frames,
    resample_phases,
    resample_rate,
    take_instants,
)
from kinetics.generate.plan import HintPlan, plan_hints
from kinetics.generate.sheet import hint_sheet
from kinetics.hints import draw_pose_hint
from kinetics.motion.bat_track import BatTrack
from kinetics.motion.phases import Impact, Phase, Phases
from kinetics.pose.openpose_json import to_pose_keypoint
from kinetics.pose_sequence import PoseSequence


def body_only(pose):
    return pose.select([name for name in pose.names if name != "bat_tip"])


def on_canvas(pose, fit, **sizes):
    size, matrices = fit_canvas(pose, fit=fit, **sizes)
    return size, np.einsum("tij,tkj->tki", matrices[:, :, :2], pose.xy) + matrices[:, None, :, 2]


@settings(max_examples=25)
@given(st.sampled_from(("batter", "follow")), st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(0, 1000))
def test_batter_is_inside_the_canvas_with_his_padding(fit, columns, rows, padding, seed):
    chance = np.random.default_rng(seed)
    xy = chance.uniform(0, 400, (6, 5, 2)) + 100 * np.arange(6)[:, None, None]
    xy[chance.random((6, 5)) < 0.2] = np.nan
    pose = PoseSequence(xy, np.full((6, 5), 0.9), np.arange(6) / 25, ("nose", "left_hip", "right_hip", "left_knee", "neck"), (1280, 720))
    size, at = on_canvas(pose, fit, width=64 * columns, height=64 * rows, padding=padding)
    assert size == (64 * columns, 64 * rows)
    longer = np.nanmax(np.nanmax(at, axis=1) - np.nanmin(at, axis=1), axis=0)
    low, high = np.nanmin(at, axis=(0, 1)), np.nanmax(at, axis=(0, 1))
    assert (low >= -0.5).all() and (high <= np.array(size) - 0.5).all()
    if padding > 0.01:
        tight = on_canvas(pose, fit, width=64 * columns, height=64 * rows, padding=0.0)[1]
        assert np.nanmax(longer) < np.nanmax(np.nanmax(tight, axis=1) - np.nanmin(tight, axis=1))


def test_whole_and_fill_are_the_picture_s_own_map(stick_batter):
    pose = body_only(stick_batter())  # 1280×720
    size, at = on_canvas(pose, "whole", width=640, height=512, multiple=8)
    assert size == (640, 512) and np.allclose(at, 0.5 * (pose.xy + 0.5) - 0.5 + [0, (512 - 360) / 2])
    size, at = on_canvas(pose, "fill", width=360, height=360, multiple=8)
    assert np.allclose(at, 0.5 * (pose.xy + 0.5) - 0.5 - [140, 0])


def test_side_that_is_not_given_follows_from_the_shape(stick_batter):
    pose = body_only(stick_batter())
    assert fit_canvas(pose, 512, fit="whole", multiple=8)[0] == (512, 288)
    assert fit_canvas(pose, 0, 360, fit="whole", multiple=8)[0] == (640, 360)
    for fit in FITS:
        width, height = fit_canvas(pose, fit=fit)[0]
        assert width % 64 == height % 64 == 0 and 0.6 < width * height / 512**2 < 1.6  # sides are rounded to 64


def test_follow_keeps_one_size_and_moves_smoothly(stick_batter):
    pose = body_only(stick_batter())
    pan = PoseSequence(pose.xy + np.arange(len(pose))[:, None, None] * [8.0, 0.0], pose.conf, pose.t, pose.names, (2400, 720))
    _, matrices = fit_canvas(pan, 512, 512, fit="follow")
    assert np.ptp(matrices[:, 0, 0]) == 0
    assert fit_canvas(pan, 512, 512, fit="follow")[1][0, 0, 0] > 1.5 * fit_canvas(pan, 512, 512, fit="batter")[1][0, 0, 0]
    steps = np.diff(matrices[:, 0, 2])[20:-20] / matrices[0, 0, 0]  # 0.8 s from the ends, where a Gaussian of 0.25 s has what it needs
    assert (steps < 0).all() and abs(steps.mean() + 8) < 1.5  # the pan, and 60 pixels of stride


def test_instants_lie_in_the_clip(stick_batter):
    pose = stick_batter(fps=25, seconds=2)
    assert np.allclose(resample_count(pose, 3), [0, 0.98, 1.96])
    assert resample_count(pose, 1) == pytest.approx([0.98])
    assert np.allclose(np.diff(resample_rate(pose, 16)), 1 / 16) and resample_rate(pose, 16)[-1] <= 1.96
    assert len(resample_rate(pose, 25)) == len(pose)


def test_between_frames_joints_are_on_the_line_and_missing_where_one_end_is(stick_batter):
    pose = stick_batter(fps=25, seconds=2)
    xy = pose.xy.copy()
    xy[10, 0] = np.nan
    pose = PoseSequence(xy, pose.conf, pose.t, pose.names, pose.size)
    taken = take_instants(pose, np.array([0.38, 0.4, 0.42, 0.44]))  # frames 9.5, 10, 10.5, 11
    assert np.allclose(taken.xy[0, 1], (xy[9, 1] + xy[10, 1]) / 2) and np.array_equal(taken.xy[3], xy[11])
    assert taken.missing[:, 0].tolist() == [True, True, True, False] and (taken.conf[:3, 0] == 0).all()


def test_nothing_is_drawn_between_two_shots(stick_batter):
    pose = stick_batter(fps=25, seconds=1)
    xy = pose.xy.copy()
    xy[12:] += [500, 0]
    taken = take_instants(PoseSequence(xy, pose.conf, pose.t, pose.names, (1800, 720)), np.array([0.45, 0.47]))
    assert np.array_equal(taken.xy[0], xy[11]) and np.array_equal(taken.xy[1], xy[12])


class Swing(SimpleNamespace):
    """What the choice of instants asks of a swing."""

    def __len__(self):
        return len(self.t)


def test_phases_and_key_frames():
    t = np.arange(50) / 25
    phases = Phases((Phase("backlift", 0.2, 0.6), Phase("downswing", 0.6, 1.0), Phase("follow_through", 1.0, 1.6)), Impact(1.0, 0.01))
    swing = Swing(t=t, clock=t, phases=phases, impact=phases.impact)
    assert np.allclose(resample_phases(swing, 2), [0.3, 0.5, 0.7, 0.9, 1.0, 1.15, 1.45])
    assert np.allclose(resample_key_frames(swing), [0.2, 0.6, 1.0, 1.6])
    assert phase_at(swing, np.array([0.1, 0.3, 0.7, 0.99, 1.01, 1.2, 1.9])) == (
        ELSEWHERE, "backlift", "downswing", "impact", "impact", "follow_through", ELSEWHERE,
    )  # fmt: skip
    assert phase_at(None, t[:2]) == (ELSEWHERE, ELSEWHERE)
    swing.phases = Phases(notes=("The bat was not seen.",))
    with pytest.raises(KineticsError, match="The bat was not seen"):
        resample_phases(swing, 2)


def a_bat(pose, tip=(40.0, 80.0)):
    frames, nowhere = len(pose), np.full(len(pose), np.nan)
    hands = (pose.joint("left_wrist") + pose.joint("right_wrist")) / 2
    return BatTrack(
        pose.t, hands, hands + tip, nowhere, nowhere, np.full(frames, "image"), np.full(frames, 0.8), np.zeros(frames, bool), pose.size
    )  # fmt: skip


def test_plan_draws_what_the_hints_module_draws(stick_batter):
    pose = body_only(stick_batter(fps=25, seconds=1))
    plan = plan_hints(pose, a_bat(pose), width=256, height=256, bat_layer=True)
    assert plan.size == (256, 256) and len(plan) == len(pose) and plan.fps == pytest.approx(25)
    assert np.array_equal(plan.draw(3), draw_pose_hint(plan.pose, 3, (256, 256), bat=True))
    batch = plan.draw_all(2, 5)
    assert batch.dtype == np.float32 and np.array_equal(np.rint(255 * batch[1]).astype(np.uint8), plan.draw(3))
    keypoints = to_pose_keypoint(plan.pose)
    assert keypoints[0]["canvas_width"] == 256 and len(keypoints) == len(pose)
    assert hint_sheet(plan).shape[2] == 3
    assert {step["step"] for step in plan.pose.provenance["steps"]} == {"fit_canvas"}


def test_bat_counts_for_the_canvas_only_where_it_is_drawn(stick_batter):
    pose = stick_batter()
    with_bat, without = plan_hints(pose, bat_layer=True, width=256, height=256), plan_hints(pose, width=256, height=256)
    assert "bat_tip" not in without.pose.names
    trunk = [np.linalg.norm(plan.pose.joint("neck") - plan.pose.joint("pelvis"), axis=1).mean() for plan in (with_bat, without)]
    assert trunk[0] < trunk[1]


def test_plan_of_a_body_and_instants(stick_batter):
    pose = body_only(stick_batter(fps=25, seconds=1))
    plan = plan_hints(
        pose,
        instants=lambda sequence: resample_count(sequence, 4),
        body=lambda sequence: sequence.with_step("other body"),
        width=64,
        height=64,
    )
    assert len(plan) == 4 and [step["step"] for step in plan.pose.provenance["steps"]] == ["other body", "take_instants", "fit_canvas"]


def test_bad_input_is_told_in_a_sentence(stick_batter):
    pose = body_only(stick_batter(fps=25, seconds=1))
    nobody = PoseSequence(np.full_like(pose.xy, np.nan), np.zeros_like(pose.conf), pose.t, pose.names, pose.size)
    for call, match in (
        (lambda: plan_hints(nobody), "No joint of the skeleton is known in any frame"),
        (lambda: plan_hints(pose, bat_layer=True), "has no bat to draw"),
        (lambda: plan_hints(pose, a_bat(take_instants(pose, pose.t[:9]))), "not of the same frames"),
        (lambda: plan_hints(pose, style="OpenPose"), "Style 'OpenPose' is unknown"),
        (lambda: plan_hints(pose, fit="stretch"), "Fit 'stretch' is unknown"),
        (lambda: plan_hints(pose, width=40_000), "A canvas of 40000×0"),
        (lambda: plan_hints(pose, instants=lambda sequence: resample_rate(sequence, 0.0)), "A rate of 0 frames a second"),
        (lambda: plan_hints(pose, instants=lambda sequence: resample_count(sequence, 0)), "0 frames can't be planned"),
        (lambda: plan_hints(PoseSequence(pose.xy, pose.conf, pose.t, pose.names, pose.size, "body")), "need pixels"),
    ):
        with pytest.raises(KineticsError, match=match):
            call()


def test_huge_batch_is_told_before_it_is_drawn(stick_batter):
    pose = body_only(stick_batter(fps=25, seconds=4))
    plan = plan_hints(pose, width=8192, height=8192)
    with pytest.raises(KineticsError, match=r"100 hints of 8192×8192 need 75\.0 GB of memory, and 8\.0 GB are free"):
        plan.check_room(8 * 2**30)
    HintPlan(pose, ()).check_room(8 * 2**30)  # 100 of 1280×720: 1 GB
