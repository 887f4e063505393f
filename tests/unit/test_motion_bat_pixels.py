"""The image tracker's parts on drawn bars whose toe is known: what moved, colour, wedges, path, toe, gates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.motion.bat_gates import judge, refuse_jumps
from kinetics.motion.bat_image import Look
from kinetics.motion.bat_patches import PATCH, PX, SIDE, at, cut_patch
from kinetics.motion.bat_path import Candidates, best_path
from kinetics.motion.bat_witness import Witness
from kinetics.motion.blade_colour import BladeColour
from kinetics.motion.foreground import moved, spread
from kinetics.motion.toe import Toe, read_toe
from kinetics.motion.wedges import try_wedges

MIDDLE = np.full(2, (SIDE - 1) / 2)
LENGTH = PX
KNOWN = np.ones((SIDE, SIDE), bool)


def wedge(angle: float, half: float = 0.0, length: float = LENGTH, width: float = 0.14) -> tuple[np.ndarray, np.ndarray]:
    """Evidence of a bat of ``length`` px from the middle along ``angle``, smeared over ±``half`` rad; and the middle of its toe."""
    plane, count = np.zeros((SIDE * 4, SIDE * 4), np.float32), max(1, int(np.ceil(2 * half / 0.02)))
    for turn in np.linspace(-half, half, count) if half else (0.0,):
        along = np.array([np.cos(angle + turn), np.sin(angle + turn)])
        across = np.array([-along[1], along[0]]) * width * LENGTH / 2
        corners = [MIDDLE + 0.15 * length * along + across, MIDDLE + length * along + across, MIDDLE + length * along - across, MIDDLE + 0.15 * length * along - across]
        layer = np.zeros_like(plane)
        cv2.fillConvexPoly(layer, np.round((np.array(corners) + 0.5) * 4 * 16 - 8).astype(np.int32), 1.0, shift=4)
        plane += layer / count
    small = cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    seen = small**2 / (small**2 + 0.15**2)  # what moved() makes of a difference that is shared by the exposure
    return seen.astype(np.float32), MIDDLE + length * np.array([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("angle", np.radians([0, 50, 130, 222, 305]))
@pytest.mark.parametrize("half", [0.0, 0.35])
def test_the_best_wedge_ends_at_the_toe(angle, half):
    evidence, toe = wedge(angle, half)
    wedges = try_wedges(evidence, evidence, KNOWN, MIDDLE, 0.15, LENGTH)
    best = wedges.best(4, LENGTH)
    # Angles come in steps of 3° and toes in steps of 0.05 of a length; a smear's middle is wider still.
    assert np.linalg.norm(wedges.toe[best[0]] - toe) < (0.12 if half else 0.08) * LENGTH
    apart = [np.linalg.norm(wedges.toe[a] - wedges.toe[b]) for a in best for b in best if a < b]
    assert min(apart) > 0.09 * LENGTH
    # Not a match: the widths differ by much more than a step.
    assert (wedges.half[best[0]] > 0.25) == bool(half)


def test_hands_that_are_off_by_a_seventh_still_find_the_toe():
    evidence, toe = wedge(0.8)
    wedges = try_wedges(evidence, evidence, KNOWN, MIDDLE + 0.14 * LENGTH * np.array([1.0, -1.0]) / np.sqrt(2), 0.15, LENGTH)
    assert np.linalg.norm(wedges.toe[wedges.best(1, LENGTH)[0]] - toe) < 0.1 * LENGTH


@given(st.floats(0, 2 * np.pi), st.sampled_from([0.0, 0.15, 0.4]), st.floats(0.7, 1.05))
def test_the_toe_is_read_between_pixels(angle, half, part):
    evidence, toe = wedge(angle, half, part * LENGTH)
    off = np.array([np.cos(angle + 0.05), np.sin(angle + 0.05)]) * (part + 0.04) * LENGTH
    read = read_toe(evidence, KNOWN, MIDDLE, MIDDLE + off, half + 0.1, LENGTH)
    # A pixel is 1/60 of a length: a sharp toe to about one, the middle of a smear to two.
    assert np.linalg.norm(read.place - toe) < (2.5 if half else 1.5)
    assert read.contrast > 0.5 and read.edge > 0.3


def test_no_toe_is_read_where_the_bat_leaves_what_is_known_or_nothing_stands_out():
    evidence, toe = wedge(0.0)
    known = KNOWN.copy()
    known[:, int(MIDDLE[0] + 0.8 * LENGTH) :] = False
    assert read_toe(evidence, known, MIDDLE, toe, 0.1, LENGTH) is None
    assert read_toe(np.zeros_like(evidence), KNOWN, MIDDLE, toe, 0.1, LENGTH) is None
    assert read_toe(np.ones_like(evidence), KNOWN, MIDDLE, toe, 0.1, LENGTH) is None


def turning(angles, k: int, t: float, clutter=()) -> Candidates:
    toes = np.array([[np.cos(angles[k]), np.sin(angles[k])], *clutter])
    worth = np.array([1.0] + [1.6] * len(clutter))
    return Candidates(t, toes, np.zeros_like(toes), np.full(len(toes), 0.08), worth)


def test_the_path_follows_the_bat_that_turns_past_stronger_clutter():
    angles = 1.5 + 0.3 * np.arange(20) ** 1.2
    rng = np.random.default_rng(1)
    # Clutter that is stronger in each frame, and elsewhere each time, but never so near that it might be the bat.
    frames = []
    for k, angle in enumerate(angles):
        clutter = rng.uniform(-1, 1, (40, 2))
        far = np.linalg.norm(clutter - (np.cos(angle), np.sin(angle)), axis=1) > 0.6
        frames.append(turning(angles, k, k / 25, clutter[far][:4]))
    assert (best_path(frames)[1:-1] == 0).all()


def test_the_path_goes_unseen_where_nothing_is_worth_it_and_comes_back():
    angles = 0.2 * np.arange(16)
    frames = [turning(angles, k, k / 25) for k in range(16)]
    for k in (6, 7, 8):
        frames[k].worth[:] = -6.0
    np.testing.assert_array_equal(best_path(frames), np.where(np.isin(np.arange(16), (6, 7, 8)), -1, 0))
    assert len(best_path([])) == 0
    np.testing.assert_array_equal(best_path(frames[:1]), [0])


def test_a_still_bat_has_no_wide_smear():
    frames = []
    for k in range(10):
        toe = np.array([[1.0, 0.0], [-0.7, 0.7]])
        frames.append(Candidates(k / 25, toe, np.zeros_like(toe), np.array([0.08, 0.5]), np.array([0.5, 1.5])))
    assert (best_path(frames)[1:-1] == 0).all()


def scene(bat_at: float | None, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    """A textured ground, moved by ``shift`` px, with a pale bat at an angle."""
    ground = cv2.GaussianBlur(np.random.default_rng(3).uniform(40, 120, (400, 700, 3)).astype(np.float32), (0, 0), 4)
    ground = (ground - ground.mean()) * 6 + 80
    picture = cv2.warpAffine(ground, np.float32([[1, 0, -150 + shift], [0, 1, -50]]), (400, 300), borderMode=cv2.BORDER_REFLECT)
    if bat_at is not None:
        ends = [tuple(np.round((np.array([200 + shift, 150]) + r * np.array([np.cos(bat_at), np.sin(bat_at)])) * 16).astype(int).tolist()) for r in (12, 80)]
        cv2.line(picture, *ends, (235, 215, 160), 11, cv2.LINE_AA, 4)
    picture += np.random.default_rng([seed, 5]).normal(0, 3, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def patches(angles, pan: float = 4.0):
    """Patches of a camera that pans ``pan`` px a frame and a bat of 80 px that turns."""
    out = []
    for k, angle in enumerate(angles):
        shift = -pan * k
        to_reference = np.array([[1.0, 0.0, -shift], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        out.append(cut_patch(k, scene(angle, shift, k), np.array([200.0 + shift, 150.0]), 80.0, to_reference))
    return out


def test_what_moved_is_the_bat_and_not_the_panning_ground():
    shown = patches(np.linspace(0.0, 2.4, 13))
    chosen = spread(13, 6)
    assert 6 not in chosen and 5 not in chosen
    share, _, known = moved(shown[6], [shown[k] for k in chosen], [()] * len(chosen), 0.5)
    along = np.array([np.cos(1.2), np.sin(1.2)])
    inside = [share[tuple(np.round(MIDDLE + r * PX * along).astype(int)[::-1])] for r in (0.4, 0.6, 0.8)]
    assert min(inside) > 0.8
    toe = MIDDLE + 1.25 * PX * along
    assert share[tuple(np.round(toe).astype(int)[::-1])] < 0.3
    # The ground lines up to a fraction of a pixel: noise alone is left.
    assert np.median(share[known]) < 0.15


def test_a_bat_that_stands_still_is_seen_once_it_is_left_out_of_the_others():
    shown = patches([0.5] * 9 + [2.0, 2.5, 3.0, 3.5, 4.0], pan=0.0)
    chosen = spread(14, 3)
    outline = np.array([[200, 140], [290, 185], [280, 205], [190, 160]], float)
    bats = [[outline] if k < 9 else [] for k in chosen]
    spot = tuple(np.round(MIDDLE + 0.7 * PX * np.array([np.cos(0.5), np.sin(0.5)])).astype(int)[::-1])
    blind, _, _ = moved(shown[3], [shown[k] for k in chosen], [()] * len(chosen), 0.5)
    seeing, _, known = moved(shown[3], [shown[k] for k in chosen], bats, 0.3)
    assert blind[spot] < 0.2 and seeing[spot] > 0.8 and known[spot]


def test_patches_map_frames_and_know_what_lies_outside():
    graphics = np.zeros((300, 400), bool)
    graphics[140:160, 190:210] = True
    patch = cut_patch(0, scene(None), np.array([30.0, 150.0]), 80.0, np.eye(3), graphics)
    np.testing.assert_allclose(at(patch.to_view, np.array([30.0, 150.0])), MIDDLE)
    assert patch.image.shape == (PATCH, PATCH, 3)
    inside = patch.inside()
    assert not inside[SIDE // 2, 10] and inside[SIDE // 2, SIDE // 2]  # left of the picture's edge; the hands
    image, known = patch.seen_from(patch)
    np.testing.assert_array_equal(image[inside], patch.view()[inside])
    over = np.round(at(patch.to_view, np.array([205.0, 150.0]))).astype(int)
    assert not known[over[1], over[0] if over[0] < SIDE else SIDE - 1] or over[0] >= SIDE


def test_the_blade_s_colour_is_learned_and_other_colours_are_not_taken_for_it():
    colour = BladeColour()
    picture = scene(0.3)
    assert (colour.likeness(picture) == 0.5).all()
    hand = np.array([200.0, 150.0])
    for k in range(3):
        colour.learn(scene(0.3, seed=k), hand, hand + 80 * np.array([np.cos(0.3), np.sin(0.3)]), 80.0)
    turned = colour.likeness(scene(1.9, seed=9))
    blade = np.round(hand + 55 * np.array([np.cos(1.9), np.sin(1.9)])).astype(int)
    assert turned[blade[1], blade[0]] > 0.9
    assert np.median(turned) < 0.1


def look(score: float, mass: float | None = None, sure: float = 0.9, place=None, t: float = 0.0) -> Look:
    """A look whose toe was read well; the network, where there is one, puts ``mass`` on it and is ``sure`` of some toe."""
    patch = cut_patch(round(t * 25), np.zeros((300, 400, 3), np.uint8), np.array([200.0, 150.0]), 80.0, np.eye(3))
    toe = MIDDLE + np.array([LENGTH, 0.0]) if place is None else place
    made = Look(patch, t, MIDDLE)
    made.toe, made.pivot, made.half, made.score, made.mass = toe[None], MIDDLE[None], np.array([0.08]), np.array([score]), np.array([0.0])
    made.chosen, made.read = 0, Toe(toe, 0.8, 0.16, 0.8)
    if mass is not None:
        made.witness = Witness(np.array([toe, toe - 50]), np.array([mass, sure - mass if sure > mass else 0.0]), 0.05, LENGTH, sure, MIDDLE, 0.9)
    return made


def accepted(made: list[Look]) -> list[bool]:
    return [verdict.accepted for verdict in judge(made, LENGTH, {})]


def test_the_gates_ask_more_of_the_foreground_the_less_the_network_says():
    for mass, sure, needed in ((0.5, 0.8, 0.55), (0.0, 0.2, 0.6), (None, 0.0, 0.6)):
        assert accepted([look(needed + 0.02, mass, sure, t=k / 25) for k in range(3)]) == [True] * 3
        assert accepted([look(needed - 0.02, mass, sure, t=k / 25) for k in range(3)]) == [False] * 3


def test_a_lone_toe_and_one_that_flew_there_are_refused():
    assert accepted([look(0.9)]) == [False]
    far = MIDDLE + np.array([-LENGTH, 0.0])
    made = [look(0.9, t=0.0), look(0.9, place=far, t=0.005), look(0.9, t=0.01)]
    assert accepted(made) == [True, False, True]


def test_a_toe_that_jumps_aside_and_back_is_refused_and_a_turn_is_not():
    still = MIDDLE + np.array([LENGTH, 0.0])
    made = [look(0.9, place=still + (np.array([0.0, 0.5 * LENGTH]) if k == 4 else 0.0), t=k / 25) for k in range(9)]
    verdicts = judge(made, LENGTH, {})
    assert [verdict.accepted for verdict in verdicts] == [True] * 9
    assert [verdict.accepted for verdict in refuse_jumps(made, verdicts, LENGTH, {})] == [k != 4 for k in range(9)]
    assert refuse_jumps(made, verdicts, LENGTH, {4: still})[4].accepted
    # 25 rad/s at once: the largest turn of the best, from rest.
    arms = [np.array([np.cos(a), np.sin(a)]) for a in (0, 0, 0, 0, 1, 2, 3)]
    made = [look(0.9, place=MIDDLE + LENGTH * arm, t=k / 25) for k, arm in enumerate(arms)]
    verdicts = judge(made, LENGTH, {})
    assert refuse_jumps(made, verdicts, LENGTH, {}) == verdicts


def test_a_toe_farther_from_the_hands_than_the_bat_is_long_is_refused():
    long = MIDDLE + np.array([1.4 * LENGTH, 0.0])
    assert accepted([look(0.9, place=long, t=k / 25) for k in range(3)]) == [False] * 3


def test_a_smeared_toe_is_less_sure():
    sharp, smeared = look(0.9), look(0.9)
    smeared.read = Toe(smeared.read.place, 0.8, 0.9, 0.8)
    verdicts = judge([sharp, smeared], LENGTH, {})
    assert verdicts[1].sigma > 1.5 * verdicts[0].sigma
