"""Which files a user means: clips, folders of clips, lists of clips."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import KineticsError

#: What is taken for a clip in a folder; a clip named by itself or in a list may be called anything.
VIDEO_SUFFIXES = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))  # fmt: skip

LIST_SUFFIXES = frozenset((".txt", ".lst"))


def list_clips(sources: Iterable[str | os.PathLike]) -> list[str]:
    """Absolute paths of the clips that are meant, sorted, each once.

    Parameters
    ----------
    sources : iterable of path
        A clip; a folder, searched to its depths for files that are called as videos are; or a list, ``.txt`` or ``.lst``: one path a line, from the list's own
        folder where it isn't absolute, empty lines and those that begin with # passed over.

    Raises
    ------
    KineticsError
        When a source isn't there, can't be read, or nothing is found.
    """
    found: set[str] = set()
    given = [Path(source) for source in sources]
    for source in given:
        if source.is_dir():
            found.update(_in_folder(source))
        elif source.suffix.lower() in LIST_SUFFIXES:
            found.update(_in_list(source))
        elif source.exists():
            found.add(os.path.abspath(source))
        else:
            raise KineticsError(f"{source} is not there; give clips, a folder of clips, or a .txt list with one path a line.")
    if not found:
        raise KineticsError(f"No clip was found in {', '.join(map(str, given)) or 'nothing'}; give clips, a folder of clips, or a .txt list with one path a line.")
    return sorted(found)


def _in_folder(folder: Path) -> Iterable[str]:
    def refuse(error: OSError) -> None:
        raise KineticsError(f"Can't read the folder {error.filename} ({error.strerror}); check its rights, or name the clips one by one.") from error

    for place, inside, names in os.walk(folder, onerror=refuse):
        inside[:] = [name for name in inside if not name.startswith(".")]
        yield from (os.path.abspath(os.path.join(place, name)) for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."))


def _in_list(path: Path) -> Iterable[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KineticsError(f"Can't read the list {path} ({getattr(error, 'strerror', None) or 'not UTF-8 text'}); give a text file with one path a line.") from error
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            yield os.path.abspath(path.parent / line)
