"""Style-faithful frames: pose hints planned and drawn, the batter's LoRA put on, frames made chunk by chunk."""

from __future__ import annotations

from pathlib import Path

import comfy.samplers
import comfy.utils
import folder_paths
from comfy.model_management import InterruptProcessingException, get_free_memory
from comfy_api.v0_0_2 import io, ui

from ..kinetics.errors import KineticsError
from ..kinetics.generate.canvas import FITS
from ..kinetics.generate.instants import ELSEWHERE
from ..kinetics.generate.plan import STYLES
from ..kinetics.motion.phases import PHASES
from .host import (
    fingerprint_files,
    output_path,
    preview_image,
    preview_videos,
    report_progress,
    sentence_or_true,
    video_from,
    workflow_metadata,
)
from .io_types import CATEGORY, BatTrackSocket, HintPlanSocket, PoseKeypointSocket, PoseSequenceSocket, SwingSocket
from .train import NO_LORA, existing_lora

BENCH = f"{CATEGORY}/Generate"

CONSTANT, BY_PHASE = "the same throughout", "by phase of the swing"
SHARED, OWN = "shared", "each frame its own"
NOISE, PREVIOUS = "noise", "the chunk before"


class PoseHints(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        per_phase = io.Int.Input("frames", default=4, min=1, max=1000, tooltip="Frames in each phase; impact has one more of its own.")
        return io.Schema(
            node_id="CK_PoseHints",
            display_name="Pose Hints",
            category=BENCH,
            description="Draws a skeleton as pose ControlNets were taught to read it: fitted to the canvas, put on another body, resampled in time. "
            "Missing joints are left out. The plan goes into Pose-Conditioned Frames and Apply Batting Style; the pictures into any ControlNet.",
            search_aliases=["openpose", "dwpose", "controlnet pose", "draw pose", "retarget", "pose map", "skeleton image", "control video"],
            has_intermediate_output=True,
            inputs=[
                PoseSequenceSocket.Input("skeleton", tooltip="A skeleton in pixels."),
                io.MultiType.Input("bat", [SwingSocket, BatTrackSocket], optional=True, tooltip="A swing or a bat track of the same frames: the bat layer. A swing knows the phases too."),
                io.Combo.Input("style", options=list(STYLES), tooltip="OpenPose body: 18 joints, for SD1.5 and SDXL. DWPose whole body: hands and face too, where the skeleton has them."),
                io.Boolean.Input("bat_layer", default=False, tooltip="Draw the bat, in white: for a LoRA that was trained with it. ControlNets never saw one."),
                io.DynamicCombo.Input(
                    "time",
                    options=[
                        io.DynamicCombo.Option("every frame", []),
                        io.DynamicCombo.Option("number of frames", [io.Int.Input("frames", default=16, min=1, max=100000, tooltip="Spread evenly from the first frame to the last.")]),
                        io.DynamicCombo.Option("rate", [io.Float.Input("fps", default=16.0, min=0.1, max=1000.0, step=0.01, tooltip="Frames a second.")]),
                        io.DynamicCombo.Option("by phase", [per_phase]),
                        io.DynamicCombo.Option("key frames", []),
                    ],
                    tooltip="Which instants. by phase and key frames (where phases begin, and impact) need a swing.",
                ),
                io.DynamicCombo.Input(
                    "body",
                    options=[
                        io.DynamicCombo.Option("as it is", []),
                        io.DynamicCombo.Option("larger or smaller", [io.Float.Input("scale", default=1.0, min=0.1, max=10.0, step=0.01, tooltip="Times as large, about the ground under the feet. Shows in fits 'whole' and 'fill'; the others fill the canvas anyhow.")]),
                        io.DynamicCombo.Option(
                            "another's",
                            [
                                PoseSequenceSocket.Input("reference", tooltip="A skeleton of the other body, seen from a like side."),
                                io.Boolean.Input("own_height", default=True, tooltip="Take the other's proportions only, and keep this batter's height."),
                            ],
                        ),
                    ],
                    tooltip="Put the motion on another body: every bone takes its length there, feet stay on the ground.",
                ),
                io.Combo.Input("fit", options=list(FITS), tooltip="batter: one box that holds him in all frames. follow: a box that goes with him. whole: all of the clip's picture. fill: the picture, cut to the canvas."),
                io.Int.Input("width", default=512, min=0, max=16384, step=8, tooltip="Of the canvas; 0 follows from the height and the shape."),
                io.Int.Input("height", default=0, min=0, max=16384, step=8, tooltip="Of the canvas; 0 follows from the width and the shape."),
                io.Combo.Input("multiple", options=["64", "8"], tooltip="Sides are brought to multiples of this.", advanced=True),
                io.Float.Input("padding", default=0.1, min=0.0, max=2.0, step=0.01, tooltip="Room about the batter, part of his box's longer side."),
                io.Boolean.Input("draw_batch", default=True, tooltip="Off for long sequences: only the first hint is drawn here, and Pose-Conditioned Frames draws the others as it needs them.", advanced=True),
            ],
            outputs=[
                io.Image.Output(display_name="hints", tooltip="The hints, for any ControlNet, VACE or SCAIL."),
                HintPlanSocket.Output(display_name="plan", tooltip="Hints that are drawn when they are needed, with times and phases."),
                PoseKeypointSocket.Output(display_name="keypoints", tooltip="The same on the canvas, for nodes that draw or edit poses."),
                PoseSequenceSocket.Output(display_name="skeleton", tooltip="The same on the canvas: what the frames are asked to show."),
                io.Int.Output(display_name="width", tooltip="The canvas's width, pixels, for the latent."),
                io.Int.Output(display_name="height", tooltip="The canvas's height, pixels."),
                io.Int.Output(display_name="count", tooltip="How many frames."),
                io.Float.Output(display_name="fps", tooltip="Frames a second."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, skeleton, style, bat_layer, time, body, fit, width, height, multiple, padding, draw_batch, bat=None) -> io.NodeOutput:
        import torch

        from ..kinetics.generate.plan import plan_hints
        from ..kinetics.generate.sheet import hint_sheet
        from ..kinetics.pose.openpose_json import to_pose_keypoint

        plan = plan_hints(
            skeleton, bat, instants=instants_of(time, bat), body=body_of(body), width=width, height=height, fit=fit, padding=padding,
            multiple=int(multiple), style=style, bat_layer=bat_layer,
        )  # fmt: skip
        if draw_batch:
            plan.check_room(get_free_memory(torch.device("cpu")))
        hints = torch.from_numpy(plan.draw_all(0, len(plan) if draw_batch else 1, report_progress()))
        return io.NodeOutput(
            hints,
            plan,
            to_pose_keypoint(plan.pose),
            plan.pose,
            *plan.size,
            len(plan),
            plan.fps,
            ui=preview_image(hint_sheet(plan), "hints"),
        )


def instants_of(time: dict, bat):
    """The choice of instants as Pose Hints' plan takes it."""
    from ..kinetics.generate.instants import resample_count, resample_key_frames, resample_phases, resample_rate
    from ..kinetics.motion.measure import SwingMeasurement

    match time["time"]:
        case "number of frames":
            return lambda pose: resample_count(pose, time["frames"])
        case "rate":
            return lambda pose: resample_rate(pose, time["fps"])
        case "by phase" | "key frames":
            if not isinstance(bat, SwingMeasurement):
                raise KineticsError(
                    f"Pose Hints has time {time['time']!r}, which needs the phases of a swing; plug Measure Swing into bat, or choose another."
                )
            return resample_phases(bat, time["frames"]) if time["time"] == "by phase" else resample_key_frames(bat)
    return None


def body_of(body: dict):
    """The choice of a body as Pose Hints' plan takes it."""
    from ..kinetics.retarget import retarget

    match body["body"]:
        case "larger or smaller":
            return lambda pose: retarget(pose, scale=body["scale"])
        case "another's":
            return lambda pose: retarget(pose, body["reference"], own_height=body["own_height"])
    return None


class ApplyBattingStyle(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        phases = [
            io.Float.Input(phase, default=1.0, min=-10.0, max=10.0, step=0.01, tooltip=f"Share of both strengths in frames {'outside the phases' if phase == ELSEWHERE else 'of this phase'}.")
            for phase in (*PHASES, ELSEWHERE)
        ]  # fmt: skip
        return io.Schema(
            node_id="CK_ApplyBattingStyle",
            display_name="Apply Batting Style",
            category=BENCH,
            description="Puts a batter's LoRA on a model: checks that it was made for it, says which keys are passed over, and hands out the trigger phrase. "
            "Its strength may follow the phases of the swing, frame by frame.",
            search_aliases=["load lora", "lora loader", "style", "trigger word", "lora schedule", "lora strength", "hooks"],
            has_intermediate_output=True,
            inputs=[
                io.Model.Input("model", tooltip="The base model."),
                io.Clip.Input("clip", tooltip="Its text encoder. Encode both texts with the CLIP that comes out."),
                io.Combo.Input("lora_name", options=folder_paths.get_filename_list("loras") or [NO_LORA], tooltip="The LoRA's file. Press R to look again."),
                io.Float.Input("strength_model", default=1.0, min=-10.0, max=10.0, step=0.01, tooltip="How strongly the picture takes the style."),
                io.Float.Input("strength_text", default=1.0, min=-10.0, max=10.0, step=0.01, tooltip="How strongly the text encoder does; counts only for a LoRA that was trained with it."),
                io.DynamicCombo.Input(
                    "strength", options=[io.DynamicCombo.Option(CONSTANT, []), io.DynamicCombo.Option(BY_PHASE, phases)],
                    tooltip="by phase of the swing: every frame takes the strengths times its own phase's share; needs a plan from Pose Hints that knows the swing.",
                ),
                HintPlanSocket.Input("plan", optional=True, tooltip="From Pose Hints: which frame is of which phase."),
                io.LoraModel.Input("lora", optional=True, tooltip="From Train Style LoRA: take these weights instead of a file's."),
                io.String.Input("file", optional=True, force_input=True, tooltip="From Train Style LoRA: take this file instead."),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="With the style on it."),
                io.Clip.Output(display_name="clip", tooltip="With the style on it: encode both texts with this one."),
                io.String.Output(display_name="trigger", tooltip="The trigger phrase, to begin the prompt with; empty where the file gives none."),
                io.String.Output(display_name="report", tooltip="What the file says of itself, and what doesn't fit."),
            ],
        )  # fmt: skip

    @classmethod
    def validate_inputs(cls, lora_name, **linked) -> bool | str:
        return True if "file" in linked or "lora" in linked else sentence_or_true(lambda: existing_lora(lora_name))

    @classmethod
    def fingerprint_inputs(cls, lora_name, file=None, lora=None, **_):
        name = file or lora_name
        return name if name == NO_LORA or (lora is not None and not file) else fingerprint_files([existing_lora(name)])

    @classmethod
    def execute(cls, model, clip, lora_name, strength_model, strength_text, strength, plan=None, lora=None, file=None) -> io.NodeOutput:
        import comfy.sd

        from ..kinetics.style.lora_file import read_lora_info
        from .style_host import apply_by_phase, check_lora

        path = None if lora is not None and not file else existing_lora(file or lora_name)
        info = None if path is None else read_lora_info(path)
        weights = comfy.utils.load_torch_file(str(path), safe_load=True) if lora is None else lora
        name = "The LoRA" if path is None else path.name
        notes = check_lora(model, clip, weights, info, name)
        if strength["strength"] == BY_PHASE:
            if plan is None:
                raise KineticsError(
                    "Apply Batting Style has a strength by phase but no plan; plug in the plan of Pose Hints, which was given a swing."
                )
            if set(plan.phases) == {ELSEWHERE}:
                raise KineticsError(
                    "The plan knows no phase of any frame; plug a swing with phases into Pose Hints, or choose the same strength throughout."
                )
            clip = apply_by_phase(model, clip, weights, plan, strength_model, strength_text, strength)
        else:
            model, clip = comfy.sd.load_lora_for_models(model, clip, weights, strength_model, strength_text)
        report = "\n".join([*(f"Note: {note}" for note in notes), info.sentences() if info else "Weights straight from training."])
        return io.NodeOutput(model, clip, info.trigger if info else "", report, ui=ui.PreviewText(report))


class PoseConditionedFrames(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="CK_PoseConditionedFrames",
            display_name="Pose-Conditioned Frames",
            category=BENCH,
            description="Makes as many frames as there are hints, a chunk at a time, with ComfyUI's own sampler: hint k drives frame k, noise is shared, "
            "memory stays that of a chunk. Frames stream to a video in the output folder; cancel keeps those that are finished.",
            search_aliases=["ksampler video", "controlnet batch", "long animation", "pose to video", "vid2vid", "batch", "chunk", "consistent frames"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="A model for pictures, e.g. from Apply Batting Style."),
                io.Conditioning.Input("positive", tooltip="What the frames show; begin with the trigger phrase."),
                io.Conditioning.Input("negative", tooltip="What they shall not show."),
                io.Vae.Input("vae", tooltip="The base model's VAE."),
                io.ControlNet.Input("control_net", optional=True, tooltip="A pose (OpenPose) ControlNet made for the base model. It has to be plugged in."),
                io.MultiType.Input("hints", [HintPlanSocket, io.Image], tooltip="The plan of Pose Hints, drawn as it is needed; or any batch of hint pictures."),
                io.Float.Input("control_strength", default=1.0, min=0.0, max=10.0, step=0.01, tooltip="How strictly frames follow the pose."),
                io.Float.Input("control_end", default=1.0, min=0.0, max=1.0, step=0.001, tooltip="The pose counts for this part of the steps, from the first."),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True, tooltip="Of the noise."),
                io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps per chunk."),
                io.Float.Input("cfg", default=7.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip="How strictly frames follow the text."),
                io.Combo.Input("sampler_name", options=comfy.samplers.KSampler.SAMPLERS, tooltip="Any; only dpm_adaptive makes frames depend on those of their chunk."),
                io.Combo.Input("scheduler", options=comfy.samplers.KSampler.SCHEDULERS, tooltip="How the noise falls over the steps."),
                io.Int.Input("chunk", default=16, min=0, max=4096, tooltip="Frames that are made together, as many as memory holds; 0: all. With shared noise and a start from noise the frames are the same whatever the chunk."),
                io.Combo.Input("noise", options=[SHARED, OWN], tooltip="shared: all frames begin from one noise, so that they look alike where the pose is alike."),
                io.DynamicCombo.Input(
                    "start",
                    options=[
                        io.DynamicCombo.Option(NOISE, []),
                        io.DynamicCombo.Option(
                            PREVIOUS,
                            [
                                io.Float.Input("denoise", default=0.7, min=0.01, max=1.0, step=0.01, tooltip="How far a chunk may leave the last frame of the chunk before."),
                                io.Int.Input("overlap", default=2, min=0, max=512, tooltip="Frames that two chunks share; they are blended."),
                            ],
                        ),
                    ],
                    tooltip="What a chunk starts from: noise, or the last frame of the chunk before, which carries looks along and wears off over a long run.",
                ),
                io.Float.Input("fps", default=0.0, min=0.0, max=1000.0, step=0.01, tooltip="Frames a second of the video; 0 takes the plan's own times, or 16 for pictures."),
                io.Latent.Input("latents", optional=True, tooltip="One per hint, to start from in place of noise alone, e.g. the clip's own frames encoded."),
                io.Float.Input("denoise", default=1.0, min=0.0, max=1.0, step=0.01, tooltip="With latents: how far frames may leave them.", advanced=True),
                io.Int.Input("crf", default=14, min=0, max=51, tooltip="Quality of the file: 0 without loss, 14 for the eye without, 23 small.", advanced=True),
                io.String.Input("filename_prefix", default="correlated_kinetics/frames", tooltip="Name, or folder/name, inside ComfyUI's output folder."),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The frames; the file lies in the output folder.")],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )  # fmt: skip

    @classmethod
    def execute(
        cls, model, positive, negative, vae, hints, control_strength, control_end, seed, steps, cfg, sampler_name, scheduler, chunk, noise, start, fps,
        denoise, crf, filename_prefix, control_net=None, latents=None,
    ) -> io.NodeOutput:  # fmt: skip
        from .generate_host import Control, Sampling, count_hints, generate_frames

        if control_net is None:
            raise KineticsError(
                "Pose-Conditioned Frames has no ControlNet; plug Load ControlNet Model in, with an OpenPose ControlNet for the base model."
            )
        carried = start["start"] == PREVIOUS
        sampling = Sampling(
            seed, steps, cfg, sampler_name, scheduler, denoise=denoise, shared_noise=noise == SHARED, chunk=chunk,
            overlap=start["overlap"] if carried else 0, carry=start["denoise"] if carried else 0.0,
        )  # fmt: skip
        _, size = count_hints(hints)
        frames = generate_frames(
            model, positive, negative, vae, Control(control_net, control_strength, 0.0, control_end), hints, sampling, latents, show()
        )
        path = output_path(filename_prefix, "frames.mp4", *size)
        write_frames(frames, path, size, hints, fps, crf, workflow_metadata(cls))
        return io.NodeOutput(video_from(path), ui=preview_videos([path], io.FolderType.output))


def show():
    """Moves the node's bar over all chunks, and shows what the sampler sees."""
    bar = comfy.utils.ProgressBar(1000)
    return lambda share, preview: bar.update_absolute(round(1000 * share), 1000, preview)


def write_frames(frames, path: Path, size: tuple[int, int], hints, fps: float, crf: int, metadata: dict[str, str] | None = None) -> None:
    """Stream frames to a file. An interrupt closes it after the frames that are finished, and is passed on."""
    from ..kinetics.generate.plan import HintPlan
    from ..kinetics.video.encode import VideoWriter

    planned = isinstance(hints, HintPlan)
    times = hints.pose.t - hints.pose.t[0] if planned and not fps else None
    stopped: InterruptProcessingException | None = None
    with VideoWriter(path, *size, fps or (hints.fps if planned else 16.0), crf=crf, metadata=metadata) as video:
        try:
            for number, frame in enumerate(frames):
                picture = frame.clamp(0, 1).mul(255).round().byte().cpu().numpy()
                video.write(picture, None if times is None else float(times[number]))
        except InterruptProcessingException as interrupt:
            if not video.frames:
                raise
            stopped = interrupt
    if stopped is not None:
        raise stopped
