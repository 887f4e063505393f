"""PoseSequence: what it refuses, what it keeps, and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kinetics.errors import KineticsError
from kinetics.pose_sequence import COCO_NAMES, LIMB_NAMES, PoseSequence


def two_joints(**changes) -> dict:
    """Three frames of two joints, sound unless changed."""
    return {
        "xy": np.arange(12.0).reshape(3, 2, 2), "conf": np.full((3, 2), 0.8), "t": [0.0, 0.04, 0.09], "names": ("nose", "left_wrist"),
        "size": (64, 48), "provenance": {"source": "made up"}, **changes,
    }  # fmt: skip


def test_names_are_cocos():
    assert len(COCO_NAMES) == 17 and len(LIMB_NAMES) == 12
    assert LIMB_NAMES[0] == "left_shoulder" and LIMB_NAMES[-1] == "right_ankle"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"xy": np.zeros((3, 2))}, "frames × joints × 2"),
        ({"conf": np.zeros((3, 3))}, "disagree"),
        ({"t": [0.0, 0.04]}, "disagree"),
        ({"names": ("nose",)}, "disagree"),
        ({"names": ("nose", "nose")}, "repeat"),
        ({"xy": np.zeros((0, 2, 2)), "conf": np.zeros((0, 2)), "t": []}, "no frames"),
        ({"t": [0.0, 0.04, 0.04]}, "at frame 2"),
        ({"t": [0.0, np.nan, 0.08]}, "at frame 1"),
        ({"xy": np.full((3, 2, 2), np.inf)}, "infinite"),
        ({"conf": np.full((3, 2), 1.2)}, "between 0 and 1"),
        ({"conf": np.full((3, 2), np.nan)}, "between 0 and 1"),
        ({"space": "feet"}, "feet"),
        ({"size": (0, 48)}, "width and a height"),
    ],
)
def test_unsound_parts_are_refused_with_the_source_named(changes, said):
    with pytest.raises(KineticsError, match=said):
        PoseSequence(**two_joints(**changes))


def test_half_missing_joint_is_missing_with_confidence_zero():
    xy = np.arange(12.0).reshape(3, 2, 2)
    xy[1, 0, 1] = np.nan
    pose = PoseSequence(**two_joints(xy=xy))
    assert np.isnan(pose.xy[1, 0]).all() and pose.conf[1, 0] == 0
    assert pose.missing.sum() == 1 and pose.missing[1, 0]


def test_arrays_are_its_own_and_locked():
    xy = np.arange(12.0).reshape(3, 2, 2)
    pose = PoseSequence(**two_joints(xy=xy))
    xy[0, 0, 0] = 99
    assert pose.xy[0, 0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        pose.xy[0, 0, 0] = 1


def test_joints_are_found_by_name():
    pose = PoseSequence(**two_joints())
    assert np.array_equal(pose.joint("left_wrist"), pose.xy[:, 1])
    turned = pose.select(["left_wrist", "nose"])
    assert turned.names == ("left_wrist", "nose") and np.array_equal(turned.xy, pose.xy[:, ::-1])
    with pytest.raises(KineticsError, match="no joint 'tail'; it has nose, left_wrist"):
        pose.joint("tail")


def test_a_step_adds_to_the_provenance_of_the_copy_only():
    pose = PoseSequence(**two_joints())
    once = pose.with_step("first", xy=pose.xy + 1, count=3)
    twice = once.with_step("second", space="body")
    assert pose.provenance == {"source": "made up"}
    assert [step["step"] for step in twice.provenance["steps"]] == ["first", "second"]
    assert twice.provenance["steps"][0] == {"step": "first", "count": 3}
    assert np.array_equal(twice.xy, pose.xy + 1) and twice.space == "body" and once.space == "px"


@given(
    xy=arrays(float, (4, 3, 2), elements=st.floats(-1e4, 1e4) | st.just(np.nan)),
    conf=arrays(float, (4, 3), elements=st.floats(0, 1)),
    steps=arrays(float, 4, elements=st.floats(1e-3, 1)),
)
def test_dict_goes_there_and_back_unchanged_through_strict_json(xy, conf, steps):
    pose = PoseSequence(xy, conf, np.cumsum(steps), ("nose", "bat_tip", "neck"), (640, 480), provenance={"source": "x", "steps": []})
    back = PoseSequence.from_dict(json.loads(json.dumps(pose.to_dict(), allow_nan=False)))
    for name in ("xy", "conf", "t"):
        assert np.array_equal(getattr(back, name), getattr(pose, name), equal_nan=True)
    assert (back.names, back.size, back.space, back.provenance) == (pose.names, pose.size, pose.space, pose.provenance)


def test_file_goes_there_and_back_and_null_joints_are_read(tmp_path):
    pose = PoseSequence(**two_joints())
    pose.save(tmp_path / "deep" / "pose.json")
    assert np.array_equal(PoseSequence.load(tmp_path / "deep" / "pose.json").xy, pose.xy)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["pose.json"]
    value = pose.to_dict()
    value["xy"][2][1] = None
    assert PoseSequence.from_dict(value).missing.tolist() == [[False, False], [False, False], [False, True]]


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1]", "not a pose.json"), ("{", "not a JSON file"), ('{"names": []}', "lacks size, t, xy, conf")],
)
def test_files_that_are_no_pose_are_refused(tmp_path, text, said):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(KineticsError, match=said):
        PoseSequence.load(tmp_path / "p.json")


def test_ragged_arrays_and_a_missing_file_are_refused(tmp_path):
    value = PoseSequence(**two_joints()).to_dict()
    value["xy"][1] = value["xy"][1][:1]
    with pytest.raises(KineticsError, match="wrong shape"):
        PoseSequence.from_dict(value)
    with pytest.raises(KineticsError, match="No such file"):
        PoseSequence.load(tmp_path / "absent.json")
