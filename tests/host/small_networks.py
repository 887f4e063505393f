"""The host's own MODEL, CLIP, VAE and CONTROL_NET around random weights, far smaller than anything its loaders would recognise."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.controlnet
import comfy.model_base
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.supported_models
import torch
from comfy.cldm.cldm import ControlNet
from comfy.taesd.taesd import TAESD
from style_world import CONTEXT, clip_encoder, ldm_net

CPU = torch.device("cpu")
WIDTHS, DEPTHS = (32, 64), (1, 0)
#: What the host's tokenizer counts on.
VOCABULARY, LENGTH, LAYERS = 49408, 77, 3


def unet_config() -> dict:
    """As the host's detection would give it for SD1.5."""
    return {
        "image_size": 32, "use_checkpoint": False, "use_spatial_transformer": True, "legacy": False, "in_channels": 4, "model_channels": WIDTHS[0],
        "num_res_blocks": [1, 1], "channel_mult": [1, 2], "transformer_depth": list(DEPTHS), "transformer_depth_output": [1, 1, 0, 0],
        "transformer_depth_middle": 1, "context_dim": CONTEXT, "use_linear_in_transformer": False, "use_temporal_attention": False,
        "use_temporal_resblock": False, "adm_in_channels": None, "num_heads": 8, "num_head_channels": -1, "dtype": torch.float32,
    }  # fmt: skip


def small_model():
    """A MODEL of SD1.5's family."""
    config = comfy.supported_models.SD15({**unet_config(), "out_channels": 4})
    config.set_inference_dtype(torch.float32, None)
    model = comfy.model_base.BaseModel(config, device="cpu")
    model.diffusion_model.load_state_dict(ldm_net(WIDTHS, DEPTHS))
    return comfy.model_patcher.ModelPatcher(model, CPU, CPU)


def small_control_net():
    """A CONTROL_NET whose hint encoder lets the pose through."""
    net = ControlNet(**unet_config(), hint_channels=3, operations=comfy.ops.disable_weight_init, device="cpu")
    net.load_state_dict(ldm_net(WIDTHS, DEPTHS, control=True, seed=1))
    return comfy.controlnet.ControlNet(net, load_device=CPU)


def small_clip():
    """A CLIP with one short encoder."""
    size = {
        "hidden_size": CONTEXT,
        "intermediate_size": 2 * CONTEXT,
        "num_attention_heads": 1,
        "num_hidden_layers": LAYERS,
        "projection_dim": CONTEXT,
    }
    target = SimpleNamespace(params={}, clip=comfy.sd1_clip.SD1ClipModel, tokenizer=comfy.sd1_clip.SD1Tokenizer)
    options = {"clip_l_model_config": size, "dtype": torch.float32, "load_device": CPU, "offload_device": CPU}
    clip = comfy.sd.CLIP(target, model_options=options)
    weights = clip_encoder(layers=LAYERS, vocabulary=VOCABULARY, length=LENGTH)
    found = clip.cond_stage_model.clip_l.transformer.load_state_dict(
        {f"text_model.{key}": value for key, value in weights.items()}, strict=False
    )
    assert not found.unexpected_keys and all("text_projection" in key for key in found.missing_keys), found
    return clip


def small_vae():
    """A VAE of TAESD's shape whose pictures have contrast."""
    chance, weights = torch.Generator().manual_seed(7), {}
    for name, value in TAESD(latent_channels=4).state_dict().items():
        if value.ndim > 1:
            weights[name] = torch.randn(value.shape, generator=chance) * (0.4 / value[0].numel()) ** 0.5
        elif value.ndim:
            weights[name] = torch.zeros(value.shape)
    return comfy.sd.VAE(sd=weights)
