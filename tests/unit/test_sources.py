"""Skeletons from files."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.pose.openpose_json import to_pose_keypoint
from kinetics.pose.sources import SERIES_NAMES, keeps_times, load_pose


def series(frames=6) -> dict[str, np.ndarray]:
    """Arrays as the earlier analysis wrote them: trunk 60 px long, tip 70 px from the left wrist."""
    kps = np.zeros((frames, 13, 2), np.float32)
    at = dict(zip(SERIES_NAMES, range(13), strict=True))
    for name, point in {
        "left_shoulder": (100, 100), "right_shoulder": (120, 100), "left_hip": (104, 160), "right_hip": (116, 160), "pelvis": (110, 160),
        "left_elbow": (95, 130), "right_elbow": (125, 130), "left_wrist": (108, 150), "right_wrist": (112, 148), "left_knee": (103, 200),
        "right_knee": (118, 200), "left_ankle": (102, 240), "right_ankle": (120, 240.5),
    }.items():  # fmt: skip
        kps[:, at[name]] = point
    bat = np.tile(np.float32([108, 220]), (frames, 1))
    return {"kps": kps, "conf": np.full((frames, 13), 0.7, np.float32), "bat": bat, "u": np.float32([1, 0])}


def test_pose_json_comes_back_and_needs_no_rate(tmp_path, stick_batter):
    pose = stick_batter()
    pose.save(tmp_path / "pose.json")
    back = load_pose(tmp_path / "pose.json")
    assert np.array_equal(back.xy, pose.xy) and np.array_equal(back.t, pose.t)


def test_pose_keypoint_file_and_folder_come_back(tmp_path, stick_batter):
    pose = stick_batter()
    value = to_pose_keypoint(pose)
    (tmp_path / "list.json").write_text(json.dumps(value))
    (tmp_path / "folder").mkdir()
    for number, one in enumerate(value):
        (tmp_path / "folder" / f"f_{number:05d}_keypoints.json").write_text(json.dumps(one))
    for path in (tmp_path / "list.json", tmp_path / "folder"):
        back = load_pose(path, fps=25)
        np.testing.assert_array_equal(back.joint("left_wrist"), pose.joint("left_wrist"))
        np.testing.assert_allclose(back.t, pose.t, atol=1e-12)
        assert back.source == str(path)


def test_a_files_own_times_or_those_that_are_told(tmp_path, stick_batter):
    pose = stick_batter()
    pose.save(tmp_path / "pose.json")
    (tmp_path / "list.json").write_text(json.dumps(to_pose_keypoint(pose)))
    np.savez(tmp_path / "shot_series.npz", **series())
    assert [keeps_times(tmp_path / name) for name in ("pose.json", "list.json", "shot_series.npz")] == [True, False, False]
    uneven = pose.t + 0.004 * np.sin(np.arange(len(pose)))
    assert np.array_equal(load_pose(tmp_path / "pose.json", t=uneven).t, pose.t)
    assert np.array_equal(load_pose(tmp_path / "list.json", t=uneven).t, uneven)
    assert np.array_equal(load_pose(tmp_path / "shot_series.npz", t=uneven[:6]).t, uneven[:6])
    with pytest.raises(KineticsError, match="has 6 frames but 5 times were given"):
        load_pose(tmp_path / "shot_series.npz", t=uneven[:5])


def test_series_gets_coco_names_and_the_tip(tmp_path):
    arrays = series()
    np.savez(tmp_path / "shot_series.npz", **arrays)
    pose = load_pose(tmp_path / "shot_series.npz", fps=25)
    assert pose.names == (*SERIES_NAMES, "bat_tip") and len(pose) == 6
    assert pose.joint("right_ankle")[0].tolist() == [120, 240.5]
    assert pose.joint("bat_tip")[0].tolist() == [108, 220]
    np.testing.assert_allclose(pose.t, np.arange(6) / 25)
    # The smallest picture that holds 125 and 240.5, 16 pixels spare.
    assert pose.size == (141, 257)
    assert load_pose(tmp_path / "shot_series.npz", fps=25, size=(640, 480)).size == (640, 480)


def test_a_tip_that_no_bat_reaches_is_doubted_and_counted(tmp_path):
    arrays = series()
    arrays["bat"][1] = [109.6, 150]  # 1.6 px from the wrist: the earlier analysis's fault
    arrays["bat"][2] = [300, 300]  # 3.8 trunk lengths away
    arrays["bat"][3] = np.nan
    np.savez(tmp_path / "s.npz", **arrays)
    pose = load_pose(tmp_path / "s.npz", fps=25)
    assert pose.conf[:, -1].tolist() == [0.5, 0.1, 0.1, 0.0, 0.5, 0.5]
    assert pose.provenance["bat_tip"]["out_of_reach"] == 3


class Bomb:
    """Unpickling it would say so."""

    def __reduce__(self):
        return (pytest.fail, ("the pickled part was opened",))


def test_the_pickled_part_is_never_opened(tmp_path):
    np.savez(tmp_path / "s.npz", **series(), series=np.array(Bomb(), dtype=object))
    assert len(load_pose(tmp_path / "s.npz", fps=25)) == 6


def damaged(change: str) -> dict[str, np.ndarray]:
    arrays = series()
    if change == "no bat":
        del arrays["bat"]
    elif change == "kps of 12 joints":
        arrays["kps"] = arrays["kps"][:, :12]
    elif change == "conf of another length":
        arrays["conf"] = arrays["conf"][:-1]
    elif change == "no frames":
        arrays = {name: value[:0] for name, value in arrays.items()}
    elif change == "kps pickled":
        arrays["kps"] = np.array({"a": 1}, dtype=object)
    return arrays


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no bat", "has no 'bat'"), ("kps of 12 joints", r"\(6, 12, 2\)"), ("conf of another length", r"\(5, 13\)"),
        ("no frames", r"\(0, 13, 2\)"), ("kps pickled", "can't be read"),
    ],
)  # fmt: skip
def test_series_of_the_wrong_shape_are_refused(tmp_path, change, said):
    np.savez(tmp_path / "s.npz", **damaged(change))
    with pytest.raises(KineticsError, match=said):
        load_pose(tmp_path / "s.npz", fps=25)


def test_series_without_a_rate_is_refused(tmp_path):
    np.savez(tmp_path / "s.npz", **series())
    with pytest.raises(KineticsError, match="keeps no times; give its frames per second"):
        load_pose(tmp_path / "s.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", pickle.dumps({"kps": 1})])
def test_files_that_are_no_npz_are_refused(tmp_path, content):
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(KineticsError, match=r"can't be read as a \*_series.npz"):
        load_pose(tmp_path / "s.npz", fps=25)


def test_a_cut_off_npz_is_refused(tmp_path):
    np.savez(tmp_path / "s.npz", **series())
    content = (tmp_path / "s.npz").read_bytes()
    (tmp_path / "s.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(KineticsError, match="can't be read"):
        load_pose(tmp_path / "s.npz", fps=25)


def test_other_files_and_no_file_are_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (tmp_path / "note.json").write_text('{"a": 1}')
    for path, said in (
        (tmp_path / "clip.mp4", "not a skeleton file"),
        (tmp_path / "none.json", "is not there"),
        (tmp_path / "note.json", "no people"),
    ):
        with pytest.raises(KineticsError, match=said):
            load_pose(path, fps=25)
