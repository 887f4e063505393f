"""Velocity and acceleration of tracks, smoothed or not, with the standard error that the noise of the positions leaves in them.

Centred differences and Savitzky-Golay are one thing here: at each sample a polynomial through, or fitted to, a few neighbours in
seconds. Its value and derivatives are sums sum c·x over those neighbours, so independent noise sigma comes out as sqrt(sum c² sigma²).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from .spline import SHORTEST, PenalisedSpline
from .stencils import Rule, centred_rule, convolve, cubic_contrast, find_runs, is_even, savgol_rule

METHODS = ("centred", "savgol", "spline")

#: Four samples in a row say enough about the noise this often: the median of so many is good to 2.5 %.
_ENOUGH = 2_500

#: Runs whose ends are worked out at a time: what they touch stays in the processor's cache.
_PIECE = 2_000

#: Samples × joints × neighbours that are gathered at a time: 64 MB.
_CHUNK = 8_000_000


@dataclass(frozen=True)
class Derivative:
    """A derivative of tracks, in the shape of the tracks; NaN where there is none.

    Attributes
    ----------
    value : (T, ...) float64
        In the tracks' unit per second, or per second squared.
    sigma : (T, ...) float64
        Its standard error.
    smoothed, smoothed_sigma : (T, ...) float64
        The positions that the same polynomial or spline gives, and their standard error.
    """

    value: np.ndarray
    sigma: np.ndarray
    smoothed: np.ndarray
    smoothed_sigma: np.ndarray


def differentiate(
    x: np.ndarray,
    t: np.ndarray,
    order: int | Sequence[int] = 1,
    method: str = "centred",
    window: float = 0.2,
    degree: int = 2,
    sigma: np.ndarray | float | None = None,
    stretch: np.ndarray | None = None,
) -> Derivative | tuple[Derivative, ...]:
    """Differentiate tracks against the frames' own times.

    Parameters
    ----------
    x : (T,), (T, K) or (T, K, 2) array
        Tracks. NaN where missing: a gap stays a gap, and nothing is computed across it.
    t : (T,) array
        Seconds, strictly increasing; even or not.
    order : {1, 2} or a sequence of them
        Velocity or acceleration; of a sequence, such as ``(1, 2)``, one result each, and the work that they share is done once.
    method : {"centred", "savgol", "spline"}
        ``centred``: x' = (x+ - x-)/2 delta t, x'' = (x+ - 2x + x-)/delta t², on uneven times the derivatives of the parabola through the
        three samples; one-sided second order at the ends of a run, that of the parabola through three samples for x' and of the cubic
        through four for x''. ``savgol``: least-squares polynomial of ``degree`` over ``window`` (Savitzky and Golay 1964,
        doi:10.1021/ac60214a047) in seconds; towards the ends of a run the last whole window is read off beside its middle, as SciPy's
        ``mode="interp"`` does. ``spline``: penalised quintic spline, its smoothness found by restricted maximum likelihood
        (:class:`.spline.PenalisedSpline`): for low rates, where the others flatten a swing. It leans on both sides of a gap no longer than
        ``window``, in which it gives nothing.
    window : float
        Length of the Savitzky-Golay window in seconds; samples up to half of it before and after count. It says at 25 and at 50 frames a
        second the same thing, as a number of samples would not. A step longer than the window ends a run (not for ``centred``).
    degree : int
        Degree of the Savitzky-Golay polynomial.
    sigma : float or array, optional
        Standard deviation of the positions, any shape that broadcasts to ``x``. Where it changes along a track, Savitzky-Golay and
        spline weight by 1/sigma². None: estimated per track (:func:`estimate_noise`); the spline then estimates its own.
    stretch : (T,) array, optional
        A number per frame (:func:`kinetics.pose.body.find_stretches`); where it changes, at a cut, a run ends.

    Returns
    -------
    Derivative, or a tuple of them
        NaN at missing samples and in runs too short: under 3 samples for ``centred``, ``degree`` + 1 for ``savgol``, 8 for ``spline``.

    Raises
    ------
    KineticsError
        On fewer than three frames, times that don't increase, tracks without a sample, or settings that can't be met.
    """
    x, t, sigma = _checked(x, t, sigma)
    orders = (order,) if isinstance(order, int) else tuple(order)
    if not orders or not set(orders) <= {1, 2}:
        raise KineticsError(f"Derivative of order {order!r} isn't offered; choose 1 (velocity) or 2 (acceleration).")
    if method not in METHODS:
        raise KineticsError(f"Method {method!r} isn't offered; choose {', '.join(METHODS)}.")
    shape = x.shape
    x = x.reshape(len(t), -1)
    if sigma is not None:
        sigma = np.broadcast_to(sigma[0].reshape(-1), x.shape) if sigma.strides[0] == 0 else sigma.reshape(x.shape)
    labels = np.zeros(len(t), int) if stretch is None else np.asarray(stretch)
    if labels.shape != t.shape:
        raise KineticsError(f"Stretches of shape {labels.shape} don't fit {len(t)} frames; give one number per frame.")
    if method == "spline":
        parts = _spline(x, t, (0, *orders), sigma, labels, window)
    else:
        rules = [centred_rule(k) if method == "centred" else savgol_rule(t, window, degree, k) for k in (0, *orders)]
        if method == "savgol":
            labels = np.concatenate([[0], np.cumsum((np.diff(labels) != 0) | (np.diff(t) > window))])
        noise = np.broadcast_to(estimate_noise(x, t, labels), x.shape) if sigma is None else sigma
        parts = _apply(x, t, rules, noise, labels)
    smoothed, smoothed_sigma, *rest = (part.reshape(shape) for part in parts)
    found = tuple(Derivative(value, error, smoothed, smoothed_sigma) for value, error in zip(rest[::2], rest[1::2], strict=True))
    return found[0] if isinstance(order, int) else found


def estimate_noise(x: np.ndarray, t: np.ndarray, stretch: np.ndarray | None = None) -> np.ndarray:
    """Standard deviation of the independent noise of each track, from third differences.

    What four samples in a row have left over from a parabola, over its noise gain sqrt(sum c²); the median of its size over 0.6745. A
    swing is a small part of a clip, so it hardly moves the median; noise that is correlated from frame to frame is under-read.

    Parameters
    ----------
    x : (T, ...) array, NaN where missing
    t : (T,) array, s
    stretch : (T,) array, optional
        As in :func:`differentiate`.

    Returns
    -------
    (...) float64
        NaN for a track without four samples in a row.
    """
    x, t, _ = _checked(x, t, None)
    flat = x.reshape(len(t), -1)
    if len(t) < 4:
        return np.full(x.shape[1:], np.nan)
    labels = np.zeros(len(t)) if stretch is None else np.asarray(stretch)
    starts = np.flatnonzero(labels[3:] == labels[:-3])
    starts = starts[:: max(1, len(starts) // _ENOUGH)]
    if not len(starts):
        return np.full(x.shape[1:], np.nan)
    c = cubic_contrast(t[starts[:, None] + np.arange(4)])
    left = np.abs(sum(c[:, k, None] * flat[starts + k] for k in range(4)))
    middle = np.full(flat.shape[1], np.nan)
    some = ~np.isnan(left).all(axis=0)
    middle[some] = np.nanmedian(left[:, some], axis=0)
    return (middle / 0.6744897501960817).reshape(x.shape[1:])


def _checked(x: np.ndarray, t: np.ndarray, sigma) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """float64 arrays that fit each other, sigma (if any) in the shape of ``x``; the sentence for everything that doesn't fit."""
    x, t = np.asarray(x, dtype=np.float64), np.asarray(t, dtype=np.float64)
    if t.ndim != 1 or x.ndim not in (1, 2, 3) or len(x) != len(t):
        raise KineticsError(f"Tracks of shape {x.shape} don't fit times of shape {t.shape}; give one time per frame.")
    if len(t) < 3:
        raise KineticsError(f"A velocity needs at least 3 frames, and there are {len(t)}.")
    if not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        frame = int(np.argmax(~np.isfinite(t))) if not np.isfinite(t).all() else int(np.argmax(np.diff(t) <= 0)) + 1
        raise KineticsError(f"Times don't increase at frame {frame}; give each frame a later time than the one before, in seconds.")
    if np.isinf(x).any():
        raise KineticsError(f"A position is infinite at frame {int(np.argwhere(np.isinf(x))[0, 0])}; use NaN where it is missing.")
    if x.size == 0 or np.isnan(x).all():
        raise KineticsError("The tracks hold no position at all; nothing can be differentiated.")
    if sigma is None:
        return x, t, None
    try:
        sigma = np.broadcast_to(np.asarray(sigma, dtype=np.float64), x.shape)
    except ValueError:
        raise KineticsError(
            f"Noise of shape {np.shape(sigma)} doesn't fit tracks of shape {x.shape}; give one number, or one per position."
        ) from None
    still = sigma.strides[0] == 0
    if not (sigma[0][~np.isnan(x).all(axis=0)] > 0 if still else sigma[~np.isnan(x)] > 0).all():
        raise KineticsError(
            "The standard deviation of a position is zero, negative or missing; give a number above 0 wherever there is a position."
        )
    return x, t, sigma


def _apply(x: np.ndarray, t: np.ndarray, rules: list[Rule], noise: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Value and sigma (T, M) of each rule on tracks (T, M)."""
    missing = np.isnan(x)
    gaps = bool(missing.any())
    varies = noise.strides[0] != 0 and bool((np.where(missing, noise[0], noise) != noise[0]).any())
    if is_even(t) and not varies:
        # Without gaps all tracks have the same runs, which are found once; and the x and y of a joint have theirs in common.
        paired = x.shape[1] % 2 == 0 and bool((missing[:, ::2] == missing[:, 1::2]).all())
        together = x.shape[1] if not gaps else 2 if paired else 1
        runs = find_runs(~missing[:, ::together], labels)
        filled = x.copy() if gaps else np.ascontiguousarray(x)
        if gaps:
            np.copyto(filled, 0.0, where=missing)
        parts = _apply_even(filled, t, rules, noise[0], runs, together)
        for part in parts if gaps else ():
            np.copyto(part, np.nan, where=missing)
        return parts
    out = [np.full(x.shape, np.nan) for _ in range(2 * len(rules))]
    columns: dict[bytes, list[int]] = {}
    for column in range(x.shape[1]):
        columns.setdefault(missing[:, column].tobytes() + (noise[:, column].tobytes() if varies else b""), []).append(column)
    for group in columns.values():
        tracks, sigma = x[:, group], noise[:, group]
        first, _, length = find_runs(~missing[:, group[:1]], labels)
        for begin, n in zip(first, length, strict=True):
            run = slice(begin, begin + n)
            for k, rule in enumerate(rules):
                if n < rule.least:
                    continue
                for rows, members, c in rule.stencils(t[run], sigma[run, 0] ** -2 if varies else None):
                    step = max(1, _CHUNK // (members.shape[1] * len(group)))
                    for part in range(0, len(rows), step):
                        near, weights = members[part : part + step], c[part : part + step]
                        at = np.ix_(begin + rows[part : part + step], group)
                        out[2 * k][at] = np.einsum("nw,nwm->nm", weights, tracks[run][near])
                        out[2 * k + 1][at] = np.sqrt(np.einsum("nw,nwm->nm", weights**2, sigma[run][near] ** 2))
    return out


def _apply_even(
    x: np.ndarray, t: np.ndarray, rules: list[Rule], noise: np.ndarray, runs: tuple[np.ndarray, np.ndarray, np.ndarray], together: int
) -> list[np.ndarray]:
    """Value and sigma of each rule on even times and noise (M,) that is constant along a track: coefficients depend on the place in the run alone.

    ``x`` is filled where it is missing, and the result holds nonsense there; ``together`` neighbouring tracks share each run. A short run
    stands for all of its kind: the middle of a long one is convolved, only its ends are worked out one by one.
    """
    dt, step = (t[-1] - t[0]) / (len(t) - 1), x.shape[1] // together
    whole = 4 * max(rule.ends for rule in rules) + 3

    def middle(rule: Rule) -> tuple[np.ndarray, np.ndarray]:
        _, near, c = next(group for group in rule.stencils(dt * np.arange(whole)) if whole // 2 in group[0])
        weights = c[int(np.flatnonzero(near[:, 0] + near[:, -1] == whole - 1)[0])]
        error = np.empty(x.shape)
        error[:] = np.sqrt((weights**2).sum()) * noise
        return convolve(x, weights), error

    first, column, length = runs
    # Places are counted in rows of as many numbers as share a run, in the order in which they lie in memory.
    first = first * step + column
    order = np.argsort(first)
    first, column, length = first[order], column[order], length[order]
    kinds = [np.flatnonzero(np.minimum(length, whole) == n) for n in range(whole + 1)]
    pieces = [(n, piece) for n, kind in enumerate(kinds) if len(kind) for piece in np.array_split(kind, max(1, len(kind) // _PIECE))]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        parts = [part for both in pool.map(middle, rules) for part in both]
        flat, level = [part.reshape(-1, together) for part in (x, *parts)], noise.reshape(-1, together)

        def finish(n: int, piece: np.ndarray) -> None:
            begin, end = first[piece], first[piece] + (length[piece] - n) * step
            _work_out_ends(flat, rules, n, whole, dt, step, begin, end, level[column[piece]])

        for _ in pool.map(finish, *zip(*pieces, strict=True)) if pieces else ():
            pass
    return parts


def _work_out_ends(flat, rules: list[Rule], n: int, whole: int, dt: float, step: int, begin, end, level) -> None:
    """Write values and sigma near both ends of runs of ``n`` samples, or of longer ones, into rows of ``flat``: samples, then rule by rule both.

    ``begin`` and ``end`` (m,) are the rows of the first sample and of what would be the first, were the run as short as ``whole``.
    """
    for side, start in enumerate((begin, end) if n == whole else (begin,)):
        near_values: dict[int, np.ndarray] = {}
        for k, rule in enumerate(rules):
            value, error = flat[1 + 2 * k], flat[2 + 2 * k]
            if n < rule.least:
                for place in range(n):
                    value[start + place * step] = error[start + place * step] = np.nan
                continue
            places = range(n) if n < whole else range(n - rule.ends, n) if side else range(rule.ends)
            for rows, near, c in rule.stencils(dt * np.arange(n)):
                for place, members, weights in zip(rows.tolist(), near.tolist(), c, strict=True):
                    if place not in places:
                        continue
                    for m in members:
                        if m not in near_values:
                            near_values[m] = flat[0].take(start + m * step, axis=0)
                    at = start + place * step
                    value[at] = sum(w * near_values[m] for w, m in zip(weights, members, strict=True))
                    error[at] = np.sqrt((weights**2).sum()) * level


def _spline(
    x: np.ndarray, t: np.ndarray, orders: tuple[int, ...], sigma: np.ndarray | None, labels: np.ndarray, window: float
) -> list[np.ndarray]:
    """Value and sigma (T, M) of each order, by one spline per track and stretch without a gap longer than the window."""
    out = [np.full(x.shape, np.nan) for _ in range(2 * len(orders))]
    for column in range(x.shape[1]):
        seen = np.flatnonzero(~np.isnan(x[:, column]))
        ends = np.flatnonzero((np.diff(t[seen]) > window) | (labels[seen][1:] != labels[seen][:-1])) + 1
        for rows in np.split(seen, ends):
            if len(rows) < SHORTEST:
                continue
            fit = PenalisedSpline(t[rows], x[rows, column], None if sigma is None else sigma[rows, column] ** 2, known=sigma is not None)
            for k, nu in enumerate(orders):
                out[2 * k][rows, column] = fit.mean(t[rows], nu)[:, 0]
                out[2 * k + 1][rows, column] = fit.sigma(t[rows], nu)
    return out
