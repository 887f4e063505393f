"""Writes a random SD1.5-shaped checkpoint and a pose ControlNet, as small as the host's own detection allows: python tiny_models.py ROOT HOST FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT, HOST, FOLDER = (Path(part) for part in sys.argv[1:4])
sys.argv = [sys.argv[0], "--cpu"]
sys.path[:0] = [str(HOST), str(ROOT / "tests" / "unit")]
sys.path.append(str(ROOT))

import comfy.options  # noqa: E402

comfy.options.enable_args_parsing()

import comfy.clip_model  # noqa: E402
import comfy.ops  # noqa: E402
import torch  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from style_world import ldm_net  # noqa: E402

#: What the host knows SD1.5 by: the width of its first level, and of the text.
WIDTH, CONTEXT = 320, 768


def random_like(name: str, value: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    if value.ndim < 2:
        return torch.full(value.shape, 1.0 if name.endswith("weight") else 0.0)
    return torch.randn(value.shape, generator=chance) * 0.3 / value[0].numel() ** 0.5


chance = torch.Generator().manual_seed(5)
config = json.loads((HOST / "comfy" / "sd1_clip_config.json").read_text())
with torch.device("meta"):
    text = comfy.clip_model.CLIPTextModel(config, torch.float32, "meta", comfy.ops.disable_weight_init).state_dict()
vae = {name: value for name, value in TAESD(latent_channels=4).state_dict().items() if value.ndim}
parts = {
    "model.diffusion_model.": ldm_net((WIDTH,), (1,), CONTEXT),
    "cond_stage_model.transformer.": {name: random_like(name, value, chance) for name, value in text.items() if "text_projection" not in name},
    "first_stage_model.": {name: random_like(name, value, chance) for name, value in vae.items()},
}
checkpoint = {prefix + name: value.half().contiguous() for prefix, part in parts.items() for name, value in part.items()}
control = {f"control_model.{name}": value.half().contiguous() for name, value in ldm_net((WIDTH,), (1,), CONTEXT, control=True).items()}
for folder, name, weights in (
    ("checkpoints", "v1-5-pruned-emaonly-fp16.safetensors", checkpoint),
    ("controlnet", "control_v11p_sd15_openpose_fp16.safetensors", control),
):
    (FOLDER / folder).mkdir(parents=True, exist_ok=True)
    save_file(weights, FOLDER / folder / name)
