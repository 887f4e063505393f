"""Extraction from pixels: windows that map back exactly, cuts, and people followed through drawn clips and a real one."""

from __future__ import annotations

import builtins
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError, MissingDependency
from kinetics.pose.cuts import CutFinder
from kinetics.pose.estimators import NearestFollower, Person, make_estimator
from kinetics.pose.extract import extract_pose
from kinetics.pose.find import find_people, tiles_of
from kinetics.pose.openpose_estimator import JOINT_NAMES, OpenPoseEstimator
from kinetics.pose.region import Region
from kinetics.pose_sequence import COCO_NAMES
from kinetics.video.decode import Clip, Frame

ROOT = Path(__file__).resolve().parents[2]
SPORTS2D = ROOT / ".downloads" / "sports2d_demo.mp4"
RED, GREEN, BLUE = (220, 40, 40), (40, 220, 40), (40, 40, 220)
FPS = 25


class ColouredPeople:
    """Finds people drawn as upright boxes of plain colour: joints at fixed places of the box. No memory, no weights."""

    name, version, weights = "coloured boxes", "1", "none"
    joint_names = COCO_NAMES
    finds_people, sure = True, 0.5
    _across = np.array([0.5, 0.45, 0.55, 0.4, 0.6, 0.2, 0.8, 0.1, 0.9, 0.05, 0.95, 0.3, 0.7, 0.3, 0.7, 0.3, 0.7])
    _down = np.array([0.06, 0.04, 0.04, 0.05, 0.05, 0.2, 0.2, 0.35, 0.35, 0.5, 0.5, 0.52, 0.52, 0.75, 0.75, 1.0, 1.0])

    def estimate(self, image):
        people = []
        for colour in (RED, GREEN, BLUE):
            mask = cv2.inRange(image, np.array(colour) - 60, np.array(colour) + 60)
            _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            for x, y, width, height, area in stats[1:]:
                if area > 60 and height > 1.5 * width:
                    xy = np.stack((x + self._across * (width - 1), y + self._down * (height - 1)), axis=1)
                    people.append(Person(xy, np.full(17, 0.9)))
        return people

    def follower(self):
        return NearestFollower(self)

    def close(self):
        pass


class DrawnClip:
    """Stands in for a Clip: pictures from a function of the frame's number."""

    def __init__(self, draw, frames, size=(640, 360)):
        self._draw, self._frames = draw, frames
        self.losses = []
        self.info = SimpleNamespace(name="drawn.mp4", width=size[0], height=size[1], frame_count=frames, fps=Fraction(FPS))

    def frames(self, careful=True):
        for index in range(self._frames):
            yield Frame(index, index / FPS, self._draw(index))


def scene(*people, seed=0):
    """A textured ground with people: (x of the middle, y of the head, height, colour), the last in front."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(90, 150, (45, 80, 1), np.uint8), (640, 360), interpolation=cv2.INTER_CUBIC)
    image = np.repeat(image[:, :, None], 3, axis=2)
    for x, y, height, colour in people:
        half = 0.15 * height
        cv2.rectangle(image, (round(x - half), round(y)), (round(x + half), round(y + height)), colour, -1)
    return image


def middles(pose):
    """x of the hips' midpoint, NaN where missing."""
    return pose.joint("pelvis")[:, 0]


@given(x=st.floats(-200, 900), y=st.floats(-200, 500), side=st.floats(20, 1200))
def test_windows_map_there_and_back(x, y, side):
    region = Region.around(np.array((x, y)), side)
    assert np.abs(region.centre - (x, y)).max() <= 0.5 + 1e-9
    person = Person(np.array([(x, y), (x + 3.25, y - 7.5)]), np.ones(2))
    # Float rounding only.
    np.testing.assert_allclose(region.to_source(region.to_crop(person)).xy, person.xy, atol=1e-9)


@pytest.mark.parametrize(("side", "tolerance"), [(96, 0.15), (384, 0.0), (500, 0.05)])
def test_a_mark_in_the_window_comes_back_to_its_source_pixel(side, tolerance):
    image = np.zeros((300, 640, 3), np.uint8)
    cv2.GaussianBlur(np.pad(np.full((1, 1, 3), 255.0), ((150, 149), (200, 439), (0, 0))), (0, 0), 4, dst=(blurred := np.zeros((300, 640, 3))))
    image[:] = np.round(blurred / blurred.max() * 255)
    region = Region.around(np.array((210.3, 140.8)), side)
    crop = region.cut(image)[:, :, 0].astype(float)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    middle = np.array(((columns * crop).sum(), (rows * crop).sum())) / crop.sum()
    # The blob's centroid: cut at grey 0.5, which shifts it by less than the tolerance; exact when nothing is resampled.
    found = region.to_source(Person(middle[None], np.ones(1))).xy[0]
    np.testing.assert_allclose(found, (200, 150), atol=tolerance + 1e-6)


def test_a_window_outside_the_picture_is_black():
    assert not Region(-500, -500, 100).cut(np.full((50, 50, 3), 9, np.uint8)).any()


def test_tiles_cover_the_picture():
    covered = np.zeros((360, 640), int)
    for tile in tiles_of(640, 360, 0.56):
        assert 0 <= tile.x <= 640 - tile.side and 0 <= tile.y <= 360 - tile.side
        covered[tile.y : tile.y + tile.side, tile.x : tile.x + tile.side] += 1
    assert covered.min() >= 1


def test_cuts_are_found_and_pans_flicker_and_score_bars_are_none():
    wide = cv2.resize(np.random.default_rng(1).integers(0, 255, (60, 200, 3), np.uint8), (1600, 480), interpolation=cv2.INTER_CUBIC)
    other = cv2.resize(np.random.default_rng(2).integers(0, 255, (60, 200, 3), np.uint8), (1600, 480), interpolation=cv2.INTER_CUBIC)
    bar = np.random.default_rng(3).integers(0, 255, (60, 640, 3), np.uint8)

    def shot(picture, x, light=1.0):
        image = np.clip(picture[:360, x : x + 640] * light, 0, 255).astype(np.uint8)
        image[300:] = bar
        return image

    frames = [shot(wide, 20 * k) for k in range(8)] + [shot(wide, 140, light) for light in (0.85, 1.0, 0.8, 1.0)]
    frames += [shot(other, 20 * k) for k in range(5)] + [shot(other, 80)] * 2
    finder = CutFinder()
    assert [index for index, image in enumerate(frames) if finder.is_cut(image)] == [12]


def test_people_are_found_at_several_sizes_from_left_to_right():
    image = scene((500, 100, 200, RED), (90, 150, 90, GREEN), (320, 120, 120, BLUE))
    people = find_people(image, ColouredPeople())
    assert [round(person.centre[0]) for person in people] == [90, 320, 500]


def test_the_subject_is_followed_through_a_crossing():
    def draw(index):
        return scene((100 + 9 * index, 130, 150, RED), (550 - 9 * index, 120, 160, GREEN))

    clip = DrawnClip(draw, 50)
    for subject, colour_start, speed in (("0", 100, 9), ("1", 550, -9)):
        pose = extract_pose(clip, ColouredPeople(), subject=subject)
        expected = colour_start + speed * np.arange(50)
        seen = np.isfinite(middles(pose))
        # Behind the other one he may be missed or seen in part: half his width; never the other, who is further off.
        assert np.abs(middles(pose) - expected)[seen].max() < 25
        apart = np.abs(450 - 18 * np.arange(50)) > 60
        assert seen[apart].all()
        np.testing.assert_allclose(middles(pose)[apart], expected[apart], atol=2.0)  # a pixel or two of the resampled box's edges


def test_the_subject_who_leaves_is_missing_and_the_same_when_back():
    def draw(index):
        people = [(500, 120, 160, GREEN)]
        return scene(*people, *([] if 20 <= index < 40 else [(200 + index, 130, 150, RED)]))

    pose = extract_pose(DrawnClip(draw, 70), ColouredPeople(), subject="200,200")
    seen = np.isfinite(middles(pose))
    assert seen[:20].all() and not seen[20:40].any() and seen[40:].all()
    np.testing.assert_allclose(middles(pose)[seen], (200 + np.arange(70))[seen], atol=2.0)
    assert pose.provenance["frames_without_person"] == list(range(20, 40))
    assert pose.conf[20:40].max() == 0


def test_after_a_cut_nobody_is_invented():
    def draw(index):
        return scene((200, 130, 150, RED)) if index < 20 else scene((330, 100, 180, BLUE), seed=5)

    pose = extract_pose(DrawnClip(draw, 40), ColouredPeople(), subject="0")
    assert pose.provenance["cuts"] == [20]
    assert np.isfinite(middles(pose)).tolist() == [True] * 20 + [False] * 20


def test_a_person_found_late_is_followed_back():
    # Small at first: only the finest tiles show him, and those come by turns.
    def draw(index):
        return scene((500, 60, 240, GREEN), (150, 200, 60 + 3 * index, RED))

    pose = extract_pose(DrawnClip(draw, 40), ColouredPeople(), subject="150,260@30")
    assert np.isfinite(middles(pose)).sum() >= 36
    assert np.nanmax(np.abs(middles(pose) - 150)) < 3


def test_boxes_and_masks_say_who_it_is():
    def draw(index):
        return scene((150 + index, 130, 150, RED), (450, 120, 160, GREEN))

    clip = DrawnClip(draw, 30)
    boxes = [[{"x": 120 + index, "y": 125, "width": 60, "height": 160}] for index in range(30)]
    masks = np.zeros((30, 36, 64))
    masks[:, 12:28, 42:48] = 1
    np.testing.assert_allclose(middles(extract_pose(clip, ColouredPeople(), boxes=boxes)), 150 + np.arange(30), atol=2.0)
    np.testing.assert_allclose(middles(extract_pose(clip, ColouredPeople(), masks=masks)), 450, atol=2.0)
    alone = extract_pose(clip, ColouredPeople(), boxes={"x": 130, "y": 125, "width": 60, "height": 160}, start_frame=5)
    np.testing.assert_allclose(middles(alone), 150 + np.arange(30), atol=2.0)


def test_one_frame_is_enough_and_provenance_tells_the_story():
    pose = extract_pose(DrawnClip(lambda index: scene((300, 100, 180, RED)), 1), ColouredPeople())
    assert len(pose) == 1 and pose.size == (640, 360) and pose.space == "px"
    assert set(pose.names) == {*COCO_NAMES, "neck", "pelvis"}
    assert pose.provenance["source"] == "drawn.mp4"
    assert pose.provenance["estimator"] == "coloured boxes 1, none"
    assert pose.provenance["subject"]["asked"] == "auto" and "the one who swings" in pose.provenance["subject"]["chosen"]


def test_nobody_in_the_clip_is_told():
    with pytest.raises(KineticsError, match=r"Nobody was found in drawn\.mp4; point at the person"):
        extract_pose(DrawnClip(lambda index: scene(), 3), ColouredPeople())


def test_cancel_stops_within_a_frame():
    decoded = []

    def draw(index):
        decoded.append(index)
        return scene((300, 100, 180, RED))

    def cancel(done, total):
        assert total == 500
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_pose(DrawnClip(draw, 500), ColouredPeople(), progress=cancel)
    # Two are decoded ahead, one waits to be put, one may be under way.
    assert len(decoded) <= 3 + 4


def test_openpose_rows_become_people():
    candidates = np.array([(10.0, 20.0, 0.8, 0), (30.0, 40.0, 1.2, 1)])
    row = np.full(20, -1.0)
    row[JOINT_NAMES.index("left_wrist")], row[JOINT_NAMES.index("neck")] = 0, 1
    person = OpenPoseEstimator._person(candidates, row)
    assert person.xy[JOINT_NAMES.index("left_wrist")].tolist() == [10, 20]
    assert person.conf[JOINT_NAMES.index("neck")] == 1.0
    assert np.isnan(person.xy).all(axis=1).sum() == 16 and person.conf.sum() == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("name", "package", "said"),
    [("openpose", "controlnet_aux", "OpenPose needs the package controlnet-aux"), ("rtmpose", "rtmlib", "RTMPose needs the packages rtmlib and onnxruntime")],
)
def test_an_absent_package_is_named(monkeypatch, name, package, said):
    real = builtins.__import__

    def without(wanted, *args, **kwargs):
        if wanted.split(".")[0] in (package, "onnxruntime"):
            raise ImportError(f"No module named {wanted!r}", name=wanted)
        return real(wanted, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    mediapipe = sys.modules.get("mediapipe")
    with pytest.raises(MissingDependency, match=said):
        make_estimator(name, weights="nowhere")
    assert sys.modules.get("mediapipe") is mediapipe


def test_unknown_estimators_and_wrong_files_are_told(tmp_path):
    with pytest.raises(KineticsError, match="no pose estimator 'alphapose'; choose one of mediapipe, openpose, rtmpose"):
        make_estimator("alphapose")
    with pytest.raises(MissingDependency, match="There is no model file"):
        make_estimator("mediapipe", tmp_path / "nothing.task")
    (tmp_path / "wrong.task").write_bytes(b"not a model")
    with pytest.raises(KineticsError, match="is not a pose landmarker"):
        make_estimator("mediapipe", tmp_path / "wrong.task")


@pytest.mark.parametrize(("subject", "left", "right"), [("0", 500, 900), ("1391,760@11", 1200, 1600)])
def test_either_person_of_the_sports2d_clip_can_be_chosen(capfd, subject, left, right):
    assert SPORTS2D.is_file(), f"{SPORTS2D} is missing: run scripts/test.sh, which fetches it out of the sports2d wheel."
    pose = extract_pose(Clip(SPORTS2D, start=1.6, duration=0.4), subject=subject)
    seen = np.isfinite(middles(pose))
    assert seen.all()
    # The man stands on the roof on the left, the woman walks along on the right: by eye.
    assert left < np.nanmin(middles(pose)) and np.nanmax(middles(pose)) < right
    assert pose.conf[seen][:, [pose.index("left_hip"), pose.index("right_hip")]].mean() > 0.9
    # Nothing in the host's log.
    assert capfd.readouterr() == ("", "")
