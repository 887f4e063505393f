"""All pairs and what is made of them: every backend gives what warping each pair gives; distances, neighbours and their picture."""

import json

import numpy as np
import pytest

from kinetics.compare import all_pairs, on_card
from kinetics.compare.all_pairs import compute_costs
from kinetics.compare.dtw import dtw, load_compiled
from kinetics.compare.similarity import Similarity, compare_all
from kinetics.errors import KineticsError
from kinetics.plots.similarity import plot_similarity

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
