"""Gate, gaps, derived joints and their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.pose.body import find_jumps, runs, torso_length
from kinetics.pose.clean import clean, derive_midpoints, fill_gaps, gate_confidence
from kinetics.pose_sequence import PoseSequence


def one_joint(xy, t=None, conf=None, name="left_wrist") -> PoseSequence:
    xy = np.asarray(xy, float)
    t = np.arange(len(xy)) / 25 if t is None else t
    conf = np.full(len(xy), 0.8) if conf is None else np.asarray(conf, float)
    return PoseSequence(xy[:, None], conf[:, None], t, (name,), (640, 480))


def line(t, gone=()):
    """A joint moving at constant velocity, missing at some frames."""
    t = np.asarray(t, float)
    xy = np.stack([100 + 50 * t, 200 - 30 * t], axis=1)
    xy[np.array(gone, int)] = np.nan
    return xy


def test_gate_removes_below_and_keeps_at_the_threshold_and_counts():
    pose = gate_confidence(one_joint(line(np.arange(4)), conf=[0.29, 0.3, 0.31, 0.0]), 0.3)
    assert pose.missing[:, 0].tolist() == [True, False, False, True]
    assert pose.provenance["steps"] == [{"step": "gate_confidence", "threshold": 0.3, "removed": 2, "by_joint": {"left_wrist": 2}}]


@given(st.floats(0, 1), st.floats(0, 1))
def test_gating_twice_is_gating_by_the_higher_threshold(a, b):
    pose = one_joint(line(np.arange(6)), conf=np.linspace(0, 1, 6))
    assert np.array_equal(gate_confidence(gate_confidence(pose, a), b).xy, gate_confidence(pose, max(a, b)).xy, equal_nan=True)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_gate_refuses_a_threshold_that_is_no_confidence(threshold):
    with pytest.raises(KineticsError, match="from 0 to 1"):
        gate_confidence(one_joint(line(np.arange(3))), threshold)


def test_gap_length_is_in_seconds_on_uneven_times():
    t = np.array([0.0, 0.04, 0.08, 0.12, 0.16, 0.36, 0.56, 0.60])
    pose = fill_gaps(one_joint(line(t, [2, 5]), t), max_gap_s=0.2)
    # Frame 2 lies between samples 0.08 s apart; frame 5, also one frame, between samples 0.40 s apart.
    assert pose.missing[:, 0].tolist() == [False] * 5 + [True] + [False] * 2
    # PCHIP keeps a straight line straight, whatever the times: to rounding.
    np.testing.assert_allclose(pose.xy[2, 0], line(t)[2], atol=1e-9)
    step = pose.provenance["steps"][0]
    assert (step["filled"], step["left"], step["at"]) == (1, 1, {"left_wrist": [[2, 2]]})


def test_a_gap_of_exactly_the_longest_length_is_filled():
    # Five intervals of 1/25 s sum to 0.2 s, but not in floating point at every place.
    for start in range(1, 40):
        gone = range(start, start + 4)
        assert not fill_gaps(one_joint(line(np.arange(50) / 25, gone)), 0.2).missing.any()
        assert fill_gaps(one_joint(line(np.arange(50) / 25, range(start, start + 5))), 0.2).missing.sum() == 5


def test_ends_are_never_filled():
    pose = fill_gaps(one_joint(line(np.arange(8) / 25, [0, 1, 7])), 1.0)
    assert pose.missing[:, 0].tolist() == [True, True] + [False] * 5 + [True]


def test_filled_samples_have_half_the_smaller_confidence_beside_them():
    pose = fill_gaps(one_joint(line(np.arange(5) / 25, [2]), conf=[1, 0.9, 0.9, 0.4, 1]), 0.2)
    assert pose.conf[2, 0] == 0.2


@given(st.lists(st.floats(-50, 50).map(lambda value: round(value, 3)), min_size=4, max_size=12), st.data())
def test_a_fill_stays_between_the_samples_beside_its_gap(values, data):
    gone = data.draw(st.integers(1, len(values) - 2))
    xy = np.stack([values, values[::-1]], axis=1)
    xy[gone] = np.nan
    filled = fill_gaps(one_joint(xy, np.arange(len(values)) / 25), 0.2).xy[gone, 0]
    beside = xy[[gone - 1, gone + 1]]
    # A monotone cubic doesn't overshoot; 1e-9 for rounding.
    assert (filled >= beside.min(axis=0) - 1e-9).all() and (filled <= beside.max(axis=0) + 1e-9).all()


def test_the_bats_tip_is_not_invented():
    assert fill_gaps(one_joint(line(np.arange(5) / 25, [2]), name="bat_tip"), 0.2).missing.sum() == 1


def test_zero_fills_nothing_and_a_negative_length_is_refused():
    pose = one_joint(line(np.arange(5) / 25, [2]))
    assert fill_gaps(pose, 0).missing.sum() == 1
    for wrong in (-0.1, float("nan")):
        with pytest.raises(KineticsError, match="give 0 or more"):
            fill_gaps(pose, wrong)


def test_derived_joints_follow_their_parents():
    names = ("left_shoulder", "right_shoulder", "neck", "pelvis")
    xy = np.array([[[0, 0], [10, 4], [99, 99], [7, 7]], [[0, 0], [np.nan, np.nan], [99, 99], [7, 7]]], float)
    conf = np.array([[0.9, 0.6, 1, 0.5], [0.9, 0, 1, 0.5]])
    pose = derive_midpoints(PoseSequence(xy, conf, [0, 1], names, (640, 480)))
    assert pose.joint("neck")[0].tolist() == [5, 2] and pose.conf[0, 2] == 0.6
    assert np.isnan(pose.joint("neck")[1]).all()
    # No hips here, so the pelvis is the file's own and stays.
    assert np.array_equal(pose.joint("pelvis"), [[7, 7], [7, 7]])
    assert pose.provenance["steps"][-1]["joints"] == ["neck"]
    bare = one_joint(line(np.arange(3)))
    assert derive_midpoints(bare) is bare


def test_clean_undoes_what_was_done_to_a_batter(stick_batter):
    truth = stick_batter(noise=1.0)
    rng = np.random.default_rng(5)
    xy, conf = truth.xy.copy(), truth.conf.copy()
    arms = [part for part in truth.names if part.startswith("left_") and part[5:] in ("shoulder", "elbow", "wrist")]
    for name in arms:  # a swap of frames 30 to 36
        left, right = truth.index(name), truth.index("right_" + name[5:])
        xy[30:37, [left, right]] = xy[30:37, [right, left]]
    ankle = truth.index("right_ankle")
    xy[[20, 60, 80], ankle] += [[40, 0], [0, -50], [-30, 30]]
    conf[70:73, truth.index("nose")] = 0.1
    xy[70:73, truth.index("nose")] += rng.normal(0, 50, (3, 2))
    pose = clean(replace(truth, xy=xy, conf=conf))
    steps = {step["step"]: step for step in pose.provenance["steps"]}
    assert list(steps) == ["gate_confidence", "repair_swaps", "reject_outliers", "fill_gaps", "derive_midpoints"]
    assert steps["gate_confidence"]["removed"] == 3
    assert steps["repair_swaps"]["at"] == {"arms": [[30, 36]]}
    assert steps["reject_outliers"]["at"] == {"right_ankle": [20, 60, 80]}
    assert steps["fill_gaps"]["filled"] == 6 and not pose.missing.any()
    # Where something was done the track is within 4 noise sigma plus the bend a filled gap can't know; elsewhere it is untouched.
    assert np.abs(pose.xy - truth.xy).max() < 6
    untouched = (conf == truth.conf) & (xy == truth.xy).all(axis=2)
    untouched[:, [truth.index(name) for name in ("neck", "pelvis")]] = False
    assert np.array_equal(pose.xy[untouched], truth.xy[untouched])


def test_clean_may_leave_steps_out(stick_batter):
    pose = clean(stick_batter(), 0.0, swaps=False, outliers=False, max_gap_s=0)
    assert [step["step"] for step in pose.provenance["steps"]] == ["gate_confidence", "fill_gaps", "derive_midpoints"]


def test_clean_of_nobody_is_nobody():
    pose = clean(PoseSequence(np.full((5, 2, 2), np.nan), np.zeros((5, 2)), np.arange(5), ("left_hip", "right_hip"), (640, 480)))
    assert pose.missing.all()


def test_nothing_is_joined_across_a_cut(stick_batter):
    pose = stick_batter()
    xy = pose.xy.copy()
    xy[50:] += [300, 60]
    xy[49:51, pose.index("right_knee")] = np.nan
    pose = replace(pose, xy=xy)
    assert np.flatnonzero(find_jumps(pose.xy, pose.t, pose.names)).tolist() == [50]
    cleaned = clean(pose)
    assert cleaned.missing[49:51, pose.index("right_knee")].all() and cleaned.missing.sum() == 2
    assert cleaned.provenance["steps"][1]["frames"] == 0 and cleaned.provenance["steps"][2]["removed"] == 0


def test_a_body_elsewhere_for_two_frames_is_an_error_not_a_cut(stick_batter):
    pose = stick_batter()
    xy = pose.xy.copy()
    xy[50:52] += [300, 60]
    pose = replace(pose, xy=xy)
    assert not find_jumps(pose.xy, pose.t, pose.names).any()
    cleaned = clean(pose, max_gap_s=0)
    tip = pose.index("bat_tip")  # its own steps are as long as the error, which can't be told from motion
    gone = np.delete(cleaned.missing, tip, axis=1)
    assert gone[50:52].all() and gone.sum() == gone[50:52].sum()


def test_swaps_are_no_jump_and_neither_is_a_swing(stick_batter):
    pose = stick_batter(peak=45, fwhm=0.08)
    assert not find_jumps(pose.xy, pose.t, pose.names).any()
    mirrored = [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in pose.names]
    xy = pose.xy.copy()
    xy[40:44] = pose.xy[40:44][:, [pose.index(name) for name in mirrored]]
    assert not find_jumps(xy, pose.t, pose.names).any()


def test_torso_length_and_what_stands_in_for_it():
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    xy = np.array([[[0, 0], [20, 0], [4, 60], [16, 60]]], float)
    assert torso_length(xy, names) == 60
    # Without hips: 0.3 of the diagonal of what is there, 20 px wide.
    assert torso_length(xy[:, :2], names[:2]) == pytest.approx(6)
    assert np.isnan(torso_length(np.full((1, 4, 2), np.nan), names))


@given(st.lists(st.booleans(), max_size=20))
def test_runs_cover_exactly_the_true_frames(flags):
    covered = [k for first, last in runs(np.array(flags, bool)) for k in range(first, last + 1)]
    assert covered == [k for k, flag in enumerate(flags) if flag]
