"""Requested against found pose: analytic values, COCO's formulas by hand, chance over all orders, and what has to hold for any skeleton."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.pose_sequence import COCO_NAMES, LIMB_NAMES, PoseSequence
from kinetics.score.pose import OKS_SIGMA, average_precision, score_pose

#: Skeletons drawn per property: each one is many joints in several frames.
FEW = settings(max_examples=25, deadline=None)


def body(frames: int = 12, seed: int = 0, spread: float = 40.0) -> PoseSequence:
    """COCO's 17 joints: a standing body with a trunk of exactly 100 px, the other joints wandering."""
    chance = np.random.default_rng(seed)
    at = {"shoulder": -100.0, "hip": 0.0, "elbow": -55.0, "wrist": -10.0, "knee": 85.0, "ankle": 170.0}
    xy = np.zeros((frames, 17, 2))
    for k, name in enumerate(COCO_NAMES):
        side = 1 if name.startswith("left") else -1
        part = name.split("_")[-1]
        xy[:, k] = (300 + 20 * side, 300 + at[part]) if part in at else (300 + 6 * side * (part != "nose"), 160)
        if part not in ("shoulder", "hip"):
            xy[:, k] += chance.normal(0, spread, (frames, 2))
    return PoseSequence(xy, np.full((frames, 17), 0.9), np.arange(frames) / 25, COCO_NAMES, (600, 600), provenance={"source": "body", "estimator": "drawn"})


def moved(pose: PoseSequence, joint: str, frames, by=(0.0, 0.0)) -> PoseSequence:
    xy = pose.xy.copy()
    xy[frames, pose.index(joint)] += by
    return replace(pose, xy=xy)


def without(pose: PoseSequence, joint: str, frames) -> PoseSequence:
    return moved(pose, joint, frames, (np.nan, np.nan))


def test_perfect_frames_score_one():
    score = score_pose(body(), body())
    assert (score.pck, score.pck_found, score.oks, score.ap) == (1.0, 1.0, 1.0, 1.0)
    assert (score.missed, score.without_person, score.angle_error, score.velocity_error, score.velocity_relative) == (0, 0, 0, 0, 0)
    assert score.angles_compared == 1.0 and (score.median_error == 0).all()
    assert score.trunk == pytest.approx(100)


def test_a_joint_moved_by_a_known_distance_lowers_pck_by_hand():
    """12 frames × 12 limb joints: 3 wrists gone 10.5 px astray of a trunk of 100 leave 141 of 144."""
    pose = body()
    score = score_pose(pose, moved(pose, "left_wrist", [1, 4, 9], (6.3, -8.4)))  # sqrt(6.3² + 8.4²) = 10.5
    assert score.pck == pytest.approx(141 / 144) and score.median_error[COCO_NAMES.index("left_wrist")] == 0
    assert score.correct[COCO_NAMES.index("left_wrist")] == 9
    assert score_pose(pose, moved(pose, "left_wrist", [1, 4, 9], (5.7, -7.6))).pck == 1.0  # 9.5 px
    assert np.flatnonzero(score.frame_pck < 1).tolist() == [1, 4, 9] and score.frame_pck[1] == pytest.approx(11 / 12)


def test_oks_of_one_joint_by_hand():
    """COCO's exp(-d²/(2 s² k²)): the wrist's k is 2 × 0.062, s² 0.53 of the body's box."""
    pose = body(1, spread=0.0)
    size = np.ptp(pose.xy[0], axis=0)
    expected = (16 + math.exp(-(20**2) / (2 * 0.53 * size[0] * size[1] * (2 * OKS_SIGMA["wrist"]) ** 2))) / 17
    # A standing body's box is narrow: less than the square of the trunk, which then takes its place.
    assert 0.53 * size[0] * size[1] < 100**2
    floor = (16 + math.exp(-(20**2) / (2 * 100**2 * (2 * OKS_SIGMA["wrist"]) ** 2))) / 17
    assert score_pose(pose, moved(pose, "left_wrist", [0], (20, 0))).oks == pytest.approx(floor)
    wide = moved(pose, "right_elbow", [0], (-300, 0))
    size = np.ptp(wide.xy[0], axis=0)
    expected = (16 + math.exp(-(20**2) / (2 * 0.53 * size[0] * size[1] * (2 * OKS_SIGMA["wrist"]) ** 2))) / 17
    assert score_pose(wide, moved(wide, "left_wrist", [0], (20, 0))).oks == pytest.approx(expected)


def test_missing_in_the_request_counts_nowhere_and_missing_in_the_find_is_wrong():
    pose = body()
    score = score_pose(without(pose, "left_knee", range(6)), without(pose, "left_knee", range(4, 8)))
    knee = COCO_NAMES.index("left_knee")
    assert (score.requested[knee], score.found[knee], score.correct[knee]) == (6, 4, 4)
    assert score.pck == pytest.approx((144 - 6 - 2) / (144 - 6)) and score.pck_found == 1.0
    assert score.missed == pytest.approx(2 / (144 - 6)) and score.without_person == 0
    assert score.frame_oks[6] == pytest.approx(16 / 17) and score.frame_oks[0] == 1


def test_frames_without_a_person():
    pose = body()
    xy = pose.xy.copy()
    xy[[2, 3, 11]] = np.nan
    score = score_pose(pose, replace(pose, xy=xy))
    assert score.without_person == pytest.approx(3 / 12) and score.missed == pytest.approx(3 / 12) and score.pck_found == 1
    assert score.oks == pytest.approx(9 / 12) and score.ap == pytest.approx(76 / 101)  # recalls 0 to 0.75 of COCO's 101
    # A joint that the request doubts entirely isn't asked for; frames that ask nothing count nowhere.
    nobody = replace(pose, conf=np.where(np.arange(12)[:, None] < 5, 0.0, pose.conf))
    assert score_pose(nobody, replace(pose, xy=xy)).without_person == pytest.approx(1 / 7)
    assert np.isnan(score_pose(nobody, pose).frame_oks[:5]).all()


def test_limbs_that_a_detector_does_not_tell_are_missed_and_its_face_does_not_count():
    pose = body()
    few = pose.select([name for name in LIMB_NAMES if name != "left_ankle"])
    score = score_pose(pose, few)
    assert score.joints == LIMB_NAMES and score.missed == pytest.approx(1 / 12) and score.pck_found == 1


def test_angles_and_velocities_by_hand():
    """A forearm that hangs straight down bent by 90°: one of nine angles."""
    pose = body(9, spread=0.0)
    bent = moved(pose, "left_wrist", range(9), (45, -45))  # it is 45 px long
    score = score_pose(pose, bent)
    assert score.angle_error == pytest.approx(90 / 9) and score.angles_compared == 1
    # The whole body 5 px a frame too fast at 25 frames a second: 125 px/s of a body of 100/0.3 px.
    drifting = replace(pose, xy=pose.xy + np.arange(9)[:, None, None] * (3, 4))
    score = score_pose(pose, drifting)
    assert score.velocity_error == pytest.approx(125 / (100 / 0.3)) and math.isnan(score.velocity_relative)  # nothing was asked to move
    assert score_pose(drifting, pose).velocity_relative == pytest.approx(1)
    assert math.isnan(score_pose(body(2), body(2)).velocity_error)


def test_chance_is_the_mean_over_all_orders():
    """Five frames: all 120 orders tried one by one."""
    pose, found = body(5, spread=15.0), body(5, seed=3, spread=15.0)
    expected = score_pose(pose, found).chance
    orders = [replace(found, xy=found.xy[list(order)]) for order in itertools.permutations(range(5))]
    scores = [score_pose(pose, order) for order in orders]
    assert expected.pck == pytest.approx(np.mean([score.pck for score in scores]))
    assert expected.pck_sigma == pytest.approx(np.std([score.pck for score in scores]))
    assert expected.oks == pytest.approx(np.mean([score.oks for score in scores]))
    assert expected.angle_error == pytest.approx(np.mean([score.angle_error for score in scores]))


def test_shuffled_frames_score_near_chance(stick_batter):
    """Thirty shuffles of a swing: their mean lies within four standard errors of what is told as chance, and each is far from right."""
    pose = stick_batter()
    whole = score_pose(pose, pose)
    orders = [np.random.default_rng(seed).permutation(len(pose)) for seed in range(30)]
    shuffled = [score_pose(pose, replace(pose, xy=pose.xy[order])) for order in orders]
    assert whole.pck == 1 and max(score.pck for score in shuffled) < 0.5
    assert abs(np.mean([score.pck for score in shuffled]) - whole.chance.pck) < 4 * whole.chance.pck_sigma / np.sqrt(30)
    # OKS is spread as widely as PCK at most.
    assert abs(np.mean([score.oks for score in shuffled]) - whole.chance.oks) < 4 * whole.chance.pck_sigma / np.sqrt(30)


def test_chance_of_a_long_clip_is_that_of_frames_spread_over_it(stick_batter):
    """800 frames: every pairing of 300 of them tells what the same swing at 50 frames a second does, within the spread of one order."""
    long, short = (score_pose(pose, pose).chance for pose in (stick_batter(fps=200), stick_batter(fps=50)))
    assert abs(long.pck - short.pck) < short.pck_sigma and abs(long.oks - short.oks) < short.pck_sigma


def test_average_precision_ranks_by_confidence():
    """Two of four right, and the surest first: precision 1 up to recall ½, which are 51 of 101 recalls, at the thresholds below their OKS."""
    similarity, there = np.array([0.97, 0.97, 0.1, 0.1]), np.ones(4, bool)
    assert average_precision(similarity, np.array([0.9, 0.8, 0.5, 0.4]), there) == pytest.approx(51 / 101)
    # The wrong ones surer: precision 2/4 at recall ½, and 1/3 below it; at each recall the best from there on counts.
    assert average_precision(similarity, np.array([0.4, 0.5, 0.8, 0.9]), there) == pytest.approx(0.5 * 51 / 101)


def test_pairs_by_time_and_scales_between_canvases():
    pose = body(12)
    double = replace(pose, xy=(pose.xy + 0.5) * 2 - 0.5, size=(1200, 1200))
    assert score_pose(pose, double).pck == 1
    slow = replace(pose, xy=np.repeat(pose.xy, 2, axis=0), conf=np.repeat(pose.conf, 2, axis=0), t=3 + np.arange(24) / 50)
    assert score_pose(pose, slow, by="time").pck == 1
    with pytest.raises(KineticsError, match="12 requested frames and 24 found ones"):
        score_pose(pose, slow)
    with pytest.raises(KineticsError, match="No found frame lies near requested frame 6"):
        score_pose(pose, replace(pose, xy=pose.xy[:6], conf=pose.conf[:6], t=pose.t[:6]), by="time")
    with pytest.raises(KineticsError, match="another shape"):
        score_pose(pose, replace(pose, size=(600, 400)))
    with pytest.raises(KineticsError, match="holds no joint of arms, legs or trunk"):
        score_pose(pose.select(["nose"]), pose)
    with pytest.raises(KineticsError, match="threshold of PCK"):
        score_pose(pose, pose, threshold=0)
    with pytest.raises(KineticsError, match="needs pixels"):
        score_pose(replace(pose, space="body"), pose)


noise = st.integers(0, 2**16)


@FEW
@given(noise, st.floats(0.05, 20), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_scores_stay_under_shift_and_scale(seed, scale, x, y):
    """Nothing but rounding: counts may not change at all, as no joint lies on the threshold."""
    pose = body(4, seed)
    found = replace(pose, xy=pose.xy + np.random.default_rng(seed).normal(0, 6, pose.xy.shape))
    there, here = (replace(each, xy=each.xy * scale + (x, y)) for each in (pose, found))
    one, other = score_pose(pose, found), score_pose(there, here)
    assert other.pck == one.pck and other.oks == pytest.approx(one.oks, rel=1e-6)
    assert other.angle_error == pytest.approx(one.angle_error, rel=1e-6) and other.velocity_error == pytest.approx(one.velocity_error, rel=1e-6)


@FEW
@given(noise, st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0, 60))
def test_pck_grows_with_the_threshold_and_all_shares_are_shares(seed, low, high, strength):
    pose = body(4, seed)
    chance = np.random.default_rng(seed)
    xy = pose.xy + chance.normal(0, strength, pose.xy.shape)
    xy[chance.random(xy.shape[:2]) < 0.2] = np.nan
    found = replace(pose, xy=xy)
    small, large = (score_pose(pose, found, threshold=threshold) for threshold in sorted((low, high)))
    assert small.pck <= large.pck and small.oks == large.oks
    for score in (small, large):
        assert 0 <= score.pck <= 1 - score.missed + 1e-12 and 0 <= score.oks <= 1 and 0 <= score.ap <= 1 and 0 <= score.without_person <= 1
        assert ((score.correct <= score.found) & (score.found <= score.requested)).all()
        assert ((score.frame_oks >= 0) & (score.frame_oks <= 1)).all()


@FEW
@given(noise, st.floats(0, 30), st.floats(1.05, 3))
def test_oks_falls_with_distance(seed, strength, more):
    pose = body(3, seed)
    error = np.random.default_rng(seed).normal(0, strength, pose.xy.shape)
    near, far = (score_pose(pose, replace(pose, xy=pose.xy + factor * error)) for factor in (1, more))
    assert far.oks <= near.oks and far.pck <= near.pck
