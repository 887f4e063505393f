"""The swing against closed-form truth: peaks, sigma, gaps, outliers, impact, flags, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import motion as yardstick
from kinetics.errors import KineticsError
from kinetics.motion.swing import METHODS, estimate_swing
from kinetics.synthetic import default_scene

PX = 300.0


def turning_bat(fps=50.0, seconds=3.0, peak=24.0, fwhm=0.14, noise=0.0, seed=0):
    """Times, hands, tip (px), true omega and true tip speed: a pulse of omega about hands that walk, the bat at full length."""
    from scipy.special import erf

    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fps)) / fps
    width = fwhm / (2 * np.sqrt(2 * np.log(2)))
    omega = peak * np.exp(-0.5 * ((t - 1.5) / width) ** 2) + 0.3 * np.cos(3 * t)
    theta = peak * width * np.sqrt(np.pi / 2) * erf((t - 1.5) / width / np.sqrt(2)) + 0.1 * np.sin(3 * t)
    walk, pace = np.stack([60 * np.sin(2 * t), 20 * t], axis=1), np.stack([120 * np.cos(2 * t), np.full(len(t), 20.0)], axis=1)
    along = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    hands, tip = 500 + walk, 500 + walk + 0.85 * PX * along
    speed = np.hypot(*(pace + 0.85 * PX * omega[:, None] * across).T)
    hands, tip = (track + noise * rng.normal(size=track.shape) for track in (hands, tip))
    return t, hands, tip, omega, speed


@pytest.fixture(scope="module")
def tallies():
    """Two batters, six shots each, at 1080 lines (383 px/m): the bat is about as long in the picture as it was where the bounds come from."""
    cases = (("clean", 25), ("clean", 50), ("dirty", 25), ("told", 50))
    return {(case, fps): yardstick.run(case, fps, 2, (1920, 1080), seed=5) for case, fps in cases}


@pytest.mark.parametrize(("case", "fps", "median", "ninth"), [("clean", 25, 1.5, 3.0), ("clean", 50, 1.0, 2.0), ("dirty", 25, 2.0, 4.0)])
@pytest.mark.parametrize("what", ["speed", "omega"])
def test_peaks_are_within_the_bounds(tallies, case, fps, median, ninth, what):
    # The bounds hold over 120 swings (benchmarks/motion.py). Of twelve, seven of which have a peak of omega, the 90th percentile is all
    # but the
    # largest, and on dirty tracks one in ten loses tips at the very peak, where the bound, too, is off: half as much again is allowed.
    found = tallies[case, fps].accuracy()
    bound = found[yardstick.BOUND][what]
    assert found["kinetics"][what][0] <= 1.5 * max(median, bound[0])
    assert found["kinetics"][what][1] <= 1.5 * max(ninth, bound[1])
    # What others do with the same tracks is several times worse.
    assert min(found[name][what][0] for name in yardstick.RIVALS) > 1.5 * found["kinetics"][what][0]


@pytest.mark.parametrize(("case", "fps"), [("clean", 25), ("clean", 50), ("dirty", 25)])
def test_stated_sigma_is_true(tallies, case, fps):
    cover = tallies[case, fps].coverage()
    floor = (60, 88) if case == "dirty" else (62, 92)
    for key in ("speed", "omega"):
        assert floor[0] <= cover[key][0] <= 80 and floor[1] <= cover[key][1] <= 99, key
        # Some 60 samples lie near the peaks of 12 swings, about 20 of them independent: 60-80 % becomes 50-95.
        assert cover[f"{key} near"][0] >= 50 and cover[f"{key} near"][1] >= 85, key


def test_a_told_impact_leaves_the_peak_inside_two_sigma_and_clean_swings_are_not_split(tallies):
    assert tallies["told", 50].coverage()["speed peak"][1] >= 80  # 85 over 120 swings; of twelve, one more may lie outside
    assert tallies["told", 50].split == 12
    assert tallies["clean", 25].split == tallies["clean", 50].split == tallies["dirty", 25].split == 0


def struck_bat(fps, loss, seed, noise=1.0):
    """Times, hands, tip, largest omega and tip speed of a bat that loses part of its rate for good at 1.5 s, a moment before its peak."""
    rng = np.random.default_rng(seed)
    t, fine = 0.3 + np.arange(round(2.4 * fps)) / fps, np.arange(0, 3.0, 0.0005)
    omega = 24 * np.exp(-0.5 * ((fine - 1.52) / 0.06) ** 2) * np.where(fine > 1.5, 1 - loss, 1.0)
    theta = np.cumsum(omega) * 0.0005
    speed = np.abs(120 * np.cos(2 * fine) + 20j + 255j * omega * np.exp(1j * theta))
    turn = np.interp(t, fine, theta)
    hands = 500 + np.stack([60 * np.sin(2 * t), 20 * t], axis=1)
    tip = hands + 255 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    hands, tip = (track + noise * rng.normal(size=track.shape) for track in (hands, tip))
    return t, hands, tip, omega.max(), speed.max()


@pytest.mark.parametrize("fps", [25, 50, 120])
def test_a_heavy_impact_is_found_and_split(fps):
    for seed in range(2):
        t, hands, tip, omega, speed = struck_bat(fps, 0.3, seed)
        swing = estimate_swing(t, hands, tip)
        # Found within a third of a frame or 2 ms, though not told; the frame after it looks like an outlier at first, and is none.
        assert swing.impact.how == "detected" and abs(swing.impact.t - 1.5) < max(0.33 / fps, 0.002)
        assert any("impact of the ball" in flag for flag in swing.flags) and not swing.refused.any()
        # Before the corner only one side of the peak is left to go by: 4 % at 25 frames a second, inside 2.5 sigma.
        assert abs(swing.peak_omega.value - omega) < 2.5 * swing.peak_omega.sigma < 0.12 * omega
        assert abs(swing.peak_tip_speed.value - speed) < 2.5 * swing.peak_tip_speed.sigma
        told = estimate_swing(t, hands, tip, impact=1.5 + 0.4 / fps)
        assert told.impact.how == "given" and abs(told.impact.t - 1.5) < abs(0.4 / fps) + 0.002
        assert abs(told.peak_omega.value - omega) < 2.5 * told.peak_omega.sigma
        unsplit = estimate_swing(t, hands, tip, impact=None)
        assert unsplit.impact is None and abs(unsplit.peak_omega.value - omega) > 1.5 * abs(swing.peak_omega.value - omega)


def test_without_a_ball_nothing_is_split_and_a_hidden_one_is_reckoned_with():
    t, hands, tip, *_ = struck_bat(50, 0.0, 0)
    auto, none = estimate_swing(t, hands, tip), estimate_swing(t, hands, tip, impact=None)
    assert auto.impact is None and auto.peak_omega.value == none.peak_omega.value
    # An unseen loss of 12 % takes 0.8 % off the peak.
    assert auto.peak_omega.sigma == pytest.approx(np.hypot(none.peak_omega.sigma, 0.008 * none.peak_omega.value))


@pytest.mark.parametrize("peak", [45.0, 60.0])
@pytest.mark.parametrize("fwhm", [0.1, 0.2])
def test_a_bat_that_is_faster_than_any_is_not_taken_for_an_outlier(peak, fwhm):
    t, hands, tip, *_ = turning_bat(fps=25, peak=peak, fwhm=fwhm, noise=1.0)
    swing = estimate_swing(t, hands, tip)
    # 2.4 rad from one frame to the next, three quarters of what can be told apart. Measured below 0.7 % over six seeds.
    assert abs(swing.peak_omega.value / peak - 1) < 0.015 and swing.refused.sum() <= 1
    assert any("quarter turn" in flag for flag in swing.flags)


def test_a_clean_track_gives_the_truth():
    t, hands, tip, omega, speed = turning_bat()
    swing = estimate_swing(t, hands, tip)
    # No noise: what is left is the spline's own bend, at 50 frames a second below 0.5 % of the peak.
    inner = slice(3, -3)
    np.testing.assert_allclose(swing.omega[inner], omega[inner], atol=0.005 * 24)
    np.testing.assert_allclose(swing.tip_speed[inner], speed[inner], atol=0.005 * speed.max())
    assert abs(swing.peak_omega.value / omega.max() - 1) < 0.005 and abs(swing.peak_omega.t - 1.5) < 0.004
    assert np.ptp(swing.shown) < 0.01 and not swing.refused.any() and not swing.unreliable.any()
    np.testing.assert_allclose(np.gradient(swing.angle, t)[inner], omega[inner], atol=1.0)  # unwrapped: no jump of 2 pi in it
    assert swing.angle[-1] - swing.angle[0] > 1.05 * np.pi


@pytest.mark.parametrize("method", ["centred", "savgol"])
def test_the_users_own_choice_of_differences(method):
    t, hands, tip, omega, speed = turning_bat(fps=200, noise=0.5, fwhm=0.2)
    swing = estimate_swing(t, hands, tip, method=method, window=0.03)
    # At 200 frames a second differences are nearly unbiased, so that sigma from the noise gain holds.
    z_speed, z_omega = np.abs(swing.tip_speed - speed) / swing.tip_speed_sigma, np.abs(swing.omega - omega) / swing.omega_sigma
    for z in (z_speed, z_omega):
        assert 0.60 <= np.mean(z < 1) <= 0.80 and 0.90 <= np.mean(z < 2) <= 0.99
    assert abs(swing.peak_tip_speed.value / speed.max() - 1) < 0.05
    assert swing.noise["tip_px"] == pytest.approx(0.5, rel=0.15)


def test_centred_differences_are_those_of_the_tip():
    t, hands, tip, _, speed = turning_bat(fps=1000, seconds=2.0)
    swing = estimate_swing(t, hands, tip, method="centred", hands_sigma=0.1, tip_sigma=0.1)
    # h + rho u is the tip: at 1,000 frames a second both ways of differentiating it agree to (omega delta t)²/6 of 7,000 px/s, and
    # debiasing takes
    # 2·(71 px/s)² off where the tip is fast.
    fast = speed > 1000
    np.testing.assert_allclose(swing.tip_velocity, np.gradient(tip, t, axis=0), atol=2.0)
    squared = (np.gradient(tip, t, axis=0) ** 2).sum(axis=1)[fast] - 2 * 0.01 * 5e5
    np.testing.assert_allclose(swing.tip_speed[fast], np.sqrt(squared), rtol=2e-3)


def test_debiasing_reads_a_still_bat_as_still():
    rng = np.random.default_rng(2)
    t = np.arange(400) / 50
    hands, tip = np.array([500.0, 400.0]) + rng.normal(0, 2, (400, 2)), np.array([500.0, 650.0]) + rng.normal(0, 2, (400, 2))
    for method in METHODS:
        swing = estimate_swing(t, hands, tip, method=method)
        plain = np.hypot(*swing.tip_velocity.T)
        assert np.nanmean(swing.tip_speed**2) <= np.nanmean(plain**2)
        # Without debiasing nine tenths would lie outside 0.5 sigma; with it 0 is inside 2 sigma nearly always: a smoothed track of 8 s
        # holds about 25
        # independent samples, of which 95 % ± 4 % are.
        assert (swing.tip_speed < 2 * swing.tip_speed_sigma).mean() > 0.87
        assert any("outside 8-45 rad/s" in flag for flag in swing.flags) or swing.peak_omega.value >= 8
        assert any("there may be no swing" in flag for flag in swing.flags) and not any("too few frames" in flag for flag in swing.flags)


def test_gaps_and_outliers_stay_empty_and_do_no_harm():
    t, hands, tip, omega, _ = turning_bat(noise=2.0, seed=3)
    whole = estimate_swing(t, hands, tip)
    tip = tip.copy()
    tip[60:63], tip[100] = np.nan, tip[100] + [60, -40]
    tip[78] += 45  # beside the peak at frame 75
    hands = hands.copy()
    hands[20:22] = np.nan
    swing = estimate_swing(t, hands, tip)
    gone = np.zeros(len(t), bool)
    gone[[60, 61, 62, 20, 21, 78, 100]] = True
    assert (np.isnan(swing.tip_speed) == gone).all() and np.flatnonzero(swing.refused).tolist() == [78, 100]
    for part in (swing.tip_speed_sigma, swing.angle, swing.omega, swing.omega_sigma, swing.shown, swing.tip_velocity[:, 0]):
        assert (np.isnan(part) == gone).all()
    assert abs(swing.peak_omega.value / omega.max() - 1) < 3 * swing.peak_omega.sigma / omega.max()
    assert abs(swing.peak_tip_speed.value / whole.peak_tip_speed.value - 1) < 0.02


def test_a_long_track_loses_its_outliers_and_nothing_else():
    """Eight strokes in a row, forward and back, longer than the stretch by which a suspect is judged."""
    _, hands, tip, omega, _ = turning_bat()
    order = (slice(None), slice(None, None, -1)) * 4
    hands, tip = (np.concatenate([part[way] for way in order]) for part in (hands, tip))
    rng, t = np.random.default_rng(2), np.arange(len(tip)) / 50
    hands, tip = hands + rng.normal(size=hands.shape) * 2, tip + rng.normal(size=tip.shape) * 2
    bumped = [78, 100, 371, 680, 1122]  # the first beside a peak, the others anywhere
    tip[bumped] += [45, -40]
    swing = estimate_swing(t, hands, tip)
    assert np.flatnonzero(swing.refused).tolist() == bumped
    # The largest of eight peaks, each with a sigma of 1 to 2 %, is too high by 1.4 sigma in the mean; 3 sigma more.
    assert abs(swing.peak_omega.value / omega.max() - 1) < 0.08


def test_nothing_is_followed_across_a_cut():
    t, hands, tip, omega, _ = turning_bat(noise=1.0)
    after = tip.copy()
    after[100:] += [300, -200]
    moved = hands.copy()
    moved[100:] += [250, -240]
    swing = estimate_swing(t, moved, after, stretch=(np.arange(len(t)) >= 100).astype(int))
    assert abs(swing.peak_omega.value / omega.max() - 1) < 0.05
    assert np.nanmax(swing.tip_speed[95:105]) < 0.3 * swing.peak_tip_speed.value


def test_same_numbers_twice():
    t, hands, tip, *_ = turning_bat(noise=2.0)
    first, second = estimate_swing(t, hands, tip), estimate_swing(t, hands, tip)
    np.testing.assert_array_equal(first.tip_speed, second.tip_speed)
    assert first.peak_tip_speed == second.peak_tip_speed


def test_weights_count():
    t, hands, tip, _, speed = turning_bat(noise=1.0, seed=4)
    rng = np.random.default_rng(0)
    sigma = np.where(rng.random(len(t)) < 0.4, 8.0, 1.0)
    noisy = tip + np.sqrt(sigma**2 - 1)[:, None] * rng.normal(size=tip.shape)
    weighted, plain = (estimate_swing(t, hands, noisy, tip_sigma=s, robust=False) for s in (sigma, None))
    errors = [np.sqrt(np.mean((swing.tip_speed - speed) ** 2)) for swing in (weighted, plain)]
    assert errors[0] < 0.75 * errors[1]


def test_flags_say_what_is_odd_and_clip_nothing():
    t, hands, tip, *_ = turning_bat(fps=50, noise=1.0)
    assert estimate_swing(t, hands, tip, px_per_m=PX).flags == ()
    slow = estimate_swing(t, hands, tip, px_per_m=10 * PX)
    assert any("outside 5-35 m/s" in flag for flag in slow.flags)
    assert slow.peak_tip_speed == estimate_swing(t, hands, tip).peak_tip_speed
    t, hands, tip, *_ = turning_bat(fps=25, peak=42.0, fwhm=0.2, noise=1.0)  # no frame at 1.5 s, the moment of the peak
    fast = estimate_swing(t, hands, tip)
    assert any("quarter turn" in flag for flag in fast.flags) and fast.unreliable.any()
    assert abs(fast.peak_omega.value / 42.0 - 1) < 0.04
    t, hands, tip, omega, _ = turning_bat(fps=50, peak=50.0, fwhm=0.2, noise=1.0)
    faster = estimate_swing(t, hands, tip)
    assert any("outside 8-45 rad/s" in flag for flag in faster.flags) and abs(faster.peak_omega.value / omega.max() - 1) < 0.03
    t, hands, tip, *_ = turning_bat(noise=1.0)
    gap = tip.copy()
    gap[74:78] = np.nan
    assert any("missing for 0.08 s" in flag for flag in estimate_swing(t, hands, gap).flags)
    gap[71:81] = np.nan
    assert any("% only: the tip is seen in too few frames" in flag for flag in estimate_swing(t, hands, gap).flags)
    assert any("end of the track" in flag for flag in estimate_swing(t[:76], hands[:76], tip[:76]).flags)


def test_a_bat_that_points_at_the_camera_is_flagged_and_its_speed_still_found():
    scene = next(scene for scene in yardstick.scenes(1) if scene.stroke.shot == "hook")
    t, hands, tip = yardstick.observe(scene, 50, np.random.default_rng(0))
    swing = estimate_swing(t, hands, tip)
    assert any("out of the picture's plane" in flag for flag in swing.flags) and swing.unreliable.any()
    speed, when, *_ = yardstick.true_peaks(scene)
    assert abs(swing.peak_tip_speed.value - speed) < 3 * swing.peak_tip_speed.sigma and abs(swing.peak_tip_speed.t - when) < 0.03


def test_the_default_scenes_swing_from_their_own_skeleton():
    scene = default_scene("down_the_ground")
    pose = scene.pose_sequence(50)
    still = yardstick.scenes(1)
    assert next(still).camera.pans == ()
    swing = estimate_swing(pose.t, pose.joint("hands"), pose.joint("bat_tip"))
    # The camera pans and zooms here, which adds up to a tenth to the speed in the picture.
    assert abs(swing.peak_tip_speed.value / scene.truth(pose.t).tip_speed_px.max() - 1) < 0.25


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t, h, b: (t[:2], h[:2], b[:2]), "at least 8 frames"),
        (lambda t, h, b: (t, h, b * np.nan), "tip can't be seen in any frame"),
        (lambda t, h, b: (t, h * np.nan, b), "hands can't be seen in any frame"),
        (lambda t, h, b: (t * 0, h, b), "don't increase at frame 1"),
        (lambda t, h, b: (t[::-1], h, b), "don't increase at frame 1"),
        (lambda t, h, b: (t, h[:, 0], b), "frames × 2"),
        (lambda t, h, b: (t[1:], h, b), "frames × 2"),
        (lambda t, h, b: (t, h, np.where(t[:, None] > 0.1, np.nan, b)), "in 6 frames only"),
        (lambda t, h, b: (t, h, np.where(np.arange(len(t))[:, None] == 4, np.inf, b)), "infinite at frame 4"),
        (lambda t, h, b: (t, h, np.where(np.arange(len(t))[:, None] % 15 < 2, b, np.nan)), "in a row"),
    ],
)
def test_bad_input_is_one_sentence(method, change, says):
    t, hands, tip, *_ = turning_bat()
    with pytest.raises(KineticsError, match=says) as caught:
        estimate_swing(*change(t, hands, tip), method=method)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "magic"}, "isn't offered"), ({"tip_sigma": 0.0}, "zero, negative or missing"), ({"hands_sigma": np.ones(3)}, "doesn't fit"),
        ({"stretch": np.ones(3)}, "one number per frame"), ({"impact": 99.0}, "outside the clip"), ({"impact": "soon"}, "outside the clip"),
        ({"impact": np.nan}, "outside the clip"),
    ],
)  # fmt: skip
def test_bad_settings_are_one_sentence(settings, says):
    t, hands, tip, *_ = turning_bat()
    with pytest.raises(KineticsError, match=says):
        estimate_swing(t, hands, tip, **settings)
