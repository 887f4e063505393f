"""Joint angles and speeds against closed form, and their sigma against the scatter of many draws."""

from __future__ import annotations

import numpy as np
import pytest
from swing_samples import true_stroke

from kinetics.motion.joints import measure_joints
from kinetics.pose_sequence import PoseSequence

NAMES = (
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
TRUNK, UPPER, FORE, THIGH, SHANK = 110.0, 60.0, 55.0, 90.0, 85.0


def figure(t, elbow=120.0, knee=150.0, lean=20.0, noise=0.0, seed=0) -> PoseSequence:
    """A flat figure whose left elbow and knee have these angles (degrees, numbers or (T,)) and whose trunk leans to the right by ``lean``."""
    t = np.asarray(t, float)
    elbow, knee, lean = (np.radians(np.broadcast_to(value, t.shape)) for value in (elbow, knee, lean))
    pelvis = np.tile([300.0, 300.0], (len(t), 1))
    neck = pelvis + TRUNK * np.stack([np.sin(lean), -np.cos(lean)], axis=1)

    def ray(length, angle):
        return length * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    down = np.full(len(t), np.pi / 2)
    at, apart = {}, np.array([0.0, 3.0])
    for side, sign in (("left", 1), ("right", -1)):
        at[f"{side}_shoulder"], at[f"{side}_hip"] = neck + apart * sign, pelvis + apart * sign
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] + ray(UPPER, down)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] + ray(FORE, down + np.pi - elbow)
        at[f"{side}_knee"] = at[f"{side}_hip"] + ray(THIGH, down)
        at[f"{side}_ankle"] = at[f"{side}_knee"] + ray(SHANK, down + np.pi - knee)
    xy = np.stack([at[name] for name in NAMES], axis=1)
    xy = xy + noise * np.random.default_rng(seed).normal(size=xy.shape)
    return PoseSequence(xy, np.full(xy.shape[:2], 0.9), t, NAMES, (640, 480), provenance={"source": "a flat figure", "steps": []})


def measured(pose, bat=None, used=None):
    nothing = np.full((len(pose), 2), np.nan)
    hands, tip = (nothing, nothing) if bat is None else bat
    return measure_joints(pose, hands, tip, np.ones(len(pose)), np.ones(len(pose), bool) if used is None else used)


def column(joints, name):
    return joints.angle_names.index(name)


def test_angles_of_a_flat_figure():
    joints = measured(figure(np.arange(40) / 25, elbow=120, knee=150, lean=20))
    for name, value in (("left_elbow", 120), ("right_elbow", 120), ("left_knee", 150), ("trunk_lean", 20)):
        # Closed form: exact to rounding.
        assert joints.angle[:, column(joints, name)] == pytest.approx(value, abs=1e-9)
    # Hip: the trunk leans 20° from the upright, the thigh hangs: 180 - 20. Shoulder: its arm hangs, the line to the hip leans 20°.
    assert joints.angle[0, column(joints, "left_hip")] == pytest.approx(160, abs=1e-9)
    assert joints.angle[0, column(joints, "left_shoulder")] == pytest.approx(20, abs=1e-9)
    assert np.nanmax(np.abs(joints.rate)) < 1e-6


def test_an_elbow_that_opens_steadily_has_its_rate():
    t = np.arange(50) / 25
    joints = measured(figure(t, elbow=60 + 50 * t))
    # A straight line is what a local polynomial reproduces exactly.
    assert joints.rate[5:-5, column(joints, "left_elbow")] == pytest.approx(50, abs=1e-6)


def test_wrist_cock_is_between_forearm_and_bat():
    pose = figure(np.arange(30) / 25, elbow=90.0)
    wrist, elbow = pose.joint("left_wrist"), pose.joint("left_elbow")
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow, axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    straight, cocked = (measured(pose, (wrist, wrist + 100 * turn)) for turn in (along, np.cos(1.2) * along + np.sin(1.2) * across))
    assert straight.angle[:, column(straight, "left_wrist_cock")] == pytest.approx(0, abs=1e-6)
    assert cocked.angle[:, column(cocked, "left_wrist_cock")] == pytest.approx(np.degrees(1.2), abs=1e-9)


def test_sigma_is_the_scatter():
    t = np.arange(400) / 50
    noise, truth = 2.0, {"left_elbow": 120.0, "left_knee": 150.0, "trunk_lean": 20.0}
    joints = measured(figure(t, noise=noise, seed=3))
    for name, value in truth.items():
        k = column(joints, name)
        z = (joints.angle[:, k] - value) / joints.angle_sigma[:, k]
        # 400 independent frames: the spread of their z-scores is known to 3.5 %, the noise is estimated to 3 % more.
        assert z.std() == pytest.approx(1.0, abs=0.15)
        rate = joints.rate[:, k] / joints.rate_sigma[:, k]
        # Savitzky-Golay's rates share samples: 400 of them are worth about 60.
        assert rate.std() == pytest.approx(1.0, abs=0.3)


def test_joint_speeds_of_a_body_that_slides():
    t = np.arange(60) / 25
    pose = figure(t)
    moved = pose.with_step("slide", xy=pose.xy + (t * 120.0)[:, None, None] * np.array([0.6, 0.8]))
    joints = measured(moved)
    # sqrt(v² - 2 sigma²) with the least noise that is believed, 1e-3 px.
    assert joints.speed == pytest.approx(120.0, abs=1e-4)
    assert {"left_wrist", "pelvis", "neck"} <= set(joints.joint_names)


def test_missing_joints_and_unused_frames_stay_nan():
    pose = figure(np.arange(40) / 25, noise=1.0)
    xy = pose.xy.copy()
    xy[10:14, pose.index("left_elbow")] = np.nan
    used = np.ones(40, bool)
    used[30:] = False
    joints = measured(pose.with_step("lost", xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0, pose.conf)), used=used)
    elbow, knee = column(joints, "left_elbow"), column(joints, "left_knee")
    assert np.isnan(joints.angle[10:14, elbow]).all() and np.isfinite(joints.angle[14:30, elbow]).all()
    assert np.isfinite(joints.angle[:30, knee]).all() and np.isnan(joints.angle[30:]).all() and np.isnan(joints.speed[30:]).all()


def test_a_limb_that_points_at_the_camera_has_no_angle():
    pose = figure(np.arange(40) / 25)
    xy = pose.xy.copy()
    xy[5, pose.index("left_wrist")] = xy[5, pose.index("left_elbow")] + [2.0, 0.0]
    joints = measured(pose.with_step("end-on", xy=xy))
    assert np.isnan(joints.angle[5, column(joints, "left_elbow")]) and np.isfinite(joints.angle[6, column(joints, "left_elbow")])


def test_speeds_of_a_drawn_stroke():
    _, pose, camera, truth = true_stroke(fps=100, noise=0.0)
    steady = pose.with_step("still", xy=camera.to_reference(pose.xy))
    joints = measured(steady)
    k = joints.joint_names.index("left_wrist")
    true = np.linalg.norm(truth.px_velocity[:, truth.names.index("left_wrist")], axis=1)
    # The window takes about 5 % off the hands' pulse, which is 0.2 s wide.
    assert np.nanmax(joints.speed[:, k]) == pytest.approx(true.max(), rel=0.08)
