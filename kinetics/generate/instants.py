"""Which instants of a stroke are generated: all frames, so many, at a rate, so many of each phase, or its key frames."""

from __future__ import annotations

import numpy as np

from ..errors import KineticsError
from ..motion.measure import SwingMeasurement
from ..motion.phases import PHASES
from ..pose.body import find_stretches
from ..pose.interpolate import interpolate_pose
from ..pose_sequence import PoseSequence

#: What a frame outside every phase is called.
ELSEWHERE = "elsewhere"

#: More frames than this are a slip of the hand.
MOST_FRAMES = 100_000


def resample_count(pose: PoseSequence, count: int) -> np.ndarray:
    """(count,) s: spread evenly from the first frame to the last."""
    _check(count)
    return np.linspace(pose.t[0], pose.t[-1], count) if count > 1 else np.array([(pose.t[0] + pose.t[-1]) / 2])


def resample_rate(pose: PoseSequence, fps: float) -> np.ndarray:
    """(n,) s: from the first frame on, ``fps`` a second, the last at most at the last frame."""
    if not (np.isfinite(fps) and fps > 0):
        raise KineticsError(f"A rate of {fps:g} frames a second isn't possible; give one above 0.")
    count = int(np.floor((pose.t[-1] - pose.t[0]) * fps + 1e-6)) + 1
    _check(count)
    return pose.t[0] + np.arange(count) / fps


def resample_phases(swing: SwingMeasurement, count: int) -> np.ndarray:
    """(n,) s: ``count`` in every phase that was found, in the middles of equal parts of it, and one at impact."""
    _check(count)
    instants = []
    for phase in _phases(swing):
        if phase.name != "impact":
            instants.append(phase.start + (np.arange(count) + 0.5) / count * (phase.end - phase.start))
    if swing.impact is not None:
        instants.append(np.array([swing.impact.t]))
    return _in_clip(swing, np.concatenate(instants))


def resample_key_frames(swing: SwingMeasurement) -> np.ndarray:
    """(n,) s: where every phase begins, impact, and where the last one ends: the poses that an animator would draw first."""
    phases = [phase for phase in _phases(swing) if phase.name != "impact"]
    instants = [phase.start for phase in phases] + ([phases[-1].end] if phases else [])
    return _in_clip(swing, np.array(instants + ([] if swing.impact is None else [swing.impact.t])))


def phase_at(swing: SwingMeasurement | None, t: np.ndarray) -> tuple[str, ...]:
    """Phase of every instant; within impact's sigma (or half a frame of the clip) of it, ``impact``; :data:`ELSEWHERE` outside them."""
    if swing is None:
        return (ELSEWHERE,) * len(t)
    names = [swing.phases.at(instant) or ELSEWHERE for instant in t]
    if swing.impact is not None:
        near = max(swing.impact.sigma, float(np.median(np.diff(swing.clock))) / 2 if len(swing) > 1 else 0.0)
        names = ["impact" if abs(instant - swing.impact.t) <= near else name for instant, name in zip(t, names, strict=True)]
    return tuple(names)


def take_instants(pose: PoseSequence, t: np.ndarray) -> PoseSequence:
    """The skeleton at other instants.

    Parameters
    ----------
    pose : PoseSequence
    t : (n,) s, strictly increasing, inside the skeleton's own times

    Returns
    -------
    PoseSequence
        Between two frames positions are on the straight line, and the confidence is the smaller one; missing where either is missing,
        unless the instant is a frame's own. Across a cut it is what the nearer frame shows.
    """
    nearest = np.abs(pose.t[None] - t[:, None]).argmin(axis=1)
    beside = np.clip(nearest + np.where(t < pose.t[nearest], -1, 1), 0, len(pose) - 1)
    stretch = find_stretches(pose)
    frames_own = np.abs(t - pose.t[nearest]) <= 1e-6 * np.abs(pose.t[beside] - pose.t[nearest])
    xy, conf = interpolate_pose(pose, np.where(frames_own | (stretch[beside] != stretch[nearest]), pose.t[nearest], t))
    return pose.with_step("take_instants", xy=xy, conf=conf, t=t, frames=len(t))


def _phases(swing: SwingMeasurement) -> tuple:
    if not swing.phases.found:
        why = " ".join(swing.phases.notes)
        raise KineticsError(f"No phase was found in the swing{f' ({why})' if why else ''}; take every frame, a number of them or a rate.")
    return tuple(sorted(swing.phases.found, key=lambda phase: PHASES.index(phase.name)))


def _in_clip(swing: SwingMeasurement, instants: np.ndarray) -> np.ndarray:
    """In order, each once, none outside the clip, none nearer to the one before than a tenth of the clip's frame."""
    instants = np.sort(np.clip(instants, swing.t[0], swing.t[-1]))
    apart = 0.1 * float(np.median(np.diff(swing.t))) if len(swing) > 1 else 0.0
    kept = [instants[0]]
    for instant in instants[1:]:
        if instant - kept[-1] > apart:
            kept.append(instant)
    return np.array(kept)


def _check(count: int) -> None:
    if not 1 <= count <= MOST_FRAMES:
        raise KineticsError(f"{count} frames can't be planned; give 1 to {MOST_FRAMES}.")
