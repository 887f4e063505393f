"""``python -m kinetics compare`` and ``chain``: the contract's files and names; bad input in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinetics.cli import main
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import default_scene


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shots")
    paths = []
    for shot in ("cover_drive", "off_drive"):
        paths.append(folder / f"{shot}.json")
        default_scene(shot, size=(1280, 720)).pose_sequence(25).save(paths[-1])
    return paths


def test_compare_writes_the_contract_s_files(shots, tmp_path):
    out = tmp_path / "out"
    assert main(["compare", *map(str, shots), "-o", str(out), "--root"]) == 0
    assert {path.name for path in out.iterdir()} == {"compare.json", "compare_corrpath.png"}
    record = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    path = np.array(record["path"])
    assert record["cost"] > 0 and set(record["similarity"]) >= {"s", "R", "t"}
    assert path[0].tolist() == [0, 0] and (np.diff(path, axis=0) >= 0).all() and (np.diff(path, axis=0) <= 1).all()


def test_a_shot_compared_with_itself_costs_nothing(shots, tmp_path):
    assert main(["compare", str(shots[0]), str(shots[0]), "-o", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    frames = len(PoseSequence.load(shots[0]))
    assert record["cost"] == pytest.approx(0, abs=1e-6)  # px², rounding of positions of a thousand pixels
    assert record["path"] == [[k, k] for k in range(frames)]
    assert record["similarity"]["s"] == pytest.approx(1, abs=1e-9)


def test_chain_writes_a_picture_per_clip_and_one_across(shots, tmp_path):
    out = tmp_path / "out"
    assert main(["chain", *map(str, shots), "-o", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {
        "chain.json", "cover_drive_corrpath.png", "off_drive_corrpath.png", "across_corrpath.png"
    }  # fmt: skip
    record = json.loads((out / "chain.json").read_text(encoding="utf-8"))
    assert [clip["name"] for clip in record["clips"]] == ["cover_drive", "off_drive"]
    for clip in record["clips"]:
        assert isinstance(clip["reaches_bat"], bool) and isinstance(clip["path"], list)
        assert all({"from", "to", "weight", "lag_s", "p"} <= set(edge) for edge in clip["edges"])


def test_whitepaper_preset_is_offered(shots, tmp_path):
    assert main(["chain", str(shots[0]), "-o", str(tmp_path), "--preset", "whitepaper"]) == 0
    assert json.loads((tmp_path / "chain.json").read_text(encoding="utf-8"))["preset"] == "whitepaper"
    assert {path.name for path in tmp_path.iterdir()} == {"chain.json", "cover_drive_corrpath.png"}


@pytest.mark.parametrize("command", ["compare", "chain"])
def test_bad_input_is_one_line_and_status_2(command, shots, tmp_path, capsys):
    short = tmp_path / "short.json"
    pose = PoseSequence.load(shots[0])
    PoseSequence(pose.xy[:2], pose.conf[:2], pose.t[:2], pose.names, pose.size).save(short)
    for sources in ([shots[0], "missing.json"], [short, short]):
        assert main([command, *map(str, sources), "-o", str(tmp_path / "out")]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_compare_with_the_bat_pairs_both_impacts(shots, tmp_path):
    out = tmp_path / "out"
    assert main(["compare", *map(str, shots), "-o", str(out), "--root", "--bat", "--features", "positions", "tip_speed"]) == 0
    record = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    ref, other = (PoseSequence.load(path).t for path in shots)
    frames = [int(np.abs(t - at).argmin()) for t, at in zip((ref, other), record["impact_s"], strict=True)]
    assert frames in record["path"] and set(record["features"]) == {"positions", "tip_speed"}


def test_compare_finds_the_shot_in_a_long_clip(shots, tmp_path):
    long = PoseSequence.load(shots[0])
    stroke = long.with_step("cut", xy=long.xy[20:50], conf=long.conf[20:50], t=long.t[20:50])
    stroke.save(tmp_path / "stroke.json")
    assert main(["compare", str(tmp_path / "stroke.json"), str(shots[0]), "-o", str(tmp_path / "out"), "--root", "--find"]) == 0
    record = json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))
    assert record["frames"] == [30, 30] and record["cost"] == pytest.approx(0, abs=1e-6)  # the very same frames


@pytest.mark.parametrize(
    ("given", "said"),
    [(["--features", "tip_speed"], "add --bat"), (["--bat", "--find"], "use one of them at a time")],
)
def test_what_does_not_go_together_is_told(shots, tmp_path, capsys, given, said):
    assert main(["compare", *map(str, shots), "-o", str(tmp_path / "out"), *given]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_chains_on_a_common_time(shots, tmp_path):
    assert main(["chain", *map(str, shots), "-o", str(tmp_path), "--common-time"]) == 0
    assert json.loads((tmp_path / "chain.json").read_text(encoding="utf-8"))["across"]["times"] == "common time"


def test_a_long_comparison_says_beforehand_what_it_needs(shots, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kinetics.commands.LONG_TABLE", 1000)
    assert main(["compare", *map(str, shots), "-o", str(tmp_path / "out")]) == 0
    frames = len(PoseSequence.load(shots[0]))
    assert f"note: warping {frames} × {frames} frames takes up to" in capsys.readouterr().err
