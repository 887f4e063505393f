"""The real server makes frames on tiny models by the workflows; the templates for models that are too large to run fit the host's own schemas."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from comfy_server import ComfyServer
from tiny_style import write_style, write_upscaler

from kinetics.synthetic import write_sample_clips

RUN = ("style_frames_sd15", "style_frames_long", "full_journey")
TEMPLATES = ("sdxl_pose_frames", "wan_vace_pose", "wan_scail_pose", "qwen_image_pose")
#: Sides of the canvas: the smallest that the tiny UNet's one level takes in a second.
SIDE, FRAMES = 64, 6
SMALL = {
    "CK_PoseHints": {"time": "number of frames", "time.frames": FRAMES, "width": SIDE, "height": SIDE}, "KSampler": {"steps": 2},
    "CK_PoseConditionedFrames": {"steps": 2, "chunk": 4}, "CK_BuildStyleDataset": {"resolution": 64, "frames_per_clip": 3, "held_out": 0.0},
    "CK_TrainStyleLoRA": {"steps": 2, "batch": 1, "rank": 4, "evaluate_every": 0, "warmup": 0, "picture_steps": 1, "picture_poses": 0},
}  # fmt: skip


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    # Half the usual size: the stroke is measured all the same, in a quarter of the time.
    write_sample_clips(base / "input" / "correlated_kinetics" / "sample_clips", shots=["cover_drive"], size=(640, 360))
    models = base / "models"
    host = Path(os.environ.get("COMFYUI_PATH") or root / ".comfyui" / "ComfyUI").resolve()
    subprocess.run([sys.executable, Path(__file__).with_name("tiny_models.py"), root, host, models], check=True)
    write_style(models / "loras" / "ck_style_00001.safetensors")
    write_upscaler(models / "upscale_models" / "RealESRGAN_x4plus.safetensors")
    with ComfyServer(base / "log.txt", models=models, **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.fixture(scope="module")
def small(api_form):
    """A workflow's API form on a small canvas, with the drawn clip in place of drawing one: what one prompt measured of it the host has for the next."""
    clips = next(node for node in api_form("full_journey").values() if node["class_type"] == "CK_LoadClips")

    def load(name: str) -> dict:
        prompt = api_form(name)
        for key, node in prompt.items():
            if node["class_type"] == "CK_SampleClips":
                prompt[key] = clips
            node["inputs"] |= SMALL.get(node["class_type"], {})
        return prompt

    return load


def pictures_in(path: Path) -> tuple[int, tuple[int, int]]:
    with av.open(str(path)) as file:
        sizes = [(frame.width, frame.height) for frame in file.decode(video=0)]
    return len(sizes), sizes[0]


def test_core_nodes_make_a_short_sequence(server, small, saved):
    prompt = small("style_frames_sd15")
    files = saved(history := server.run(prompt))
    assert pictures_in(files["frames.mp4"]) == (FRAMES, (2 * SIDE, 2 * SIDE))  # four times as large, then half
    assert pictures_in(files["style_frames.mp4"])[0] > FRAMES  # side by side, at the grid's own rate
    said = next(history["outputs"][key]["text"][0] for key, node in prompt.items() if node["class_type"] == "CK_ApplyBattingStyle")
    assert "Trigger: ckbatter" in said and "trained on another checkpoint (another.safetensors)" in said
    assert "not loaded" not in server.log.read_text(encoding="utf-8").lower()


def test_long_sequence_streams_in_chunks_by_phase(server, small, saved):
    seen = []
    prompt = small("style_frames_long")
    files = saved(server.run(prompt, lambda kind, data: seen.append(data) if kind == "progress_state" else None))
    assert pictures_in(server.folders["output"] / "correlated_kinetics" / "long_frames_00001_frames.mp4") == (FRAMES, (SIDE, SIDE))
    assert pictures_in(files["style_frames_long.mp4"])[0] > FRAMES
    node = next(key for key, entry in prompt.items() if entry["class_type"] == "CK_PoseConditionedFrames")
    values = [data["nodes"][node]["value"] for data in seen if node in data["nodes"]]
    assert values and max(values) == 1000 and values == sorted(values)  # one bar over all chunks


def test_whole_way_from_clips_to_frames_side_by_side(server, small, saved):
    """Of one clip; trained, made, upscaled and composed anew."""
    prompt = small("full_journey")
    files = saved(history := server.run(prompt))
    lora = server.folders["output"] / "loras" / "ck_journey_00001.safetensors"
    assert lora.is_file()
    said = next(history["outputs"][key]["text"][0] for key, node in prompt.items() if node["class_type"] == "CK_ApplyBattingStyle")
    assert "Trigger: ckbatter" in said and "It was trained on this checkpoint" in said and "keys" not in said
    made = server.folders["output"] / "correlated_kinetics" / "journey_00001_frames.mp4"
    assert pictures_in(made) == (FRAMES, (SIDE, SIDE)) and pictures_in(files["journey_2x3.mp4"])[0] > FRAMES
    upscaled = next(history["outputs"][key]["text"][0] for key, node in prompt.items() if node["class_type"] == "CK_UpscaleClip")
    assert upscaled.startswith(f"{SIDE}×{SIDE} to {2 * SIDE}×{2 * SIDE} by the model")


@pytest.fixture(scope="module")
def object_info(server):
    return server.get("/object_info")


@pytest.mark.parametrize("name", [*RUN, *TEMPLATES])
def test_every_node_fits_the_host_s_schema(name, object_info, api_form):
    prompt = api_form(name)
    for key, node in prompt.items():
        assert node["class_type"] in object_info, node["class_type"]
        told = object_info[node["class_type"]]["input"]
        inputs = {**unfolded(told.get("required", {}), node["inputs"]), **unfolded(told.get("optional", {}), node["inputs"])}
        strange = set(node["inputs"]) - set(inputs)
        assert not strange, f"{name}: node {key}, {node['class_type']}, has no input {strange}"
        missing = set(unfolded(told.get("required", {}), node["inputs"])) - set(node["inputs"])
        assert not missing, f"{name}: node {key}, {node['class_type']}, lacks {missing}"
        for entry, value in node["inputs"].items():
            where, (kind, *options) = f"{name}: {node['class_type']}.{entry} = {value!r}", inputs[entry]
            if isinstance(value, list):
                given = object_info[prompt[value[0]]["class_type"]]["output"][value[1]]
                assert {given, kind} & ANY or given in kind.split(","), f"{where}: {given} into {kind}"
            else:
                assert admissible(kind, options[0] if options else {}, value, entry), f"{where} is not admissible"


def unfolded(inputs: dict, values: dict, prefix: str = "") -> dict:
    """Inputs by their full names, with those of the options that are chosen, and one per part of a list that grows."""
    found = {}
    for name, (kind, *options) in inputs.items():
        full = prefix + name
        if kind == "COMFY_AUTOGROW_V3":
            template = next(part for part in options[0]["template"]["input"].values() if part)
            found |= {entry: next(iter(template.values())) for entry in values if entry.startswith(f"{full}.")}
            continue
        found[full] = (kind, *options)
        if kind == "COMFY_DYNAMICCOMBO_V3":
            chosen = next((option for option in options[0]["options"] if option["key"] == values.get(full)), None)
            for part in (chosen or {"inputs": {}})["inputs"].values():
                found |= unfolded(part, values, f"{full}.")
    return found


#: Sockets that take, or give, whatever is plugged in.
ANY = {"*", "COMFY_MATCHTYPE_V3"}
#: Widgets that list files of the user's folders: what they name is checked against the model links.
FILES = ("ckpt_name", "control_net_name", "lora_name", "model_name", "unet_name", "clip_name", "vae_name")


def admissible(kind, options: dict, value, name: str) -> bool:
    """Whether a widget takes a value."""
    if name in FILES:
        return isinstance(value, str)
    if isinstance(kind, list) or kind == "COMBO":
        return value in (kind if isinstance(kind, list) else options["options"])
    if kind == "COMFY_DYNAMICCOMBO_V3":
        return value in [option["key"] for option in options["options"]]
    if kind in ("INT", "FLOAT"):
        return isinstance(value, int if kind == "INT" else (int, float)) and options.get("min", value) <= value <= options.get("max", value)
    return isinstance(value, {"STRING": str, "BOOLEAN": bool}[kind])


@pytest.mark.parametrize("name", [*RUN, *TEMPLATES])
def test_every_model_that_is_named_has_a_link(name, root, server):
    folders = set(server.get("/models"))
    for node in json.loads((root / "workflows" / f"{name}.json").read_text(encoding="utf-8"))["nodes"]:
        widgets = [
            entry["name"]
            for entry in node["inputs"]
            if entry.get("widget") and entry["name"] in FILES and node["type"] != "CK_ApplyBattingStyle"
        ]
        models = {model["name"]: model for model in node["properties"].get("models", ())}
        assert bool(widgets) == bool(models), node["type"]
        for model in models.values():
            assert (
                model["url"].startswith("https://huggingface.co/")
                and model["url"].endswith(f"/{model['name']}")
                and "/resolve/main/" in model["url"]
            )
            assert model["directory"] in folders and model["name"] in node["widgets_values"]
