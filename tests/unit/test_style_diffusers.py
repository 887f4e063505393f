"""Our LoRA files in diffusers' own loader: the same output as the trained modules', at several scales."""

from __future__ import annotations

import logging

import pytest
import torch
from style_world import make_modules

from kinetics.style.adapters import Adapters
from kinetics.style.lora_file import write_lora
from kinetics.style.settings import TrainSettings


@pytest.mark.parametrize(
    "sdxl, rank, alpha, train_text", [(False, 4, 8.0, False), (False, 8, 2.0, True), (True, 4, 4.0, True), (True, 2, 7.0, False)]
)
def test_diffusers_loads_what_was_trained(tmp_path, caplog, sdxl, rank, alpha, train_text):
    from diffusers import DDPMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    modules, chance = make_modules(sdxl=sdxl), torch.Generator().manual_seed(0)
    noisy, times = torch.randn(2, 4, 8, 8, generator=chance), torch.tensor([41, 741])

    def say():
        with torch.no_grad():
            return modules.predict(noisy, times, *modules.encode_text(["ckbatter cover drive", "hook"]))

    before = say()
    adapters = Adapters(modules, TrainSettings(rank=rank, alpha=alpha, targets="all", train_text=train_text))
    with torch.no_grad():
        for key, weight in adapters.weights.items():
            if key.endswith("lora_up.weight"):
                weight.copy_(torch.randn(weight.shape, generator=chance) * 0.05)
    write_lora(tmp_path / "lora.safetensors", adapters.tensors(), {}, known=modules.known, where="the tests")
    trained = say()
    adapters.remove()
    assert torch.equal(say(), before)
    scheduler = DDPMScheduler(clip_sample=False, steps_offset=1)
    if sdxl:
        pipe = StableDiffusionXLPipeline(
            vae=None, text_encoder=modules.encoders["l"], text_encoder_2=modules.encoders["g"], tokenizer=None, tokenizer_2=None, unet=modules.unet,
            scheduler=scheduler, add_watermarker=False,
        )  # fmt: skip
    else:
        pipe = StableDiffusionPipeline(
            vae=None, text_encoder=modules.encoders["l"], tokenizer=None, unet=modules.unet, scheduler=scheduler, safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        pipe.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    assert (trained - before).abs().max() > 1e-2  # the LoRA does something
    torch.testing.assert_close(say(), trained, rtol=0, atol=1e-5)  # of values about 1, in float32
