"""Style: a dataset of the batter's pictures, chosen by the motion, built and read again."""

from __future__ import annotations

from pathlib import Path

import folder_paths
from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from ..kinetics.style.captions import DEFAULT_TEMPLATE, check_template
from ..kinetics.style.samples import is_style_folder
from .host import fingerprint_files, image_tensor, one, open_clip, output_path, preview_image, report_progress, sentence_or_true
from .io_types import CATEGORY, PoseSequenceSocket, StyleDatasetSocket, SwingSocket

BENCH = f"{CATEGORY}/Style"

NO_DATASET = "(none yet)"

#: Folders are looked for so many levels deep in the host's input and output folders.
_DEPTH = 3


class BuildStyleDataset(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_BuildStyleDataset",
            display_name="Build Style Dataset",
            category=BENCH,
            description="Makes a training set out of clips: crops that hold batter and bat, frames of every phase of the swing, blurred and repeated ones left out, "
            "each with its pose hint, mask, caption and weight. Whole clips are held out, never single frames. A plain folder that other trainers read too.",
            search_aliases=["training set", "lora dataset", "captions", "buckets", "controlnet dataset", "openpose", "kohya", "masked loss"],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", tooltip="One clip or a list of clips of the batter."),
                PoseSequenceSocket.Input("skeletons", optional=True, tooltip="A skeleton per clip, in the clip's own pixels (not stabilised). Not needed where swings are given that were measured with one."),
                SwingSocket.Input("swings", optional=True, tooltip="A swing per clip, from Measure Swing: gives phases, the bat and its smear. Without, frames are balanced by how fast the limbs move."),
                io.String.Input("trigger", default="ckbatter", tooltip="The word that will call the style up; a made-up one is best."),
                io.String.Input("template", default=DEFAULT_TEMPLATE, multiline=True, tooltip="The caption. Fields: {trigger}, {shot}, {phase}, {tempo}; what is not known is left out."),
                io.String.Input("shots", default="", multiline=True, tooltip="What captions call each stroke, a line per clip; empty takes it from the clips' names (cover_drive_02: cover drive)."),
                io.Int.Input("resolution", default=512, min=64, max=4096, step=64, tooltip="Pictures have about this number squared of pixels, in the shape that fits the batter: 512 for SD1.5, 1024 for SDXL."),
                io.Int.Input("frames_per_clip", default=24, min=1, max=10000, tooltip="At most so many frames of each clip; fewer where the rest is blurred or alike."),
                io.Float.Input("held_out", default=0.15, min=0.0, max=1000.0, step=0.05, tooltip="Clips kept for validation: below 1 a share of them, at least one; from 1 on their number; 0 for none."),
                io.Boolean.Input("bat_layer", default=True, tooltip="Draw the bat into the pose hints, in white. Use the same when you generate."),
                io.Float.Input("exposure", default=0.0, min=0.0, max=1.0, step=0.0005, tooltip="Seconds that the shutter was open, to foretell blur; 0: not known, half of the frame's time is taken."),
                io.Int.Input("seed", default=0, min=0, max=2**31 - 1, tooltip="Draws the clips that are held out."),
                io.String.Input("filename_prefix", default="correlated_kinetics/style", tooltip="Name, or folder/name, of the new folder inside ComfyUI's output folder."),
                io.Mask.Input("masks", optional=True, tooltip="For one clip: the batter's mask per frame, e.g. from SAM3. Without, masks are drawn about the skeleton."),
            ],
            outputs=[
                StyleDatasetSocket.Output(display_name="dataset", tooltip="The dataset, for Train Style LoRA."),
                io.Image.Output(display_name="sheet", tooltip="The contact sheet."),
                io.String.Output(display_name="report", tooltip="What went in, what was left out and why."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, trigger=None, template=None) -> bool | str:
        return True if None in (trigger, template) else sentence_or_true(lambda: check_template(one(template), one(trigger)))

    @classmethod
    def execute(
        cls, clips, trigger, template, shots, resolution, frames_per_clip, held_out, bat_layer, exposure, seed, filename_prefix, skeletons=None, swings=None, masks=None
    ) -> io.NodeOutput:  # fmt: skip
        from ..kinetics.style.dataset import build_style_dataset, report

        strokes = style_shots(clips, skeletons, swings, masks, [line.strip() for text in shots for line in text.splitlines()], one(exposure) or None)
        dataset = build_style_dataset(
            strokes, output_path(one(filename_prefix), "dataset", 0, 0), trigger=one(trigger), template=one(template), resolution=one(resolution),
            frames_per_clip=one(frames_per_clip), held_out=one(held_out), bat_layer=one(bat_layer), seed=one(seed), progress=report_progress(),
        )  # fmt: skip
        return shown(dataset, report(dataset))


class LoadStyleDataset(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        folders = dataset_folders()
        return io.Schema(
            node_id="CK_LoadStyleDataset",
            display_name="Load Style Dataset",
            category=BENCH,
            description="Reads a dataset that Build Style Dataset wrote, and checks it. Captions that you edited, in the text file beside each picture, count.",
            search_aliases=["training set", "lora dataset", "open dataset", "captions"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input("folder", options=folders or [NO_DATASET], tooltip="A dataset's folder inside ComfyUI's output or input folder. Press R to look again."),
            ],
            outputs=[
                StyleDatasetSocket.Output(display_name="dataset", tooltip="The dataset, for Train Style LoRA."),
                io.Image.Output(display_name="sheet", tooltip="The contact sheet."),
                io.String.Output(display_name="report", tooltip="What is in it."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, folder) -> bool | str:
        return sentence_or_true(lambda: dataset_path(folder))

    @classmethod
    def fingerprint_inputs(cls, folder):
        path = dataset_path(folder)
        return fingerprint_files([path / "dataset.json", path / "metadata.jsonl", *sorted((path / "images").iterdir())])

    @classmethod
    def execute(cls, folder) -> io.NodeOutput:
        from ..kinetics.style.dataset import StyleDataset, report

        dataset = StyleDataset.load(dataset_path(folder))
        return shown(dataset, report(dataset))


def shown(dataset, text: str) -> io.NodeOutput:
    """Dataset, sheet and report, the sheet in the node."""
    from ..kinetics.style.sheet import contact_sheet

    sheet = contact_sheet(dataset)
    return io.NodeOutput(dataset, image_tensor(sheet), text, ui=preview_image(sheet, "style"))


def style_shots(clips: list, skeletons: list | None, swings: list | None, masks: list | None, labels: list[str], exposure: float | None) -> list:
    """What kinetics builds from: per clip its skeleton, its swing, and what it is called."""
    from ..kinetics.style.dataset import StyleShot

    skeletons = [pose for pose in skeletons or () if pose is not None]
    swings = [swing for swing in swings or () if swing is not None]
    for found, name in ((skeletons, "skeletons"), (swings, "swings")):
        if found and len(found) != len(clips):
            raise KineticsError(f"Build Style Dataset has {len(clips)} clips and {len(found)} {name}; plug in one per clip, from the same list.")
    if any(labels) and len(labels) != len(clips):
        raise KineticsError(f"There are {len(labels)} lines in shots and {len(clips)} clips; write a line per clip, or leave it empty.")
    if masks and len(clips) > 1:
        raise KineticsError("Masks can be given for one clip only; unplug them, and they are drawn about the skeletons.")
    poses = skeletons or [swing.pose for swing in swings]
    if not poses or any(pose is None for pose in poses):
        raise KineticsError("Build Style Dataset has clips without a skeleton; plug in Clean Skeleton's, or swings that were measured with one.")
    return [
        StyleShot(
            open_clip(video), pose, swing, shot=label, footage=footage_of(video, number), exposure=exposure, masks=masks[0] if masks else None
        )
        for number, (video, pose, swing, label) in enumerate(
            zip(clips, poses, swings or [None] * len(clips), labels if any(labels) else [""] * len(clips), strict=True)
        )
    ]


def footage_of(video, number: int) -> str:
    """What a clip was cut from: its file, whatever its trim window; a clip in memory stands for itself."""
    source = video.get_stream_source()
    return source if isinstance(source, str) else f"clip {number}"


def dataset_folders() -> list[str]:
    """Style datasets in the host's output and input folders, as ``output/NAME``, newest first."""
    found = []
    for name, root in roots().items():
        for depth in range(1, _DEPTH + 1):
            found += [(path.stat().st_mtime, f"{name}/{path.parent.relative_to(root).as_posix()}") for path in root.glob("*/" * depth + "dataset.json") if is_style_folder(path.parent)]
    return [name for _, name in sorted(found, reverse=True)]


def dataset_path(name: str) -> Path:
    """The folder behind a choice of Load Style Dataset.

    Raises
    ------
    KineticsError
        When it leads out of the host's folders, or isn't there.
    """
    kind, _, rest = name.partition("/")
    root = roots().get(kind)
    path = None if root is None or not rest else (root / rest).resolve()
    if path is None or not path.is_relative_to(root) or not path.is_dir():
        raise KineticsError(f"There is no style dataset {name!r} in ComfyUI's output or input folder; build one, or choose another.")
    return path


def roots() -> dict[str, Path]:
    return {"output": Path(folder_paths.get_output_directory()).resolve(), "input": Path(folder_paths.get_input_directory()).resolve()}
