"""Left and right mistaken for each other: found by the motion it would take, and put back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .body import ARMS, LEGS, RAYLEIGH_MEDIAN, find_stretches, runs, torso_length

#: What may be swapped at a frame: (arms, legs).
STATES = ((0, 0), (1, 0), (0, 1), (1, 1))

#: A misfit counts as (r/sigma)²/2, at most this much: one wild sample, or a cut in the clip, decides nothing.
MISFIT_CAP = 12.0

#: sigma grows by this share of the pair's own step: the faster a limb, the less its velocity predicts.
MOTION_SHARE = 0.25

#: Where no velocity is known, sigma is this many times the pair's usual change from frame to frame.
HELD_SHARE = 4.0

#: Joints that go wrong together count as one between them: the hand's, the foot's.
WEIGHTS = {"wrist": 0.5, "thumb": 0.2, "index": 0.2, "pinky": 0.2, "ankle": 0.6, "heel": 0.25, "foot": 0.25}

#: Cost of each second that a limb is called swapped. An estimator's mistake is short: without this one flicker of limbs that
#: cover each other would be read as the start of a swap that only the next turn of the body ends.
SWAPPED_SECOND = 20.0


def repair_swaps(pose: PoseSequence, change_cost: float = 8.0, noise_floor: float = 0.02, max_gap_s: float = 0.25) -> PoseSequence:
    """Put left and right back where the estimator mistook one for the other for some frames.

    Every frame is in one of four states: nothing swapped, the arms (shoulders to knuckles), the legs (hips to toes), or both.
    The sequence of states with the smallest cost is found by dynamic programming (Viterbi over pairs of states, since a velocity
    takes two frames): the sum over pairs of joints of the misfit between the signed difference D = left - right and its
    prediction at constant velocity, D(k-1) + v (t(k) - t(k-1)), plus ``change_cost`` whenever a limb's state changes and a little
    for each second swapped. The middle of a pair isn't moved by a swap, so only D is asked, and where the middle jumps (one side
    gone astray) D is believed less. Limbs that cross pass through D = 0 at their velocity and are left alone; a swap reverses D
    at once.

    Parameters
    ----------
    pose : PoseSequence
        Any unit. A pair speaks only where both its joints are there: a missing joint is no evidence for or against.
    change_cost : float
        In halves of squared sigma: 8 asks for about four sigma of evidence for each change.
    noise_floor : float
        Smallest sigma of a joint, as a share of the trunk's length.
    max_gap_s : float
        Over a longer time without any pair, in seconds, the states before and after are found apart; also across a cut
        (:func:`.body.find_stretches`), where motion can't tell.

    Returns
    -------
    PoseSequence
        Swapped joints exchanged with their confidences, also where one side is missing; face points aren't touched. Provenance step
        ``repair_swaps``: the settings, ``frames`` (a count) and ``at`` (per limb, first and last frame of each stretch).
        A mistake is undone when it is short: one of a second is seldom missed, one of several seconds may be left, and where a
        limb is swapped for most of a stretch the rest is exchanged instead, since motion can't tell which side is truly left.

    Raises
    ------
    KineticsError
        When a setting isn't positive.
    """
    for name, value in (("change_cost", change_cost), ("noise_floor", noise_floor), ("max_gap_s", max_gap_s)):
        if not value > 0:
            raise KineticsError(f"{name} of the swap repair is {value}; give a number above 0.")
    floor = noise_floor * torso_length(pose.xy, pose.names)
    swapped = np.zeros((len(pose), 2), bool)
    limbs = [[part for part in limb if {f"left_{part}", f"right_{part}"} <= set(pose.names)] for limb in (ARMS, LEGS)]
    seen = np.zeros(len(pose), bool)
    for part in limbs[0] + limbs[1]:
        seen |= ~np.isnan(pose.joint(f"left_{part}")[:, 0] + pose.joint(f"right_{part}")[:, 0])
    frames = np.flatnonzero(seen)
    stretch = find_stretches(pose)
    if len(frames) and floor > 0:
        starts = np.concatenate(
            [[0], np.flatnonzero((np.diff(pose.t[frames]) > max_gap_s) | (np.diff(stretch[frames]) > 0)) + 1, [len(frames)]]
        )
        for first, end in pairwise(starts):
            part_of_time = frames[first:end]
            if len(part_of_time) >= 3:
                costs = [_misfits(pose, parts, part_of_time, floor) for parts in limbs]
                swapped[part_of_time] = _cheapest(costs, change_cost, SWAPPED_SECOND * float(np.median(np.diff(pose.t[part_of_time]))))
    xy, conf = pose.xy.copy(), pose.conf.copy()
    for limb, parts in enumerate(limbs):
        for part in parts:
            left, right = pose.index(f"left_{part}"), pose.index(f"right_{part}")
            at = np.flatnonzero(swapped[:, limb])[:, None]
            xy[at, [left, right]] = pose.xy[at, [right, left]]
            conf[at, [left, right]] = pose.conf[at, [right, left]]
    return pose.with_step(
        "repair_swaps", xy=xy, conf=conf, change_cost=float(change_cost), noise_floor=float(noise_floor), max_gap_s=float(max_gap_s),
        frames=int(swapped.any(axis=1).sum()),
        at={name: [list(run) for run in runs(swapped[:, limb])] for limb, name in enumerate(("arms", "legs")) if swapped[:, limb].any()},
    )  # fmt: skip


def _misfits(pose: PoseSequence, parts: list[str], frames: np.ndarray, floor: float) -> np.ndarray:
    """(n, 2, 2, 2): misfit of one limb at each frame, were the last three frames swapped (1) or not (0).

    By symmetry only the signs relative to the latest frame matter. Where a pair is missing in one of the two earlier frames it is
    expected to stay as it was in the other; where it is missing in both, or now, it says nothing.
    """
    total = np.zeros((len(frames), 2, 2, 2))
    t = pose.t[frames]
    ratio = ((t[2:] - t[1:-1]) / (t[1:-1] - t[:-2]))[:, None]
    gain = np.sqrt((1 + (1 + ratio[:, 0]) ** 2 + ratio[:, 0] ** 2) / 6)
    for part in parts:
        left, right = pose.joint(f"left_{part}")[frames], pose.joint(f"right_{part}")[frames]
        apart, middle = left - right, (left + right) / 2
        earlier, last, now = apart[:-2], apart[1:-1], apart[2:]
        steps = np.diff(middle, axis=0)
        step = np.linalg.norm(steps[1:], axis=1) + np.linalg.norm(steps[:-1], axis=1) * ratio[:, 0]
        # A swap leaves the middle where it was. One side gone astray takes the middle half as far as D, and says nothing of a swap.
        astray = 2 * np.linalg.norm(steps[1:] - steps[:-1] * ratio, axis=1)
        since = np.where(np.isnan(middle[1:-1]), middle[:-2], middle[1:-1])
        astray_held = 2 * np.linalg.norm(middle[2:] - since, axis=1)
        moving = {(p, q): np.linalg.norm(now - p * last - (p * last - q * earlier) * ratio, axis=1) for p in (1, -1) for q in (1, -1)}
        held = {
            (p, q): np.where(np.isnan(last[:, 0]), np.linalg.norm(now - q * earlier, axis=1), np.linalg.norm(now - p * last, axis=1))
            for p in (1, -1)
            for q in (1, -1)
        }
        # The best of the four is the truth more often than not: its median is the noise, swaps or none.
        best = np.min(list(moving.values()), axis=0) / gain
        if not np.isfinite(best).any():
            continue
        noise = max(float(np.nanmedian(best)) / RAYLEIGH_MEDIAN, np.sqrt(6.0) * floor)
        usual_change = float(np.nanmedian(np.minimum(np.linalg.norm(now - last, axis=1), np.linalg.norm(now + last, axis=1))))
        sigma = np.where(
            np.isnan(step),
            np.hypot(np.hypot(noise, HELD_SHARE * usual_change), astray_held),
            np.hypot(np.hypot(noise * gain, MOTION_SHARE * step), astray),
        )
        for state in np.ndindex(2, 2, 2):
            signs = (1 if state[1] == state[2] else -1, 1 if state[0] == state[2] else -1)
            r = np.where(np.isnan(moving[signs]), held[signs], moving[signs])
            total[(slice(2, None), *state)] += WEIGHTS.get(part, 1.0) * np.nan_to_num(np.minimum((r / sigma) ** 2 / 2, MISFIT_CAP), nan=0.0)
    return total


def _cheapest(costs: list[np.ndarray], change_cost: float, frame_cost: float) -> np.ndarray:
    """(n, 2) bool: swapped arms, swapped legs, by Viterbi over (state before, state now)."""
    arms, legs = costs
    n = len(arms)
    state = np.array(STATES)
    a, g = state[:, 0], state[:, 1]
    local = (
        arms[:, a[:, None, None], a[None, :, None], a[None, None, :]] + legs[:, g[:, None, None], g[None, :, None], g[None, None, :]]
    )  # (n, earlier, last, now)
    changes = np.abs(state[:, None] - state[None]).sum(axis=2)
    # Both limbs at once is one mistake of the estimator (it took the back for the front), so it costs little more than one.
    enter = change_cost * np.choose(changes, (0.0, 1.0, 1.25)) + frame_cost * state.sum(axis=1)[None, :]
    best = frame_cost * state.sum(axis=1)[:, None] + enter
    back = np.zeros((n, 4, 4), np.int64)
    for k in range(2, n):
        through = best[:, :, None] + local[k]
        back[k] = through.argmin(axis=0)
        best = through.min(axis=0) + enter
    last, now = np.unravel_index(best.argmin(), best.shape)
    chain = [int(now), int(last)]
    for k in range(n - 1, 1, -1):
        chain.append(int(back[k, chain[-1], chain[-2]]))
    return state[np.array(chain[::-1])].astype(bool)
