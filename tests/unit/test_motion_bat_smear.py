"""Fast toes: a drawn bat that sweeps through its exposures, whose toe is known at every moment."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinetics.motion.bat_gates import Verdict
from kinetics.motion.bat_image import Look, outlines
from kinetics.motion.bat_patches import SIDE, at, cut_patch
from kinetics.motion.bat_smear import BANDS, MOMENTS, Blade, Ground, Smear
from kinetics.motion.bat_stroke import read_stroke
from kinetics.motion.toe import Toe
from kinetics.pose_sequence import PoseSequence

FPS, FRAMES, LENGTH, OPEN = 25, 40, 60.0, 0.8
SIZE, HAND, WOOD = (400, 300), np.array([200.0, 150.0]), np.array([200.0, 165.0, 120.0])
NOWHERE = np.zeros((SIDE, SIDE), np.float32)


def angle(t: np.ndarray) -> np.ndarray:
    """rad: still, then through 3 rad in a fifth of a second, at most 26 rad/s, then still."""
    return 0.3 + 1.5 * (1 + np.tanh((np.asarray(t) - 0.8) / 0.058))


def toe(t: float) -> np.ndarray:
    return HAND + LENGTH * np.array([np.cos(angle(t)), np.sin(angle(t))])


def picture(t: float, rng: np.random.Generator) -> np.ndarray:
    """Striped grass and the bat, over its exposure, with grain."""
    ground = np.full((SIZE[1], SIZE[0], 3), (70.0, 120.0, 60.0)) + 12.0 * np.sin(np.arange(SIZE[1]) / 9)[:, None, None]
    moments = t + np.linspace(-0.5, 0.5, 41) * OPEN / FPS
    cover = np.zeros((SIZE[1], SIZE[0]))
    for moment in moments:
        along = np.array([np.cos(angle(moment)), np.sin(angle(moment))])
        across = 0.055 * LENGTH * np.array([-along[1], along[0]])
        corners = [HAND + part * LENGTH * along + side * across for part, side in ((0.1, 1), (1, 1), (1, -1), (0.1, -1))]
        layer = np.zeros(cover.shape, np.float32)
        cv2.fillConvexPoly(layer, np.round(np.array(corners) * 16).astype(np.int32), 1.0, 8, 4)
        cover += layer / len(moments)
    seen = ground * (1 - cover[..., None]) + WOOD * cover[..., None]
    return np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    rng = np.random.default_rng(3)
    made = []
    for k in range(FRAMES):
        look = Look(cut_patch(k, picture(k / FPS, rng), HAND, LENGTH, np.eye(3)), k / FPS, np.full(2, (SIDE - 1) / 2))
        there = at(look.patch.to_view, toe(k / FPS))
        look.toe, look.pivot, look.half, look.score, look.chosen = there[None], look.hand[None], np.array([0.1]), np.array([0.8]), 0
        look.read = Toe(there, 0.9, 0.1, 0.9)
        made.append(look)
    return made


def nobody() -> PoseSequence:
    return PoseSequence(np.full((FRAMES, 1, 2), np.nan), np.zeros((FRAMES, 1)), np.arange(FRAMES) / FPS, ("nose",), SIZE)


def off(look: Look, place: np.ndarray) -> float:
    return float(np.linalg.norm(place - at(look.patch.to_view, toe(look.t))) / LENGTH)


def test_the_blade_s_colours_are_learned_by_bands(looks):
    """A sticker in the middle third of a sharp bat."""
    shown = []
    for k in range(5):
        plain = np.full((SIDE, SIDE, 3), (70.0, 120.0, 60.0))
        hand = np.array([90.0, 90.0 + k])
        for low, high, colour in ((0.1, 1.0, WOOD), (0.57, 0.78, (200, 30, 30))):
            ends = [tuple(np.round((hand + part * np.array([LENGTH, 0])) * 16).astype(int).tolist()) for part in (low, high)]
            cv2.line(plain, *ends, tuple(map(float, colour)), 7, cv2.LINE_8, 4)
        shown.append((plain.astype(np.uint8), hand, hand + np.array([LENGTH, 0.0])))
    blade = Blade.seen(*zip(*shown, strict=True))
    red = blade.colour[:, 1] < 100
    # Bands of a twelfth of the bat: those wholly in the sticker are red, those wholly outside aren't.
    assert red[3:5].all() and not red[[0, 1, 6, 7]].any()
    np.testing.assert_allclose(blade.colour[[0, 1, 6, 7]], np.tile(WOOD, (4, 1)), atol=1)


def test_a_bat_behind_the_body_is_no_worse_than_what_shows_of_it(looks):
    k = 20
    half = NOWHERE.copy()
    half[:, : SIDE // 2] = 1.0
    hands = np.repeat(looks[k].hand[None], len(MOMENTS), axis=0)
    blade = Blade(np.tile(WOOD, (BANDS, 1)), np.zeros(BANDS))
    away = Smear(float(angle(k / FPS)) + np.pi, LENGTH, 0.9, 0.0)
    gains = [Ground(looks, k, outlines(looks, LENGTH), NOWHERE, body).gain(hands, away, blade, LENGTH)[0] for body in (NOWHERE, half, 1 - half)]
    # Hidden by a body it may be anywhere, at a cost; beside the body it is not there.
    assert gains[0] < -2 and max(gains[1:]) > gains[0] and max(gains[1:]) <= 0


def verdicts(looks: list[Look], refused: set[int], wrong: dict[int, np.ndarray]) -> list[Verdict | None]:
    rng = np.random.default_rng(4)
    given = []
    for look in looks:
        place = at(look.patch.to_view, toe(look.t)) + rng.normal(0, 0.02, 2) * LENGTH + wrong.get(look.patch.frame, 0.0)
        given.append(None if look.patch.frame in refused else Verdict(True, True, False, 0.0, place, 0.9, 0.03 * LENGTH))
    return given


def test_a_smear_gains_most_where_it_is(looks):
    k = 20  # the middle of the stroke
    ground = Ground(looks, k, outlines(looks, LENGTH), NOWHERE, NOWHERE)
    blade = Blade(np.tile(WOOD, (BANDS, 1)), np.zeros(BANDS))
    hands = np.repeat(looks[k].hand[None], len(MOMENTS), axis=0)
    turn = float(np.diff(angle(k / FPS + np.array([-0.5, 0.5]) * OPEN / FPS))[0])

    def gain(turned: float = 0.0, longer: float = 0.0, wider: float = 0.0) -> tuple[float, float]:
        return ground.gain(hands, Smear(float(angle(k / FPS)) + turned, (1 + longer) * LENGTH, turn + wider, 0.0), blade, LENGTH)

    best, could = gain()
    # All of it is there; the bat is drawn between pixels and with grain.
    assert 0.9 < best / could < 1.1
    for other in ({"turned": 0.12}, {"turned": -0.12}, {"longer": 0.12}, {"longer": -0.12}, {"wider": 0.5}, {"wider": -0.5}):
        assert gain(**other)[0] < best - 1
    # Where no bat is, one costs.
    assert gain(turned=np.pi)[0] < 0


def test_fast_toes_that_were_refused_are_read_from_their_smears(looks):
    fastest = {18, 19, 20, 21, 22}
    read = read_stroke(looks, verdicts(looks, fastest, {}), LENGTH, nobody(), {})
    for look, verdict in zip(looks, read, strict=True):
        assert verdict is not None and verdict.accepted
        # A tenth of the bat is what "right" means; a smear of a whole bat length is read to half of that.
        assert off(look, verdict.place) < (0.05 if look.patch.frame in fastest else 0.1)


def test_a_fast_toe_that_was_read_a_little_wrong_is_put_right_and_one_far_off_is_refused(looks):
    for wrong in (0.13, 0.3):
        read = read_stroke(looks, verdicts(looks, {19}, {21: np.array([0.0, wrong * LENGTH])}), LENGTH, nobody(), {})
        # Where two readings of one picture are farther apart than 0.15, which of them is wrong can't be told.
        assert read[21].accepted == (wrong < 0.15)
        # Both readings count, the wrong one for about half: it was stated to be sure.
        assert off(looks[21], read[21].place) < 0.08 or not read[21].accepted


def test_a_mark_stays_where_it_is(looks):
    given = verdicts(looks, {19}, {})
    marked = at(looks[20].patch.to_view, toe(0.8))
    assert np.array_equal(read_stroke(looks, given, LENGTH, nobody(), {20: marked})[20].place, given[20].place)


def test_what_is_not_seen_is_not_read(looks):
    """The same stroke over pictures without a bat in its fastest part: the course alone is no reading."""
    empty = []
    for look in looks:
        if look.patch.frame in {19, 20, 21}:
            grey = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
            look = Look(cut_patch(look.patch.frame, grey, HAND, LENGTH, np.eye(3)), look.t, look.hand)
        empty.append(look)
    read = read_stroke(empty, verdicts(looks, {19, 20, 21}, {}), LENGTH, nobody(), {})
    assert all(read[k] is None or not read[k].accepted for k in (19, 20, 21))


def test_without_a_sure_sharp_bat_nothing_is_changed(looks):
    given = verdicts(looks, set(range(3, FRAMES)), {})
    assert read_stroke(looks[:2], given[:2], LENGTH, nobody(), {}) == given[:2]
