"""How the tempo of two shots differs, in numbers and in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..pose_sequence import PoseSequence
from .features import joint_speed
from .time_map import TimeMap

#: The shot is what lies between these parts of the movement, which is counted by the square of the speed: a long wait weighs nothing.
_SHARE = (0.05, 0.95)

#: Seconds; nothing is said of the pace of less than this, about a frame.
_TOO_SHORT = 0.04

#: Tempos closer than this are called the same.
_SAME = 0.03


@dataclass(frozen=True)
class Tempo:
    """Seconds that each shot takes for the same movement, from the first to the last 5 % of it in the reference, as far as both clips show it.

    Attributes
    ----------
    first, turn, last : float
        Seconds in the reference. The turning point is impact where that is known and inside (``at_impact``), else the moment its wrists are
        fastest.
    before, after : (float, float)
        Seconds that the reference and the other take up to the turning point, and from it on.
    at_impact : bool
    late : float or None
        Seconds from the turning point's partner in the other to the other's own impact, where both impacts are known.
    """

    first: float
    turn: float
    last: float
    before: tuple[float, float]
    after: tuple[float, float]
    at_impact: bool
    late: float | None

    @property
    def ref_s(self) -> float:
        """Seconds the whole movement takes in the reference."""
        return self.before[0] + self.after[0]

    @property
    def other_s(self) -> float:
        """Seconds it takes in the other."""
        return self.before[1] + self.after[1]

    @property
    def ratio(self) -> float:
        """2: the other is twice as fast. NaN when the clips share no part of the shot."""
        return self.ref_s / self.other_s if self.other_s > 0 else float("nan")

    def to_dict(self) -> dict[str, Any]:
        ratio = self.ratio if self.other_s > 0 else None
        return {**asdict(self), "ref_s": self.ref_s, "other_s": self.other_s, "ratio": ratio}

    def words(self, ref: str = "the reference", other: str = "the other") -> str:
        """One or two sentences."""
        if not self.other_s > 0:
            return f"What {ref} shows of the shot and what {other} shows don't overlap."
        point = "impact" if self.at_impact else "the fastest moment"
        said = f"{other} takes {self.other_s:.2f} s for what {ref} does in {self.ref_s:.2f} s: {_pace(self.ratio)}"
        before, after = (_pace(a / b) if min(a, b) > _TOO_SHORT else "" for a, b in (self.before, self.after))
        if before and after and before != after:
            said += f" ({before} up to {point}, {after} after it)"
        if self.late is not None and self.at_impact:
            apart = round(abs(1000 * self.late))
            said += f". Warped, the impacts lie {apart} ms apart" if apart else ". Warped, the impacts coincide"
        return said[0].upper() + said[1:] + "."


def measure_tempo(
    ref: PoseSequence,
    joints: tuple[str, ...],
    time_map: TimeMap,
    shown: tuple[float, float],
    impact: tuple[float | None, float | None] = (None, None),
) -> Tempo:
    """Compare the pace of two shots.

    Parameters
    ----------
    ref : PoseSequence
    joints : names
        Whose movement counts.
    time_map : TimeMap
        Seconds of ``ref`` to seconds of the other.
    shown : (s, s)
        First and last second of the other's clip.
    impact : (s, s)
        Of each shot, where known.
    """
    speed = joint_speed(ref, joints)
    speed = np.where(np.isfinite(speed), speed, 0.0)
    done = np.concatenate([[0.0], np.cumsum((speed[1:] ** 2 + speed[:-1] ** 2) / 2 * np.diff(ref.t))])
    first, last = (
        float(np.clip(np.interp(part * done[-1], done, ref.t), *np.clip(time_map.undo(shown), ref.t[0], ref.t[-1]))) for part in _SHARE
    )
    turn = impact[0]
    if turn is None:
        wrists = [name for name in ("left_wrist", "right_wrist") if name in ref.names] or list(joints)
        fast = joint_speed(ref, wrists)
        turn = float(ref.t[np.argmax(np.where(np.isfinite(fast), fast, -1.0))])
    at = float(np.clip(turn, first, last))

    def spans(a: float, b: float) -> tuple[float, float]:
        return b - a, float(time_map(b) - time_map(a))

    late = None if impact[0] is None or impact[1] is None else float(impact[1] - time_map(impact[0]))
    return Tempo(first, at, last, spans(first, at), spans(at, last), impact[0] == at, late)


def _pace(ratio: float) -> str:
    if abs(ratio - 1) < _SAME:
        return "the same pace"
    if max(ratio, 1 / ratio) > 2:
        return f"{ratio:.1f} times as fast" if ratio > 1 else f"{1 / ratio:.1f} times as slow"
    return f"{100 * (ratio - 1):.0f} % faster" if ratio > 1 else f"{100 * (1 - ratio):.0f} % slower"
