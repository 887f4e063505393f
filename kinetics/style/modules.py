"""The networks that a training run needs, rebuilt as diffusers' and transformers' modules from plain weights, without a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import KineticsError, MissingDependency
from .ldm_layout import OTHER_FAMILY, UnetLayout, read_layout, rename
from .lora_file import text_key, unet_key
from .text_layout import encoder_config, read_vae

if TYPE_CHECKING:
    import torch

    Weights = Mapping[str, torch.Tensor]
    #: A caption -> per encoder (l, g) its token numbers; a long one in chunks of the encoder's length, one behind the other.
    Tokenize = Callable[[str], dict[str, list[int]]]
    #: Pictures (B, 3, H, W) in -1…1 -> latents (B, 4, H/8, W/8), scaled as the UNet takes them.
    EncodeImages = Callable[[torch.Tensor], torch.Tensor]
    #: Such latents -> pictures in -1…1.
    DecodeLatents = Callable[[torch.Tensor], torch.Tensor]

#: What latents are multiplied by.
LATENT_SCALE = {"sd15": 0.18215, "sdxl": 0.13025}
FAMILIES = {"sd15": "SD1.5", "sdxl": "SDXL"}
#: Text encoders of a family.
ENCODERS = {"sd15": ("l",), "sdxl": ("l", "g")}


@dataclass
class StyleModules:
    """Frozen networks of one base model, and what turns a dataset into their inputs.

    Attributes
    ----------
    family, prediction : str
        sd15 or sdxl; epsilon or v_prediction.
    unet, controlnet
        diffusers' modules. Without a ControlNet the text alone conditions.
    encoders : dict
        transformers' text encoders by letter.
    alphas_bar : torch.Tensor (1000,)
        alpha_bar of every time, float64.
    known : frozenset of str
        Names of modules that a LoRA file for this base may carry.
    reader : str
        Who reads the file, for the sentence when a name isn't among them.
    decode_latents
        For the pictures that are drawn during training; None where there is no decoder, and then none are drawn.
    """

    family: str
    prediction: str
    unet: torch.nn.Module
    controlnet: torch.nn.Module | None
    encoders: dict[str, torch.nn.Module]
    tokenize: Tokenize
    encode_images: EncodeImages
    alphas_bar: torch.Tensor
    base_name: str
    base_hash: str
    vae_hash: str
    known: frozenset[str] = field(repr=False)
    reader: str = "the base model"
    decode_latents: DecodeLatents | None = None

    def encode_text(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Captions -> context (B, 77·n, C), and for SDXL the pooled embedding (B, P).

        A caption of more than 75 tokens is encoded in chunks that are joined, as the host does; the pooled embedding is the first chunk's.
        Shorter captions of the same call are repeated to its length, see :func:`join_contexts`. Differentiable, for a LoRA on the encoders.
        """
        import torch

        tokens = [self.tokenize(caption) for caption in captions]
        chunks: dict[str, list[list[int]]] = {}
        for letter, encoder in self.encoders.items():
            length = encoder.config.max_position_embeddings
            chunks[letter] = [entry[letter][k : k + length] for entry in tokens for k in range(0, len(entry[letter]), length)]
        counts = [len(entry["l"]) // self.encoders["l"].config.max_position_embeddings for entry in tokens]
        said = {
            letter: encoder(
                input_ids=torch.tensor(chunks[letter], device=next(encoder.parameters()).device), output_hidden_states=self.family == "sdxl"
            )
            for letter, encoder in self.encoders.items()
        }
        if self.family == "sd15":
            context, pooled = said["l"].last_hidden_state, None
        else:
            context = torch.cat([said["l"].hidden_states[-2], said["g"].hidden_states[-2]], dim=-1)
            pooled = said["g"].text_embeds[[sum(counts[:k]) for k in range(len(counts))]]
        return join_contexts([part.reshape(1, -1, part.shape[-1]) for part in context.split(counts)]), pooled

    def predict(
        self, noisy: torch.Tensor, times: torch.Tensor, context: torch.Tensor, pooled: torch.Tensor | None,
        hints: torch.Tensor | None = None, strength: torch.Tensor | float = 1.0,
    ) -> torch.Tensor:  # fmt: skip
        """What the UNet says of noisy latents (B, 4, h, w): epsilon or v.

        Parameters
        ----------
        hints
            (B, 3, 8h, 8w) in 0…1, for the ControlNet; None leaves it out.
        strength
            Of the ControlNet, one for all or (B,); 0 is as if it weren't there.
        """
        import torch

        extra = None
        if self.family == "sdxl":
            height, width = 8 * noisy.shape[2], 8 * noisy.shape[3]
            ids = torch.tensor([[height, width, 0, 0, height, width]], device=noisy.device, dtype=torch.float32).expand(len(noisy), -1)
            extra = {"text_embeds": pooled, "time_ids": ids}
        down = middle = None
        if self.controlnet is not None and hints is not None:
            # Its weights are frozen; a gradient runs through it only to a text encoder that learns.
            with torch.set_grad_enabled(torch.is_grad_enabled() and context.requires_grad):
                down, middle = self.controlnet(
                    noisy, times, encoder_hidden_states=context, controlnet_cond=hints, added_cond_kwargs=extra, return_dict=False
                )
            scale = torch.as_tensor(strength, device=noisy.device, dtype=middle.dtype).reshape(-1, 1, 1, 1)
            down, middle = [part * scale for part in down], middle * scale
        return self.unet(
            noisy,
            times,
            context,
            added_cond_kwargs=extra,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]

    def to(self, device: torch.device | str, dtype: torch.dtype) -> StyleModules:
        """Everything moved, in place."""
        import torch

        for module in (self.unet, self.controlnet, *self.encoders.values()):
            if module is not None:
                torch.nn.Module.to(module, device, dtype)  # diffusers' own would warn of a loss of precision that is asked for here
        return self


def join_contexts(contexts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Contexts (1, n, C) of several lengths as one batch: each is repeated to the least common multiple.

    Attention over keys that are all there k times is what it is over them once, so that a repeated context says the same.
    """
    import torch

    length = math.lcm(*(context.shape[1] for context in contexts))
    return torch.cat([context.repeat(1, length // context.shape[1], 1) for context in contexts])


def require(*names: str) -> None:
    """Raise one sentence when a package that training needs isn't there."""
    import importlib.util

    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependency(
            f"Training needs the package{'s' if len(missing) > 1 else ''} {', '.join(missing)}; install with: pip install {' '.join(missing)}"
        )


def fill(module: torch.nn.Module, weights: Weights, what: str) -> torch.nn.Module:
    """Give a module that was made on the meta device its weights; it keeps their own copy, in float32."""
    import torch

    wanted = module.state_dict().keys()
    missing = sorted(wanted - weights.keys())
    if missing:
        raise KineticsError(
            f"{what} is incomplete: {len(missing)} of {len(wanted)} weights are missing ({missing[0]}); get its file again."
        )
    # A clone, because a host's tensors are inference tensors, and a checkpoint's may be windows of one another.
    own = {key: weights[key].detach().to(torch.float32, copy=True).contiguous() for key in wanted}
    try:
        module.load_state_dict(own, strict=True, assign=True)
    except RuntimeError as error:
        raise KineticsError(
            OTHER_FAMILY.format(what=what, why=f"its weights have other shapes: {str(error).splitlines()[-1].strip()}")
        ) from error
    for part in module.modules():
        if "position_ids" in part._buffers:
            part.register_buffer("position_ids", torch.arange(part.position_ids.shape[-1]).expand(1, -1), persistent=False)
    return module.requires_grad_(False).eval()


def build_unet(weights: Weights, what: str) -> tuple[torch.nn.Module, UnetLayout]:
    """diffusers' UNet with these weights.

    Parameters
    ----------
    weights
        In LDM's names without prefix.
    """
    require("diffusers", "peft", "accelerate", "transformers")
    import torch
    from diffusers import UNet2DConditionModel

    layout = read_layout(weights, what)
    with torch.device("meta"):
        unet = UNet2DConditionModel(**layout.config)
    return fill(unet, rename(weights, layout.names, what), what), layout


def own_layout(weights: Weights, base: UnetLayout) -> UnetLayout:
    """The layout of a ControlNet in diffusers' own names, which mirrors its base model."""
    shared = {key: value for key, value in base.config.items() if key not in ("out_channels", "up_block_types")}
    hint = [weights[f"controlnet_cond_embedding.{part}.weight"].shape[0] for part in ("conv_in", "blocks.1", "blocks.3", "blocks.5")]
    names = {module: module for module in (key.rpartition(".")[0] for key in weights)}
    return UnetLayout(base.family, names, shared | {"conditioning_embedding_out_channels": tuple(hint)})


def build_controlnet(weights: Weights, what: str, base: UnetLayout) -> torch.nn.Module:
    """diffusers' ControlNet with these weights, in LDM's names or in diffusers' own.

    Raises
    ------
    KineticsError
        When it was made for another family than the base model.
    """
    import torch
    from diffusers import ControlNetModel

    if "controlnet_cond_embedding.conv_in.weight" in weights:
        layout = own_layout(weights, base)
    elif "input_hint_block.0.weight" in weights:
        layout = read_layout(weights, what, control=True)
    else:
        raise KineticsError(f"{what} is no ControlNet with an image hint; choose a pose (OpenPose) ControlNet.")
    if layout.family != base.family or layout.config["cross_attention_dim"] != base.config["cross_attention_dim"]:
        made, wanted = (f"{FAMILIES[each.family]} with text of {each.config['cross_attention_dim']} channels" for each in (layout, base))
        raise KineticsError(f"{what} was made for {made}, the base model is {wanted}; choose a pose ControlNet made for the base model.")
    with torch.device("meta"):
        net = ControlNetModel(**layout.config)
    return fill(net, rename(weights, layout.names, what), what)


def build_encoders(encoders: Mapping[str, Weights], family: str, what: str) -> dict[str, torch.nn.Module]:
    """transformers' text encoders of a family, from :func:`.text_layout.read_encoders`."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    built = {}
    for letter in ENCODERS[family]:
        if letter not in encoders:
            raise KineticsError(f"{what} holds no text encoder CLIP-{letter.upper()}; choose a whole checkpoint, not the UNet alone.")
        config = CLIPTextConfig(**encoder_config(encoders[letter], letter))
        with torch.device("meta"):
            module = (CLIPTextModel if letter == "l" else CLIPTextModelWithProjection)(config)
        # transformers 4 says text_model. where 5 doesn't, and 5 says it in the class with a projection.
        weights = {
            key: encoders[letter][plain] for key in module.state_dict() if (plain := key.removeprefix("text_model.")) in encoders[letter]
        }
        built[letter] = fill(module, weights, f"CLIP-{letter.upper()} of {what}")
    return built


def build_vae_encoder(weights: Weights, family: str, what: str, device: str | torch.device = "cpu") -> EncodeImages:
    """A function that encodes pictures with the VAE (AutoencoderKL or TAESD), taking the mean of its distribution.

    Parameters
    ----------
    weights
        Without prefix, see :func:`.text_layout.read_vae`.
    """
    import torch
    from diffusers.models.autoencoders.vae import Encoder, EncoderTiny

    kind, config, renamed = read_vae(weights, "encoder", what)
    with torch.device("meta"):
        module = (Encoder if kind == "kl" else EncoderTiny)(**config)
    module = fill(module, renamed, f"the VAE of {what}")
    if kind == "kl":
        return encode_with(module, family, device, convolution(weights, "quant_conv"))
    module, (scale, shift) = module.to(device), own_scale(weights)

    def encode(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            latents = module(images.to(device, torch.float32))
            # TAESD's latents are scaled already, unless the host's own numbers stand beside them.
            return latents if scale is None else (latents / scale + shift) * LATENT_SCALE[family]

    return encode


def encode_with(encoder: torch.nn.Module, family: str, device: str | torch.device, quant: dict[str, torch.Tensor] | None) -> EncodeImages:
    """A function that encodes pictures with diffusers' ``Encoder``, which is moved to the device, and the convolution behind it."""
    import torch

    # Convolutions of wide pictures are a fifth faster with the channels last, on a CPU and on a card.
    encoder = torch.nn.Module.to(encoder, device, memory_format=torch.channels_last)
    quant = None if quant is None else {leaf: value.to(device) for leaf, value in quant.items()}

    def encode(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            latents = encoder(images.to(device, torch.float32, memory_format=torch.channels_last))
            if quant is not None:
                latents = torch.nn.functional.conv2d(latents, **quant)
            return latents.chunk(2, dim=1)[0].contiguous() * LATENT_SCALE[family]

    return encode


def build_vae_decoder(weights: Weights, family: str, what: str, device: str | torch.device = "cpu") -> DecodeLatents:
    """The other way: a function that decodes latents; parameters as :func:`build_vae_encoder`."""
    import torch
    from diffusers.models.autoencoders.vae import Decoder, DecoderTiny

    kind, config, renamed = read_vae(weights, "decoder", what)
    with torch.device("meta"):
        module = (Decoder if kind == "kl" else DecoderTiny)(**config)
    module = fill(module, renamed, f"the VAE of {what}").to(device)
    quant, (scale, shift) = convolution(weights, "post_quant_conv"), own_scale(weights)
    quant = None if quant is None else {leaf: value.to(device) for leaf, value in quant.items()}

    def decode(latents: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            latents = latents.to(device, torch.float32)
            if kind == "tiny":
                return module(latents if scale is None else (latents / LATENT_SCALE[family] - shift) * scale)
            latents = latents / LATENT_SCALE[family]
            return module(latents if quant is None else torch.nn.functional.conv2d(latents, **quant))

    return decode


def convolution(weights: Weights, name: str) -> dict[str, torch.Tensor] | None:
    """Weight and bias of a convolution that a VAE may have."""
    if f"{name}.weight" not in weights:
        return None
    return {leaf: weights[f"{name}.{leaf}"].detach().float().clone() for leaf in ("weight", "bias")}


def own_scale(weights: Weights) -> tuple[float | None, float]:
    """Scale and shift that the host keeps beside TAESD's weights; None where they aren't there."""
    return (None, 0.0) if "vae_scale" not in weights else (float(weights["vae_scale"]), float(weights.get("vae_shift", 0.0)))


def noise_schedule(*, zero_terminal: bool = False) -> torch.Tensor:
    """alpha_bar (1000,) of SD1.5 and SDXL: beta from 0.00085 to 0.012, linear in its root.

    Parameters
    ----------
    zero_terminal
        Rescaled so that nothing of the picture is left at the last time (Lin et al. 2023, algorithm 1), as the host does for
        models that say ``ztsnr``.
    """
    import torch

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    bar = torch.cumprod(1 - betas, 0)
    if zero_terminal:
        root = bar.sqrt()
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        bar = root**2
        bar[-1] = 4.8973451890853435e-08  # not quite 0, as in the host
    return bar


def known_modules(layout: UnetLayout, encoders: Mapping[str, torch.nn.Module]) -> frozenset[str]:
    """Names that a LoRA file for these networks may carry, from the base's own layout (the host maps its keys by the same names)."""
    names = {unet_key(name) for name in layout.names.values()}
    for number, encoder in enumerate(encoders.values()):
        names |= {
            text_key(key.removesuffix(".weight"), number, len(encoders))
            for key in encoder.state_dict()
            if ".layers." in key and key.endswith(".weight")
        }
    return frozenset(names)
