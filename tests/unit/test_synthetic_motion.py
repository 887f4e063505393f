"""The drawn batter's closed form: bones, hands, derivatives, speeds, impact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.synthetic import POINT_NAMES, SHOTS, default_scene, default_stroke, random_scene
from kinetics.synthetic.body import BODY_NAMES, BOTTOM_HAND, TOP_HAND
from kinetics.synthetic.clips import with_extras

TIMES = np.linspace(0.0, 3.0, 301)


def random_scenes(seed: int, count: int):
    rng = np.random.default_rng(seed)
    return [random_scene(rng, shot) for _ in range(count) for shot in SHOTS]


def length(scene, a: str, b: str) -> np.ndarray:
    truth = scene.truth(TIMES)
    return np.linalg.norm(truth.point(a) - truth.point(b), axis=1)


@pytest.mark.parametrize("scene", random_scenes(1, 2), ids=lambda scene: f"{scene.stroke.shot}-{scene.batter.handed}")
def test_bones_keep_their_length(scene):
    body = scene.batter
    for side in ("left", "right"):
        for a, b, expected in (
            ("shoulder", "elbow", body.upper_arm), ("elbow", "wrist", body.forearm), ("hip", "knee", body.thigh),
            ("knee", "ankle", body.shank), ("ankle", "foot", body.foot),
        ):  # fmt: skip
            # Rounding only: the joints are built from these lengths.
            np.testing.assert_allclose(length(scene, f"{side}_{a}", f"{side}_{b}"), expected, rtol=1e-9)
    np.testing.assert_allclose(length(scene, "neck", "pelvis"), body.trunk, rtol=1e-9)
    np.testing.assert_allclose(length(scene, "left_shoulder", "right_shoulder"), 2 * body.half_shoulders, rtol=1e-9)


@pytest.mark.parametrize("scene", random_scenes(2, 2), ids=lambda scene: f"{scene.stroke.shot}-{scene.batter.handed}")
def test_hands_stay_on_the_handle(scene):
    truth = scene.truth(TIMES)
    end, tip = truth.point("bat_handle_end"), truth.point("bat_tip")
    axis = (tip - end) / scene.batter.bat_length
    np.testing.assert_allclose(np.linalg.norm(axis, axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(truth.point("top_hand"), end + TOP_HAND * axis, atol=1e-9)
    np.testing.assert_allclose(truth.point("bottom_hand"), end + BOTTOM_HAND * axis, atol=1e-9)
    np.testing.assert_allclose(truth.point("hands"), 0.5 * (truth.point("top_hand") + truth.point("bottom_hand")), atol=1e-9)
    # A right-hander's left hand is the top one.
    top, bottom = ("left", "right") if scene.batter.handed == "right" else ("right", "left")
    for hand, side in (("top_hand", top), ("bottom_hand", bottom)):
        np.testing.assert_allclose(np.linalg.norm(truth.point(hand) - truth.point(f"{side}_wrist"), axis=1), scene.batter.hand, rtol=1e-9)


def test_nothing_is_under_the_ground():
    for scene in random_scenes(3, 3):
        truth = scene.truth(TIMES)
        # The fit leaves 12 mm under the bat on a grid of 5 ms, between whose points a slow low bat sinks far less than that.
        assert truth.m[..., 2].min() > 0.0


def central(function, t: np.ndarray, h: float) -> np.ndarray:
    """Sixth-order central difference."""
    return sum(c * (function(t + k * h) - function(t - k * h)) for k, c in ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))) / h


@pytest.mark.parametrize("shot", SHOTS)
def test_derivatives_agree_with_differences(shot):
    scene = default_scene(shot)
    t, h = np.linspace(0.2, 2.8, 53), 1e-3
    truth = scene.truth(t)
    # Steps are about 0.09 s wide, so the truncation h^6 f^(7)/140 is below 1e-8 of f's size, and rounding is 1e-16/1e-3 of it.
    np.testing.assert_allclose(truth.velocity, central(lambda s: scene.truth(s).m, t, h), atol=1e-6)
    still, moment = scene.camera, np.zeros(1)

    def still_px(s):
        eye = (scene.truth(s).m - np.asarray(still.place)) @ still.rotation(moment)[0].T
        return eye[..., :2] / eye[..., 2:] * still.angles(moment)[2] + 0.5 * (np.array(still.size) - 1)

    np.testing.assert_allclose(
        truth.px_velocity, central(still_px, t, h), atol=1e-3
    )  # px/s; positions are about 1e3 px, so 1e3 times looser
    np.testing.assert_allclose(truth.omega_image, central(lambda s: scene.truth(s).angle_image, t, h), rtol=1e-4, atol=1e-4)
    axis = (truth.point("bat_tip") - truth.point("bat_handle_end")) / scene.batter.bat_length
    turned = central(lambda s: scene.truth(s).point("bat_tip") - scene.truth(s).point("bat_handle_end"), t, h) / scene.batter.bat_length
    np.testing.assert_allclose(truth.omega_vector, np.cross(axis, turned), atol=1e-6)
    np.testing.assert_allclose(truth.omega, np.linalg.norm(np.cross(axis, turned), axis=1), atol=1e-6)


def test_velocity_of_the_tip_is_that_of_a_turning_bat():
    truth = default_scene("off_drive").truth(TIMES)
    arm = truth.point("bat_tip") - truth.point("hands")
    carried = truth.velocity[:, POINT_NAMES.index("hands")] + np.cross(truth.omega_vector, arm)
    np.testing.assert_allclose(truth.velocity[:, POINT_NAMES.index("bat_tip")], carried, atol=1e-9)
    assert (truth.tip_speed_image <= truth.tip_speed + 1e-12).all()


@pytest.mark.parametrize("shot", SHOTS)
def test_default_speeds_are_those_of_batters(shot):
    peaks = default_scene(shot).peaks
    low, high = {"inside_edge": (10, 20), "hook": (20, 30)}.get(shot, (15, 26))
    assert low <= peaks["tip_speed"][0] <= high
    assert 10 <= peaks["omega"][0] <= 35


def test_random_speeds_are_those_of_batters():
    scenes = random_scenes(20, 20)
    s = np.linspace(-0.12, 0.12, 121)
    for scene in scenes:
        near = scene.truth(scene.stroke.impact + s)
        assert (10 if scene.stroke.shot == "inside_edge" else 14) <= near.tip_speed.max() <= 30, scene.stroke.shot
        assert 10 <= near.omega.max() <= 35
        assert abs(s[np.argmax(near.tip_speed)]) < 0.03
    assert {scene.batter.handed for scene in scenes} == {"left", "right"}


@pytest.mark.parametrize("shot", SHOTS)
def test_impact_is_where_it_says(shot):
    scene = default_scene(shot)
    impact = scene.stroke.impact
    assert 1.4 <= impact <= 1.8
    truth, ball = scene.truth([impact]), scene.ball(np.array([impact]))[0]
    end, tip = truth.point("bat_handle_end")[0], truth.point("bat_tip")[0]
    axis = (tip - end) / scene.batter.bat_length
    along = (ball - end) @ axis
    # On the blade, one ball's radius and half a bat's thickness off its axis.
    assert scene.batter.bat_length - 0.2 < along < scene.batter.bat_length
    assert np.linalg.norm(ball - end - along * axis) == pytest.approx(0.055, abs=1e-9)
    # The ball comes from the bowler (smaller x as time passes) and its path is unbroken at the bat.
    before, after = scene.ball(np.array([impact - 1e-6, impact + 1e-6]))
    np.testing.assert_allclose(before, after, atol=1e-3)
    assert scene.ball(np.array([impact - 0.3]))[0, 0] > ball[0] + 5.0
    # The downswing takes about the time of published drives (0.36 s): from a tenth of the peak rate, which a smooth start reaches late.
    t = np.linspace(impact - 0.45, impact, 200)
    omega = scene.truth(t).omega
    still = t[np.flatnonzero(omega < 0.1 * omega.max())]
    assert 0.15 < impact - still.max() < 0.45


def test_ball_takes_some_of_the_bats_rate_when_asked():
    scene = default_scene("off_drive")
    struck = replace(scene, stroke=replace(scene.stroke, impact_loss=0.12))
    before, after = scene.stroke.impact - 0.01, scene.stroke.impact + 0.008
    free = scene.truth([before, after]).omega
    hit = struck.truth([before, after]).omega
    assert hit[0] == pytest.approx(free[0], rel=2e-3)
    # At 8 ms the loss, 12 % at once, has begun to be regained: exp(-s/0.05)(1 - s/0.05) of it is left, 72 %.
    assert 1 - hit[1] / free[1] == pytest.approx(0.12 * 0.72, abs=0.015)


def test_shots_differ():
    tracks = {shot: default_scene(shot) for shot in SHOTS}
    s = np.linspace(-0.4, 0.5, 46)
    shapes = {shot: scene.truth(scene.stroke.impact + s) for shot, scene in tracks.items()}
    for i, a in enumerate(SHOTS):
        for b in SHOTS[i + 1 :]:
            apart = np.linalg.norm(shapes[a].point("bat_tip") - shapes[b].point("bat_tip"), axis=1)
            assert apart.max() > 0.25, (a, b)
    # Where the blade points at impact: a drive's hangs down, a hook's is flat.
    tilt = {shot: (shape.point("bat_tip") - shape.point("hands"))[np.argmin(np.abs(s)), 2] for shot, shape in shapes.items()}
    assert tilt["off_drive"] < -0.7 and abs(tilt["hook"]) < 0.3


def test_same_seed_same_truth_and_another_seed_another():
    a, b, c = (default_scene("hook", seed).truth(TIMES).px for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 5.0


def test_left_hander_is_the_mirror_image():
    right = default_scene("cover_drive")
    left = replace(right, batter=replace(right.batter, handed="left"))
    a, b = right.truth(TIMES), left.truth(TIMES)
    np.testing.assert_allclose(a.point("left_elbow") * [1, -1, 1], b.point("right_elbow"), atol=1e-12)
    np.testing.assert_allclose(a.point("bat_tip") * [1, -1, 1], b.point("bat_tip"), atol=1e-12)
    np.testing.assert_allclose(a.tip_speed, b.tip_speed, rtol=1e-12)


def test_pose_sequence_is_the_truth():
    scene = default_scene("square_drive")
    pose = scene.pose_sequence(30)
    truth = scene.truth(pose.t)
    assert pose.names == POINT_NAMES and len(pose) == 90 and pose.size == (1280, 720)
    np.testing.assert_allclose(pose.joint("bat_tip"), truth.point_px("bat_tip"))
    np.testing.assert_allclose(np.diff(pose.t), 1 / 30)
    np.testing.assert_allclose(pose.joint("neck"), 0.5 * (pose.joint("left_shoulder") + pose.joint("right_shoulder")), atol=0.2)


def test_passer_walks_on_bones_of_constant_length():
    passer = with_extras(default_scene("hook"), 25, second_person=True).passers["second"]
    joints = passer.joints(TIMES)
    assert set(BODY_NAMES) <= set(joints)
    for side in ("left", "right"):
        for a, b, expected in (
            ("hip", "knee", passer.body.thigh),
            ("knee", "ankle", passer.body.shank),
            ("elbow", "wrist", passer.body.forearm),
        ):
            np.testing.assert_allclose(np.linalg.norm(joints[f"{side}_{a}"] - joints[f"{side}_{b}"], axis=1), expected, rtol=1e-9)


def test_impossible_batter_is_refused():
    scene = default_scene("off_drive")
    giant = replace(scene, stroke=replace(scene.stroke, keys={**scene.stroke.keys, "front_x": (0.16, 0.16, 3.0, 3.0)}))
    with pytest.raises(KineticsError, match="can't play this off_drive"):
        giant.truth([0.0])


def test_unknown_shot_is_refused():
    with pytest.raises(KineticsError, match="no sample shot called 'sweep'"):
        default_stroke("sweep")
