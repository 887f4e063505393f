"""Files that are either whole or absent: write beside the target, then rename."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import KineticsError


@contextmanager
def write_beside(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; rename it to ``target`` when the block ends well.

    Parameters
    ----------
    target : path
        The file to appear. Its folder is made when missing. An existing file is replaced only on success.

    Yields
    ------
    Path
        A path with the target's suffix, so that writers that look at the suffix are content.

    Raises
    ------
    KineticsError
        When the folder can't be made or written to.

    Notes
    -----
    Any exception in the block, a cancel included, removes the temporary file and is passed on.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=f".part{target.suffix}", dir=target.parent)
    except OSError as error:
        raise KineticsError(f"Can't write {target}: {error.strerror}; choose a folder that can be written to.") from error
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(target: str | os.PathLike, text: str) -> None:
    """Write UTF-8 text to ``target``, whole or not at all."""
    with write_beside(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: str | os.PathLike, value: Any) -> None:
    """Write ``value`` as strict JSON (no NaN) to ``target``, whole or not at all."""
    write_text(target, json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises
    ------
    KineticsError
        When the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise KineticsError(f"Can't read {path}: {error.strerror}; check the path.") from error
    except ValueError as error:
        raise KineticsError(f"{path} is not a JSON file ({error}); give one that this pack or an OpenPose tool wrote.") from error
