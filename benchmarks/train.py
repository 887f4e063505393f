"""Train Style LoRA beside the loop of diffusers' published text-to-image LoRA script, on the same model, pictures, batch and precision, in one run.

    python benchmarks/train.py [--batch 1]                  on a CPU, a narrow model of SD1.5's depth
    python benchmarks/train.py --full --precision bf16      on a card: SD1.5's size with random weights, 512²

The script's step (examples/text_to_image/train_text_to_image_lora.py): pictures decoded and encoded by the VAE, captions by the text encoder, noise and
times drawn, the UNet with a peft LoRA on its attentions, mean squared error, clipping, AdamW, cosine. It has neither a ControlNet nor a cache; ours runs
three times: as it does (no cache), with its cache, and with cache and pose. Every picture has a caption of its own.

All four take turns, --rounds times over: a machine that is busy is busy for all of them. Told are medians over all steps, of wall-clock time and of
processor time, the median over the rounds of the ratio to the script's, and the ratio of the tenth percentiles, of the steps that were least disturbed. Peak memory on a CPU is that of a process of its own for each.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import autocast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kinetics.style.modules import LATENT_SCALE, StyleModules, encode_with, noise_schedule
from kinetics.style.processes import Processes
from kinetics.style.samples import FORMAT, VERSION, StyleDataset, StyleSample
from kinetics.style.settings import TrainSettings
from kinetics.style.train import train_style_lora

CAPTION = "ckbatter, cover drive, downswing, quick"
CLIP_L = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_act": "quick_gelu",
}


def write_pictures(folder: Path, count: int, side: int) -> StyleDataset:
    """A style dataset of noise."""
    from PIL import Image

    chance, lines = np.random.default_rng(0), []
    for kind in ("images", "hints", "masks"):
        (folder / kind).mkdir(parents=True)
    for k in range(count):
        for kind in ("images", "hints"):
            Image.fromarray(chance.integers(0, 255, (side, side, 3), np.uint8)).save(folder / kind / f"{k:03}.png")
        Image.fromarray(np.full((side, side), 255, np.uint8)).save(folder / "masks" / f"{k:03}.png")
        lines.append(
            StyleSample(
                f"images/{k:03}.png", f"hints/{k:03}.png", f"masks/{k:03}.png", f"{CAPTION} {'a' * (k + 1)}", "clip", "", "", 0.0, k, 1.0, side, side, "train"
            ).line()
        )
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps({"format": FORMAT, "version": VERSION, "trigger": "ckbatter"}), encoding="utf-8")
    return StyleDataset.load(folder)


def make_networks(widths: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> dict:
    """UNet, ControlNet, text encoder and VAE of SD1.5's shape with random weights."""
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    down = ("CrossAttnDownBlock2D",) * (len(widths) - 1) + ("DownBlock2D",)
    shared = {"block_out_channels": widths, "down_block_types": down, "cross_attention_dim": 768, "attention_head_dim": 8}
    full = widths[0] == 320
    vae = (128, 256, 512, 512) if full else (32, 64, 64, 64)
    networks = {
        "unet": UNet2DConditionModel(up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (len(widths) - 1), **shared),
        "controlnet": ControlNetModel(conditioning_embedding_out_channels=(16, 32, 96, 256), **shared),
        "text": CLIPTextModel(CLIPTextConfig(**(CLIP_L if full else {**CLIP_L, "num_hidden_layers": 4}))),
        "vae": AutoencoderKL(
            block_out_channels=vae,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        ),
    }
    for name, network in networks.items():
        torch.nn.Module.to(network, device, torch.float32 if name == "vae" else dtype).requires_grad_(False).eval()
    return networks


def tokenize(caption: str) -> dict[str, list[int]]:
    return {"l": [49406, *(1000 + len(word) for word in caption.split()), 49407] + [49407] * (75 - len(caption.split()))}


class Peer:
    """The published script's loop, with its own names."""

    name = "diffusers' script"

    def __init__(self, networks: dict, dataset: StyleDataset, settings: TrainSettings, device: torch.device, dtype: torch.dtype) -> None:
        from diffusers import DDPMScheduler
        from diffusers.optimization import get_scheduler
        from peft import LoraConfig
        from PIL import Image
        from torchvision import transforms

        self.networks, self.settings, self.device, self.dtype = networks, settings, device, dtype
        self.noise_scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
        networks["unet"].add_adapter(
            LoraConfig(
                r=settings.rank, lora_alpha=settings.rank, init_lora_weights="gaussian", target_modules=["to_k", "to_q", "to_v", "to_out.0"]
            )
        )
        self.lora = [weight for weight in networks["unet"].parameters() if weight.requires_grad]
        for weight in self.lora:
            weight.data = weight.data.float()
        self.optimizer = torch.optim.AdamW(self.lora, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.lr_scheduler = get_scheduler("cosine", self.optimizer, num_warmup_steps=0, num_training_steps=settings.steps)
        change = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        class Pictures(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(dataset)

            def __getitem__(self, k: int) -> dict:
                sample = dataset.samples[k]
                return {
                    "pixel_values": change(Image.open(dataset.folder / sample.file_name).convert("RGB")),
                    "input_ids": torch.tensor(tokenize(sample.text)["l"]),
                }

        self.loader = torch.utils.data.DataLoader(Pictures(), batch_size=settings.batch, shuffle=True, drop_last=True)

    def batches(self):
        while True:
            yield from self.loader

    def run(self, progress) -> None:
        unet, vae, text = (self.networks[name] for name in ("unet", "vae", "text"))
        unet.train()
        for step, batch in zip(range(self.settings.steps), self.batches(), strict=False):
            with torch.no_grad():
                latents = vae.encode(batch["pixel_values"].to(self.device)).latent_dist.sample() * LATENT_SCALE["sd15"]
            latents = latents.to(self.dtype)
            noise = torch.randn_like(latents)
            timesteps = torch.randint(0, 1000, (len(latents),), device=self.device)
            noisy = self.noise_scheduler.add_noise(latents, noise, timesteps)
            with autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                with torch.no_grad():
                    states = text(batch["input_ids"].to(self.device), return_dict=False)[0]
                said = unet(noisy, timesteps, states, return_dict=False)[0]
                loss = torch.nn.functional.mse_loss(said.float(), noise.float(), reduction="mean")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.lora, self.settings.max_norm)
            self.optimizer.step()
            self.lr_scheduler.step()
            self.optimizer.zero_grad()
            loss.detach().item()  # the script logs it at every step
            progress(step + 1, self.settings.steps)

    def close(self) -> None:
        self.networks["unet"].delete_adapters("default")
        self.networks["unet"].requires_grad_(False).eval()


class Ours:
    """Train Style LoRA on the same networks."""

    def __init__(
        self, name: str, networks: dict, dataset: StyleDataset, settings: TrainSettings, device: torch.device, folder: Path, *, pose: bool
    ) -> None:
        unet, vae = networks["unet"], networks["vae"]
        quant = {leaf: getattr(vae.quant_conv, leaf).detach() for leaf in ("weight", "bias")}
        known = frozenset(f"lora_unet_{name.replace('.', '_')}" for name, _ in unet.named_modules())
        self.name, self.dataset, self.settings, self.folder, self.device = name, dataset, settings, folder, device
        self.modules = StyleModules(
            "sd15",
            "epsilon",
            unet,
            networks["controlnet"] if pose else None,
            {"l": networks["text"]},
            tokenize,
            encode_with(copy.deepcopy(vae.encoder), "sd15", device, quant),
            noise_schedule(),
            "random",
            "0",
            "0",
            known,
        )

    def run(self, progress) -> None:
        train_style_lora(
            self.modules,
            self.dataset,
            self.settings,
            out=self.folder / "lora.safetensors",
            progress=progress,
            processes=Processes(0, 1, self.device),
        )

    def close(self) -> None:
        torch.nn.Module.to(self.modules.encoders["l"], self.device)


def measure(one, settings: TrainSettings, device: torch.device, warm: int) -> dict:
    """Seconds of wall-clock and of processor time of every step after the first ``warm`` ones, what preparing took, and peak memory."""
    times: list[tuple[float, float]] = []

    def progress(done: int, total: int) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()
        if done > 0:
            times.append((time.perf_counter(), time.process_time()))

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    one.run(progress)
    one.close()
    steps = np.diff(times[warm - 1 :], axis=0)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"name": one.name, "steps": steps, "prepared_s": times[0][0] - started - float(np.median(steps[:, 0])), "peak_GiB": memory / 2**30}


def gather(rounds: list[list[dict]], batch: int) -> list[dict]:
    """One record per contestant, the first of whom is the peer."""
    found = []
    for k, first in enumerate(rounds[0]):
        wall, processor = np.median(np.concatenate([each[k]["steps"] for each in rounds]), axis=0)
        quiet = [np.percentile(np.concatenate([each[which]["steps"] for each in rounds])[:, 0], 10) for which in (0, k)]
        ratios = [np.median(each[0]["steps"], axis=0) / np.median(each[k]["steps"], axis=0) for each in rounds]
        found.append({
            "name": first["name"], "s_per_step": float(wall), "processor_s_per_step": float(processor), "images_per_s": batch / float(wall),
            "ratio": float(np.median([each[0] for each in ratios])), "ratios": [float(each[0]) for each in ratios],
            "quiet_ratio": float(quiet[0] / quiet[1]), "processor_ratio": float(np.median([each[1] for each in ratios])), "prepared_s": first["prepared_s"],
            "peak_GiB": max(each[k]["peak_GiB"] for each in rounds),
        })  # fmt: skip
    return found


def count_flops(networks: dict, settings: TrainSettings, side: int, device: torch.device, dtype: torch.dtype) -> float:
    """Of one step's UNet: forward, and backward through what is frozen (the gradient of the inputs only, as much again)."""
    from torch.utils.flop_counter import FlopCounterMode

    noisy = torch.randn(settings.batch, 4, side // 8, side // 8, device=device, dtype=dtype)
    context = torch.randn(settings.batch, 77, 768, device=device, dtype=dtype)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        networks["unet"](noisy, torch.zeros(settings.batch, device=device), context)
    return 2.0 * counter.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="SD1.5's widths, CLIP-L and VAE")
    parser.add_argument("--side", type=int, help="of the pictures (default: 128, full 512)")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--warm", type=int, default=5, help="first steps that don't count")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peak", type=float, default=989e12, help="the chip's dense bf16 rate, FLOP/s (H100, H200: 989e12)")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[options.precision]
    side = options.side or (512 if options.full else 128)
    plain = TrainSettings(
        steps=options.steps, batch=options.batch, rank=8, alpha=8.0, targets="attention", warmup=0, caption_dropout=0.0, hint_dropout=0.0, background=1.0,
        min_snr=0.0, caching=False, evaluate_every=0, save_every=0, precision=options.precision,
    )  # fmt: skip
    networks = make_networks((320, 640, 1280, 1280) if options.full else (32, 64, 128, 128), device, dtype)
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_pictures(Path(folder) / "data", 4 * options.batch, side)

        def ours(name: str, pose: bool, **changes) -> Ours:
            return Ours(name, networks, dataset, replace(plain, **changes), device, Path(folder), pose=pose)

        makers = [
            lambda: Peer(networks, dataset, plain, device, dtype), lambda: ours("ours, caching off", False),
            lambda: ours("ours, caching on", False, caching=True), lambda: ours("ours, caching on, pose in the loop", True, caching=True),
        ]  # fmt: skip
        if options.only is not None:
            print(measure(makers[options.only](), plain, device, 1)["peak_GiB"])
            return
        rounds = [[measure(make(), plain, device, options.warm) for make in makers] for _ in range(options.rounds)]
    found = gather(rounds, options.batch)
    if device.type == "cpu":
        for k, record in enumerate(found):
            again = [sys.executable, __file__, *sys.argv[1:], "--steps", "3", "--only", str(k)]
            record["peak_GiB"] = float(subprocess.run(again, capture_output=True, text=True, check=True).stdout)
    flops = count_flops(networks, plain, side, device, dtype)
    print(
        f"{device}, {options.precision}, {side}², batch {options.batch}, {options.threads} threads, {options.rounds} rounds of {options.steps} steps, "
        f"torch {torch.__version__}"
    )
    for record in found:
        record["flops_share"] = flops / record["s_per_step"] / options.peak
        share = f", {100 * record['flops_share']:.1f} % of the chip's rate (UNet alone counted)" if device.type == "cuda" else ""
        print(
            f"{record['name']:36s} {1 / record['s_per_step']:7.2f} steps/s  {record['images_per_s']:7.2f} images/s  {record['ratio']:5.2f} ×  "
            f"({min(record['ratios']):.2f} to {max(record['ratios']):.2f}; of processor time {record['processor_ratio']:.2f} ×, undisturbed {record['quiet_ratio']:.2f} ×)  "
            f"peak {record['peak_GiB']:.2f} GiB  prepared in {record['prepared_s']:.1f} s{share}"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
