"""Tips from masks, boxes and forearms, and the hands they are told by: shapes whose toe is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.motion.bat_boxes import box_tips
from kinetics.motion.bat_mask import mask_tip, mask_tips, read_masks
from kinetics.motion.camera import Camera
from kinetics.motion.forearm import forearm_tips
from kinetics.motion.hands import hold, read_hands
from kinetics.pose_sequence import PoseSequence

SIZE = (640, 480)
LENGTH = 100.0


def bar(grip, angle: float, length: float = LENGTH, width: float = 14.0, behind: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a bat held at ``grip`` that points along ``angle``, and the middle of its end edge."""
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]]) * width / 2
    toe, end = np.asarray(grip) + length * along, np.asarray(grip) - behind * along
    return np.array([end + across, toe + across, toe - across, end - across]), toe


def drawn(corners: np.ndarray, size=SIZE) -> np.ndarray:
    plane = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(plane, np.round(corners * 16).astype(np.int32), 1, shift=4)
    return plane


def two_hands(frames: int = 12, **moved) -> PoseSequence:
    """A batter whose hands are 10 px apart at (300, 200), elbows 60 px above; ``moved`` replaces joints."""
    at = {f"{side}_{joint}": np.tile(place, (frames, 1)).astype(float) for side, x in (("left", 295), ("right", 305)) for joint, place in (
        ("shoulder", (x, 60)), ("elbow", (x, 140)), ("wrist", (x, 195)), ("index", (x, 205)), ("pinky", (x, 205)), ("thumb", (x, 205)),
        ("hip", (x, 210)), ("knee", (x, 300)), ("ankle", (x, 390)),
    )} | moved  # fmt: skip
    xy = np.stack(list(at.values()), axis=1)
    return PoseSequence(xy, np.where(np.isnan(xy[..., 0]), 0.0, 0.9), np.arange(frames) / 25, tuple(at), SIZE, provenance={"source": "two hands"})


@pytest.mark.parametrize("angle", np.radians([0, 37, 90, 155, 200, 290]))
def test_a_mask_s_far_end_is_the_tip(angle):
    corners, toe = bar((320, 240), angle)
    tip, sigma = mask_tip(drawn(corners) > 0, np.array([320.0, 240.0]), LENGTH, SIZE)
    # Half a pixel of rasterising each way, and the axis of a bar this slender is known to a degree or two of 60 px.
    assert np.linalg.norm(tip - toe) < 2.0
    assert 1.0 <= sigma <= 3.0


def test_a_mask_of_another_size_is_scaled():
    corners, toe = bar((320, 240), 0.7)
    half = drawn(corners / 2, (320, 240))
    tip, _ = mask_tip(half > 0, np.array([320.0, 240.0]), LENGTH, SIZE)
    assert np.linalg.norm(tip - toe) < 3.0  # a pixel of the mask is two of the clip


def test_a_mask_that_gloves_cut_in_two_still_reaches_the_toe():
    corners, toe = bar((320, 240), 0.4)
    mask = drawn(corners)
    cv2.circle(mask, (340, 248), 12, 0, -1)
    tip, _ = mask_tip(mask > 0, np.array([320.0, 240.0]), LENGTH, SIZE)
    assert np.linalg.norm(tip - toe) < 2.0


def test_masks_that_show_no_bat_s_end_say_nothing():
    hand = np.array([320.0, 240.0])
    body = np.zeros(SIZE[::-1], np.uint8)
    cv2.ellipse(body, (320, 260), (60, 90), 0, 0, 360, 1, -1)
    assert mask_tip(body > 0, hand, LENGTH, SIZE) is None  # as wide as long
    beyond, _ = bar((600, 240), 0.0)
    assert mask_tip(drawn(beyond) > 0, np.array([600.0, 240.0]), LENGTH, SIZE) is None  # leaves the picture
    elsewhere, _ = bar((80, 60), 0.3)
    assert mask_tip(drawn(elsewhere) > 0, hand, LENGTH, SIZE) is None  # not in these hands
    stump, _ = bar((320, 240), 0.0, length=190)
    assert mask_tip(drawn(stump) > 0, hand, LENGTH, SIZE) is None  # longer than a bat
    middle, _ = bar((320, 240), 0.0, length=60, behind=60)
    assert mask_tip(drawn(middle) > 0, hand, LENGTH, SIZE) is None  # which end is the toe?


def test_masks_are_read_one_per_frame_and_empty_ones_say_nothing():
    corners, toe = bar((320, 240), 0.7)
    stack = np.stack([drawn(corners), np.zeros(SIZE[::-1], np.uint8)]).astype(np.float32)
    planes = read_masks(stack, 2)
    assert planes[1] is None
    (frame, tip, _), = mask_tips(planes, np.full((2, 2), (320.0, 240.0)), np.full(2, LENGTH), SIZE)
    assert frame == 0 and np.linalg.norm(tip - toe) < 2.0
    assert read_masks([None, stack[0]], 2)[0] is None
    with pytest.raises(KineticsError, match="3 frames"):
        read_masks(stack, 3)
    with pytest.raises(KineticsError, match="height × width"):
        read_masks([np.zeros(5)], 1)


@given(st.floats(0, 2 * np.pi))
def test_a_box_s_tip_lies_near_the_bat_s(angle):
    # No handle behind the hands, as boxes of the blade are drawn.
    corners, toe = bar((320, 240), angle, behind=0.0, width=15.0)
    low, high = corners.min(axis=0), corners.max(axis=0)
    found = box_tips({4: (*low, *(high - low))}, np.full((5, 2), (320.0, 240.0)), np.full(5, LENGTH), SIZE)
    tip, sigma = found[4]
    # The far corner is told by the hand; when the bat lies along an axis either long side may hold it, half a blade's width away.
    assert np.linalg.norm(tip - toe) < 16.0
    assert sigma == pytest.approx(7.0)


def test_boxes_that_can_t_be_a_bat_s_are_left_out():
    hands, length = np.full((6, 2), (320.0, 240.0)), np.full(6, LENGTH)
    hands[5] = np.nan
    boxes = {
        0: (100.0, 100.0, 60.0, 60.0),  # not in these hands
        1: (320.0, 240.0, 150.0, 150.0),  # longer than a bat
        2: (290.0, 210.0, 60.0, 60.0),  # held in its middle
        5: (320.0, 240.0, 70.0, 70.0),  # hands unknown
    }
    assert box_tips(boxes, hands, length, SIZE) == {}


def test_the_forearms_point_the_bat_only_inside_the_picture():
    pose = two_hands()
    tips = forearm_tips(pose, np.full((12, 2), (300.0, 200.0)), np.full(12, LENGTH))
    assert sorted(tips) == list(range(12))
    np.testing.assert_allclose(tips[3][0], (300.0, 300.0), atol=1e-9)
    assert tips[3][1] == pytest.approx(60.0)
    assert forearm_tips(pose, np.full((12, 2), (300.0, 420.0)), np.full(12, LENGTH)) == {}


def test_hands_are_halfway_from_wrist_to_knuckles_and_between_both():
    pose = two_hands()
    hands = read_hands(pose, Camera.still(pose.t, SIZE), np.full(12, LENGTH))
    np.testing.assert_allclose(hands.left, np.tile((295.0, 200.0), (12, 1)))
    np.testing.assert_allclose(hands.middle, np.tile((300.0, 200.0), (12, 1)))
    assert (hands.sigma > 0).all()


def test_one_hand_alone_carries_the_offset_of_both_and_a_wider_sigma():
    gone = np.full((12, 2), np.nan)
    right = {f"right_{joint}": np.where(np.arange(12)[:, None] >= 6, gone, two_hands().joint(f"right_{joint}")) for joint in ("wrist", "index", "pinky", "thumb")}
    pose = two_hands(**right)
    hands = read_hands(pose, Camera.still(pose.t, SIZE), np.full(12, LENGTH))
    np.testing.assert_allclose(hands.middle, np.tile((300.0, 200.0), (12, 1)))
    assert (hands.sigma[6:] > 1.5 * hands.sigma[0]).all()
    assert np.isnan(hands.right[6:]).all()


def test_a_hand_that_jumps_away_for_a_frame_is_left_out():
    wrist = two_hands().joint("left_wrist").copy()
    jumped = {f"left_{joint}": two_hands().joint(f"left_{joint}").copy() for joint in ("index", "pinky", "thumb")} | {"left_wrist": wrist}
    for track in jumped.values():
        track[5] += (90, 0)
    pose = two_hands(**jumped)
    hands = read_hands(pose, Camera.still(pose.t, SIZE), np.full(12, LENGTH))
    assert np.isnan(hands.left[5]).all()
    np.testing.assert_allclose(hands.middle[5], (300.0, 200.0))


def test_no_hands_at_all_is_one_sentence():
    gone = {f"{side}_{joint}": np.full((12, 2), np.nan) for side in ("left", "right") for joint in ("wrist", "index", "pinky", "thumb")}
    pose = two_hands(**gone)
    with pytest.raises(KineticsError, match="no hands"):
        read_hands(pose, Camera.still(pose.t, SIZE), np.full(12, LENGTH))


def test_the_top_hand_is_the_one_farther_from_the_toe():
    pose = two_hands()
    hands = read_hands(pose, Camera.still(pose.t, SIZE), np.full(12, LENGTH))
    toe = np.tile((400.0, 200.0), (12, 1))  # to the right: the left hand is farther
    for grip, expected in (("top", hands.left), ("bottom", hands.right), ("midpoint", hands.middle)):
        place, _, flag = hold(hands, toe, grip)
        np.testing.assert_allclose(place, expected)
        assert flag == ""
    place, _, flag = hold(hands, np.full((12, 2), np.nan), "top")
    np.testing.assert_allclose(place, hands.middle)
    assert "midpoint" in flag
