"""``python -m kinetics archive`` and ``nearest``: many clips measured into tables, and the shots among them that are most like one."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .errors import KineticsError


def add_archive_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", type=Path, nargs="+", metavar="CLIPS|DIR|LIST", help="clips, folders of clips, or .txt lists with one path a line")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="ARCHIVE", help="a new folder, or an archive to add to: what is in it already isn't measured again")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="processes of this machine, or a Ray cluster (default: local)")
    parser.add_argument("--address", help="of a Ray cluster, HOST:6379 or auto (default: Ray is started on this machine)")
    parser.add_argument("--workers", type=int, metavar="N", help="clips at a time (default: one per core)")
    parser.add_argument("--neighbours", type=int, metavar="K", help="also find the K nearest of every shot, and groups of shots that are alike with a typical one of each")
    parser.add_argument("--retry", action="store_true", help="try those again that failed in an earlier run")
    parser.add_argument("--estimator", choices=("mediapipe", "openpose", "rtmpose"), default="mediapipe")
    parser.add_argument("--weights", type=Path, help="file of the estimator's weights")
    parser.add_argument("--camera", choices=("auto", "still", "similarity", "homography"), default="auto", help="how the camera may move")
    parser.add_argument("--unit", choices=("auto", "px", "body", "m"), default="auto", help="of speeds; auto: body heights; m takes each bat to be 0.86 m long")


def run_archive(options: argparse.Namespace) -> None:
    from .archive.build import build_archive
    from .archive.measure import make_settings
    from .pose.estimators import ESTIMATORS
    from .pose.models import obtain_model

    if options.neighbours is not None and options.neighbours < 1:
        raise KineticsError(f"The {options.neighbours} nearest of every shot can't be found; give --neighbours 1 or more.")
    if options.download and options.weights is None:
        options.weights = obtain_model(ESTIMATORS[options.estimator][2])
    settings = make_settings(options.estimator, options.subject, options.camera, options.unit, options.weights)
    progress = _Rate()
    try:
        summary = build_archive(
            options.sources, options.output, options.engine, options.workers, options.address, options.retry, settings, options.weights, progress
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{progress.done} of {progress.total} clips are done and kept in {options.output}; the same command goes on from there.") from None
    finally:
        progress.end()
    print(f"{summary.sentence()} ({summary.seconds:.1f} s)", file=sys.stderr)
    if summary.failed or summary.passed_over:
        print(f"note: what failed, and why, is in {options.output / 'failures.parquet'} and in the report.", file=sys.stderr)
    if options.neighbours is not None:
        _find_neighbours(options)
    print(summary.report)


def _find_neighbours(options: argparse.Namespace) -> None:
    """The tables neighbours and clusters."""
    from .archive.clusters import build_clusters
    from .archive.neighbours import build_graph
    from .archive.store import Archive

    archive, progress = Archive.open(options.output), _Rate("neighbours", "shots")
    try:
        build_graph(archive, options.neighbours, engine=options.engine, workers=options.workers, address=options.address, progress=progress)
    finally:
        progress.end()
    typical = build_clusters(archive)
    print(f"{len(typical)} groups of shots that are alike; neighbours.parquet and clusters.parquet are in {options.output}.", file=sys.stderr)


class _Rate:
    """A line on standard error: how many are done, how many a minute, how long it still takes; rewritten, or now and then a new one when nobody watches."""

    def __init__(self, what: str = "archive", each: str = "clips") -> None:
        self._what, self._each = what, each
        self.done = self.total = 0
        self._first: tuple[float, int] | None = None
        self._shown = 0.0
        self._open = False

    def __call__(self, done: int, total: int) -> None:
        now, watched = time.monotonic(), sys.stderr.isatty()
        self._first = self._first or (now, done)
        self.done, self.total = done, total
        if now - self._shown < (0.2 if watched else 10.0) and done < total:
            return
        self._shown, self._open = now, watched
        spent, new = now - self._first[0], done - self._first[1]
        rate = f", {60 * new / spent:.1f} {self._each}/min, {_length(spent * (total - done) / new)} left" if new and done < total else ""
        print(f"\r\033[K{self._what}: {done}/{total}{rate}" if watched else f"{self._what}: {done}/{total}{rate}", end="" if watched else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Close the line."""
        if self._open:
            print(file=sys.stderr)


def _length(seconds: float) -> str:
    """A time for people: 42 s, 7 min, 3.4 h, 2.1 d."""
    for unit, size, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def add_nearest_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", type=Path, metavar="CLIP|POSE", help="a clip, or a skeleton file")
    parser.add_argument("--archive", type=Path, required=True, metavar="ARCHIVE", help="a folder that the command archive made")
    parser.add_argument("-k", type=int, default=5, metavar="K", help="how many (default: 5)")
    parser.add_argument("--weights", type=Path, help="file of the estimator's weights")


def run_nearest(options: argparse.Namespace) -> None:
    from .archive.neighbours import find_nearest
    from .archive.store import Archive

    archive = Archive.open(options.archive)
    for place, found in enumerate(find_nearest(_read_query(options, archive), archive, options.k), 1):
        print(f"{place}\t{found.distance:.4f}\t{found.key}\t{found.path}")


def _read_query(options: argparse.Namespace, archive):
    """What is searched for: the key of a clip that is in the archive, else a skeleton, measured as the archive's clips were."""
    from .archive.measure import find_skeleton
    from .archive.store import clip_key
    from .commands import is_skeleton, show_progress
    from .pose.models import file_sha256
    from .pose.sources import load_pose
    from .video.decode import Clip

    if is_skeleton(options.clip):
        return load_pose(options.clip)
    if not options.clip.is_file():
        raise KineticsError(f"{options.clip} is not there; give a clip or a skeleton file.")
    key = clip_key(file_sha256(options.clip), archive.settings_key)
    if key in archive:
        return key
    return find_skeleton(Clip(options.clip), archive.settings, options.weights, show_progress(f"{options.clip.name}: skeleton"))
