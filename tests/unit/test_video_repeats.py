"""Frames that repeat: found where something moves, never in a still scene."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from video_samples import coded_clip, read_code, write_clip

from kinetics.video.decode import Clip
from kinetics.video.normalise import normalise_clips
from kinetics.video.repeats import find_dips, find_repeats

RNG = np.random.default_rng(11)
FIELD = np.kron(RNG.integers(60, 190, (24, 60)), np.ones((8, 8), np.uint8)).astype(np.int16)


def scene(phase: float, grain: float = 4.0, pan: float = 3.0) -> np.ndarray:
    """(192, 320, 3) picture: a field that pans, a bright block that swings to and fro, and grain of its own."""
    picture = np.repeat(FIELD[:, round(pan * phase) % 160 :][:, :320, None], 3, axis=2)
    x = round(140 + 90 * np.sin(phase / 4))
    picture[80:140, x : x + 24] = (240, 240, 200)
    noise = np.random.default_rng(round(phase * 1000) + 1).normal(0, grain, picture.shape[:2])[..., None]
    return (picture + noise).clip(0, 255).astype(np.uint8)


def compressed(path, order, fps, **how) -> Clip:
    """Pictures of the scene in the given order, as a broadcaster would compress them."""
    pictures = {k: scene(k, **how) for k in set(order)}
    return Clip(write_clip(path, [pictures[k] for k in order], tick=1 / Fraction(fps), options={"crf": "27", "preset": "fast"}))


@pytest.mark.parametrize(
    ("true", "fps", "phase", "said"),
    [
        (24, 30, 0, "every 5th frame repeats the one before: 24 fps film telecined to 30."),
        (Fraction(24000, 1001), Fraction(30000, 1001), 0.6, "every 5th frame repeats the one before: 24 fps film telecined to 30."),
        (24, 60, 0.6, "72 of 120 frames repeat the one before: 24 fps film telecined to 60."),
        (25, 50, 0, "every second frame repeats the one before: 25 fps material shown at 50."),
        (24, 29, 0.3, "21 of 120 frames repeat the one before: 24 fps material shown at 29."),
        (24, 25, 0.6, "every 25th frame repeats the one before: 24 fps material shown at 25."),
    ],
)
def test_raised_rates_are_found_and_named(tmp_path, true, fps, phase, said):
    count = 120
    order = [int((k + phase) * true / fps) for k in range(count)]
    expected = np.array([False] + [a == b for a, b in zip(order, order[1:], strict=False)])
    report = find_repeats(compressed(tmp_path / "clip.mp4", order, fps))
    np.testing.assert_array_equal(report.repeats, expected)
    assert report.true_fps == true
    assert report.sentence == f"clip.mp4: {said}"


@pytest.mark.parametrize("grain", [0, 3, 8])
def test_still_scene_holds_no_repeats(tmp_path, grain):
    pictures = [scene(0) if grain == 0 else scene(0, grain=0) + RNG.normal(0, grain, (192, 320, 1)) for _ in range(90)]
    clip = Clip(write_clip(tmp_path / "still.mp4", [p.clip(0, 255).astype(np.uint8) for p in pictures], options={"crf": "30", "bf": "3"}))
    report = find_repeats(clip)
    assert not report.repeats.any() and report.sentence == "" and report.true_fps is None


def test_moving_scene_holds_no_repeats(tmp_path):
    assert find_repeats(compressed(tmp_path / "moving.mp4", range(120), 25)).sentence == ""


def test_turning_point_of_a_lone_mover_is_no_repeat(tmp_path):
    """Only the block moves. At the ends of its swing it slows to less than a pixel a frame; where it stands, a repeat may be seen."""
    report = find_repeats(compressed(tmp_path / "swing.mp4", range(120), 25, pan=0))
    places = np.array([round(140 + 90 * np.sin(k / 4)) for k in range(120)])
    stood = np.concatenate([[False], np.diff(places) == 0])
    assert not (report.repeats & ~stood).any()
    assert (np.abs(np.diff(places)) <= 4).sum() > 10


def test_stance_before_a_swing_is_not_a_repeat(tmp_path):
    pictures = [scene(0, pan=0)] * 40 + [scene(k, pan=0) for k in range(20)] + [scene(19, pan=0)] * 30
    report = find_repeats(Clip(write_clip(tmp_path / "swing.mp4", pictures, options={"crf": "23"})))
    assert not report.repeats.any()


def test_stray_repeats_of_a_screen_recording(tmp_path):
    order = list(range(100))
    for k in (13, 14, 40, 71, 90):
        order[k] = order[k - 1]
    report = find_repeats(compressed(tmp_path / "screen.mp4", order, 30))
    assert np.flatnonzero(report.repeats).tolist() == [13, 14, 40, 71, 90]
    assert report.sentence == "screen.mp4: 5 of 100 frames repeat the one before, in no regular pattern."
    np.testing.assert_allclose(report.kept_times(), np.delete(np.arange(100), [13, 14, 40, 71, 90]) / 30)


def test_dips_are_judged_by_their_neighbours():
    moving = np.full(30, 10.0)
    moving[[7, 8, 20]] = (1.0, 0.1, 1.5)
    assert np.flatnonzero(find_dips(moving)).tolist() == [7, 8, 20]
    # A dip that is no more than a slower frame: above the noise, or not far enough below its neighbours.
    moving[[7, 8, 20]] = (3.0, 3.0, 2.1)
    assert np.flatnonzero(find_dips(10 * np.where(moving < 10, 0.4, 10))).tolist() == [7, 8, 20]
    assert not find_dips(moving).any()
    assert not find_dips(np.where(moving < 10, 1.9, 10)).any()
    # Nothing moves: nothing repeats, whatever the ratios.
    assert not find_dips(moving / 10).any() and not find_dips(np.zeros(20)).any()
    # Six in a row are a pause.
    pause = np.full(30, 10.0)
    pause[10:16] = 0
    assert not find_dips(pause).any()
    # One number decides nothing.
    assert not find_dips(np.zeros(1)).any() and find_dips(np.zeros(0)).shape == (0,)


def test_dropping_repeats_gives_the_film_back(tmp_path):
    """3:2 pulldown, 24 to 30: brought to 24 without its repeats, every picture comes once, evenly."""
    order = [int(k * 4 / 5) for k in range(100)]
    clip = compressed(tmp_path / "telecine.mp4", order, 30)
    report = find_repeats(clip)
    np.testing.assert_allclose(report.kept_times(), np.arange(80) / 24, atol=1e-9)
    (done,) = normalise_clips([clip], [tmp_path / "film.mp4"], fps=24, drop_repeats=True)
    assert done.frames_out == 80
    film = [frame.image.astype(int) for frame in Clip(tmp_path / "film.mp4").frames()]
    for k, image in enumerate(film):
        # Grain and two compressions leave a few levels; another picture of the swing differs by twice that.
        assert np.abs(image - scene(k, grain=0)).mean() < 6 < np.abs(image - scene(k + 1, grain=0)).mean()
    assert any("20 of them were left out" in note for note in done.notes)
    (plain,) = normalise_clips([clip], [tmp_path / "plain.mp4"], fps=30)
    assert any("24 fps film telecined to 30" in note for note in plain.notes) and plain.frames_out == 100


def test_window_of_one_frame(tmp_path):
    clip = Clip(coded_clip(tmp_path / "one.mp4", 1))
    report = find_repeats(clip)
    assert report.repeats.tolist() == [False] and report.sentence == ""
    (done,) = normalise_clips([clip], [tmp_path / "out.mp4"], drop_repeats=True)
    assert [read_code(frame.image)[0] for frame in Clip(tmp_path / "out.mp4").frames()] == [0] and done.notes == ()
