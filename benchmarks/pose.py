"""Pose extraction against the estimator alone, and its memory against the clip's length.

    python benchmarks/pose.py CLIP [--times 10]

The wall time of one extraction is set against the time spent inside the estimator's own calls in that same run, and against the estimator
run alone over the same crops straight after. Peak memory is that of a process which extracts the clip once, and of one which extracts the
same frames ten times over as one long clip.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kinetics.pose.estimators import make_estimator
from kinetics.pose.extract import extract_pose
from kinetics.video.decode import Clip, Frame


class Stopwatch:
    """An estimator that times another one's calls, and keeps their pictures when asked to."""

    def __init__(self, estimator, keep: bool = False):
        self._estimator = estimator
        self.keep = keep
        self.seconds, self.calls = 0.0, 0
        self.crops: list = []

    def __getattr__(self, name: str):
        return getattr(self._estimator, name)

    def timed(self, call, *pictures):
        began = time.perf_counter()
        answer = call(*pictures)
        self.seconds += time.perf_counter() - began
        self.calls += 1
        return answer

    def estimate(self, image):
        if self.keep:
            self.crops.append((None, image))
        return self.timed(self._estimator.estimate, image)

    def follower(self):
        began = time.perf_counter()
        follower = TimedFollower(self, self._estimator.follower())
        self.seconds += time.perf_counter() - began
        return follower


class TimedFollower:
    def __init__(self, watch: Stopwatch, follower):
        self._watch, self._follower = watch, follower
        self.forget, self.close = follower.forget, follower.close

    def follow(self, image, expected):
        if self._watch.keep:
            self._watch.crops.append((id(self), image))
        return self._watch.timed(self._follower.follow, image, expected)


class Repeated:
    """A clip played several times on end."""

    def __init__(self, clip: Clip, times: int):
        self._clip, self._times = clip, times
        self.info, self.losses = clip.info, clip.losses

    def frames(self, careful=True):
        index, offset = 0, 0.0
        for _ in range(self._times):
            t = 0.0
            for frame in self._clip.frames(careful):
                t = frame.t
                yield Frame(index, offset + t, frame.image)
                index += 1
            offset += t + float(1 / self._clip.info.fps)


def measure_time(path: str) -> dict[str, float]:
    watch = Stopwatch(make_estimator(), keep=True)
    began = time.perf_counter()
    pose = extract_pose(Clip(path), watch)
    wall = time.perf_counter() - began
    alone = make_estimator()
    followers: dict = {}
    began = time.perf_counter()
    for who, image in watch.crops:
        if who is None:
            alone.estimate(image)
        else:
            if who not in followers:
                followers[who] = alone.follower()
            followers[who].follow(image, None)
    return {"frames": len(pose), "calls": watch.calls, "wall": wall, "inside": watch.seconds, "alone": time.perf_counter() - began}


def measure_memory(path: str, times: int, answer) -> None:
    extract_pose(Repeated(Clip(path), times))
    answer.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    found = measure_time(options.clip)
    print(f"{found['frames']} frames, {found['calls']} calls of the estimator, {found['wall']:.1f} s in all")
    print(f"time inside the estimator in that run  {found['inside']:.1f} s, ratio {found['wall'] / found['inside']:.3f} (at most 1.15)")
    print(f"estimator alone over the same crops    {found['alone']:.1f} s, ratio {found['wall'] / found['alone']:.3f}")
    context = multiprocessing.get_context("spawn")
    peaks = []
    for times in (1, options.times):
        answer = context.Queue()
        process = context.Process(target=measure_memory, args=(options.clip, times, answer))
        process.start()
        peaks.append(answer.get())
        process.join()
        print(f"peak memory at {times}× the length  {peaks[-1]:.0f} MB")
    print(f"memory ratio {peaks[1] / peaks[0]:.3f} (0.90 to 1.10)")


if __name__ == "__main__":
    main()
