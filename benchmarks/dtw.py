"""Time warping: one pair with its path, and all pairs of 200 clips, against tslearn, dtaidistance, librosa, aeon and dtw-python.

    python -m venv /some/where && /some/where/bin/pip install numpy scipy numba tslearn dtaidistance librosa aeon dtw-python
    /some/where/bin/python benchmarks/dtw.py [--quick] [--threads 2] [--json dtw.json]

One process runs everything on the same random walks in float64; what isn't installed is left out, and said. Every side is asked once before
the clock starts (to compile, and to fill caches), its cost is compared with the first side's to 1e-9, and then repeats alternate between
the sides. Shown are the median and the best of the repeats, the median of the processor's time (of all threads; what counts when other
programs are running), and how many times the fastest peer's median is that of each side, by the clock and by the processor's time.
Before that the costs of 200 random pairs of unequal length, free and in a Sakoe-Chiba band, are held against aeon's and tslearn's. tslearn's band
is ours. aeon's follows the line from corner to corner, and is the same only on equal lengths: the longer of the two is cut for it.
All sides may use ``--threads`` cores; a single pair needs one. kinetics runs twice, in NumPy alone and with numba
(with torch on a CUDA card too, when there is one).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path

PEERS = ("tslearn", "dtaidistance", "librosa", "aeon", "dtw-python")
MODULES = {"dtw-python": "dtw"}


def say_versions() -> list[str]:
    """Print what is compared; the peers that are there."""
    found = []
    for name in ("numpy", "scipy", "numba", "torch", *PEERS):
        try:
            import_module(MODULES.get(name, name))
        except ImportError as error:
            print(f"  {name}: left out ({error})")
            continue
        print(f"  {name} {metadata.version(name)}")
        found.append(name)
    return found


def check_costs(found: list[str], pairs: int = 200) -> dict[str, float]:
    """Print the largest relative difference of our costs from aeon's and tslearn's over random pairs, each free and in a band."""
    import numpy as np

    from kinetics.compare.dtw import dtw

    def aeon(f, g, band, kernel: str) -> tuple[float, float]:
        window = None
        if band is not None:
            f, g = f[: len(g)], g[: len(f)]
            window = (band + 0.5) / len(f)  # a part of the length, rounded down
        return dtw(f, g, band, kernel=kernel).cost, import_module("aeon.distances").dtw_distance(f.T.copy(), g.T.copy(), window=window)

    def tslearn(f, g, band, kernel: str) -> tuple[float, float]:
        limits = {} if band is None else {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": band}
        return dtw(f, g, band, kernel=kernel).cost, import_module("tslearn.metrics").dtw(f, g, **limits) ** 2

    worst: dict[str, float] = {}
    kernels = [kernel for kernel in ("numba", "numpy") if kernel == "numpy" or kernel in found]
    rng = np.random.default_rng(1)
    for _ in range(pairs):
        width = int(rng.integers(1, 40))
        f, g = (rng.normal(size=(int(frames), width)).cumsum(axis=0) for frames in rng.integers(8, 160, 2))
        for band in (None, int(rng.integers(1, min(len(f), len(g)) - 1))):
            for name, compare_with in (("aeon", aeon), ("tslearn", tslearn)):
                for kernel in kernels if name in found else ():
                    cost, expected = compare_with(f, g, band, kernel)
                    key = f"kinetics ({kernel}) and {name}, {'free' if band is None else 'banded'}"
                    worst[key] = max(worst.get(key, 0.0), abs(cost / expected - 1))
    print(f"\nCosts of {pairs} random pairs of unequal length, 1-39 features, largest relative difference:")
    for key, value in worst.items():
        print(f"  {key}: {value:.1e}")
        if value > 1e-9:
            raise SystemExit("That is more than 1e-9.")
    return worst


def pair_sides(found: list[str], f, g) -> dict[str, Callable[[], tuple[float, int]]]:
    """One call per side: squared cost, and the length of the path."""
    from kinetics.compare.dtw import dtw

    f_across, g_across = f.T.copy(), g.T.copy()

    def kinetics(kernel: str):
        result = dtw(f, g, kernel=kernel)
        return result.cost, len(result.path)

    def tslearn():
        path, distance = import_module("tslearn.metrics").dtw_path(f, g)
        return distance**2, len(path)

    def dtaidistance():
        distance, paths = import_module("dtaidistance.dtw_ndim").warping_paths_fast(f, g)
        return distance**2, len(import_module("dtaidistance.dtw").best_path(paths))

    def librosa():
        table, path = import_module("librosa").sequence.dtw(f_across, g_across, metric="sqeuclidean")
        return table[-1, -1], len(path)

    def aeon():
        path, cost = import_module("aeon.distances").dtw_alignment_path(f_across, g_across)
        return cost, len(path)

    def dtw_python():
        result = import_module("dtw").dtw(f, g, dist_method="sqeuclidean", step_pattern="symmetric1")
        return result.distance, len(result.index1)

    peers = {"tslearn": tslearn, "dtaidistance": dtaidistance, "librosa": librosa, "aeon": aeon, "dtw-python": dtw_python}
    ours = {"kinetics (numba)": lambda: kinetics("numba")} if "numba" in found else {}
    ours["kinetics (NumPy)"] = lambda: kinetics("numpy")
    return ours | {name: side for name, side in peers.items() if name in found}


def matrix_sides(found: list[str], clips: list, threads: int) -> dict[str, Callable]:
    """One call per side: the upper triangle of the squared costs, as one array."""
    import numpy as np

    from kinetics.compare.all_pairs import compute_costs

    above = np.triu_indices(len(clips), 1)

    def kinetics(backend: str):
        return compute_costs(clips, backend=backend, workers=threads)[above]

    def dtaidistance():
        return np.asarray(import_module("dtaidistance.dtw_ndim").distance_matrix_fast(clips, compact=True)) ** 2

    sides = {"kinetics (numba)": lambda: kinetics("numba")} if "numba" in found else {}
    sides["kinetics (NumPy)"] = lambda: kinetics("numpy")
    if "torch" in found and import_module("torch").cuda.is_available():
        sides["kinetics (CUDA)"] = lambda: kinetics("cuda")
    return sides | ({"dtaidistance": dtaidistance} if "dtaidistance" in found else {})


def compare(title: str, sides: dict[str, Callable], repeats: int) -> dict[str, object]:
    """Check that all agree, time them in turn, and print the table."""
    import numpy as np

    answers = {name: side() for name, side in sides.items()}
    first = next(iter(answers))
    for name, answer in answers.items():
        expected, got = (value[0] if isinstance(value, tuple) else value for value in (answers[first], answer))
        worst = float(np.max(np.abs(np.asarray(got) / np.asarray(expected) - 1)))
        if worst > 1e-9:
            raise SystemExit(f"{name} and {first} differ by {worst:.1e}; nothing is timed.")
        if isinstance(answer, tuple) and answer[1] != answers[first][1]:
            raise SystemExit(f"The paths of {name} and {first} have {answer[1]} and {answers[first][1]} pairs; nothing is timed.")
    wall: dict[str, list[float]] = {name: [] for name in sides}
    busy: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name in sides if repeat % 2 == 0 else reversed(sides):
            began, worked = time.perf_counter(), time.process_time()
            sides[name]()
            busy[name].append(time.process_time() - worked)
            wall[name].append(time.perf_counter() - began)

    def fastest(of: dict[str, list[float]]) -> float:
        return min((statistics.median(times) for name, times in of.items() if not name.startswith("kinetics")), default=float("nan"))

    print(f"\n{title}; all agree to 1e-9; {repeats} repeats")
    print(f"  {'':20}{'median':>12}{'best':>12}{'processor':>12}   fastest peer / this: clock, processor")
    figures = {}
    for name in sides:
        clock, work = statistics.median(wall[name]), statistics.median(busy[name])
        by_clock, by_work = fastest(wall) / clock, fastest(busy) / work
        print(f"  {name:20}{1e3 * clock:9.2f} ms{1e3 * min(wall[name]):9.2f} ms{1e3 * work:9.2f} ms{by_clock:17.2f} ×{by_work:9.2f} ×")
        figures[name] = {"wall_s": wall[name], "processor_s": busy[name], "by_clock": by_clock, "by_processor": by_work}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="T = 1000 in place of 3000, 60 clips in place of 200, fewer repeats")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    # The project's folder in place of this one, in which this file would hide the package dtw.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    # Before NumPy and the peers are loaded: they read it once.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    import numpy as np

    print("Time warping with", sys.version.split()[0], "on", args.threads, "threads:")
    found = say_versions()
    rng = np.random.default_rng(0)

    def walk(frames: int, width: int) -> np.ndarray:
        return rng.normal(size=(frames, width)).cumsum(axis=0)

    figures: dict[str, dict] = {"equal": check_costs(found)}
    for frames, repeats in ((300, 50), (1000 if args.quick else 3000, 5)):
        title = f"One pair with its path, {frames} × {frames} frames, 66 features"
        figures[title] = compare(title, pair_sides(found, walk(frames, 66), walk(frames, 66)), repeats // 2 if args.quick else repeats)
    clips = [walk(int(frames), 34) for frames in rng.integers(80, 301, 60 if args.quick else 200)]
    title = f"All {len(clips) * (len(clips) - 1) // 2:,} pairs of {len(clips)} clips, 80-300 frames, 34 features"
    figures[title] = compare(title, matrix_sides(found, clips, args.threads), 2 if args.quick else 3)
    print("\nTargets: one pair of 300 frames \u2265 3 ×, of 3000 \u2265 1 ×, all pairs \u2265 4 × the fastest peer.")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
