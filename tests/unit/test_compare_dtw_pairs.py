"""All pairs and what is made of them: every backend gives what warping each pair gives; distances, neighbours and their picture."""

import json
from functools import lru_cache

import numpy as np
import pytest

from kinetics.compare import all_pairs, on_card
from kinetics.compare.all_pairs import compute_costs
from kinetics.compare.dtw import dtw, load_compiled
from kinetics.compare.similarity import Similarity, compare_all
from kinetics.errors import KineticsError
from kinetics.plots.similarity import plot_similarity, plot_similarity_sheet
from kinetics.synthetic import SHOTS
from kinetics.synthetic.scenes import default_scene

#: The card's code runs on the processor here.
BACKENDS = ("numpy", "torch", "numba") if load_compiled() else ("numpy", "torch")


@pytest.fixture(scope="module")
def walks():
    rng = np.random.default_rng(1)
    return [rng.normal(size=(int(rng.integers(4, 40)), 5)).cumsum(axis=0) for _ in range(11)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("band", (None, 3, 0.2))
@pytest.mark.parametrize("masked", (False, True))
def test_every_backend_gives_the_costs_of_each_pair(walks, backend, band, masked):
    rng = np.random.default_rng(2)
    weights = [np.clip(rng.random(x.shape) - 0.2, 0.01, None) for x in walks] if masked else None
    found = compute_costs(walks, band, weights=weights, backend=backend, workers=2)
    for a, x in enumerate(walks):
        for b, y in enumerate(walks):
            cost = dtw(x, y, band, weights=(weights[a], weights[b]) if masked else None, kernel="numpy").cost if a != b else 0.0
            assert found[a, b] == pytest.approx(cost, rel=1e-9)  # the order of summation is all that differs


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_clips_cost_nothing_and_strangers_can_not_be_compared(walks, backend):
    clips = [walks[0], walks[0].copy(), walks[1]]
    assert compute_costs(clips, backend=backend)[0, 1] == 0
    hidden = [clips[0].copy(), clips[2].copy()]
    hidden[0][:, 2:] = np.nan
    hidden[1][:, :2] = np.nan
    assert np.isinf(compute_costs(hidden, missing="mask", backend=backend)[0, 1])


def test_batches_join_without_a_seam(walks, monkeypatch):
    whole = compute_costs(walks, backend="numpy")
    monkeypatch.setattr(all_pairs, "_BATCH", 3000)
    np.testing.assert_allclose(compute_costs(walks, backend="numpy"), whole, rtol=1e-9)  # products of other sizes round otherwise
    bank, order = all_pairs._fill_bank(walks, None, "refuse", None)
    for a, b, costs in on_card.all_costs(bank, "cpu", batch=20_000):
        np.testing.assert_allclose(costs, whole[order[a], order[b]], rtol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_progress_counts_pairs_and_may_cancel(walks, backend):
    seen = []
    compute_costs(walks, backend=backend, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (55, 55) and sorted(seen) == seen

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        compute_costs(walks, backend=backend, progress=stop)


def test_bad_input_is_told_in_one_sentence(walks):
    for clips, more, says in (
        (walks[:1], {}, "at least two"),
        (walks, {"backend": "abacus"}, "'abacus' is not known"),
        ([walks[0], walks[1][:, :2]], {}, "Shots with 2 and 5 features"),
        ([walks[0], np.where(walks[1] > 0, np.nan, walks[1])], {}, "2. sequence has a missing value"),
    ):
        with pytest.raises(KineticsError, match=says) as error:
            compute_costs(clips, **more)
        assert "\n" not in str(error.value)


def test_work_for_a_card_goes_to_it(walks, monkeypatch):
    monkeypatch.setattr(on_card, "has_card", lambda: False)
    with pytest.raises(KineticsError, match="no CUDA card"):
        compute_costs(walks, backend="cuda")
    asked = []
    monkeypatch.setattr(all_pairs, "_WORTH_A_CARD", 10)
    monkeypatch.setattr(on_card, "has_card", lambda: True)
    genuine = on_card.all_costs
    monkeypatch.setattr(on_card, "all_costs", lambda bank, device: asked.append(device) or genuine(bank, "cpu"))
    compute_costs(walks)
    assert asked == ["cuda"]


@pytest.fixture(scope="module")
def alike(request):
    """Three shots of a kind and two of another, each at its own tempo, place and size."""
    from kinetics.pose_sequence import LIMB_NAMES, PoseSequence

    rng = np.random.default_rng(3)
    body = rng.normal(size=(12, 2)) * 60
    ways = rng.normal(size=(2, 12, 2)) * 120
    shots = {}
    for n, (kind, frames) in enumerate(((0, 40), (0, 55), (1, 45), (0, 34), (1, 60))):
        s = np.linspace(0, 1, frames)[:, None, None]
        xy = (body + ways[kind] * np.sin(np.pi * s) ** 2) * (0.8 + 0.1 * n) + [100 * n, 50]
        xy += rng.normal(size=xy.shape)
        shots[f"{'AB'[kind]}{n}"] = PoseSequence(xy, np.full(xy.shape[:2], 0.9), np.arange(frames) / 25, LIMB_NAMES, (1280, 720))
    return shots


def test_shots_of_a_kind_are_nearest(alike, tmp_path):
    found = compare_all(list(alike.values()), list(alike))
    assert np.array_equal(found.distance, found.distance.T) and (np.diag(found.distance) == 0).all() and found.unit == "trunk lengths"
    for name in alike:
        kin = sum(other[0] == name[0] for other in alike) - 1
        assert all(other[0] == name[0] for other, _ in found.nearest(name, kin))
    assert found.nearest(0, 99) == found.nearest("A0", 99) and len(found.nearest(0, 99)) == 4
    order = found.tree()
    assert order.shape == (4, 4) and order[-1, 3] == 5
    assert json.loads(json.dumps(found.to_dict()))["names"] == list(alike)
    image = plot_similarity(found, path=tmp_path / "alike.png", size=(640, 480))
    assert image.shape == (480, 640, 3) and (tmp_path / "alike.png").stat().st_size > 0


def test_mixed_features_have_no_unit(alike):
    found = compare_all(list(alike.values()), list(alike), features={"positions": 1, "angles": 2})
    assert found.unit == "" and all(other[0] == "A" for other, _ in found.nearest("A0", 2))


def test_a_group_that_can_not_be_joined_is_told(alike):
    broken = Similarity(("a", "b", "c"), np.array([[0, 1, np.inf], [1, 0, 2], [np.inf, 2, 0]]), "", {})
    assert broken.to_dict()["distance"][0][2] is None and broken.nearest("a") == [("b", 1.0)]
    for call, says in (
        (broken.tree, "a and c show no joints in common"),
        (lambda: broken.nearest("d"), "no shot 'd'"),
        (lambda: broken.nearest(3), "no shot 3"),
        (lambda: broken.tree("ward"), "'ward' is not known"),
        (lambda: compare_all(list(alike.values()), ["x"] * 5), "its own"),
    ):
        with pytest.raises(KineticsError, match=says):
            call()


@lru_cache
def sample(shot):
    return default_scene(shot).pose_sequence(25)


def drawn(count):
    """Sample strokes, turn and turn about, each with a little noise of its own."""
    rng = np.random.default_rng(0)
    poses = []
    for n in range(count):
        pose = sample(SHOTS[n % len(SHOTS)])
        poses.append(pose.with_step("noise", xy=pose.xy + 2 * rng.normal(size=pose.xy.shape)))
    return poses, [f"{SHOTS[n % len(SHOTS)]} {n}" for n in range(count)]


def near(image, colour):
    return int((np.abs(image.astype(int) - colour).max(axis=2) < 12).sum())


@pytest.mark.parametrize("count", (2, 7, 17))
def test_all_shots_stand_on_one_page_in_the_order_of_the_tree(count, tmp_path):
    poses, names = drawn(count)
    found = compare_all(poses, names)
    sheet = plot_similarity_sheet(found, poses, path=tmp_path / "sheet.png", width=640)
    assert sheet.shape[1] == 640 and (tmp_path / "sheet.png").stat().st_size > 0
    assert sorted(found.order()) == list(range(count))
    columns = 1 if count <= 6 else 2 if count <= 16 else 3
    rows = -(-count // columns)
    head, tile = sheet.shape[0] - rows * ((sheet.shape[0] - 22) // rows), 640 // columns
    for place in range(count):
        column, row = divmod(place, rows)
        y = head + row * (sheet.shape[0] - head) // rows
        cell = sheet[y : y + (sheet.shape[0] - head) // rows, column * tile : (column + 1) * tile]
        for colour in ((0xF2, 0x96, 0x14), (0x46, 0xAC, 0xF5), (0xD9, 0xDD, 0xE5)):  # left, right; name and speed
            assert near(cell, colour) > 10
    heat = plot_similarity(found)
    assert heat.shape == (720, 960, 3)


def test_a_big_table_grows_in_height_and_given_impacts_are_said(tmp_path):
    poses, names = drawn(4)
    found = compare_all(poses, names)
    known, judged = (plot_similarity_sheet(found, poses, impacts=impacts, width=480) for impacts in ([1.5, 1.54, 1.58, 1.62], None))
    assert known.shape == judged.shape and not np.array_equal(known, judged)
    rng = np.random.default_rng(1)
    distance = np.abs(np.subtract.outer(x := rng.random(40), x))
    many = Similarity(tuple(f"a shot with quite a long name {n}" for n in range(40)), distance, "trunk lengths", {"positions": 1.0})
    image = plot_similarity(many)
    assert image.shape[1] == 960 and image.shape[0] >= 40 * 24  # 14 pixels a row where it is shown 560 across
    with pytest.raises(KineticsError, match="3 skeletons for 4 shots"):
        plot_similarity_sheet(found, poses[:3])
