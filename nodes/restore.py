"""Footage restored, and clips enlarged to a file."""

from __future__ import annotations

import math
from pathlib import Path

from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from .host import open_clip, preview_videos, report_progress, safe_stem, temp_folder, video_from
from .io_types import CATEGORY, BatTrackSocket, PoseSequenceSocket, SwingSocket

BENCH = f"{CATEGORY}/Restore"


class RestoreFootage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_RestoreFootage",
            display_name="Restore Footage",
            category=BENCH,
            description="Brings grainy, interlaced, blocky or soft broadcast footage nearer to what the camera saw. What a clip suffers from is measured "
            "from the clip itself; a clean clip comes out as it is. Frames are averaged along the motion, less around a fast bat. Streams: long clips need no more memory.",
            search_aliases=["denoise video", "deinterlace", "degrain", "deblock", "sharpen", "old footage", "VHS", "broadcast", "noise"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="One clip, or a list: the node runs once per clip."),
                io.Combo.Input(
                    "scan", options=["auto", "progressive", "top field first", "bottom field first"], default="auto",
                    tooltip="How the pictures are stored. auto looks at what moves: whole frames, or two fields of different times, and which came first.",
                ),
                io.Boolean.Input("field_rate", default=False, tooltip="Make a frame of every field (50 a second of 25): twice the samples in time for a fast bat. Whole frames stay as they are."),
                io.Float.Input("denoise", default=1.0, min=0.0, max=3.0, step=0.05, tooltip="How much of the measured grain is taken to be there: 1 as measured, 0 leaves it, more smooths more."),
                io.Float.Input("sharpen", default=1.0, min=0.0, max=1.0, step=0.05, tooltip="How much of the measured softness is taken back. A sharp clip is never sharpened."),
                io.Boolean.Input("stabilise", default=False, tooltip="Take the camera's motion out afterwards, as Track Camera and Stabilise Clip do."),
                io.MultiType.Input(
                    "bat", [SwingSocket, BatTrackSocket, PoseSequenceSocket], optional=True,
                    tooltip="A swing, a bat track or a skeleton of this clip, in its own pixels: frames are averaged less where the bat flies.",
                ),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The restored clip, at its own times, without sound."),
                io.String.Output(display_name="report", tooltip="What was measured and done."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, scan, field_rate, denoise, sharpen, stabilise, bat=None) -> io.NodeOutput:
        from ..kinetics.restore.bat_motion import bat_motion
        from ..kinetics.restore.pipeline import RestoreSettings, restore_clip

        opened = open_clip(clip)
        settings = RestoreSettings(scan, field_rate, denoise, sharpen)
        motion = bat_motion(bat, (opened.info.width, opened.info.height)) if bat is not None else None
        output = temp_folder("restored") / f"{safe_stem(Path(opened.name).stem)}_restored.mp4"
        report = restore_clip(opened, output, settings, bat=motion, progress=report_progress())
        if stabilise:
            output = cls._stabilise(output)
        text = "\n".join(report.notes)
        return io.NodeOutput(video_from(output), text, ui={**preview_videos([output]).as_dict(), "text": (text,)})

    @classmethod
    def _stabilise(cls, path: Path) -> Path:
        from ..kinetics.motion.camera import track_camera
        from ..kinetics.motion.stabilise import stabilise_clip
        from ..kinetics.video.decode import Clip

        clip = Clip(path)
        camera = track_camera(clip, progress=report_progress())
        return stabilise_clip(clip, camera, path.with_stem(f"{path.stem}_still"), crf=16, progress=report_progress())


class UpscaleClip(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_UpscaleClip",
            display_name="Upscale Clip",
            category=BENCH,
            description="Enlarges a clip to a file, one frame in memory at a time: by an upscale model, tile by tile, or by Lanczos without one. "
            "Detail that a model invents anew in every frame is damped; how much the result flickers is told.",
            search_aliases=["upscale video", "super resolution", "enlarge", "ESRGAN", "2x", "4x", "lanczos", "resize video"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="One clip, or a list: the node runs once per clip."),
                io.DynamicCombo.Input(
                    "to",
                    options=[
                        io.DynamicCombo.Option("factor", [io.Float.Input("times", default=2.0, min=0.1, max=16.0, step=0.05, tooltip="How many times as wide and high.")]),
                        io.DynamicCombo.Option("size", [
                            io.Int.Input("width", default=1920, min=0, max=8192, step=2, tooltip="Width in pixels; 0: follows the height."),
                            io.Int.Input("height", default=0, min=0, max=8192, step=2, tooltip="Height in pixels; 0: follows the width."),
                        ]),
                    ],
                    tooltip="The size of the result. A model has a scale of its own; its result is brought to this size.",
                ),
                io.Combo.Input("by", options=["model, else Lanczos", "model", "Lanczos"], default="model, else Lanczos", tooltip="model: an upscale model has to be plugged in. Lanczos: plain and fast, invents nothing."),
                io.Int.Input("tile", default=512, min=64, max=4096, step=32, tooltip="A tile has at most this number squared of pixels; made smaller by itself when memory runs out."),
                io.Boolean.Input("steady", default=True, tooltip="Damp detail of the model that changes from frame to frame where the clip doesn't."),
                io.UpscaleModel.Input("upscale_model", optional=True, tooltip="From Load Upscale Model."),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The enlarged clip, at its own times, without sound."),
                io.String.Output(display_name="report", tooltip="Size, method and flicker."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clip, to, by, tile, steady, upscale_model=None) -> io.NodeOutput:
        from comfy.model_management import get_torch_device

        from ..kinetics.upscale.clip import choose_size, upscale_clip

        opened = open_clip(clip)
        if by == "model" and upscale_model is None:
            raise KineticsError("Upscale Clip is set to use a model and has none; plug in Load Upscale Model, or choose Lanczos.")
        size = choose_size((opened.info.width, opened.info.height), **({"factor": to["times"]} if to["to"] == "factor" else {"width": to["width"], "height": to["height"]}))
        enlarge = None if by == "Lanczos" or upscale_model is None else load_enlarger(upscale_model, tile)
        output = temp_folder("upscaled") / f"{safe_stem(Path(opened.name).stem)}_{size[0]}x{size[1]}.mp4"
        report = upscale_clip(opened, output, size, enlarge, steady=steady, device=get_torch_device(), progress=report_progress())
        text = "\n".join([describe_upscale(report, opened.info, enlarge, steady), *report.notes])
        return io.NodeOutput(video_from(output), text, ui={**preview_videos([output]).as_dict(), "text": (text,)})


def load_enlarger(model, tile: int):
    """A network of the host as kinetics takes it: its weights on the device, its memory the host's care, as core's own node does it."""
    from comfy import model_management

    from ..kinetics.upscale.tiles import TileEnlarger

    # Core's own estimate of what such models take per pixel.
    needed = tile * tile * 3 * 4 * max(model.scale, 1.0) * 384.0
    model_management.load_models_gpu([model.patcher], memory_required=needed)

    def is_out_of_memory(error: BaseException) -> bool:
        if model_management.is_oom(error):
            model_management.soft_empty_cache()
            return True
        return isinstance(error, MemoryError)

    return TileEnlarger(model, model.scale, tile, device=model.patcher.load_device, is_out_of_memory=is_out_of_memory)


def describe_upscale(report, info, enlarge, steady: bool) -> str:
    """What was done, in a sentence, and the flicker where a model drew."""
    how = f"by the model (×{enlarge.scale}, tiles of up to {enlarge.tile}² pixels)" if enlarge else "by Lanczos"
    text = f"{info.width}×{info.height} to {report.size[0]}×{report.size[1]} {how}, {report.frames} frames."
    source, raw, shown = report.flicker
    if math.isnan(source):
        return text
    said = f" Flicker along the motion, in grey levels: the clip's own {source:.2f}, the model's {raw:.2f}"
    return text + said + (f", steadied {shown:.2f}." if steady else ".")
