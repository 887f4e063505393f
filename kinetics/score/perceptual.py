"""How frames look, by torchmetrics' LPIPS, KID and CLIP score, with weights that lie on this machine; nothing is ever downloaded."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError, MissingDependency, Progress
from ..pose.models import model_folders

if TYPE_CHECKING:
    import torch

    Pictures = Callable[[], Iterator[np.ndarray]]

#: What can be measured: the weights' file or folder, whose they are, and the packages that it needs.
LOOKS = {
    "lpips": ("alexnet-owt-7be5be79.pth", "torchvision's AlexNet, which LPIPS looks through", ("torchmetrics", "torchvision")),
    "kid": ("weights-inception-2015-12-05-6726825d.pth", "torch-fidelity's Inception, which KID looks through", ("torchmetrics", "torch_fidelity")),
    "clip": ("clip-vit-base-patch16", "OpenAI's CLIP in transformers' form (config.json, model.safetensors, tokenizer)", ("torchmetrics", "transformers")),
}  # fmt: skip

#: How the packages are called where they are installed from.
_PIP = {"torch_fidelity": "torch-fidelity"}

#: Pictures looked at together; pictures of a subset of KID, and how many subsets; the least side that AlexNet sees anything in.
_BATCH, _SUBSET, _SUBSETS, _LEAST_SIDE = 8, 50, 100, 64


def check_look(look: str, has_source: bool, prompt: str) -> None:
    """Raise a KineticsError for a measure that isn't offered, or lacks what it compares with."""
    if look not in LOOKS:
        raise KineticsError(f"There is no measure {look!r}; choose {', '.join(LOOKS)}.")
    if look == "kid" and not has_source:
        raise KineticsError("KID compares the frames with real ones; give the source clip.")
    if look == "clip" and not prompt.strip():
        raise KineticsError("The CLIP score compares the frames with words; give the prompt.")


def find_weights(look: str, folders: Sequence[str | os.PathLike] = ()) -> Path:
    """The weights of a measure: in the model folders (the host's ``models/correlated_kinetics``), or where torch and transformers keep what they fetched.

    Raises
    ------
    MissingDependency
        When a package or the weights aren't there; the sentence names the file and the folder.
    """
    import importlib.util

    name, purpose, packages = LOOKS[look]
    missing = [_PIP.get(package, package) for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingDependency(f"{look.upper()} was not measured: it needs {', '.join(missing)}; install with: pip install {' '.join(missing)}")
    import torch

    places = [folder / name for folder in model_folders(folders)]
    if look == "clip":
        from huggingface_hub import try_to_load_from_cache

        kept = try_to_load_from_cache(f"openai/{name}", "config.json")
        places += [Path(kept).parent] if isinstance(kept, str) else []
    else:
        places.append(Path(torch.hub.get_dir()) / "checkpoints" / name)
    for place in places:
        if (place / "config.json").is_file() if look == "clip" else place.is_file():
            return place
    kind = "folder" if look == "clip" else "file"
    raise MissingDependency(f"{look.upper()} was not measured: the {kind} {name}, {purpose}, is not on this machine; put it into {places[0].parent}.")


def measure_look(
    look: str, frames: Pictures, source: Pictures | None = None, *, prompt: str = "", folders: Sequence[str | os.PathLike] = (),
    progress: Progress | None = None, total: int = 0,
) -> dict[str, float]:  # fmt: skip
    """One measure of the frames' looks.

    Parameters
    ----------
    look : {"lpips", "kid", "clip"}
    frames, source : callable
        Gives the pictures, (H, W, 3) uint8, anew on each call; ``source`` as many, of any size.
    prompt : str
        For ``clip``.
    folders : sequence of path
        Where weights are looked for first.
    progress : callable, optional
        progress(frames done, total); may raise to cancel.

    Returns
    -------
    dict
        ``lpips`` (to the source's frame), ``lpips_next`` (to the next frame) and ``lpips_next_source`` (the same in the source); ``kid`` and
        ``kid_sigma`` (over subsets); ``clip`` (100 × cosine). What needs a source is left out without one.

    Raises
    ------
    MissingDependency
        As :func:`find_weights`.
    KineticsError
        When the weights can't be read, KID has no source, the CLIP score no prompt, or the pictures are too small.
    """
    check_look(look, source is not None, prompt)
    weights = find_weights(look, folders)
    report = progress or (lambda done, total: None)
    import torch

    with torch.inference_mode():
        if look == "lpips":
            return _lpips(load_lpips(weights), frames, source, report, total)
        if look == "kid":
            return _kid(weights, frames, source, report, total)
        return _clip(weights, frames, prompt, report, total)


def load_lpips(weights: Path) -> torch.nn.Module:
    """torchmetrics' LPIPS network (its linear layers are in the package) with AlexNet's features out of a file."""
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    from ..style.checkpoint import read_weights

    tensors = read_weights(weights)
    # The public class fetches AlexNet when it is made; this one is the network that it holds.
    net = _NoTrainLpips(net="alex", pnet_rand=True)
    own = net.net.state_dict()
    features = {key: tensors.get(f"features.{key.split('.', 1)[1]}") for key in own}
    if any(value is None or value.shape != own[key].shape for key, value in features.items()):
        raise KineticsError(f"{weights} is not torchvision's AlexNet; fetch the file again.")
    net.net.load_state_dict(features)
    return net


def _lpips(net: torch.nn.Module, frames: Pictures, source: Pictures | None, progress: Progress, total: int) -> dict[str, float]:
    apart, following, following_source = [], [], []
    before = before_source = None
    real = None if source is None else source()
    for number, picture in enumerate(frames(), 1):
        picture = as_tensor(picture)
        if min(picture.shape[2:]) < _LEAST_SIDE:
            raise KineticsError(f"The frames are {picture.shape[3]}x{picture.shape[2]}, too small for LPIPS; give frames of at least {_LEAST_SIDE} pixels a side.")
        if before is not None:
            following.append(net(before, picture, normalize=True).item())
        before = picture
        if real is not None:
            own = fit(as_tensor(next(real)), picture.shape[2:])
            apart.append(net(picture, own, normalize=True).item())
            if before_source is not None:
                following_source.append(net(before_source, own, normalize=True).item())
            before_source = own
        progress(number, max(total, number))
    found = {"lpips": apart, "lpips_next": following, "lpips_next_source": following_source}
    return {key: float(np.mean(values)) for key, values in found.items() if values}


def _kid(weights: Path, frames: Pictures, source: Pictures, progress: Progress, total: int) -> dict[str, float]:
    import torch
    from torchmetrics.image.fid import NoTrainInceptionV3
    from torchmetrics.image.kid import KernelInceptionDistance

    from ..style.checkpoint import read_weights

    read_weights(weights)  # refuses whatever isn't plain tensors before another package opens the file
    try:
        features = NoTrainInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights))
    except (RuntimeError, KeyError) as error:
        raise KineticsError(f"{weights} is not torch-fidelity's Inception ({str(error).splitlines()[0]}); fetch the file again.") from error
    counts = []
    metric = KernelInceptionDistance(feature=features, subset_size=_SUBSET)
    for real, pictures in ((False, frames), (True, source)):
        count = 0
        for batch in batches(pictures()):
            metric.update(torch.cat([as_bytes(picture) for picture in batch]), real=real)
            count += len(batch)
            progress(count if not real else total + count, 2 * max(total, count))
        counts.append(count)
    if min(counts) < 2:
        raise KineticsError("KID compares the spread of pictures; give at least two frames.")
    metric.subset_size = min(_SUBSET, *counts)
    metric.subsets = _SUBSETS if metric.subset_size < max(counts) else 1
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the subsets are drawn from torch's own generator
        mean, sigma = metric.compute()
    return {"kid": mean.item(), "kid_sigma": sigma.item() if metric.subsets > 1 else math.nan}


def _clip(folder: Path, frames: Pictures, prompt: str, progress: Progress, total: int) -> dict[str, float]:
    from torchmetrics.multimodal.clip_score import CLIPScore

    metric, count = CLIPScore(model_name_or_path=lambda: load_clip(folder)), 0
    for batch in batches(frames()):
        metric.update([as_bytes(picture)[0] for picture in batch], [prompt] * len(batch))
        count += len(batch)
        progress(count, max(total, count))
    return {"clip": metric.compute().item()}


def load_clip(folder: Path) -> tuple:
    """transformers' CLIP and its processor out of a folder, in the form that torchmetrics asks for."""
    from transformers import AutoProcessor, CLIPModel

    try:
        model = CLIPModel.from_pretrained(str(folder), local_files_only=True).eval()
        processor = AutoProcessor.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise KineticsError(f"{folder} is not a CLIP model in transformers' form ({str(error).splitlines()[0]}); fetch the folder again.") from error
    # transformers 5 hands out an object where torchmetrics expects the features themselves.
    for name in ("get_image_features", "get_text_features"):
        setattr(model, name, features_only(getattr(model, name)))
    return model, processor


def features_only(ask: Callable) -> Callable:
    """The projected features of a CLIP, whichever transformers it is."""

    def asked(*args, **kwargs):
        said = ask(*args, **kwargs)
        return getattr(said, "pooler_output", said)

    return asked


def batches(pictures: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Up to eight pictures at a time."""
    while batch := list(islice(pictures, _BATCH)):
        yield batch


def as_bytes(picture: np.ndarray) -> torch.Tensor:
    """(1, 3, H, W) uint8."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    """(1, 3, H, W) from 0 to 1."""
    return as_bytes(picture).float().div(255)


def fit(picture: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """A picture (1, 3, H, W) at another size."""
    import torch

    if tuple(picture.shape[2:]) == tuple(size):
        return picture
    return torch.nn.functional.interpolate(picture, tuple(size), mode="bilinear", antialias=True).clamp(0, 1)
