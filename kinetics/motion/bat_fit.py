"""The bat as a turning, shortening vector from the hands to the tip, fitted so that its velocity's error is known.

Polar channels (angle, length) break down when the bat points at the camera; Cartesian ones carry the turn itself as roughness. So
the vector z = b − ĥ, a complex number, is fitted twice: as it stands, and in a frame that turns with it, z e^{−iϑ}, where ϑ is the smoothed
angle of the first fit. Turning leaves the noise as it is, so both fits explain the same numbers, and draws of both stand side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from .spline import SHORTEST, PenalisedSpline

#: Correlations of the noise from frame to frame that are tried.
_CORRELATIONS = (0.0, 0.25, 0.5, 0.7)

#: A sample whose leave-one-out residual is more than this many standard deviations is suspected of being an outlier.
_SURPRISING = 4.0

#: Suspects no more than this many samples apart are judged together. Outliers are taken to be this share of the samples, and to lie about
#: this many standard deviations off.
_CLOSE, _OUTLIERS, _OUTLIER_SPREAD = 4, 0.02, 15.0

#: Width, s, of the Gaussian that smooths the turning rate of the frame, and the grid it is kept on.
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
        fit = PenalisedSpline(t[kept], y[kept], variance[kept], phi=p)
        if best is not None and fit.deviance >= best[0].deviance:
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

    def deviance(changed: int | None = None) -> float:
        chosen = kept if changed is None else kept ^ (np.arange(len(t)) == changed)
        return PenalisedSpline(t[chosen], y[chosen], variance[chosen], phi=phi).deviance

    def price(k: int) -> float:
        beside = [m for m in (k - 1, k + 1) if 0 <= m < len(t) and not kept[m]]
        return cost * (2 if beside else 1)

    cost = -np.log(_OUTLIERS) + 2 * np.log(_OUTLIER_SPREAD * np.sqrt(fit.sigma2))
    for close in np.split(suspects, np.flatnonzero(np.diff(suspects) > _CLOSE) + 1):
        if len(close) == 1 and fit.surprise[close[0]] > 2 * _SURPRISING:
            continue
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
    """(n, 2, ...) → (n, ...)."""
    return y[:, 0] + 1j * y[:, 1]


@dataclass(frozen=True)
class Draws:
    """S curves that the data leave open, at n times: complex x + iy, in px and px/s.

    ``velocity`` (n, S) of the tip, ``bat`` (n, S) from hands to tip, ``turn`` (n, S) its angular velocity, rad/s, clockwise on the
    screen positive.
    """

    velocity: np.ndarray
    bat: np.ndarray
    turn: np.ndarray


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

    Attributes
    ----------
    hands_kept, tip_kept : (n,) bool
        Samples that took part.
    hands_sigma, tip_sigma : float
        Estimated noise of a sample of unit variance, px. The tip's holds what the fit of the hands left over, too.
    phi : float
        Correlation of the noise from frame to frame.
    """

    def __init__(
        self, t: np.ndarray, hands: np.ndarray, tip: np.ndarray, hands_variance: np.ndarray, tip_variance: np.ndarray, robust: bool
    ) -> None:
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
        bat = tip[seen] - self.hands.mean(at)
        self.plain, kept, _ = fit_track(at, bat, tip_variance[seen], self.phi, robust)
        self.tip_kept = np.zeros(len(t), bool)
        self.tip_kept[np.flatnonzero(seen)[kept]] = True
        at, bat = at[kept], _complex(bat[kept])
        self._grid, self._rate, self._angle = self._turning()
        turned = bat * np.exp(-1j * np.interp(at, self._grid, self._angle))
        known = tip_variance[seen][kept] * self.plain.sigma2
        self.turned = PenalisedSpline(at, np.stack([turned.real, turned.imag], axis=1), known, known=True, phi=self.phi)
        self.hands_sigma, self.tip_sigma = np.sqrt(self.hands.sigma2), np.sqrt(self.plain.sigma2)

    def _turning(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, rate (rad/s) and angle of the frame that turns with the bat: ∮ Im(z̄ż) over ∮ |z|², so an end-on bat counts for little."""
        from scipy.ndimage import gaussian_filter1d

        first, last = self.plain.t[0], self.plain.t[-1]
        grid = np.linspace(first, last, max(2, int((last - first) / _TURN_STEP)))
        z, rate = _complex(self.plain.mean(grid)), _complex(self.plain.mean(grid, 1))
        width = _TURN_WIDTH / (grid[1] - grid[0])
        turn = gaussian_filter1d((z.conj() * rate).imag, width, mode="nearest") / gaussian_filter1d(np.abs(z) ** 2, width, mode="nearest")
        return grid, turn, np.r_[0.0, np.cumsum(0.5 * (turn[1:] + turn[:-1]) * np.diff(grid))]

    @property
    def span(self) -> tuple[float, float]:
        """First and last time of hands and tip together, s."""
        return self.plain.t[0], self.plain.t[-1]

    def draw(self, t: np.ndarray, rng: np.random.Generator, count: int) -> Draws:
        """``count`` curves at times ``t`` within :attr:`span`, half of them from each fit."""
        moving = _complex(self.hands.mean(t, 1))[:, None]
        off = self.hands.draw(rng, count) - self.hands.a[:, :, None]
        off_place, off_rate = (_complex(np.stack([self.hands.design(t, nu) @ off[:, k] for k in (0, 1)], axis=1)) for nu in (0, 1))
        bats, rates = [], []
        for fit, n in ((self.plain, count - count // 2), (self.turned, count // 2)):
            a = fit.draw(rng, n)
            z, rate = (_complex(np.stack([fit.design(t, nu) @ a[:, k] for k in (0, 1)], axis=1)) for nu in (0, 1))
            if fit is self.turned:
                frame = np.exp(1j * np.interp(t, self._grid, self._angle))[:, None]
                rate = (rate + 1j * np.interp(t, self._grid, self._rate)[:, None] * z) * frame
                z = z * frame
            bats.append(z)
            rates.append(rate)
        bat, rate = np.concatenate(bats, axis=1), np.concatenate(rates, axis=1)
        # An error of the hands cancels in h + (b − h), so the tip's velocity takes none; the bat's angle does.
        held, turning = bat - off_place, rate - off_rate
        return Draws(velocity=moving + rate, bat=held, turn=(held.conj() * turning).imag / np.abs(held) ** 2)
