"""A motion on another body: lengths, directions, feet on the ground, missing joints."""

from __future__ import annotations

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.pose_sequence import PoseSequence
from kinetics.retarget import PARENTS, bone_lengths, retarget


def walker(thigh=80.0, shank=80.0, trunk=110.0, arm=60.0, frames=25, lean=0.3):
    """Both feet planted while the pelvis sways between them: knees by the law of cosines, so that every bone keeps its length."""
    t = np.arange(frames) / 25
    feet = {"left": np.array([330.0, 400.0]), "right": np.array([270.0, 400.0])}
    pelvis = np.stack([300 + 15 * np.sin(2 * np.pi * t), np.full(frames, 400 - 0.9 * (thigh + shank))], axis=1)
    at = {"pelvis": pelvis, "neck": pelvis + trunk * np.stack([np.sin(lean * t), -np.cos(lean * t)], axis=1)}
    at["nose"] = at["neck"] + [10, -35]
    for side, sign in (("left", 1), ("right", -1)):
        hip = at[f"{side}_hip"] = pelvis + np.array([18 * sign, 0])
        ankle = at[f"{side}_ankle"] = np.tile(feet[side], (frames, 1))
        to_foot = ankle - hip
        d = np.linalg.norm(to_foot, axis=1)
        along = (d**2 + thigh**2 - shank**2) / (2 * d)
        off = np.sqrt(thigh**2 - along**2)
        unit = to_foot / d[:, None]
        at[f"{side}_knee"] = hip + along[:, None] * unit + off[:, None] * np.stack([unit[:, 1], -unit[:, 0]], axis=1)
        shoulder = at[f"{side}_shoulder"] = at["neck"] + [30 * sign, 4]
        elbow = at[f"{side}_elbow"] = shoulder + arm * np.stack([np.sin(3 * t), np.cos(3 * t)], axis=1)
        at[f"{side}_wrist"] = elbow + arm * np.stack([np.sin(5 * t), np.cos(5 * t)], axis=1)
    at["bat_tip"] = (at["left_wrist"] + at["right_wrist"]) / 2 + [0, 90]
    names = tuple(at)
    return PoseSequence(
        np.stack([at[name] for name in names], axis=1),
        np.full((frames, len(names)), 0.9),
        t,
        names,
        (640, 480),
        provenance={"source": "walker"},
    )


def direction(pose, name):
    parent = PARENTS[name]
    bone = pose.joint(name) - (pose.joint(parent) if parent in pose.names else (pose.joint("left_wrist") + pose.joint("right_wrist")) / 2)
    return bone / np.linalg.norm(bone, axis=1, keepdims=True)


def test_own_body_changes_nothing():
    pose = walker()
    assert np.abs(retarget(pose).xy - pose.xy).max() < 1e-9  # rounding of sums of a few hundred
    assert np.abs(retarget(pose, walker()).xy - pose.xy).max() < 1e-9


def test_scale_is_about_the_ground_under_the_feet():
    pose = walker()
    large = retarget(pose, scale=1.5)
    ground = pose.joint("left_ankle")[0, 1]
    assert np.allclose(large.joint("left_ankle")[:, 1], ground, atol=0.5)  # both feet bear alike; the anchor lies between them
    spread = large.joint("left_ankle") - large.joint("right_ankle")
    assert np.allclose(spread, 1.5 * (pose.joint("left_ankle") - pose.joint("right_ankle")), atol=1e-9)
    assert np.allclose(large.xy - large.xy[:, :1], 1.5 * (pose.xy - pose.xy[:, :1]), atol=1e-9)
    # The path of the pelvis is as much longer.
    assert np.allclose(np.diff(large.joint("pelvis"), axis=0), 1.5 * np.diff(pose.joint("pelvis"), axis=0), atol=1e-9)


def test_bones_keep_their_direction_and_take_the_other_body_s_length():
    pose, other = walker(), walker(thigh=100, shank=70, trunk=130, arm=50)
    moved = retarget(pose, other, own_height=False)
    for name in ("neck", "left_knee", "right_ankle", "left_elbow", "right_wrist", "left_shoulder", "bat_tip"):
        assert np.allclose(direction(moved, name), direction(pose, name), atol=1e-9), name
    own, wanted = bone_lengths(moved), bone_lengths(other)
    for part in ("neck", "knee", "ankle", "elbow", "wrist"):
        assert own[part] == pytest.approx(wanted[part], rel=1e-9), part


def test_own_height_takes_proportions_only():
    """All of the other body twice as large: nothing changes."""
    pose, twice = walker(), walker(thigh=100, shank=70, arm=50)
    twice = PoseSequence(2 * twice.xy, twice.conf, twice.t, twice.names, (1280, 960))
    same_size = retarget(pose, walker(thigh=100, shank=70, arm=50))
    assert np.allclose(retarget(pose, twice).xy, same_size.xy, atol=1e-6)
    assert bone_lengths(same_size)["knee"] / bone_lengths(same_size)["ankle"] == pytest.approx(100 / 70, rel=1e-9)


def test_planted_feet_stay_planted_when_legs_change():
    """Thigh and shank change by unlike ratios, so each foot alone would slide by some pixels; together they are held as well as two legs can be."""
    moved = retarget(walker(), walker(thigh=96, shank=64))
    middle = (moved.joint("left_ankle") + moved.joint("right_ankle")) / 2
    assert np.ptp(middle, axis=0).max() < 1e-6  # both bear alike
    assert max(np.ptp(moved.joint(f"{side}_ankle"), axis=0).max() for side in ("left", "right")) < 4.0


def test_missing_joints_stay_missing_and_no_other_is_lost():
    pose = walker()
    xy = pose.xy.copy()
    xy[5, pose.index("left_elbow")] = np.nan
    xy[7, [pose.index(name) for name in ("pelvis", "left_hip")]] = np.nan
    xy[9, [pose.index(name) for name in ("pelvis", "neck")]] = np.nan
    moved = retarget(PoseSequence(xy, pose.conf, pose.t, pose.names, pose.size), walker(thigh=96, shank=64, arm=50))
    expected = np.isnan(xy[..., 0])
    expected[9] = True  # nothing to hang the body on
    assert np.array_equal(moved.missing, expected)
    assert (moved.conf[expected] == 0).all() and (moved.conf[~expected] == 0.9).all()


def test_frames_without_feet_stand_where_those_about_them_do():
    pose = walker()
    xy = pose.xy.copy()
    xy[10:13, [pose.index(name) for name in ("left_ankle", "right_ankle")]] = np.nan
    whole, gap = retarget(pose, scale=1.3), retarget(PoseSequence(xy, pose.conf, pose.t, pose.names, pose.size), scale=1.3)
    assert np.nanmax(np.abs(gap.xy - whole.xy)) < 1e-9  # what the feet add is constant here


def test_steps_are_told():
    step = retarget(walker(), walker(arm=50)).provenance["steps"][-1]
    assert step["step"] == "retarget" and step["reference"] == "walker" and step["ratios"]["elbow"] < 1


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_scale_has_to_be_above_0(scale):
    with pytest.raises(KineticsError, match="give a scale above 0"):
        retarget(walker(), scale=scale)


def test_needs_pixels():
    pose = walker()
    with pytest.raises(KineticsError, match="needs pixels"):
        retarget(pose, PoseSequence(pose.xy, pose.conf, pose.t, pose.names, pose.size, "body"))
