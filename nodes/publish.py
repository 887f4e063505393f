"""Clips and what was measured in them on a page that opens from the disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import folder_paths
from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from .host import clip_titles, open_clip, report_progress
from .io_types import STROKE, STROKE_TIP, InStepSocket
from .viewers import BENCH


class PublishPage(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_PublishPage",
            display_name="Publish Page",
            category=BENCH,
            description="Writes a page with a tile per clip and Play All: originals and skeletons in step, each swing's figures and curve below, the composites beside. "
            "It opens from the disk, fetches nothing, and can be put on any web server as it is.",
            search_aliases=["html", "web page", "website", "gallery", "share clips", "export page", "play all", "report"],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", tooltip="One clip, or a list."),
                io.String.Input("title", default="Shots", tooltip="The page's heading."),
                io.String.Input("folder", default="correlated_kinetics/page", tooltip="Folder inside ComfyUI's output folder; a page that lies there is replaced."),
                io.Int.Input("longest", default=640, min=160, max=1920, step=16, tooltip="Longer side of the clips on the page, in pixels."),
                io.MultiType.Input("shots", STROKE, optional=True, tooltip=f"What was found in the clips, one per clip in the same order: {STROKE_TIP}."),
                InStepSocket.Input("in_step", optional=True, tooltip="From Shots In Step, of the same clips: the page then offers to play them in step."),
                io.Video.Input("shots_composite", optional=True, tooltip="From Grid Composite of the clips."),
                io.Video.Input("skeletons_composite", optional=True, tooltip="From Grid Composite of the drawn skeletons."),
            ],
            outputs=[io.String.Output(display_name="page", tooltip="The page's file, inside the output folder.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, clips, title, folder, longest, shots=None, in_step=None, shots_composite=None, skeletons_composite=None) -> io.NodeOutput:
        from ..kinetics.pose_sequence import PoseSequence
        from ..kinetics.show.page import GIF_WIDTH, PageClip, write_page
        from ..kinetics.video.gif import save_gif

        if shots and len(shots) != len(clips):
            raise KineticsError(f"Publish Page has {len(shots)} shots for {len(clips)} clips; plug in one per clip, in the same order, or none.")
        root, opened, progress = Path(folder_paths.get_output_directory()).resolve(), [open_clip(clip) for clip in clips], report_progress()
        target = (root / folder[0]).resolve()
        if target == root or not target.is_relative_to(root):
            raise KineticsError(f"The folder {folder[0]!r} isn't one inside ComfyUI's output folder; give a name, or folder/name.")
        parts = [
            PageClip(clip, name.replace("_", " "), **({} if shot is None else {"pose" if isinstance(shot, PoseSequence) else "swing": shot}))
            for clip, name, shot in zip(opened, clip_titles(opened), shots or [None] * len(opened), strict=True)
        ]
        with tempfile.TemporaryDirectory(dir=folder_paths.get_temp_directory()) as scratch:
            composites = {}
            for caption, given in (("The shots", shots_composite), ("Their skeletons", skeletons_composite)):
                if given:
                    video, gif = (Path(scratch, f"{len(composites)}{suffix}") for suffix in (".mp4", ".gif"))
                    given[0].save_to(str(video))
                    save_gif(open_clip(given[0]), gif, width=GIF_WIDTH, progress=progress)
                    composites[caption] = (video, gif)
            index = write_page(
                target, parts, title=title[0], in_step=in_step[0] if in_step else None, composites=composites, longest=longest[0], progress=progress
            )
        name = index.relative_to(root).as_posix()
        return io.NodeOutput(name, ui=ui.PreviewText(f"Open {name} in ComfyUI's output folder: {len(parts)} clips."))
