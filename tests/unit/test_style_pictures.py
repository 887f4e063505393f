"""Pictures drawn while training: the solver finds what a perfect model knows, and the run is the same with and without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from style_world import make_modules, write_world

from kinetics.style.adapters import Adapters
from kinetics.style.batches import Source
from kinetics.style.modules import noise_schedule
from kinetics.style.picture_sheet import STEPS, pick_steps, picture_sheet
from kinetics.style.pictures import Pictures
from kinetics.style.settings import TrainSettings
from kinetics.style.train import train_style_lora

SETTINGS = TrainSettings(steps=4, rank=4, targets="attention", warmup=0, evaluate_every=2, evaluate_samples=2, save_every=0, picture_steps=4, learning_rate=1e-3)


class Stop(Exception):
    """A person's cancel."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_world(tmp_path_factory.mktemp("world"), clips=2, per_clip=2, sizes=((64, 64), (48, 64)))


@pytest.fixture(scope="module")
def modules():
    return make_modules()


@pytest.mark.parametrize("prediction, zero_terminal", [("epsilon", False), ("v_prediction", False), ("v_prediction", True)])
def test_a_model_that_knows_the_frame_draws_it(world, modules, tmp_path, monkeypatch, prediction, zero_terminal):
    """epsilon, or v, of a given picture x_0 said exactly: every step of the solver then leads to x_0. One grey level of 255 is allowed for rounding to
    bytes; the frame itself is not met exactly, because its latents are averages over 8 × 8 pixels: it is compared with their decoding."""
    knowing = replace(modules, prediction=prediction, alphas_bar=noise_schedule(zero_terminal=zero_terminal))
    source = Source(world, knowing, SETTINGS)
    number = source.held_out[0]
    latents = source.latents([number])

    def said(self, noisy, times, *rest):
        bar = self.alphas_bar[times].float().reshape(-1, 1, 1, 1)
        noise = (noisy - bar.sqrt() * latents) / (1 - bar).sqrt()
        return noise if prediction == "epsilon" else bar.sqrt() * noise - (1 - bar).sqrt() * latents

    monkeypatch.setattr(type(modules), "predict", said)
    pictures = Pictures(source, Adapters(knowing, SETTINGS), world, tmp_path / "lora.safetensors", torch.device("cpu"), torch.float32)
    steps, pictures.samples = [], [number]
    drawn = pictures.draw(0, lambda: steps.append(1))
    pictures.adapters.remove()
    wanted = (modules.decode_latents(latents)[0].clamp(-1, 1) + 1) * 127.5
    assert len(steps) == SETTINGS.picture_steps
    assert np.abs(drawn.astype(float) - wanted.permute(1, 2, 0).numpy()).max() <= 1


@pytest.fixture(scope="module")
def whole_run(world, modules, tmp_path_factory):
    return train_style_lora(modules, world, SETTINGS, out=tmp_path_factory.mktemp("whole") / "lora.safetensors")


def files(run_or_folder):
    return {path.name: path.read_bytes() for path in sorted(run_or_folder.glob("lora.pictures*/*.png"))}


def test_pictures_are_drawn_with_every_held_out_loss(whole_run, world):
    folder = whole_run.path.parent
    assert list(files(folder)) == ["pose1_000000.png", "pose1_000002.png", "pose1_000004.png"]
    sizes = {Image.open(path).size for path in (folder / "lora.pictures").iterdir()}
    assert sizes == {(48, 64)}  # the second of the two held-out samples
    with Image.open(folder / "lora.pictures.png") as sheet:
        assert np.array_equal(np.asarray(sheet), whole_run.sheet)
    assert len(set(files(folder).values())) == 3  # the LoRA changes what is drawn


def test_training_is_the_same_without_pictures(whole_run, world, modules, tmp_path):
    plain = train_style_lora(modules, world, replace(SETTINGS, picture_poses=0), out=tmp_path / "lora.safetensors")
    assert plain.path.read_bytes() == whole_run.path.read_bytes() and plain.losses == whole_run.losses and plain.held_out == whole_run.held_out
    assert plain.sheet is None and files(tmp_path) == {}


def test_cancelled_while_drawing_and_resumed_is_the_uninterrupted_run(whole_run, world, modules, tmp_path):
    """The cancel comes between the solver's steps: the pictures so far stay, no half one does, and the missing one is drawn when the run goes on."""
    told = []

    def cancel(done, total):
        told.append(done)
        if told.count(2) == 2:  # within the drawing after step 2
            raise Stop

    out = tmp_path / "lora.safetensors"
    with pytest.raises(Stop):
        train_style_lora(modules, world, SETTINGS, out=out, progress=cancel)
    assert list(files(tmp_path)) == ["pose1_000000.png"] and (tmp_path / "lora.pictures.png").is_file()
    resumed = train_style_lora(modules, world, SETTINGS, out=out, resume=True)
    assert out.read_bytes() == whole_run.path.read_bytes() and resumed.held_out == whole_run.held_out
    assert files(tmp_path) == files(whole_run.path.parent) and np.array_equal(resumed.sheet, whole_run.sheet)
    # A new run under the same name takes the old one's pictures away.
    train_style_lora(modules, world, replace(SETTINGS, steps=2), out=out)
    assert list(files(tmp_path)) == ["pose1_000000.png", "pose1_000002.png"]


def test_too_little_memory_for_pictures_is_told_and_training_goes_on(whole_run, world, modules, tmp_path):
    def greedy(latents):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    heard = []
    result = train_style_lora(
        replace(modules, decode_latents=greedy), world, SETTINGS, out=tmp_path / "lora.safetensors", on_event=lambda *event: heard.append(event)
    )
    assert [values["text"] for kind, values in heard if kind == "note"] == [
        "The memory is not enough to draw pictures (picture_poses); training goes on without them."
    ]
    assert result.path.read_bytes() == whole_run.path.read_bytes() and result.sheet is None and files(tmp_path) == {}


def test_page_of_many_steps_shows_the_first_and_the_last(world):
    assert pick_steps([0, 5]) == [0, 5]
    picked = pick_steps(list(range(0, 2001, 100)))
    assert len(picked) == STEPS and picked[0] == 0 and picked[-1] == 2000 and picked == sorted(set(picked))
    wide, tall = world.split("held_out")
    page = picture_sheet(world, [(wide, {0: np.full((64, 64, 3), 255, np.uint8)}), (tall, {50: np.full((64, 48, 3), 255, np.uint8)})])
    # Pose, frame, two steps; white where a picture is, and nothing where there is none.
    columns = np.flatnonzero((page == 255).all(axis=2).sum(axis=0) > 100)
    assert np.ptp(columns) > page.shape[1] // 4 and (page[page.shape[0] // 4, -40] != 255).all()
