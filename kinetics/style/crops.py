"""Crops that hold the batter and the bat: one shape per shot of the camera, moving smoothly, inside the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError

#: Sides of a bucket are multiples of this: the latent's eight pixels times the U-Net's three halvings.
STEP = 64

#: The longest bucket is so many times as long as wide.
LONGEST = 2.0

#: Beyond the joints the body goes on (crown, pads, shoes), and a picture wants air: body heights on each side.
MARGIN = 0.10

#: Round the hands, where the bat's tip isn't known, body heights.
BAT_REACH = 0.35

#: A padded pixel counts as much as so many of the picture when a bucket is chosen.
PADDED = 5.0

#: The middle of the crop is smoothed by a Gaussian of this sigma, s; its size holds what is seen this long before and after, s, and
#: changes as slowly.
SMOOTH, HOLD = 0.25, 0.2


def make_buckets(resolution: int) -> tuple[tuple[int, int], ...]:
    """Sizes (W, H): multiples of 64, an area near ``resolution``², up to twice as long as wide.

    Raises
    ------
    KineticsError
        When the resolution isn't a multiple of 64 from 64 to 4096.
    """
    if resolution % STEP or not STEP <= resolution <= 4096:
        raise KineticsError(f"A resolution of {resolution} isn't possible; give a multiple of {STEP} up to 4096, like 512 or 1024.")
    widths = range(STEP, int(LONGEST * resolution) + 1, STEP)
    sizes = {(width, max(STEP, STEP * round(resolution**2 / width / STEP))) for width in widths}
    return tuple(sorted(size for size in sizes if max(size) <= LONGEST * min(size)))


def check_buckets(buckets: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Sizes that were given.

    Raises
    ------
    KineticsError
        When there is none, or a side isn't a multiple of 64.
    """
    sizes = tuple(tuple(int(side) for side in size) for size in buckets)
    if not sizes or any(len(size) != 2 or min(size) < STEP or size[0] % STEP or size[1] % STEP for size in sizes):
        raise KineticsError(f"Buckets {sizes} can't be used; give (width, height) in multiples of {STEP}.")
    return sizes


@dataclass(frozen=True)
class Crop:
    """One frame's crop: ``left``, ``top``, ``width``, ``height`` in pixels of the picture, whose first pixel reaches from 0 to 1, and its bucket.

    It has the bucket's shape. It may reach beyond the picture where no crop inside holds the batter; :func:`cut` pads there.
    """

    left: float
    top: float
    width: float
    height: float
    bucket: tuple[int, int]

    @property
    def scale(self) -> float:
        """Pixels of the bucket per pixel of the picture."""
        return self.bucket[1] / self.height

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine map from the picture's pixels to the bucket's, both counted from the middle of the first."""
        s = self.scale
        return np.array([[s, 0.0, s * (0.5 - self.left) - 0.5], [0.0, s, s * (0.5 - self.top) - 0.5]])


def plan_crops(
    points: np.ndarray, hands: np.ndarray, tip: np.ndarray, heights: np.ndarray, t: np.ndarray, stretch: np.ndarray, size: tuple[int, int],
    buckets: Sequence[tuple[int, int]],
) -> list[Crop | None]:  # fmt: skip
    """Crops for every frame in which the batter is seen.

    In each stretch between cuts one bucket is taken: the one that leaves least round the batter and
    hardly needs padding. The crop's middle follows him smoothly, its
    size changes slowly and always holds the joints and the tip; where it would leave the picture it is shifted, then its margin and
    the room for a bat that isn't seen shrink, and only then is it padded.

    Parameters
    ----------
    points : (T, K, 2) px
        Joints, NaN where missing.
    hands, tip : (T, 2) px
        NaN where unknown; without a tip there is room for a bat round the hands.
    heights : (T,) px
        Of the batter; NaN where he isn't seen: such frames have no crop.
    t : (T,) s
    stretch : (T,) int
        A number per stretch between cuts.
    size : (W, H)
        Of the picture.
    buckets : sequence of (W, H)
    """
    there = np.concatenate([points, hands[:, None], tip[:, None]], axis=1)
    reach = np.where(np.isnan(tip[:, :1]), BAT_REACH, 0.0) * heights[:, None]
    bare = _bounds(there, size)
    aired = _bounds(np.concatenate([there, (hands - reach)[:, None], (hands + reach)[:, None]], axis=1), size)
    seen = np.isfinite(points).any(axis=(1, 2)) & np.isfinite(heights)
    crops: list[Crop | None] = [None] * len(t)
    for number in np.unique(stretch):
        rows = np.flatnonzero((stretch == number) & seen)
        if len(rows):
            for row, crop in zip(rows, _plan_stretch(bare[rows], aired[rows], heights[rows], t[rows], size, buckets), strict=True):
                crops[row] = crop
    return crops


def cut(image: np.ndarray, crop: Crop) -> tuple[np.ndarray, np.ndarray]:
    """Cut a crop out of a picture and bring it to its bucket, by Lanczos' filter.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB or (H, W) uint8
    crop : Crop

    Returns
    -------
    image : (h, w[, 3]) uint8
        The bucket's size; beyond the picture its edge goes on.
    inside : (h, w) bool
        Where the picture is.
    """
    from PIL import Image

    height, width = image.shape[:2]
    right, bottom = crop.left + crop.width, crop.top + crop.height
    pad = [max(0, int(np.ceil(part))) for part in (-crop.top, bottom - height, -crop.left, right - width)]
    if any(pad):
        image = np.pad(image, ((pad[0], pad[1]), (pad[2], pad[3]), (0, 0))[: image.ndim], mode="edge")
    box = (crop.left + pad[2], crop.top + pad[0], right + pad[2], bottom + pad[0])
    box = tuple(float(np.clip(side, 0, limit)) for side, limit in zip(box, (image.shape[1], image.shape[0]) * 2, strict=True))
    scaled = np.asarray(Image.fromarray(image).resize(crop.bucket, Image.Resampling.LANCZOS, box=box))
    x = (np.arange(crop.bucket[0]) + 0.5) / crop.scale + crop.left
    y = (np.arange(crop.bucket[1]) + 0.5) / crop.scale + crop.top
    return scaled, ((y >= 0) & (y <= height))[:, None] & ((x >= 0) & (x <= width))[None, :]


def _bounds(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(T, 4) left, top, right, bottom of points (T, K, 2), inside the picture; those that are NaN don't count."""
    there = np.isfinite(points)
    low, high = np.where(there, points, np.inf).min(axis=1), np.where(there, points, -np.inf).max(axis=1)
    return np.clip(np.concatenate([low, high], axis=1), 0, np.array([*size, *size], float))


def _plan_stretch(
    bare: np.ndarray, aired: np.ndarray, heights: np.ndarray, t: np.ndarray, size: tuple[int, int], buckets: Sequence[tuple[int, int]]
) -> list[Crop]:  # fmt: skip
    """Crops (n,) that hold ``bare`` (n, 4), and ``aired`` with a margin where the picture has room for it."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

    interval = float(np.median(np.diff(t))) if len(t) > 1 else 1.0
    middle = gaussian_filter1d((bare[:, :2] + bare[:, 2:]) / 2, SMOOTH / interval, axis=0, mode="nearest")
    least, wanted = (np.maximum(middle - bounds[:, :2], bounds[:, 2:] - middle) for bounds in (bare, aired))
    wanted = wanted + MARGIN * heights[:, None]
    width = 2 * round(HOLD / interval) + 1

    def held(value: np.ndarray) -> np.ndarray:
        # Each of the maxima that are averaged spans the frame itself, so their mean is never below its own value.
        return uniform_filter1d(maximum_filter1d(value, width, mode="nearest"), width, mode="nearest")

    def boxes(bucket: tuple[int, int]) -> np.ndarray:
        """(n,) heights of the crops in this bucket's shape."""
        aspect = bucket[0] / bucket[1]
        lowest, tall = (held(2 * np.maximum(half[:, 1], half[:, 0] / aspect)) for half in (least, wanted))
        return np.minimum(tall, np.maximum(lowest, min(size[1], size[0] / aspect)))

    def cost(bucket: tuple[int, int]) -> float:
        tall = boxes(bucket)
        wide = tall * bucket[0] / bucket[1]
        beyond = np.maximum(tall - size[1], 0) * wide + np.maximum(wide - size[0], 0) * tall
        return float((tall * wide + PADDED * beyond).mean())

    bucket = min(buckets, key=cost)
    tall = np.maximum(boxes(bucket), 8.0)
    spans = np.stack([tall * bucket[0] / bucket[1], tall], axis=1)
    whole = np.array(size, float)
    corner = np.where(spans <= whole, np.clip(middle - spans / 2, 0, np.maximum(whole - spans, 0)), (whole - spans) / 2)
    return [Crop(float(x), float(y), float(w), float(h), bucket) for (x, y), (w, h) in zip(corner, spans, strict=True)]
