"""The parts of restoration: fields, windows, cosine blocks, sharpness, the bat."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.motion.bat_track import BatTrack
from kinetics.restore.bat_motion import BAT_FOREARMS, bat_motion
from kinetics.restore.blocks import measure_blocks
from kinetics.restore.dct import BASIS, blocks_of, lay_blocks, shrink_noise
from kinetics.restore.denoise import Moment, in_windows
from kinetics.restore.interlace import CombCounter
from kinetics.restore.sharpen import SHARP, find_smear, measure_blur, sharpen


@given(count=st.integers(0, 20), reach=st.integers(1, 4))
def test_windows_hold_each_frame_with_its_neighbours_and_no_more(count, reach):
    pulled = 0

    def moments():
        nonlocal pulled
        for k in range(count):
            pulled += 1
            yield Moment(float(k), np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))

    seen = []
    for number, window in in_windows(moments(), reach):
        assert pulled <= number + reach + 1
        assert sorted(window) == list(range(max(number - reach, 0), min(number + reach, count - 1) + 1))
        assert all(moment.t == k for k, moment in window.items())
        seen.append(number)
    assert seen == list(range(count))


def test_blocks_laid_back_are_the_picture():
    plane = np.random.default_rng(0).normal(size=(40, 48)).astype(np.float32)
    assert np.allclose(BASIS @ BASIS.T, np.eye(64), atol=1e-5)
    for stride in (1, 2, 4, 8):
        made = blocks_of(plane, stride)
        assert np.allclose(lay_blocks(made, np.ones(made.shape[:2], np.float32), plane.shape, stride), plane, atol=1e-4)


def test_shrinking_takes_white_noise_out_and_leaves_a_ramp_and_a_step():
    x = np.arange(64, dtype=np.float32)
    truth = np.tile(np.where(x < 32, 60, 160) + x / 4, (49, 1)).astype(np.float32)
    noisy = truth + np.random.default_rng(1).normal(scale=10, size=truth.shape).astype(np.float32)
    left, spectrum = np.ones(truth.shape, np.float32), np.full(64, 100, np.float32)
    # A quarter of the noise's size, an eighth of it away from the step: what two steps of BM3D without its grouping leave.
    error = shrink_noise(noisy, left, spectrum) - truth
    assert error.std() < 10 / 4 and error[:, :16].std() < 10 / 4
    # Where averaging has left nothing, nothing is taken.
    assert np.allclose(shrink_noise(truth, 0 * left, spectrum), truth, atol=1e-2)


@pytest.mark.parametrize("softness", [0.8, 1.3, 2.0])
def test_softness_of_an_edge_is_measured(softness):
    fine = np.zeros((64, 640), np.float32)
    fine[:, 320:] = 200
    plane = cv2.GaussianBlur(fine, (0, 0), sigmaX=10 * softness, sigmaY=0.001)[:, 5::10].repeat(1, axis=0)
    # The slope is taken over two pixels, which was measured to count as 0.76 px of softness of its own.
    assert measure_blur(plane) == pytest.approx(np.hypot(softness, 0.76), rel=0.05)
    assert np.isnan(measure_blur(np.full((64, 64), 90, np.float32)))


def test_sharpened_edge_is_steeper_and_has_no_halo():
    plane = np.full((96, 128), 60, np.float32)
    plane[:, 64:] = 180
    soft = cv2.GaussianBlur(plane, (0, 0), 1.5)
    want = cv2.GaussianBlur(plane, (0, 0), SHARP)
    made = sharpen(soft, 1.5, 0.0, 6.0)
    assert np.abs(made - want).mean() < 0.8 * np.abs(soft - want).mean()
    # Of a step of 120 a halo of 5 % is not seen.
    assert made.max() < 186 and made.min() > 54


def test_what_is_smeared_is_told_from_what_is_soft():
    plane = np.zeros((96, 192), np.float32)
    plane[:, np.arange(192) % 32 < 16] = 200
    soft = cv2.GaussianBlur(plane, (0, 0), 1.0)
    soft[:, 96:] = cv2.blur(soft, (15, 1))[:, 96:]
    smear = find_smear(soft, 1.0, 0.0)
    assert smear[:, 16:80].mean() < 0.1 and smear[:, 112:176].mean() > 0.5


def test_nothing_moves_nothing_is_interlaced():
    plane = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    combs = CombCounter()
    assert combs.scan == "progressive"
    combs.add(plane, plane, plane)
    assert combs.scan == "progressive"


def test_blocks_are_measured_on_their_grid_alone():
    ramp = cv2.GaussianBlur(np.random.default_rng(2).normal(size=(96, 128)), (0, 0), 5)
    ramp = (120 + 40 * ramp / ramp.std()).astype(np.uint8)
    coarse = cv2.resize(cv2.resize(ramp, (16, 12), interpolation=cv2.INTER_AREA), (128, 96), interpolation=cv2.INTER_NEAREST)
    mixed = (0.7 * ramp + 0.3 * coarse).astype(np.uint8)
    assert measure_blocks(ramp) == 0
    assert measure_blocks(mixed) > 1
    assert measure_blocks(mixed[3:, 3:]) == 0
    assert measure_blocks(ramp[:4, :4]) == 0


def track(speed: float) -> BatTrack:
    frames = 5
    hands = np.tile([50.0, 50.0], (frames, 1))
    tip = np.stack([80 + speed * np.arange(frames), np.full(frames, 50.0)], axis=1)
    one = np.ones(frames)
    return BatTrack(np.arange(frames) / 25, hands, tip, one, one, np.full(frames, "mark"), one, np.zeros(frames, bool), (160, 100))


def test_frames_count_less_round_a_fast_bat_and_only_there():
    held = bat_motion(track(20), (160, 100)).hold_back(0.04, (100, 160), 0.04)
    assert held[50, 75] < 0.5 and held[10, 150] > 0.99 and held.min() >= 0
    assert bat_motion(track(0.5), (160, 100)).hold_back(0.04, (100, 160), 0.04) is None
    assert bat_motion(track(20), (160, 100)).hold_back(9.0, (100, 160), 0.04) is None
    with pytest.raises(KineticsError, match="measure it on this clip"):
        bat_motion(track(1), (320, 200))


def test_skeleton_stands_in_for_the_bat(stick_batter):
    pose = stick_batter()
    motion = bat_motion(pose, pose.size)
    assert np.allclose(motion.tip, pose.xy[:, pose.index("bat_tip")])
    assert motion.hold_back(float(pose.t[int(0.55 * len(pose))]), (720, 1280), 0.04).min() < 0.5


def test_skeleton_without_a_bat_lends_its_forearms_and_one_without_wrists_is_refused(stick_batter):
    pose = stick_batter()
    plain = pose.select([name for name in pose.names if name != "bat_tip"])
    motion = bat_motion(plain, plain.size)
    assert np.isfinite(motion.tip).all()
    arms = np.stack([plain.joint(f"{side}_wrist") - plain.joint(f"{side}_elbow") for side in ("left", "right")])
    forearm = np.linalg.norm(arms, axis=2).mean(axis=0)
    assert np.allclose(np.linalg.norm(motion.tip - motion.hands, axis=1), BAT_FOREARMS * forearm)
    with pytest.raises(KineticsError, match="no joint 'left_wrist'"):
        bat_motion(pose.select(["left_shoulder", "bat_tip"]), pose.size)
    # Where the tip itself is told, elbows aren't asked for.
    assert np.allclose(bat_motion(pose.select(["left_wrist", "right_wrist", "bat_tip"]), pose.size).tip, pose.joint("bat_tip"))
