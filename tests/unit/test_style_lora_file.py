"""LoRA files: keys, alpha, metadata, the same bytes for the same content, and never a file that nobody would load."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from kinetics.errors import KineticsError
from kinetics.style.lora_file import check_keys, describe_lora, motion_line, read_lora_info, text_key, unet_key, write_lora

KNOWN = {"lora_unet_mid_block_resnets_0_conv1", "lora_te_text_model_encoder_layers_0_mlp_fc1"}


def make_tensors(alpha=8.0):
    chance = torch.Generator().manual_seed(0)
    found = {}
    for name in sorted(KNOWN):
        found[f"{name}.lora_down.weight"] = torch.randn(4, 6, generator=chance)
        found[f"{name}.lora_up.weight"] = torch.randn(5, 4, generator=chance)
        found[f"{name}.alpha"] = torch.tensor(alpha)
    return found


def describe(**changes):
    facts = {
        "family": "sd15", "prediction": "epsilon", "rank": 4, "alpha": 8.0, "title": "Style of one", "trigger": "ckbatter", "date": "2026-11-22",
        "base_name": "base.safetensors", "base_hash": "ab" * 32, "captions": ["ckbatter, cover drive", "ckbatter, hook"], "resolution": (512, 640),
        "motion": {"peak_tip_speed": 27.5}, "step": 40,
    }  # fmt: skip
    return describe_lora(**{**facts, **changes})


def test_names_are_those_that_readers_know():
    assert unet_key("down_blocks.0.attentions.1.proj_in") == "lora_unet_down_blocks_0_attentions_1_proj_in"
    plain, old = "encoder.layers.3.self_attn.q_proj", "text_model.encoder.layers.3.self_attn.q_proj"
    for name in (plain, old):  # transformers 5 and 4
        assert text_key(name, 0, 1) == "lora_te_text_model_encoder_layers_3_self_attn_q_proj"
        assert text_key(name, 0, 2) == "lora_te1_text_model_encoder_layers_3_self_attn_q_proj"
        assert text_key(name, 1, 2) == "lora_te2_text_model_encoder_layers_3_self_attn_q_proj"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_written_file_reads_back(tmp_path, dtype):
    tensors = {key: value.to(dtype) for key, value in make_tensors().items()}
    write_lora(tmp_path / "a.safetensors", tensors, describe(), known=KNOWN, where="the tests")
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == tensors.keys()
    for key, value in tensors.items():
        assert found[key].dtype == dtype and torch.equal(found[key], value), key
    info = read_lora_info(tmp_path / "a.safetensors")
    assert (info.modules, info.unet, info.text, info.ranks, info.alphas) == (2, 1, 1, (4,), (8.0,))
    assert info.trigger == "ckbatter" and info.motion == {"peak_tip_speed": 27.5}
    assert info.metadata["ss_network_dim"] == "4" and info.metadata["ss_network_alpha"] == "8.0"
    assert info.metadata["modelspec.architecture"] == "stable-diffusion-v1/lora" and info.metadata["modelspec.date"] == "2026-11-22"
    assert info.metadata["ss_tag_frequency"] == '{"images":{"ckbatter":2,"cover drive":1,"hook":1}}'
    assert "Trigger: ckbatter" in info.sentences() and "Rank 4, alpha 8" in info.sentences()


def test_same_content_gives_the_same_bytes_in_any_process(tmp_path):
    """In a process with another hash seed too: safetensors' own writer shuffles the metadata."""
    write_lora(tmp_path / "a.safetensors", make_tensors(), describe(), known=KNOWN, where="the tests")
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; import test_style_lora_file as t\n"
        "t.write_lora(sys.argv[1], dict(reversed(t.make_tensors().items())), dict(reversed(t.describe().items())), known=t.KNOWN, where='the tests')"
    )
    from pathlib import Path

    here = Path(__file__).resolve().parent
    subprocess.run([sys.executable, "-c", code, tmp_path / "b.safetensors", here, here.parents[1]], check=True)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_file_that_nobody_would_load_is_not_written(tmp_path):
    tensors = {**make_tensors(), "lora_unet_nowhere.lora_up.weight": torch.ones(2, 2)}
    with pytest.raises(KineticsError, match="lora_unet_nowhere"):
        write_lora(tmp_path / "a.safetensors", tensors, describe(), known=KNOWN, where="the tests")
    with pytest.raises(KineticsError, match="mean nothing"):
        check_keys(["unet.down_blocks.0.attn1.to_q.lora_A.weight"], KNOWN, "the tests")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    tensors = make_tensors()
    tensors[f"{min(KNOWN)}.lora_up.weight"][0, 0] = float("nan")
    with pytest.raises(KineticsError, match="not finite"):
        write_lora(tmp_path / "a.safetensors", tensors, describe(), known=KNOWN, where="the tests")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    write_lora(path, make_tensors(), describe(), known=KNOWN, where="the tests")
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KineticsError, match="No space left on device; free some space"):
        write_lora(path, make_tensors(alpha=1.0), describe(), known=KNOWN, where="the tests")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_other_trainers_files_are_read(tmp_path):
    save_file({"unet.x.lora_A.weight": torch.ones(6, 2), "unet.x.lora_B.weight": torch.ones(3, 6)}, tmp_path / "peft.safetensors")
    info = read_lora_info(tmp_path / "peft.safetensors")
    assert info.ranks == (6,) and info.alphas == () and info.trigger == "" and info.motion == {}
    assert "readers take the rank" in info.sentences()


def test_measured_motion_is_told_in_words():
    measured = {
        "tempo": "quick tempo", "peak_tip_speed": {"value": 8.306, "sigma": 0.3456, "t": 1.48, "unit": "body heights/s"},
        "peak_omega": {"value": 28.3, "sigma": None, "unit": "rad/s"},
    }  # fmt: skip
    assert motion_line("cover_drive", measured) == "cover_drive: quick tempo, tip 8.31 ± 0.35 body heights/s, turning 28.3 rad/s"
    assert motion_line("hook", {"peak_tip_speed": None}) == "hook: no swing measured"


def test_what_is_no_lora_is_told(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("nothing")
    for name, sentence in (("other", "holds no LoRA"), ("text", "not a readable safetensors"), ("absent", "no file")):
        with pytest.raises(KineticsError, match=sentence):
            read_lora_info(tmp_path / f"{name}.safetensors")
