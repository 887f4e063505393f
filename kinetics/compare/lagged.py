"""Lagged correlation: how alike two series are when one is shifted, at which shift, and how many independent samples they hold."""

from __future__ import annotations

import numpy as np

#: A lag is read only where both sides have a value in at least this part of the longest series.
LEAST_OVERLAP = 0.6

#: A series whose standard deviation is under this part of its largest magnitude, or of 1, doesn't move.
_STILL = 1e-9


def correlate(leaders: np.ndarray, followers: np.ndarray, reach: int) -> np.ndarray:
    """Pearson correlation of every leader with every follower at every lag, over the samples that both have.

    rho_ab(l) = corr(x_a(k), y_b(k + l)) over the k at which both are there; the mean and the spread are those of these samples, so that a
    shift isn't paid for by a shorter overlap (dividing by the full length, as is common, draws every peak towards lag 0).

    Parameters
    ----------
    leaders : (..., A, n)
        NaN where missing.
    followers : (..., B, n)
        NaN where missing; the same grid.
    reach : int
        Largest lag, samples; under n.

    Returns
    -------
    (2·reach + 1, ..., A, B) float64
        Lags -reach to reach; a positive one means that the leader is earlier. NaN where under :data:`LEAST_OVERLAP` of the
        longest series overlap, or a series doesn't move there.
    """
    x, x_there = _filled(leaders)
    y, y_there = _filled(followers)
    n = x.shape[-1]
    least = LEAST_OVERLAP * max(part.sum(axis=-1).max(initial=0) for part in (x_there, y_there))
    found = []
    for lag in range(-reach, reach + 1):
        early, late = slice(max(0, -lag), n - max(0, lag)), slice(max(0, lag), n - max(0, -lag))
        a, am = x[..., early], x_there[..., early]
        b, bm = (np.swapaxes(part[..., late], -1, -2) for part in (y, y_there))
        count = am @ bm
        with np.errstate(divide="ignore", invalid="ignore"):
            cov = a @ b - (a @ bm) * (am @ b) / count
            var_a = (a * a) @ bm - (a @ bm) ** 2 / count
            var_b = am @ (b * b) - (am @ b) ** 2 / count
            rho = cov / np.sqrt(var_a * var_b)
        rho[(count < least) | (var_a < _STILL * count) | (var_b < _STILL * count)] = np.nan
        found.append(np.clip(rho, -1, 1))
    return np.stack(found)


def find_peak(rho: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Height and lag of the largest correlation, between the samples: the top of the parabola through the three around it.

    Parameters
    ----------
    rho : (2·reach + 1, ...)
        Correlation at lags -reach to reach.
    step : float
        Seconds between lags.

    Returns
    -------
    height, lag : (...) float64
        Lag in s. Both NaN where nothing is there, or where the largest lies at either end of the lags: then the correlation still
        rises there, and no lag has been found.
    """
    reach = len(rho) // 2
    known = np.where(np.isnan(rho), -np.inf, rho)
    at = known.argmax(axis=0)
    inside = (at > 0) & (at < 2 * reach)
    middle = np.clip(at, 1, 2 * reach - 1)
    before, top, after = (np.take_along_axis(rho, (middle + k)[None], axis=0)[0] for k in (-1, 0, 1))
    inside &= np.isfinite(before) & np.isfinite(top) & np.isfinite(after)
    bend = np.where(inside, before - 2 * top + after, -1.0)
    shift = np.where(inside & (bend < 0), 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
    height = np.minimum(np.where(inside, top - 0.25 * (before - after) * shift, np.nan), 1.0)
    return height, np.where(inside, (middle - reach + shift) * step, np.nan)


def correlate_published(x: np.ndarray, y: np.ndarray, reach: int) -> np.ndarray:
    """The paper's rho(tau): both series to zero mean and unit population deviation, full cross-correlation divided by T.

    Parameters
    ----------
    x, y : (T,)
        Without gaps.
    reach : int
        Largest lag, frames; lags beyond T - 1 are left out.

    Returns
    -------
    (2·min(reach, T - 1) + 1,) float64
        Positive lags: ``x`` leads.
    """
    a, b = ((part - part.mean()) / part.std() for part in (x, y))
    frames, reach = len(x), min(reach, len(x) - 1)
    ahead = [a[: frames - lag] @ b[lag:] for lag in range(reach + 1)]
    behind = [a[lag:] @ b[: frames - lag] for lag in range(reach, 0, -1)]
    return np.array(behind + ahead) / frames


def effective_samples(x: np.ndarray, y: np.ndarray) -> float:
    """How many independent samples two series are worth when they are correlated: Bartlett's n / sum r_x(k) r_y(k).

    Over all lags k for which samples are there (Bartlett 1946, doi:10.2307/2983611; Pyper and Peterman 1998, doi:10.1139/f98-104): a
    single burst, however many frames it spans, is worth one or two.

    Parameters
    ----------
    x, y : (n,)
        NaN where missing in either is left out on both sides.

    Returns
    -------
    float
        Between 1 and the number of samples; NaN under 3 samples, or when one doesn't move.
    """
    a, b = np.array(x, np.float64), np.array(y, np.float64)
    there = np.isfinite(a) & np.isfinite(b)
    count = int(there.sum())
    if count < 3 or is_still(a[there]) or is_still(b[there]):
        return float("nan")
    own = []
    for part in (a, b):
        part = np.where(there, part - part[there].mean(), 0.0)
        auto = np.correlate(part, part, mode="full")[len(part) - 1 :]
        own.append(auto / auto[0])
    total = float(1 + 2 * (own[0][1:] * own[1][1:]).sum())
    return float(np.clip(count / total, 1, count)) if total > 0 else float(count)


def effective_samples_published(x: np.ndarray, y: np.ndarray) -> float:
    """The paper's N_eff = T (1 - r_x r_y)/(1 + r_x r_y), r the correlation of a series with itself one frame later."""
    r = [float(np.corrcoef(part[:-1], part[1:])[0, 1]) for part in (x, y)]
    return len(x) * (1 - r[0] * r[1]) / (1 + r[0] * r[1])


def is_still(x: np.ndarray) -> bool:
    """Whether a series (its NaN left out) has no variance but rounding."""
    known = x[np.isfinite(x)]
    return not len(known) or float(known.std()) <= _STILL * max(1.0, float(np.abs(known).max()))


def _filled(series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each series over its own spread with 0 where it is missing, and 1.0 where it is there."""
    series = np.asarray(series, np.float64)
    there = np.isfinite(series)
    count = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    zeroed = np.where(there, series, 0.0)
    centred = np.where(there, zeroed - zeroed.sum(axis=-1, keepdims=True) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=-1, keepdims=True) / count)
    largest = np.abs(zeroed).max(axis=-1, keepdims=True)
    moves = spread > _STILL * np.maximum(largest, 1.0)
    return np.where(moves, centred / np.where(moves, spread, 1.0), 0.0), there.astype(np.float64)
