"""The real server scores drawn frames and two LoRAs on a tiny model, and says the same as the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from comfy_server import ComfyServer, ServerError
from style_world import write_world

from kinetics.cli import main
from kinetics.score.floor import WORSE


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    import torch
    from safetensors.torch import save_file

    base = tmp_path_factory.mktemp("host")
    host = Path(os.environ.get("COMFYUI_PATH") or root / ".comfyui" / "ComfyUI").resolve()
    subprocess.run([sys.executable, Path(__file__).with_name("tiny_models.py"), root, host, base / "models"], check=True)
    (base / "output" / "loras").mkdir(parents=True)
    chance = torch.Generator().manual_seed(3)
    for name, strength in (("ck_style_00001", 0.05), ("ck_other_00001", 0.3)):
        module = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
        parts = {"lora_down.weight": (4, 320), "lora_up.weight": (320, 4)}
        tensors = {f"{module}.{part}": torch.randn(shape, generator=chance) * strength for part, shape in parts.items()}
        save_file({**tensors, f"{module}.alpha": torch.tensor(2.0)}, base / "output" / "loras" / f"{name}.safetensors")
    write_world(base / "output" / "correlated_kinetics" / "style_00001_dataset", clips=2, per_clip=2)
    folders = {name: base / name for name in ("input", "output", "temp", "user")}
    with ComfyServer(base / "log.txt", models=base / "models", **folders) as running:
        yield running


def node(prompt: dict, kind: str) -> dict:
    return next(entry for entry in prompt.values() if entry["class_type"] == kind)


@pytest.fixture(scope="module")
def ran(server, api_form):
    """The workflow as it is shipped, with a clip of a few frames and a second LoRA."""
    prompt = api_form("score_style")
    node(prompt, "CK_SampleClips")["inputs"]["fps"] = 5.0
    node(prompt, "CK_ScoreStyle")["inputs"]["other_name"] = "ck_other_00001.safetensors"
    return server.run(prompt), prompt


@pytest.fixture(scope="module")
def results(ran, server):
    folder = server.folders["output"] / "correlated_kinetics"
    return {name: json.loads((folder / f"{name}_00001_.json").read_text(encoding="utf-8")) for name in ("score", "style_score")}


def test_frames_are_scored_beside_floor_and_chance(ran, results, server):
    history, prompt = ran
    value = results["score"]
    assert value["floor"]["name"] == WORSE  # Extract Skeleton and Score Frames use MediaPipe both
    assert any("its own habits count as right" in note for note in value["notes"])
    assert value["pose"]["pck"] > value["pose"]["chance"]["pck"] + 3 * value["pose"]["chance"]["pck_sigma"] and value["pose"]["oks"] > 0.8
    rows = {row["measure"]: row for row in value["table"]}
    assert rows["warping_ratio"]["frames"] < 1  # blurred frames have less grain than their source
    shown = {prompt[key]["_meta"]["title"]: output for key, output in history["outputs"].items()}
    assert "PCK@0.1 trunk" in shown["Table"]["text"][0] and "noise floor" in shown["Table"]["text"][0]
    assert shown["Score Frames"]["images"] and shown["Score Frames"]["text"] == shown["Table"]["text"]
    assert (server.folders["output"] / "correlated_kinetics" / "score_00001_.csv").stat().st_size > 500


def test_both_plots_are_pictures(ran, server):
    for name in ("score", "style_score"):
        picture = cv2.imread(str(next((server.folders["output"] / "correlated_kinetics").glob(f"{name}_plot_*.png"))))
        assert picture.shape[1] >= 900 and len(np.unique(picture[::4, ::4].reshape(-1, 3), axis=0)) > 50


def test_style_is_scored_as_the_command_line_does(results, server, tmp_path):
    """Host's networks and VAE against ours, of the same files: 1e-4 of the loss, float32 through two dozen layers and half-precision weights."""
    value = results["style_score"]
    assert [row["kind"] for row in value["rows"]] == ["base", "own", "other"] and len(value["samples"]) == 2
    models, output = server.folders["models"], server.folders["output"]
    told = [
        "score", "--dataset", output / "correlated_kinetics" / "style_00001_dataset", "--base", models / "checkpoints" / "v1-5-pruned-emaonly-fp16.safetensors",
        "--controlnet", models / "controlnet" / "control_v11p_sd15_openpose_fp16.safetensors", "--lora", output / "loras" / "ck_style_00001.safetensors",
        "--other", output / "loras" / "ck_other_00001.safetensors", "--device", "cpu", "-o", tmp_path,
    ]  # fmt: skip
    assert main([str(word) for word in told]) == 0
    ours = json.loads((tmp_path / "style_score.json").read_text(encoding="utf-8"))
    for row, own in zip(value["rows"], ours["rows"], strict=True):
        assert (row["name"], row["kind"]) == (own["name"], own["kind"])
        assert row["right"] == pytest.approx(own["right"], rel=1e-4) and row["wrong"] == pytest.approx(own["wrong"], rel=1e-4)
    base, first, other = (np.array(row["per_sample"]["right"]) for row in value["rows"])
    assert (first != base).all() and (other != first).all()  # both LoRAs are on the model, and only one at a time


def part_of(prompt: dict, *left_out: str) -> dict:
    """The prompt without nodes of these kinds, and without those that stand on them."""
    gone = {key for key, entry in prompt.items() if entry["class_type"] in left_out}
    stands = {key for key, entry in prompt.items() if any(isinstance(value, list) and value[0] in gone for value in entry["inputs"].values())}
    return {key: entry for key, entry in prompt.items() if key not in gone | stands}


def test_what_does_not_fit_is_told_on_the_node(server, api_form):
    def frames(**changed) -> dict:
        prompt = part_of(api_form("score_style"), "CK_ScoreStyle", "CK_LoadStyleDataset", "CheckpointLoaderSimple", "ControlNetLoader")
        node(prompt, "CK_SampleClips")["inputs"]["fps"] = 5.0
        node(prompt, "CK_ScoreFrames")["inputs"] |= changed
        return prompt

    few = frames(frames=["cut", 0])
    few["cut"] = {"class_type": "ImageFromBatch", "inputs": {"image": ["5", 0], "batch_index": 0, "length": 4}}
    with pytest.raises(ServerError, match="4 pictures in the pictures and 15 requested frames"):
        server.run(few)
    points = frames(requested=["points", 0])
    points["points"] = {"class_type": "CK_SkeletonToKeypoints", "inputs": {"skeleton": ["3", 0], "binarise": False}}
    with pytest.raises(ServerError, match="set fps, or give a skeleton or a video"):
        server.run(points)
    with pytest.raises(ServerError, match="write the prompt, or switch clip_score off"):
        server.run(frames(clip_score=True))
    style = part_of(part_of(api_form("score_style"), "CK_ScoreFrames", "CK_SampleClips"), "GetVideoComponents", "CK_ExtractSkeleton")
    node(style, "CK_ScoreStyle")["inputs"]["lora_name"] = "absent.safetensors"
    with pytest.raises(ServerError, match="There is no LoRA 'absent"):
        server.run(style)
