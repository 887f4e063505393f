"""Smoothing, derivatives and sigma for 100,000 frames × 33 joints: kinetics against `movement`, which smooths and takes the velocity alone.

    python -m venv /some/where && /some/where/bin/pip install movement
    python benchmarks/derivatives.py --movement-python /some/where/bin/python [--quick] [--json derivatives.json]

`movement` brings packages of its own, so it has its own environment; without the option this Python has to have it. Both get the same
random walks at 25 frames a second and a Savitzky-Golay window of 5 frames, degree 2. Each measurement is a process of its own that
computes once to warm up, then times one call; repeats alternate and swap who goes first. kinetics computes smoothed positions, velocity,
acceleration and sigma of each; with sigma given, and with sigma estimated from the tracks. A second part hides 2 % of the points.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FPS, WINDOW, DEGREE = 25, 5, 2
SIDES = ("movement", "kinetics, \u03c3 given", "kinetics, \u03c3 estimated")


def make_tracks(frames: int, joints: int, gaps: bool) -> np.ndarray:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(frames, joints, 2)).cumsum(axis=0)
    if gaps:
        x[WINDOW:-WINDOW][rng.random((frames - 2 * WINDOW, joints)) < 0.02] = np.nan  # movement refuses gaps at the ends
    return x


def measure(side: str, frames: int, joints: int, gaps: bool) -> None:
    """What a measured process does: prints seconds."""
    x = make_tracks(frames, joints, gaps)
    if side == "movement":
        import xarray
        from movement.filtering import savgol_filter
        from movement.kinematics import compute_velocity

        names = [f"joint{k}" for k in range(joints)]
        tracks = xarray.DataArray(
            np.ascontiguousarray(x.transpose(0, 2, 1))[..., None], dims=("time", "space", "keypoints", "individuals"),
            coords={"time": np.arange(frames) / FPS, "space": ["x", "y"], "keypoints": names, "individuals": ["batter"]},
        )  # fmt: skip

        def job():
            return compute_velocity(savgol_filter(tracks, window=WINDOW, polyorder=DEGREE)).values
    else:
        from kinetics.motion.derivatives import differentiate, estimate_noise

        t = np.arange(frames) / FPS

        def job():
            sigma = 1.0 if side.endswith("given") else estimate_noise(x, t)
            return differentiate(x, t, (1, 2), "savgol", WINDOW / FPS, DEGREE, sigma)

    job()
    began = time.perf_counter()
    job()
    print(json.dumps(time.perf_counter() - began))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--movement-python", default=sys.executable, help="a Python that has movement (default: this one)")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--joints", type=int, default=33)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 frames, 2 repeats")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        side, frames, joints, gaps = args.child
        return measure(side, int(frames), int(joints), gaps == "True")
    frames, repeats = (20_000, 2) if args.quick else (args.frames, args.repeats)
    figures: dict[str, dict[str, object]] = {}
    for gaps in (False, True):
        wall: dict[str, list[float]] = {side: [] for side in SIDES}
        for repeat in range(repeats):
            for side in SIDES if repeat % 2 == 0 else reversed(SIDES):
                python = args.movement_python if side == "movement" else sys.executable
                done = subprocess.run(
                    [python, __file__, "--child", side, str(frames), str(args.joints), str(gaps)], capture_output=True, text=True
                )
                if done.returncode:
                    raise SystemExit(done.stderr.strip().splitlines()[-1])
                wall[side].append(json.loads(done.stdout.splitlines()[-1]))
        theirs = wall["movement"]
        print(
            f"\n{frames:,} frames × {args.joints} joints, {'2 % missing' if gaps else 'all there'}, {repeats} repeats, {os.cpu_count()} cores (medians)"
        )
        for side in SIDES:
            ratio = statistics.median(ours / other for ours, other in zip(wall[side], theirs, strict=True))
            print(f"  {side:24}{statistics.median(wall[side]):8.3f} s   ratio {ratio:5.2f}")
            figures.setdefault("2 % missing" if gaps else "all there", {})[side] = {"wall": wall[side], "ratio": ratio}
    print("\nTarget: ratio \u2264 1.00 (kinetics: positions, velocity, acceleration, each with \u03c3; movement: positions, velocity).")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
