"""Local polynomials as sums over neighbours: which samples each one is fitted to, and the coefficients, on even and uneven times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np

from ..errors import KineticsError

#: Times within this part of the interval of an even grid are even: what is left is rounding.
_EVEN = 1e-6

#: Rows of the block that a convolution multiplies at once.
_BLOCK = 16

Windows = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Rule:
    """How a derivative is taken at each sample of a run.

    Attributes
    ----------
    order : int
        Derivative, 0 to 2.
    windows : function
        Times (n,) of a run -> first sample, number of samples and degree of the polynomial, each (n,).
    least : int
        A run shorter than this has no derivative.
    ends : int
        Samples at either end of a long run, on even times, whose coefficients differ from those in the middle.
    """

    order: int
    windows: Windows
    least: int
    ends: int

    def stencils(self, t: np.ndarray, weight: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Samples of a run (n,), the neighbours of each (n, c), and their coefficients (n, c); one group after the other.

        Parameters
        ----------
        t : (n,) s, times of one run of ``least`` samples or more
        weight : (n,), optional
            1/sigma² of each sample.
        """
        first, count, degree = self.windows(t)
        for c, d in sorted(set(zip(count.tolist(), degree.tolist(), strict=True))):
            rows = np.flatnonzero((count == c) & (degree == d))
            members = first[rows, None] + np.arange(c)
            near = None if weight is None else weight[members]
            yield rows, members, polynomial_coefficients(t[members] - t[rows, None], d, self.order, near)


def polynomial_coefficients(u: np.ndarray, degree: int, order: int, weight: np.ndarray | None = None) -> np.ndarray:
    """Coefficients (n, c) that give the derivative at 0 of the least-squares polynomial through values at ``u`` (n, c) s.

    With V the matrix of powers, the row of (V^TWV)^-1V^TW that belongs to u^order, times order!; by QR of sqrt(W) V.
    """
    scale = np.abs(u).max(axis=1, keepdims=True)
    powers = (u / scale)[:, :, None] ** np.arange(degree + 1)
    root = 1.0 if weight is None else np.sqrt(weight)[:, :, None]
    q, r = np.linalg.qr(root * powers)
    pick = np.zeros((len(u), degree + 1, 1))
    pick[:, order] = 1.0
    row = np.linalg.solve(np.swapaxes(r, 1, 2), pick)
    return (root * q @ row)[:, :, 0] * factorial(order) / scale**order


def cubic_contrast(t: np.ndarray) -> np.ndarray:
    """Coefficients (n, 4) at times (n, 4) that take out parabolas and leave the noise its variance: the third divided difference, 1/product(t_j - t_k)."""
    span = t[:, -1:, None] - t[:, :1, None]
    c = 1 / ((t[:, :, None] - t[:, None, :] + np.eye(4) * span) / span).prod(axis=2)
    return c / np.sqrt((c**2).sum(axis=1, keepdims=True))


def centred_rule(order: int) -> Rule:
    """The parabola through a sample and its two neighbours; at the ends the same one, and for x'' the cubic through four samples."""

    def windows(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(t)
        at = np.arange(n)
        first, count = np.clip(at - 1, 0, n - 3), np.full(n, 3)
        if order == 2 and n > 3:
            first[-1] = n - 4
            count[[0, -1]] = 4
        return first, count, count - 1

    return Rule(order, windows, least=3, ends=1)


def savgol_rule(t: np.ndarray, window: float, degree: int, order: int) -> Rule:
    """The polynomial of ``degree`` over the samples within half a window.

    Where the run lacks samples on one side, the nearest whole window is taken. Where times are thin, the window takes in the
    next samples until there are ``degree`` + 1.

    Raises
    ------
    KineticsError
        When the window is no length, the degree is below the order of the derivative, or the window holds too few frames.
    """
    if not (np.isfinite(window) and window > 0):
        raise KineticsError(f"A window of {window} s is no length; give seconds above 0, such as 0.2.")
    if isinstance(degree, bool) or degree != int(degree) or not 1 <= degree <= 7:
        raise KineticsError(f"A polynomial of degree {degree} isn't offered; choose a whole number from 1 to 7.")
    if degree < order:
        raise KineticsError(f"A polynomial of degree {degree} has no derivative of order {order}; give a degree of {order} or more.")
    interval = float(np.median(np.diff(t)))
    half = 0.5 * window * (1 + _EVEN)
    held = 2 * int(half / interval) + 1
    if held < degree + 1:
        enough = 2 * int(np.ceil(degree / 2)) * interval
        raise KineticsError(
            f"A window of {window:g} s holds {held} frames at {1 / interval:.4g} a second, too few for degree {degree}; give at least {enough:.3g} s."
        )

    def windows(run: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(run)
        first, last = np.searchsorted(run, run - half), np.searchsorted(run, run + half, side="right")
        # Whole: the next sample before the run, were there one, would lie outside the window; and so after it.
        whole = (run - half > 2 * run[0] - run[1]) & (run + half < 2 * run[-1] - run[-2])
        if whole.any():
            anchor = np.clip(np.arange(n), np.argmax(whole), n - 1 - np.argmax(whole[::-1]))
            first, last = first[anchor], last[anchor]
        else:
            first, last = np.zeros(n, int), np.full(n, n)
        lack = np.maximum(degree + 1 - (last - first), 0)
        first = np.clip(first - (lack + 1) // 2, 0, None)
        first = np.minimum(first, n - np.maximum(last - first, degree + 1))
        return first, np.maximum(last - first, degree + 1), np.full(n, degree)

    return Rule(order, windows, least=degree + 1, ends=held // 2)


def find_runs(there: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of adjacent samples that are there, within one label.

    Parameters
    ----------
    there : (T, M) bool
    labels : (T,)

    Returns
    -------
    (n,) first frame, (n,) column, (n,) length
    """
    before = np.zeros((1, there.shape[1]), bool)
    cut = (labels[1:] != labels[:-1])[:, None]
    begins = there & ~np.concatenate([before, there[:-1] & ~cut])
    ends = there & ~np.concatenate([there[1:] & ~cut, before])
    columns, first = np.nonzero(begins.T)
    return first, columns, np.nonzero(ends.T)[1] - first + 1


def is_even(t: np.ndarray) -> bool:
    """Whether times lie on a grid, but for rounding."""
    dt = (t[-1] - t[0]) / (len(t) - 1)
    return bool(np.abs(t - t[0] - dt * np.arange(len(t))).max() <= _EVEN * dt)


def convolve(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """sum_j c_j x[i - h + j] for every frame whose h = len(c)//2 neighbours exist on both sides; 0 elsewhere.

    Blocks of frames are multiplied by a banded matrix at once: on tracks side by side that is several times as fast as a
    convolution of each.

    Parameters
    ----------
    x : (T, M) float64, contiguous, finite
    c : (odd,) float64
    """
    wide, half = len(c), len(c) // 2
    out = np.zeros(x.shape)
    inner = len(x) - wide + 1
    if inner < 1:
        return out
    blocks, rest = divmod(inner, _BLOCK)
    if blocks:
        band = np.zeros((_BLOCK, _BLOCK + wide - 1))
        for row in range(_BLOCK):
            band[row, row : row + wide] = c
        step, across = x.strides
        near = np.lib.stride_tricks.as_strided(x, (blocks, _BLOCK + wide - 1, x.shape[1]), (_BLOCK * step, step, across), writeable=False)
        np.matmul(band, near, out=out[half : half + blocks * _BLOCK].reshape(blocks, _BLOCK, x.shape[1]))
    for i in range(inner - rest, inner):
        out[half + i] = c @ x[i : i + wide]
    return out
