"""The swing: angle, angular velocity and tip speed of the bat from tracks of hands and tip, each value with its standard error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import KineticsError
from .bat_fit import BatFit, Impact
from .derivatives import differentiate, estimate_noise
from .spline import SHORTEST

METHODS = ("spline", "centred", "savgol")

#: What a batter's peak can be (reference: Sanity gate): m/s and rad/s. Outside is flagged, never clipped.
SPEED_RANGE, OMEGA_RANGE = (5.0, 35.0), (8.0, 45.0)

#: A bat that shows less than this part of its largest length points out of the picture's plane: omega of its image says little there.
SHOWN = 0.5

#: A peak whose sigma is more than this part of it is flagged.
UNSURE = 0.15

#: Longest gap, s, over which the bat is still followed; a longer one begins a new stretch.
LONGEST_GAP = 0.25

#: What a loss to the ball that is too small to be seen leaves in a peak, as part of it: its corner is rounded off. Measured with 12 % lost.
_HIDDEN = 0.008

#: Half the stretch around the fastest sample in which a peak is looked for, and its grid, s.
_AROUND, _FINE = 0.25, 0.004

_NOWHERE = "Hands and bat tip are nowhere seen together for long enough in a row; mark the tip in more frames."


@dataclass(frozen=True)
class Peak:
    """A largest value: ``value`` and its ``sigma``, when (``t``, s) and how well that is known (``sigma_t``, s)."""

    value: float
    sigma: float
    t: float
    sigma_t: float


@dataclass(frozen=True)
class Swing:
    """Motion of the bat in the picture's plane; every array is NaN where the tip or the hands are missing or refused.

    Attributes
    ----------
    t : (T,) s
    tip_velocity : (T, 2)
        px/s; x right, y down.
    tip_speed, tip_speed_sigma : (T,)
        px/s, debiased: noise alone makes |v_hat|² too large by the variance of v_hat, which is taken off.
    angle : (T,) rad
        Of hands -> tip, unwrapped inside runs; clockwise on the screen is positive.
    omega, omega_sigma : (T,) rad/s
    shown : (T,)
        Length of the bat in the picture over its largest: 1 in the picture's plane, 0 end-on.
    peak_tip_speed, peak_omega : Peak
        px/s, rad/s (magnitude). omega counts only where ``shown`` is at least :data:`SHOWN`.
    unreliable : (T,) bool
        omega is not to be trusted: end-on, or near the aliasing limit pi·fps of the frames around.
    flags : tuple of str
        Sentences; empty when nothing is odd.
    method : str
    noise : dict
        ``hands_px``, ``tip_px`` (standard deviations), ``correlation`` from frame to frame.
    refused : (T,) bool
        Tips that were left out as outliers.
    impact : Impact or None
        When bat met ball (``t``, ``sigma``, s) and ``how`` that is known, ``given`` or ``detected``; the bat's velocity may jump there.
    """

    t: np.ndarray
    tip_velocity: np.ndarray
    tip_speed: np.ndarray
    tip_speed_sigma: np.ndarray
    angle: np.ndarray
    omega: np.ndarray
    omega_sigma: np.ndarray
    shown: np.ndarray
    peak_tip_speed: Peak
    peak_omega: Peak
    unreliable: np.ndarray
    flags: tuple[str, ...]
    method: str
    noise: dict[str, float]
    refused: np.ndarray
    impact: Impact | None = None


def estimate_swing(
    t: np.ndarray,
    hands: np.ndarray,
    tip: np.ndarray,
    hands_sigma: np.ndarray | float | None = None,
    tip_sigma: np.ndarray | float | None = None,
    method: str = "spline",
    window: float = 0.2,
    degree: int = 2,
    px_per_m: float | None = None,
    stretch: np.ndarray | None = None,
    robust: bool = True,
    draws: int = 200,
    seed: int = 0,
    impact: float | str | None = "auto",
    least_noise: float = 0.0,
) -> Swing:
    """Angle, omega and tip speed of the bat, with sigma, from tracks in a picture whose camera stands still.

    v = h' + rho'u + rho omega n with rho, u the length and direction of hands -> tip and n = u turned by 90°, which is what ``spline``
    fits as one vector (:mod:`.bat_fit`); its sigma comes from draws of the curves that the data leave open. ``centred`` and ``savgol``
    differentiate h, rho and the unwrapped angle one by one (:func:`.derivatives.differentiate`); at broadcast rates they flatten a swing's
    peak by 5 to 25 %.

    Parameters
    ----------
    t : (T,) s, strictly increasing
    hands, tip : (T, 2) px
        NaN where missing. Camera movement has to be taken out before.
    hands_sigma, tip_sigma : float or (T,), optional
        Standard deviations, px. ``spline`` uses them as weights and estimates their level; the others take them as they are, and without
        them estimate one per track.
    method : {"spline", "centred", "savgol"}
    window, degree
        Of ``savgol``.
    px_per_m : float, optional
        Scale of the picture at the bat; with it the peak speed is held against :data:`SPEED_RANGE`.
    stretch : (T,), optional
        A number per frame; nothing is followed across a change (a cut).
    robust : bool
        ``spline``: find outliers, and noise that is correlated from frame to frame.
    draws, seed
        ``spline``: how many curves are drawn, and the seed of the draws, so that a clip gives the same numbers twice.
    impact : float, "auto" or None
        ``spline``: when bat met ball, s, known to half a frame; the bat's velocity may jump there. ``auto`` looks for a jump, which at
        broadcast rates only a heavy loss leaves behind, and otherwise widens the peaks' sigma by what a hidden one does. None: no ball.
    least_noise : float
        ``spline``: the tip's noise is at least this part of ``tip_sigma``.

    Returns
    -------
    Swing

    Raises
    ------
    KineticsError
        On shapes that don't fit, times that don't increase, or too few frames with hands and tip.
    """
    t, hands, tip = (np.asarray(part, dtype=np.float64) for part in (t, hands, tip))
    _check(t, hands, tip, method, impact)
    hands, tip = (np.where(np.isnan(part).any(axis=1, keepdims=True), np.nan, part) for part in (hands, tip))
    labels = np.zeros(len(t), int) if stretch is None else np.asarray(stretch)
    if labels.shape != t.shape:
        raise KineticsError(f"Stretches of shape {labels.shape} don't fit {len(t)} frames; give one number per frame.")
    sigmas = [_noise(sigma, track) for sigma, track in ((hands_sigma, hands), (tip_sigma, tip))]
    if method == "spline":
        swing = _by_spline(t, hands, tip, sigmas, labels, robust, draws, np.random.default_rng(seed), impact, least_noise)
    else:
        swing = _by_differences(t, hands, tip, sigmas, labels, method, window, degree)
    return replace(swing, flags=_flags(swing, hands, tip, px_per_m))


def _check(t: np.ndarray, hands: np.ndarray, tip: np.ndarray, method: str, impact: float | str | None) -> None:
    if method not in METHODS:
        raise KineticsError(f"Method {method!r} isn't offered; choose {', '.join(METHODS)}.")
    if t.ndim != 1 or hands.shape != (len(t), 2) or tip.shape != (len(t), 2):
        raise KineticsError(
            f"Hands of shape {hands.shape} and tips of shape {tip.shape} don't fit {t.shape} times; give frames × 2 of both."
        )
    if len(t) < SHORTEST:
        raise KineticsError(f"A swing needs at least {SHORTEST} frames, and there are {len(t)}.")
    if not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        frame = int(np.argmax(~np.isfinite(t))) if not np.isfinite(t).all() else int(np.argmax(np.diff(t) <= 0)) + 1
        raise KineticsError(f"Times don't increase at frame {frame}; give each frame a later time than the one before, in seconds.")
    if np.isinf(hands).any() or np.isinf(tip).any():
        frame = int(np.argmax(np.isinf(hands + tip).any(axis=1)))
        raise KineticsError(f"A position is infinite at frame {frame}; use NaN where it is missing.")
    if impact is not None and impact != "auto" and (isinstance(impact, str) or not t[0] <= impact <= t[-1]):
        raise KineticsError(
            f'An impact at {impact!r} lies outside the clip, {t[0]:.3f}-{t[-1]:.3f} s; give its time in seconds, "auto", or None.'
        )
    for track, name, todo in ((hands, "hands", "choose another subject"), (tip, "bat's tip", "mark it in a few frames or give a mask")):
        if np.isnan(track[:, 0]).all():
            raise KineticsError(f"The {name} can't be seen in any frame; {todo}.")
    both = int((~np.isnan(hands[:, 0] + tip[:, 0])).sum())
    if both < SHORTEST:
        raise KineticsError(
            f"Hands and bat tip are seen together in {both} frames only; {SHORTEST} are needed: mark the tip in more frames."
        )


def _noise(sigma: np.ndarray | float | None, track: np.ndarray) -> np.ndarray | None:
    """(T,) standard deviations; 1 where the track is missing."""
    if sigma is None:
        return None
    sigma, there = np.asarray(sigma, dtype=np.float64), ~np.isnan(track[:, 0])
    if sigma.shape not in ((), (len(track),)):
        raise KineticsError(f"Noise of shape {sigma.shape} doesn't fit {len(track)} frames; give one number, or one per frame.")
    sigma = np.broadcast_to(sigma, there.shape)
    if not (sigma[there] > 0).all():
        raise KineticsError(
            "The standard deviation of a position is zero, negative or missing; give a number above 0 wherever there is a position."
        )
    return np.where(there, sigma, 1.0)


def _stretches(t: np.ndarray, both: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Frames of each stretch that is fitted as one: seen in enough frames, no gap longer than :data:`LONGEST_GAP`, no cut."""
    seen = np.flatnonzero(both)
    cuts = np.flatnonzero((np.diff(t[seen]) > LONGEST_GAP) | (np.diff(labels[seen]) != 0)) + 1
    return [np.arange(part[0], part[-1] + 1) for part in np.split(seen, cuts) if len(part) >= SHORTEST]


def _by_spline(t, hands, tip, sigmas, labels, robust: bool, count: int, rng: np.random.Generator, impact: float | str | None, least: float) -> Swing:
    there = ~np.isnan(hands[:, 0] + tip[:, 0])
    parts = _stretches(t, there, labels)
    if not parts:
        raise KineticsError(_NOWHERE)
    velocity, omega, bat = (np.full(len(t), np.nan, dtype) for dtype in (complex, float, complex))
    speed, speed_sigma, omega_sigma = (np.full(len(t), np.nan) for _ in range(3))
    refused = np.zeros(len(t), bool)
    fits = []
    for frames in parts:
        variance = [np.ones(len(frames)) if sigma is None else sigma[frames] ** 2 for sigma in sigmas]
        inside = impact == "auto" or (impact is not None and t[frames[0]] <= impact <= t[frames[-1]])
        fit = BatFit(t[frames], hands[frames], tip[frames], *variance, robust, impact if inside else None, least)
        fits.append(fit)
        refused[frames] = ~np.isnan(tip[frames, 0]) & there[frames] & ~fit.tip_kept
        kept = frames[fit.tip_kept & there[frames]]
        found = fit.draw(t[kept], rng, count)
        velocity[kept], bat[kept] = found.velocity.mean(axis=1), found.bat.mean(axis=1)
        omega[kept], omega_sigma[kept] = found.turn.mean(axis=1), found.turn.std(axis=1)
        speed[kept], speed_sigma[kept] = _debiased(found.velocity)
    shown = np.abs(bat) / np.nanmax(np.abs(bat))
    fastest, quickest = int(np.nanargmax(speed)), int(np.nanargmax(np.where(shown >= SHOWN, np.abs(omega), -1.0)))
    peaks = []
    for frame, name in ((fastest, "velocity"), (quickest, "turn")):
        fit = next(fit for fit in fits if fit.span[0] <= t[frame] <= fit.span[1])
        fine = np.union1d(np.arange(max(fit.span[0], t[frame] - _AROUND), min(fit.span[1], t[frame] + _AROUND), _FINE), t[frame])
        fine = np.union1d(fine, [moment - late for moment in fit.kinks for late in (0, 1e-6)])
        fine = fine[(fine >= fit.span[0]) & (fine <= fit.span[1])]
        found = fit.draw(fine, rng, count)
        counts = (fine == t[frame]) | (name == "velocity") | (np.median(np.abs(found.bat), axis=1) >= SHOWN * np.nanmax(np.abs(bat)))
        peak = _peak(fine[counts], np.abs(getattr(found, name))[counts])
        if impact == "auto" and fit.impact is None:
            peak = replace(peak, sigma=float(np.hypot(peak.sigma, _HIDDEN * peak.value)))
        peaks.append(peak)
    fit = next(fit for fit in fits if fit.span[0] <= t[fastest] <= fit.span[1])
    return Swing(
        t=t, tip_velocity=np.stack([velocity.real, velocity.imag], axis=1), tip_speed=speed, tip_speed_sigma=speed_sigma,
        angle=_unwrapped(t, np.angle(bat), omega, labels), omega=omega, omega_sigma=omega_sigma, shown=shown, peak_tip_speed=peaks[0],
        peak_omega=peaks[1], unreliable=_unreliable(t, shown, omega), flags=(), method="spline",
        noise={"hands_px": float(fit.hands_sigma), "tip_px": float(fit.tip_sigma), "correlation": float(fit.phi)}, refused=refused,
        impact=fit.impact,
    )  # fmt: skip


def _debiased(velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Speed (n,) and its sigma from draws (n, S) of a complex velocity: sqrt(|v_hat|² - tr sum), and sigma along v_hat."""
    mean = velocity.mean(axis=1)
    off = velocity - mean[:, None]
    along = (off * np.exp(-1j * np.angle(mean))[:, None]).real
    return np.sqrt(np.maximum(np.abs(mean) ** 2 - (np.abs(off) ** 2).mean(axis=1), 0.0)), along.std(axis=1)


def _peak(t: np.ndarray, curves: np.ndarray) -> Peak:
    """Mean and standard deviation of the largest value of each drawn curve (n, S), and of its time."""
    highest, when = curves.max(axis=0), t[curves.argmax(axis=0)]
    return Peak(float(highest.mean()), float(highest.std()), float(when.mean()), float(np.hypot(when.std(), _FINE / np.sqrt(12))))


def _unwrapped(t: np.ndarray, angle: np.ndarray, omega: np.ndarray | None, labels: np.ndarray) -> np.ndarray:
    """Angle without jumps inside runs of adjacent frames; where omega is known, the branch nearest to what it says, else the smallest
    step."""
    out = angle.copy()
    for k in range(1, len(t)):
        if not np.isnan(out[k] + out[k - 1]) and labels[k] == labels[k - 1]:
            told = 0.0 if omega is None else 0.5 * (omega[k] + omega[k - 1]) * (t[k] - t[k - 1])
            step = angle[k] - out[k - 1] - told
            out[k] = out[k - 1] + told + (step + np.pi) % (2 * np.pi) - np.pi
    return out


def _unreliable(t: np.ndarray, shown: np.ndarray, omega: np.ndarray) -> np.ndarray:
    """Where omega can't be trusted: end-on, or more than a quarter turn from one seen frame to the next (the limit is half a turn)."""
    out = ~(shown >= SHOWN)
    seen = np.flatnonzero(~np.isnan(omega))
    fast = np.abs(omega[seen])[1:] * np.diff(t[seen]) > np.pi / 2
    out[seen[1:][fast]] = out[seen[:-1][fast]] = True
    return out


def _by_differences(t, hands, tip, sigmas, labels, method: str, window: float, degree: int) -> Swing:
    there = ~np.isnan(hands[:, 0] + tip[:, 0])
    noise = []
    for track, sigma in zip((hands, tip), sigmas, strict=True):
        level = np.sqrt((estimate_noise(track, t, labels) ** 2).mean()) if sigma is None else sigma
        if np.isnan(level).any():
            raise KineticsError(_NOWHERE)
        noise.append(np.broadcast_to(level, t.shape))
    bat = np.where(there, (tip - hands)[:, 0] + 1j * (tip - hands)[:, 1], np.nan)
    length, angle = np.abs(bat), _unwrapped(t, np.angle(bat), None, labels)
    off = np.hypot(*noise)
    settings = {"method": method, "window": window, "degree": degree, "stretch": labels}
    moving = differentiate(np.where(there[:, None], hands, np.nan), t, sigma=noise[0][:, None], **settings)
    stretched = differentiate(length, t, sigma=off, **settings)
    turned = differentiate(angle, t, sigma=off / np.where(there, length, 1.0), **settings)
    tip_noise = differentiate(np.where(there, tip[:, 0], np.nan), t, sigma=noise[1], **settings).sigma
    along = np.exp(1j * turned.smoothed)
    velocity = moving.value[:, 0] + 1j * moving.value[:, 1] + stretched.value * along + stretched.smoothed * turned.value * 1j * along
    # The hands' noise cancels in h + (b - h): what is left is the tip's, on both axes.
    speed = np.sqrt(np.maximum(np.abs(velocity) ** 2 - 2 * tip_noise**2, 0.0))
    shown = length / np.nanmax(length)
    quick = np.where(shown >= SHOWN, np.abs(turned.value), np.nan)
    if np.isnan(quick).all():
        raise KineticsError(_NOWHERE)
    return Swing(
        t=t, tip_velocity=np.stack([velocity.real, velocity.imag], axis=1), tip_speed=speed, tip_speed_sigma=tip_noise,
        angle=turned.smoothed, omega=turned.value, omega_sigma=turned.sigma, shown=shown, peak_tip_speed=_sampled_peak(t, speed, tip_noise),
        peak_omega=_sampled_peak(t, quick, turned.sigma), unreliable=_unreliable(t, shown, turned.value), flags=(), method=method,
        noise={"hands_px": float(np.mean(noise[0])), "tip_px": float(np.mean(noise[1])), "correlation": 0.0},
        refused=np.zeros(len(t), bool),
    )  # fmt: skip


def _sampled_peak(t: np.ndarray, value: np.ndarray, sigma: np.ndarray) -> Peak:
    """Top of the parabola through the largest sample and its neighbours; the time is known to a frame over sqrt(12)."""
    k = int(np.nanargmax(value))
    interval = float(np.median(np.diff(t)))
    near = slice(max(k - 1, 0), k + 2)
    if len(t[near]) < 3 or np.isnan(value[near]).any():
        return Peak(float(value[k]), float(sigma[k]), float(t[k]), interval / np.sqrt(12))
    c2, c1, c0 = np.polyfit(t[near] - t[k], value[near], 2)
    top = -c1 / (2 * c2) if c2 < 0 else 0.0
    return Peak(float(c0 + top * (c1 + top * c2)), float(sigma[k]), float(t[k] + top), interval / np.sqrt(12))


def speed_flag(metres_per_s: float, source: str = "") -> tuple[str, ...]:
    """Where a peak tip speed is none that a batter reaches (:data:`SPEED_RANGE`); ``source`` says what its metres rest on."""
    low, high = SPEED_RANGE
    if low <= metres_per_s <= high:
        return ()
    rests = f" (from {source})" if source else ""
    return (f"The peak tip speed of {metres_per_s:.1f} m/s{rests} lies outside {low:g}-{high:g} m/s: check the track and the scale.",)


def _flags(swing: Swing, hands: np.ndarray, tip: np.ndarray, px_per_m: float | None) -> tuple[str, ...]:
    """What a user has to know before he believes a peak."""
    t, speed, turn = swing.t, swing.peak_tip_speed, swing.peak_omega
    flags = []
    if px_per_m is not None:
        flags.extend(speed_flag(speed.value / px_per_m))
    if not OMEGA_RANGE[0] <= turn.value <= OMEGA_RANGE[1]:
        flags.append(
            f"The peak angular velocity of {turn.value:.1f} rad/s lies outside {OMEGA_RANGE[0]:g}-{OMEGA_RANGE[1]:g} rad/s: "
            + ("check the track, and that there is a swing." if turn.value < OMEGA_RANGE[0] else "check the track.")
        )
    for peak, name in ((speed, "tip speed"), (turn, "angular velocity")):
        if peak.sigma > UNSURE * peak.value:
            whole = np.isfinite(swing.tip_speed[np.abs(t - peak.t) < 0.1]).all()
            because = "the bat hardly moves more than the tips' noise, and there may be no swing" if whole else "the tip is seen in too few frames there"
            flags.append(f"The peak {name} is known to {100 * peak.sigma / peak.value:.0f} % only: {because}.")
    if (swing.shown[np.abs(t - speed.t) < 0.15] < SHOWN).any():
        flags.append("The bat points out of the picture's plane near the peak: speed and angular velocity are those of its image.")
    interval = float(np.median(np.diff(t)))
    seen = t[~np.isnan(swing.tip_speed)]
    steps = np.diff(seen)
    bat = np.where(swing.shown >= SHOWN, (tip - hands) @ [1, 1j], np.nan)
    bat = bat[~np.isnan(bat)]
    if (
        turn.value * max(interval, float(steps[(seen[1:] > turn.t - 0.1) & (seen[:-1] < turn.t + 0.1)].max(initial=0.0))) > np.pi / 2
        or (np.abs(np.angle(bat[1:] * bat[:-1].conj())) > np.pi / 2).any()
    ):
        flags.append(
            f"The bat turns more than a quarter turn between seen frames; beyond {np.pi / interval:.0f} rad/s it would look slower than it is."
        )
    if swing.impact is not None and swing.impact.how == "detected":
        flags.append(f"The bat loses speed at once at {swing.impact.t:.3f} s: taken for the impact of the ball, and fitted as a jump.")
    gap = float(steps[(seen[1:] > speed.t - 0.1) & (seen[:-1] < speed.t + 0.1)].max(initial=0.0))
    if gap > 1.5 * interval:
        flags.append(f"The tip is missing for {gap - interval:.2f} s near the peak.")
    if min(speed.t - seen[0], seen[-1] - speed.t) < 1.5 * interval:
        flags.append("The peak lies at the end of the track: the swing may be faster outside it.")
    if swing.refused.sum() > 0.1 * (~np.isnan(tip[:, 0])).sum():
        flags.append(f"{int(swing.refused.sum())} tips were left out as outliers, more than a tenth: check the track.")
    return tuple(flags)
