"""Clips brought to one rate, one canvas and one length, truly by their own clocks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from ..errors import KineticsError, Progress
from ..files import write_beside
from .decode import Clip
from .encode import VideoWriter
from .picture import RgbMaker, Scaler
from .placement import Fit, paste, place
from .repeats import RepeatFinder, RepeatReport, find_repeats
from .resample import on_screen
from .timing import as_rate


@dataclass(frozen=True)
class NormaliseReport:
    """What became of one clip. ``notes``: sentences on everything that was done to it or is odd about it."""

    path: Path
    fps_in: Fraction
    fps_out: Fraction
    frames_in: int
    frames_out: int
    duration: float
    size: tuple[int, int]
    notes: tuple[str, ...]


def normalise_clips(
    clips: Sequence[Clip],
    outputs: Sequence[str | os.PathLike],
    fps: Fraction | float = 25,
    size: tuple[int, int] | None = None,
    fit: Fit = "letterbox",
    crop: tuple[int, int, int, int] | None = None,
    start: float = 0.0,
    duration: float = 0.0,
    common_duration: Literal["none", "shortest", "longest"] = "none",
    slow_motion: float = 1.0,
    drop_repeats: bool = False,
    crf: int = 14,
    progress: Progress | None = None,
) -> list[NormaliseReport]:
    """Write each clip at ``fps`` on a canvas of ``size``: output frame k shows what was on screen at k/fps by the clip's own clock.

    Parameters
    ----------
    clips : sequence of Clip
    outputs : sequence of path
        One .mp4 per clip. They appear together at the end, or none does.
    fps : number
        Output rate.
    size : (W, H), optional
        Canvas in pixels; each clip's own size, after cropping, when left out.
    fit : {"letterbox", "crop", "stretch"}
        How the picture meets the canvas; bars are black.
    crop : (x, y, w, h), optional
        Part of the picture to use, in pixels of the upright source.
    start, duration : float
        Part of each clip to use, in seconds of its own clock; 0 means from the beginning, to the end.
    common_duration : {"none", "shortest", "longest"}
        Leave lengths; cut all to the shortest; let all reach the longest by holding their last frame.
    slow_motion : float
        How many times slower than life the clips play: 4 for quarter speed. Times are divided by it, so the output runs at real speed.
    drop_repeats : bool
        Leave out frames that repeat the one before, and spread what a regular pattern (telecine) showed unevenly. Decodes twice.
    crf : int
        x264's constant quality.
    progress : callable, optional
        Called once per frame read and once per frame written.

    Raises
    ------
    KineticsError
        When clips and outputs don't match, an output is twice there, a crop lies outside the picture, a clip can't be read.
    """
    rate = as_rate(fps)
    _check(clips, outputs, rate, size, common_duration, slow_motion)
    parts = [clip.trimmed(start, duration) for clip in clips]
    lengths = [part.info.duration / slow_motion for part in parts]
    target = {"none": None, "shortest": min(lengths), "longest": max(lengths)}[common_duration]
    counts = [max(1, round((length if target is None else target) * rate)) for length in lengths]
    tally = _Tally(progress, sum(counts) + (sum(part.info.frame_count for part in parts) if drop_repeats else 0))
    with ExitStack() as stack:
        beside = [stack.enter_context(write_beside(output)) for output in outputs]
        return [
            _normalise(part, path, Path(output), rate, count, size, fit, crop, slow_motion, drop_repeats, crf, tally)
            for part, path, output, count in zip(parts, beside, outputs, counts, strict=True)
        ]


def _check(clips, outputs, rate: Fraction, size, common_duration: str, slow_motion: float) -> None:
    if not clips:
        raise KineticsError("There is no clip to normalise; connect one.")
    if len(clips) != len(outputs):
        raise KineticsError(f"There are {len(outputs)} outputs for {len(clips)} clips; give one per clip.")
    if len({Path(output).resolve() for output in outputs}) != len(outputs):
        raise KineticsError("Two clips would be written to the same file; give each its own output.")
    if rate <= 0:
        raise KineticsError(f"A rate of {float(rate):g} fps can't be written; give one above 0.")
    if size is not None and min(size) < 2:
        raise KineticsError(f"A canvas of {size[0]}×{size[1]} pixels is too small; give at least 2×2.")
    if not (np.isfinite(slow_motion) and slow_motion > 0):
        raise KineticsError(f"A slow-motion factor of {slow_motion} has no meaning; give 1 for real speed, 4 for quarter speed.")
    if common_duration not in ("none", "shortest", "longest"):
        raise KineticsError(f"A common duration of {common_duration!r} is unknown; use none, shortest or longest.")


class _Tally:
    """Adds the frames of several passes up for one progress call."""

    def __init__(self, progress: Progress | None, total: int):
        self._progress, self._total, self._done = progress, total, 0

    def step(self, *_: int) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, max(self._total, self._done))


def _normalise(
    clip: Clip, path: Path, output: Path, rate: Fraction, count: int, size: tuple[int, int] | None, fit: Fit,
    crop: tuple[int, int, int, int] | None, slow_motion: float, drop_repeats: bool, crf: int, tally: _Tally,
) -> NormaliseReport:  # fmt: skip
    info = clip.info
    fitter = _Fitter(clip, size, fit, crop)
    slack = clip.slack / slow_motion
    end = float((count - 1) / rate) + slack
    finder = RepeatFinder()
    repeats = find_repeats(clip, tally.step) if drop_repeats else None
    length = info.duration / slow_motion
    due = shown = again = 0

    def items() -> Iterator[tuple[float, av.VideoFrame]]:
        nonlocal due
        for t, picture in _timed(clip, repeats):
            if repeats is None:
                finder.add(t, picture)
            due += t / slow_motion <= end
            yield t / slow_motion, picture

    with VideoWriter(path, *fitter.canvas, rate, crf=crf) as writer, closing(items()) as source:
        for k, (picture, is_new) in enumerate(on_screen(source, (float(k / rate) for k in range(count)), slack)):
            if is_new:
                image = fitter(picture)
                shown += 1
            else:
                again += float(k / rate) + slack < length
            writer.write(image)
            tally.step()
    found = repeats or finder.report(clip.name, info.fps)
    notes = _clock_notes(clip, rate, slow_motion, count, due - shown, again) + fitter.notes
    if found.sentence:
        notes.append(found.sentence + (f" {int(found.repeats.sum())} of them were left out." if drop_repeats else ""))
    return NormaliseReport(output, info.fps, rate, info.frame_count, count, float(count / rate), fitter.canvas, (*notes, *clip.losses))


def _timed(clip: Clip, repeats: RepeatReport | None) -> Iterator[tuple[float, av.VideoFrame]]:
    """(t, picture) of a clip; without its repeats, at the times of those that stay, when these are given."""
    if repeats is None:
        yield from ((t, picture) for _, t, picture in clip.pictures())
        return
    times = iter(repeats.kept_times())
    for index, _, picture in clip.pictures():
        if not repeats.repeats[index]:
            yield float(next(times)), picture


def _clock_notes(clip: Clip, rate: Fraction, slow_motion: float, count: int, left_out: int, again: int) -> list[str]:
    info, notes = clip.info, []
    length, written = info.duration / slow_motion, float(count / rate)
    if slow_motion != 1:
        notes.append(f"{clip.name}: plays {slow_motion:g}× slower than life; its times were divided by {slow_motion:g}.")
    if info.variable_rate:
        slowest, fastest = info.rate_range
        notes.append(
            f"{clip.name}: the rate varies from {slowest:.2f} to {fastest:.2f} fps ({float(info.fps):.2f} on average); "
            f"each frame written shows what was on screen at its time."
        )
    if left_out or again:
        notes.append(
            f"{clip.name}: {float(info.fps * Fraction(slow_motion)):.5g} fps brought to {float(rate):.5g}: "
            f"{left_out} frames left out, {again} shown again."
        )
    if written > length + 1 / rate:
        notes.append(f"{clip.name}: its last frame is held for {written - length:.2f} s to reach {written:.2f} s.")
    elif written < length - 1 / rate:
        notes.append(f"{clip.name}: cut from {length:.2f} s to {written:.2f} s.")
    return notes


class _Fitter:
    """Crops, scales and places the pictures of one clip on its canvas."""

    def __init__(self, clip: Clip, size: tuple[int, int] | None, fit: Fit, crop: tuple[int, int, int, int] | None):
        width, height = clip.layout.size
        self._crop = (0, 0, width, height) if crop is None else tuple(int(side) for side in crop)
        x, y, w, h = self._crop
        if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
            where = f"{clip.name} ({width}×{height})"
            raise KineticsError(f"The crop {w}×{h} at ({x}, {y}) is not inside {where}; give x, y, width, height within it.")
        self.canvas = (w, h) if size is None else (int(size[0]), int(size[1]))
        self._place = place((w, h), self.canvas, fit)
        self._make_rgb = RgbMaker(clip.layout)
        self._scaler = Scaler()
        self.notes = self._bars(clip.name)

    def _bars(self, name: str) -> list[str]:
        wide, high = (whole - side for whole, side in zip(self.canvas, self._place.size, strict=True))
        side = f"{abs(wide)} px of width" if wide else f"{abs(high)} px of height"
        if wide > 0 or high > 0:
            return [f"{name}: padded to {self.canvas[0]}×{self.canvas[1]}, {side} in black bars."]
        if wide < 0 or high < 0:
            return [f"{name}: cropped to {self.canvas[0]}×{self.canvas[1]}, {side} cut off."]
        return []

    def __call__(self, picture: av.VideoFrame) -> np.ndarray:
        x, y, w, h = self._crop
        image = np.ascontiguousarray(self._make_rgb(picture)[y : y + h, x : x + w])
        if self._place.size != (w, h):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            image = self._scaler(frame, self._place.size, "rgb24").to_ndarray()
        if self._place.size == self.canvas:
            return image
        canvas = np.zeros((self.canvas[1], self.canvas[0], 3), np.uint8)
        paste(canvas, image, self._place.at)
        return canvas
