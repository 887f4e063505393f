"""The phases of a stroke, told from the bat's speed and turning: stance, backlift, downswing, impact, follow-through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Names in the order in which they come.
PHASES = ("stance", "backlift", "downswing", "impact", "follow_through")

#: The bat moves when its tip goes faster than this part of its peak speed, and turns when it turns faster than this part of the peak omega.
STILL, TURNING = 0.1, 0.1

#: The same for the hands, which say it where the tip isn't seen.
HANDS_STILL = 0.2

#: The peak omega of the stroke lies this near to the peak speed, s; and a rest lasts this long.
_STROKE, _REST = 0.3, 0.1

#: So many samples nearest to the peak tell the sense in which the bat turns.
_VOTES = 4

#: A backlift turns the bat away from the stroke at least at this part of the peak omega; it begins at this part of its own highest tip
#: speed.
LIFTING, LIFT_EDGE = 0.06, 0.2

#: A backlift lies at most this long before the downswing, s. In drives of internationals the downswing itself begins 0.36 s before impact.
LONGEST_BACKLIFT = 1.5

#: Nothing is told across this long without a tip, s.
LONGEST_BLIND = 0.2

#: Impact when nothing but the peak of speed tells it: in drawn strokes it comes 0.03 ± 0.01 s after the peak of the tip's speed in the
#: picture (the bat turns towards the camera), 0.00 ± 0.005 s after that in space.
IMPACT_SPREAD = 0.03


@dataclass(frozen=True)
class Impact:
    """When bat and ball meet: ``t`` and ``sigma``, s, and ``how`` that is known.

    ``given`` by the user, ``detected`` by the trace of the blow in the bat's motion, or ``estimated`` from the peak speed alone.
    """

    t: float
    sigma: float
    how: str = "estimated"

    @property
    def estimated(self) -> bool:
        return self.how == "estimated"


@dataclass(frozen=True)
class Phase:
    """From ``start`` to ``end``, s. ``whole`` is False where the track begins or ends inside, so that a bound is not the phase's own."""

    name: str
    start: float
    end: float
    whole: bool = True


@dataclass(frozen=True)
class Phases:
    """The phases found, in order; one that was not found isn't in ``found``, and ``notes`` says why.

    Attributes
    ----------
    found : tuple of Phase
    impact : Impact or None
    notes : tuple of str
    """

    found: tuple[Phase, ...] = ()
    impact: Impact | None = None
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Phase | None:
        """The phase of that name, None when it was not found."""
        return next((phase for phase in self.found if phase.name == name), None)

    def at(self, t: float) -> str:
        """Name of the phase at a time, "" outside them; the impact counts for the frame's length about it only in :attr:`impact`."""
        inside = [phase.name for phase in self.found if phase.name != "impact" and phase.start <= t < phase.end]
        return inside[0] if inside else ""


def find_phases(
    t: np.ndarray, speed: np.ndarray, speed_sigma: np.ndarray, omega: np.ndarray, omega_sigma: np.ndarray, unreliable: np.ndarray,
    hand_speed: np.ndarray, peak_t: float, peak_speed: float, impact: Impact,
) -> Phases:  # fmt: skip
    """Find the phases of one stroke.

    Going out from the fastest moment:

    * **downswing**: from the last moment before the peak at which the bat turns in the stroke's sense at less than a tenth of its peak
    omega
      (at the top of the backlift it turns the other way), or its tip is slower than a tenth of the peak; until impact;
    * **backlift**: the tip's fastest move while the bat turns the other way, at most 1.5 s before the downswing, from a fifth of that speed on; a
      pause at the top belongs to it. A bat held up from the start has none;
    * **stance**: before the backlift (without one: before the downswing), where the tip stays under a tenth of its peak speed in most frames,
      or where it isn't seen the hands under a fifth of theirs;
    * **follow-through**: from impact until tip, or hands, stay so for 0.1 s;
    * **impact**: what was given, as an interval of ± sigma.

    Parameters
    ----------
    t : (T,) s
    speed, speed_sigma, omega, omega_sigma, hand_speed : (T,)
        Tip speed, omega in rad/s, their sigma, speed of the hands; NaN where unknown. A sample ends a phase only when twice its sigma more
        would.
    unreliable : (T,) bool
        Where omega has a sense but its size is not to be trusted (the bat points at the camera): not counted for the peak omega.
    peak_t, peak_speed : float
        When the tip is fastest, s, and how fast.
    impact : Impact

    Returns
    -------
    Phases
        Bounds lie between frames, where the value crosses its threshold on a straight line.
    """
    seen = np.flatnonzero(np.isfinite(speed) & np.isfinite(omega))
    if not len(seen) or not np.isfinite(peak_t):
        return Phases(notes=("No phase is told: the bat's speed is unknown.",))
    notes: list[str] = []
    top = max(int(np.searchsorted(t[seen], peak_t, side="right")) - 1, 0)
    near = seen[np.argsort(np.abs(t[seen] - peak_t))[:_VOTES]]
    largest = float(np.abs(omega[seen]).max()) or 1.0
    sense = 1.0 if (omega[near] / (omega_sigma[near] ** 2 + (0.05 * largest) ** 2)).sum() >= 0 else -1.0
    fastest = max(peak_speed, float(speed[seen].max()), 1e-12)
    turn = sense * omega
    about = seen[(np.abs(t[seen] - peak_t) <= _STROKE) & ~unreliable[seen]]
    quickest = float(turn[about].max(initial=0.0)) or largest
    # At most: what the sample may be with twice its sigma. omega of a bat that points at the camera says nothing.
    turning = np.where(unreliable, np.inf, (turn + 2 * omega_sigma) / (TURNING * quickest))
    moving = (speed + 2 * speed_sigma) / (STILL * fastest)
    activity = _activity((speed + speed_sigma) / fastest, hand_speed)
    start, reached = _walk(t, seen, top, -1, lambda k: min(turning[k], moving[k]) - 1)
    found: list[Phase] = []
    lift_start = start
    lifted = False
    if not reached:
        notes.append("The beginning of the downswing was not found: the tip isn't seen before it.")
    if start < impact.t:
        found.append(Phase("downswing", start, impact.t, reached))
        if reached:
            lift_start, lifted, whole = _backlift(t, seen, speed / fastest, np.where(unreliable, -np.inf, turn / quickest), start)
            if lifted:
                found.insert(0, Phase("backlift", lift_start, start, whole))
            else:
                notes.append("No backlift was found: the bat doesn't turn away from the stroke before it.")
            stance = _stance(t, activity, lift_start) if not lifted or whole else None
            if stance is not None:
                found.insert(0, stance)
            else:
                notes.append("No stance was found: nothing keeps still before the stroke.")
    else:
        notes.append("No downswing was found: the bat doesn't turn into the impact.")
    found.append(Phase("impact", impact.t - impact.sigma, impact.t + impact.sigma))
    ends, whole = _follow_through(t, activity, impact.t)
    if ends > impact.t:
        found.append(Phase("follow_through", impact.t, ends, whole))
    else:
        notes.append("No follow-through was found: the tip isn't seen after the impact.")
    return Phases(tuple(found), impact, tuple(notes))


def _walk(t: np.ndarray, seen: np.ndarray, begin: int, step: int, above) -> tuple[float, bool]:
    """From a seen frame on, forwards or back, to where ``above`` falls below 0: the time, and whether it was reached before the track ends."""
    here = begin
    while 0 <= here + step < len(seen) and abs(t[seen[here + step]] - t[seen[here]]) <= LONGEST_BLIND:
        a, b = above(seen[here]), above(seen[here + step])
        if b < 0:
            share = a / (a - b) if a > 0 else 0.0
            return float(t[seen[here]] + share * (t[seen[here + step]] - t[seen[here]])), True
        here += step
    return float(t[seen[here]]), False


def _backlift(t: np.ndarray, seen: np.ndarray, speed: np.ndarray, turn: np.ndarray, end: float) -> tuple[float, bool, bool]:
    """Start of the backlift that ends at ``end``, whether there is one, and whether its start was seen; speed and turn as parts of their peaks."""
    before = np.flatnonzero((t[seen] < end) & (t[seen] > end - LONGEST_BACKLIFT) & (turn[seen] < -LIFTING) & (speed[seen] > STILL))
    if not len(before):
        return end, False, False
    best = int(before[np.argmax(speed[seen[before]])])
    start, reached = _walk(t, seen, best, -1, lambda k: speed[k] - LIFT_EDGE * speed[seen[best]])
    return start, True, reached


def _activity(speed: np.ndarray, hand_speed: np.ndarray) -> np.ndarray:
    """(T,) 1 where the bat is as fast as what counts as still: by its tip, or by the hands where the tip isn't seen."""
    there = np.isfinite(hand_speed)
    hands = hand_speed / (hand_speed[there].max() or 1.0) if there.any() else hand_speed
    return np.where(np.isfinite(speed), speed / STILL, hands / HANDS_STILL)


def _stance(t: np.ndarray, activity: np.ndarray, end: float) -> Phase | None:
    before = np.flatnonzero(np.isfinite(activity) & (t < end))
    if len(before) < 2 or np.mean(activity[before] < 1) < 0.6:
        return None
    return Phase("stance", float(t[before[0]]), end)


def _follow_through(t: np.ndarray, activity: np.ndarray, start: float) -> tuple[float, bool]:
    """End of the follow-through and whether it was seen: the first moment from which the bat keeps still for 0.1 s."""
    after = np.flatnonzero(np.isfinite(activity) & (t >= start))
    if not len(after):
        return start, False
    last = after[0]
    for k, frame in enumerate(after):
        if t[frame] - t[last] > LONGEST_BLIND:
            return float(t[last]), False
        rest = after[k:][t[after[k:]] <= t[frame] + _REST]
        if (activity[rest] < 1).all() and t[after[-1]] >= t[frame] + _REST:
            a, b = activity[last], activity[frame]
            return float(t[last] + ((a - 1) / (a - b) if a > 1 else 1.0) * (t[frame] - t[last])), True
        last = frame
    return float(t[last]), False
