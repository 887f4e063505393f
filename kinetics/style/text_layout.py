"""Weights of CLIP text encoders and of the VAE's encoder as checkpoints and the host lay them out, and their configurations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import KineticsError
from .ldm_layout import without_prefix

if TYPE_CHECKING:
    import torch

    Weights = Mapping[str, torch.Tensor]

#: Where an encoder's weights lie: in SD1.5 and SDXL checkpoints, and in the host's CLIP.
ENCODER_L = ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer.", "clip_l.transformer.")
ENCODER_G = ("conditioner.embedders.1.model.", "clip_g.transformer.")
OPEN_CLIP = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2", "attn.out_proj": "self_attn.out_proj",
}  # fmt: skip
#: OpenAI's and OpenCLIP's encoders have heads of 64 channels at every width.
HEAD = 64


def read_encoders(weights: Weights) -> dict[str, dict[str, torch.Tensor]]:
    """The text encoders in a checkpoint or in the host's CLIP, by letter (l, g), under transformers' names without ``text_model.``.

    Only tensors that transformers' model has are taken (a checkpoint may carry position numbers and a logit scale too).
    """
    found = {}
    for letter, prefixes in (("l", ENCODER_L), ("g", ENCODER_G)):
        for prefix in prefixes:
            part = without_prefix(weights, prefix)
            if "positional_embedding" in part:
                part = from_open_clip(part)
            part = {key.removeprefix("text_model."): value for key, value in part.items()}
            if "embeddings.token_embedding.weight" in part:
                kept = ("embeddings.token", "embeddings.position_embedding", "encoder.", "final_layer_norm.") + (
                    ("text_projection.",) if letter == "g" else ()
                )
                found[letter] = {key: value for key, value in part.items() if key.startswith(kept)}
    return found


def from_open_clip(part: Weights) -> dict[str, torch.Tensor]:
    """OpenCLIP's names; its joined query, key and value are taken apart, and its projection is stored transposed."""
    renamed = {
        "embeddings.token_embedding.weight": part["token_embedding.weight"],
        "embeddings.position_embedding.weight": part["positional_embedding"],
        "text_projection.weight": part["text_projection"].t().contiguous(),
    }
    for key, value in part.items():
        if key.startswith("ln_final."):
            renamed[key.replace("ln_final", "final_layer_norm")] = value
        elif match := re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", key):
            layer, name = f"encoder.layers.{match[1]}.", match[2]
            if name.startswith("attn.in_proj_"):
                leaf = name.removeprefix("attn.in_proj_")
                for letter, third in zip("qkv", value.chunk(3), strict=True):
                    renamed[f"{layer}self_attn.{letter}_proj.{leaf}"] = third
            else:
                module, _, leaf = name.rpartition(".")
                renamed[f"{layer}{OPEN_CLIP[module]}.{leaf}"] = value
    return renamed


def encoder_config(encoder: Weights, letter: str) -> dict:
    """For transformers' ``CLIPTextConfig``."""
    tokens, positions = encoder["embeddings.token_embedding.weight"], encoder["embeddings.position_embedding.weight"]
    layers = 1 + max(int(key.split(".")[2]) for key in encoder if key.startswith("encoder.layers."))
    width = tokens.shape[1]
    return {
        "vocab_size": tokens.shape[0], "hidden_size": width, "max_position_embeddings": positions.shape[0],
        "intermediate_size": encoder["encoder.layers.0.mlp.fc1.weight"].shape[0], "num_hidden_layers": layers,
        "num_attention_heads": max(width // HEAD, 1), "hidden_act": "quick_gelu" if letter == "l" else "gelu",
        "projection_dim": encoder["text_projection.weight"].shape[0] if letter == "g" else width,
        "bos_token_id": tokens.shape[0] - 2, "eos_token_id": tokens.shape[0] - 1, "pad_token_id": tokens.shape[0] - 1 if letter == "l" else 0,
    }  # fmt: skip


def has_decoder(weights: Weights) -> bool:
    """Whether a VAE's weights, without prefix, hold the half that makes pictures of latents."""
    return "decoder.conv_in.weight" in weights or any(key.startswith("taesd_decoder.") for key in weights)


def read_vae(weights: Weights, half: str, what: str) -> tuple[str, dict, dict[str, torch.Tensor]]:
    """A half of the VAE, ``encoder`` or ``decoder``: its kind (kl or tiny), configuration and weights under diffusers' names.

    Parameters
    ----------
    weights
        Without prefix (``encoder.conv_in.weight``, or ``taesd_encoder.0.weight``).

    Raises
    ------
    KineticsError
        When there is none.
    """
    tiny = without_prefix(weights, f"taesd_{half}.")
    if tiny:
        return ("tiny", *read_tiny(tiny, half))
    if f"{half}.conv_in.weight" not in weights:
        raise KineticsError(f"{what} holds no VAE; choose a whole checkpoint, or give the VAE's own file.")
    part = without_prefix(weights, f"{half}.")
    # LDM counts the levels of the decoder from the picture, diffusers from the latents.
    levels = 1 + max(int(key.split(".")[1]) for key in part if key.startswith(("down.", "up.")))
    renamed = {}
    for key, value in part.items():
        name = key.replace("nin_shortcut", "conv_shortcut").replace("norm_out", "conv_norm_out")
        name = re.sub(r"^down\.(\d+)\.block\.(\d+)", r"down_blocks.\1.resnets.\2", name)
        name = re.sub(r"^down\.(\d+)\.downsample", r"down_blocks.\1.downsamplers.0", name)
        name = re.sub(r"^up\.(\d+)\.block\.(\d+)", lambda m: f"up_blocks.{levels - 1 - int(m[1])}.resnets.{m[2]}", name)
        name = re.sub(r"^up\.(\d+)\.upsample", lambda m: f"up_blocks.{levels - 1 - int(m[1])}.upsamplers.0", name)
        name = re.sub(r"^mid\.block_(\d)", lambda m: f"mid_block.resnets.{int(m[1]) - 1}", name)
        if name.startswith("mid.attn_1."):
            module, _, leaf = name.removeprefix("mid.attn_1.").rpartition(".")
            module = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}[module]
            name, value = f"mid_block.attentions.0.{module}.{leaf}", value[..., 0, 0] if value.ndim == 4 else value
        renamed[name] = value
    side = "down" if half == "encoder" else "up"
    widths = [renamed[f"{side}_blocks.{k}.resnets.0.conv1.weight"].shape[0] for k in range(levels)]
    resnets = 1 + max(int(key.split(".")[3]) for key in renamed if key.startswith(f"{side}_blocks.0.resnets."))
    if half == "encoder":
        config = {
            "in_channels": 3, "out_channels": renamed["conv_out.weight"].shape[0] // 2, "down_block_types": ("DownEncoderBlock2D",) * levels,
            "block_out_channels": tuple(widths), "layers_per_block": resnets, "double_z": True,
        }  # fmt: skip
    else:
        # diffusers' decoder has a resnet more per level than it is told.
        config = {
            "in_channels": renamed["conv_in.weight"].shape[1], "out_channels": 3, "up_block_types": ("UpDecoderBlock2D",) * levels,
            "block_out_channels": tuple(reversed(widths)), "layers_per_block": resnets - 1,
        }  # fmt: skip
    return "kl", config, renamed


def read_tiny(tiny: Weights, half: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """TAESD's configuration and weights under diffusers' names."""
    places = sorted({int(key.split(".")[0]) for key in tiny})
    first, last = tiny[f"{places[0]}.weight"], tiny[f"{places[-1]}.weight"]
    config = {"in_channels": first.shape[1], "out_channels": last.shape[0], "block_out_channels": (first.shape[0],) * 4, "act_fn": "relu"}
    if half == "encoder":
        config |= {"num_blocks": (1, 3, 3, 3)}
    else:
        config |= {"num_blocks": (3, 3, 3, 1), "upsampling_scaling_factor": 2, "upsample_fn": "nearest"}
    # The clamp that the decoder begins with is no layer in diffusers.
    return config, {f"layers.{int(place) - places[0]}.{leaf}": value for place, _, leaf in (key.partition(".") for key in tiny) for value in (tiny[f"{place}.{leaf}"],)}
