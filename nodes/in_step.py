"""Shots in step: several on one clock, one played at another's pace, two skeletons over each other."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from .compare import BENCH, shot_names
from .host import image_tensor, open_clip, preview_videos, report_progress, safe_stem, temp_folder, video_from
from .io_types import STROKE, STROKE_TIP, AlignmentSocket, InStepSocket, PoseSequenceSocket


class PlayInStep(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_PlayInStep",
            display_name="Shots In Step",
            category=BENCH,
            description="Finds for every shot when it does what the reference does, so that shots of different tempo strike together. "
            "Plug the result into Grid Composite, and choose its sync 'in step'.",
            search_aliases=["synchronise", "sync by impact", "dtw sync", "time warp", "line up", "retime"],
            has_intermediate_output=True,
            is_input_list=True,
            inputs=[
                io.MultiType.Input("shots", STROKE, tooltip=f"A list of shots, each {STROKE_TIP}. Without a swing, impact is judged by how the hands brake."),
                io.Combo.Input(
                    "sync", options=["DTW", "impact"], default="DTW",
                    tooltip="DTW: every shot keeps the reference's pace all the way. impact: each keeps its own pace, only the moments of impact fall together.",
                ),
                io.Int.Input("reference", default=1, min=1, max=100000, tooltip="The shot, from 1, whose time counts."),
            ],
            outputs=[
                InStepSocket.Output(display_name="in_step", tooltip="For Grid Composite."),
                io.String.Output(display_name="report", tooltip="When each shot strikes, and its tempo."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, shots, sync, reference) -> io.NodeOutput:
        from ..kinetics.compare.in_step import in_step_times
        from ..kinetics.compare.shot import as_shot

        strokes, number = [as_shot(shot) for shot in shots], reference[0]
        if number > len(strokes):
            raise KineticsError(f"Shots In Step has reference {number}, but there are {len(strokes)} shots; give a number from 1 to {len(strokes)}.")
        poses = [stroke.pose for stroke in strokes]
        step = in_step_times(
            poses, impacts=[stroke.impact for stroke in strokes], reference=number - 1, how=sync[0].lower(), progress=report_progress()
        )
        lines = [
            f"{name}: strikes at {at:.2f} s" + ("" if how == "given" else ", judged by the hands")
            + (f", {tempo:.2f} × the reference's tempo" if sync[0] == "DTW" and k != number - 1 else "")
            for k, (name, at, how, tempo) in enumerate(zip(shot_names(poses), step.impacts, step.known, step.tempo, strict=True))
        ]  # fmt: skip
        return io.NodeOutput(step, "\n".join(lines), ui=ui.PreviewText("\n".join(lines)))


class WarpShot(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_WarpShot",
            display_name="Warp Shot",
            category=BENCH,
            description="Plays the other of two compared shots at the reference's pace: its clip and its skeleton, on a smooth clock that never jumps.",
            search_aliases=["time warp", "retime", "speed ramp", "dtw video", "sync"],
            has_intermediate_output=True,
            inputs=[
                AlignmentSocket.Input("alignment", tooltip="From Compare Two Shots."),
                io.Video.Input("clip", tooltip="The clip of the other shot."),
                io.Float.Input("fps", default=0.0, min=0.0, max=240.0, step=0.01, tooltip="Frames per second of the result; 0 takes the reference's."),
                io.Boolean.Input("blend", default=False, tooltip="Mix neighbouring frames where the clip is slowed down: smoother, with ghosts where things are fast."),
            ],
            outputs=[
                io.Video.Output(display_name="video", tooltip="The clip at the reference's pace, as long as the reference."),
                PoseSequenceSocket.Output(display_name="skeleton", tooltip="The other's skeleton in the reference's place and at its times."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, alignment, clip, fps, blend) -> io.NodeOutput:
        from ..kinetics.compare.in_step import overlay_pair
        from ..kinetics.video.warp import warp_clip

        opened = open_clip(clip)
        at, rate = alignment.frame_times(fps or None)
        output = temp_folder("warped") / f"{safe_stem(Path(opened.name).stem)}_in_step.mp4"
        warp_clip(opened, at, output, fps=Fraction(rate).limit_denominator(1001), blend=blend, progress=report_progress())
        return io.NodeOutput(video_from(output), overlay_pair(alignment)[1], ui=preview_videos([output]))


class OverlaySkeletons(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_OverlaySkeletons",
            display_name="Overlay Skeletons",
            category=BENCH,
            description="Two compared shots over each other, in one place and in step: where the batters differ is seen at a glance.",
            search_aliases=["ghost", "superimpose", "onion skin", "compare skeletons", "difference"],
            has_intermediate_output=True,
            inputs=[AlignmentSocket.Input("alignment", tooltip="From Compare Two Shots.")],
            outputs=[
                io.Video.Output(display_name="video", tooltip="Both skeletons, at the reference's times."),
                io.Image.Output(display_name="sheet", tooltip="Eight moments, impact among them where it is known."),
            ],
        )

    @classmethod
    def execute(cls, alignment) -> io.NodeOutput:
        from ..kinetics.compare.in_step import overlay_pair
        from ..kinetics.plots.overlay import plot_overlay_sheet, render_overlay

        labels = tuple(shot_names([alignment.ref, alignment.other]))
        reference, other = overlay_pair(alignment)
        output = temp_folder("overlay") / "overlay.mp4"
        render_overlay(reference, other, output, labels=labels, impact=alignment.impact[0], progress=report_progress())
        sheet = plot_overlay_sheet(reference, other, labels=labels, impact=alignment.impact[0])
        return io.NodeOutput(video_from(output), image_tensor(sheet), ui=preview_videos([output]))
