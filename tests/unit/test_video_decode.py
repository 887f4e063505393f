"""Clips as they should decode: every picture, at its time, upright, in plain RGB."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from video_samples import coded, coded_clip, read_code, set_matrix, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip

#: B-frames and one key frame in two seconds: what a trim window has to seek through.
LONG_GOP = {"preset": "fast", "g": "50", "bf": "3"}


def codes(clip: Clip) -> list[int]:
    return [read_code(frame.image)[0] for frame in clip.frames()]


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory):
    return coded_clip(tmp_path_factory.mktemp("decode") / "clip.mp4", 130, options=LONG_GOP)


def test_every_frame_comes_once_at_its_time(clip_path):
    clip = Clip(clip_path)
    frames = list(clip.frames())
    assert [frame.index for frame in frames] == list(range(130))
    assert [read_code(frame.image)[0] for frame in frames] == list(range(130))
    np.testing.assert_allclose([frame.t for frame in frames], np.arange(130) / 25, rtol=0, atol=1e-9)
    image = frames[0].image
    assert image.shape == (96, 160, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
    assert clip.losses == []
    info = clip.info
    assert (info.name, info.width, info.height, info.fps, info.frame_count) == ("clip.mp4", 160, 96, 25, 130)
    assert info.duration == pytest.approx(5.2) and not info.variable_rate and info.rate_range == (25, 25)
    assert (info.codec, info.pix_fmt, info.bit_depth, info.has_audio, info.rotation) == ("h264", "yuv420p", 8, False, 0)


def test_bytes_decode_like_the_file_and_as_often_as_asked(clip_path):
    clip = Clip(io.BytesIO(clip_path.read_bytes()), start=1, duration=0.4)
    assert codes(clip) == codes(clip) == list(range(25, 35))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 129), length=st.integers(1, 130), nudge=st.sampled_from([0.0, 0.013, 0.0399]))
def test_window_is_half_open_and_exact(clip_path, start, length, nudge):
    clip = Clip(clip_path, start / 25 + nudge, length / 25)
    first = start + (nudge > 0)
    last = min(130, start + length + (nudge > 0))
    if first >= last:
        with pytest.raises(KineticsError, match=r"No frame of clip\.mp4 between"):
            list(clip.frames())
        return
    frames = list(clip.frames())
    assert [read_code(frame.image)[0] for frame in frames] == list(range(first, last))
    # Times come out of fractions; what is left is the rounding of one float.
    np.testing.assert_allclose([frame.t for frame in frames], np.arange(first, last) / 25 - start / 25 - nudge, rtol=0, atol=1e-9)
    assert clip.info.frame_count == last - first
    assert clip.losses == []


def test_window_in_a_window_stays_inside(clip_path):
    outer = Clip(clip_path, 1, 2)
    assert codes(outer.trimmed(0.4, 0.2)) == [35, 36, 37, 38, 39]
    assert codes(outer.trimmed(1.8, 60)) == [70, 71, 72, 73, 74]
    with pytest.raises(KineticsError, match="has nothing from 2 s on"):
        outer.trimmed(2)


def test_window_needs_numbers():
    for start, duration in ((-1, 0), (0, -2), (float("nan"), 0), (0, float("inf"))):
        with pytest.raises(KineticsError, match=r"Trim window of a\.mp4"):
            Clip("a.mp4", start, duration)


def test_variable_rate_keeps_every_time(tmp_path):
    gaps = np.tile([8, 33, 17, 50], 12)
    ticks = np.concatenate([[0], np.cumsum(gaps)])
    clip = Clip(coded_clip(tmp_path / "vfr.mkv", len(ticks), ticks=ticks, tick=Fraction(1, 1000)))
    np.testing.assert_allclose([frame.t for frame in clip.frames()], ticks / 1000, rtol=0, atol=1e-9)
    info = clip.info
    assert info.variable_rate
    assert info.rate_range == (pytest.approx(20), pytest.approx(125))
    assert info.fps == Fraction(48 * 1000, int(ticks[-1]))


@pytest.mark.parametrize(("name", "tick"), [("a.mkv", Fraction(1001, 30000)), ("a.mp4", Fraction(1001, 24000)), ("a.avi", Fraction(1, 29))])
def test_constant_rate_survives_coarse_ticks(tmp_path, name, tick):
    # Matroska rounds to milliseconds, AVI counts in frames.
    codec = "mjpeg" if name.endswith("avi") else "libx264"
    clip = Clip(coded_clip(tmp_path / name, 40, tick=tick, codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"))
    assert clip.info.fps == 1 / tick and not clip.info.variable_rate
    assert codes(clip) == list(range(40))


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.avi", "libx264", {"bf": "2", "g": "20"}), ("a.avi", "mpeg4", {"bf": "2"}), ("a.ts", "libx264", LONG_GOP), ("a.mkv", "libx264", LONG_GOP),
     ("a.mov", "libx264", LONG_GOP), ("a.flv", "libx264", LONG_GOP), ("a.webm", "libvpx", {}), ("a.webm", "libvpx-vp9", {}), ("a.mpg", "mpeg2video", {"bf": "2"})],
)  # fmt: skip
def test_containers_and_codecs(tmp_path, name, codec, options):
    clip = Clip(coded_clip(tmp_path / name, 60, codec=codec, options=options))
    frames = list(clip.frames())
    assert [read_code(frame.image)[0] for frame in frames] == list(range(60))
    # Ticks of a millisecond at the coarsest, one at either end.
    np.testing.assert_allclose([frame.t for frame in frames], np.arange(60) / 25, atol=0.00101)
    assert clip.losses == [] and clip.info.fps == 25 and clip.info.frame_count == 60 and not clip.info.variable_rate
    assert codes(clip.trimmed(1, 0.2)) == [25, 26, 27, 28, 29]


def test_one_dropped_frame_makes_the_rate_variable(tmp_path):
    clip = Clip(coded_clip(tmp_path / "gap.mp4", 30, ticks=[*range(15), *range(16, 31)]))
    assert clip.info.variable_rate and clip.info.rate_range == (12.5, 25)


# The picture that should be seen has a white top left and a red top right corner; the file stores it turned back.
@pytest.mark.parametrize(
    ("matrix", "rotation", "store"),
    [
        ((0, 1, -1, 0), 90, lambda image: np.rot90(image)),
        ((-1, 0, 0, -1), 180, lambda image: image[::-1, ::-1]),
        ((0, -1, 1, 0), 270, lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, 1), 0, lambda image: image[:, ::-1]),
        ((0, 1, 1, 0), 270, lambda image: image.swapaxes(0, 1)),
    ],
)
def test_display_matrix_is_honoured(tmp_path, matrix, rotation, store):
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :32], upright[:32, 64:] = 255, (255, 0, 0)
    path = set_matrix(write_clip(tmp_path / "turned.mp4", [store(upright)] * 3, options={"crf": "0"}), *matrix)
    clip = Clip(path)
    assert (clip.info.width, clip.info.height, clip.info.rotation) == (96, 64, rotation)
    for frame in clip.frames():
        # Lossless but for yuv420p's half colour resolution, which smears the edges of the red patch: its inside is compared.
        assert frame.image.shape == upright.shape and frame.image.flags.c_contiguous
        for y, x in ((8, 8), (8, 88), (56, 8), (56, 88)):
            np.testing.assert_allclose(frame.image[y, x].astype(int), upright[y, x], atol=4)


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (320, 96)), (Fraction(1, 2), (160, 192)), (Fraction(16, 15), (171, 96)), (Fraction(50), (160, 96))])
def test_pixels_come_out_square(tmp_path, aspect, size):
    path = coded_clip(tmp_path / "sar.mkv", 3, sample_aspect_ratio=aspect)
    clip = Clip(path)
    assert (clip.info.width, clip.info.height) == size
    assert {frame.image.shape for frame in clip.frames()} == {(size[1], size[0], 3)}
    assert codes(clip) == [0, 1, 2]


@pytest.mark.parametrize("size", [(33, 21), (1, 1), (2, 35)])
def test_odd_sizes_are_exact(tmp_path, size):
    images = np.random.default_rng(3).integers(0, 256, (4, size[1], size[0], 3), np.uint8)
    clip = Clip(write_clip(tmp_path / "odd.mkv", images, codec="ffv1", pix_fmt="bgr0"))
    np.testing.assert_array_equal([frame.image for frame in clip.frames()], images)


def test_ten_bits_come_out_as_eight(tmp_path):
    levels = np.linspace(64, 940, 64).round().astype(np.uint16)
    planes = np.concatenate([np.tile(levels, (16, 1)), np.full((8, 64), 512, np.uint16)])
    path = tmp_path / "ten.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 16, "yuv420p10le"
        frame = av.VideoFrame(64, 16, "yuv420p10le")
        for plane, data in zip(frame.planes, (planes[:16], planes[16:20].reshape(8, 32), planes[20:].reshape(8, 32)), strict=True):
            rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            rows[:, : plane.width] = data
            plane.update(rows)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = Clip(path)
    assert clip.info.bit_depth == 10
    image = next(clip.frames()).image
    # Grey of limited range: 255 (Y - 64) / 876; one level for rounding to eight bits.
    np.testing.assert_allclose(image[8].astype(float), np.repeat((255 * (levels - 64.0) / 876)[:, None], 3, axis=1), atol=1.01)


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), [("a.mov", "png", "rgba"), ("a.mov", "qtrle", "argb")])
def test_alpha_lies_on_black(tmp_path, name, codec, pix_fmt):
    rgba = np.random.default_rng(5).integers(0, 256, (16, 24, 4), np.uint8)
    clip = Clip(write_clip(tmp_path / name, [rgba] * 2, codec=codec, pix_fmt=pix_fmt, source="rgba"))
    expected = np.rint(rgba[..., :3].astype(float) * rgba[..., 3:] / 255)
    # Half a level, for ties that round up in one and to even in the other.
    np.testing.assert_allclose(next(clip.frames()).image, expected, atol=0.51 * 2)


def test_vp9_alpha_is_not_left_out(tmp_path):
    rgba = np.full((64, 64, 4), 255, np.uint8)
    rgba[:, 32:, 3] = 0
    path = write_clip(tmp_path / "a.webm", [rgba] * 3, codec="libvpx-vp9", pix_fmt="yuva420p", source="rgba", options={"auto-alt-ref": "0"})
    for frame in Clip(path).frames():
        assert frame.image[:, :28].min() > 240 and frame.image[:, 36:].max() < 15


def test_gif_with_holes_and_its_own_delays(tmp_path):
    pictures = []
    for k in range(5):
        picture = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
        picture.paste((250, 40 * k, 0, 255), (0, 0, 10, 10))
        pictures.append(picture)
    path = tmp_path / "holes.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 50, 200, 50, 100], disposal=2, loop=0)
    clip = Clip(path)
    frames = list(clip.frames())
    np.testing.assert_allclose([frame.t for frame in frames], [0, 0.1, 0.15, 0.35, 0.4], atol=1e-9)
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image[5, 5], (250, 40 * k, 0))
        np.testing.assert_array_equal(frame.image[5, 15], (0, 0, 0))
    assert clip.info.variable_rate


def test_one_frame(tmp_path):
    clip = Clip(coded_clip(tmp_path / "one.mp4", 1))
    assert codes(clip) == [0] and clip.info.frame_count == 1 and clip.info.fps == 25 and not clip.info.variable_rate
    assert clip.info.duration == pytest.approx(0.04)
    Image.fromarray(coded(7)).save(tmp_path / "still.png")
    assert codes(Clip(tmp_path / "still.png")) == [7]


@pytest.mark.parametrize("name", ["élan vital.mp4", "\u65e5\u672c\u8a9e \u30b7\u30e7\u30c3\u30c8.mp4", "\u0627\u0631\u062f\u0648 \u0634\u0627\u0679.mp4", "\U0001f3cf cover drive.mp4", "a:b%03d'.mp4", "-y.mp4"])
def test_names_in_any_script(tmp_path, name):
    clip = Clip(coded_clip(tmp_path / "plain.mp4", 3).rename(tmp_path / name))
    assert codes(clip) == [0, 1, 2] and clip.info.name == name


@pytest.mark.parametrize(
    ("space", "full", "weights"),
    [(1, False, (0.2126, 0.0722)), (5, False, (0.299, 0.114)), (1, True, (0.2126, 0.0722)), (2, False, (0.299, 0.114))],
)
def test_colour_follows_matrix_and_range(tmp_path, space, full, weights):
    """R'G'B' to Y'CbCr by the definition of the matrices (BT.709 and BT.601); 2 is untagged, at this size BT.601."""
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
    red, green, blue = np.moveaxis(rgb / 255, -1, 0)
    kr, kb = weights
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    chroma = np.stack([(blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)])
    planes = [255 * luma, *(128 + 255 * chroma)] if full else [16 + 219 * luma, *(128 + 224 * chroma)]
    yuv = np.stack(planes).round().clip(0, 255).astype(np.uint8)
    path = write_clip(
        tmp_path / "colour.mkv", [yuv] * 2, codec="ffv1", pix_fmt="yuv444p", source="yuv444p",
        colorspace=space, color_range=2 if full else 1,
    )  # fmt: skip
    image = next(Clip(path).frames()).image
    # Rounding Y'CbCr to integers moves RGB by up to 2 levels (0.5·1.164 + 0.5·2.12).
    np.testing.assert_allclose(image.astype(int), rgb, atol=2)
