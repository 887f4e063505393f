"""Descriptions of an archive's shots, kept beside it in ``features/<batch>.npz``; made again when lost, or of another recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..errors import KineticsError, Progress
from ..files import write_beside
from .describe import RECIPE, WIDTH, describe_shot
from .search import Block, make_block
from .store import Archive
from .tables import arrow, read_table

FOLDER = "features"

#: Shots that are searched together: with everything that a search keeps about 100 MB.
TOGETHER = 16_384

#: Blocks that stay in memory for the next search.
_KEEP = 2
_KEPT: dict[tuple, Block | None] = {}


@dataclass(frozen=True)
class Descriptions:
    """Of one batch: keys and shots (T, 24) float32 that could be described, and the reason why for each other key."""

    keys: tuple[str, ...]
    shots: tuple[np.ndarray, ...]
    refused: dict[str, str]


def list_batches(folder: Path) -> tuple[str, ...]:
    """Names of the batches of an archive, in order."""
    return tuple(sorted(path.stem for path in (folder / "clips").glob("[!.]*.parquet")))


def is_described(folder: Path, batch: str) -> bool:
    """Whether a batch has a file that was made after it."""
    path = folder / FOLDER / f"{batch}.npz"
    return path.is_file() and path.stat().st_mtime_ns >= (folder / "clips" / f"{batch}.parquet").stat().st_mtime_ns


def describe_batch(archive: Archive, batch: str) -> Descriptions:
    """Descriptions of one batch, from its file or made and kept there; an archive that can't be written to is searched all the same."""
    path = archive.folder / FOLDER / f"{batch}.npz"
    kept = _load(path) if is_described(archive.folder, batch) else None
    if kept is not None:
        return kept
    made = _describe(archive, read_table("clips", archive.folder / "clips" / f"{batch}.parquet", ["key"])["key"].to_pylist())
    # Where it can't be kept the search only takes longer.
    with suppress(KineticsError, OSError):
        _save(path, made)
    return made


def find_description(archive: Archive, key: str) -> np.ndarray:
    """Description (T, 24) float32 of a shot of the archive.

    Raises
    ------
    KineticsError
        When the archive has no such clip, or it shows no stroke to compare.
    """
    for name in list_batches(archive.folder):
        batch = describe_batch(archive, name)
        if key in batch.refused:
            raise KineticsError(batch.refused[key])
        if key in batch.keys:
            return batch.shots[batch.keys.index(key)]
    raise KineticsError(f"{archive.folder} has no clip {key}; take one of its table clips.")


def _describe(archive: Archive, keys: Sequence[str]) -> Descriptions:
    """Described without the camera's movement; a clip whose camera couldn't be followed, as it is seen."""
    shots, refused, seen = {}, {}, set(keys)
    for stabilised in (True, False):
        for key, pose in archive.poses(seen, stabilised=stabilised):
            try:
                shots[key] = describe_shot(pose)
            except KineticsError as error:
                refused[key] = str(error)
        seen = refused.keys() - shots.keys()
        if not seen:
            break
    kept = [key for key in keys if key in shots]
    return Descriptions(tuple(kept), tuple(shots[key] for key in kept), {key: refused[key] for key in keys if key not in shots})


def _save(path: Path, made: Descriptions) -> None:
    values = np.concatenate(made.shots) if made.shots else np.empty((0, WIDTH), np.float32)
    with write_beside(path) as part:
        np.savez(
            part, recipe=np.array(RECIPE), keys=np.array(made.keys, dtype=str), values=values,
            lengths=np.array([len(shot) for shot in made.shots], np.int64),
            refused=np.array(list(made.refused), dtype=str), reasons=np.array(list(made.refused.values()), dtype=str),
        )  # fmt: skip


def _load(path: Path) -> Descriptions | None:
    """What a file holds; None when it is of another recipe or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["recipe"]) != RECIPE:
                return None
            keys, values, lengths = kept["keys"].tolist(), kept["values"], kept["lengths"]
            refused = dict(zip(kept["refused"].tolist(), kept["reasons"].tolist(), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return Descriptions(tuple(keys), tuple(np.split(values, np.cumsum(lengths)[:-1])) if keys else (), refused)


def load_blocks(archive: Archive, batches: Sequence[str] | None = None, progress: Progress | None = None) -> Iterator[Block]:
    """The described shots of some batches (all when not given), about :data:`TOGETHER` at a time.

    Parameters
    ----------
    archive : Archive
    batches : names, optional
    progress : callable, optional
        Called with batches read and all batches; may raise to cancel.
    """
    names = list_batches(archive.folder) if batches is None else tuple(batches)
    done = 0
    for part in _plan(archive.folder, names):
        files = [archive.folder / "clips" / f"{name}.parquet" for name in part]
        mark = (str(archive.folder), part, tuple(file.stat().st_mtime_ns for file in files))
        block = _KEPT.get(mark)
        if block is None:
            found = []
            for name in part:
                found.append(describe_batch(archive, name))
                done += 1
                if progress:
                    progress(done, len(names))
            keys = [key for batch in found for key in batch.keys]
            block = make_block(keys, [shot for batch in found for shot in batch.shots]) if keys else None
            if len(_KEPT) >= _KEEP:
                _KEPT.pop(next(iter(_KEPT)), None)
            _KEPT[mark] = block
        else:
            done += len(part)
        if block is not None:
            yield block


def _plan(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Batches that make a block."""
    part, count = [], 0
    for name in names:
        part.append(name)
        count += arrow().parquet.read_metadata(folder / "clips" / f"{name}.parquet").num_rows
        if count >= TOGETHER:
            yield tuple(part)
            part, count = [], 0
    if part:
        yield tuple(part)
