"""The fast part of a stroke, read as one: the smear in each picture gives a toe, the toes a course, and the course tells where to read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..pose_sequence import PoseSequence
from .bat_course import ON_COURSE, SLOW, Course, Read, Search
from .bat_gates import AGREED, Verdict, accepts
from .bat_image import Look, outlines
from .bat_patches import SIDE
from .bat_smear import Blade, Ground
from .limbs import draw_limbs
from .spline import SHORTEST

#: A toe is fast when it moves by this much from frame to frame, bat lengths; a gap between accepted toes is looked into when it is no longer than
#: so many pictures and this near to a fast one; pictures on both sides from which the course is told.
_FAST, _GAP, _BESIDE, _AROUND = 0.2, 12, 4, 12

#: Standard deviations of the hands, bat lengths: as the network sees them where it is sure, and as the pose does; least of an accepted toe.
_SEEN, _POSED, _GRIP_SURE, _SHARPEST = 0.04, 0.12, 0.5, 0.02

#: Times that all is read, and part of the frame's time that the shutter is taken to be open before it is known.
_ROUNDS, _OPEN = 3, 0.75

#: The shutter is known from this many smears of fast turns, rad a frame.
_SMEARS, _TURNING = 3, 0.3

#: A toe isn't read again while its course has moved by less than this, bat lengths, and the shutter by less than that.
_SETTLED, _SAME_OPEN = 0.04, 0.1

#: Toes nearer than this are the same, and a smear shorter than this is none, bat lengths.
_SAME, _SHARP = 0.12, 0.1

#: Standard deviation, bat lengths, that is added to what was read where the smear bears it out only weakly.
_UNSURE = 0.05

#: A slow toe counts only where the wedge that ends there, within so many bat lengths, scores no more than this less than one that ends elsewhere,
#: farther off than the third.
_NEAR, _LESS, _ELSEWHERE = 0.12, 0.05, 0.3

#: Where the sharp reading says something else by this much, bat lengths, of a slow toe, and of a fast one, neither counts, unless the network puts
#: this share of its mass where the smear was read.
_AT_ODDS, _AT_ODDS_FAST, _BACKED = 0.08, 0.15, 0.5

#: The blade's colour is learned from bats of at least this contrast and at most this width, rad, in so many pictures.
_CONTRAST, _NARROW, _PICTURES = 0.6, 0.35, 3


def read_stroke(
    looks: Sequence[Look], verdicts: Sequence[Verdict | None], length: float, pose: PoseSequence, anchors: Mapping[int, np.ndarray],
    tick: Callable[[], None] = lambda: None,
) -> list[Verdict | None]:  # fmt: skip
    """Read the fast toes again, the accepted ones and those in the gaps between them.

    A toe that moves by half a bat and more during the exposure leaves a thin wedge whose edges and end are lost in what lies behind. What
    the wedge must look like is known, though, when the bat's course about that time is: it is drawn for many toes and held against the
    picture. The courses and the toes are found in turn, from the accepted toes inwards.

    Parameters
    ----------
    looks, verdicts : sequences
        Of one stretch.
    length : float
        Full bat length, px of the view.
    pose : PoseSequence
    anchors : mapping of frame to (2,) px
        Toes that the user marked: they stay.
    tick : callable
        Called for each reading; may raise to cancel.

    Returns
    -------
    list of Verdict or None
        Fast toes put right, added where a smear is clear, and refused where none is.
    """
    verdicts = list(verdicts)
    blade = _blade(looks, verdicts, length)
    if blade is not None:
        interval = float(np.median(np.diff([look.t for look in looks])))
        strokes = [_Stroke(looks, verdicts, length, pose, blade, interval, fast) for fast in _fast(looks, verdicts, length, interval)]
        open_, known = _OPEN, False
        for _ in range(_ROUNDS):
            for stroke in strokes:
                stroke.read(open_, known, anchors, tick)
            parts = [part for stroke in strokes for part in stroke.open_parts()]
            if not known and len(parts) >= _SMEARS:
                open_, known = float(np.clip(np.median(parts), 0.05, 1.0)), True
        for stroke in strokes:
            stroke.write_down(verdicts)
    return verdicts


def _blade(looks: Sequence[Look], verdicts: Sequence[Verdict | None], length: float) -> Blade | None:
    """The blade's colours, from sharp and sure looks; None where there are too few."""
    seen = []
    for look, verdict in zip(looks, verdicts, strict=True):
        if not accepts(verdict) or look.read is None or look.read.width >= _NARROW or look.read.contrast <= _CONTRAST:
            continue
        hand = look.in_view(_hands(look)[0])
        if (np.minimum(hand, verdict.place) >= 0).all() and (np.maximum(hand, verdict.place) <= SIDE - 1).all():
            seen.append((look.patch.view(), hand, verdict.place))
    return Blade.seen(*zip(*seen, strict=True)) if len(seen) >= _PICTURES else None


def _fast(looks: Sequence[Look], verdicts: Sequence[Verdict | None], length: float, interval: float) -> list[np.ndarray]:
    """The looks of each run of fast toes, and of gaps beside them."""
    seen = [k for k, verdict in enumerate(verdicts) if accepts(verdict)]
    fast, gaps = np.zeros(len(looks), bool), []
    for a, b in zip(seen[:-1], seen[1:], strict=True):
        if b - a > _GAP:
            continue
        step = np.linalg.norm(looks[b].in_reference(verdicts[b].place) - looks[a].in_reference(verdicts[a].place)) / looks[a].unit(length)
        if step * interval / (looks[b].t - looks[a].t) > _FAST:
            fast[a : b + 1] = True
        elif b - a > 1:
            gaps.append((a, b))
    near = np.flatnonzero(fast)
    for a, b in gaps:
        if len(near) and min(np.abs(near - a).min(), np.abs(near - b).min()) <= _BESIDE:
            fast[a : b + 1] = True
    found = np.flatnonzero(fast)
    return np.split(found, np.flatnonzero(np.diff(found) > 2 * _BESIDE) + 1) if len(found) else []


class _Stroke:
    """One run of fast toes, and what is around it."""

    def __init__(
        self, looks: Sequence[Look], verdicts: Sequence[Verdict | None], length: float, pose: PoseSequence, blade: Blade, interval: float,
        fast: np.ndarray,
    ) -> None:  # fmt: skip
        self._all, self._length, self._pose, self._blade, self._interval = looks, length, pose, blade, interval
        self._first = max(0, int(fast[0]) - _AROUND)
        self._fast = (fast - self._first).tolist()
        self._looks = looks[self._first : int(fast[-1]) + _AROUND + 1]
        self._t = np.array([look.t for look in self._looks])
        self._unit = np.array([look.unit(length) for look in self._looks])
        hands = [_hands(look) for look in self._looks]
        self._hands, self._hands_sigma = np.array([place for place, _ in hands]), np.array([sigma for _, sigma in hands]) * self._unit
        part = verdicts[self._first : self._first + len(self._looks)]
        self._old, self._old_sigma = np.full((len(part), 2), np.nan), np.full(len(part), np.nan)
        self._sharp = np.full((len(part), 2), np.nan)
        for k, (look, verdict) in enumerate(zip(self._looks, part, strict=True)):
            if verdict is not None:
                self._sharp[k] = look.in_reference(verdict.place)
            if accepts(verdict):
                self._old[k], self._old_sigma[k] = look.in_reference(verdict.place), max(verdict.sigma / length, _SHARPEST)
        #: (n, 2) px of the reference frame, and (n,) bat lengths: as it stands.
        self._toe, self._sigma = self._old.copy(), self._old_sigma.copy()
        self._open, self._known, self._bats, self._grounds = _OPEN, False, outlines(looks, length), {}
        self._course: Course | None = None
        self._reads: dict[int, Read] = {}

    def read(self, open_: float, known: bool, anchors: Mapping[int, np.ndarray], tick: Callable[[], None]) -> None:
        """Tell the course by the toes as they stand, and read all again; ``open_`` is the part of the frame's time that the shutter is open,
        found by smears or not."""
        if np.isfinite(self._toe[:, 0]).sum() < SHORTEST + 4:
            return
        self._open, self._known = open_, known
        self._course = Course(self._t, self._hands, self._toe, self._hands_sigma, self._sigma * self._unit)
        for k in self._fast:
            if self._looks[k].patch.frame not in anchors and self._course.reaches(self._t[k]):
                self._reads[k] = self._look_again(self._course, k, self._reads.get(k))
                tick()
        for k, read in self._reads.items():
            self._toe[k], self._sigma[k] = self._joined(k, read)

    def open_parts(self) -> list[float]:
        """Parts of the frame's time that the shutter is open, by how wide the smears of fast turns are."""
        parts = []
        for k, read in self._reads.items():
            turn = self._course.turn(self._t[k] - 0.5 * self._interval, self._t[k] + 0.5 * self._interval)
            if read.good and abs(turn) > _TURNING:
                parts.append(read.turn / turn)
        return parts

    def write_down(self, verdicts: list[Verdict | None]) -> None:
        """Put into the verdicts what was found."""
        for k, read in self._reads.items():
            verdict, look = verdicts[self._first + k], self._looks[k]
            if np.array_equal(self._toe[k], self._old[k], equal_nan=True):
                continue
            if np.isnan(self._toe[k, 0]):
                verdicts[self._first + k] = replace(verdict, accepted=False)
            else:
                agreed = look.witness is not None and look.witness.mass(read.toe, 0.15) >= AGREED
                sigma = float(self._sigma[k]) * self._length
                confidence = max(0.5, 0.0 if verdict is None else verdict.confidence)
                verdicts[self._first + k] = Verdict(True, agreed, False, 0.0, look.in_view(self._toe[k]), confidence, sigma)

    def _look_again(self, course: Course, k: int, before: Read | None) -> Read:
        """The likeliest smear of one look; the one before where nothing has changed."""
        look = self._looks[k]
        if k not in self._grounds:
            self._grounds[k] = Ground(self._all, self._first + k, self._bats, *draw_limbs(self._pose, look.patch, self._length))
        beside = self._looks[max(k - 1, 0)], self._looks[min(k + 1, len(self._looks) - 1)]
        search = Search(look, self._grounds[k], course, self._blade, self._length, self._open * self._interval, self._known, beside)
        starts = [] if before is None else [before.toe]
        if before is not None and before.good:
            settled = np.linalg.norm(search.told - before.told) < _SETTLED * self._length
            if settled and abs(before.open - self._open) < _SAME_OPEN:
                return before
            return search.best(starts, self._open, before)
        if look.witness is not None:
            starts += [toe for toe in look.witness.offers() if look.witness.mass(toe) > 0.05]
        return search.best([*starts, *look.toe[np.argsort(-look.score)[:2]]], self._open, None)

    def _joined(self, k: int, read: Read) -> tuple[np.ndarray, float]:
        """The toe, px of the reference frame, and its sigma: what was accepted, what was read, both, or NaN."""
        found, old, sigma = self._looks[k].in_reference(read.toe), self._old[k], self._old_sigma[k]
        same = np.linalg.norm(found - old) < _SAME * self._unit[k]
        slow = read.moving < SLOW
        good = read.good and not (slow and self._elsewhere(k, read.toe))
        at_odds = np.linalg.norm(found - (self._sharp[k] if slow else old)) > (_AT_ODDS if slow else _AT_ODDS_FAST) * self._unit[k]
        witness = self._looks[k].witness
        if good and at_odds and (witness is None or witness.mass(read.toe) < _BACKED):
            return np.full(2, np.nan), np.nan
        if good and not same:
            return found, read.sigma
        if not good and read.moving >= _SHARP:
            on_course = np.linalg.norm(self._looks[k].in_reference(read.told) - old) <= ON_COURSE * self._unit[k]
            # A course goes through whatever it was told by, two wrong toes in a row as well.
            borne_out = witness is None or np.isnan(old[0]) or witness.mass(self._looks[k].in_view(old), 0.15) >= AGREED
            if read.doubtful or not (same or on_course) or not borne_out:
                return np.full(2, np.nan), np.nan
        if not same:
            return old, np.hypot(sigma, _UNSURE)
        sigma = np.hypot(sigma, read.sigma)  # its edges are as smeared as what was drawn
        smeared = read.sigma if good else np.hypot(read.sigma, _UNSURE)
        share = sigma**2 / (sigma**2 + smeared**2)
        # Both look at the same pixels: their errors don't average out.
        return old + share * (found - old), share * smeared + (1 - share) * sigma

    def _elsewhere(self, k: int, toe: np.ndarray) -> bool:
        """Whether what moved makes a clearly better bat that ends elsewhere."""
        look = self._looks[k]
        off = np.linalg.norm(look.toe - toe, axis=1) / self._length
        here, there = (look.score[part].max(initial=-np.inf) for part in (off < _NEAR, off > _ELSEWHERE))
        return bool(np.isfinite(here) and here < there - _LESS)


def _hands(look: Look) -> tuple[np.ndarray, float]:
    """(2,) px of the reference frame, and sigma in bat lengths."""
    sure = look.witness is not None and look.witness.grip_sure >= _GRIP_SURE
    return look.in_reference(look.witness.grip if sure else look.hand), _SEEN if sure else _POSED
