"""``python -m kinetics score``: generated frames against the pose that drove them, and LoRAs on a style dataset's held-out clips."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KineticsError

if TYPE_CHECKING:
    from .pose_sequence import PoseSequence
    from .score.frames import Pictures
    from .video.decode import Clip

#: What is asked for frames, and what for style: options of the one mean nothing without it.
FRAMES_OPTIONS = ("pose", "found", "source", "source_pose", "floor", "looks", "prompt")
STYLE_OPTIONS = ("base", "controlnet", "lora", "other", "vae", "tokenizer")


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    frames = parser.add_argument_group("frames against a pose")
    frames.add_argument("frames", type=Path, nargs="?", metavar="FRAMES", help="a clip, or a folder of pictures")
    frames.add_argument("--pose", type=Path, metavar="POSE", help="the skeleton that was asked for, on the frames' canvas")
    frames.add_argument("--found", type=Path, metavar="POSE2", help="the skeleton in the frames, when another detector found it already")
    frames.add_argument("--source", type=Path, metavar="CLIP", help="the clip that POSE came from: gives the detector's noise floor, and the steadiness to compare with")
    frames.add_argument("--source-pose", type=Path, metavar="POSE", help="its skeleton in its own pixels, where POSE was fitted to another canvas")
    frames.add_argument("--floor", type=Path, metavar="POSE", help="what that other detector found in CLIP, for its noise floor")
    frames.add_argument("--by", choices=("index", "time"), default="index", help="how requested and found frames are paired (default: index)")
    frames.add_argument("--threshold", type=float, default=0.1, metavar="X", help="of PCK, in trunk lengths (default: 0.1)")
    frames.add_argument(
        "--looks", nargs="+", choices=("lpips", "kid", "clip"), default=[],
        help="with torchmetrics, and weights that lie on this machine: LPIPS and KID to --source, CLIP score of --prompt; nothing is downloaded",
    )  # fmt: skip
    frames.add_argument("--prompt", default="", help="what the frames shall show, for --looks clip")
    style = parser.add_argument_group("style on held-out clips")
    style.add_argument("--dataset", type=Path, metavar="DIR", help="a style dataset with held-out clips")
    style.add_argument("--base", type=Path, metavar="CKPT", help="a whole checkpoint of the SD1.5 or SDXL family")
    style.add_argument("--controlnet", type=Path, metavar="CN", help="a pose ControlNet for it: the loss is then told with right and wrong pose")
    style.add_argument("--lora", type=Path, metavar="A", help="the LoRA that should know this style")
    style.add_argument("--other", type=Path, action="append", default=[], metavar="B", help="a LoRA of another style, to compare with; may be given several times")
    style.add_argument("--samples", type=int, metavar="N", help="held-out pictures used, spread over the split (default: as in the LoRA's own training, else 16)")
    style.add_argument("--precision", choices=("fp32", "bf16", "fp16"), help="of the computation (default: as in the LoRA's own training, else fp32)")
    style.add_argument("--vae", type=Path, metavar="FILE", help="another VAE than the checkpoint's")
    style.add_argument("--tokenizer", type=Path, metavar="DIR", help="CLIP's vocab.json and merges.txt (default: those of the ComfyUI at COMFYUI_PATH)")
    style.add_argument("--prediction", choices=("auto", "epsilon", "v_prediction"), default="auto", help="what the base model predicts")
    style.add_argument("--device", help="cpu, cuda, cuda:1 (default: the first card, where there is one)")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT_DIR", help="write score.json, score.csv and score.png (style_score.* for style) there")


def run_score(options: argparse.Namespace) -> None:
    posed = options.frames is not None or options.found is not None
    for wanted, names, needed in ((posed, FRAMES_OPTIONS, "FRAMES or --found"), (options.dataset is not None, STYLE_OPTIONS, "--dataset")):
        stray = [name for name in names if getattr(options, name)]
        if stray and not wanted:
            raise KineticsError(f"--{stray[0].replace('_', '-')} says nothing without {needed}; give that too, or leave it out.")
    if not posed and options.dataset is None:
        raise KineticsError("There is nothing to score; give FRAMES and --pose, or --dataset and --base.")
    if posed and options.pose is None:
        raise KineticsError("The frames have no pose to be scored against; give --pose, the skeleton that drove them.")
    if options.dataset is not None and options.base is None:
        raise KineticsError("The style's loss is that of a base model; give --base, a checkpoint.")
    if posed:
        run_frames(options)
    if options.dataset is not None:
        run_style(options)


def run_frames(options: argparse.Namespace) -> None:
    from .commands import read_pose, show_progress
    from .pose.estimators import make_estimator
    from .score.frame_score import score_frames
    from .score.report import export_report
    from .video.decode import Clip

    requested = read_pose(options.pose, options)
    others = {name: read_pose(getattr(options, name), options) if getattr(options, name) else None for name in ("found", "source_pose", "floor")}
    frames = None if options.frames is None else open_frames(options.frames, requested)
    # The pack's own detector says nothing of the noise of the one that found POSE2.
    needed = others["found"] is None
    with closing(make_estimator(options.estimator, weights=options.weights, download=options.download)) if needed else nullcontext() as estimator:
        report = score_frames(
            requested, frames, estimator, found=others["found"], source=Clip(options.source) if options.source else None,
            source_pose=others["source_pose"], floor_pose=others["floor"], by=options.by, threshold=options.threshold, looks=options.looks,
            prompt=options.prompt, progress=show_progress("scoring"),
        )  # fmt: skip
    print(report.sentences(), file=sys.stderr if options.output else sys.stdout)
    for path in export_report(report, options.output) if options.output else ():
        print(path)


def open_frames(path: Path, requested: PoseSequence) -> Clip | Pictures:
    """A clip, or a folder's pictures at the requested times."""
    from .score.frames import Pictures
    from .video.decode import Clip

    return Pictures.from_folder(path, requested.t) if path.is_dir() else Clip(path)


def run_style(options: argparse.Namespace) -> None:
    from .commands import show_progress
    from .score.lora_branch import read_lora
    from .score.style import export_style_score, score_style, trial_settings
    from .style.checkpoint import load_modules
    from .style.processes import join_processes
    from .style.samples import StyleDataset

    dataset = StyleDataset.load(options.dataset)
    loras = [read_lora(path) for path in [*([options.lora] if options.lora else []), *options.other]]
    settings = trial_settings(loras[:1], samples=options.samples, precision=options.precision)
    device = join_processes(options.device).device
    modules = load_modules(
        options.base, options.controlnet, vae=options.vae, tokenizer=options.tokenizer, prediction=options.prediction, device=str(device)
    )
    score = score_style(modules, dataset, loras, settings, own=bool(options.lora), device=device, progress=show_progress("style"))
    print(score.sentences(), file=sys.stderr if options.output else sys.stdout)
    for path in export_style_score(score, options.output) if options.output else ():
        print(path)
