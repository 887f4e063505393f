"""Real clips through the real measurement: what an archive holds of them, and what it says of those that can't be measured."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kinetics.archive.engine import run_local
from kinetics.archive.measure import find_skeleton, make_settings, measure_clip, measure_item
from kinetics.archive.store import Archive
from kinetics.cli import main
from kinetics.errors import KineticsError, MissingDependency
from kinetics.files import read_json
from kinetics.synthetic import write_sample_clips
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """A stroke of a second, and beside it what folders hold too."""
    folder = tmp_path_factory.mktemp("clips")
    (drawn,) = write_sample_clips(folder / "drawn", shots=("cover_drive",), size=(320, 180))
    impact = read_json(drawn.with_suffix(".truth.json"))["impact_time_s"]
    with VideoWriter(folder / "stroke.mp4", 320, 180, 25) as writer:
        for frame in Clip(drawn).trimmed(impact - 0.7, 1.0).frames():
            writer.write(frame.image)
    shutil.rmtree(folder / "drawn")
    shutil.copy(folder / "stroke.mp4", folder / "the same.mp4")
    (folder / "cut_off.mp4").write_bytes((folder / "stroke.mp4").read_bytes()[:2000])
    (folder / "empty.mov").touch()
    (folder / "letter.avi").write_text("Dear all, this is no film.")
    with VideoWriter(folder / "tiny.mp4", 16, 16, 25) as writer:
        for level in range(3):
            writer.write(np.full((16, 16, 3), 80 * level, np.uint8))
    with av.open(str(folder / "sound_only.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = 44100, 0, Fraction(1, 44100)
        container.mux([*stream.encode(sound), *stream.encode(None)])
    (folder / "gone.mkv").symlink_to(folder / "nowhere.mkv")
    return folder


def test_a_folder_as_folders_are(clips, tmp_path, capsys):
    """One is measured, bit by bit as by another worker; its copy is known; of each other the reason is told; a second run does nothing, and the shot is found."""
    archive = tmp_path / "archive"
    assert main(["archive", str(clips), "-o", str(archive), "--workers", "1"]) == 0
    heard = capsys.readouterr()
    assert "1 measured, 1 of the same content as another, 6 failed" in heard.err and heard.out.strip() == str(archive / "report.html")
    stored = Archive.open(archive)
    told = {Path(row["path"]).name: (row["step"], row["reason"]) for row in stored.failures().to_pylist()}
    assert {name: step for name, (step, _) in told.items()} == {
        "cut_off.mp4": "decode", "empty.mov": "decode", "letter.avi": "decode", "sound_only.mp4": "decode", "tiny.mp4": "pose", "gone.mkv": "read",
    }  # fmt: skip
    assert all(name in reason for name, (_, reason) in told.items()) and "sound" in told["sound_only.mp4"][1]

    (row,) = stored.clips().to_pylist()
    item = {"path": row["path"], "sha256": row["sha256"], "settings": stored.settings, "weights": None}
    ((_, tables),) = run_local(measure_item, [item], workers=1)
    for name, (value,) in tables["clips"].items():
        if not name.startswith("seconds_"):
            assert row[name] == value or (value != value and row[name] != row[name]), name
    assert np.isfinite(row["peak_tip_speed"]) and row["swing_reason"] == "" and row["unit"] == "body"
    for stabilised, (x, y) in ((False, ("x", "y")), (True, ("xs", "ys"))):
        pose = stored.pose(row["key"], stabilised=stabilised)
        np.testing.assert_array_equal(pose.xy, np.stack([tables["frames"][x], tables["frames"][y]], axis=-1).reshape(pose.xy.shape))
        assert pose.names[-1] == "bat_tip" and len(pose) == row["frames"] == 25
    # This process has as many threads as it likes, so that sums are made in another order: a tenth of a pixel is a fifth of what MediaPipe's joints jitter by.
    found = find_skeleton(Clip(clips / "stroke.mp4"), stored.settings).xy
    np.testing.assert_allclose(found, stored.pose(row["key"], stabilised=True).xy[:, :-1], atol=0.1, equal_nan=True)

    assert main(["archive", str(clips), "-o", str(archive)]) == 0
    assert "2 of 8 known, 0 measured" in capsys.readouterr().err
    assert main(["archive", str(clips), "-o", str(archive), "--unit", "px"]) == 2
    assert "other settings (unit 'auto', not 'px')" in capsys.readouterr().err
    assert main(["nearest", str(clips / "the same.mp4"), "--archive", str(archive), "-k", "1"]) == 0
    assert capsys.readouterr().out.split("\t")[:3] == ["1", "0.0000", row["key"]]


def test_settings():
    settings = make_settings()
    assert settings["estimator"] == "mediapipe" and len(settings["model"]) == 64
    for wrong, error in (({"estimator": "guess"}, KineticsError), ({"unit": "miles"}, KineticsError), ({"weights": "nowhere.task"}, MissingDependency)):
        with pytest.raises(error):
            make_settings(**wrong)


def test_another_model_than_the_archives_is_not_used(clips):
    with pytest.raises(MissingDependency, match="has another model for mediapipe"):
        measure_clip(clips / "stroke.mp4", make_settings() | {"model": "0" * 64})
