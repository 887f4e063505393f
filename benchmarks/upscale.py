"""A clip enlarged ×2 by an upscale model: kinetics against core's ImageUpscaleWithModel on the same frames, and memory against length.

    python benchmarks/upscale.py [--frames 6] [--size 640x360] [--filters 16] [--json upscale.json]

COMFYUI_PATH (default: .comfyui/ComfyUI) is the host whose own node is measured, in this process, on the processor. The model is an
ESRGAN of random weights. Both sides get decoded frames and give enlarged ones; repeats alternate. ``to a file`` is the whole of what
Upscale Clip does, decoding, steadying and H.264 included. Memory is the peak of a process of its own, for a clip and for one ten times
as long. Lanczos: Pillow against kornia's bicubic, torch's matrices and OpenCV, milliseconds a frame.
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
HOST = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".comfyui" / "ComfyUI").resolve()


def make_clip(path: Path, frames: int, size: tuple[int, int]) -> Path:
    import numpy as np

    from kinetics.video.encode import VideoWriter

    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    with VideoWriter(path, *size, 25, preset="veryfast") as writer:
        for k in range(frames):
            plane = 120 + 60 * np.sin((x + 2 * k) / 9) * np.cos(y / 7) + 30 * (((x + 2 * k) // 24 + y // 24) % 2)
            writer.write(np.repeat(plane[..., None], 3, axis=2).clip(0, 255).astype(np.uint8))
    return path


def make_model(filters: int):
    import torch
    from spandrel import ModelLoader
    from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet

    torch.manual_seed(0)
    return ModelLoader().load_from_state_dict(RRDBNet(num_filters=filters, num_blocks=1, scale=2).state_dict()).eval()


def to_file(clip: str, output: str, filters: int) -> None:
    """What a measured process does; prints its wall time and peak memory."""
    from kinetics.upscale.clip import choose_size, upscale_clip
    from kinetics.upscale.tiles import TileEnlarger
    from kinetics.video.decode import Clip

    opened, model = Clip(clip), make_model(filters)
    began = time.perf_counter()
    report = upscale_clip(opened, output, choose_size((opened.info.width, opened.info.height), 2.0), TileEnlarger(model, 2))
    print(json.dumps({
        "s": time.perf_counter() - began, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "flicker": report.flicker,
    }))  # fmt: skip


def measured(clip: Path, output: Path, filters: int) -> dict:
    done = subprocess.run([sys.executable, __file__, "--to-file", clip, output, str(filters)], capture_output=True, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def against_core(clip: Path, filters: int, repeats: int) -> dict:
    import numpy as np
    import torch

    sys.argv = [sys.argv[0], "--cpu"]
    sys.path.insert(0, str(HOST))
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.model_management as management
    import comfy.model_patcher
    from comfy_extras.nodes_upscale_model import ImageUpscaleWithModel

    from kinetics.upscale.tiles import TileEnlarger
    from kinetics.video.decode import Clip

    model = make_model(filters)
    model.patcher = comfy.model_patcher.CoreModelPatcher(model.model, load_device=management.get_torch_device(), offload_device=management.unet_offload_device())
    images = [frame.image for frame in Clip(clip).frames()]
    batch = torch.from_numpy(np.stack(images)).float() / 255
    enlarger = TileEnlarger(model, 2)
    times: dict[str, list[float]] = {"kinetics": [], "core": []}

    def ours() -> np.ndarray:
        return np.stack([enlarger(image) for image in images])

    def core() -> np.ndarray:
        with torch.inference_mode():
            return ImageUpscaleWithModel.execute(model, batch).args[0].numpy()

    made = {}
    for repeat in range(repeats + 1):
        for name, run in (("kinetics", ours), ("core", core)) if repeat % 2 else (("core", core), ("kinetics", ours)):
            # Time of the processor: on a busy machine the wall's tells who else is working.
            began = time.process_time()
            made[name] = run()
            if repeat:  # the first round warms up
                times[name].append((time.process_time() - began) / len(images))
    middle = {name: statistics.median(values) for name, values in times.items()}
    difference = float(np.abs(made["kinetics"] - 255 * made["core"]).max())
    return {**middle, "speed": statistics.median(b / a for a, b in zip(times["kinetics"], times["core"], strict=True)), "largest_difference_levels": difference}


def lanczos_times(size: tuple[int, int]) -> dict[str, float]:
    import cv2
    import kornia
    import numpy as np
    import torch

    from kinetics.upscale.lanczos import _resize_on_card, resize

    image, target = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8), (2 * size[0], 2 * size[1])

    def by_kornia() -> np.ndarray:
        planes = torch.from_numpy(image).permute(2, 0, 1)[None].float()
        return kornia.geometry.resize(planes, target[::-1], interpolation="bicubic")[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()

    ways = {
        "Pillow": lambda: resize(image, target), "torch matrices": lambda: _resize_on_card(image, target, "cpu"),
        "OpenCV Lanczos-4": lambda: cv2.resize(image, target, interpolation=cv2.INTER_LANCZOS4), "kornia bicubic": by_kornia,
    }  # fmt: skip
    times = {}
    for name, way in ways.items():
        way()
        began = time.perf_counter()
        for _ in range(5):
            way()
        times[name] = (time.perf_counter() - began) / 5 * 1000
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--to-file", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.to_file:
        return to_file(args.to_file[0], args.to_file[1], int(args.to_file[2]))
    size = tuple(int(side) for side in args.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        short, long = (make_clip(Path(name, f"{k}.mp4"), k * args.frames, size) for k in (1, 10))
        files = {"short": measured(short, Path(name, "out.mp4"), args.filters), "ten_times": measured(long, Path(name, "out.mp4"), args.filters)}
        figures = {"lanczos_ms": lanczos_times(size), "files": files, "core": against_core(short, args.filters, args.repeats)}
    core = figures["core"]
    print(f"{args.size} ×2, {args.frames} frames, ESRGAN of {args.filters} filters, {os.cpu_count()} cores")
    print(f"processor seconds a frame: kinetics {core['kinetics']:.3f}, core {core['core']:.3f}; speed {core['speed']:.2f} × (target \u2265 1.0)")
    print(f"largest difference {core['largest_difference_levels']:.2f} grey levels")
    ratio = files["ten_times"]["peak_mib"] / files["short"]["peak_mib"]
    print(f"to a file: {files['short']['s'] / args.frames:.3f} s a frame; peak memory {files['short']['peak_mib']:.0f} MiB, ten times as long {files['ten_times']['peak_mib']:.0f} MiB, ratio {ratio:.2f}")
    print("flicker (source, model, steadied): " + ", ".join(f"{value:.2f}" for value in files["ten_times"]["flicker"]))
    print("Lanczos, ms a frame: " + ", ".join(f"{name} {value:.1f}" for name, value in figures["lanczos_ms"].items()))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
