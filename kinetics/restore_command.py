"""``python -m kinetics restore``: a clip restored, and enlarged by Lanczos when asked."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def add_restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the .mp4 to write")
    parser.add_argument("--scan", choices=("auto", "progressive", "top", "bottom"), default="auto", help="whole frames, or which field comes first (default: found out)")
    parser.add_argument("--field-rate", action="store_true", help="a frame of every field")
    parser.add_argument("--denoise", type=float, default=1.0, metavar="X", help="part of the measured grain to take out, 0-3 (default: 1)")
    parser.add_argument("--sharpen", type=float, default=1.0, metavar="X", help="part of the measured softness to take back, 0-1 (default: 1)")
    parser.add_argument("--upscale", type=float, metavar="FACTOR", help="enlarge the result by Lanczos")


def run_restore(options: argparse.Namespace) -> None:
    from .commands import show_progress
    from .restore.pipeline import RestoreSettings, restore_clip
    from .upscale.clip import choose_size, upscale_clip
    from .video.decode import Clip

    clip = Clip(options.clip)
    scan = {"top": "top field first", "bottom": "bottom field first"}.get(options.scan, options.scan)
    settings = RestoreSettings(scan, options.field_rate, options.denoise, options.sharpen)
    size = choose_size((clip.info.width, clip.info.height), options.upscale) if options.upscale is not None else None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "restored.mp4") if size else options.output
        report = restore_clip(clip, target, settings, progress=show_progress("restoring"))
        if size:
            upscale_clip(Clip(target), options.output, size, progress=show_progress("enlarging"))
    for note in report.notes:
        print(note, file=sys.stderr)
    print(options.output)
