"""Pictures: the skeleton drawn, and clips side by side in step."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from .host import clip_titles, open_clip, preview_videos, report_progress, safe_stem, temp_folder, video_from
from .io_types import CATEGORY, InStepSocket, PoseSequenceSocket


class DrawSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_DrawSkeleton",
            display_name="Draw Skeleton",
            category=f"{CATEGORY}/Composite",
            description="Draws a skeleton over time: on black, on its clip, or on the clip dimmed. Left is orange, right is blue; faint, hollow joints are uncertain ones.",
            search_aliases=["render pose", "stick figure", "openpose", "overlay skeleton", "trails"],
            has_intermediate_output=True,
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton in pixels, or a list of them."),
                io.Combo.Input("background", options=["black", "clip", "dim"], default="black", tooltip="What the skeleton is drawn on; clip and dim need the clip."),
                io.Combo.Input("view", options=["subject", "frame"], default="subject", tooltip="subject: the picture is filled by the person. frame: the clip's own picture."),
                io.Float.Input("trails", default=0.4, min=0.0, max=10.0, step=0.05, tooltip="Seconds of the path behind wrists, ankles and bat tip; 0 draws none."),
                io.Boolean.Input("legend", default=True, tooltip="Say in a corner which colour is left and which is right."),
                io.Video.Input("clip", optional=True, tooltip="The clip that the skeleton was found in."),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The drawing, at the skeleton's own times.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, background, view, trails, legend, clip=None) -> io.NodeOutput:
        from ..kinetics.draw import render_skeleton_clip

        opened = None if clip is None else open_clip(clip)
        if background != "black" and opened is None:
            raise KineticsError(f"Draw Skeleton has background {background!r} but no clip: plug the clip in, or choose black.")
        name = opened.name if opened else skeleton.source
        output = temp_folder("skeleton") / f"{safe_stem(Path(name).stem)}.mp4"
        render_skeleton_clip(
            skeleton, output, background=background, clip=opened, trails=trails, legend=legend, view=view, progress=report_progress()
        )
        return io.NodeOutput(video_from(output), ui=preview_videos([output]))


class GridComposite(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_GridComposite",
            display_name="Grid Composite",
            category=f"{CATEGORY}/Composite",
            description="Plays any number of clips side by side, in step, with titles. Streams: one frame per clip in memory.",
            search_aliases=["video grid", "side by side", "2x3", "split screen", "montage", "compare videos", "tile"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", tooltip="A list of clips."),
                io.String.Input("titles", default="", multiline=True, tooltip="A line per clip; empty takes the clips' names. A single dash shows none."),
                io.Int.Input("rows", default=0, min=0, max=36, tooltip="Rows; 0 chooses by the number of clips (six: 2×3)."),
                io.Int.Input("columns", default=0, min=0, max=36, tooltip="Columns; 0 chooses by the number of clips."),
                io.Int.Input("tile_width", default=480, min=64, max=3840, step=2, tooltip="Width of a tile in pixels."),
                io.Int.Input("tile_height", default=270, min=64, max=2160, step=2, tooltip="Height of a tile in pixels."),
                io.Float.Input("fps", default=30.0, min=1.0, max=240.0, step=0.01, tooltip="Frames per second of the result."),
                io.DynamicCombo.Input(
                    "sync",
                    options=[
                        io.DynamicCombo.Option("start", []),
                        io.DynamicCombo.Option(
                            "marked time",
                            [io.String.Input("marks", default="", tooltip="Seconds into each clip, separated by commas: these instants are shown together.")],
                        ),
                        io.DynamicCombo.Option("in step", []),
                    ],
                    tooltip="start: all begin together. marked time: the instants you name fall together. in step: as Shots In Step found; plug it in.",
                ),
                io.Combo.Input("short_clips", options=["hold", "loop", "black"], default="hold", tooltip="What a clip shows after its end: its last frame, itself again, or nothing."),
                io.Combo.Input("fit", options=["letterbox", "crop"], default="letterbox", tooltip="letterbox: all of the picture. crop: fills the tile."),
                InStepSocket.Input("in_step", optional=True, tooltip="From Shots In Step, of the same clips in the same order; for sync 'in step'."),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The composite.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, clips, titles, rows, columns, tile_width, tile_height, fps, sync, short_clips, fit, in_step=None) -> io.NodeOutput:
        from ..kinetics.video.grid import compose_grid

        opened = [open_clip(video) for video in clips]
        output = temp_folder("grid") / "composite.mp4"
        rate = Fraction(fps[0]).limit_denominator(1001)
        match sync["sync"][0]:
            case "marked time":
                lined_up = {"sync": "mark", "marks": cls.mark_seconds(sync["marks"][0], len(opened))}
            case "in step":
                lined_up = {"sync": "times", "times": cls.step_times(in_step, opened, rate)}
            case _:
                lined_up = {"sync": "start"}
        compose_grid(
            opened, output, rows=rows[0] or None, cols=columns[0] or None, tile=(tile_width[0], tile_height[0]), fps=rate,
            titles=cls.title_lines(titles, opened), short=short_clips[0], fit=fit[0], progress=report_progress(), **lined_up,
        )  # fmt: skip
        return io.NodeOutput(video_from(output), ui=preview_videos([output]))

    @staticmethod
    def title_lines(titles: list[str], clips: list) -> list[str]:
        """One title per clip: the lines given, or a list of texts from a socket, or the clips' names."""
        lines = [line.strip() for text in titles for line in text.splitlines()]
        if not any(lines):
            lines = clip_titles(clips)
        if lines == ["-"]:
            return [""] * len(clips)
        if len(lines) != len(clips):
            raise KineticsError(f"Grid Composite has {len(lines)} titles for {len(clips)} clips; give one line per clip, or none.")
        return [line.replace("_", " ") for line in lines]

    @staticmethod
    def step_times(in_step: list | None, clips: list, rate: Fraction) -> tuple:
        """The second of each clip to show in each frame."""
        if not in_step:
            raise KineticsError("Grid Composite has sync 'in step' but nothing plugged into in_step; plug Shots In Step in, or choose another sync.")
        if len(in_step[0].maps) != len(clips):
            raise KineticsError(f"Grid Composite has {len(clips)} clips, and Shots In Step {len(in_step[0].maps)} shots; plug in the same clips.")
        return in_step[0].frame_times(float(rate), [clip.info.duration for clip in clips])

    @staticmethod
    def mark_seconds(marks: str, count: int) -> list[float]:
        try:
            values = [float(part) for part in marks.split(",")]
        except ValueError:
            values = []
        if len(values) != count:
            raise KineticsError(f"Grid Composite can't read the marks {marks!r}: give one time in seconds per clip ({count}), separated by commas.")
        return values
