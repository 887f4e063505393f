"""Camera and pictures: what is drawn is where the truth says."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinetics.synthetic import SHOTS, broadcast_camera, default_scene, with_extras
from kinetics.synthetic.figure import Eye, Painter, draw_bat
from kinetics.synthetic.raster import Raster
from kinetics.synthetic.render import Renderer
from kinetics.synthetic.visibility import person_box, visible

SMALL = (320, 180)


@pytest.mark.parametrize("shot", SHOTS)
def test_still_background_moves_by_the_homography(shot):
    camera = default_scene(shot).camera
    t = np.linspace(0.0, 3.0, 13)
    x, y, z = np.meshgrid([-6.0, 0.0, 8.0], [-3.0, 2.0, 40.0], [0.0, 1.5])
    world = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=-1)
    first = camera.project(world, np.zeros(len(world)))[0]
    for s, h, (matrix, error) in zip(t, camera.homography(t, 0.0), zip(*camera.similarity(t, 0.0), strict=True), strict=True):
        now = camera.project(world, np.full(len(world), s))[0]
        carried = cv2.perspectiveTransform(first[None], h)[0]
        # Exact: the camera only turns and zooms. Rounding of pixels of a few thousand.
        np.testing.assert_allclose(carried, now, atol=1e-6)
        inside = ((first >= 0) & (first < camera.size)).all(axis=1)
        assert inside.sum() >= 3
        near = first[inside] @ matrix[:, :2].T + matrix[:, 2]
        # The similarity errs by its stated largest error over the picture at most.
        assert np.linalg.norm(near - now[inside], axis=1).max() <= error + 1e-9
    # From one frame of 25 fps to the next a similarity is as good as exact.
    assert max(camera.similarity(np.array([s + 0.04]), s)[1][0] for s in t) < 0.05
    # And the camera does pan and zoom.
    focal = camera.angles(t)[2]
    assert focal.max() / focal.min() > 1.1
    assert np.ptp(camera.project(np.zeros((13, 3)), t)[0][:, 0]) > 50.0


def test_camera_matrices_project():
    scene = default_scene("hook")
    truth, camera = scene.truth([1.3]), scene.camera
    k, r = camera.intrinsics(np.array([1.3]))[0], camera.rotation(np.array([1.3]))[0]
    eye = (k @ r @ (truth.m[0] - np.asarray(camera.place)).T).T
    np.testing.assert_allclose(eye[:, :2] / eye[:, 2:], truth.px[0], atol=1e-9)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) == pytest.approx(1.0)


@pytest.mark.parametrize("shot", ("hook", "off_drive", "square_drive"))
def test_drawn_toe_is_the_true_tip(shot):
    scene = default_scene(shot)
    t = np.linspace(0.0, 3.0, 25)
    truth = scene.truth(t)
    points = scene.points(t)
    checked = 0
    for k in np.flatnonzero(truth.apparent_length > 0.9):
        tip, hands = truth.point_px("bat_tip")[k], truth.point_px("hands")[k]
        low, high = np.floor(np.minimum(tip, hands) - 60).astype(int), np.ceil(np.maximum(tip, hands) + 60).astype(int)
        raster = Raster((*low, *high))
        draw_bat(Painter(raster, Eye(scene.camera, t[k])), {name: value[k] for name, value in points.items()})
        rows, columns = np.nonzero(raster.alpha > 0.5)
        axis = (tip - hands) / np.linalg.norm(tip - hands)
        drawn = np.stack([columns, rows], axis=-1) + low - hands
        along, across = drawn @ axis, drawn @ [-axis[1], axis[0]]
        # The toe is a face 3.7 cm thick round the axis. Seen obliquely its rim stands out by half of that at most, 5 px, 1.5 px the edge.
        assert along[np.abs(across) < 1.5].max() == pytest.approx(np.linalg.norm(tip - hands), abs=6.5)
        # Half the blade's width, 5.4 cm, is 14 px; a shift of the axis by more than its thickness would show here.
        blade = across[(along > 0.4 * along.max()) & (along < 0.9 * along.max())]
        assert abs(0.5 * (blade.min() + blade.max())) < 5.0
        checked += 1
    assert checked >= 3


def test_frame_shows_willow_at_the_tip_and_not_beyond():
    scene = default_scene("off_drive")
    renderer = Renderer(scene, 25, shutter=0.0, grain=0.0)
    frame = renderer.frame(5).astype(float)
    truth = scene.truth([renderer.t[5]])
    tip, hands = truth.point_px("bat_tip")[0], truth.point_px("hands")[0]
    axis = (tip - hands) / np.linalg.norm(tip - hands)

    def colour(distance: float) -> np.ndarray:
        x, y = np.round(tip + distance * axis).astype(int)
        return frame[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))

    bare = replace(scene, batter=replace(scene.batter, bat_length=0.45))
    ground = Renderer(bare, 25, shutter=0.0, grain=0.0)
    ground.t = renderer.t
    empty = ground.frame(5).astype(float)
    x, y = np.round(tip - 8 * axis).astype(int)
    # Eight pixels up from the toe the bat covers the ground; eight beyond it the picture is as without a blade.
    assert np.abs(frame[y, x] - empty[y, x]).max() > 25.0
    x, y = np.round(tip + 8 * axis).astype(int)
    assert np.abs(frame[y, x] - empty[y, x]).max() < 25.0
    assert colour(-8.0)[0] > colour(-8.0)[2] + 30.0  # willow is yellowish


def test_frames_move_with_the_camera():
    scene = default_scene("down_the_ground", size=(640, 360))
    renderer = Renderer(scene, 25, shutter=0.0, grain=0.0)
    a, b = renderer.frame(22), renderer.frame(40)
    h = scene.camera.homography(renderer.t[40:41], renderer.t[22])[0]
    moved = cv2.warpPerspective(a, h, (640, 360)).astype(float)
    top = slice(0, 60)  # the crowd and the boards, above the batter
    inside = cv2.warpPerspective(np.ones((360, 640), np.uint8), h, (640, 360))[top] > 0
    error = np.abs(moved[top] - b[top]).mean(axis=2)[inside].mean()
    still = np.abs(a[top].astype(float) - b[top]).mean(axis=2)[inside].mean()
    assert inside.mean() > 0.6
    # Two resamplings of text and heads leave a few levels; not moving at all leaves several times that.
    assert error < 4.0 and error < 0.2 * still


def test_motion_blur_keeps_the_middle_of_the_smear():
    """The fast bat's smear is centred on its place in the middle of the exposure."""
    scene = default_scene("down_the_ground")
    index = round((scene.stroke.impact - 0.06) * 25)
    t = index / 25
    moments = t + 0.5 / 25 / 2 * (np.arange(-10, 11) / 10.0)
    truth = scene.truth(moments)
    window = (*np.floor(truth.px.min(axis=(0, 1)) - 40).astype(int), *np.ceil(truth.px.max(axis=(0, 1)) + 40).astype(int))
    smear, points = 0.0, scene.points(moments)
    for k in range(len(moments)):
        raster = Raster(window)
        draw_bat(Painter(raster, Eye(scene.camera, moments[k])), {name: value[k] for name, value in points.items()})
        smear = smear + raster.alpha
    rows, columns = np.indices(smear.shape)
    at = np.array([(columns * smear).sum(), (rows * smear).sum()]) / smear.sum() + window[:2]
    sharp = Raster(window)
    draw_bat(Painter(sharp, Eye(scene.camera, t)), {name: value[10] for name, value in points.items()})
    expected = np.array([(columns * sharp.alpha).sum(), (rows * sharp.alpha).sum()]) / sharp.alpha.sum() + window[:2]
    # The path is curved by 20 rad/s x 0.02 s = 0.4 rad: sagitta 0.5 m x (1 - cos 0.2) / 3 averaged is 0.3 cm, 1 px; tilt adds.
    np.testing.assert_allclose(at, expected, atol=4.0)


def test_shutter_blurs():
    scene = default_scene("hook", size=SMALL)
    index = round(scene.stroke.impact * 25)
    sharp, soft = (Renderer(scene, 25, shutter=s, grain=0.0).frame(index).astype(float) for s in (0.0, 1.0))
    assert np.abs(sharp - soft).max() > 40.0


def test_grain_is_new_in_every_frame_and_the_same_again():
    scene = default_scene("hook", size=SMALL)
    noisy, clean = Renderer(scene, 25, grain=6.0, seed=3), Renderer(scene, 25, grain=0.0, seed=3)
    grain = [noisy.frame(i).astype(float) - clean.frame(i) for i in (0, 1)]
    for layer in grain:
        assert 4.0 < layer.std() < 7.0
    assert abs(np.corrcoef(grain[0].ravel(), grain[1].ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(Renderer(default_scene("hook", size=SMALL), 25, grain=6.0, seed=3).frame(1), noisy.frame(1))
    assert (Renderer(scene, 25, grain=6.0, seed=4).frame(1) != noisy.frame(1)).any()


def test_second_person_is_drawn_where_the_truth_says_and_hides_nothing():
    alone = default_scene("cover_drive", size=SMALL)
    both = with_extras(alone, 25, second_person=True)
    passer = both.passers["second"]
    index = 4
    t = np.array([index / 25])
    difference = np.abs(Renderer(both, 25, grain=0.0).frame(index).astype(float) - Renderer(alone, 25, grain=0.0).frame(index)).max(axis=2)
    x0, y0, x1, y1 = person_box(both, passer.joints(t), passer.body.height, t)[0].astype(int)
    body = difference[y0:y1, x0:x1]
    assert (body > 20).mean() > 0.2
    outside = difference.copy()
    outside[y0 - 2 : y1 + 3, x0 - 2 : x1 + 3] = 0
    outside[y1 - 20 : y1 + 8] = 0  # his shadow
    assert (outside > 20).mean() < 0.002
    t = np.arange(75) / 25
    seen_alone, seen_both = visible(alone, t), visible(both, t)
    assert all((seen_alone[name] == seen_both[name]).all() for name in seen_alone)
    assert passer.joints(t)["pelvis"][:, 0].std() > 0.5


def test_occluder_hides_the_batter_for_a_while_before_the_stroke():
    alone = default_scene("cover_drive", size=SMALL)
    scene = with_extras(alone, 25, occlusion=True)
    t = np.arange(75) / 25
    hidden = np.array([~v for v in visible(scene, t).values()]).mean(axis=0) - np.array([~v for v in visible(alone, t).values()]).mean(
        axis=0
    )
    assert hidden.max() > 0.4
    assert (hidden[t > scene.stroke.impact - 0.3] == 0).all()
    worst = int(np.argmax(hidden))
    frame, free = (Renderer(s, 25, grain=0.0).frame(worst).astype(float) for s in (scene, alone))
    x, y = np.round(scene.truth(t[worst : worst + 1]).point_px("neck")[0]).astype(int)
    assert np.abs(frame - free)[y - 6 : y + 6, x - 6 : x + 6].max() > 40


def test_cut_changes_the_camera_once():
    scene = with_extras(default_scene("cover_drive", size=SMALL), 25, cut=True)
    renderer = Renderer(scene, 25, grain=0.0)
    t = renderer.t
    cut = int(np.argmax(t >= scene.cut_time))
    assert 50 <= cut < 75
    before, last, first = (renderer.frame(k).astype(float) for k in (cut - 2, cut - 1, cut))
    assert np.abs(first - last).mean() > 4 * np.abs(last - before).mean()
    truth = scene.truth(t)
    assert truth.px_per_m[cut] < 0.3 * truth.px_per_m[cut - 1]
    # The tip's speed knows nothing of cuts.
    np.testing.assert_array_equal(truth.tip_speed, replace(scene, cut_time=None).truth(t).tip_speed)


def test_overlays_stay_while_the_camera_moves():
    scene = default_scene("off_drive", size=(640, 360))
    plain, dressed = Renderer(scene, 25, grain=0.0), Renderer(scene, 25, grain=0.0, overlays=True)
    bar = (slice(326, 343), slice(110, 180))
    a, b = dressed.frame(20), dressed.frame(40)
    np.testing.assert_array_equal(a[bar], b[bar])
    assert (a[bar] != plain.frame(20)[bar]).any()


def test_behind_his_back_a_hand_is_hidden():
    scene = default_scene("hook")
    seen = visible(scene, np.arange(75) / 25)
    share = np.mean([v.mean() for v in seen.values()])
    # A batter seen from the front of the off side shows most joints most of the time, not all.
    assert 0.7 < share < 1.0


def test_left_hander_is_seen_from_his_off_side():
    scene = default_scene("off_drive")
    left = replace(scene.batter, handed="left")
    camera = broadcast_camera(left, scene.stroke, (1280, 720))
    mirrored = replace(scene, batter=left, camera=camera).truth([0.5, 1.5]).px
    # Exactly the mirror image, left and right exchanged; x counts from 0 to 1279. Pan sways the same way for both, 6 mm or 2 px.
    original = scene.truth([0.5, 1.5])
    k, m = original.names.index("left_knee"), original.names.index("right_knee")
    np.testing.assert_allclose(1279 - mirrored[:, m, 0], original.px[:, k, 0], atol=6.0)
    np.testing.assert_allclose(mirrored[:, m, 1], original.px[:, k, 1], atol=1.0)
