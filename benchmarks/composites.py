"""Six 720p clips to a 2×3 grid: kinetics against one ffmpeg command that does the same, in one run.

    python benchmarks/composites.py [--seconds 10] [--repeats 5] [--json composites.json]

Both get the same clips, the same tiles, bicubic scaling, libx264 with the same preset and quality and its own choice of threads.
Repeats alternate, and swap who goes first. Each measurement is a process of its own; peak memory is that process's. For kinetics two
wall times are given: the composition alone, as in a server that is up, and the whole process with Python's start. The last part
composes clips ten times as long and compares peak memory. Needs imageio-ffmpeg for the ffmpeg binary.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CLIPS, ROWS, COLS = 6, 2, 3
TILE, GAP, FPS, CRF, PRESET = (480, 270), 4, 30, 18, "fast"


def make_clips(folder: Path, seconds: float) -> list[Path]:
    """Write the clips, 1280×720 at 25 fps: a lit field, moving shapes, a slow pan and grain."""
    import numpy as np

    from kinetics.video.encode import VideoWriter

    rng = np.random.default_rng(7)
    frames = round(seconds * 25)
    y, x = np.mgrid[0:720, 0:1480]
    grain = rng.normal(0, 2.5, (8, 720, 1280, 1)).astype(np.int16)
    paths = []
    for clip in range(CLIPS):
        field = np.stack([60 + 40 * np.sin(x / 90 + clip) + y / 12, 90 + 50 * np.cos(y / 70 + clip) + 0 * x, 70 + x / 20 + 0 * y], axis=-1).astype(np.int16)
        paths.append(folder / f"clip_{clip}_{frames}.mp4")
        with VideoWriter(paths[-1], 1280, 720, 25, crf=23, preset="veryfast") as writer:
            for k in range(frames):
                shift = int(100 + 90 * np.sin(k / 40 + clip))
                image = field[:, shift : shift + 1280] + grain[k % 8]
                left, top = int(550 + 450 * np.sin(k / 15 + clip)), int(280 + 150 * np.cos(k / 11))
                image[top : top + 160, left : left + 90] = (230, 40 * clip, 60)
                writer.write(image.clip(0, 255).astype(np.uint8))
    return paths


def repeat_clip(path: Path, times: int) -> Path:
    """The clip ``times`` over, its packets copied: as long to decode as a clip of that length, quick to make."""
    import av

    longer = path.with_stem(f"{path.stem}_x{times}")
    with av.open(str(longer), "w") as target:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(path)) as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                end = 0
                for packet in source.demux(source.streams.video[0]):
                    if packet.size:
                        end = max(end, packet.pts + packet.duration)
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        target.mux(packet)
                shift += end
    return longer


def compose(output: str, clips: list[str]) -> None:
    """What a measured process of kinetics does; prints its wall time in seconds and its peak memory in MiB."""
    from kinetics.video.decode import Clip
    from kinetics.video.grid import compose_grid

    began = time.perf_counter()
    compose_grid([Clip(clip) for clip in clips], output, ROWS, COLS, TILE, FPS, gap=GAP, background=(0, 0, 0), crf=CRF, preset=PRESET)
    wall, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))


def run_kinetics(clips: list[Path], output: Path) -> dict[str, float]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--compose", output, *clips], capture_output=True, check=True)
    return {**json.loads(done.stdout), "process": time.perf_counter() - began}


def run_ffmpeg(clips: list[Path], output: Path) -> dict[str, float]:
    import imageio_ffmpeg

    width, height = TILE
    chains = [
        f"[{k}:v]fps={FPS},scale={width}:{height}:force_original_aspect_ratio=decrease:flags=bicubic,pad={width}:{height}:-1:-1[t{k}]" for k in range(len(clips))
    ]
    corners = "|".join(f"{col * (width + GAP)}_{row * (height + GAP)}" for row in range(ROWS) for col in range(COLS))
    stack = "".join(f"[t{k}]" for k in range(len(clips))) + f"xstack=inputs={len(clips)}:layout={corners}:fill=black[v]"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-hide_banner", "-loglevel", "error"]
    for clip in clips:
        command += ["-i", str(clip)]
    command += ["-filter_complex", ";".join([*chains, stack]), "-map", "[v]", "-c:v", "libx264", "-crf", str(CRF), "-preset", PRESET]
    command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(output)]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise SystemExit(f"ffmpeg ended with status {status}")
    return {"wall": wall, "process": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mib": usage.ru_maxrss / 1024}


def difference(ours: Path, theirs: Path) -> tuple[int, int, float]:
    """Frames of each composite, and the mean absolute difference of their pictures in grey levels."""
    import numpy as np

    from kinetics.video.decode import Clip

    levels = [
        float(np.abs(a.image.astype(np.int16) - b.image).mean())
        for a, b in zip(Clip(ours).frames(), Clip(theirs).frames(), strict=False)
        if a.index % 10 == 0
    ]
    return Clip(ours).info.frame_count, Clip(theirs).info.frame_count, statistics.fmean(levels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=10, help="length of the clips (default 10)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each (default 5)")
    parser.add_argument("--no-memory", action="store_true", help="leave the clips of ten times the length out")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--compose", nargs="+", metavar=("OUTPUT", "CLIP"), help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, metavar="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.compose:
        return compose(args.compose[0], args.compose[1:])
    if args.make:
        folder, seconds, times = args.make
        return print("\n".join(str(repeat_clip(path, int(times))) for path in make_clips(Path(folder), float(seconds))))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own: a child's peak memory starts from its parent's.
        clips = _made(folder, args.seconds)
        runs: dict[str, list[dict[str, float]]] = {"kinetics": [], "ffmpeg": []}
        sides = [("kinetics", run_kinetics), ("ffmpeg", run_ffmpeg)]
        for repeat in range(args.repeats):
            for side, run in sides if repeat % 2 == 0 else reversed(sides):
                runs[side].append(run(clips, folder / f"{side}.mp4"))
        figures = summarise(runs, args.seconds)
        if not args.no_memory:
            long = run_kinetics(_made(folder, args.seconds, times=10), folder / "long.mp4")
            figures["peak_mib_ten_times"] = long["peak_mib"]
            figures["peak_ratio_ten_times"] = long["peak_mib"] / figures["kinetics"]["peak_mib"]
        ours, theirs, levels = difference(folder / "kinetics.mp4", folder / "ffmpeg.mp4")
        figures["frames"] = {"kinetics": ours, "ffmpeg": theirs}
        figures["mean_difference_levels"] = levels
    show(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _made(folder: Path, seconds: float, times: int = 1) -> list[Path]:
    made = subprocess.run([sys.executable, __file__, "--make", folder, str(seconds), str(times)], capture_output=True, check=True, text=True)
    return [Path(line) for line in made.stdout.splitlines()]


def summarise(runs: dict[str, list[dict[str, float]]], seconds: float) -> dict:
    middle = {side: {key: statistics.median(run[key] for run in ran) for key in ran[0]} for side, ran in runs.items()}
    pairs = list(zip(runs["kinetics"], runs["ffmpeg"], strict=True))
    return {
        "seconds": seconds, "repeats": len(pairs), "cores": os.cpu_count(), **middle,
        "wall_ratio": statistics.median(ours["wall"] / theirs["wall"] for ours, theirs in pairs),
        "cpu_ratio": statistics.median(ours["cpu"] / theirs["cpu"] for ours, theirs in pairs),
        "process_ratio": statistics.median(ours["process"] / theirs["process"] for ours, theirs in pairs),
        "runs": runs,
    }  # fmt: skip


def show(figures: dict) -> None:
    print(f"six 720p clips of {figures['seconds']:g} s to 2×3, {figures['repeats']} repeats, {figures['cores']} cores (medians)\n")
    print(f"{'':10}{'composition s':>15}{'process s':>12}{'CPU s':>9}{'peak MiB':>11}{'frames':>9}")
    for side in ("kinetics", "ffmpeg"):
        row = figures[side]
        print(f"{side:10}{row['wall']:15.2f}{row['process']:12.2f}{row['cpu']:9.2f}{row['peak_mib']:11.0f}{figures['frames'][side]:9d}")
    print(f"{'ratio':10}{figures['wall_ratio']:15.2f}{figures['process_ratio']:12.2f}{figures['cpu_ratio']:9.2f}   (target for the first \u2264 1.10; median of pairs)")
    print(f"\npictures differ by {figures['mean_difference_levels']:.2f} grey levels on average")
    if "peak_mib_ten_times" in figures:
        print(f"clips ten times as long: {figures['peak_mib_ten_times']:.0f} MiB, ratio {figures['peak_ratio_ten_times']:.2f} (target 0.90 to 1.10)")


if __name__ == "__main__":
    main()
