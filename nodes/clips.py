"""Clips: load them, draw samples, bring them to one rate, canvas and duration, save a GIF."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from .host import (
    clip_folders,
    clip_titles,
    draw_samples,
    fingerprint_files,
    input_folder,
    open_clip,
    output_path,
    preview_image,
    preview_videos,
    report_progress,
    saved_result,
    sentence_or_true,
    temp_folder,
    video_files,
    video_from,
)
from .io_types import CATEGORY

if TYPE_CHECKING:
    from ..kinetics.video.normalise import NormaliseReport

NO_FOLDER = "(sockets only)"

SHOT_CHOICES = ("cover_drive", "down_the_ground", "hook", "inside_edge", "off_drive", "square_drive")


class LoadClips(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_LoadClips",
            display_name="Load Clips",
            category=f"{CATEGORY}/Clips",
            description="Gathers clips: every video of a folder inside ComfyUI's input folder, and whatever is plugged into the sockets "
            "(a new one appears as each is filled). Nothing is decoded into memory; the clips go on as a list, and the nodes after it run once per clip.",
            search_aliases=["load videos", "video folder", "batch load", "six shots", "cricket clips", "import clips"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=[NO_FOLDER, *clip_folders()],
                    default=NO_FOLDER,
                    tooltip="A folder inside ComfyUI's input folder; its video files are loaded in the order of their names, after those of the sockets. "
                    "The sample clips are drawn when they are first asked for, in a minute.",
                ),
                io.Autogrow.Input(
                    "clips",
                    optional=True,
                    template=io.Autogrow.TemplatePrefix(
                        io.Video.Input("clip", optional=True, tooltip="A clip, for example from Load Video or Trim Video; its trim window is kept."),
                        prefix="clip",
                        min=1,
                        max=36,
                    ),
                    tooltip="Clips from other nodes; a socket is added as each is filled.",
                ),
            ],
            outputs=[
                io.Video.Output(display_name="clips", is_output_list=True, tooltip="The clips, one after another."),
                io.String.Output(display_name="names", is_output_list=True, tooltip="The clips' names, for titles."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder, clips=None):
        name = folder[0]
        return True if name in (None, NO_FOLDER) else sentence_or_true(lambda: input_folder(name))

    @classmethod
    def fingerprint_inputs(cls, folder, clips=None):
        return "" if folder[0] in (None, NO_FOLDER) else fingerprint_files(video_files(input_folder(folder[0])))

    @classmethod
    def execute(cls, folder, clips=None) -> io.NodeOutput:
        from ..kinetics.video.sheet import clip_sheet

        videos = [video for socket in (clips or {}).values() for video in socket or () if video is not None]
        if folder[0] != NO_FOLDER:
            draw_samples(folder[0], report_progress())
            found = video_files(input_folder(folder[0]))
            if not found and not videos:
                raise KineticsError(f"There is no video file in the input folder {folder[0]!r}; put your clips there, or choose another folder.")
            videos += [video_from(path) for path in found]
        if not videos:
            raise KineticsError("Load Clips has no clip: choose a folder, or plug a VIDEO into a socket.")
        opened = [open_clip(video) for video in videos]
        return io.NodeOutput(
            videos, clip_titles(opened), ui=preview_image(clip_sheet(opened, progress=report_progress()), "clips")
        )


class SampleClips(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SampleClips",
            display_name="Sample Clips",
            category=f"{CATEGORY}/Clips",
            description="Draws clips of a synthetic batter playing the canonical shots, so that every workflow can be tried without footage. "
            "The motion is known exactly: what the pack measures on these clips can be checked.",
            search_aliases=["synthetic batter", "test clips", "demo clips", "cricket sample", "ground truth"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input("shot", options=["all six", *SHOT_CHOICES], default="all six", tooltip="Which shot to draw."),
                io.Float.Input("fps", default=25.0, min=5.0, max=240.0, step=0.01, tooltip="Frames per second."),
                io.Int.Input("width", default=1280, min=160, max=3840, step=2, tooltip="Width in pixels."),
                io.Int.Input("height", default=720, min=90, max=2160, step=2, tooltip="Height in pixels."),
                io.Int.Input("seed", default=0, min=0, max=2**31 - 1, tooltip="Another seed gives other grain, crowd and second person; 0 is the standard set."),
                io.Boolean.Input("second_person", default=False, tooltip="A second person moves through the picture."),
                io.Boolean.Input("occlusion", default=False, tooltip="Somebody passes in front of the batter."),
                io.Boolean.Input("cut", default=False, tooltip="The clip ends with a cut to another view."),
            ],
            outputs=[io.Video.Output(display_name="clips", is_output_list=True, tooltip="The clips drawn.")],
        )

    @classmethod
    def execute(cls, shot, fps, width, height, seed, second_person, occlusion, cut) -> io.NodeOutput:
        from ..kinetics.synthetic import write_sample_clips

        shots = SHOT_CHOICES if shot == "all six" else (shot,)
        paths = write_sample_clips(
            temp_folder("samples"), shots=shots, fps=Fraction(fps).limit_denominator(1001), size=(width, height), seed=seed,
            second_person=second_person, occlusion=occlusion, cut=cut, progress=report_progress(),
        )  # fmt: skip
        return io.NodeOutput([video_from(path) for path in paths], ui=preview_videos(paths))


class NormaliseClip(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_NormaliseClip",
            display_name="Normalise Clip",
            category=f"{CATEGORY}/Clips",
            description="Brings clips to one frame rate, canvas and duration, by the frames' own timestamps. Variable frame rates, repeated frames "
            "and damage are said in the report. Several clips are handled together, so that they can share a duration.",
            search_aliases=["resample fps", "force rate", "change frame rate", "letterbox", "crop video", "trim", "slow motion", "vfr", "cfr"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", tooltip="One clip or a list of clips."),
                io.Float.Input("fps", default=25.0, min=1.0, max=240.0, step=0.01, tooltip="Frames per second of the result (frames are chosen by time, never by number)."),
                io.Int.Input("width", default=1280, min=0, max=7680, step=2, tooltip="Canvas width in pixels; 0 keeps each clip's own size."),
                io.Int.Input("height", default=720, min=0, max=4320, step=2, tooltip="Canvas height in pixels; 0 keeps each clip's own size."),
                io.Combo.Input("fit", options=["letterbox", "crop", "stretch"], default="letterbox", tooltip="letterbox: all of the picture, bars around it. crop: fills the canvas, edges lost. stretch: proportions lost."),
                io.Float.Input("start", default=0.0, min=0.0, max=86400.0, step=0.01, tooltip="Seconds cut off at the beginning of each clip."),
                io.Float.Input("duration", default=0.0, min=0.0, max=86400.0, step=0.01, tooltip="Seconds kept of each clip; 0 keeps everything after start."),
                io.Combo.Input("common_duration", options=["none", "shortest", "longest"], default="none", tooltip="Give all clips one duration: cut to the shortest, or hold the last frame until the longest ends."),
                io.Float.Input("slow_motion", default=1.0, min=0.05, max=100.0, step=0.05, tooltip="How many times slower than life the clip plays; 4 for a quarter-speed replay. Times are divided by it, so speeds come out true."),
                io.Boolean.Input("drop_repeats", default=False, tooltip="Leave frames out of the clock that only repeat the one before (telecine, screen recordings)."),
            ],
            outputs=[
                io.Video.Output(display_name="clips", is_output_list=True, tooltip="The clips at one rate, canvas and duration."),
                io.String.Output(display_name="report", is_output_list=True, tooltip="What was found and changed, a text per clip."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clips, fps, width, height, fit, start, duration, common_duration, slow_motion, drop_repeats) -> io.NodeOutput:
        from ..kinetics.video.normalise import normalise_clips

        if (width[0] == 0) != (height[0] == 0):
            raise KineticsError("Normalise Clip has only one of width and height; set both, or both to 0 to keep each clip's own size.")
        opened = [open_clip(video) for video in clips]
        folder = temp_folder("normalised")
        outputs = [folder / f"{name}.mp4" for name in clip_titles(opened)]
        reports = normalise_clips(
            opened, outputs, fps=Fraction(fps[0]).limit_denominator(1001), size=(width[0], height[0]) if width[0] else None, fit=fit[0],
            start=start[0], duration=duration[0], common_duration=common_duration[0], slow_motion=slow_motion[0],
            drop_repeats=drop_repeats[0], progress=report_progress(),
        )  # fmt: skip
        return io.NodeOutput([video_from(path) for path in outputs], [report_text(report) for report in reports], ui=preview_videos(outputs))


def report_text(report: NormaliseReport) -> str:
    """The report as a person reads it."""
    facts = (
        f"{report.path.stem}: {report.frames_in} frames at {float(report.fps_in):.4g} fps \u2192 {report.frames_out} at {float(report.fps_out):.4g} fps, "
        f"{report.size[0]}×{report.size[1]}, {report.duration:.2f} s"
    )
    return "\n".join([facts, *report.notes])


class SaveGIF(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SaveGIF",
            display_name="Save GIF",
            category=f"{CATEGORY}/Composite",
            description="Saves a clip as an animated GIF with a palette made for it. Streams: long clips need no more memory than short ones.",
            search_aliases=["gif", "animated gif", "export gif", "video to gif"],
            is_output_node=True,
            inputs=[
                io.Video.Input("video", tooltip="The clip to save."),
                io.String.Input("filename_prefix", default="correlated_kinetics/clip", tooltip="Name, or folder/name, inside ComfyUI's output folder."),
                io.Int.Input("width", default=0, min=0, max=3840, tooltip="Width in pixels, the height follows; 0 keeps the clip's size."),
                io.Float.Input("fps", default=0.0, min=0.0, max=50.0, step=0.01, tooltip="Frames per second; 0 keeps the clip's rate. Browsers play GIFs up to 50."),
                io.Combo.Input("dither", options=["sierra2_4a", "bayer", "none"], default="sierra2_4a", tooltip="How colours between those of the palette are shown: sierra2_4a is finest, bayer makes smaller files."),
                io.Boolean.Input("loop", default=True, tooltip="Play for ever, or once."),
            ],
            outputs=[],
        )  # fmt: skip

    @classmethod
    def execute(cls, video, filename_prefix, width, fps, dither, loop) -> io.NodeOutput:
        from ..kinetics.video.gif import save_gif

        clip = open_clip(video)
        path = output_path(filename_prefix, ".gif", clip.info.width, clip.info.height)
        save_gif(
            clip, path, width=width or None, fps=Fraction(fps).limit_denominator(1001) if fps else None, loop=loop, dither=dither,
            progress=report_progress(),
        )  # fmt: skip
        return io.NodeOutput(ui={"images": [saved_result(path, io.FolderType.output)]})
