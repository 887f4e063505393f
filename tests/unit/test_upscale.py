"""Clips enlarged: tiles without seams, sizes, Lanczos on both paths, flicker, times, and what can go wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.nn import Conv2d, PixelShuffle, ReLU, Sequential

from kinetics.errors import KineticsError
from kinetics.upscale.clip import choose_size, upscale_clip
from kinetics.upscale.lanczos import _resize_on_card, lanczos_matrix, resize
from kinetics.upscale.tiles import TileEnlarger, _grid
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


@pytest.fixture(scope="module")
def network():
    """Three convolutions and a pixel shuffle: ×2, each pixel sees 4 px around it."""
    torch.manual_seed(0)
    return Sequential(Conv2d(3, 8, 3, padding=1), ReLU(), Conv2d(8, 12, 5, padding=2), PixelShuffle(2), Conv2d(3, 3, 3, padding=1)).eval()


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width", "tile"), [(90, 131, 64), (57, 200, 72), (64, 64, 64)])
def test_tiles_are_the_whole_picture(network, height, width, tile):
    image = picture(height, width)
    whole = TileEnlarger(network, 2, 4096)(image)
    assert whole.shape == (2 * height, 2 * width, 3)
    # The rim that lacks its surroundings, 4 px, lies in the quarter of the overlap that counts a millionth.
    assert np.abs(TileEnlarger(network, 2, tile)(image) - whole).max() < 1e-2


@given(height=st.integers(1, 700), width=st.integers(1, 700), tile=st.integers(64, 512))
def test_tiles_cover_the_picture_and_keep_to_the_limit(height, width, tile):
    rows, columns = _grid(height, width, tile, 32)
    for side, spans in ((height, rows), (width, columns)):
        assert spans[0][0] == 0 and spans[-1][1] == side
        assert all(b[0] <= a[1] - min(32, tile // 2) or b[0] == a[0] for a, b in zip(spans, spans[1:], strict=False))
    assert max(b - a for a, b in rows) * max(b - a for a, b in columns) <= tile**2


def test_memory_that_runs_out_makes_smaller_tiles(network):
    most = 70 * 70

    def tight(part: torch.Tensor) -> torch.Tensor:
        if part.shape[2] * part.shape[3] > most:
            raise MemoryError
        return network(part)

    image = picture(100, 150)
    enlarger = TileEnlarger(tight, 2, 512)
    assert np.abs(enlarger(image) - TileEnlarger(network, 2, 4096)(image)).max() < 1e-2
    assert enlarger.tile == 64
    most = 10
    with pytest.raises(KineticsError, match="not enough memory"):
        TileEnlarger(tight, 2, 512)(image)
    with pytest.raises(RuntimeError):
        TileEnlarger(Conv2d(4, 4, 3), 2)(image)


@pytest.mark.parametrize("size", [(150, 90), (37, 21), (61, 80)])
def test_both_lanczos_paths_agree(size):
    # Away from black and white: Pillow clips between its two passes, too.
    image = picture(44, 61) // 3 + 80
    assert np.allclose(lanczos_matrix(61, size[0]).sum(axis=1), 1, atol=1e-5)
    # And rounds there.
    assert np.abs(_resize_on_card(image, size, "cpu").astype(int) - resize(image, size)).max() <= 1
    assert np.array_equal(resize(image, size), np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)))
    assert resize(image, (61, 44)) is image


def test_sizes_are_even_and_bounded():
    assert choose_size((640, 360), 2.0) == (1280, 720)
    assert choose_size((641, 361), 1.5) == (962, 542)
    assert choose_size((640, 360), width=1000) == (1000, 562)
    assert choose_size((640, 360), width=1000, height=300) == (1000, 300)
    for wrong in ({"factor": 16.0}, {"factor": 0.001}, {"factor": float("nan")}, {}, {"height": 8000}):
        with pytest.raises(KineticsError):
            choose_size((640, 360), **wrong)


@pytest.fixture
def still(tmp_path) -> Clip:
    """Nine frames of one soft picture, 25 a second, the last three later."""
    y, x = np.mgrid[0:48, 0:64]
    plain = np.stack([120 + 60 * np.sin(x / 5) * np.cos(y / 7)] * 3, axis=2).astype(np.uint8)
    with VideoWriter(tmp_path / "still.mp4", 64, 48, 25, crf=0) as writer:
        for k in range(9):
            writer.write(plain, k / 25 + 0.5 * (k > 5))
    return Clip(tmp_path / "still.mp4")


def test_flicker_is_told_and_lowered(still, tmp_path):
    chance = np.random.default_rng(0)

    def inventive(image: np.ndarray) -> np.ndarray:
        return resize(image, (128, 96)) + chance.normal(scale=5, size=(96, 128, 3)).astype(np.float32)

    report = upscale_clip(still, tmp_path / "out.mp4", (128, 96), inventive)
    source, raw, shown = report.flicker
    # Two frames of noise 5 differ by sqrt(2)·5. Each keeps 0.6 of the one before: (1 - 0.6)/sqrt(1 - 0.6²)·sqrt(2·(1 - 0.6)) of 5, once
    # settled.
    assert source < 0.5 and raw == pytest.approx(5 * 2**0.5, rel=0.05)
    assert shown < 0.5 * raw
    assert [frame.t for frame in Clip(report.path).frames()] == pytest.approx([frame.t for frame in still.frames()], abs=1e-4)
    assert upscale_clip(still, tmp_path / "raw.mp4", (128, 96), inventive, steady=False).flicker[2] == pytest.approx(raw, rel=0.05)


def test_a_network_that_takes_noise_off_is_not_made_to_flicker(tmp_path):
    """What such a network adds to the plain picture is the noise with its sign turned: averaged over frames it would leave noise behind."""
    y, x = np.mgrid[0:48, 0:64]
    clean = np.stack([120 + 60 * np.sin(x / 5) * np.cos(y / 7)] * 3, axis=2)
    chance = np.random.default_rng(1)
    with VideoWriter(tmp_path / "noisy.mp4", 64, 48, 25, crf=0) as writer:
        for _ in range(8):
            writer.write((clean + chance.normal(scale=2.5, size=clean.shape)).clip(0, 255).astype(np.uint8))
    wanted = resize(clean.astype(np.uint8), (128, 96)).astype(np.float32)
    source, raw, shown = upscale_clip(Clip(tmp_path / "noisy.mp4"), tmp_path / "out.mp4", (128, 96), lambda image: wanted).flicker
    # Flow finds motion in the noise, which leaves raw above 0; without the judgement shown would be several times that.
    assert source > 1 and raw < 0.7 * source and shown < 1.1 * raw


def test_lanczos_alone_and_one_frame(still, tmp_path):
    report = upscale_clip(still.trimmed(0, 0.04), tmp_path / "one.mp4", (128, 96))
    assert (report.frames, report.size) == (1, (128, 96)) and np.isnan(report.flicker).all()
    made = next(Clip(report.path).frames()).image
    assert np.abs(made.astype(int) - resize(next(still.frames()).image, (128, 96))).mean() < 2


def test_cancel_leaves_nothing(still, tmp_path):
    def cancel(done: int, total: int) -> None:
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        upscale_clip(still, tmp_path / "out" / "made.mp4", (128, 96), progress=cancel)
    assert list((tmp_path / "out").iterdir()) == []
