"""The real server builds a style dataset from two clips, and learns a LoRA on a tiny model of SD1.5's shape with a pose ControlNet in the loop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from comfy_server import ComfyServer


@pytest.fixture(scope="module")
def server(root, tmp_path_factory, sample_clips):
    base = tmp_path_factory.mktemp("host")
    folder = base / "input" / "correlated_kinetics" / "sample_clips"
    folder.mkdir(parents=True)
    for clip in sample_clips[:2]:
        shutil.copyfile(clip, folder / clip.name)
    host = Path(os.environ.get("COMFYUI_PATH") or root / ".comfyui" / "ComfyUI").resolve()
    subprocess.run([sys.executable, Path(__file__).with_name("tiny_models.py"), root, host, base / "models"], check=True)
    folders = {name: base / name for name in ("input", "output", "temp", "user")}
    with ComfyServer(base / "log.txt", models=base / "models", **folders) as running:
        yield running


@pytest.fixture(scope="module")
def dataset(server, api_form):
    prompt = api_form("build_style_dataset")
    build = next(node for node in prompt.values() if node["class_type"] == "CK_BuildStyleDataset")
    build["inputs"] |= {"resolution": 128, "frames_per_clip": 6}
    server.run(prompt)
    return next((server.folders["output"] / "correlated_kinetics").glob("style_*_dataset"))


def test_dataset_is_a_plain_folder_with_a_clip_held_out(dataset):
    lines = [json.loads(line) for line in (dataset / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["split"] for line in lines} == {"train", "held_out"}
    assert len({line["clip"] for line in lines if line["split"] == "held_out"}) == 1
    for line in lines:
        sizes = {cv2.imread(str(dataset / line[key])).shape[:2] for key in ("file_name", "hint", "mask")}
        assert sizes == {(line["height"], line["width"])}
        assert (dataset / line["file_name"]).with_suffix(".txt").read_text(encoding="utf-8").strip() == line["text"]


@pytest.fixture(scope="module")
def trained(server, api_form, dataset):
    prompt = api_form("train_style_lora")
    for node in prompt.values():
        if node["class_type"] == "CK_LoadStyleDataset":
            node["inputs"]["folder"] = f"output/correlated_kinetics/{dataset.name}"
        if node["class_type"] == "CK_TrainStyleLoRA":
            node["inputs"] |= {"steps": 4, "batch": 1, "rank": 4, "evaluate_every": 2, "evaluate_samples": 2, "warmup": 0, "picture_steps": 2}
    return server.run(prompt), prompt


def test_lora_is_learned_and_tells_its_trigger(trained, server):
    history, prompt = trained
    files = list((server.folders["output"] / "loras").glob("*.safetensors"))
    assert [path.name for path in files] == ["ck_style_00001.safetensors"]
    trigger = next(history["outputs"][key]["text"] for key, node in prompt.items() if node["class_type"] == "PreviewAny")
    assert trigger == ["ckbatter"]


def test_pictures_of_the_lora_are_shown_and_kept(trained, server, dataset):
    history, prompt = trained
    shown = next(history["outputs"][key]["images"] for key, node in prompt.items() if node["class_type"] == "CK_TrainStyleLoRA")
    assert len(shown) == 2  # the plot, and the page of pictures
    drawn = server.folders["output"] / "loras" / "ck_style_00001.pictures"
    assert [path.name for path in sorted(drawn.iterdir())] == [f"pose1_00000{step}.png" for step in (0, 2, 4)]
    held_out = [line for line in map(json.loads, (dataset / "metadata.jsonl").read_text(encoding="utf-8").splitlines()) if line["split"] == "held_out"]
    assert all(cv2.imread(str(path)).shape[:2] in {(line["height"], line["width"]) for line in held_out} for path in drawn.iterdir())
    assert list((server.folders["output"] / "correlated_kinetics").glob("training_pictures_*.png"))


def test_core_loads_every_key_of_the_lora(trained, server):
    """Core's own loader, text encoder and sampler on the file; the host says in its log which keys it passes over."""
    server.run({
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5-pruned-emaonly-fp16.safetensors"}},
        "2": {"class_type": "LoraLoader", "inputs": {
            "model": ["1", 0], "clip": ["1", 1], "lora_name": "ck_style_00001.safetensors", "strength_model": 1.0, "strength_clip": 1.0}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["2", 1], "text": "ckbatter, cover drive"}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {
            "model": ["2", 0], "positive": ["3", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": 1, "steps": 2, "cfg": 1.0,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "correlated_kinetics/drawn"}},
    })  # fmt: skip
    assert list((server.folders["output"] / "correlated_kinetics").glob("drawn_*.png"))
    assert "not loaded" not in server.log.read_text(encoding="utf-8")
