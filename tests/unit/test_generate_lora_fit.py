"""What is told of a LoRA file: family, alpha, base model."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinetics.generate.lora_fit import alpha_notes, base_note, told_family
from kinetics.style.lora_file import LoraInfo


def info(ranks=(8,), alphas=(8.0,), **metadata):
    return LoraInfo(Path("a.safetensors"), {key.replace("__", "."): value for key, value in metadata.items()}, 1, 1, 0, ranks, alphas)


@pytest.mark.parametrize(
    "metadata, family",
    [
        ({"modelspec__architecture": "stable-diffusion-v1/lora"}, ("SD1.5", "SD15")),
        ({"modelspec__architecture": "stable-diffusion-xl-v1-base/lora"}, ("SDXL", "SDXL")),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, ("SDXL", "SDXL")),
        ({"ss_base_model_version": "sd_v1"}, ("SD1.5", "SD15")),
        ({"modelspec__architecture": "of my own"}, None),
        ({}, None),
    ],
)
def test_family_is_read_in_both_dialects(metadata, family):
    assert told_family(info(**metadata)) == family


def test_alpha_in_order_needs_no_word():
    assert alpha_notes(info()) == [] and alpha_notes(info(ss_network_alpha="8.0")) == []


def test_alpha_that_is_missing_other_than_told_or_large_is_told():
    assert "gives no alpha" in alpha_notes(info(alphas=()))[0]
    assert "says alpha 16, but its weights carry 8" in alpha_notes(info(ss_network_alpha="16"))[0]
    assert "Alpha 64 over rank 8 scales it by 8" in alpha_notes(info(alphas=(64.0,)))[0]


def test_base_model_is_held_against_the_checkpoint():
    told = info(ss_new_sd_model_hash="abc", ss_sd_model_name="base.safetensors")
    assert base_note(told, "mine.safetensors", "abc") == "It was trained on this checkpoint (mine.safetensors)."
    assert base_note(told, "mine.safetensors", "def").startswith(
        "It was trained on another checkpoint (base.safetensors) than mine.safetensors"
    )
    assert base_note(info(), "mine.safetensors", "def") == ""
