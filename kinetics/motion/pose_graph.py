"""All frames of a shot at once: the cameras that agree best with every pair measured, solved linearly in complex numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from .background import Pair

_ROUNDS = 8
#: Pixels of disagreement below which a pair is never doubted.
_DOUBT = 0.05


def solve_similarities(frames: Sequence[int], pairs: Sequence[Pair]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Similarities frame -> first frame, ``z_ref = a z + b``, from pairs that link them all.

    Each pair (i, j) says that a point z of frame i lies at s z + t in frame j, so both have to come to one place in the reference:
    a_j (s z + t) + b_j = a_i z + b_i. Over the points of the pair, with mean m and spread sigma, that is two equations linear in the
    unknowns, ``a_j (s m + t) + b_j - a_i m - b_i = 0`` and ``sigma (a_j s - a_i) = 0``: places where there were no points say nothing.
    Weights are those of the pairs, and Cauchy's rule over a few rounds.

    Parameters
    ----------
    frames : sequence of int
        The frames to solve for; the first is the reference, a = 1 and b = 0.
    pairs : sequence of Pair
        Between those frames.

    Returns
    -------
    a, b : (N,) complex
    misfit : (len(pairs),) px
        Root of the mean squared disagreement of each pair with the solution, in pixels of its frame j.
    """
    place = {frame: k for k, frame in enumerate(frames)}
    i, j = (np.array([place[getattr(pair, end)] for pair in pairs], dtype=int) for end in "ij")
    s, t = (np.array([getattr(pair, name) for pair in pairs]) for name in "st")
    mean = np.array([np.average(pair.p, weights=pair.count) for pair in pairs])
    spread = np.array([np.sqrt(np.average(np.abs(pair.p - m) ** 2, weights=pair.count)) for pair, m in zip(pairs, mean, strict=True)])
    weight = np.array([pair.weight for pair in pairs])
    trust, n, e = np.ones(len(pairs)), len(frames), np.arange(len(pairs))
    # Unknowns in the order a_0, b_0, a_1, b_1, ...: the equations of neighbours stay near the diagonal.
    rows = np.concatenate([2 * e, 2 * e, 2 * e + 1, 2 * e + 1, 2 * e + 1, 2 * e + 1])
    cols = np.concatenate([2 * j, 2 * i, 2 * j, 2 * i, 2 * j + 1, 2 * i + 1])
    ones = np.ones(len(pairs))
    values = np.concatenate([spread * s, -spread, s * mean + t, -mean, ones, -ones])
    equations = coo_matrix((values, (rows, cols)), shape=(2 * len(pairs), 2 * n)).tocsc()
    known, free = equations[:, 0].toarray()[:, 0], equations[:, 2:]
    a, b, misfit = np.ones(n, complex), np.zeros(n, complex), np.zeros(len(pairs))
    for _ in range(_ROUNDS):
        w = np.repeat((weight * trust) ** 2, 2)
        normal = (free.conj().T @ free.multiply(w[:, None])).tocsc()
        x = splu(normal).solve(-(free.conj().T @ (w * known)))
        a[1:], b[1:] = x[0::2], x[1::2]
        off = equations @ np.stack([a, b], axis=1).ravel()
        misfit = np.hypot(np.abs(off[0::2]), np.abs(off[1::2])) / np.abs(a[j])
        trust = 1.0 / np.sqrt(1.0 + (misfit / max(2.0 * np.median(misfit), _DOUBT)) ** 2)
    return a, b, misfit


def distances(frames: Sequence[int], pairs: Sequence[Pair], maps: np.ndarray) -> list[np.ndarray]:
    """For each pair the distances (px of its frame j) of its points from where the maps (N, 3, 3), frame -> reference, put them.

    Pixels of ``maps`` and of the pairs are counted from the middle of the picture.
    """
    place = {frame: k for k, frame in enumerate(frames)}
    back = np.linalg.inv(maps)
    off = []
    for pair in pairs:
        m = back[place[pair.j]] @ maps[place[pair.i]]
        x, y, w = m @ np.stack([pair.p.real, pair.p.imag, np.ones(len(pair.p))])
        off.append(np.abs((x + 1j * y) / w - pair.q))
    return off


def similarity_maps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, 3, 3) homogeneous maps of z -> a z + b."""
    maps = np.zeros((len(a), 3, 3))
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 0, 2] = a.real, -a.imag, b.real
    maps[:, 1, 0], maps[:, 1, 1], maps[:, 1, 2] = a.imag, a.real, b.imag
    maps[:, 2, 2] = 1.0
    return maps
