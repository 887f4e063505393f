"""Where a bat could lie in one view: bars, and the wedges that a turning bat smears, that begin at the hands and end at a toe.

Seen from the hands a bat covers a narrow range of angles from about 0.4 of its length to its toe, with something else on both sides and
beyond the toe; the longer the exposure and the faster the turn, the wider the range. The hands of a pose are off by 0.1-0.3 bat lengths on
real frames, so several pivots round them are tried, each at a cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Angle bins of the polar maps, and their radii in bat lengths.
BINS = 120
_STEP = 0.025
_RADII = np.arange(0.05, 1.5, _STEP)

#: Radii at which a toe is looked for, and half widths of the wedges, in bins.
_TOES = np.arange(0.45, 1.16, 0.05)
_HALF = np.array([1, 2, 3, 4, 6, 8, 10, 12, 15])

#: The widest of them, in bins, that a sharp bat fills.
_SHARP = 4

#: Weights of what lies beside the wedge and beyond its toe.
_BESIDE, _BEYOND = 0.25, 0.35

#: Pivots tried round the hands, bat lengths, and what one costs: half its squared distance over the hands' spread, times this.
_PIVOTS = np.array([(x, y) for x in (-0.14, 0.0, 0.14) for y in (-0.14, 0.0, 0.14)])
_OFF_COST = 0.06

#: Two candidates are one when their toes are nearer than this, bat lengths.
SAME = 0.1


@dataclass
class Wedges:
    """Every wedge that was tried in one view.

    Attributes
    ----------
    toe : (N, 2) px of the view
    pivot : (N, 2) px of the view
    half : (N,) rad
        Half the angle that the bat covers.
    score : (N,)
        Evidence inside, minus that beside and beyond: 1 for a bat that stands out wholly, 0 for nothing.
    """

    toe: np.ndarray
    pivot: np.ndarray
    half: np.ndarray
    score: np.ndarray

    def best(self, count: int, length: float) -> np.ndarray:
        """Indices of the highest-scoring wedges, their toes apart by :data:`SAME`."""
        order = np.argsort(self.score)[::-1][:600]
        chosen: list[int] = []
        for k in order:
            if len(chosen) == count:
                break
            if not chosen or np.linalg.norm(self.toe[chosen] - self.toe[k], axis=1).min() > SAME * length:
                chosen.append(int(k))
        return np.array(chosen, int)

    def near(self, toe: np.ndarray, length: float) -> int:
        """Index of the best wedge whose toe lies within :data:`SAME` bat lengths of ``toe``; -1 when there is none."""
        close = np.linalg.norm(self.toe - toe, axis=1) <= SAME * length
        return int(np.where(close, self.score, -np.inf).argmax()) if close.any() else -1


def try_wedges(sharp: np.ndarray, smeared: np.ndarray, known: np.ndarray, hand: np.ndarray, spread: float, length: float) -> Wedges:
    """Score wedges of every direction, width and length about pivots round the hands.

    Parameters
    ----------
    sharp, smeared : (H, W) float32, 0-1
        How much each place looks like a bat that is sharp, and like one that is smeared: the latter counts for wide wedges.
    known : (H, W) bool
        Where the evidence is known.
    hand : (2,) px
    spread : float
        Standard deviation of the hand's place, bat lengths.
    length : float
        Full bat length, px.
    """
    import cv2

    pivots = hand + length * _PIVOTS
    angles = np.arange(BINS) * 2 * np.pi / BINS
    steps = length * _RADII[None, :] * np.exp(1j * angles)[:, None]
    x = (pivots[:, 0, None, None] + steps.real).reshape(-1, len(_RADII)).astype(np.float32)
    y = (pivots[:, 1, None, None] + steps.imag).reshape(-1, len(_RADII)).astype(np.float32)
    there = cv2.remap(known.astype(np.float32), x, y, cv2.INTER_NEAREST).reshape(len(pivots), BINS, -1)
    parts = []
    for evidence, widths in ((sharp, _HALF[_HALF <= _SHARP]), (smeared, _HALF[_HALF > _SHARP])):
        value = cv2.remap(evidence * known, x, y, cv2.INTER_LINEAR).reshape(len(pivots), BINS, -1)
        parts.append(_across(*_along(value, there), widths))
    score = np.concatenate(parts, axis=3)
    best = score.argmax(axis=3)
    score = np.take_along_axis(score, best[..., None], axis=3)[..., 0]
    score = score - _OFF_COST * 0.5 * ((_PIVOTS**2).sum(axis=1) / spread**2)[:, None, None]
    ray = length * _TOES[None, :] * np.exp(1j * angles)[:, None]
    toe = pivots[:, None, None, :] + np.stack([ray.real, ray.imag], axis=-1)[None]
    pivot = np.broadcast_to(pivots[:, None, None, :], toe.shape)
    half = (_HALF[best] + 0.5) * 2 * np.pi / BINS
    return Wedges(toe.reshape(-1, 2), pivot.reshape(-1, 2), half.reshape(-1), score.reshape(-1))


def _along(value: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean evidence from 0.42 to 0.96 of each toe radius, and just beyond it: (P, BINS, R) both, per angle bin."""
    sums = [np.concatenate([np.zeros((*part.shape[:2], 1)), part.cumsum(axis=2)], axis=2) for part in (value, there)]

    def mean(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        a, b = (np.clip(np.round((edge - _RADII[0]) / _STEP).astype(int), 0, len(_RADII)) for edge in (low, high))
        total, shown = (part[:, :, b] - part[:, :, a] for part in sums)
        return total / np.maximum(shown, 0.6 * (b - a))

    return mean(0.42 * _TOES, 0.96 * _TOES), mean(1.07 * _TOES, 1.07 * _TOES + 0.2)


def _across(inner: np.ndarray, beyond: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Scores (P, BINS, R, widths): wedge minus its flanks minus what goes on beyond the toe."""
    pad = int(_HALF[-1]) + 6

    def running(part: np.ndarray) -> np.ndarray:
        wrapped = np.concatenate([part[:, -pad:], part, part[:, :pad]], axis=1)
        return np.concatenate([np.zeros((wrapped.shape[0], 1, wrapped.shape[2])), wrapped.cumsum(axis=1)], axis=1)

    inside, outside = running(inner), running(beyond)
    middle = np.arange(BINS) + pad

    def box(total: np.ndarray, low: int, high: int) -> np.ndarray:
        return (total[:, middle + high + 1] - total[:, middle + low]) / (high - low + 1)

    return np.stack(
        [
            box(inside, -k, k) - _BESIDE * (box(inside, -k - 4, -k - 2) + box(inside, k + 2, k + 4)) - _BEYOND * box(outside, -k, k)
            for k in widths.tolist()
        ],
        axis=3,
    )
