"""Files that are not what they should be: one clear sentence, or what can be had and a word on what can't."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import av
import numpy as np
import pytest
from video_samples import coded_clip, packets_of, read_code, write_clip

from kinetics.errors import KineticsError
from kinetics.video.decode import Clip


def refusal(clip: Clip) -> str:
    """The sentence a clip is refused with; asking for facts and for frames has to give the same one."""
    with pytest.raises(KineticsError) as by_info:
        _ = clip.info
    with pytest.raises(KineticsError) as by_frames:
        list(clip.frames())
    said = str(by_info.value)
    assert said == str(by_frames.value)
    assert "\n" not in said and said.endswith(".") and clip.name in said
    return said


def test_missing_file(tmp_path):
    assert "There is no file" in refusal(Clip(tmp_path / "nowhere.mp4"))


def test_folder(tmp_path):
    assert "is not a file" in refusal(Clip(tmp_path))


def test_empty_file(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "is empty (0 bytes)" in refusal(Clip(path))
    assert "is empty (0 bytes)" in refusal(Clip(io.BytesIO(), name="upload"))


@pytest.mark.parametrize("name", ["notes.mp4", "notes.avi", "notes.txt"])
def test_text_is_not_a_video(tmp_path, name):
    path = tmp_path / name
    path.write_text("Cover drives want a high elbow.\n" * 200)
    assert "give a clip such as an .mp4" in refusal(Clip(path))


def test_noise_is_not_a_video(tmp_path):
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    assert "not a video that can be read" in refusal(Clip(path))


def test_address_is_not_opened():
    assert "There is no file" in refusal(Clip("http://127.0.0.1:9/clip.mp4"))


def test_cut_off_before_its_index(tmp_path):
    path = coded_clip(tmp_path / "phone.mp4", 30)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 200])
    assert "is cut off: its index" in refusal(Clip(path))
    assert "is cut off: its index" in refusal(Clip(io.BytesIO(path.read_bytes()), name="upload"))


def test_sound_only(tmp_path):
    path = tmp_path / "commentary.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for k in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "holds sound only" in refusal(Clip(path))


def test_no_frame_decodes(tmp_path):
    path = coded_clip(tmp_path / "ruined.mp4", 20)
    data = bytearray(path.read_bytes())
    for position, size, _ in packets_of(path):
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    assert "No frame of ruined.mp4 can be decoded" in refusal(Clip(path))


@pytest.mark.parametrize("threads", [0, 1])
def test_corrupt_packets_in_the_middle(tmp_path, threads):
    path = coded_clip(tmp_path / "scratched.mp4", 80, options={"g": "20", "bf": "0"})
    data = bytearray(path.read_bytes())
    # The frames just before the key frame at 40, so that nothing that builds on them is left.
    for position, size, _ in packets_of(path)[37:40]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    clip = Clip(path)
    seen = [round(t * 25) for _, t, _ in clip.pictures(threads)]
    assert seen == [k for k in range(80) if k not in (37, 38, 39)]
    assert clip.losses == [
        "scratched.mp4: 3 packets between 1.48 s and 1.56 s could not be decoded; those frames are missing, "
        "and frames that build on them, up to the next key frame, may be smeared."
    ]
    # What is left shows the right pictures, and a window that holds no damage reports none.
    assert [read_code(frame.image)[0] for frame in clip.frames()] == seen
    later = Clip(path, start=1.6)
    assert len(list(later.frames())) == 40 and later.losses == []


def test_losses_are_told_when_reading_stops_early(tmp_path):
    path = coded_clip(tmp_path / "scratched.mp4", 60, options={"g": "1", "bf": "0"})
    data = bytearray(path.read_bytes())
    position, size, _ = packets_of(path)[10]
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    clip = Clip(path)
    frames = clip.frames()
    while next(frames).t < 1.5:
        pass
    frames.close()
    assert len(clip.losses) == 1 and "1 packet at 0.40 s" in clip.losses[0]


def test_pictures_that_stand_alone_smear_nothing(tmp_path):
    path = coded_clip(tmp_path / "tape.avi", 20, codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    position, size, _ = packets_of(path)[5]
    data[position : position + size] = bytes(size)
    path.write_bytes(data)
    clip = Clip(path)
    assert [read_code(frame.image)[0] for frame in clip.frames()] == [k for k in range(20) if k != 5]
    assert clip.losses == ["tape.avi: 1 packet at 0.20 s could not be decoded; that frame is missing."]


def test_corrupt_packets_without_times(tmp_path):
    """H.264 with B-frames in AVI: no frame says when it is due, so the loss is counted, not placed."""
    path = coded_clip(tmp_path / "old.avi", 60, options={"bf": "2", "g": "10"})
    data = bytearray(path.read_bytes())
    for position, size, _ in packets_of(path)[28:30]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    clip = Clip(path)
    numbers = [read_code(frame.image)[0] for frame in clip.frames()]
    assert 56 <= len(numbers) < 60 and numbers[:20] == list(range(20))
    assert "2 packets without a time of their own could not be decoded" in clip.losses[0]


def test_cut_off_behind_its_index(tmp_path):
    path = coded_clip(tmp_path / "download.mp4", 100, options={"g": "10", "bf": "2"}, muxer={"movflags": "faststart"})
    packets = packets_of(path)
    path.write_bytes(path.read_bytes()[: packets[60][0]])
    clip = Clip(path)
    numbers = [read_code(frame.image)[0] for frame in clip.frames()]
    shown = sorted(round(t * 25) for _, _, t in packets[:60])
    assert numbers == shown
    assert not clip.info.variable_rate
    assert clip.losses[0].startswith("download.mp4 ends early: 40 of its 100 frames are missing")


def test_matroska_cut_off(tmp_path):
    path = coded_clip(tmp_path / "stream.mkv", 200, size=(320, 192), options={"g": "10", "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    clip = Clip(path)
    numbers = [read_code(frame.image)[0] for frame in clip.frames()]
    assert 0 < len(numbers) < 190 and numbers == list(range(len(numbers)))
    assert "stream.mkv ends early: it states 8.00 s" in clip.losses[0]


def test_clock_that_steps_back(tmp_path):
    """Two MPEG-TS recordings one after the other: the second starts its clock anew."""
    first = coded_clip(tmp_path / "a.ts", 20, options={"bf": "0"})
    second = coded_clip(tmp_path / "b.ts", 20, clip=1, options={"bf": "0"})
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    clip = Clip(path)
    frames = list(clip.frames())
    assert [read_code(frame.image) for frame in frames] == [(k, clip) for clip in (0, 1) for k in range(20)]
    np.testing.assert_allclose([frame.t for frame in frames], np.arange(40) / 25, atol=1e-9)
    assert clip.info.frame_count == 40 and clip.info.duration == pytest.approx(1.6)
    assert clip.losses == [
        "both.ts: 20 frames between 0.80 s and 1.56 s had no time later than the frame before; each was placed 40 ms after it."
    ]


def test_stream_without_times(tmp_path):
    path = write_clip(tmp_path / "raw.h264", [np.full((32, 32, 3), 10 * k, np.uint8) for k in range(10)], options={"bf": "0"})
    clip = Clip(path)
    frames = list(clip.frames())
    np.testing.assert_allclose([frame.t for frame in frames], np.arange(10) * float(1 / clip.info.fps), atol=1e-9)


def test_nothing_is_written_to_standard_error(tmp_path, capfd):
    path = coded_clip(tmp_path / "scratched.mp4", 30)
    data = bytearray(path.read_bytes())
    for position, size, _ in packets_of(path)[10:14]:
        data[position + 4 : position + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    capfd.readouterr()
    list(Clip(path).frames())
    assert capfd.readouterr() == ("", "")


def test_file_without_permission(tmp_path, monkeypatch):
    path = coded_clip(tmp_path / "locked.mp4", 2)
    # Set in the question, not on the file: tests may run as a user whom permissions don't bind.
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "can't be read; check its permissions" in refusal(Clip(path))


def test_trim_window_after_the_end(tmp_path):
    clip = Clip(coded_clip(tmp_path / "short.mp4", 10, tick=Fraction(1, 25)), start=3, duration=1)
    with pytest.raises(KineticsError, match=r"No frame of short\.mp4 between 3 s and 4 s can be decoded"):
        list(clip.frames())
