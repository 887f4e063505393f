"""The optimisers by name; two of them come in packages of their own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from ..errors import MissingDependency

if TYPE_CHECKING:
    import torch

    from .settings import TrainSettings

PACKAGES = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt"}


def make_optimiser(groups: list[dict], settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW, AdamW with 8-bit moments, or Prodigy.

    Parameters
    ----------
    groups
        Parameters with their rates.

    Raises
    ------
    MissingDependency
        When the optimiser's package isn't installed.
    """
    import torch

    package = PACKAGES.get(settings.optimiser)
    if package and importlib.util.find_spec(package) is None:
        raise MissingDependency(
            f"The optimiser {settings.optimiser} needs the package {package}; install with: pip install {package}, or choose adamw."
        )
    if settings.optimiser == "adamw8bit":
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(groups, weight_decay=settings.weight_decay)
    if settings.optimiser == "prodigy":
        from prodigyopt import Prodigy

        return Prodigy(groups, weight_decay=settings.weight_decay, safeguard_warmup=settings.warmup > 0, use_bias_correction=True)
    # One kernel for all of the many small matrices, in place of ten for each.
    fused = groups[0]["params"][0].device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=fused)
