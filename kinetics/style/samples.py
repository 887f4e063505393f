"""A style dataset on disk: what its files hold, and reading it again."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..files import read_json
from ..motion.phases import PHASES

#: Of the files' form. A reader knows its own and older ones.
VERSION = 1

#: Says in ``dataset.json`` that a folder is one of these.
FORMAT = "correlated-kinetics style dataset"

#: All that such a folder holds.
ENTRIES = ("images", "hints", "masks", "metadata.jsonl", "dataset.json")

SPLITS = ("train", "held_out")

#: The phases of a clip whose bat was not measured: the lower, middle and upper third of the limbs' speed.
PACES = ("slow", "medium", "fast")

#: Every phase that a sample can have, in the order in which they come.
ALL_PHASES = (*PHASES, *PACES)


@dataclass(frozen=True)
class StyleSample:
    """One picture of the dataset: a line of ``metadata.jsonl``.

    Attributes
    ----------
    file_name, hint, mask : str
        Paths inside the folder: RGB picture, RGB pose hint, 8-bit mask; all three ``width`` × ``height``.
    text : str
        The caption.
    clip, shot, phase : str
        The clip's name, its stroke in words, the phase.
    t, frame : float (s), int
        Where it is in its clip.
    weight : float
        0 to 1, how much the sample is worth: confidence of the pose, less where the picture is smeared.
    width, height : int
    split : {"train", "held_out"}
    """

    file_name: str
    hint: str
    mask: str
    text: str
    clip: str
    shot: str
    phase: str
    t: float
    frame: int
    weight: float
    width: int
    height: int
    split: str

    def line(self) -> str:
        """The sample as a line of ``metadata.jsonl``."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True, eq=False)
class StyleDataset:
    """A style dataset on disk.

    Attributes
    ----------
    folder : Path
    info : dict
        The value of ``dataset.json``: version, trigger, template, settings, motion, counts, left_out, notes, provenance.
    samples : tuple of StyleSample
        In the order of clips, then of time.
    """

    folder: Path
    info: dict[str, Any]
    samples: tuple[StyleSample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def trigger(self) -> str:
        return self.info["trigger"]

    def split(self, name: str) -> tuple[StyleSample, ...]:
        """The samples of ``train`` or ``held_out``.

        Raises
        ------
        KineticsError
            For any other name.
        """
        if name not in SPLITS:
            raise KineticsError(f"A style dataset has no part {name!r}; ask for {' or '.join(SPLITS)}.")
        return tuple(sample for sample in self.samples if sample.split == name)

    def pictures(self, sample: StyleSample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture (H, W, 3), hint (H, W, 3) and mask (H, W) of a sample, uint8.

        Raises
        ------
        KineticsError
            When a file can't be decoded.
        """
        return tuple(_read_picture(self.folder / getattr(sample, key), mode) for key, mode in _FILES.items())

    @classmethod
    def load(cls, folder: str | os.PathLike) -> StyleDataset:
        """Read a dataset and check it.

        The caption is that of the text file beside the picture where there is one: that is what people edit.

        Raises
        ------
        KineticsError
            When the folder isn't such a dataset, is of a newer version, a line of ``metadata.jsonl`` is damaged, a file is missing or lies
            outside the folder, or hint or mask haven't their picture's size.
        """
        folder = Path(folder)
        if not (folder / "dataset.json").is_file():
            raise KineticsError(f"{folder} is not a style dataset: it has no dataset.json; give a folder that Build Style Dataset wrote.")
        info = read_json(folder / "dataset.json")
        if not isinstance(info, dict) or info.get("format") != FORMAT:
            raise KineticsError(f"{folder / 'dataset.json'} is not of a style dataset; give a folder that Build Style Dataset wrote.")
        if not isinstance(info.get("trigger"), str):
            raise KineticsError(f"{folder / 'dataset.json'} has no trigger; mend it, or build the dataset again.")
        version = info.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise KineticsError(f"{folder} is a style dataset of version {version}, and this pack reads up to {VERSION}; update the pack.")
        try:
            text = (folder / "metadata.jsonl").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KineticsError(f"Can't read {folder / 'metadata.jsonl'} ({error}); build the dataset again.") from error
        samples = tuple(_read_line(folder, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
        if not samples:
            raise KineticsError(f"{folder} holds no sample; build the dataset again.")
        return cls(folder, info, samples)


def count_samples(samples: Sequence[StyleSample]) -> dict[str, Any]:
    """How many samples there are: in all, of each part, clip, phase and size."""
    phases = Counter(sample.phase for sample in samples)
    order = (*(phase for phase in ALL_PHASES if phase in phases), *sorted(set(phases) - set(ALL_PHASES)))
    by_clip = Counter(sample.clip for sample in samples)
    return {
        "samples": len(samples), **{part: sum(sample.split == part for sample in samples) for part in SPLITS}, "clips": len(by_clip),
        "by_clip": dict(by_clip), "by_phase": {phase: phases[phase] for phase in order},
        "by_bucket": dict(sorted(Counter(f"{sample.width}x{sample.height}" for sample in samples).items())),
    }  # fmt: skip


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a style dataset and nothing else is in it."""
    return is_style_folder(folder) and all(entry.name in ENTRIES for entry in folder.iterdir())


def is_style_folder(folder: Path) -> bool:
    """Whether a folder says that it is a style dataset."""
    try:
        info = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(info, dict) and info.get("format") == FORMAT


_FILES = {"file_name": "RGB", "hint": "RGB", "mask": "L"}

_TYPES = {"str": str, "int": int, "float": (int, float)}


def _read_line(folder: Path, number: int, line: str) -> StyleSample:
    """One sample, checked."""
    where = f"Line {number} of {folder / 'metadata.jsonl'}"
    try:
        value = json.loads(line)
    except ValueError as error:
        raise KineticsError(f"{where} is not JSON ({error}); mend it, or build the dataset again.") from error
    if not isinstance(value, dict):
        raise KineticsError(f"{where} is not an object; mend it, or build the dataset again.")
    for entry in fields(StyleSample):
        found = value.get(entry.name)
        if not isinstance(found, _TYPES[entry.type]) or isinstance(found, bool):
            raise KineticsError(f"{where} has {found!r} as its {entry.name}; mend it, or build the dataset again.")
    sample = StyleSample(**{entry.name: value[entry.name] for entry in fields(StyleSample)})
    if sample.split not in SPLITS or not 0 <= sample.weight <= 1:
        raise KineticsError(f"{where} has split {sample.split!r} and weight {sample.weight}; use {' or '.join(SPLITS)}, and a weight from 0 to 1.")
    for key in _FILES:
        _check_picture(folder, getattr(sample, key), (sample.width, sample.height), where)
    caption = (folder / sample.file_name).with_suffix(".txt")
    if caption.is_file():
        sample = StyleSample(**{**asdict(sample), "text": caption.read_text(encoding="utf-8").strip()})
    return sample


def _check_picture(folder: Path, name: str, size: tuple[int, int], where: str) -> None:
    from PIL import Image, UnidentifiedImageError

    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise KineticsError(f"{where} names {name}, which lies outside the folder; mend it, or build the dataset again.")
    try:
        with Image.open(path) as picture:
            found = picture.size
    except FileNotFoundError:
        raise KineticsError(f"{where} names {name}, and there is no such file; put it back, or build the dataset again.") from None
    except (OSError, UnidentifiedImageError) as error:
        raise KineticsError(f"{path} can't be read as a picture ({error}); build the dataset again.") from error
    if found != size:
        raise KineticsError(f"{path} is {found[0]}×{found[1]}, and its sample is {size[0]}×{size[1]}; picture, hint and mask have to be of one size.")


def _read_picture(path: Path, mode: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert(mode))
    except OSError as error:
        raise KineticsError(f"{path} can't be read as a picture ({error}); build the dataset again.") from error
