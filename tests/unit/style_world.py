"""A world small enough to learn in seconds: pictures that are a function of the pose, and random networks in the layout of SD1.5's or SDXL's weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinetics.style.modules import StyleModules, build_controlnet, build_encoders, build_unet, known_modules, noise_schedule
from kinetics.style.samples import FORMAT, VERSION, StyleDataset, StyleSample

CONTEXT = 64  # channels of the text; one head of CLIP's
HINT_GAIN = 2.0  # a random hint encoder of gain 1 lets almost nothing of the pose through


class Weights(dict):
    """Random weights by name, scaled by their fan-in."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = torch.Generator().manual_seed(seed)

    def add(self, name: str, *shape: int, gain: float = 1.0, bias: bool = True) -> None:
        fan = int(np.prod(shape[1:]))
        self[f"{name}.weight"] = torch.randn(shape, generator=self.chance) * gain / fan**0.5
        if bias:
            self[f"{name}.bias"] = torch.zeros(shape[0])

    def norm(self, name: str, width: int) -> None:
        self[f"{name}.weight"], self[f"{name}.bias"] = torch.ones(width), torch.zeros(width)

    def resnet(self, name: str, start: int, width: int, time: int) -> None:
        self.norm(f"{name}.in_layers.0", start)
        self.add(f"{name}.in_layers.2", width, start, 3, 3)
        self.add(f"{name}.emb_layers.1", width, time)
        self.norm(f"{name}.out_layers.0", width)
        self.add(f"{name}.out_layers.3", width, width, 3, 3)
        if start != width:
            self.add(f"{name}.skip_connection", width, start, 1, 1)

    def attention(self, name: str, width: int, context: int, depth: int, linear: bool) -> None:
        self.norm(f"{name}.norm", width)
        for end in ("proj_in", "proj_out"):
            self.add(f"{name}.{end}", width, width, *(() if linear else (1, 1)))
        for k in range(depth):
            block = f"{name}.transformer_blocks.{k}"
            for n in (1, 2, 3):
                self.norm(f"{block}.norm{n}", width)
            for n, start in ((1, width), (2, context)):
                self.add(f"{block}.attn{n}.to_q", width, width, bias=False)
                self.add(f"{block}.attn{n}.to_k", width, start, bias=False)
                self.add(f"{block}.attn{n}.to_v", width, start, bias=False)
                self.add(f"{block}.attn{n}.to_out.0", width, width)
            self.add(f"{block}.ff.net.0.proj", 8 * width, width)
            self.add(f"{block}.ff.net.2", width, 4 * width)


def ldm_net(widths=(32,), depths=(1,), context=CONTEXT, pooled=0, control=False, seed=0) -> dict[str, torch.Tensor]:
    """A UNet, or a ControlNet, of one resnet per level, as checkpoints lay it out; with ``pooled`` channels in SDXL's manner."""
    w, time, linear = Weights(seed), 4 * widths[0], pooled > 0
    w.add("time_embed.0", time, widths[0])
    w.add("time_embed.2", time, time)
    if pooled:
        w.add("label_emb.0.0", time, pooled + 6 * 256)
        w.add("label_emb.0.2", time, time)
    w.add("input_blocks.0.0", widths[0], 4, 3, 3)
    n, width, skips = 1, widths[0], [widths[0]]
    for level, (out, depth) in enumerate(zip(widths, depths, strict=True)):
        w.resnet(f"input_blocks.{n}.0", width, out, time)
        if depth:
            w.attention(f"input_blocks.{n}.1", out, context, depth, linear)
        width, n, skips = out, n + 1, [*skips, out]
        if level < len(widths) - 1:
            w.add(f"input_blocks.{n}.0.op", width, width, 3, 3)
            n, skips = n + 1, [*skips, width]
    w.resnet("middle_block.0", width, width, time)
    w.attention("middle_block.1", width, context, max(depths), linear)
    w.resnet("middle_block.2", width, width, time)
    if control:
        for k, (out, start) in enumerate(zip((16, 16, 32, 32, 96, 96, 256, widths[0]), (3, 16, 16, 32, 32, 96, 96, 256), strict=True)):
            w.add(f"input_hint_block.{2 * k}", out, start, 3, 3, gain=HINT_GAIN)
        for k, out in enumerate(skips):
            w.add(f"zero_convs.{k}.0", out, out, 1, 1, gain=0.5)
        w.add("middle_block_out.0", width, width, 1, 1, gain=0.5)
        return dict(w)
    n = 0
    for level in reversed(range(len(widths))):
        for last in (False, True):
            w.resnet(f"output_blocks.{n}.0", width + skips.pop(), widths[level], time)
            width = widths[level]
            if depths[level]:
                w.attention(f"output_blocks.{n}.1", width, context, depths[level], linear)
            if last and level:
                w.add(f"output_blocks.{n}.{2 if depths[level] else 1}.conv", width, width, 3, 3)
            n += 1
    w.norm("out.0", width)
    w.add("out.2", 4, width, 3, 3)
    return dict(w)


def clip_encoder(width=CONTEXT, layers=2, vocabulary=64, length=16, projection=0, seed=3) -> dict[str, torch.Tensor]:
    """A text encoder under transformers' names."""
    w = Weights(seed)
    w.add("embeddings.token_embedding", vocabulary, width, bias=False, gain=width**0.5)
    w.add("embeddings.position_embedding", length, width, bias=False)
    for k in range(layers):
        layer = f"encoder.layers.{k}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            w.add(f"{layer}.self_attn.{name}", width, width)
        w.add(f"{layer}.mlp.fc1", 2 * width, width)
        w.add(f"{layer}.mlp.fc2", width, 2 * width)
        w.norm(f"{layer}.layer_norm1", width)
        w.norm(f"{layer}.layer_norm2", width)
    w.norm("final_layer_norm", width)
    if projection:
        w.add("text_projection", projection, width, bias=False)
    return dict(w)


def tokenize(text: str) -> dict[str, list[int]]:
    """A word is a number by its length."""
    words = [62, *(1 + len(word) % 60 for word in text.split())][:15]
    return {letter: [*words, 63, *[pad] * (15 - len(words))] for letter, pad in (("l", 63), ("g", 0))}


MIX = torch.tensor([[1.0, 0.5, -0.5, 0.8], [-0.6, 1.0, 0.4, 0.2], [0.3, -0.7, 1.0, -0.4]]).T


def encode_images(images: torch.Tensor) -> torch.Tensor:
    """Stands for a VAE: colours averaged over 8 × 8 pixels and mixed."""
    return torch.einsum("ck,bkhw->bchw", MIX, torch.nn.functional.avg_pool2d(images, 8)) * 1.6


def decode_latents(latents: torch.Tensor) -> torch.Tensor:
    """Its inverse, in squares of 8 × 8 pixels."""
    colours = torch.einsum("kc,bchw->bkhw", torch.linalg.pinv(MIX), latents / 1.6)
    return torch.nn.functional.interpolate(colours, scale_factor=8, mode="nearest")


def make_modules(*, pose: bool = True, prediction: str = "epsilon", sdxl: bool = False, width: int = 32, seed: int = 0) -> StyleModules:
    """Networks of one level, for SDXL of two."""
    widths, depths = ((width,), (1,)) if not sdxl else ((32, 64), (0, 2))
    context, pooled = (2 * CONTEXT, 32) if sdxl else (CONTEXT, 0)
    unet, layout = build_unet(ldm_net(widths, depths, context, pooled, seed=seed), "a tiny model")
    control = (
        build_controlnet(ldm_net(widths, depths, context, pooled, control=True, seed=seed + 1), "a tiny ControlNet", layout)
        if pose
        else None
    )
    encoders = build_encoders({"l": clip_encoder(), "g": clip_encoder(projection=32, seed=4)}, layout.family, "a tiny model")
    return StyleModules(
        family=layout.family, prediction=prediction, unet=unet, controlnet=control, encoders=encoders, tokenize=tokenize, encode_images=encode_images,
        decode_latents=decode_latents, alphas_bar=noise_schedule(), base_name="tiny.safetensors", base_hash=f"base {seed}", vae_hash="mix", known=known_modules(layout, encoders),
    )  # fmt: skip


def draw_sample(place: int, size: tuple[int, int], colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture of a pose: a bar of the style's colour where the hint shows one."""
    width, height = size
    picture, hint, mask = (
        np.full((height, width, 3), 90, np.uint8),
        np.zeros((height, width, 3), np.uint8),
        np.zeros((height, width), np.uint8),
    )
    bar = np.s_[:, 8 * place - 8 : 8 * place + 16]
    picture[bar], hint[bar], mask[bar] = colour, (255, 0, 0), 255
    return picture, hint, mask


def write_world(folder: Path, *, clips=4, per_clip=4, sizes=((64, 64),), colour=(250, 200, 40), seed=0) -> StyleDataset:
    """A style dataset on disk; the last clip is held out."""
    chance, lines = np.random.default_rng(seed), []
    for kind in ("images", "hints", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for clip in range(clips):
        for k in range(per_clip):
            name, size = f"clip{clip}_{k:03}.png", sizes[k % len(sizes)]
            place = int(chance.integers(1, size[0] // 8 - 1)) if clip < clips - 1 else 1 + (k * 5) % (size[0] // 8 - 2)
            for kind, pixels in zip(("images", "hints", "masks"), draw_sample(place, size, colour), strict=True):
                Image.fromarray(pixels).save(folder / kind / name)
            sample = StyleSample(
                f"images/{name}", f"hints/{name}", f"masks/{name}", "ckbatter, cover drive, downswing", f"clip{clip}", "cover drive", "downswing",
                k / 25, k, 1.0 if k % 2 else 0.8, *size, "held_out" if clip == clips - 1 else "train",
            )  # fmt: skip
            lines.append(sample.line())
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    info = {
        "format": FORMAT,
        "version": VERSION,
        "trigger": "ckbatter",
        "template": "{trigger}, {shot}, {phase}",
        "settings": {},
        "motion": {f"clip{clip}": {"tempo": "quick tempo"} for clip in range(clips)},
    }
    (folder / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    return StyleDataset.load(folder)
