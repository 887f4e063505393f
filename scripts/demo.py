"""The main job, as demo.sh runs it: prepares the clips, starts ComfyUI, submits the workflow, collects what it made."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from comfy_server import ROOT, ComfyServer, ServerError, comfyui_path, title

sys.path.insert(0, str(ROOT))

from kinetics.cli import main as kinetics_cli
from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.grid import grid_shape
from kinetics.video.sheet import describe_clip

SAMPLES = "correlated_kinetics/sample_clips"
OWN = "correlated_kinetics/your_clips"


def prepare_samples(input_folder: Path) -> None:
    """Draw the six sample clips, unless this version of the pack drew them before."""
    folder = input_folder / SAMPLES
    sources = sorted((ROOT / "kinetics" / "synthetic").glob("*.py"))
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = folder / "version.txt"
    if stamp.exists() and stamp.read_text() == version and len(list(folder.glob("*.mp4"))) == 6:
        return
    if status := kinetics_cli(["synth", str(folder)]):
        raise SystemExit(status)
    stamp.write_text(version)


def prepare_own(clips: list[Path], input_folder: Path) -> list[str]:
    """Put the user's clips into the host's input folder, numbered so that they keep their order; their titles."""
    for path in clips:
        print(f"  {describe_clip(Clip(path))}", file=sys.stderr)
    folder = input_folder / OWN
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, path in enumerate(clips, 1):
        shutil.copyfile(path, folder / f"{number}_{path.name}")
    return [path.stem.replace("_", " ") for path in clips]


def adapt_prompt(prompt: dict, folder: str, titles: list[str] | None, grid: str, subject: dict) -> dict:
    """The workflow's API form for these clips: their folder, titles, grid and batter."""
    prompt = json.loads(json.dumps(prompt))
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "CK_LoadClips":
            inputs["folder"] = folder
        if node["class_type"] == "CK_GridComposite" and titles:
            inputs["titles"] = "\n".join(titles)
        if node["class_type"] == "CK_ExtractSkeleton":
            inputs.update(subject)
        if "filename_prefix" in inputs:
            inputs["filename_prefix"] = inputs["filename_prefix"].replace("2x3", grid)
    return prompt


def subject_inputs(subject: str) -> dict:
    """The Extract Skeleton node's inputs for the command line's word."""
    if subject in ("auto", "largest"):
        return {} if subject == "auto" else {"subject": "largest"}
    if match := re.fullmatch(r"(\d+),(\d+)(?:@(\d+))?", subject):
        x, y, frame = (int(part or 0) for part in match.groups())
        return {"subject": "point", "subject.x": x, "subject.y": y, "subject.frame": frame}
    if subject.isdigit():
        return {"subject": "number", "subject.number": int(subject)}
    raise argparse.ArgumentTypeError(f"{subject!r} is none of auto, largest, X,Y, X,Y@FRAME and N")


class Progress:
    """One line per node, rewritten while it runs when a person watches."""

    def __init__(self, prompt: dict) -> None:
        self.prompt = prompt
        self.tty = sys.stderr.isatty()

    def __call__(self, kind: str, data: dict) -> None:
        if kind == "executing" and data.get("node"):
            self.say(f"  {title(self.prompt, data['node'])}", end=not self.tty)
        elif kind == "progress" and self.tty:
            self.say(f"  {title(self.prompt, data['node'])}: {data['value']}/{data['max']}", end=False)
        elif kind in ("executed", "execution_success") and self.tty:
            print(file=sys.stderr)

    def say(self, text: str, end: bool) -> None:
        print(f"\r\033[K{text}" if self.tty else text, end="\n" if end else "", file=sys.stderr, flush=True)


def collect(history: dict, host_output: Path, target: Path) -> list[Path]:
    """Copy the saved files to the target under their plain names (the host numbers them)."""
    target.mkdir(parents=True, exist_ok=True)
    found = []
    for output in history["outputs"].values():
        for entry in output.get("images", ()):
            if entry["type"] == "output":
                source = host_output / entry["subfolder"] / entry["filename"]
                path = target / re.sub(r"_\d{5}_", "", entry["filename"])
                shutil.copyfile(source, path)
                found.append(path)
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.sh", description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP", help="one to six clips of your own (default: six sample clips)")
    parser.add_argument("--subject", type=subject_inputs, default="auto", metavar="auto|largest|X,Y[@FRAME]|N", help="whom to follow in your clips")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "output", metavar="DIR", help="where the composites go")
    options = parser.parse_args()
    if len(options.clips) > 6:
        parser.error(f"{len(options.clips)} clips given; six at most.")
    prompt = json.loads((ROOT / "workflows" / "api" / "six_shots.json").read_text(encoding="utf-8"))
    host = comfyui_path()
    try:
        if options.clips:
            folder, titles = OWN, prepare_own(options.clips, host / "input")
        else:
            folder, titles = SAMPLES, None
            prepare_samples(host / "input")
        rows, cols = grid_shape(len(options.clips) or 6)
        prompt = adapt_prompt(prompt, folder, titles, f"{rows}x{cols}", options.subject)
        print("Starting ComfyUI …", file=sys.stderr)
        log = ROOT / ".comfyui" / "demo.log"
        with ComfyServer(log) as server:
            print(f"Running workflows/six_shots.json on http://{server.address}", file=sys.stderr)
            history = server.run(prompt, Progress(prompt))
        files = collect(history, host / "output", options.output)
    except (KineticsError, ServerError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: stopped.", file=sys.stderr)
        return 130
    print("Done:")
    for path in files:
        print(f"  {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
