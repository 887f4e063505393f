"""A clip on another clock: every frame written is the nearest one to the time asked for, or a mix of the two about it."""

from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest
from video_samples import coded_clip, read_code, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.resample import on_screen, switch_midway
from kinetics.video.warp import warp_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """40 frames of 25 fps that carry their numbers."""
    return coded_clip(tmp_path_factory.mktemp("warp") / "clip.mp4", 40)


def codes(path):
    return [read_code(frame.image)[0] for frame in Clip(path).frames()]


def test_its_own_times_give_the_clip_back(clip, tmp_path):
    assert warp_clip(Clip(clip), np.arange(40) / 25, tmp_path / "same.mp4", fps=25) == tmp_path / "same.mp4"
    assert codes(tmp_path / "same.mp4") == list(range(40))
    info = Clip(tmp_path / "same.mp4").info
    assert info.fps == 25 and (info.width, info.height) == (160, 96) and not info.has_audio


def test_each_frame_is_the_nearest_to_its_time(clip, tmp_path):
    at = np.sort(np.random.default_rng(0).uniform(-0.3, 2.0, 90))  # held before 0 and after 1.56
    warp_clip(Clip(clip), at, tmp_path / "warped.mp4", fps=Fraction(30000, 1001))
    assert codes(tmp_path / "warped.mp4") == [int(np.clip(round(25 * t), 0, 39)) for t in at]
    assert Clip(tmp_path / "warped.mp4").info.fps == Fraction(30000, 1001)


def test_times_of_a_clip_with_a_clock_of_its_own(tmp_path):
    ticks = np.cumsum(np.tile([600, 9000, 2250, 4500], 8))
    path = coded_clip(tmp_path / "vfr.mp4", len(ticks), ticks=ticks, tick=Fraction(1, 90000))
    times = (ticks - ticks[0]) / 90000
    at = np.linspace(0.001, times[-1], 50)
    warp_clip(Clip(path), at, tmp_path / "warped.mp4", fps=25)
    assert codes(tmp_path / "warped.mp4") == [int(np.abs(times - t).argmin()) for t in at]


def test_a_trimmed_clip_is_warped_within_its_window(clip, tmp_path):
    warp_clip(Clip(clip, 0.4, 0.4), np.array([-1.0, 0.0, 0.2, 5.0]), tmp_path / "part.mp4", fps=10)
    assert codes(tmp_path / "part.mp4") == [10, 10, 15, 19]


def test_blending_mixes_the_two_frames_about_a_time(tmp_path):
    path = write_clip(tmp_path / "steps.mp4", [np.full((64, 64, 3), level, np.uint8) for level in (40, 120, 200)], options={"crf": "1"})
    at = np.array([-0.1, 0.0, 0.01, 0.02, 0.04, 0.07, 0.08, 0.5])
    warp_clip(Clip(path), at, tmp_path / "mixed.mp4", fps=25, blend=True, crf=1)
    seen = [frame.image.mean() for frame in Clip(tmp_path / "mixed.mp4").frames()]
    # Two conversions in eight bits: two levels.
    np.testing.assert_allclose(seen, [40, 40, 60, 80, 120, 180, 200, 200], atol=2.5)


def test_switching_midway_shows_the_nearest():
    items = [(0.0, "a"), (1.0, "b"), (3.0, "c")]
    shown = [what for what, _ in on_screen(switch_midway(items), [-5, 0.49, 0.51, 1.9, 2.1, 9])]
    assert shown == ["a", "a", "b", "b", "c", "c"]
    assert list(switch_midway([])) == []


def test_bad_times_are_told_in_one_sentence(clip, tmp_path):
    for at, says in (
        ([], "give one time in seconds per frame"),
        (np.zeros((2, 2)), "give one time in seconds per frame"),
        ([0.0, np.nan], "1 that are not finite"),
        ([0.0, 0.5, 0.2], r"clip.mp4 would run backwards from 0.500 s to 0.200 s at frame 2"),
    ):
        with pytest.raises(KineticsError, match=says) as error:
            warp_clip(Clip(clip), np.array(at), tmp_path / "bad.mp4", fps=25)
        assert "\n" not in str(error.value)
    with pytest.raises(KineticsError, match="rate above 0"):
        warp_clip(Clip(clip), np.zeros(3), tmp_path / "bad.mp4", fps=0)
    with pytest.raises(KineticsError, match=r"missing\.mp4"):
        warp_clip(Clip(tmp_path / "missing.mp4"), np.zeros(3), tmp_path / "bad.mp4", fps=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blend", (False, True))
def test_cancel_leaves_nothing(clip, tmp_path, blend):
    threads = threading.active_count()
    calls = []

    def cancel(done, total):
        calls.append((done, total))
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warp_clip(Clip(clip), np.arange(30) / 25, tmp_path / "cut.mp4", fps=25, blend=blend, progress=cancel)
    assert calls == [(k, 30) for k in range(1, 6)] and list(tmp_path.iterdir()) == [] and threading.active_count() == threads
