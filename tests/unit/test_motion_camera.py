"""The camera from drawn clips with known maps: pans, zooms, graphics, cuts, repeats, people; and what can't be measured."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.motion.camera import Camera, track_camera
from kinetics.pose_sequence import PoseSequence
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

W, H = 480, 270


@cache
def plate(seed: int, side: int = 1600) -> np.ndarray:
    """(side, side, 3) uint8: a still world with detail at every size, as grass, boards and a crowd have."""
    rng = np.random.default_rng(seed)
    grey = sum(
        weight * cv2.resize(cv2.GaussianBlur(rng.standard_normal((side // k, side // k)).astype(np.float32), (0, 0), 1.2), (side, side))
        for k, weight in ((1, 2.0), (4, 3.0), (16, 4.0))
    )
    colour = 120 + 22 * grey[..., None] * np.array([0.9, 1.0, 0.7])
    return np.clip(colour, 0, 255).astype(np.uint8)


def turned(pan: float, tilt: float, zoom: float, focal: float = 2000.0, side: int = 1600) -> np.ndarray:
    """Plate px -> frame px of a camera that has panned and tilted by these px and zoomed by this factor."""
    a, b = pan / focal, tilt / focal
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    to_ray = np.array([[1 / focal, 0, -(side - 1) / 2 / focal], [0, 1 / focal, -(side - 1) / 2 / focal], [0, 0, 1]])
    onto = np.array([[zoom * focal, 0, (W - 1) / 2], [0, zoom * focal, (H - 1) / 2], [0, 0, 1]])
    return onto @ about_x @ about_y @ to_ray


def draw(maps, world: np.ndarray, draw_on=None, grain: float = 2.0, seed: int = 0) -> list[np.ndarray]:
    """Frames of a world under maps, world -> frame px; ``draw_on(frame, index)`` adds what is not background."""
    rng, frames = np.random.default_rng(seed), []
    for index, m in enumerate(maps):
        frame = cv2.warpPerspective(world, m, (W, H), flags=cv2.INTER_AREA if np.linalg.det(m[:2, :2]) < 0.2 else cv2.INTER_CUBIC)
        if draw_on:
            draw_on(frame, index)
        frames.append(np.clip(frame + grain * rng.standard_normal(frame.shape), 0, 255).astype(np.uint8))
    return frames


def write(path, frames, fps=25) -> Clip:
    with VideoWriter(path, W, H, fps, crf=16, preset="veryfast") as writer:
        for frame in frames:
            writer.write(frame)
    return Clip(path)


def residuals(camera: Camera, maps, frames=None) -> np.ndarray:
    """(N, M) px of the reference: where a grid over each frame comes to lie, from where it should."""
    x, y = np.meshgrid(np.linspace(12, W - 13, 9), np.linspace(12, H - 13, 7))
    grid = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    off = []
    for k in range(len(camera)) if frames is None else frames:
        first = int(np.argmax(camera.shot == camera.shot[k]))
        true, found = maps[first] @ np.linalg.inv(maps[k]) @ grid, camera.matrix[k] @ grid
        off.append(np.linalg.norm(true[:2] / true[2] - found[:2] / found[2], axis=0))
    return np.array(off)


def score_bar(frame: np.ndarray, index: int) -> None:
    """A score bar with a running clock, a logo and a watermark."""
    frame[238:260, 20:460] = (34, 28, 92)
    frame[238:260, 60:150] = (244, 244, 246)
    cv2.putText(frame, "138-2", (66, 256), cv2.FONT_HERSHEY_DUPLEX, 0.6, (24, 24, 60), 1, cv2.LINE_AA)
    cv2.putText(frame, f"Overs 16.4   {index // 5:02d}", (170, 256), cv2.FONT_HERSHEY_DUPLEX, 0.55, (240, 240, 246), 1, cv2.LINE_AA)
    frame[10:36, 380:466] = (244, 246, 250)
    cv2.putText(frame, "KINETICS", (386, 29), cv2.FONT_HERSHEY_DUPLEX, 0.45, (176, 30, 44), 1, cv2.LINE_AA)
    mark = frame.copy()
    cv2.putText(mark, "CORRELATED", (130, 220), cv2.FONT_HERSHEY_DUPLEX, 1.0, (255, 255, 255), 2, cv2.LINE_AA)
    frame[:] = np.uint8(frame + 0.3 * (mark.astype(float) - frame))


def test_pan_of_40_px_a_frame_with_zoom_and_graphics(tmp_path):
    t = np.linspace(-1, 1, 36)
    pan, zoom = 190 * np.tanh(3 * t), np.exp(np.log(2.0) * 0.5 * (1 + np.tanh(3 * t)))
    maps = [turned(p, 20 * s, z) for p, s, z in zip(pan, t, zoom, strict=True)]
    steps = np.array([maps[k + 1] @ np.linalg.inv(maps[k]) @ [W / 2, H / 2, 1] for k in range(35)])
    assert 38 < np.abs(steps[:, 0] / steps[:, 2] - W / 2).max() < 80
    camera = track_camera(write(tmp_path / "pan.mp4", draw(maps, plate(1), score_bar)))
    off = residuals(camera, maps)
    # Bounds of the issue: background residual median 0.2 px, 95 % 0.5 px.
    assert np.median(off) <= 0.2 and np.percentile(off, 95) <= 0.5
    assert camera.known.all() and set(camera.shot) == {0} and camera.flags == ()
    # A turn of 11° is no similarity.
    assert camera.model == "homography"
    graphics = camera.graphics[0]
    assert graphics[240:258, 30:450].mean() > 0.9 and graphics[12:34, 384:462].mean() > 0.9
    assert graphics[60:180].mean() < 0.02
    # Zoomed in to double, a frame's pixel is half a reference pixel.
    assert camera.zoom[-1] == pytest.approx(0.5 * camera.zoom[0], rel=0.2)


def test_similarity_where_a_similarity_is_enough(tmp_path):
    angle, scale = 0.02 * np.sin(np.arange(24) / 6), 1 + 0.1 * np.sin(np.arange(24) / 9)
    maps = []
    for k in range(24):
        m = cv2.getRotationMatrix2D((800, 800), np.degrees(angle[k]), scale[k])
        maps.append(np.vstack([m, [0, 0, 1]]) + np.array([[0, 0, W / 2 - 800 - 3.1 * k], [0, 0, H / 2 - 800 + 1.7 * k], [0, 0, 0]]))
    camera = track_camera(write(tmp_path / "roll.mp4", draw(maps, plate(2))), model="similarity")
    off = residuals(camera, maps)
    assert np.median(off) <= 0.1 and camera.model == "similarity"  # sub-pixel tracking of a sharp picture: a tenth of a pixel
    m = camera.matrix
    assert np.allclose(m[:, 0, 0], m[:, 1, 1]) and np.allclose(m[:, 0, 1], -m[:, 1, 0]) and (m[:, 2, :2] == 0).all()


def test_still_camera_stays_exactly_still_though_someone_walks(tmp_path):
    def walker(frame, index):
        x = 60 + 9 * index
        frame[60:250, x : x + 90] = np.roll(plate(9)[:190, :90], index, axis=0)
        score_bar(frame, index)

    camera = track_camera(write(tmp_path / "still.mp4", draw([turned(0, 0, 1)] * 30, plate(3), walker)))
    assert camera.model == "still" and (camera.matrix == np.eye(3)).all()
    assert not camera.graphics[0].any()


def test_people_who_walk_together_do_not_carry_the_camera(tmp_path):
    def crowd(frame, index):
        for x in (40, 190, 330):
            frame[90:230, x + 3 * index : x + 3 * index + 60] = plate(5)[100:240, x : x + 60]

    maps = [turned(-2.5 * k, 0, 1) for k in range(30)]
    camera = track_camera(write(tmp_path / "crowd.mp4", draw(maps, plate(4), crowd)))
    off = residuals(camera, maps)
    assert np.median(off) <= 0.2 and np.percentile(off, 95) <= 0.5


def test_batter_is_masked_by_the_pose(tmp_path):
    """A body over half the picture, that the camera does not follow: without the pose it would win."""

    def body(frame, index):
        frame[20:260, 110 + 2 * index : 330 + 2 * index] = plate(7)[300:540, 300:520]

    maps = [turned(2.0 * k, 0, 1) for k in range(24)]
    t = np.arange(24) / 25
    corners = np.array([[110, 20], [330, 20], [330, 260], [110, 260]], float)
    xy = corners + np.stack([2 * np.arange(24), np.zeros(24)], 1)[:, None]
    pose = PoseSequence(xy, np.ones((24, 4)), t, ("left_shoulder", "right_shoulder", "right_ankle", "left_ankle"), (W, H))
    camera = track_camera(write(tmp_path / "body.mp4", draw(maps, plate(6), body)), pose)
    assert np.median(residuals(camera, maps)) <= 0.2


def test_cut_begins_a_shot_and_nothing_crosses_it(tmp_path):
    one, other = [turned(3 * k, 0, 1) for k in range(16)], [turned(-2 * k, 0, 1.3) for k in range(14)]
    camera = track_camera(write(tmp_path / "cut.mp4", draw(one, plate(11)) + draw(other, plate(12), seed=1)))
    assert camera.shot.tolist() == [0] * 16 + [1] * 14
    assert (camera.matrix[0] == np.eye(3)).all() and (camera.matrix[16] == np.eye(3)).all()
    assert np.median(residuals(camera, [*one, *other])) <= 0.2
    assert np.isnan(camera.between(15, 16)).all() and np.isfinite(camera.between(16, 29)).all()
    assert len(camera.graphics) == 2


def test_repeated_frames_have_the_camera_of_the_frame_they_repeat(tmp_path):
    maps = [turned(6.0 * k, 0, 1) for k in range(24)]
    shown = [k for k in range(24) for _ in range(2 if k % 3 == 2 else 1)]
    frames = draw(maps, plate(13))
    camera = track_camera(write(tmp_path / "repeat.mp4", [frames[k] for k in shown]))
    repeated = np.array([False] + [a == b for a, b in zip(shown, shown[1:], strict=False)])
    assert (camera.repeat == repeated).all()
    again = np.flatnonzero(repeated)
    assert (camera.matrix[again] == camera.matrix[again - 1]).all()
    assert np.median(residuals(camera, [maps[k] for k in shown])) <= 0.2


def test_nothing_to_hold_on_to_is_nan_and_a_sentence(tmp_path):
    flat = [np.full((H, W, 3), (96, 140, 80), np.uint8)] * 12
    noise = np.random.default_rng(0)
    grain = [np.clip(frame + 6 * noise.standard_normal(frame.shape), 0, 255).astype(np.uint8) for frame in flat]
    for name, frames in (("flat", flat), ("grain", grain)):
        camera = track_camera(write(tmp_path / f"{name}.mp4", frames))
        assert not camera.known.any() and np.isnan(camera.residual).all()
        assert len(camera.flags) == 1 and "can't be told" in camera.flags[0]


def test_zoom_beyond_any_lens_is_refused_from_there_on(tmp_path):
    maps = [turned(0, 0, 3.0 * 0.9**k, side=1600) for k in range(44)]
    world = np.tile(plate(14), (3, 3, 1))
    inner = np.array([[1, 0, -1600.0], [0, 1, -1600.0], [0, 0, 1]])
    camera = track_camera(write(tmp_path / "away.mp4", draw([m @ inner for m in maps], world)))
    first = int(np.argmin(camera.known)) if not camera.known.all() else 44
    # The scale leaves 12 after 24 frames; detail runs out about then as well, so the chain may end a little earlier.
    assert 12 <= first <= 26
    assert not camera.known[first:].any() or camera.shot[-1] > 0
    assert camera.flags and np.nanmax(camera.zoom) <= 12.0


def test_wrong_input_is_one_sentence(tmp_path):
    clip = write(tmp_path / "short.mp4", draw([turned(2 * k, 0, 1) for k in range(4)], plate(15)))
    with pytest.raises(KineticsError, match="unknown; use auto"):
        track_camera(clip, model="affine")
    pose = PoseSequence(np.zeros((3, 1, 2)), np.ones((3, 1)), np.arange(3) / 25, ("nose",), (W, H))
    with pytest.raises(KineticsError, match="3 frames"):
        track_camera(clip, pose)
    other = PoseSequence(np.zeros((4, 1, 2)), np.ones((4, 1)), np.arange(4) / 25, ("nose",), (W, 2 * H))
    with pytest.raises(KineticsError, match="give the skeleton of this clip"):
        track_camera(clip, other)


def test_short_clips_progress_and_cancel(tmp_path):
    frames = draw([turned(2 * k, 0, 1) for k in range(4)], plate(15))
    one = track_camera(write(tmp_path / "one.mp4", frames[:1]))
    assert len(one) == 1 and one.shot.tolist() == [0]
    calls = []
    clip = write(tmp_path / "four.mp4", frames)
    track_camera(clip, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(k, 8) for k in range(1, 9)]

    class Cancelled(Exception):
        pass

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        track_camera(clip, progress=stop)


def test_still_on_request(tmp_path):
    one, other = [turned(0, 0, 1)] * 12, [turned(0, 0, 1.3)] * 12
    camera = track_camera(write(tmp_path / "cut.mp4", draw(one, plate(11)) + draw(other, plate(12), seed=1)), model="still")
    assert camera.shot.tolist() == [0] * 12 + [1] * 12
    assert (camera.matrix == np.eye(3)).all() and camera.model == "still"
