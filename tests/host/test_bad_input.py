"""Bad input in the real host: refused in one sentence before anything runs, or on the node that meets it; nothing half-written."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from comfy_server import ServerError

from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

FOLDER = "correlated_kinetics/sample_clips"


def load(folder=FOLDER):
    return {"class_type": "CK_LoadClips", "inputs": {"folder": folder}}


def normalise(link, **changes):
    inputs = {
        "clips": link, "fps": 25.0, "width": 1280, "height": 720, "fit": "letterbox", "start": 0.0, "duration": 0.0,
        "common_duration": "none", "slow_motion": 1.0, "drop_repeats": False,
    }  # fmt: skip
    return {"class_type": "CK_NormaliseClip", "inputs": {**inputs, **changes}}


def grid(link, **changes):
    inputs = {
        "clips": link, "titles": "", "rows": 0, "columns": 0, "tile_width": 480, "tile_height": 270, "fps": 30.0, "sync": "start",
        "short_clips": "hold", "fit": "letterbox",
    }  # fmt: skip
    return {"class_type": "CK_GridComposite", "inputs": {**inputs, **changes}}


def extract(link, **changes):
    inputs = {"chosen": "", "clip": link, "estimator": "MediaPipe", "estimator.download": False, "subject": "the one who swings"}
    return {"class_type": "CK_ExtractSkeleton", "inputs": {**inputs, **changes}}


def draw(link, **changes):
    inputs = {"skeleton": link, "background": "black", "view": "subject", "trails": 0.4, "legend": True}
    return {"class_type": "CK_DrawSkeleton", "inputs": {**inputs, **changes}}


def gif(link, prefix="correlated_kinetics/clip"):
    inputs = {"video": link, "filename_prefix": prefix, "width": 0, "fps": 0.0, "dither": "sierra2_4a", "loop": True}
    return {"class_type": "CK_SaveGIF", "inputs": inputs}


def save(link):
    return {"class_type": "SaveVideo", "inputs": {"video": link, "filename_prefix": "out", "format": "auto", "codec": "auto"}}


@pytest.fixture
def input_folder(server):
    """A new folder in the host's input folder, by name and path."""
    folder = server.folders["input"] / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def partial_files(server):
    return [path for name in ("temp", "output") for path in server.folders[name].rglob("*.part*")]


def refusal(server, prompt):
    with pytest.raises(ServerError) as error:
        server.run(prompt)
    assert partial_files(server) == []
    return str(error.value)


@pytest.mark.parametrize("folder", ["../../etc", "/etc", "correlated_kinetics/../../.."])
def test_folder_outside_the_input_folder_is_refused(server, folder):
    assert "leads out of ComfyUI's input folder" in refusal(server, {"1": load(folder), "2": save(["1", 0])})


def test_folder_that_is_not_there(server):
    assert "There is no folder 'nowhere'" in refusal(server, {"1": load("nowhere"), "2": save(["1", 0])})


def test_folder_without_videos(server, input_folder):
    assert "no video file in the input folder 'trial'" in refusal(server, {"1": load("trial"), "2": save(["1", 0])})


def test_no_clip_at_all(server):
    assert "choose a folder, or plug a VIDEO" in refusal(server, {"1": load("(sockets only)"), "2": save(["1", 0])})


@pytest.mark.parametrize("prefix", ["../../escaped", "/elsewhere/escaped"])
def test_saving_outside_the_output_folder_is_refused(server, prefix):
    prompt = {"1": load(), "2": normalise(["1", 0], duration=0.2, width=160, height=90), "3": gif(["2", 0], prefix)}
    assert "leads out of the output folder" in refusal(server, prompt)


def test_broken_file_is_named(server, input_folder):
    (input_folder / "torn.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom")
    assert "torn.mp4" in refusal(server, {"1": load("trial"), "2": save(["1", 0])})


def test_nobody_in_the_frame(server, input_folder):
    rng = np.random.default_rng(0)
    with VideoWriter(input_folder / "empty_field.mp4", 640, 360, 25) as writer:
        for _ in range(10):
            writer.write(np.clip(90 + 8 * rng.standard_normal((360, 640, 3)), 0, 255).astype(np.uint8))
    sentence = refusal(server, {"1": load("trial"), "2": extract(["1", 0]), "3": draw(["2", 0]), "4": save(["3", 0])})
    assert "empty_field" in sentence and "Extract Skeleton" not in sentence.split(":", 1)[1]


def test_background_clip_without_a_clip(server):
    prompt = {"1": load(), "2": extract(["1", 0]), "3": draw(["2", 0], background="clip"), "4": save(["3", 0])}
    assert "plug the clip in" in refusal(server, prompt)


def test_wrong_number_of_titles(server):
    assert "2 titles for 6 clips" in refusal(server, {"1": load(), "2": grid(["1", 0], titles="a\nb"), "3": save(["2", 0])})


@pytest.mark.parametrize("marks", ["", "1, 2", "one"])
def test_unreadable_marks(server, marks):
    prompt = {"1": load(), "2": grid(["1", 0], sync="marked time", **{"sync.marks": marks}), "3": save(["2", 0])}
    assert "one time in seconds per clip (6)" in refusal(server, prompt)


def test_changed_folder_is_read_again(server, input_folder, sample_clips):
    shutil.copyfile(sample_clips[0], input_folder / "a.mp4")
    prompt = {"1": load("trial"), "2": grid(["1", 0], tile_width=160, tile_height=90), "3": save(["2", 0])}
    server.run(prompt)
    shutil.copyfile(sample_clips[1], input_folder / "b.mp4")
    entry = server.run(prompt)["outputs"]["3"]["images"][0]
    assert Clip(server.folders["output"] / entry["subfolder"] / entry["filename"]).info.width > 2 * 160  # two tiles now


LONG = {
    "CK_SampleClips": {
        "1": {"class_type": "CK_SampleClips", "inputs": {
            "shot": "all six", "fps": 25.0, "width": 1280, "height": 720, "seed": 1, "second_person": False, "occlusion": False, "cut": False}},
        "2": save(["1", 0]),
    },
    "CK_NormaliseClip": {"1": load(), "2": normalise(["1", 0], fps=239.0), "3": save(["2", 0])},
    "CK_GridComposite": {"1": load(), "2": grid(["1", 0], fps=239.0), "3": save(["2", 0])},
    "CK_SaveGIF": {"1": load(), "2": gif(["1", 0])},
    "CK_ExtractSkeleton": {"1": load(), "2": extract(["1", 0], subject="largest"), "3": draw(["2", 0]), "4": save(["3", 0])},
    "CK_DrawSkeleton": {"1": load(), "2": extract(["1", 0]), "3": draw(["2", 0], trails=1.0, view="frame"), "4": save(["3", 0])},
}  # fmt: skip


@pytest.mark.parametrize("kind", LONG)
def test_cancel_stops_each_long_node_and_leaves_nothing_half_written(server, kind):
    prompt = LONG[kind]
    node = next(key for key, entry in prompt.items() if entry["class_type"] == kind)
    after_cancel = []

    def cancel_in_mid_work(event, data):
        if event == "progress" and data["node"] == node:
            if not after_cancel:
                server.post("/interrupt", {})
            after_cancel.append(data["value"])

    with pytest.raises(ServerError, match="interrupted"):
        server.run(prompt, cancel_in_mid_work)
    # The first value seen made us cancel. The host sends values 0.1 s apart at most, so a job that stops within a frame's work
    # sends few more while the cancel travels: 10 are a second's worth.
    assert 1 <= len(after_cancel) <= 10
    assert partial_files(server) == []
    # The server goes on: the next job runs.
    server.run({"1": load(), "2": normalise(["1", 0], duration=0.1, width=160, height=90), "3": gif(["2", 0])})


def test_cancelled_drawing_of_the_sample_clips_leaves_none(server):
    folder, away = server.folders["input"] / "correlated_kinetics" / "sample_clips", server.folders["input"] / "away"
    folder.rename(away)
    stopped = []

    def cancel_in_mid_work(event, data):
        if event == "progress" and data["node"] == "1" and not stopped:
            stopped.append(data["max"])
            server.post("/interrupt", {})

    try:
        with pytest.raises(ServerError, match="interrupted"):
            server.run({"1": load(), "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}}}, cancel_in_mid_work)
        assert stopped == [6 * 75]  # frames: it was drawing
        assert [path.name for path in folder.parent.iterdir()] == ["sample_clips"] and list(folder.iterdir()) == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        away.rename(folder)


def test_marks_that_cannot_be_read_are_refused_before_anything_runs(server):
    bat = {"clip": ["1", 0], "skeleton": ["2", 0], "camera": ["3", 0], "marks": "41, 655", "grip": "midpoint", "forearm_proxy": False}
    measure = {"bat": ["4", 0], "unit": "auto", "known_length": "none", "method": "spline", "exposure": 0.0}
    prompt = {
        "1": load(), "2": extract(["1", 0]),
        "3": {"class_type": "CK_TrackCamera", "inputs": {"clip": ["1", 0], "skeleton": ["2", 0], "model": "still"}},
        "4": {"class_type": "CK_TrackBat", "inputs": bat},
        "5": {"class_type": "CK_MeasureSwing", "inputs": measure},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 2]}},
    }  # fmt: skip
    assert "frame, x, y" in refusal(server, prompt)


@pytest.mark.parametrize(
    ("name", "fps", "says"),
    [
        ("(none)", 25.0, "No skeleton file is chosen"),
        ("../../secret.json", 25.0, "leads out of ComfyUI's folders"),
        ("gone.json [output]", 25.0, r"There is no file 'gone.json \[output\]'"),
        ("no_times.json", 0.0, "no_times.json keeps no times: plug in the clip"),
        ("not_a_pose.json", 25.0, "not_a_pose.json"),
    ],
)
def test_a_skeleton_file_that_cannot_be_loaded(server, name, fps, says):
    person = {"pose_keypoints_2d": [value for k in range(18) for value in (20.0 + k, 30.0 + k, 0.9)]}
    (server.folders["input"] / "no_times.json").write_text(json.dumps([{"people": [person], "canvas_width": 64, "canvas_height": 64}]), encoding="utf-8")
    (server.folders["input"] / "not_a_pose.json").write_text("{}", encoding="utf-8")
    loaded = {"class_type": "CK_LoadSkeleton", "inputs": {"skeleton_file": name, "fps": fps, "person": "largest"}}
    with pytest.raises(ServerError, match=says):
        server.run({"1": loaded, "2": draw(["1", 0]), "3": save(["2", 0])})
