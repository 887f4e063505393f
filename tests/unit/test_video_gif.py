"""GIF: every frame at its time, the total right, one palette, nothing left behind."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from video_samples import coded_clip, read_code, set_matrix, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.gif import save_gif


def read(path) -> tuple[list[int], list[tuple[int, int]], Image.Image]:
    """Delays in milliseconds and codes, read by Pillow."""
    picture = Image.open(path)
    delays, codes = [], []
    for k in range(picture.n_frames):
        picture.seek(k)
        delays.append(picture.info["duration"])
        codes.append(read_code(np.asarray(picture.convert("RGB"))))
    return delays, codes, picture


@pytest.mark.parametrize(("fps", "count"), [(None, 50), (10, 20), (15, 30), (24, 48), (Fraction(30000, 1001), 60), (50, 100), (120, 100)])
def test_total_time_is_right(tmp_path, fps, count):
    clip = Clip(coded_clip(tmp_path / "in.mp4", 50, 3))
    assert save_gif(clip, tmp_path / "out.gif", fps=fps) == tmp_path / "out.gif"
    delays, codes, picture = read(tmp_path / "out.gif")
    # Equal neighbours (50 frames shown at 100 instants) may be joined by the encoder or by Pillow; time is not.
    rate = min(float(fps or 25), 50)
    appear = np.concatenate([[0], np.cumsum(delays)[:-1]]) / 1000
    assert sum(delays) == pytest.approx(2000, abs=10)
    assert len(delays) == count
    assert [code for code, clip in codes] == [int(k / rate * 25 + 1e-6) for k in range(count)]
    # Centiseconds: half of one either way.
    np.testing.assert_allclose(appear, np.arange(count) / rate, atol=0.0051)
    assert picture.size == (160, 96) and picture.info["loop"] == 0


def test_variable_rate_is_shown_by_its_clock(tmp_path):
    ticks = np.concatenate([[0], np.cumsum(np.tile([8, 33, 17, 50], 8))])
    clip = Clip(coded_clip(tmp_path / "in.mkv", len(ticks), ticks=ticks, tick=Fraction(1, 1000)))
    save_gif(clip, tmp_path / "out.gif", fps=20)
    _, codes, _ = read(tmp_path / "out.gif")
    assert [code for code, _ in codes] == [int(np.searchsorted(ticks, 50 * k + 0.5, side="right")) - 1 for k in range(len(codes))]


@pytest.mark.parametrize("dither", ["sierra2_4a", "bayer", "none"])
def test_width_and_palette(tmp_path, dither):
    ramp = np.dstack(np.meshgrid(np.arange(160) * 255 // 159, np.arange(96) * 255 // 95)).astype(np.uint8)
    image = np.dstack([ramp, np.full((96, 160), 90, np.uint8)])
    clip = Clip(write_clip(tmp_path / "in.mp4", [image, image[:, ::-1]], options={"crf": "1"}))
    save_gif(clip, tmp_path / "out.gif", width=100, dither=dither)
    picture = Image.open(tmp_path / "out.gif")
    assert picture.size == (100, 60) and picture.n_frames == 2
    seen = np.asarray(picture.convert("RGB")).astype(int)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) <= 256
    expected = np.asarray(Image.fromarray(image).resize((100, 60), Image.Resampling.BICUBIC)).astype(int)
    # 255 colours for a plane of two: steps of 16 levels, so a mean error of a quarter of that, dithered twice it.
    assert np.abs(seen - expected).mean() < 12


def test_turned_clip(tmp_path):
    path = set_matrix(write_clip(tmp_path / "in.mp4", [np.zeros((32, 64, 3), np.uint8)] * 2), 0, 1, -1, 0)
    save_gif(Clip(path), tmp_path / "out.gif")
    assert Image.open(tmp_path / "out.gif").size == (32, 64)


def test_one_frame_and_no_loop(tmp_path):
    save_gif(Clip(coded_clip(tmp_path / "one.mp4", 1)), tmp_path / "one.gif")
    assert Image.open(tmp_path / "one.gif").n_frames == 1
    save_gif(Clip(coded_clip(tmp_path / "two.mp4", 2)), tmp_path / "two.gif", loop=False)
    assert "loop" not in Image.open(tmp_path / "two.gif").info


@pytest.mark.parametrize("when", [1, 25, 26, 50])
def test_cancel_leaves_nothing(tmp_path, when):
    clip = Clip(coded_clip(tmp_path / "in.mp4", 25))
    calls = []

    def cancel(done, total):
        calls.append((done, total))
        if done == when:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_gif(clip, tmp_path / "out.gif", progress=cancel)
    assert calls == [(k, 50) for k in range(1, when + 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_settings_without_meaning(tmp_path):
    clip = Clip(coded_clip(tmp_path / "in.mp4", 2))
    for said, how in (("Dither 'floyd' is unknown", {"dither": "floyd"}), ("can't be made", {"fps": 0}), ("can't be made", {"width": 0})):
        with pytest.raises(KineticsError, match=said):
            save_gif(clip, tmp_path / "out.gif", **how)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
