"""The command line's contract: names of commands and files, exit status, one line on standard error."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from video_samples import coded_clip

from kinetics import composites
from kinetics.cli import main
from kinetics.synthetic import default_scene
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


def run(root, *arguments, cwd=None):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "kinetics", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.fixture
def two_clips(tmp_path):
    paths = []
    for index, name in enumerate(("off drive", "\u06c1\u06a9")):
        paths.append(tmp_path / f"{name}.mp4")
        with VideoWriter(paths[-1], 160, 90, 25) as writer:
            for frame in range(10):
                writer.write(np.full((90, 160, 3), 40 + 100 * index + 5 * frame, np.uint8))
    return paths


def test_composites_writes_mp4_and_gif_named_after_the_grid(two_clips, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["composites", *map(str, two_clips), "-o", str(out), "--no-skeletons", "--tile", "160x90"]) == 0
    assert {path.name for path in out.iterdir()} == {"shots_1x2.mp4", "shots_1x2.gif"}
    assert capsys.readouterr().out.split() == [str(out / "shots_1x2.mp4"), str(out / "shots_1x2.gif")]
    assert Clip(out / "shots_1x2.mp4").info.fps == 30


def test_grid_asked_for_is_the_grid_made(two_clips, tmp_path):
    assert main(["composites", *map(str, two_clips), "-o", str(tmp_path), "--no-skeletons", "--tile", "160x90", "--grid", "2x3"]) == 0
    assert (tmp_path / "shots_2x3.mp4").exists()


@pytest.mark.parametrize("sync", ("impact", "dtw"))
def test_composites_strike_together_when_told_to(tmp_path, monkeypatch, sync):
    """Three clips that strike at 1.50, 1.54 and 1.66 s; their skeletons are the truth's, so that only lining up is asked for."""
    scenes = [default_scene(shot, size=(160, 96)) for shot in ("cover_drive", "down_the_ground", "off_drive")]
    clips = [coded_clip(tmp_path / f"{scene.stroke.shot}.mp4", 75, n) for n, scene in enumerate(scenes)]
    monkeypatch.setattr(composites, "_find_batters", lambda *_: [scene.pose_sequence(25) for scene in scenes])
    asked = []
    genuine = composites.compose_grid
    monkeypatch.setattr(composites, "compose_grid", lambda *args, **how: asked.append(how) or genuine(*args, **how))
    out = tmp_path / "out"
    assert main(["composites", *map(str, clips), "-o", str(out), "--tile", "64x36", "--sync", sync]) == 0
    assert {path.name for path in out.iterdir()} == {f"{kind}_1x3.{ending}" for kind in ("shots", "skeletons") for ending in ("mp4", "gif")}
    shots, skeletons = asked
    assert shots["sync"] == skeletons["sync"] == "times" and shots["times"] is skeletons["times"]
    struck = [np.interp(scene.stroke.impact, at, np.arange(len(at))) for scene, at in zip(scenes, shots["times"], strict=True)]
    assert max(struck) - min(struck) <= 1  # frame: the hands of these three tell impact to 0.01 s
    assert Clip(out / "shots_1x3.mp4").info.frame_count == len(shots["times"][0])
    if sync == "impact":
        np.testing.assert_allclose(np.diff(shots["times"]), 1 / 30)


def test_composites_start_together_by_default_and_need_no_batter(two_clips, tmp_path, monkeypatch):
    monkeypatch.setattr(composites, "_find_batters", None)
    assert main(["composites", *map(str, two_clips), "-o", str(tmp_path), "--no-skeletons", "--tile", "160x90"]) == 0


def test_synth_draws_the_shots_named_with_their_truth(tmp_path):
    assert main(["synth", str(tmp_path), "--shots", "hook", "--fps", "10", "--size", "320x180"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"hook.mp4", "hook.truth.json"}
    assert json.loads((tmp_path / "hook.truth.json").read_text(encoding="utf-8"))["shot"] == "hook"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["pose", "missing.mp4", "-o", "pose.json"], "missing.mp4"),
        (["composites", "missing.mp4", "-o", "out"], "missing.mp4"),
        (["synth", "out", "--shots", "googly"], "googly"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_line(root, tmp_path, arguments, words):
    result = run(root, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and words in lines[0]
    assert result.stdout == "" and not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("arguments", [["synth", "out", "--size", "12"], ["composites", "a.mp4", "-o", "out", "--grid", "0x3"], ["synth", "out", "--fps", "0"], []])
def test_unreadable_options_end_with_status_2(root, tmp_path, arguments):
    result = run(root, *arguments, cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr


def test_same_clip_twice_is_refused(two_clips, tmp_path, capsys):
    assert main(["composites", str(two_clips[0]), str(two_clips[0]), "-o", str(tmp_path / "out"), "--no-skeletons"]) == 2
    assert "given twice" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_pose_json_holds_what_the_contract_names(sample_clips, tmp_path):
    target = tmp_path / "pose.json"
    assert main(["pose", str(sample_clips[0]), "-o", str(target)]) == 0
    pose = json.loads(target.read_text(encoding="utf-8"))
    assert {"names", "size", "t", "xy", "conf", "space", "provenance"} <= set(pose)
    frames, joints = len(pose["t"]), len(pose["names"])
    assert len(pose["xy"]) == len(pose["conf"]) == frames == 75 and len(pose["xy"][0]) == joints
    assert pose["size"] == [1280, 720] and pose["space"] == "px" and {"left_shoulder", "right_ankle", "neck", "pelvis"} <= set(pose["names"])


def test_pose_converts_another_tools_file(tmp_path):
    people = [{"pose_keypoints_2d": [value for joint in range(18) for value in (100.0 + joint, 50.0 + 2 * joint, 0.9)]}]
    source = tmp_path / "openpose.json"
    source.write_text(json.dumps([{"canvas_width": 320, "canvas_height": 180, "people": people}] * 5), encoding="utf-8")
    assert main(["pose", str(source), "-o", str(tmp_path / "pose.json"), "--fps", "25"]) == 0
    pose = json.loads((tmp_path / "pose.json").read_text(encoding="utf-8"))
    assert pose["t"] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16]) and pose["size"] == [320, 180]


def test_pose_of_a_file_without_times_asks_for_the_rate(tmp_path, capsys):
    source = tmp_path / "openpose.json"
    source.write_text(json.dumps({"canvas_width": 320, "canvas_height": 180, "people": [{"pose_keypoints_2d": [10.0, 20.0, 0.9] * 18}]}), encoding="utf-8")
    assert main(["pose", str(source), "-o", str(tmp_path / "pose.json")]) == 2
    assert "fps" in capsys.readouterr().err and not (tmp_path / "pose.json").exists()
