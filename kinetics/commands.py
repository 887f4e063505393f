"""What each command of the command line does; the parser is in :mod:`.cli`."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KineticsError, Progress
from .names import short_name, tell_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from .compare.shot import Shot
    from .motion.bat_track import BatTrack
    from .motion.camera import Camera
    from .pose_sequence import PoseSequence
    from .video.decode import Clip


#: Pairs of frames from which on a comparison says beforehand what it needs.
LONG_TABLE = 10_000_000


def show_progress(what: str | Callable[[], str]) -> Progress:
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
        text = f"{what() if callable(what) else what}: {done}/{total}" + (f", {left:.0f} s left" if done < total else f", {now - started:.1f} s")
        print(f"\r\033[K{text}" if tty else text, end="" if tty and done < total else "\n", file=sys.stderr, flush=True)

    return progress


def run_synth(options: argparse.Namespace) -> None:
    from .archive.engine import count_cores
    from .synthetic import SHOTS, write_sample_clips

    shots = tuple(options.shots.split(",")) if options.shots else SHOTS
    paths = write_sample_clips(
        options.out_dir, shots=shots, fps=options.fps, size=options.size, seed=options.seed, second_person=options.second_person,
        occlusion=options.occlusion, cut=options.cut, overlays=options.overlays, workers=count_cores(), progress=show_progress("drawing"),
    )  # fmt: skip
    for path in paths:
        print(path)


def run_pose(options: argparse.Namespace) -> None:
    from .pose.clean import clean

    pose = (read_pose if is_skeleton(options.clip) else measure_pose)(options.clip, options)
    if not options.raw:
        pose = clean(pose)
    pose.save(options.output)
    print(options.output)


def read_pose(source: Path, options: argparse.Namespace) -> PoseSequence:
    """The skeleton in a file of this pack or of another tool."""
    from .pose.sources import load_pose

    person = int(options.subject) if options.subject.isdigit() else options.subject
    return load_pose(source, fps=float(options.fps) if options.fps else None, person=person)


def measure_pose(source: Path, options: argparse.Namespace) -> PoseSequence:
    """The skeleton found in a clip."""
    from .pose.estimators import make_estimator
    from .pose.extract import extract_pose
    from .video.decode import Clip

    if options.fps:
        raise KineticsError(f"{source} is a clip and has its own times; --fps is for skeleton files without times.")
    with closing(make_estimator(options.estimator, weights=options.weights, download=options.download)) as estimator:
        return extract_pose(Clip(source), estimator, subject=options.subject, progress=show_progress(f"{source.name}: skeleton"))


def run_swing(options: argparse.Namespace) -> None:
    from .motion.export import export_swing
    from .motion.measure import measure_swing
    from .plots.swing import plot_swing
    from .plots.swing_video import render_swing_video
    from .plots.trajectory import plot_trajectory
    from .video.decode import Clip

    pose, camera, track = read_bat(options) if is_skeleton(options.clip) else follow_bat(options)
    swing = measure_swing(
        track, pose, camera, scale=options.scale, unit=options.unit, method=options.method, window=options.window, degree=options.degree,
        exposure=options.exposure,
    )  # fmt: skip
    written = export_swing(swing, options.output, ("json", "csv", *options.also))
    clip = None if is_skeleton(options.clip) else Clip(options.clip)
    for name, draw in (("swing.png", plot_swing), ("trajectory.png", partial(plot_trajectory, clip=clip))):
        draw(swing, path=options.output / name)
        written.append(options.output / name)
    if options.video:
        written.append(render_swing_video(swing, clip, options.output / "swing.mp4", progress=show_progress("drawing")))
    for path in written:
        print(path)
    for flag in swing.flags:
        print(f"note: {flag}", file=sys.stderr)


def is_skeleton(path: Path) -> bool:
    """Whether a source is a skeleton file or folder, not a clip."""
    return path.is_dir() or path.suffix.lower() in (".json", ".npz")


def read_bat(options: argparse.Namespace) -> tuple[PoseSequence, None, BatTrack]:
    """Skeleton and bat of a file whose skeleton carries a ``bat_tip``."""
    from .motion.pose_track import track_from_pose

    for given, name in ((options.marks, "--mark"), (options.pose, "--pose"), (options.video, "--video")):
        if given:
            raise KineticsError(f"{options.clip} is a skeleton file; {name} needs the clip.")
    pose = read_pose(options.clip, options)
    return pose, None, track_from_pose(pose, grip=options.grip)


def follow_bat(options: argparse.Namespace) -> tuple[PoseSequence, Camera, BatTrack]:
    """Skeleton, camera and bat found in a clip."""
    from .pose.clean import clean
    from .pose_sequence import PoseSequence
    from .video.decode import Clip

    pose = PoseSequence.load(options.pose) if options.pose else clean(measure_pose(options.clip, options))
    settings = {"marks": options.marks, "forearm": options.forearm, "grip": options.grip}
    return pose, *track_in(Clip(options.clip), pose, options.camera, **settings)


def track_in(clip: Clip, pose: PoseSequence, model: str = "auto", **settings) -> tuple[Camera, BatTrack]:
    """Camera and bat of a clip whose skeleton is known."""
    from .motion.bat import track_bat
    from .motion.camera import track_camera

    camera = track_camera(clip, pose, model=model, progress=show_progress(f"{clip.name}: camera"))
    return camera, track_bat(clip, pose, camera, progress=show_progress(f"{clip.name}: bat"), **settings)


def run_composites(options: argparse.Namespace) -> None:
    from .composites import build_composites

    written = build_composites(
        options.clips, options.output, grid=options.grid, tile=options.tile, fps=options.fps, skeletons=not options.no_skeletons,
        sync=options.sync, subject=options.subject, download=options.download, progress=show_progress,
    )  # fmt: skip
    for path in written:
        print(path)


def run_compare(options: argparse.Namespace) -> None:
    from .compare.align import compare_shots, cut_shot
    from .compare.dtw import estimate_memory
    from .compare.shot import Shot, pair_speeds
    from .plots.corrpath import plot_corrpath

    if "tip_speed" in options.features and not options.bat:
        raise KineticsError("The feature tip_speed needs the bat; add --bat.")
    if options.bat and options.find:
        raise KineticsError("--find looks for a posture and --bat measures one stroke; use one of them at a time.")
    ref, other = (measured_shot(source, options) if options.bat else Shot(stabilised_pose(source, options)) for source in (options.ref, options.other))
    if options.find:
        other = Shot(cut_shot(ref.pose, other.pose, joints=options.joints, mirror=options.mirror)[0])
    speeds, impact = pair_speeds((ref, other)), (ref.impact, other.impact)
    if len(ref.pose) * len(other.pose) > LONG_TABLE:
        need = estimate_memory(len(ref.pose), len(other.pose), 2 * len(ref.pose.names), None)
        print(f"note: warping {len(ref.pose)} × {len(other.pose)} frames takes up to {need / 1e6:.0f} MB and a while.", file=sys.stderr)
    comparison = compare_shots(
        ref.pose, other.pose, features=options.features, joints=options.joints, band=options.band, root=options.root, mirror=options.mirror,
        tip_speeds=speeds, impact=impact, through_impact=None not in impact,
    )  # fmt: skip
    options.output.mkdir(parents=True, exist_ok=True)
    comparison.save(options.output / "compare.json")
    series = None if speeds is None else (*speeds, f"tip speed ({ref.speed_unit})")
    plot_corrpath(comparison, series=series, path=options.output / "compare_corrpath.png")
    for name in ("compare.json", "compare_corrpath.png"):
        print(options.output / name)


def run_chain(options: argparse.Namespace) -> None:
    from .compare.chain import find_chains
    from .compare.chain_group import common_times
    from .files import write_json
    from .plots.chain import plot_chain, plot_chains

    names = tell_apart([short_name(source) for source in options.sources])
    poses = [pose_with_bat(source, options) for source in options.sources]
    found = find_chains(poses, options.preset, names=names, time_maps=common_times(poses) if options.common_time else None)
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "chain.json", found.to_dict())
    written = [options.output / "chain.json"]
    for chain in found.chains:
        written.append(options.output / f"{chain.name}_corrpath.png")
        plot_chain(chain, path=written[-1])
    if found.across is not None:
        written.append(options.output / "across_corrpath.png")
        plot_chains(found, path=written[-1])
    for path in written:
        print(path)


def stabilised_pose(source: Path, options: argparse.Namespace) -> PoseSequence:
    """The skeleton of a source; that of a clip cleaned, and with the camera's movement taken out."""
    from .motion.camera import stabilise_pose, track_camera
    from .pose.clean import clean
    from .video.decode import Clip

    if is_skeleton(source):
        return read_pose(source, options)
    pose = clean(measure_pose(source, options))
    return stabilise_pose(pose, track_camera(Clip(source), pose, progress=show_progress(f"{source.name}: camera")))


def measured_shot(source: Path, options: argparse.Namespace) -> Shot:
    """A stroke with its bat followed and measured."""
    from .compare.shot import as_shot
    from .motion.measure import measure_swing
    from .motion.pose_track import track_from_pose
    from .pose.clean import clean
    from .video.decode import Clip

    if is_skeleton(source):
        pose = read_pose(source, options)
        return as_shot(measure_swing(track_from_pose(pose), pose, None))
    pose = clean(measure_pose(source, options))
    camera, track = track_in(Clip(source), pose)
    return as_shot(measure_swing(track, pose, camera))


def pose_with_bat(source: Path, options: argparse.Namespace) -> PoseSequence:
    """The skeleton of a source with the joint ``bat_tip``; in a clip the bat is followed first."""
    return read_pose(source, options) if is_skeleton(source) else measured_shot(source, options).pose
