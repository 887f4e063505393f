"""Archives of shots in the host's folders: their names, their files, and the route that the browser asks for a clip's skeleton."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import folder_paths

from ..kinetics.errors import KineticsError
from .host import video_files
from .style import roots

if TYPE_CHECKING:
    from aiohttp import web

    from ..kinetics.archive.store import Archive

NO_ARCHIVE = "(none yet)"

#: Where Build Archive writes, in the host's output folder.
ARCHIVES = "correlated_kinetics/archives"

#: Archives are looked for so many levels deep in the host's input folder.
_DEPTH = 3


def archive_names() -> list[str]:
    """Archives that nodes can open: ``NAME`` of those that Build Archive writes, ``input/FOLDER/NAME`` of those in the input folder."""
    folders = roots()
    own = [path.parent.name for path in (folders["output"] / ARCHIVES).glob("*/archive.json")]
    others = [path.parent for depth in range(1, _DEPTH + 1) for path in folders["input"].glob("*/" * depth + "archive.json")]
    return sorted(own) + sorted(f"input/{path.relative_to(folders['input']).as_posix()}" for path in others if (path / "clips").is_dir())


def archive_path(name: str) -> Path:
    """The folder behind a name of :func:`archive_names`.

    Raises
    ------
    KineticsError
        When it leads out of the host's folders, or holds no archive.
    """
    folders = roots()
    root, rest = (folders["input"], name[6:]) if name.startswith("input/") else (folders["output"] / ARCHIVES, name)
    path = (root / rest).resolve()
    if path == root or not path.is_relative_to(root) or not (path / "archive.json").is_file():
        raise KineticsError(f"There is no archive {name!r} in ComfyUI's output or input folder; build one with Build Archive, or choose another.")
    return path


def open_archive(name: str) -> Archive:
    """The archive behind a name."""
    from ..kinetics.archive.store import Archive

    return Archive.open(archive_path(name))


def archive_files(name: str) -> list[Path]:
    """What changes when an archive does; nothing where there is none."""
    try:
        path = archive_path(name)
    except KineticsError:
        return []
    return sorted([*path.glob("*.parquet"), *path.glob("clips/*.parquet")])


def clips_below(folder: Path) -> list[Path]:
    """Video files of a folder and of those in it, by folder and name."""
    return [file for own in (folder, *sorted(path for path in folder.rglob("*") if path.is_dir())) for file in video_files(own)]


def check_place(path: Path, what: str) -> Path:
    """The path of a clip, which has to be a file in the host's own folders; links that somebody put there may lead elsewhere.

    Raises
    ------
    KineticsError
        When it isn't there any more, or lies elsewhere.
    """
    place = Path(os.path.abspath(path))
    own = [*roots().values(), *(Path(folder).absolute() for folder in (
        folder_paths.get_input_directory(), folder_paths.get_output_directory(), folder_paths.get_temp_directory()
    ))]  # fmt: skip
    if not any(place.is_relative_to(root) for root in own):
        raise KineticsError(f"The clip {what} lies at {place}, outside ComfyUI's input and output folders; put it, or a link to it, there and build the archive of that.")
    if not place.is_file():
        raise KineticsError(f"The clip {what} isn't at {place} any more, where the archive has it; put it back, or build the archive again from where it is now.")
    return place


def add_route(routes: web.RouteTableDef) -> None:
    """Let the archive browser ask for one clip's stroke: ``?archive=NAME&key=KEY``."""
    from aiohttp import web

    @routes.get("/correlated_kinetics/archive_stroke")
    async def archive_stroke(request: web.Request) -> web.Response:
        key = request.query.get("key", "")
        if not re.fullmatch(r"[0-9a-f]{1,64}", key):
            return web.Response(status=400, text="The key of a clip is hexadecimal digits.")
        try:
            # Off the loop: the host's own messages don't wait for the disk.
            record = await asyncio.to_thread(read_stroke, request.query.get("archive", ""), key)
        except KineticsError as error:
            return web.Response(status=404, text=str(error))
        return web.json_response(record, headers={"Cache-Control": "private, max-age=600"})


def read_stroke(name: str, key: str) -> dict:
    """One clip's stroke, as :func:`kinetics.show.archive.stroke_record` has it; with the camera's movement taken out, where that is known."""
    from ..kinetics.show.archive import stroke_record

    archive = open_archive(name)
    row = clip_row(archive, key)
    about = next((row[at] for at in ("impact_t", "peak_tip_speed_t") if known(row[at])), None)
    stable = archive.pose(key, stabilised=True)
    return stroke_record(archive.pose(key) if stable.missing.all() else stable, about)


def read_clusters(path: Path) -> dict | None:
    """The columns of an archive's clusters, where they were made."""
    import pyarrow.parquet as pq

    file = path / "clusters.parquet"
    return pq.read_table(file).to_pydict() if file.is_file() else None


def clip_row(archive: Archive, key: str) -> dict:
    """When a clip's stroke is played, as far as the archive knows: ``impact_t`` and ``peak_tip_speed_t``, seconds or NaN.

    Raises
    ------
    KineticsError
        When it isn't in it.
    """
    import pyarrow.compute as pc

    rows = archive.clips(["key", "impact_t", "peak_tip_speed_t"]).filter(pc.field("key") == key).to_pylist()
    if not rows:
        raise KineticsError(f"The archive has no clip {key}; it was built anew: run the node again.")
    return rows[0]


def known(value: float | None) -> bool:
    return value is not None and value == value
