"""What the user clicked on in a node's clips: lines of a text, each perhaps for one clip only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KineticsError

if TYPE_CHECKING:
    from .motion.bat_track import Mark
    from .video.decode import Clip

_POINT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*@\s*(\d+)\s*")


def pick_name(clip: Clip) -> str:
    """What a clip is called in such a line."""
    return re.sub(r"[:;\r\n]", "_", Path(clip.name).stem).strip()


def lines_for(text: str, clip: Clip | None = None) -> list[str]:
    """The lines, or parts between semicolons, that are for a clip: those without a name, then those that begin with its name and a colon.

    Without a clip all of them, their names taken off.
    """
    parts = [line.rpartition(":") for line in filter(None, map(str.strip, re.split(r"[\n;]", text)))]
    anyone = [rest.strip() for _, colon, rest in parts if not colon]
    named = [rest.strip() for name, colon, rest in parts if colon and (clip is None or name.strip() == pick_name(clip))]
    return anyone + named


def read_points(lines: Sequence[str]) -> list[str]:
    """Points ``x, y @ frame`` as the command line writes them, ``x,y@frame``.

    Raises
    ------
    KineticsError
        When a line is something else.
    """
    points = []
    for line in lines:
        if not (found := _POINT.fullmatch(line)):
            raise KineticsError(f"Can't read the point {line!r}: give x, y @ frame, like 640, 360 @ 12 (pixels, frames from 0), with the clip's name and a colon before it when it is for one clip.")
        points.append("{},{}@{}".format(*found.groups()))
    return points


def read_marks(lines: Sequence[str]) -> list[Mark]:
    """Marks from lines ``frame, x, y``; of two in one frame the later one."""
    from .motion.bat_track import read_mark

    return list({mark.frame: mark for mark in map(read_mark, lines)}.values())
