"""One toe per frame out of many candidates: the path whose evidence is strongest and whose motion a bat can make (Viterbi)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: What a frame without a visible toe is worth, and what it costs to begin or end such a stretch.
UNSEEN, CHANGE = -1.5, 0.6

#: A candidate may miss what the turn so far foretells by this much, bat lengths, and by this part of the step, at a cost of 0.25; the cost stops at _MOST.
_SLACK, _PART, _MOST = 0.06, 0.35, 2.5

#: Time, s, in which motion is counted, the largest turn in it, rad, and what a larger one costs.
_BEAT, _LARGEST, _TOO_FAST = 0.04, 2.0, 3.0

#: Half of a blade's width, bat lengths: a wedge wider than this and than half the turn from frame to frame is no smear; slack, rad, and cost per rad.
_BLADE, _WIDE_SLACK, _WIDE = 0.055, 0.10, 14.0


@dataclass
class Candidates:
    """What one frame offers.

    Attributes
    ----------
    t : float, s
    toe, pivot : (K, 2)
        In bat lengths, the camera's movement taken out.
    half : (K,) rad
        Half the angle that the bat covers about the pivot.
    worth : (K,)
        Log odds that this is the toe, against :data:`UNSEEN`.
    """

    t: float
    toe: np.ndarray
    pivot: np.ndarray
    half: np.ndarray
    worth: np.ndarray


def best_path(frames: Sequence[Candidates]) -> np.ndarray:
    """(T,) int: which candidate is the toe in each frame; -1 where none is.

    Viterbi over pairs of neighbouring frames' candidates, so that a turn is held against the turn before: what a bat that keeps turning
    about the hands would do next costs nothing.
    """
    if not frames:
        return np.zeros(0, int)
    worth = [np.append(frame.worth, UNSEEN) for frame in frames]
    if len(frames) == 1:
        return _named(np.array([worth[0].argmax()]), frames)
    # total[a, b]: best sum with candidate a in the frame before and b in this one; the last index of each is "unseen".
    total = worth[0][:, None] + worth[1][None, :] - _step(frames[0], frames[1])
    back: list[np.ndarray] = []
    for k in range(2, len(frames)):
        cost = _turn(frames[k - 2], frames[k - 1], frames[k])
        reached = total[:, :, None] - cost
        back.append(reached.argmax(axis=0))
        total = reached.max(axis=0) + worth[k][None, :] - _step(frames[k - 1], frames[k])
    a, b = np.unravel_index(total.argmax(), total.shape)
    path = [int(b), int(a)]
    for chosen in reversed(back):
        path.append(int(chosen[path[-1], path[-2]]))
    return _named(np.array(path[::-1]), frames)


def _named(path: np.ndarray, frames: Sequence[Candidates]) -> np.ndarray:
    return np.array([k if k < len(frame.worth) else -1 for k, frame in zip(path.tolist(), frames, strict=False)], int)


def _arm(frame: Candidates) -> np.ndarray:
    """(K,) complex: pivot -> toe."""
    return (frame.toe - frame.pivot) @ np.array([1.0, 1.0j])


def _step(first: Candidates, then: Candidates) -> np.ndarray:
    """(K1 + 1, K2 + 1) cost of going from one to the other: too fast a turn, or a change between seen and unseen."""
    beats = max((then.t - first.t) / _BEAT, 0.25)
    turn = np.abs(np.angle(_arm(then)[None, :] / _arm(first)[:, None]))
    cost = np.zeros((len(first.worth) + 1, len(then.worth) + 1))
    cost[:-1, :-1] = np.where(turn > min(_LARGEST * beats, 3.0), _TOO_FAST, 0.0) + 0.1 * turn / beats
    cost[-1, :-1] = cost[:-1, -1] = CHANGE
    return cost


def _turn(first: Candidates, then: Candidates, last: Candidates) -> np.ndarray:
    """(K1 + 1, K2 + 1, K3 + 1) cost of a turn that doesn't go on as it was; 0 where one of the three is unseen."""
    one, two = _arm(first), _arm(then)
    ratio = (last.t - then.t) / (then.t - first.t)
    swept = np.angle(two[None, :] / one[:, None])
    shrunk = np.clip(np.abs(two)[None, :] / np.maximum(np.abs(one)[:, None], 0.1), 0.7, 1.4)
    foretold = two[None, :] * shrunk ** min(ratio, 1.0) * np.exp(1j * np.clip(swept * ratio, -np.pi, np.pi))
    miss = np.abs(_arm(last)[None, None, :] - foretold[:, :, None])
    step = np.abs(two[None, :] - one[:, None])[:, :, None] * max(ratio, 1.0)
    slack = _SLACK * max(1.0, (last.t - first.t) / (2 * _BEAT)) + _PART * step
    cost = np.zeros((len(one) + 1, len(two) + 1, len(last.worth) + 1))
    cost[:-1, :-1, :-1] = np.minimum(0.25 * (miss / slack) ** 2, _MOST)
    after = np.angle(_arm(last)[None, :] / two[:, None])
    turn = np.maximum(np.abs(swept)[:, :, None], np.abs(after)[None, :, :])
    cost[:-1, :-1, :-1] += _WIDE * np.maximum(_excess(then)[None, :, None] - 0.5 * turn, 0.0)
    # Beside an unseen toe the turn is unknown: a quarter of a rad is allowed for.
    cost[-1, :-1, :] += _WIDE * np.maximum(_excess(then) - 0.12, 0.0)[:, None]
    cost[:-1, :-1, -1] += _WIDE * np.maximum(_excess(then) - 0.12, 0.0)[None, :]
    return cost


def _excess(frame: Candidates) -> np.ndarray:
    """(K,) rad by which each wedge's half angle is more than the blade's own and the slack."""
    return frame.half - np.arctan(_BLADE / (0.6 * np.maximum(np.abs(_arm(frame)), 0.1))) - _WIDE_SLACK
