"""What the kinetic chains of several clips share: how often each edge is there, its lag and spread, and which edges belong to one shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .chain_graph import Edge, heaviest_path
from .chain_segments import Segments
from .in_step import in_step_times

#: Clip times and the common times they belong to, s, both in order.
TimeMap = tuple[np.ndarray, np.ndarray]

#: An edge in this part of the clips that hold both its segments is core; the common path goes through edges of this part and more.
CORE, COMMON = 0.75, 0.5


@dataclass(frozen=True)
class SharedEdge:
    """One edge across clips.

    Attributes
    ----------
    leader, follower : str
    clips : tuple of int
        Clips (from 0) that have it.
    frequency : float
        Their part of the clips in which both segments were measured.
    weight : float
        Mean over those clips.
    lag, lag_spread : float
        Mean and standard deviation over those clips, s, on the common time; the spread is NaN for one clip.
    p, p_adjusted : float or None
        As in the clips.
    kind : {"core", "shared", "single"}
        In :data:`CORE` of the clips and more; in several; in one only.
    """

    leader: str
    follower: str
    clips: tuple[int, ...]
    frequency: float
    weight: float
    lag: float
    lag_spread: float
    p: float | None
    p_adjusted: float | None
    kind: str


@dataclass(frozen=True)
class ChainSummary:
    """Edges of all clips together.

    Attributes
    ----------
    clips : int
    edges : tuple of SharedEdge
        Most frequent first.
    path : tuple of str
        The heaviest path from the ground to the bat through edges that at least :data:`COMMON` of the clips have; empty when there is none.
    activation, activation_spread : dict of name to s
        Mean and standard deviation of when each segment is fastest: from the clips' clock, or on the common time of the time maps.
    axis : str
        What the times are: "common time", or "time from …".
    speed_times : tuple of (n,) arrays
        The times of each clip's tip speed (``Segments.speed_t``) on that axis, s.
    """

    clips: int
    edges: tuple[SharedEdge, ...]
    path: tuple[str, ...]
    activation: dict[str, float]
    activation_spread: dict[str, float]
    axis: str
    speed_times: tuple[np.ndarray, ...]

    @property
    def reaches_bat(self) -> bool:
        return bool(self.path)

    def to_dict(self) -> dict[str, Any]:
        """``across`` of ``chain.json``."""
        return {
            "clips": self.clips, "path": list(self.path), "reaches_bat": self.reaches_bat, "times": self.axis,
            "edges": [
                {
                    "from": edge.leader, "to": edge.follower, "clips": list(edge.clips), "frequency": edge.frequency, "weight": edge.weight,
                    "lag_s": edge.lag, "lag_sd_s": edge.lag_spread if np.isfinite(edge.lag_spread) else None, "p": edge.p,
                    "p_adjusted": edge.p_adjusted, "kind": edge.kind,
                }
                for edge in self.edges
            ],
            "activation_s": self.activation,
            "activation_sd_s": {name: value if np.isfinite(value) else None for name, value in self.activation_spread.items()},
        }  # fmt: skip


def summarise(
    measured: Sequence[Segments], edges: Sequence[Sequence[Edge]], axis: str, time_maps: Sequence[TimeMap] | None = None
) -> ChainSummary:
    """Lay the edges of several clips together.

    Parameters
    ----------
    measured : N Segments
    edges : N sequences of Edge
    axis : str
        What the clips' clocks stand for.
    time_maps : N pairs of (m,) arrays, optional
        See :data:`TimeMap`. A lag then is what lies between the leader's activation and a lag later on the common time; without maps
        times are counted from each clip's clock.

    Raises
    ------
    KineticsError
        When a time map isn't in order or doesn't hold the swing.
    """
    to_common = [_mapping(k, segments, None if time_maps is None else time_maps[k]) for k, segments in enumerate(measured)]
    times: dict[str, list[float]] = {}
    for segments, common in zip(measured, to_common, strict=True):
        for name, at in zip(segments.names, segments.activation, strict=True):
            if name in segments.used:
                times.setdefault(name, []).append(float(common(at)))
    activation = {name: float(np.mean(values)) for name, values in times.items()}
    spread = {name: _deviation(values) for name, values in times.items()}

    found: dict[tuple[str, str], list[tuple[int, Edge, float]]] = {}
    for k, (segments, own, common) in enumerate(zip(measured, edges, to_common, strict=True)):
        start = dict(zip(segments.names, segments.activation, strict=True))
        for edge in own:
            lag = float(common(start[edge.leader] + edge.lag) - common(start[edge.leader]))
            found.setdefault((edge.leader, edge.follower), []).append((k, edge, lag))
    shared = []
    for (leader, follower), parts in found.items():
        both = sum(leader in segments.used and follower in segments.used for segments in measured)
        frequency = len(parts) / both
        kind = "single" if len(parts) == 1 else "core" if frequency >= CORE else "shared"
        lags = [lag for _, _, lag in parts]
        shared.append(SharedEdge(
            leader, follower, tuple(k for k, _, _ in parts), frequency, float(np.mean([edge.weight for _, edge, _ in parts])),
            float(np.mean(lags)), _deviation(lags), parts[0][1].p, parts[0][1].p_adjusted, kind,
        ))  # fmt: skip
    shared.sort(key=lambda edge: (-len(edge.clips), -edge.weight, edge.leader, edge.follower))
    common_edges = [
        Edge(edge.leader, edge.follower, edge.weight, edge.lag)
        for edge in shared
        if edge.frequency >= COMMON and len(edge.clips) > 1 and activation[edge.leader] < activation[edge.follower]
    ]
    path = heaviest_path(common_edges)
    speed_times = tuple(common(segments.speed_t) for segments, common in zip(measured, to_common, strict=True))
    return ChainSummary(
        len(measured), tuple(shared), path, activation, spread, axis if time_maps is None else "common time", speed_times
    )


def common_times(poses: Sequence[PoseSequence], impacts: Sequence[float | None] | None = None) -> list[TimeMap] | None:
    """The time maps of clips onto the first one's time, by :func:`.in_step.in_step_times`; None for a single clip."""
    if len(poses) < 2:
        return None
    step = in_step_times(poses, impacts=impacts)
    return [(pose.t, own.undo(pose.t)) for pose, own in zip(poses, step.maps, strict=True)]


def _mapping(clip: int, segments: Segments, time_map: TimeMap | None):
    """Clip time -> common time."""
    if time_map is None:
        return lambda at: at - segments.clock
    own, common = (np.asarray(part, np.float64) for part in time_map)
    if own.ndim != 1 or own.shape != common.shape or len(own) < 2 or not ((np.diff(own) >= 0) & (np.diff(common) >= 0)).all():
        raise KineticsError(f"The time map of clip {clip + 1} isn't in order; give as many clip times as common times, both rising.")
    # A warping path meets a frame several times: its common time is the middle of them.
    own, place = np.unique(own, return_inverse=True)
    common = np.bincount(place, common) / np.bincount(place)
    first, last = np.nanmin(segments.activation), np.nanmax(segments.activation)
    if own[0] > first or own[-1] < last:
        raise KineticsError(
            f"The time map of clip {clip + 1} spans {own[0]:.2f} to {own[-1]:.2f} s and its swing {first:.2f} to {last:.2f} s; "
            "map the whole swing."
        )
    return lambda at: np.interp(at, own, common)


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
