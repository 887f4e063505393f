"""An archive on disk: finished clips wait in ``pending`` and are sealed in batches; a table is whole or absent at every moment."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import KineticsError
from ..files import read_json, write_beside, write_json
from ..pose_sequence import PoseSequence
from .lock import Lock
from .tables import MEASURED, TableWriter, arrow, empty_table, join, make_table, read_table, write_table

if TYPE_CHECKING:
    import pyarrow

FORMAT = 1

#: Clips in a row group of ``frames`` and ``edges``: what one skeleton costs to read.
GROUP = 16


def settings_key(settings: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that change with any setting."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def clip_key(sha256: str, settings: str) -> str:
    """The key of a clip: of its content and the settings' key."""
    return hashlib.sha256(f"{sha256}{settings}".encode()).hexdigest()[:32]


class Archive:
    """An archive in a folder. Made by :meth:`open` (to read) or :meth:`create_or_open` (to add to).

    Attributes
    ----------
    folder : Path
    settings : dict
        What its clips were measured with.
    settings_key : str

    Notes
    -----
    A reader sees what is sealed, and never waits for a writer. A process that is killed at any moment leaves clips that are whole, in
    ``pending`` or in a batch; the next one who writes clears away what was begun.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], lock: Lock | None = None):
        self.folder, self.settings, self.settings_key, self._lock = folder, settings, settings_key(settings), lock
        self._places: dict[str, tuple[str, int]] = {}
        self._listed: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: str | os.PathLike) -> Archive:
        """Open to read.

        Raises
        ------
        KineticsError
            When the folder holds no archive, or one of a newer format.
        """
        folder = Path(folder)
        if not (folder / "archive.json").is_file():
            raise KineticsError(f"{folder} holds no archive; give a folder that `python -m kinetics archive` made.")
        record = read_json(folder / "archive.json")
        if not isinstance(record, dict) or not isinstance(record.get("format"), int) or not isinstance(record.get("settings"), dict):
            raise KineticsError(f"{folder / 'archive.json'} isn't an archive's; restore it, or build the archive anew in another folder.")
        if record["format"] > FORMAT:
            raise KineticsError(
                f"{folder} is an archive of format {record['format']}, of a newer version of this pack ({record.get('pack', 'unknown')}); "
                f"this one, {__version__}, reads up to format {FORMAT}: update it."
            )
        return cls(folder, record["settings"])

    @classmethod
    def create_or_open(cls, folder: str | os.PathLike, settings: Mapping[str, Any]) -> Archive:
        """Open to add to, made when missing. One writer at a time; call :meth:`close` (or use ``with``) at the end.

        Raises
        ------
        KineticsError
            When the folder holds something else, an archive of other settings or of a newer format, or somebody writes into it already.
        """
        folder, settings = Path(folder), dict(settings)
        if (folder / "archive.json").exists():
            found = cls.open(folder).settings
            if found != settings:
                other = [f"{name} {found.get(name)!r}, not {settings.get(name)!r}" for name in sorted({*found, *settings}) if found.get(name) != settings.get(name)]
                raise KineticsError(f"{folder} was measured with other settings ({'; '.join(other)}); ask for the same ones, or give another folder.")
        elif folder.exists() and (not folder.is_dir() or any(part.name != ".lock" for part in folder.iterdir())):
            raise KineticsError(f"{folder} is there already and isn't an archive; give another folder, or an empty one.")
        try:
            for part in ("pending", *MEASURED):
                (folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KineticsError(f"Can't write {folder} ({error.strerror}); choose a folder that can be written to.") from error
        archive = cls(folder, settings, Lock(folder / ".lock", f"Somebody else is adding to {folder} at this moment; wait for it to end."))
        try:
            write_json(folder / "archive.json", {"format": FORMAT, "pack": __version__, "settings": settings, "settings_key": archive.settings_key})
            archive._clear_away()
        except BaseException:
            archive.close()
            raise
        return archive

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            self._lock.release()

    # ---- reading

    def __contains__(self, key: str) -> bool:
        """Whether readers see a clip of this key."""
        return key in self._place()

    def keys(self) -> set[str]:
        """Of every clip that is measured; of an archive that is added to, those that wait to be sealed too."""
        waiting = [place.name for place in self._waiting() if (place / "clips.parquet").exists()] if self._lock else []
        return {*self._place(), *waiting}

    def clips(self, columns: Iterable[str] | None = None) -> pyarrow.Table:
        """One row per clip, in a settled order; all columns, or some."""
        columns = None if columns is None else list(columns)
        tables = [read_table("clips", self._file("clips", batch), columns) for batch in self._batches()]
        return arrow().concat_tables(tables) if tables else empty_table("clips").select(columns or empty_table("clips").column_names)

    def failures(self) -> pyarrow.Table:
        """The clips that could not be measured, and why; one that succeeded since is not among them."""
        table = self._read("failures")
        if self._lock:
            table = join([table, *(read_table("failures", place / "failures.parquet") for place in self._waiting() if (place / "failures.parquet").exists())], "failures")
        done, last = self.keys(), {}
        for row in table.to_pylist():
            last[row["key"] or row["path"]] = row
        rows = [row for row in last.values() if row["key"] not in done]
        return make_table("failures", {name: [row[name] for row in rows] for name in table.column_names})

    def paths(self) -> pyarrow.Table:
        """Every file that was given, what it looked like then, and its key."""
        return self._read("paths")

    def path_of(self, key: str) -> Path:
        """A file with this content: one that still lies there, where there is one.

        Raises
        ------
        KineticsError
            When the archive has no such clip.
        """
        pc = _compute()
        clips, paths = self.clips(["key", "path"]), self.paths()
        known = [table.filter(pc.equal(table["key"], key))["path"].to_pylist() for table in (clips, paths)]
        if not known[0]:
            raise KineticsError(f"{self.folder} has no clip {key}; take one of its table clips.")
        places = [Path(path) for path in dict.fromkeys(known[0] + known[1])]
        return next((path for path in places if path.exists()), places[0])

    def pose(self, key: str, stabilised: bool = False) -> PoseSequence:
        """The skeleton of a clip, with ``bat_tip`` where the bat was followed.

        Parameters
        ----------
        key : str
        stabilised : bool
            With the camera's movement taken out (missing where that is unknown, and outside the shot that was measured); else in pixels of the clip.

        Raises
        ------
        KineticsError
            When the archive has no such clip.
        """
        place = self._place().get(key)
        if place is None:
            raise KineticsError(f"{self.folder} has no clip {key}; take one of its table clips.")
        return next(pose for _, pose in self._poses_of(place[0], {key}, stabilised))

    def poses(self, keys: Iterable[str] | None = None, stabilised: bool = True) -> Iterator[tuple[str, PoseSequence]]:
        """(key, skeleton) of every clip, or of those asked for, in the order of :meth:`clips`; few of them in memory at a time.

        Raises
        ------
        KineticsError
            When the archive lacks one of ``keys``.
        """
        wanted = None if keys is None else set(keys)
        places = self._place()
        if wanted is not None and not wanted <= places.keys():
            raise KineticsError(f"{self.folder} has no clip {min(wanted - places.keys())}; take those of its table clips.")
        for batch in self._batches():
            here = None if wanted is None else {key for key in wanted if places[key][0] == batch}
            if here is None or here:
                yield from self._poses_of(batch, here, stabilised)

    def _poses_of(self, batch: str, keys: set[str] | None, stabilised: bool) -> Iterator[tuple[str, PoseSequence]]:
        pa = arrow()
        clips = {row["key"]: row for row in read_table("clips", self._file("clips", batch), ["key", "path", "width", "height"]).to_pylist()}
        places = list(clips)
        with pa.parquet.ParquetFile(self._file("frames", batch)) as file:
            for group in range(file.num_row_groups):
                asked = [key for key in places[group * GROUP : (group + 1) * GROUP] if keys is None or key in keys]
                if not asked:
                    continue
                table = file.read_row_group(group, ["key", "t", "joint", *(("xs", "ys") if stabilised else ("x", "y")), "conf"]).combine_chunks()
                codes = table["key"].combine_chunks()
                numbers = codes.indices.to_numpy()
                for key in asked:
                    rows = np.flatnonzero(numbers == codes.dictionary.to_pylist().index(key))
                    yield key, _pose(table.slice(rows[0], len(rows)), clips[key], stabilised)

    def _read(self, name: str) -> pyarrow.Table:
        path = self.folder / f"{name}.parquet"
        return read_table(name, path) if path.exists() else empty_table(name)

    def _file(self, name: str, batch: str) -> Path:
        return self.folder / name / f"{batch}.parquet"

    def _batches(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / "clips").glob("[!.]*.parquet"))

    def _place(self) -> dict[str, tuple[str, int]]:
        """Batch and row of every sealed clip."""
        batches = tuple(self._batches())
        for batch in batches if batches != self._listed else ():
            if batch not in self._listed:
                for row, key in enumerate(read_table("clips", self._file("clips", batch), ["key"])["key"].to_pylist()):
                    self._places[key] = (batch, row)
        self._listed = batches
        return self._places

    # ---- writing

    def add(self, key: str, tables: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep a clip: plain columns of ``clips``, ``frames`` and ``edges``. It appears whole in ``pending``; :meth:`seal` shows it to readers."""
        self._put_waiting(key, {name: make_table(name, tables[name]) for name in MEASURED})

    def add_failure(self, row: Mapping[str, Any]) -> None:
        """Keep why a clip could not be measured: a row of ``failures``. A file that could not be read has an empty key."""
        name = row["key"] or "path-" + hashlib.sha256(row["path"].encode()).hexdigest()[:27]
        self._put_waiting(name, {"failures": make_table("failures", {column: [value] for column, value in row.items()})})

    def _put_waiting(self, name: str, tables: Mapping[str, pyarrow.Table]) -> None:
        place, made = self.folder / "pending" / name, None
        try:
            made = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
            for table in tables:
                write_table(table, tables[table], made / f"{table}.parquet")
            shutil.rmtree(place, ignore_errors=True)
            os.replace(made, place)
        finally:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)

    def waiting(self) -> int:
        """How many clips and failures wait to be sealed."""
        return len(self._waiting())

    def _waiting(self) -> list[Path]:
        return sorted(path for path in (self.folder / "pending").iterdir() if not path.name.startswith("."))

    def seal(self) -> None:
        """Make what waits visible: a batch of each table, and the new failures."""
        waiting = self._waiting()
        done = [place for place in waiting if (place / "clips.parquet").exists()]
        if done:
            batch = hashlib.sha256("".join(place.name for place in done).encode()).hexdigest()[:16]
            made = Path(tempfile.mkdtemp(prefix=".", dir=self.folder / "pending"))
            try:
                for name in MEASURED:
                    with TableWriter(name, made / name) as writer:
                        step = GROUP if name != "clips" else len(done)
                        for first in range(0, len(done), step):
                            writer.write(join([read_table(name, place / f"{name}.parquet") for place in done[first : first + step]], name))
                # The clips' file last: by it the batch is known.
                for name in ("frames", "edges", "clips"):
                    os.replace(made / name, self._file(name, batch))
            finally:
                shutil.rmtree(made, ignore_errors=True)
        if waiting:
            self.replace("failures", self.failures())
        for place in waiting:
            shutil.rmtree(place)

    def replace(self, name: str, table: pyarrow.Table) -> None:
        """Put a table that is one file (paths, failures, neighbours, clusters) in the old one's place."""
        with write_beside(self.folder / f"{name}.parquet") as part:
            write_table(name, table, part)

    def _clear_away(self) -> None:
        """Remove what a process that was killed had begun."""
        pending = self.folder / "pending"
        for path in pending.iterdir():
            if path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        for path in self.folder.glob(".*.part*"):
            path.unlink(missing_ok=True)
        real = set(self._batches())
        for name in ("frames", "edges"):
            for path in (self.folder / name).glob("*.parquet"):
                if path.stem not in real:
                    path.unlink()
        for key in self._place().keys() & {place.name for place in self._waiting()}:
            shutil.rmtree(pending / key)


def _pose(table: pyarrow.Table, clip: Mapping[str, Any], stabilised: bool) -> PoseSequence:
    """A skeleton out of its rows: frame by frame, the joints of each in one order."""
    t = table["t"].to_numpy()
    joints = int(np.argmax(t != t[0])) or len(t)
    names = table["joint"].slice(0, joints).to_pylist()
    x, y, conf = (table[name].to_numpy().reshape(-1, joints) for name in (("xs", "ys") if stabilised else ("x", "y")) + ("conf",))
    xy = np.stack([x, y], axis=2)
    provenance = {"source": Path(clip["path"]).name, "steps": [{"step": "archive", "key": clip["key"], "stabilised": stabilised}]}
    return PoseSequence(xy, np.where(np.isnan(x), 0.0, conf), t[::joints], tuple(names), (clip["width"], clip["height"]), "px", provenance)


def _compute():
    import pyarrow.compute

    return pyarrow.compute
