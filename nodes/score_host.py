"""Style scored on copies of the host's networks."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_management

from ..kinetics.errors import Progress
from ..kinetics.score.lora_branch import LoraFile
from ..kinetics.score.style import StyleScore, score_style
from ..kinetics.style.samples import StyleDataset
from ..kinetics.style.settings import TrainSettings
from .train_host import host_modules


def score_on_host(
    model, clip, vae, control_net, dataset: StyleDataset, loras: Sequence[LoraFile], settings: TrainSettings, *, progress: Progress
) -> StyleScore:
    """The held-out losses; the host's own networks are untouched, and out of the card's memory meanwhile."""
    comfy.model_management.unload_all_models()
    modules = host_modules(model, clip, vae, control_net)
    try:
        return score_style(modules, dataset, loras, settings, device=comfy.model_management.get_torch_device(), progress=progress)
    finally:
        del modules
        comfy.model_management.soft_empty_cache()
