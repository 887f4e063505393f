"""Our rebuilt networks and the host's say the same, and the host loads every key of our LoRA files."""

from __future__ import annotations

import re

import pytest


@pytest.fixture(scope="module")
def found(run_in_host):
    return run_in_host("style_in_host.py")


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_networks_say_what_the_hosts_say(found, family):
    """1e-5 of the greatest value: float32 sums taken in another order through a dozen layers."""
    record = found[family]
    assert record["family"] == family and record["tokens"] and record["length"] == [2, 4 * 77]  # a long caption: four chunks
    assert record["text"] < 1e-5 and record["pooled"] < 1e-5 and record["said"] < 1e-5
    assert record["alphas"] < 1e-6  # the host keeps sigma in float32


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_host_loads_every_key(found, family):
    """At two ranks and alphas, UNet with convolutions and text encoders: nothing is passed over, and the host's patched model says what the trained one said."""
    for file in found[family]["files"]:
        assert file["unloaded"] == [] and file["keys"] > 100, file
        assert file["effect"] > 1e-2 and file["text_effect"] > 1e-2  # the LoRA does something
        assert file["text"] < 1e-5 and file["said"] < 1e-5, file
    assert found[family]["given back"] == 0


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_full_size_models_have_a_place_for_every_weight(found, family):
    """The published sizes, every tensor of UNet and ControlNet: the host's own map of names, and diffusers' shapes."""
    assert found[f"full {family}"] == {"shapes": True, "family": family, "names": True}
    assert found[f"full {family} control"] == {"shapes": True, "family": family}


def test_vae_encodes_and_decodes_as_the_hosts(found):
    assert found["kl"] < 1e-5 and found["tiny"] < 1e-5
    assert found["kl decoded"] < 1e-5 and found["tiny decoded"] < 1e-5


def test_node_trains_cancels_and_resumes(found):
    record = found["node"]
    assert record["inputs without a tooltip"] == [] and record["valid"] is True and "rank is 0" in record["invalid"]
    told = r"step 3 of 100 · loss 0\.3750 · \d+:\d\d left\nheld out, step 0: right pose 0\.1000 · wrong pose 0\.2000 · without the LoRA 0\.3000"
    assert re.fullmatch(told, record["words"])
    assert record["name"] == "style_00001.safetensors" and record["losses"] == 4 and record["picture"][0] == 1
    assert record["unloaded"] == [] and record["keys"] > 50
    assert record["cancelled"] and record["after cancel"] == [
        f"style_{number}.{suffix}" for number in ("00001", "00002") for suffix in ("pictures", "pictures.png", "resume.pt", "safetensors")
    ]
    assert record["drawn"] == ["pose1_000000.png"]  # cancelled while that of step 2 was drawn; what was there stays
    assert record["drawn after resuming"] == [f"pose1_00000{step}.png" for step in (0, 2, 4)]
    # The page of pictures grows in the node, and is its result.
    assert [done for done, *_ in record["previews"]] == [0, 2, 4] and record["sheet"] == [1, *reversed(record["previews"][-1][1:]), 3]
    assert record["resumed"] == "style_00002.safetensors" and record["same"] <= 1e-6  # as if it had never been cancelled
    assert record["trigger"] == "ckbatter" and "Rank 4, alpha 16" in record["info"]
    assert "plain checkpoint" in record["patched"]
