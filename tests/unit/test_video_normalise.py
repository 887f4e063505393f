"""Clips brought to one rate and canvas: which source frame every output frame shows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_samples import coded, coded_clip, read_code, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.normalise import normalise_clips
from kinetics.video.resample import on_screen
from kinetics.video.timing import as_rate, measure_timing

#: Gaps between frames of a phone that drops to 20 fps and bursts to 120, in milliseconds.
GAPS = np.tile([8, 33, 17, 50, 34, 34], 8)


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    ticks = np.concatenate([[0], np.cumsum(GAPS)])
    return coded_clip(tmp_path_factory.mktemp("normalise") / "phone.mkv", len(ticks), ticks=ticks, tick=Fraction(1, 1000)), ticks / 1000


def numbers(path) -> list[int]:
    return [read_code(frame.image)[0] for frame in Clip(path).frames()]


def one(clip: Clip, path, **how):
    (report,) = normalise_clips([clip], [path], **how)
    return report


@given(
    times=st.lists(st.integers(0, 1000), min_size=1, max_size=30, unique=True).map(sorted),
    instants=st.lists(st.integers(-50, 1100), max_size=40).map(sorted),
    slack=st.integers(0, 3),
)
def test_on_screen_is_the_last_one_that_came(times, instants, slack):
    expected = [max([0, *(k for k, t in enumerate(times) if t <= instant + slack)]) for instant in instants]
    seen = list(on_screen([(t, k) for k, t in enumerate(times)], instants, slack))
    assert [k for k, _ in seen] == expected
    assert [new for _, new in seen] == [before != now for before, now in zip([None, *expected], expected, strict=False)]


def test_on_screen_reads_one_ahead():
    taken = []
    items = ((k, taken.append(k)) for k in range(100))
    shown = on_screen(items, range(100))
    for k in range(10):
        next(shown)
        assert len(taken) == k + 2
    assert list(on_screen([], [0, 1])) == []


@pytest.mark.parametrize("fps", [25, 30, 60, 7, Fraction(30000, 1001)])
def test_variable_rate_is_resampled_by_its_clock(phone, tmp_path, fps):
    path, times = phone
    report = one(Clip(path), tmp_path / "out.mp4", fps=fps)
    # The last frame lasts as long as the median one.
    count = round((times[-1] + 0.033) * fps)
    assert report.frames_out == count and report.frames_in == len(times)
    # Half a millisecond: the container's tick, by which a time may be rounded up.
    expected = [int(np.searchsorted(times, k / fps + 0.000501, side="right")) - 1 for k in range(count)]
    assert numbers(tmp_path / "out.mp4") == expected
    info = Clip(tmp_path / "out.mp4").info
    assert info.fps == fps and not info.variable_rate and info.frame_count == count
    said = [note for note in report.notes if "the rate varies from 20.00 to 125.00 fps" in note]
    assert len(said) == 1 and "phone.mkv" in said[0]
    left_out, again = len(set(range(expected[-1] + 1)) - set(expected)), count - len(set(expected))
    assert any(f"{left_out} frames left out, {again} shown again" in note for note in report.notes)


def test_same_rate_passes_every_frame_in_silence(tmp_path):
    source = coded_clip(tmp_path / "in.mkv", 40, tick=Fraction(1001, 30000))
    report = one(Clip(source), tmp_path / "out.mp4", fps=29.97)
    assert numbers(tmp_path / "out.mp4") == list(range(40))
    assert report.notes == () and report.fps_in == report.fps_out == Fraction(30000, 1001) and report.size == (160, 96)


def test_slow_motion_runs_at_the_speed_of_life(tmp_path):
    source = coded_clip(tmp_path / "in.mp4", 100)
    report = one(Clip(source), tmp_path / "out.mp4", fps=25, slow_motion=4)
    assert numbers(tmp_path / "out.mp4") == list(range(0, 100, 4))
    assert report.duration == 1
    assert "in.mp4: plays 4× slower than life; its times were divided by 4." in report.notes
    one(Clip(source), tmp_path / "all.mp4", fps=100, slow_motion=4)
    assert numbers(tmp_path / "all.mp4") == list(range(100))


def test_part_of_a_window(tmp_path):
    source = coded_clip(tmp_path / "in.mp4", 100)
    one(Clip(source, 1, 2), tmp_path / "out.mp4", start=0.4, duration=0.4)
    assert numbers(tmp_path / "out.mp4") == list(range(35, 45))


def test_common_durations(tmp_path):
    clips = [coded_clip(tmp_path / f"{n}.mp4", count, n) for n, count in enumerate((20, 45))]
    outputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    longest = normalise_clips([Clip(path) for path in clips], outputs, common_duration="longest")
    assert [report.duration for report in longest] == [1.8, 1.8]
    assert numbers(outputs[0]) == [*range(20), *[19] * 25] and numbers(outputs[1]) == list(range(45))
    assert longest[0].notes == ("0.mp4: its last frame is held for 1.00 s to reach 1.80 s.",) and longest[1].notes == ()
    shortest = normalise_clips([Clip(path) for path in clips], outputs, common_duration="shortest")
    assert numbers(outputs[0]) == numbers(outputs[1]) == list(range(20))
    assert shortest[1].notes == ("1.mp4: cut from 1.80 s to 0.80 s.",)


@pytest.mark.parametrize(
    ("fit", "size", "note"),
    [("letterbox", (400, 96), "padded to 400×96, 240 px of width in black bars"), ("stretch", (100, 200), None), ("letterbox", (320, 192), None)],
)
def test_canvas(tmp_path, fit, size, note):
    source = coded_clip(tmp_path / "in.mp4", 3)
    report = one(Clip(source), tmp_path / "out.mp4", size=size, fit=fit)
    assert report.size == size and (report.notes == () if note is None else note in report.notes[0])
    for k, frame in enumerate(Clip(tmp_path / "out.mp4").frames()):
        assert frame.image.shape == (size[1], size[0], 3)
        image = frame.image[:, 120:280] if note else frame.image
        assert read_code(image) == (k, 0)
        assert not note or frame.image[:, :116].max() < 10


def test_crop_of_the_source_then_of_the_canvas(tmp_path):
    image = np.zeros((100, 200, 3), np.uint8)
    image[20:60, 50:150] = coded(9, 6, (100, 40))
    source = write_clip(tmp_path / "in.mp4", [image] * 2, options={"crf": "4"})
    one(Clip(source), tmp_path / "out.mp4", crop=(50, 20, 100, 40))
    assert [read_code(frame.image) for frame in Clip(tmp_path / "out.mp4").frames()] == [(9, 6)] * 2
    report = one(Clip(source), tmp_path / "square.mp4", crop=(50, 20, 100, 40), size=(80, 80), fit="crop")
    assert report.notes == ("in.mp4: cropped to 80×80, 120 px of width cut off.",)
    # The middle 40 of 100 columns: bars 3 to 6, all zeros but bit 3 of the 9 in the upper half.
    middle = next(Clip(tmp_path / "square.mp4").frames()).image
    assert middle[20, 10].mean() > 150 and middle[60, 10].mean() < 80 and middle[20, 60].mean() < 80


@pytest.mark.parametrize("when", ["first", "last"])
def test_cancel_leaves_none_of_the_outputs(tmp_path, when):
    clips = [Clip(coded_clip(tmp_path / f"{n}.mp4", 20, n)) for n in range(2)]
    before = sorted(tmp_path.iterdir())
    calls = []

    def cancel(done, total):
        calls.append((done, total))
        if done == (1 if when == "first" else total):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        normalise_clips(clips, [tmp_path / "out" / "a.mp4", tmp_path / "out" / "b.mp4"], progress=cancel)
    assert calls == [(k, 40) for k in range(1, 2 if when == "first" else 41)]
    assert sorted(path for path in tmp_path.iterdir() if path.is_file()) == before and list((tmp_path / "out").iterdir()) == []


def test_a_bad_clip_among_good_ones_leaves_nothing(tmp_path):
    good = coded_clip(tmp_path / "good.mp4", 5)
    bad = tmp_path / "bad.mp4"
    bad.touch()
    with pytest.raises(KineticsError, match=r"bad\.mp4 is empty"):
        normalise_clips([Clip(good), Clip(bad)], [tmp_path / "out" / "a.mp4", tmp_path / "out" / "b.mp4"])
    assert not (tmp_path / "out").exists()


def test_arguments_that_have_no_meaning(tmp_path):
    clip = Clip(coded_clip(tmp_path / "in.mp4", 3))
    for said, how in (
        ("is not inside in.mp4", {"crop": (100, 0, 100, 20)}),
        ("canvas of 0×20", {"size": (0, 20)}),
        ("slow-motion factor of 0", {"slow_motion": 0}),
        ("rate of 0 fps", {"fps": 0}),
        ("rate of nan fps", {"fps": float("nan")}),
        ("use none, shortest or longest", {"common_duration": "mean"}),
        ("Fit 'zoom' is unknown", {"fit": "zoom"}),
    ):
        with pytest.raises(KineticsError, match=said):
            one(clip, tmp_path / "out.mp4", **how)
    with pytest.raises(KineticsError, match="There are 2 outputs for 1 clips"):
        normalise_clips([clip], [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    with pytest.raises(KineticsError, match="written to the same file"):
        normalise_clips([clip, clip], [tmp_path / "a.mp4", tmp_path / "a.mp4"])
    with pytest.raises(KineticsError, match="no clip to normalise"):
        normalise_clips([], [])
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@given(fps=st.sampled_from([24, 25, 30, 50, 60, 240, Fraction(30000, 1001)]), tick=st.sampled_from([1000, 90000, 600, 100]), count=st.integers(30, 200))
def test_rounding_to_ticks_does_not_make_a_rate_variable(fps, tick, count):
    ticks = np.array([round(k * tick / fps) for k in range(count)], dtype=np.int64)
    if (np.diff(ticks) < 2).any():
        ticks = np.arange(count, dtype=np.int64)
        tick = fps
    timing = measure_timing(ticks, Fraction(1) / tick)
    assert not timing.variable
    # The ends are known to half a tick each.
    assert abs(float(timing.fps) - float(fps)) <= float(fps) * 2 / (float(tick) * (count - 1) / float(fps))


@pytest.mark.parametrize(
    ("given", "rate"), [(29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)), (59.94, Fraction(60000, 1001)), (25, 25), (12.5, Fraction(25, 2))]
)
def test_decimal_rates_mean_what_they_say(given, rate):
    assert as_rate(given) == rate
