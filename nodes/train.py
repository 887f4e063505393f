"""Train a batter's style into a LoRA on the host's own models, and read what a LoRA file says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import folder_paths
from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from ..kinetics.style.settings import TrainSettings
from .host import fingerprint_files, image_tensor, preview_images, sentence_or_true
from .io_types import CATEGORY, StyleDatasetSocket

if TYPE_CHECKING:
    import numpy as np

BENCH = f"{CATEGORY}/Style"

#: Settings that everybody sets; the others stand under Advanced.
PLAIN = ("steps", "learning_rate", "rank", "alpha", "targets", "batch", "seed", "precision")
#: The file is named by the node, and its times by the dataset.
HIDDEN = ("title", "date")
#: Greatest number and step of a widget, where they are not those of its type.
WIDGETS = {
    "seed": {"max": 2**31 - 1, "control_after_generate": False}, "learning_rate": {"max": 10.0, "step": 1e-6, "round": False},
    "picture_guidance": {"max": 30.0, "step": 0.5}, "text_learning_rate": {"max": 10.0, "step": 1e-6, "round": False}, "ema": {"max": 0.99999, "step": 0.0001, "round": False},
}  # fmt: skip

NEW, RESUME, REPLACE = "a new number", "resume it", "replace it"
NO_LORA = "(none yet)"


def setting_inputs() -> list:
    """A widget per training setting, with the words that the command line's help has too."""
    inputs = []
    for entry in fields(TrainSettings):
        if entry.name in HIDDEN:
            continue
        told = {
            "default": entry.default,
            "tooltip": entry.metadata["help"][0].upper() + entry.metadata["help"][1:] + ".",
            "advanced": entry.name not in PLAIN,
        }
        if entry.metadata["choices"]:
            inputs.append(io.Combo.Input(entry.name, options=list(entry.metadata["choices"]), **told))
        elif entry.type == "bool":
            inputs.append(io.Boolean.Input(entry.name, **told))
        elif entry.type == "int":
            inputs.append(io.Int.Input(entry.name, min=0, **{"max": 1_000_000, **WIDGETS.get(entry.name, {})}, **told))
        else:
            told["default"] = entry.default or 0.0
            inputs.append(io.Float.Input(entry.name, min=0.0, **{"max": 1000.0, "step": 0.01, **WIDGETS.get(entry.name, {})}, **told))
    return inputs


def read_settings(values: dict) -> TrainSettings:
    """Widgets' values as settings; no rate of its own for the text encoder is 0 there."""
    return TrainSettings(**{**values, "text_learning_rate": values["text_learning_rate"] or None})


class TrainStyleLora(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_TrainStyleLoRA",
            display_name="Train Style LoRA",
            category=BENCH,
            description="Learns a batter's style from a style dataset, with the pose ControlNet in the loop: the LoRA learns how this batter looks in a pose, "
            "and leaves the pose to the ControlNet. For SD1.5 and SDXL. Cancel saves what was learned; it can be resumed.",
            search_aliases=["lora training", "train lora", "fine-tune", "dreambooth", "kohya", "controlnet training", "style", "peft"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The base model, of the SD1.5 or SDXL family, without a LoRA on it."),
                io.Clip.Input("clip", tooltip="The base model's text encoder."),
                io.Vae.Input("vae", tooltip="The base model's VAE."),
                StyleDatasetSocket.Input("dataset", tooltip="From Build Style Dataset or Load Style Dataset."),
                io.ControlNet.Input("control_net", optional=True, tooltip="A pose (OpenPose) ControlNet for the base model. Without one the text alone conditions."),
                io.String.Input("name", default="ck_style", tooltip="The LoRA's file, in ComfyUI's output/loras, where Load LoRA finds it."),
                io.Combo.Input("if_there", options=[NEW, RESUME, REPLACE], tooltip="When there are LoRAs of that name: take the next number; go on from the newest one's checkpoint; or train the newest anew."),
                *setting_inputs(),
            ],
            outputs=[
                io.LoraModel.Output(display_name="lora", tooltip="The LoRA, for Load LoRA Model."),
                io.String.Output(display_name="lora_name", tooltip="Its file as Load LoRA names it."),
                io.LossMap.Output(display_name="loss_map", tooltip="The loss of every step, for Plot Loss Graph."),
                io.Image.Output(display_name="plot", tooltip="Losses of training and of the held-out clips, with right pose, wrong pose and without the LoRA."),
                io.Image.Output(display_name="pictures", tooltip="Held-out poses: the hint, the true frame, and what the LoRA drew over the steps, from the same noise each time."),
            ],
            hidden=[io.Hidden.unique_id],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, name, **values) -> bool | str:
        known = {entry.name: values.get(entry.name, entry.default) for entry in fields(TrainSettings) if entry.name not in HIDDEN}
        linked = any(value is None for key, value in known.items() if key != "text_learning_rate")
        return sentence_or_true(lambda: (check_name(name), None if linked else read_settings(known)))

    @classmethod
    def execute(cls, model, clip, vae, dataset, name, if_there, control_net=None, **values) -> io.NodeOutput:
        import torch

        from ..kinetics.plots.training import plot_training
        from ..kinetics.style.modules import require

        require("diffusers", "peft", "accelerate", "transformers")
        from .train_display import TrainingDisplay
        from .train_host import train_on_host

        settings, path = read_settings(values), lora_path(name, if_there)
        # The executor runs nodes in inference mode, in which nothing can be learned.
        display = TrainingDisplay(cls.hidden.unique_id if cls.hidden else None, settings.steps)
        with torch.inference_mode(False):
            result = train_on_host(
                model, clip, vae, control_net, dataset, settings, path, resume=if_there == RESUME, progress=display.progress, on_event=display.on_event
            )  # fmt: skip
        plot = plot_training(result.losses, result.held_out)
        drawn = [] if result.sheet is None else [result.sheet]
        shown = {**preview_images([plot, *drawn], "training"), "text": (told(result),)}
        sheet = drawn[0] if drawn else empty_sheet()
        return io.NodeOutput(result.tensors, path.name, {"loss": result.losses}, image_tensor(plot), image_tensor(sheet), ui=shown)


class ReadLoraInfo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ReadLoRAInfo",
            display_name="Read LoRA Info",
            category=BENCH,
            description="What a LoRA file says of itself: trigger, base model, rank and alpha, and what was measured of the clips that it was trained on.",
            search_aliases=["lora metadata", "trigger word", "safetensors metadata", "alpha", "rank"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input("lora_name", options=folder_paths.get_filename_list("loras") or [NO_LORA], tooltip="A LoRA, of this pack or of any other trainer. Press R to look again."),
                io.String.Input("file", optional=True, force_input=True, tooltip="From Train Style LoRA: read this one instead."),
            ],
            outputs=[
                io.String.Output(display_name="trigger", tooltip="The trigger phrase; empty where the file gives none."),
                io.String.Output(display_name="info", tooltip="A line per fact."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, lora_name, **linked) -> bool | str:
        return True if "file" in linked else sentence_or_true(lambda: existing_lora(lora_name))

    @classmethod
    def fingerprint_inputs(cls, lora_name, file=None):
        name = file or lora_name
        return name if name == NO_LORA else fingerprint_files([existing_lora(name)])

    @classmethod
    def execute(cls, lora_name, file=None) -> io.NodeOutput:
        from ..kinetics.style.lora_file import read_lora_info

        info = read_lora_info(existing_lora(file or lora_name))
        return io.NodeOutput(info.trigger, info.sentences(), ui=ui.PreviewText(info.sentences()))


def check_name(name: str) -> None:
    if not re.fullmatch(r"[^\\/:*?\"<>|\x00-\x1f.][^\\/:*?\"<>|\x00-\x1f]*", name):
        raise KineticsError(f"The name {name!r} can't be a file's; use letters, digits, spaces, - and _.")


def lora_path(name: str, if_there: str) -> Path:
    """Where the LoRA goes: ``output/loras/NAME_00001.safetensors``, by what shall be done when there is one."""
    check_name(name)
    folder = Path(folder_paths.get_output_directory()) / "loras"
    pattern = re.compile(re.escape(name) + r"_(\d{5})\.(resume\.pt|safetensors)")
    taken = [
        int(match[1])
        for entry in folder.glob("*")
        if (match := pattern.fullmatch(entry.name)) and (if_there != RESUME or match[2] == "resume.pt")
    ]
    if if_there == RESUME and not taken:
        raise KineticsError(f"There is no checkpoint of {name!r} in {folder} to resume; set if_there to {NEW!r}.")
    number = max(taken, default=0) + (if_there == NEW or not taken)
    return folder / f"{name}_{number:05}.safetensors"


def existing_lora(name: str) -> Path:
    """The file behind a choice of Read LoRA Info."""
    path = folder_paths.get_full_path("loras", name)
    if path is None:
        raise KineticsError(f"There is no LoRA {name!r} in ComfyUI's LoRA folders; train one, or choose another.")
    return Path(path)


def empty_sheet() -> np.ndarray:
    """The page that stands for pictures that weren't drawn."""
    from ..kinetics.ink import write
    from ..kinetics.plots.page import blank_page

    page = blank_page((900, 120))
    write(page, "No pictures were drawn: no clip is held out, or picture_poses is 0.", (450, 60), 24, anchor="centre")
    return page


def told(result) -> str:
    """The outcome in a sentence or two."""
    text = f"{result.path.name}: {result.step} steps, last loss {result.losses[-1]:.4f}."
    if result.held_out:
        last = result.held_out[-1]
        wrong = f", {last['wrong']:.4f} with a wrong one" if "wrong" in last else ""
        text += f" On held-out clips {last['right']:.4f} with the right pose{wrong}, {last['base']:.4f} without the LoRA."
    return text
