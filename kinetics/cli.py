"""The command line: python -m kinetics COMMAND. A bad input ends with status 2 and one line on standard error."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KineticsError, Progress

if TYPE_CHECKING:
    from .pose_sequence import PoseSequence


def size_argument(text: str) -> tuple[int, int]:
    """``1280x720`` → (1280, 720)."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, like 1280x720") from None
    if width < 16 or height < 16:
        raise argparse.ArgumentTypeError(f"{text!r} is too small: at least 16x16")
    return width, height


def grid_argument(text: str) -> tuple[int, int]:
    """``2x3`` → (2, 3): rows by columns."""
    try:
        rows, cols = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not ROWSxCOLUMNS, like 2x3") from None
    if rows < 1 or cols < 1:
        raise argparse.ArgumentTypeError(f"{text!r} has no tile: at least 1x1")
    return rows, cols


def rate_argument(text: str) -> Fraction:
    """``25``, ``29.97`` or ``30000/1001`` frames per second."""
    try:
        rate = Fraction(text).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate, like 25 or 30000/1001") from None
    if not 1 <= rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} frames per second is outside 1-1000")
    return rate


def show_progress(what: str) -> Progress:
    """A line on standard error that is rewritten as the work goes on; a line per tenth when nobody watches."""
    started = time.monotonic()
    last = -1.0
    tty = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        share = done / max(total, 1)
        if not (done >= total or (now - last > 0.2 if tty else share - last >= 0.1)):
            return
        last = now if tty else share
        left = (now - started) * (1 - share) / share if share > 0 else 0.0
        text = f"{what}: {done}/{total}" + (f", {left:.0f} s left" if done < total else f", {now - started:.1f} s")
        print(f"\r\033[K{text}" if tty else text, end="" if tty and done < total else "\n", file=sys.stderr, flush=True)

    return progress


def run_synth(options: argparse.Namespace) -> None:
    from .synthetic import SHOTS, write_sample_clips

    shots = tuple(options.shots.split(",")) if options.shots else SHOTS
    paths = write_sample_clips(
        options.out_dir, shots=shots, fps=options.fps, size=options.size, seed=options.seed, second_person=options.second_person,
        occlusion=options.occlusion, cut=options.cut, overlays=options.overlays, progress=show_progress("drawing"),
    )  # fmt: skip
    for path in paths:
        print(path)


def run_pose(options: argparse.Namespace) -> None:
    from .pose.clean import clean

    pose = read_pose(options) if options.clip.is_dir() or options.clip.suffix.lower() in (".json", ".npz") else measure_pose(options)
    if not options.raw:
        pose = clean(pose)
    pose.save(options.output)
    print(options.output)


def read_pose(options: argparse.Namespace) -> PoseSequence:
    """The skeleton in a file of this pack or of another tool."""
    from .pose.sources import load_pose

    person = int(options.subject) if options.subject.isdigit() else options.subject
    return load_pose(options.clip, fps=float(options.fps) if options.fps else None, person=person)


def measure_pose(options: argparse.Namespace) -> PoseSequence:
    """The skeleton found in a clip."""
    from .pose.estimators import make_estimator
    from .pose.extract import extract_pose
    from .video.decode import Clip

    if options.fps:
        raise KineticsError(f"{options.clip} is a clip and has its own times; --fps is for skeleton files without times.")
    with closing(make_estimator(options.estimator, weights=options.weights, download=options.download)) as estimator:
        return extract_pose(Clip(options.clip), estimator, subject=options.subject, progress=show_progress(f"{options.clip.name}: skeleton"))


def run_composites(options: argparse.Namespace) -> None:
    from .composites import build_composites

    written = build_composites(
        options.clips, options.output, grid=options.grid, tile=options.tile, fps=options.fps, skeletons=not options.no_skeletons,
        subject=options.subject, download=options.download, progress=show_progress,
    )  # fmt: skip
    for path in written:
        print(path)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kinetics", description="Measured motion from clips of a batter.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    synth = command("synth", run_synth, "Draw sample clips of a batter whose motion is known exactly; a truth JSON goes beside each.")
    synth.add_argument("out_dir", type=Path, metavar="OUT_DIR")
    synth.add_argument("--shots", help="shots by name, separated by commas (default: all six)")
    synth.add_argument("--fps", type=rate_argument, default=Fraction(25))
    synth.add_argument("--size", type=size_argument, default=(1280, 720), metavar="WxH")
    synth.add_argument("--seed", type=int, default=0)
    synth.add_argument("--second-person", action="store_true", help="a second person moves through the picture")
    synth.add_argument("--occlusion", action="store_true", help="somebody passes in front of the batter")
    synth.add_argument("--cut", action="store_true", help="the clip ends with a cut to another view")
    synth.add_argument("--overlays", action="store_true", help="a score bar and a watermark")

    pose = command("pose", run_pose, "Find the batter, follow that one person, and write the joints of every frame.")
    pose.add_argument("clip", type=Path, metavar="CLIP", help="a clip; or a skeleton file to convert: OpenPose or POSE_KEYPOINT JSON (file or folder), *_series.npz")
    pose.add_argument("-o", "--output", type=Path, required=True, metavar="POSE_JSON")
    pose.add_argument("--raw", action="store_true", help="leave out the clean-up (confidence gate, swaps, outliers, short gaps)")
    pose.add_argument("--estimator", choices=("mediapipe", "openpose", "rtmpose"), default="mediapipe")
    pose.add_argument("--fps", type=rate_argument, help="frames per second of a skeleton file that has no times")
    pose.add_argument("--weights", help="file of the estimator's weights")
    add_subject(pose)

    composites = command("composites", run_composites, "Clips side by side in step, and their skeletons, as MP4 and GIF.")
    composites.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    composites.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    composites.add_argument("--grid", type=grid_argument, metavar="RxC", help="rows by columns (default: by the number of clips; six: 2x3)")
    composites.add_argument("--tile", type=size_argument, default=(480, 270), metavar="WxH")
    composites.add_argument("--fps", type=rate_argument, default=Fraction(30))
    composites.add_argument("--no-skeletons", action="store_true", help="only the clips")
    add_subject(composites)
    return parser


def add_subject(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--subject", default="auto", metavar="auto|largest|X,Y[@FRAME]|N",
        help="whom to follow: the one who swings, the largest, the one at a point of a frame, or person N, from 0, left to right",
    )  # fmt: skip
    parser.add_argument("--download", action="store_true", help="fetch the pose model when it is missing (its SHA-256 is checked)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0, or 2 after a bad input, 130 after an interrupt.
    """
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except KineticsError as error:
        print(f"kinetics {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"kinetics {options.command}: stopped; nothing half-written is left.", file=sys.stderr)
        return 130
    return 0
