"""What a training run is told, checked before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import KineticsError

#: Modules of the UNet that get a LoRA, by the ends of their names.
TARGETS = {
    "attention": ("to_q", "to_k", "to_v", "to_out.0"),
    "transformer": ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
    "all": (
        "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out",
        "conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv",
    ),
}  # fmt: skip
#: The same of a text encoder.
TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")

OPTIMISERS = ("adamw", "adamw8bit", "prodigy")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("fp32", "bf16", "fp16")

#: A resumed run may be told these anew; every other setting decides what the next step does.
FREE_ON_RESUME = frozenset({
    "steps", "evaluate_every", "save_every", "keep_checkpoints", "caching", "gradient_checkpointing", "picture_poses", "picture_steps", "picture_guidance",
    "title", "date",
})  # fmt: skip


def told(default: Any, text: str, choices: Iterable[str] = ()) -> Any:
    """A field that says what it is, to the command line's help and to a node's tooltip."""
    return field(default=default, metadata={"help": text, "choices": tuple(choices)})


@dataclass(frozen=True)
class TrainSettings:
    """Settings of one run.

    Raises
    ------
    KineticsError
        When a value is outside its range.
    """

    steps: int = told(1500, "optimiser steps")
    batch: int = told(1, "images per forward pass and process")
    accumulation: int = told(1, "forward passes per optimiser step")
    seed: int = told(0, "the same seed gives the same LoRA")
    rank: int = told(16, "rank r of the LoRA, W' = W + (alpha/r) B A")
    alpha: float = told(16.0, "alpha of the LoRA; written to the file")
    targets: str = told("transformer", "which modules learn", TARGETS)
    train_text: bool = told(False, "a LoRA on the text encoders too")
    text_learning_rate: float | None = told(None, "its learning rate (default: as the UNet's)")
    learning_rate: float = told(1e-4, "with prodigy 1.0 is usual")
    optimiser: str = told("adamw", "adamw8bit needs bitsandbytes, prodigy needs prodigyopt", OPTIMISERS)
    weight_decay: float = told(0.01, "pull of the weights towards 0")
    warmup: int = told(50, "steps over which the learning rate rises")
    schedule: str = told("cosine", "of the learning rate after the warm-up", SCHEDULES)
    max_norm: float = told(1.0, "greatest norm of the gradient; 0: not clipped")
    hint_dropout: float = told(0.1, "part of the samples that see no pose, so that the LoRA serves without a ControlNet too")
    caption_dropout: float = told(0.1, "part that sees an empty caption, for classifier-free guidance")
    control_strength: float = told(1.0, "of the pose ControlNet")
    background: float = told(0.3, "weight of the loss outside batter and bat; 1: the mask has no effect")
    min_snr: float = told(5.0, "gamma of min-SNR weighting (Hang et al. 2023); 0: off")
    noise_offset: float = told(0.0, "for darker darks and lighter lights; 0.05 is usual, 0: off")
    first_time: int = told(0, "noise times are drawn from here")
    last_time: int = told(1000, "up to here, not included")
    ema: float = told(0.0, "decay of a running mean of the weights, which is then saved; 0: off")
    precision: str = told("fp32", "of the computation; bf16 on cards that have it", PRECISIONS)
    save_precision: str = told("fp32", "of the file; fp16 halves it", PRECISIONS)
    gradient_checkpointing: bool = told(False, "less memory, a third more time")
    caching: bool = told(True, "make latents and text embeddings once")
    evaluate_every: int = told(100, "steps between held-out losses; 0: never")
    evaluate_samples: int = told(16, "held-out samples used for them, spread over the split")
    save_every: int = told(250, "steps between checkpoints; 0: only at the end")
    keep_checkpoints: bool = told(True, "keep a LoRA file of every checkpoint")
    picture_poses: int = told(1, "held-out poses that are drawn with every held-out loss, to look at; 0: none")
    picture_steps: int = told(20, "of the solver that draws them")
    picture_guidance: float = told(5.0, "of the caption when they are drawn (classifier-free guidance); 1: off")
    title: str = told("", "of the LoRA (default: the file's name)")
    date: str = told("", "ISO 8601 (default: the dataset's, so that the same run writes the same bytes)")

    def __post_init__(self) -> None:
        def check(right: bool, what: str) -> None:
            if not right:
                raise KineticsError(f"Training settings: {what}.")

        for name in ("steps", "batch", "accumulation", "rank", "evaluate_samples", "picture_steps"):
            check(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; give at least 1")
        for name in (
            "warmup", "max_norm", "noise_offset", "min_snr", "weight_decay", "evaluate_every", "save_every", "control_strength", "picture_poses",
            "picture_guidance",
        ):  # fmt: skip
            check(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; give 0 or more")
        for name in ("hint_dropout", "caption_dropout", "background"):
            check(0 <= getattr(self, name) <= 1, f"{name} is {getattr(self, name)}; give a part from 0 to 1")
        check(0 <= self.ema < 1, f"ema is {self.ema}; give a decay below 1, like 0.999, or 0 for none")
        check(self.alpha > 0, f"alpha is {self.alpha}; give a number above 0")
        rates = (self.learning_rate, self.learning_rate if self.text_learning_rate is None else self.text_learning_rate)
        check(all(math.isfinite(rate) and rate > 0 for rate in rates), "the learning rate has to be above 0")
        check(
            self.optimiser != "prodigy" or len(set(rates)) == 1 or not self.train_text,
            "prodigy finds one rate for all; leave the text encoder's learning rate out",
        )
        check(0 <= self.first_time < self.last_time <= 1000, f"times from {self.first_time} to {self.last_time} are not inside 0-1000")
        for entry in fields(self):
            value, choices = getattr(self, entry.name), entry.metadata["choices"]
            check(not choices or value in choices, f"{entry.name} {value!r} is unknown; choose {', '.join(choices)}")

    def rate_factor(self, step: int) -> float:
        """What the learning rate is multiplied by in ``step``, from 0: a linear warm-up, then half a cosine to 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * (step - self.warmup) / max(self.steps - self.warmup, 1)))

    def to_dict(self) -> dict:
        return asdict(self)

    def deciding(self) -> dict:
        """Those that decide what is learned; the others have no say in the LoRA, so that it is the same file with and without pictures."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name == "steps" or entry.name not in FREE_ON_RESUME}

    def differs_from(self, other: dict) -> list[str]:
        """Settings that decide the next step and are not as in ``other``."""
        return [
            entry.name for entry in fields(self) if entry.name not in FREE_ON_RESUME and getattr(self, entry.name) != other.get(entry.name)
        ]
