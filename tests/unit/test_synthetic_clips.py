"""Sample clips on disk: the files, the truth beside them, and what happens when the work is stopped."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.synthetic import SHOTS, default_scene, with_extras, write_sample_clips
from kinetics.synthetic.body import BODY_NAMES
from kinetics.video.decode import Clip

SMALL = {"fps": 10, "size": (160, 90)}


def strict(path):
    def refuse(name):
        raise ValueError(name)

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """One clip with all extras, and the progress calls made on the way."""
    folder, calls = tmp_path_factory.mktemp("clips"), []
    (path,) = write_sample_clips(
        folder,
        ["hook"],
        seed=5,
        second_person=True,
        occlusion=True,
        cut=True,
        overlays=True,
        progress=lambda *call: calls.append(call),
        **SMALL,
    )
    return path, calls


def test_clip_has_the_right_size_rate_and_count(everything):
    path, calls = everything
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [frame.time for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.width, stream.height, stream.average_rate) == ("h264", 160, 90, 10)
    np.testing.assert_allclose(times, np.arange(30) / 10, atol=1e-6)
    assert calls == [(k, 30) for k in range(1, 31)]


def test_truth_is_strict_json_and_agrees_with_the_scene(everything):
    path, _ = everything
    record = strict(path.with_suffix(".truth.json"))
    scene = with_extras(default_scene("hook", 5, SMALL["size"]), SMALL["fps"], second_person=True, occlusion=True, cut=True)
    truth = scene.truth(np.asarray(record["t"]))
    assert (record["shot"], record["fps"], record["size"], record["seed"], record["frames"]) == ("hook", 10, [160, 90], 5, 30)
    for name in BODY_NAMES:
        np.testing.assert_allclose(record["joints"][name]["px"], truth.point_px(name), atol=1e-4)
        np.testing.assert_allclose(record["joints"][name]["m"], truth.point(name), atol=1e-6)
        assert len(record["joints"][name]["visible"]) == 30
    np.testing.assert_allclose(record["bat_tip"]["px"], truth.point_px("bat_tip"), atol=1e-4)
    np.testing.assert_allclose(record["hands"]["m"], truth.point("hands"), atol=1e-6)
    np.testing.assert_allclose(record["omega"]["rad_s"], truth.omega, atol=1e-6)
    np.testing.assert_allclose(record["tip_speed"]["m_s"], truth.tip_speed, atol=1e-6)
    np.testing.assert_allclose(record["px_per_m"], truth.px_per_m, atol=1e-6)
    assert record["impact_time_s"] == scene.stroke.impact
    assert record["peaks"]["tip_speed"]["value"] >= max(record["tip_speed"]["m_s"])
    for name in ("second", "occluder"):
        assert np.shape(record["people"][name]["joints"]["left_knee"]["px"]) == (30, 2)
        assert np.shape(record["people"][name]["box"]) == (30, 4)


def test_truth_tells_the_camera_and_the_cut(everything):
    path, _ = everything
    record = strict(path.with_suffix(".truth.json"))
    cut = record["cut"]["frame"]
    assert record["cut"]["time_s"] == record["t"][cut]
    assert [camera["segment_start"] for camera in record["camera"]] == [0] * cut + [cut] * (30 - cut)
    for i in (0, cut - 1, cut, 29):
        camera = record["camera"][i]
        eye = np.array(camera["K"]) @ np.array(camera["R"]) @ (np.array(record["bat_tip"]["m"][i]) - camera["place_m"])
        np.testing.assert_allclose(eye[:2] / eye[2], record["bat_tip"]["px"][i], atol=2e-3)  # metres are rounded to 1e-6, at up to 50 px/m
    np.testing.assert_allclose(record["camera"][cut]["homography"], np.eye(3), atol=1e-9)
    x0, y0, x1, y1 = np.array(record["box"][3])
    nose = record["joints"]["nose"]["px"][3]
    assert x0 < nose[0] < x1 and y0 < nose[1] < y1


def test_same_seed_writes_the_same_truth(tmp_path):
    """The drawn frames are equal to the bit too (test_synthetic_render); what x264 makes of them isn't ours to promise."""
    truths = []
    for folder, seed in (("a", 2), ("b", 2), ("c", 3)):
        (path,) = write_sample_clips(tmp_path / folder, ["off_drive"], fps=5, size=(96, 64), seed=seed)
        truths.append(path.with_suffix(".truth.json").read_bytes())
    assert truths[0] == truths[1] != truths[2]


def test_workers_draw_the_same_clips(tmp_path):
    told = []
    alone = write_sample_clips(tmp_path / "a", ["hook", "off_drive", "cover_drive"], fps=5, size=(96, 64))
    beside = write_sample_clips(
        tmp_path / "b", ["hook", "off_drive", "cover_drive"], fps=5, size=(96, 64), workers=2, progress=lambda done, total: told.append((done, total))
    )
    assert [path.name for path in beside] == [path.name for path in alone] == ["hook.mp4", "off_drive.mp4", "cover_drive.mp4"]
    for one, other in zip(alone, beside, strict=True):
        assert one.with_suffix(".truth.json").read_bytes() == other.with_suffix(".truth.json").read_bytes()
        assert Clip(other).info.frame_count == 15
    assert told == sorted(told) and told[-1] == (45, 45)
    (tmp_path / "file").touch()
    with pytest.raises(KineticsError, match="file"):
        write_sample_clips(tmp_path / "file", ["hook", "off_drive"], fps=5, size=(96, 64), workers=2)


def test_a_cancel_leaves_whole_clips_only(tmp_path):
    def stop(done, total):
        assert total == 30
        if done == 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_sample_clips(tmp_path, ["hook", "off_drive"], fps=5, size=(96, 64), progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hook.mp4", "hook.truth.json"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"shots": ["hook", "sweep"]}, "no sample shot called 'sweep'"),
        ({"shots": []}, "give a list of names"),
        ({"shots": "hook"}, "give a list of names"),
        ({"fps": 0}, "1 to 1000 fps"),
        ({"duration": 1.0}, "at least 2.6 s"),
        ({"size": (32, 32)}, "at least 64×64"),
        ({"shutter": 1.5}, "shutter of 0 to 1"),
        ({"grain": -1.0}, "grain of 0 or more"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(tmp_path, change, sentence):
    with pytest.raises(KineticsError, match=sentence):
        write_sample_clips(tmp_path / "out", **{"shots": SHOTS, **change})
    assert not (tmp_path / "out").exists()
