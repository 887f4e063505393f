"""track_bat as a whole where the picture isn't needed: sources in order of trust, repeats, and bad input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.motion.bat import track_bat
from kinetics.motion.bat_track import Mark
from kinetics.motion.camera import Camera
from kinetics.pose_sequence import PoseSequence
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

SIZE, FRAMES = (160, 120), 8
TOE = np.array([110.0, 70.0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("bat") / "grey.mp4"
    with VideoWriter(path, *SIZE, 25, crf=20) as writer:
        for k in range(FRAMES):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 90 + 5 * (k % 2), np.uint8))
    return Clip(path)


@pytest.fixture
def pose(clip):
    at = {}
    for side, x in (("left", 68), ("right", 72)):
        at |= {f"{side}_{joint}": (x, y) for joint, y in (("shoulder", 32), ("elbow", 50), ("wrist", 66), ("hip", 64), ("knee", 88), ("ankle", 112))}
    xy = np.tile(np.array(list(at.values()), float), (FRAMES, 1, 1))
    return PoseSequence(xy, np.full(xy.shape[:2], 0.9), np.arange(FRAMES) / 25, tuple(at), SIZE, provenance={"source": "a stick"})


@pytest.fixture
def camera(pose):
    return Camera.still(pose.t, SIZE)


def masks(frames=range(FRAMES)) -> list[np.ndarray | None]:
    plane = np.zeros(SIZE[::-1], np.uint8)
    cv2.line(plane, (70, 70), tuple(TOE.astype(int).tolist()), 1, 6)
    return [plane if k in frames else None for k in range(FRAMES)]


BOX = {"x": 70.0, "y": 66.0, "width": 42.0, "height": 8.0}


def test_marks_come_before_masks_and_masks_before_boxes(clip, pose, camera):
    track = track_bat(clip, pose, camera, masks=masks(range(4)), boxes=[BOX] * FRAMES, marks=[(1, 105.0, 72.0), Mark(6, 100.0, 60.0)])
    assert track.source.tolist() == ["mask", "mark", "mask", "mask", "boxes", "boxes", "mark", "boxes"]
    np.testing.assert_allclose(track.tip[1], (105.0, 72.0))
    assert track.tip_sigma[1] == 2.0 and track.confidence[1] == 1.0
    assert np.linalg.norm(track.tip[0] - TOE) < 5.0  # a line of 6 px has round caps of 3
    assert track.tip_sigma[4] > track.tip_sigma[0]
    assert track.provenance["tips"] == {"boxes": 3, "mark": 2, "mask": 3}
    assert np.isfinite(track.hands).all() and (track.hands_sigma > 0).all()


def test_a_repeated_frame_has_the_tip_of_the_picture_it_shows(clip, pose, camera):
    repeat = np.arange(FRAMES) % 2 == 1
    still = Camera(pose.t, camera.matrix, camera.shot, camera.residual, SIZE, "still", repeat=repeat)
    track = track_bat(clip, pose, still, masks=masks(range(0, FRAMES, 2)))
    np.testing.assert_array_equal(track.repeat, repeat)
    np.testing.assert_array_equal(track.tip[1::2], track.tip[::2])
    # A mark in a repeated frame is the picture's, in the frame before too, and comes before its mask's tip only where it was made.
    marked = track_bat(clip, pose, still, masks=masks((4,)), boxes=[BOX] * FRAMES, marks=[(3, 101.0, 70.0)])
    np.testing.assert_allclose(marked.tip[3], (101.0, 70.0))


def test_where_nothing_is_seen_the_answer_asks_for_marks(clip, pose, camera):
    with pytest.raises(KineticsError, match="mark its toe in two or three frames, or give a mask"):
        track_bat(clip, pose, camera, network=False)


def test_forearms_only_when_asked_and_flagged(clip, pose, camera):
    track = track_bat(clip, pose, camera, marks=[(0, 100.0, 70.0)], forearm=True, network=False)
    assert set(track.source) == {"mark", "forearm"}
    assert "forearms" in track.flags[0]
    assert track.tip_sigma[5] > 10 * track.tip_sigma[0]
    without = track_bat(clip, pose, camera, marks=[(0, 100.0, 70.0)], network=False)
    assert np.isnan(without.tip[1:]).all() and without.confidence[1:].max() == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"grip": "thumb"}, "midpoint, top, bottom"),
        ({"marks": [(FRAMES, 5.0, 5.0)]}, "outside the clip"),
        ({"marks": [(0, 500.0, 5.0)]}, "outside the 160×120 picture"),
        ({"masks": masks()[:3]}, "3 masks"),
        ({"network": "no/such/file"}, "no/such/file"),
    ],
)
def test_bad_settings_are_one_sentence_each(clip, pose, camera, wrong, words):
    with pytest.raises(KineticsError, match=words) as error:
        track_bat(clip, pose, camera, **wrong)
    assert "\n" not in str(error.value)


def test_parts_that_don_t_belong_together_are_refused(clip, pose, camera):
    with pytest.raises(KineticsError, match="don't belong together"):
        track_bat(clip, pose, Camera.still(pose.t[:-1], SIZE))
    wide = PoseSequence(pose.xy, pose.conf, pose.t, pose.names, (320, 240))
    with pytest.raises(KineticsError, match="160×120"):
        track_bat(clip, wide, Camera.still(pose.t, (320, 240)))
    metres = pose.with_step("scale", space="m")
    with pytest.raises(KineticsError, match="in pixels"):
        track_bat(clip, metres, camera)
    nobody = PoseSequence(np.full_like(pose.xy, np.nan), np.zeros_like(pose.conf), pose.t, pose.names, SIZE)
    with pytest.raises(KineticsError, match="too little of the batter"):
        track_bat(clip, nobody, camera)


def test_progress_may_cancel(clip, pose, camera):
    def stop(done, total):
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        track_bat(clip, pose, camera, network=False, progress=stop)
