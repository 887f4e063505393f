"""Memory and time of pose-conditioned frames, chunk by chunk, beside ComfyUI's own nodes on the whole batch.

    python benchmarks/frames.py [--frames 32,320] [--side 128] [--chunk 16]

Networks of SD1.5's shape, small and random, on the CPU: what is measured is what grows with the number of frames, not how fast a card samples.
Each run is a process of its own, and its peak that of the whole process, models and libraries with it. The whole batch is made for the first number
of frames only: it takes as many times a frame's memory as there are frames.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("chunks", "whole batch")


def measure(way: str, frames: int, side: int, chunk: int) -> dict:
    """Run one job in this process, which has loaded nothing yet."""
    sys.path.insert(0, str(ROOT / "tests" / "host"))
    from host_process import enter_host

    enter_host(ROOT, threads=None)
    import numpy as np
    import torch
    from ck_pack.kinetics.generate.plan import HintPlan
    from ck_pack.kinetics.pose_sequence import COCO_NAMES, PoseSequence
    from ck_pack.nodes.generate_host import Control, Sampling, generate_frames
    from small_networks import small_clip, small_control_net, small_model, small_vae

    import nodes

    def plan_of(count: int) -> HintPlan:
        xy = np.random.default_rng(1).uniform(0.1 * side, 0.9 * side, (count, len(COCO_NAMES), 2))
        return HintPlan(
            PoseSequence(xy, np.full(xy.shape[:2], 0.9), np.arange(count) / 16, COCO_NAMES, (side, side)), ("elsewhere",) * count
        )

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    with torch.inference_mode():
        model, vae, net = small_model(), small_vae(), small_control_net()
        text = nodes.CLIPTextEncode().encode(small_clip(), "a cricket batter")[0]
        sampling = Sampling(0, 1, 1.0, "euler", "normal", chunk=chunk)

        def in_chunks(plan: HintPlan) -> int:
            return sum(1 for _ in generate_frames(model, text, text, vae, Control(net), plan, sampling))

        def whole(plan: HintPlan) -> int:
            hints = torch.from_numpy(plan.draw_all())
            pair = nodes.ControlNetApplyAdvanced().apply_controlnet(text, text, net, hints, 1.0, 0.0, 1.0, vae=vae)
            latents = {"samples": torch.zeros(len(plan), 4, side // 8, side // 8), "batch_index": [0] * len(plan)}
            made = nodes.KSampler().sample(model, 0, 1, 1.0, "euler", "normal", *pair, latents)[0]
            return len(nodes.VAEDecode().decode(vae, made)[0])

        start = time.perf_counter()
        count = (in_chunks if way == "chunks" else whole)(plan_of(frames))
        return {"way": way, "frames": count, "seconds": time.perf_counter() - start, "peak_mb": peak()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", default="32,320")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--chunk", type=int, default=16)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = [int(part) for part in options.frames.split(",")]
    if options.one:
        print(json.dumps(measure(options.one, counts[0], options.side, options.chunk)))
        return
    print(f"{'':12} {'frames':>7} {'seconds':>8} {'peak MB':>8}")
    for way in WAYS:
        for count in counts if way == "chunks" else counts[:1]:
            same = ["--frames", str(count), "--side", str(options.side), "--chunk", str(options.chunk)]
            ran = subprocess.run(
                [sys.executable, __file__, "--one", way, *same], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
            )
            row = json.loads(ran.stdout.splitlines()[-1])
            print(f"{row['way']:12} {row['frames']:7} {row['seconds']:8.1f} {row['peak_mb']:8.0f}", flush=True)


if __name__ == "__main__":
    main()
