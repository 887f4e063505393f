"""The engine in a tiny world: it learns the pose's part, the same seed writes the same bytes, and nothing that stops it loses what was learned."""

from __future__ import annotations

import importlib.util
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from style_world import make_modules, write_world

from kinetics.errors import KineticsError
from kinetics.style.batches import Order
from kinetics.style.lora_file import read_lora_info
from kinetics.style.settings import TrainSettings
from kinetics.style.state import load_state, state_path
from kinetics.style.train import train_style_lora

#: A run of few steps in which everything plays a part.
SHORT = TrainSettings(
    steps=6, batch=2, rank=4, alpha=8.0, targets="all", learning_rate=1e-3, warmup=2, ema=0.9, noise_offset=0.05, evaluate_every=3, evaluate_samples=2,
    save_every=2, picture_poses=0,
)  # fmt: skip


class Stop(Exception):
    """A person's cancel."""


def stop_after(step):
    def progress(done, total):
        if done == step:
            raise Stop

    return progress


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"), clips=3, per_clip=3, sizes=((64, 64), (64, 64), (48, 64)))


@pytest.fixture(scope="module")
def modules():
    return make_modules()


@pytest.fixture(scope="module")
def whole_run(world, modules, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "lora.safetensors"
    return train_style_lora(modules, world, SHORT, out=out)


def test_same_seed_writes_the_same_file(whole_run, world, modules, tmp_path):
    again = train_style_lora(modules, world, SHORT, out=tmp_path / "lora.safetensors")
    assert again.path.read_bytes() == whole_run.path.read_bytes()
    assert again.losses == whole_run.losses and again.held_out == whole_run.held_out
    other = train_style_lora(modules, world, replace(SHORT, seed=1, steps=1), out=tmp_path / "other.safetensors")
    assert other.losses[0] != whole_run.losses[0]


def test_file_says_what_it_is(whole_run, world):
    info = read_lora_info(whole_run.path)
    assert info.ranks == (4,) and info.alphas == (8.0,) and info.trigger == "ckbatter"
    assert info.motion == {"clip0": {"tempo": "quick tempo"}, "clip1": {"tempo": "quick tempo"}}  # of what was learned from; clip2 is held out
    assert info.metadata["ss_base_model_version"] == "sd_v1" and info.metadata["ss_new_sd_model_hash"] == "base 0"
    assert info.metadata["ss_num_train_images"] == "6" and info.metadata["ss_steps"] == "6"
    assert [path.name for path in sorted(whole_run.path.parent.iterdir())] == [
        "lora-000002.safetensors", "lora-000004.safetensors", "lora.resume.pt", "lora.safetensors",
    ]  # fmt: skip
    assert [entry["step"] for entry in whole_run.held_out] == [0, 3, 6]
    first = whole_run.held_out[0]
    assert first["right"] == first["base"]  # B is 0 at the start


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_stopped_at_any_step_and_resumed_is_the_uninterrupted_run(whole_run, world, modules, tmp_path, step):
    out = tmp_path / "lora.safetensors"
    with pytest.raises(Stop):
        train_style_lora(modules, world, SHORT, out=out, progress=stop_after(step))
    assert read_lora_info(out).metadata["ss_steps"] == str(step)  # what was learned is there to use
    resumed = train_style_lora(modules, world, SHORT, out=out, resume=True)
    assert resumed.step == 6 and resumed.losses == pytest.approx(whole_run.losses, abs=1e-6)
    for key, value in load_file(whole_run.path).items():
        torch.testing.assert_close(load_file(out)[key], value, rtol=0, atol=1e-6)


def test_modules_are_given_back_as_they_were(whole_run, modules):
    assert not any("lora" in name for network in (modules.unet, *modules.encoders.values()) for name, _ in network.named_parameters())
    assert not any(weight.requires_grad for weight in modules.unet.parameters())


def test_resume_refuses_another_run(whole_run, world, modules, tmp_path):
    out = whole_run.path
    with pytest.raises(KineticsError, match="rank is 8 and was 4"):
        train_style_lora(modules, world, replace(SHORT, rank=8, steps=9), out=out, resume=True)
    with pytest.raises(KineticsError, match="6 steps already"):
        train_style_lora(modules, world, SHORT, out=out, resume=True)
    with pytest.raises(KineticsError, match="another base model"):
        train_style_lora(replace(modules, base_hash="other"), world, replace(SHORT, steps=9), out=out, resume=True)
    other = write_world(tmp_path / "world", clips=2, per_clip=2)
    with pytest.raises(KineticsError, match="another dataset"):
        train_style_lora(modules, other, replace(SHORT, steps=9), out=out, resume=True)
    with pytest.raises(KineticsError, match="no checkpoint"):
        train_style_lora(modules, world, SHORT, out=tmp_path / "new.safetensors", resume=True)
    (tmp_path / "new.resume.pt").write_bytes(b"nothing")
    with pytest.raises(KineticsError, match="not a checkpoint"):
        train_style_lora(modules, world, SHORT, out=tmp_path / "new.safetensors", resume=True)


def test_killed_while_saving_leaves_the_last_checkpoint(world, tmp_path):
    """The process dies inside the second write of a checkpoint, when half of it is on the disk."""
    code = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
import torch
torch.set_num_threads(1)
from kinetics.style.samples import StyleDataset
from kinetics.style.train import train_style_lora
from test_style_training import SHORT
from style_world import make_modules
plain, calls = torch.save, []
def dying_save(state, file):
    calls.append(state["step"])
    if len(calls) == 2:
        file.write(b"half of a checkpoint")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    plain(state, file)
torch.save = dying_save
train_style_lora(make_modules(), StyleDataset.load(sys.argv[1]), SHORT, out=sys.argv[2])
"""
    out = tmp_path / "lora.safetensors"
    ran = subprocess.run(
        [sys.executable, "-c", code, world.folder, out, Path(__file__).resolve().parents[2], Path(__file__).parent], capture_output=True, text=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr[-2000:]
    assert load_state(state_path(out)).step == 2
    assert read_lora_info(tmp_path / "lora-000002.safetensors").modules > 0
    assert not out.exists()  # the run did not end


def test_no_number_in_the_loss_stops_and_keeps_the_last_good_state(world, modules, tmp_path, monkeypatch):
    plain, calls = type(modules).predict, []

    def spoiled(self, noisy, *rest):
        calls.append(noisy.requires_grad)
        said = plain(self, noisy, *rest)
        return said * float("nan") if torch.is_grad_enabled() and len(calls) > 3 else said

    monkeypatch.setattr(type(modules), "predict", spoiled)
    out = tmp_path / "lora.safetensors"
    with pytest.raises(
        KineticsError, match=r"not a number at step 4 \(images/clip\d_\d{3}\.png at time \d+.*3 steps is in .*Lower the learning rate"
    ):
        train_style_lora(modules, world, replace(SHORT, evaluate_every=0, save_every=0), out=out)
    state = load_state(state_path(out))
    assert state.step == 3 and all(weight.isfinite().all() for weight in state.weights.values())
    assert read_lora_info(out).metadata["ss_steps"] == "3"


def test_out_of_memory_names_the_setting_and_keeps_the_checkpoint(world, modules, tmp_path, monkeypatch):
    plain, calls = type(modules).predict, []

    def greedy(self, noisy, *rest):
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return plain(self, noisy, *rest)

    monkeypatch.setattr(type(modules), "predict", greedy)
    out, settings = tmp_path / "lora.safetensors", replace(SHORT, evaluate_every=0, save_every=0)
    with pytest.raises(KineticsError, match=r"turn gradient checkpointing on\. What was learned in 2 steps"):
        train_style_lora(modules, world, settings, out=out)
    # That very setting may be changed for the run to go on.
    resumed = train_style_lora(modules, world, replace(settings, gradient_checkpointing=True), out=out, resume=True)
    assert resumed.step == 6


def test_full_disk_is_told_and_the_last_checkpoint_stays(whole_run, world, modules, tmp_path):
    """The system refuses to write beyond 40 kB to a file, as it does on a disk that is full: a real refusal in the middle of the checkpoint."""
    out, kept = tmp_path / "lora.safetensors", replace(SHORT, evaluate_every=0, keep_checkpoints=False)
    with pytest.raises(Stop):
        train_style_lora(modules, world, kept, out=out, progress=stop_after(2))
    before, limits = {path.name: path.read_bytes() for path in tmp_path.iterdir()}, resource.getrlimit(resource.RLIMIT_FSIZE)
    assert before.keys() == {"lora.safetensors", "lora.resume.pt"} and len(before["lora.resume.pt"]) > 40_000
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
        with pytest.raises(KineticsError, match=r"Can't write the checkpoint .*lora\.resume\.pt: .*; free some space or choose another folder, then resume"):
            train_style_lora(modules, world, kept, out=out, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_gradient_checkpointing_and_caching_change_nothing_that_is_learned(whole_run, world, modules, tmp_path):
    """1e-5 of weights about 0.1: checkpointing computes the same twice; without a cache pictures are encoded in batches."""
    settings = replace(SHORT, gradient_checkpointing=True, caching=False, evaluate_every=0, save_every=0)
    plain = train_style_lora(modules, world, settings, out=tmp_path / "lora.safetensors")
    for key, value in whole_run.tensors.items():
        torch.testing.assert_close(plain.tensors[key], value, rtol=0, atol=1e-5)


def test_latents_stay_from_run_to_run(world, modules, tmp_path):
    calls, settings = [], replace(SHORT, steps=1, evaluate_every=0, save_every=0)

    def counted(images):
        calls.append(len(images))
        return modules.encode_images(images)

    for _ in range(2):
        train_style_lora(
            replace(modules, encode_images=counted), world, settings, out=tmp_path / "lora.safetensors", cache=tmp_path / "cache"
        )
    different = {(world.folder / sample.file_name).read_bytes() for sample in world.samples}
    assert len(calls) == len(different) and sum(calls) == len(calls)  # each content once, and none in the second run


def test_text_encoder_learns_when_asked(world, modules, tmp_path):
    settings = replace(SHORT, train_text=True, caption_dropout=0.0, steps=3, evaluate_every=0, save_every=0)
    result = train_style_lora(modules, world, settings, out=tmp_path / "lora.safetensors")
    ups = [value for key, value in result.tensors.items() if key.startswith("lora_te_text_model_encoder_layers_") and "lora_up" in key]
    assert len(ups) == 12 and sum(value.abs().max() > 0 for value in ups) >= 10  # a last layer's weights may have no say


@pytest.mark.parametrize(("sdxl", "prediction"), [(False, "v_prediction"), (True, "epsilon"), (True, "v_prediction")])
def test_the_other_family_and_prediction_learn(world, sdxl, prediction, tmp_path):
    settings = replace(SHORT, steps=40, batch=4, rank=16, alpha=16.0, targets="all", learning_rate=1e-2, warmup=2, save_every=0, evaluate_every=40)
    result = train_style_lora(make_modules(prediction=prediction, sdxl=sdxl), world, settings, out=tmp_path / "lora.safetensors")
    info = read_lora_info(result.path)
    assert info.metadata["modelspec.prediction_type"] == {"epsilon": "epsilon", "v_prediction": "v"}[prediction]
    assert info.metadata["modelspec.architecture"] == ("stable-diffusion-xl-v1-base/lora" if sdxl else "stable-diffusion-v1/lora")
    # A LoRA that learned the wrong target, or went into the wrong places, doesn't get below the loss without it at all.
    assert result.held_out[-1]["right"] < 0.6 * result.held_out[-1]["base"], result.held_out[-1]


def test_bf16_trains_with_weights_kept_in_float32(world, tmp_path):
    result = train_style_lora(
        make_modules(), world, replace(SHORT, precision="bf16", steps=2, save_every=0, evaluate_every=0), out=tmp_path / "lora.safetensors"
    )
    assert all(torch.isfinite(value).all() and value.dtype == torch.float32 for value in result.tensors.values())


def test_fp16_passes_over_a_step_that_is_too_large_and_learns(world, modules, tmp_path):
    """On a CPU too. A quiet run says what float32 says, to a thousandth: fp16 has 11 bits. With noise 300 times as large the first gradients, times the
    scaler's 65536, are beyond fp16's 65504: those steps leave the weights alone, the factor is halved each time, and then it learns; resumed too."""
    quiet = replace(SHORT, steps=2, save_every=0, evaluate_every=0)
    plain, half = (
        train_style_lora(modules, world, replace(quiet, precision=precision), out=tmp_path / f"{precision}.safetensors") for precision in ("fp32", "fp16")
    )
    assert half.losses == pytest.approx(plain.losses, rel=1e-3)
    out, loud = tmp_path / "loud.safetensors", replace(quiet, steps=6, precision="fp16", noise_offset=300.0, ema=0.0)
    with pytest.raises(Stop):
        train_style_lora(modules, world, loud, out=out, progress=stop_after(1))
    state = load_state(state_path(out))
    assert state.scaler["scale"] == 32768 and not any(weight.any() for key, weight in state.weights.items() if key.endswith("lora_up.weight"))
    resumed = train_style_lora(modules, world, loud, out=out, resume=True)
    whole = train_style_lora(modules, world, loud, out=tmp_path / "whole.safetensors")
    assert load_state(state_path(out)).scaler["scale"] < 32768
    for key, value in whole.tensors.items():
        assert torch.isfinite(value).all() and torch.equal(resumed.tensors[key], value)
    assert any(value.any() for key, value in whole.tensors.items() if key.endswith("lora_up.weight"))


def test_fp16_stops_when_no_factor_brings_the_gradient_into_range(world, modules, tmp_path, monkeypatch):
    """A gradient that is no number, under a loss that is one: halving from 65536 to 1 passes over 17 steps, and then there is no point in going on."""
    plain = type(modules).predict

    def spoiled(self, noisy, *rest):
        said = plain(self, noisy, *rest)
        if said.requires_grad:
            said.register_hook(lambda gradient: gradient * float("inf"))
        return said

    monkeypatch.setattr(type(modules), "predict", spoiled)
    settings = replace(SHORT, steps=30, precision="fp16", save_every=0, evaluate_every=0, batch=1, targets="attention")
    with pytest.raises(KineticsError, match=r"gradient is not a number at step 18 .*17 steps is in .*or use bf16 in place of fp16"):
        train_style_lora(modules, world, settings, out=tmp_path / "lora.safetensors")


def test_prodigy_finds_its_rate_and_resumes(world, modules, tmp_path):
    settings = replace(SHORT, optimiser="prodigy", learning_rate=1.0, warmup=0, schedule="constant", steps=16, evaluate_every=0, save_every=0)
    whole = train_style_lora(modules, world, settings, out=tmp_path / "whole.safetensors")
    out = tmp_path / "lora.safetensors"
    with pytest.raises(Stop):
        train_style_lora(modules, world, settings, out=out, progress=stop_after(2))
    resumed = train_style_lora(modules, world, settings, out=out, resume=True)
    for key, value in whole.tensors.items():
        torch.testing.assert_close(resumed.tensors[key], value, rtol=0, atol=1e-6)
    assert load_state(state_path(out)).optimiser["param_groups"][0]["d"] > 5e-6  # it starts at 1e-6
    with pytest.raises(KineticsError, match="prodigy finds one rate"):
        replace(settings, train_text=True, text_learning_rate=0.5)


def test_every_sample_is_seen_once_an_epoch_in_batches_of_one_size():
    sizes = [(64, 64)] * 5 + [(48, 64)] * 3
    order = Order(sizes, 2, seed=0)
    assert order.per_epoch == 5
    for epoch in range(3):
        batches = [order.pick(epoch * 5 + k) for k in range(5)]
        assert sorted({number for batch in batches for number in batch}) == list(range(8))
        assert all(len(batch) == 2 and len({sizes[number] for number in batch}) == 1 for batch in batches)
    assert [Order(sizes, 2, seed=0).pick(k) for k in (12, 3)] == [order.pick(k) for k in (12, 3)]  # in any order of asking


def test_nothing_held_out_is_told_and_trains(modules, tmp_path):
    world, heard = write_world(tmp_path / "world", clips=2, per_clip=2), []
    (world.folder / "metadata.jsonl").write_text("".join(sample.line() for sample in world.split("train")))
    world = type(world).load(world.folder)
    result = train_style_lora(
        modules, world, replace(SHORT, steps=1), out=tmp_path / "lora.safetensors", on_event=lambda *event: heard.append(event)
    )
    assert result.held_out == [] and [values["text"] for kind, values in heard if kind == "note"] == [
        "The dataset holds no clip out, so no held-out loss is measured; give at least two clips."
    ]


def test_a_dataset_that_nothing_can_be_learned_from_is_told(modules, tmp_path):
    world = write_world(tmp_path / "world", clips=2, per_clip=1)
    held_out = replace(world, samples=world.split("held_out"))
    uneven = replace(world, samples=tuple(replace(sample, width=60) for sample in world.samples))
    for data, sentence in ((held_out, "no sample of any weight to train on"), (uneven, "60x64; sides have to be multiples of 8")):
        with pytest.raises(KineticsError, match=sentence):
            train_style_lora(modules, data, SHORT, out=tmp_path / "lora.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"rank": 0}, "rank is 0"), ({"targets": "most"}, "targets 'most' is unknown; choose attention"), ({"first_time": 900, "last_time": 800}, "times from 900"),
        ({"hint_dropout": 1.5}, "hint_dropout is 1.5"), ({"learning_rate": float("nan")}, "learning rate"), ({"ema": 1.0}, "ema is 1.0"),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_told(wrong, sentence):
    with pytest.raises(KineticsError, match=sentence):
        TrainSettings(**wrong)


def test_learning_rate_warms_up_and_falls():
    settings = TrainSettings(steps=100, warmup=10)
    factors = [settings.rate_factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1 and factors[10] == 1
    assert factors[55] == pytest.approx(0.5) and factors[99] < 1e-3  # cos² of the way from 10 to 100


def test_missing_optimiser_package_is_named(world, modules, tmp_path, monkeypatch):
    plain = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else plain(name))
    with pytest.raises(KineticsError, match="pip install bitsandbytes, or choose adamw"):
        train_style_lora(modules, world, replace(SHORT, optimiser="adamw8bit"), out=tmp_path / "lora.safetensors")
    assert not any("lora" in name for name, _ in modules.unet.named_parameters())
