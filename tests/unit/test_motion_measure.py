"""The whole measurement against drawn strokes: units, cuts, repeats, cameras, impossible tips, and what is said about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from swing_samples import bat_track, true_stroke, turning_bat

from kinetics.errors import KineticsError
from kinetics.motion.camera_maps import Camera
from kinetics.motion.measure import measure_swing
from kinetics.motion.plausible import hidden_stroke
from kinetics.motion.pose_track import track_from_pose
from kinetics.motion.scale import STUMPS, BatLength, BodyHeight, MarkedLength, Scale
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic.body import Batter
from kinetics.synthetic.scene import ShotScene
from kinetics.synthetic.scenes import broadcast_camera, default_scene
from kinetics.synthetic.strokes import default_stroke

#: Few draws where the estimate counts, no spline where only what is said and refused does.
FEW, QUICK = {"draws": 60}, {"method": "centred"}


@pytest.fixture(scope="module")
def drive():
    return true_stroke("off_drive", fps=50, noise=1.0)


@pytest.fixture(scope="module")
def measured(drive):
    track, pose, camera, _ = drive
    return measure_swing(track, pose, camera, unit="px", **FEW)


def test_speed_and_omega_of_a_drawn_stroke(drive, measured):
    track, _, _, truth = drive
    scene = default_scene("off_drive")
    still = np.abs(np.nan_to_num(measured.tip_speed - truth.tip_speed_px))
    # The issue asks for 1 % (median) at 50 fps and 2 px; here 1 px and one stroke.
    assert measured.peak_tip_speed.value == pytest.approx(truth.tip_speed_px.max(), rel=0.03)
    assert measured.peak_omega.value == pytest.approx(scene.peaks["omega_image"][0], rel=0.04)
    assert measured.peak_tip_speed.t == pytest.approx(truth.t[truth.tip_speed_px.argmax()], abs=0.02)
    assert np.median(still) < 0.02 * truth.tip_speed_px.max()
    assert measured.unit == "px" and measured.scale.px_per_unit == 1.0 and measured.scale.sigma == 0.0
    assert (measured.status == "measured").mean() > 0.95
    assert measured.measured.sum() == (measured.status == "measured").sum() and len(measured) == len(track)


def test_one_scale_divides_every_speed(drive):
    track, pose, camera, _ = drive
    measured = measure_swing(track, pose, camera, unit="px", **QUICK)
    metres = measure_swing(track, pose, camera, scale=Scale("m", 250.0, 0.05, "a test"), **QUICK)
    assert metres.unit == "m" and metres.scale.sigma == 0.05
    assert metres.peak_tip_speed.value == pytest.approx(measured.peak_tip_speed.value / 250)
    # sigma of the peak is the random one: the scale's isn't mixed in.
    assert metres.peak_tip_speed.sigma == pytest.approx(measured.peak_tip_speed.sigma / 250)
    assert metres.tip_speed == pytest.approx(measured.tip_speed / 250, nan_ok=True)
    assert metres.joints.speed == pytest.approx(measured.joints.speed / 250, nan_ok=True)
    assert metres.peak_omega == measured.peak_omega


@pytest.mark.parametrize(
    ("scale", "unit", "expected"),
    [(None, "auto", "body"), (None, "m", "m"), (BatLength(0.96), "auto", "m"), (BodyHeight(1.8), "auto", "m"), (BatLength(0.96), "px", "px"),
     ((BatLength(0.96), BodyHeight(1.8)), "auto", "m"), (BatLength(0.96), "body", "body")],
)  # fmt: skip
def test_units(drive, scale, unit, expected):
    track, pose, camera, truth = drive
    found = measure_swing(track, pose, camera, scale=scale, unit=unit, **QUICK)
    assert found.unit == expected
    if expected == "m" and scale is not None:
        true = default_scene("off_drive").peaks["tip_speed_image"][0]
        # Inside twice the scale's own sigma (3 to 6 %), plus 3 % that centred differences flatten the peak by at 50 fps.
        assert found.peak_tip_speed.value == pytest.approx(true, rel=2 * found.scale.sigma + 0.03)
    if expected == "body":
        assert found.scale.px_per_unit == pytest.approx(truth.px_per_m[0] * 1.8, rel=2 * found.scale.sigma)
    assert any("Metres rest on the bat" in flag for flag in found.flags) == (scale is None and unit == "m")


def test_a_marked_length_is_taken_through_the_camera(drive):
    track, pose, camera, truth = drive
    frame = len(track) - 10  # zoomed in: the reference frame is wider
    per_metre = truth.px_per_m[frame]
    mark = MarkedLength(frame, (600.0, 300.0), (600.0, 300.0 + STUMPS * per_metre), STUMPS, "the stumps")
    found = measure_swing(track, pose, camera, scale=mark, **QUICK)
    # The homography's local scale differs over the picture by under a percent.
    assert found.scale.px_per_unit == pytest.approx(truth.px_per_m[0], rel=0.02)


def test_without_a_skeleton_there_are_pixels_and_no_joints(drive):
    track, _, camera, _ = drive
    found = measure_swing(track, None, camera, **QUICK)
    assert found.unit == "px" and found.joints is None
    with pytest.raises(KineticsError, match="skeleton"):
        measure_swing(track, None, camera, unit="body", **QUICK)


def test_the_cameras_movement_has_no_part_in_it(drive, measured):
    track, pose, _, truth = drive
    moving = measure_swing(track, pose, None, unit="px", **FEW)
    assert any("taken to stand still" in flag for flag in moving.flags)
    off = abs(moving.peak_tip_speed.value / truth.tip_speed_px.max() - 1)
    # This camera pans and zooms in by a fifth: without taking that out the peak is far off.
    assert off > 0.1 > 3 * abs(measured.peak_tip_speed.value / truth.tip_speed_px.max() - 1)


def converted(rate, stored, seconds=3.0, **settings):
    """A track of ``rate`` pictures a second in a clip of ``stored`` frames a second: each frame shows the newest picture."""
    source, _, omega = turning_bat(fps=rate, seconds=seconds, **settings)
    t = np.arange(round((seconds - 0.1) * stored)) / stored
    newest = np.searchsorted(source.t, t + 1e-9, side="right") - 1
    repeat = np.concatenate([[False], np.diff(newest) == 0])
    parts = {name: getattr(source, name)[newest] for name in ("hands", "tip", "hands_sigma", "tip_sigma", "source", "confidence")}
    return replace(source, t=t, repeat=repeat, **parts), omega


def test_repeated_frames_are_left_out_of_time():
    track, omega = converted(40.0, 60.0, noise=0.5)
    repeat = track.repeat
    found = measure_swing(track, None, Camera.still(track.t, track.size), unit="px", **FEW)
    assert np.isnan(found.tip_speed[repeat]).all() and (found.status[repeat] == "repeat").all()
    # Positions stay: the tip is in that picture.
    assert np.isfinite(found.tip[repeat]).all()
    assert found.peak_tip_speed.value == pytest.approx(150 * omega.max(), rel=0.04)
    assert any(f"{repeat.sum()} frames repeat" in flag for flag in found.flags)
    assert np.abs(found.clock - found.t).max() <= 0.5 / 60 + 1e-9
    # Taken for samples, the repeats double the speed of the frames after them.
    spoilt = measure_swing(replace(track, repeat=np.zeros(len(track), bool)), None, Camera.still(track.t, track.size), unit="px", **QUICK)
    right = measure_swing(track, None, Camera.still(track.t, track.size), unit="px", **QUICK)
    assert spoilt.peak_tip_speed.value > 1.15 * right.peak_tip_speed.value


def test_repeats_without_a_pattern_widen_the_sigma():
    track, _, _ = turning_bat(fps=60, noise=0.5)
    repeat = np.random.default_rng(4).random(len(track)) < 0.4
    repeat[0] = False
    before = np.maximum.accumulate(np.where(repeat, 0, np.arange(len(track))))
    shown = replace(track, hands=track.hands[before], tip=track.tip[before], repeat=repeat)
    camera = Camera.still(track.t, track.size)
    # The same samples, the lost frames simply not there.
    clean = measure_swing(replace(track, tip=np.where(repeat[:, None], np.nan, track.tip)), None, camera, unit="px", **QUICK)
    found = measure_swing(shown, None, camera, unit="px", **QUICK)
    assert np.array_equal(found.clock, track.t)
    assert found.peak_tip_speed.sigma > 3 * clean.peak_tip_speed.sigma
    assert any("unevenly" in flag for flag in found.flags)


def test_one_shot_is_measured_and_the_cut_is_said():
    track, _, omega = turning_bat()
    frames = len(track)
    tip, hands = track.tip.copy(), track.hands.copy()
    # After the cut another view: everything elsewhere, moving fast.
    cut = 110
    tip[cut:] = [50, 50] + 40 * np.arange(frames - cut)[:, None] % 300
    hands[cut:] = [400, 300]
    camera = replace(Camera.still(track.t, track.size), shot=(np.arange(frames) >= cut).astype(int))
    found = measure_swing(replace(track, tip=tip, hands=hands), None, camera, unit="px", **FEW)
    assert np.isnan(found.tip_speed[cut:]).all() and (found.status[cut:] == "other shot").all()
    assert found.peak_tip_speed.value == pytest.approx(150 * omega.max(), rel=0.04)
    assert any("1 cut" in flag and "frame 0 to 109" in flag for flag in found.flags)


def test_where_the_camera_is_unknown_nothing_is_measured(drive):
    track, pose, camera, _ = drive
    matrix = camera.matrix.copy()
    matrix[20:30] = np.nan
    found = measure_swing(track, pose, replace(camera, matrix=matrix), **QUICK)
    assert np.isnan(found.tip_speed[20:30]).all() and (found.status[20:30] == "no camera").all()
    assert any("unknown in 10 frames" in flag for flag in found.flags)


def test_a_tip_beyond_any_bats_reach_is_refused(drive):
    track, pose, camera, _ = drive
    tip = track.tip.copy()
    tip[[40, 90]] = track.hands[[40, 90]] + [0.0, 420.0]  # longer than the batter is tall
    found = measure_swing(replace(track, tip=tip), pose, camera, **QUICK)
    assert np.isnan(found.tip[[40, 90]]).all() and (found.status[[40, 90]] == "refused").all()
    assert any("2 of 150 tips lie farther" in flag for flag in found.flags)
    assert np.isfinite(found.peak_tip_speed.value)


def test_a_tip_that_jumps_away_and_back_is_refused(drive):
    track, pose, camera, _ = drive
    tip = track.tip.copy()
    tip[120] += [150.0, -200.0]
    found = measure_swing(replace(track, tip=tip), pose, camera, **QUICK)
    assert np.isnan(found.tip[120]).all()


@pytest.mark.parametrize("wrong", ["in the hands", "too far", "a pad"])
def test_a_track_that_is_no_bat_gives_no_number(drive, wrong):
    track, pose, camera, _ = drive
    rng = np.random.default_rng(1)
    if wrong == "in the hands":  # 1.6 px from the wrist in every frame, as the earlier analysis has it
        tip = track.hands + 1.6 * np.array([0.6, 0.8])
    elif wrong == "too far":
        tip = np.where(rng.random(len(track))[:, None] < 0.5, track.hands + np.array([300.0, 200.0]), track.tip)
    else:
        tip = track.hands + rng.normal(size=track.tip.shape) * 12
    found = measure_swing(replace(track, tip=tip), pose, camera, **QUICK)
    assert found.flags[0].startswith("Nothing was measured")
    assert np.isnan(found.tip).all() and np.isnan(found.tip_speed).all() and np.isnan(found.peak_tip_speed.value)
    assert found.swing is None and found.phases.found == ()


def test_a_skeletons_own_bat_tip_is_measured_and_doubted(drive):
    track, pose, camera, truth = drive
    xy = np.concatenate([pose.xy, track.tip[:, None]], axis=1)
    conf = np.concatenate([pose.conf, np.full((len(pose), 1), 0.5)], axis=1)
    carrying = PoseSequence(xy, conf, pose.t, (*pose.names, "bat_tip"), pose.size, provenance=dict(pose.provenance))
    found = measure_swing(track_from_pose(carrying), carrying, camera, unit="px", **FEW)
    assert found.peak_tip_speed.value == pytest.approx(truth.tip_speed_px.max(), rel=0.05)
    assert any("not known" in flag for flag in found.flags) and set(found.source) == {"pose"}
    for reach, words in ((0.01, "in the hands"), (1.2, "farther from the hands")):
        bent = xy.copy()
        where = np.arange(len(pose)) % 7 == 0
        hands = (pose.joint("left_wrist") + pose.joint("right_wrist")) / 2
        along = (track.tip - hands) / np.linalg.norm(track.tip - hands, axis=1, keepdims=True)
        bent[where, -1] = (hands + reach * 380 * along)[where]
        bent = replace(carrying, xy=bent)
        found = measure_swing(track_from_pose(bent), bent, camera, **QUICK)
        assert np.isnan(found.tip[where]).all() and any(words in flag for flag in found.flags)


def test_a_track_from_a_skeleton_needs_a_tip_and_pixels(drive):
    _, pose, _, _ = drive
    with pytest.raises(KineticsError, match="no joint 'bat_tip'"):
        track_from_pose(pose)
    empty = PoseSequence(
        np.concatenate([pose.xy, np.full((len(pose), 1, 2), np.nan)], axis=1), np.concatenate([pose.conf, np.zeros((len(pose), 1))], axis=1),
        pose.t, (*pose.names, "bat_tip"), pose.size,
    )  # fmt: skip
    with pytest.raises(KineticsError, match="no place for it"):
        track_from_pose(empty)
    with pytest.raises(KineticsError, match="Grip"):
        track_from_pose(empty, grip="both")


def test_a_forearm_is_flagged(drive):
    track, pose, camera, _ = drive
    source = track.source.copy()
    source[60:70] = "forearm"
    found = measure_swing(replace(track, source=source), pose, camera, **QUICK)
    assert any("In 10 frames the bat is only guessed from the forearm" in flag for flag in found.flags)


def test_a_speed_that_cannot_be_is_flagged_not_clipped():
    track, _, omega = turning_bat(peak=30, width=0.15)
    found = measure_swing(track, None, Camera.still(track.t, track.size), scale=Scale("m", 40.0, 0.05, "a wrong mark"), **FEW)
    assert found.peak_tip_speed.value == pytest.approx(150 * omega.max() / 40, rel=0.04)
    assert any("lies outside 5-35 m/s" in flag for flag in found.flags)


def test_blur_is_flagged_by_the_exposure():
    track, _, _ = turning_bat()
    camera = Camera.still(track.t, track.size)
    # 3000 px/s over 20 ms is 60 px of a bat of 150; over 40 ms it is 120.
    for exposure, said in ((0.001, False), (0.040, True)):
        found = measure_swing(track, None, camera, exposure=exposure, **QUICK)
        assert any("smears" in flag for flag in found.flags) == said


def test_a_left_hander_is_measured_alike():
    stroke = default_stroke("off_drive")
    batters = [Batter(handed=handed) for handed in ("right", "left")]
    scenes = [ShotScene(batter, stroke, broadcast_camera(batter, stroke, (1280, 720))) for batter in batters]
    right, left = (measure_swing(*true_stroke(scene=scene, fps=50, noise=0.5)[:3], unit="px", **FEW) for scene in scenes)
    assert left.peak_tip_speed.value == pytest.approx(right.peak_tip_speed.value, rel=0.03)
    for phase in right.phases.found:
        assert left.phases[phase.name].start == pytest.approx(phase.start, abs=0.03)


@pytest.mark.parametrize("method", ["centred", "savgol"])
def test_the_other_methods_are_the_users_choice(drive, method):
    track, pose, camera, truth = drive
    found = measure_swing(track, pose, camera, unit="px", method=method)
    assert found.method == method
    # At 50 fps they flatten this peak by up to a fifth; that is why they aren't the default.
    assert 0.75 < found.peak_tip_speed.value / truth.tip_speed_px.max() < 1.05


def test_the_same_clip_gives_the_same_numbers(drive, measured):
    track, pose, camera, _ = drive
    again = measure_swing(track, pose, camera, unit="px", **FEW)
    assert again.peak_tip_speed == measured.peak_tip_speed and np.array_equal(again.tip_speed, measured.tip_speed, equal_nan=True)


def _no_tip(track, pose, camera):
    return replace(track, tip=np.full_like(track.tip, np.nan)), pose, camera


def _three_tips(track, pose, camera):
    tip = np.full_like(track.tip, np.nan)
    tip[40:43] = track.tip[40:43]
    return replace(track, tip=tip), pose, camera


@pytest.mark.parametrize(
    ("spoil", "settings", "words"),
    [
        (_no_tip, {}, "found in no frame; mark it"),
        (_three_tips, {}, "in 3 frames of one shot.*mark the tip in more frames"),
        (lambda t, p, c: (t, replace(p, xy=p.xy[:-1], conf=p.conf[:-1], t=p.t[:-1]), c), {}, "150 frames and the skeleton 149"),
        (lambda t, p, c: (t, p, Camera.still(c.t + 0.5, c.size)), {}, "at other times"),
        (lambda t, p, c: (t, p, Camera.still(c.t, (640, 360))), {}, "640×360"),
        (lambda t, p, c: (t, p.with_step("body", space="body"), c), {}, "in pixels"),
        (lambda t, p, c: (t, p, c), {"unit": "yards"}, "Unit 'yards'"),
        (lambda t, p, c: (t, p, c), {"method": "magic"}, "Method 'magic'"),
        (lambda t, p, c: (t, p, c), {"exposure": -1.0}, "exposure"),
        (lambda t, p, c: (t, p, c), {"scale": 3.0}, "is no scale"),
        (lambda t, p, c: (t, p, c), {"scale": MarkedLength(999, (0, 0), (100, 0), 1.0)}, "frames 0 to 149"),
        (lambda t, p, c: (t, None, c), {"scale": BodyHeight(1.8)}, "only with a skeleton"),
    ],
)
def test_bad_input_is_told_in_a_sentence(drive, spoil, settings, words):
    with pytest.raises(KineticsError, match=words):
        measure_swing(*spoil(*drive[:3]), **(QUICK | settings))


def test_a_track_of_two_frames_is_refused():
    t = np.array([0.0, 0.04])
    points = np.array([[10.0, 10.0], [20.0, 20.0]])
    with pytest.raises(KineticsError, match="2 frames"):
        measure_swing(bat_track(t, points, points + 50.0))


def test_a_peak_that_no_frame_shows_is_flagged():
    track, _, _ = turning_bat(fps=50)
    tip = track.tip.copy()
    tip[np.abs(track.t - 1.6) < 0.03] = np.nan
    camera = Camera.still(track.t, track.size)
    hidden, seen = (measure_swing(replace(track, tip=one), None, camera, unit="px", **FEW) for one in (tip, track.tip))
    assert hidden.peak_tip_speed.sigma > 2 * seen.peak_tip_speed.sigma  # 6 % of the peak for each of the missing frames
    assert any("was not seen" in flag for flag in hidden.flags) and not any("was not seen" in flag for flag in seen.flags)


def test_a_peak_of_another_moment_than_the_stroke_s_is_not_told():
    """A backlift at 0.9 s that is seen, a stroke at 1.6 s that isn't: the backlift's speed is no answer."""
    clock = np.arange(60) / 25
    hands = 100 * np.exp(-(((clock - 0.9) / 0.15) ** 2)) + 300 * np.exp(-(((clock - 1.6) / 0.1) ** 2))
    tip = 4 * hands
    sigma = np.full(60, 20.0)
    lost = np.where(np.abs(clock - 1.6) < 0.15, np.nan, tip)
    assert "mark the tip" in hidden_stroke(clock, hands, sigma, lost, 0.9)
    part = np.where((np.abs(clock - 1.6) < 0.15) & (np.abs(clock - 1.6) > 0.03), np.nan, tip)
    assert "all the way" in hidden_stroke(clock, hands, sigma, part, 0.9)  # one frame of the stroke is seen, what is about it isn't
    assert hidden_stroke(clock, hands, sigma, tip, 0.9) == ""  # all of it is seen: if the tip was faster at 0.9 s, it was
    assert hidden_stroke(clock, hands, sigma, tip, 1.6) == ""  # seen: it stands
    assert hidden_stroke(clock, hands, sigma, lost, 1.44) == ""  # the same stroke, its rise: flagged as unseen, not refused
    assert hidden_stroke(clock, hands, np.full(60, 90.0), lost, 0.9) == ""  # the hands' noise explains the difference


def test_marks_that_the_swing_leaves_out_are_named(drive):
    track, pose, camera, _ = drive
    tip, source = track.tip.copy(), track.source.copy()
    odd = np.flatnonzero(np.isfinite(tip[:, 0]))[[10, 40]]
    source[odd] = "mark"
    assert not any("mark in frame" in flag for flag in measure_swing(replace(track, source=source), pose, camera, unit="px", **FEW).flags)
    tip[odd[0]] += 40.0
    assert any(f"The mark in frame {odd[0]} doesn't fit" in flag for flag in measure_swing(replace(track, tip=tip, source=source), pose, camera, unit="px", **FEW).flags)
    tip[odd[1]] += 40.0
    found = measure_swing(replace(track, tip=tip, source=source), pose, camera, unit="px", **FEW)
    assert any(f"The marks in frames {odd[0]} and {odd[1]} don't fit" in flag for flag in found.flags)
    assert np.isnan(found.tip[odd]).all() and (found.status[odd] == "refused").all()
