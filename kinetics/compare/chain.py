"""Kinetic chains: which segment leads which by how much, and the path from the ground to the bat; in one clip and across several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import factorial
from typing import Any

import numpy as np

from ..errors import KineticsError, Progress
from ..names import short_name, tell_apart
from ..pose_sequence import PoseSequence
from .chain_graph import BAT, Edge, heaviest_path, path_edges
from .chain_group import ChainSummary, TimeMap, summarise
from .chain_null import count_needed, repair_clips
from .chain_segments import LEAST_WINDOW, WINDOW, Segments, measure_segments
from .chain_whitepaper import measure_published, published_edges, published_path
from .lagged import correlate, effective_samples, find_peak

PRESETS = ("default", "whitepaper")

#: Least correlation of an edge, level of its test, lag search, s (the paper recommends 0.35-0.50, 0.05 and 0.12-0.22).
THETA, ALPHA, REACH = 0.40, 0.05, 0.2

#: Two segments closer than this part of a frame move at once.
LEAST_LAG = 0.25

#: Fewer clips aren't tested under the correction: 5 can be paired in 120 ways, and of 91 pairs 15 would have to reach the least p at once.
LEAST_CLIPS = 6

#: A segment whose time differs from clip to clip by less than this part of a frame (standard deviation) can't be tested by re-pairing.
LEAST_SPREAD = 0.5

CORRECTIONS = ("fdr", "none")

#: The pelvis lies midway between the hips by construction: an edge there would say nothing.
_SAME = ({"pelvis", "left_hip"}, {"pelvis", "right_hip"})


@dataclass(frozen=True)
class Chain:
    """The kinetic chain of one clip.

    Attributes
    ----------
    name, source : str
    preset : {"default", "whitepaper"}
    segments : Segments
    edges : tuple of Edge
        Strongest first.
    path : tuple of str
        Empty when there is none. Of the default preset it ends at the bat; the paper's is the longest of the graph and may not.
    """

    name: str
    source: str
    preset: str
    segments: Segments
    edges: tuple[Edge, ...]
    path: tuple[str, ...]

    @property
    def reaches_bat(self) -> bool:
        return bool(self.path) and self.path[-1] == BAT

    @property
    def path_edges(self) -> list[Edge]:
        """Edges along the path, in order."""
        return path_edges(self.path, self.edges)

    @property
    def tested(self) -> bool:
        """Whether every edge of the path has a p."""
        return bool(self.path) and all(edge.p is not None for edge in self.path_edges)

    @property
    def verdict(self) -> str:
        """One sentence: the chain, or why there is none."""
        if self.path:
            steps = ", ".join(f"{edge.weight:.2f} at {1000 * edge.lag:.0f} ms" for edge in self.path_edges)
            end = "" if self.reaches_bat else "; no chain reaches the bat"
            chain = " \u2192 ".join(label(name) for name in self.path)
            return f"{chain}: {steps}{end}."
        if BAT in self.segments.left_out:
            return f"No chain reaches the bat (bat: {self.segments.left_out[BAT]})."
        if not any(edge.follower == BAT for edge in self.edges):
            return "No chain reaches the bat: no segment leads it."
        return "No chain reaches the bat: what leads it isn't led from the ground."

    def to_dict(self) -> dict[str, Any]:
        """The clip's part of ``chain.json``."""
        segments = self.segments
        return {
            "name": self.name, "source": self.source, "edges": [edge_record(edge) for edge in self.edges], "path": list(self.path),
            "reaches_bat": self.reaches_bat, "tested": self.tested, "verdict": self.verdict,
            "activation_s": {
                name: float(value) for name, value in zip(segments.names, segments.activation, strict=True) if name in segments.used
            },
            "left_out": dict(segments.left_out), "axis": list(segments.axis), "unit": segments.unit, "against": segments.frame,
            "window_s": [float(segments.t[0]), float(segments.t[-1])], "clock_s": float(segments.clock), "flags": list(segments.flags),
        }  # fmt: skip


@dataclass(frozen=True)
class ChainSet:
    """Chains of one or several clips.

    Attributes
    ----------
    preset : str
    chains : tuple of Chain
        In the order of the clips.
    across : ChainSummary or None
        What the clips have in common; None for one clip.
    null : str
        What p is the chance of, or why there is none.
    pairs : dict of (name, name) to (p, p_adjusted)
        Every pair that was tested, an edge or not, both ways round.
    settings : dict
    """

    preset: str
    chains: tuple[Chain, ...]
    across: ChainSummary | None
    null: str
    pairs: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The value of ``chain.json``."""
        return {
            "preset": self.preset, "null": self.null, "settings": self.settings, "clips": [chain.to_dict() for chain in self.chains],
            "across": None if self.across is None else self.across.to_dict(),
        }  # fmt: skip


def find_chains(
    poses: Sequence[PoseSequence],
    preset: str = "default",
    *,
    names: Sequence[str] | None = None,
    anchors: Sequence[float] | None = None,
    time_maps: Sequence[TimeMap] | None = None,
    window: tuple[float, float] = WINDOW,
    theta: float = THETA,
    alpha: float = ALPHA,
    reach: float = REACH,
    correction: str = "fdr",
    frame: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> ChainSet:
    """Find the kinetic chain of each clip.

    An edge i -> j: i peaks first, the lagged correlation of their velocities along the swing axis is largest at tau* > 0 and at least
    ``theta`` there, and it is more than chance. The chain is the path with the largest sum of weights from the ground (feet, pelvis and
    hips) to the bat; that there is none is an answer.

    With several clips chance is told by re-pairing segments between them (:mod:`.chain_null`). Where that is impossible (under six
    clips; segments whose timing differs by less than half a frame from clip to clip) an edge's p is None: its order, lag and weight are
    measured, but that they are more than chance isn't shown. Of two segments that too few of many clips hold nothing can be said, so that
    there is no edge.

    Parameters
    ----------
    poses : sequence of PoseSequence
        One per clip, with ``bat_tip``. Best with the camera's motion taken out (:func:`kinetics.motion.camera_maps.stabilise_pose`).
    preset : {"default", "whitepaper"}
        ``whitepaper``: as published, the whole clip, whole frames, a normal p (:mod:`.chain_whitepaper`); of what follows only ``names``
        and ``time_maps`` then count.
    names : sequence of str, optional
        What to call the clips; else the name of each one's source.
    anchors : sequence of float, optional
        When bat meets ball in each clip, s. It sets the window and the clock that clips are compared on. Without, the clock is the
        body's own: the mean of the middle half of all activations. (The bat's peak would not do: its own lateness would go into all
        segments at once, and one independent pair in five would pass at 5 %.)
    time_maps : sequence of (t_clip, t_common), optional
        Two arrays (m,) in s per clip, in order, from DTW, say: the summary's lags and activations are told on the common time. The test
        stays on the clips' clock: warping draws all segments along with the one that was warped on.
    window : (before, after)
        s about the bat's fastest moment, or the anchor.
    theta, alpha : float
        Least weight, level.
    reach : float
        Largest lag, s.
    correction : {"fdr", "none"}
        For the number of pairs: false discovery rate, or none.
    frame : {"auto", "picture", "pelvis"}
        What velocities are measured against (:func:`.chain_segments.measure_segments`).
    seed : int
        Of the re-pairings.
    progress : callable, optional

    Returns
    -------
    ChainSet

    Raises
    ------
    KineticsError
        When there is no clip, a clip is too short, empty, has no bat or no swing, or a setting can't be met.
    """
    poses = list(poses)
    _check(poses, preset, names, anchors, time_maps, window, theta, alpha, reach, correction)
    titles = _titles(poses, names)
    if preset == "whitepaper":
        measured = [measure_published(pose) for pose in poses]
        edges = [_sorted(published_edges(segments)) for segments in measured]
        paths = [published_path(found) for found in edges]
        null = "p: two-sided normal, as published, for one correlation at one lag; not corrected for the lags and pairs searched."
        test, settings = {}, {}
    else:
        instants = [None] * len(poses) if anchors is None else [float(at) for at in anchors]
        measured = [measure_segments(pose, window, at, frame) for pose, at in zip(poses, instants, strict=True)]
        test, null = _test(poses, measured, alpha, reach, correction, seed, progress)
        edges = [
            _sorted(_find_edges(segments, theta, reach, LEAST_LAG * _interval(pose), test, alpha, correction))
            for pose, segments in zip(poses, measured, strict=True)
        ]
        paths = [heaviest_path(found) for found in edges]
        settings = {
            "window_s": list(window), "theta": theta, "alpha": alpha, "reach_s": reach, "correction": correction, "frame": frame,
            "clock": "the body's own" if anchors is None else "given", "seed": seed,
        }  # fmt: skip
    chains = tuple(
        Chain(title, pose.source, preset, segments, found, path)
        for title, pose, segments, found, path in zip(titles, poses, measured, edges, paths, strict=True)
    )
    zero = "the tip's fastest frame" if preset == "whitepaper" else "the body's middle" if anchors is None else "the given instants"
    across = summarise(measured, edges, f"time from {zero}", time_maps) if len(chains) > 1 else None
    pairs = {pair: chance for pair, chance in test.items() if np.isfinite(chance[0])}
    return ChainSet(preset, chains, across, null, pairs, settings)


def label(name: str) -> str:
    """A joint's name for people: ``left_knee`` -> ``left knee``, ``bat_tip`` -> ``bat``."""
    return "bat" if name == BAT else name.replace("_", " ")


def edge_record(edge: Edge) -> dict[str, Any]:
    """An edge in ``chain.json``."""
    return {
        "from": edge.leader, "to": edge.follower, "weight": edge.weight, "lag_s": edge.lag, "p": edge.p, "p_adjusted": edge.p_adjusted,
        "n_eff": edge.samples if np.isfinite(edge.samples) else None,
    }  # fmt: skip


def _find_edges(
    segments: Segments,
    theta: float,
    reach: float,
    least_lag: float,
    test: dict[tuple[str, str], tuple[float, float]],
    alpha: float,
    correction: str,
) -> list[Edge]:
    """Edges of one clip by the rules of :func:`find_chains`."""
    rows = [k for k, name in enumerate(segments.names) if name in segments.used]
    inside = np.isfinite(segments.velocity[rows]).any(axis=0)
    velocity = segments.velocity[rows][:, inside]
    weight, lag = find_peak(correlate(velocity, velocity, round(reach / segments.step)), segments.step)
    first = segments.activation[rows]
    found = []
    for i, j in np.argwhere((first[:, None] < first) & (lag >= least_lag) & (weight >= theta)):
        leader, follower = segments.names[rows[i]], segments.names[rows[j]]
        if {leader, follower} in _SAME:
            continue
        p, adjusted = test.get((leader, follower), (None, None))
        if p is None or (p if correction == "none" else adjusted) <= alpha:  # a NaN, for too few clips, isn't
            samples = effective_samples(velocity[i], velocity[j])
            found.append(Edge(leader, follower, float(weight[i, j]), float(lag[i, j]), p, adjusted, samples))
    return found


def _test(
    poses: Sequence[PoseSequence],
    measured: Sequence[Segments],
    alpha: float,
    reach: float,
    correction: str,
    seed: int,
    progress: Progress | None,
) -> tuple[dict[tuple[str, str], tuple[float, float]], str]:
    """p and corrected p of each pair, both ways round, and a sentence about the null.

    A pair that too few clips hold has NaN; one that can't be tested for another reason isn't there.
    """
    clips = len(measured)
    if clips == 1:
        return {}, (
            "No p: inside one clip two independent bursts correlate as well as linked ones (0.93 is common), so chance can't be told; "
            f"order, lags and weights are measured, not tested. Give {LEAST_CLIPS} clips or more."
        )
    least = max(count_needed(alpha), LEAST_CLIPS if correction == "fdr" else 0)
    if clips < least:
        return {}, (
            f"No p: {clips} clips can be paired in only {factorial(clips)} ways, too few for a p that stands against so many pairs; "
            f"order, lags and weights are measured, not tested. Give {least} clips or more."
        )
    names = tuple(dict.fromkeys(name for segments in measured for name in segments.names))
    step = measured[0].step
    offsets = [round((segments.t[0] - segments.clock) / step) for segments in measured]
    length = max(offset + len(segments.t) for offset, segments in zip(offsets, measured, strict=True)) - min(offsets)
    series = np.full((clips, len(names), length), np.nan)
    times = np.full((clips, len(names)), np.nan)
    for c, (offset, segments) in enumerate(zip(offsets, measured, strict=True)):
        own = slice(offset - min(offsets), offset - min(offsets) + len(segments.t))
        for k, name in enumerate(segments.names):
            if name in segments.used:
                series[c, names.index(name), own] = segments.velocity[k]
                times[c, names.index(name)] = segments.activation[k] - segments.clock
    interval = max(_interval(pose) for pose in poses)
    spread = np.array([np.std(own, ddof=1) if len(own := column[np.isfinite(column)]) > 1 else 0.0 for column in times.T])
    varies = spread >= LEAST_SPREAD * interval
    testable = varies[:, None] & varies & np.array([[{a, b} not in _SAME for b in names] for a in names])
    test = repair_clips(series, round(reach / step), testable, least, seed=seed, progress=progress)
    settled = np.isfinite(test.p) | (test.clips < least)
    found = {
        (names[i], names[j]): (float(test.p[i, j]), float(test.p_adjusted[i, j])) for i, j in np.argwhere(settled).tolist() if i != j
    }
    tested = int(np.isfinite(test.p).sum()) // 2
    still = [label(name) for name, moving in zip(names, varies, strict=True) if not moving]
    rare = " Segments that are seen together in fewer clips have no edge." if (test.clips < least).any() else ""
    if not tested:
        return found, (
            f"No p: where {least} clips or more hold two segments, these keep their time from clip to clip to within half a frame "
            f"({500 * interval:.0f} ms), so pairing the clips anew changes nothing that can be seen; order, lags and weights are measured, "
            f"not tested. Give clips that differ more.{rare}"
        )
    but = f" Not tested, because their time varies by less than half a frame: {', '.join(still)}." if still else ""
    return found, (
        f"p: chance of so high a mean correlation at one lag when segments are paired anew between the {clips} clips; p_adjusted: false "
        f"discovery rate over the {tested} pairs tested.{but}{rare}"
    )


def _interval(pose: PoseSequence) -> float:
    """Seconds between frames."""
    return float(np.median(np.diff(pose.t)))


def _sorted(edges: Sequence[Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(edges, key=lambda edge: (-edge.weight, edge.leader, edge.follower)))


def _titles(poses: Sequence[PoseSequence], names: Sequence[str] | None) -> list[str]:
    """A name per clip: given, or the stem of its source."""
    if names is not None:
        return [str(name) for name in names]
    return tell_apart([short_name(pose.source) or f"clip {k}" for k, pose in enumerate(poses, 1)], "{} ({})")


def _check(poses, preset, names, anchors, time_maps, window, theta, alpha, reach, correction) -> None:
    """The sentence for settings that can't be met."""
    if not poses:
        raise KineticsError("No skeleton was given; a kinetic chain needs at least one clip.")
    if preset not in PRESETS:
        raise KineticsError(f"Preset {preset!r} isn't offered; choose {' or '.join(PRESETS)}.")
    for what, given in (("names", names), ("swing times", anchors), ("time maps", time_maps)):
        if given is not None and len(given) != len(poses):
            raise KineticsError(f"{len(given)} {what} were given for {len(poses)} clips; give one per clip.")
    if anchors is not None and not np.isfinite(np.asarray(anchors, np.float64)).all():
        raise KineticsError("A swing time isn't a number; give when bat meets ball in each clip, in seconds, or no times at all.")
    if not (min(window) > 0 and sum(window) >= LEAST_WINDOW and 0 < reach <= 0.4 * sum(window)):
        raise KineticsError(
            f"A window of {window[0]:g} + {window[1]:g} s with lags up to {reach:g} s can't be met; the window has to be "
            f"{LEAST_WINDOW:g} s or more, and 2.5 times the lag."
        )
    if not (0 < theta < 1 and 0 < alpha < 1):
        raise KineticsError(f"Threshold {theta:g} and level {alpha:g} have to lie between 0 and 1.")
    if correction not in CORRECTIONS:
        raise KineticsError(f"Correction {correction!r} isn't offered; choose {' or '.join(CORRECTIONS)}.")
