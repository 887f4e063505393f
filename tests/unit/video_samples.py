"""Clips that carry their own truth: every picture holds its number and its clip's as black and white bars."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
#: Levels of a 0 and a 1, far enough apart for any codec and scaler.
LOW, HIGH = 30, 220


def coded(number: int, clip: int = 0, size: tuple[int, int] = (160, 96)) -> np.ndarray:
    """(H, W, 3) picture: upper half the number, lower half the clip's number, each as ten bars, least bit first."""
    width, height = size
    bars = np.arange(width) * BITS // width
    rows = [np.where((value >> bars) & 1, HIGH, LOW) for value in (number, clip)]
    grey = np.repeat(np.array(rows, np.uint8), [height // 2, height - height // 2], axis=0)
    return np.repeat(grey[..., None], 3, axis=2)


def read_code(image: np.ndarray) -> tuple[int, int]:
    """(number, clip) of a picture that fills the array, at any size."""
    grey = image.astype(float).mean(axis=2)
    height, width = grey.shape
    columns = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    numbers = []
    for centre in (height // 4, 3 * height // 4):
        bits = grey[centre - 1 : centre + 2][:, columns].mean(axis=0) > (LOW + HIGH) / 2
        numbers.append(int((bits << np.arange(BITS)).sum()))
    return numbers[0], numbers[1]


def write_clip(
    path: Path, images, ticks=None, tick: Fraction = Fraction(1, 25), codec: str = "libx264", pix_fmt: str = "yuv420p",
    source: str = "rgb24", options: dict | None = None, muxer: dict | None = None, **context,
) -> Path:  # fmt: skip
    """Write pictures at ``ticks`` (0, 1, 2, … when left out) of ``tick`` seconds; ``context`` sets the encoder's fields."""
    frames = [av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=source) for image in images]
    ticks = range(len(frames)) if ticks is None else ticks
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=1 / tick, options=options or {})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pix_fmt
        stream.codec_context.time_base = tick
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for frame, pts in zip(frames, ticks, strict=True):
            if source != pix_fmt:
                frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = int(pts), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def coded_clip(path: Path, count: int, clip: int = 0, size: tuple[int, int] = (160, 96), **how) -> Path:
    return write_clip(path, (coded(k, clip, size) for k in range(count)), **how)


def packets_of(path: Path) -> list[tuple[int, int, float]]:
    """(position, size, seconds) of each packet, in the order of the file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(packet.pos, packet.size, float(packet.pts * packet.time_base)) for packet in container.demux(stream) if packet.size]


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an MP4's track header, where PyAV can't."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    # Version and flags, times, track, reserved, duration (20 bytes, version 0), reserved 8, layer, group, volume, reserved.
    at += 4 + 20 + 8 + 8
    one = 1 << 16
    data[at : at + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path
