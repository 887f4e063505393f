"""Lagged correlation and effective samples against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.compare.lagged import (
    correlate,
    correlate_published,
    effective_samples,
    effective_samples_published,
    find_peak,
    is_still,
)


def burst(t, at, fwhm=0.12):
    return np.exp(-4 * np.log(2) * ((t - at) / fwhm) ** 2)


def test_correlation_is_pearson_of_the_overlap():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 40))
    x[5] = y[30] = np.nan
    rho = correlate(x[None], y[None], 6)[:, 0, 0]
    for lag in range(-6, 7):
        a, b = (x[: 40 - lag], y[lag:]) if lag >= 0 else (x[-lag:], y[: 40 + lag])
        both = np.isfinite(a) & np.isfinite(b)
        # The sums are those of 40 numbers near 1: rounding only.
        assert rho[lag + 6] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], abs=1e-12)


def test_each_leader_meets_each_follower_in_batches():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(3, 2, 30)), rng.normal(size=(3, 4, 30))
    rho = correlate(x, y, 3)
    assert rho.shape == (7, 3, 2, 4)
    np.testing.assert_allclose(rho[:, 2, 1, 3], correlate(x[2, 1][None], y[2, 3][None], 3)[:, 0, 0], atol=1e-12)


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_offset_do_not_matter_and_roles_mirror(seed, scale, offset):
    x, y = np.random.default_rng(seed).normal(size=(2, 25))
    rho = correlate(x[None], y[None], 5)[:, 0, 0]
    # An offset of 50 on numbers near 1, or a scale of 100, costs two to four of sixteen digits.
    np.testing.assert_allclose(correlate(scale * x[None] + offset, y[None], 5)[:, 0, 0], rho, atol=1e-9)
    np.testing.assert_allclose(correlate(y[None], x[None], 5)[::-1, 0, 0], rho, atol=1e-12)


def test_too_little_overlap_and_stillness_are_nan():
    x = np.random.default_rng(2).normal(size=30)
    gap = np.where(np.arange(30) < 13, np.nan, x)
    assert np.isnan(correlate(x[None], gap[None], 2)).all()  # 17 of 30 are under 0.6
    assert np.isnan(correlate(x[None], np.full((1, 30), 3.0), 2)).all()


@given(st.floats(-0.12, 0.12))
def test_lag_between_samples(lag):
    t = np.arange(0, 1, 1 / 30)
    rho = correlate(burst(t, 0.5 - lag / 2)[None], burst(t, 0.5 + lag / 2)[None], 6)
    height, found = find_peak(rho, 1 / 30)
    # The correlation of two such bursts is a Gaussian of FWHM 0.17 s about the lag; the parabola through three of its samples 33 ms apart
    # is off by at most 2.5 ms, a quarter of what whole frames are off by on average (9.6 ms RMS).
    assert found[0, 0] == pytest.approx(lag, abs=2.5e-3)
    assert height[0, 0] > 0.97


def test_a_peak_at_the_last_lag_is_none():
    t = np.arange(0, 1, 1 / 30)
    height, lag = find_peak(correlate(burst(t, 0.3)[None], burst(t, 0.6)[None], 4), 1 / 30)
    assert np.isnan(lag).all() and np.isnan(height).all()


def test_published_correlation_is_the_full_sum_over_t():
    x, y = np.random.default_rng(3).normal(size=(2, 20))
    a, b = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    rho = correlate_published(x, y, 4)
    for lag in range(-4, 5):
        pairs = [(k, k + lag) for k in range(20) if 0 <= k + lag < 20]
        assert rho[lag + 4] == pytest.approx(sum(a[i] * b[j] for i, j in pairs) / 20, abs=1e-12)
    assert len(correlate_published(x[:3], y[:3], 10)) == 5  # lags beyond T - 1 hold nothing


def test_published_lag_is_positive_where_the_first_leads():
    t = np.arange(60) / 30
    rho = correlate_published(burst(t, 0.9), burst(t, 1.0), 12)
    assert rho.argmax() - 12 == 3  # 0.1 s at 30 frames a second


def test_effective_samples():
    rng = np.random.default_rng(4)
    white = rng.normal(size=(2, 4000))
    # 1 + 2 sum r r over 4,000 lags of products near 1/4,000 each: within 10 % of 1.
    assert effective_samples(*white) == pytest.approx(4000, rel=0.1)
    t = np.arange(60) / 30
    assert effective_samples(burst(t, 0.9), burst(t, 1.0)) < 15  # of 60 frames one burst spans about 8
    assert np.isnan(effective_samples(np.ones(10), white[0, :10]))
    x, y = white[:, :50]
    r = [np.corrcoef(part[:-1], part[1:])[0, 1] for part in (x, y)]
    assert effective_samples_published(x, y) == pytest.approx(50 * (1 - r[0] * r[1]) / (1 + r[0] * r[1]))


def test_stillness():
    assert is_still(np.full(5, 7.0)) and is_still(np.array([np.nan, np.nan])) and not is_still(np.array([0.0, 1e-3]))
