"""The archive's engines: the same tables from both, clips a minute against a plain loop, and what a clip costs.

    python benchmarks/archive.py [--clips 60] [--workers 2] [--keep DIR] [--parts equal speed driver]

Clips: cuts of the six drawn strokes about the impact, 320x180 at 25 fps, each of another start, side, size and grain, so that no two are alike. Two in five
hold 1.2 s; the others 0.48 s, in which some things can't be told: the reasons have to be the same too.
``equal``: an archive by the engine local and one by Ray; keys have to be the same bit by bit, values to 1e-12 (in fact they are compared for the largest difference),
and a second run has to compute nothing. ``speed``: a plain loop in this process, then each engine on 1 and on ``--workers`` workers, over the same clips;
efficiency is the rate over (workers x the plain loop's rate), with the start of the workers, and from the moment on when each has finished one. CPU seconds a clip are told too, where they can be: on a machine that others use they say more than the clock.
``driver``: what a finished clip costs the one process that writes, from a worker's answer to the sealed batch.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kinetics.archive.worker import ONE_THREAD

os.environ.update(ONE_THREAD)  # the plain loop too, before numpy is there

import numpy as np

from kinetics.archive.build import build_archive
from kinetics.archive.measure import make_settings, measure_clip
from kinetics.archive.store import Archive
from kinetics.files import read_json
from kinetics.synthetic import SHOTS, write_sample_clips
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


def make_clips(folder: Path, count: int, drawn: Path | None) -> list[Path]:
    """``count`` short clips, no two alike."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    wanted = [folder / f"{SHOTS[k % len(SHOTS)]}_{k // len(SHOTS):02}.mp4" for k in range(count)]
    if all(path.exists() for path in wanted):
        return wanted
    strokes = drawn or folder / ".strokes"
    if drawn is None:
        write_sample_clips(strokes, size=(640, 360))
    for k, path in enumerate(wanted):
        shot, variant = SHOTS[k % len(SHOTS)], k // len(SHOTS)
        impact = read_json(strokes / f"{shot}.truth.json")["impact_time_s"]
        rng = np.random.default_rng((k, 8))
        scale, left, length = 1 + 0.02 * variant, variant % 2, 1.2 if variant % 5 < 2 else 0.48
        with VideoWriter(path, 320, 180, 25) as writer:
            for frame in Clip(strokes / f"{shot}.mp4").trimmed(max(0.0, impact - 2 * length / 3 + 0.01 * variant), length).frames():
                image = cv2.resize(frame.image, (round(320 * scale), round(180 * scale)), interpolation=cv2.INTER_AREA)
                top, side = (image.shape[0] - 180) // 2, (image.shape[1] - 320) // 2
                image = image[top : top + 180, side : side + 320]
                image = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
                writer.write(np.ascontiguousarray(image[:, ::-1] if left else image))
    return wanted


def cpu_seconds() -> float:
    """Of this process and its ended children."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def largest_difference(first: Archive, second: Archive) -> dict[str, float]:
    """Per table, the largest difference of any number; the texts have to be equal."""
    worst = {}
    for name in ("clips", "frames", "edges"):
        tables = []
        for archive in (first, second):
            import pyarrow.parquet

            parts = [pyarrow.parquet.ParquetFile(path).read() for path in sorted((archive.folder / name).glob("*.parquet"))]
            table = pyarrow.concat_tables(parts).unify_dictionaries().combine_chunks()
            keep = [column for column in table.column_names if not column.startswith("seconds_")]
            order = [("key", "ascending")] + {"clips": [], "frames": [("frame", "ascending"), ("joint", "ascending")], "edges": [("source", "ascending"), ("target", "ascending")]}[name]
            tables.append(table.select(keep).sort_by(order) if name != "frames" else _plain(table.select(keep)).sort_by(order))
        assert tables[0].num_rows == tables[1].num_rows, name
        most = 0.0
        for column in tables[0].column_names:
            a, b = (table[column].to_pylist() for table in tables)
            if isinstance(a[0] if a else None, float):
                x, y = np.array(a), np.array(b)
                assert (np.isnan(x) == np.isnan(y)).all(), (name, column)
                most = max(most, float(np.nanmax(np.abs(x - y), initial=0.0)))
            else:
                assert a == b, (name, column)
        worst[name] = most
        print(f"  {name}: {tables[0].num_rows} rows, largest difference {most:g}")
    return worst


def _plain(table):
    """Dictionaries undone, so that the rows can be put in order."""
    import pyarrow

    for column in ("key", "joint"):
        table = table.set_column(table.column_names.index(column), column, table[column].cast(pyarrow.string()))
    return table


def compare_engines(clips: list[Path], out: Path, workers: int) -> None:
    for engine in ("local", "ray"):
        began, spent = time.perf_counter(), cpu_seconds()
        summary = build_archive(clips, out / engine, engine, workers, progress=tell(engine))
        print(f"{engine}: {summary.sentence()}; {time.perf_counter() - began:.0f} s, {(cpu_seconds() - spent) / len(clips):.1f} CPU s a clip", flush=True)
        began = time.perf_counter()
        again = build_archive(clips, out / engine, engine, workers)
        print(f"{engine}, second run: {again.sentence()}; {time.perf_counter() - began:.1f} s", flush=True)
        assert again.known == len(clips) and again.measured == again.failed == 0
    first, second = (Archive.open(out / engine) for engine in ("local", "ray"))
    assert first.keys() == second.keys()
    print(f"local against ray: {len(first.keys())} keys, the same bit by bit")
    assert max(largest_difference(first, second).values()) <= 1e-12
    peaks = first.clips(["peak_tip_speed"])["peak_tip_speed"].to_numpy()
    print(f"  {np.isfinite(peaks).sum()} of the clips have a peak")
    size = {name: sum(path.stat().st_size for path in (first.folder / name).iterdir()) / len(clips) for name in ("clips", "frames", "edges")}
    frames = first.clips(["frames"])["frames"].to_numpy().mean()
    print(f"  on disk a clip of {frames:.0f} frames: " + ", ".join(f"{name} {value / 1000:.1f} kB" for name, value in size.items()))


def tell(what: str):
    last = [0.0]

    def progress(done: int, total: int) -> None:
        if time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            print(f"  {what} {done}/{total}", file=sys.stderr, flush=True)

    return progress


def measure_speed(clips: list[Path], out: Path, workers: int) -> None:
    settings = make_settings()
    measure_clip(clips[0], settings)  # imports
    began, spent = time.perf_counter(), cpu_seconds()
    for path in clips:
        measure_clip(path, settings)
    plain = len(clips) / (time.perf_counter() - began)
    print(f"plain loop: {60 * plain:.2f} clips/min, {(cpu_seconds() - spent) / len(clips):.2f} CPU s a clip", flush=True)
    for engine in ("local", "ray"):
        for count in sorted({1, workers}):
            spent, marks = cpu_seconds(), []
            summary = build_archive(clips, out / f"{engine}_{count}", engine, count, progress=lambda done, total, marks=marks: marks.append((time.perf_counter(), done)))
            assert summary.measured == len(clips)
            whole = len(clips) / (marks[-1][0] - marks[0][0])
            warm = next(t for t, done in marks if done >= count)
            steady = (len(clips) - count) / (marks[-1][0] - warm)
            cost = f"{(cpu_seconds() - spent) / len(clips):.2f} CPU s a clip; " if engine == "local" else ""  # Ray's workers are no children of this process
            print(
                f"{engine}, {count} workers: {60 * whole:.2f} clips/min with the start of the workers, {60 * steady:.2f} from then on, "
                f"{cost}efficiency {whole / (count * plain):.2f} and {steady / (count * plain):.2f}", flush=True,
            )  # fmt: skip


def measure_driver(clips: list[Path], out: Path) -> None:
    settings = make_settings()
    answer = pickle.dumps(measure_clip(clips[0], settings), protocol=5)
    with Archive.create_or_open(out / "driver", settings) as archive:
        began = time.perf_counter()
        for k in range(256):
            tables = pickle.loads(answer)
            for table in tables.values():
                table["key"] = [f"{k:032x}"] * len(table["key"])
            archive.add(f"{k:032x}", tables)
        added = time.perf_counter()
        archive.seal()
        sealed = time.perf_counter()
    print(f"driver: {1000 * (added - began) / 256:.1f} ms to keep a clip, {1000 * (sealed - added) / 256:.1f} ms to seal it; an answer is {len(answer) / 1000:.0f} kB")
    keys = sorted(Archive.open(out / "driver").keys())
    reader = Archive.open(out / "driver")
    times = []
    for key in keys[::16]:
        began = time.perf_counter()
        reader.pose(key)
        times.append(time.perf_counter() - began)
    print(f"one skeleton read: {1000 * np.median(times):.1f} ms; peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for clips and archives; a temporary one when left out")
    parser.add_argument("--drawn", type=Path, help="the six sample clips with their truths, where they are drawn already")
    parser.add_argument("--parts", nargs="+", choices=("equal", "speed", "driver"), default=("equal", "speed", "driver"))
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kinetics_archive_"))
    try:
        clips = make_clips(folder / "clips", options.clips, options.drawn)
        if "equal" in options.parts:
            compare_engines(clips, folder, options.workers)
        if "speed" in options.parts:
            measure_speed(clips, folder, options.workers)
        if "driver" in options.parts:
            measure_driver(clips, folder)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
