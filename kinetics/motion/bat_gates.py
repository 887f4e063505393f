"""Which toes are accepted: what a pad, a leg, a helmet or a shadow would satisfy as well as a bat is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .bat_image import SMEAR, Look, vote

#: A toe is read from at least this contrast beside the bat, and this fall of the evidence across its end.
_CONTRAST, _EDGE = 0.3, 0.3

#: A bat is never longer than its full length; the hands that it is measured from are off by this much, bat lengths.
_TOO_LONG = 1.25

#: The network agrees when it puts this share of its mass within 0.15 bat lengths of the reading; it objects when it is this sure of another toe,
#: and the foreground backs that one nearly as well: its wedge's score is less by no more than this.
AGREED, _SURE, _LESS = 0.12, 0.6, 0.15

#: Score of the wedge that is needed where the network agrees, where it has no opinion, and where it objects. A smear is thin: so much less,
#: and less again where the network puts this much of its mass there.
_WITH, _WITHOUT, _AGAINST, _THIN, _CLEARLY = 0.55, 0.6, 0.75, 0.1, 0.3

#: A toe stands among others: one of the four pictures round it is accepted too, and the bat could have come from there at this speed, bat
#: lengths per second, give or take this much, bat lengths.
_FASTEST, _GIVE = 45.0, 0.25

#: A toe that scores a little too low counts after all where accepted ones stand on both sides within so many pictures, and it lies this near
#: the line between them: bat lengths, and part of the step.
_SHORT, _ASIDE, _NEAR_LINE, _OF_STEP = 0.1, 3, 0.1, 0.1

#: A toe between two neighbours lies no farther from their middle than this, bat lengths, and half the square of the step between them: the turn's own
#: bend, what a bat gains in speed within a picture, and times that are known to a frame.
_BEND = 0.35

#: Standard deviations per axis, bat lengths: of a sharp toe; from the blade's thickness where the bat points out of the picture's plane; of a
#: smear, as part of its half width; of an edge that isn't clear, per unit of what it lacks; of the network's toe, where twice the smear comes on top. Measured on drawn clips.
_SHARP, _THICK, _SMEARED, _UNCLEAR, _NETWORK = 0.019, 0.025, 0.15, 0.22, 0.045
_CLEAR = 0.85

#: The network's toe is joined to the reading within this many bat lengths; of a sharp toe the middle of both counts when they are this far
#: apart and the network puts this share of its mass on its own.
_JOINED, _APART, _SEEN = 0.15, 0.04, 0.3

#: How far the outline of a toe reads beyond the middle of its end edge, bat lengths: flat in the picture's plane, and more when out of it.
_BEYOND, _BEYOND_OUT = 0.008, 0.028


@dataclass(frozen=True)
class Verdict:
    """On one look.

    Attributes
    ----------
    accepted, agreed, objected : bool
        Whether the toe counts; whether the network, or a mark, says the same as the foreground; whether it says something else, and is sure.
    short : float
        By how much the wedge's score is too low; infinite where something else is wrong.
    place : (2,) px of the view
        Reading and network joined where both are near.
    confidence : float
        0-1.
    sigma : float, px of the view
        Standard deviation per axis.
    """

    accepted: bool
    agreed: bool
    objected: bool
    short: float
    place: np.ndarray
    confidence: float
    sigma: float


def judge(looks: Sequence[Look], length: float, anchors: Mapping[int, np.ndarray]) -> list[Verdict | None]:
    """A verdict per look; None where no toe was read."""
    verdicts = [_alone(look, length, look.patch.frame in anchors) for look in looks]
    placed = [None if verdict is None else look.in_reference(verdict.place) for look, verdict in zip(looks, verdicts, strict=True)]
    units = [look.unit(length) for look in looks]

    def good(n: int) -> bool:
        return accepts(verdicts[n])

    for k, verdict in enumerate(verdicts):
        if verdict is None or verdict.accepted or verdict.short > _SHORT:
            continue
        before = next((n for n in range(k - 1, max(-1, k - 1 - _ASIDE), -1) if good(n)), None)
        after = next((n for n in range(k + 1, min(len(looks), k + 1 + _ASIDE)) if good(n)), None)
        if before is not None and after is not None:
            share = (looks[k].t - looks[before].t) / (looks[after].t - looks[before].t)
            step = placed[after] - placed[before]
            off = np.linalg.norm(placed[before] + share * step - placed[k])
            if off <= _NEAR_LINE * units[k] + _OF_STEP * np.linalg.norm(step):
                verdicts[k] = replace(verdict, accepted=True)
    alone = []
    for k in range(len(looks)):
        near = [n for n in range(max(0, k - 2), min(len(looks), k + 3)) if n != k and good(n)]
        reached = [np.linalg.norm(placed[n] - placed[k]) <= (_GIVE + _FASTEST * abs(looks[n].t - looks[k].t)) * units[k] for n in near if good(k)]
        if good(k) and not any(reached) and looks[k].patch.frame not in anchors:
            alone.append(k)
    return [replace(verdict, accepted=False) if k in alone else verdict for k, verdict in enumerate(verdicts)]


def refuse_jumps(looks: Sequence[Look], verdicts: Sequence[Verdict | None], length: float, anchors: Mapping[int, np.ndarray]) -> list[Verdict | None]:
    """The verdicts without toes that jump aside and back between accepted neighbours, where no bat could."""
    placed = [look.in_reference(verdict.place) if accepts(verdict) else np.full(2, np.nan) for look, verdict in zip(looks, verdicts, strict=True)]
    aside = np.zeros(len(looks))
    for k in range(1, len(looks) - 1):
        share = (looks[k].t - looks[k - 1].t) / (looks[k + 1].t - looks[k - 1].t)
        step = (placed[k + 1] - placed[k - 1]) / looks[k].unit(length)
        off = np.linalg.norm((placed[k] - placed[k - 1]) / looks[k].unit(length) - share * step)
        aside[k] = np.nan_to_num(off - _BEND - step @ step / 2)
    out = list(verdicts)
    for k in np.flatnonzero(aside > 0).tolist():
        # Beside one that jumps, its neighbours look as if they did.
        if aside[k] == aside[k - 1 : k + 2].max() and looks[k].patch.frame not in anchors:
            out[k] = replace(verdicts[k], accepted=False)
    return out


def accepts(verdict: Verdict | None) -> bool:
    """Whether there is a toe that counts."""
    return verdict is not None and verdict.accepted


def _alone(look: Look, length: float, marked: bool) -> Verdict | None:
    """The verdict without looking at the other pictures."""
    read, k = look.read, look.chosen
    if read is None:
        return None
    mass, sure = (0.0, 0.0) if look.witness is None else (look.witness.mass(read.place, 0.15), look.witness.sure)
    agreed = bool(mass >= AGREED or marked)
    objected = bool(not agreed and sure >= _SURE and _backed(look) > look.score[k] - _LESS)
    needed = _WITH if agreed else _AGAINST if objected else _WITHOUT
    if 2 * look.half[k] > SMEAR:
        needed -= _THIN * (2 if mass >= _CLEARLY else 1)
    score = float(look.score[k])
    sound = read.contrast >= _CONTRAST and read.edge >= _EDGE and np.linalg.norm(read.place - look.pivot[k]) <= _TOO_LONG * length
    odds = 8.0 * (score - 0.5) + (0.0 if look.witness is None else float(vote(np.array([mass]), look.witness)[0]))
    place, sigma = _join(look, length)
    short = max(needed - score, 0.0) if sound else np.inf
    return Verdict(short == 0.0, agreed, objected, float(short), place, float(1 / (1 + np.exp(-odds))), sigma)


def _backed(look: Look) -> float:
    """The wedge's score of the toe that the network prefers."""
    offers = look.witness.offers()
    return float(look.score[np.linalg.norm(look.toe - offers[0], axis=1).argmin()]) if len(offers) else -np.inf


def _join(look: Look, length: float) -> tuple[np.ndarray, float]:
    """Reading, the outline's excess taken off, and the network's toe where it is near, weighted by what each is worth; px of the view."""
    read, pivot = look.read, look.pivot[look.chosen]
    reach = np.linalg.norm(read.place - pivot)
    out = np.sqrt(max(0.0, 1 - min(1.0, reach / length) ** 2))
    unclear = max(0.0, _CLEAR - read.edge)
    beyond = (_BEYOND + _BEYOND_OUT * out) * max(0.0, 1 - unclear / 0.2)
    place = read.place - beyond * length * (read.place - pivot) / reach
    smear = max(read.width / 2 - 0.12, 0.0) * reach / length
    sigma = np.sqrt(_SHARP**2 + (_THICK * out) ** 2 + (_SMEARED * smear) ** 2 + (_UNCLEAR * unclear) ** 2)
    offers = np.empty((0, 2)) if look.witness is None else look.witness.offers()
    near = offers[np.linalg.norm(offers - place, axis=1) <= _JOINED * length]
    if len(near) and look.witness.mass(place, _JOINED) >= 2 * AGREED:
        toe = near[0]
        network = np.hypot(_NETWORK, 2 * _SMEARED * smear)
        weight = network**2 / (network**2 + sigma**2)
        place = weight * place + (1 - weight) * toe
        # Both look at the same pixels: their errors don't average out.
        sigma = weight * sigma + (1 - weight) * network
        apart = np.linalg.norm(toe - place) / length
        if apart > _APART and look.witness.mass(toe) > _SEEN and smear == 0.0:
            # Ground that a shadow leaves, or a shoe behind the toe: which of both is off can't be told.
            place, sigma = (place + toe) / 2, np.hypot(sigma, apart / 2)
    return place, float(sigma * length)
