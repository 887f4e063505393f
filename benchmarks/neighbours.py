"""The k nearest of 10,000 drawn shots: exact against brute force, cells filled, memory, and the time beside tslearn and dtaidistance.

    python -m venv /some/where && /some/where/bin/pip install numpy scipy [numba] [tslearn] [dtaidistance]
    OMP_NUM_THREADS=1 /some/where/bin/python benchmarks/neighbours.py [--shots 10000] [--queries 200] [--json neighbours.json]

Shots are PoseSequences of the batter model, no video: six kinds of shot by as many batters as there are shots (each with his own size,
hand, timing and angles, before a camera of its own that pans and zooms), 25 to 50 fps, a tempo of 0.85 to 1.18, noise of 2 px on each axis,
in clips that begin 0.9 to 1.3 s before impact and end 0.6 to 0.9 s after it (which the search isn't told). Each is described
(kinetics.archive.describe) and the k nearest of some of them are looked for among all others, in one process: by bounds and warping (NumPy
alone; with numba too where it is installed), and by warping every pair. Brute force is kinetics.archive.search.measure_distances, of which
a few hundred are held against kinetics.compare.dtw.dtw.

The peers look for the nearest of some queries among some of the shots, all of one length, with the same band and squared distances:
tslearn's KNeighborsTimeSeries, which warps every pair, and dtaidistance's distance_fast, which is told to give up at the k-th best so far.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from importlib import import_module, metadata
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from kinetics.archive.describe import describe_shot  # noqa: E402
from kinetics.archive.search import RADIUS, Nearest, Work, make_block, measure_distances, search_block  # noqa: E402
from kinetics.compare.dtw import dtw, load_compiled  # noqa: E402
from kinetics.errors import KineticsError  # noqa: E402
from kinetics.pose_sequence import LIMB_NAMES, PoseSequence  # noqa: E402
from kinetics.synthetic import POINT_NAMES, SHOTS  # noqa: E402
from kinetics.synthetic.scenes import random_scene  # noqa: E402

_COLUMNS = [POINT_NAMES.index(name) for name in LIMB_NAMES]


def draw_shot(number: int, noise: float = 2.0) -> tuple[PoseSequence, str]:
    """A shot by a batter of its own, and his hand; the kinds take turns."""
    rng = np.random.default_rng([0, number])
    while True:
        scene = random_scene(rng, SHOTS[number % len(SHOTS)])
        try:
            scene.track(np.zeros(1))
        except KineticsError:  # sizes that can't play this shot: another batter
            continue
        break
    fps, tempo, before, after = (rng.uniform(*span) for span in ((25, 50), (0.85, 1.18), (0.9, 1.3), (0.6, 0.9)))
    t = np.arange(int((before + after) * fps)) / fps
    shown = np.clip(scene.stroke.impact + tempo * (t - before), 0, scene.duration)
    px = scene.picture(scene.track(shown)[:, _COLUMNS], shown)[0]
    px = px + noise * rng.normal(size=px.shape)
    return PoseSequence(px, np.full(px.shape[:2], 0.9), t, LIMB_NAMES, scene.camera.size), scene.batter.handed


def draw_all(count: int, kept: Path | None) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Descriptions, kinds and hands of all shots; read from ``kept`` when it is there, else written to it."""
    if kept is None or not kept.exists():
        began, drawing, shots, kinds, hands, refused = time.perf_counter(), 0.0, [], [], [], 0
        for number in range(count):
            mark = time.perf_counter()
            pose, hand = draw_shot(number)
            drawing += time.perf_counter() - mark
            try:
                shots.append(describe_shot(pose))
            except KineticsError:
                refused += 1
                continue
            kinds.append(number % len(SHOTS))
            hands.append(hand)
        describing = time.perf_counter() - began - drawing
        each = 1e3 * describing / count
        print(f"{count:,} shots drawn in {drawing:.0f} s, described in {describing:.0f} s ({each:.1f} ms each), {refused} refused")
        if kept is None:
            return shots, np.array(kinds), np.array(hands)
        np.savez(kept, values=np.concatenate(shots), lengths=[len(shot) for shot in shots], kinds=kinds, hands=hands)
    with np.load(kept) as file:
        return np.split(file["values"], np.cumsum(file["lengths"])[:-1]), file["kinds"], file["hands"]


def search_all(shots, block, keys, queries, k: int, compiled: bool) -> tuple[list, Work, float]:
    """The nearest of each query among the others, the work, and the processor's seconds per query."""
    found, work = [], Work()
    if compiled:
        search_block(shots[0], block, Nearest(k), compiled=True)  # compiles
    began = time.process_time()
    for query in queries:
        nearest = Nearest(k)
        work += search_block(shots[query], block, nearest, exclude=keys[query], compiled=compiled)
        found.append(nearest.found)
    return found, work, (time.process_time() - began) / len(queries)


def search_by_brute_force(shots, keys, queries, k: int) -> tuple[list, float]:
    """The same by warping every pair."""
    found, began = [], time.process_time()
    for query in queries:
        distances = measure_distances(shots[query], shots)
        order = [n for n in np.lexsort((keys, distances)) if n != query][:k]
        found.append([(float(distances[n]), str(keys[n])) for n in order])
    return found, (time.process_time() - began) / len(queries)


def check_same(found: list, truth: list) -> float:
    """The largest relative difference of a distance; ends when a neighbour differs."""
    worst = 0.0
    for mine, true in zip(found, truth, strict=True):
        if [key for _, key in mine] != [key for _, key in true]:
            raise SystemExit(f"The nearest differ from those of brute force: {mine} and {true}.")
        worst = max(worst, *(abs(a - b) / b if b else a for (a, _), (b, _) in zip(mine, true, strict=True)))
    return worst


def compare_with_peers(shots, k: int, count: int, queries: int, compiled: bool) -> dict[str, float]:
    """Print milliseconds of the processor per query of each side, on shots of one length; all have to find the same distances."""
    whole = max(len(shot) for shot in shots)
    some = [shot for shot in shots if len(shot) == whole][: count + queries]
    asked, among = [shot.astype(np.float64) for shot in some[:queries]], [shot.astype(np.float64) for shot in some[queries:]]
    scale = np.sqrt(2 / (2 * whole) / (among[0].shape[1] / 2))
    keys = [f"{n:06d}" for n in range(len(among))]
    block = make_block(keys, [shot.astype(np.float32) for shot in among])

    def ours(query, compiled: bool):
        nearest = Nearest(k)
        search_block(query, block, nearest, compiled=compiled)
        return [distance for distance, _ in nearest.found]

    def tslearn():
        neighbours = import_module("tslearn.neighbors").KNeighborsTimeSeries(
            n_neighbors=k, metric="dtw", metric_params={"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": RADIUS}, n_jobs=1
        )
        neighbours.fit(np.stack(among))
        return lambda query: (scale * neighbours.kneighbors(query[None])[0][0]).tolist()

    def dtaidistance():
        warp = import_module("dtaidistance.dtw_ndim").distance_fast

        def ask(query):
            best: list[float] = []
            for shot in among:
                limit = best[-1] if len(best) == k else None
                distance = warp(query, shot, window=RADIUS + 1, max_dist=limit)
                if np.isfinite(distance):
                    best = sorted([*best, distance])[:k]
            return [float(scale * distance) for distance in best]

        return ask

    sides = {"kinetics (NumPy)": lambda: lambda query: ours(query, False)}
    if compiled:
        sides["kinetics (numba)"] = lambda: lambda query: ours(query, True)
    for name, side in (("tslearn", tslearn), ("dtaidistance", dtaidistance)):
        try:
            import_module(name)
        except ImportError as error:
            print(f"  {name}: left out ({error})")
            continue
        sides[f"{name} {metadata.version(name)}"] = side
    print(f"\n{queries} queries among {len(among):,} shots of {whole} frames, {k} nearest; processor's time of one query:")
    figures, first = {}, None
    for name, make in sides.items():
        ask = make()
        ask(asked[0])
        began = time.process_time()
        answers = [ask(query) for query in asked]
        figures[name] = 1e3 * (time.process_time() - began) / len(asked)
        first = first or answers
        if not np.allclose(answers, first, rtol=1e-6):
            raise SystemExit(f"{name} finds other distances.")
        print(f"  {name:24} {figures[name]:9.2f} ms")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shots", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--kept", type=Path, help="descriptions are read from this .npz, or written to it")
    parser.add_argument("--peer-shots", type=int, default=1000)
    parser.add_argument("--peer-queries", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    shots, kinds, hands = draw_all(args.shots, args.kept)
    keys = np.array([f"{n:06d}" for n in range(len(shots))])
    queries = np.random.default_rng(0).choice(len(shots), min(args.queries, len(shots)), replace=False)
    block = make_block(keys, shots)
    figures = {"shots": len(shots), "queries": len(queries), "k": args.k}

    sides = {"NumPy": False} | ({"numba": True} if load_compiled() else {})
    answers = {}
    for name, compiled in sides.items():
        answers[name], work, seconds = search_all(shots, block, keys, queries, args.k, compiled)
        figures[name] = {"ms_per_query": 1e3 * seconds, "warped": work.warped, "cells": work.cells, "fewer": work.cells_of_all / work.cells}
        print(
            f"\n{name}: {1e3 * seconds:.1f} ms a query; warped {work.warped / len(queries):.0f} of {len(shots) - 1:,} shots a query; "
            f"{work.cells:,} cells of {work.cells_of_all:,}: {work.cells_of_all / work.cells:.0f} \u00d7 fewer than brute force"
        )
    truth, seconds = search_by_brute_force(shots, keys, queries, args.k)
    figures["brute_force_ms_per_query"] = 1e3 * seconds
    print(f"\nBrute force (NumPy): {1e3 * seconds:.0f} ms a query")
    for name, found in answers.items():
        worst = check_same(found, truth)
        print(f"  {name}: the {args.k} nearest of all {len(queries)} queries are the same; distances to {worst:.1e}")
    numbers = {key: n for n, key in enumerate(keys.tolist())}
    pairs = [(query, numbers[key], distance) for query, found in zip(queries, truth, strict=True) for distance, key in found[:2]]
    worst = max(
        abs(np.sqrt(dtw(shots[a], shots[b], RADIUS, kernel="numpy").cost * 2 / (len(shots[a]) + len(shots[b])) / 12) / distance - 1)
        for a, b, distance in pairs
    )
    print(f"  {len(pairs)} of these distances are those of kinetics.compare.dtw to {worst:.1e}")
    near = np.array([[numbers[key] for _, key in found] for found in truth])
    figures["same_kind"] = float((kinds[near] == kinds[queries][:, None]).mean())
    figures["same_hand"] = float((hands[near] == hands[queries][:, None]).mean())
    itself = []
    for query in queries:
        nearest = Nearest(1)
        search_block(shots[query], block, nearest)
        itself.append(nearest.found[0] == (0.0, str(keys[query])))
    kind, hand, far = 100 * figures["same_kind"], 100 * figures["same_hand"], float(np.median([found[-1][0] for found in truth]))
    print(f"\nOf the {args.k} nearest {kind:.1f} % are of the same kind, {hand:.1f} % of the same hand")
    print(f"  The last is {far:.3f} trunk lengths away (median); {sum(itself)} of {len(itself)} find themselves first, at distance 0")
    figures["peak_memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"Peak memory so far: {figures['peak_memory_gb']:.2f} GB")
    figures["peers_ms_per_query"] = compare_with_peers(shots, args.k, args.peer_shots, args.peer_queries, "numba" in sides)
    print("\nTargets: exact; at least 10 \u00d7 fewer cells than brute force; at most 2 GB.")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
