"""The chain as published in "Correlation-Path Analysis of Batting Kinetics from Monocular Video", step by step, its faults included.

It is here so that the published numbers can be had again. What is weak in it, and mended in the default preset: the whole clip counts, not
the swing; lags are whole frames; the normal p of a lagged maximum isn't one (single bursts correlate by chance) and many edges are tested
without correction; and the path is the longest of the whole graph, cut at the bat, so that it often doesn't end there.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter
from scipy.stats import norm

from ..errors import KineticsError
from ..pose.body import midpoint
from ..pose.sources import SERIES_NAMES
from ..pose_sequence import PoseSequence
from .chain_graph import BAT, Edge, cut_at, heaviest_path
from .chain_segments import Segments, check_pose, describe_jumps
from .lagged import correlate_published, effective_samples_published, is_still

#: Smoothing window and its least length, s and frames; lag search, s; least correlation; level of the test.
SMOOTH, LEAST_WINDOW, REACH, THETA, ALPHA = 0.20, 5, 0.4, 0.40, 0.05


def measure_published(pose: PoseSequence) -> Segments:
    """Velocities of the 13 joints and the bat along the swing axis, over the whole clip.

    Raises
    ------
    KineticsError
        When the clip is shorter than the smoothing window, or lacks a joint, the bat, or any sample of one.
    """
    check_pose(pose, LEAST_WINDOW)
    step = float(pose.t[-1] - pose.t[0]) / (len(pose) - 1)
    window = max(LEAST_WINDOW, round(SMOOTH / step))
    window += 1 - window % 2
    check_pose(pose, window)
    names = (*SERIES_NAMES, BAT)
    tracks = {name: pose.joint(name) for name in names if name in pose.names}
    if "pelvis" not in tracks and {"left_hip", "right_hip"} <= set(tracks):
        tracks["pelvis"] = midpoint(pose.xy, pose.conf, pose.names, "pelvis")[0]
    absent = [name for name in names if name not in tracks or np.isnan(tracks[name]).all()]
    if absent:
        raise KineticsError(f"{_source(pose)} never shows {', '.join(absent)}, which the whitepaper preset needs; use the default preset.")
    xy = np.stack([tracks[name] for name in names], axis=1)
    missing = np.isnan(xy[..., 0])
    for column in range(len(names)):
        there = ~missing[:, column]
        for axis in range(2):
            xy[:, column, axis] = np.interp(pose.t, pose.t[there], xy[there, column, axis])
    shoulders = xy[:, names.index("left_shoulder")] - xy[:, names.index("right_shoulder")]
    unit = float(np.median(np.linalg.norm(shoulders, axis=1)))
    if unit <= 0:
        raise KineticsError(f"The shoulders of {_source(pose)} lie on each other, so there is no unit of length; use the default preset.")
    xy = (xy - xy[:, [names.index("pelvis")]]) / unit

    bat = xy[:, -1] - xy[:, -1].mean(axis=0)
    if is_still(bat[:, 0]) and is_still(bat[:, 1]):
        raise KineticsError(f"The bat of {_source(pose)} never moves, so there is no swing axis; track the bat first.")
    axis = np.linalg.eigh(bat.T @ bat)[1][:, 1]
    smooth = savgol_filter(xy, window, 2, axis=0, mode="interp")
    velocity = np.empty_like(smooth)
    velocity[1:-1] = (smooth[2:] - smooth[:-2]) / (2 * step)
    velocity[[0, -1]] = velocity[[1, -2]]
    jumps = describe_jumps(pose)
    flags = [f"{jumps}; as published, velocities are taken across."] if jumps else []
    if np.ptp(np.diff(pose.t)) > 0.01 * step:
        flags.append("Frames don't come at an even rate; as published, they are taken as if they did.")
    series, speed = (velocity @ axis).T, np.linalg.norm(velocity[:, -1], axis=1)
    return Segments(
        names=names, t=pose.t, velocity=series, activation=pose.t[np.abs(series).argmax(axis=1)], speed=speed, speed_t=pose.t,
        axis=(float(axis[0]), float(axis[1])), unit="shoulder width", frame="pelvis", clock=float(pose.t[speed.argmax()]), step=step,
        left_out={name: "doesn't move" for name, row in zip(names, series, strict=True) if is_still(row)}, flags=tuple(flags),
    )  # fmt: skip


def published_edges(segments: Segments) -> tuple[Edge, ...]:
    """Edges i -> j where i peaks first, tau* > 0, rho >= 0.40 and p < 0.05."""
    step, found = segments.step, []
    activation = np.abs(segments.velocity).argmax(axis=1)
    for i, leader in enumerate(segments.names):
        for j, follower in enumerate(segments.names):
            if activation[i] >= activation[j] or {leader, follower} & set(segments.left_out):
                continue
            x, y = segments.velocity[[i, j]]
            rho = correlate_published(x, y, round(REACH / step))
            lag = int(rho.argmax()) - len(rho) // 2
            weight = float(rho.max())
            samples = effective_samples_published(x, y)
            p = 1.0 if samples <= 3 else float(2 * norm.sf(np.arctanh(min(weight, 1 - 1e-12)) * np.sqrt(samples - 3)))
            if lag > 0 and weight >= THETA and p < ALPHA:
                found.append(Edge(leader, follower, weight, lag * step, p, None, samples))
    return tuple(found)


def published_path(edges: tuple[Edge, ...]) -> tuple[str, ...]:
    """The longest path of the whole graph by sum of weights, cut at the bat."""
    return cut_at(heaviest_path(edges, sources=None, target=None))


def _source(pose: PoseSequence) -> str:
    return pose.source or "The skeleton"
