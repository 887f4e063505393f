"""``python -m kinetics dataset``: a style dataset out of clips, everything measured on the way."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import measure_pose, show_progress, track_in
from .errors import KineticsError, MissingDependency
from .style.captions import DEFAULT_TEMPLATE

if TYPE_CHECKING:
    from .style.frames import StyleShot


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP", help="a file named after its stroke is captioned so: cover_drive_02.mp4")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="a new folder, or an older style dataset to replace")
    parser.add_argument("--trigger", default="ckbatter", help="the word that will call the style up")
    parser.add_argument("--template", default=DEFAULT_TEMPLATE, help="the caption, with {trigger}, {shot}, {phase} and {tempo} (default: %(default)s)")
    parser.add_argument("--shots", help="what captions call the strokes, one per clip, separated by commas (default: from the files' names)")
    parser.add_argument("--resolution", type=int, default=512, help="pictures have about this number squared of pixels: 512 for SD1.5, 1024 for SDXL")
    parser.add_argument("--frames-per-clip", type=int, default=24, metavar="N", help="at most (default: 24)")
    parser.add_argument("--held-out", type=float, default=0.15, metavar="N", help="clips for validation: their number, or below 1 a share; 0 for none (default: 0.15)")
    parser.add_argument("--no-bat", action="store_true", help="leave the bat out of the pose hints")
    parser.add_argument("--exposure", type=float, metavar="SECONDS", help="how long the shutter was open, to foretell blur")
    parser.add_argument("--seed", type=int, default=0, help="draws the clips that are held out")


def run_dataset(options: argparse.Namespace) -> None:
    from .style.dataset import build_style_dataset, check_settings, report
    from .style.folder import check_place
    from .style.samples import is_dataset

    labels = options.shots.split(",") if options.shots else [""] * len(options.clips)
    if len(labels) != len(options.clips):
        raise KineticsError(f"--shots names {len(labels)} strokes and there are {len(options.clips)} clips; give one per clip.")
    # What can be known to fail is told before minutes of measuring.
    footage = [str(path.resolve()) for path in options.clips]
    check_settings(footage, options.trigger, options.template, options.resolution, None, options.frames_per_clip, options.held_out)
    check_place(options.output, is_dataset)
    shots = [measure_shot(path, label.strip(), options) for path, label in zip(options.clips, labels, strict=True)]
    dataset = build_style_dataset(
        shots, options.output, trigger=options.trigger, template=options.template, resolution=options.resolution,
        frames_per_clip=options.frames_per_clip, held_out=options.held_out, bat_layer=not options.no_bat, seed=options.seed,
        progress=show_progress("dataset"),
    )  # fmt: skip
    print(report(dataset), file=sys.stderr)
    print(options.output)


def measure_shot(path: Path, label: str, options: argparse.Namespace) -> StyleShot:
    """Skeleton and swing of a clip; without a swing, and a note, where its bat can't be measured."""
    from .motion.measure import measure_swing
    from .pose.clean import clean
    from .style.frames import StyleShot
    from .video.decode import Clip

    clip = Clip(path)
    pose = clean(measure_pose(path, options))
    swing = None
    try:
        camera, track = track_in(clip, pose)
        swing = measure_swing(track, pose, camera, exposure=options.exposure)
    except MissingDependency:
        raise
    except KineticsError as error:
        print(f"note: {path.name} goes in without a swing: {error}", file=sys.stderr)
    return StyleShot(clip, pose, swing, shot=label, footage=str(path.resolve()), exposure=options.exposure)
