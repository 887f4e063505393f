"""A page of clips that play in step: one HTML file and its media, opened from the disk, with nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from ..compare.in_step import InStep
from ..errors import KineticsError, Progress
from ..motion.measure import SwingMeasurement
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from .proxy import write_proxy
from .sync import sync_maps
from .tile import make_tile

PARTS = Path(__file__).with_name("page_parts")

#: The viewers' own modules, which the page carries too.
MODULES = Path(__file__).parents[2] / "web" / "js"

#: Of the composites' GIFs, px: a page is put on the web, where six grainy clips at full width weigh more than all the rest.
GIF_WIDTH = 540

#: By this a folder is known as a page of ours, which may be replaced.
_OURS = '<meta name="generator" content="Correlated Kinetics">'

_LEAD = "Play all runs every clip on one clock; each tile also plays alone. Space plays, the arrow keys go frame by frame."
_FOOT = (
    "Speeds are those of the bat's tip in the picture's plane, with one standard error of what is random; where no length in the picture was known they are in body heights or pixels a second. "
    "A scale's own error comes on top. What could not be seen is missing, not guessed. Made with Correlated Kinetics."
)


@dataclass(frozen=True)
class PageClip:
    """One tile: the clip, its name, what was measured in it, and a sentence where something is to be said."""

    clip: Clip
    name: str
    pose: PoseSequence | None = None
    swing: SwingMeasurement | None = None
    note: str = ""


def write_page(
    folder: str | os.PathLike, clips: Sequence[PageClip], *, title: str = "Shots", in_step: InStep | None = None,
    composites: Mapping[str, Sequence[str | os.PathLike]] | None = None, longest: int = 640, progress: Progress | None = None,
) -> Path:  # fmt: skip
    """Write the page: ``index.html`` and a folder ``media``; all of it appears at once, or nothing.

    Parameters
    ----------
    folder : path
        To be made. A page that lies there is replaced.
    clips : sequence of PageClip
    title : str
        Any text, shown as it is.
    in_step : InStep, optional
        Of the same clips: offers to play them in step.
    composites : mapping of caption to files, optional
        The first file of each is played, all are offered; they are copied.
    longest : int
        Longer side of the clips' copies, px.
    progress : callable, optional
        progress(frames done, frames of all clips); may raise to cancel.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    KineticsError
        When there is no clip, the folder holds something else, or a clip or composite can't be read.
    """
    target = Path(folder)
    if not clips:
        raise KineticsError("There is no clip for the page; give one or more.")
    _check_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        (made / "media").mkdir()
        tiles = _write_tiles(made, clips, longest, progress)
        data = {"tiles": tiles, "sync": sync_maps(tiles, in_step=in_step)}
        (made / "index.html").write_text(page_text(title, data, _copy_composites(made, composites or {})), encoding="utf-8")
        made.chmod(0o755)
        _put(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target / "index.html"


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        return
    index = folder / "index.html"
    ours = folder.is_dir() and index.is_file() and _OURS in index.read_text(encoding="utf-8", errors="replace")[:2000]
    if not ours and not (folder.is_dir() and not any(folder.iterdir())):
        raise KineticsError(f"{folder} is there already and isn't a page of ours; choose another folder, or empty it.")


def _put(made: Path, target: Path) -> None:
    """Put the new folder in the old one's place, which is kept until the new one is there."""
    before = target.with_name(f".{target.name}.before")
    if target.exists():
        shutil.rmtree(before, ignore_errors=True)
        target.rename(before)
    try:
        made.rename(target)
    except OSError as error:
        if before.exists():
            before.rename(target)
        raise KineticsError(f"Can't write {target} ({error.strerror}); check the folder and its rights.") from error
    shutil.rmtree(before, ignore_errors=True)


def _write_tiles(made: Path, clips: Sequence[PageClip], longest: int, progress: Progress | None) -> list[dict[str, Any]]:
    total, done, tiles = sum(part.clip.info.frame_count for part in clips), 0, []
    for number, part in enumerate(clips, 1):
        name = f"{number:02}_{re.sub(r'[^A-Za-z0-9]+', '_', part.name).strip('_')[:40] or 'clip'}"
        step: Callable | None = progress and (lambda count, _, before=done: progress(min(before + count, total), total))
        info = part.clip.info
        times = write_proxy(part.clip, made / "media" / f"{name}.mp4", longest=longest, sound=True, progress=step)
        done += len(times)
        tile = make_tile(part.name, (info.width, info.height), times, pose=part.pose, swing=part.swing)
        _write_poster(made / "media" / f"{name}.mp4", tile, times)
        tiles.append(tile | {"video": f"media/{name}.mp4", "poster": f"media/{name}.jpg", "sound": info.has_audio, "note": part.note})
    return tiles


def _write_poster(video: Path, tile: dict[str, Any], times: np.ndarray) -> None:
    """The picture that is shown first: that of the impact where there is one, else the middle one."""
    impact = tile["swing"] and tile["swing"]["impact"]
    _save_picture(video, int(np.abs(times - (impact["t"] if impact else times[-1] / 2)).argmin()))


def _save_picture(video: Path, wanted: int) -> None:
    """Frame ``wanted`` of a video as a picture beside it."""
    from PIL import Image

    image = next(frame.image for frame in Clip(video).frames() if frame.index == wanted)
    Image.fromarray(image).save(video.with_suffix(".jpg"), quality=80)


def _copy_composites(made: Path, composites: Mapping[str, Sequence[str | os.PathLike]]) -> str:
    """Their part of the page; empty when there are none."""
    figures = []
    for number, (caption, files) in enumerate(composites.items(), 1):
        names = []
        for file in map(Path, files):
            names.append(f"media/composite_{number}{file.suffix.lower()}")
            try:
                shutil.copyfile(file, made / names[-1])
            except OSError as error:
                raise KineticsError(f"Can't read the composite {file} ({error.strerror}); check the path.") from error
        _save_picture(made / names[0], Clip(made / names[0]).info.frame_count // 2)
        links = " \u00b7 ".join(f'<a href="{html.escape(name)}" download>{html.escape(Path(name).suffix[1:].upper())}</a>' for name in names)
        figures.append(
            f'<figure><video src="{html.escape(names[0])}" poster="media/composite_{number}.jpg" controls loop muted playsinline preload="metadata"></video>'
            f"<figcaption>{html.escape(caption)}: {links}</figcaption></figure>\n"
        )
    return f'<h2>Side by side</h2>\n<div class="composites">\n{"".join(figures)}</div>\n' if figures else ""


def page_text(title: str, data: dict[str, Any], composites: str = "") -> str:
    """The page itself. What people wrote is escaped: a title as HTML, the data as JSON without ``<``."""
    modules = (MODULES / name for name in ("in_step.js", "overlay.js"))
    script = "\n".join(re.sub(r"^export ", "", path.read_text(encoding="utf-8"), flags=re.M) for path in (*modules, PARTS / "page.js"))
    style = (PARTS / "page.css").read_text(encoding="utf-8")
    return Template((PARTS / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title), lead=html.escape(_LEAD), foot=html.escape(_FOOT), composites=composites, style=style, script=script,
        style_hash=_hash(style), script_hash=_hash(script),
        data=json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"),
    )  # fmt: skip


def _hash(text: str) -> str:
    """What a Content-Security-Policy knows an inline script or style by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
