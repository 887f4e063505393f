"""A style dataset built from drawn clips with their true skeletons and swings, read again, and refused where it can't be trusted."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from swing_samples import true_stroke

import kinetics.style.dataset as dataset_module
from kinetics.errors import KineticsError
from kinetics.motion.camera import stabilise_pose
from kinetics.motion.measure import measure_swing
from kinetics.style.dataset import StyleShot, build_style_dataset, report
from kinetics.style.samples import FORMAT, VERSION, StyleDataset
from kinetics.style.sheet import contact_sheet
from kinetics.synthetic import default_scene, write_sample_clips
from kinetics.video.decode import Clip

STROKES = ("off_drive", "cover_drive", "hook")
SIZE = (480, 270)

#: Small and quick; 256 is the smallest resolution whose buckets have more than two shapes.
SMALL = {"trigger": "ckx", "resolution": 256, "frames_per_clip": 12}


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """Three drawn clips, each with its true skeleton and the swing measured from its true bat."""
    paths = write_sample_clips(tmp_path_factory.mktemp("strokes"), shots=STROKES, size=SIZE, duration=2.6)
    made = []
    for path in paths:
        scene = replace(default_scene(path.stem, 0, SIZE, None), duration=2.6)
        track, pose, camera, _ = true_stroke(path.stem, fps=25.0, noise=0.3, scene=scene)
        made.append(StyleShot(Clip(path), pose, measure_swing(track, pose, camera, draws=40)))
    return made


@pytest.fixture(scope="module")
def built(shots, tmp_path_factory):
    return build_style_dataset(shots, tmp_path_factory.mktemp("built") / "set", held_out=1, **SMALL)


@pytest.fixture
def copied(built, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(built.folder, tmp_path / "copy")


def missing_pose(pose, frames):
    xy, conf = pose.xy.copy(), pose.conf.copy()
    xy[frames], conf[frames] = np.nan, 0.0
    return replace(pose, xy=xy, conf=conf)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# what is on the disk


def test_files_are_what_other_trainers_read(built):
    lines = [json.loads(line) for line in (built.folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(lines[0]) == {"file_name", "hint", "mask", "text", "clip", "shot", "phase", "t", "frame", "weight", "width", "height", "split"}
    assert sorted(path.name for path in built.folder.iterdir()) == ["dataset.json", "hints", "images", "masks", "metadata.jsonl"]
    for line in lines:
        assert line["width"] % 64 == line["height"] % 64 == 0
        for key, mode in (("file_name", "RGB"), ("hint", "RGB"), ("mask", "L")):
            with Image.open(built.folder / line[key]) as picture:
                assert picture.format == "PNG" and picture.mode == mode and picture.size == (line["width"], line["height"])
        assert (built.folder / line["file_name"]).with_suffix(".txt").read_text(encoding="utf-8") == line["text"] + "\n"
        assert line["text"].startswith("ckx, cricket batter, ") and line["shot"] == line["clip"].replace("_", " ")
        assert 0 < line["weight"] <= 1 and line["t"] == pytest.approx(line["frame"] / 25)
    assert len(list((built.folder / "images").iterdir())) == 2 * len(lines) and len({line["file_name"] for line in lines}) == len(lines)


def test_every_frame_is_in_or_its_reason_is_counted(built, shots):
    info = built.info
    for shot in shots:
        taken = sum(sample.clip == shot.title for sample in built.samples)
        assert 8 <= taken <= 12 and taken + sum(info["left_out"][shot.title].values()) == shot.clip.info.frame_count
    assert info["counts"]["samples"] == len(built.samples) == len(built.split("train")) + len(built.split("held_out"))
    assert info["format"] == FORMAT and info["version"] == VERSION and info["trigger"] == "ckx" and info["settings"]["resolution"] == 256
    drive = info["motion"]["off_drive"]
    assert drive["peak_tip_speed"]["value"] > 0 and drive["peak_tip_speed"]["sigma"] > 0 and drive["peak_tip_speed"]["unit"] == "body heights/s"
    assert drive["peak_omega"]["unit"] == "rad/s" and drive["phases_from"] == "swing" and drive["tempo"].endswith("tempo")
    assert str(shots[0].clip._source) not in json.dumps(info)  # the folder is shared: no path of this machine


def test_phases_are_told_by_the_swing_and_balanced(built, shots):
    for shot in shots:
        samples = [sample for sample in built.samples if sample.clip == shot.title]
        phases = shot.swing.phases
        for sample in samples:
            if sample.phase != "impact":
                assert phases[sample.phase].start <= sample.t < phases[sample.phase].end
            else:
                assert abs(sample.t - phases.impact.t) <= max(phases.impact.sigma, 0.02)
        counts = [sum(sample.phase == name for sample in samples) for name in ("stance", "backlift", "downswing", "impact", "follow_through")]
        # 12 places for five phases: no phase may take more than a third.
        assert max(counts) <= 4 and sum(count > 0 for count in counts) >= 4


def test_held_out_is_a_whole_clip(built):
    sides = {(sample.clip, sample.split) for sample in built.samples}
    assert len(sides) == 3 and sum(split == "held_out" for _, split in sides) == 1


def test_crop_hint_and_mask_lie_on_the_batter(built, shots):
    """The kit's colour, known from the drawing's own skeleton: the mask keeps most of what moves with the batter and little of the grass."""
    for sample in built.samples[::3]:
        picture, hint, mask = built.pictures(sample)
        drawn = hint.any(axis=2)
        assert drawn.sum() > 200 and (mask[drawn & (hint.max(axis=2) > 160)] > 127).mean() > 0.95
        green = (picture[..., 1] > picture[..., 0] + 12) & (picture[..., 1] > picture[..., 2] + 12)
        # Bones lie on the body, not on the grass; a thin limb's hint is as wide as the limb in so small a picture.
        assert green[drawn].mean() < 0.35 and green[mask == 0].mean() > green[mask == 255].mean()


def test_bat_is_in_the_hint_where_it_was_seen_and_only_when_asked(built, shots, tmp_path):
    white = [bool((built.pictures(sample)[1] == 255).all(axis=2).any()) for sample in built.samples]
    seen = {shot.title: np.isfinite(shot.swing.tip[:, 0]) for shot in shots}
    assert white == [bool(seen[sample.clip][sample.frame]) for sample in built.samples]
    without = build_style_dataset(shots[:1], tmp_path / "set", held_out=0, bat_layer=False, **SMALL | {"frames_per_clip": 3})
    assert not any((without.pictures(sample)[1] == 255).all(axis=2).any() for sample in without.samples)


def test_smeared_frames_weigh_less(built, shots):
    for shot in shots:
        own = [sample for sample in built.samples if sample.clip == shot.title]
        still = [sample.weight for sample in own if sample.phase in ("stance", "backlift")]
        fast = [sample.weight for sample in own if sample.phase in ("downswing", "impact")]
        assert np.mean(fast) < np.mean(still) and min(fast) >= 0.9 * 0.25 * 0.99  # the true skeleton's confidence is 0.9


def test_same_input_and_seed_give_the_same_bytes(shots, tmp_path):
    settings = SMALL | {"frames_per_clip": 4}
    first, again = (build_style_dataset(shots[:2], tmp_path / name, held_out=1, seed=3, **settings) for name in ("a", "b"))
    assert files_of(first.folder) == files_of(again.folder)
    # An older dataset of ours is replaced, whole.
    other = build_style_dataset(shots[:2], tmp_path / "a", held_out=1, **settings | {"trigger": "other", "frames_per_clip": 2})
    assert other.trigger == "other" and len(other.samples) == 4 and len(list((tmp_path / "a" / "hints").iterdir())) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_given_masks_take_the_skeleton_s_place_and_keep_the_bat(shots, tmp_path):
    masks = np.zeros((len(shots[0].pose), 135, 240), np.float32)  # half the clip's size
    masks[:, :, :120] = 1
    dataset = build_style_dataset([replace(shots[0], masks=masks)], tmp_path / "set", held_out=0, **SMALL | {"frames_per_clip": 4})
    for sample in dataset.samples:
        mask = dataset.pictures(sample)[2]
        assert (mask[0] == mask[-1]).all() and mask[0, 0] == 255  # a straight edge, no skeleton
    assert dataset.info["provenance"]["clips"]["off_drive"]["masks"] == "given"


# without a swing, and with holes


def test_without_a_swing_frames_are_balanced_by_speed_and_it_says_so(shots, tmp_path):
    plain = StyleShot(shots[0].clip, shots[0].pose.select([name for name in shots[0].pose.names if name != "bat_tip"]), shot="off drive")
    dataset = build_style_dataset([plain], tmp_path / "set", held_out=0, **SMALL)
    counts = dataset.info["counts"]["by_phase"]
    assert set(counts) == {"slow", "medium", "fast"} and max(counts.values()) - min(counts.values()) <= 2
    assert any("balanced by how fast" in note for note in dataset.info["notes"]) and dataset.info["motion"]["off_drive"]["peak_tip_speed"] is None
    assert dataset.samples[0].text.endswith(" movement") and "balanced" in report(dataset)


def test_frames_without_the_pose_are_left_out_and_counted(shots, tmp_path):
    pose = missing_pose(shots[0].pose, slice(0, 20))
    dataset = build_style_dataset([StyleShot(shots[0].clip, pose)], tmp_path / "set", held_out=0, **SMALL)
    assert dataset.info["left_out"]["off_drive"]["no pose"] == 20 and min(sample.frame for sample in dataset.samples) >= 20


def test_skeleton_of_a_part_of_the_clip_is_matched_by_time(shots, tmp_path):
    pose = shots[0].pose
    part = replace(pose, xy=pose.xy[30:50], conf=pose.conf[30:50], t=pose.t[30:50])
    dataset = build_style_dataset([StyleShot(shots[0].clip, part)], tmp_path / "set", held_out=0, **SMALL)
    assert {sample.frame for sample in dataset.samples} <= set(range(30, 50))
    assert dataset.info["left_out"]["off_drive"]["no pose"] == shots[0].clip.info.frame_count - 20


def test_cancel_leaves_nothing(shots, tmp_path):
    for stop in (10, 100):  # in the first pass, and while pictures are written

        def progress(done, total, stop=stop):
            assert total == 2 * shots[0].clip.info.frame_count
            if done >= stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build_style_dataset(shots[:1], tmp_path / "out" / "set", held_out=0, progress=progress, **SMALL)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_full_disk_is_said_and_leaves_nothing(shots, tmp_path, monkeypatch):
    def full(path, image):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dataset_module, "_write_png", full)
    with pytest.raises(KineticsError, match="No space left on device; choose a folder"):
        build_style_dataset(shots[:1], tmp_path / "set", held_out=0, **SMALL)
    assert not list(tmp_path.iterdir())


# bad input


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"held_out": 1}, "one clip only"), ({"held_out": 0.2}, "one clip only"), ({"held_out": -1}, "can't be held out"), ({"template": "{trigger} {who}"}, "who"),
        ({"frames_per_clip": 0}, "1 or more"), ({"resolution": 500}, "multiple of 64"), ({"buckets": [(100, 128)]}, "multiples of 64"),
    ],
)  # fmt: skip
def test_settings_that_can_t_be_met(shots, tmp_path, changes, words):
    with pytest.raises(KineticsError, match=words):
        build_style_dataset(shots[:1], tmp_path / "set", **{"held_out": 0, **SMALL, **changes})
    assert not (tmp_path / "set").exists()


def test_shots_that_can_t_be_used(shots, tmp_path):
    def build(*given, held_out=0.0):
        with pytest.raises(KineticsError) as told:
            build_style_dataset(given, tmp_path / "set", held_out=held_out, **SMALL)
        assert not list(tmp_path.iterdir())
        return str(told.value)

    clip, pose, swing = shots[0].clip, shots[0].pose, shots[0].swing
    assert "no clip" in build()
    assert "can't be held out of 2" in build(*shots[:2], held_out=2)
    # Two strokes of one footage are one clip.
    assert "one clip only" in build(shots[0], replace(shots[0], clip=clip.trimmed(0.5)), held_out=1)
    assert "65 no pose" in build(StyleShot(clip, missing_pose(pose, slice(None))))
    assert "Only hook has frames" in build(StyleShot(clip, missing_pose(pose, slice(None))), shots[2], held_out=1)
    assert "480×270" in build(StyleShot(clip, replace(pose, size=(640, 360))))
    assert "not stabilised" in build(StyleShot(clip, stabilise_pose(pose, swing.camera)))
    assert "not of its skeleton's frames" in build(replace(shots[0], pose=replace(pose, t=pose.t + 0.01)))
    assert "no time in common" in build(StyleShot(clip, replace(pose, t=pose.t + 100)))
    assert "masks don't fit" in build(replace(shots[0], masks=[None] * 3))
    assert "exposure" in build(replace(shots[0], exposure=0.0))


def test_someone_else_s_folder_is_left_alone(shots, copied, tmp_path):
    (copied / "notes.txt").write_text("mine")
    before = files_of(copied)
    for place in (copied, tmp_path / "file"):
        (tmp_path / "file").write_text("x")
        with pytest.raises(KineticsError, match="there already"):
            build_style_dataset(shots[:1], place, held_out=0, **SMALL)
    assert files_of(copied) == before


# reading it again


def test_loaded_is_what_was_built(built):
    again = StyleDataset.load(built.folder)
    assert again.samples == built.samples and again.info == built.info and len(again) == len(again.split("train")) + len(again.split("held_out"))
    with pytest.raises(KineticsError, match="held_out"):
        again.split("test")


def test_caption_edited_in_its_text_file_counts(copied):
    first = StyleDataset.load(copied).samples[0]
    (copied / first.file_name).with_suffix(".txt").write_text("ckx, a lofted drive\n", encoding="utf-8")
    assert StyleDataset.load(copied).samples[0].text == "ckx, a lofted drive"


def damage(copied, **changes):
    lines = (copied / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), **changes})
    (copied / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"width": "wide"}, "its width"), ({"weight": True}, "its weight"), ({"weight": 7.0}, "from 0 to 1"), ({"split": "test"}, "split 'test'"),
        ({"hint": "hints/none.png"}, "no such file"), ({"mask": "../secret.png"}, "outside the folder"), ({"height": 64}, "one size"),
    ],
)  # fmt: skip
def test_damaged_sample_is_named(copied, changes, words):
    damage(copied, **changes)
    with pytest.raises(KineticsError, match=words):
        StyleDataset.load(copied)


def test_damage_is_said_in_a_sentence(copied):
    def told():
        with pytest.raises(KineticsError) as error:
            StyleDataset.load(copied)
        return str(error.value)

    text = (copied / "metadata.jsonl").read_text(encoding="utf-8")
    (copied / "metadata.jsonl").write_text(text[:-40], encoding="utf-8")  # cut off in the last line
    assert f"Line {len(text.splitlines())} of" in told()
    (copied / "metadata.jsonl").write_text("", encoding="utf-8")
    assert "no sample" in told()
    (copied / "metadata.jsonl").write_text(text, encoding="utf-8")
    hint = copied / json.loads(text.splitlines()[0])["hint"]
    Image.new("RGB", (64, 64)).save(hint)
    assert hint.name in told() and "64×64" in told()
    hint.write_bytes(b"no picture")
    assert "can't be read as a picture" in told()
    info = json.loads((copied / "dataset.json").read_text(encoding="utf-8"))
    (copied / "dataset.json").write_text(json.dumps(info | {"version": VERSION + 1}), encoding="utf-8")
    assert "update the pack" in told()
    (copied / "dataset.json").write_text("{}", encoding="utf-8")
    assert "not of a style dataset" in told()
    (copied / "dataset.json").unlink()
    assert "no dataset.json" in told()


# the sheet


def test_contact_sheet_shows_every_clip(built):
    sheet = contact_sheet(built)
    assert sheet.dtype == np.uint8 and sheet.shape[1:] == (1800, 3)
    assert (sheet.max(axis=(1, 2)) > 100).mean() > 0.8
    assert np.array_equal(sheet, contact_sheet(built))
