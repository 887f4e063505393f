"""Left/right repair: planted swaps are undone, crossing limbs are not swaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.pose.body import ARMS, LEGS
from kinetics.pose.swaps import repair_swaps
from kinetics.pose_sequence import PoseSequence

LIMBS = (ARMS, LEGS)


def exchange(pose: PoseSequence, swapped: np.ndarray) -> PoseSequence:
    """Exchange left and right of the arms and legs where (T, 2) says."""
    xy, conf = pose.xy.copy(), pose.conf.copy()
    for limb, parts in enumerate(LIMBS):
        for part in parts:
            if f"left_{part}" in pose.names:
                left, right = pose.index(f"left_{part}"), pose.index(f"right_{part}")
                at = np.flatnonzero(swapped[:, limb])[:, None]
                xy[at, [left, right]], conf[at, [left, right]] = pose.xy[at, [right, left]], pose.conf[at, [right, left]]
    return replace(pose, xy=xy, conf=conf)


def some_swaps(frames: int, rng: np.random.Generator, longest: int = 10) -> np.ndarray:
    """(T, 2) stretches of 1 to ``longest`` frames of arms, legs or both."""
    swapped = np.zeros((frames, 2), bool)
    frame = 3
    while frame < frames - longest - 3:
        if rng.random() < 0.08:
            length = int(rng.integers(1, longest + 1))
            for limb in ((0,), (1,), (0, 1))[rng.integers(3)]:
                swapped[frame : frame + length, limb] = True
            frame += length + 4
        frame += 1
    return swapped


def repaired(pose: PoseSequence) -> np.ndarray:
    """(T, 2) frames that the repair exchanged."""
    swapped = np.zeros((len(pose), 2), bool)
    for limb, stretches in repair_swaps(pose).provenance["steps"][-1]["at"].items():
        for first, last in stretches:
            swapped[first : last + 1, ("arms", "legs").index(limb)] = True
    return swapped


@pytest.mark.parametrize("fps", [25, 50])
@pytest.mark.parametrize("noise", [0, 2, 4])
def test_clean_tracks_stay_as_they_are_though_shoulders_and_hips_cross(stick_batter, fps, noise):
    for seed in range(4):
        pose = stick_batter(fps=fps, seconds=6, noise=noise, seed=seed)
        crossed = pose.joint("left_shoulder")[:, 0] - pose.joint("right_shoulder")[:, 0]
        assert crossed.min() < -10 and crossed.max() > 10
        out = repair_swaps(pose)
        assert out.provenance["steps"][-1]["frames"] == 0
        assert np.array_equal(out.xy, pose.xy)


@pytest.mark.parametrize("fps", [25, 50])
@pytest.mark.parametrize("noise", [0, 2, 4])
def test_planted_swaps_are_undone(stick_batter, fps, noise):
    undone = planted = false = 0
    for seed in range(6):
        pose = stick_batter(fps=fps, seconds=6, noise=noise, seed=seed)
        swapped = some_swaps(len(pose), np.random.default_rng(seed))
        found = repaired(exchange(pose, swapped))
        undone, planted, false = undone + (found & swapped).sum(), planted + swapped.sum(), false + (found & ~swapped).sum()
    assert planted > 200
    # 95 % is the aim; 100 % was measured, with none invented.
    assert undone / planted >= 0.98 and false == 0


def test_planted_swaps_are_undone_with_one_joint_in_ten_missing(stick_batter):
    undone = planted = false = frames = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        pose = stick_batter(seconds=6, noise=1.0, seed=seed)
        swapped = some_swaps(len(pose), rng)
        xy = exchange(pose, swapped).xy.copy()
        xy[rng.random(pose.conf.shape) < 0.1] = np.nan
        found = repaired(replace(pose, xy=xy))
        undone, planted = undone + (found & swapped).sum(), planted + swapped.sum()
        false, frames = false + (found & ~swapped).sum(), frames + swapped.size
    # Measured: 1.00 and none; a stretch that begins on frames where no pair is whole may be missed.
    assert undone / planted >= 0.95
    assert false / frames < 0.005


@pytest.mark.parametrize("astray", [(60, 0), (0, -50), (-45, 30)])
def test_one_leg_gone_astray_while_the_legs_cover_each_other_is_no_swap(stick_batter, astray):
    pose = stick_batter(noise=1.0)
    xy = pose.xy.copy()
    for part in ("hip", "knee", "ankle", "foot"):
        left, right = pose.index(f"left_{part}"), pose.index(f"right_{part}")
        xy[:, left] = xy[:, right] + 0.1 * (xy[:, left] - xy[:, right])
        if part != "hip":
            for frame in (30, 31, 32, 80, 81, 82):
                xy[frame, left] += astray
    assert not repaired(replace(pose, xy=xy)).any()


@given(st.integers(5, 60), st.integers(1, 12), st.sampled_from([(0,), (1,), (0, 1)]))
@settings(max_examples=30)
def test_repair_gives_back_the_very_numbers(stick_walker, first, length, limbs):
    # Where a limb covers the other, a swap is no motion and can't be seen: both ends lie where the wrists and ankles are apart.
    for limb in limbs:
        part = ("wrist", "ankle")[limb]
        apart = np.abs(stick_walker.joint(f"left_{part}") - stick_walker.joint(f"right_{part}"))[:, 0]
        assume(apart[[first - 1, first, first + length - 1, first + length]].min() > 25)
    swapped = np.zeros((len(stick_walker), 2), bool)
    for limb in limbs:
        swapped[first : first + length, limb] = True
    out = repair_swaps(exchange(stick_walker, swapped))
    assert np.array_equal(out.xy, stick_walker.xy) and np.array_equal(out.conf, stick_walker.conf)


@pytest.fixture(scope="module")
def stick_walker() -> PoseSequence:
    """Somebody walking across the picture: knees and ankles cross twice a stride, wrists against them."""
    t = np.arange(80) / 25
    middle = np.stack([100 + 60 * t, 200 + 3 * np.sin(12 * t)], axis=1)
    at = {}
    for side, sign in (("left", 1), ("right", -1)):
        swing = sign * np.sin(2 * np.pi * 0.9 * t)
        for part, y, far, apart in (
            ("shoulder", -100, 3, 4), ("elbow", -60, -12, 6), ("wrist", -25, -30, 6), ("hip", 0, 4, 3), ("knee", 50, 25, 4), ("ankle", 100, 45, 4),
        ):  # fmt: skip
            at[f"{side}_{part}"] = middle + np.stack([far * swing + sign * apart, np.full(80, float(y))], axis=1)
    xy = np.stack(list(at.values()), axis=1) + np.random.default_rng(3).normal(0, 0.7, (80, len(at), 2))
    conf = np.random.default_rng(4).uniform(0.4, 1, xy.shape[:2])
    return PoseSequence(xy, conf, t, tuple(at), (640, 480))


def test_one_sided_joints_are_no_evidence(stick_batter):
    # Only the left of every pair is seen: nothing to compare, so nothing may be exchanged.
    pose = stick_batter()
    xy = pose.xy.copy()
    for name in pose.names:
        if name.startswith("right_"):
            xy[:, pose.index(name)] = np.nan
    assert not repaired(replace(pose, xy=xy)).any()


def test_confidence_and_a_missing_side_move_along(stick_batter):
    pose = stick_batter()
    conf = pose.conf.copy()
    conf[:, pose.index("left_ankle")] = 0.4
    xy = pose.xy.copy()
    xy[32, pose.index("left_foot")] = np.nan
    pose = replace(pose, xy=xy, conf=conf)
    swapped = np.zeros((len(pose), 2), bool)
    swapped[30:36, 1] = True
    out = repair_swaps(exchange(pose, swapped))
    assert np.array_equal(out.xy, pose.xy, equal_nan=True) and np.array_equal(out.conf, pose.conf)


def test_a_cut_to_a_camera_behind_is_no_swap(stick_batter):
    # After the cut the person is seen from the other side, elsewhere: left is truly right of right.
    pose = stick_batter()
    xy = pose.xy.copy()
    xy[50:, :, 0] = 2000 - xy[50:, :, 0]
    assert not repaired(replace(pose, xy=xy)).any()


def test_a_cut_named_in_the_provenance_is_enough(stick_batter):
    # A mirrored view in the same place: nothing jumps, but the pictures told of the cut.
    pose = stick_batter()
    xy = pose.xy.copy()
    xy[40:, :, 0] = 2 * xy[40:, [pose.index("neck")], 0] - xy[40:, :, 0]
    pose = replace(pose, xy=xy, provenance={"cuts": [40]})
    assert not repaired(pose).any()
    assert repaired(replace(pose, provenance={})).any()


def test_sequences_too_short_for_a_velocity_are_left_alone(stick_batter):
    assert not repaired(stick_batter(t=[0.0, 0.04])).any()


@pytest.mark.parametrize("setting", ["change_cost", "noise_floor", "max_gap_s"])
def test_settings_below_zero_are_refused(stick_batter, setting):
    with pytest.raises(KineticsError, match=f"{setting} .* above 0"):
        repair_swaps(stick_batter(), **{setting: 0})
