"""A skeleton between its frames."""

from __future__ import annotations

import numpy as np

from ..pose_sequence import PoseSequence


def interpolate_pose(pose: PoseSequence, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, K, 2) and confidence (n, K) at times (n,) s, linear between frames; NaN and 0 outside and beside a missing one."""
    inside = (times >= pose.t[0]) & (times <= pose.t[-1])
    after = np.clip(np.searchsorted(pose.t, np.where(inside, times, pose.t[0])), 0, len(pose) - 1)
    before = np.where(pose.t[after] == times, after, np.maximum(after - 1, 0))
    span = pose.t[after] - pose.t[before]
    share = np.where(span > 0, (times - pose.t[before]) / np.where(span > 0, span, 1), 0.0)
    at = (1 - share)[:, None, None] * pose.xy[before] + share[:, None, None] * pose.xy[after]
    at[~inside] = np.nan
    conf = np.where(np.isnan(at[..., 0]), 0.0, np.minimum(pose.conf[before], pose.conf[after]))
    return at, conf
