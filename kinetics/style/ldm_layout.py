"""The layout of SD1.5's and SDXL's weights in checkpoints and in the host (LDM), and what diffusers calls the same tensors.

Nothing is looked up by a model's name: blocks, widths and depths are read from the keys and shapes that are there, so that
a model of any width is rebuilt without a configuration file or a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import KineticsError

if TYPE_CHECKING:
    import torch

    Weights = Mapping[str, torch.Tensor]

OTHER_FAMILY = (
    "{what} is not of the SD1.5 or SDXL family ({why}); Train Style LoRA knows only these two: "
    "train other models with ComfyUI's own Train LoRA (TrainLoraNode)."
)
RESNET = {
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2", "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
ENDS = {
    "input_blocks.0.0": "conv_in", "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2", "out.0": "conv_norm_out", "out.2": "conv_out",
}  # fmt: skip
HINT_CHANNELS = (16, 32, 96, 256)


@dataclass(frozen=True)
class UnetLayout:
    """How a UNet is built.

    Attributes
    ----------
    family : str
        sd15 or sdxl.
    names : dict
        Modules: the LDM name to diffusers'. For a ControlNet those of its own parts too.
    config : dict
        For diffusers' ``UNet2DConditionModel``; a ControlNet takes what it shares.
    """

    family: str
    names: dict[str, str]
    config: dict


def without_prefix(weights: Weights, prefix: str) -> dict[str, torch.Tensor]:
    return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}


def depth_at(weights: Weights, block: str) -> int:
    """Transformer blocks at ``block``.1; 0 without attention."""
    depth = 0
    while f"{block}.1.transformer_blocks.{depth}.norm1.weight" in weights:
        depth += 1
    return depth


def map_block(weights: Weights, block: str, target: str, number: int, names: dict[str, str]) -> int:
    """Name one resnet and the attention behind it.

    Returns
    -------
    int
        Depth of its transformer.
    """
    for ldm, diffusers in RESNET.items():
        if f"{block}.0.{ldm}.weight" in weights:
            names[f"{block}.0.{ldm}"] = f"{target}.resnets.{number}.{diffusers}"
    depth = depth_at(weights, block)
    if depth:
        map_attention(weights, f"{block}.1", f"{target}.attentions.{number}", names)
    return depth


def map_attention(weights: Weights, block: str, target: str, names: dict[str, str]) -> None:
    """An attention's modules are called the same in both."""
    for key in weights:
        if key.startswith(f"{block}.") and key.endswith(".weight"):
            module = key[: -len(".weight")]
            names[module] = target + module[len(block) :]


def read_encoder(weights: Weights, what: str) -> tuple[dict[str, str], list[int], list[int], list[list[int]]]:
    """The half that UNet and ControlNet share: names, widths, resnets and transformer depths of the levels."""
    names: dict[str, str] = {ldm: diffusers for ldm, diffusers in ENDS.items() if f"{ldm}.weight" in weights}
    widths, resnets, depths, n = [], [0], [[]], 1
    while any(key.startswith(f"input_blocks.{n}.") for key in weights):
        block, level = f"input_blocks.{n}", len(resnets) - 1
        if f"{block}.0.op.weight" in weights:
            names[f"{block}.0.op"] = f"down_blocks.{level}.downsamplers.0.conv"
            resnets.append(0)
            depths.append([])
        else:
            depths[level].append(map_block(weights, block, f"down_blocks.{level}", resnets[level], names))
            resnets[level] += 1
            widths[level:] = [weights[f"{block}.0.out_layers.3.weight"].shape[0]]
        n += 1
    if n == 1 or "middle_block.2.in_layers.0.weight" not in weights:
        raise KineticsError(OTHER_FAMILY.format(what=what, why="its blocks are laid out otherwise"))
    for number, part in ((0, "middle_block.0"), (1, "middle_block.2")):
        for ldm, diffusers in RESNET.items():
            if f"{part}.{ldm}.weight" in weights:
                names[f"{part}.{ldm}"] = f"mid_block.resnets.{number}.{diffusers}"
    map_attention(weights, "middle_block.1", "mid_block.attentions.0", names)
    return names, widths, resnets, depths


def read_family(weights: Weights, what: str) -> tuple[str, dict]:
    """Family by the kind of projection and of extra conditioning; what both kinds of net take from it."""
    proj = next((key for key in weights if key.endswith(".1.proj_in.weight")), None)
    text = next((key for key in weights if key.endswith("attn2.to_k.weight")), None)
    start = weights.get("input_blocks.0.0.weight")
    if proj is None or text is None or start is None:
        raise KineticsError(OTHER_FAMILY.format(what=what, why="it is no UNet with cross-attention"))
    if start.shape[1] != 4:
        raise KineticsError(
            f"{what} takes {start.shape[1]} channels, as inpainting and edit models do; choose its ordinary 4-channel version."
        )
    linear, extra = weights[proj].ndim == 2, weights.get("label_emb.0.0.weight")
    if linear != (extra is not None):
        raise KineticsError(OTHER_FAMILY.format(what=what, why="it looks like Stable Diffusion 2" if linear else "it has class embeddings"))
    config = {"in_channels": 4, "cross_attention_dim": weights[text].shape[1], "use_linear_projection": linear}
    if extra is None:
        return "sd15", config
    pooled = extra.shape[1] - 6 * 256
    if pooled <= 0 or extra.shape[1] == 2560:
        raise KineticsError(OTHER_FAMILY.format(what=what, why="it looks like the SDXL refiner"))
    config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": extra.shape[1]}
    return "sdxl", config


def read_layout(weights: Weights, what: str, *, control: bool = False) -> UnetLayout:
    """The layout of a UNet, or of a ControlNet, from its weights.

    Parameters
    ----------
    weights
        In LDM's names without prefix (``input_blocks.0.0.weight``).
    what : str
        The model in words, for sentences.

    Raises
    ------
    KineticsError
        For another family, told by name of core's trainer, or a layout that diffusers can't hold.
    """
    family, config = read_family(weights, what)
    names, widths, resnets, depths = read_encoder(weights, what)
    levels = range(len(widths))
    middle = depth_at(weights, "middle_block")
    transformers = [max(level) for level in depths[: len(widths)]]
    if len(set(resnets)) != 1 or any(len(set(level)) != 1 for level in depths) or (transformers[-1] not in (0, middle)):
        raise KineticsError(OTHER_FAMILY.format(what=what, why="its transformers are of uneven depth, as in distilled models"))
    cross = [depth > 0 for depth in transformers]
    # SD1.5 has 8 heads at every width, SDXL heads of 64 channels. (diffusers calls the number of heads attention_head_dim.)
    heads = tuple(8 for _ in levels) if family == "sd15" else tuple(max(width // 64, 1) for width in widths)
    config |= {
        "block_out_channels": tuple(widths), "layers_per_block": resnets[0], "attention_head_dim": heads,
        "transformer_layers_per_block": tuple(depth or middle for depth in transformers),
        "down_block_types": tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in cross),
    }  # fmt: skip
    if control:
        config["conditioning_embedding_out_channels"] = HINT_CHANNELS
        names |= control_names(weights, what)
    else:
        config |= {
            "out_channels": weights["out.2.weight"].shape[0],
            "up_block_types": tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(cross)),
        }
        map_decoder(weights, resnets[0] + 1, names)
    return UnetLayout(family, names, config)


def map_decoder(weights: Weights, per_level: int, names: dict[str, str]) -> None:
    """The UNet's other half: each level ends with an upsampler, but the last."""
    n = 0
    while f"output_blocks.{n}.0.in_layers.0.weight" in weights:
        level, number = divmod(n, per_level)
        block = f"output_blocks.{n}"
        map_block(weights, block, f"up_blocks.{level}", number, names)
        for place in (1, 2):
            if f"{block}.{place}.conv.weight" in weights:
                names[f"{block}.{place}.conv"] = f"up_blocks.{level}.upsamplers.0.conv"
        n += 1


def control_names(weights: Weights, what: str) -> dict[str, str]:
    """A ControlNet's own parts: the hint's encoder and the zero convolutions."""
    if "task_embedding" in weights or "control_add_embedding.control_add_embedding.linear_1.weight" in weights:
        raise KineticsError(
            f"{what} is a union ControlNet, which takes a kind of control with each hint; choose a ControlNet made for poses (OpenPose) only."
        )
    if weights["input_hint_block.0.weight"].shape[1] != 3:
        raise KineticsError(
            f"{what} takes hints of {weights['input_hint_block.0.weight'].shape[1]} channels; choose a pose (OpenPose) ControlNet, which takes colour pictures."
        )
    names = {"input_hint_block.0": "controlnet_cond_embedding.conv_in", "input_hint_block.14": "controlnet_cond_embedding.conv_out"}
    names |= {f"input_hint_block.{2 * k + 2}": f"controlnet_cond_embedding.blocks.{k}" for k in range(6)}
    n = 0
    while f"zero_convs.{n}.0.weight" in weights:
        names[f"zero_convs.{n}.0"] = f"controlnet_down_blocks.{n}"
        n += 1
    return names | {"middle_block_out.0": "controlnet_mid_block"}


def rename(weights: Weights, names: Mapping[str, str], what: str) -> dict[str, torch.Tensor]:
    """The weights under diffusers' names.

    Raises
    ------
    KineticsError
        When a tensor has no place there: then the model is not what it looks like.
    """
    renamed, strange = {}, []
    for key, value in weights.items():
        module, _, leaf = key.rpartition(".")
        if module in names:
            renamed[f"{names[module]}.{leaf}"] = value
        else:
            strange.append(key)
    if strange:
        raise KineticsError(OTHER_FAMILY.format(what=what, why=f"it has parts of its own, like {strange[0]}"))
    return renamed
