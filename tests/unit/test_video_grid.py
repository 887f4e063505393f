"""Composites: tile k shows clip k, at the time it should."""

from __future__ import annotations

import threading
from fractions import Fraction

import numpy as np
import pytest
from video_samples import coded_clip, packets_of, read_code, set_matrix, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip
from kinetics.video.grid import compose_grid, grid_shape
from kinetics.video.placement import place
from kinetics.video.titles import draw_title

TILE, GAP = (160, 96), 4


def tiles_of(path, rows, cols, tile=TILE, gap=GAP):
    """For every frame of a composite, its tiles row by row."""
    for frame in Clip(path).frames():
        yield [
            frame.image[row * (tile[1] + gap) : row * (tile[1] + gap) + tile[1], col * (tile[0] + gap) : col * (tile[0] + gap) + tile[0]]
            for row in range(rows)
            for col in range(cols)
        ]


def shown(times: np.ndarray, instant: float) -> int:
    """Number of the last frame at or before an instant, the first before the beginning."""
    return max(0, int(np.searchsorted(times, instant + 1e-6, side="right")) - 1)


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """Clips of 24, 25, 30, 50 fps and one of variable rate, with their frame times."""
    folder = tmp_path_factory.mktemp("grid")
    made = []
    for number, (fps, count) in enumerate(((24, 40), (25, 50), (30, 30), (50, 70))):
        path = coded_clip(folder / f"{number}.mp4", count, number, tick=Fraction(1, fps))
        made.append((path, np.arange(count) / fps))
    ticks = np.concatenate([[0], np.cumsum(np.tile([600, 9000, 2250, 4500], 8))])
    made.append((coded_clip(folder / "4.mp4", len(ticks), 4, ticks=ticks, tick=Fraction(1, 90000)), ticks / 90000))
    return made


def test_tile_shows_its_clip_at_its_time(five, tmp_path):
    report = compose_grid([Clip(path) for path, _ in five], tmp_path / "grid.mp4", tile=TILE, fps=30, gap=GAP)
    assert (report.rows, report.cols, report.size, report.fps) == (2, 3, (488, 196), 30)
    assert report.frames == 60 and report.duration == 2 and report.offsets == (0,) * 5 and report.losses == ()
    info = Clip(tmp_path / "grid.mp4").info
    assert (info.width, info.height, info.fps, info.frame_count) == (488, 196, 30, 60)
    for k, tiles in enumerate(tiles_of(tmp_path / "grid.mp4", 2, 3)):
        assert [read_code(tile) for tile in tiles[:5]] == [(shown(times, k / 30), number) for number, (_, times) in enumerate(five)]
        np.testing.assert_allclose(tiles[5].astype(int) - (16, 16, 20), 0, atol=4)


def test_marks_coincide(five, tmp_path):
    clips, marks = five[:3], (0.5, 0.2, 0.9)
    report = compose_grid([Clip(path) for path, _ in clips], tmp_path / "grid.mp4", tile=TILE, fps=50, gap=GAP, sync="mark", marks=marks)
    np.testing.assert_allclose(report.offsets, (0.4, 0.7, 0))
    assert report.duration == pytest.approx(2.7)
    for k, tiles in enumerate(tiles_of(tmp_path / "grid.mp4", 1, 3)):
        expected = [(shown(times, k / 50 - offset), n) for n, ((_, times), offset) in enumerate(zip(clips, report.offsets, strict=True))]
        assert [read_code(tile) for tile in tiles] == expected
        if k == 45:
            assert [number for number, _ in expected] == [12, 5, 27]


def test_short_clips_hold_loop_or_go_dark(five, tmp_path):
    long, short = five[1], five[2]
    for how in ("hold", "loop", "black"):
        compose_grid([Clip(long[0]), Clip(short[0])], tmp_path / "grid.mp4", tile=TILE, fps=30, gap=GAP, short=how)
        for k, tiles in enumerate(tiles_of(tmp_path / "grid.mp4", 1, 2)):
            assert read_code(tiles[0])[0] == shown(long[1], k / 30)
            if k < 30 or how != "black":
                assert read_code(tiles[1]) == (k if k < 30 else 29 if how == "hold" else k - 30, 2)
            else:
                assert tiles[1].max() < 12


def nearest(times: np.ndarray, instant: float) -> int:
    """Number of the frame nearest to an instant; of two, the later."""
    return len(times) - 1 - int(np.abs(times - instant)[::-1].argmin())


def test_each_clip_runs_on_its_own_clock(five, tmp_path):
    """A rising clock per clip: slow, fast, standing still, from before its beginning until after its end."""
    k = np.arange(45)
    clocks = [-0.31 + k / 30, 0.013 + 1.7 * k / 30, np.full(45, 0.217), 0.4 * k / 30 + 0.001, 1.1 * (k / 44) ** 2 + 0.0007]
    report = compose_grid([Clip(path) for path, _ in five], tmp_path / "grid.mp4", tile=TILE, fps=30, gap=GAP, sync="times", times=clocks)
    assert report.frames == 45 and report.offsets == (pytest.approx(1 / 3), 0, 0, 0, 0)
    for k, tiles in enumerate(tiles_of(tmp_path / "grid.mp4", 2, 3)):
        expected = [(nearest(times, clock[k]), n) for n, ((_, times), clock) in enumerate(zip(five, clocks, strict=True))]
        assert [read_code(tile) for tile in tiles[:5]] == expected


@pytest.mark.parametrize("short", ("hold", "loop", "black"))
def test_a_clip_on_its_own_clock_ends_as_told(five, short, tmp_path):
    path, times = five[2]
    clock = np.arange(40) / 20 + 0.003  # 30 frames of 30 fps and what follows the end at 1 s
    compose_grid([Clip(path)], tmp_path / "grid.mp4", tile=TILE, fps=30, gap=GAP, short=short, sync="times", times=[clock])
    for t, (tile,) in zip(clock, tiles_of(tmp_path / "grid.mp4", 1, 1), strict=True):
        if t < 0.95:
            assert read_code(tile) == (nearest(times, t), 2)
        elif t > 1 and short == "black":
            assert tile.max() < 12
        elif t > 1:
            assert read_code(tile) == (29 if short == "hold" else nearest(times, t - 1), 2)


def test_same_clip_in_two_tiles(five, tmp_path):
    clip = Clip(five[2][0])
    compose_grid([clip, clip], tmp_path / "grid.mp4", rows=2, cols=1, tile=TILE, fps=30, gap=0)
    for k, tiles in enumerate(tiles_of(tmp_path / "grid.mp4", 2, 1, gap=0)):
        assert [read_code(tile) for tile in tiles] == [(k, 2)] * 2


def test_trimmed_clip_starts_at_its_window(five, tmp_path):
    compose_grid([Clip(five[1][0], 0.4, 0.4)], tmp_path / "grid.mp4", tile=TILE, fps=25)
    assert [read_code(tiles[0])[0] for tiles in tiles_of(tmp_path / "grid.mp4", 1, 1)] == list(range(10, 20))


@pytest.mark.parametrize(
    ("count", "rows", "cols", "shape"),
    [(1, None, None, (1, 1)), (2, None, None, (1, 2)), (3, None, None, (1, 3)), (4, None, None, (2, 2)), (5, None, None, (2, 3)), (6, None, None, (2, 3)),
     (7, None, None, (2, 4)), (9, None, None, (3, 3)), (10, None, None, (3, 4)), (6, 3, None, (3, 2)), (6, None, 1, (6, 1)), (2, 4, 5, (4, 5))],
)  # fmt: skip
def test_shape(count, rows, cols, shape):
    assert grid_shape(count, rows, cols) == shape


def test_turned_and_wide_clips_lie_right_in_their_tiles(tmp_path):
    turned = set_matrix(write_clip(tmp_path / "turned.mp4", [np.rot90(coded_upright()) for _ in range(3)], options={"crf": "1"}), 0, 1, -1, 0)
    compose_grid([Clip(turned)], tmp_path / "grid.mp4", tile=(200, 96), crf=4, fps=25)
    tile = next(Clip(tmp_path / "grid.mp4").frames()).image
    np.testing.assert_allclose(tile[:, :19].astype(int) - (16, 16, 20), 0, atol=6)
    assert read_code(tile[:, 20:180]) == (5, 3)
    compose_grid([Clip(turned)], tmp_path / "grid.mp4", tile=(64, 96), crf=4, fps=25, fit="crop")
    # The middle 64 of 160 columns: bars 3 to 6 of 10, with the bits of 5 (0b101) and 3 (0b11) all outside.
    assert next(Clip(tmp_path / "grid.mp4").frames()).image.mean() == pytest.approx(30, abs=4)


def coded_upright():
    from video_samples import coded

    return coded(5, 3)


@pytest.mark.parametrize("how", [{"colorspace": 5, "color_range": 1}, {"colorspace": 1, "color_range": 2}, {"codec": "ffv1", "pix_fmt": "bgr0"}])
def test_colour_is_brought_to_the_composites(tmp_path, how):
    patches = np.array([[200, 40, 40], [40, 180, 60], [50, 60, 210], [220, 200, 30], [128, 128, 128], [245, 245, 245]], np.uint8)
    how = {"codec": "ffv1", "pix_fmt": "yuv444p", **how}
    path = tmp_path / "colour.mkv"
    if how["pix_fmt"] == "yuv444p":
        kr, kb = (0.299, 0.114) if how["colorspace"] == 5 else (0.2126, 0.0722)
        red, green, blue = patches.T / 255
        luma = kr * red + (1 - kr - kb) * green + kb * blue
        full = how["color_range"] == 2
        scale, offset = (255, 0) if full else (219, 16)
        chroma = (255 if full else 224) * np.stack([(blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)]) + 128
        values, source = np.stack([offset + scale * luma, *chroma]), "yuv444p"
        image = values.round().astype(np.uint8)[:, None].repeat(64, 1).repeat(16, 2)
    else:
        image, source = patches[None].repeat(64, 0).repeat(16, 1), "rgb24"
    write_clip(path, [image] * 2, source=source, **how)
    compose_grid([Clip(path)], tmp_path / "grid.mp4", tile=(96, 64), crf=1, fps=25)
    seen = next(Clip(tmp_path / "grid.mp4").frames()).image[32, 8::16]
    # Two conversions in eight bits, two levels each.
    np.testing.assert_allclose(seen.astype(int), patches, atol=5)


def test_alpha_lies_on_black(tmp_path):
    rgba = np.full((64, 96, 4), 255, np.uint8)
    rgba[:, 48:, 3] = 0
    path = write_clip(tmp_path / "a.mov", [rgba] * 2, codec="png", pix_fmt="rgba", source="rgba")
    compose_grid([Clip(path)], tmp_path / "grid.mp4", tile=(96, 64), fps=25)
    image = next(Clip(tmp_path / "grid.mp4").frames()).image
    assert image[:, :44].min() > 240 and image[:, 52:].max() < 12


def test_title_covers_the_foot_of_its_own_tile_only(five, tmp_path):
    clips = [Clip(path) for path, _ in five[:2]]
    compose_grid(clips, tmp_path / "plain.mp4", tile=(320, 192), gap=GAP, crf=10)
    compose_grid(clips, tmp_path / "titled.mp4", tile=(320, 192), gap=GAP, crf=10, titles=["Cover drive", " "])
    plain = next(tiles_of(tmp_path / "plain.mp4", 1, 2, (320, 192)))
    titled = next(tiles_of(tmp_path / "titled.mp4", 1, 2, (320, 192)))
    tall = draw_title("Cover drive", 320, 192).shape[0]
    change = np.abs(plain[0].astype(int) - titled[0])
    assert change[-tall:].mean() > 15 and change[: -tall - 8].max() < 12
    assert np.abs(plain[1].astype(int) - titled[1]).max() < 12


@pytest.mark.parametrize("text", ["Cover drive", "élan", "\u65e5\u672c\u8a9e \u30b7\u30e7\u30c3\u30c8", "\u0627\u0631\u062f\u0648 \u0634\u0627\u0679", "\U0001f3cf", "\u0007\n\t x", "W" * 300, "é" * 300])
@pytest.mark.parametrize("size", [(480, 270), (16, 16), (1920, 1080)])
def test_titles_in_any_script_fit(text, size):
    strip = draw_title(text, *size)
    height, width, channels = strip.shape
    assert (width, channels) == (size[0], 4) and height % 2 == 0 and height <= size[1]
    # The backing is dark, letters are white; where there is room for some they stand out.
    assert strip[-1, 0, 3] == pytest.approx(184, abs=2) and strip[-1, 0, 0] == 0
    if size[0] > 16:
        assert strip[..., 0].max() > 240
        assert (strip[:, -size[0] // 40 :, 0] == 0).all()


def test_arguments_that_do_not_match(five, tmp_path):
    clips = [Clip(path) for path, _ in five]
    for said, how in (
        ("5 clips don't fit into 2×2 tiles", {"rows": 2, "cols": 2}),
        ("has no tiles", {"rows": 0}),
        ("There are 1 titles for 5 clips", {"titles": ["a"]}),
        ("There are 0 marks for 5 clips", {"sync": "mark"}),
        ("is outside 0.mp4", {"sync": "mark", "marks": [9, 0, 0, 0, 0]}),
        ("use start, mark or times", {"sync": "middle"}),
        ("There are 0 clocks for 5 clips", {"sync": "times"}),
        ("0.mp4 would run backwards", {"sync": "times", "times": [[1.0, 0.5]] * 5}),
        ("1 that are not finite", {"sync": "times", "times": [[0.0, np.nan]] * 5}),
        ("clocks have 1 to 2 frames", {"sync": "times", "times": [[0.0], *[[0.0, 0.1]] * 4]}),
        ("use hold, loop or black", {"short": "explode"}),
        ("can't be composed", {"tile": (4, 4)}),
        ("Fit 'squash' is unknown", {"fit": "squash"}),
    ):
        with pytest.raises(KineticsError, match=said):
            compose_grid(clips, tmp_path / "grid.mp4", **how)
    with pytest.raises(KineticsError, match="at least one clip"):
        compose_grid([], tmp_path / "grid.mp4")
    assert list(tmp_path.iterdir()) == []


def test_cancel_stops_at_once_and_leaves_nothing(five, tmp_path):
    calls = []

    def cancel(done, total):
        calls.append((done, total))
        if done == 7:
            raise KeyboardInterrupt

    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        compose_grid([Clip(path) for path, _ in five], tmp_path / "grid.mp4", tile=TILE, short="loop", progress=cancel)
    assert calls == [(k, 60) for k in range(1, 8)]
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == threads


def test_losses_and_errors_come_through(five, tmp_path):
    data = bytearray(five[1][0].read_bytes())
    for position, size, _ in packets_of(five[1][0])[20:23]:
        data[position : position + size] = b"\xff" * size
    (tmp_path / "scratched.mp4").write_bytes(data)
    report = compose_grid([Clip(tmp_path / "scratched.mp4"), Clip(five[0][0])], tmp_path / "grid.mp4", tile=TILE)
    assert len(report.losses) == 1 and "scratched.mp4: 3 packets" in report.losses[0]
    threads = threading.active_count()
    with pytest.raises(KineticsError, match="between 5 s and 6 s"):
        compose_grid([Clip(five[0][0]), Clip(five[1][0], 5, 1)], tmp_path / "other.mp4", tile=TILE)
    assert threading.active_count() == threads and not (tmp_path / "other.mp4").exists()


@pytest.mark.parametrize(
    ("picture", "canvas", "fit", "size", "at"),
    [
        ((1280, 720), (480, 270), "letterbox", (480, 270), (0, 0)),
        ((720, 1280), (480, 270), "letterbox", (152, 270), (164, 0)),
        ((640, 480), (480, 270), "crop", (480, 360), (0, -46)),
        ((1920, 800), (480, 270), "letterbox", (480, 200), (0, 34)),
        ((100, 900), (480, 270), "stretch", (480, 270), (0, 0)),
    ],
)
def test_placement(picture, canvas, fit, size, at):
    assert place(picture, canvas, fit, multiple=2) == (size, at)
