"""Several people in POSE_KEYPOINT: order is no identity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.pose.openpose_json import OPENPOSE_18, from_pose_keypoint

T = np.arange(60) / 25
SHAPE = np.array(
    [
        [0, -40], [0, 0], [-15, 0], [-20, 30], [-18, 55], [15, 0], [20, 30], [18, 55], [-9, 60], [-10, 100], [-10, 140], [9, 60],
        [10, 100], [10, 140], [-4, -44], [4, -44], [-9, -42], [9, -42],
    ], float
)  # fmt: skip


def walker(start: float, speed: float, scale: float = 1.0, swing: float = 0.0, y: float = 240.0) -> np.ndarray:
    """(60, 18, 2): a person moving along, whose wrists swing."""
    xy = np.array([scale * SHAPE + [start + speed * t, y] for t in T])
    for name in ("left_wrist", "right_wrist"):
        xy[:, OPENPOSE_18.index(name), 0] += swing * np.sin(2 * np.pi * 1.5 * T)
    return xy


def value(people: list[np.ndarray], seed: int, lost: float = 0.0) -> tuple[list[dict], np.ndarray]:
    """Frames with the people in random order and some joints lost; and (T, P) the place of each person."""
    rng = np.random.default_rng(seed)
    frames, places = [], np.zeros((len(T), len(people)), int)
    for k in range(len(T)):
        order = rng.permutation(len(people))
        listed = []
        for place, who in enumerate(order):
            places[k, who] = place
            conf = (rng.random(18) >= lost).astype(float)
            numbers = np.column_stack([people[who][k] + rng.normal(0, 1, (18, 2)), conf])
            listed.append({"pose_keypoints_2d": numbers.ravel().tolist()})
        frames.append({"canvas_width": 1280, "canvas_height": 480, "people": listed})
    return frames, places


def strays(pose, truth: np.ndarray) -> float:
    """Largest distance of a joint from the person's own, pixels."""
    own = np.stack([truth[:, OPENPOSE_18.index(name)] for name in pose.names], axis=1)
    return float(np.nanmax(np.linalg.norm(pose.xy - own, axis=2)))


@given(st.integers(0, 10_000), st.floats(0, 0.4))
@settings(max_examples=25)
def test_people_are_followed_whatever_their_order_and_with_joints_lost(seed, lost):
    a, b = walker(200, 60), walker(330, -20, y=265)
    frames, places = value([a, b], seed, lost)
    for who, truth in enumerate((a, b)):
        pose = from_pose_keypoint(frames, fps=25, person=int(places[0, who]))
        # Noise of sigma = 1 px stays under 6 px; the other person passes 25 px away.
        assert strays(pose, truth) < 6


def test_people_who_cross_keep_their_skeletons():
    a, b = walker(100, 160), walker(480, -160, scale=1.05)
    frames, places = value([a, b], 7)
    for who, truth in enumerate((a, b)):
        assert strays(from_pose_keypoint(frames, fps=25, person=int(places[0, who])), truth) < 6


def test_auto_takes_the_one_who_swings_and_largest_the_largest():
    batter, bystander = walker(200, 5, swing=40), walker(500, 90, scale=1.5)
    frames, _ = value([batter, bystander], 3)
    assert strays(from_pose_keypoint(frames, fps=25), batter) < 6
    assert strays(from_pose_keypoint(frames, fps=25, person="largest"), bystander) < 6


def test_a_number_counts_in_the_first_frame_that_has_so_many():
    a, b = walker(200, 0), walker(600, 0)
    frames, _ = value([a, b], 5)
    for k in range(10):  # only the first person in the first ten frames
        frames[k]["people"] = [{"pose_keypoints_2d": np.column_stack([a[k], np.ones(18)]).ravel().tolist()}]
    x = [np.mean(person["pose_keypoints_2d"][0::3]) for person in frames[10]["people"]]
    pose = from_pose_keypoint(frames, fps=25, person=1)
    assert strays(pose, b if x[1] > x[0] else a) < 6


def test_half_a_person_near_is_no_better_a_match_than_the_whole_one():
    # The fault of summing over shared joints only: somebody half seen 25 px away would beat one's own whole body at 30 px.
    own = walker(300, 0)
    own[30:] += [30, 0]
    frames, _ = value([own], 0)
    for k in range(30, 60):
        half = np.column_stack([own[k] + [-5, 0], np.arange(18) < 9])
        frames[k]["people"].insert(0, {"pose_keypoints_2d": half.ravel().tolist()})
    assert not from_pose_keypoint(frames, fps=25, person=0).missing.any()


def test_someone_who_leaves_and_is_soon_back_is_the_same_and_nobody_stands_in():
    a, b = walker(200, 0), walker(700, 0)
    frames, places = value([a, b], 1)
    gone = range(20, 35)
    for k in gone:
        frames[k]["people"] = [frames[k]["people"][places[k, 1]]]
    pose = from_pose_keypoint(frames, fps=25, person=int(places[0, 0]))
    assert pose.missing.all(axis=1).tolist() == [k in gone for k in range(60)]
    assert strays(pose, a) < 6 and pose.provenance["people"] == 2


@pytest.mark.parametrize("person", ["auto", "largest", 0])
def test_one_person_alone_is_one_track_through_any_jump(person):
    a = walker(100, 0)
    a[30:] += [600, 0]
    frames, _ = value([a], 2)
    pose = from_pose_keypoint(frames, fps=25, person=person)
    assert not pose.missing.any() and pose.provenance["people"] == 1
