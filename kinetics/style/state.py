"""A run's checkpoint: all that the next step needs, in one file that is whole or absent.

Chance has no state (see :mod:`.batches`): the seed and the number of the step are all of it.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KineticsError
from ..files import write_beside

if TYPE_CHECKING:
    import torch

    from .settings import TrainSettings

VERSION = 1


@dataclass
class TrainState:
    """After ``step`` optimiser steps.

    Attributes
    ----------
    settings : dict
        Of the run.
    base, data : str
        Hashes of the base model and of the dataset.
    weights, average : dict
        The LoRA's parameters and their running mean.
    optimiser, scaler : dict
        Their own states.
    losses : list of float
        Of every step.
    held_out : list of dict
        ``step``, ``right``, ``wrong``, ``base``.
    """

    step: int
    settings: dict
    base: str
    data: str
    weights: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor] | None
    optimiser: dict
    scaler: dict
    losses: list[float] = field(default_factory=list)
    held_out: list[dict] = field(default_factory=list)


def state_path(out: str | os.PathLike) -> Path:
    """Where a run that writes ``out`` keeps its checkpoint: ``NAME.resume.pt`` beside it."""
    return Path(out).with_suffix(".resume.pt")


def save_state(path: str | os.PathLike, state: TrainState) -> None:
    """Write a checkpoint, whole or not at all; the one before stays until this one is on the disk.

    Raises
    ------
    KineticsError
        When it can't be written, for lack of space for one.
    """
    import torch

    try:
        with write_beside(path) as part, part.open("wb") as file:
            torch.save({"version": VERSION, **{entry.name: getattr(state, entry.name) for entry in fields(state)}}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise KineticsError(
            f"Can't write the checkpoint {path}: {reason}; free some space or choose another folder, then resume."
        ) from error


def load_state(path: str | os.PathLike) -> TrainState:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    KineticsError
        When it is missing, damaged or of another version.
    """
    import torch

    if not Path(path).is_file():
        raise KineticsError(f"There is no checkpoint {path} to resume from; start without resuming.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise KineticsError(
            f"{path} is not a checkpoint of Train Style LoRA ({str(error).splitlines()[0]}); start without resuming."
        ) from error
    if not isinstance(found, dict) or found.pop("version", None) != VERSION:
        raise KineticsError(f"{path} is not a checkpoint of this version of Train Style LoRA; start without resuming.")
    return TrainState(**found)


def check_resumable(state: TrainState, settings: TrainSettings, base: str, data: str, path: str | os.PathLike) -> None:
    """Refuse to go on with what would not be the same run.

    Raises
    ------
    KineticsError
        Naming what differs.
    """
    if state.base != base:
        raise KineticsError(f"{path} was trained on another base model; choose that one, or start without resuming.")
    if state.data != data:
        raise KineticsError(
            f"{path} was trained on another dataset, or its captions have changed since; put it back, or start without resuming."
        )
    differing = settings.differs_from(state.settings)
    if differing:
        now, then = asdict(settings), state.settings
        told = ", ".join(f"{name} is {now[name]} and was {then.get(name)}" for name in differing)
        raise KineticsError(f"The settings are not those of {path}: {told}; set them back, or start without resuming.")
    if state.step >= settings.steps:
        raise KineticsError(f"{path} has {state.step} steps already; give more steps than that to go on.")
