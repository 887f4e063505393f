"""Skeletons and files: save one, load one."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths
from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from .host import fingerprint_files, open_clip, output_path, preview_image, sentence_or_true
from .io_types import CATEGORY, PoseSequenceSocket
from .pose import chosen_person, person_input

NO_FILE = "(none)"

#: What a skeleton's file may end with.
SUFFIXES = (".json", ".npz")


def skeleton_files() -> list[str]:
    """Files that may hold a skeleton, in the host's input folder and, marked as the host marks them, in its output folder."""
    found = []
    for root, mark in ((folder_paths.get_input_directory(), ""), (folder_paths.get_output_directory(), " [output]")):
        for folder, inner, names in os.walk(root):
            inner[:] = [name for name in inner if not name.startswith(".")]
            inside = Path(folder).relative_to(root)
            found += [(inside / name).as_posix() + mark for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
    return sorted(found)


def find_file(name: str) -> Path:
    """The file that the host's name for it means.

    Raises
    ------
    KineticsError
        When it leads out of the input and output folders, or isn't there.
    """
    if name == NO_FILE:
        raise KineticsError("No skeleton file is chosen; put one into ComfyUI's input folder, press R and choose it, or plug in the file of Save Skeleton.")
    plain, root = folder_paths.annotated_filepath(name)
    root = Path(root or folder_paths.get_input_directory()).resolve()
    path = (root / plain).resolve()
    if not path.is_relative_to(root):
        raise KineticsError(f"The file {name!r} leads out of ComfyUI's folders; choose one inside its input or output folder.")
    if not path.is_file():
        raise KineticsError(f"There is no file {name!r} in ComfyUI's folders; choose another one, and press R to see those that are there.")
    return path


class SaveSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SaveSkeleton",
            display_name="Save Skeleton",
            category=f"{CATEGORY}/Skeleton",
            description="Saves a skeleton as pose.json: joint names, times, positions, confidence and how it was made.",
            search_aliases=["pose json", "export skeleton", "save keypoints"],
            is_output_node=True,
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton."),
                io.String.Input("filename_prefix", default="correlated_kinetics/pose", tooltip="Name, or folder/name, inside ComfyUI's output folder."),
            ],
            outputs=[io.String.Output(display_name="file", tooltip="The file's name, for Load Skeleton.")],
        )

    @classmethod
    def execute(cls, skeleton, filename_prefix) -> io.NodeOutput:
        path = output_path(filename_prefix, ".json", *skeleton.size)
        skeleton.save(path)
        name = path.resolve().relative_to(Path(folder_paths.get_output_directory()).resolve()).as_posix()
        return io.NodeOutput(f"{name} [output]", ui=ui.PreviewText(f"{path.name}: {len(skeleton)} frames, {len(skeleton.names)} joints"))


class LoadSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_LoadSkeleton",
            display_name="Load Skeleton",
            category=f"{CATEGORY}/Skeleton",
            description="Loads a skeleton from a file: a pose.json of Save Skeleton or the command line, a POSE_KEYPOINT or OpenPose JSON of another tool, "
            "or a *_series.npz of the earlier analysis.",
            search_aliases=["load pose", "import skeleton", "pose json", "openpose json", "load keypoints", "open skeleton"],
            has_intermediate_output=True,
            inputs=[
                io.Combo.Input("skeleton_file", options=[NO_FILE, *skeleton_files()], tooltip="A file in ComfyUI's input folder, or [output] folder. Press R to look again."),
                io.Float.Input("fps", default=0.0, min=0.0, max=1000.0, step=0.01, tooltip="Frames per second, for a file that keeps no times when no clip is plugged in. A rate is never guessed."),
                person_input(),
                io.Video.Input("clip", optional=True, tooltip="The clip that the skeleton was found in: gives the times to a file that keeps none, and the picture under the preview."),
                io.String.Input("file", optional=True, force_input=True, tooltip="From Save Skeleton: load this one instead."),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The joints over time.")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, skeleton_file, **linked) -> bool | str:
        return True if "file" in linked or skeleton_file is None else sentence_or_true(lambda: find_file(skeleton_file))

    @classmethod
    def fingerprint_inputs(cls, skeleton_file, fps, person, clip=None, file=None):
        name = file or skeleton_file
        return name if name == NO_FILE else fingerprint_files([find_file(name)])

    @classmethod
    def execute(cls, skeleton_file, fps, person, clip=None, file=None) -> io.NodeOutput:
        from ..kinetics.draw import pose_preview_image
        from ..kinetics.pose.sources import keeps_times, load_pose

        path = find_file(file or skeleton_file)
        opened = None if clip is None else open_clip(clip)
        if keeps_times(path):
            pose = load_pose(path)
        elif opened is not None:
            pose = load_pose(path, t=[t for _, t, _ in opened.pictures()], person=chosen_person(person), size=(opened.info.width, opened.info.height))
        elif fps > 0:
            pose = load_pose(path, fps=fps, person=chosen_person(person))
        else:
            raise KineticsError(f"{path.name} keeps no times: plug in the clip that it was found in, or set fps.")
        return io.NodeOutput(pose, ui=preview_image(pose_preview_image(pose, opened), "skeleton"))
