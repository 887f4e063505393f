"""Score: generated frames against the pose that drove them, and LoRAs on held-out clips."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import folder_paths
from comfy_api.v0_0_2 import io

from ..kinetics.errors import KineticsError
from .host import fingerprint_files, image_tensor, model_folders, open_clip, output_path, preview_image, report_progress, sentence_or_true
from .io_types import CATEGORY, PoseKeypointSocket, PoseSequenceSocket, StyleDatasetSocket
from .pose import chosen_estimator, estimator_input
from .train import NO_LORA, existing_lora

if TYPE_CHECKING:
    from ..kinetics.pose_sequence import PoseSequence

BENCH = f"{CATEGORY}/Score"

#: No second LoRA; the precision that the LoRA's file tells.
NONE, AS_TRAINED = "(none)", "as in training"


class ScoreFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_ScoreFrames",
            display_name="Score Frames",
            category=BENCH,
            description="Finds the pose again in generated frames and scores it against the one that was asked for (PCK, OKS, joint angles and velocities), "
            "beside what the detector itself reaches on real frames and what shuffled frames reach by chance; tells how steady the frames are beside the source clip.",
            search_aliases=["pck", "oks", "pose accuracy", "evaluate", "metrics", "flicker", "temporal consistency", "lpips", "kid", "clip score"],
            is_output_node=True,
            inputs=[
                io.MultiType.Input("frames", [io.Video, io.Image], tooltip="The generated frames: a video, or a batch of pictures."),
                io.MultiType.Input("requested", [PoseSequenceSocket, PoseKeypointSocket], tooltip="The skeleton that drove them, on the frames' canvas: frame k of it was asked of frame k."),
                io.Video.Input("source", optional=True, tooltip="The clip that the skeleton came from: gives the detector's noise floor, and the steadiness to compare with."),
                estimator_input(),
                io.Combo.Input("pair_by", options=["index", "time"], tooltip="index: frame k answers frame k, as many of both. time: the nearest frame in a video of another rate."),
                io.Float.Input("threshold", default=0.1, min=0.01, max=2.0, step=0.01, tooltip="A joint is right within this part of the trunk's length (PCK@0.1)."),
                io.String.Input("prompt", default="", multiline=True, tooltip="What the frames shall show, for the CLIP score."),
                io.Boolean.Input("lpips", default=False, advanced=True, tooltip="LPIPS to the source and to the next frame. Needs torchmetrics and AlexNet's weights in models/correlated_kinetics; nothing is downloaded."),
                io.Boolean.Input("kid", default=False, advanced=True, tooltip="KID to the source. Needs torchmetrics, torch-fidelity and Inception's weights in models/correlated_kinetics; nothing is downloaded."),
                io.Boolean.Input("clip_score", default=False, advanced=True, tooltip="CLIP score of the prompt. Needs torchmetrics and the folder clip-vit-base-patch16 in models/correlated_kinetics; nothing is downloaded."),
                io.Float.Input("fps", default=0.0, min=0.0, max=1000.0, step=0.01, advanced=True, tooltip="Frames per second of POSE_KEYPOINT with a batch of pictures, where nothing else tells the time. A rate is never guessed."),
                io.String.Input("filename_prefix", default="correlated_kinetics/score", tooltip="Name, or folder/name, of the .json and .csv inside ComfyUI's output folder."),
                PoseSequenceSocket.Input("source_skeleton", optional=True, tooltip="The source's skeleton in its own pixels, where the requested one was fitted to another canvas or body."),
                PoseSequenceSocket.Input("found", optional=True, tooltip="The skeleton in the frames by another detector, in place of the estimator's. Best is one that didn't find the requested skeleton."),
                PoseSequenceSocket.Input("floor", optional=True, tooltip="What that other detector found in the source clip: its noise floor."),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="The table in words."),
                io.Float.Output(display_name="pck", tooltip="Share of the requested joints that are right."),
                io.Float.Output(display_name="oks", tooltip="COCO's object keypoint similarity, 0 to 1."),
                io.Image.Output(display_name="plot", tooltip="Joints, summary and every frame, with the noise floor."),
                PoseSequenceSocket.Output(display_name="found", tooltip="The skeleton that was found in the frames."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, clip_score=False, prompt=None, **others) -> bool | str:
        if clip_score and prompt is not None and not prompt.strip():
            return "The CLIP score compares the frames with words; write the prompt, or switch clip_score off."
        return True

    @classmethod
    def execute(
        cls, frames, requested, estimator, pair_by, threshold, prompt, lpips, kid, clip_score, fps, filename_prefix, source=None, source_skeleton=None,
        found=None, floor=None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..kinetics.files import write_json
        from ..kinetics.plots.score import plot_score
        from ..kinetics.score.frame_score import score_frames
        from ..kinetics.score.frames import Pictures

        clip = None if hasattr(frames, "shape") else open_clip(frames)
        pose = read_requested(requested, clip, fps)
        looks = [name for name, wanted in (("lpips", lpips), ("kid", kid), ("clip", clip_score)) if wanted]
        with chosen_estimator(estimator) if found is None else nullcontext() as model:
            report = score_frames(
                pose, clip or Pictures.from_batch(frames, pose.t), model, found=found, source=None if source is None else open_clip(source),
                source_pose=source_skeleton, floor_pose=floor, by=pair_by, threshold=threshold, looks=looks, prompt=prompt, folders=model_folders(),
                progress=report_progress(),
            )  # fmt: skip
        path = output_path(filename_prefix, ".json", 0, 0)
        write_json(path, report.to_dict())
        report.write_csv(path.with_suffix(".csv"))
        picture, text = plot_score(report), report.sentences()
        shown = {**preview_image(picture, "score"), "text": (text,)}
        return io.NodeOutput(text, report.pose.pck, report.pose.oks, image_tensor(picture), report.skeleton, ui=shown)


class ScoreStyle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        loras = folder_paths.get_filename_list("loras")
        return io.Schema(
            node_id="CK_ScoreStyle",
            display_name="Score Style",
            category=BENCH,
            description="Whose style does a LoRA know? The loss on the dataset's held-out clips, at the same noise, with the base model alone, with the LoRA, and with a LoRA of "
            "another style; with a pose ControlNet also with a wrong pose. For SD1.5 and SDXL.",
            search_aliases=["evaluate lora", "validation loss", "held-out loss", "compare loras", "style similarity", "overfitting"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The base model of the LoRA, without a LoRA on it."),
                io.Clip.Input("clip", tooltip="The base model's text encoder."),
                io.Vae.Input("vae", tooltip="The base model's VAE."),
                StyleDatasetSocket.Input("dataset", tooltip="From Load Style Dataset: its held-out clips are used."),
                io.ControlNet.Input("control_net", optional=True, tooltip="The pose ControlNet that the LoRA was trained with: adds the loss with a wrong pose."),
                io.Combo.Input("lora_name", options=loras or [NO_LORA], tooltip="The LoRA that should know this style. Press R to look again."),
                io.Combo.Input("other_name", options=[NONE, *loras], tooltip="A LoRA of another style, to tell it from."),
                io.Int.Input("samples", default=0, min=0, max=100000, tooltip="Held-out pictures used, spread over the clips; 0: as many as in the LoRA's own training, else 16."),
                io.Combo.Input("precision", options=[AS_TRAINED, "fp32", "bf16", "fp16"], advanced=True, tooltip="Of the computation; bf16 needs half the memory."),
                io.String.Input("filename_prefix", default="correlated_kinetics/style_score", tooltip="Name, or folder/name, of the .json and .csv inside ComfyUI's output folder."),
                io.String.Input("file", optional=True, force_input=True, tooltip="From Train Style LoRA: score this LoRA instead of lora_name."),
            ],
            outputs=[
                io.String.Output(display_name="report", tooltip="The losses and what they say."),
                io.Float.Output(display_name="loss", tooltip="Of the LoRA on the held-out clips, with the right pose."),
                io.Float.Output(display_name="base_loss", tooltip="The same of the base model alone."),
                io.Image.Output(display_name="plot", tooltip="Every picture's loss and the means."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, lora_name, other_name, **linked) -> bool | str:
        named = [name for name in ([] if "file" in linked else [lora_name]) + [other_name] if name != NONE]
        return sentence_or_true(lambda: [existing_lora(name) for name in named])

    @classmethod
    def fingerprint_inputs(cls, lora_name, other_name, file=None, **values):
        names = [name for name in (file or lora_name, other_name) if name not in (NONE, NO_LORA)]
        return fingerprint_files([existing_lora(name) for name in names])

    @classmethod
    def execute(cls, model, clip, vae, dataset, lora_name, other_name, samples, precision, filename_prefix, control_net=None, file=None) -> io.NodeOutput:
        import torch

        from ..kinetics.plots.score import plot_style_score
        from ..kinetics.score.lora_branch import read_lora
        from ..kinetics.score.style import trial_settings, write_style_score
        from ..kinetics.style.modules import require

        require("diffusers", "peft", "accelerate", "transformers")
        from .score_host import score_on_host

        loras = [read_lora(existing_lora(name)) for name in (file or lora_name, other_name) if name != NONE]
        settings = trial_settings(loras[:1], samples=samples or None, precision=None if precision == AS_TRAINED else precision)
        with torch.inference_mode(False):
            score = score_on_host(model, clip, vae, control_net, dataset, loras, settings, progress=report_progress())
        write_style_score(score, output_path(filename_prefix, ".json", 0, 0))
        picture, text = plot_style_score(score), score.sentences()
        own = score.rows[1].right.mean()
        return io.NodeOutput(
            text, float(own), float(score.rows[0].right.mean()), image_tensor(picture), ui={**preview_image(picture, "style_score"), "text": (text,)}
        )


def read_requested(requested, clip, fps: float) -> PoseSequence:
    """The skeleton that was asked for; keypoints get the times of the video, or a rate.

    Raises
    ------
    KineticsError
        When keypoints have neither.
    """
    from ..kinetics.pose.openpose_json import from_pose_keypoint

    if not isinstance(requested, list | dict):
        return requested
    if fps > 0:
        return from_pose_keypoint(requested, fps=fps, source="the requested keypoints")
    if clip is None:
        raise KineticsError("Score Frames has keypoints and pictures, and neither tells the time; set fps, or give a skeleton or a video.")
    return from_pose_keypoint(requested, t=[t for _, t, _ in clip.pictures()], source="the requested keypoints")
