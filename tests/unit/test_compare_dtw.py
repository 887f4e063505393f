"""The warping itself: cost and path against the recurrence written out, in every kernel that can be imported here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.compare import dtw as dtw_module
from kinetics.compare import wavefront
from kinetics.compare.dtw import dtw, estimate_memory, load_compiled
from kinetics.compare.local_cost import LocalCost
from kinetics.errors import KineticsError

KERNELS = ("numpy", "numba") if load_compiled() else ("numpy",)


def written_out(f, g, radius=None, weights=None, begin=False, end=False):
    """D(i, j) = c + min(diagonal, up, left) cell by cell; ties to the diagonal, then up. Cost and path."""
    rows, columns = len(f), len(g)
    squares = (f[:, None] - g[None]) ** 2
    if weights is None:
        local = squares.sum(axis=2)
    else:
        both = weights[0][:, None] * weights[1][None]
        with np.errstate(invalid="ignore"):
            local = f.shape[1] * (both * squares).sum(axis=2) / both.sum(axis=2)
        local[np.isnan(local)] = np.inf
    if radius is not None:
        i, j = np.indices(local.shape)
        local[(j - i < -radius - max(0, rows - columns)) | (j - i > radius + max(0, columns - rows))] = np.inf
    table = np.full((rows + 1, columns + 1), np.inf)
    table[0, 0] = 0.0
    if begin:
        table[0] = 0.0
    for i in range(rows):
        for j in range(columns):
            table[i + 1, j + 1] = local[i, j] + min(table[i, j], table[i, j + 1], table[i + 1, j])
    i, j = rows - 1, int(table[-1, 1:].argmin()) if end else columns - 1
    cost, path = table[i + 1, j + 1], []
    while i >= 0:
        path.append((i, j))
        diagonal, up, left = table[i, j], table[i, j + 1], table[i + 1, j]
        if diagonal <= up and diagonal <= left:
            i, j = i - 1, j - 1
        elif up <= left:
            i -= 1
        else:
            j -= 1
    return cost, np.array(path[::-1])


def walk(rng, frames, width):
    return rng.normal(size=(frames, width)).cumsum(axis=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_200_random_pairs_of_unequal_length_as_the_recurrence_says(kernel):
    rng = np.random.default_rng(1)
    for n in range(200):
        f, g = (walk(rng, int(rng.integers(1, 60)), 5) for _ in range(2))
        radius = None if n % 2 else int(rng.integers(0, 12))
        cost, path = written_out(f, g, radius)
        found = dtw(f, g, radius, kernel=kernel)
        assert found.cost == pytest.approx(cost, rel=1e-9)  # asked for by the issue; the order of summation is all that differs
        assert np.array_equal(found.path, path)
        assert found.kernel == kernel and found.band == radius


@pytest.mark.parametrize("kernel", KERNELS)
def test_ties_go_to_the_diagonal_then_up(kernel):
    rng = np.random.default_rng(2)
    for _ in range(150):
        # Small whole numbers tie everywhere, and every sum of them is exact, wherever their mean lies.
        f, g = (rng.integers(0, 3, (int(rng.integers(1, 14)), 2)).astype(float) + 500 for _ in range(2))
        assert np.array_equal(dtw(f, g, kernel=kernel).path, written_out(f, g)[1])
    still = np.full((7, 3), 1 / 3)
    assert dtw(still, still, kernel=kernel).path.tolist() == [[k, k] for k in range(7)]


@pytest.mark.parametrize("kernel", KERNELS)
def test_masked_joints_have_no_part_and_no_share_of_zero(kernel):
    rng = np.random.default_rng(3)
    for _ in range(60):
        f, g = (walk(rng, int(rng.integers(3, 30)), 6) for _ in range(2))
        weights = [np.round(rng.random(x.shape), 1) * (rng.random(x.shape) > 0.3) for x in (f, g)]
        for w in weights:
            w[:, 0] = np.maximum(w[:, 0], 0.1)  # something common everywhere, so that a path exists
        cost, path = written_out(f, g, None, weights)
        hidden = [np.where(w > 0, x, np.nan) for x, w in zip((f, g), weights, strict=True)]
        found = dtw(*hidden, weights=tuple(weights), missing="mask", kernel=kernel)
        assert found.cost == pytest.approx(cost, rel=1e-9)  # rounding
        assert np.array_equal(found.path, path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_missing_joint_scales_up_what_is_left(kernel):
    """Two features apart by 1 and by 3; with the second missing the first stands for both: 2 · 1², not 1² + 0."""
    f, g = np.zeros((4, 2)), np.tile([1.0, 3.0], (4, 1))
    assert dtw(f, g, kernel=kernel).cost == pytest.approx(40)
    g[:, 1] = np.nan
    assert dtw(f, g, missing="mask", kernel=kernel).cost == pytest.approx(8)


@pytest.mark.parametrize("kernel", KERNELS)
def test_frames_that_show_nothing_are_left_out_and_named(kernel):
    rng = np.random.default_rng(4)
    g = walk(rng, 20, 4)
    f = g.copy()
    f[[6, 7]] = np.nan
    found = dtw(f, g, missing="mask", kernel=kernel)
    assert found.skipped == ((6, 7), ())
    assert not np.isin(found.path[:, 0], [6, 7]).any()
    # The two frames that lost their partners go to neighbours; a little further off the path is the diagonal again.
    assert {(5, 5), (10, 10)} <= set(map(tuple, found.path.tolist()))


@pytest.mark.parametrize("kernel", KERNELS)
def test_frames_without_a_common_joint_are_never_paired(kernel):
    f, g = np.array([[0.0, np.nan]] * 3), np.array([[np.nan, 1.0]] * 3)
    with pytest.raises(KineticsError, match="no joint in common"):
        dtw(f, g, missing="mask", kernel=kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_open_ends_find_a_swing_in_a_long_clip(kernel):
    rng = np.random.default_rng(5)
    clip = walk(rng, 400, 3)
    shot = np.repeat(clip[130:170], rng.integers(1, 3, 40), axis=0)
    found = dtw(shot, clip, open_begin=True, open_end=True, kernel=kernel)
    assert found.path[0].tolist() == [0, 130] and found.path[-1].tolist() == [len(shot) - 1, 169]
    assert found.cost == 0  # the same frames, so exactly nothing
    for begin, end in ((True, False), (False, True)):
        cost, path = written_out(clip[50:60], clip[40:80], None, None, begin, end)
        found = dtw(clip[50:60], clip[40:80], open_begin=begin, open_end=end, kernel=kernel)
        assert found.cost == pytest.approx(cost, rel=1e-9) and np.array_equal(found.path, path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_anchors_are_passed_and_cost_no_less(kernel):
    rng = np.random.default_rng(6)
    f, g = walk(rng, 50, 3), walk(rng, 40, 3)
    free, led = dtw(f, g, kernel=kernel), dtw(f, g, anchors=[(10, 25), (40, 30)], kernel=kernel)
    pairs = set(map(tuple, led.path.tolist()))
    assert {(10, 25), (40, 30)} <= pairs and len(pairs) == len(led)
    assert (np.diff(led.path, axis=0) >= 0).all() and (np.diff(led.path, axis=0) <= 1).all()
    assert led.cost == pytest.approx(LocalCost(f, g).pairs(*led.path.T).sum()) and led.cost >= free.cost
    on_path = free.path[len(free) // 2]
    assert dtw(f, g, anchors=[on_path], kernel=kernel).cost == pytest.approx(free.cost)  # already there: nothing to pay
    with pytest.raises(KineticsError, match="pairs of frames in order"):
        dtw(f, g, anchors=[(40, 30), (10, 25)], kernel=kernel)


lengths = st.integers(1, 25)


@settings(max_examples=60)
@given(lengths, lengths, st.integers(1, 6), st.integers(0, 2**32 - 1), st.one_of(st.none(), st.integers(0, 30), st.floats(0.01, 0.99)))
def test_paths_are_monotone_contiguous_and_sum_to_the_cost(rows, columns, width, seed, band):
    rng = np.random.default_rng(seed)
    f, g = walk(rng, rows, width), walk(rng, columns, width)
    for kernel in KERNELS:
        found = dtw(f, g, band, kernel=kernel)
        steps = np.diff(found.path, axis=0)
        assert found.path[0].tolist() == [0, 0] and found.path[-1].tolist() == [rows - 1, columns - 1]
        assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(axis=1) >= 1).all()
        apart = ((f[found.path[:, 0]] - g[found.path[:, 1]]) ** 2).sum(axis=1)
        np.testing.assert_allclose(found.local, apart, rtol=1e-12)  # the differences themselves
        assert found.cost == pytest.approx(apart.sum(), rel=1e-12)
        turned = dtw(g, f, band, kernel=kernel)
        assert turned.cost == pytest.approx(found.cost, rel=1e-9)  # symmetric, but for rounding
        if band is not None:
            assert found.cost >= dtw(f, g, kernel=kernel).cost * (1 - 1e-9)  # a band only takes paths away
        assert dtw(f, f, kernel=kernel).cost == 0


def test_a_band_of_a_fraction_is_a_part_of_the_shorter():
    rng = np.random.default_rng(7)
    f, g = walk(rng, 30, 2), walk(rng, 47, 2)
    assert dtw(f, g, 0.1).band == 3 and dtw(f, g, 3).cost == dtw(f, g, 0.1).cost


def test_distant_pixels_lose_no_digits():
    """|f|² + |g|² - 2 f·g at a million pixels leaves an error of 1e-3 on squared distances of 1e-8."""
    rng = np.random.default_rng(8)
    f = walk(rng, 40, 4)
    g = f[::-1] + 1e-4 * rng.normal(size=f.shape)
    near = written_out(f, g)
    far = dtw(f + 2.0**20, g + 2.0**20, kernel="numpy")
    assert far.cost == pytest.approx(near[0], rel=1e-6)  # the inputs themselves were rounded at 2e-10
    assert np.array_equal(far.path, near[1])
    block = LocalCost(f, f + 1e-6).block(0, 40, 0, 40)
    np.testing.assert_allclose(block, ((f[:, None] - (f + 1e-6)) ** 2).sum(axis=2), rtol=1e-9)  # as promised: 1e-10 of each


@pytest.mark.parametrize("size", (1, 3, 512))
def test_blocks_of_rows_join_without_a_seam(size, monkeypatch):
    monkeypatch.setattr(wavefront, "block_rows", lambda band: size)
    rng = np.random.default_rng(9)
    for radius in (None, 4):
        f, g = walk(rng, 31, 3), walk(rng, 26, 3)
        cost, path = written_out(f, g, radius)
        found = dtw(f, g, radius, kernel="numpy")
        assert found.cost == pytest.approx(cost, rel=1e-9) and np.array_equal(found.path, path)


def test_memory_is_bounded_and_said_before_anything_is_computed(monkeypatch):
    # Two clips of 10,000 frames, 33 joints: directions at a quarter byte a cell, one block of rows, and the features.
    assert estimate_memory(10_000, 10_000, 66) < 250e6
    assert estimate_memory(10_000, 10_000, 66, 500) < 120e6
    assert estimate_memory(1, 1, 1) > 0
    monkeypatch.setattr(dtw_module, "LocalCost", None)
    with pytest.raises(KineticsError, match=r"100000 frames onto 100000 would take .* GB of memory .*cut the clips"):
        dtw(np.zeros(100_000), np.zeros(100_000))


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_estimate_of_memory_holds(kernel):
    import tracemalloc

    rng = np.random.default_rng(10)
    f, g = walk(rng, 2500, 8), walk(rng, 2000, 8)
    dtw(f[:50], g[:50], kernel=kernel)
    tracemalloc.start()
    dtw(f, g, kernel=kernel)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most <= estimate_memory(2500, 2000, 8)


@pytest.mark.parametrize(
    ("f", "g", "more", "says"),
    [
        (np.zeros((4, 2)), np.zeros((4, 3)), {}, "same joints"),
        (np.zeros((0, 2)), np.zeros((4, 2)), {}, "at least one of each"),
        (np.zeros((4, 2, 2)), np.zeros((4, 2)), {}, "frames × features"),
        (np.array([0, np.nan, 1]), np.zeros(3), {}, "missing value at frame 1"),
        (np.zeros(3), np.array([0, 0, np.inf]), {}, "second sequence has a missing value at frame 2"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), {"missing": "mask"}, "shows nothing in any of its 3 frames"),
        (np.zeros(3), np.zeros(3), {"band": -1}, "band of -1"),
        (np.zeros(3), np.zeros(3), {"band": 1.5}, "band of 1.5"),
        (np.zeros(3), np.zeros(3), {"band": 1, "open_end": True}, "both ends"),
        (np.zeros(3), np.zeros(3), {"missing": "ignore"}, "missing='ignore'"),
        (np.zeros(3), np.zeros(3), {"kernel": "fortran"}, "kernel='fortran'"),
        (np.zeros(3), np.zeros(3), {"weights": (np.zeros(3), -np.ones(3))}, "0 or more"),
        (np.zeros(3), np.zeros(3), {"anchors": [(3, 0)]}, "can't pass"),
    ],
)
def test_bad_input_is_told_in_one_sentence(f, g, more, says):
    with pytest.raises(KineticsError, match=says) as error:
        dtw(f, g, **more)
    assert "\n" not in str(error.value)


def test_numba_is_asked_for_only_where_it_is(monkeypatch):
    monkeypatch.setattr(dtw_module, "load_compiled", lambda: None)
    assert dtw(np.zeros(3), np.zeros(3)).kernel == "numpy"
    with pytest.raises(KineticsError, match="numba can't be imported"):
        dtw(np.zeros(3), np.zeros(3), kernel="numba")
