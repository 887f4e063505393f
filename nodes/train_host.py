"""The host's MODEL, CLIP, VAE and CONTROL_NET as the networks that training takes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import comfy.lora
import comfy.model_management
import torch
from comfy.cldm.cldm import ControlNet
from comfy.model_base import ModelType

from ..kinetics.errors import KineticsError, Progress
from ..kinetics.style.checkpoint import hash_file
from ..kinetics.style.ldm_layout import OTHER_FAMILY
from ..kinetics.style.modules import StyleModules, build_controlnet, build_encoders, build_unet
from ..kinetics.style.processes import Processes
from ..kinetics.style.samples import StyleDataset
from ..kinetics.style.settings import TrainSettings
from ..kinetics.style.text_layout import read_encoders
from ..kinetics.style.train import OnEvent, TrainResult, train_style_lora

PREDICTIONS = {ModelType.EPS: "epsilon", ModelType.V_PREDICTION: "v_prediction"}


def train_on_host(
    model, clip, vae, control_net, dataset: StyleDataset, settings: TrainSettings, path: Path, *, resume: bool, progress: Progress, on_event: OnEvent
) -> TrainResult:  # fmt: skip
    """Train on copies of the host's networks; the host's own are untouched, and out of the card's memory meanwhile.

    Has to be called outside inference mode.
    """
    # Off the card, and with it any LoRA that another branch of the graph has patched into the same weights.
    comfy.model_management.unload_all_models()
    modules = host_modules(model, clip, vae, control_net)
    device = comfy.model_management.get_torch_device()
    try:
        return train_style_lora(
            modules, dataset, settings, out=path, progress=progress, on_event=on_event, resume=resume, processes=Processes(0, 1, device)
        )
    finally:
        del modules
        comfy.model_management.soft_empty_cache()


def host_modules(model, clip, vae, control_net) -> StyleModules:
    """Rebuild the host's networks, which keep their weights, as diffusers' and transformers'.

    Raises
    ------
    KineticsError
        For other families, kinds of prediction or of control, and a model with patches on it.
    """
    base = model.model
    if model.patches or clip.patcher.patches:
        raise KineticsError("The model has a LoRA or other patches on it already; plug in the plain checkpoint's MODEL and CLIP.")
    weights = base.diffusion_model.state_dict()
    unet, layout = build_unet(weights, "The model")
    if base.model_type not in PREDICTIONS:
        raise KineticsError(OTHER_FAMILY.format(what="The model", why=f"it predicts {base.model_type.name}, not \u03b5 or v"))
    control = None
    if control_net is not None:
        net = getattr(control_net, "control_model", None)
        if not isinstance(net, ControlNet):
            raise KineticsError(
                "The control_net is no ordinary ControlNet (a Control-LoRA, a T2I adapter or one of another family); choose a pose ControlNet made for the base model."
            )
        control = build_controlnet(net.state_dict(), "The ControlNet", layout)
    encoders = build_encoders(read_encoders(clip.cond_stage_model.state_dict()), layout.family, "The CLIP")
    known = {**comfy.lora.model_lora_keys_unet(base, {}), **comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {})}
    source = model.cached_patcher_init[1][0] if model.cached_patcher_init else None
    file = Path(source) if isinstance(source, str) and Path(source).is_file() else None

    def tokenize(text: str) -> dict[str, list[int]]:
        # Brackets in a caption are brackets, not weights as in a prompt.
        told = clip.tokenize(text, disable_weights=True)
        found = {letter: [number for chunk in chunks for number, *_ in chunk] for letter, chunks in told.items()}
        if not all(isinstance(number, int) for numbers in found.values() for number in numbers):
            raise KineticsError(f"The caption {text!r} calls up an embedding, which training can't take; say it in words.")
        return found

    def encode_images(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            latents = base.process_latent_in(vae.encode(images.movedim(1, -1) * 0.5 + 0.5))
        return latents.clone().float()

    def decode_latents(latents: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            pictures = vae.decode(base.process_latent_out(latents))
        return pictures.clone().float().movedim(-1, 1) * 2 - 1

    return StyleModules(
        family=layout.family, prediction=PREDICTIONS[base.model_type], unet=unet, controlnet=control, encoders=encoders, tokenize=tokenize,
        encode_images=encode_images, alphas_bar=1 / (1 + base.model_sampling.sigmas.detach().cpu().double().clone() ** 2),
        base_name=file.name if file else "", base_hash=hash_file(file) if file else hash_weights(weights), vae_hash="",
        known=frozenset(known), reader="ComfyUI's LoRA loader", decode_latents=decode_latents,
    )  # fmt: skip


def hash_weights(weights: dict) -> str:
    """SHA-256 of a model that came from no one file."""
    digest = hashlib.sha256()
    for key in sorted(weights):
        digest.update(key.encode())
        digest.update(weights[key].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
