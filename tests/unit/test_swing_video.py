"""The clip with the measurement drawn in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from swing_samples import true_stroke, turning_bat

from kinetics.errors import KineticsError
from kinetics.motion.camera_maps import Camera
from kinetics.motion.measure import measure_swing
from kinetics.plots.swing_video import render_swing_video
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

SIZE = (320, 240)


def write_grey(path, times, size=SIZE):
    with VideoWriter(path, *size, 25) as video:
        for t in times:
            video.write(np.full((size[1], size[0], 3), 90, np.uint8), float(t))
    return Clip(path)


@pytest.fixture(scope="module")
def track():
    return turning_bat(fps=25, seconds=2.4, middle=1.4, length=80.0, hands=(160.0, 120.0), size=SIZE, noise=0.3)[0]


@pytest.fixture(scope="module")
def swing(track):
    return measure_swing(track, None, Camera.still(track.t, SIZE), method="centred")


def pictures(path):
    return {frame.index: frame for frame in Clip(path).frames()}


def yellow(image):
    """Pixels of the bat's yellow, paled by the halved chroma of H.264."""
    red, green, blue = (image[..., k].astype(int) for k in range(3))
    return (red > 130) & (green > 120) & (np.minimum(red, green) - blue > 35)


def test_bat_and_dials_on_every_frame_at_its_own_time(track, tmp_path):
    # Uneven times: nothing is resampled.
    t = track.t + 0.006 * (np.arange(len(track)) % 2)
    swing = measure_swing(replace(track, t=t), None, Camera.still(t, SIZE), method="centred")
    clip = write_grey(tmp_path / "clip.mp4", t)
    calls = []
    path = render_swing_video(swing, clip, tmp_path / "swing.mp4", progress=lambda done, total: calls.append((done, total)))
    found = pictures(path)
    assert len(found) == len(t) and calls[-1] == (len(t), len(t))
    assert [frame.t for frame in found.values()] == pytest.approx(t.tolist(), abs=1e-4)
    image = found[10].image
    # The picture keeps its size, the dials stand below it.
    assert image.shape[1] == SIZE[0] and image.shape[0] > SIZE[1] + 60
    x, y = (swing.hands[10] + swing.tip[10]) / 2
    assert yellow(image[: SIZE[1]])[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].any()
    assert yellow(image[SIZE[1] :]).any()


def test_where_nothing_is_measured_nothing_is_drawn(track, tmp_path):
    tip = track.tip.copy()
    tip[5:9] = np.nan
    swing = measure_swing(replace(track, tip=tip), None, Camera.still(track.t, SIZE), method="centred")
    path = render_swing_video(swing, write_grey(tmp_path / "clip.mp4", track.t), tmp_path / "swing.mp4", trail=0.0)
    found = pictures(path)
    assert not yellow(found[7].image[: SIZE[1]]).any() and yellow(found[4].image[: SIZE[1]]).any()


def test_a_refused_tip_is_crossed_out(track, tmp_path):
    swing = measure_swing(track, None, Camera.still(track.t, SIZE), method="centred")
    tip = swing.tip.copy()
    tip[6] = np.nan
    path = render_swing_video(replace(swing, tip=tip), write_grey(tmp_path / "clip.mp4", track.t), tmp_path / "swing.mp4", trail=0.0)
    x, y = np.round(track.tip[6]).astype(int)
    near = pictures(path)[6].image[y - 4 : y + 5, x - 4 : x + 5].astype(int)
    assert ((near[..., 0] > 170) & (near[..., 1] < 140)).any()


def test_a_repeated_frame_shows_what_the_picture_showed(track, tmp_path):
    repeat = np.zeros(len(track), bool)
    repeat[10] = True
    tip, hands = track.tip.copy(), track.hands.copy()
    tip[10], hands[10] = tip[9], hands[9]
    swing = measure_swing(replace(track, tip=tip, hands=hands, repeat=repeat), None, Camera.still(track.t, SIZE), method="centred")
    found = pictures(render_swing_video(swing, write_grey(tmp_path / "clip.mp4", track.t), tmp_path / "swing.mp4", trail=0.0))
    one, other = (found[k].image[SIZE[1] + 20 :, :60].astype(int) for k in (9, 10))
    # The dial's number doesn't change; compression does, a little.
    assert np.abs(one - other).mean() < 2


def test_the_trail_moves_along_with_the_camera(track, tmp_path):
    # The camera pans by 2 px a frame: the same world point lies further left in each frame.
    shift = 2.0 * np.arange(len(track))
    matrix = np.tile(np.eye(3), (len(track), 1, 1))
    matrix[:, 0, 2] = shift
    moved = replace(track, tip=track.tip - np.stack([shift, 0 * shift], 1) + [60, 0], hands=track.hands - np.stack([shift, 0 * shift], 1) + [60, 0])
    camera = replace(Camera.still(track.t, SIZE), matrix=matrix, model="similarity")
    swing = measure_swing(moved, None, camera, method="centred")
    found = pictures(render_swing_video(swing, write_grey(tmp_path / "clip.mp4", track.t), tmp_path / "swing.mp4", trail=0.5))
    now = 37
    assert np.isfinite(swing.tip_speed[now - 3 : now + 1]).all()
    # Three frames ago, in this frame's pixels.
    x, y = (moved.tip[now - 3] - [3 * 2.0, 0]).round().astype(int)
    patch = found[now].image[y - 2 : y + 3, x - 2 : x + 3].astype(int)
    assert (np.ptp(patch, axis=2) > 40).any()


def test_another_clip_or_a_cancel_leaves_nothing(swing, track, tmp_path):
    target = tmp_path / "swing.mp4"
    for times, size, words in ((track.t, (322, 240), "322x240"), (track.t[:-5], SIZE, "55 frames"), (track.t + 0.01 * np.arange(len(track)), SIZE, "has a frame at")):
        with pytest.raises(KineticsError, match=words):
            render_swing_video(swing, write_grey(tmp_path / "other.mp4", times, size), target)
    with pytest.raises(KineticsError, match="trail"):
        render_swing_video(swing, write_grey(tmp_path / "clip.mp4", track.t), target, trail=-1)

    def cancel(done, total):
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        render_swing_video(swing, write_grey(tmp_path / "clip.mp4", track.t), target, progress=cancel)
    assert not [path for path in tmp_path.iterdir() if "swing" in path.name]


def test_nothing_measured_still_makes_a_video(tmp_path):
    stroke, pose, _, _ = true_stroke("hook", fps=25, noise=1.0)
    few = slice(0, 8)
    part = {"t": stroke.t[few], "hands": stroke.hands[few], "tip": stroke.hands[few] + 1.0, "hands_sigma": stroke.hands_sigma[few]}
    part |= {name: getattr(stroke, name)[few] for name in ("tip_sigma", "source", "confidence", "repeat")}
    swing = measure_swing(replace(stroke, **part), replace(pose, xy=pose.xy[few], conf=pose.conf[few], t=pose.t[few]), Camera.still(part["t"], pose.size))
    assert np.isnan(swing.tip_speed).all()
    path = render_swing_video(swing, write_grey(tmp_path / "clip.mp4", part["t"], (1280, 720)), tmp_path / "none.mp4")
    assert len(pictures(path)) == 8
