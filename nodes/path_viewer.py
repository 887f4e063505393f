"""The warping path of two shots, looked at pair by pair of frames."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

from .compare import shot_names
from .host import open_clip, report_progress
from .io_types import AlignmentSocket
from .viewer_files import AMONG, write_copy, write_data
from .viewers import BENCH


class PathExplorer(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_PathExplorer",
            display_name="Path Explorer",
            category=BENCH,
            description="The correlation path of two shots to walk along: how far apart they are in every pair of frames, the way that time warping took, "
            "and both batters in the frames under the pointer, side by side and over each other.",
            search_aliases=["dtw matrix", "warping path", "cost matrix", "matched frames", "correlation path", "frame pairs", "compare frames"],
            is_output_node=True,
            inputs=[
                AlignmentSocket.Input("alignment", tooltip="From Compare Two Shots."),
                io.Video.Input("reference", optional=True, tooltip="The reference's clip. Without it only its skeleton is shown."),
                io.Video.Input("other", optional=True, tooltip="The other shot's clip. Without it only its skeleton is shown."),
                io.String.Input(
                    "view", default="{}", optional=True, socketless=True, extra_dict={"widgetType": "CK_PATH_EXPLORER"},
                    tooltip="The explorer. The pair of frames that you pinned is kept with the workflow.",
                ),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, alignment, reference=None, other=None, view=None) -> io.NodeOutput:
        from ..kinetics.show.path import check_clip, path_record

        names = tuple(shot_names([alignment.ref, alignment.other]))
        clips = [None if video is None else open_clip(video) for video in (reference, other)]
        progress = report_progress()
        videos = [None if clip is None else write_copy(clip, AMONG, progress) for clip in clips]
        for video, pose, name in zip(videos, (alignment.ref, alignment.other), names, strict=True):
            if video is not None:
                check_clip(pose, video[1], name)
        data = write_data(path_record(alignment, names) | {"frames": [None if video is None else video[1].round(6).tolist() for video in videos]})
        return io.NodeOutput(ui={"path_explorer": [{"data": data, "videos": [None if video is None else video[0] for video in videos]}]})
