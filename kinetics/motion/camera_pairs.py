"""Which frames of a clip are compared: the one before, some farther back, and the few that stand for all that the shot has shown."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from .background import Pair, View, measure_pair

#: Frames that pairs reach back over, and how often such a pair is measured.
_SPANS = (4, 12, 36)
_EVERY = (1, 3, 6)
#: Frames that are tried, from the last back, before a frame counts as unlinked.
_TRIES = 6
#: What no operator does between two frames: shift by this part of the picture's diagonal, zoom by this factor, roll by these radians.
_FASTEST, _QUICKEST_ZOOM, _QUICKEST_ROLL = 0.3, 1.35, 0.35
#: Key frames kept; a frame becomes one when it shares less than this with each, and is compared with one that it shares as much with.
_KEYS, _NEW_KEY, _SHARED = 8, 0.6, 0.35
#: Every so manieth frame is compared with a key frame.
_KEY_EVERY = 10


@dataclass
class Piece:
    """Frames that are linked to one another by pairs."""

    frames: list[int] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)


class PairFinder:
    """Takes the frames one at a time; holds the last 40 and a few key frames.

    Attributes
    ----------
    pieces : list of Piece
        In the order of their first frames.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.begin_shot()

    def begin_shot(self) -> None:
        """Forget the frames before: nothing links them to those that come."""
        self._views: deque[View] = deque(maxlen=max(_SPANS))
        self._keys: list[View] = []
        #: By frame: its piece, and the similarity from the piece's first frame to it.
        self._chain: dict[int, tuple[Piece, complex, complex]] = {}

    def add(self, view: View, mask: np.ndarray) -> None:
        """Compare the next frame; ``mask`` (H, W) uint8 is 255 where it may show background."""
        link = self._link(view, mask)
        if link is None:
            piece = Piece([view.index])
            self.pieces.append(piece)
            self._chain[view.index] = (piece, 1.0 + 0j, 0j)
        else:
            piece, s, t = self._chain[link.i]
            self._chain[view.index] = (piece, link.s * s, link.s * t + link.t)
            piece.frames.append(view.index)
            piece.pairs.append(link)
            piece.pairs += self._reach_back(view, mask, len(piece.frames))
        self._keep_key(view, piece)
        self._views.append(view)

    def _link(self, view: View, mask: np.ndarray) -> Pair | None:
        """The pair that ties a frame to the ones before, the last one if possible."""
        recent = list(self._views)[-_TRIES:][::-1]
        for last in recent:
            guesses = [(1.0 + 0j, 0j)]
            if last is recent[0] and len(recent) > 1 and self._chain[recent[1].index][0] is self._chain[last.index][0]:
                # As fast as from the frame before the last to the last.
                guesses.insert(0, self._step(recent[1].index, last.index))
            for guess in guesses:
                pair = measure_pair(last, view, mask, *guess)
                if pair is not None and _possible(pair, view.grey.shape):
                    return pair
        return None

    def _step(self, i: int, j: int) -> tuple[complex, complex]:
        """Frame i -> frame j by the chain; both of one piece."""
        (_, s, t), (_, s_there, t_there) = self._chain[i], self._chain[j]
        ratio = s_there / s
        return ratio, t_there - ratio * t

    def _reach_back(self, view: View, mask: np.ndarray, number: int) -> list[Pair]:
        """The pairs over longer spans that are due at the ``number``-th frame of its piece."""
        due = [self._views[-span] for span, every in zip(_SPANS, _EVERY, strict=True) if number % every == 0 and len(self._views) >= span]
        if number % _KEY_EVERY == 0:
            far = [key for key in self._keys if key.index < self._views[0].index]
            due += sorted(far, key=lambda key: self._shared(key, view))[-1:]
        found = []
        for earlier in due:
            if self._chain[earlier.index][0] is self._chain[view.index][0] and self._shared(earlier, view) >= _SHARED:
                pair = measure_pair(earlier, view, mask, *self._step(earlier.index, view.index), near=True)
                if pair is not None:
                    found.append(pair)
        return found

    def _keep_key(self, view: View, piece: Piece) -> None:
        self._keys = [key for key in self._keys if self._chain[key.index][0] is piece]
        if all(self._shared(key, view) < _NEW_KEY for key in self._keys):
            self._keys.append(view)
            if len(self._keys) > _KEYS:
                # The reference frame stays.
                del self._keys[1]

    def _shared(self, one: View, other: View) -> float:
        """Part of the larger view that two frames of a piece share, as boxes."""
        s, t = self._step(one.index, other.index)
        half = np.array(one.grey.shape[::-1]) / 2
        shift, reach = np.array([t.real, t.imag]), abs(s) * half
        low, high = np.maximum(shift - reach, -half), np.minimum(shift + reach, half)
        return float(np.maximum(high - low, 0).prod() / ((2 * half).prod() * max(1.0, abs(s) ** 2)))


def _possible(pair: Pair, shape: tuple[int, int]) -> bool:
    """Whether an operator can move a camera like this in the frames between."""
    steps, zoom, roll = pair.j - pair.i, abs(pair.s), abs(np.angle(pair.s))
    shift = abs(pair.t) / np.hypot(*shape)
    return shift < steps * _FASTEST and abs(np.log(zoom)) < steps * np.log(_QUICKEST_ZOOM) and roll < steps * _QUICKEST_ROLL
