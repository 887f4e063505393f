"""A folder that is either whole or absent: written beside its place, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import KineticsError


@contextmanager
def folder_beside(target: str | os.PathLike, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a new folder in the target's parent; it takes the target's place when the block ends well.

    Parameters
    ----------
    target : path
        The folder to appear. What is there already is replaced if it is an empty folder or ``ours``, and only on success.
    ours : callable
        Whether an existing folder may be replaced.

    Raises
    ------
    KineticsError
        When something else is in its place, or the disk can't be written to or is full.

    Notes
    -----
    Any exception in the block, a cancel included, removes the new folder and is passed on.
    """
    target = Path(target)
    check_place(target, ours)
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o777 & ~umask)
        yield part
        check_place(target, ours)
        old = None
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
            old.rmdir()  # its name is what is wanted: not every system renames onto a folder
            os.replace(target, old)
        os.replace(part, target)
        if old is not None:
            shutil.rmtree(old)
    except OSError as error:
        raise KineticsError(f"Can't write {target}: {error.strerror or error}; choose a folder that can be written to, with room on its disk.") from error
    finally:
        if part is not None and part.exists():
            shutil.rmtree(part)


def check_place(target: Path, ours: Callable[[Path], bool]) -> None:
    """Raise when something that isn't ours is where the folder shall be."""
    if not target.exists() or (target.is_dir() and (not any(target.iterdir()) or ours(target))):
        return
    raise KineticsError(f"{target} is there already and isn't a style dataset of this pack alone; choose a new folder, or move what is in it.")
