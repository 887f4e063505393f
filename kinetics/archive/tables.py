"""The archive's tables: what columns they have, and how they are read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import KineticsError, MissingDependency

if TYPE_CHECKING:
    import pyarrow

#: What is timed in a clip, in order; ``decode`` is reading the file's packets and its first frame, the frames themselves are decoded inside the later steps.
STEPS = ("decode", "pose", "camera", "bat", "swing", "chain")

_CLIPS = {
    "key": "string", "path": "string", "sha256": "string", "duration_s": "double", "fps": "double", "frames": "int32", "width": "int32", "height": "int32",
    "subject": "string", "frames_with_skeleton": "int32",
    "peak_tip_speed": "double", "peak_tip_speed_sigma": "double", "peak_tip_speed_t": "double",
    "peak_omega": "double", "peak_omega_sigma": "double", "peak_omega_t": "double",
    "unit": "string", "impact_t": "double", "swing_reason": "string", "flags": "strings",
    "chain_path": "strings", "reaches_bat": "bool", "chain_reason": "string",
    **{f"seconds_{step}": "double" for step in STEPS}, "pack": "string", "settings_key": "string",
}  # fmt: skip

_COLUMNS = {
    "clips": _CLIPS,
    "frames": {"key": "name", "frame": "int32", "t": "double", "joint": "name", "x": "double", "y": "double", "conf": "double", "xs": "double", "ys": "double"},
    "edges": {"key": "string", "source": "string", "target": "string", "weight": "double", "lag_s": "double", "p": "double"},
    "paths": {"path": "string", "size": "int64", "mtime_ns": "int64", "sha256": "string", "key": "string"},
    "failures": {"key": "string", "path": "string", "sha256": "string", "step": "string", "reason": "string", "attempts": "int32", "when": "string"},
    "neighbours": {"key": "string", "rank": "int32", "other": "string", "distance": "double"},
    "clusters": {"key": "string", "cluster": "int32", "medoid": "bool", "label": "string"},
}  # fmt: skip

#: The tables that a measured clip fills.
MEASURED = ("clips", "frames", "edges")


def arrow():
    """The package pyarrow, with its readers.

    Raises
    ------
    MissingDependency
        When it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependency("The package pyarrow is not installed; run `pip install pyarrow` in the host's Python.") from error
    return pyarrow


@cache
def schema(name: str) -> pyarrow.Schema:
    """Columns of a table, by the table's name; ``name`` columns are strings that repeat, kept once."""
    pa = arrow()
    kinds = {
        "string": pa.string(), "double": pa.float64(), "int32": pa.int32(), "int64": pa.int64(), "bool": pa.bool_(),
        "strings": pa.list_(pa.string()), "name": pa.dictionary(pa.int32(), pa.string()),
    }  # fmt: skip
    return pa.schema([(column, kinds[kind]) for column, kind in _COLUMNS[name].items()])


def make_table(name: str, columns: Mapping[str, Sequence[Any]]) -> pyarrow.Table:
    """A table out of plain columns (lists or arrays); a missing number is NaN, not null.

    Raises
    ------
    KeyError
        When a column is missing.
    """
    pa = arrow()
    arrays = []
    for field in schema(name):
        values = columns[field.name]
        if pa.types.is_dictionary(field.type):
            arrays.append(pa.array(values, pa.string()).dictionary_encode().cast(field.type))
        else:
            arrays.append(pa.array(values, field.type, from_pandas=False))
    return pa.Table.from_arrays(arrays, schema=schema(name))


def empty_table(name: str) -> pyarrow.Table:
    """No rows of a table."""
    return schema(name).empty_table()


def join(tables: Sequence[pyarrow.Table], name: str) -> pyarrow.Table:
    """The rows of all, in order, in one piece."""
    if not tables:
        return empty_table(name)
    return arrow().concat_tables(tables).unify_dictionaries().combine_chunks()


class TableWriter:
    """Writes a Parquet file, a row group for every call of ``write``. Numbers are stored bit by bit, compressed without loss.

    Parameters
    ----------
    name : str
        The table's, for its schema.
    path : path
    """

    def __init__(self, name: str, path: str | os.PathLike):
        pa = arrow()
        shared = schema(name)
        numbers = [field.name for field in shared if pa.types.is_float64(field.type)]
        self._writer = pa.parquet.ParquetWriter(
            path, shared, compression="zstd", use_byte_stream_split=numbers, use_dictionary=[field.name for field in shared if field.name not in numbers]
        )

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, table: pyarrow.Table) -> None:
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))


def write_table(name: str, table: pyarrow.Table, path: str | os.PathLike) -> None:
    """Write a whole table; for one that a reader may look at meanwhile, write beside and rename (:func:`kinetics.files.write_beside`)."""
    with TableWriter(name, path) as writer:
        writer.write(table)


def read_table(name: str, path: str | os.PathLike, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """Read a table, or some of its columns.

    Raises
    ------
    KineticsError
        When the file isn't a table of this kind.
    """
    pa = arrow()
    path = Path(path)
    try:
        table = pa.parquet.ParquetFile(path).read(columns=None if columns is None else list(columns))
        wanted = schema(name) if columns is None else pa.schema([schema(name).field(column) for column in columns])
        return table.select(wanted.names).cast(wanted)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise KineticsError(f"{path} can't be read as the archive's table {name} ({str(error).splitlines()[0]}); restore it, or build the archive anew.") from error
