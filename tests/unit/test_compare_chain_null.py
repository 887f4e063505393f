"""Re-pairing between clips: right under independence, strong under a link, honest where it can tell nothing; and paths through graphs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.compare.chain_graph import BAT, Edge, cut_at, heaviest_path, path_edges
from kinetics.compare.chain_null import adjust, count_needed, repair_clips

GRID = np.arange(-0.6, 0.4, 0.02)


def series(times, rng, noise=0.05):
    """(N, K, n) bursts of FWHM 0.14 s at (N, K) times."""
    clean = np.exp(-4 * np.log(2) * ((GRID - times[..., None]) / 0.14) ** 2)
    return clean + rng.normal(scale=noise, size=clean.shape)


def test_false_positives_of_independent_segments_are_as_many_as_said():
    rng = np.random.default_rng(0)
    p = []
    for trial in range(14):
        test = repair_clips(series(-0.1 + rng.normal(scale=0.06, size=(8, 8)), rng), 10, np.ones((8, 8), bool), draws=199, seed=trial)
        p += test.p[np.triu_indices(8, 1)].tolist()
    # 392 pairs at 5 %: binomial standard deviation 1.1 %; three of them, and a tenth for the 200 steps of p.
    assert 0.05 - 0.034 <= np.mean(np.array(p) <= 0.05) <= 0.05 + 0.034
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)  # uniform: 0.29/sqrt(392) is 0.015, four of them


def test_power_with_eight_clips_and_a_lag_of_two_frames():
    rng = np.random.default_rng(1)
    found = []
    for trial in range(20):
        leader = rng.normal(scale=0.06, size=8)
        times = np.stack([leader, leader + 2 / 30 + rng.normal(scale=0.01, size=8)], axis=1) - 0.1
        found.append(repair_clips(series(times, rng), 10, np.ones((2, 2), bool), draws=199, seed=trial).p[0, 1] <= 0.05)
    # Of 20 at a power of 95 % fewer than 17 come in 1.6 % of suites; the seed is fixed.
    assert np.mean(found) >= 0.85


def test_all_pairings_are_tried_when_they_are_few():
    rng = np.random.default_rng(2)
    times = -0.1 + np.array([-0.15, -0.05, 0.05, 0.15])[:, None] + np.array([0, 0.06])
    test = repair_clips(series(times, rng, noise=0), 8, np.ones((2, 2), bool))
    assert test.p[0, 1] == pytest.approx(1 / 24)  # the true pairing is the best of 4!
    assert count_needed(0.05) == 4 and count_needed(0.5) == 2 and count_needed(0.001) == 7


def test_what_cannot_be_tested_is_nan():
    rng = np.random.default_rng(3)
    velocity = series(-0.1 + rng.normal(scale=0.06, size=(6, 3)), rng)
    velocity[:4, 2] = np.nan
    test = repair_clips(velocity, 8, np.ones((3, 3), bool))
    assert np.isfinite(test.p[0, 1]) and np.isnan(test.p[0, 2]) and np.isnan(test.p[1, 2])  # two clips hold the third
    assert np.isnan(repair_clips(velocity, 8, np.eye(3, dtype=bool)).p).all()


def test_a_segment_missing_in_one_clip_is_re_paired_among_the_others():
    rng = np.random.default_rng(4)
    leader = rng.normal(scale=0.08, size=8)
    velocity = series(np.stack([leader, leader + 0.06], axis=1) - 0.1, rng)
    velocity[3, 1] = np.nan
    assert repair_clips(velocity, 10, np.ones((2, 2), bool)).p[0, 1] <= 0.01  # of 2,000 pairings of seven clips hardly one does as well


def test_same_seed_same_p_and_cancel_passes_through():
    rng = np.random.default_rng(5)
    velocity = series(-0.1 + rng.normal(scale=0.06, size=(8, 3)), rng)
    first, second = (repair_clips(velocity, 8, np.ones((3, 3), bool), draws=99, seed=7).p for _ in range(2))
    np.testing.assert_array_equal(first, second)

    def cancel(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        repair_clips(velocity, 8, np.ones((3, 3), bool), draws=99, progress=cancel)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_adjusted_p_follows_benjamini_and_hochberg(p):
    adjusted = adjust(p)
    for alpha in (0.05, 0.2, 0.7):
        ordered = np.sort(p)
        passing = np.flatnonzero(ordered <= alpha * np.arange(1, len(p) + 1) / len(p) + 1e-15)
        cut = ordered[passing[-1]] if len(passing) else -1.0
        # Where a p lies on the line itself, rounding may fall either way.
        near = np.isclose(adjusted, alpha, rtol=1e-12)
        assert ((adjusted <= alpha) == (np.array(p) <= cut))[~near].all()
    assert (adjusted >= np.array(p) - 1e-15).all()


def test_missing_p_does_not_count():
    adjusted = adjust([0.01, np.nan, 0.04])
    np.testing.assert_allclose(adjusted[[0, 2]], [0.02, 0.04])
    assert np.isnan(adjusted[1])


def test_heaviest_path_ends_at_the_bat_even_where_a_longer_one_does_not():
    edges = [
        Edge("left_ankle", "left_knee", 0.5, 0.04), Edge("left_knee", BAT, 0.5, 0.04), Edge("left_ankle", BAT, 0.9, 0.08),
        Edge("left_knee", "left_elbow", 0.9, 0.02), Edge("left_elbow", "left_wrist", 0.9, 0.02), Edge("left_elbow", BAT, 0.4, 0.02),
    ]  # fmt: skip
    path = heaviest_path(edges)
    assert path == ("left_ankle", "left_knee", "left_elbow", BAT)
    assert [edge.weight for edge in path_edges(path, edges)] == [0.5, 0.9, 0.4]
    whole = heaviest_path(edges, sources=None, target=None)
    assert whole == ("left_ankle", "left_knee", "left_elbow", "left_wrist") and cut_at(whole) == whole
    assert cut_at(("left_hip", BAT, "left_elbow")) == ("left_hip", BAT)


def test_no_way_to_the_bat_and_none_from_the_ground():
    assert heaviest_path([]) == ()
    assert heaviest_path([Edge("left_ankle", "left_knee", 0.9, 0.04)]) == ()
    assert heaviest_path([Edge("left_wrist", BAT, 0.9, 0.04)]) == ()
    with pytest.raises(ValueError, match="circle"):
        heaviest_path([Edge("left_hip", "pelvis", 0.5, 0.04), Edge("pelvis", "left_hip", 0.5, 0.04)])


@given(st.integers(0, 10_000))
def test_heaviest_path_is_that_of_trying_all(seed):
    rng = np.random.default_rng(seed)
    nodes = ("left_ankle", "pelvis", "left_knee", "left_elbow", "left_wrist", BAT)
    weights = {(i, j): float(rng.uniform(0.4, 1)) for i in range(6) for j in range(i + 1, 6) if rng.random() < 0.4}
    best, way = 0.0, ()
    for length in range(2, 7):
        for order in permutations(range(6), length):
            steps = list(zip(order[:-1], order[1:], strict=True))
            if order[0] in (0, 1) and order[-1] == 5 and all(step in weights for step in steps):
                total = sum(weights[step] for step in steps)
                if total > best:
                    best, way = total, tuple(nodes[k] for k in order)
    assert heaviest_path([Edge(nodes[i], nodes[j], weight, 0.04) for (i, j), weight in weights.items()]) == way
