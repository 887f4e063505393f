"""Skeletons: find people, extract one, clean it, hand it to other packs and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from ..kinetics.picks import lines_for, pick_name, read_points
from .host import image_tensor, model_folders, open_clip, preview_image, report_progress, sentence_or_true
from .io_types import CATEGORY, PoseKeypointSocket, PoseSequenceSocket
from .viewer_files import player_payload

if TYPE_CHECKING:
    from ..kinetics.pose.estimators import PoseEstimator


def estimator_input() -> io.DynamicCombo.Input:
    """The choice of estimator, shared by the nodes that look for people."""
    return io.DynamicCombo.Input(
        "estimator",
        options=[
            io.DynamicCombo.Option(
                "MediaPipe",
                [
                    io.Boolean.Input(
                        "download",
                        default=False,
                        tooltip="When the model file (9 MB) is missing: download it from Google's model storage and check its SHA-256. Off: nothing is fetched, a sentence tells where to put it.",
                    ),
                ],
            ),
            io.DynamicCombo.Option("OpenPose (controlnet-aux)", []),
            io.DynamicCombo.Option("RTMPose (rtmlib)", []),
        ],
        tooltip="What finds the joints. MediaPipe is the default; the others need their package, and weights that you put into models/correlated_kinetics: body_pose_model.pth, rtmpose.onnx.",
    )  # fmt: skip


@contextmanager
def chosen_estimator(choice: dict) -> Iterator[PoseEstimator]:
    """The estimator that the socket's value asks for, closed at the end of the block."""
    from ..kinetics.pose.estimators import make_estimator

    name = {"MediaPipe": "mediapipe", "OpenPose (controlnet-aux)": "openpose", "RTMPose (rtmlib)": "rtmpose"}[choice["estimator"]]
    estimator = make_estimator(name, folders=model_folders(), download=choice.get("download", False), progress=report_progress())
    with closing(estimator):
        yield estimator


class FindPeople(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_FindPeople",
            display_name="Find People",
            category=f"{CATEGORY}/Skeleton",
            description="Looks for people in one frame and shows them numbered from left to right, to choose the batter by number or by a point.",
            search_aliases=["detect people", "person detector", "choose person", "bounding box"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="The clip to look at."),
                io.Float.Input("time", default=0.0, min=0.0, max=86400.0, step=0.01, tooltip="Seconds from the start of the clip."),
                estimator_input(),
            ],
            outputs=[
                io.Image.Output(display_name="picture", tooltip="The frame with each person's box and number."),
                io.BoundingBox.Output(display_name="boxes", tooltip="The boxes, left to right, with score."),
            ],
        )

    @classmethod
    def execute(cls, clip, time, estimator) -> io.NodeOutput:
        from ..kinetics.draw import draw_people_choice
        from ..kinetics.pose.find import find_people

        image = next(open_clip(clip).trimmed(time).frames()).image
        with chosen_estimator(estimator) as model:
            people = find_people(image, model)
            names = model.joint_names
        picture = draw_people_choice(image, [(person.box, person.xy, person.conf, names) for person in people])
        boxes = [
            dict(zip(("x", "y", "width", "height"), map(round, person.box), strict=True), label=f"person {number}", score=float(person.conf.mean()))
            for number, person in enumerate(people)
        ]
        return io.NodeOutput(image_tensor(picture), [boxes], ui=preview_image(picture, "people"))


class ExtractSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ExtractSkeleton",
            display_name="Extract Skeleton",
            category=f"{CATEGORY}/Skeleton",
            description="Finds the batter among the people of a clip, follows that one person and measures the joints in every frame, "
            "at the frames' own times. Where the person can't be seen, joints are missing, never guessed.",
            search_aliases=["pose estimation", "openpose", "mediapipe", "dwpose", "keypoints", "track person", "batter"],
            has_intermediate_output=True,
            inputs=[
                io.Video.Input("clip", tooltip="One clip, or a list: the node runs once per clip."),
                # Before the choices with inputs of their own: the front end gives a widget behind two of them the wrong value when it loads a workflow.
                io.String.Input(
                    "chosen", default="",
                    tooltip="Where you clicked on the batter, written by the button below: x, y @ frame, with the clip's name and a colon before it when it is for one clip of several. Decides instead of subject; empty: subject decides.",
                ),
                estimator_input(),
                io.DynamicCombo.Input(
                    "subject",
                    options=[
                        io.DynamicCombo.Option("the one who swings", []),
                        io.DynamicCombo.Option("largest", []),
                        io.DynamicCombo.Option(
                            "point",
                            [
                                io.Int.Input("x", default=640, min=0, max=16384, tooltip="Pixels from the left, on the person."),
                                io.Int.Input("y", default=360, min=0, max=16384, tooltip="Pixels from the top, on the person."),
                                io.Int.Input("frame", default=0, min=0, max=10_000_000, tooltip="In which frame the point lies on the person."),
                            ],
                        ),
                        io.DynamicCombo.Option(
                            "number",
                            [io.Int.Input("number", default=0, min=0, max=99, tooltip="Which person, counted from the left, from 0; Find People shows the numbers.")],
                        ),
                    ],
                    tooltip="Whom to follow. Boxes or masks, when plugged in, decide instead.",
                ),
                io.Custom("BOUNDING_BOX").Input("boxes", optional=True, extra_dict={"forceInput": True}, tooltip="The person's box: one, or one per frame, e.g. from core's detectors or SAM3."),
                io.Mask.Input("masks", optional=True, tooltip="The person's mask: one, or one per frame, e.g. SAM3 asked for 'batter'."),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The joints over time, with confidence and provenance.")],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, chosen=None, **others) -> bool | str:
        return sentence_or_true(lambda: read_points(lines_for(chosen or "")))

    @classmethod
    def execute(cls, clip, chosen, estimator, subject, boxes=None, masks=None) -> io.NodeOutput:
        from ..kinetics.draw import pose_preview_image
        from ..kinetics.pose.extract import extract_pose

        opened = open_clip(clip)
        points = read_points(lines_for(chosen, opened))
        with chosen_estimator(estimator) as model:
            pose = extract_pose(
                opened, model, subject=points[-1] if points else cls.subject_text(subject), boxes=boxes, masks=masks, progress=report_progress()
            )  # fmt: skip
        picker = player_payload([opened], [{"pose": pose}], [pick_name(opened)])
        return io.NodeOutput(pose, ui=preview_image(pose_preview_image(pose, opened), "skeleton") | {"clip_player": [picker]})

    @staticmethod
    def subject_text(choice: dict) -> str:
        """The command line's word for the choice."""
        match choice["subject"]:
            case "the one who swings":
                return "auto"
            case "point":
                return f"{choice['x']},{choice['y']}@{choice['frame']}"
            case "number":
                return str(choice["number"])
            case other:
                return other


class CleanSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_CleanSkeleton",
            display_name="Clean Skeleton",
            category=f"{CATEGORY}/Skeleton",
            description="Drops uncertain joints, undoes left/right swaps, drops outliers, and fills only short gaps. "
            "The plot shows raw against clean; every step is kept in the skeleton's provenance.",
            search_aliases=["smooth pose", "filter keypoints", "hampel", "outliers", "jitter", "left right swap", "fill gaps"],
            has_intermediate_output=True,
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton."),
                io.Float.Input("confidence", default=0.3, min=0.0, max=1.0, step=0.01, tooltip="Joints less certain than this are dropped."),
                io.Boolean.Input("repair_swaps", default=True, tooltip="Undo frames where the estimator took left for right."),
                io.Boolean.Input("reject_outliers", default=True, tooltip="Drop joints that jump away from their own path (Hampel)."),
                io.Float.Input("fill_gap", default=0.2, min=0.0, max=5.0, step=0.01, tooltip="Seconds: gaps up to this length are interpolated, longer ones stay gaps; 0 fills none."),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The cleaned skeleton.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, confidence, repair_swaps, reject_outliers, fill_gap) -> io.NodeOutput:
        from ..kinetics.plots.clean import plot_clean
        from ..kinetics.pose.clean import clean

        cleaned = clean(skeleton, confidence=confidence, outliers=reject_outliers, swaps=repair_swaps, max_gap_s=fill_gap)
        return io.NodeOutput(cleaned, ui=preview_image(plot_clean(skeleton, cleaned), "clean"))


def person_input() -> io.DynamicCombo.Input:
    """Whom to take out of a list of people, shared by the nodes that read one."""
    return io.DynamicCombo.Input(
        "person",
        options=[
            io.DynamicCombo.Option("the one who swings", []),
            io.DynamicCombo.Option("largest", []),
            io.DynamicCombo.Option("number", [io.Int.Input("number", default=0, min=0, max=99, tooltip="Which person in the list of the first frame with so many, from 0.")]),
        ],
        tooltip="Whom to follow when there are several people.",
    )  # fmt: skip


def chosen_person(person: dict) -> str | int:
    """The value of :func:`person_input` as kinetics takes it."""
    return "auto" if person["person"] == "the one who swings" else person.get("number", person["person"])


class SkeletonToKeypoints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_SkeletonToKeypoints",
            display_name="Skeleton to Keypoints",
            category=f"{CATEGORY}/Skeleton",
            description="Gives a skeleton to nodes that speak POSE_KEYPOINT: core's SDPose nodes, controlnet-aux, pose editors.",
            search_aliases=["POSE_KEYPOINT", "openpose json", "dwpose", "sdpose", "export pose"],
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton in pixels."),
                io.Boolean.Input("binarise", default=False, tooltip="For controlnet-aux, which drops every joint that isn't fully certain: confidence becomes 0 or 1."),
            ],
            outputs=[PoseKeypointSocket.Output(display_name="keypoints", tooltip="OpenPose's 18 joints per frame, in pixels.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, binarise) -> io.NodeOutput:
        from ..kinetics.pose.openpose_json import to_pose_keypoint

        return io.NodeOutput(to_pose_keypoint(skeleton, binarise=binarise))


class KeypointsToSkeleton(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_KeypointsToSkeleton",
            display_name="Keypoints to Skeleton",
            category=f"{CATEGORY}/Skeleton",
            description="Takes POSE_KEYPOINT of core's SDPose nodes, controlnet-aux or DWPose in place of our own extraction. "
            "The times come from the clip that the keypoints were found in, or from a frame rate.",
            search_aliases=["POSE_KEYPOINT", "openpose json", "dwpose", "sdpose", "import pose"],
            has_intermediate_output=True,
            inputs=[
                PoseKeypointSocket.Input("keypoints", tooltip="Keypoints, one entry per frame."),
                io.Video.Input("clip", optional=True, tooltip="The clip they were found in: its timestamps are used."),
                io.Float.Input("fps", default=0.0, min=0.0, max=1000.0, step=0.01, tooltip="Frames per second, when no clip is plugged in. A rate is never guessed."),
                person_input(),
            ],
            outputs=[PoseSequenceSocket.Output(display_name="skeleton", tooltip="The joints over time.")],
        )  # fmt: skip

    @classmethod
    def execute(cls, keypoints, fps, person, clip=None) -> io.NodeOutput:
        from ..kinetics.draw import pose_preview_image
        from ..kinetics.pose.openpose_json import from_pose_keypoint

        if clip is None and fps <= 0:
            raise KineticsError("Keypoints to Skeleton has no times: plug in the clip that the keypoints were found in, or set fps.")
        opened, choice = None if clip is None else open_clip(clip), chosen_person(person)
        if opened is None:
            pose = from_pose_keypoint(keypoints, fps=fps, person=choice, source="keypoints")
        else:
            times = [t for _, t, _ in opened.pictures()]
            pose = from_pose_keypoint(keypoints, t=times, person=choice, source=opened.name)
        return io.NodeOutput(pose, ui=preview_image(pose_preview_image(pose, opened), "skeleton"))
