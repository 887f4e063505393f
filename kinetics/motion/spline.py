"""A penalised spline whose smoothness follows the motion, and whose standard error is true near a swing's peak.

f = B a with quintic B-splines; the fifth differences of a are N(0, q_k), so q_k says how rough the motion is around knot k: small
while the batter waits, large in the downswing. q_k and the noise sigma² are found from the data by restricted maximum likelihood (MacKay's
fixed points, doi:10.1162/neco.1992.4.3.415; P-splines: Eilers and Marx 1996, doi:10.1214/ss/1038425655; a penalty that follows the data:
Krivobokova et al. 2008, doi:10.1198/106186008X287328). A fit with one smoothness for the whole clip looks as accurate and is far too
sure near the peak. A ball leaves a corner: the velocity may jump at one given time.
"""

from __future__ import annotations

import numpy as np

from .banded import Banded
from .stencils import cubic_contrast

#: Degree of the B-splines, order of the differences that are penalised, fewest samples that a fit is made of.
DEGREE, DIFFERENCES, SHORTEST = 5, 5, 8

#: Knots lie half a frame apart, but no nearer than this, s: a swing's pulse is 0.1 s wide at least.
_FINEST = 0.012

#: Share of the samples that the noise's level as read from four neighbours weighs: a fit may take a motion for noise, they do not.
_BELIEVED = 0.5

#: Width, s, of the Gaussian over which roughness is pooled.
_POOLED = 0.05

#: Least roughness over the noise's variance: it evens out what is quicker than about 40 knots, and keeps the equations' condition below 1e12.
_STIFFEST = 1e-8

#: Noise is taken as uncorrelated over more than this many frames, which keeps the equations banded.
_CORRELATED = 3.5

_DIFF = np.array([-1.0, 5.0, -10.0, 10.0, -5.0, 1.0])


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
    kink : float, optional
        A time, s, at which the velocity may jump.
    jump, jump_sigma : float or (k,), float
        What is expected of that jump, in the unit of ``y`` per second, and the standard deviation from it in each coordinate.
    start : PenalisedSpline, optional
        A fit of nearly the same samples, whose roughness and noise are close: it saves rounds.

    Attributes
    ----------
    sigma2 : float
        Common factor of the variance.
    deviance : float
        -log of the restricted likelihood; differences compare ``phi``, or kinks, on the same data.
    surprise : (n,)
        Largest leave-one-out residual of each sample over its standard deviation.
    jumped : (k,)
        The jump of the velocity at ``kink``; 0 without one.

    Notes
    -----
    With a kink, f = B a + c g: g is the ramp (t - tau)+ less its nearest spline B r, so that it lives around tau alone, and what is
    penalised is D(a - c r), the roughness of what is left without the ramp. The unknown c borders the banded equations of a.
    """

    def __init__(
        self, t: np.ndarray, y: np.ndarray, variance=None, known: bool = False, phi: float = 0.0, robust: bool = False,
        kink: float | None = None, jump=0.0, jump_sigma: float = 1.0, start: PenalisedSpline | None = None,
    ) -> None:  # fmt: skip
        self.t, y = np.asarray(t, float), np.asarray(y, float).reshape(len(t), -1)
        n, k = y.shape
        rate = 1 / float(np.median(np.diff(self.t)))
        self.step = max(0.5 / rate, _FINEST)
        self.size = int(np.ceil((self.t[-1] - self.t[0]) / self.step)) + DEGREE
        variance = np.ones(n) if variance is None else np.asarray(variance, float)
        self.kink, kinks = kink, 0 if kink is None else 1
        B, g = self.design(self.t), self._cusp(self.t)
        rough = _differences(self._ramp())
        apart = np.diff(self.t) * rate
        r = np.where(apart < _CORRELATED, phi**apart, 0.0) if phi else np.zeros(n - 1)
        weight = np.ones(n)
        q, sigma2, old = None, 1.0, np.inf
        near = start is not None and start.size == self.size
        for turn in range(40):
            if turn == 0 or (robust and turn < 15):
                rows, targets, log_r = whiten(B, np.hstack([y, g]), variance / weight, r)
                targets, g_rows = targets[:, :k], targets[:, k:]
                product = (rows.T @ rows).tocsc()
                if turn == 0 and not known:
                    sigma2 = told = _noise_level(self.t, y, variance, phi)
                if turn == 0 and near:
                    q, sigma2 = start.q, sigma2 if known else start.sigma2
                elif turn == 0:
                    spread = float(np.var(np.diff(y, DIFFERENCES, axis=0))) if n > DIFFERENCES else 1.0
                    q = np.full(self.size - DIFFERENCES, spread * (self.step * rate) ** (2 * DIFFERENCES - 1) / 10 + 1e-9)
                if turn == 0:
                    width = max(int(np.abs(np.subtract(*product.nonzero())).max()), DEGREE)
                gram = _bands(product, width, self.size)
            A = Banded(gram / sigma2 + prior_bands(1 / q, width))
            border = rows.T @ g_rows / sigma2 - _adjoint(rough / q[:, None])
            self._u = A.solve(border) if kinks else border
            corner = (g_rows.T @ g_rows / sigma2 + rough.T @ (rough / q[:, None])) + np.eye(kinks) / jump_sigma**2
            self._s = np.linalg.inv(corner - border.T @ self._u)
            a, c = np.zeros((self.size, k)), np.zeros((kinks, k))
            # Twice: the second turn takes out what rounding left in the first, as corrected seminormal equations do (Björck 1987).
            for _ in range(2):
                off, bend = (targets - rows @ a - g_rows @ c) / sigma2, (_differences(a) - rough @ c) / q[:, None]
                part = A.solve(rows.T @ off - _adjoint(bend))
                more = self._s @ (g_rows.T @ off + rough.T @ bend - (c - jump) / jump_sigma**2 - border.T @ part)
                a, c = a + part - self._u @ more, c + more
            self.a, self.A, self.sigma2, self.q, self.c = a, A, sigma2, q, c
            C = A.inverse_bands()
            fitted = float((gram * C * _twice(width)).sum())
            fitted += float(np.einsum("ne,ef,nf->", g_rows - rows @ self._u, self._s, g_rows - rows @ self._u))
            left = float(((targets - rows @ a - g_rows @ c) ** 2).sum())
            z2 = ((_differences(a) - rough @ c) ** 2).sum(axis=1)
            loose = rough + _differences(self._u)
            open_ = _difference_variance(C) + np.einsum("ne,ef,nf->n", loose, self._s, loose)
            gain = k * np.clip(1 - open_ / q, 1e-6, 1)
            self.deviance = 0.5 * (k * (n * np.log(sigma2) + log_r + A.log_det + np.log(q).sum()) + left / sigma2 + (z2 / q).sum())
            if kinks:
                self.deviance += 0.5 * (k * (2 * np.log(jump_sigma) - np.log(self._s[0, 0])) + ((c - jump) ** 2).sum() / jump_sigma**2)
            if abs(old - self.deviance) < 0.01 and turn > (1 if near else 5):
                break
            old = self.deviance
            if not known:
                more = _BELIEVED * n
                sigma2 = max((left / k + more * told) / (max(n - fitted / sigma2, 1.0) + more), 1e-10)
            level = max(z2.sum() / gain.sum(), 1e-14)
            q = np.full(self.size - DIFFERENCES, level)
            if turn >= 4 or near:
                q = (self._pool(z2) + 0.01 * level) / (self._pool(gain) + 0.01)
                q = np.maximum(q, 1e-9 * q.max())
            q = np.maximum(q, _STIFFEST * sigma2)
            if robust:
                off = ((y - B @ a - g @ c) ** 2).mean(axis=1) / variance / self.sigma2 + self._spread(B, g) / (variance * self.sigma2)
                weight = 5 / (4 + off)
        leverage = self._spread(B, g) / (variance * self.sigma2)
        scale = np.sqrt(self.sigma2 * variance * np.clip(1 - leverage, 0.05, 1))
        self.surprise = np.abs((y - B @ self.a - g @ self.c) / scale[:, None]).max(axis=1)
        self.jumped = self.c.sum(axis=0)
        self._kept = variance / weight, r, rows, targets

    def gain_by_kink(self, times: np.ndarray, jump: np.ndarray, jump_sigma: np.ndarray) -> np.ndarray:
        """How much the log likelihood of this fit without a kink gains by one at each of ``times`` (m,), its roughness staying as it is.

        ``jump`` (m, k) and ``jump_sigma`` (m,) as for a fit with a kink.
        """
        variance, r, rows, targets = self._kept
        middle = self._middles()[:, None]
        ramps = np.maximum(middle - times, 0.0)
        cusps = np.maximum(self.t[:, None] - times, 0.0) - self.design(self.t) @ ramps
        g, rough = whiten(self.design(self.t), cusps, variance, r)[1], _differences(ramps)
        border = rows.T @ g / self.sigma2 - _adjoint(rough / self.q[:, None])
        own = (g**2).sum(axis=0) / self.sigma2 + (rough**2 / self.q[:, None]).sum(axis=0) - (border * self.A.solve(border)).sum(axis=0)
        pull = g.T @ (targets - rows @ self.a) / self.sigma2 + rough.T @ (_differences(self.a) / self.q[:, None])
        most, prior = pull / own[:, None], jump_sigma**2
        # What the data say of the jump, N(most, 1/own), against no jump, and against the jump that is expected.
        off = ((most - jump) ** 2).sum(axis=1) / (1 / own + prior)
        return 0.5 * ((most**2).sum(axis=1) * own - off - self.a.shape[1] * np.log1p(own * prior))

    def _pool(self, z: np.ndarray) -> np.ndarray:
        """Sum over neighbours in time, each counted by the Gaussian (1 at its middle)."""
        from scipy.ndimage import gaussian_filter1d

        width = _POOLED / self.step
        return gaussian_filter1d(z, width, mode="constant", truncate=6) * width * np.sqrt(2 * np.pi)

    def _spread(self, B, g: np.ndarray) -> np.ndarray:
        """Variance of each row of (B, g): diag(B A^-1 B^T), and what the kink adds; rows of B reach over no more than the band."""
        C = self.A.inverse_bands()
        first, values = _dense_rows(B)
        loose = g - B @ self._u
        total = np.einsum("ne,ef,nf->n", loose, self._s, loose)
        for i in range(values.shape[1]):
            for j in range(i, values.shape[1]):
                at = np.minimum(first + i, self.size - 1)
                total += (1 if i == j else 2) * values[:, i] * values[:, j] * C[j - i, at]
        return total

    def _ramp(self) -> np.ndarray:
        """(size, 1) coefficients of the ramp (t - tau)+, exact but around tau; (size, 0) without a kink."""
        if self.kink is None:
            return np.zeros((self.size, 0))
        return np.maximum(self._middles() - self.kink, 0.0)[:, None]

    def _middles(self) -> np.ndarray:
        """(size,) times of the B-splines' middles."""
        return self.t[0] + self.step * (np.arange(self.size) - (DEGREE - 1) / 2)

    def _cusp(self, t: np.ndarray, nu: int = 0) -> np.ndarray:
        """(len(t), 1) of g, or its derivative, with the velocity after the jump at tau itself."""
        if self.kink is None:
            return np.zeros((len(t), 0))
        after = np.asarray(t) >= self.kink
        ramp = (np.where(after, t - self.kink, 0.0), after.astype(float), np.zeros(len(t)))[nu]
        return ramp[:, None] - self.design(t, nu) @ self._ramp()

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
        return self.design(t, nu) @ self.a + self._cusp(t, nu) @ self.c

    def sigma(self, t: np.ndarray, nu: int = 0) -> np.ndarray:
        """(len(t),) standard error of each coordinate of :meth:`mean`."""
        return np.sqrt(np.maximum(self._spread(self.design(t, nu), self._cusp(t, nu)), 0.0))

    def draw(self, t: np.ndarray, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(len(t), k, count) values and rates of curves drawn from what the data leave open."""
        k = self.a.shape[1]
        noise = self.A.sample(rng.normal(size=(self.size, k * count)))
        c = np.sqrt(self._s.sum()) * rng.normal(size=(self.c.shape[0], k * count))
        noise -= self._u @ c
        curves = (
            self.mean(t, nu)[:, :, None] + (self.design(t, nu) @ noise + self._cusp(t, nu) @ c).reshape(len(t), k, count) for nu in (0, 1)
        )
        return tuple(curves)


def _noise_level(t: np.ndarray, y: np.ndarray, variance: np.ndarray, phi: float) -> float:
    """Factor of the noise's variance as four samples in a row tell it, by the median, which a swing hardly moves."""
    four = np.arange(len(t) - 3)[:, None] + np.arange(4)
    c = cubic_contrast(t[four])
    left = np.einsum("nj,njk->nk", c, y[four]) ** 2
    # On even times noise that is correlated by phi leaves 20 - 30 phi + 12 phi² - 2 phi³ in a third difference, white noise 20.
    kept = 1 - 1.5 * phi + 0.6 * phi**2 - 0.1 * phi**3
    return float(np.median(left / (kept * (c**2 * variance[four]).sum(axis=1, keepdims=True)))) / 0.4549 + 1e-9


def _differences(a: np.ndarray) -> np.ndarray:
    """D a along the first axis."""
    return np.diff(a, DIFFERENCES, axis=0)


def _adjoint(z: np.ndarray) -> np.ndarray:
    """D^T z."""
    out = np.zeros((len(z) + DIFFERENCES, z.shape[1]))
    for j, weight in enumerate(_DIFF):
        out[j : j + len(z)] += weight * z
    return out


def whiten(B, y: np.ndarray, variance: np.ndarray, r: np.ndarray):
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


def prior_bands(weight: np.ndarray, width: int) -> np.ndarray:
    """Bands of D^T diag(weight) D for the fourth difference D."""
    size = len(weight) + DIFFERENCES
    out = np.zeros((width + 1, size))
    for j in range(DIFFERENCES + 1):
        out[j, : size - j] = np.convolve(weight, _DIFF[: DIFFERENCES + 1 - j] * _DIFF[j:])
    return out


def _twice(width: int) -> np.ndarray:
    """Every diagonal but the main one stands for two."""
    return np.r_[1.0, np.full(width, 2.0)][:, None]


def _difference_variance(C: np.ndarray) -> np.ndarray:
    """diag(D C D^T) from the bands of C."""
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
