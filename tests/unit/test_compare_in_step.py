"""Shots in step: maps are smooth and monotone, known warps come back, and in the encoded composite six tempos strike together."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_video_grid import GAP, TILE, tiles_of
from video_samples import coded_clip, read_code

from kinetics.compare.align import compare_shots
from kinetics.compare.in_step import HANDS_LEAD, find_braking, in_step_times, overlay_pair
from kinetics.errors import KineticsError
from kinetics.motion.procrustes import mirror_sequence
from kinetics.pose_sequence import LIMB_NAMES, PoseSequence
from kinetics.synthetic import SHOTS
from kinetics.synthetic.scenes import default_scene, random_scene
from kinetics.video.decode import Clip
from kinetics.video.grid import compose_grid

#: Tempo of each of the six shots, its clip's rate, and the second at which it strikes.
TEMPOS = (1.0, 0.7, 1.4, 0.85, 1.2, 1.0)
RATES = (25, 30, 50, 24, 25, 30)
STRIKES = (1.41, 2.1, 1.0, 1.8, 1.31, 1.7)


def filmed(scene, shown, t, noise=0.0, seed=0):
    """What a camera sees at times ``t`` when the stroke goes through its seconds ``shown``: limbs and pelvis, noise in pixels."""
    truth = scene.truth(shown)
    names = (*LIMB_NAMES, "pelvis") if "pelvis" in truth.names else LIMB_NAMES
    xy = truth.px[:, [truth.names.index(name) for name in names]]
    xy = xy + noise * np.random.default_rng(seed).normal(size=xy.shape)
    return PoseSequence(xy, np.full(xy.shape[:2], 0.9), t, names, (1280, 720), provenance={"source": scene.stroke.shot})


@pytest.fixture(scope="module")
def six():
    """Six kinds of shot, each at its own tempo, rate and moment, 1.2 s of stroke before impact and 0.9 s after; noise of 1 px."""
    poses = []
    for n, (shot, tempo, rate, strike) in enumerate(zip(SHOTS, TEMPOS, RATES, STRIKES, strict=True)):
        scene = default_scene(shot)
        t = np.arange(round((strike + 0.9 / tempo) * rate)) / rate
        poses.append(filmed(scene, np.clip(scene.stroke.impact + tempo * (t - strike), 0, scene.duration), t, 1.0, n))
    return poses


@pytest.fixture(scope="module")
def coded_six(six, tmp_path_factory):
    """A clip for each, whose frames carry their numbers."""
    folder = tmp_path_factory.mktemp("in_step")
    return [Clip(coded_clip(folder / f"{n}.mp4", len(pose), n, tick=Fraction(1, rate))) for n, (pose, rate) in enumerate(zip(six, RATES, strict=True))]


@pytest.mark.parametrize("how", ("dtw", "impact"))
def test_six_tempos_strike_together_in_the_encoded_file(six, coded_six, how, tmp_path):
    """The frame nearest to impact of every clip is seen in one and the same frame of the composite, decoded from the file."""
    found = in_step_times(six, impacts=STRIKES, how=how)
    times = found.frame_times(30, [clip.info.duration for clip in coded_six])
    compose_grid(coded_six, tmp_path / "six.mp4", tile=TILE, gap=GAP, fps=30, sync="times", times=times)
    seen = np.array([[read_code(tile) for tile in tiles] for tiles in tiles_of(tmp_path / "six.mp4", 2, 3)])
    assert (seen[..., 1] == np.arange(6)).all() and len(seen) == len(times[0])
    assert (np.diff(seen[..., 0], axis=0) >= 0).all()
    struck = [np.flatnonzero(seen[:, n, 0] == round(strike * rate)) for n, (strike, rate) in enumerate(zip(STRIKES, RATES, strict=True))]
    assert set.intersection(*map(set, struck)), struck
    # Each frame nearest to impact stays for 1/(rate × tempo) about its own instant; the middles of these stays lie within a frame as well.
    middles = [frames.mean() for frames in struck]
    assert max(middles) - min(middles) <= 1


def test_without_known_impacts_the_hands_bring_them_within_a_frame(six):
    found = in_step_times(six)
    assert found.known == ("hands",) * 6
    missed = [float(time_map.undo(strike)) for time_map, strike in zip(found.maps, STRIKES, strict=True)]
    # One frame of a 30 fps composite: the hands of these shots brake 0.029 ± 0.010 s before impact, at each shot's own tempo.
    assert max(missed) - min(missed) <= 1 / 30 + 0.01
    mixed = in_step_times(six[:2], impacts=(STRIKES[0], None))
    assert mixed.known == ("given", "hands") and mixed.impacts == (STRIKES[0], find_braking(six[1]) + HANDS_LEAD)


def test_maps_are_monotone_keep_to_the_limit_and_meet(six):
    found = in_step_times(six, impacts=STRIKES, reference=2, most=2.0)
    for n, time_map in enumerate(found.maps):
        t = np.linspace(-1, 4, 2001)
        at = time_map(t)
        rate = np.diff(at) / np.diff(t)
        # Between two knots that straddle a sample the rate is a mean of two allowed ones; 1e-6 for rounding.
        assert rate.min() >= 0.5 - 1e-6 and rate.max() <= 2 + 1e-6
        assert time_map(STRIKES[2]) == pytest.approx(STRIKES[n], abs=1e-9)
        np.testing.assert_allclose(rate[[0, -1]], 1)  # far from the stroke every shot runs at its own pace
    assert found.tempo[2] == 1 and found.reference == 2
    np.testing.assert_allclose(found.maps[2](t), t, atol=1e-12)


def test_tempo_of_a_known_change_of_pace():
    scene = default_scene("cover_drive")
    ref = filmed(scene, np.arange(75) / 25, np.arange(75) / 25, 1.0)
    slow = filmed(scene, 1.5 + (np.arange(100) / 25 - 2.0) * 0.75, np.arange(100) / 25, 1.0, 1)
    found = in_step_times((ref, slow), impacts=(1.5, 2.0))
    assert found.tempo[1] == pytest.approx(0.75, abs=0.03)  # a frame in the 30 of a stroke


@pytest.mark.parametrize("shot", ("cover_drive", "hook", "inside_edge"))
def test_known_warps_come_back(shot):
    """A tempo between 0.68 and 1.9, noise of 1.5 px: within a frame (asked for by the issue) over the part that is mapped, median."""
    scene = default_scene(shot)
    u = np.arange(80) / 25
    shown = lambda t: t + 0.18 * np.sin(2 * np.pi * t / 2.4) - 0.05  # noqa: E731
    ref = filmed(scene, np.arange(75) / 25, np.arange(75) / 25, 1.5)
    other = filmed(scene, np.clip(shown(u), 0, 3), u, 1.5, 1)
    grid = np.linspace(-1, 5, 6001)
    true = lambda t: np.interp(t, shown(grid), grid)  # noqa: E731
    for impacts in ((scene.stroke.impact, float(true(scene.stroke.impact))), None):
        time_map = in_step_times((ref, other), impacts=impacts).maps[1]
        mapped = (ref.t >= time_map.t[0]) & (ref.t <= time_map.t[-1])
        assert np.median(np.abs(time_map(ref.t) - true(ref.t))[mapped]) * 25 < 1


def test_a_shot_is_in_step_with_itself(six):
    found = in_step_times((six[0], six[0]), impacts=(1.4, 1.4))
    t = np.linspace(0, 2.2, 200)
    # The path is smoothed on a grid of 5 ms cells, and frames lie up to half a cell from their middle.
    np.testing.assert_allclose(found.maps[1](t), t, atol=0.003)
    assert found.tempo[1] == pytest.approx(1, abs=0.005)


@settings(max_examples=40)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0.2, 6), st.floats(0.2, 6), st.sampled_from([24, 25, Fraction(30000, 1001), 60]))
def test_frame_times_hold_all_of_both_clips_and_meet_on_a_frame(first, second, longer, shorter, fps):
    from kinetics.compare.in_step import InStep
    from kinetics.compare.time_map import TimeMap

    maps = tuple(TimeMap(first + np.array([0.0, 1.0]), at + np.array([0.0, 1.0])) for at in (first, second))
    lengths = (first + longer, second + shorter)
    times = InStep(0, maps, (first, second), ("given",) * 2, (1.0, 1.0)).frame_times(fps, lengths)
    step = 1 / float(fps)
    assert len(times[0]) == len(times[1])
    k = int(np.abs(times[0] - first).argmin())
    assert times[0][k] == pytest.approx(first, abs=1e-9) and times[1][k] == pytest.approx(second, abs=1e-9)
    for at, length in zip(times, lengths, strict=True):
        np.testing.assert_allclose(np.diff(at), step)
        assert at[0] <= 1e-6 and at[-1] >= length - 1.5 * step - 1e-6  # the last frame is the one that lasts until the end, give or take half
    assert min(at[0] for at in times) > -2 * max(first, second) - step


@pytest.mark.parametrize("fps", (25, 50))
def test_the_hands_brake_before_impact(fps):
    """Batters, strokes and cameras drawn by chance; 2 px of noise. In 240 such strokes the median was 0.029 s before impact, 9 in 10 were
    within 0.03 s of that and 3 more than 0.06 s away. Of 18, one may be."""
    rng = np.random.default_rng(0)
    late = []
    for shot in SHOTS:
        for _ in range(3):
            scene = random_scene(rng, shot)
            pose = scene.pose_sequence(fps)
            xy = pose.xy + 2 * rng.normal(size=pose.xy.shape)
            late.append(find_braking(PoseSequence(xy, pose.conf, pose.t, pose.names, pose.size)) - scene.stroke.impact)
    off = np.sort(np.abs(np.array(late) + HANDS_LEAD))
    assert np.median(off) < 0.02 and off[-2] < 0.06


def test_braking_is_read_beside_gaps_and_never_across_one():
    pose = default_scene("off_drive").pose_sequence(25)
    hidden = pose.xy.copy()
    wrists = [pose.index(f"{side}_wrist") for side in ("left", "right")]
    clear = find_braking(pose)
    hidden[20:24, wrists] = np.nan
    hidden[60:, wrists] = np.nan
    conf = np.where(np.isnan(hidden[..., 0]), 0, pose.conf)
    assert find_braking(PoseSequence(hidden, conf, pose.t, pose.names, pose.size)) == pytest.approx(clear, abs=1e-9)


def test_the_other_is_laid_on_the_reference_frame_by_frame(six):
    comparison = compare_shots(six[0], six[4], impact=(STRIKES[0], STRIKES[4]), through_impact=True)
    ref, other = overlay_pair(comparison)
    assert np.array_equal(ref.t, other.t) and ref.size == other.size and len(ref) == len(six[0])
    apart = np.linalg.norm(ref.select(LIMB_NAMES).xy - other.select(LIMB_NAMES).xy, axis=2)
    k = int(np.abs(ref.t - STRIKES[0]).argmin())
    assert np.nanmedian(apart[k]) < 60  # of a batter 390 px tall; unaligned they are hundreds apart


def test_bad_input_is_told_in_one_sentence(six):
    still = PoseSequence(np.repeat(six[0].xy[:1], 30, axis=0), six[0].conf[:30], six[0].t[:30], six[0].names, six[0].size)
    strange = PoseSequence(six[0].xy[:, :3], six[0].conf[:, :3], six[0].t, ("a", "b", "c"), six[0].size, provenance={"source": "strange.json"})
    short = PoseSequence(six[0].xy[:3], six[0].conf[:3], six[0].t[:3], six[0].names, six[0].size)
    for call, says in (
        (lambda: in_step_times(six[:1]), "at least two shots; 1"),
        (lambda: in_step_times(six[:2], how="magic"), "use dtw or impact"),
        (lambda: in_step_times(six[:2], reference=2), "no shot 2"),
        (lambda: in_step_times(six[:2], impacts=(1.0,)), "1 impacts for 2 shots"),
        (lambda: in_step_times(six[:2], mirror=(True,)), "1 mirror switches"),
        (lambda: in_step_times(six[:2], impacts=(1.4, 9.0)), "lies outside its frames"),
        (lambda: in_step_times(six[:2], lead_in=-1), "lead-in of -1"),
        (lambda: in_step_times((six[0], still)), "shows no swing"),
        (lambda: in_step_times((six[0], still), impacts=(1.4, 0.5)), "shows no swing"),
        (lambda: in_step_times((six[0], strange)), "strange.json has no wrists"),
        (lambda: in_step_times((six[0], strange), impacts=(1.4, 1.4)), "in common"),
        (lambda: in_step_times((six[0], short)), "3 frames"),
        (lambda: in_step_times(six[:2], impacts=STRIKES[:2]).frame_times(30, [1.0]), "1 lengths for 2 shots"),
    ):
        with pytest.raises(KineticsError, match=says) as error:
            call()
        assert "\n" not in str(error.value)


def test_progress_counts_shots_and_may_cancel(six):
    seen = []
    in_step_times(six[:3], impacts=STRIKES[:3], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        in_step_times(six[:3], impacts=STRIKES[:3], progress=stop)


def test_a_left_hander_is_played_in_step_in_the_mirror(six):
    left = mirror_sequence(six[1])
    plain = in_step_times(six[:2], impacts=STRIKES[:2]).maps[1]
    for shots, mirror in (((six[0], left), (False, True)), ((mirror_sequence(six[0]), left), (True, True))):
        found = in_step_times(shots, impacts=STRIKES[:2], mirror=mirror).maps[1]
        np.testing.assert_allclose(found(plain.t), plain(plain.t), atol=1e-6)  # rounding of the mirrored pixels
