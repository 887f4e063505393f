"""The bat read from pixels in one stretch of a shot: what moved, the blade's colour and the network, joined along one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..pose_sequence import PoseSequence
from .bat_network import BatNetwork
from .bat_patches import PX, SIDE, Patch, at
from .bat_path import Candidates, best_path
from .bat_witness import Witness, ask
from .blade_colour import BladeColour
from .foreground import moved, spread
from .limbs import draw_limbs
from .toe import Toe, read_toe
from .wedges import try_wedges

#: Standard deviation of a pose's hands, bat lengths; and of hands that a path has put right.
_HANDS, _HANDS_AFTER = 0.15, 0.09

#: Wedges kept per frame.
_KEPT = 8

#: Worth of a candidate: slope and zero of the wedges' score; slope and zero of the network's mass near it; floor of that mass, and what
#: is added to it when the network has no clear opinion: its silence then says little.
_SCORE, _SCORE_ZERO, _MASS, _MASS_ZERO, _MASS_FLOOR, _SILENT = 9.0, 0.45, 1.0, 0.12, 0.03, 0.3

#: Which of the differences to other frames counts, before and after the bat is known in them.
_RANK, _RANK_AFTER = 0.5, 0.3

#: What of the evidence a body takes away where the blade's colour isn't known, and what is left of it in another colour: of a sharp bat, and
#: of a smear, which mixes the blade's colour with the ground's.
_ON_BODY, _OTHER, _OTHER_SMEARED = 0.5, 0.2, 0.6

#: Pictures for which a bat that goes unseen may stay where it was.
_HELD = 25

#: A reading may lie this far from the wedge it began with, and from the reading before it, bat lengths; and how often it is repeated.
_FAR, _SETTLED, _TIMES = 0.35, 0.05, 5

#: A mark outweighs everything.
_MARKED = 50.0

#: Wedges wider than this, rad, are a smear: it mixes the blade's colour with the ground's.
SMEAR = np.radians(30)


@dataclass
class Look:
    """One frame as the tracker sees it; places in pixels of its view."""

    patch: Patch
    t: float
    hand: np.ndarray
    evidence: np.ndarray | None = None
    smeared: np.ndarray | None = None
    known: np.ndarray | None = None
    witness: Witness | None = None
    mark: np.ndarray | None = None
    toe: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    pivot: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    half: np.ndarray = field(default_factory=lambda: np.empty(0))
    score: np.ndarray = field(default_factory=lambda: np.empty(0))
    mass: np.ndarray = field(default_factory=lambda: np.empty(0))
    chosen: int = -1
    read: Toe | None = None

    def in_reference(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the view -> pixels of the shot's reference frame."""
        return at(self.patch.to_reference @ np.linalg.inv(self.patch.to_view), points)

    def in_view(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the shot's reference frame -> pixels of the view."""
        return at(self.patch.to_view @ np.linalg.inv(self.patch.to_reference), points)

    def unit(self, length: float) -> float:
        """A length in the view, in pixels of the reference frame."""
        inner = (self.patch.to_reference @ np.linalg.inv(self.patch.to_view))[:2, :2]
        return float(np.sqrt(abs(np.linalg.det(inner))) * length)


def vote(mass: np.ndarray, witness: Witness) -> np.ndarray:
    """The network's part in the log odds of toes near which it puts ``mass``; near 0 where it has no clear opinion."""
    floor = _MASS_FLOOR + _SILENT * (1 - witness.sure) ** 2
    return _MASS * np.log((mass + floor) / (_MASS_ZERO + floor))


def follow(
    patches: Sequence[Patch],
    t: np.ndarray,
    pose: PoseSequence,
    network: BatNetwork | None,
    marks: Mapping[int, np.ndarray],
    tick: Callable[[], None] = lambda: None,
) -> tuple[list[Look], float]:
    """Find the bat in every patch.

    Parameters
    ----------
    patches : sequence of Patch
        Of one shot, in order, every picture once.
    t : (T,) s
        Of all frames of the clip.
    pose : PoseSequence
    network : BatNetwork, optional
    marks : mapping of frame to (2,) px
        Toes that the user marked.
    tick : callable
        Called twice per patch as the work goes on; may raise to cancel.

    Returns
    -------
    looks : list of Look
    length : float
        Full bat length, px of the view.
    """
    middle = np.full(2, (SIDE - 1) / 2)
    looks = [Look(patch, float(t[patch.frame]), middle.copy()) for patch in patches]
    for look in looks:
        if look.patch.frame in marks:
            look.mark = at(look.patch.to_view, marks[look.patch.frame])
    length = PX
    _see(looks, pose, length, None, [()] * len(looks), tick)
    _offer(looks, length, _HANDS)
    _choose(looks, length)
    length = _full_length(looks, length)
    if network is not None:
        for look, witness in zip(looks, ask(network, patches, _centres(looks), length, pose), strict=False):
            look.witness = witness
    _offer(looks, length, _HANDS)
    _choose(looks, length)
    length = _full_length(looks, length)
    learned = _learn(looks, length)
    _see(looks, pose, length, learned, outlines(looks, length), tick)
    _offer(looks, length, _HANDS)
    _choose(looks, length)
    length = _full_length(looks, length)
    for look in looks:
        look.read = _read(look, length)
    return looks, length


def _read(look: Look, length: float) -> Toe | None:
    """The chosen toe between pixels, read again from where it was read until it stays there."""
    if look.chosen < 0:
        return None
    k = look.chosen
    evidence = look.smeared if look.half[k] * 2 > SMEAR else look.evidence
    place = look.toe[k]
    for _ in range(_TIMES):
        read = read_toe(evidence, look.known, look.pivot[k], place, look.half[k], length)
        if read is None or np.linalg.norm(read.place - look.toe[k]) > _FAR * length:
            return None
        if np.linalg.norm(read.place - place) <= _SETTLED * length:
            return read
        place = read.place
    return None


def _see(
    looks: Sequence[Look], pose: PoseSequence, length: float, colour: BladeColour | None, bats: Sequence[Sequence[np.ndarray]], tick: Callable[[], None]
) -> None:
    """Fill in the evidence of each look: what moved, less on the body, none on the arms; and what of it has the blade's colour."""
    patches = [look.patch for look in looks]
    for k, look in enumerate(looks):
        chosen = spread(len(patches), k)
        sharp, smeared, look.known = moved(
            look.patch, [patches[n] for n in chosen], [bats[n] for n in chosen], _RANK if colour is None else _RANK_AFTER
        )
        arms, body = draw_limbs(pose, look.patch, length)
        likely = 0.0 if colour is None else colour.likeness(look.patch.view())
        sharp_other, smeared_other = (1.0, 1.0) if colour is None else (_OTHER, _OTHER_SMEARED)
        look.evidence = sharp * (1 - arms) * _weight(likely, body, sharp_other)
        look.smeared = smeared * (1 - arms) * _weight(likely, body, smeared_other)
        tick()


def _weight(likely: np.ndarray | float, body: np.ndarray, other: float) -> np.ndarray:
    """What movement counts for: 1 in the blade's colour; in another, ``other``, and on the body less."""
    other = other * (1 - _ON_BODY * body)
    return other + (1 - other) * likely


def _offer(looks: Sequence[Look], length: float, spread_hands: float) -> None:
    """Fill in the candidates of each look: the best wedges, the network's toes, the mark."""
    for look in looks:
        wedges = try_wedges(look.evidence, look.smeared, look.known, look.hand, spread_hands, length)
        chosen = wedges.best(_KEPT, length).tolist()
        toes = [wedges.toe[k] for k in chosen]
        for toe in [] if look.witness is None else look.witness.offers():
            k = wedges.near(toe, length)
            if k >= 0 and (not toes or np.linalg.norm(np.array(toes) - toe, axis=1).min() > 0.06 * length):
                chosen.append(k)
                toes.append(toe)
        if look.mark is not None:
            k = wedges.near(look.mark, length)
            chosen.append(max(k, 0))
            toes.append(look.mark)
        k = np.array(chosen, int)
        look.toe, look.pivot, look.half, look.score = np.array(toes).reshape(-1, 2), wedges.pivot[k], wedges.half[k], wedges.score[k]
        look.mass = np.array([0.0 if look.witness is None else look.witness.mass(toe) for toe in toes])


def _choose(looks: Sequence[Look], length: float) -> None:
    """Choose one candidate per look, or none, along the best path."""
    frames = []
    for look in looks:
        worth = _SCORE * (look.score - _SCORE_ZERO)
        if look.witness is not None:
            worth = worth + vote(look.mass, look.witness)
        if look.mark is not None:
            worth = np.append(worth[:-1], _MARKED)
        unit = look.unit(length)
        frames.append(Candidates(look.t, look.in_reference(look.toe) / unit, look.in_reference(look.pivot) / unit, look.half, worth))
    for look, k in zip(looks, best_path(frames), strict=False):
        look.chosen = int(k)


def _centres(looks: Sequence[Look]) -> np.ndarray:
    """(T, 2) px of each view: the hands, put right by the path's pivots where it has one."""
    return np.array([look.pivot[look.chosen] if look.chosen >= 0 else look.hand for look in looks])


def _full_length(looks: Sequence[Look], before: float) -> float:
    """The bat's full length, px of the view: near the longest that the surer half of the path shows; foreshortening only shortens."""
    found = [(look.score[look.chosen], np.linalg.norm(look.toe[look.chosen] - look.pivot[look.chosen])) for look in looks if look.chosen >= 0]
    if len(found) < 5:
        return before
    score, reach = np.array(found).T
    return float(np.clip(np.percentile(reach[score >= np.median(score)], 85), 0.75 * PX, 1.35 * PX))


def _learn(looks: Sequence[Look], length: float) -> BladeColour:
    """The blade's colour from the surest sharp bats of the path."""
    learned = BladeColour()
    sure = []
    for look in looks:
        if look.chosen < 0 or look.half[look.chosen] * 2 > SMEAR:
            continue
        k = look.chosen
        vote = 0.5 if look.witness is None else look.mass[k]
        rivals = [score for n, score in enumerate(look.score) if np.linalg.norm(look.toe[n] - look.toe[k]) > 0.3 * length]
        sure.append((look.score[k] - max([*rivals, 0.0]) + 0.5 * vote, look))
    if sure:
        sure.sort(key=lambda pair: -pair[0])
        for _, look in sure[: max(5, len(sure) // 3)]:
            k = look.chosen
            learned.learn(look.patch.view(), look.pivot[k], look.toe[k], length, look.smeared)
    return learned


def outlines(looks: Sequence[Look], length: float) -> list[list[np.ndarray]]:
    """Per look the corners, (4, 2) px of the reference frame, of what the bat fills; where it is unseen, of what it fills before and after."""
    seen = np.flatnonzero([look.chosen >= 0 for look in looks])
    filled: list[list[np.ndarray]] = []
    for k in range(len(looks)):
        before, after = seen[seen <= k][-1:], seen[seen >= k][:1]
        near = {int(n) for n in (*before, *after) if abs(n - k) <= _HELD}
        filled.append([_outline(looks[n], length) for n in sorted(near)])
    return filled


def _outline(look: Look, length: float) -> np.ndarray:
    """(4, 2) px of the reference frame: corners of the part the bat fills."""
    k = look.chosen
    pivot, toe, half = look.pivot[k], look.toe[k], look.half[k]
    along = (toe - pivot) / max(np.linalg.norm(toe - pivot), 1e-6)
    across = np.array([-along[1], along[0]])
    wide = max(0.1 * length, np.linalg.norm(toe - pivot) * np.tan(min(half, 1.0)) + 0.05 * length)
    end = toe + 0.1 * length * along
    return look.in_reference(np.array([pivot + 0.08 * length * across, end + wide * across, end - wide * across, pivot - 0.08 * length * across]))
