"""Clicks kept as lines of text: each for every clip, or for one by its name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.picks import lines_for, pick_name, read_marks, read_points


def clip(name: str) -> SimpleNamespace:
    """All that a pick needs of a clip."""
    return SimpleNamespace(name=name)


def test_a_clip_gets_its_own_lines_after_those_for_every_clip():
    text = "hook: 10, 20 @ 3\n\n 1, 2 @ 0 ; cover: 5, 6 @ 7;hook:30,40@5"
    assert lines_for(text, clip("clips/hook.mp4")) == ["1, 2 @ 0", "10, 20 @ 3", "30,40@5"]
    assert lines_for(text, clip("cover.mp4")) == ["1, 2 @ 0", "5, 6 @ 7"]
    assert lines_for(text, clip("drive.mp4")) == ["1, 2 @ 0"]
    assert lines_for(text) == ["1, 2 @ 0", "10, 20 @ 3", "5, 6 @ 7", "30,40@5"]
    assert lines_for("") == lines_for(" ; \n", clip("hook.mp4")) == []


@given(st.text(max_size=30).map("take {}.mp4".format))
def test_whatever_a_clip_is_called_it_finds_its_own_lines(name):
    """The browser writes a line under the name that it was told."""
    own = clip(name.replace("/", "_"))
    assert lines_for(f"someone else's: 9, 9 @ 9\n{pick_name(own)}: 1, 2 @ 3", own) == ["1, 2 @ 3"]


def test_points_are_read_as_the_command_line_writes_them():
    assert read_points(["640, 360 @ 12", " 0.5,7@0 "]) == ["640,360@12", "0.5,7@0"]
    for line in ("640, 360", "640 @ 3", "a, b @ 3", "1, 2 @ 3.5", "-1, 2 @ 3", "1, 2 @ 3 and more"):
        with pytest.raises(KineticsError, match=r"Can't read the point .*give x, y @ frame"):
            read_points([line])


def test_of_two_marks_in_a_frame_the_later_one_holds():
    marks = read_marks(["3, 10, 20", "5, 1, 2", "3, 11.5, 21"])
    assert [(mark.frame, mark.x, mark.y) for mark in marks] == [(3, 11.5, 21.0), (5, 1.0, 2.0)]
    with pytest.raises(KineticsError, match="Can't read the mark '3, 10'"):
        read_marks(["3, 10"])
