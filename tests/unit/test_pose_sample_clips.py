"""From the pixels of the sample clips to joints, against the closed-form truth."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinetics.pose.estimators import make_estimator
from kinetics.pose.extract import extract_pose
from kinetics.pose_sequence import LIMB_NAMES
from kinetics.synthetic import SHOTS, write_sample_clips
from kinetics.video.decode import Clip


@pytest.fixture(scope="module")
def estimator():
    made = make_estimator("mediapipe")
    yield made
    made.close()


def true_joints(clip):
    """(T, 12, 2) limb joints in pixels, and the torso's length (T,): mid-shoulder to mid-hip."""
    truth = json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))["joints"]
    joint = {name: np.array(truth[name]["px"], dtype=float) for name in LIMB_NAMES}
    shoulders = (joint["left_shoulder"] + joint["right_shoulder"]) / 2
    hips = (joint["left_hip"] + joint["right_hip"]) / 2
    return np.stack([joint[name] for name in LIMB_NAMES], axis=1), np.linalg.norm(shoulders - hips, axis=1)


def measure(clip, estimator):
    """The skeleton, its limb joints' distance from the truth in torso lengths (T, 12), and the distance of their middle (T,)."""
    pose = extract_pose(Clip(clip), estimator).select(LIMB_NAMES)
    truth, torso = true_joints(clip)
    off = np.linalg.norm(pose.xy - truth, axis=2) / torso[:, None]
    middle = np.linalg.norm(pose.xy.mean(axis=1) - truth.mean(axis=1), axis=1) / torso
    return pose, off, middle


@pytest.mark.parametrize("shot", SHOTS)
def test_the_batter_is_found_and_measured(sample_clips, estimator, shot):
    clip = next(path for path in sample_clips if path.stem == shot)
    pose, off, _ = measure(clip, estimator)
    assert (~pose.missing.all(axis=1)).mean() >= 0.99
    assert (off <= 0.2).mean() >= 0.95  # PCK@0.2; a missing joint counts as wrong, since NaN <= 0.2 is false


def test_the_batter_is_kept_when_a_second_person_crosses(tmp_path, estimator):
    """The fielder passes right behind the batter of the hook, the hardest of the six."""
    (clip,) = write_sample_clips(tmp_path, shots=("hook",), second_person=True)
    pose, off, middle = measure(clip, estimator)
    assert (~pose.missing.all(axis=1)).mean() >= 0.99
    assert np.nanmax(middle) < 1.0  # a switch would put the body a person's width and more away, for good
    # While the two overlap, some joints are the other's; for the rest of the clip the batter is measured as without him.
    assert (off <= 0.2).mean() >= 0.88
