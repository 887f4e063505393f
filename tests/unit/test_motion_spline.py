"""Banded equations against dense ones; the spline against the formula it stands for, written out densely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.motion.banded import Banded
from kinetics.motion.bat_fit import BatFit, fit_track
from kinetics.motion.spline import DIFFERENCES, PenalisedSpline


def banded(n: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A positive definite matrix with ``width`` diagonals on either side, and its bands."""
    rng = np.random.default_rng(seed)
    lower = np.tril(np.triu(rng.normal(size=(n, n)), -width))
    matrix = lower @ lower.T + np.eye(n)
    bands = np.zeros((width + 1, n))
    for j in range(min(width + 1, n)):
        bands[j, : n - j] = np.diag(matrix, -j)
    return matrix, bands


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_banded_equations_are_the_dense_ones(n, width, seed):
    matrix, bands = banded(n, width, seed)
    solver = Banded(bands)
    y = np.random.default_rng(seed).normal(size=(n, 3))
    # Rounding times the condition number, below 1e5 here.
    np.testing.assert_allclose(solver.solve(y), np.linalg.solve(matrix, y), atol=1e-9)
    np.testing.assert_allclose(solver.log_det, np.linalg.slogdet(matrix)[1], rtol=1e-9, atol=1e-9)
    inverse = np.linalg.inv(matrix)
    for j in range(min(width + 1, n)):
        np.testing.assert_allclose(solver.inverse_bands()[j, : n - j], np.diag(inverse, -j), atol=1e-9)
    # L^-T turns unit noise into A^-1.
    root = solver.sample(np.eye(n))
    if root.shape == (n, n):
        covered = sum(np.outer(column, column) for column in solver.sample(np.eye(n)).T)
        np.testing.assert_allclose(covered, inverse, atol=1e-8)


def test_not_positive_definite_is_said():
    with pytest.raises(np.linalg.LinAlgError):
        Banded(np.array([[1.0, -1.0, 1.0]]))


def wave(n: int = 80, fps: float = 25.0, noise: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    t = np.arange(n) / fps
    y = np.stack([80 * np.sin(4 * t), 50 * np.cos(3 * t) + 20 * t], axis=1)
    return t, y, y + noise * rng.normal(size=y.shape)


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_fit_and_error_are_those_of_the_posterior(phi):
    t, _, y = wave()
    gone = np.isin(np.arange(80), [30, 31, 60])
    t, y = t[~gone], y[~gone]
    variance = np.random.default_rng(1).uniform(0.5, 2, len(t))
    fit = PenalisedSpline(t, y, variance, phi=phi)
    B, D = fit.design(t).toarray(), np.diff(np.eye(fit.size), DIFFERENCES, axis=0)
    apart = np.diff(t) * 25
    correlation = np.where(apart < 3.5, phi**apart, 0.0) if phi else np.zeros(len(apart))
    # AR(1) covariance from step to step: products of the correlations between.
    R = np.eye(len(t))
    for i in range(len(t)):
        for j in range(i):
            R[i, j] = R[j, i] = np.prod(correlation[j:i])
    R *= np.sqrt(np.outer(variance, variance)) * fit.sigma2
    whiten = np.linalg.inv(np.linalg.cholesky(R))
    X, Y = np.vstack([whiten @ B, D / np.sqrt(fit.q)[:, None]]), np.vstack([whiten @ y, np.zeros((len(D), 2))])
    # The same least squares densely, by singular values. The normal equations have a condition number up to 1e14: a second turn of the
    # solver takes most of it out of the curve (0.001 of the noise is left), and the second derivative's sigma is good to some percent.
    a = np.linalg.lstsq(X, Y, rcond=None)[0]
    root = np.linalg.pinv(X, rcond=1e-13)
    np.testing.assert_allclose(fit.mean(t), B @ a, atol=2e-3)
    for nu, rtol in ((0, 5e-3), (1, 2e-2), (2, 0.1)):
        dense = fit.design(t, nu).toarray()
        np.testing.assert_allclose(fit.sigma(t, nu), np.sqrt(((dense @ root) ** 2).sum(axis=1)), rtol=rtol)
    many = fit.draw(t, np.random.default_rng(2), 4000)[1][:, 0]
    # 4,000 draws know a standard deviation to 1.1 %, the largest of 77 strays four times that.
    np.testing.assert_allclose(many.std(axis=1) / fit.sigma(t, 1), 1.0, atol=0.06)


def test_a_kink_is_one_more_unknown():
    t, _, y = wave()
    tau = 1.503
    y = y + np.outer(np.maximum(t - tau, 0), [-120.0, 80.0])
    fit = PenalisedSpline(t, y, kink=tau, jump=(-80.0, 60.0), jump_sigma=60.0)
    ramp = np.maximum(t - tau, 0)[:, None]
    B, D = fit.design(t).toarray(), np.diff(np.eye(fit.size), DIFFERENCES, axis=0)
    # f = B a' + c (t - tau)+ with the roughness of B a' penalised: the unknowns are other ones, the curve is the same.
    s, root = np.sqrt(fit.sigma2), np.sqrt(fit.q)[:, None]
    X = np.block([[B / s, ramp / s], [D / root, np.zeros((len(D), 1))], [np.zeros((1, fit.size)), np.array([[1 / 60]])]])
    Y = np.vstack([y / s, np.zeros((len(D), 2)), np.array([[-80.0, 60.0]]) / 60])
    solution, inverse = np.linalg.lstsq(X, Y, rcond=None)[0], np.linalg.pinv(X, rcond=1e-13)
    np.testing.assert_allclose(fit.mean(t), np.hstack([B, ramp]) @ solution, atol=1e-4)
    np.testing.assert_allclose(fit.jumped, solution[-1], rtol=1e-4)
    rows = np.hstack([fit.design(t, 1).toarray(), (t >= tau).astype(float)[:, None]])
    np.testing.assert_allclose(fit.sigma(t, 1), np.sqrt(((rows @ inverse) ** 2).sum(axis=1)), rtol=2e-3)
    np.testing.assert_allclose(np.diff(fit.mean(np.array([tau - 1e-9, tau]), 1), axis=0)[0], fit.jumped, atol=1e-3)
    place, rate = fit.draw(t, np.random.default_rng(0), 4000)
    np.testing.assert_allclose(rate[:, 0].std(axis=1) / fit.sigma(t, 1), 1.0, atol=0.06)
    np.testing.assert_allclose(place.mean(axis=2), fit.mean(t), atol=0.1)
    # The jump is found to its own error, and the likelihood says where it is: not 0.2 s off.
    assert np.abs(fit.jumped - [-120, 80]).max() < 3 * np.sqrt(inverse[-1] @ inverse[-1])
    plain = PenalisedSpline(t, y)
    gains = plain.gain_by_kink(np.array([tau - 0.2, tau, tau + 0.2]), np.tile([-80.0, 60.0], (3, 1)), np.full(3, 60.0))
    assert gains.argmax() == 1 and plain.deviance - fit.deviance > 3 and gains[1] > 3


def test_gain_by_a_kink_is_that_of_the_likelihood():
    t, _, y = wave(n=40)
    fit = PenalisedSpline(t, y)
    B = fit.design(t).toarray()
    # Evidence of what is in y beside polynomials, under the same roughness, with and without the ramp.
    D = np.diff(np.eye(fit.size), DIFFERENCES, axis=0)
    free = B @ np.vander(np.linspace(-1, 1, fit.size), DIFFERENCES)
    beside = np.linalg.qr(free, mode="complete")[0][:, DIFFERENCES:].T
    spread = beside @ B @ np.linalg.pinv(D) * np.sqrt(fit.q)
    cov = spread @ spread.T + fit.sigma2 * np.eye(len(beside))
    tau, jump, sigma = 0.81, np.array([20.0, -10.0]), 25.0

    def log_likelihood(cov, mean):
        return sum(-0.5 * (np.linalg.slogdet(cov)[1] + off @ np.linalg.solve(cov, off)) for off in (y - mean).T)

    y, ramp = beside @ y, beside @ np.maximum(t - tau, 0)
    true = log_likelihood(cov + sigma**2 * np.outer(ramp, ramp), np.outer(ramp, jump)) - log_likelihood(cov, 0 * y)
    # Covariances of condition 1e9.
    np.testing.assert_allclose(fit.gain_by_kink(np.array([tau]), jump[None], np.array([sigma])), true, atol=1e-3)


def test_design_differentiates():
    t, *_ = wave()
    fit = PenalisedSpline(t, np.stack([t**3 - t, 2 * t**2], axis=1) * 10)
    inner = np.linspace(0.3, 2.8, 40)
    h = 1e-4
    for nu in (1, 2):
        slope = (fit.mean(inner + h, nu - 1) - fit.mean(inner - h, nu - 1)) / (2 * h)
        np.testing.assert_allclose(fit.mean(inner, nu), slope, atol=1e-4)
    # Cubics cost nothing, so without noise they come back.
    np.testing.assert_allclose(fit.mean(inner), np.stack([inner**3 - inner, 2 * inner**2], axis=1) * 10, atol=1e-4)


def test_noise_is_found_and_uneven_times_are_as_good():
    rng = np.random.default_rng(3)
    for t in (np.arange(150) / 30, (np.arange(150) + rng.uniform(-0.3, 0.3, 150)) / 30):
        truth = np.stack([80 * np.sin(4 * t), 50 * np.cos(3 * t)], axis=1)
        fit = PenalisedSpline(t, truth + 2 * rng.normal(size=truth.shape))
        # 300 numbers less about 40 for the curve know sigma to 4.4 %.
        assert abs(np.sqrt(fit.sigma2) / 2 - 1) < 0.15
        z = (fit.mean(t, 1) - np.stack([320 * np.cos(4 * t), -150 * np.sin(3 * t)], axis=1)) / fit.sigma(t, 1)[:, None]
        assert 0.5 < np.mean(np.abs(z) < 1) < 0.9 and np.mean(np.abs(z) < 2) > 0.85
    known = PenalisedSpline(t, truth + 2 * rng.normal(size=truth.shape), np.full(150, 4.0), known=True)
    assert known.sigma2 == 1.0


@pytest.mark.parametrize("track", [np.zeros((20, 2)), np.outer(np.arange(20), [3.0, -1.0]), np.full((20, 2), 1e4)])
def test_a_track_that_hardly_moves_is_no_trouble(track):
    t = np.arange(20) / 25
    fit = PenalisedSpline(t, track)
    np.testing.assert_allclose(fit.mean(t), track, atol=1e-3)
    assert np.isfinite(fit.sigma(t, 1)).all()


def test_long_tracks_cost_what_they_are_long():
    t, truth, y = wave(n=3000)
    fit = PenalisedSpline(t, y)
    assert fit.A.inverse_bands().nbytes < 1e6
    assert np.sqrt(np.mean((fit.mean(t) - truth) ** 2)) < 0.6


def test_outliers_are_found_and_a_swing_is_none():
    rng = np.random.default_rng(4)
    t = np.arange(75) / 25
    swing = 900 * np.tanh((t - 1.5) / 0.06)  # 15,000 px/s at its fastest, five frames from end to end
    truth = np.stack([swing, 30 * np.sin(2 * t)], axis=1)
    y = truth + rng.normal(0, 1, truth.shape)
    assert fit_track(t, y, np.ones(75), None, True)[1].sum() >= 74
    y[[10, 37, 50]] += [[25, 10], [0, 60], [-30, 0]]
    fit, kept, _ = fit_track(t, y, np.ones(75), None, True)
    assert set(np.flatnonzero(~kept)) >= {10, 37, 50} and kept.sum() >= 71
    assert abs(np.sqrt(fit.sigma2) - 1) < 0.3


def test_correlated_noise_is_recognised():
    rng = np.random.default_rng(5)
    t = np.arange(300) / 50
    noise = rng.normal(size=(300, 2))
    for i in range(1, 300):
        noise[i] = 0.7 * noise[i - 1] + np.sqrt(1 - 0.49) * noise[i]
    base = np.stack([60 * np.sin(2 * t), 40 * np.cos(2 * t)], axis=1)
    assert fit_track(t, base + 2 * noise, np.ones(300), None, False)[2] == 0.5
    assert fit_track(t, base + 2 * rng.normal(size=base.shape), np.ones(300), None, False)[2] <= 0.25


def test_bat_fit_draws_agree_with_their_own_derivatives():
    t = np.arange(100) / 50
    turn = 8 * np.sin(2 * t)
    hands = np.stack([100 * t, 20 * np.sin(t)], axis=1)
    tip = hands + 200 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rng = np.random.default_rng(6)
    fit = BatFit(t, hands + rng.normal(0, 1, hands.shape), tip + rng.normal(0, 1, tip.shape), np.ones(100), np.ones(100), True)
    fine = np.linspace(0.3, 1.7, 1401)
    found = fit.draw(fine, rng, 6)
    # d/dt arg(bat) by differences of 1 ms; the frame's angle is kept on a grid of 2 ms.
    slopes = np.gradient(np.unwrap(np.angle(found.bat), axis=0), fine, axis=0)
    np.testing.assert_allclose(found.turn[2:-2], slopes[2:-2], atol=0.15)
    assert np.abs(found.turn.mean(axis=1) - 16 * np.cos(2 * fine)).max() < 1.5
    assert np.abs(found.velocity.mean(axis=1).real - (100 - 200 * 16 * np.cos(2 * fine) * np.sin(8 * np.sin(2 * fine)))).max() < 200
