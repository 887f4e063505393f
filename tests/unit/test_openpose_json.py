"""POSE_KEYPOINT in and out, both dialects and OpenPose's own files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.pose.openpose_json import BODY_25, OPENPOSE_18, from_pose_keypoint, load_pose_keypoint, to_pose_keypoint
from kinetics.pose_sequence import COCO_NAMES, PoseSequence

LENGTHS = {
    "pose_keypoints_2d": 54, "foot_keypoints_2d": 18, "face_keypoints_2d": 210, "hand_left_keypoints_2d": 63, "hand_right_keypoints_2d": 63,
}  # fmt: skip
EXTRA = (
    "neck", "left_foot", "right_foot", "left_heel", "right_heel", "left_index", "right_index", "left_pinky", "right_pinky", "left_thumb",
    "right_thumb",
)  # fmt: skip


def body(at=(300.0, 200.0), size=100.0, c=1.0) -> list[float]:
    """54 numbers: eighteen joints about a point, no two alike."""
    return [value for k in range(18) for value in (at[0] + 0.1 * size * (k % 5), at[1] + 0.1 * size * k, c)]


def frame(*people, canvas=(640, 480), **extra) -> dict:
    return {"people": list(people), "canvas_width": canvas[0], "canvas_height": canvas[1], **extra}


def aux_person(numbers) -> dict:
    return {"pose_keypoints_2d": numbers, "face_keypoints_2d": None, "hand_left_keypoints_2d": None, "hand_right_keypoints_2d": None}


@st.composite
def poses(draw) -> PoseSequence:
    """Skeletons of some of the joints that can be written, in any order, with joints missing; confidence never 0."""
    names = draw(st.permutations(COCO_NAMES + EXTRA))[: draw(st.integers(4, 28))]
    frames = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    xy = rng.uniform(-50, 2000, (frames, len(names), 2))
    xy[rng.random(xy.shape[:2]) < 0.2] = np.nan
    # Somebody has to be there, and the rest near enough in pixels not to look like shares of the canvas.
    xy[0, 0] = [700, 300]
    conf = rng.uniform(0.01, 1, xy.shape[:2])
    t = np.cumsum(rng.uniform(0.01, 0.1, frames))
    return PoseSequence(xy, conf, t, tuple(names), (1280, 720))


@given(poses())
def test_there_and_back_unchanged(pose):
    value = json.loads(json.dumps(to_pose_keypoint(pose), allow_nan=False))
    back = from_pose_keypoint(value, t=pose.t)
    for name in pose.names:
        if pose.missing[:, pose.index(name)].all():
            assert name not in back.names
            continue
        np.testing.assert_array_equal(back.joint(name), pose.joint(name))
        np.testing.assert_array_equal(back.conf[:, back.index(name)], pose.conf[:, pose.index(name)])
    assert back.size == pose.size and np.array_equal(back.t, pose.t)


@given(poses())
def test_binarised_there_and_back_keeps_positions_and_says_only_there_or_not(pose):
    value = to_pose_keypoint(pose, binarise=True)
    back = from_pose_keypoint(value, t=pose.t)
    for name in back.names:
        if name in pose.names:
            np.testing.assert_array_equal(back.joint(name), pose.joint(name))
    assert set(np.unique(back.conf)) <= {0.0, 1.0}
    for one in value:
        for person in one["people"]:
            triples = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)
            assert (triples[triples[:, 2] == 0] == 0).all()


@given(poses(), st.booleans())
def test_every_list_is_whole_and_floats_whatever_is_missing(pose, binarise):
    for one in to_pose_keypoint(pose, binarise):
        assert (one["canvas_width"], one["canvas_height"]) == (1280, 720)
        for person in one["people"]:
            assert {key: len(person[key]) for key in person} == LENGTHS
            assert all(type(value) is float for values in person.values() for value in values)


def test_missing_joints_are_minus_one_for_core_and_a_frame_without_joints_has_no_people():
    xy = np.array([[[10.0, 20.0], [np.nan, np.nan]], [[np.nan, np.nan]] * 2])
    value = to_pose_keypoint(PoseSequence(xy, [[0.7, 0.9], [0, 0]], [0, 1], ("nose", "left_eye"), (64, 48)))
    numbers = value[0]["people"][0]["pose_keypoints_2d"]
    assert numbers[:3] == [10.0, 20.0, 0.7] and numbers[3:] == [-1.0, -1.0, 0.0] * 17
    assert value[1]["people"] == []


def test_neck_is_the_middle_of_the_shoulders_with_the_smaller_confidence():
    xy = [[[10, 20], [30, 24]]]
    value = to_pose_keypoint(PoseSequence(xy, [[0.9, 0.4]], [0], ("left_shoulder", "right_shoulder"), (64, 48)))
    assert value[0]["people"][0]["pose_keypoints_2d"][3:6] == [20.0, 22.0, 0.4]


def test_eyes_close_the_face_and_knuckles_stand_in_the_hand_with_the_wrist():
    names = ("left_eye", "right_eye", "left_wrist", "left_index", "left_pinky", "left_thumb")
    pose = PoseSequence([[[k, k + 1] for k in range(1, 7)]], np.full((1, 6), 0.5), [0], names, (64, 48))
    person = to_pose_keypoint(pose)[0]["people"][0]
    assert person["face_keypoints_2d"][-6:] == [2, 3, 0.5, 1, 2, 0.5] and person["face_keypoints_2d"][:3] == [-1, -1, 0]
    hand = np.array(person["hand_left_keypoints_2d"]).reshape(21, 3)
    assert hand[[0, 2, 5, 17], 0].tolist() == [3, 6, 4, 5] and (hand[:, 2] > 0).sum() == 4
    assert (np.array(person["hand_right_keypoints_2d"]).reshape(21, 3)[:, 2] == 0).all()


def test_core_sdpose_missing_joints_keep_a_score_but_are_read_as_missing():
    numbers = body(c=0.8)
    numbers[4 * 3 : 4 * 3 + 3] = [-1.0, -1.0, 0.6]
    numbers[7 * 3 + 2] = 1.3  # a heat map may score above 1
    pose = from_pose_keypoint([frame({"pose_keypoints_2d": numbers, "foot_keypoints_2d": [50.0, 60.0, 0.9] * 6})], fps=25)
    assert "right_wrist" not in pose.names
    assert pose.conf[0, pose.index("left_wrist")] == 1.0 and pose.conf[0, pose.index("nose")] == 0.8
    assert pose.joint("left_foot").tolist() == [[50, 60]] and pose.joint("right_heel").tolist() == [[50, 60]]


def test_aux_dwpose_is_pixels_and_aux_openpose_shares_of_the_canvas():
    pixels = body()
    shares = list(pixels)
    shares[0::3], shares[1::3] = [x / 640 for x in pixels[0::3]], [y / 480 for y in pixels[1::3]]
    a = from_pose_keypoint([frame(aux_person(pixels))], fps=25)
    b = from_pose_keypoint([frame(aux_person(shares))], fps=25)
    np.testing.assert_allclose(a.xy, b.xy, rtol=1e-12)
    assert (a.provenance["coordinates"], b.provenance["coordinates"]) == ("pixels", "shares of the canvas")


def test_a_joint_at_nought_with_confidence_nought_is_missing_in_both_dialects():
    numbers = body()
    numbers[0:3] = [0.0, 0.0, 0.0]
    assert "nose" not in from_pose_keypoint(frame(aux_person(numbers)), fps=25).names


def test_a_single_dict_is_one_frame_and_times_may_be_given():
    assert len(from_pose_keypoint(frame(aux_person(body())), fps=25)) == 1
    pose = from_pose_keypoint([frame(aux_person(body()))] * 3, t=[0, 0.05, 0.2])
    assert pose.t.tolist() == [0, 0.05, 0.2]
    assert from_pose_keypoint([frame(aux_person(body()))] * 3, fps=50).t.tolist() == [0, 0.02, 0.04]


def test_frames_without_the_person_are_missing():
    pose = from_pose_keypoint([frame(aux_person(body())), frame(), frame(aux_person(body()))], fps=25)
    assert pose.missing.all(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        ([frame(aux_person(body()))], {}, "keeps no times; give its frames per second"),
        ([frame(aux_person(body()))], {"fps": 25, "t": [0.0]}, "not both"),
        ([frame(aux_person(body()))], {"fps": 0}, "not a rate"),
        ([frame(aux_person(body()))], {"fps": float("nan")}, "not a rate"),
        ([frame(aux_person(body()))], {"t": [0.0, 1.0]}, "1 frames but 2 times"),
        ([{"version": "ap10k", "animals": [], "canvas_width": 9, "canvas_height": 9}], {"fps": 25}, "animals .AP10K., not people"),
        ([{"canvas_width": 9}], {"fps": 25}, "no people list"),
        ([], {"fps": 25}, "not a list of frames"),
        ("pose", {"fps": 25}, "not a list of frames"),
        ([3], {"fps": 25}, "frame 0 .* no people list"),
        ([frame()], {"fps": 25}, "Nobody is in"),
        ([frame(aux_person([0.0] * 54))], {"fps": 25}, "Nobody is in"),
        ([frame(aux_person([1.0] * 51))], {"fps": 25}, "51 numbers"),
        ([frame(aux_person(["x"] * 54))], {"fps": 25}, "not a list of numbers"),
        ([frame([1, 2])], {"fps": 25}, "A person in frame 0"),
        ([frame(aux_person(body())), frame(canvas=(320, 240))], {"fps": 25}, "changes from 640x480 to 320x240 at frame 1"),
        ([{"people": [aux_person([0.5, 0.5, 1.0] * 18)]}], {"fps": 25}, "give the picture's size"),
        ([frame(aux_person(body()))], {"fps": 25, "person": 1}, "no person 1; the most in one frame is 1"),
        ([frame(aux_person(body()))], {"fps": 25, "person": -1}, "no person -1"),
        ([frame(aux_person(body()))], {"fps": 25, "person": "tallest"}, "auto, largest or a number"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(value, options, said):
    with pytest.raises(KineticsError, match=said):
        from_pose_keypoint(value, **options)


def test_only_pixels_can_be_written():
    with pytest.raises(KineticsError, match="needs pixels"):
        to_pose_keypoint(PoseSequence([[[0, 0]]], [[1]], [0], ("nose",), (9, 9), space="body"))


def test_body_25_has_its_pelvis_and_feet_and_no_canvas():
    numbers = [value for k in range(25) for value in (100.0 + k, 300.0 - k, 0.5)]
    pose = from_pose_keypoint({"version": 1.3, "people": [{"pose_keypoints_2d": numbers}]}, fps=25)
    for name in ("pelvis", "left_foot", "right_heel", "left_ear"):
        k = BODY_25.index(name)
        assert pose.joint(name).tolist() == [[100 + k, 300 - k]]
    assert pose.size == (125, 301) and pose.provenance["size_from"] == "smallest that holds every joint"
    assert from_pose_keypoint({"people": [{"pose_keypoints_2d": numbers}]}, fps=25, size=(640, 480)).size == (640, 480)
    assert len(OPENPOSE_18) == 18 and len(BODY_25) == 25


def test_folder_of_openpose_files_is_ordered_by_number_and_a_missing_one_is_an_empty_frame(tmp_path):
    for number in (2, 10, 9, 8, 3, 4, 5, 6):
        person = {"pose_keypoints_2d": body(at=(100 + number, 50)), "hand_left_keypoints_2d": [], "face_keypoints_2d": []}
        (tmp_path / f"clip_{number}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": [person]}))
    pose = load_pose_keypoint(tmp_path, fps=25)
    assert pose.joint("nose")[:, 0].tolist()[:5] == [102, 103, 104, 105, 106]
    assert np.isnan(pose.joint("nose")[5, 0]) and pose.joint("nose")[6:, 0].tolist() == [108, 109, 110]
    assert pose.t[-1] == pytest.approx(8 / 25)


def test_folders_that_are_no_frames_are_refused(tmp_path):
    with pytest.raises(KineticsError, match=r"no .json files"):
        load_pose_keypoint(tmp_path, fps=25)
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(KineticsError, match="don't number the frames"):
        load_pose_keypoint(tmp_path, fps=25)


def test_file_of_a_list_as_controlnet_aux_saves_it(tmp_path):
    (tmp_path / "pose.json").write_text(json.dumps([frame(aux_person(body())), frame(aux_person(body()))]))
    assert len(load_pose_keypoint(tmp_path / "pose.json", fps=30)) == 2
