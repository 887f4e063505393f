"""Two skeletons in one picture: both are there and told apart, what is drawn is what was measured, and nothing half-written is left."""

from __future__ import annotations

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.ink import write_name
from kinetics.plots.overlay import _Scene, plot_overlay_sheet, render_overlay
from kinetics.pose_sequence import PoseSequence
from kinetics.video.decode import Clip

GREEN, PINK = (43, 199, 154), (229, 143, 192)


def near(image, colour, room=14):
    return int((np.abs(image.astype(int) - colour).max(axis=2) < room).sum())


@pytest.fixture
def pair(stick_batter):
    """A batter, and the same with his left hand 44 px (0.4 of the trunk) to the right of where it was, seen in the second half only."""
    ref = stick_batter(seconds=0.8)
    xy = ref.xy.copy()
    xy[:, ref.index("left_wrist"), 0] += 44
    xy[:10] = np.nan
    return ref, PoseSequence(xy, np.where(np.isnan(xy[..., 0]), 0, ref.conf), ref.t, ref.names, ref.size)


def test_the_distance_is_the_joints_root_mean_square(pair):
    scene = _Scene(*pair, ("a", "b"), (320, 240))
    trunk = np.median(np.linalg.norm((pair[0].joint("left_shoulder") + pair[0].joint("right_shoulder") - pair[0].joint("left_hip") - pair[0].joint("right_hip")) / 2, axis=1))
    assert np.isnan(scene.apart[:10]).all()
    np.testing.assert_allclose(scene.apart[10:], 44 / trunk / np.sqrt(len(scene.joints)), rtol=1e-9)


def test_the_video_has_a_frame_per_frame_with_both_in_it(pair, tmp_path):
    seen = []
    path = render_overlay(*pair, tmp_path / "both.mp4", labels=("one", "\u062f\u0648"), impact=0.5, size=(480, 360), progress=lambda *at: seen.append(at))
    frames = list(Clip(path).frames())
    assert len(frames) == 20 and seen == [(k, 20) for k in range(1, 21)]
    np.testing.assert_allclose([frame.t for frame in frames], pair[0].t, atol=1e-4)
    early, late = frames[2].image[40:290], frames[15].image[40:290]
    # Below the legend: the other's pink comes with its frames only; the reference, drawn faint, is always there. The encoder blurs colours.
    assert near(early, PINK, 40) == 0 and near(late, PINK, 40) > 60
    faint = np.array((21, 23, 28)) + 0.62 * (np.array(GREEN) - (21, 23, 28))
    assert near(early, faint, 30) > 60 and near(late, faint, 30) > 60
    assert near(late, (255, 255, 255), 60) > near(early, (255, 255, 255), 60)  # the line to the partner furthest away, and its name


def test_the_sheet_has_eight_instants(pair, tmp_path):
    full = pair[0], PoseSequence(pair[0].xy + 5, pair[0].conf, pair[0].t, pair[0].names, pair[0].size)
    sheet = plot_overlay_sheet(*full, impact=0.44, path=tmp_path / "sheet.png")
    assert sheet.shape == (720, 960, 3) and (tmp_path / "sheet.png").exists()
    for row in range(2):
        for column in range(4):
            cell = sheet[54 + row * 335 : 54 + (row + 1) * 331, column * 241 : (column + 1) * 240]
            assert near(cell, PINK) > 60 and near(cell, (217, 221, 229)) > 30  # the other; time and distance
    assert not np.array_equal(sheet, plot_overlay_sheet(*full))  # without impact: where the hands are fastest


def test_cancel_leaves_nothing(pair, tmp_path):
    def cancel(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_overlay(*pair, tmp_path / "both.mp4", size=(320, 240), progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_told_in_one_sentence(pair, tmp_path):
    ref, other = pair
    shorter = PoseSequence(ref.xy[:9], ref.conf[:9], ref.t[:9], ref.names, ref.size)
    later = PoseSequence(ref.xy, ref.conf, ref.t + 1, ref.names, ref.size)
    strange = PoseSequence(ref.xy[:, :3], ref.conf[:, :3], ref.t, ("a", "b", "c"), ref.size)
    for args, more, says in (
        ((ref, shorter), {}, "same times and unit"),
        ((ref, later), {}, "same times and unit"),
        ((ref, strange), {}, "in common"),
        ((ref, other), {"size": (100, 100)}, "at least 320×240"),
    ):
        with pytest.raises(KineticsError, match=says) as error:
            render_overlay(*args, tmp_path / "bad.mp4", **more)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ("Cover drive", "\u0627\u0631\u062f\u0648 \u0634\u0627\u0679", "\u65e5\u672c\u8a9e", "", "W" * 200))
def test_names_in_any_script_stay_in_their_room(text):
    image = np.zeros((40, 300, 3), np.uint8)
    wide = write_name(image, text, (10, 20), 14, (255, 255, 255), 120)
    assert wide <= 120 and (image[:, :9] == 0).all() and (image[:, 10 + 121 :] == 0).all()
    assert bool(text) == bool(image.max() > 200)
