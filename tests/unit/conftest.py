"""A stick batter with a closed-form swing, for the tests of clean-up and drawing; and property tests without a stop-watch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from scipy.special import erf

from kinetics.pose_sequence import PoseSequence

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SIZE = (1280, 720)
TRUNK = 110.0  # pixels: a person about 370 px tall, as in a 720p broadcast


@pytest.fixture(scope="module")
def one_thread():
    """torch on one thread: sums are then taken in one order, and two test files side by side don't fight for the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def stick_batter():
    """A factory: ``stick_batter(fps=25, seconds=4, fwhm=0.10, peak=30, noise=0, seed=0, t=None)``.

    Backlift, downswing (a Gaussian pulse of omega: ``peak`` rad/s, ``fwhm`` s) and follow-through; the shoulders and hips turn until left
    and right cross, and the front foot strides. Noise is Gaussian, pixels, on each axis.
    """

    def make(fps=25.0, seconds=4.0, fwhm=0.10, peak=30.0, noise=0.0, seed=0, t=None) -> PoseSequence:
        t = np.arange(round(seconds * fps)) / fps if t is None else np.asarray(t, float)

        def turned(middle: float, rate: float, sigma: float) -> np.ndarray:
            return rate * sigma * np.sqrt(np.pi / 2) * (1 + erf((t - middle) / (np.sqrt(2) * sigma)))

        bat = turned(0.35 * seconds, -4, 0.15) + turned(0.55 * seconds, peak, fwhm / 2.3548) + turned(0.75 * seconds, -0.3 * peak, 0.12)
        arm = 0.35 * bat
        stride = 60 * (1 + erf((t - 0.5 * seconds) / 0.15))
        turn = 0.3 + 0.9 * (1 + erf((t - 0.55 * seconds) / 0.12))
        pelvis = np.stack([640 + 18 * np.sin(0.8 * np.pi * t) + 0.3 * stride, 360 + 6 * np.sin(1.6 * np.pi * t)], axis=1)
        neck = pelvis + np.stack([20 * np.sin(0.3 * arm), np.full(len(t), -TRUNK)], axis=1)
        hands = neck + 75 * np.stack([np.sin(arm + 0.3), np.cos(arm + 0.3)], axis=1)
        at = {"nose": neck + np.array([14, -38]), "pelvis": pelvis, "bat_tip": hands + 110 * np.stack([np.sin(bat), np.cos(bat)], axis=1)}
        for side, sign in (("left", 1), ("right", -1)):
            front = (sign > 0) * stride
            at[f"{side}_ear"] = neck + np.array([4 + 11 * sign, -41])
            at[f"{side}_shoulder"] = neck + sign * np.stack([38 * np.cos(1.2 * turn), 8 * np.sin(turn)], axis=1)
            at[f"{side}_wrist"] = hands + 7 * sign * np.stack([np.sin(bat), -np.cos(bat)], axis=1)
            at[f"{side}_elbow"] = (at[f"{side}_wrist"] + at[f"{side}_shoulder"]) / 2 + [18 * sign, 14]
            at[f"{side}_hip"] = pelvis + sign * np.stack([20 * np.cos(0.8 * turn), 3 * np.sin(turn)], axis=1)
            at[f"{side}_knee"] = at[f"{side}_hip"] + np.stack([20 * sign + 0.5 * front, np.full(len(t), 85.0)], axis=1)
            at[f"{side}_ankle"] = at[f"{side}_knee"] + np.stack([8 * sign + 0.4 * front, np.full(len(t), 85.0)], axis=1)
            at[f"{side}_foot"] = at[f"{side}_ankle"] + [22, 12]
        at["neck"] = (at["left_shoulder"] + at["right_shoulder"]) / 2
        xy = np.stack(list(at.values()), axis=1)
        xy += noise * np.random.default_rng(seed).normal(size=xy.shape)
        return PoseSequence(xy, np.full(xy.shape[:2], 0.9), t, tuple(at), SIZE, provenance={"source": "stick batter", "steps": []})

    return make
