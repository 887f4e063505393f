"""Bounds are never more than the cost they bound, in any band and at any lengths; warping within a limit gives dtw's own costs."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kinetics.archive import banded, bounds
from kinetics.compare.dtw import dtw, load_compiled
from kinetics.compare.wavefront import limits

#: Sums in another order: 1e-12 of some tens of squares.
ROUNDING = 1e-9

LENGTHS = st.integers(1, 14)
RADII = st.one_of(st.none(), st.integers(0, 5), st.just(40))


def draw(seed: int, frames: int, columns: int, width: int, count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A walk and some others, one of them on the walk where it can be."""
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(frames, width)).cumsum(axis=0)
    shots = rng.normal(size=(count, columns, width)).cumsum(axis=1)
    shots[0] = query[np.linspace(0, frames - 1, columns).round().astype(int)]
    # Kept in float32, as an archive keeps them.
    return query.astype(np.float32).astype(np.float64), shots.astype(np.float32).astype(np.float64)


def costs(query, shots, radius):
    return np.array([dtw(query, shot, radius, kernel="numpy").cost for shot in shots])


@given(st.integers(0, 10_000), LENGTHS, LENGTHS, RADII)
def test_an_envelope_holds_what_the_band_lets_a_frame_meet(seed, frames, columns, radius):
    _, shots = draw(seed, frames, columns, 2)
    upper, lower = bounds.find_envelope(shots, frames, radius)
    assert upper.shape == lower.shape == (5, frames, 2)
    for i, (begin, end) in enumerate(zip(*limits(frames, columns, radius), strict=True)):
        np.testing.assert_array_equal(upper[:, i], shots[:, begin:end].max(axis=1))
        np.testing.assert_array_equal(lower[:, i], shots[:, begin:end].min(axis=1))


@given(st.integers(0, 10_000), LENGTHS, LENGTHS, st.integers(1, 6), RADII)
@example(0, 1, 1, 2, 0)
@example(0, 1, 9, 2, 0)
@example(0, 9, 1, 2, 0)
def test_close_bounds_are_never_more_than_the_cost(seed, frames, columns, width, radius):
    query, shots = draw(seed, frames, columns, width)
    truth = costs(query, shots, radius)
    left, bound, rows = bounds.bound_closely(query, shots, radius, np.inf)
    np.testing.assert_array_equal(left, np.arange(len(shots)))
    assert (bound <= truth * (1 + ROUNDING)).all() and (rows.sum(axis=1) <= bound * (1 + ROUNDING)).all()
    if frames == columns:
        assert bound[0] == 0  # a copy is bounded by exactly nothing
    limit = float(np.median(truth))
    assert set(np.flatnonzero(truth <= limit)) <= set(bounds.bound_closely(query, shots, radius, limit * (1 + ROUNDING))[0])


@given(st.integers(0, 10_000), LENGTHS, LENGTHS, st.integers(1, 6), RADII, st.sampled_from([1e-4, 1.0, 1e4]), st.floats(-1e3, 1e3))
def test_rough_bounds_hold_in_spite_of_what_float32_loses(seed, frames, columns, width, radius, size, place):
    query, shots = draw(seed, frames, columns, width)
    query, shots = ((size * x + place).astype(np.float32).astype(np.float64) for x in (query, shots))
    axes = bounds.find_axes(np.concatenate(list(shots)), max(1, width - 1))
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-12)
    truth = costs(query, shots, radius)
    for compiled in (False, True) if load_compiled() else (False,):
        rough = bounds.bound_roughly(query @ axes, (shots @ axes).astype(np.float32), radius, compiled)
        assert (rough <= truth * (1 + ROUNDING) + 1e-30).all()


@given(st.integers(0, 10_000), LENGTHS, LENGTHS, st.integers(1, 6), RADII, st.floats(0, 1.2))
def test_warping_within_a_limit_gives_the_costs_up_to_it(seed, frames, columns, width, radius, part):
    query, shots = draw(seed, frames, columns, width)
    truth = costs(query, shots, radius)
    limit = part * float(truth.max()) * (1 + ROUNDING)
    left, _, rows = bounds.bound_closely(query, shots, radius, limit)
    cost, cells = banded.warp_within(query, shots[left], radius, rows, limit)
    assert 0 <= cells <= len(left) * banded.count_cells(frames, columns, radius)
    answers = {"numpy": np.full(len(shots), np.inf)}
    answers["numpy"][left] = cost
    if load_compiled():
        from kinetics.archive.banded_compiled import warp_near

        answers["numba"], warped, cells = warp_near(query, shots, radius, limit)
        assert warped <= len(shots) and cells <= warped * banded.count_cells(frames, columns, radius)
    for answer in answers.values():
        near = truth <= limit / (1 + ROUNDING)
        np.testing.assert_allclose(answer[near], truth[near], rtol=ROUNDING, atol=1e-30)
        given_up = ~np.isfinite(answer)
        assert (truth[given_up] > limit * (1 - ROUNDING)).all()


def test_a_whole_band_counts_every_cell():
    assert banded.count_cells(30, 30, None) == 900
    assert banded.count_cells(30, 30, 0) == 30
    assert banded.count_cells(4, 6, 1) == sum(high - low for low, high in zip(*limits(4, 6, 1), strict=True))


@pytest.mark.parametrize("columns", (20, 33))
def test_far_shots_are_given_up_after_a_few_cells(columns):
    rng = np.random.default_rng(0)
    query, near = rng.normal(size=(30, 4)), rng.normal(size=(columns, 4))
    shots = np.stack([near, near + 100])
    limit = 2 * dtw(query, near, 3).cost
    _, cells = banded.warp_within(query, shots, 3, np.zeros((2, 30)), limit)
    first, last = limits(30, columns, 3)
    assert cells == banded.count_cells(30, columns, 3) + last[0] - first[0]  # the far one's first row
