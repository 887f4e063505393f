"""Clips looked at: played in step in the node, with what was measured."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from .host import clip_titles, open_clip, report_progress
from .io_types import CATEGORY, STROKE, STROKE_TIP, InStepSocket
from .viewer_files import player_payload

BENCH = f"{CATEGORY}/Look"


class ClipPlayer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ClipPlayer",
            display_name="Clip Player",
            category=BENCH,
            description="Plays clips side by side and in step, frame by frame or slowed down, with the skeleton and the bat drawn over them and the swings' speed and \u03c9 below. "
            "Space plays, the arrow keys go frame by frame.",
            search_aliases=["play all", "video player", "slow motion", "scrub", "compare videos", "side by side", "frame by frame", "preview video", "sync videos"],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.Video.Input("clips", tooltip="One clip, or a list."),
                io.MultiType.Input(
                    "shots", STROKE, optional=True,
                    tooltip=f"What is drawn over the clips, one per clip in the same order: {STROKE_TIP}. With swings their speed and \u03c9 are shown too.",
                ),
                InStepSocket.Input("in_step", optional=True, tooltip="From Shots In Step, of the same clips: offers to play them in step."),
                io.String.Input(
                    "view", default="{}", optional=True, socketless=True, extra_dict={"widgetType": "CK_CLIP_PLAYER"},
                    tooltip="The player. Its speed, loop, sync and layers are kept with the workflow.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, clips, shots=None, in_step=None, view=None) -> io.NodeOutput:
        from ..kinetics.pose_sequence import PoseSequence

        if shots and len(shots) != len(clips):
            raise KineticsError(f"Clip Player has {len(shots)} shots for {len(clips)} clips; plug in one per clip, in the same order, or none.")
        opened = [open_clip(clip) for clip in clips]
        parts = [{"pose" if isinstance(shot, PoseSequence) else "swing": shot} for shot in shots] if shots else [{} for _ in opened]
        payload = player_payload(opened, parts, clip_titles(opened), in_step[0] if in_step else None, report_progress())
        return io.NodeOutput(ui={"clip_player": [payload]})
