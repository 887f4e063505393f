"""Networks rebuilt from plain weights: layouts of SD1.5 and SDXL, of other families, and whole checkpoint files through the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from style_world import CONTEXT, clip_encoder, ldm_net, write_world

from kinetics.cli import main
from kinetics.errors import KineticsError
from kinetics.style.checkpoint import find_tokenizer, load_modules, load_tokenizer, read_weights
from kinetics.style.ldm_layout import read_layout
from kinetics.style.lora_file import read_lora_info
from kinetics.style.losses import add_noise, sample_losses, snr_weights, target_of
from kinetics.style.modules import build_controlnet, build_unet, noise_schedule
from kinetics.style.state import load_state, state_path


def shapes_only(widths, depths, context, pooled=0, resnets=2):
    """The keys and shapes of a full-size model that a layout is read from, without its bulk."""
    weights = {}

    def put(key, *shape):
        weights[key] = torch.empty(shape, device="meta")

    def attention(block, depth, width):
        put(f"{block}.1.proj_in.weight", *((width, width) if pooled else (width, width, 1, 1)))
        for k in range(depth):
            put(f"{block}.1.transformer_blocks.{k}.norm1.weight", width)
            put(f"{block}.1.transformer_blocks.{k}.attn2.to_k.weight", width, context)

    put("input_blocks.0.0.weight", widths[0], 4, 3, 3)
    if pooled:
        put("label_emb.0.0.weight", 4 * widths[0], pooled + 6 * 256)
    n = 1
    for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for _ in range(resnets):
            put(f"input_blocks.{n}.0.in_layers.0.weight", width)
            put(f"input_blocks.{n}.0.out_layers.3.weight", width, width, 3, 3)
            if depth:
                attention(f"input_blocks.{n}", depth, width)
            n += 1
        if level < len(widths) - 1:
            put(f"input_blocks.{n}.0.op.weight", width, width, 3, 3)
            n += 1
    for part in (0, 2):
        put(f"middle_block.{part}.in_layers.0.weight", widths[-1])
    attention("middle_block", max(depths), widths[-1])
    put("out.2.weight", 4, widths[0], 3, 3)
    return weights


def test_full_size_sd15_is_read_as_published():
    """The configuration of diffusers' runwayml/stable-diffusion-v1-5."""
    layout = read_layout(shapes_only((320, 640, 1280, 1280), (1, 1, 1, 0), 768), "SD1.5")
    config = layout.config
    assert layout.family == "sd15" and config["block_out_channels"] == (320, 640, 1280, 1280) and config["layers_per_block"] == 2
    assert config["down_block_types"] == ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    assert config["up_block_types"] == ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    assert config["attention_head_dim"] == (8, 8, 8, 8) and config["cross_attention_dim"] == 768 and not config["use_linear_projection"]
    assert config["transformer_layers_per_block"] == (1, 1, 1, 1)


def test_full_size_sdxl_is_read_as_published():
    """The configuration of diffusers' stabilityai/stable-diffusion-xl-base-1.0."""
    layout = read_layout(shapes_only((320, 640, 1280), (0, 2, 10), 2048, pooled=1280), "SDXL")
    config = layout.config
    assert layout.family == "sdxl" and config["attention_head_dim"] == (5, 10, 20) and config["use_linear_projection"]
    assert config["transformer_layers_per_block"][1:] == (2, 10) and config["projection_class_embeddings_input_dim"] == 2816
    assert config["down_block_types"] == ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D")


@pytest.mark.parametrize(
    "weights, sentence",
    [
        ({"double_blocks.0.img_attn.qkv.weight": torch.empty(3, 1)}, "not of the SD1.5 or SDXL family.*TrainLoraNode"),
        (shapes_only((320, 640, 1280, 1280), (1, 1, 1, 0), 1024) | {"input_blocks.1.1.proj_in.weight": torch.empty(320, 320)}, "Stable Diffusion 2.*TrainLoraNode"),
        (shapes_only((384, 768, 1536, 1536), (0, 4, 4, 0), 1280, pooled=1024), "SDXL refiner.*TrainLoraNode"),
        (shapes_only((320,), (1,), 768) | {"input_blocks.0.0.weight": torch.empty(320, 9, 3, 3)}, "takes 9 channels"),
        (shapes_only((320, 640), (2, 4), 2048, pooled=1280) | {"input_blocks.1.1.transformer_blocks.2.norm1.weight": torch.empty(1)}, "uneven depth.*TrainLoraNode"),
    ],
)  # fmt: skip
def test_other_families_are_told_with_cores_trainer(weights, sentence):
    with pytest.raises(KineticsError, match=sentence):
        read_layout(weights, "The model")


def test_parts_that_do_not_belong_together_are_told():
    unet, layout = build_unet(ldm_net(), "the base")
    assert not any(weight.requires_grad for weight in unet.parameters())
    with pytest.raises(KineticsError, match=r"made for SDXL.*base model is SD1.5"):
        build_controlnet(ldm_net((32, 64), (0, 2), 128, 32, control=True), "The ControlNet", layout)
    with pytest.raises(KineticsError, match="no ControlNet with an image hint"):
        build_controlnet(ldm_net(), "The file", layout)
    with pytest.raises(KineticsError, match="union ControlNet"):
        build_controlnet(ldm_net(control=True) | {"task_embedding": torch.ones(6, 32)}, "The file", layout)
    cut = ldm_net()
    cut.pop("out.2.bias")
    with pytest.raises(KineticsError, match=r"incomplete: 1 of \d+ weights are missing \(conv_out.bias\)"):
        build_unet(cut, "The base")


def test_diffusers_own_controlnet_files_are_read_too():
    _, layout = build_unet(ldm_net(), "the base")
    plain = build_controlnet(ldm_net(control=True, seed=1), "the ControlNet", layout)
    again = build_controlnet(plain.state_dict(), "the ControlNet", layout)
    assert all(torch.equal(weight, plain.state_dict()[key]) for key, weight in again.state_dict().items())


def test_noise_schedule_and_targets():
    bar = noise_schedule()
    assert len(bar) == 1000 and (bar.diff() < 0).all()
    assert bar[0].item() == pytest.approx(1 - 0.00085, abs=1e-12) and bar[-1].item() == pytest.approx(
        0.00466, abs=1e-5
    )  # as published for SD
    assert noise_schedule(zero_terminal=True)[-1] < 1e-7 and noise_schedule(zero_terminal=True)[0].item() == pytest.approx(
        bar[0].item(), abs=1e-12
    )
    chance = torch.Generator().manual_seed(0)
    x, noise = (
        torch.randn(2, 4, 3, 3, generator=chance, dtype=torch.float64),
        torch.randn(2, 4, 3, 3, generator=chance, dtype=torch.float64),
    )
    at = bar[[100, 900]]
    noisy, v = add_noise(x, noise, at), target_of("v_prediction", x, noise, at)
    root, rest = at.sqrt().reshape(-1, 1, 1, 1), (1 - at).sqrt().reshape(-1, 1, 1, 1)
    torch.testing.assert_close(root * noisy - rest * v, x)  # x and epsilon come back out of x_t and v
    torch.testing.assert_close(rest * noisy + root * v, noise)
    assert torch.equal(target_of("epsilon", x, noise, at), noise)
    snr = at / (1 - at)
    torch.testing.assert_close(snr_weights("epsilon", at, 5.0), torch.minimum(snr, torch.tensor(5.0)) / snr)
    torch.testing.assert_close(snr_weights("v_prediction", at, 5.0), torch.minimum(snr, torch.tensor(5.0)) / (snr + 1))
    assert torch.equal(snr_weights("epsilon", at, 0.0), torch.ones(2, dtype=torch.float64))


def test_loss_is_the_masks_mean():
    said, mask = torch.zeros(1, 4, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    wanted = torch.tensor([[2.0, 1.0], [1.0, 1.0]]).expand(1, 4, 2, 2)
    assert sample_losses(said, wanted, mask, 1.0).item() == pytest.approx((4 + 3) / 4)
    assert sample_losses(said, wanted, mask, 0.0).item() == pytest.approx(4)
    assert sample_losses(said, wanted, mask, 0.5).item() == pytest.approx((4 + 1.5) / (1 + 1.5))
    assert torch.isfinite(sample_losses(said, wanted, torch.zeros_like(mask), 0.0)).all()  # nothing is masked in


WORDS = ["cover", "drive", "hook"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A whole checkpoint with a tiny TAESD in it, a ControlNet and a vocabulary, as a person has them."""
    folder = tmp_path_factory.mktemp("files")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + [","]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "clip").mkdir()
    (folder / "clip" / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocabulary)}))
    (folder / "clip" / "merges.txt").write_text("#version: 0.2\n")
    weights = {f"model.diffusion_model.{key}": value for key, value in ldm_net().items()}
    encoder = clip_encoder(vocabulary=len(vocabulary), length=77)
    weights |= {f"cond_stage_model.transformer.text_model.{key}": value for key, value in encoder.items()}
    chance, width = torch.Generator().manual_seed(9), 8
    tiny = [(width, 3), *[(width, width)] * 13, (4, width)]
    plan = [0, *range(1, 2), 2, *range(3, 6), 6, *range(7, 10), 10, *range(11, 14), 14]
    for k in plan:
        out, start = tiny[0] if k == 0 else (4, width) if k == 14 else (width, width)
        for name in [str(k)] if k in (0, 2, 6, 10, 14) else [f"{k}.conv.{n}" for n in (0, 2, 4)]:
            weights[f"first_stage_model.taesd_encoder.{name}.weight"] = torch.randn(out, start, 3, 3, generator=chance) / (9 * start) ** 0.5
            if k not in (2, 6, 10):
                weights[f"first_stage_model.taesd_encoder.{name}.bias"] = torch.zeros(out)
    for k in (1, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19):
        out, start = (width, 4) if k == 1 else (3, width) if k == 19 else (width, width)
        for name in [str(k)] if k in (1, 7, 12, 17, 19) else [f"{k}.conv.{n}" for n in (0, 2, 4)]:
            weights[f"first_stage_model.taesd_decoder.{name}.weight"] = torch.randn(out, start, 3, 3, generator=chance) / (9 * start) ** 0.5
            if k not in (7, 12, 17):
                weights[f"first_stage_model.taesd_decoder.{name}.bias"] = torch.zeros(out)
    save_file(weights, folder / "base.safetensors")
    save_file({f"control_model.{key}": value for key, value in ldm_net(control=True, seed=1).items()}, folder / "pose.safetensors")
    torch.save({"state_dict": weights, "epoch": 3}, folder / "base.ckpt")
    return folder


def test_command_line_trains_and_resumes(files, tmp_path, capsys):
    world, out = write_world(tmp_path / "world", clips=2, per_clip=2), tmp_path / "out" / "lora.safetensors"
    told = [
        "train",
        str(world.folder),
        "--base",
        str(files / "base.safetensors"),
        "--controlnet",
        str(files / "pose.safetensors"),
        "-o",
        str(out),
    ]
    told += [
        "--tokenizer",
        str(files / "clip"),
        "--device",
        "cpu",
        "--rank",
        "4",
        "--alpha",
        "2",
        "--evaluate-every",
        "2",
        "--save-every",
        "0",
        "--warmup",
        "0",
        "--picture-steps",
        "2",
    ]
    assert main([*told, "--steps", "2"]) == 0
    heard = capsys.readouterr()
    assert heard.out.split() == [str(out)]
    assert re.search(r"step 2: held-out loss \d\.\d{4} right pose, \d\.\d{4} wrong pose, \d\.\d{4} without the LoRA", heard.err)
    assert f"step 2: pictures {out.parent / 'lora.pictures.png'}" in heard.err and re.search(r"training, loss \d\.\d{4}: 2/2", heard.err)
    assert {path.name for path in out.parent.iterdir()} == {
        "lora.safetensors", "lora.resume.pt", "lora.losses.json", "lora.pictures", "lora.pictures.png",
    }  # fmt: skip
    assert sorted(path.name for path in (out.parent / "lora.pictures").iterdir()) == ["pose1_000000.png", "pose1_000002.png"]
    info = read_lora_info(out)
    assert info.ranks == (4,) and info.alphas == (2.0,) and info.metadata["ss_sd_model_name"] == "base.safetensors"
    assert main([*told, "--steps", "3", "--resume"]) == 0
    assert len(json.loads((out.parent / "lora.losses.json").read_text())["losses"]) == 3
    assert main([*told, "--steps", "3", "--resume", "--rank", "8"]) == 2
    assert "rank is 8 and was 4" in capsys.readouterr().err


def test_a_ckpt_holds_the_same_as_a_safetensors(files):
    first, second = (
        load_modules(files / name, files / "pose.safetensors", tokenizer=files / "clip") for name in ("base.safetensors", "base.ckpt")
    )
    assert all(torch.equal(weight, second.unet.state_dict()[key]) for key, weight in first.unet.state_dict().items())
    assert first.family == "sd15" and first.prediction == "epsilon" and first.base_hash != second.base_hash
    images = torch.rand(1, 3, 64, 48) * 2 - 1
    assert first.encode_images(images).shape == (1, 4, 8, 6)
    with torch.no_grad():
        assert first.encode_text(["cover drive"])[0].shape == (1, 77, CONTEXT)


def test_long_captions_come_in_chunks_of_77(files):
    """Each with its own start and end; the host's chunks are compared in tests/host."""
    tokenize = load_tokenizer(files / "clip")
    short, long = tokenize("hook"), tokenize("cover drive " * 15)  # 150 letters: two chunks, filled exactly
    assert len(short["l"]) == len(short["g"]) == 77 and len(long["l"]) == len(long["g"]) == 154
    assert short["l"][0] == 54 and short["l"][5:] == [55] * 72 and short["g"][5:] == [55] + [0] * 71
    assert [long["l"][k] for k in (0, 76, 77, 153)] == [54, 55, 54, 55] and long["l"].count(54) == long["l"].count(55) == 2
    assert len(tokenize("cover drive " * 15 + "x")["l"]) == 231


def test_a_repeated_context_says_the_same(files):
    """A short caption beside a long one is repeated to its length: attention over the same keys twice. 1e-5 of values about 1, in float32."""
    modules = load_modules(files / "base.safetensors", files / "pose.safetensors", tokenizer=files / "clip")
    with torch.no_grad():
        alone, together = modules.encode_text(["hook"])[0], modules.encode_text(["hook", "cover drive " * 15, "drive"])[0]
        assert alone.shape == (1, 77, CONTEXT) and together.shape == (3, 154, CONTEXT)
        assert torch.allclose(together[0, :77], alone[0], atol=1e-5) and torch.equal(together[0, :77], together[0, 77:])
        noisy, hints = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 3, 64, 64)
        said = [modules.predict(noisy, torch.tensor([500]), context, None, hints) for context in (alone, together[:1])]
    torch.testing.assert_close(said[1], said[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"--base": "absent.safetensors"}, "no file"), ({"--base": "pose.safetensors"}, "SD1.5 or SDXL family"), ({"--base": "clip/vocab.json"}, "not a readable model file"),
        ({"--controlnet": "base.safetensors"}, "ControlNet"), ({"--tokenizer": "nowhere"}, "give --tokenizer"), ({"--steps": "0"}, "steps is 0"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(files, tmp_path, capsys, change, sentence):
    world = write_world(tmp_path / "world", clips=2, per_clip=1)
    told = {"--base": "base.safetensors", "--controlnet": "pose.safetensors", "--tokenizer": "clip"} | change
    paths = [part for flag, value in told.items() for part in (flag, value if flag == "--steps" else str(files / value))]
    assert main(["train", str(world.folder), "-o", str(tmp_path / "lora.safetensors"), "--device", "cpu", *paths]) == 2
    heard = capsys.readouterr().err.strip().splitlines()
    assert len(heard) == 1 and sentence in heard[0]
    assert not (tmp_path / "lora.safetensors").exists()


def test_tokenizer_is_found_in_a_comfyui(tmp_path, monkeypatch):
    folder = tmp_path / "comfy" / "sd1_tokenizer"
    folder.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).write_text("{}")
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    assert find_tokenizer() == folder


def test_a_file_without_weights_is_told(tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "empty.ckpt")
    with pytest.raises(KineticsError, match="holds no weights"):
        read_weights(tmp_path / "empty.ckpt")


def test_two_processes_learn_what_one_does_with_twice_the_batch(files, root, tmp_path):
    """Under ``accelerate launch``, over gloo, with gradients accumulated.

    The sum of two halves is rounded otherwise: 1e-6 of the losses. AdamW divides a weight's gradient by its own size, so that where a gradient
    is itself of the size of rounding the step differs by a part of the learning rate: a twentieth is allowed, 5e-5.
    """
    world = write_world(tmp_path / "world", clips=3, per_clip=3, sizes=((64, 64), (64, 64), (48, 64)))
    told = [
        "train",
        str(world.folder),
        "--base",
        str(files / "base.safetensors"),
        "--controlnet",
        str(files / "pose.safetensors"),
        "--tokenizer",
        str(files / "clip"),
    ]
    told += [
        "--device",
        "cpu",
        "--rank",
        "4",
        "--steps",
        "3",
        "--accumulation",
        "2",
        "--warmup",
        "0",
        "--learning-rate",
        "1e-3",
        "--evaluate-every",
        "3",
        "--save-every",
        "0",
        "--picture-steps",
        "2",
    ]
    assert main([*told, "-o", str(tmp_path / "one.safetensors"), "--batch", "2"]) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # --multi_gpu is how accelerate starts several processes without MPI; --device cpu keeps them off any card.
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--main_process_port",
        str(port),
    ]
    launch += [
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "-m",
        "kinetics",
        *told,
        "-o",
        str(tmp_path / "two.safetensors"),
        "--batch",
        "1",
    ]
    ran = subprocess.run(
        launch, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, rtol=0, atol=5e-5)
    losses = [json.loads((tmp_path / f"{name}.losses.json").read_text()) for name in ("one", "two")]
    assert "training on cpu:0 in 2 processes, 2 images a pass" in ran.stderr
    assert losses[1]["losses"] == pytest.approx(losses[0]["losses"], abs=1e-6)
    assert losses[1]["held_out"][-1] == pytest.approx(losses[0]["held_out"][-1], abs=1e-5)


def test_ctrl_c_saves_what_was_learned(files, root, tmp_path):
    world, out = write_world(tmp_path / "world", clips=2, per_clip=2), tmp_path / "lora.safetensors"
    told = [
        "train",
        str(world.folder),
        "--base",
        str(files / "base.safetensors"),
        "--controlnet",
        str(files / "pose.safetensors"),
        "-o",
        str(out),
    ]
    told += [
        "--tokenizer",
        str(files / "clip"),
        "--device",
        "cpu",
        "--rank",
        "4",
        "--steps",
        "100000",
        "--evaluate-every",
        "1",
        "--save-every",
        "0",
        "--picture-poses",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-m", "kinetics", *told], stderr=subprocess.PIPE, text=True, env=environment) as running:
        heard = []
        for line in running.stderr:
            heard.append(line)
            if line.startswith("step 3:"):
                running.send_signal(signal.SIGINT)
                break
        heard.append(running.stderr.read())
    assert running.returncode == 130, "".join(heard)
    learned = int(read_lora_info(out).metadata["ss_steps"])
    assert learned >= 3 and load_state(state_path(out)).step == learned
    assert heard[-1].splitlines()[-1] == f"kinetics train: stopped. What was learned in {learned} steps is in {out}, and can be resumed."
