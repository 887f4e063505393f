"""Pose hints against what controlnet_aux 0.0.10 draws, whose limbs, colours and drawing stand here as data."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.hints import BAT_COLOUR, COLOURS, LIMBS, draw_hint, draw_pose_hint, hint_points, stick_width
from kinetics.pose.openpose_json import OPENPOSE_18
from kinetics.pose_sequence import COCO_NAMES, PoseSequence

#: controlnet_aux 0.0.10, open_pose/util.py, draw_bodypose: pairs of joints, counted from 1, and colours.
AUX_LIMBS = [
    [2, 3], [2, 6], [3, 4], [4, 5], [6, 7], [7, 8], [2, 9], [9, 10], [10, 11], [2, 12], [12, 13], [13, 14], [2, 1], [1, 15], [15, 17], [1, 16], [16, 18],
]  # fmt: skip
AUX_COLOURS = [
    [255, 0, 0], [255, 85, 0], [255, 170, 0], [255, 255, 0], [170, 255, 0], [85, 255, 0], [0, 255, 0], [0, 255, 85], [0, 255, 170], [0, 255, 255],
    [0, 170, 255], [0, 85, 255], [0, 0, 255], [85, 0, 255], [170, 0, 255], [255, 0, 255], [255, 0, 170], [255, 0, 85],
]  # fmt: skip
AUX_STICK = 4


def aux_drawing(keypoints, width, height):
    """What draw_bodypose does with 18 keypoints, each None or (x, y) as shares of the canvas."""
    canvas = np.zeros((height, width, 3), np.uint8)
    for (first, second), colour in zip(AUX_LIMBS, AUX_COLOURS, strict=False):
        if keypoints[first - 1] is None or keypoints[second - 1] is None:
            continue
        x = np.array([keypoints[first - 1][0], keypoints[second - 1][0]]) * float(width)
        y = np.array([keypoints[first - 1][1], keypoints[second - 1][1]]) * float(height)
        length = ((y[0] - y[1]) ** 2 + (x[0] - x[1]) ** 2) ** 0.5
        angle = math.degrees(math.atan2(y[0] - y[1], x[0] - x[1]))
        polygon = cv2.ellipse2Poly((int(np.mean(x)), int(np.mean(y))), (int(length / 2), AUX_STICK), int(angle), 0, 360, 1)
        cv2.fillConvexPoly(canvas, polygon, [int(float(value) * 0.6) for value in colour])
    for keypoint, colour in zip(keypoints, AUX_COLOURS, strict=True):
        if keypoint is not None:
            cv2.circle(canvas, (int(keypoint[0] * width), int(keypoint[1] * height)), AUX_STICK, colour, thickness=-1)
    return canvas


def colours_in(image):
    return {tuple(int(value) for value in colour) for colour in np.unique(image.reshape(-1, 3), axis=0)}


def a_pose(**changes):
    """One frame of a standing body with COCO's joints."""
    at = {
        "nose": (100, 40), "left_eye": (106, 34), "right_eye": (94, 34), "left_ear": (114, 36), "right_ear": (86, 36), "left_shoulder": (130, 80),
        "right_shoulder": (70, 84), "left_elbow": (150, 120), "right_elbow": (60, 124), "left_wrist": (120, 150), "right_wrist": (112, 154),
        "left_hip": (118, 170), "right_hip": (84, 172), "left_knee": (124, 220), "right_knee": (80, 222), "left_ankle": (126, 270), "right_ankle": (76, 272),
    } | changes  # fmt: skip
    names = tuple(at)
    xy = np.array([[at[name] for name in names]], float)
    return PoseSequence(xy, np.full((1, len(names)), 0.9), [0.0], names, (200, 300))


def test_limbs_and_colours_are_the_reference_s():
    assert [[OPENPOSE_18.index(name) + 1 for name in limb] for limb in LIMBS] == AUX_LIMBS
    assert [list(colour) for colour in COLOURS] == AUX_COLOURS


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(120, 700), st.integers(120, 700))
def test_drawing_is_the_reference_s_pixel_for_pixel(seed, width, height):
    rng = np.random.default_rng(seed)
    # Joints a little outside the canvas too; about one in six is missing.
    shares = rng.uniform(-0.1, 1.1, (18, 2))
    there = rng.random(18) < 0.85
    reference = aux_drawing([tuple(share) if seen else None for share, seen in zip(shares, there, strict=True)], width, height)
    points = {name: share * (width, height) for name, share, seen in zip(OPENPOSE_18, shares, there, strict=True) if seen}
    assert np.array_equal(draw_hint(points, (width, height), stick=AUX_STICK), reference)


def test_missing_joint_is_left_out_with_its_limbs_and_never_drawn_at_zero():
    whole = draw_pose_hint(a_pose(), 0, (200, 300))
    pose = a_pose(right_wrist=(np.nan, np.nan))
    less = draw_pose_hint(pose, 0, (200, 300))
    place = OPENPOSE_18.index("right_wrist")
    limb = LIMBS.index(("right_elbow", "right_wrist"))
    gone = {COLOURS[place], tuple(int(0.6 * value) for value in COLOURS[limb])}
    assert gone <= colours_in(whole) and not gone & colours_in(less)
    assert not less[:20, :20].any()


def test_joint_without_confidence_is_missing():
    pose = a_pose()
    conf = pose.conf.copy()
    conf[0, pose.index("nose")] = 0.0
    assert "nose" not in hint_points(PoseSequence(pose.xy, conf, pose.t, pose.names, pose.size), 0)


def test_neck_is_between_the_shoulders_unless_the_skeleton_has_its_own():
    assert np.allclose(hint_points(a_pose(), 0)["neck"], (100, 82))
    assert np.allclose(hint_points(a_pose(neck=(99, 70)), 0)["neck"], (99, 70))
    assert "neck" not in hint_points(a_pose(left_shoulder=(np.nan, np.nan)), 0)


def test_affine_map_moves_the_drawing():
    matrix = np.array([[1.0, 0.0, 30.0], [0.0, 1.0, 17.0]])
    plain, moved = draw_pose_hint(a_pose(), 0, (300, 400)), draw_pose_hint(a_pose(), 0, (300, 400), matrix)
    assert np.array_equal(moved[17:, 30:], plain[:-17, :-30])
    doubled = hint_points(a_pose(), 0, np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]))
    assert np.allclose(doubled["nose"], (200.5, 80.5))


def test_bat_lies_beneath_the_body_in_a_colour_of_its_own():
    pose = a_pose(bat_tip=(60, 250))
    without, bat = draw_pose_hint(pose, 0, (200, 300)), draw_pose_hint(pose, 0, (200, 300), bat=True)
    body = without.any(axis=2)
    assert np.array_equal(bat[body], without[body])
    assert colours_in(bat) - colours_in(without) == {BAT_COLOUR, (153, 153, 153)}
    assert tuple(bat[250, 60]) == BAT_COLOUR
    # From the middle of the wrists to the tip: the middle of the shaft is white, dimmed.
    middle = np.mean([(116, 152), (60, 250)], axis=0)
    assert tuple(bat[round(middle[1]), round(middle[0])]) == (153, 153, 153)


def test_bat_is_held_where_the_hands_are_known():
    assert np.allclose(hint_points(a_pose(hands=(90, 160)), 0)["hands"], (90, 160))
    assert np.allclose(hint_points(a_pose(left_wrist=(np.nan, np.nan)), 0)["hands"], (112, 154))
    no_wrists = a_pose(left_wrist=(np.nan, np.nan), right_wrist=(np.nan, np.nan), bat_tip=(60, 250))
    drawn = draw_pose_hint(no_wrists, 0, (200, 300), bat=True)
    assert BAT_COLOUR in colours_in(drawn) and (153, 153, 153) not in colours_in(drawn)  # a tip, and no shaft to nowhere


@pytest.mark.parametrize("size, width", [((512, 512), 4), ((768, 512), 4), ((1024, 1024), 8), ((256, 384), 2), ((64, 64), 1)])
def test_line_width_follows_the_canvas(size, width):
    assert stick_width(size) == width
    points = hint_points(a_pose(), 0)
    assert np.array_equal(draw_hint(points, size), draw_hint(points, size, stick=width))


def test_coco_skeleton_has_every_joint_of_the_hint():
    assert set(OPENPOSE_18) <= set(hint_points(a_pose(), 0)) and set(a_pose().names) == set(COCO_NAMES)


def test_far_joint_is_passed_over():
    assert not draw_hint({"nose": np.array([1e9, 5.0]), "neck": np.array([np.nan, 1.0])}, (64, 64)).any()


def test_hint_needs_pixels():
    pose = a_pose()
    with pytest.raises(KineticsError, match="needs pixels"):
        hint_points(PoseSequence(pose.xy, pose.conf, pose.t, pose.names, pose.size, "body"), 0)
