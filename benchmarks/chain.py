"""Kinetic chains of known order and lag: lag error, false edges among independent segments, power; and the published shots again.

    python benchmarks/chain.py [--trials 60] [--shots FOLDER] [--json chain.json]

Every clip is drawn by kinetics.synthetic.bursts: 14 segments, each with one velocity burst (FWHM 0.10-0.18 s), 30 fps, positions with
noise, and goes through find_chains as a user's clip does. FOLDER holds *_series.npz of the earlier analysis; their table is printed as
the whitepaper preset gives it, beside what was published.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kinetics.compare.chain import find_chains  # noqa: E402
from kinetics.compare.chain_whitepaper import measure_published, published_edges  # noqa: E402
from kinetics.pose.sources import load_pose  # noqa: E402
from kinetics.synthetic.bursts import REST, burst_pose  # noqa: E402

FPS, CLIPS, LAG = 30.0, 8, 2 / 30.0
NAMES = tuple(REST)
CHAIN = ("left_ankle", "left_knee", "left_hip", "left_shoulder", "left_wrist", "bat_tip")

#: Of the files in FOLDER: edges, and the strongest chain with weight and lag in frames of each step.
PUBLISHED = {
    "hook_2": (10, ("left_knee", "right_wrist", "left_shoulder"), (0.44, 0.60), (1, 1)),
    "off_drive_50": (1, ("left_knee", "left_hip"), (0.48,), (1,)),
    "square_drive": (4, ("left_hip", "left_elbow"), (0.87,), (1,)),
}


def draw_clips(rng: np.random.Generator, clips: int, kind: str, noise: float, jitter: float = 0.06, link: float = 0.01, lag: float = LAG):
    """Clips of one batter, and their impact times.

    ``habit``: each segment has its own time in the stroke and misses it by ``jitter`` s, whatever the others do. ``anywhere``: each at any
    time in half a second. ``chain``: as habit, but the segments of CHAIN follow each other by ``lag`` s, to within ``link`` s.
    """
    pattern = dict(zip(NAMES, np.linspace(-0.25, 0, len(NAMES)), strict=True))
    width = {name: rng.uniform(0.10, 0.18) for name in NAMES}
    poses, impacts = [], []
    for _ in range(clips):
        impact = rng.uniform(1.2, 1.8)
        times = {name: impact + (rng.uniform(-0.4, 0.1) if kind == "anywhere" else pattern[name] + rng.normal(0, jitter)) for name in NAMES}
        if kind == "chain":
            times[CHAIN[0]] -= pattern[CHAIN[0]] + (len(CHAIN) - 1) * lag
            for leader, follower in zip(CHAIN[:-1], CHAIN[1:], strict=True):
                times[follower] = times[leader] + lag + rng.normal(0, link)
        poses.append(burst_pose(times, FPS, 3.0, width, noise, rng))
        impacts.append(impact)
    return poses, impacts


def measure_lags(rng: np.random.Generator, trials: int, noise: float) -> dict:
    """Errors of the lags along chains of one clip, s: default preset, and whole frames as published."""
    errors, frames, whole, missed = [], [], 0, 0
    for _ in range(trials):
        lags = rng.uniform(0.025, 0.12, len(CHAIN) - 1)
        times = dict(zip(CHAIN, 1.0 + rng.uniform(0, 0.2) + np.concatenate([[0], np.cumsum(lags)]), strict=True))
        pose = burst_pose(times, FPS, 3.0, {name: rng.uniform(0.10, 0.18) for name in CHAIN}, noise, rng)
        chain = find_chains([pose]).chains[0]
        whole += chain.path == CHAIN
        found = {(edge.leader, edge.follower): edge.lag for edge in chain.edges}
        coarse = {(edge.leader, edge.follower): edge.lag for edge in published_edges(measure_published(pose))}
        for pair, lag in zip(zip(CHAIN[:-1], CHAIN[1:], strict=True), lags, strict=True):
            missed += pair not in found
            errors += [found[pair] - lag] if pair in found else []
            frames += [coarse[pair] - lag] if pair in coarse else []
    return {
        "noise_px": noise, "edges": len(errors), "missed": missed, "rms_ms": 1000 * _rms(errors),
        "worst_ms": 1000 * float(np.abs(errors).max()), "whole_frames_rms_ms": 1000 * _rms(frames), "paths_right": whole / trials,
    }  # fmt: skip


def measure_null(rng: np.random.Generator, trials: int, kind: str, given: bool, noise: float, clips: int, jitter: float) -> dict:
    """How often pairs are called linked: of independent segments, or along a chain."""
    steps, every = set(zip(CHAIN[:-1], CHAIN[1:], strict=True)), {(a, b) for a in NAMES for b in NAMES if a < b}
    wanted = steps if kind == "chain" else every - {("left_hip", "pelvis"), ("pelvis", "right_hip")}
    looked = tested = passed = kept = edges = families = right = 0
    for trial in range(trials):
        poses, impacts = draw_clips(rng, clips, kind, noise, jitter)
        found = find_chains(poses, anchors=impacts if given else None, correction="none", seed=trial)
        chances = [found.pairs[pair] for pair in wanted if pair in found.pairs]
        looked += len(wanted)
        tested += len(chances)
        passed += sum(p <= 0.05 for p, _ in chances)
        kept += sum(adjusted <= 0.05 for _, adjusted in chances)
        families += any(adjusted <= 0.05 for _, adjusted in found.pairs.values())
        for chain in found.chains:
            # Of independent segments an edge either way is false; of a chain only the one in its direction is right.
            edges += sum((edge.leader, edge.follower) in wanted if kind == "chain" else edge.p is not None for edge in chain.edges)
        right += found.across.path == CHAIN
    return {
        "kind": kind, "clock": "given" if given else "body's own", "clips": clips, "jitter_ms": 1000 * jitter, "noise_px": noise,
        "pairs": looked, "untested": 1 - tested / looked, "p_below_0.05": passed / (looked if kind == "chain" else tested),
        "edges_per_clip": edges / looked / clips, "after_fdr": kept / looked, "sets_with_a_pair_after_fdr": families / trials,
        "paths_right": right / trials,
    }  # fmt: skip


def reproduce(folder: Path) -> bool:
    """Print the whitepaper preset's table for the published shots; True when all of it is as published."""
    same = True
    print(f"{'shot':14} {'edges':>6} chain")
    for path in sorted(folder.glob("*_series.npz")):
        shot = next((name for name in PUBLISHED if name in path.name), None)
        if shot is None:
            continue
        chain = find_chains([load_pose(path, fps=25)], "whitepaper").chains[0]
        weights = tuple(round(edge.weight, 2) for edge in chain.path_edges)
        frames = tuple(round(edge.lag * 25) for edge in chain.path_edges)
        agrees = (len(chain.edges), chain.path, weights, frames) == PUBLISHED[shot]
        same &= agrees
        verdict = "as published" if agrees else "NOT as published"
        print(f"{shot:14} {len(chain.edges):6} {' -> '.join(chain.path)}  weights {weights}  frames {frames}  {verdict}")
    return same


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values else float("nan")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--shots", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    results: dict = {"lags": [], "null": []}
    print(f"Lags at {FPS:g} fps, one clip, {options.trials} chains of {len(CHAIN)} segments")
    for noise in (0.0, 1.0, 2.0):
        row = measure_lags(rng, options.trials, noise)
        results["lags"].append(row)
        print(
            f"  noise {noise:g} px: RMS {row['rms_ms']:.2f} ms (worst {row['worst_ms']:.1f}; whole frames "
            f"{row['whole_frames_rms_ms']:.1f}), {row['missed']} of {row['edges'] + row['missed']} edges missed, path right in {100 * row['paths_right']:.0f} %"
        )
    for title, settings in (
        (f"Independent segments, {CLIPS} clips, nominal 5 %", [
            ("habit", False, 1.5, CLIPS, 0.06), ("habit", True, 1.5, CLIPS, 0.06), ("habit", False, 1.5, CLIPS, 0.03),
            ("anywhere", False, 1.5, CLIPS, 0.0), ("anywhere", True, 1.5, CLIPS, 0.0),
        ]),
        ("Power: links of a chain at a lag of two frames", [
            ("chain", False, 1.5, CLIPS, 0.06), ("chain", True, 1.5, CLIPS, 0.06), ("chain", False, 3.0, CLIPS, 0.06),
            ("chain", False, 1.5, CLIPS, 0.03), ("chain", True, 1.5, CLIPS, 0.03), ("chain", False, 1.5, 6, 0.06),
        ]),
    ):  # fmt: skip
        print(title)
        for kind, given, noise, clips, jitter in settings:
            row = measure_null(rng, options.trials, kind, given, noise, clips, jitter)
            results["null"].append(row)
            percent = {key: f"{100 * value:.1f} %" for key, value in row.items() if isinstance(value, float)}
            print(
                f"  {row['kind']:8} clock {row['clock']:10} {clips} clips, jitter {row['jitter_ms']:.0f} ms, noise {noise:g} px: "
                f"p <= 0.05 {percent['p_below_0.05']}, edges in a clip {percent['edges_per_clip']}, after FDR {percent['after_fdr']}, "
                f"sets with a pair after FDR {percent['sets_with_a_pair_after_fdr']}, common path right {percent['paths_right']}, "
                f"untested {percent['untested']}",
                flush=True,
            )
    print(f"{time.perf_counter() - began:.0f} s")
    same = reproduce(options.shots) if options.shots else True
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
