"""Runs inside a process of the host: the same random weights in the host's networks and in ours, and our LoRA files through the host's loader.

Prints one JSON object: largest differences, and what the loader said.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

from host_process import enter_host, find_host

FOLDER = Path(sys.argv[1])
enter_host(FOLDER)

import comfy.conds  # noqa: E402
import comfy.lora  # noqa: E402
import comfy.sd  # noqa: E402
import comfy.utils  # noqa: E402
import torch  # noqa: E402
from comfy.cldm.cldm import ControlNet  # noqa: E402
from small_networks import LENGTH, VOCABULARY, host_clip, host_config, host_control, host_model  # noqa: E402
from style_world import CONTEXT, clip_encoder, ldm_net, write_world  # noqa: E402

from kinetics.style.adapters import Adapters  # noqa: E402
from kinetics.style.checkpoint import load_tokenizer  # noqa: E402
from kinetics.style.ldm_layout import read_layout, rename  # noqa: E402
from kinetics.style.lora_file import write_lora  # noqa: E402
from kinetics.style.modules import (  # noqa: E402
    StyleModules,
    build_controlnet,
    build_encoders,
    build_unet,
    build_vae_decoder,
    build_vae_encoder,
    known_modules,
    noise_schedule,
)
from kinetics.style.settings import TrainSettings  # noqa: E402
from kinetics.style.text_layout import read_encoders  # noqa: E402

torch.manual_seed(0)
FOUND: dict = {}
POOLED = CONTEXT  # the host projects to as many channels as there are


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


HEARD = Heard()
logging.getLogger().addHandler(HEARD)


def host_predict(patcher, control, noisy, times, context, pooled, hints):
    """What the host's networks say; its own vector conditioning for SDXL."""
    model = patcher.model
    label = None
    if pooled is not None:
        label = torch.cat(
            [model.encode_adm(pooled_output=row[None], width=noisy.shape[3] * 8, height=noisy.shape[2] * 8) for row in pooled]
        )
    with torch.inference_mode():
        held = None
        if control is not None:
            held = control(x=noisy, hint=hints, timesteps=times, context=context, y=label)
            held = {"output": list(held["output"]), "middle": list(held["middle"])}
        return model.diffusion_model(noisy, times, context=context, y=label, control=held).clone()


def gap(a, b) -> float:
    return ((a - b).abs().max() / b.abs().max().clamp(min=1)).item()


def compare_family(name, widths, depths, context, pooled) -> None:
    """Networks, text, and LoRA files of two scales through the host's loader."""
    sdxl, config = bool(pooled), host_config(widths, depths, context, pooled)
    weights = ldm_net(widths, depths, context, pooled)
    parts = {"l": clip_encoder(layers=3, vocabulary=VOCABULARY, length=LENGTH)}
    if sdxl:
        parts["g"] = clip_encoder(layers=3, vocabulary=VOCABULARY, length=LENGTH, projection=POOLED, seed=4)
    patcher, clip = host_model(weights, config, sdxl), host_clip(parts)
    control = host_control(widths, depths, context, pooled)
    # As a node gets them: out of the host's own state dicts.
    unet, layout = build_unet(patcher.model.diffusion_model.state_dict(), "the host's model")
    encoders = build_encoders(read_encoders(clip.cond_stage_model.state_dict()), layout.family, "the host's CLIP")

    def tokenize(text):
        return {letter: [number for chunk in chunks for number, _ in chunk] for letter, chunks in clip.tokenize(text, disable_weights=True).items()}

    modules = StyleModules(
        layout.family, "epsilon", unet, build_controlnet(control.state_dict(), "the host's ControlNet", layout), encoders, tokenize, lambda images: images,
        noise_schedule(), "base", "hash", "vae", known_modules(layout, encoders),
    )  # fmt: skip
    chance = torch.Generator().manual_seed(5)
    size = 8 * 2 ** (len(widths) - 1)
    noisy, times, hints = (
        torch.randn(2, 4, size, size, generator=chance),
        torch.tensor([41, 741]),
        torch.rand(2, 3, 8 * size, 8 * size, generator=chance),
    )
    captions = ["a cricket batter, cover drive", "ckbatter, " + ", ".join(f"word{number} of a long caption" for number in range(30))]

    def said_by_host(patched, own_clip):
        rows = [own_clip.encode_from_tokens(own_clip.tokenize(caption), return_pooled=True) for caption in captions]
        # As the host joins prompts of several lengths into one batch.
        text = comfy.conds.CONDCrossAttn(rows[0][0]).concat([comfy.conds.CONDCrossAttn(row[0]) for row in rows[1:]]).clone()
        pool = torch.cat([row[1] for row in rows]).clone() if sdxl else None
        return text, pool, host_predict(patched, control, noisy, times, text, pool, hints)

    def said_by_us():
        with torch.no_grad():
            text, pool = modules.encode_text(captions)
            return text, pool, modules.predict(noisy, times, text, pool, hints)

    theirs, ours = said_by_host(patcher, clip), said_by_us()
    record = {
        "text": gap(ours[0], theirs[0]),
        "pooled": gap(ours[1], theirs[1]) if sdxl else 0.0,
        "said": gap(ours[2], theirs[2]),
        "family": layout.family,
    }
    record["alphas"] = gap(noise_schedule(), 1 / (1 + patcher.model.model_sampling.sigmas.double() ** 2))
    own_tokens = load_tokenizer(find_host() / "comfy" / "sd1_tokenizer")
    told = [*captions, "", "(left-handed:1.2) \\(captain\\) [pad]", "Ck_Batter, réverse-sweep: 3/4 front foot \u4f60\u597d " * 9, "bat " * 75, "bat " * 76]
    record["tokens"] = all(own_tokens(text)[letter] == numbers for text in told for letter, numbers in tokenize(text).items())
    record["length"] = list(theirs[0].shape[:2])
    map_unet, map_text = comfy.lora.model_lora_keys_unet(patcher.model, {}), comfy.lora.model_lora_keys_clip(clip.cond_stage_model, {})
    record["files"] = []
    for rank, alpha in ((4, 8.0), (8, 2.0)):
        adapters = Adapters(modules, TrainSettings(rank=rank, alpha=alpha, targets="all", train_text=True))
        with torch.no_grad():
            for key, weight in adapters.weights.items():
                if key.endswith("lora_up.weight"):
                    weight.copy_(torch.randn(weight.shape, generator=chance) * 0.05)
        path = FOLDER / f"{name}_{rank}.safetensors"
        write_lora(path, adapters.tensors(), {}, known={*map_unet, *map_text}, where="the host")
        trained = said_by_us()
        adapters.remove()
        HEARD.messages.clear()
        patched, own_clip = comfy.sd.load_lora_for_models(patcher, clip, comfy.utils.load_torch_file(str(path)), 1.0, 1.0)
        patched.patch_model()
        applied = said_by_host(patched, own_clip)
        patched.unpatch_model()
        record["files"].append(
            {
                "rank": rank, "alpha": alpha, "keys": len(adapters.tensors()), "unloaded": [text for text in HEARD.messages if "not loaded" in text.lower()],
                "text": gap(trained[0], applied[0]), "said": gap(trained[2], applied[2]), "effect": gap(trained[2], ours[2]),
                "text_effect": gap(trained[0], ours[0]),
            }
        )  # fmt: skip
    record["given back"] = gap(said_by_us()[2], ours[2])
    FOUND[name] = record


def compare_full_size() -> None:
    """SD1.5 and SDXL as they are published, without their numbers: the host's names and shapes against those that we read and diffusers wants."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from diffusers import ControlNetModel, UNet2DConditionModel

    shared = {
        "image_size": 32, "use_checkpoint": False, "use_spatial_transformer": True, "legacy": False, "in_channels": 4, "model_channels": 320,
        "use_temporal_attention": False, "use_temporal_resblock": False, "device": "meta", "operations": comfy.ops.disable_weight_init,
    }  # fmt: skip
    sd15 = {
        "num_res_blocks": [2] * 4, "channel_mult": [1, 2, 4, 4], "transformer_depth": [1] * 6 + [0] * 2, "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1, "context_dim": 768, "num_heads": 8, "num_head_channels": -1, "use_linear_in_transformer": False, "adm_in_channels": None,
    }  # fmt: skip
    sdxl = {
        "num_res_blocks": [2] * 3, "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "transformer_depth_middle": 10, "context_dim": 2048, "num_heads": -1,
        "num_head_channels": 64, "use_linear_in_transformer": True, "num_classes": "sequential", "adm_in_channels": 2816,
    }  # fmt: skip
    for family, config in (("sd15", sd15), ("sdxl", sdxl)):

        def fresh(config=config):
            return {key: list(value) if isinstance(value, list) else value for key, value in config.items()}

        theirs = comfy.utils.unet_to_diffusers(fresh())
        nets = {
            False: (UNetModel(**shared, **fresh(), out_channels=4), UNet2DConditionModel),
            True: (ControlNet(**shared, **fresh(), hint_channels=3), ControlNetModel),
        }
        for control, (net, kind) in nets.items():
            weights = net.state_dict()
            layout = read_layout(weights, "the model", control=control)
            with torch.device("meta"):
                wanted = kind(**layout.config).state_dict()
            ours = rename(weights, layout.names, "the model")
            record = {
                "shapes": {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in wanted.items()},
                "family": layout.family,
            }
            if not control:
                names = {
                    key: f"{ldm}.{key.rpartition('.')[2]}"
                    for ldm, name in layout.names.items()
                    for key in (f"{name}.weight", f"{name}.bias")
                }
                record["names"] = all(names[key] == theirs[key] for key in wanted)
            FOUND[f"full {family}{' control' if control else ''}"] = record


def compare_vae() -> None:
    """Both kinds of VAE encode and decode as the host's do; TAESD with the host's own scale and shift beside it too."""
    from comfy.ldm.models.autoencoder import AutoencoderKL
    from comfy.taesd.taesd import TAESD

    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(6)) * 2 - 1
    narrow = {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": [1, 2],
        "num_res_blocks": 1,
        "attn_resolutions": [],
        "dropout": 0.0,
    }
    large, tiny = AutoencoderKL(ddconfig=narrow, embed_dim=4), TAESD(latent_channels=4)
    for vae in (large, tiny):
        for name, value in vae.state_dict().items():
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape) / value[0].numel() ** 0.5)
            elif value.ndim == 1:
                value.fill_(1.0 if name.endswith("weight") else 0.0)
    latents = torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        for name, vae in (("kl", large), ("tiny", tiny)):
            ours = build_vae_encoder(vae.state_dict(), "sd15", "the host's VAE")(images)
            FOUND[name] = gap(ours, vae.encode(images) * 0.18215)
            ours = build_vae_decoder(vae.state_dict(), "sd15", "the host's VAE")(latents)
            FOUND[f"{name} decoded"] = gap(ours, vae.decode(latents / 0.18215))


def train_through_node() -> None:
    """The node itself, in inference mode as the executor runs it: trained, cancelled by the host's interrupt, resumed, and its LORA_MODEL applied."""

    import comfy.model_management
    import folder_paths
    from comfy.taesd.taesd import TAESD

    folder_paths.set_output_directory(str(FOLDER / "output"))
    folder_paths.set_temp_directory(str(FOLDER / "temp"))
    from ck_pack.kinetics.style.samples import StyleDataset as PackDataset
    from ck_pack.nodes.train import NEW, RESUME, ReadLoraInfo, TrainStyleLora, fields
    from ck_pack.nodes.train_display import TrainingDisplay

    dataset = PackDataset.load(write_world(FOLDER / "world", clips=2, per_clip=2).folder)
    defaults = {entry.name: entry.default for entry in fields(TrainSettings) if entry.name not in ("title", "date")}
    values = {
        **defaults,
        "text_learning_rate": 0.0,
        "steps": 4,
        "rank": 4,
        "evaluate_every": 2,
        "save_every": 0,
        "learning_rate": 1e-3,
        "warmup": 0,
        "picture_steps": 2,
    }
    schema = TrainStyleLora.define_schema()
    record = {
        "inputs without a tooltip": [entry.id for entry in schema.inputs if not entry.tooltip],
        "valid": TrainStyleLora.validate_inputs(name="style", **values),
    }
    record["invalid"] = TrainStyleLora.validate_inputs(name="style", **{**values, "rank": 0})
    display = TrainingDisplay(None, 100)
    display.on_event("held_out", {"step": 0, "right": 0.1, "wrong": 0.2, "base": 0.3})
    for step in (1, 2):
        display.on_event("step", {"step": step, "loss": 0.25 * step, "rate": 1.0})
    record["words"] = display.step_words(3)
    with torch.inference_mode():
        patcher = host_model(ldm_net((32, 64), (1, 0)), host_config((32, 64), (1, 0), CONTEXT, 0), False)
        clip = host_clip({"l": clip_encoder(layers=3, vocabulary=VOCABULARY, length=LENGTH)})
        small = TAESD(latent_channels=4)
        vae = comfy.sd.VAE(
            sd={
                key: torch.randn_like(value) * 0.1 if value.ndim > 1 else torch.zeros_like(value)
                for key, value in small.state_dict().items()
                if value.ndim
            }
        )
        control = SimpleNamespace(control_model=host_control((32, 64), (1, 0)))

        def train(if_there):
            return TrainStyleLora.execute(patcher, clip, vae, dataset, "style", if_there, control_net=control, **values).args

        previews = []
        plain = comfy.utils.ProgressBar.update_absolute

        def watch(self, done, total=None, preview=None):
            if preview is not None:
                previews.append([done, *preview[1].size])
            plain(self, done, total, preview)

        comfy.utils.ProgressBar.update_absolute = watch
        tensors, name, losses, picture, sheet = train(NEW)
        record |= {"name": name, "losses": len(losses["loss"]), "picture": list(picture.shape), "keys": len(tensors)}
        record |= {"sheet": list(sheet.shape), "previews": previews}
        HEARD.messages.clear()
        comfy.sd.load_lora_for_models(patcher, clip, tensors, 1.0, 1.0)
        record["unloaded"] = [text for text in HEARD.messages if "not loaded" in text.lower()]
        seen = []

        def interrupt(self, done, *rest):
            seen.append(done)
            if done == 2:
                comfy.model_management.interrupt_current_processing(True)
            plain(self, done, *rest)

        comfy.utils.ProgressBar.update_absolute = interrupt
        try:
            train(NEW)
            record["cancelled"] = False
        except comfy.model_management.InterruptProcessingException:
            record["cancelled"] = True
        comfy.utils.ProgressBar.update_absolute = plain
        record["after cancel"] = sorted(path.name for path in (FOLDER / "output" / "loras").iterdir())
        record["drawn"] = sorted(path.name for path in (FOLDER / "output" / "loras" / "style_00002.pictures").iterdir())
        resumed = train(RESUME)
        record["drawn after resuming"] = sorted(path.name for path in (FOLDER / "output" / "loras" / "style_00002.pictures").iterdir())
        record["resumed"] = resumed[1]
        record["same"] = max((resumed[0][key] - value).abs().max().item() for key, value in tensors.items())
        folder_paths.folder_names_and_paths["loras"] = ([str(FOLDER / "output" / "loras")], {".safetensors"})
        record["trigger"], record["info"] = ReadLoraInfo.execute(name).args
        lora = comfy.sd.load_lora_for_models(patcher, clip, tensors, 1.0, 1.0)[0]
        try:
            TrainStyleLora.execute(lora, clip, vae, dataset, "style", NEW, **values)
        except ValueError as error:
            record["patched"] = str(error)
    FOUND["node"] = record


compare_family("sd15", (32, 64), (1, 0), CONTEXT, 0)
compare_family("sdxl", (64, 128), (0, 2), 2 * CONTEXT, POOLED)
compare_full_size()
compare_vae()
train_through_node()
print(json.dumps(FOUND))
