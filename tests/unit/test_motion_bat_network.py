"""The bat network: crops and maps by geometry, the drawn samples it learns from, its training, and what the weights of the package know."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.bat_training.backdrops import Bank
from kinetics.bat_training.bats import random_bat, sweep
from kinetics.bat_training.sample import draw_sample
from kinetics.bat_training.score import fit_logistic
from kinetics.bat_training.train import augment, read_photos, train
from kinetics.errors import KineticsError, MissingDependency
from kinetics.motion.bat_crops import PLANES, SIZE, WIDTH, BatCrop, cut_crop, draw_skeleton, guess_hands, guess_length, joints_at
from kinetics.motion.bat_network import CELLS, BatReading, load_network
from kinetics.pose_sequence import PoseSequence


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(2026)
    bank = Bank(rng, tiles=25, sprites=25)
    return [draw_sample(rng, bank) for _ in range(100)]


def spot(height: int, width: int, x: float, y: float, size: float) -> np.ndarray:
    """A white Gaussian spot on black."""
    rows, columns = np.mgrid[:height, :width]
    value = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * size**2))
    return np.repeat(value[..., None], 3, axis=2).astype(np.uint8)


def centre(plane: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]]
    weight = plane.astype(float)
    return np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()


@settings(max_examples=25)
@given(st.floats(60, 340), st.floats(60, 240), st.floats(25, 160), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))
def test_a_place_of_the_frame_is_found_back_from_the_crop(x, y, length, right, down):
    hand = np.array([x - right * length, y - down * length])
    crop = cut_crop(spot(300, 400, x, y, length / 12), hand, length)
    # A third of a pixel of the crop: the spot is rounded to whole grey levels, and cut off by the frame's edge at worst by 5 %.
    assert crop.origin + crop.scale * centre(crop.planes[0]) == pytest.approx([x, y], abs=0.35 * crop.scale)
    assert crop.scale == pytest.approx(WIDTH * length / SIZE)


def test_neighbours_are_laid_on_the_frame():
    shifted = np.array([[1, 0, 17.0], [0, 1, -9.0], [0, 0, 1]])
    crop = cut_crop(
        spot(300, 400, 200, 150, 5),
        [190, 150],
        60,
        before=(spot(300, 400, 183, 159, 5), shifted),
        after=(spot(300, 400, 210, 150, 5), None),
    )
    now, before, after = (centre(crop.planes[k]) for k in (0, 3, 4))
    assert before == pytest.approx(now, abs=0.1)  # laid by bilinear reading: far below a pixel
    assert (after - now) * crop.scale == pytest.approx([10, 0], abs=0.2)


def test_what_lies_outside_the_picture_is_marked():
    crop = cut_crop(np.full((300, 400, 3), 200, np.uint8), [0, 150], 100)
    inside = crop.planes[PLANES.index("inside")] > 0
    assert not inside[:, : SIZE // 2 - 1].any() and inside[1:-1, SIZE // 2 + 1 :].sum() > 0.85 * inside.size / 2
    assert (crop.planes[0][~inside] == 0).all()
    assert (crop.planes[3] == crop.planes[0]).all()  # no neighbour: the frame stands in


@pytest.mark.parametrize(
    ("image", "hand", "length"),
    [
        (np.zeros((20, 20), np.uint8), (5, 5), 10),
        (np.zeros((20, 20, 3)), (5, 5), 10),
        (np.zeros((20, 20, 3), np.uint8), (np.nan, 5), 10),
        (np.zeros((20, 20, 3), np.uint8), (5, 5), 0),
        (np.zeros((20, 20, 3), np.uint8), (5, 5), np.nan),
    ],
)
def test_bad_crops_are_refused_in_one_sentence(image, hand, length):
    with pytest.raises(KineticsError, match="bat network"):
        cut_crop(image, hand, length)


def test_the_skeleton_leaves_out_what_is_missing():
    joints = {
        "left_hip": np.array([30.0, 40.0]),
        "left_knee": np.array([30.0, 80.0]),
        "left_elbow": np.array([np.nan, 3]),
        "left_wrist": np.array([90.0, 64.0]),
    }
    body, arms = draw_skeleton(joints)
    assert centre(body) == pytest.approx([30, 60], abs=0.6)  # a line two pixels wide, its cap included
    assert centre(arms) == pytest.approx([90, 64], abs=0.3)  # the wrist alone
    assert not any(plane.any() for plane in draw_skeleton({}))


def reading(row: float, column: float, none: float = 0.1) -> BatReading:
    rows, columns = np.mgrid[:CELLS, :CELLS]
    share = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 2)
    share *= (1 - none) / share.sum()
    log = np.log(share + 1e-30)[None].astype(np.float32)
    return BatReading(log, np.array([none]), share[None] / share.max(), log, np.array([[100.0, 50.0]]), np.array([2.5]), np.array([50.0]))


@given(st.floats(6, 57), st.floats(6, 57))
def test_the_peak_is_found_between_cells(row, column):
    found = reading(row, column)
    toe, confidence = found.peak()
    # Bump of 1 cell cut off at 2.5 cells on one side: its mean moves by less than a tenth of a cell (0.25 px).
    assert toe[0] == pytest.approx([100 + 2.5 * column, 50 + 2.5 * row], abs=0.25)
    # Identity calibration: the mass within 3 cells, of a bump of 1 cell, is nearly all that isn't "none".
    assert confidence[0] == pytest.approx(0.9, abs=0.02)
    assert found.grip()[0] == pytest.approx(toe[0], abs=1e-3)


def limbs(scale: float, frames: int = 20) -> PoseSequence:
    """A batter who stands upright, a bat 0.68 m long to his proportions; ``scale`` pixels per bat length."""
    names, places = [], []
    for side, x in (("left", 0.0), ("right", 0.3)):
        down = {"shoulder": 0.0, "hip": 0.735, "knee": 1.355, "ankle": 1.975, "elbow": 0.41, "wrist": 0.79}
        names += [f"{side}_{joint}" for joint in down]
        places += [(x, y) for y in down.values()]
    xy = np.repeat(scale * np.array(places)[None], frames, axis=0) + 40
    return PoseSequence(xy, np.ones(xy.shape[:2]), np.arange(frames) / 25, tuple(names), (640, 480))


def test_bat_length_comes_from_the_limbs_and_survives_gaps_and_shortened_limbs():
    pose = limbs(110.0)
    assert guess_length(pose) == pytest.approx(np.full(20, 110.0))
    xy = pose.xy.copy()
    xy[4:9] = np.nan
    for name in ("left_knee", "right_knee"):
        xy[:, pose.index(name)] -= [0, 40]  # thighs look shorter and shins longer: the second longest limb stays
    conf = np.where(np.isnan(xy[..., 0]), 0, 1)
    assert guess_length(pose.with_step("test", xy=xy, conf=conf)) == pytest.approx(np.full(20, 110.0), rel=0.01)
    nothing = pose.with_step("test", xy=np.full_like(xy, np.nan), conf=np.zeros(xy.shape[:2]))
    assert np.isnan(guess_length(nothing)).all() and np.isnan(guess_hands(nothing)).all()


def test_hands_are_those_that_are_known():
    pose = limbs(100.0)
    both = 40 + 100 * np.array([0.15, 0.79 + 0.18 * 0.38])
    assert guess_hands(pose) == pytest.approx(np.tile(both, (20, 1)))
    xy = pose.xy.copy()
    xy[3, pose.index("left_wrist")] = np.nan
    xy[7, [pose.index("left_wrist"), pose.index("right_wrist")]] = np.nan
    hands = guess_hands(pose.with_step("test", xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0, 1)))
    assert hands[3] == pytest.approx(both + np.array([15, 0]))
    assert hands[7] == pytest.approx(both)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(KineticsError, match="Can't read"):
        load_network(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights here, only words that are long enough")
    with pytest.raises(KineticsError, match="not a safetensors file"):
        load_network(tmp_path / "text.safetensors")
    save_file({"something": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(KineticsError, match="no bat network"):
        load_network(tmp_path / "other.safetensors")


def as_crops(samples):
    return [BatCrop(s.planes, np.zeros(2), 1.0, s.length) for s in samples]


def test_probabilities_add_up_and_a_mirrored_crop_is_read_mirrored(network, samples):
    crops = as_crops(samples[:5])
    found = network.read(crops, batch=2)
    assert np.exp(found.toe_log).sum((1, 2)) + found.none == pytest.approx(np.ones(5), abs=1e-4)  # float32 over 4,097 classes
    assert np.exp(found.grip_log).sum((1, 2)) == pytest.approx(np.ones(5), abs=1e-4)
    assert ((found.blade >= 0) & (found.blade <= 1)).all()
    mirrored = network.read([replace(crop, planes=crop.planes[:, :, ::-1].copy()) for crop in crops])
    assert mirrored.toe_log[:, :, ::-1] == pytest.approx(found.toe_log, abs=1e-2)  # float32 sums in another order
    assert len(network.read([])) == 0 and network.read([]).peak()[0].shape == (0, 2)


def test_the_weights_find_drawn_toes_and_know_when_they_are_sure(network, samples):
    toe, confidence = network.read(as_crops(samples)).peak()
    seen = np.array([s.seen for s in samples])
    error = np.array([np.hypot(*(toe[k] - s.toe)) / s.length for k, s in enumerate(samples)])
    # Bounds well below the figures in weights/README.md: 100 samples are few.
    assert np.mean(error[seen > 0] < 0.2) > 0.55
    sure = (confidence > 0.8) & (seen >= 0)
    assert sure.sum() > 20
    assert np.mean((error[sure] < 0.2) & (seen[sure] > 0)) > 0.85


def test_a_frame_without_a_bat_is_not_believed(network):
    rng = np.random.default_rng(5)
    flat = [cut_crop(np.full((200, 200, 3), shade, np.uint8), [100, 100], 50) for shade in (0, 90, 200)]
    noise = [cut_crop(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8), [100, 100], 50)]
    assert network.read(flat + noise).peak()[1].max() < 0.5


def test_samples_are_the_same_for_the_same_seed():
    def draw():
        rng = np.random.default_rng(8)
        bank = Bank(rng, tiles=2, sprites=2)
        return [draw_sample(rng, bank) for _ in range(3)]

    for one, other in zip(draw(), draw(), strict=True):
        assert (one.planes == other.planes).all() and (one.blade == other.blade).all() and (one.label() == other.label()).all()


def test_a_seen_toe_has_blade_beside_it(samples):
    for sample in samples:
        if sample.seen > 0:
            rows, columns = np.mgrid[:CELLS, :CELLS] * 2 + 0.5
            near = np.hypot(columns - sample.toe[0], rows - sample.toe[1]) < 0.2 * sample.length
            assert sample.blade[near].max() > 10
            assert sample.planes[7][tuple(np.round(sample.toe[::-1]).astype(int))] > 0  # inside the picture


def test_a_smear_is_the_mean_over_the_exposure():
    bat = random_bat(np.random.default_rng(3), 0.68, 90.0, 1.0)
    hand = np.array([63.5, 63.5])
    sharp = sweep(bat, 128, 59.0, hand, (0.3, 0.3), np.zeros(2))
    smear = sweep(bat, 128, 59.0, hand, (-0.3, 0.9), np.zeros(2))
    # The exposure spreads the bat, it neither makes nor loses any: the cover adds up to the same, to 3 % for bilinear reading and rounding.
    assert smear[..., 3].sum(dtype=float) == pytest.approx(sharp[..., 3].sum(dtype=float), rel=0.03)
    middle = centre(smear[..., 3]) - hand
    assert np.arctan2(*middle[::-1]) == pytest.approx(0.3, abs=0.02)  # symmetric about the mid-exposure angle; steps of 2.5 px


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_augmented_labels_follow_the_picture(seed):
    rng = np.random.default_rng(seed)
    toe, grip = rng.uniform(40, 88, 2), rng.uniform(40, 88, 2)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    planes = np.zeros((1, 8, SIZE, SIZE), np.uint8)
    planes[0, 5] = 255 * np.exp(-((columns - toe[0]) ** 2 + (rows - toe[1]) ** 2) / 18)
    planes[0, 6] = 255 * np.exp(-((columns - grip[0]) ** 2 + (rows - grip[1]) ** 2) / 18)
    halved = planes[0, 5].reshape(CELLS, 2, CELLS, 2).mean(axis=(1, 3)).astype(np.uint8)[None]
    label = np.array([[*toe, *grip, 1, 40, 5]], np.float32)
    turned, blade, moved = augment(rng, planes, halved, label)
    # Rounding to whole grey levels and bilinear reading: a tenth of a pixel, on the blade's map of half the size likewise.
    assert centre(turned[0, 5]) == pytest.approx(moved[0, :2], abs=0.15)
    assert centre(turned[0, 6]) == pytest.approx(moved[0, 2:4], abs=0.15)
    assert 2 * centre(blade[0]) + 0.5 == pytest.approx(moved[0, :2], abs=0.3)
    assert (planes[0, 5] != 0).any() and label[0, 4] == 1  # what was given is untouched


def test_calibration_recovers_the_odds_it_was_drawn_from():
    rng = np.random.default_rng(0)
    score = rng.normal(0, 2, 40_000)
    right = rng.random(40_000) < 1 / (1 + np.exp(-(1.4 * score - 0.5)))
    slope, offset = fit_logistic(score, right)
    assert slope == pytest.approx(1.4, abs=0.06) and offset == pytest.approx(-0.5, abs=0.06)  # 3 standard errors of the fit


def test_training_writes_a_network_that_loads(tmp_path, samples, monkeypatch):
    monkeypatch.setattr("kinetics.bat_training.train._bank", Bank(np.random.default_rng(1), tiles=3, sprites=3))
    figures = train(tmp_path / "net.safetensors", 0.02, 3, device="cpu", workers=0, held_out=40, say=lambda _: None)
    network = load_network(tmp_path / "net.safetensors")
    assert network.calibration == {"slope": figures["slope"], "offset": figures["offset"]}
    assert int(network.about["samples_learned"]) > 0
    assert network.read(as_crops(samples[:1])).toe_log.shape == (1, CELLS, CELLS)
    with pytest.raises(KineticsError, match="no picture"):
        read_photos(tmp_path)


def test_joints_come_by_name(stick_batter):
    pose = stick_batter()
    assert joints_at(pose, 3)["left_wrist"] == pytest.approx(pose.joint("left_wrist")[3])


@pytest.mark.parametrize("package", ["torch", "safetensors"])
def test_a_missing_package_is_named(monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(MissingDependency, match=package):
        load_network()
