"""The writer: exact times, even sizes, whole files or none."""

from __future__ import annotations

import resource
import signal
from fractions import Fraction

import av
import numpy as np
import pytest
from video_samples import coded, read_code

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


def stamps(path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


@pytest.mark.parametrize("fps", [25, 30, Fraction(30000, 1001), 60, 23.976])
def test_constant_rate_is_exact(tmp_path, fps):
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 160, 96, fps) as writer:
        for k in range(30):
            writer.write(coded(k))
    rate = Fraction(24000, 1001) if fps == 23.976 else Fraction(fps)
    assert stamps(path) == [Fraction(round(k * 90000 / rate), 90000) for k in range(30)]
    clip = Clip(path)
    assert [read_code(frame.image)[0] for frame in clip.frames()] == list(range(30))
    assert clip.info.fps == rate and not clip.info.variable_rate
    # The last frame lasts as long as the others.
    assert clip.info.duration == pytest.approx(float(30 / rate), abs=1 / 90000)
    with av.open(str(path)) as container:
        assert container.duration / av.time_base == pytest.approx(float(30 / rate), abs=0.001)


def test_own_times_are_kept_to_a_tick(tmp_path):
    times = np.cumsum(np.random.default_rng(2).uniform(0.004, 0.09, 40))
    times -= times[0]
    with VideoWriter(tmp_path / "out.mp4", 160, 96, 25) as writer:
        for k, t in enumerate(times):
            writer.write(coded(k), t)
    np.testing.assert_allclose([float(t) for t in stamps(tmp_path / "out.mp4")], times, rtol=0, atol=0.5 / 90000 + 1e-12)


def test_time_left_out_follows_the_last_one(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", 160, 96, 25) as writer:
        for k, t in enumerate((None, 0.5, None)):
            writer.write(coded(k), t)
    assert stamps(tmp_path / "out.mp4") == [0, Fraction(1, 2), Fraction(54, 100)]


def test_file_is_what_players_ask_for(tmp_path):
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 160, 96, 25) as writer:
        writer.write(coded(0))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        # BT.709, limited range: numbers of AVColorSpace and AVColorRange.
        assert (context.colorspace, context.color_range, context.color_primaries, context.color_trc) == (1, 1, 1, 1)


def test_colours_survive(tmp_path):
    colours = np.array([[255, 255, 255], [0, 0, 0], [200, 30, 40], [20, 180, 60], [40, 60, 220], [230, 210, 20]], np.uint8)
    image = colours[:, None].repeat(16, 0).repeat(32, 1)
    with VideoWriter(tmp_path / "out.mp4", 32, 96, 25, crf=4) as writer:
        writer.write(image)
    seen = next(Clip(tmp_path / "out.mp4").frames()).image[8::16, 16]
    # Eight-bit Y'CbCr there and back moves RGB by up to 2 levels, quantising at crf 4 by about one more.
    np.testing.assert_allclose(seen.astype(int), colours, atol=4)


@pytest.mark.parametrize("size", [(63, 47), (1, 1), (64, 33)])
def test_odd_sizes_repeat_their_edge(tmp_path, size):
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    image[:, width // 2 :] = 200
    with VideoWriter(tmp_path / "odd.mp4", width, height, 25, crf=0) as writer:
        writer.write(image)
    seen = next(Clip(tmp_path / "odd.mp4").frames()).image
    assert seen.shape == (height + height % 2, width + width % 2, 3)
    np.testing.assert_allclose(seen[:height, :width].astype(int), image, atol=2)
    np.testing.assert_allclose(seen[-1, -1].astype(int), image[-1, -1], atol=2)


@pytest.mark.parametrize("after", [0, 1, 40])
def test_cancel_leaves_nothing(tmp_path, after):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "out.mp4", 160, 96, 25) as writer:
        for k in range(after):
            writer.write(coded(k))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_cancel_keeps_the_file_that_was_there(tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"earlier")
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "out.mp4", 160, 96, 25) as writer:
        writer.write(coded(0))
        raise RuntimeError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


@pytest.mark.parametrize(
    ("image", "t", "said"),
    [(np.zeros((96, 158, 3), np.uint8), None, "the file's size"), (np.zeros((96, 160, 3)), None, "float64"), (coded(1), 0.0, "give times that increase")],
)
def test_wrong_pictures_are_refused(tmp_path, image, t, said):
    with pytest.raises(KineticsError, match=said), VideoWriter(tmp_path / "out.mp4", 160, 96, 25) as writer:
        writer.write(coded(0))
        writer.write(image, t)
    assert list(tmp_path.iterdir()) == []


def test_no_picture_is_an_error(tmp_path):
    with pytest.raises(KineticsError, match="No picture came for"), VideoWriter(tmp_path / "out.mp4", 160, 96, 25):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("settings", [{"preset": "sluggish"}, {"crf": 52}, {"crf": -1}])
def test_settings_x264_does_not_know(tmp_path, settings):
    with pytest.raises(KineticsError, match="Can't write"), VideoWriter(tmp_path / "out.mp4", 160, 96, 25, **settings) as writer:
        writer.write(coded(0))
    assert list(tmp_path.iterdir()) == []


def test_size_and_rate_have_to_be_positive(tmp_path):
    for width, fps in ((0, 25), (160, 0)):
        with pytest.raises(KineticsError, match="give sizes and a rate above 0"):
            VideoWriter(tmp_path / "out.mp4", width, 96, fps)


def test_folder_that_can_not_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KineticsError, match="choose a folder that can be written to"), VideoWriter(tmp_path / "file" / "out.mp4", 160, 96, 25):
        pass


def test_disk_that_is_full(tmp_path):
    """A limit on file size fails the write like a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(KineticsError, match="check the free space"), VideoWriter(tmp_path / "out.mp4", 160, 96, 25, crf=1) as writer:
            for _ in range(100):
                writer.write(noise.integers(0, 256, (96, 160, 3), np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_header_carries_what_it_is_given(tmp_path):
    path = tmp_path / "told.mp4"
    with VideoWriter(path, 16, 16, 25, metadata={"workflow": '{"nodes": [1]}', "prompt": "{}"}) as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8))
    with av.open(str(path)) as container:
        assert container.metadata["workflow"] == '{"nodes": [1]}' and container.metadata["prompt"] == "{}"
