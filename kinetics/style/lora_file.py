"""LoRA files in kohya's layout, which the host, A1111 and diffusers read: keys, true alpha and metadata.

A module's three tensors are ``NAME.lora_down.weight`` (A), ``NAME.lora_up.weight`` (B) and ``NAME.alpha``; a reader adds
(alpha / rank)·B·A to the weight. Where alpha is missing the host takes 1.0 for the whole factor, so it is always written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import KineticsError
from ..files import write_beside

if TYPE_CHECKING:
    import torch

#: Of a key, in the order in which they are looked for.
SUFFIXES = (".lora_down.weight", ".lora_up.weight", ".alpha")
ARCHITECTURES = {"sd15": "stable-diffusion-v1/lora", "sdxl": "stable-diffusion-xl-v1-base/lora"}
BASE_VERSIONS = {"sd15": "sd_v1", "sdxl": "sdxl_base_v1-0"}


def unet_key(name: str) -> str:
    """``down_blocks.0.attentions.0.proj_in`` -> ``lora_unet_down_blocks_0_attentions_0_proj_in``."""
    return "lora_unet_" + name.replace(".", "_")


def text_key(name: str, encoder: int, count: int) -> str:
    """A text encoder's module; transformers 5 dropped the ``text_model.`` that the files' names carry, so it is put back.

    Parameters
    ----------
    name : str
        As transformers calls it.
    encoder, count : int
        Which encoder, from 0, of how many: one is ``lora_te_``, of two ``lora_te1_`` and ``lora_te2_``.
    """
    prefix = "lora_te_" if count == 1 else f"lora_te{encoder + 1}_"
    return prefix + ("text_model." + name.removeprefix("text_model.")).replace(".", "_")


def module_of(key: str) -> str | None:
    """The module's name in a key, or None for a key of another kind."""
    return next((key[: -len(suffix)] for suffix in SUFFIXES if key.endswith(suffix)), None)


def check_keys(keys: Collection[str], known: Collection[str], where: str) -> None:
    """Refuse keys that a reader would pass over.

    Parameters
    ----------
    keys
        Of the tensors to be written.
    known
        Names of modules that the reader maps to weights: the host's own key map, or the base file's.
    where : str
        The reader, for the sentence.

    Raises
    ------
    KineticsError
        When a key names no module there.
    """
    strange = sorted(key for key in keys if module_of(key) is None or module_of(key) not in known)
    if strange:
        raise KineticsError(
            f"{len(strange)} of the LoRA's {len(keys)} keys mean nothing to {where} ({strange[0]} is the first), so the file was not written; "
            "use a smaller set of target modules, and please report this."
        )


def describe_lora(
    *, family: str, prediction: str, rank: int, alpha: float, title: str, trigger: str, date: str, base_name: str, base_hash: str,
    captions: Collection[str], resolution: tuple[int, int], motion: Mapping | None = None, settings: Mapping | None = None, step: int = 0,
) -> dict[str, str]:  # fmt: skip
    """The file's metadata: kohya's ``ss_*``, ``modelspec.*`` (SAI model spec 1.0.0) and the pack's own ``ck_*``.

    Parameters
    ----------
    captions
        Of the training images; counted into ``ss_tag_frequency``, tags separated by commas.
    resolution
        Width and height that most images have.
    motion
        What was measured of the clips that were learned from.
    """
    tags: dict[str, int] = {}
    for caption in captions:
        for tag in (part.strip() for part in caption.split(",")):
            if tag:
                tags[tag] = tags.get(tag, 0) + 1
    found = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": repr(float(alpha)),
        "ss_base_model_version": BASE_VERSIONS[family],
        "ss_sd_model_name": base_name,
        "ss_new_sd_model_hash": base_hash,
        "ss_v2": "False",
        "ss_num_train_images": str(len(captions)),
        "ss_resolution": f"({resolution[0]}, {resolution[1]})",
        "ss_steps": str(step),
        "ss_datasets": compact(
            [{"is_dreambooth": False, "resolution": list(resolution), "num_train_images": len(captions), "tag_frequency": {"images": tags}}]
        ),
        "ss_tag_frequency": compact({"images": tags}),
        "ss_output_name": title,
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": ARCHITECTURES[family],
        "modelspec.implementation": "diffusers",
        "modelspec.title": title,
        "modelspec.resolution": f"{resolution[0]}x{resolution[1]}",
        "modelspec.trigger_phrase": trigger,
        "modelspec.prediction_type": {"epsilon": "epsilon", "v_prediction": "v"}[prediction],
    }
    if settings is not None:
        for name, value in (
            ("ss_seed", settings["seed"]), ("ss_learning_rate", settings["learning_rate"]), ("ss_max_train_steps", settings["steps"]),
            ("ss_gradient_accumulation_steps", settings["accumulation"]), ("ss_batch_size_per_device", settings["batch"]),
            ("ss_optimizer", settings["optimiser"]), ("ss_lr_scheduler", settings["schedule"]), ("ss_mixed_precision", settings["precision"]),
            ("ss_min_snr_gamma", settings["min_snr"]), ("ss_noise_offset", settings["noise_offset"]), ("ss_caption_dropout_rate", settings["caption_dropout"]),
        ):  # fmt: skip
            found[name] = str(value)
        found["ck_settings"] = compact(dict(settings))
    if date:
        found["modelspec.date"] = date
    if motion:
        found["ck_motion"] = compact(dict(motion))
    return found


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def write_lora(
    path: str | os.PathLike, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], *, known: Collection[str], where: str
) -> None:
    """Write a LoRA file, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    tensors
        By their full keys. Made contiguous and moved to the CPU; their dtype is kept.
    known, where
        As in :func:`check_keys`: a file with keys that nobody would load is never written.

    Raises
    ------
    KineticsError
        For unknown keys, weights that are not finite, a folder that can't be written to, or no space.
    """
    import torch

    check_keys(tensors, known, where)
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
    header, blocks, offset = {}, [], 0
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        if not torch.isfinite(tensor).all():
            raise KineticsError(
                f"The LoRA's weight {key} is not finite, so {path} was not written; train with a lower learning rate, or in bf16 in place of fp16."
            )
        data = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[key] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + len(data)]}
        blocks.append(data)
        offset += len(data)
    digest = hashlib.sha256()
    for data in blocks:
        digest.update(data)
    # safetensors' own writer puts the metadata in an order that changes from run to run; its format is simple enough to write here.
    described = {**metadata, "modelspec.hash_sha256": f"0x{digest.hexdigest()}"}
    text = compact({"__metadata__": described, **header}).encode()
    text += b" " * (-len(text) % 8)
    try:
        with write_beside(path) as part, part.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.writelines(blocks)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KineticsError(f"Can't write {path}: {error.strerror}; free some space or choose another folder.") from error


@dataclass(frozen=True)
class LoraInfo:
    """What a LoRA file says of itself, and what its tensors say.

    Attributes
    ----------
    modules : int
        Modules that it changes; ``unet`` and ``text`` of them.
    ranks, alphas
        All that occur, ascending; ``alphas`` is empty where the file gives none.
    """

    path: Path
    metadata: dict[str, str]
    modules: int
    unet: int
    text: int
    ranks: tuple[int, ...]
    alphas: tuple[float, ...]

    @property
    def trigger(self) -> str:
        return self.metadata.get("modelspec.trigger_phrase", "")

    @property
    def motion(self) -> dict:
        """What was measured of the clips that it was trained on; empty for another trainer's file."""
        return json.loads(self.metadata.get("ck_motion", "{}"))

    def sentences(self) -> str:
        """For people: a line per fact."""
        get = self.metadata.get
        lines = [
            f"{self.path.name}: {get('modelspec.title') or get('ss_output_name') or 'without a title'}",
            f"Trigger: {self.trigger or 'none given'}",
            f"Base model: {get('ss_sd_model_name') or 'not told'} ({get('modelspec.architecture') or get('ss_base_model_version') or 'family not told'})",
            f"Rank {', '.join(map(str, self.ranks))}, alpha {', '.join(f'{alpha:g}' for alpha in self.alphas) or 'not given: readers take the rank'}",
            f"{self.modules} modules: {self.unet} in the UNet, {self.text} in the text encoders",
        ]
        for label, key in (
            ("Images", "ss_num_train_images"),
            ("Steps", "ss_steps"),
            ("Resolution", "modelspec.resolution"),
            ("Date", "modelspec.date"),
        ):
            if get(key):
                lines.append(f"{label}: {get(key)}")
        lines += [motion_line(name, value) for name, value in sorted(self.motion.items())]
        return "\n".join(lines)


def motion_line(clip: str, measured: Any) -> str:
    """``cover_drive: quick tempo, tip 8.31 ± 0.35 body heights/s``: one clip of those that were learned from."""
    if not isinstance(measured, dict):
        return f"{clip.replace('_', ' ')}: {compact(measured)}"
    parts = [str(measured["tempo"])] if measured.get("tempo") else []
    for key, word in (("peak_tip_speed", "tip"), ("peak_omega", "turning")):
        peak = measured.get(key)
        if isinstance(peak, dict) and peak.get("value") is not None:
            sigma = "" if peak.get("sigma") is None else f" ± {peak['sigma']:.2g}"
            parts.append(f"{word} {peak['value']:.3g}{sigma} {peak.get('unit', '')}".rstrip())
    return f"{clip}: {', '.join(parts) or 'no swing measured'}"


def read_lora_info(path: str | os.PathLike) -> LoraInfo:
    """Read what a LoRA file holds, whoever wrote it; no weight but alpha is loaded.

    Raises
    ------
    KineticsError
        When the file is missing, no safetensors file, or no LoRA.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            keys = list(file.keys())
            alphas = sorted({float(file.get_tensor(key)) for key in keys if key.endswith(".alpha")})
            ranks = sorted({file.get_slice(key).get_shape()[0] for key in keys if key.endswith((".lora_down.weight", ".lora_A.weight"))})
    except FileNotFoundError:
        raise KineticsError(f"There is no file {path}; check the path.") from None
    except (SafetensorError, OSError) as error:
        raise KineticsError(f"{path} is not a readable safetensors file ({error}); give a LoRA that ends in .safetensors.") from error
    if not ranks:
        raise KineticsError(f"{path} holds no LoRA: none of its {len(keys)} tensors is a lora_down or lora_A.")
    modules = {key.rsplit(".lora_", 1)[0] for key in keys if ".lora_" in key}
    text = sum(name.startswith(("lora_te", "text_encoder")) for name in modules)
    return LoraInfo(Path(path), metadata, len(modules), len(modules) - text, text, tuple(ranks), tuple(alphas))
