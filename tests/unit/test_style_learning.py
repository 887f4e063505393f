"""Learning is real: in a tiny world the held-out loss falls, the pose plays its part, and each of two styles' LoRAs knows its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from style_world import make_modules, write_world

from kinetics.style.adapters import Adapters
from kinetics.style.batches import Source
from kinetics.style.held_out import HeldOut
from kinetics.style.settings import TrainSettings
from kinetics.style.train import TrainResult, train_style_lora

#: High noise, where the pose has something to tell that the noisy picture doesn't.
SETTINGS = TrainSettings(
    steps=120, batch=4, rank=16, alpha=16.0, targets="all", learning_rate=1e-2, warmup=5, first_time=400, hint_dropout=0.0, caption_dropout=0.0, background=1.0,
    min_snr=0.0, evaluate_every=120, save_every=0, picture_poses=0,
)  # fmt: skip
WARM, COLD = (250, 200, 40), (30, 90, 240)


@pytest.fixture(scope="module")
def modules():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield make_modules(width=64)
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The same poses in two styles."""
    return {
        name: write_world(tmp_path_factory.mktemp(name), per_clip=6, colour=colour) for name, colour in (("warm", WARM), ("cold", COLD))
    }


@pytest.fixture(scope="module")
def results(worlds, modules, tmp_path_factory) -> dict[str, TrainResult]:
    return {
        name: train_style_lora(modules, world, SETTINGS, out=tmp_path_factory.mktemp("out") / f"{name}.safetensors")
        for name, world in worlds.items()
    }


def test_loss_falls_and_the_pose_plays_its_part(results):
    """On a clip that was never seen. Ten-fold and one half are what the project asks for; measured here: 24-fold (1.218 to 0.050), and 0.36 of the wrong pose (0.139)."""
    last = results["warm"].held_out[-1]
    assert last["right"] <= last["base"] / 10
    assert last["right"] <= last["wrong"] / 2


def test_each_style_is_better_on_its_own(results, worlds, modules):
    """The held-out loss of every LoRA in every world, by the weights that the files hold."""
    adapters = Adapters(modules, SETTINGS)
    found = {}
    for lora, result in results.items():
        adapters.load(result.tensors, None)
        for name, world in worlds.items():
            measured = HeldOut(Source(world, modules, SETTINGS), adapters, torch.device("cpu"), torch.float32).measure()
            found[lora, name] = measured["right"]
        # What was measured at the end of the training comes out of the file's weights again.
        assert found[lora, lora] == pytest.approx(result.held_out[-1]["right"], rel=1e-5)
    adapters.remove()
    assert found["warm", "warm"] < found["cold", "warm"] / 2 and found["cold", "cold"] < found["warm", "cold"] / 2


def test_a_pose_that_training_never_saw_plays_no_part(worlds, modules, tmp_path):
    """With every hint dropped the LoRA learns as if there were no ControlNet, and its pictures follow no pose."""
    settings = replace(SETTINGS, hint_dropout=1.0, control_strength=0.0, steps=30, evaluate_every=30)
    last = train_style_lora(modules, worlds["warm"], settings, out=tmp_path / "blind.safetensors").held_out[-1]
    assert last["right"] == last["wrong"]
    assert last["right"] < last["base"] / 2  # it learned all the same
