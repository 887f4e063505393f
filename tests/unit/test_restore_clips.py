"""Restoration of whole clips with a known truth: fields, grain, softness, blocks, times, and what can be wrong with the input."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from kinetics.cli import main
from kinetics.errors import KineticsError
from kinetics.restore.bat_motion import BatMotion
from kinetics.restore.condition import measure_condition
from kinetics.restore.pipeline import RestoreSettings, restore_clip, restore_frames
from kinetics.synthetic import default_scene
from kinetics.synthetic.render import Renderer
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

HEIGHT, WIDTH, FRAMES = 96, 160, 10


def world(seed: int = 0) -> np.ndarray:
    """A field of soft texture and hard-edged boxes, grey, larger than the picture."""
    chance = np.random.default_rng(seed)
    plane = cv2.GaussianBlur(chance.normal(size=(HEIGHT + 64, WIDTH + 128)), (0, 0), 2.0)
    plane = 120 + 20 * plane / plane.std()
    for x, y, w, h, grey in ((30, 30, 40, 18, 60), (120, 20, 26, 40, 190), (180, 80, 50, 30, 80), (70, 90, 30, 30, 170)):
        plane[y : y + h, x : x + w] = grey
    return cv2.GaussianBlur(plane, (0, 0), 0.5).astype(np.float32)


def pan(count: int = FRAMES, step: float = 1.3) -> np.ndarray:
    """(count, H, W) float32: the camera pans by ``step`` px a picture, a quarter as much down."""
    plane, grid = world(), np.dstack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))).astype(np.float32)
    return np.stack([cv2.remap(plane, grid + np.float32([8 + step * k, 8 + step * k / 4]), None, cv2.INTER_CUBIC) for k in range(count)])


def write(path, pictures: np.ndarray, fps: float = 25) -> Clip:
    """Grey pictures, without loss but for rounding."""
    with VideoWriter(path, pictures.shape[2], pictures.shape[1], fps, crf=0, preset="ultrafast") as writer:
        for picture in pictures:
            writer.write(np.repeat((picture + 0.5).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return Clip(path)


def weave(fields: np.ndarray, first: int) -> np.ndarray:
    """Pictures of two fields each: rows of parity ``first`` from the earlier one."""
    woven = fields[::2].copy()
    woven[:, 1 - first :: 2] = fields[1::2, 1 - first :: 2]
    return woven


def grain(pictures: np.ndarray, sigma: float = 12) -> np.ndarray:
    return pictures + sigma * np.random.default_rng(1).normal(size=pictures.shape)


def restored(clip: Clip, settings: RestoreSettings | None = None) -> tuple[list[float], np.ndarray]:
    settings = settings or RestoreSettings()
    times, images = zip(*restore_frames(clip, measure_condition(clip, settings.scan), settings), strict=True)
    return list(times), np.stack(images)[..., 1].astype(np.float32)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Without the rim of 6 px, which the pan brings in."""
    return float(10 * np.log10(255**2 / np.mean((a - b)[:, 6:-6, 6:-6] ** 2)))


def test_clean_clip_comes_out_as_it_is(tmp_path):
    clip = write(tmp_path / "clean.mp4", pan())
    condition = measure_condition(clip)
    assert (condition.scan, condition.grain, condition.blocks) == ("progressive", 0.0, 0.0)
    for frame, (t, image) in zip(clip.frames(), restore_frames(clip, condition), strict=True):
        assert t == frame.t and np.array_equal(image, frame.image)


def test_grain_is_measured_and_averaged_away(tmp_path):
    truth = pan()
    clip = write(tmp_path / "grain.mp4", grain(truth))
    # The decoder's matrix and clipping take a little off; 10 % is what the threshold of the shrinkage forgives.
    assert measure_condition(clip).grain == pytest.approx(12, rel=0.1)
    times, images = restored(clip)
    noisy = np.stack([frame.image for frame in clip.frames()])
    assert times == [frame.t for frame in clip.frames()]
    best = max(
        psnr(cv2.fastNlMeansDenoisingColoredMulti(list(noisy), 5, 5, None, h, h, 7, 21)[None, ..., 1].astype(np.float32), truth[5:6]) for h in (7, 12)
    )
    assert psnr(images[5:6], truth[5:6]) > best + 1.5
    assert psnr(images, truth) > psnr(noisy[..., 1].astype(np.float32), truth) + 8


def test_fast_bar_is_not_smeared_by_its_neighbours(tmp_path):
    truth = pan()
    for k, picture in enumerate(truth):
        picture[30:70, 6 + 10 * k : 12 + 10 * k] = 30
    clip = write(tmp_path / "bar.mp4", grain(truth))
    _, images = restored(clip)
    for k in range(3, 8):
        bar = np.s_[30:70, 6 + 10 * k : 12 + 10 * k]
        # The bar moves by more than its width: whatever a neighbour lends is 90 grey levels off.
        assert abs(images[k][bar].mean() - 30) < 6


@pytest.mark.parametrize(("first", "name"), [(0, "top field first"), (1, "bottom field first")])
def test_fields_are_found_and_made_whole(tmp_path, first, name):
    fields = pan(2 * FRAMES, 0.9)
    clip = write(tmp_path / "woven.mp4", weave(fields, first))
    assert measure_condition(clip).scan == name
    times, images = restored(clip, RestoreSettings(field_rate=True))
    assert times == pytest.approx(np.arange(2 * FRAMES) / 50, abs=1e-6)
    # At the frame rate the first field's moment is shown.
    fewer = restored(clip)
    assert fewer[0] == pytest.approx(np.arange(FRAMES) / 25, abs=1e-6) and np.array_equal(fewer[1], images[::2])
    graph = av.filter.Graph()
    ends = graph.add_buffer(width=WIDTH, height=HEIGHT, format="yuv420p", time_base=Fraction(1, 25)), graph.add("bwdif", f"parity={first}"), graph.add("buffersink")
    ends[0].link_to(ends[1])
    ends[1].link_to(ends[2])
    graph.configure()
    for k, (_, _, picture) in enumerate(clip.pictures()):
        picture.pts, picture.time_base = k, Fraction(1, 25)
        graph.push(picture)
    peer = np.stack([graph.pull().to_ndarray(format="rgb24")[..., 1].astype(np.float32) for _ in range(2 * FRAMES - 4)])
    inner = slice(4, 2 * FRAMES - 4)
    assert psnr(images[inner], fields[inner]) > psnr(peer[inner], fields[inner]) + 1.5


def test_whole_frames_said_to_be_fields_are_done_as_told_and_said(tmp_path):
    clip = write(tmp_path / "whole.mp4", pan())
    report = restore_clip(clip, tmp_path / "out.mp4", RestoreSettings("top field first"))
    assert "as you said" in report.notes[0] and "whole frames" in report.notes[1]
    assert report.frames == FRAMES


def test_softness_is_measured_and_taken_back(tmp_path):
    truth = pan()
    soft = np.stack([cv2.GaussianBlur(picture, (0, 0), 1.3) for picture in truth])
    clip = write(tmp_path / "soft.mp4", soft)
    # 1.3 px on top of the 0.5 px of the edges themselves; the pan's cubic adds a little.
    assert measure_condition(clip).blur == pytest.approx(np.hypot(1.3, 0.5), rel=0.2)
    assert psnr(restored(clip)[1], truth) > psnr(soft, truth) + 2


def test_coder_blocks_are_found_and_smoothed(tmp_path):
    truth = pan()
    with av.open(str(tmp_path / "blocks.mpg"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"g": "6", "qmin": "16", "qmax": "16", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in truth:
            grey = np.repeat((picture + 0.5).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    clip = Clip(tmp_path / "blocks.mpg")
    assert measure_condition(clip).blocks > 0
    before = np.stack([frame.image for frame in clip.frames()])[..., 1].astype(np.float32)
    assert psnr(restored(clip)[1], truth) > psnr(before, truth) + 0.3


def test_one_frame_and_odd_sizes(tmp_path):
    picture = grain(pan(1))[:, :95, :157]
    with av.open(str(tmp_path / "one.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 157, 95, "yuv444p"
        grey = np.repeat(picture[0].clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    for scan in ("auto", "top field first"):
        report = restore_clip(Clip(tmp_path / "one.mkv"), tmp_path / "out.mp4", RestoreSettings(scan))
        assert report.frames == 1 and Clip(report.path).info.frame_count == 1


def test_cancel_and_bad_input_leave_nothing(tmp_path):
    clip = write(tmp_path / "clip.mp4", grain(pan(6)))

    def cancel(done: int, total: int) -> None:
        if done > 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        restore_clip(clip, tmp_path / "out" / "made.mp4", progress=cancel)
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes()[:200])
    with pytest.raises(KineticsError, match=r"broken\.mp4"):
        restore_clip(Clip(tmp_path / "broken.mp4"), tmp_path / "out" / "made.mp4")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(KineticsError, match="scan"):
        RestoreSettings("sideways")
    with pytest.raises(KineticsError, match="denoise"):
        RestoreSettings(denoise=-1)


def test_command_line_restores_and_enlarges(tmp_path, capsys):
    write(tmp_path / "grainy.mp4", grain(pan(4)))
    out = tmp_path / "clean.mp4"
    assert main(["restore", str(tmp_path / "grainy.mp4"), "-o", str(out), "--upscale", "2"]) == 0
    info = Clip(out).info
    assert (info.width, info.height, info.frame_count) == (2 * WIDTH, 2 * HEIGHT, 4) and capsys.readouterr().out.strip() == str(out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone.mp4"], "gone.mp4"),
        (["grainy.mp4", "--denoise", "nan"], "nan"),
        (["grainy.mp4", "--sharpen", "7"], "7"),
        (["grainy.mp4", "--upscale", "1000"], "choose a smaller size"),
    ],
)
def test_command_line_says_what_is_wrong(tmp_path, capsys, arguments, says):
    write(tmp_path / "grainy.mp4", pan(2))
    assert main(["restore", str(tmp_path / arguments[0]), "-o", str(tmp_path / "out.mp4"), *arguments[1:]]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("kinetics restore: ") and says in told and not (tmp_path / "out.mp4").exists()


def test_fast_bat_is_kept_better_where_it_is_told(tmp_path):
    """Round the impact of a drawn cover drive, within 10 px of the bat."""
    scene = default_scene("cover_drive", 0, (320, 180), None)
    renderer = Renderer(scene, 25.0, 0.5, 0.0, seed=(0, 0))
    first = round(scene.stroke.impact * 25) - 4
    truth = np.stack([renderer.frame(first + k) for k in range(9)])
    ends = scene.truth(renderer.t[first : first + 9])
    hands, tip = ends.point_px("hands"), ends.point_px("bat_tip")
    near = np.zeros(truth.shape[:3], np.uint8)
    for k in range(9):
        cv2.line(near[k], *(tuple(int(v) for v in end[k]) for end in (hands, tip)), 1, 20)
    path = tmp_path / "stroke.mp4"
    with VideoWriter(path, 320, 180, 25, crf=0, preset="ultrafast") as writer:
        for picture in grain(truth.astype(np.float32)):
            writer.write((picture + 0.5).clip(0, 255).astype(np.uint8))
    clip, errors = Clip(path), []
    condition, inner = measure_condition(clip), slice(2, -2)
    for bat in (None, BatMotion(np.arange(9) / 25, hands, tip, (320, 180))):
        made = np.stack([image for _, image in restore_frames(clip, condition, bat=bat)])
        errors.append(np.mean((made.astype(np.float32) - truth)[inner][near[inner] > 0] ** 2))
    # 0.3 dB: benchmarks/restore.py finds 1.0 on this shot, 0.1 to 1.0 over shots and kinds of damage. Untold, a soft bat is averaged with the ground it left.
    assert errors[1] < 10**-0.03 * errors[0]
