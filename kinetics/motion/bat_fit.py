"""The bat as a turning, shortening vector from the hands to the tip, fitted so that its velocity's error is known.

Polar channels (angle, length) break down when the bat points at the camera; Cartesian ones carry the turn itself as roughness. So
the vector z = b - h_hat, a complex number, is fitted twice: in a frame that turns with it, z e^{-i theta} with theta the smoothed angle,
and as it stands. Turning leaves the noise as it is, so both fits explain the same numbers: draws of both stand side by side, as many of
each as its likelihood earns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from .spline import SHORTEST, PenalisedSpline

#: Correlations of the noise from frame to frame that are tried.
_CORRELATIONS = (0.0, 0.25, 0.5)

#: A higher one is taken only when the log likelihood gains this much: slow motion that passes for noise gains, too.
_CORRELATED = 1.0

#: A sample whose leave-one-out residual is more than this many standard deviations is suspected of being an outlier.
_SURPRISING = 4.0

#: A refused sample that lies within so many standard deviations of where the others say it should is taken back.
_EXPECTED = 3.0

#: Suspects no more than this many samples apart are judged together. Outliers are taken to be this share of the samples, and to lie about
#: this many standard deviations off.
_CLOSE, _OUTLIERS, _OUTLIER_SPREAD = 4, 0.02, 15.0

#: Suspects are judged by the samples within this of them, s: roughness is pooled over a twentieth of a second, and what lies farther tells the
#: noise only, so that a long track takes a time that grows with its length.
_NEARBY = 5.0

#: Log likelihoods of the two fits count divided by this: by how much either is ahead says little, as neither prior is a batter's.
_DOUBT = 50.0

#: Part of the bat's rate that the ball takes at impact, and its spread: a full-blooded stroke loses up to a third, an edge next to nothing.
LOSS, LOSS_SPREAD = 0.15, 0.10

#: A loss is believed without being told when the log likelihood gains this much by it. Swings that meet no ball gain up to 25 at broadcast
#: rates, because a smoothness that is only roughly known makes room for a corner; a loss of 30 % for good gains about 70.
DETECTED = 40.0

#: Moments of impact that are weighed against each other, in frames around the likeliest or the given one.
_MOMENTS = (-0.5, -0.25, 0.0, 0.25, 0.5)

#: Width, s, of the Gaussian that smooths the rate of the turning frame, and the grid it is kept on.
_TURN_WIDTH, _TURN_STEP = 0.05, 0.002


def fit_track(
    t: np.ndarray, y: np.ndarray, variance: np.ndarray, phi: float | None, robust: bool
) -> tuple[PenalisedSpline, np.ndarray, float]:
    """Spline of a (n, 2) track without its outliers, which samples it kept (n,), and the correlation of its noise.

    ``phi`` None: the likeliest of a few.
    """
    kept = _judge(t, y, variance, phi or 0.0) if robust else np.ones(len(t), bool)
    best: tuple[PenalisedSpline, float] | None = None
    for p in _CORRELATIONS if phi is None else (phi,):
        fit = PenalisedSpline(t[kept], y[kept], variance[kept], phi=p, start=best and best[0])
        if best is not None and fit.deviance >= best[0].deviance - _CORRELATED:
            break
        best = fit, p
    return best[0], kept, best[1]


def _judge(t: np.ndarray, y: np.ndarray, variance: np.ndarray, phi: float) -> np.ndarray:
    """Which samples (n,) of a track are no outliers.

    Suspects are what a robust fit finds surprising, but several close together may be a swing that one outlier among them, or its mere
    speed, made look like noise. So each group of suspects is let in again, and the most damning of it taken out, one after the other,
    only as long as the likelihood, with the roughness found anew, gains more than an outlier costs; beside another one it costs twice.
    """
    fit = PenalisedSpline(t, y, variance, phi=phi, robust=True)
    suspects = np.flatnonzero(fit.surprise > _SURPRISING)
    kept = np.ones(len(t), bool)
    kept[suspects] = False
    if not len(suspects):
        return kept
    if kept.sum() < SHORTEST:
        return np.ones(len(t), bool)

    for close in np.split(suspects, np.flatnonzero(np.diff(suspects) > _CLOSE) + 1):
        if len(close) == 1 and fit.surprise[close[0]] > 2 * _SURPRISING:
            continue
        first, last = np.searchsorted(t, (t[close[0]] - _NEARBY, t[close[-1]] + _NEARBY))
        near = slice(int(first), int(last))
        start = fit if last - first == len(t) else PenalisedSpline(t[near], y[near], variance[near], phi=phi, robust=True)
        kept[near] = _judge_group(t[near], y[near], variance[near], phi, kept[near], close - first, start)
    return kept


def _judge_group(
    t: np.ndarray, y: np.ndarray, variance: np.ndarray, phi: float, kept: np.ndarray, close: np.ndarray, start: PenalisedSpline
) -> np.ndarray:  # fmt: skip
    """``kept`` (n,) with a group of suspects judged one after the other; ``start`` is a robust fit of all samples given."""
    kept = kept.copy()
    cost = -np.log(_OUTLIERS) + 2 * np.log(_OUTLIER_SPREAD * np.sqrt(start.sigma2))

    def deviance(changed: int | None = None) -> float:
        chosen = kept if changed is None else kept ^ (np.arange(len(t)) == changed)
        return PenalisedSpline(t[chosen], y[chosen], variance[chosen], phi=phi, start=start).deviance

    def price(k: int) -> float:
        beside = [m for m in (k - 1, k + 1) if 0 <= m < len(t) and not kept[m]]
        return cost * (2 if beside else 1)

    kept[close] = True
    score, left = deviance(), close.tolist()
    while left:
        tries = {k: deviance(k) for k in left}
        worst = min(tries, key=tries.__getitem__)
        if score - tries[worst] < price(worst):
            break
        kept[worst], score = False, tries[worst]
        left.remove(worst)
        # The first one taken out may have looked bad for its neighbour's sake.
        for k in set(close.tolist()) - {*left, worst}:
            again = deviance(k)
            if again - score < price(k):
                kept[k], score = True, again
    return kept


def _complex(y: np.ndarray) -> np.ndarray:
    """(n, 2, ...) -> (n, ...)."""
    return y[:, 0] + 1j * y[:, 1]


def _planar(z: np.ndarray) -> np.ndarray:
    """(n,) -> (n, 2)."""
    return np.stack([z.real, z.imag], axis=1)


@dataclass(frozen=True)
class Draws:
    """S curves that the data leave open, at n times: complex x + iy, in px and px/s.

    ``velocity`` (n, S) of the tip, ``bat`` (n, S) from hands to tip, ``turn`` (n, S) its angular velocity, rad/s, clockwise on the
    screen positive.
    """

    velocity: np.ndarray
    bat: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True)
class Impact:
    """When bat met ball: ``t`` and ``sigma``, s, and ``how`` it is known: ``given`` or ``detected``."""

    t: float
    sigma: float
    how: str


class BatFit:
    """Hands and bat of one stretch of frames.

    Parameters
    ----------
    t : (n,) s
    hands, tip : (n, 2) px, NaN where missing
    hands_variance, tip_variance : (n,)
        Up to a factor each, which is estimated.
    robust : bool
        Look for outliers and for correlated noise.
    impact : float, "auto" or None
        When bat met ball, to half a frame: the bat's velocity may jump there. ``auto`` looks for a jump, None allows none.
    least : float
        Least noise of the tip, in standard deviations as given: a reader whose errors hardly change while the bat is slow looks better than it is.

    Attributes
    ----------
    hands_kept, tip_kept : (n,) bool
        Samples that took part.
    hands_sigma, tip_sigma : float
        Estimated noise of a sample of unit variance, px. The tip's holds what the fit of the hands left over, too.
    phi : float
        Correlation of the noise from frame to frame.
    impact : Impact or None
    kinks : tuple of float
        Moments at which one or another drawn curve jumps, s.
    """

    def __init__(
        self, t: np.ndarray, hands: np.ndarray, tip: np.ndarray, hands_variance: np.ndarray, tip_variance: np.ndarray, robust: bool,
        impact: float | str | None = None, least: float = 0.0,
    ) -> None:  # fmt: skip
        seen = ~np.isnan(hands[:, 0])
        self.hands, kept, self.phi = fit_track(t[seen], hands[seen], hands_variance[seen], None if robust else 0.0, robust)
        self.hands_kept = np.zeros(len(t), bool)
        self.hands_kept[np.flatnonzero(seen)[kept]] = True
        inside = (t >= self.hands.t[0]) & (t <= self.hands.t[-1])
        seen = ~np.isnan(tip[:, 0]) & inside
        at = t[seen]
        if len(at) < SHORTEST:
            raise KineticsError(
                f"Hands and bat tip are seen together in {len(at)} frames only; {SHORTEST} are needed: mark the tip in more frames."
            )
        bat, variance = tip[seen] - self.hands.mean(at), tip_variance[seen]
        self._follow(at, bat)
        kept = np.ones(len(at), bool)
        if robust:
            # A fast turn looks wild as it stands, an end-on bat in the turning frame; an outlier in both.
            kept = _judge(at, bat, variance, self.phi)
            kept |= kept.all() or _judge(at, self._turned(at, bat), variance, self.phi)
        every = at, bat, variance
        for again in (True, False):
            at, bat, variance = (part[kept] for part in every)
            self._follow(at, bat)
            turned = self._turned(at, bat)
            # Either may take a motion it can't follow for noise.
            first = [PenalisedSpline(at, y, variance, phi=self.phi) for y in (bat, turned)]
            noise = max(min(fit.sigma2 for fit in first), least**2)
            known = {"variance": variance * noise, "known": True, "phi": self.phi}
            plain, smooth = (PenalisedSpline(at, y, **known, start=fit) for y, fit in zip((bat, turned), first, strict=True))
            back = ~kept & self._expects(smooth, noise, *every)
            if not (again and back.any()):
                break
            kept = kept | back
        self.span = at[0], at[-1]
        self.hands_sigma, self.tip_sigma = np.sqrt(self.hands.sigma2), np.sqrt(noise)
        trust = 1 / (1 + np.exp(np.clip((smooth.deviance - plain.deviance) / _DOUBT, -50, 50)))
        #: (share of the draws, fit, whether in the turning frame)
        self._fits = [(1 - trust, plain, False), (trust, smooth, True)]
        self.impact, self.kinks = None, ()
        if impact is not None:
            kept = self._split(*every, kept, noise, smooth, impact)
        self.tip_kept = np.zeros(len(t), bool)
        self.tip_kept[np.flatnonzero(seen)[kept]] = True

    def _follow(self, t: np.ndarray, bat: np.ndarray) -> None:
        """The frame that turns with the bat: the steps of the angle, smoothed, each counted by the bat's length before and after it."""
        from scipy.ndimage import gaussian_filter1d

        z = _complex(bat)
        self._grid = np.linspace(t[0], t[-1], max(2, int((t[-1] - t[0]) / _TURN_STEP)))
        step = np.clip(np.searchsorted(t, self._grid, side="right") - 1, 0, len(t) - 2)
        turn, weight = (np.angle(z[1:] * z[:-1].conj()) / np.diff(t))[step], np.abs(z[1:] * z[:-1])[step]
        width = _TURN_WIDTH / (self._grid[1] - self._grid[0])
        turn, weight = (gaussian_filter1d(part, width, mode="nearest") for part in (weight * turn, weight))
        self._rate = turn / np.maximum(weight, 1e-300)
        self._angle = np.r_[0.0, np.cumsum(0.5 * (self._rate[1:] + self._rate[:-1]) * np.diff(self._grid))]

    def _turned(self, t: np.ndarray, bat: np.ndarray) -> np.ndarray:
        """(n, 2) of the bat in the turning frame's axes."""
        return _planar(_complex(bat) * np.exp(-1j * np.interp(t, self._grid, self._angle)))

    def _expects(self, smooth: PenalisedSpline, noise: float, t: np.ndarray, bat: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Which samples (n,) lie where the fit, made without them, expects them: what looked odd beside an outlier may not be one."""
        off = np.abs(self._turned(t, bat) - smooth.mean(t)).max(axis=1)
        return (off < _EXPECTED * np.sqrt(smooth.sigma(t) ** 2 + noise * variance)) & (t > smooth.t[0]) & (t < smooth.t[-1])

    def _split(
        self, at: np.ndarray, bat: np.ndarray, variance: np.ndarray, kept: np.ndarray, noise: float, smooth: PenalisedSpline,
        impact: float | str,
    ) -> np.ndarray:  # fmt: skip
        """Let the velocity jump at the impact that is given, or found: several moments, each with the share that its likelihood earns.

        Returns which samples take part: without a jump, those beside it looked like outliers.
        """
        interval = float(np.median(np.diff(at)))
        if impact == "auto":
            rate = self._seen_turning(smooth, self._grid)
            speed = np.abs(_complex(self.hands.mean(self._grid, 1)) + rate)
            fast = self._grid[(speed > 0.6 * speed.max()) & (self._grid > at[3]) & (self._grid < at[-4])]
            tries = fast[:: max(1, round(0.25 * interval / _TURN_STEP))]
            if not len(tries):
                return kept
            gains = smooth.gain_by_kink(tries, *self._expected(smooth, tries))
            middle = float(tries[int(np.argmax(gains))])
        else:
            middle = float(impact)
        moments = np.array([m for m in middle + interval * np.array(_MOMENTS) if at[2] < m < at[-3]])
        if not len(moments):
            return kept
        use = kept | (np.abs(at - middle) < 1.5 * interval)
        at, bat = at[use], bat[use]
        known = {"variance": variance[use] * noise, "known": True, "phi": self.phi}
        turned, trust = self._turned(at, bat), self._fits[1][0]
        if not (use == kept).all():
            smooth = PenalisedSpline(at, turned, **known, start=smooth)
        jumps, sigmas = self._expected(smooth, moments)
        fits = [
            PenalisedSpline(at, turned, **known, start=smooth, kink=moment, jump=jump, jump_sigma=sigma)
            for moment, jump, sigma in zip(moments, jumps, sigmas, strict=True)
        ]
        deviance = np.array([fit.deviance for fit in fits])
        likeliest = fits[int(np.argmin(deviance))]
        # A jump has to make sense of the samples that were refused without it; else they are outliers, and it is theirs.
        odd = likeliest.surprise[~kept[use]].max(initial=0.0) > _SURPRISING
        if impact == "auto" and (odd or smooth.deviance - likeliest.deviance < DETECTED):
            return kept
        share = np.exp(deviance.min() - deviance)
        share /= share.sum()
        when = float(share @ moments)
        spread = float(np.sqrt(share @ (moments - when) ** 2 + (0.25 * interval) ** 2 / 12))
        self.impact = Impact(when, spread, "detected" if impact == "auto" else "given")
        self.kinks = tuple(moments.tolist())
        jumps = _planar(_complex(jumps) * np.exp(1j * np.interp(moments, self._grid, self._angle)))
        plain = [
            PenalisedSpline(at, bat, **known, start=self._fits[0][1], kink=moment, jump=jump, jump_sigma=sigma)
            for moment, jump, sigma in zip(moments, jumps, sigmas, strict=True)
        ]
        self._fits = [
            (part * w, fit, in_turn)
            for part, group, in_turn in ((1 - trust, plain, False), (trust, fits, True))
            for w, fit in zip(share, group, strict=True)
        ]
        return use

    def _seen_turning(self, fit: PenalisedSpline, t: np.ndarray) -> np.ndarray:
        """The bat's rate (n,) in the turning frame's axes, from the fit in that frame."""
        return _complex(fit.mean(t, 1)) + 1j * np.interp(t, self._grid, self._rate) * _complex(fit.mean(t))

    def _expected(self, smooth: PenalisedSpline, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, 2) jumps of the bat's velocity to expect of an impact at ``t``, in the turning frame's axes, and their spread (n,)."""
        rate = self._seen_turning(smooth, t)
        return _planar(-LOSS * rate), LOSS_SPREAD * np.abs(rate)

    def draw(self, t: np.ndarray, rng: np.random.Generator, count: int) -> Draws:
        """``count`` curves at times ``t`` within :attr:`span`, half of them from either way of fitting."""
        moving = _complex(self.hands.mean(t, 1))[:, None]
        off_place, off_rate = (
            _complex(drawn - self.hands.mean(t, nu)[:, :, None]) for nu, drawn in enumerate(self.hands.draw(t, rng, count))
        )
        bats, rates = [], []
        ends = np.rint(count * np.cumsum([share for share, *_ in self._fits])).astype(int)
        for (_, fit, in_turn), n in zip(self._fits, np.diff(ends, prepend=0).tolist(), strict=True):
            z, rate = (_complex(drawn) for drawn in fit.draw(t, rng, n))
            if in_turn:
                frame = np.exp(1j * np.interp(t, self._grid, self._angle))[:, None]
                rate = (rate + 1j * np.interp(t, self._grid, self._rate)[:, None] * z) * frame
                z = z * frame
            bats.append(z)
            rates.append(rate)
        bat, rate = np.concatenate(bats, axis=1), np.concatenate(rates, axis=1)
        # An error of the hands cancels in h + (b - h), so the tip's velocity takes none; the bat's angle does.
        held, turning = bat - off_place, rate - off_rate
        return Draws(velocity=moving + rate, bat=held, turn=(held.conj() * turning).imag / np.abs(held) ** 2)
