"""Shots played in step: each shot's time as a smooth function of one reference's, so that they strike together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from ..errors import KineticsError, Progress
from ..motion.derivatives import differentiate
from ..pose.body import find_stretches
from ..pose_sequence import PoseSequence
from .align import FEWEST, ShotComparison, compare_shots
from .features import centre_frames, trunk_length
from .tempo import measure_tempo
from .time_map import TimeMap, smooth_path, warp_pose

#: Window of the local line and parabola that the hands' velocity is read from, seconds.
_WINDOW = 0.2

#: Trunk lengths a second (about 0.4 m/s); hands that never go faster play no shot.
_SLOW = 0.75

#: Going down: this part of the hands' velocity. A downswing comes at most so long before the fastest moment, s, at this part of its speed or more.
_DOWNWARDS, _BEFORE, _ENOUGH = 0.15, 0.4, 0.4

#: Where a backlift is the fastest, the downswing comes at most so long after it, s, at this part of its speed or more.
_AFTER, _ALMOST = 0.7, 0.75

#: The hands brake within this long after they are fastest, s.
_BRAKING = 0.2

#: How long before impact the hands brake hardest, s: 0.029 ± 0.010 (median, median deviation) in 240 drawn strokes.
HANDS_LEAD = 0.03


@dataclass(frozen=True)
class InStep:
    """N shots on the time of one of them.

    Attributes
    ----------
    reference : int
        Number of the shot on whose time they are played.
    maps : tuple of N TimeMaps
        Seconds of the reference to seconds of each shot; the reference's own changes nothing.
    impacts : tuple of N float
        Seconds in each shot at which they meet: ``maps[n](impacts[reference]) == impacts[n]``.
    known : tuple of N str
        How: ``"given"``, or told by the ``"hands"`` (:func:`find_braking` and :data:`HANDS_LEAD`).
    tempo : tuple of N float
        How much faster each goes through the stroke than the reference: 2 is twice as fast; NaN when the clips share no part of it. 1 when
        only the impacts were lined up.
    """

    reference: int
    maps: tuple[TimeMap, ...]
    impacts: tuple[float, ...]
    known: tuple[str, ...]
    tempo: tuple[float, ...]

    def frame_times(self, fps: Fraction | float, lengths: Sequence[float]) -> tuple[np.ndarray, ...]:
        """For :func:`kinetics.video.grid.compose_grid`: the second of each clip to show in each frame of a composite.

        It begins with the clip that begins first and ends with the one that ends last; the impact falls on a frame.

        Parameters
        ----------
        fps : number
            Of the composite.
        lengths : N s
            Durations of the clips.

        Returns
        -------
        N arrays (frames,) s
            Rising; below 0 before a clip begins, beyond its length after it.

        Raises
        ------
        KineticsError
            When there isn't one length per shot.
        """
        if len(lengths) != len(self.maps):
            raise KineticsError(f"There are {len(lengths)} lengths for {len(self.maps)} shots; give one per shot.")
        rate, impact = float(fps), self.impacts[self.reference]
        begins = min(float(time_map.undo(0.0)) for time_map in self.maps)
        ends = max(float(time_map.undo(length)) for time_map, length in zip(self.maps, lengths, strict=True))
        # Rounding must not cost a frame.
        before, after = int(np.ceil((impact - begins) * rate - 1e-6)), max(1, round((ends - impact) * rate))
        t = impact + np.arange(-before, after) / rate
        return tuple(time_map(t) for time_map in self.maps)


def in_step_times(
    poses: Sequence[PoseSequence],
    *,
    impacts: Sequence[float | None] | None = None,
    reference: int = 0,
    how: Literal["dtw", "impact"] = "dtw",
    joints: Sequence[str] | None = None,
    mirror: Sequence[bool] | None = None,
    band: float | None = None,
    smooth: float = 0.08,
    most: float = 2.5,
    lead_in: float = 0.25,
    progress: Progress | None = None,
) -> InStep:
    """Find the time of every shot at which it does what the reference does.

    Parameters
    ----------
    poses : two or more PoseSequences
    impacts : seconds or None per shot, optional
        When bat meets ball, e.g. ``impact.t`` of a measured swing. Where it isn't known the hands tell it to a frame or so.
    reference : int
        The shot on whose time the others are played.
    how : {"dtw", "impact"}
        Warp every shot through its stroke, led through impact; or play each at its own pace, so that the impacts coincide.
    joints, mirror, band
        As in :func:`.align.compare_shots`; ``mirror`` per shot. Positions are taken from the pelvis, so that no camera matters.
    smooth, most
        As in :func:`.time_map.smooth_path`.
    lead_in : float
        Seconds before and after the reference's stroke (from the first to the last 5 % of its movement) that are warped as well; further out
        every shot runs at its own pace, as waiting says nothing of time.
    progress : callable, optional
        Called once per shot; may raise to cancel.

    Returns
    -------
    InStep

    Raises
    ------
    KineticsError
        When there are fewer than two shots, the reference is none of them, an impact lies outside its shot, or as
        :func:`find_braking` and :func:`.align.compare_shots`: no swing, joints that differ.
    """
    count = len(poses)
    if count < 2:
        raise KineticsError(f"Playing in step needs at least two shots; {count} was given.")
    if how not in ("dtw", "impact"):
        raise KineticsError(f"Shots can't be played in step by {how!r}; use dtw or impact.")
    if not 0 <= reference < count:
        raise KineticsError(f"There is no shot {reference} to play the others in step with; they are numbered 0 to {count - 1}.")
    if not lead_in >= 0:
        raise KineticsError(f"A lead-in of {lead_in} s can't be warped; give 0 or more seconds.")
    for values, what in ((impacts, "impacts"), (mirror, "mirror switches")):
        if values is not None and len(values) != count:
            raise KineticsError(f"There are {len(values)} {what} for {count} shots; give one per shot.")
    told = [None] * count if impacts is None else list(impacts)
    met = tuple(_impact(pose, at) for pose, at in zip(poses, told, strict=True))
    maps, tempo = [], []
    for n, pose in enumerate(poses):
        pace = 1.0
        if how == "impact" or n == reference:
            time_map = TimeMap(met[reference] + np.array([0.0, 1.0]), met[n] + np.array([0.0, 1.0]))
        else:
            found = compare_shots(
                poses[reference], pose, joints=joints, band=band, root=True, mirror=mirror is not None and mirror[n] != mirror[reference],
                impact=(met[reference], met[n]), through_impact=True,
            )  # fmt: skip
            time_map, pace = _through_stroke(found, smooth, most, lead_in)
        maps.append(time_map)
        tempo.append(pace)
        if progress:
            progress(n + 1, count)
    return InStep(reference, tuple(maps), met, tuple("hands" if at is None else "given" for at in told), tuple(tempo))


def find_braking(pose: PoseSequence) -> float:
    """When the hands brake hardest at the end of the downswing, seconds: near impact, which it is not.

    As the bat takes over the hands' momentum they slow down, a little before the bat meets the ball. The downswing is where the hands, seen
    from the pelvis and weighted by their confidence, are fastest; or, as the follow-through of a drive is often faster, where they come down
    fastest in the 0.4 s before that. In 240 drawn strokes (six kinds, 25 and 50 fps, noise of 2 px) the braking came 0.029 s before impact, 9
    in 10 times within 0.03 s of that, 1 in 80 times more than 0.06 s away (a backlift or a follow-through taken for the downswing).

    Raises
    ------
    KineticsError
        When the skeleton has no wrists or hips, or the hands never move as in a shot.
    """
    wrists = [name for name in ("left_wrist", "right_wrist") if name in pose.names]
    where = pose.source or "The skeleton"
    if len(pose) < FEWEST:
        raise KineticsError(f"{where} has {len(pose)} frames; finding the shot in it needs at least {FEWEST}.")
    if not wrists:
        raise KineticsError(f"{where} has no wrists, which tell when the shot is played; give the time of impact.")
    hands = centre_frames(pose).select(wrists)
    velocity = differentiate(hands.xy, hands.t, 1, "savgol", _WINDOW, 2, sigma=1.0, stretch=find_stretches(pose)).value
    weight = np.where(np.isfinite(velocity[..., 0]), hands.conf, 0.0)
    total = np.maximum(weight.sum(axis=1), np.finfo(float).tiny)
    speed = (weight * np.nan_to_num(np.hypot(velocity[..., 0], velocity[..., 1]))).sum(axis=1) / total
    down = (weight * np.nan_to_num(velocity[..., 1])).sum(axis=1) / total
    t, sure = pose.t, speed * weight.mean(axis=1)
    top = int(sure.argmax())
    if speed[top] < _SLOW * trunk_length(pose):
        raise KineticsError(f"{where} shows no swing: the hands never move faster than {speed[top] / trunk_length(pose):.1f} trunk lengths a second.")
    coming_down = np.where(down > _DOWNWARDS * speed, sure, 0.0)
    before = np.where((t <= t[top]) & (t >= t[top] - _BEFORE), coming_down, 0.0)
    after = np.where((t > t[top]) & (t <= t[top] + _AFTER), coming_down, 0.0)
    for there, share in ((before, _ENOUGH), (after, _ALMOST)):
        if there.max() >= share * sure[top]:
            top = int(there.argmax())
            break
    slowing = -np.gradient(np.where(weight.any(axis=1), speed, np.nan), t)
    slowing[np.isnan(slowing) | (t < t[top]) | (t > t[top] + _BRAKING)] = -np.inf
    return _vertex(t, slowing, int(slowing.argmax()) if np.isfinite(slowing).any() else top)


def overlay_pair(comparison: ShotComparison) -> tuple[PoseSequence, PoseSequence]:
    """The reference, and the other laid on it in space and in time, frame by frame; for :func:`kinetics.plots.overlay.render_overlay`."""
    return comparison.ref, warp_pose(comparison.aligned, comparison.time_map, comparison.ref.t)


def _impact(pose: PoseSequence, at: float | None) -> float:
    if at is None:
        return min(find_braking(pose) + HANDS_LEAD, float(pose.t[-1]))
    if not pose.t[0] <= at <= pose.t[-1]:
        raise KineticsError(
            f"Impact of {pose.source or 'a shot'} at {at:.2f} s lies outside its frames, {pose.t[0]:.2f} to {pose.t[-1]:.2f} s."
        )
    return float(at)


def _through_stroke(found: ShotComparison, smooth: float, most: float, lead_in: float) -> tuple[TimeMap, float]:
    """The map through the stroke and its lead-in, and the tempo; beyond them a TimeMap runs at one rate."""
    whole = smooth_path(found.alignment.path, found.ref.t, found.other.t, smooth=smooth, most=most, through=found.impact)
    tempo = measure_tempo(found.ref, found.joints, whole, (found.other.t[0], found.other.t[-1]), found.impact)
    first, last = min(tempo.first, found.impact[0]) - lead_in, max(tempo.last, found.impact[0]) + lead_in
    first, last = max(first, whole.t[0]), min(last, whole.t[-1])
    t = np.concatenate([[first], whole.t[(whole.t > first) & (whole.t < last)], [last]])
    return TimeMap(t, whole(t)), tempo.ratio


def _vertex(t: np.ndarray, value: np.ndarray, k: int) -> float:
    """Time of the top of the parabola through three samples, the middle one the largest; that sample's own at an end."""
    if 0 < k < len(t) - 1 and np.isfinite(value[k - 1 : k + 2]).all():
        fit = np.polyfit(t[k - 1 : k + 2] - t[k], value[k - 1 : k + 2], 2)
        if fit[0] < 0:
            return float(t[k] + np.clip(-fit[1] / (2 * fit[0]), t[k - 1] - t[k], t[k + 1] - t[k]))
    return float(t[k])
