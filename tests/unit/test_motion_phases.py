"""Phases against those that the drawn strokes are made of."""

from __future__ import annotations

import numpy as np
import pytest
from swing_samples import turning_bat

from kinetics.motion.phases import PHASES, Impact, find_phases
from kinetics.synthetic.scenes import random_scene
from kinetics.synthetic.strokes import SHOTS


def phases(t, speed, omega, hands=None, unreliable=None, impact=None, sigma=0.0):
    """The phases of a track whose speeds all have the same relative sigma."""
    hands = np.zeros(len(t)) if hands is None else hands
    unreliable = np.zeros(len(t), bool) if unreliable is None else unreliable
    peak = int(np.nanargmax(speed))
    return find_phases(
        t, speed, sigma * np.abs(speed), omega, sigma * np.abs(omega), unreliable, hands, float(t[peak]), float(speed[peak]), impact or Impact(1.6, 0.01)
    )  # fmt: skip


def phases_of(scene, fps):
    t = np.arange(round(scene.duration * fps)) / fps
    truth = scene.truth(t)
    hands = np.linalg.norm(truth.px_velocity[:, truth.names.index("hands")], axis=1)
    speed = truth.tip_speed_px
    impact = Impact(scene.stroke.impact, 0.01, "given")
    return phases(t, speed, truth.omega_image, hands, truth.apparent_length < 0.5, impact)


def bounds_of(stroke, tempo):
    """Beginning of the backlift, top of it, and end of the follow-through, from the stroke's own angle in its own plane."""
    t = np.arange(3000) / 1000
    turn = np.gradient(stroke.pose(t, tempo)["theta"], t)
    top = t[np.flatnonzero((t < stroke.impact) & (turn < 0.1 * turn.max()))[-1]]
    lift = np.flatnonzero((t > top - 1.2) & (t < top))
    fastest = lift[turn[lift].argmin()]
    begins = t[np.flatnonzero((t < t[fastest]) & (-turn < -0.2 * turn[fastest]))[-1]]
    ends = t[np.flatnonzero((t > stroke.impact) & (turn > 0.1 * turn.max()))[-1]]
    return begins, top, ends


@pytest.mark.parametrize("fps", [25, 100])
@pytest.mark.parametrize("shot", SHOTS)
def test_the_phases_are_the_strokes_own(shot, fps):
    rng = np.random.default_rng(SHOTS.index(shot))
    for _ in range(3):
        scene = random_scene(rng, shot)
        found = phases_of(scene, fps)
        begins, top, ends = bounds_of(scene.stroke, scene.batter.tempo)
        # The camera stands 25-45° off the stroke's plane, so the picture's omega changes sign up to 0.07 s off the bat's own (0.1 s in
        # square drives, whose bat points at the camera then); the hands move on after the bat in the inside edge, 0.15 s.
        assert found["downswing"].start == pytest.approx(top, abs=0.1)
        assert found["follow_through"].end == pytest.approx(ends, abs=0.16)
        assert found["downswing"].end == found["follow_through"].start == scene.stroke.impact
        if shot != "square_drive":
            # Tip speed and omega fall under a fifth at moments 20 ms apart at most.
            assert found["backlift"].start == pytest.approx(begins, abs=0.02)
            assert found["stance"].end == found["backlift"].start
        names = [phase.name for phase in found.found]
        assert names == [name for name in PHASES if name in names]


def test_a_left_handers_stroke_is_the_mirror_image():
    track, _, omega = turning_bat()
    one, other = (phases(track.t, np.abs(omega) * 150, sign * omega) for sign in (1, -1))
    assert one == other and one["backlift"] is not None


def test_closed_form_bounds():
    track, _, omega = turning_bat(fps=200, peak=20, width=0.12, middle=1.6)
    found = phases(track.t, np.abs(omega) * 150, omega)
    sigma = 0.12 / 2.3548
    # A Gaussian is at a tenth of its peak sqrt(2 ln 10) sigma away from it; the backlift's at a fifth of its own sqrt(2 ln 5) · 0.15 s
    # before 0.9 s. The two pulses overlap: where omega is a tenth of the peak the other still takes off 0.3 %, 1 ms.
    assert found["downswing"].start == pytest.approx(1.6 - np.sqrt(2 * np.log(10)) * sigma, abs=0.002)
    assert found["follow_through"].end == pytest.approx(1.6 + np.sqrt(2 * np.log(10)) * sigma, abs=0.002)
    assert found["backlift"].start == pytest.approx(0.9 - np.sqrt(2 * np.log(5)) * 0.15, abs=0.002)
    assert found.at(1.0) == "backlift" and found.at(1.59) == "downswing" and found.at(1.61) == "follow_through" and found.at(2.9) == ""


def test_a_bat_held_up_has_no_backlift_and_a_track_that_begins_late_no_start():
    track, _, omega = turning_bat()
    t = track.t
    held = np.maximum(omega, 0.0)
    found = phases(t, held * 150, held)
    assert found["backlift"] is None and found["stance"].end == found["downswing"].start
    assert any("backlift" in note for note in found.notes)
    late = t > 1.58
    found = phases(t, np.where(late, held * 150, np.nan), np.where(late, held, np.nan), np.full(len(t), np.nan), impact=Impact(1.62, 0.01))
    assert not found["downswing"].whole and found["stance"] is None
    assert any("isn't seen before" in note for note in found.notes)


def test_nothing_is_told_across_a_long_gap():
    track, _, omega = turning_bat()
    gone = (track.t > 1.1) & (track.t < 1.54)
    omega = np.where(gone, np.nan, omega)
    found = phases(track.t, np.abs(omega) * 150, omega)
    assert not found["downswing"].whole and found["backlift"] is None


def test_a_track_that_ends_in_the_swing_has_an_open_follow_through():
    track, _, omega = turning_bat()
    omega = np.where(track.t > 1.64, np.nan, omega)
    found = phases(track.t, np.abs(omega) * 150, omega, np.full(len(omega), np.nan))
    assert not found["follow_through"].whole


def test_no_speed_no_phases():
    nothing = np.full(30, np.nan)
    found = find_phases(np.arange(30) / 25, *[nothing] * 4, np.zeros(30, bool), nothing, np.nan, np.nan, Impact(np.nan, np.nan))
    assert found.found == () and found.impact is None and "unknown" in found.notes[0]


def test_a_sample_that_may_be_fast_ends_nothing():
    track, _, omega = turning_bat()
    t = track.t
    spoilt, sigma = omega.copy(), np.full(len(t), 0.2)
    # One sample in the downswing reads nothing, and says itself that it knows nothing.
    k = int(np.argmin(np.abs(t - 1.56)))
    spoilt[k], sigma[k] = 0.0, 10.0
    whole = phases(t, np.abs(omega) * 150, omega)
    arguments = (np.zeros(len(t), bool), np.zeros(len(t)), 1.6, 3000.0, Impact(1.6, 0.01))
    found = find_phases(t, np.abs(spoilt) * 150, sigma * 150, spoilt, sigma, *arguments)
    # 2 sigma of the other samples, 0.4 of 20 rad/s, move the start by a frame at most.
    assert found["downswing"].start == pytest.approx(whole["downswing"].start, abs=0.02)
