"""A penalised spline whose smoothness follows the motion, and whose standard error is true near a swing's peak.

f = B a with quintic B-splines; the fourth differences of a are N(0, q_k), so q_k says how rough the motion is around knot k: small
while the batter waits, large in the downswing. q_k and the noise σ² are found from the data by restricted maximum likelihood (MacKay's fixed points, doi:10.1162/neco.1992.4.3.415; P-splines: Eilers and Marx 1996,
doi:10.1214/ss/1038425655; a penalty that follows the data: Krivobokova et al. 2008, doi:10.1198/106186008X287328). A fit with one
smoothness for the whole clip looks as accurate and is far too sure near the peak.
"""

from __future__ import annotations

import numpy as np

from .banded import BlockTridiagonal

#: Degree of the B-splines, order of the differences that are penalised, fewest samples that a fit is made of.
DEGREE, DIFFERENCES, SHORTEST = 5, 4, 8

#: Knots lie half a frame apart, but no nearer than this, s: a swing's pulse is 0.1 s wide at least.
_FINEST = 0.012

#: Width, s, of the Gaussian over which roughness is pooled.
_POOLED = 0.08

#: Noise is taken as uncorrelated over more than this many frames, which keeps the equations banded.
_CORRELATED = 3.5

_DIFF = np.array([1.0, -4.0, 6.0, -4.0, 1.0])


class PenalisedSpline:
    """Fit tracks y(t) that share their roughness.

    Parameters
    ----------
    t : (n,) s, strictly increasing, even or not; gaps allowed
    y : (n,) or (n, k) float64, finite
        k coordinates of one thing, e.g. x and y of the hands.
    variance : (n,), optional
        Variance of the noise of each sample, up to a common factor unless ``known``; 1 when not given.
    known : bool
        ``variance`` is the variance itself; else the common factor is estimated.
    phi : float
        Correlation of the noise from one frame to the next.
    robust : bool
        Weigh samples by Student's t with 4 degrees of freedom.

    Attributes
    ----------
    sigma2 : float
        Common factor of the variance.
    deviance : float
        −log of the restricted likelihood; differences compare ``phi`` on the same data.
    surprise : (n,)
        Largest leave-one-out residual of each sample over its standard deviation.
    """

    def __init__(self, t: np.ndarray, y: np.ndarray, variance=None, known: bool = False, phi: float = 0.0, robust: bool = False) -> None:
        self.t, y = np.asarray(t, float), np.asarray(y, float).reshape(len(t), -1)
        n, k = y.shape
        rate = 1 / float(np.median(np.diff(self.t)))
        self.step = max(0.5 / rate, _FINEST)
        self.size = int(np.ceil((self.t[-1] - self.t[0]) / self.step)) + DEGREE
        variance = np.ones(n) if variance is None else np.asarray(variance, float)
        B = self.design(self.t)
        apart = np.diff(self.t) * rate
        r = np.where(apart < _CORRELATED, phi**apart, 0.0) if phi else np.zeros(n - 1)
        weight = np.ones(n)
        q, sigma2, old = None, 1.0, np.inf
        for turn in range(40):
            if turn == 0 or (robust and turn < 15):
                rows, targets, log_r = _whiten(B, y, variance / weight, r)
                gram, moment = (rows.T @ rows).tocsc(), rows.T @ targets
                if turn == 0 and not known:
                    sigma2 = float(np.median(np.diff(targets, 3, axis=0) ** 2)) / 9 + 1e-9
                if turn == 0:
                    spread = float(np.var(np.diff(y, DIFFERENCES, axis=0))) if n > DIFFERENCES else 1.0
                    q = np.full(self.size - DIFFERENCES, spread * (self.step * rate) ** (2 * DIFFERENCES - 1) / 10 + 1e-9)
                    width = max(int(np.abs(np.subtract(*gram.nonzero())).max()), DEGREE)
            A = BlockTridiagonal(_bands(gram, width, self.size) / sigma2 + _penalty(1 / q, width))
            a = A.solve(moment / sigma2)
            C = A.inverse_bands()
            fitted = float((_bands(gram, width, self.size) * C * _twice(width)).sum())
            left = float(((targets - rows @ a) ** 2).sum())
            z2 = (np.apply_along_axis(np.convolve, 0, a, _DIFF, "valid") ** 2).sum(axis=1)
            gain = k * np.clip(1 - _difference_variance(C) / q, 1e-6, 1)
            deviance = 0.5 * (k * (n * np.log(sigma2) + log_r + A.log_det + np.log(q).sum()) + left / sigma2 + (z2 / q).sum())
            self.a, self.A, self.sigma2, self.deviance, self.q = a, A, sigma2, deviance, q
            if abs(old - deviance) < 0.01 and turn > 5:
                break
            old = deviance
            if not known:
                sigma2 = max(left / k / max(n - fitted / sigma2, 1.0), 1e-10)
            level = max(z2.sum() / gain.sum(), 1e-14)
            q = np.full(self.size - DIFFERENCES, level)
            if turn >= 4:
                q = (self._pool(z2) + 0.01 * level) / (self._pool(gain) + 0.01)
                q = np.maximum(q, 1e-9 * q.max())
            q = np.maximum(q, 1e-11 * sigma2)  # a straight track must not make the equations singular
            if robust:
                off = ((y - B @ a) ** 2).mean(axis=1) / variance / self.sigma2 + self._leverage(B, variance)
                weight = 5 / (4 + off)
        leverage = self._leverage(B, variance)
        scale = np.sqrt(self.sigma2 * variance * np.clip(1 - leverage, 0.05, 1))
        self.surprise = np.abs((y - B @ self.a) / scale[:, None]).max(axis=1)
        self.rows, self.targets = rows, targets

    def _pool(self, z: np.ndarray) -> np.ndarray:
        """Sum over neighbours in time, each counted by the Gaussian (1 at its middle)."""
        from scipy.ndimage import gaussian_filter1d

        width = _POOLED / self.step
        return gaussian_filter1d(z, width, mode="constant", truncate=6) * width * np.sqrt(2 * np.pi)

    def _leverage(self, B, variance: np.ndarray) -> np.ndarray:
        return self._spread(B) / (variance * self.sigma2)

    def _spread(self, B) -> np.ndarray:
        """diag(B A⁻¹ Bᵀ) for rows of B that reach over no more than the band."""
        C = self.A.inverse_bands()
        first, values = _dense_rows(B)
        total = np.zeros(len(values))
        for i in range(values.shape[1]):
            for j in range(i, values.shape[1]):
                at = np.minimum(first + i, self.size - 1)
                total += (1 if i == j else 2) * values[:, i] * values[:, j] * C[j - i, at]
        return total

    def design(self, t: np.ndarray, nu: int = 0):
        """Sparse (len(t), size): values (or derivative ``nu``) of the B-splines at ``t``, which lies within the fitted times."""
        from scipy.interpolate import BSpline
        from scipy.sparse import diags_array

        at = np.clip(t, self.t[0], self.t[0] + self.step * (self.size - DEGREE))
        knots = self.t[0] + self.step * (np.arange(self.size + DEGREE + 1) - DEGREE)
        matrix = BSpline.design_matrix(at, knots[nu : len(knots) - nu], DEGREE - nu)
        for order in range(nu, 0, -1):
            n = self.size - order
            matrix = matrix @ diags_array([np.full(n, -1.0), np.full(n, 1.0)], offsets=[0, 1], shape=(n, n + 1)) / self.step
        return matrix.tocsr()

    def mean(self, t: np.ndarray, nu: int = 0) -> np.ndarray:
        """(len(t), k) of the fit or its derivative."""
        return self.design(t, nu) @ self.a

    def sigma(self, t: np.ndarray, nu: int = 0) -> np.ndarray:
        """(len(t),) standard error of each coordinate of :meth:`mean`."""
        return np.sqrt(np.maximum(self._spread(self.design(t, nu)), 0.0))

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(size, k, count) coefficients drawn from what the data leave open."""
        k = self.a.shape[1]
        noise = self.A.sample(rng.normal(size=(self.size, k * count))).reshape(self.size, k, count)
        return self.a[:, :, None] + noise


def _whiten(B, y: np.ndarray, variance: np.ndarray, r: np.ndarray):
    """Rows of B and y with independent noise of variance 1: AR(1) with correlation ``r`` to the row before."""
    from scipy.sparse import diags_array

    n = len(y)
    c = np.sqrt(1 - r**2)
    whiten = diags_array([np.r_[1.0, 1 / c], -r / c], offsets=[0, -1], shape=(n, n)) @ diags_array(1 / np.sqrt(variance))
    return (whiten @ B).tocsr(), whiten @ y, float(np.log(variance).sum() + 2 * np.log(c).sum())


def _bands(matrix, width: int, size: int) -> np.ndarray:
    """(width + 1, size): row j holds the j-th diagonal under the main one, [j, i] = matrix[i + j, i]."""
    out = np.zeros((width + 1, size))
    for j in range(width + 1):
        out[j, : size - j] = matrix.diagonal(-j)
    return out


def _penalty(weight: np.ndarray, width: int) -> np.ndarray:
    """Bands of Dᵀ diag(weight) D for the fourth difference D."""
    size = len(weight) + DIFFERENCES
    out = np.zeros((width + 1, size))
    for j in range(DIFFERENCES + 1):
        out[j, : size - j] = np.convolve(weight, _DIFF[: DIFFERENCES + 1 - j] * _DIFF[j:])
    return out


def _twice(width: int) -> np.ndarray:
    """Every diagonal but the main one stands for two."""
    return np.r_[1.0, np.full(width, 2.0)][:, None]


def _difference_variance(C: np.ndarray) -> np.ndarray:
    """diag(D C Dᵀ) from the bands of C."""
    n = C.shape[1] - DIFFERENCES
    total = np.zeros(n)
    for i in range(DIFFERENCES + 1):
        for j in range(i, DIFFERENCES + 1):
            total += (1 if i == j else 2) * _DIFF[i] * _DIFF[j] * C[j - i, i : i + n]
    return total


def _dense_rows(B) -> tuple[np.ndarray, np.ndarray]:
    """First column (n,) and the DEGREE + 1 values (n, 6) of each row of a B-spline design."""
    B = B.tocsr()
    B.sort_indices()
    n = B.shape[0]
    first = np.minimum(B.indices[B.indptr[:-1]], B.shape[1] - DEGREE - 1)
    values = np.zeros((n, DEGREE + 1))
    row = np.repeat(np.arange(n), np.diff(B.indptr))
    values[row, B.indices - first[row]] = B.data
    return first, values
