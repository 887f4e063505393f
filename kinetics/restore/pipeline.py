"""A clip restored, frame by frame: fields made whole, grain averaged away along the motion, softness taken back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..errors import KineticsError, Progress
from ..video.decode import Clip
from ..video.encode import VideoWriter
from ..video.picture import RgbMaker
from .bat_motion import BatMotion
from .blocks import block_spectrum
from .condition import Condition, measure_condition
from .dct import SIDE, shrink_noise
from .denoise import Averager, Moment
from .interlace import SCANS, FieldSplitter
from .sharpen import SHARP, TOLERATED, find_smear, sharpen

#: Grain that fields are averaged with where there is none: what rounding leaves.
_ROUNDING = 0.3
#: Blocks are shrunk every so many pixels: luma, colours.
_STRIDES = (2, 4, 4)
#: No frequency is raised more than this: of a clean clip, of one whose grain was taken out, and of colours.
_MOST_CLEAN, _MOST_GRAINY, _MOST_COLOUR = 6.0, 3.0, 2.0
#: Frames that differ by this many times the coding noise may be averaged, and the part of its variance that averaging leaves.
_CODED, _CODED_LEFT = 2.5, 0.6


@dataclass(frozen=True)
class RestoreSettings:
    """What to do.

    Attributes
    ----------
    scan : str
        One of :data:`.interlace.SCANS`.
    field_rate : bool
        Of fields make as many frames; else one per recorded frame, at the time of its first field.
    denoise : float
        Part of the measured grain that is taken to be there: 1 as measured, 0 leaves it.
    sharpen : float
        Part of the measured softness that is taken back, 0-1.
    """

    scan: str = "auto"
    field_rate: bool = False
    denoise: float = 1.0
    sharpen: float = 1.0

    def __post_init__(self) -> None:
        if self.scan not in SCANS:
            raise KineticsError(f"A scan of {self.scan!r} is unknown; use one of {', '.join(SCANS)}.")
        for name, value, most in (("denoise", self.denoise, 3), ("sharpen", self.sharpen, 1)):
            if not 0 <= value <= most:
                raise KineticsError(f"A strength of {value:g} to {name} by has no meaning; give 0 to {most}.")


@dataclass(frozen=True)
class RestoreReport:
    """What was measured and done. ``notes``: sentences."""

    path: Path
    condition: Condition
    frames: int
    notes: tuple[str, ...]


def restore_clip(
    clip: Clip,
    output: str | os.PathLike,
    settings: RestoreSettings | None = None,
    *,
    bat: BatMotion | None = None,
    crf: int = 16,
    progress: Progress | None = None,
) -> RestoreReport:
    """Write a clip restored, at its own times. Sound is left out.

    Parameters
    ----------
    clip : Clip
    output : path
        The .mp4 to appear; nothing is left on an error or a cancel.
    settings : RestoreSettings
    bat : BatMotion, optional
        Where the bat is: frames are averaged less around it where it is fast.
    crf : int
        x264's constant quality.
    progress : callable, optional
        Called per frame measured and per frame written; may raise to cancel.

    Raises
    ------
    KineticsError
        When the clip can't be read, or the output not written.
    """
    settings = settings or RestoreSettings()
    info = clip.info
    doubled = 2 if settings.field_rate else 1
    total = (1 + doubled) * info.frame_count
    measured = 0

    def while_measuring(done: int, _: int) -> None:
        nonlocal measured
        measured = done
        if progress:
            progress(done, max(total, done))

    condition = measure_condition(clip, settings.scan, while_measuring)
    doubled = 2 if settings.field_rate and condition.scan != "progressive" else 1
    with VideoWriter(output, info.width, info.height, info.fps * doubled, crf=crf) as writer:
        for t, image in restore_frames(clip, condition, settings, bat=bat):
            writer.write(image, t)
            if progress:
                progress(measured + writer.frames, max(measured + doubled * info.frame_count, measured + writer.frames))
        frames = writer.frames
    return RestoreReport(Path(output), condition, frames, (*describe(condition, settings, clip.name), *clip.losses))


def restore_frames(
    clip: Clip, condition: Condition, settings: RestoreSettings | None = None, *, bat: BatMotion | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """(t, picture) of a clip restored, (H, W, 3) uint8 RGB. No more frames are held than two windows of seven.

    A clip that suffers from nothing comes out as it is, every pixel.
    """
    settings = settings or RestoreSettings()
    grain = settings.denoise * condition.grain
    fields = condition.scan != "progressive"
    soft = _softness(condition, settings)
    blocks = settings.denoise * condition.blocks
    if not (grain or blocks or fields or soft):
        yield from ((frame.t, frame.image) for frame in clip.frames())
        return
    moments = _moments(clip, condition.scan)
    interval = 1 / float(clip.info.fps) / (2 if fields else 1)
    if grain or blocks or fields:
        hold_back = partial(bat.hold_back, interval=interval) if bat else None
        # What a coder leaves differs from frame to frame more than grain of its size would.
        level = max(float(np.hypot(grain, _CODED * blocks)), _ROUNDING)
        moments = Averager(level, hold_back=hold_back).average(moments)
        moments = Averager(level, refine=True, hold_back=hold_back).average(moments)
    spectrum = settings.denoise**2 * condition.spectrum * (grain > 0) + block_spectrum(blocks)
    for number, moment in enumerate(moments):
        if fields and not settings.field_rate and number % 2:
            continue
        picture, left = moment.like, 0.0
        if grain or blocks:
            remains = (moment.left * grain**2 + _CODED_LEFT * blocks**2) / (grain**2 + blocks**2)
            left = 0.3 * float(np.sqrt(remains.mean() * (grain**2 + blocks**2)))
            if min(picture.shape[:2]) >= SIDE:
                picture = np.dstack([
                    shrink_noise(np.ascontiguousarray(picture[..., k]), remains, spectrum[k], _STRIDES[k]) for k in range(3)
                ])  # fmt: skip
        if soft:
            picture = _sharpen(picture, soft, left)
        yield moment.t, _to_rgb(picture)


def _moments(clip: Clip, scan: str) -> Iterator[Moment]:
    make_rgb = RgbMaker(clip.layout)
    pictures = ((t, picture) for _, t, picture in clip.pictures())
    for field in FieldSplitter(scan, clip.layout, clip.name).split(pictures):
        seen = cv2.cvtColor(make_rgb(field.picture).astype(np.float32), cv2.COLOR_RGB2YCrCb)
        yield Moment(field.t, seen, seen, field.known)


def _sharpen(picture: np.ndarray, soft: float, left: float) -> np.ndarray:
    """Luma and chroma sharpened, but for what is smeared."""
    keep = find_smear(np.ascontiguousarray(picture[..., 0]), soft, left)[..., None]
    most = _MOST_CLEAN if not left else _MOST_GRAINY
    sharp = np.dstack([sharpen(np.ascontiguousarray(picture[..., k]), soft, left, min(most, _MOST_COLOUR) if k else most) for k in range(3)])
    return sharp + keep * (picture - sharp)


def _to_rgb(picture: np.ndarray) -> np.ndarray:
    return (cv2.cvtColor(picture, cv2.COLOR_YCrCb2RGB) + 0.5).clip(0, 255).astype(np.uint8)


def _softness(condition: Condition, settings: RestoreSettings) -> float:
    """Softness to take back, px; 0 where the edges are sharp enough or unknown."""
    if not (settings.sharpen and condition.blur > SHARP + TOLERATED):
        return 0.0
    return float(np.sqrt(SHARP**2 + settings.sharpen * (condition.blur**2 - SHARP**2)))


def describe(condition: Condition, settings: RestoreSettings, name: str) -> tuple[str, ...]:
    """What was found and done, in sentences."""
    asked = "" if settings.scan == "auto" else ", as you said"
    if condition.scan == "progressive":
        said = [f"{name}: whole frames{asked}."]
    else:
        said = [f"{name}: interlaced, {condition.scan}{asked}; its fields were made whole along the motion."]
    if asked and condition.looks != condition.scan:
        looks = "whole frames" if condition.looks == "progressive" else f"interlaced, {condition.looks}"
        said.append(f"Its pictures look like {looks}: choose auto if the result is worse than the clip.")
    if condition.grain and settings.denoise:
        said.append(f"Grain of {condition.grain:.1f} grey levels (standard deviation) was averaged away along the motion.")
    elif condition.grain:
        said.append(f"Grain of {condition.grain:.1f} grey levels was left, as you asked.")
    else:
        said.append("No grain to speak of; none was taken away.")
    if condition.blocks and settings.denoise:
        said.append(f"Blocks of a coder, and {condition.blocks:.1f} grey levels of noise with them, were smoothed.")
    if _softness(condition, settings):
        said.append(f"Edges are soft by {condition.blur:.2f} px; brought towards {SHARP:.2f} px.")
    elif np.isfinite(condition.blur):
        said.append(f"Edges are soft by {condition.blur:.2f} px; not sharpened.")
    else:
        said.append("No edges to measure sharpness by; not sharpened.")
    return tuple(said)
