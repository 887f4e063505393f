"""Whom to follow: reading what the user asked for, and choosing among tracks that are made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.pose.estimators import Person
from kinetics.pose.follow import Track
from kinetics.pose.identity import gather, number
from kinetics.pose.subject import Subject, choose, gather_boxed, read_boxes, read_masks, swing_travel
from kinetics.pose_sequence import COCO_NAMES

T = np.arange(50) / 25
SIZE = (640, 360)

#: A standing person 1 high and about 0.3 wide, feet at y = 1, in COCO's order.
STANDING = np.array(
    [(0, 0.06), (0.02, 0.04), (-0.02, 0.04), (0.04, 0.05), (-0.04, 0.05), (0.11, 0.2), (-0.11, 0.2), (0.14, 0.36), (-0.14, 0.36), (0.14, 0.5),
     (-0.14, 0.5), (0.08, 0.52), (-0.08, 0.52), (0.09, 0.76), (-0.09, 0.76), (0.09, 1.0), (-0.09, 1.0)]
)  # fmt: skip
WRISTS = [COCO_NAMES.index("left_wrist"), COCO_NAMES.index("right_wrist")]


def person(x, y, height=100.0, hands=None):
    """A person with the top of the head at (x, y); ``hands`` (relative, 2 × 2) in place of the hanging wrists."""
    shape = STANDING.copy()
    if hands is not None:
        shape[WRISTS] = hands
    return Person(shape * height + (x, y), np.full(17, 0.9))


def look(colour):
    """All of a person in one colour."""
    histogram = np.zeros((2, 10))
    histogram[:, colour] = 1.0
    return histogram


def track(people, colour=0, found_at=None):
    frames = sorted(people)
    return Track(frames[0] if found_at is None else found_at, dict(people), look(colour))


def batter(x=300, frames=range(50)):
    """Both hands on a handle, from one side of the body to the other in 0.3 s."""
    people = {}
    for frame in frames:
        turn = np.clip((T[frame] - 1.0) / 0.3, 0, 1)
        grip = np.array((-0.3 + 0.6 * turn, 0.35))
        people[frame] = person(x, 120, hands=grip + np.array(((0.0, 0.0), (0.03, 0.0))))
    return track(people, colour=1)


def bowler(x=120):
    """One arm, twice as fast as the batter's hands and all the way round; the other hangs."""
    people = {}
    for frame in range(50):
        angle = 4 * np.pi * np.clip((T[frame] - 0.3) / 0.5, 0, 1)
        people[frame] = person(x, 150, hands=np.array(((0.11 + 0.35 * np.cos(angle), 0.2 + 0.35 * np.sin(angle)), (-0.14, 0.5))))
    return track(people, colour=2)


def standing(x, height=100.0, colour=3, frames=range(50)):
    return track({frame: person(x, 140, height) for frame in frames}, colour=colour)


def chosen(text, tracks, **kwargs):
    numbered = number(tracks, [], T)
    return choose(Subject.parse(text, **kwargs), tracks, numbered, COCO_NAMES, T, SIZE, "clip.mp4")[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", Subject("auto")),
        (" Largest ", Subject("largest")),
        ("3", Subject("index", index=3)),
        (0, Subject("index", index=0)),
        ("12,34.5", Subject("point", point=(12.0, 34.5))),
        ("12,34@7", Subject("point", point=(12.0, 34.0), frame=7)),
    ],
)
def test_subject_is_read(text, expected):
    assert Subject.parse(text) == expected


@pytest.mark.parametrize("text", ["", "batter", "1,2,3", "-1", "1.5", "1,nan", "3@4", "1,2@x", "1,2@-3"])
def test_subject_that_makes_no_sense_is_told(text):
    with pytest.raises(KineticsError, match="is not understood; give auto"):
        Subject.parse(text)


@given(x=st.integers(0, 4000), y=st.integers(0, 4000), frame=st.integers(0, 10_000))
def test_points_survive_being_written(x, y, frame):
    assert Subject.parse(f"{x},{y}@{frame}") == Subject("point", point=(float(x), float(y)), frame=frame)


def test_swing_is_the_way_of_both_hands():
    # From -0.3 to 0.3 of the height; 0.95 because the extent is taken over joints, from eyes (0.04) to ankles (1.0); the mean of
    # three frames does not shorten it, as the hands rest at both ends.
    assert swing_travel(batter(), COCO_NAMES, T) == pytest.approx(0.6 / 0.96, rel=1e-6)
    assert swing_travel(standing(50), COCO_NAMES, T) == 0.0
    assert swing_travel(bowler(), COCO_NAMES, T) < 0.1


def test_auto_takes_the_batter_not_the_faster_arm_or_the_larger_person():
    tracks = [bowler(), standing(520, height=160.0), batter()]
    assert chosen("auto", tracks) is tracks[2]


def test_auto_without_a_swing_takes_the_large_one_in_the_middle():
    tracks = [standing(30), standing(320), standing(600)]
    assert chosen("auto", tracks) is tracks[1]


def test_largest_and_numbers_from_left_to_right():
    tracks = [standing(500, colour=4), standing(200, height=150.0, colour=5), standing(350, colour=6)]
    assert chosen("largest", tracks) is tracks[1]
    assert [chosen(str(index), tracks) for index in range(3)] == [tracks[1], tracks[2], tracks[0]]
    with pytest.raises(KineticsError, match=r"no person 3 in clip\.mp4: 3 found, numbered from 0"):
        chosen("3", tracks)


def test_those_found_later_have_the_later_numbers():
    late = standing(20, colour=7, frames=range(10, 50))
    tracks = [late, standing(300, colour=8)]
    assert chosen("1", tracks) is late


def test_click_takes_whom_it_hits():
    tracks = [standing(200, colour=4), standing(260, colour=5)]
    assert chosen("262,190", tracks) is tracks[1]
    assert chosen("198,190@49", tracks) is tracks[0]
    with pytest.raises(KineticsError, match=r"Nobody was found at 500,20 in frame 0 of clip\.mp4"):
        chosen("500,20", tracks)
    with pytest.raises(KineticsError, match=r"clip\.mp4 has no frame 50"):
        chosen("200,190@50", tracks)


def test_nobody_at_all_is_told():
    with pytest.raises(KineticsError, match=r"Nobody was found in clip\.mp4; point at the person"):
        chosen("auto", [])


def test_a_person_who_comes_back_is_the_same_one():
    before, after = standing(300, colour=1, frames=range(20)), standing(330, colour=1, frames=range(35, 50))
    other = standing(100, colour=2)
    people, joined = gather(before, [before, other, after], [], T)
    assert sorted(people) == [*range(20), *range(35, 50)]
    assert joined == [before, after]
    assert number([before, other, after], [], T) == [other, before]


def test_somebody_else_is_not_taken_for_the_one_who_left():
    before = standing(300, colour=1, frames=range(20))
    in_other_colours = standing(305, colour=2, frames=range(25, 50))
    assert sorted(gather(before, [before, in_other_colours], [], T)[0]) == list(range(20))
    out_of_reach = standing(300, height=100.0, colour=1, frames=range(20)), standing(600, colour=1, frames=range(21, 50))
    assert sorted(gather(out_of_reach[0], list(out_of_reach), [], T)[0]) == list(range(20))


def test_after_a_cut_a_person_is_taken_up_only_when_it_is_plain_who_he_is():
    before = standing(300, colour=1, frames=range(20))
    one, twin = standing(100, colour=1, frames=range(20, 50)), standing(500, colour=1, frames=range(20, 50))
    assert sorted(gather(before, [before, one], [20], T)[0]) == list(range(50))
    assert sorted(gather(before, [before, one, twin], [20], T)[0]) == list(range(20))
    giant = standing(100, height=350.0, colour=1, frames=range(20, 50))
    assert sorted(gather(before, [before, giant], [20], T)[0]) == list(range(20))


def test_boxes_are_read_in_every_form():
    box, other = {"x": 1, "y": 2, "width": 30, "height": 40}, {"x": 200, "y": 2, "width": 30, "height": 40, "score": 0.9}
    assert read_boxes(box, 5, start_frame=3) == {3: (1, 2, 30, 40)}
    assert read_boxes((1, 2, 30, 40), 5) == {0: (1, 2, 30, 40)}
    assert read_boxes([[box], [], None], 3) == {0: (1, 2, 30, 40)}
    assert read_boxes([[box, other]], 5) == {0: (200, 2, 30, 40)}
    # The order of a detector's boxes is no identity: the box that overlaps the one before is kept to, whatever its score.
    assert read_boxes([[box], [other, {**box, "x": 3}]], 2) == {0: (1, 2, 30, 40), 1: (3, 2, 30, 40)}


@pytest.mark.parametrize(("value", "said"), [([{"x": 1}] * 3, "is not x, y, width"), ([(0, 0, 5, 5)] * 2, "2 boxes don't fit 3 frames"), ([(0, 0, 0, 5)] * 3, "is not x, y")])
def test_boxes_that_make_no_sense_are_told(value, said):
    with pytest.raises(KineticsError, match=said):
        read_boxes(value, 3)


def test_masks_become_boxes_in_source_pixels():
    masks = np.zeros((3, 90, 160))
    masks[0, 10:20, 40:60] = 1.0
    masks[2, 0:90, 0:160] = 1.0
    # Edges lie half a pixel outside the centres of the outermost pixels, and the mask is stretched fourfold.
    assert read_masks(masks, 3, SIZE) == {0: (159.5, 39.5, 80.0, 40.0), 2: (-0.5, -0.5, 640.0, 360.0)}
    with pytest.raises(KineticsError, match="don't fit 4 frames"):
        read_masks(masks, 4, SIZE)
    with pytest.raises(KineticsError, match="mark nobody"):
        Subject.boxed(read_masks(np.zeros((3, 9, 16)), 3, SIZE), "clip.mp4")


def test_boxes_in_every_frame_decide_frame_by_frame():
    left, right = standing(100, colour=1), standing(400, colour=1)
    boxes = {frame: (80.0, 135.0, 40.0, 110.0) if frame < 30 else (380.0, 135.0, 40.0, 110.0) for frame in range(50)}
    people = gather_boxed([left, right], boxes)
    assert all((people[frame].centre[0] < 200) == (frame < 30) for frame in range(50))
    assert sorted(people) == list(range(50))
