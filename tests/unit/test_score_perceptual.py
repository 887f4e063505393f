"""torchmetrics' measures with weights that lie on this machine: random ones in the right form, and the sentences when they aren't there."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kinetics.errors import KineticsError, MissingDependency
from kinetics.pose_sequence import LIMB_NAMES, PoseSequence
from kinetics.score.perceptual import LOOKS, find_weights, measure_look
from kinetics.score.pose import score_pose
from kinetics.score.report import FrameReport


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path, monkeypatch):
    """No weights but those that a test makes, wherever this machine keeps some."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("KINETICS_MODELS", "")
    monkeypatch.setenv("HOME", str(tmp_path))


def pictures(count: int, seed: int = 0, size: tuple[int, int] = (72, 96)) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    return [chance.integers(0, 255, (*size, 3), dtype=np.uint8) for _ in range(count)]


def noisy(images: list[np.ndarray], sigma: float) -> list[np.ndarray]:
    chance = np.random.default_rng(7)
    return [np.clip(image + chance.normal(0, sigma, image.shape), 0, 255).astype(np.uint8) for image in images]


def test_what_is_missing_is_told_with_file_and_folder(tmp_path):
    for look, (name, _, _) in LOOKS.items():
        if look == "clip":
            continue  # transformers' own folder of fetched models is this machine's
        with pytest.raises(MissingDependency) as told:
            find_weights(look, [tmp_path / "models" / "correlated_kinetics"])
        assert name in str(told.value) and f"put it into {tmp_path / 'models' / 'correlated_kinetics'}" in str(told.value)
    with pytest.raises(KineticsError, match="choose lpips, kid, clip"):
        measure_look("fid", lambda: iter(pictures(2)))


def test_weights_are_taken_from_torchs_own_folder(tmp_path):
    kept = tmp_path / "torch" / "hub" / "checkpoints" / LOOKS["lpips"][0]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"no weights")
    assert find_weights("lpips") == kept
    with pytest.raises(KineticsError, match="not a readable model file"):
        measure_look("lpips", lambda: iter(pictures(2)))


def test_lpips(tmp_path):
    """Random AlexNet features in torchvision's form: no difference for the same pictures, the more noise the more, and half the size for the source is allowed."""
    chance = torch.Generator().manual_seed(0)
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    weights = {}
    for number, shape in shapes.items():
        weights[f"features.{number}.weight"] = torch.randn(shape, generator=chance) * (2 / np.prod(shape[1:])) ** 0.5
        weights[f"features.{number}.bias"] = torch.zeros(shape[0])
    torch.save(weights, tmp_path / LOOKS["lpips"][0])
    images, seen = pictures(4), []
    same = measure_look("lpips", lambda: iter(images), lambda: iter(images), folders=[tmp_path], progress=lambda *at: seen.append(at), total=4)
    assert same["lpips"] == 0 and same["lpips_next"] == same["lpips_next_source"] > 0 and seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    low, high = (measure_look("lpips", lambda s=s: iter(noisy(images, s)), lambda: iter(images), folders=[tmp_path])["lpips"] for s in (5, 60))
    assert 0 < low < high
    small = [image[::2, ::2] for image in images]
    assert measure_look("lpips", lambda: iter(images), lambda: iter(small), folders=[tmp_path])["lpips"] > 0
    assert set(measure_look("lpips", lambda: iter(images), folders=[tmp_path])) == {"lpips_next"}
    with pytest.raises(KineticsError, match="too small for LPIPS"):
        measure_look("lpips", lambda: iter(small), folders=[tmp_path])
    body = PoseSequence(np.zeros((1, 12, 2)) + np.arange(12)[:, None], np.ones((1, 12)), [0.0], LIMB_NAMES, (64, 64))
    rows = {row.key: row for row in FrameReport("frames", "pose", score_pose(body, body), looks=same).rows()}
    assert rows["lpips_next"].source == same["lpips_next_source"] and rows["lpips"].better == "lower"


def test_clip_score(tmp_path):
    """A tiny random CLIP in transformers' form; the score is 100 times the cosine that the model itself gives."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder = tmp_path / LOOKS["clip"][0]
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    text = {**sizes, "vocab_size": len(vocabulary), "eos_token_id": len(vocabulary) - 1, "bos_token_id": len(vocabulary) - 2}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config={**sizes, "image_size": 32, "patch_size": 16}, projection_dim=16)).eval()
    with torch.no_grad():
        model.text_projection.weight.neg_()  # torchmetrics takes 0 for a mean below 0, which this one would have
    model.save_pretrained(folder)
    processor = CLIPProcessor(
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}), CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    )
    processor.save_pretrained(folder)
    images = pictures(3)
    found = measure_look("clip", lambda: iter(images), prompt="a cover drive", folders=[tmp_path])
    given = processor(text=["a cover drive"], images=[torch.from_numpy(image).permute(2, 0, 1) for image in images], return_tensors="pt", padding=True)
    with torch.no_grad():
        said = model(**given)
    cosine = torch.nn.functional.cosine_similarity(said.image_embeds, said.text_embeds)
    assert cosine.mean() > 0.01
    assert found["clip"] == pytest.approx(100 * cosine.mean().item(), abs=1e-3)
    with pytest.raises(KineticsError, match="give the prompt"):
        measure_look("clip", lambda: iter(images), folders=[tmp_path])


def test_kid_needs_real_frames_and_its_own_weights(tmp_path):
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / LOOKS["kid"][0])
    with pytest.raises(KineticsError, match="give the source clip"):
        measure_look("kid", lambda: iter(pictures(2)), folders=[tmp_path])
    with pytest.raises(KineticsError, match="is not torch-fidelity's Inception"):
        measure_look("kid", lambda: iter(pictures(2)), lambda: iter(pictures(2)), folders=[tmp_path])
