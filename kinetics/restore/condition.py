"""What is wrong with a clip, measured from the clip itself at a few places: fields, grain, blocks, softness."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from ..errors import Progress
from ..video.decode import Clip
from ..video.flow import find_flow, pixel_grid, trust_round_trip, warp
from ..video.picture import RgbMaker
from .blocks import measure_blocks
from .dct import SIDE, blocks_of
from .interlace import CombCounter, FieldSplitter, luma
from .sharpen import measure_blur

#: Places of the clip that are looked at, and in how many of them grain is measured.
_PLACES, _MEASURED = 24, 6
#: Grain below this (grey levels) is none: rounding and the codec alone make as much.
CLEAN = 0.8
#: And below this in fields, whose missing rows are never quite right.
_CLEAN_FIELDS = 1.6
#: The median of a squared normal variable is this part of its variance.
_MEDIAN_SQUARE = 0.4549
#: A frame less the mean of two neighbours, brought to it by cubics: variance of that over the frame's own.
_AGAINST_TWO = 1.4
#: Interpolated rows have less grain: variance of a recorded field over that of its whole picture.
_FIELD = 1.22


@dataclass(frozen=True)
class Condition:
    """What a clip suffers from.

    Attributes
    ----------
    scan : str
        How its pictures are stored, as found or as told: one of :data:`.interlace.SCANS` but ``auto``.
    looks : str
        How they look: the same, found in any case.
    grain : float
        Standard deviation of luma's grain, grey levels; 0 where the clip is clean.
    spectrum : (3, 64)
        Variance of the grain of luma, Cr, Cb in each coefficient of an 8×8 cosine block.
    blocks : float
        Standard deviation of the coding noise that goes with the blocks seen, grey levels; 0 where none are.
    blur : float
        Standard deviation of the softness at the sharper edges, px; NaN where there are no edges.
    """

    scan: str
    looks: str
    grain: float
    spectrum: np.ndarray
    blur: float
    blocks: float = 0.0


def measure_condition(clip: Clip, scan: str = "auto", progress: Progress | None = None) -> Condition:
    """Look at up to 24 places of a clip, in one pass.

    Parameters
    ----------
    clip : Clip
    scan : str
        What the clip is said to be; ``auto``: find out.
    progress : callable, optional
        ``progress(done, total)`` per frame.

    Raises
    ------
    KineticsError
        When the clip can't be read.
    """
    count = clip.info.frame_count
    every = max(1, (count - 2) // _PLACES)
    combs, places, recent = CombCounter(), [], deque(maxlen=3)
    for index, t, picture in clip.pictures():
        recent.append((t, picture))
        if len(recent) == 3 and (index - 2) % every == 0:
            combs.add(*(luma(each) for _, each in recent))
            places.append(tuple(recent))
        if progress:
            progress(index + 1, max(count, index + 1))
    found = combs.scan if scan == "auto" else scan
    places = places or [tuple(recent)]
    chosen = places[len(places) // (2 * _MEASURED) :: max(1, -(-len(places) // _MEASURED))]
    make_rgb, splitter = RgbMaker(clip.layout), FieldSplitter(found, clip.layout, clip.name)
    squares, softness, coded = [], [], []
    for place in chosen:
        frames = [cv2.cvtColor(make_rgb(field.picture).astype(np.float32), cv2.COLOR_RGB2YCrCb) for field in islice(splitter.split(place), 0, None, 1 if found == "progressive" else 2)]
        rest, mean = _unexplained(frames)
        squares.append(_flat_squares(rest, mean))
        softness.append((frames[len(frames) // 2][..., 0], mean[..., 0]))
        coded += [measure_blocks(luma(picture), rows=found == "progressive") for _, picture in place]
    squares = np.concatenate(squares, axis=1)
    few = squares.shape[1] < 8
    spectrum = np.zeros((3, SIDE**2), np.float32) if few else np.median(squares, axis=1) / (_MEDIAN_SQUARE * _AGAINST_TWO)
    if found != "progressive":
        spectrum = spectrum * _FIELD
    # The mean grey of a block says how the light changed, not how grainy it is: its grain is that of the coefficients next to it.
    spectrum[:, 0] = (spectrum[:, 1] + spectrum[:, SIDE]) / 2
    grain = float(np.sqrt(spectrum[0].mean()))
    least = CLEAN if found == "progressive" else _CLEAN_FIELDS
    # The mean of three is a little softer than one of them, but has less grain.
    blur = [measure_blur(mean if grain >= least else own, grain) for own, mean in softness]
    known = [value for value in blur if np.isfinite(value)]
    softness = float(np.median(known)) if known else float("nan")
    return Condition(found, combs.scan, grain if grain >= least else 0.0, spectrum.astype(np.float32), softness, float(np.median(coded)))


def _unexplained(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What the middle frame of three shows beyond its neighbours along the motion, and the mean of the three."""
    if len(frames) < 3:
        return np.zeros((0, 0, 3), np.float32), frames[0]
    before, own, after = frames
    guides = [cv2.GaussianBlur(frame[..., 0], (0, 0), 1.5).clip(0, 255).astype(np.uint8) for frame in frames]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grid, others, trusts = pixel_grid(own.shape[:2]), [], []
    for guide, frame in ((guides[0], before), (guides[2], after)):
        there, back = find_flow(dis, guides[1], guide), find_flow(dis, guide, guides[1])
        others.append(warp(frame, grid + there))
        trusts.append(trust_round_trip(there, back, grid))
    rest = own - (others[0] + others[1]) / 2
    rest[np.minimum(*trusts) < 0.5] = np.nan
    return rest, (own + others[0] + others[1]) / 3


def _flat_squares(rest: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Squared coefficients (3, N, 64) of what is unexplained, in the blocks with least texture that are neither black nor white."""
    if not rest.size or min(rest.shape[:2]) < SIDE:
        return np.zeros((3, 0, SIDE**2), np.float32)
    coefficients = np.stack([blocks_of(np.ascontiguousarray(rest[..., k]), SIDE) for k in range(3)]).reshape(3, -1, SIDE**2)
    shown = blocks_of(cv2.GaussianBlur(mean[..., 0], (0, 0), 1.0), SIDE).reshape(-1, SIDE**2)
    grey, texture = shown[:, 0] / SIDE, (shown[:, 1:] ** 2).sum(axis=1)
    use = np.isfinite(coefficients).all(axis=(0, 2)) & (grey > 20) & (grey < 235)
    if not use.any():
        return np.zeros((3, 0, SIDE**2), np.float32)
    use &= texture <= np.quantile(texture[use], 0.4)
    return coefficients[:, use] ** 2
