"""What a LoRA file says of the model that it was made for, held against the model that it is put on."""

from __future__ import annotations

from ..style.lora_file import LoraInfo

#: How ``modelspec.architecture`` or ``ss_base_model_version`` begins for a family, what people call it, and what the host does.
FAMILIES = (
    ("stable-diffusion-xl", "SDXL", "SDXL"), ("sdxl", "SDXL", "SDXL"), ("stable-diffusion-v1", "SD1.5", "SD15"), ("sd_v1", "SD1.5", "SD15"),
    ("stable-diffusion-v2", "SD2", "SD20"), ("sd_v2", "SD2", "SD20"), ("stable-diffusion-v3", "SD3", "SD3"), ("sd3", "SD3", "SD3"),
    ("flux-1", "FLUX.1", "Flux"), ("flux1", "FLUX.1", "Flux"), ("qwen-image", "Qwen-Image", "QwenImage"), ("qwen_image", "Qwen-Image", "QwenImage"),
    ("wan", "Wan", "WAN21_T2V"),
)  # fmt: skip

#: Alpha over rank beyond this is rarely meant.
LARGE_SCALE = 4.0


def told_family(info: LoraInfo) -> tuple[str, str] | None:
    """The family as people call it and as the host does; None where the file doesn't say, or says one that isn't known here."""
    for key in ("modelspec.architecture", "ss_base_model_version"):
        told = info.metadata.get(key, "").lower()
        for begins, name, host in FAMILIES:
            if told.startswith(begins):
                return name, host
    return None


def alpha_notes(info: LoraInfo) -> list[str]:
    """Sentences on what alpha does; empty when the file is in order."""
    notes = []
    told = info.metadata.get("ss_network_alpha")
    if not info.alphas:
        notes.append(
            "The file gives no alpha, so it works as if alpha were its rank; if it is far too strong or weak, its trainer left alpha out."
        )
    elif told is not None and len(info.alphas) == 1 and abs(float(told) - info.alphas[0]) > 1e-3 * abs(float(told)):
        notes.append(f"The file says alpha {float(told):g}, but its weights carry {info.alphas[0]:g}, which is what counts.")
    if info.alphas and max(info.alphas) / max(info.ranks) > LARGE_SCALE:
        notes.append(
            f"Alpha {max(info.alphas):g} over rank {max(info.ranks)} scales it by {max(info.alphas) / max(info.ranks):g}; begin with a low strength."
        )
    return notes


def base_note(info: LoraInfo, name: str, file_hash: str) -> str:
    """Whether the checkpoint is the one that the LoRA was trained on; empty where either isn't told."""
    told_hash, told_name = info.metadata.get("ss_new_sd_model_hash", ""), info.metadata.get("ss_sd_model_name", "")
    if told_hash and file_hash:
        if told_hash == file_hash:
            return f"It was trained on this checkpoint ({name})."
        return f"It was trained on another checkpoint ({told_name or 'unnamed'}) than {name}; the style may come out weaker or otherwise."
    return ""
