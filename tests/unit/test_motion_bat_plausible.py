"""Peaks of a track that was read from the picture: how sure they are, and when they are none."""

from __future__ import annotations

import numpy as np
import pytest

from kinetics.motion.bat_stretches import _where
from kinetics.motion.camera import Camera
from kinetics.motion.plausible import (
    FLIGHT,
    LEAP,
    READ,
    VAGUE,
    flying_peak,
    leaping_peak,
    loose_peak,
    skipped_stroke,
    vague_peak,
    widen_read,
)
from kinetics.motion.scale import Scale
from kinetics.motion.swing import Peak
from kinetics.pose_sequence import PoseSequence


def test_reading_adds_to_a_peak_s_sigma():
    peak = Peak(100.0, 3.0, 1.0, 0.01)
    assert widen_read(peak) == Peak(100.0, pytest.approx(np.hypot(3.0, 100 * READ)), 1.0, 0.01)


def test_a_peak_that_no_bat_reaches_is_not_told():
    body = Scale("body", 200.0, 0.05, "limbs")
    assert flying_peak(Peak(FLIGHT * 200.0, 1.0, 1.0, 0.01), body) == ""
    assert "No peak is told" in flying_peak(Peak(1.2 * FLIGHT * 200.0, 1.0, 1.0, 0.01), body)
    assert flying_peak(Peak(1e6, 1.0, 1.0, 0.01), None) == ""


def test_a_peak_that_is_known_too_badly_is_not_told():
    assert vague_peak(Peak(100.0, 100 * VAGUE, 1.0, 0.01)) == ""
    assert "known to 31 % only" in vague_peak(Peak(100.0, 31.0, 1.0, 0.01))


def test_a_peak_slower_than_the_bat_went_unseen_is_not_told():
    clock = np.arange(60) / 25
    tip = np.stack([100.0 * clock, np.zeros(60)], axis=1)
    tip[31:, 0] += 80  # within three steps, two of them unseen: 667 px/s and what it moves anyway
    assert skipped_stroke(clock, tip, Peak(500.0, 10.0, 1.2, 0.01)) == ""
    tip[[30, 31]] = np.nan
    assert "wasn't seen on its way" in skipped_stroke(clock, tip, Peak(500.0, 10.0, 1.2, 0.01))
    assert skipped_stroke(clock, tip, Peak(800.0, 10.0, 1.2, 0.01)) == ""


def test_a_peak_far_above_all_that_was_measured_is_not_told():
    speed = np.array([1.0, 3.0, np.nan, np.nan, 2.0])
    assert leaping_peak(speed, Peak(3.0 * LEAP, 1.0, 1.2, 0.01)) == ""
    assert "4.0 times as fast as wherever it was" in leaping_peak(speed, Peak(12.0, 1.0, 1.2, 0.01))


def test_a_peak_where_a_run_of_tips_begins_is_not_told():
    clock = np.arange(60) / 25
    speed = np.where((clock > 0.5) & (clock < 1.0), np.nan, 100.0)
    assert loose_peak(clock, speed, 1.4) == ""
    assert "begins or ends" in loose_peak(clock, speed, 1.01)
    assert "begins or ends" in loose_peak(clock, speed, 0.5)
    # One missing frame beside it is no end.
    speed[35] = np.nan
    assert loose_peak(clock, speed, 1.4) == ""


def test_nobody_is_looked_for_across_a_cut_or_long_after_he_was_seen():
    """Hands in frames 0-9 before a cut at 20, and in 40 and 45 after it; straight lines over gaps would lead all through the clip."""
    frames, seen = 60, np.r_[0:10, 40, 45]
    joints = {
        "left_shoulder": (100, 80), "right_shoulder": (130, 80), "left_elbow": (100, 100), "right_elbow": (130, 100), "left_wrist": (110, 130),
        "right_wrist": (120, 130), "left_hip": (110, 150), "right_hip": (120, 150), "left_knee": (110, 190), "right_knee": (120, 190),
        "left_ankle": (110, 230), "right_ankle": (120, 230),
    }  # fmt: skip
    xy = np.full((frames, len(joints), 2), np.nan)
    xy[seen] = np.array(list(joints.values()))
    t = np.arange(frames) / 25
    pose = PoseSequence(xy, np.where(np.isnan(xy[..., 0]), 0.0, 0.9), t, tuple(joints), (320, 240))
    camera = Camera.still(t, (320, 240))
    camera.shot[20:] = 1
    look, _ = _where(pose, camera)
    # Between 40 and 45 the hands are known on both sides within 0.4 s.
    assert np.flatnonzero(np.isfinite(look[:, 0])).tolist() == [*range(10), *range(40, 46)]
