"""``python -m kinetics page``: clips on a page with Play All, with what was measured in each, and both composites."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KineticsError

if TYPE_CHECKING:
    from .compare.in_step import InStep
    from .show.page import PageClip


def add_page_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write; a page that lies there is replaced")
    parser.add_argument("--title", default="Shots", help="heading of the page")
    parser.add_argument("--no-skeletons", action="store_true", help="only the clips: nothing is looked for or measured in them")
    parser.add_argument("--no-composites", action="store_true", help="leave the side-by-side videos out")
    parser.add_argument("--longest", type=int, default=640, metavar="PX", help="longer side of the clips on the page (default: 640)")


def run_page(options: argparse.Namespace) -> None:
    from .commands import show_progress
    from .composites import build_composites
    from .names import tell_apart
    from .show.page import GIF_WIDTH, PageClip, write_page
    from .video.decode import Clip

    names = [name.replace("_", " ") for name in tell_apart([path.stem for path in options.clips])]
    for path in options.clips:
        Clip(path).info  # noqa: B018 - a clip that can't be read is told before minutes of work
    if options.no_skeletons:
        parts = [PageClip(Clip(path), name) for path, name in zip(options.clips, names, strict=True)]
    else:
        parts = [measure_clip(path, name, options) for path, name in zip(options.clips, names, strict=True)]
    with tempfile.TemporaryDirectory(prefix="kinetics_") as folder:
        composites = {}
        if not options.no_composites and len(parts) > 1:
            poses = [part.pose for part in parts]
            written = build_composites(
                options.clips, Path(folder), gif_width=GIF_WIDTH, poses=None if None in poses else poses, skeletons=None not in poses, progress=show_progress
            )
            composites = dict(zip(("The shots", "Their skeletons"), zip(written[::2], written[1::2], strict=True), strict=False))
        print(
            write_page(
                options.output, parts, title=options.title, in_step=line_up(parts), composites=composites, longest=options.longest,
                progress=show_progress("writing the page"),
            )
        )  # fmt: skip


def measure_clip(path: Path, name: str, options: argparse.Namespace) -> PageClip:
    """The batter and the swing of one clip; what could not be found becomes the tile's remark."""
    from .commands import measure_pose, track_in
    from .motion.measure import measure_swing
    from .pose.clean import clean
    from .show.page import PageClip
    from .video.decode import Clip

    clip, pose = Clip(path), None
    try:
        pose = clean(measure_pose(path, options))
        camera, track = track_in(clip, pose)
        return PageClip(clip, name, pose, measure_swing(track, pose, camera))
    except KineticsError as error:
        return PageClip(clip, name, pose, note=str(error))


def line_up(parts: list[PageClip]) -> InStep | None:
    """How the clips play in step, where every one has a skeleton that plays a shot."""
    from .compare.in_step import in_step_times
    from .compare.shot import as_shot

    shots = [part.swing or part.pose for part in parts]
    if len(parts) < 2 or None in shots:
        return None
    strokes = [as_shot(shot) for shot in shots]
    try:
        return in_step_times([stroke.pose for stroke in strokes], impacts=[stroke.impact for stroke in strokes])
    except KineticsError:
        return None  # somebody plays no shot: the page then offers what is left
