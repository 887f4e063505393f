"""A base model and a ControlNet out of files, for the command line; a node takes the host's own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KineticsError, MissingDependency
from .ldm_layout import OTHER_FAMILY, without_prefix
from .modules import (
    StyleModules,
    build_controlnet,
    build_encoders,
    build_unet,
    build_vae_decoder,
    build_vae_encoder,
    known_modules,
    noise_schedule,
    require,
)
from .text_layout import has_decoder, read_encoders

if TYPE_CHECKING:
    import torch

    from .modules import Tokenize

#: Tokens that an encoder takes at a time, with start and end.
LENGTH = 77


def read_weights(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors, .ckpt, .pt or .pth file; nothing in it is executed.

    Raises
    ------
    KineticsError
        When the file is missing or holds something else.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise KineticsError(f"There is no file {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise KineticsError(
            f"{path} is not a readable model file ({str(error).splitlines()[0]}); give a .safetensors, or a .ckpt that holds only weights."
        ) from error
    loaded = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    weights = {key: value for key, value in loaded.items() if isinstance(value, torch.Tensor)}
    if not weights:
        raise KineticsError(f"{path} holds no weights; give a checkpoint.")
    return weights


def hash_file(path: str | os.PathLike) -> str:
    """SHA-256, as kohya's ``ss_new_sd_model_hash``."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def find_tokenizer(folder: str | os.PathLike | None = None) -> Path:
    """The folder with CLIP's ``vocab.json`` and ``merges.txt``: the given one, or the one that ComfyUI brings.

    Raises
    ------
    MissingDependency
        When there is none.
    """
    pack = Path(__file__).resolve().parents[2]
    hosts = [Path(os.environ["COMFYUI_PATH"])] if os.environ.get("COMFYUI_PATH") else []
    hosts += [pack / ".comfyui" / "ComfyUI", pack.parent.parent]
    for place in [Path(folder)] if folder else [host / "comfy" / "sd1_tokenizer" for host in hosts]:
        if (place / "vocab.json").is_file() and (place / "merges.txt").is_file():
            return place
    where = f"{folder} has no vocab.json and merges.txt" if folder else "no ComfyUI was found to take CLIP's vocabulary from"
    raise MissingDependency(
        f"The captions can't be read: {where}; give --tokenizer DIR with a CLIP tokenizer, or set COMFYUI_PATH to a ComfyUI."
    )


def load_tokenizer(folder: str | os.PathLike) -> Tokenize:
    """CLIP's tokenizer: 77 numbers per caption, or for a long one chunks of 77, each with start and end, as the host makes them.

    CLIP-L fills up with its end token and CLIP-G with 0.
    """
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    room = LENGTH - 2

    def tokenize(text: str) -> dict[str, list[int]]:
        # Prompts escape brackets, which would be weights there; the host takes the backslash off.
        start, *words, end = tokenizer(text.replace("\\(", "(").replace("\\)", ")"), verbose=False).input_ids
        found: dict[str, list[int]] = {"l": [], "g": []}
        for k in range(0, max(len(words), 1), room):
            chunk = [start, *words[k : k + room], end]
            for letter, pad in (("l", end), ("g", 0)):
                found[letter] += [*chunk, *[pad] * (LENGTH - len(chunk))]
        return found

    return tokenize


def load_modules(
    base: str | os.PathLike, controlnet: str | os.PathLike | None, *, vae: str | os.PathLike | None = None,
    tokenizer: str | os.PathLike | None = None, prediction: str = "auto", device: str = "cpu",
) -> StyleModules:  # fmt: skip
    """Everything that training needs, out of files.

    Parameters
    ----------
    base
        A whole checkpoint of the SD1.5 or SDXL family.
    controlnet
        A pose ControlNet for it, in LDM's or diffusers' layout; None trains on text alone.
    vae
        Another VAE than the checkpoint's.
    prediction
        epsilon, v_prediction, or auto: v where the checkpoint says so (a key ``v_pred``).

    Raises
    ------
    KineticsError
        For missing or unreadable files, another family, or parts that don't belong together.
    """
    require("torch", "diffusers", "peft", "accelerate", "transformers", "safetensors")
    base = Path(base)
    weights = read_weights(base)
    net = without_prefix(weights, "model.diffusion_model.")
    if not net:
        raise KineticsError(OTHER_FAMILY.format(what=base.name, why="it has no model.diffusion_model"))
    unet, layout = build_unet(net, base.name)
    encoders = build_encoders(read_encoders(weights), layout.family, base.name)
    picture = read_weights(vae) if vae else without_prefix(weights, "first_stage_model.")
    control = None
    if controlnet is not None:
        control_weights = read_weights(controlnet)
        control = build_controlnet(without_prefix(control_weights, "control_model.") or control_weights, Path(controlnet).name, layout)
    if prediction == "auto":
        prediction = "v_prediction" if "v_pred" in weights else "epsilon"
    told = Path(vae or base).name
    return StyleModules(
        family=layout.family, prediction=prediction, unet=unet, controlnet=control, encoders=encoders,
        tokenize=load_tokenizer(find_tokenizer(tokenizer)), encode_images=build_vae_encoder(picture, layout.family, told, device),
        decode_latents=build_vae_decoder(picture, layout.family, told, device) if has_decoder(picture) else None,
        alphas_bar=noise_schedule(zero_terminal="ztsnr" in weights), base_name=base.name, base_hash=hash_file(base), vae_hash=hash_file(vae or base),
        known=known_modules(layout, encoders),
    )  # fmt: skip
