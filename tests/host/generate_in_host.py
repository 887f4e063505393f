"""Runs inside a process of the host, on small networks: the frames that our nodes make against those that the host's own nodes make one by one.

Prints one JSON object: largest differences, what was said, what was left on disk.
"""

from __future__ import annotations

import json
import sys
import weakref
from dataclasses import replace
from pathlib import Path

from host_process import enter_host

FOLDER = Path(sys.argv[1])
enter_host(FOLDER)

import comfy.lora  # noqa: E402
import comfy.model_management  # noqa: E402
import comfy.utils  # noqa: E402
import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from ck_pack.kinetics.generate.plan import HintPlan  # noqa: E402
from ck_pack.kinetics.pose_sequence import COCO_NAMES, PoseSequence  # noqa: E402
from ck_pack.kinetics.style.lora_file import write_lora  # noqa: E402
from ck_pack.nodes.generate import BY_PHASE, CONSTANT, ApplyBattingStyle, PoseConditionedFrames, PoseHints  # noqa: E402
from ck_pack.nodes.generate_host import Control, Sampling, generate_frames  # noqa: E402
from small_networks import small_clip, small_control_net, small_model, small_vae  # noqa: E402

import nodes  # noqa: E402

FOUND: dict = {}
folder_paths.folder_names_and_paths["loras"] = ([str(FOLDER / "loras")], {".safetensors"})
folder_paths.set_output_directory(str(FOLDER / "output"))
folder_paths.set_temp_directory(str(FOLDER / "temp"))
SIDE, FRAMES, PHASES = 64, 9, ("stance",) * 3 + ("downswing",) * 3 + ("elsewhere",) * 3
PLAIN = Sampling(seed=3, steps=2, cfg=2.0, sampler="euler", scheduler="normal")


def a_plan(frames=FRAMES, side=SIDE, phases=PHASES) -> HintPlan:
    """Joints that wander over the canvas, other ones in every frame."""
    chance = np.random.default_rng(1)
    xy = chance.uniform(0.1 * side, 0.9 * side, (frames, len(COCO_NAMES), 2))
    pose = PoseSequence(xy, np.full(xy.shape[:2], 0.9), np.arange(frames) / 16, COCO_NAMES, (side, side), provenance={"source": "drawn"})
    return HintPlan(pose, phases)


def frames_of(hints, sampling=PLAIN, positive=None, negative=None, latents=None, base=None) -> torch.Tensor:
    made = generate_frames(base or MODEL, positive or POSITIVE, negative or NEGATIVE, VAE, Control(NET), hints, sampling, latents)
    return torch.stack([frame.clone() for frame in made])


def core_frames(hints, latents, *, model=None, positive=None, negative=None, sampler="euler", denoise=1.0) -> torch.Tensor:
    """The plain graph of the host's own nodes."""
    pair = nodes.ControlNetApplyAdvanced().apply_controlnet(positive or POSITIVE, negative or NEGATIVE, NET, hints, 1.0, 0.0, 1.0, vae=VAE)
    made = nodes.KSampler().sample(model or MODEL, PLAIN.seed, PLAIN.steps, PLAIN.cfg, sampler, PLAIN.scheduler, *pair, latents, denoise)[0]
    return nodes.VAEDecode().decode(VAE, made)[0]


def empty(frames: int, places=None) -> dict:
    return {"samples": torch.zeros(frames, 4, SIDE // 8, SIDE // 8), "batch_index": places or [0] * frames}


def gap(a, b) -> float:
    """Greatest difference of two batches of pictures, whose values go from 0 to 1."""
    return (a - b).abs().max().item()


def said(call) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def encode(clip, text):
    return nodes.CLIPTextEncode().encode(clip, text)[0]


def compare_chunks() -> None:
    hints = torch.from_numpy(PLAN.draw_all())
    whole = frames_of(hints, replace(PLAIN, chunk=0))
    one_by_one = torch.cat([core_frames(hints[k : k + 1], empty(1)) for k in range(FRAMES)])
    record = {"one by one": gap(whole, one_by_one), "core batch": gap(core_frames(hints, empty(FRAMES)), one_by_one)}
    record["chunks"] = [gap(frames_of(hints, replace(PLAIN, chunk=chunk)), whole) for chunk in (1, 4)]
    record["plan"] = gap(frames_of(PLAN, replace(PLAIN, chunk=4)), whole)
    record["overlap"] = gap(frames_of(hints, replace(PLAIN, chunk=4, overlap=2)), whole)
    record["spread"] = [gap(whole[k], whole[k - 1]) for k in range(1, FRAMES)]
    swapped = hints.clone()
    swapped[[2, 7]] = hints[[7, 2]]
    after = frames_of(swapped, replace(PLAIN, chunk=4))
    record["swapped"] = {
        "changed": [k for k in range(FRAMES) if gap(after[k], whole[k]) > 1e-3],
        "others": max(gap(after[k], whole[k]) for k in range(FRAMES) if k not in (2, 7)), "exchanged": gap(after[[7, 2]], whole[[2, 7]]),
    }  # fmt: skip
    still = hints[:1].expand(4, -1, -1, -1)
    record["same pose"] = {
        name: gap(*frames_of(still, replace(PLAIN, shared_noise=name == "shared"))[[0, 3]]) for name in ("shared", "own")
    }
    own = replace(PLAIN, shared_noise=False)
    record["own noise"] = gap(
        frames_of(hints, replace(own, chunk=4)), torch.cat([core_frames(hints[k : k + 1], empty(1, [k])) for k in range(FRAMES)])
    )
    record["samplers"] = {}
    for name in ("euler_ancestral", "dpmpp_2m_sde", "dpmpp_2m"):
        some = replace(PLAIN, sampler=name, steps=3, chunk=1)
        by_one = frames_of(hints[:4], some)
        record["samplers"][name] = [gap(frames_of(hints[:4], replace(some, chunk=3)), by_one), gap(*by_one[[0, 3]])]
    record["ancestral as core"] = gap(
        frames_of(hints[:2], replace(PLAIN, sampler="euler_ancestral"))[:1], core_frames(hints[:1], empty(1), sampler="euler_ancestral")
    )
    carried = frames_of(hints, replace(PLAIN, chunk=4, overlap=2, carry=0.5))
    record["carried"] = {"frames": len(carried), "first chunk": gap(carried[:2], whole[:2]), "later": gap(carried[4:], whole[4:])}
    FOUND["chunks"] = record


def compare_latents() -> None:
    hints = torch.from_numpy(PLAN.draw_all())
    latents = {"samples": torch.randn(FRAMES, 4, SIDE // 8, SIDE // 8, generator=torch.Generator().manual_seed(2))}
    part = replace(PLAIN, denoise=0.6, chunk=4)
    single = torch.cat(
        [core_frames(hints[k : k + 1], {"samples": latents["samples"][k : k + 1], "batch_index": [0]}, denoise=0.6) for k in range(FRAMES)]
    )
    record = {"sliced": gap(frames_of(hints, part, latents=latents), single)}
    record["fewer"] = said(lambda: frames_of(hints, latents={"samples": latents["samples"][:5]}))
    record["larger"] = said(lambda: frames_of(hints, latents={"samples": torch.zeros(FRAMES, 4, 16, 8)}))
    record["odd size"] = said(lambda: frames_of(torch.zeros(2, 60, 64, 3)))
    record["no hints"] = said(lambda: frames_of(torch.zeros(0, 64, 64, 3)))
    FOUND["latents"] = record


def write_style(name: str, known: dict, metadata: dict) -> Path:
    """A LoRA of the model's own modules, with weights large enough to be seen."""
    chance, tensors = torch.Generator().manual_seed(4), {}
    weights = {**MODEL.model.state_dict(), **CLIP.cond_stage_model.state_dict()}
    for module, key in known.items():
        shape = weights[key].shape
        tensors[f"{module}.lora_down.weight"] = torch.randn(4, *shape[1:], generator=chance) / shape[1] ** 0.5
        tensors[f"{module}.lora_up.weight"] = torch.randn(shape[0], 4, *(1 for _ in shape[2:]), generator=chance) * 0.1
        tensors[f"{module}.alpha"] = torch.tensor(4.0)
    path = FOLDER / "loras" / name
    write_lora(path, tensors, metadata, known=known, where="the host")
    return path


def compare_styles() -> None:
    unet = {
        key: value
        for key, value in comfy.lora.model_lora_keys_unet(MODEL.model, {}).items()
        if key.startswith("lora_unet_") and "attn" in key
    }
    text = {
        key: value
        for key, value in comfy.lora.model_lora_keys_clip(CLIP.cond_stage_model, {}).items()
        if key.startswith("lora_te_") and "proj" in key
    }
    from ck_pack.kinetics.style.checkpoint import hash_file

    base = FOLDER / "base.safetensors"
    base.write_bytes(b"a checkpoint")
    MODEL.cached_patcher_init = (None, (str(base),))
    about = {
        "modelspec.trigger_phrase": "ckbatter",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "ss_network_alpha": "4.0",
        "ss_new_sd_model_hash": hash_file(base),
    }
    write_style("style.safetensors", {**unet, **text}, about)

    def applied(strengths: dict, model_strength=0.8, text_strength=0.6, name="style.safetensors"):
        return ApplyBattingStyle.execute(MODEL, CLIP, name, model_strength, text_strength, strengths, plan=PLAN).args

    def conditioned(clip):
        return {"positive": encode(clip, "ckbatter, cover drive"), "negative": encode(clip, "blurred")}

    shares = {"stance": 0.25, "backlift": 1.0, "downswing": 1.0, "impact": 1.0, "follow_through": 1.0, "elsewhere": 0.0}
    hints = torch.from_numpy(PLAN.draw_all())
    plain_model, phased_clip, trigger, report = applied({"strength": BY_PHASE, **shares})
    texts = conditioned(phased_clip)
    phased = frames_of(PLAN, replace(PLAIN, chunk=4), **texts)
    alone = {}
    for phase in ("stance", "downswing", "elsewhere"):
        model, clip, *_ = applied({"strength": CONSTANT}, 0.8 * shares[phase], 0.6 * shares[phase])
        alone[phase] = frames_of(PLAN, replace(PLAIN, chunk=4), base=model, **conditioned(clip))
    rows = {phase: [k for k, other in enumerate(PHASES) if other == phase] for phase in alone}
    record = {"trigger": trigger, "report": report, "texts": len(texts["positive"])}
    record["phase alone"] = {phase: gap(phased[rows[phase]], alone[phase][rows[phase]]) for phase in alone}
    record["apart"] = [gap(alone["stance"], alone["downswing"]), gap(alone["stance"], alone["elsewhere"])]
    record["without"] = gap(alone["elsewhere"], frames_of(PLAN, **conditioned(CLIP)))
    record["core sampler"] = gap(core_frames(hints, empty(FRAMES), model=plain_model, **texts), phased)
    model, clip, *_ = applied({"strength": CONSTANT})
    theirs = nodes.LoraLoader().load_lora(MODEL, CLIP, "style.safetensors", 0.8, 0.6)
    ours = frames_of(PLAN, base=model, **conditioned(clip))
    record["as core's loader"] = gap(ours, frames_of(PLAN, base=theirs[0], **conditioned(theirs[1])))
    skipped = nodes.CLIPSetLastLayer().set_last_layer(phased_clip, -2)[0]
    part = applied({"strength": CONSTANT}, 0.8 * 0.25, 0.6 * 0.25)
    record["clip skip"] = gap(
        frames_of(PLAN, **conditioned(skipped))[:3],
        frames_of(PLAN, base=part[0], **conditioned(nodes.CLIPSetLastLayer().set_last_layer(part[1], -2)[0]))[:3],
    )
    record["other counts"] = said(lambda: frames_of(hints[:5], **texts))
    half = {key: value for key, value in unet.items() if "to_q" in key}
    write_style(
        "partly.safetensors",
        {**half, **text},
        {**about, "ss_network_alpha": "16", "ss_new_sd_model_hash": "0" * 64, "modelspec.architecture": "stable-diffusion-xl-v1-base/lora"},
    )
    weights = comfy.utils.load_torch_file(str(FOLDER / "loras" / "partly.safetensors"))
    odd = {
        **weights,
        "lora_unet_no_such_module.lora_up.weight": torch.zeros(4, 4),
        "lora_unet_no_such_module.lora_down.weight": torch.zeros(4, 4),
    }
    record["odd"] = ApplyBattingStyle.execute(
        MODEL, CLIP, "(none yet)", 1.0, 1.0, {"strength": CONSTANT}, lora=odd, file="partly.safetensors"
    ).args[3]
    module = next(iter(unet))
    wide = {f"{module}.lora_up.weight": torch.zeros(640, 4), f"{module}.lora_down.weight": torch.zeros(4, 2048)}
    strange = {
        "lora_transformer_blocks_0.lora_up.weight": torch.zeros(8, 4),
        "lora_transformer_blocks_0.lora_down.weight": torch.zeros(4, 8),
    }
    for name, tensors in (("other shapes", wide), ("other names", strange)):
        record[name] = said(
            lambda tensors=tensors: ApplyBattingStyle.execute(MODEL, CLIP, "(none yet)", 1.0, 1.0, {"strength": CONSTANT}, lora=tensors)
        )
    record["no plan"] = said(
        lambda: ApplyBattingStyle.execute(MODEL, CLIP, "style.safetensors", 1.0, 1.0, {"strength": BY_PHASE, **shares})
    )
    flat = replace(PLAN, phases=("elsewhere",) * FRAMES)
    record["no phase"] = said(
        lambda: ApplyBattingStyle.execute(MODEL, CLIP, "style.safetensors", 1.0, 1.0, {"strength": BY_PHASE, **shares}, plan=flat)
    )
    FOUND["styles"] = record


def run_node(plan, name: str, stop_at: float = 2.0, **changes):
    """The node, in inference mode as the executor runs it; interrupted when the bar passes ``stop_at``."""
    values = {
        "control_strength": 1.0, "control_end": 1.0, "seed": 3, "steps": 2, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "chunk": 4, "noise": "shared",
        "start": {"start": "noise"}, "fps": 0.0, "denoise": 1.0, "crf": 0, "filename_prefix": name, "control_net": NET, **changes,
    }  # fmt: skip
    plain = comfy.utils.ProgressBar.update_absolute

    def watched(self, done, total=None, preview=None):
        PREVIEWS.append((done / total, preview))
        if done / total >= stop_at:
            comfy.model_management.interrupt_current_processing(True)
        plain(self, done, total, preview)

    PREVIEWS.clear()
    comfy.utils.ProgressBar.update_absolute = watched
    try:
        return PoseConditionedFrames.execute(MODEL, POSITIVE, NEGATIVE, VAE, plan, **values).args[0]
    except comfy.model_management.InterruptProcessingException:
        return "interrupted"
    finally:
        comfy.utils.ProgressBar.update_absolute = plain


PREVIEWS: list = []


def written(name: str) -> list[Path]:
    return sorted((FOLDER / "output").glob(f"{name}_*"))


def read_back(path: Path) -> tuple[torch.Tensor, list[float]]:
    from ck_pack.kinetics.video.decode import Clip

    pictures = list(Clip(path).frames())
    return torch.stack([torch.from_numpy(frame.image) for frame in pictures]).float() / 255, [frame.t for frame in pictures]


def compare_files() -> None:
    whole = run_node(PLAN, "whole")
    pictures, times = read_back(Path(whole.get_stream_source()))
    record = {"times": times, "shape": list(pictures.shape), "previews": len(PREVIEWS), "shares": [share for share, _ in PREVIEWS]}
    record["shown"] = sum(preview is not None for _, preview in PREVIEWS)
    # The file keeps colour at half the resolution, so the mean brightness of each frame is what can be compared.
    record["brightness"] = gap(pictures.mean(dim=(1, 2, 3)), frames_of(PLAN).mean(dim=(1, 2, 3)))
    # Of 3 chunks the first is finished at 0.33, and the second under way at 0.5.
    record["interrupted"] = [run_node(PLAN, "stopped", 0.4), *(len(read_back(path)[0]) for path in written("stopped"))]
    record["at once"] = [run_node(PLAN, "nothing", 0.01), len(written("nothing"))]
    record["no net"] = said(lambda: run_node(PLAN, "nothing", control_net=None))
    record["left"] = sorted(path.name for path in (FOLDER / "output").iterdir())
    FOUND["files"] = record


def draw_hints() -> None:
    """Pose Hints as the host calls it."""
    values = {
        "style": "OpenPose body", "bat_layer": False, "time": {"time": "number of frames", "frames": 5}, "body": {"body": "another's", "reference": PLAN.pose, "own_height": False},
        "fit": "batter", "width": 128, "height": 0, "multiple": "64", "padding": 0.1, "draw_batch": True,
    }  # fmt: skip
    hints, plan, keypoints, skeleton, width, height, count, fps = PoseHints.execute(PLAN.pose, **values).args
    record = {"shape": list(hints.shape), "told": [width, height, count, len(keypoints), len(skeleton)], "fps": fps}
    record["drawn"] = gap(hints, torch.from_numpy(plan.draw_all()))
    record["first only"] = list(PoseHints.execute(PLAN.pose, **{**values, "draw_batch": False}).args[0].shape)
    for time in ("by phase", "key frames"):
        record[time] = said(lambda time=time: PoseHints.execute(PLAN.pose, **{**values, "time": {"time": time, "frames": 2}}))
    huge = {**values, "width": 16384, "height": 16384, "time": {"time": "number of frames", "frames": 1000}}
    record["huge"] = said(lambda: PoseHints.execute(PLAN.pose, **huge))
    record["no tooltip"] = [
        entry.id
        for node in (PoseHints, ApplyBattingStyle, PoseConditionedFrames)
        for entry in node.define_schema().inputs
        if not entry.tooltip
    ]
    FOUND["hints"] = record


def follow_memory() -> None:
    """How many pictures are alive while frames are taken: counted by the hints of a batch that the host is given, chunk by chunk."""
    alive, most = [], []
    plan, plain = a_plan(40), HintPlan.draw_all

    def counted(self, first=0, end=None, progress=None):
        batch = plain(self, first, end, progress)
        alive.append(weakref.ref(batch))
        most.append(sum(len(ref()) for ref in alive if ref() is not None))
        return batch

    HintPlan.draw_all = counted
    frames, kept = [], []
    for frame in generate_frames(MODEL, POSITIVE, POSITIVE, VAE, Control(NET), plan, replace(PLAIN, steps=1, cfg=1.0, chunk=8, overlap=2)):
        frames.append(weakref.ref(frame.untyped_storage()))
        kept.append(len({ref() for ref in frames} - {None}))
    HintPlan.draw_all = plain
    FOUND["memory"] = {"frames": len(frames), "hints": max(most), "storages": max(kept)}


with torch.inference_mode():
    MODEL, CLIP, VAE, NET = small_model(), small_clip(), small_vae(), small_control_net()
    PLAN, POSITIVE, NEGATIVE = a_plan(), encode(CLIP, "a cricket batter"), encode(CLIP, "")
    for part in (compare_chunks, compare_latents, compare_styles, compare_files, draw_hints, follow_memory):
        part()
print(json.dumps(FOUND))
