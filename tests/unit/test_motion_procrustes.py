"""Procrustes: known similarities, the determinant guard, missing joints, time maps, mirrored left-handers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from kinetics.errors import KineticsError
from kinetics.motion.procrustes import align_per_frame, align_sequence, centre_on_root, fit_similarity, mirror_sequence
from kinetics.pose_sequence import PoseSequence


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def umeyama(x: np.ndarray, ref: np.ndarray, w: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Umeyama (1991) eqs. 40-43 with weights, written out by SVD: the oracle."""
    w = w / w.sum()
    x_mean, ref_mean = w @ x, w @ ref
    u, d, vt = np.linalg.svd((x - x_mean).T @ (w[:, None] * (ref - ref_mean)))
    guard = np.diag([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    r = u @ guard @ vt
    s = (d * np.diag(guard)).sum() / (w @ ((ref - ref_mean) ** 2).sum(axis=1))
    return s, r, x_mean - s * r @ ref_mean


def sequence(xy: np.ndarray, names=None, conf=None, fps=25.0, **more) -> PoseSequence:
    conf = np.where(np.isnan(xy[..., 0]), 0.0, 1.0) if conf is None else conf
    return PoseSequence(xy, conf, np.arange(len(xy)) / fps, names or tuple(f"joint{k}" for k in range(xy.shape[1])), (640, 360), **more)


def test_recovers_a_known_similarity(stick_batter):
    ref = stick_batter()
    s, r, t = 1.37, rotation(0.4), np.array([31.0, -7.5])
    fit = fit_similarity(s * ref.xy @ r.T + t, ref.xy, ref.conf)
    # Exact data: rounding of 1e3 px alone, 1e-13 of it per point.
    np.testing.assert_allclose(fit.s, s, atol=1e-9)
    np.testing.assert_allclose(fit.R, r, atol=1e-9)
    np.testing.assert_allclose(fit.t, t, atol=1e-9)
    assert fit.residual < 1e-9 and abs(fit.angle - 0.4) < 1e-9
    np.testing.assert_allclose(fit.undo(fit.apply(ref.xy)), ref.xy, atol=1e-9)


def test_equals_weighted_umeyama_and_never_reflects_where_scipy_does():
    rng = np.random.default_rng(3)
    reflected = 0
    for case in range(1000):
        n = int(rng.integers(3, 40))
        ref = rng.normal(0, 100, (n, 2)) + rng.normal(0, 500, 2)
        x = rng.uniform(0.2, 4) * ref @ rotation(rng.uniform(-np.pi, np.pi)).T + rng.normal(0, 300, 2) + rng.normal(0, 20, (n, 2))
        if case % 2:
            x[:, 0] *= -1  # a mirror image
        w = rng.uniform(0.05, 1, n)
        fit = fit_similarity(x, ref, w)
        s, r, t = umeyama(x, ref, w)
        # Both are backward stable; a mirrored shape leaves a small s, whose angle carries the rounding of 1e3 px over s·100 px.
        np.testing.assert_allclose(fit.s, s, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(s * fit.R, s * r, atol=1e-9)
        np.testing.assert_allclose(fit.t, t, atol=1e-6)
        assert abs(np.linalg.det(fit.R) - 1) < 1e-12
        reflected += np.linalg.det(orthogonal_procrustes(ref - ref.mean(0), x - x.mean(0))[0]) < 0
    assert reflected > 400  # the cases that the guard is for are among them


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-3, 3), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_moves_with_the_target_and_never_reflects(seed, scale, angle, dx, dy):
    rng = np.random.default_rng(seed)
    ref, x, w = rng.normal(0, 50, (12, 2)), rng.normal(0, 50, (12, 2)), rng.uniform(0.1, 1, 12)
    first = fit_similarity(x, ref, w)
    r, shift = rotation(angle), np.array([dx, dy])
    moved = fit_similarity(scale * x @ r.T + shift, ref, w)
    assert abs(np.linalg.det(moved.R) - 1) < 1e-12
    # Rounding of 1e4 px of shift over 50 px of shape.
    np.testing.assert_allclose(moved.s * moved.R, scale * r @ (first.s * first.R), atol=1e-9 * scale)
    np.testing.assert_allclose(moved.t, scale * r @ first.t + shift, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(moved.residual, scale * first.residual, rtol=1e-6)
    # The reference laid on itself by any other similarity is no better.
    worse = np.sqrt((w @ (np.linalg.norm(x - ((first.s + 1e-3) * ref @ first.R.T + first.t), axis=1) ** 2)) / w.sum())
    assert worse >= first.residual


@given(st.integers(0, 2**32 - 1))
def test_missing_points_and_weight_zero_count_the_same(seed):
    rng = np.random.default_rng(seed)
    x, ref, w = rng.normal(0, 50, (6, 5, 2)), rng.normal(0, 50, (6, 5, 2)), rng.uniform(0.1, 1, (6, 5))
    gone = rng.random((6, 5)) < 0.4
    gone[0, :3] = False
    there = fit_similarity(x[~gone], ref[~gone], w[~gone])
    for missing in (fit_similarity(x, ref, np.where(gone, 0, w)), fit_similarity(np.where(gone[..., None], np.nan, x), ref, w)):
        assert missing.count == (~gone).sum()
        # The same sums in the same order of points.
        np.testing.assert_allclose([missing.s, *missing.t], [there.s, *there.t], rtol=1e-9)


def test_stated_errors_hold():
    rng = np.random.default_rng(5)
    ref, s, angle, t = rng.normal([300, 200], 60, (40, 2)), 1.2, 0.3, np.array([5.0, 9.0])
    w = rng.uniform(0.2, 1, 40)
    z = []
    for _ in range(4000):
        fit = fit_similarity(s * ref @ rotation(angle).T + t + rng.normal(0, 3, (40, 2)) / np.sqrt(w)[:, None], ref, w)
        z.append([(fit.s - s) / fit.sigma_s, (fit.angle - angle) / fit.sigma_angle, *((fit.t - t) / fit.sigma_t), fit.variance / 9])
    # 4,000 draws give a standard deviation to 1/sqrt(8000) = 1.1 %; Student's t with 76 degrees adds 1.3 %. Four times the first.
    np.testing.assert_allclose(np.std(np.array(z)[:, :4], axis=0), 1.0, atol=0.058)
    np.testing.assert_allclose(np.mean(np.array(z)[:, 4]), 1.0, atol=4 * np.sqrt(2 / 76 / 4000))


@pytest.mark.parametrize(
    ("x", "ref", "w", "says"),
    [
        (np.zeros((4, 2)), np.zeros((5, 2)), None, "same shape"),
        (np.eye(3), np.eye(3), None, "same shape"),
        (np.eye(4, 2), np.eye(4, 2), -np.ones(4), "negative"),
        (np.eye(4, 2), np.eye(4, 2), np.full(4, np.nan), "negative or not finite"),
        (np.eye(4, 2), np.eye(4, 2), np.ones(3), "one per point"),
        (np.full((4, 2), np.nan), np.eye(4, 2), None, "0 points are present"),
        (np.eye(4, 2), np.eye(4, 2), np.array([1, 1, 0, 0]), "2 points are present"),
        (np.random.default_rng(0).normal(size=(9, 2)), np.full((9, 2), 731.3), None, "one spot"),
        (np.random.default_rng(0).normal(size=(9, 2)), np.outer(np.arange(9), [3.3, 1.7]) + 1000, None, "one line"),
        (np.outer(np.arange(9), [3.3, 1.7]) + 1000, np.random.default_rng(0).normal(size=(9, 2)), None, "one line"),
        (np.array([[1, 0], [-1, 0], [0, 1.0], [0, -1]]), np.array([[1, 0], [-1, 0], [0, -1.0], [0, 1]]), None, "no common shape"),
    ],
)
def test_what_has_no_answer_is_refused_in_a_sentence(x, ref, w, says):
    with pytest.raises(KineticsError, match=says):
        fit_similarity(x, ref, w)


def moved(pose: PoseSequence, s: float, angle: float, t) -> PoseSequence:
    return pose.with_step("moved", xy=s * pose.xy @ rotation(angle).T + t)


def test_align_sequence_undoes_one_similarity_and_keeps_the_rest(stick_batter):
    ref = stick_batter()
    other = moved(ref, 0.6, -0.2, [80, 40])
    hidden = other.xy.copy()
    hidden[5:9, 3] = np.nan
    hidden[:, other.index("left_knee")] = np.nan
    aligned, fit = align_sequence(other.with_step("hidden", xy=hidden), ref)
    there = ~np.isnan(hidden[..., 0])
    np.testing.assert_allclose(aligned.xy[there], ref.xy[there], atol=1e-9)  # exact data
    assert np.isnan(aligned.xy).sum() == np.isnan(hidden).sum()
    assert fit.count == there.sum()
    step = aligned.provenance["steps"][-1]
    assert step["step"] == "align_sequence" and step["points"] == fit.count and abs(step["similarity"]["s"] - 0.6) < 1e-9
    assert aligned.names == other.names and (aligned.t == other.t).all()


def test_confidence_is_the_weight(stick_batter):
    ref = stick_batter()
    conf = ref.conf.copy()
    wrist = ref.index("left_wrist")
    wrong = ref.xy.copy()
    wrong[:, wrist] += 300
    conf[:, wrist] = 0.0
    aligned, fit = align_sequence(ref.with_step("wrong", xy=wrong, conf=conf), ref)
    assert abs(fit.s - 1) < 1e-12 and fit.residual < 1e-9
    np.testing.assert_allclose(aligned.joint("left_wrist"), ref.joint("left_wrist") + 300, atol=1e-8)
    assert align_sequence(ref.with_step("wrong", xy=wrong), ref)[1].residual > 10
    assert align_sequence(ref.with_step("wrong", xy=wrong), ref, joints=["left_hip", "right_hip", "neck", "nose"])[1].residual < 1e-9


def test_unequal_lengths_go_through_a_time_map(stick_batter):
    ref = stick_batter(fps=50, seconds=4)
    slow = moved(stick_batter(fps=25, seconds=4), 1.5, 0.1, [10, 20])
    with pytest.raises(KineticsError, match="give a time map"):
        align_sequence(slow, ref)
    pairs = np.stack([np.arange(100), 2 * np.arange(100)], axis=1)
    for time_map in (pairs, pairs.tolist(), lambda t: t):
        aligned, fit = align_sequence(slow, ref, time_map=time_map)
        assert abs(fit.s - 1.5) < 1e-9 and fit.count == 100 * len(ref.names)
        np.testing.assert_allclose(aligned.xy, ref.xy[::2], atol=1e-8)
    # A second past the end is missing, not extrapolated: 25 of 100 frames, and the last one before has no later frame to lean on.
    assert align_sequence(slow, ref, time_map=lambda t: t + 1)[1].count == 75 * len(ref.names)
    for bad, says in (
        (pairs.astype(float), "whole numbers"), (pairs[:, :1], "whole numbers"), (pairs * 3, "outside the frames"), (pairs - 1, "outside the frames"),
        (lambda t: t[:5], "one per frame"),
    ):  # fmt: skip
        with pytest.raises(KineticsError, match=says):
            align_sequence(slow, ref, time_map=bad)


def test_interpolated_reference_needs_both_neighbours():
    xy = np.random.default_rng(1).normal(0, 50, (5, 4, 2))
    xy[2, 0] = np.nan
    ref = sequence(xy)
    half = sequence((xy[:-1] + xy[1:]) / 2)
    # Half-way times: joint 0 is missing beside frame 2 on either side, on the reference as in the sequence.
    _, fit = align_sequence(half, ref, time_map=lambda t: t + 0.02)
    assert fit.count == 4 * 4 - 2 and abs(fit.s - 1) < 1e-12


def test_left_handers_are_mirrored_only_when_asked(stick_batter):
    ref = stick_batter()
    left = mirror_sequence(moved(ref, 0.8, 0.3, [100, 50]))
    aligned, fit = align_sequence(left, ref, mirror=True)
    np.testing.assert_allclose(aligned.xy, ref.xy, atol=1e-9)
    assert abs(fit.s - 0.8) < 1e-9 and "mirror_sequence" in [step["step"] for step in aligned.provenance["steps"]]
    _, plain = align_sequence(left, ref)
    assert np.linalg.det(plain.R) > 0 and plain.residual > 10 and plain.s < 0.79


def test_mirror_twice_is_the_same(stick_batter):
    pose = stick_batter()
    once = mirror_sequence(pose)
    np.testing.assert_array_equal(once.joint("left_wrist"), pose.joint("right_wrist") * [-1, 1])
    np.testing.assert_array_equal(mirror_sequence(once).xy, pose.xy)
    lone = pose.select(["left_wrist", "neck"])
    assert mirror_sequence(lone).names == ("right_wrist", "neck")


def test_per_frame_takes_out_what_differs_from_frame_to_frame(stick_batter):
    ref = stick_batter()
    xy = np.stack([(1 + 0.01 * k) * frame @ rotation(0.02 * k).T + [3 * k, k] for k, frame in enumerate(ref.xy)])
    xy[7, 2:] = np.nan
    xy[9] = np.nan
    aligned = align_per_frame(ref.with_step("zoomed", xy=xy), ref)
    assert aligned.provenance["steps"][-1]["refused"] == [7, 9]
    kept = np.setdiff1d(np.arange(len(ref)), [7, 9])
    np.testing.assert_allclose(aligned.xy[kept], ref.xy[kept], atol=1e-8)
    assert np.isnan(aligned.xy).sum() == 2 * 2 * len(ref.names)
    # All frames laid on one posture.
    still = align_per_frame(
        ref, ref, time_map=np.stack([np.arange(len(ref)), np.zeros(len(ref), int)], axis=1), joints=["neck", "pelvis", "nose"]
    )
    assert np.linalg.norm(still.joint("neck") - ref.joint("neck")[0], axis=1).max() < 20
    with pytest.raises(KineticsError, match="No frame"):
        align_per_frame(ref, ref, joints=["neck", "pelvis"])


def test_centred_on_the_root(stick_batter):
    pose = stick_batter()
    xy = pose.xy.copy()
    xy[3, pose.index("pelvis")] = np.nan
    centred = centre_on_root(moved(pose.with_step("hidden", xy=xy), 2.5, 0.0, [40, 50]))
    assert centred.space == "body"
    np.testing.assert_allclose(centred.joint("pelvis")[4:], 0.0, atol=1e-12)
    assert np.isnan(centred.xy[3]).all() and not np.isnan(centred.xy[4:]).any()
    width = np.linalg.norm(centred.joint("left_shoulder") - centred.joint("right_shoulder"), axis=1)
    # The median of 99 frames against that of all 100, whose widths differ little.
    assert abs(np.nanmedian(np.delete(width, 3)) - 1) < 0.02
    from_hips = centre_on_root(pose.select([name for name in pose.names if name != "pelvis"]))
    np.testing.assert_allclose((from_hips.joint("left_hip") + from_hips.joint("right_hip")) / 2, 0.0, atol=1e-12)


def test_sequences_that_cannot_be_placed_are_refused(stick_batter):
    pose = stick_batter()
    with pytest.raises(KineticsError, match="no joint in common"):
        align_sequence(pose, sequence(np.zeros((100, 3, 2))))
    with pytest.raises(KineticsError, match="no joint 'tail'"):
        align_sequence(pose, pose, joints=["tail"])
    with pytest.raises(KineticsError, match="2 points are present"):
        align_sequence(sequence(np.zeros((2, 1, 2))), sequence(np.zeros((2, 1, 2))))
    nowhere = np.full(pose.xy.shape, np.nan)
    with pytest.raises(KineticsError, match="0 points are present"):
        align_sequence(pose.with_step("lost", xy=nowhere), pose)
    with pytest.raises(KineticsError, match="never shows pelvis"):
        centre_on_root(pose.with_step("lost", xy=nowhere))
    with pytest.raises(KineticsError, match="no joint 'left_hip'"):
        centre_on_root(pose.select(["left_shoulder", "right_shoulder"]))
    one = pose.xy.copy()
    one[:, pose.index("left_shoulder")] = one[:, pose.index("right_shoulder")]
    with pytest.raises(KineticsError, match="one point"):
        centre_on_root(pose.with_step("thin", xy=one))
