"""Clips side by side: R×C tiles, titled, started together or lined up on a marked instant."""

from __future__ import annotations

import itertools
import math
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from ..errors import KineticsError, Progress
from .decode import Clip
from .encode import VideoWriter
from .picture import Layout, RgbMaker, Scaler, has_alpha
from .placement import Placement, paste, place
from .resample import check_times, on_screen, switch_midway
from .timing import as_rate
from .titles import draw_title

#: Pictures a clip's thread may be ahead of the composition: enough to ride out a slow frame, little memory.
AHEAD = 8

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class GridReport:
    """What was composed. ``offsets``: seconds by which each clip starts after the composite; ``losses``: what could not be decoded."""

    path: Path
    rows: int
    cols: int
    size: tuple[int, int]
    fps: Fraction
    frames: int
    duration: float
    offsets: tuple[float, ...]
    losses: tuple[str, ...]


def grid_shape(count: int, rows: int | None = None, cols: int | None = None) -> tuple[int, int]:
    """Rows and columns for ``count`` clips: those given, the rest computed; up to three in a row, then as square as can be, wide first.

    Raises
    ------
    KineticsError
        When the clips don't fit.
    """
    if count < 1:
        raise KineticsError("A grid needs at least one clip; connect one.")
    if min(side for side in (rows, cols, 1) if side is not None) < 1:
        raise KineticsError(f"A grid of {rows} rows and {cols} columns has no tiles; give 1 or more of each.")
    if rows is None and cols is None:
        rows = 1 if count <= 3 else math.isqrt(count)
    if cols is None:
        cols = -(-count // rows)
    if rows is None:
        rows = -(-count // cols)
    if rows * cols < count:
        raise KineticsError(f"{count} clips don't fit into {rows}×{cols} tiles; take fewer clips or more rows or columns.")
    return rows, cols


def compose_grid(
    clips: Sequence[Clip],
    output: str | os.PathLike,
    rows: int | None = None,
    cols: int | None = None,
    tile: tuple[int, int] = (480, 270),
    fps: Fraction | float = 30,
    titles: Sequence[str] | None = None,
    sync: Literal["start", "mark", "times"] = "start",
    marks: Sequence[float] | None = None,
    times: Sequence[np.ndarray] | None = None,
    short: Literal["hold", "loop", "black"] = "hold",
    fit: Literal["letterbox", "crop"] = "letterbox",
    gap: int = 4,
    background: tuple[int, int, int] = (16, 16, 20),
    crf: int = 18,
    preset: str = "fast",
    progress: Progress | None = None,
) -> GridReport:
    """Compose clips into one .mp4 of ``rows`` × ``cols`` tiles, filled row by row; tiles left over show the background.

    Parameters
    ----------
    clips : sequence of Clip
        Any number. The same clip may stand in several tiles.
    output : path
        The .mp4 to write; whole or absent.
    rows, cols : int, optional
        See ``grid_shape``.
    tile : (W, H)
        Pixels of a tile, rounded up to even.
    fps : number
        Rate of the composite. Each tile shows the frame that is on screen at that instant by the clip's own clock.
    titles : sequence of str, optional
        One per clip, drawn over the foot of its tile; an empty one draws nothing.
    sync : {"start", "mark", "times"}
        Start together; delay clips, holding their first frame, so that their marks coincide; or let each clip run on a clock of its own.
    marks : sequence of float, optional
        Seconds from the start of each clip; needed for ``sync="mark"``.
    times : sequence of (frames,) arrays, optional
        Seconds of each clip to show in each frame of the composite, never going back; needed for ``sync="times"``, see
        :meth:`kinetics.compare.in_step.InStep.frame_times`. The frame nearest in time is shown, so that frames taken nearest to one
        instant are seen together; before 0 the clip's first.
    short : {"hold", "loop", "black"}
        What a clip that ends before the longest does: hold its last frame, start again, or go dark.
    fit : {"letterbox", "crop"}
        How a picture meets the tile.
    gap : int
        Pixels between tiles, rounded up to even.
    background : (R, G, B)
        Colour of gaps, bars and empty tiles.
    crf, preset
        Of x264.

    Raises
    ------
    KineticsError
        When clips don't fit, titles or marks don't match the clips, a clip can't be read, the output can't be written.
    """
    rows, cols = grid_shape(len(clips), rows, cols)
    tile = tuple(_even(side) for side in tile)
    gap = _even(gap)
    if min(tile) < 16 or gap < 0:
        what = f"Tiles of {tile[0]}×{tile[1]} pixels with a gap of {gap}"
        raise KineticsError(f"{what} can't be composed; give at least 16×16 and a gap of 0 or more.")
    if titles is not None and len(titles) != len(clips):
        raise KineticsError(f"There are {len(titles)} titles for {len(clips)} clips; give one per clip.")
    if short not in ("hold", "loop", "black"):
        raise KineticsError(f"Short clips can't {short!r}; use hold, loop or black.")
    rate = as_rate(fps)
    if sync == "times":
        instants = _own_times(clips, times)
        offsets = [float(np.searchsorted(at, 0.0) / rate) for at in instants]
    else:
        offsets = _offsets(clips, sync, marks)
        instants = _delayed(clips, offsets, rate)
    frames = len(instants[0])
    size = (cols * tile[0] + (cols - 1) * gap, rows * tile[1] + (rows - 1) * gap)
    canvas = _blank(size, background)
    stop = threading.Event()
    threads = max(1, (os.cpu_count() or 1) // len(clips))
    with VideoWriter(output, *size, rate, crf=crf, preset=preset) as writer:
        tiles, feeds = [], []
        try:
            for number, (clip, shown_at) in enumerate(zip(clips, instants, strict=True)):
                maker = _TileMaker(clip, tile, fit, background, titles[number] if titles else "")
                feeds.append(_Feed(_play(clip, maker, short, threads, nearest=sync == "times"), stop))
                tiles.append(on_screen(feeds[-1], shown_at.tolist(), clip.slack))
            for k in range(frames):
                for number, shown in enumerate(tiles):
                    planes, is_new = next(shown)
                    if is_new:
                        row, col = divmod(number, cols)
                        x, y = col * (tile[0] + gap), row * (tile[1] + gap)
                        for part, (whole, plane) in enumerate(zip(_planes(canvas), planes, strict=True)):
                            paste(whole, plane, (x // 2, y // 2) if part else (x, y))
                writer.write_picture(av.VideoFrame.from_ndarray(canvas, format="yuv420p"))
                if progress:
                    progress(k + 1, frames)
        finally:
            stop.set()
            for feed in feeds:
                feed.thread.join()
    losses = tuple(dict.fromkeys(sentence for clip in clips for sentence in clip.losses))
    return GridReport(Path(output), rows, cols, size, rate, frames, float(frames / rate), tuple(offsets), losses)


def _even(value: int) -> int:
    return int(value) + int(value) % 2


def _offsets(clips: Sequence[Clip], sync: str, marks: Sequence[float] | None) -> list[float]:
    if sync == "start":
        return [0.0] * len(clips)
    if sync != "mark":
        raise KineticsError(f"Clips can't be lined up by {sync!r}; use start, mark or times.")
    if marks is None or len(marks) != len(clips):
        count = 0 if marks is None else len(marks)
        raise KineticsError(f"There are {count} marks for {len(clips)} clips; give one instant in seconds per clip.")
    for clip, mark in zip(clips, marks, strict=True):
        if not 0 <= mark <= clip.info.duration:
            where = f"{clip.name} ({clip.info.duration:.2f} s)"
            raise KineticsError(f"The mark at {mark:g} s is outside {where}; give an instant within the clip.")
    return [max(marks) - mark for mark in marks]


def _delayed(clips: Sequence[Clip], offsets: Sequence[float], rate: Fraction) -> list[np.ndarray]:
    """Seconds of each clip in each frame of the composite when it starts that much later."""
    duration = max(offset + clip.info.duration for offset, clip in zip(offsets, clips, strict=True))
    grid = np.array([float(k / rate) for k in range(max(1, round(duration * rate)))])
    return [grid - offset for offset in offsets]


def _own_times(clips: Sequence[Clip], times: Sequence[np.ndarray] | None) -> list[np.ndarray]:
    if times is None or len(times) != len(clips):
        raise KineticsError(f"There are {0 if times is None else len(times)} clocks for {len(clips)} clips; give the times to show of each clip.")
    own = [check_times(at, clip.name) for clip, at in zip(clips, times, strict=True)]
    counts = sorted({len(at) for at in own})
    if len(counts) > 1:
        raise KineticsError(f"The clips' clocks have {counts[0]} to {counts[-1]} frames; give one time per frame of the composite for every clip.")
    return own


def _play(clip: Clip, maker: _TileMaker, short: str, threads: int, nearest: bool) -> Iterator[tuple[float, Planes]]:
    """Tiles of a clip with the seconds at which they appear, and what follows the clip's end; ``nearest``: half-way from the one before."""
    for turn in itertools.count():
        pictures = ((t, picture) for _, t, picture in clip.pictures(threads))
        for t, picture in switch_midway(pictures) if nearest else pictures:
            yield turn * clip.info.duration + t, maker(picture)
        if short != "loop":
            break
    if short == "black":
        yield clip.info.duration, maker.dark


class _Feed:
    """Runs an iterator in a thread of its own, a few items ahead; decoding and scaling leave Python's lock free."""

    def __init__(self, items: Iterator, stop: threading.Event):
        self._items = items
        self._stop = stop
        self._queue: queue.Queue = queue.Queue(AHEAD)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __iter__(self) -> Iterator:
        while True:
            kind, value = self._queue.get()
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                return

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put("item", item):
                    return
            self._put("end", None)
        except BaseException as error:
            self._put("error", error)
        finally:
            self._items.close()

    def _put(self, kind: str, value) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put((kind, value), timeout=0.05)
            except queue.Full:
                continue
            return True
        return False


class _TileMaker:
    """Scales, turns and titles the pictures of one clip into the planes of its tile."""

    def __init__(self, clip: Clip, tile: tuple[int, int], fit: str, background: tuple[int, int, int], title: str):
        self._layout = clip.layout
        self._place: Placement = place(self._layout.size, tile, fit, multiple=2)
        self._stored = self._place.size[::-1] if self._layout.transpose else self._place.size
        self._blank = _blank(tile, background)
        self._title = _TitleBlend(draw_title(title, *tile)) if title.strip() else None
        self._scaler = Scaler()
        self.dark = self._titled(_planes(_blank(tile, (0, 0, 0))))

    def __call__(self, picture: av.VideoFrame) -> Planes:
        if has_alpha(picture):
            picture = av.VideoFrame.from_ndarray(RgbMaker(Layout((picture.width, picture.height)))(picture), format="rgb24")
        scaled = self._scaler(picture, self._stored, "yuv420p")
        planes = _planes(self._blank.copy())
        for part, (plane, source) in enumerate(zip(planes, scaled.planes, strict=True)):
            half = 2 if part else 1
            rows = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)[: source.height, : source.width]
            paste(plane, self._layout.turn(rows), (self._place.at[0] // half, self._place.at[1] // half))
        return self._titled(planes)

    def _titled(self, planes: Planes) -> Planes:
        if self._title:
            self._title.blend(planes)
        return planes


class _TitleBlend:
    """A title strip laid over the foot of a tile, in fixed point."""

    def __init__(self, strip: np.ndarray):
        colour = np.moveaxis(_to_yuv(strip[..., :3]), -1, 0)
        alpha = strip[..., 3] / 255
        self._parts = []
        for part, plane in enumerate(colour):
            weight, value = (_halve(alpha), _halve(alpha * plane)) if part else (alpha, alpha * plane)
            self._parts.append(((256 * (1 - weight)).round().astype(np.uint16), (256 * value + 128).round().astype(np.uint16)))

    def blend(self, planes: Planes) -> None:
        for plane, (keep, add) in zip(planes, self._parts, strict=True):
            foot = plane[-keep.shape[0] :]
            foot[:] = np.minimum((foot * keep + add) >> 8, 255)


def _halve(plane: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    return plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def _to_yuv(rgb) -> np.ndarray:
    """RGB, 0-255, (..., 3) to Y'CbCr of BT.709, limited range (Rec. ITU-R BT.709-6, items 3.2 to 3.4 and 4.6)."""
    red, green, blue = np.moveaxis(np.asarray(rgb, dtype=np.float64) / 255, -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return np.stack([16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748], axis=-1)


def _blank(size: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray:
    """(3/2 H, W) yuv420p picture of one colour."""
    width, height = size
    canvas = np.empty((height * 3 // 2, width), np.uint8)
    for plane, value in zip(_planes(canvas), _to_yuv(colour), strict=True):
        plane[:] = round(value)
    return canvas


def _planes(canvas: np.ndarray) -> Planes:
    """Views of a (3/2 H, W) yuv420p picture: Y (H, W), U and V (H/2, W/2)."""
    height, width = canvas.shape[0] * 2 // 3, canvas.shape[1]
    u, v = canvas[height:].reshape(2, height // 2, width // 2)
    return canvas[:height], u, v
