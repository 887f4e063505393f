"""Hands and face against what controlnet_aux 0.0.10 draws, whose bones, colours and sizes stand here as data."""

from __future__ import annotations

import cv2
import matplotlib.colors
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.hints import FACE_NAMES, HAND_BONES, draw_hint, hand_names
from kinetics.pose.openpose_json import READ_NAMES

#: controlnet_aux 0.0.10, open_pose/util.py, draw_handpose.
AUX_EDGES = [
    [0, 1], [1, 2], [2, 3], [3, 4], [0, 5], [5, 6], [6, 7], [7, 8], [0, 9], [9, 10], [10, 11], [11, 12], [0, 13], [13, 14], [14, 15], [15, 16],
    [0, 17], [17, 18], [18, 19], [19, 20],
]  # fmt: skip
SIZE = (512, 640)


def aux_hand(canvas, points):
    """What draw_handpose does with 21 points on the canvas, right of and below its first pixel."""
    for number, (a, b) in enumerate(AUX_EDGES):
        (x1, y1), (x2, y2) = points[a].astype(int), points[b].astype(int)
        colour = matplotlib.colors.hsv_to_rgb([number / float(len(AUX_EDGES)), 1.0, 1.0]) * 255
        cv2.line(canvas, (int(x1), int(y1)), (int(x2), int(y2)), colour, thickness=2)
    for x, y in points.astype(int):
        cv2.circle(canvas, (int(x), int(y)), 4, (0, 0, 255), thickness=-1)


def aux_face(canvas, points):
    for x, y in points.astype(int):
        cv2.circle(canvas, (int(x), int(y)), 3, (255, 255, 255), thickness=-1)


def some_points(seed, count):
    return np.random.default_rng(seed).uniform(1, SIZE, (count, 2))


def test_bones_and_names_are_openpose_s():
    assert [list(bone) for bone in HAND_BONES] == AUX_EDGES
    for side in ("left", "right"):
        names = hand_names(side)
        assert len(set(names)) == 21 and {names[0], names[2], names[5], names[17]} == {
            f"{side}_{part}" for part in ("wrist", "thumb", "index", "pinky")
        }
        assert {names[0], names[2], names[5], names[17]} <= set(READ_NAMES)
    assert len(set(FACE_NAMES)) == 70 and FACE_NAMES[68:] == ("right_eye", "left_eye")


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_hands_and_face_are_the_reference_s_pixel_for_pixel(seed):
    """Over a black canvas: the wrists and eyes, which the body has too, are drawn beneath."""
    hands, face = {side: some_points(seed + k, 21) for k, side in enumerate(("left", "right"))}, some_points(seed + 2, 68)
    points = {name: at for side, hand in hands.items() for name, at in zip(hand_names(side), hand, strict=True)}
    points |= dict(zip(FACE_NAMES, face, strict=False))
    reference = draw_hint(points, SIZE, stick=4)
    for side in ("left", "right"):
        aux_hand(reference, hands[side])
    aux_face(reference, face)
    assert np.array_equal(draw_hint(points, SIZE, details=True, stick=4), reference)


def test_missing_points_are_left_out_with_their_bones_and_few_points_are_no_hand():
    whole = dict(zip(hand_names("left"), some_points(5, 21), strict=True))
    less = {name: at for name, at in whole.items() if name != "left_hand_8"}
    gone = draw_hint(whole, SIZE, details=True).any(axis=2) & ~draw_hint(less, SIZE, details=True).any(axis=2)
    x, y = whole["left_hand_8"].astype(int)
    assert gone[y, x] and not draw_hint(less, SIZE, details=True)[:1, :1].any()
    knuckles = {name: whole[name] for name in ("left_wrist", "left_thumb", "left_index", "left_pinky")}
    assert np.array_equal(draw_hint(knuckles, SIZE, details=True), draw_hint(knuckles, SIZE))


def test_eyes_alone_are_no_face():
    eyes = {"left_eye": np.array([100.0, 90.0]), "right_eye": np.array([130.0, 90.0])}
    assert np.array_equal(draw_hint(eyes, SIZE, details=True), draw_hint(eyes, SIZE))


def test_sizes_follow_the_canvas():
    point = dict.fromkeys(hand_names("left"), np.array([512.0, 512.0]))
    assert (
        draw_hint(point, (1024, 1024), details=True)[512, 512 - 8].any()
        and not draw_hint(point, (1024, 1024), details=True)[512, 512 - 9].any()
    )
