"""A stick body of which every segment makes one burst at a known time: the yardstick of kinetic chains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import erf

from ..pose_sequence import PoseSequence

#: Where the joints rest, pixels, y down: a trunk of 110 px.
REST = {
    "left_ankle": (600, 520), "right_ankle": (680, 520), "left_knee": (605, 440), "right_knee": (675, 440), "left_hip": (620, 360),
    "right_hip": (660, 360), "pelvis": (640, 360), "left_shoulder": (605, 250), "right_shoulder": (675, 250), "left_elbow": (620, 310),
    "right_elbow": (690, 310), "left_wrist": (650, 350), "right_wrist": (660, 345), "bat_tip": (700, 450),
}  # fmt: skip

#: Peak speed of a joint and of the bat's tip, trunk lengths/s, and their direction.
JOINT_SPEED, TIP_SPEED, DIRECTION = 4.0, 12.0, np.array([0.9, -np.sqrt(1 - 0.81)])

TRUNK = 110.0
SIZE = (1280, 720)


def burst_pose(
    times: Mapping[str, float],
    fps: float = 30.0,
    seconds: float = 3.0,
    fwhm: Mapping[str, float] | float = 0.12,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
    source: str = "bursts",
) -> PoseSequence:
    """A clip in which each segment's velocity is one Gaussian pulse.

    Parameters
    ----------
    times : mapping of joint to s
        When each is fastest; joints of :data:`REST` that aren't named stand still.
    fps, seconds : float
    fwhm : float or mapping of joint to s
        Width of the pulses at half their height.
    noise : float
        Standard deviation of the positions, pixels, independent from frame to frame and joint to joint.
    rng : Generator, optional
        Of the noise.
    source : str

    Returns
    -------
    PoseSequence
        Confidence 1; the camera stands still.
    """
    t = np.arange(round(seconds * fps)) / fps
    tracks = []
    for name, rest in REST.items():
        track = np.tile(np.array(rest, np.float64), (len(t), 1))
        if name in times:
            width = (fwhm[name] if isinstance(fwhm, Mapping) else fwhm) / (2 * np.sqrt(2 * np.log(2)))
            peak = TRUNK * (TIP_SPEED if name == "bat_tip" else JOINT_SPEED)
            gone = peak * width * np.sqrt(np.pi / 2) * (1 + erf((t - times[name]) / (np.sqrt(2) * width)))
            track += gone[:, None] * DIRECTION
        tracks.append(track)
    xy = np.stack(tracks, axis=1)
    if noise:
        xy += (rng or np.random.default_rng(0)).normal(scale=noise, size=xy.shape)
    return PoseSequence(xy, np.ones(xy.shape[:2]), t, tuple(REST), SIZE, provenance={"source": source, "estimator": "truth", "steps": []})
