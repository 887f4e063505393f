"""Drawn frames detected again by the real detector, beside its floor and chance; what doesn't fit is told in one sentence."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kinetics.cli import main
from kinetics.errors import KineticsError
from kinetics.pose.estimators import Person, make_estimator
from kinetics.pose_sequence import LIMB_NAMES, PoseSequence
from kinetics.score.floor import REAL, WORSE, measure_floor
from kinetics.score.frame_score import score_frames
from kinetics.score.frames import DegradedFrames, Pictures, find_again
from kinetics.score.pose import score_pose
from kinetics.synthetic import write_sample_clips
from kinetics.video.decode import Clip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A cover drive at four frames a second, as small as the detector sees well, and its true skeleton."""
    path = write_sample_clips(tmp_path_factory.mktemp("drawn"), ("cover_drive",), fps=4, size=(640, 360), duration=2.6)[0]
    truth = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))
    xy = np.stack([np.array(joint["px"], float) for joint in truth["joints"].values()], axis=1)
    pose = PoseSequence(
        xy, np.ones(xy.shape[:2]), np.array(truth["t"]), tuple(truth["joints"]), tuple(truth["size"]), provenance={"source": str(path), "estimator": "drawn"}
    )
    return path, pose, [frame.image for frame in Clip(path).frames()]


@pytest.fixture(scope="module")
def estimator():
    made = make_estimator()
    yield made
    made.close()


@pytest.fixture(scope="module")
def scored(drawn, estimator):
    path, pose, _ = drawn
    return score_frames(pose, Clip(path), estimator, source=Clip(path))


def test_drawn_frames_score_as_the_floor_does(scored):
    """The generated frames are the real ones here, so that score and floor are one and the same; both far above chance."""
    pose, floor = scored.pose, scored.floor
    assert floor.name == REAL and "mediapipe" in pose.detector
    assert (pose.pck, pose.oks, pose.angle_error) == (floor.pck, floor.oks, floor.angle_error)
    assert pose.pck > 0.7 and pose.oks > 0.85 and pose.without_person == 0
    assert pose.pck > pose.chance.pck + 4 * pose.chance.pck_sigma
    assert scored.steadiness.mean == scored.source_steadiness.mean > 0
    assert {row.key: row.frames for row in scored.rows()}["warping_ratio"] == 1
    assert scored.notes == ()


def test_shuffled_pictures_are_told(drawn, estimator, scored):
    """Each frame is looked at by itself, so that the right people in the wrong order score what is foretold of a random order."""
    _, pose, images = drawn
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = score_frames(pose, Pictures.from_batch(np.stack([images[k] for k in order]), pose.t), estimator)
    assert abs(shuffled.pose.pck - scored.pose.chance.pck) < 4 * scored.pose.chance.pck_sigma
    assert shuffled.floor is None and shuffled.source_steadiness is None and shuffled.steadiness.mean > scored.steadiness.mean


def test_nobody_in_the_picture_is_no_person(drawn, estimator):
    _, pose, images = drawn
    few = replace(pose, xy=pose.xy[:2], conf=pose.conf[:2], t=pose.t[:2])
    empty = np.full((128, 228, 3), 90, np.uint8)
    empty[:] = np.linspace(60, 120, 228)[None, :, None]
    first = np.asarray(Image.fromarray(images[0]).resize((228, 128), Image.Resampling.BOX))
    score = score_pose(few, find_again(Pictures.from_batch(np.stack([first, empty]), few.t), estimator, few))
    assert score.without_person == pytest.approx(1 / 2) and score.frame_oks[1] == 0 and score.frame_oks[0] > 0.8


def test_a_person_elsewhere_is_found_and_wrong(drawn, estimator):
    """Asked for in the left of the picture, standing in the middle: found all the same, and no joint is right."""
    _, pose, images = drawn
    asked = replace(pose, xy=pose.xy[:1] - (140, 0), conf=pose.conf[:1], t=pose.t[:1])
    score = score_pose(asked, find_again(Pictures.from_batch(np.stack(images[:1]), asked.t), estimator, asked))
    assert score.without_person == 0 and score.missed == 0 and score.pck == 0


class Middle:
    """An estimator that finds nobody by itself and puts every joint into the middle of what it is shown."""

    name, version, weights = "middle", "1", "none"
    joint_names, finds_people, sure = LIMB_NAMES, False, 0.5

    def estimate(self, image):
        return [Person(np.full((12, 2), (len(image) - 1) / 2), np.full(12, 0.8))]


def test_another_detector_is_shown_the_person_that_was_found(drawn):
    """MediaPipe finds him, the other one sees a crop about him: its middle is his."""
    _, pose, images = drawn
    one = replace(pose, xy=pose.xy[:1], conf=pose.conf[:1], t=pose.t[:1])
    found = find_again(Pictures.from_batch(np.stack(images[:1]), one.t), Middle(), one)
    low, high = (bound(pose.select(LIMB_NAMES).xy[0], axis=0) for bound in (np.min, np.max))
    assert found.names == LIMB_NAMES and "middle" in found.provenance["estimator"]
    assert (np.abs(found.xy[0] - (low + high) / 2) < 0.25 * (high - low).max()).all()


def test_floor_of_the_same_detector_is_measured_in_worse_frames(drawn, estimator):
    """A skeleton that this detector found can't be its own floor: the frames are made worse, and the floor lies below 1."""
    path, pose, images = drawn
    clip = Clip(path, duration=0.6)
    first = replace(pose, xy=pose.xy[:3], conf=pose.conf[:3], t=pose.t[:3])
    found = find_again(clip, estimator, first)
    floor = measure_floor(clip, estimator, found)
    assert floor.name == WORSE and floor.median_error.max() > 0 and 0.6 < floor.pck <= 1
    # Fitted to another canvas: nothing lies on the source's pixels, so the detector's own skeleton of the clean frames does.
    fitted = replace(first, xy=first.xy * 0.5, size=(256, 256))
    assert measure_floor(clip, estimator, fitted).name == floor.name
    # Unless the clip's own skeleton is given; key frames of it are taken where only those were requested.
    two = replace(fitted, xy=fitted.xy[[0, 2]], conf=fitted.conf[[0, 2]], t=fitted.t[[0, 2]])
    real = measure_floor(clip, estimator, two, original=first)
    assert real.name == REAL and len(real) == 2
    worse = [frame.image for frame in DegradedFrames(clip).frames()]
    assert all(np.abs(a.astype(float) - b).mean() > 3 for a, b in zip(worse, images, strict=False))
    assert all((a == frame.image).all() for a, frame in zip(worse, DegradedFrames(clip).frames(), strict=True))


def test_pictures_of_a_folder_and_what_does_not_fit(drawn, estimator, tmp_path):
    path, pose, images = drawn
    for k in (0, 1):
        Image.fromarray(images[k]).save(tmp_path / f"frame_{k:05}_.png")
    few = replace(pose, xy=pose.xy[:2], conf=pose.conf[:2], t=pose.t[:2])
    folder = Pictures.from_folder(tmp_path, few.t)
    assert [frame.image.tobytes() for frame in folder.frames()] == [image.tobytes() for image in images[:2]]
    batch = np.stack(images[:2]).astype(np.float32) / 255
    assert all((frame.image == image).all() for frame, image in zip(Pictures.from_batch(batch, few.t).frames(), images, strict=False))
    with pytest.raises(KineticsError, match=r"2 pictures in .* and 10 requested frames"):
        Pictures.from_folder(tmp_path, pose.t)
    with pytest.raises(KineticsError, match="2 requested frames and 10 in cover_drive"):
        score_frames(few, Clip(path), estimator)
    with pytest.raises(KineticsError, match="are not from cover_drive"):
        measure_floor(Clip(path), estimator, replace(few, t=few.t + 60))
    with pytest.raises(KineticsError, match="640x640 picture and the frames are 640x360"):
        score_frames(replace(pose, size=(640, 640)), Clip(path), None)  # before anything is looked at
    with pytest.raises(KineticsError, match="give the frames and an estimator"):
        score_frames(few, None, None)
    Image.fromarray(images[0][:100]).save(tmp_path / "frame_00001_.png")
    with pytest.raises(KineticsError, match="pictures of one size"):
        list(folder.frames())


def test_a_given_skeleton_is_scored_without_a_detector(drawn, scored):
    """Steadiness comes from the frames all the same; the floor of a detector that isn't ours has to be given."""
    path, pose, _ = drawn
    report = score_frames(pose, Clip(path), None, found=scored.skeleton, source=Clip(path))
    assert report.pose.pck == scored.pose.pck and report.floor is None and report.steadiness.mean == scored.steadiness.mean
    assert "The noise floor of mediapipe" in report.notes[0] and "give what it found in cover_drive" in report.notes[0]
    with pytest.raises(KineticsError, match="give the source clip"):
        score_frames(pose, Clip(path), None, found=scored.skeleton, looks=["kid"])


def test_progress_may_cancel(drawn, estimator):
    path, pose, _ = drawn

    def cancel(done, total):
        assert total == 10
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_frames(pose, Clip(path), estimator, progress=cancel)


def test_report_files_hold_the_same_numbers(scored, drawn, tmp_path, capsys):
    """Through the command line with the skeleton already found: no detector is needed, and the table in JSON, CSV and words is one."""
    _, pose, _ = drawn
    pose.save(tmp_path / "asked.json")
    scored.skeleton.save(tmp_path / "found.json")
    out = tmp_path / "out"
    told = ["--pose", str(tmp_path / "asked.json"), "--found", str(tmp_path / "found.json"), "--floor", str(tmp_path / "found.json"), "-o", str(out)]
    assert main(["score", *told]) == 0
    said = capsys.readouterr()
    assert said.out.split() == [str(out / f"score.{suffix}") for suffix in ("json", "csv", "png")] and "PCK@0.1 trunk" in said.err
    value = json.loads((out / "score.json").read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert value["pose"]["pck"] == pytest.approx(scored.pose.pck, rel=1e-5) == value["floor"]["pck"]
    assert len(value["pose"]["per_frame"]["oks"]) == 10 and value["steadiness"] is None
    rows = {row["measure"]: row for row in csv.DictReader((out / "score.csv").open(encoding="utf-8"))}
    assert float(rows["pck"]["frames"]) == pytest.approx(value["pose"]["pck"]) and rows["pck"]["source"] == ""
    assert float(rows["oks"]["chance"]) == pytest.approx(value["pose"]["chance"]["oks"])
    assert {f"pck:{joint}" for joint in LIMB_NAMES} <= set(rows)
    share = np.mean([float(rows[f"pck:{joint}"]["frames"]) for joint in LIMB_NAMES])
    assert share == pytest.approx(value["pose"]["pck"], rel=1e-4)  # every joint is requested in every frame
    with Image.open(out / "score.png") as picture:
        assert picture.size == (960, 600)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to score"), (["FRAMES"], "give --pose"), (["FRAMES", "--pose", "absent.json"], "absent.json is not there"),
        (["--pose", "FRAMES"], "says nothing without FRAMES"), (["FRAMES", "--pose", "POSE", "--lora", "a"], "--lora says nothing without --dataset"),
        (["--dataset", "nowhere"], "give --base"), (["FRAMES", "--pose", "POSE", "--threshold", "-1"], "threshold of PCK"),
        (["absent.mp4", "--pose", "POSE"], "no file"), (["FRAMES", "--pose", "SHORT"], "2 requested frames and 10"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(drawn, tmp_path, capsys, arguments, said):
    path, pose, _ = drawn
    pose.save(tmp_path / "pose.json")
    replace(pose, xy=pose.xy[:2], conf=pose.conf[:2], t=pose.t[:2]).save(tmp_path / "short.json")
    names = {"FRAMES": str(path), "POSE": str(tmp_path / "pose.json"), "SHORT": str(tmp_path / "short.json")}
    if "--threshold" in arguments:
        arguments = ["--found", "POSE", *arguments[1:]]
    assert main(["score", *(names.get(word, word) for word in arguments), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_nan_is_never_written(drawn, tmp_path):
    """One frame: no velocity, no spread, nothing to steady."""
    _, pose, _ = drawn
    one = replace(pose, xy=pose.xy[:1], conf=pose.conf[:1], t=pose.t[:1])
    report = score_frames(one, None, None, found=one)
    assert math.isnan(report.pose.velocity_error) and report.to_dict()["pose"]["velocity_error"] is None
    assert "-" in report.sentences()
