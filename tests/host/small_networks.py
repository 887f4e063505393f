"""The host's own MODEL, CLIP, VAE and CONTROL_NET around random weights, far smaller than anything its loaders would recognise."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.controlnet
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import torch
from comfy.cldm.cldm import ControlNet
from comfy.taesd.taesd import TAESD
from style_world import CONTEXT, clip_encoder, ldm_net

CPU = torch.device("cpu")
WIDTHS, DEPTHS = (32, 64), (1, 0)
#: What the host's tokenizer counts on.
VOCABULARY, LENGTH, LAYERS = 49408, 77, 3


def host_config(widths, depths, context=CONTEXT, pooled=0) -> dict:
    """The UNet's configuration as the host's detection would give it."""
    heads = {"num_heads": -1, "num_head_channels": 64} if pooled else {"num_heads": 8, "num_head_channels": -1}
    extra = {"num_classes": "sequential", "adm_in_channels": pooled + 6 * 256} if pooled else {"adm_in_channels": None}
    return {
        "image_size": 32, "use_checkpoint": False, "use_spatial_transformer": True, "legacy": False, "in_channels": 4, "out_channels": 4,
        "model_channels": widths[0], "num_res_blocks": [1] * len(widths), "channel_mult": [width // widths[0] for width in widths],
        "transformer_depth": list(depths), "transformer_depth_output": [depth for depth in depths for _ in (0, 1)], "transformer_depth_middle": max(depths),
        "context_dim": context, "use_linear_in_transformer": bool(pooled), "use_temporal_attention": False, "use_temporal_resblock": False,
        "dtype": torch.float32, **heads, **extra,
    }  # fmt: skip


def host_model(weights, config, sdxl=False):
    """The host's own model around the weights."""
    family = comfy.supported_models.SDXL if sdxl else comfy.supported_models.SD15
    told = family(dict(config))
    told.set_inference_dtype(torch.float32, None)
    model = (comfy.model_base.SDXL if sdxl else comfy.model_base.BaseModel)(told, device="cpu")
    model.diffusion_model.load_state_dict(weights)
    return comfy.model_patcher.ModelPatcher(model, CPU, CPU)


def host_control(widths, depths, context=CONTEXT, pooled=0):
    """The host's own ControlNet."""
    config = {key: value for key, value in host_config(widths, depths, context, pooled).items() if key != "out_channels"}
    control = ControlNet(**config, hint_channels=3, operations=comfy.ops.disable_weight_init, device="cpu")
    control.load_state_dict(ldm_net(widths, depths, context, pooled, control=True, seed=1))
    return control


def host_clip(encoders):
    """The host's CLIP of the small encoders."""
    sizes = {
        letter: {
            "hidden_size": CONTEXT, "intermediate_size": 2 * CONTEXT, "num_attention_heads": 1, "num_hidden_layers": LAYERS, "projection_dim": CONTEXT,
        }
        for letter in encoders
    }  # fmt: skip
    options = {f"clip_{letter}_model_config": size for letter, size in sizes.items()}
    sdxl = "g" in encoders
    target = SimpleNamespace(
        params={}, clip=comfy.sdxl_clip.SDXLClipModel if sdxl else comfy.sd1_clip.SD1ClipModel,
        tokenizer=comfy.sdxl_clip.SDXLTokenizer if sdxl else comfy.sd1_clip.SD1Tokenizer,
    )  # fmt: skip
    clip = comfy.sd.CLIP(
        target, model_options={**options, "dtype": torch.float32, "load_device": CPU, "offload_device": CPU}
    )
    for letter, weights in encoders.items():
        own = getattr(clip.cond_stage_model, f"clip_{letter}").transformer
        named = {key if key.startswith("text_projection") else f"text_model.{key}": value for key, value in weights.items()}
        missing = own.load_state_dict(named, strict=False)
        assert not missing.unexpected_keys and all("text_projection" in key for key in missing.missing_keys), missing
    return clip


def small_model():
    """A MODEL of SD1.5's family."""
    return host_model(ldm_net(WIDTHS, DEPTHS), host_config(WIDTHS, DEPTHS))


def small_control_net():
    """A CONTROL_NET whose hint encoder lets the pose through."""
    return comfy.controlnet.ControlNet(host_control(WIDTHS, DEPTHS), load_device=CPU)


def small_clip():
    """A CLIP with one short encoder."""
    return host_clip({"l": clip_encoder(layers=LAYERS, vocabulary=VOCABULARY, length=LENGTH)})


def small_vae():
    """A VAE of TAESD's shape whose pictures have contrast."""
    chance, weights = torch.Generator().manual_seed(7), {}
    for name, value in TAESD(latent_channels=4).state_dict().items():
        if value.ndim > 1:
            weights[name] = torch.randn(value.shape, generator=chance) * (0.4 / value[0].numel()) ** 0.5
        elif value.ndim:
            weights[name] = torch.zeros(value.shape)
    return comfy.sd.VAE(sd=weights)
