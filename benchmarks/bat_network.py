"""The bat network on real clips with toes marked by eye.

    python benchmarks/bat_network.py CLIP MARKS.json [--pose POSE.json] [--weights FILE] [--zoom 1.0] [--json bat_network.json]

MARKS.json: ``frames["<index>"]`` = ``{"toe": [x, y] or null, "grip": [x, y] or null, "vis": "clear"|"blurred"|"hidden"|"out"}`` in
pixels, indices from 0 in decode order, and ``cuts``: the indices of the first frames of new shots. Crops are cut round the hands of the
pose, for the bat length that the pose gives; ``--zoom`` makes that length wrong by a factor. Errors are over the bat's length: the
length that the pose gives in that frame, times the 9th decile of what the marks (toe to grip) measure of it. Printed: the likeliest toe
of every marked frame ("raw"), those that the network is sure of by its own calibrated confidence, and how often it is sure where the
toe is hidden or out of view.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

LEVELS = (0.5, 0.8, 0.9)


def read_clip(path: str, pose_path: str | None):
    from kinetics.pose.extract import extract_pose
    from kinetics.pose_sequence import PoseSequence
    from kinetics.video.decode import Clip

    clip = Clip(path)
    return clip, PoseSequence.load(pose_path) if pose_path else extract_pose(clip)


def step_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """3×3 similarity that takes the first picture's pixels to the second's; the identity where too little is found."""
    import cv2

    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (first, second)]
    points = cv2.goodFeaturesToTrack(greys[0], 500, 0.01, 8)
    if points is None:
        return np.eye(3)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(*greys, points, None, winSize=(21, 21), maxLevel=4)
    found = found.ravel() > 0
    similar = cv2.estimateAffinePartial2D(points[found], moved[found], ransacReprojThreshold=1.5)[0] if found.sum() >= 12 else None
    return np.eye(3) if similar is None else np.vstack([similar, [0, 0, 1]])


def cut_marked(clip, pose, frames: list[int], cuts: list[int], zoom: float):
    """Crops of the marked frames, and the lengths they were cut for."""
    import cv2

    from kinetics.motion.bat_crops import cut_crop, guess_hands, guess_length, joints_at

    hands, length = guess_hands(pose), guess_length(pose)
    pictures = [frame.image for frame in clip.frames()]
    small = [
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(float) for p in pictures
    ]
    fresh = np.array([True] + [np.percentile(np.abs(b - a), 99) >= 6 for a, b in pairwise(small)])
    which, shot = np.cumsum(fresh), np.searchsorted(sorted(cuts), np.arange(len(pictures)), side="right")

    def neighbour(frame: int, direction: int):
        there = [k for k in range(frame + direction, frame + 5 * direction, direction) if 0 <= k < len(pictures) and shot[k] == shot[frame]]
        other = next((k for k in there if which[k] != which[frame]), None)
        return None if other is None else (pictures[other], step_between(pictures[other], pictures[frame]))

    return [
        cut_crop(pictures[n], hands[n], zoom * length[n], joints_at(pose, n), before=neighbour(n, -1), after=neighbour(n, 1))
        for n in frames
    ], length


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip")
    parser.add_argument("marks")
    parser.add_argument("--pose")
    parser.add_argument("--weights")
    parser.add_argument("--zoom", type=float, default=1.0)
    parser.add_argument("--json")
    given = parser.parse_args()
    from kinetics.motion.bat_network import load_network

    told = json.loads(Path(given.marks).read_text())
    marks = {int(index): mark for index, mark in told["frames"].items()}
    clip, pose = read_clip(given.clip, given.pose)
    frames = sorted(marks)
    crops, length = cut_marked(clip, pose, frames, told.get("cuts", []), given.zoom)
    reading = load_network(given.weights).read(crops)
    toe, confidence = reading.peak()
    ratios = [np.hypot(*np.subtract(m["toe"], m["grip"])) / length[n] for n, m in marks.items() if m.get("toe") and m.get("grip")]
    true_length = np.quantile(ratios, 0.9) * length
    seen = np.array([marks[n].get("toe") is not None and marks[n].get("vis") not in ("hidden", "out") for n in frames])
    error = np.array([np.hypot(*(toe[k] - marks[n]["toe"])) / true_length[n] if seen[k] else np.nan for k, n in enumerate(frames)])
    figures = {
        "marks": int(seen.sum()),
        "median": np.median(error[seen]),
        "within_0.1": np.mean(error[seen] < 0.1),
        "within_0.2": np.mean(error[seen] < 0.2),
    }
    print(
        f"{Path(given.clip).name}: {figures['marks']} toes in view, "
        f"bat {np.median(true_length):.0f} px, guessed {np.median(length) * given.zoom:.0f} px"
    )
    print(f"  raw              median {figures['median']:.3f}   < 0.1 L {figures['within_0.1']:.2f}   < 0.2 L {figures['within_0.2']:.2f}")
    for level in LEVELS:
        sure = seen & (confidence > level)
        hidden = ~seen & (confidence > level)
        near, close = (np.mean(error[sure] < limit) if sure.any() else np.nan for limit in (0.1, 0.2))
        figures |= {
            f"share_{level}": sure.sum() / seen.sum(),
            f"right_{level}_0.1": near,
            f"right_{level}_0.2": close,
            f"hidden_{level}": int(hidden.sum()),
        }
        print(
            f"  confidence > {level}  {sure.sum() / seen.sum():.2f} of them   < 0.1 L {near:.2f}   < 0.2 L {close:.2f}   "
            f"of {(~seen).sum()} hidden {hidden.sum()}"
        )
    if given.json:
        Path(given.json).write_text(json.dumps({name: round(float(value), 4) for name, value in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
