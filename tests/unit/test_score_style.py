"""Held-out loss under several LoRAs: training's own number again from the file, each style best on its own, files of any rank, and what doesn't fit."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from style_world import make_modules, write_world

from kinetics.errors import KineticsError
from kinetics.score.lora_branch import applied, find_modules, read_lora, take_apart
from kinetics.score.style import export_style_score, score_style, trial_settings
from kinetics.style.settings import TrainSettings
from kinetics.style.train import train_style_lora

SETTINGS = TrainSettings(
    steps=12, batch=4, rank=8, alpha=4.0, targets="all", learning_rate=2e-2, warmup=3, first_time=400, hint_dropout=0.0, caption_dropout=0.0, background=1.0,
    min_snr=0.0, evaluate_every=12, evaluate_samples=4, save_every=0, picture_poses=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def modules():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield make_modules()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(modules, tmp_path_factory):
    """The same poses in two styles, a LoRA for each: dataset, file, last held-out loss of the run."""
    found = {}
    for name, colour in (("warm", (250, 200, 40)), ("cold", (30, 90, 240))):
        world = write_world(tmp_path_factory.mktemp(name), colour=colour)
        out = tmp_path_factory.mktemp("loras") / f"{name}.safetensors"
        found[name] = world, out, train_style_lora(modules, world, SETTINGS, out=out).held_out[-1]
    return found


@pytest.fixture(scope="module")
def scores(modules, trained):
    loras = {name: read_lora(path) for name, (_, path, _) in trained.items()}
    order = {"warm": ("warm", "cold"), "cold": ("cold", "warm")}
    return {
        name: score_style(modules, trained[name][0], [loras[each] for each in order[name]], trial_settings([loras[name]])) for name in trained
    }  # fmt: skip


def test_the_runs_own_number_comes_out_of_the_file(scores, trained):
    """Within 1e-6: the same noise, times and poses, the same sums; the file keeps float32."""
    for name, score in scores.items():
        base, own, _ = score.rows
        last = trained[name][2]
        assert (own.name, own.kind, base.kind) == (name, "own", "base")
        assert own.right.mean() == pytest.approx(last["right"], abs=1e-6) and own.wrong.mean() == pytest.approx(last["wrong"], abs=1e-6)
        assert base.right.mean() == pytest.approx(last["base"], abs=1e-6)


def test_each_style_is_told_from_the_other(scores):
    for score in scores.values():
        base, own, other = score.rows
        assert own.right.mean() < other.right.mean() < base.right.mean()
        gain, error = score.gain(own, base)
        assert gain == pytest.approx((base.right - own.right).mean()) and gain > 2 * error > 0
        assert "below the base model alone by" in score.verdict() and other.name in score.verdict()


def test_the_base_model_is_given_back(modules, trained):
    before = {key: value.clone() for key, value in modules.unet.state_dict().items()}
    world, path, _ = trained["warm"]
    with applied(read_lora(path), modules):
        pass
    score = score_style(modules, world, [], trial_settings())
    assert all((value == before[key]).all() for key, value in modules.unet.state_dict().items())
    assert len(score.rows) == 1 and "nothing to tell it from" in score.verdict()
    assert not any(layer._forward_hooks for layer in find_modules(modules).values())


def test_a_branch_is_the_merged_weight(modules, trained):
    """W + (alpha/r)·B·A put into the weights says the same, for linear layers and convolutions, at 1e-5 of float32 sums in another
    order."""
    lora = read_lora(trained["warm"][1])
    layers = find_modules(modules)
    chance = torch.Generator().manual_seed(0)
    kinds = set()
    for name, (down, up, alpha) in lora.parts.items():
        layer = layers[name]
        shape = (2, layer.weight.shape[1], *[8] * (layer.weight.ndim - 2))
        x = torch.randn(shape, generator=chance)
        with torch.no_grad(), applied(replace(lora, parts={name: lora.parts[name]}), modules):
            said = layer(x)
            kept = layer.weight.data
            layer.weight.data = kept + alpha / len(down) * (up.flatten(1) @ down.flatten(1)).reshape(kept.shape)
        with torch.no_grad():
            merged = layer(x)
            layer.weight.data = kept
            assert (said - merged).abs().max() <= 1e-5 * merged.abs().max()
            assert (said - layer(x)).abs().max() > 1e-4  # it does something
        kinds.add((type(layer).__name__, tuple(layer.weight.shape[2:])))
    assert {"Linear", "Conv2d"} <= {kind for kind, _ in kinds} and ("Conv2d", (3, 3)) in kinds


def test_lora_of_another_trainer(modules, trained, tmp_path):
    """Without alpha the rank stands for it; without our settings the evaluation is the usual one; linear weights with two more axes are taken."""
    world, path, _ = trained["warm"]
    tensors = {key: value for key, value in load_file(path).items() if not key.endswith(".alpha")}
    tensors = {key: value[:, :, None, None] if value.ndim == 2 else value for key, value in tensors.items()}
    save_file(tensors, tmp_path / "plain.safetensors")
    lora = read_lora(tmp_path / "plain.safetensors")
    assert {alpha for _, _, alpha in lora.parts.values()} == {8.0}
    settings = trial_settings([lora])
    assert settings == TrainSettings() and trial_settings([lora], samples=3).evaluate_samples == 3
    assert trial_settings([read_lora(path)]).first_time == 400
    score = score_style(modules, world, [lora], replace(settings, first_time=400, evaluate_samples=4, batch=4))
    # Alpha 8 in place of 4: twice as strong, and no longer the run's number.
    assert abs(score.rows[1].right.mean() - trained["warm"][2]["right"]) > 1e-4


def test_text_encoders_are_asked_anew_under_each_lora(modules, trained, tmp_path):
    """A LoRA on the encoder alone: cached text would give the base's loss for it."""
    world = trained["warm"][0]
    settings = replace(SETTINGS, train_text=True, steps=3, evaluate_every=3)
    last = train_style_lora(modules, world, settings, out=tmp_path / "text.safetensors").held_out[-1]
    lora = read_lora(tmp_path / "text.safetensors")
    only_text = replace(lora, parts={name: part for name, part in lora.parts.items() if name.startswith("lora_te")})
    assert lora.has_text and only_text.parts
    score = score_style(modules, world, [lora, only_text], trial_settings([lora]))
    assert score.rows[1].right.mean() == pytest.approx(last["right"], abs=1e-6)
    assert abs(score.rows[2].right.mean() - score.rows[0].right.mean()) > 1e-5


def test_sdxl_with_two_encoders(tmp_path):
    """The same equality for SDXL's two text encoders and its own layout."""
    world, sdxl = write_world(tmp_path / "world", clips=2, per_clip=2), make_modules(sdxl=True)
    settings = replace(SETTINGS, train_text=True, steps=2, evaluate_every=2, evaluate_samples=2, batch=2)
    last = train_style_lora(sdxl, world, settings, out=tmp_path / "sdxl.safetensors").held_out[-1]
    lora = read_lora(tmp_path / "sdxl.safetensors")
    assert {name.split("_")[1] for name in lora.parts} == {"unet", "te1", "te2"}
    own = score_style(sdxl, world, [lora], trial_settings([lora])).rows[1]
    assert own.right.mean() == pytest.approx(last["right"], abs=1e-6) and own.wrong.mean() == pytest.approx(last["wrong"], abs=1e-6)


def test_half_precision_says_nearly_the_same(trained):
    """bf16 keeps eight bits of a number: the loss within a twentieth."""
    world, path, last = trained["warm"]
    lora = read_lora(path)
    settings = trial_settings([lora], precision="bf16")
    assert trial_settings([lora]).precision == "fp32" and settings.precision == "bf16"
    half = make_modules()
    score = score_style(half, world, [lora], settings)
    assert score.rows[1].right.mean() == pytest.approx(last["right"], rel=0.05) and next(half.unet.parameters()).dtype == torch.bfloat16


def test_without_a_controlnet_there_is_one_loss(trained):
    world, path, _ = trained["warm"]
    score = score_style(make_modules(pose=False), world, [read_lora(path)], replace(TrainSettings(), evaluate_samples=2))
    assert all(row.wrong is None for row in score.rows) and "right pose" not in score.sentences() and "loss" in score.sentences()


def test_files_hold_the_same_numbers(scores, tmp_path):
    score = scores["warm"]
    paths = export_style_score(score, tmp_path)
    value = json.loads(paths[0].read_text(encoding="utf-8"))
    assert [path.name for path in paths] == ["style_score.json", "style_score.csv", "style_score.png"] and paths[2].stat().st_size > 5000
    assert [row["right"] for row in value["rows"]] == pytest.approx([row.right.mean() for row in score.rows], rel=1e-5)
    lines = list(csv.DictReader(paths[1].open(encoding="utf-8")))
    assert len(lines) == 3 * 4 and {line["kind"] for line in lines} == {"base", "own", "other"}
    own = np.mean([float(line["loss, right pose"]) for line in lines if line["kind"] == "own"])
    assert own == pytest.approx(score.rows[1].right.mean(), rel=1e-5)


def test_what_does_not_fit_is_told(modules, trained, tmp_path):
    world, path, _ = trained["warm"]
    wide = make_modules(width=64)
    with pytest.raises(KineticsError, match="score it on the base that it was trained on"):
        score_style(wide, world, [read_lora(path)])
    strange = take_apart({"lora_unet_elsewhere.lora_down.weight": torch.zeros(2, 4), "lora_unet_elsewhere.lora_up.weight": torch.zeros(4, 2)}, "strange")
    with pytest.raises(KineticsError, match=r"changes 1 of its 1 modules that tiny.safetensors doesn't have \(lora_unet_elsewhere\)"):
        score_style(modules, world, [strange])
    with pytest.raises(KineticsError, match="lacks one half"):
        take_apart({"lora_unet_x.lora_down.weight": torch.zeros(2, 4)}, "half")
    with pytest.raises(KineticsError, match="no plain down, up or alpha"):
        take_apart({"lora_unet_x.dora_scale": torch.zeros(2, 4)}, "dora")
    with pytest.raises(KineticsError, match="no file"):
        read_lora(tmp_path / "absent.safetensors")
    one = write_world(tmp_path / "one", clips=2, per_clip=1)
    lonely = replace(one, samples=tuple(sample for sample in one.samples if sample.split == "train"))
    with pytest.raises(KineticsError, match="holds no clip out"):
        score_style(modules, lonely, [])


def test_progress_counts_every_pass_and_may_cancel(modules, trained):
    world, path, _ = trained["warm"]
    seen = []
    score_style(modules, world, [read_lora(path)], SETTINGS, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (16, 16) and seen == sorted(seen)  # base and LoRA, right and wrong pose, four pictures

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_style(modules, world, [read_lora(path)], SETTINGS, progress=cancel)
    assert not any(layer._forward_hooks for layer in find_modules(modules).values())
