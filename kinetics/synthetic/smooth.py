"""Smooth functions of time that also take complex times, and the exact derivative that this allows.

The derivative is the complex step (Squire & Trapp 1998, doi:10.1137/S003614459631241X): Im f(t + ih)/h. No difference is
formed, so nothing cancels and the result is exact to rounding. It asks that f uses analytic operations only:
no absolute value, no maximum, no atan2; lengths are sqrt(sum x·x).
"""

from __future__ import annotations

import numpy as np

_H = 1e-30


def shifted(t) -> np.ndarray:
    """Times ``t`` (T,) with the imaginary part that carries the derivative through a closed form; read it with :func:`rate`."""
    return np.asarray(t, dtype=np.float64) + 1j * _H


def rate(value: np.ndarray) -> np.ndarray:
    """The time derivative of a ``value`` computed from :func:`shifted` times."""
    return value.imag / _H


def step(t, centre: float, width: float):
    """A smooth step from 0 to 1, half way at ``centre``; its steepest slope is 1/(2 ``width``)."""
    return 0.5 * (1.0 + np.tanh((t - centre) / width))


def bump(t, centre: float, width: float):
    """A smooth bump of height 1 at ``centre``: 4 s (1 - s) of :func:`step`."""
    s = step(t, centre, width)
    return 4.0 * s * (1.0 - s)


def ramp(t, start: float, softness: float):
    """A smooth max(0, t - start), rounded over ``softness`` seconds."""
    x = (t - start) / softness
    low = np.where(x.real > 30.0, 0.0, x)
    return softness * np.where(x.real > 30.0, x, np.log1p(np.exp(low)))


def dot(a, b):
    """(…, 3) · (…, 3) -> (…, 1)."""
    return (a * b).sum(axis=-1, keepdims=True)


def unit(v):
    """v / |v| along the last axis."""
    return v / np.sqrt(dot(v, v))


def vector(x, y, z):
    """Three scalars or (T,) arrays -> (T, 3)."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1)
