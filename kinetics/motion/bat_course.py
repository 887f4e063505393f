"""Where the bat ought to be by what is known around it, and the search for its smear there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bat_fit import BatFit
from .bat_image import Look
from .bat_patches import at
from .bat_smear import MOMENTS, Blade, Ground, Smear

#: How far from its course a toe may lie, standard deviation in bat lengths: at least, and in standard deviations of the course.
_OFF, _OFF_COURSE = 0.12, 3.0

#: Spread about what the course says of the turn in an exposure, rad and as part of it, before and after the shutter is known; and of the change of
#: the reach, bat lengths and as part of it: held loosely it takes the rounded, blurred end of a smear for a bat that draws in.
_TURN, _OF_TURN, _STRETCH, _OF_STRETCH = (0.15, 0.05), (0.35, 0.05), 0.04, 0.3

#: A bat is no longer than this, and by how much the hands make it look so, bat lengths.
_LONGEST, _LONGER = 1.08, 0.05

#: Steps of the search, what else is the same summit, bat lengths, and starts that are followed to their summit.
_STEP, _APART, _FOLLOWED = 0.11, 0.15, 2

#: Least of the network's mass near a toe, as it silently misses some.
_MISSED = 0.02

#: Standard deviation per axis, bat lengths: of a toe read so, and the part of the smear's length that joins it.
_READ, _SMEARED = 0.025, 0.1

#: A smear counts from this gain in log likelihood, this far ahead of any other place, when this part of what it should gain is there, and no more
#: than that; where the network puts less than this share of its mass, there has to be more, on the course. Less than the last is none at all.
_GAIN, _AHEAD, _EXPLAINED, _TOO_MUCH = 15.0, 10.0, 0.5, 1.4
_NOWHERE, _GAIN_ALONE, _TOO_MUCH_ALONE, ON_COURSE = 0.05, 25.0, 1.25, 0.15
_NOTHING = 0.3

#: A toe that moves by less than this during the exposure, bat lengths, is slow: its bat is seen nearly whole, and what changes the picture more than
#: a bat would is somebody else, unless the network puts this share of its mass there.
SLOW, _TOO_MUCH_SLOW, _SURELY = 0.25, 1.1, 0.75

#: Beside the summit the toe may lie this far along the bat and across it, bat lengths; log likelihoods count there divided by this, as neighbouring
#: pixels err together more than :mod:`.bat_smear` knows.
_ALONG, _ACROSS, _DOUBT = np.arange(-0.2, 0.31, 0.05), np.arange(-0.2, 0.21, 0.05), 3.0


class Course:
    """Hands and bat over time, drawn through what is known.

    Parameters
    ----------
    t : (n,) s
    hands, tip : (n, 2) px of the reference frame
        Tips NaN where unknown.
    hands_sigma, tip_sigma : (n,) px of the reference frame
    """

    def __init__(self, t: np.ndarray, hands: np.ndarray, tip: np.ndarray, hands_sigma: np.ndarray, tip_sigma: np.ndarray) -> None:
        self._fit = BatFit(t, hands, tip, hands_sigma**2, np.where(np.isnan(tip[:, 0]), 1.0, tip_sigma) ** 2, False)

    def reaches(self, t: float) -> bool:
        return bool(self._fit.span[0] <= t <= self._fit.span[1])

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hands and hands -> toe, (n, 2) px of the reference frame, and the latter's sigma per axis (n,); beyond the ends as at the
        ends."""
        times = np.clip(times, *self._fit.span)
        drawn = self._fit.draw(times, np.random.default_rng(0), 30).bat
        mean = drawn.mean(axis=1)
        return self._fit.hands.mean(times), np.stack([mean.real, mean.imag], axis=1), drawn.std(axis=1) / np.sqrt(2)

    def turn(self, low: float, high: float) -> float:
        """rad from one time to another, the shorter way."""
        arm = self.at(np.array([low, high]))[1] @ np.array([1.0, 1.0j])
        return float(np.angle(arm[1] / arm[0]))


@dataclass(frozen=True)
class Read:
    """A smear that was found.

    Attributes
    ----------
    toe : (2,) px of the view
    sigma : float
        Standard deviation per axis, bat lengths.
    turn : float, rad
        During the exposure.
    ahead : float
        Of any other place, in log likelihood.
    good, doubtful : bool
        It counts as a toe; what is there is no smear, or more than one.
    told : (2,) px of the view
        Where the course said.
    moving : float
        How far the toe moves during the exposure by the course, bat lengths.
    open : float
        Part of the frame's time that the shutter was taken to be open.
    """

    toe: np.ndarray
    sigma: float
    turn: float
    ahead: float
    good: bool
    doubtful: bool
    told: np.ndarray
    moving: float
    open: float


class Search:
    """For the bat in one look.

    Parameters
    ----------
    look : Look
    ground : Ground
    course : Course
    blade : Blade
    length : float
        Full bat length, px of the view.
    exposure : float, s
    known : bool
        The exposure was found, not guessed.
    beside : pair of Look
        Before and after it, by which the camera moves while the shutter is open; itself where there is none.
    """

    def __init__(
        self, look: Look, ground: Ground, course: Course, blade: Blade, length: float, exposure: float, known: bool, beside: tuple[Look, Look]
    ) -> None:
        self._look, self._ground, self._blade, self._length = look, ground, blade, length
        moments = np.append(MOMENTS * exposure, 0.0)
        hands, bat, sigma = course.at(look.t + moments)
        toes, hands = (_seen(look, beside, moments, places) for places in (hands + bat, hands))
        arm = (toes - hands) @ np.array([1.0, 1.0j])
        span = MOMENTS[-1] - MOMENTS[0]
        self._hands, self._pivot, self.told = hands[:-1], hands[-1], toes[-1]
        self._turn = float(np.angle(arm[-2] / arm[0])) / span
        self._stretch = float(np.abs(arm[-2]) - np.abs(arm[0])) / span / length
        self._turn_spread = _TURN[known] + _OF_TURN[known] * abs(self._turn)
        self._stretch_spread = _STRETCH + _OF_STRETCH * abs(self._stretch)
        self._off = _OFF + _OFF_COURSE * float(sigma[-1]) / look.unit(length)
        self.moving = float(np.hypot(self._turn * abs(arm[-1]) / length, self._stretch))

    def best(self, starts: Sequence[np.ndarray], open_: float, before: Read | None) -> Read:
        """The likeliest smear.

        Parameters
        ----------
        starts : sequence of (2,) px of the view
            Toes to begin at, beside the course's.
        open_ : float
            Part of the frame's time that the shutter is open: noted.
        before : Read, optional
            A good one of the same look, found from more starts: it isn't held against other places again.
        """
        from scipy.optimize import minimize

        tries = []
        for toe in (self.told, *starts):
            for step in ((0, 0), (_STEP, 0), (-_STEP, 0), (0, _STEP), (0, -_STEP)):
                x = np.array([*((toe - self._pivot) / self._length + step), self._turn, self._stretch])
                tries.append((self._worth(x), x))
        tries.sort(key=lambda pair: -pair[0])
        followed: list[np.ndarray] = []
        for _, x in tries:
            if len(followed) < (_FOLLOWED if before is None else 1) and all(np.linalg.norm(x[:2] - y[:2]) > _APART for y in followed):
                followed.append(x)
        summits = []
        for x in followed:
            simplex = np.vstack([x, x + np.diag([0.05, 0.05, max(0.05, 0.2 * abs(self._turn)), 0.05])])
            options = {"initial_simplex": simplex, "maxfev": 80, "xatol": 0.004, "fatol": 0.05}
            found = minimize(lambda x: -self._worth(x), x, method="Nelder-Mead", options=options)
            summits.append((-found.fun, found.x))
        summits.sort(key=lambda pair: -pair[0])
        top, x = summits[0]
        others = [top - other for other, y in summits[1:] if np.linalg.norm(y[:2] - x[:2]) > _APART]
        return self._judged(x, min(others, default=np.inf if before is None else before.ahead), open_)

    def _smear(self, x: np.ndarray) -> Smear:
        """``x``: pivot -> toe, turn, stretch; bat lengths and rad."""
        reach = np.hypot(x[0], x[1]) * self._length
        return Smear(float(np.arctan2(x[1], x[0])), float(reach), float(x[2]), float(x[3]) * self._length)

    def _worth(self, x: np.ndarray) -> float:
        """Log likelihood, with the course's and the network's say."""
        toe = self._pivot + self._length * np.asarray(x[:2])
        away = (toe - self.told) / self._length
        # Student's t with 4 degrees of freedom: the course may be far off.
        expected = -2.5 * np.log1p(away @ away / (5 * self._off**2))
        expected -= 0.5 * ((x[2] - self._turn) / self._turn_spread) ** 2 + 0.5 * ((x[3] - self._stretch) / self._stretch_spread) ** 2
        expected -= 0.5 * (max(np.hypot(x[0], x[1]) - _LONGEST, 0.0) / _LONGER) ** 2
        witness = self._look.witness
        seen = 0.0 if witness is None else np.log(witness.mass(toe, 0.08) + _MISSED)
        return self._ground.gain(self._hands, self._smear(x), self._blade, self._length)[0] + expected + seen

    def _judged(self, x: np.ndarray, ahead: float, open_: float) -> Read:
        gained, could = self._ground.gain(self._hands, self._smear(x), self._blade, self._length)
        toe = self._pivot + self._length * x[:2]
        away = np.linalg.norm(toe - self.told) / self._length
        explained = gained / max(could, 1e-6)
        if self._look.witness is None or self._look.witness.mass(toe) >= _NOWHERE:
            enough, much, near = _GAIN, _TOO_MUCH, 3 * self._off
        else:
            enough, much, near = _GAIN_ALONE, _TOO_MUCH_ALONE, ON_COURSE
        if self.moving < SLOW and (self._look.witness is None or self._look.witness.mass(toe) < _SURELY):
            much = min(much, _TOO_MUCH_SLOW)
        good = bool(gained >= enough and ahead >= _AHEAD and _EXPLAINED <= explained <= much and away <= near)
        doubtful = bool(ahead < _AHEAD or not _NOTHING <= explained <= _TOO_MUCH)
        shift, spread = self._spread(x)
        toe = toe + self._length * shift
        sigma = np.hypot(spread, np.hypot(_READ, _SMEARED * abs(x[2]) * np.hypot(x[0], x[1])))
        return Read(toe, float(sigma), float(x[2]), float(ahead), good, doubtful, self.told, self.moving, open_)

    def _spread(self, x: np.ndarray) -> tuple[np.ndarray, float]:
        """Bat lengths: where the toe lies on average beside the summit, and its standard deviation per axis. The end of a blade on ground of its own
        colour shows little: then what lies beyond counts as well."""
        u = x[:2] / np.hypot(x[0], x[1])
        shift, variance = np.zeros(2), 0.0
        for axis, steps in ((u, _ALONG), (np.array([-u[1], u[0]]), _ACROSS)):
            worth = np.array([self._worth(np.concatenate([x[:2] + step * axis, x[2:]])) for step in steps]) / _DOUBT
            share = np.exp(worth - worth.max())
            share /= share.sum()
            shift = shift + (share @ steps) * axis
            variance += share @ (steps - share @ steps) ** 2
        return shift, float(np.sqrt(variance / 2))


def _seen(look: Look, beside: tuple[Look, Look], moments: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(n, 2) px of the reference frame as they are exposed ``moments`` s from the look's time, px of its view: the camera moves on meanwhile."""
    before, here, after = (at(np.linalg.inv(one.patch.to_reference), places) for one in (beside[0], look, beside[1]))
    span = beside[1].t - beside[0].t
    return at(look.patch.to_view, here + (moments[:, None] / span * (after - before) if span else 0.0))
