"""``python -m kinetics dataset``: from clips to a folder, a bat that can't be measured told in a note; bad input in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from swing_samples import true_stroke

from kinetics import dataset_command
from kinetics.cli import main
from kinetics.errors import KineticsError
from kinetics.style.samples import StyleDataset
from kinetics.synthetic import default_scene, write_sample_clips

SIZE = (320, 180)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return write_sample_clips(tmp_path_factory.mktemp("clips"), shots=("off_drive", "hook"), size=SIZE, duration=2.6)


@pytest.fixture
def measured(monkeypatch):
    """Skeletons and swings from the drawing's truth, for what the estimators find; the hook's bat can't be followed."""

    def truth(shot):
        return true_stroke(shot, fps=25.0, noise=0.3, scene=replace(default_scene(shot, 0, SIZE, None), duration=2.6))

    def bat(clip, pose):
        if clip.name.startswith("hook"):
            raise KineticsError("The bat's tip was found in no frame; mark it in a few frames, or give a mask of the bat.")
        track, _, camera, _ = truth("off_drive")
        return camera, track

    monkeypatch.setattr(dataset_command, "measure_pose", lambda path, options: truth(path.stem)[1])
    monkeypatch.setattr(dataset_command, "track_in", bat)


def test_clips_become_a_dataset(clips, measured, tmp_path, capsys):
    out = tmp_path / "set"
    arguments = ["--trigger", "ckx", "--template", "{trigger} {shot}", "--resolution", "192", "--frames-per-clip", "4", "--held-out", "1", "--no-bat", "--exposure", "0.002"]
    assert main(["dataset", *map(str, clips), "-o", str(out), *arguments, "--shots", "off drive, pull"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out) and "8 samples of 2 clips: 4 to train, 4 held out." in said.err
    assert "note: hook.mp4 goes in without a swing: The bat's tip was found in no frame" in said.err
    dataset = StyleDataset.load(out)
    assert {(sample.clip, sample.text) for sample in dataset.samples} == {("off_drive", "ckx off drive"), ("hook", "ckx pull")}
    assert dataset.info["settings"]["bat_layer"] is False and dataset.info["settings"]["resolution"] == 192
    assert dataset.info["provenance"]["clips"]["off_drive"] | {"exposure_s": 0.002, "exposure_from": "given"} == dataset.info["provenance"]["clips"]["off_drive"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["CLIP"], "one clip only"), (["CLIP", "CLIP"], "one clip only"), (["CLIP", "OTHER", "--template", "{who}"], "{who}"),
        (["CLIP", "OTHER", "--shots", "hook"], "one per clip"), (["CLIP", "OTHER", "--resolution", "500"], "multiple of 64"),
        (["CLIP", "OTHER", "--held-out", "2"], "can't be held out"), (["CLIP", "OTHER", "-o", "TAKEN"], "there already"), ([], "CLIP"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_one_line_before_anything_is_measured(arguments, words, clips, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dataset_command, "measure_pose", lambda *given: pytest.fail("measured first"))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    paths = {"CLIP": str(clips[0]), "OTHER": str(clips[1]), "TAKEN": str(tmp_path / "taken")}
    given = [paths.get(word, word) for word in arguments]
    try:
        status = main(["dataset", "-o", str(tmp_path / "out"), *given])
    except SystemExit as stopped:  # argparse
        status = stopped.code
    error = capsys.readouterr().err.strip()
    assert status == 2 and words in error and len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()
