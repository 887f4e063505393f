"""``python -m kinetics train``, also as ``accelerate launch -m kinetics train`` on several processes or machines."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from .errors import Progress
from .style.settings import TrainSettings

#: Steps over which the loss that is told is averaged.
RECENT = 50

#: How a setting is read from the command line, by the type that it is declared with.
TYPES = {"int": int, "float": float, "float | None": float, "str": str}


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", type=Path, metavar="DIR", help="a style dataset, as the command dataset or Build Style Dataset writes it"
    )
    parser.add_argument("--base", type=Path, required=True, metavar="CKPT", help="a whole checkpoint of the SD1.5 or SDXL family")
    parser.add_argument(
        "--controlnet", type=Path, metavar="CN", help="a pose (OpenPose) ControlNet for it; without one the text alone conditions"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="LORA",
        help="the .safetensors to write; a checkpoint to resume from goes beside it",
    )
    parser.add_argument("--vae", type=Path, metavar="FILE", help="another VAE than the checkpoint's")
    parser.add_argument(
        "--tokenizer", type=Path, metavar="DIR", help="CLIP's vocab.json and merges.txt (default: those of the ComfyUI at COMFYUI_PATH)"
    )
    parser.add_argument("--prediction", choices=("auto", "epsilon", "v_prediction"), default="auto", help="what the base model predicts")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: the first card, where there is one)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep latents here from run to run")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint beside LORA")
    for entry in fields(TrainSettings):
        flag, text, choices = "--" + entry.name.replace("_", "-"), entry.metadata["help"], entry.metadata["choices"] or None
        if entry.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=entry.default, help=text)
        else:
            shown = text if "default" in text else f"{text} (default: {entry.default})"
            parser.add_argument(
                flag, type=TYPES[entry.type], choices=choices, default=entry.default, metavar=None if choices else "X", help=shown
            )


def run_train(options: argparse.Namespace) -> None:
    from .files import write_json

    settings = TrainSettings(**{entry.name: getattr(options, entry.name) for entry in fields(TrainSettings)})
    from .style.modules import require

    require("torch", "diffusers", "peft", "accelerate", "transformers", "safetensors")
    from .style.checkpoint import load_modules
    from .style.processes import join_processes
    from .style.samples import StyleDataset
    from .style.train import train_style_lora

    dataset = StyleDataset.load(options.dataset)
    processes = join_processes(options.device)
    modules = load_modules(
        options.base,
        options.controlnet,
        vae=options.vae,
        tokenizer=options.tokenizer,
        prediction=options.prediction,
        device=str(processes.device),
    )
    if processes.first:
        count = processes.count
        print(f"training on {processes.device} in {count} process{'es' * (count > 1)}, {settings.batch * count} images a pass", file=sys.stderr)
    telling = Telling()
    shown = telling.progress if processes.first else (lambda done, total: None)
    try:
        with stop_between_steps(shown, alone=processes.count == 1) as progress:
            result = train_style_lora(
                modules, dataset, settings, out=options.output, progress=progress, on_event=telling.on_event, resume=options.resume, cache=options.cache,
                processes=processes,
            )  # fmt: skip
    except KeyboardInterrupt:
        if processes.first:
            raise
        raise SystemExit(130) from None  # the first one tells
    if processes.first:
        write_json(options.output.with_suffix(".losses.json"), {"losses": result.losses, "held_out": result.held_out})
        print(result.path)


class Telling:
    """What a person wants to read while it runs, on standard error: steps, loss and time left, held-out losses, files."""

    def __init__(self) -> None:
        from .commands import show_progress

        self.recent: list[float] = []
        self.done = -1
        self.line = show_progress(self.words)

    def progress(self, done: int, total: int) -> None:
        if done != self.done:
            self.done = done
            self.line(done, total)

    def words(self) -> str:
        return f"training, loss {sum(self.recent) / len(self.recent):.4f}" if self.recent else "training"

    def on_event(self, kind: str, values: dict) -> None:
        if kind == "step":
            self.recent = [*self.recent, values["loss"]][-RECENT:]
            return
        if kind == "held_out":
            poses = (
                [f"{values['right']:.4f} right pose", f"{values['wrong']:.4f} wrong pose"] if "wrong" in values else [f"{values['right']:.4f}"]
            )
            text = f"step {values['step']}: held-out loss {', '.join(poses)}, {values['base']:.4f} without the LoRA"
        elif kind == "pictures":
            text = f"step {values['step']}: pictures {values['path']}"
        elif kind == "checkpoint":
            text = f"step {values['step']}: checkpoint {values['path']}"
        elif kind == "note":
            text = values["text"]
        else:
            return
        print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr)


@contextmanager
def stop_between_steps(progress: Progress, *, alone: bool) -> Iterator[Progress]:
    """The first Ctrl-C (or SIGTERM) ends the run after the step that it falls into, so that what was learned is saved whole; the second at once.

    Parameters
    ----------
    alone
        Whether this is the only process. Under a launcher one Ctrl-C comes twice, from the terminal and from the launcher: there only the first counts.
    """
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked and alone:
            raise KeyboardInterrupt
        if not asked:
            print("\nStopping after this step; what was learned is being saved.", file=sys.stderr)
        asked = True

    def checked(done: int, total: int) -> None:
        progress(done, total)
        if asked:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield checked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
