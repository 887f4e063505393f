"""Maps of the camera, the solutions over all frames, and stabilised skeletons, pictures and clips."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinetics.errors import KineticsError
from kinetics.motion.background import Pair
from kinetics.motion.camera import Camera, stabilise_pose
from kinetics.motion.pan_tilt import PanTilt, solve_pan_tilt
from kinetics.motion.pose_graph import distances, similarity_maps, solve_similarities
from kinetics.motion.stabilise import choose_canvas, stabilise_clip, warp_to
from kinetics.pose_sequence import PoseSequence
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

SIZE = (320, 180)


def camera_of(matrix, shot=None, size=SIZE, t=None, **more) -> Camera:
    count = len(matrix)
    t = np.arange(count) / 25 if t is None else t
    return Camera(t, np.asarray(matrix, float), np.zeros(count, int) if shot is None else np.asarray(shot), np.zeros(count), size, **more)


def shifts(*xy) -> np.ndarray:
    return np.array([[[1, 0, x], [0, 1, y], [0, 0, 1]] for x, y in xy], float)


@given(
    st.floats(0.3, 3), st.floats(-3, 3), st.floats(-500, 500), st.floats(-500, 500), st.floats(-3e-4, 3e-4), st.floats(-3e-4, 3e-4),
    st.floats(0, 319), st.floats(0, 179),
)  # fmt: skip
def test_there_and_back(scale, angle, x, y, g, h, px, py):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    camera = camera_of([np.eye(3), [[c, -s, x], [s, c, y], [g, h, 1]]])
    points = np.full((2, 3, 2), [px, py])
    assert np.allclose(camera.to_frame(camera.to_reference(points)), points, atol=1e-6)
    round_trip = camera.between(1, 0) @ camera.between(0, 1)
    assert np.allclose(round_trip / round_trip[2, 2], np.eye(3), atol=1e-9)
    # The local scale is the root of the area of a small square's picture.
    middle = np.array([159.5, 89.5])
    square = middle + 1e-3 * np.array([[0, 0], [1, 0], [0, 1]])
    a, b, d = camera.to_reference(np.tile(square, (2, 1, 1)))[1]
    area = abs(np.linalg.det(np.stack([b - a, d - a]))) / 1e-6
    assert camera.zoom[1] == pytest.approx(np.sqrt(area), rel=1e-3)  # a finite square: 1e-3 px over some hundred


def test_unknown_frames_stay_unknown():
    matrix = shifts((0, 0), (5, -2), (7, 1))
    matrix[1] = np.nan
    camera = camera_of(matrix)
    points = np.zeros((3, 2))
    assert np.isnan(camera.to_reference(points)).any(axis=1).tolist() == [False, True, False]
    assert np.isnan(camera.to_frame(points)).any(axis=1).tolist() == [False, True, False]
    assert np.isnan(camera.zoom).tolist() == [False, True, False] and camera.known.tolist() == [True, False, True]
    assert np.isnan(camera.between(0, 1)).all() and np.allclose(camera.between(0, 2), shifts((-7, -1))[0])


def test_stabilise_pose_takes_the_camera_out_and_says_so():
    matrix = shifts((0, 0), (5, -2), (9, -4), (0, 0))
    matrix[2] = np.nan
    camera = camera_of(matrix, shot=[0, 0, 0, 1])
    xy = np.tile([[100.0, 50.0], [120.0, 90.0]], (4, 1, 1)) - camera.matrix[:, None, :2, 2]
    xy[0, 1] = np.nan
    pose = PoseSequence(np.nan_to_num(xy, nan=0.0), np.ones((4, 2)), camera.t, ("nose", "pelvis"), SIZE)
    pose = pose.with_step("gap", xy=np.where(np.isnan(xy), np.nan, xy))
    still = stabilise_pose(pose, camera)
    assert np.allclose(still.xy[[0, 1, 3], 0], [100, 50]) and np.allclose(still.xy[[1, 3], 1], [120, 90])
    assert still.missing.tolist() == [[False, True], [False, False], [True, True], [False, False]]
    step = still.provenance["steps"][-1]
    assert step["step"] == "stabilise" and step["cuts"] == [3] and step["frames_without_camera"] == [2]


def test_stabilise_pose_refuses_what_does_not_belong_together():
    camera = camera_of(shifts((0, 0), (1, 1)))

    def pose(count=2, size=SIZE, t0=0.0):
        return PoseSequence(np.zeros((count, 1, 2)), np.ones((count, 1)), t0 + np.arange(count) / 25, ("nose",), size)

    assert len(stabilise_pose(pose(), camera)) == 2
    for wrong in (pose(count=3), pose(size=(180, 320)), pose(t0=1.0), pose().with_step("scale", space="m")):
        with pytest.raises(KineticsError):
            stabilise_pose(wrong, camera)
    with pytest.raises(KineticsError, match="shape"):
        camera.to_reference(np.zeros((3, 2)))
    with pytest.raises(KineticsError, match="matrix"):
        Camera(np.arange(3), np.zeros((2, 3, 3)), np.zeros(3, int), np.zeros(3), SIZE)
    with pytest.raises(KineticsError, match="model"):
        camera_of(shifts((0, 0)), model="affine")


def test_still_camera():
    camera = Camera.still(np.arange(5) / 30, SIZE)
    assert camera.model == "still" and (camera.zoom == 1).all() and (camera.between(1, 4) == np.eye(3)).all()


def pair(i, j, maps, rng, noise=0.0, count=40) -> Pair:
    """What two frames with known maps, frame -> reference px from the middle, would tell."""
    p = rng.uniform(-160, 160, count) + 1j * rng.uniform(-90, 90, count)
    x, y, w = np.linalg.inv(maps[j]) @ maps[i] @ np.stack([p.real, p.imag, np.ones(count)])
    q = (x + 1j * y) / w + noise * (rng.standard_normal(count) + 1j * rng.standard_normal(count))
    s, t = np.linalg.lstsq(np.stack([p, np.ones(count)], 1), q, rcond=None)[0]
    return Pair(i, j, s, t, p, q, np.ones(count, np.float32), count, max(noise, 1e-3))


def test_similarities_are_found_exactly_and_a_wrong_pair_is_outvoted():
    rng = np.random.default_rng(1)
    frames = list(range(10, 40))
    a, b = np.exp(rng.normal(0, 0.1, 30) + 0.1j * rng.normal(size=30)), 30 * (rng.normal(size=30) + 1j * rng.normal(size=30))
    a[0], b[0] = 1, 0
    maps = dict(zip(frames, similarity_maps(a, b), strict=True))
    pairs = [pair(i, i + d, maps, rng) for d in (1, 4, 12) for i in range(10, 40 - d)]
    found = solve_similarities(frames, pairs)
    assert np.abs(found[0] - a).max() < 1e-9 and np.abs(found[1] - b).max() < 1e-7  # no noise: to rounding
    wrong = pair(20, 24, maps, rng)
    wrong = replace(wrong, t=wrong.t + 25, q=wrong.q + 25)
    _, b2, misfit = solve_similarities(frames, [*pairs, wrong])
    assert np.abs(b2 - b).max() < 0.2 and misfit.argmax() == len(pairs)  # Cauchy's rule leaves it a few parts in a thousand


def test_longer_spans_hold_the_drift_of_the_chain():
    """Neighbours that all say a tenth of a pixel too little, as a codec makes them, against spans that don't."""
    rng = np.random.default_rng(2)
    maps = similarity_maps(np.ones(60, complex), 2.0 * np.arange(60) + 0j)
    neighbours = [pair(i, i + 1, maps, rng) for i in range(59)]
    lag = [replace(p, t=p.t + 0.1, q=p.q + 0.1) for p in neighbours]
    spans = [pair(i, i + d, maps, rng) for d in (4, 12) for i in range(0, 60 - d)]
    _, chain, _ = solve_similarities(range(60), lag)
    _, closed, _ = solve_similarities(range(60), [*lag, *spans])
    # A twentieth of the drift is left: neighbours weigh a ninth of a span each.
    assert abs(chain[-1] - 118) > 5.8 and np.abs(closed - 2.0 * np.arange(60)).max() < 0.3


def test_pan_tilt_finds_turns_zooms_and_the_focal_length():
    rng = np.random.default_rng(3)
    n, focal = 40, 1500.0
    pan, tilt, roll = np.radians(14) * np.sin(np.arange(n) / 12), np.radians(2) * np.sin(np.arange(n) / 7), 0.01 * np.sin(np.arange(n) / 9)
    zoom = 1 + 0.5 * np.sin(np.arange(n) / 30)
    true = PanTilt(focal, zoom, Rotation.from_euler("yxz", np.stack([pan, tilt, roll], 1)).as_matrix())
    assert np.allclose(true.maps[0], np.eye(3))
    pairs = [pair(i, i + d, true.maps, rng, noise=0.1) for d in (1, 4, 12) for i in range(0, n - d)]
    a, b, _ = solve_similarities(range(n), pairs)
    found = solve_pan_tilt(range(n), pairs, a, b, 320.0)
    assert found.focal == pytest.approx(focal, rel=0.02)  # tenths of a pixel over a turn of 28°
    assert np.allclose(found.zoom, zoom, rtol=2e-3)
    before, after = (np.median(np.concatenate(distances(range(n), pairs, maps))) for maps in (similarity_maps(a, b), found.maps))
    # 0.1 px per axis: Rayleigh, median 0.118.
    assert after == pytest.approx(0.118, rel=0.1) and after < 0.9 * before


def test_pan_tilt_refuses_a_turn_that_no_picture_holds():
    n = 40
    true = PanTilt(200.0, np.ones(n), Rotation.from_euler("y", np.linspace(0, 1.5, n)[:, None]).as_matrix())
    rng = np.random.default_rng(4)
    pairs = [pair(i, i + 1, true.maps, rng) for i in range(20)]
    a, b, _ = solve_similarities(range(21), pairs)
    assert solve_pan_tilt(range(21), pairs, a, b, 320.0) is not None
    turned = [replace(pairs[k % 2], i=k, j=k + 1) for k in range(39)]
    a, b, _ = solve_similarities(range(n), turned)
    assert solve_pan_tilt(range(n), turned, a, b, 320.0) is None


def scene(x: float, y: float) -> np.ndarray:
    """A frame whose pixel (0, 0) shows world place (x, y)."""
    u, v = np.meshgrid(np.arange(SIZE[0]) + x, np.arange(SIZE[1]) + y)
    wave = [127 + 60 * np.sin(u / 9 + k) + 60 * np.sin(v / 7 - k) for k in range(3)]
    return np.stack(wave, axis=-1).astype(np.uint8)


def test_warp_to_brings_every_frame_onto_the_reference():
    camera = camera_of(shifts((0, 0), (30, -12), (-7, 3)))
    for k, (x, y) in enumerate(camera.matrix[:, :2, 2]):
        warped, valid = warp_to(camera, scene(x, y), k)
        assert np.abs(warped[valid].astype(int) - scene(0, 0)[valid]).max() <= 1
        # Outside the frame, and in the pixel at its rim, nothing was seen.
        assert valid.sum() == (SIZE[0] - max(abs(x), 1) - 1) * (SIZE[1] - max(abs(y), 1) - 1)
        assert not warped[~cv2.dilate(valid.astype(np.uint8), np.ones((3, 3))).astype(bool)].any()


def test_warp_to_takes_part_of_the_canvas_at_a_scale_and_leaves_graphics_out():
    graphics = np.zeros(SIZE[::-1], bool)
    graphics[100:120, 200:260] = True
    camera = camera_of(shifts((0, 0), (10, 0)), graphics=(graphics,))
    _, valid = warp_to(camera, scene(10, 0), 1, size=(100, 60), offset=(200, 90), scale=2.0)
    # Frame px 200-259 lie at reference 210-269, on this canvas at 20-138.
    assert not valid[22:58, 22:].any() and valid[:16, :].all()
    assert warp_to(camera, scene(10, 0), 1, without_graphics=False)[1][:, 12:-2][2:-2].all()
    matrix = shifts((0, 0), (10, 0))
    matrix[1] = np.nan
    picture, valid = warp_to(camera_of(matrix), scene(10, 0), 1)
    assert not picture.any() and not valid.any()
    with pytest.raises(KineticsError, match="give its own frames"):
        warp_to(camera, scene(0, 0)[:50], 0)


def test_canvas_is_bounded():
    assert choose_canvas(camera_of(shifts((0, 0), (40, 10)))) == ((362, 192), (-1.0, -1.0), 1.0)
    tiny = np.array([np.eye(3), np.diag([1e6, 1e6, 1.0])])
    size, _, scale = choose_canvas(camera_of(tiny))
    assert size[0] * size[1] <= 4.2 * SIZE[0] * SIZE[1] and scale <= 1
    assert choose_canvas(camera_of(np.full((2, 3, 3), np.nan))) == (SIZE, (0.0, 0.0), 1.0)
    with pytest.raises(KineticsError, match="unknown"):
        choose_canvas(camera_of(shifts((0, 0))), canvas="round")


@pytest.fixture
def moving(tmp_path):
    """A clip at uneven times that pans, and its camera."""
    places, t = [(0, 0), (12, 4), (25, 8), (31, 9)], np.array([0, 0.04, 0.12, 0.16])
    with VideoWriter(tmp_path / "moving.mp4", *SIZE, 25, crf=8) as writer:
        for place, when in zip(places, t, strict=True):
            writer.write(scene(*place), when)
    return Clip(tmp_path / "moving.mp4"), camera_of(shifts(*places), t=t)


def test_stabilised_clip_stands_still_at_the_times_of_the_frames(moving, tmp_path):
    clip, camera = moving
    done = []
    path = stabilise_clip(clip, camera, tmp_path / "still.mp4", progress=lambda k, n: done.append((k, n)))
    frames = list(Clip(path).frames())
    assert np.allclose([frame.t for frame in frames], camera.t, atol=1e-4) and done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for frame in frames:
        part = np.s_[20:-20, 40:-20]
        # Two passes of the codec: a grey level or two; a shift by a pixel makes three.
        assert np.abs(frame.image[part].mean(axis=-1) - scene(0, 0)[part].mean(axis=-1)).mean() < 2
    assert Clip(stabilise_clip(clip, camera, tmp_path / "all.mp4", canvas="all")).info.width == choose_canvas(camera)[0][0]


def test_stabilised_clip_is_whole_or_absent(moving, tmp_path):
    clip, camera = moving

    def stop(done, total):
        if done == 2:
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        stabilise_clip(clip, camera, tmp_path / "out" / "still.mp4", progress=stop)
    with pytest.raises(KineticsError, match="more frames than the camera"):
        stabilise_clip(clip, camera_of(shifts((0, 0), (1, 1))), tmp_path / "out" / "still.mp4")
    assert list((tmp_path / "out").iterdir()) == []
