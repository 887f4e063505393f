"""Pairs of frames, and the picture of a skeleton laid on its reference."""

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.motion.procrustes import align_per_frame, align_sequence, centre_on_root, pair_frames
from kinetics.plots.alignment import describe_fit, plot_alignment
from kinetics.pose_sequence import PoseSequence

NAMES = ("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_wrist", "right_wrist")


def walker(frames, fps, scale=1.0, shift=(0.0, 0.0)):
    t = np.arange(frames) / fps
    body = np.array([[-20, -60], [20, -60], [-15, 0], [15, 0], [-40, -10], [40, -10]], float)
    xy = body + np.stack([30 * t, 10 * np.sin(3 * t)], axis=1)[:, None]
    return PoseSequence(scale * xy + shift, np.ones(xy.shape[:2]), t, NAMES, (640, 360))


def test_pairs_at_the_same_second_stop_where_the_reference_ends():
    time_map, pairs = pair_frames(walker(40, 20), walker(31, 30))
    assert np.array_equal(time_map(np.array([0.0, 1.0])), [0.0, 1.0])
    # 20 fps on 30 fps: frame i lies on frame 1.5 i; the reference ends after 1 s, at frame 20.
    assert pairs[-1].tolist() == [20, 30]
    assert (np.abs(pairs[:, 1] - 1.5 * pairs[:, 0]) <= 0.5).all()


def test_stretched_pairs_join_both_ends():
    time_map, pairs = pair_frames(walker(40, 20), walker(31, 30), stretched=True)
    assert pairs[0].tolist() == [0, 0] and pairs[-1].tolist() == [39, 30] and len(pairs) == 40
    assert time_map(np.array([39 / 20]))[0] <= 1.0


def test_stretched_alignment_uses_every_frame():
    ref = walker(31, 30)
    pose = PoseSequence(2 * ref.xy[::2] + 7, ref.conf[::2], ref.t[::2] * 3, NAMES, ref.size)
    aligned, fit = align_sequence(pose, ref, time_map=pair_frames(pose, ref, stretched=True)[0])
    assert fit.count == 16 * len(NAMES)
    assert fit.s == pytest.approx(2, abs=1e-9)  # closed form: rounding only
    assert np.abs(aligned.xy - ref.xy[::2]).max() < 1e-6


def picture(pose, aligned, ref, **more):
    _, pairs = pair_frames(pose, ref)
    return plot_alignment(pose, aligned, ref, pairs=pairs, caption=describe_fit(pose, aligned.provenance["steps"][-1]), **more)


def test_aligned_row_shows_no_reference_beside_the_skeleton():
    """A perfect fit covers the grey reference but for its rim; the row above shows it free."""
    ref, pose = walker(30, 25), walker(30, 25, 0.5, (200, 40))
    image = picture(pose, align_sequence(pose, ref)[0], ref).astype(int)
    assert image.shape == (560, 1100, 3)
    grey = (np.abs(image - np.array([0x5B, 0x62, 0x70])).max(axis=2) < 3).astype(int)
    blue = (np.abs(image - np.array([0x46, 0xAC, 0xF5])).max(axis=2) < 3).astype(int)
    assert blue[:280].sum() > 50 and blue[280:].sum() > 50
    free, covered = grey[:280].sum() / blue[:280].sum(), grey[280:].sum() / blue[280:].sum()
    assert covered < free


@pytest.mark.parametrize("method", ["sequence", "frame", "root"])
def test_caption_says_what_was_fitted(method):
    ref, pose = walker(30, 25), walker(30, 25, 0.5, (200, 40))
    aligned = {"sequence": lambda: align_sequence(pose, ref)[0], "frame": lambda: align_per_frame(pose, ref), "root": lambda: centre_on_root(pose)}[method]()
    caption = describe_fit(pose, aligned.provenance["steps"][-1])
    assert {"sequence": "scale 0.500", "frame": "0 frames can't be fitted", "root": "shoulder width (20.0 px)"}[method] in caption


def test_no_pairs_is_a_sentence():
    pose = walker(5, 25)
    with pytest.raises(KineticsError, match="share no moment"):
        plot_alignment(pose, pose, pose, pairs=np.empty((0, 2), int), caption="")
