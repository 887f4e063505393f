"""The command line: python -m kinetics COMMAND. A bad input ends with status 2 and one line on standard error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .archive_command import add_archive_arguments, add_nearest_arguments, run_archive, run_nearest
from .commands import run_chain, run_compare, run_composites, run_pose, run_swing, run_synth
from .dataset_command import add_dataset_arguments, run_dataset
from .errors import KineticsError
from .page_command import add_page_arguments, run_page
from .restore_command import add_restore_arguments, run_restore
from .score_command import add_score_arguments, run_score
from .train_command import add_train_arguments, run_train

if TYPE_CHECKING:
    from .motion.bat_track import Mark
    from .motion.scale import Yardstick


def size_argument(text: str) -> tuple[int, int]:
    """``1280x720`` -> (1280, 720)."""
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, like 1280x720") from None
    if width < 16 or height < 16:
        raise argparse.ArgumentTypeError(f"{text!r} is too small: at least 16x16")
    return width, height


def grid_argument(text: str) -> tuple[int, int]:
    """``2x3`` -> (2, 3): rows by columns."""
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


def mark_argument(text: str) -> Mark:
    """``41,655.5,300`` -> the tip in frame 41."""
    from .motion.bat_track import read_mark

    try:
        return read_mark(text)
    except KineticsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def scale_argument(text: str) -> Yardstick:
    """``bat``, ``bat=0.88``, ``height=1.80``, ``stumps=FRAME,X1,Y1,X2,Y2``, ``crease=...`` or ``METRES=FRAME,X1,Y1,X2,Y2``."""
    from .motion.scale import CREASE, STUMPS, BatLength, BodyHeight, MarkedLength

    kind, _, value = text.partition("=")
    try:
        if kind == "bat":
            return BatLength(float(value)) if value else BatLength()
        if kind == "height":
            return BodyHeight(float(value))
        frame, x1, y1, x2, y2 = value.split(",")
        named = {"stumps": (STUMPS, "the stumps"), "crease": (CREASE, "the crease")}
        metres, name = named[kind] if kind in named else (float(kind), "a marked length")
        return MarkedLength(int(frame), (float(x1), float(y1)), (float(x2), float(y2)), metres, name)
    except ValueError:
        raise argparse.ArgumentTypeError(f"can't read the scale {text!r}: give bat, bat=0.86, height=1.80 or stumps=FRAME,X1,Y1,X2,Y2") from None


class OneLineParser(argparse.ArgumentParser):
    """Answers a wrong argument with one line, as any other bad input is; --help tells the usage."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog.removeprefix('python -m ')}: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m kinetics", description="Measured motion from clips of a batter.")
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
    add_source(pose)

    swing = command("swing", run_swing, "Bat-tip speed and angular velocity with standard errors, phases and flags: swing.json, swing.csv, swing.png.")
    swing.add_argument("clip", type=Path, metavar="CLIP|POSE", help="a clip; or a skeleton file with a bat_tip: pose.json, *_series.npz")
    swing.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    swing.add_argument("--mark", dest="marks", type=mark_argument, action="append", default=[], metavar="FRAME,X,Y", help="a tip that you marked; may be given several times")
    swing.add_argument("--pose", type=Path, metavar="POSE_JSON", help="the clip's skeleton, when it was found already")
    swing.add_argument("--camera", choices=("auto", "still", "similarity", "homography"), default="auto", help="how the camera may move")
    swing.add_argument("--grip", choices=("midpoint", "top", "bottom"), default="midpoint", help="what counts as the hands")
    swing.add_argument("--forearm", action="store_true", help="where no tip is found, guess it along the forearms; flagged, with a wide error")
    swing.add_argument(
        "--scale", type=scale_argument, action="append", metavar="KIND[=VALUE]",
        help="a known length: bat=0.86 (m), height=1.80, stumps=FRAME,X1,Y1,X2,Y2, crease=FRAME,X1,Y1,X2,Y2 or METRES=FRAME,X1,Y1,X2,Y2",
    )  # fmt: skip
    swing.add_argument("--unit", choices=("auto", "px", "body", "m"), default="auto", help="auto: m with a --scale, else body heights")
    swing.add_argument("--method", choices=("spline", "centred", "savgol"), default="spline")
    swing.add_argument("--window", type=float, default=0.2, metavar="SECONDS", help="of savgol")
    swing.add_argument("--degree", type=int, default=2, help="of savgol")
    swing.add_argument("--exposure", type=float, metavar="SECONDS", help="how long the shutter is open, for the flag on blur")
    swing.add_argument("--also", choices=("npz", "trc"), nargs="+", default=[], help="more files to write")
    swing.add_argument("--video", action="store_true", help="the clip with skeleton, bat, trail and dials: swing.mp4")
    add_source(swing)

    compare = command("compare", run_compare, "Two shots laid on each other in space (Procrustes) and time (DTW): compare.json, compare_corrpath.png.")
    compare.add_argument("ref", type=Path, metavar="REF", help="a clip, or a skeleton file")
    compare.add_argument("other", type=Path, metavar="OTHER", help="the shot that is laid on it")
    compare.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    compare.add_argument("--features", nargs="+", choices=("positions", "angles", "velocities", "tip_speed"), default=["positions"], help="what is compared; tip_speed needs --bat")
    compare.add_argument("--joints", nargs="+", help="joints that count (default: all that both have)")
    compare.add_argument("--band", type=float, help="Sakoe-Chiba band: frames, or up to 1 a part of the shorter shot")
    compare.add_argument("--root", action="store_true", help="put the pelvis at the origin of every frame first")
    compare.add_argument("--mirror", action="store_true", help="mirror OTHER: a left-hander laid on a right-hander")
    compare.add_argument("--bat", action="store_true", help="follow the bat in both: the path pairs both impacts, where they are found, and the tip speeds are drawn")
    compare.add_argument("--find", action="store_true", help="OTHER is a long clip: find where REF is played in it first")
    add_source(compare)

    chain = command("chain", run_chain, "The kinetic chain from the ground to the bat: chain.json, <name>_corrpath.png.")
    chain.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="clips, or skeleton files with a bat_tip")
    chain.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    chain.add_argument("--common-time", action="store_true", help="tell the lags across clips on the time of the first one, by DTW")
    chain.add_argument("--preset", choices=("default", "whitepaper"), default="default", help="whitepaper: step by step as published")
    add_source(chain)

    composites = command("composites", run_composites, "Clips side by side in step, and their skeletons, as MP4 and GIF.")
    composites.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    composites.add_argument("-o", "--output", type=Path, required=True, metavar="OUT_DIR")
    composites.add_argument("--grid", type=grid_argument, metavar="RxC", help="rows by columns (default: by the number of clips; six: 2x3)")
    composites.add_argument("--tile", type=size_argument, default=(480, 270), metavar="WxH")
    composites.add_argument("--fps", type=rate_argument, default=Fraction(30))
    composites.add_argument("--no-skeletons", action="store_true", help="only the clips")
    composites.add_argument(
        "--sync", choices=("start", "impact", "dtw"), default="start",
        help="start together; or strike together, each at its own pace (impact) or warped onto the first clip's time (dtw)",
    )  # fmt: skip
    add_subject(composites)

    page = command("page", run_page, "A page of clips with Play All, opened from the disk: index.html and its media.")
    add_page_arguments(page)
    add_source(page)

    dataset = command("dataset", run_dataset, "Pictures of a batter's style to train on, chosen by the motion: crops, pose hints, masks, captions.")
    add_dataset_arguments(dataset)
    add_source(dataset)

    add_restore_arguments(command("restore", run_restore, "Old footage made clean: fields, grain, blocks and softness, measured from the clip and taken out along the motion."))
    add_train_arguments(command("train", run_train, "Train a LoRA of a batter's style, with the pose ControlNet in the loop; also under accelerate launch -m."))

    score = command("score", run_score, "Frames against the pose that drove them, beside the detector's noise floor; LoRAs on held-out clips: score.json, score.csv, score.png.")
    add_score_arguments(score)
    add_source(score)

    archive = command("archive", run_archive, "Many clips measured into Parquet tables, on this machine or on a Ray cluster; only what is new is measured.")
    add_archive_arguments(archive)
    add_subject(archive)

    add_nearest_arguments(command("nearest", run_nearest, "The shots of an archive that are most like one: rank, distance in trunk lengths, key, file."))
    return parser


def add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--estimator", choices=("mediapipe", "openpose", "rtmpose"), default="mediapipe")
    parser.add_argument("--fps", type=rate_argument, help="frames per second of a skeleton file that has no times")
    parser.add_argument("--weights", help="file of the estimator's weights")
    add_subject(parser)


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
    except KeyboardInterrupt as stopped:
        print(f"kinetics {options.command}: stopped. {' '.join(map(str, stopped.args)) or 'Nothing half-written is left.'}", file=sys.stderr)
        return 130
    return 0
