"""Out of memory: how it is known, and which setting would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import TrainSettings


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch ran out of memory, on a card or on the host."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error).lower()
    )


def cure(settings: TrainSettings) -> str:
    """The first setting that would help a run that has these."""
    if not settings.gradient_checkpointing:
        return "turn gradient checkpointing on"
    if settings.precision == "fp32":
        return "use precision bf16"
    if settings.batch > 1:
        return f"lower the batch from {settings.batch}, and raise the accumulation to keep what a step sees"
    return "build the dataset at a smaller resolution"
