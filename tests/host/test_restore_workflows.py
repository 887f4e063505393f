"""The real server restores and enlarges a clip, by Lanczos and by an upscale model of the host's, and plays before and after side by side."""

from __future__ import annotations

import pytest
import torch
from comfy_server import ComfyServer, ServerError
from safetensors.torch import save_file
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

from kinetics.video.decode import Clip


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "models" / "upscale_models").mkdir(parents=True)
    torch.manual_seed(0)
    # As small as ESRGAN comes; random weights, so the picture is noise: sizes, times and files are what is looked at.
    save_file(RRDBNet(num_filters=8, num_blocks=1, scale=2).state_dict(), base / "models" / "upscale_models" / "tiny_x2.safetensors")
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user", "models")}) as running:
        yield running


@pytest.fixture
def prompt(api_form):
    """The workflow on a small and short sample: 24 frames of 160×90."""
    nodes = api_form("restore_and_upscale")
    find(nodes, "CK_SampleClips")["inputs"] |= {"width": 160, "height": 90, "fps": 8}
    find(nodes, "CK_GridComposite")["inputs"] |= {"tile_width": 160, "tile_height": 90}
    return nodes


def find(nodes: dict, kind: str) -> dict:
    return next(node for node in nodes.values() if node["class_type"] == kind)


def texts(history: dict, nodes: dict) -> str:
    return "\n".join(line for key, node in nodes.items() if node["class_type"] == "PreviewAny" for line in history["outputs"][key]["text"])


def test_without_a_model_it_is_lanczos(server, prompt, saved):
    history = server.run(prompt)
    files = saved(history)
    made = Clip(files["restored.mp4"]).info
    assert (made.width, made.height, made.frame_count) == (320, 180, 24)
    assert Clip(files["before_after.mp4"]).info.width > 320
    said = texts(history, prompt)
    assert "whole frames" in said and "by Lanczos" in said


def test_with_a_model_it_tells_the_flicker(server, prompt, saved):
    prompt["model"] = {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "tiny_x2.safetensors"}}
    find(prompt, "CK_UpscaleClip")["inputs"] |= {"upscale_model": ["model", 0], "to.times": 1.5, "by": "model", "tile": 96}
    history = server.run(prompt)
    made = Clip(saved(history)["restored.mp4"]).info
    assert (made.width, made.height, made.frame_count) == (240, 136, 24)
    assert "by the model (×2" in texts(history, prompt) and "steadied" in texts(history, prompt)


def test_fields_bat_and_stabilising_run_on_the_server(server, prompt, saved, root):
    """The clip said to be of fields, a frame of each, and the camera taken out."""
    find(prompt, "CK_RestoreFootage")["inputs"] |= {"scan": "top field first", "field_rate": True, "stabilise": True}
    history = server.run(prompt)
    assert Clip(saved(history)["restored.mp4"]).info.frame_count == 48
    assert "look like whole frames" in texts(history, prompt)


def test_bad_input_is_told_in_a_sentence(server, prompt):
    for change, sentence in (({"by": "model"}, "has none; plug in Load Upscale Model"), ({"to.times": 16.0, "to": "factor"}, None)):
        nodes = {key: {**node, "inputs": dict(node["inputs"])} for key, node in prompt.items()}
        find(nodes, "CK_UpscaleClip")["inputs"] |= change
        if sentence is None:
            find(nodes, "CK_SampleClips")["inputs"] |= {"width": 640, "height": 360}
            find(nodes, "CK_UpscaleClip")["inputs"]["clip"] = [next(key for key, node in nodes.items() if node["class_type"] == "CK_SampleClips"), 0]
            sentence = "choose a smaller size"
        with pytest.raises(ServerError, match=sentence):
            server.run(nodes)
