"""A LoRA put on the host's MODEL and CLIP: checked against both, and at a strength that may differ from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import comfy.hooks
import comfy.lora
import comfy.lora_convert
import comfy.sd
import comfy.weight_adapter
import torch

from ..kinetics.errors import KineticsError
from ..kinetics.generate.lora_fit import alpha_notes, base_note, told_family
from ..kinetics.generate.plan import HintPlan
from ..kinetics.style.checkpoint import hash_file
from ..kinetics.style.lora_file import LoraInfo

#: The masks that tell frames apart are the same all over a picture, so a few pixels do.
MASK_SIDE = 8


def check_lora(model, clip, weights: Mapping[str, torch.Tensor], info: LoraInfo | None, name: str) -> list[str]:
    """Hold a LoRA against the model.

    Returns
    -------
    list of str
        What the user ought to know: unloaded keys, alpha, another checkpoint.

    Raises
    ------
    KineticsError
        When nothing of it fits, or weights have other shapes than the model's: it is of another family.
    """
    known = _known(model, clip)
    converted = comfy.lora_convert.convert_lora(dict(weights))
    patches = comfy.lora.load_lora(converted, known, log_missing=False)
    own = type(model.model.model_config).__name__
    family = told_family(info) if info else None
    told = f" (it says {family[0]})" if family else ""
    shapes = {key: weight.shape for part in (model.model, clip.cond_stage_model) for key, weight in part.state_dict().items()}
    misfits = [key for key, patch in patches.items() if key in shapes and not _fits(patch, shapes[key])]
    if not patches or misfits:
        why = f"{len(misfits)} of its {len(patches)} modules have other shapes" if misfits else "none of its weights is known to it"
        raise KineticsError(
            f"{name} was made for another family of models{told} than this one ({own}): {why}; load a base model of the LoRA's family."
        )
    strange = sorted(key for key in converted if not _is_known(key, known))
    notes = (
        [f"{len(strange)} of its {len(converted)} keys mean nothing to this model and are passed over ({strange[0]} is the first)."]
        if strange
        else []
    )
    if info is None:
        return notes
    if family and family[1] != own:
        notes.append(f"It says it was made for {family[0]}, and the model is {own}.")
    source = model.cached_patcher_init[1][0] if model.cached_patcher_init else None
    if isinstance(source, str) and Path(source).is_file() and info.metadata.get("ss_new_sd_model_hash"):
        notes.append(base_note(info, Path(source).name, _hash(source, Path(source).stat().st_mtime_ns)))
    return notes + alpha_notes(info)


def _known(model, clip) -> dict:
    """Names of modules in LoRA files, and the weights that the host takes them for."""
    return {**comfy.lora.model_lora_keys_unet(model.model, {}), **comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {})}


@lru_cache(maxsize=8)
def _hash(path: str, changed: int) -> str:
    return hash_file(path)


def _is_known(key: str, known: Mapping) -> bool:
    """Whether a key begins with the name of a module that the host knows, be it ``NAME.lora_up.weight`` or ``NAME_lora.up.weight``."""
    return any(part == "." and (key[:place] in known or key[:place].removesuffix("_lora") in known) for place, part in enumerate(key))


def _fits(patch, shape: torch.Size) -> bool:
    """Whether up × down is of the weight's shape; adapters of other kinds are the host's to judge."""
    if not isinstance(patch, comfy.weight_adapter.LoRAAdapter) or patch.weights[3] is not None:
        return True
    up, down = patch.weights[:2]
    return up.shape[0] == shape[0] and math.prod(down.shape[1:]) == math.prod(shape[1:])


@dataclass(frozen=True)
class PhasePart:
    """A text encoder at one strength, the hooks that give the model the same, and (N, h, w) the frames for which both hold."""

    clip: comfy.sd.CLIP
    hooks: comfy.hooks.HookGroup | None
    mask: torch.Tensor


class PhasedClip(comfy.sd.CLIP):
    """A CLIP that encodes a text once per strength, each with the host's hooks on the model and a mask of the frames that it is for.

    The host's sampler runs every such text on the batch and keeps of each what its mask shows; a mask is 0 or 1, so a frame is made
    exactly as with its own strength alone.
    """

    def __init__(self, clip: comfy.sd.CLIP, parts: tuple[PhasePart, ...]) -> None:
        super().__init__(no_init=True)
        self.__dict__.update(clip.__dict__)
        self.parts = parts

    def clone(self, disable_dynamic=False) -> PhasedClip:
        parts = tuple(replace(part, clip=part.clip.clone(disable_dynamic=disable_dynamic)) for part in self.parts)
        return PhasedClip(super().clone(disable_dynamic=disable_dynamic), parts)

    def add_patches(self, patches, strength_patch=1.0, strength_model=1.0):
        for part in self.parts:
            part.clip.add_patches(patches, strength_patch, strength_model)
        return super().add_patches(patches, strength_patch, strength_model)

    def clip_layer(self, layer_idx):
        for part in self.parts:
            part.clip.clip_layer(layer_idx)
        super().clip_layer(layer_idx)

    def set_tokenizer_option(self, option_name, value):
        for part in self.parts:
            part.clip.set_tokenizer_option(option_name, value)
        super().set_tokenizer_option(option_name, value)

    def encode_from_tokens_scheduled(self, tokens, *args, **options):
        encoded = []
        for part in self.parts:
            found = {"mask": part.mask, "set_area_to_bounds": False, "mask_strength": 1.0}
            if part.hooks is not None:
                found["hooks"] = part.hooks
            encoded += [[text, {**details, **found}] for text, details in part.clip.encode_from_tokens_scheduled(tokens, *args, **options)]
        return encoded


def apply_by_phase(
    model, clip, weights: Mapping[str, torch.Tensor], plan: HintPlan, strength_model: float, strength_text: float,
    by_phase: Mapping[str, float],
) -> PhasedClip:  # fmt: skip
    """A CLIP whose texts carry the LoRA at each phase's own share of the strengths; the MODEL stays as it is, the host hooks the LoRA in.

    Parameters
    ----------
    by_phase : mapping of phase to float
        Shares of both strengths, for every phase and ``elsewhere``.
    """
    shares = [float(by_phase[phase]) for phase in plan.phases]
    converted = comfy.lora_convert.convert_lora(dict(weights))
    patches = comfy.lora.load_lora(converted, _known(model, clip), log_missing=False)
    parts = []
    for share in sorted(set(shares), key=shares.count, reverse=True):
        mask = torch.tensor([float(other == share) for other in shares]).view(-1, 1, 1).expand(-1, MASK_SIDE, MASK_SIDE).contiguous()
        hooks = comfy.hooks.create_hook_lora(converted, share * strength_model, 0.0) if share * strength_model else None
        encoder = clip.clone()
        encoder.add_patches(patches, share * strength_text)
        parts.append(PhasePart(encoder, hooks, mask))
    return PhasedClip(parts[0].clip.clone(), tuple(parts))
