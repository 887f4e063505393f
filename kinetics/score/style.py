"""Whose style a LoRA knows: the loss on held-out clips, at fixed noise and times, with the base model alone, the LoRA, and LoRAs of other styles."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import KineticsError, Progress
from ..files import write_json
from ..style.batches import Source
from ..style.held_out import HeldOut
from ..style.settings import TrainSettings
from .lora_branch import LoraFile, applied
from .report import plain, shown, write_table

if TYPE_CHECKING:
    import torch

    from ..style.modules import StyleModules
    from ..style.samples import StyleDataset

#: What of a LoRA's own training settings decides its held-out loss.
_TOLD = ("first_time", "last_time", "control_strength", "evaluate_samples", "batch", "precision")


@dataclass(frozen=True)
class StyleRow:
    """The loss on every held-out sample under one LoRA, or none.

    Attributes
    ----------
    name, kind : str
        Of the LoRA; ``base``, ``own`` or ``other``.
    right : (n,) float
        With the right pose (without a ControlNet: with none).
    wrong : (n,) float or None
        With another sample's pose.
    """

    name: str
    kind: str
    right: np.ndarray
    wrong: np.ndarray | None = None


@dataclass(frozen=True)
class StyleScore:
    """Held-out losses under several LoRAs, the base model first.

    Attributes
    ----------
    dataset, base : str
    samples : tuple of str
        The held-out pictures, in the order of the losses.
    rows : tuple of StyleRow
    prediction : str
        epsilon or v_prediction: what the loss is of.
    """

    dataset: str
    base: str
    samples: tuple[str, ...]
    rows: tuple[StyleRow, ...]
    prediction: str

    def gain(self, row: StyleRow, beside: StyleRow) -> tuple[float, float]:
        """How much lower a row's loss is than another's, and the standard error of that, over the same samples at the same noise."""
        difference = beside.right - row.right
        return float(difference.mean()), standard_error(difference)

    def verdict(self) -> str:
        """What the losses say of the own LoRA, in a sentence or two."""
        base, own = self.rows[0], next((row for row in self.rows if row.kind == "own"), None)
        if own is None:
            return "No LoRA was given as the one that should know this style, so there is nothing to tell it from."
        parts = []
        for row, words in [(base, "the base model alone"), *((row, row.name) for row in self.rows if row.kind == "other")]:
            gain, error = self.gain(own, row)
            if not math.isfinite(error):
                parts.append(f"{'below' if gain > 0 else 'not below'} {words}")
            elif abs(gain) <= 2 * error:
                parts.append(f"not told from {words} ({gain:+.3g} ± {error:.2g})")
            else:
                parts.append(f"{'below' if gain > 0 else 'above'} {words} by {abs(gain):.3g} ± {error:.2g}")
        text = f"{own.name}'s loss is {', '.join(parts)}."
        if own.wrong is not None:
            gain, error = float((own.wrong - own.right).mean()), standard_error(own.wrong - own.right)
            told = "plays its part" if gain > 2 * error else "is not shown to play a part"
            text += f" The pose {told}: a wrong one costs {gain:+.3g} ± {error:.2g}."
        return text

    def sentences(self) -> str:
        """For people: a line per LoRA, and the verdict."""
        posed = self.rows[0].wrong is not None
        names = [row.name if row.kind != "base" else f"{row.name} (base)" for row in self.rows]
        wide = max(map(len, names))
        lines = [" " * wide + f"{'right pose' if posed else 'loss':>14}" + (f"{'wrong pose':>14}" if posed else "")]
        for name, row in zip(names, self.rows, strict=True):
            lines.append(f"{name:<{wide}}{shown(row.right.mean()):>14}" + (f"{shown(row.wrong.mean()):>14}" if posed else ""))
        lines.append(f"{len(self.samples)} held-out pictures of {self.dataset}, the same noise and times for every row.")
        return "\n".join([*lines, self.verdict()])

    def to_dict(self) -> dict[str, Any]:
        """The value of ``style_score.json``."""
        return plain({
            "dataset": self.dataset, "base": self.base, "prediction": self.prediction, "samples": list(self.samples), "verdict": self.verdict(),
            "rows": [
                {
                    "name": row.name, "kind": row.kind, "right": row.right.mean(), "wrong": None if row.wrong is None else row.wrong.mean(),
                    "per_sample": {"right": row.right, "wrong": row.wrong},
                } for row in self.rows
            ],
        })  # fmt: skip


def standard_error(values: np.ndarray) -> float:
    """Of the mean of (n,) values; NaN of fewer than two."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def trial_settings(own: Sequence[LoraFile] = (), samples: int | None = None, precision: str | None = None) -> TrainSettings:
    """Settings of the evaluation: those that the LoRA's own training used, where its file tells them, so that its number comes out again.

    Parameters
    ----------
    own : sequence of LoraFile
        The first one is asked.
    samples : int, optional
        Held-out pictures, in place of the file's or of 16.
    precision : {"fp32", "bf16", "fp16"}, optional
        Of the computation, in place of the file's or of fp32.
    """
    settings = TrainSettings()
    if own and own[0].info is not None:
        said = json.loads(own[0].info.metadata.get("ck_settings", "{}"))
        known = {entry.name for entry in fields(TrainSettings)}
        settings = replace(settings, **{name: said[name] for name in _TOLD if name in said and name in known})
    asked = {"evaluate_samples": samples, "precision": precision}
    return replace(settings, **{name: value for name, value in asked.items() if value is not None})


def score_style(
    modules: StyleModules, dataset: StyleDataset, loras: Sequence[LoraFile], settings: TrainSettings | None = None, *, own: bool = True,
    device: torch.device | str = "cpu", cache: str | os.PathLike | None = None, progress: Progress | None = None,
) -> StyleScore:  # fmt: skip
    """Measure the held-out loss of a style dataset without a LoRA and under each of several.

    Parameters
    ----------
    modules
        The base model; given back as it was, on the device and in the precision of the evaluation.
    dataset
        With held-out clips: pictures that no LoRA was trained on.
    loras
        Their order is that of the rows.
    settings
        See :func:`trial_settings`.
    own : bool
        Whether the first LoRA is the one that should know this style.
    cache
        A folder in which latents stay from run to run.
    progress : callable, optional
        progress(samples done, in all); may raise to cancel.

    Returns
    -------
    StyleScore

    Raises
    ------
    KineticsError
        When the dataset holds nothing out, or a LoRA was made for another base.
    """
    import torch

    settings = settings or TrainSettings()
    if not dataset.split("held_out"):
        raise KineticsError(f"The style dataset {dataset.folder} holds no clip out, and a LoRA knows by heart what it was trained on; build it from two clips or more.")
    # Encoders that a LoRA changes are asked anew under each of them.
    settings = replace(settings, train_text=any(lora.has_text for lora in loras))
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]
    modules.to(device, dtype)
    source = Source(dataset, modules, settings, cache)
    trial = HeldOut(source, None, torch.device(device), dtype)
    poses = (False,) if trial.wrong is None else (False, True)
    rows, passes = [], (1 + len(loras)) * len(poses) * len(trial)
    for number, lora in enumerate([None, *loras]):
        with nullcontext() if lora is None else applied(lora, modules):
            found = []
            for wrong in poses:
                before = (number * len(poses) + len(found)) * len(trial)
                found.append(trial.losses(wrong, progress and (lambda done, _, before=before: progress(before + done, passes))))
        kind = "base" if lora is None else "own" if own and number == 1 else "other"
        rows.append(StyleRow(modules.base_name or "base" if lora is None else lora.name, kind, *found))
    names = tuple(source.samples[number].file_name for number in trial.samples)
    return StyleScore(str(dataset.folder.name), modules.base_name, names, tuple(rows), modules.prediction)


def export_style_score(score: StyleScore, folder: str | os.PathLike, name: str = "style_score") -> list[Path]:
    """Write ``<name>.json``, ``.csv`` and ``.png`` into a folder, each whole or not at all."""
    from ..plots.score import plot_style_score

    written = write_style_score(score, Path(folder) / f"{name}.json")
    written.append(Path(folder) / f"{name}.png")
    plot_style_score(score, path=written[-1])
    return written


def write_style_score(score: StyleScore, path: Path) -> list[Path]:
    """Write a ``.json`` and beside it a ``.csv`` with a row per LoRA and picture."""
    write_json(path, score.to_dict())
    lines = [
        [row.name, row.kind, sample, float(row.right[k]), math.nan if row.wrong is None else float(row.wrong[k])]
        for row in score.rows
        for k, sample in enumerate(score.samples)
    ]
    write_table(path.with_suffix(".csv"), ["lora", "kind", "sample", "loss, right pose", "loss, wrong pose"], lines)
    return [path, path.with_suffix(".csv")]
