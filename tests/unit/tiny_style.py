"""A LoRA for the tiny models, and an upscaler of Real-ESRGAN's shape, as small as the host's own detection allows."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from kinetics.style.lora_file import describe_lora, write_lora

WIDTH, TEXT = 320, 768


def write_style(path: Path, rank: int = 4) -> None:
    """Attention of the UNet's first block and of one layer of the text encoder, with weights large enough to be seen."""
    chance, tensors = torch.Generator().manual_seed(4), {}
    modules = {f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_{part}": WIDTH for part in ("q", "k", "v")}
    modules |= {f"lora_te_text_model_encoder_layers_11_self_attn_{part}_proj": TEXT for part in ("q", "v")}
    for module, width in modules.items():
        tensors[f"{module}.lora_down.weight"] = torch.randn(rank, width, generator=chance) / width**0.5
        tensors[f"{module}.lora_up.weight"] = torch.randn(width, rank, generator=chance)
        tensors[f"{module}.alpha"] = torch.tensor(float(rank))
    about = describe_lora(
        family="sd15", prediction="epsilon", rank=rank, alpha=rank, title="ck_style", trigger="ckbatter", date="", base_name="another.safetensors",
        base_hash="0" * 64, captions=["ckbatter, cover drive"], resolution=(64, 64),
    )  # fmt: skip
    write_lora(path, tensors, about, known=modules, where="the host")


def write_upscaler(path: Path, width: int = 8, grow: int = 32) -> None:
    """Four times as large: the fewest blocks that the architecture is known by, and weights that hand every pixel on as it is."""
    weights = {}

    def add(name: str, out: int, start: int, through: bool = False) -> None:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = torch.zeros(out, start, 3, 3), torch.zeros(out)
        if through:
            weights[f"{name}.weight"][range(3), range(3), 1, 1] = 1.0

    add("conv_first", width, 3, through=True)
    for part in (1, 2, 3):
        for k in range(1, 6):
            add(f"body.0.rdb{part}.conv{k}", width if k == 5 else grow, width + (k - 1) * grow)
    add("conv_body", width, width)
    for name in ("conv_up1", "conv_up2", "conv_hr"):
        add(name, width, width, through=True)
    add("conv_last", 3, width, through=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path)
