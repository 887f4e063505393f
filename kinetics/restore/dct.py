"""Overlapping 8×8 cosine blocks: a picture's noise measured in them, and shrunk in them."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 8
#: A coefficient below this many standard deviations of the noise is noise.
_HARD = 2.7


def _basis() -> np.ndarray:
    """(64, 64): row k is the picture of coefficient k, orthonormal."""
    k, n = np.arange(SIDE)[:, None], np.arange(SIDE)[None]
    rows = np.sqrt(2 / SIDE) * np.cos(np.pi * (2 * n + 1) * k / (2 * SIDE))
    rows[0] = np.sqrt(1 / SIDE)
    return np.einsum("ai,bj->abij", rows, rows).reshape(SIDE**2, SIDE**2).astype(np.float32)


BASIS = _basis()


def blocks_of(plane: np.ndarray, stride: int) -> np.ndarray:
    """Cosine coefficients (rows, columns, 64) of the blocks of a plane (H, W) float32; the blocks begin every ``stride`` pixels."""
    height, width = ((side - SIDE) // stride + 1 for side in plane.shape)
    flat = np.empty((height, width, SIDE**2), np.float32)
    for y in range(SIDE):
        for x in range(SIDE):
            flat[..., y * SIDE + x] = plane[y : y + stride * height : stride, x : x + stride * width : stride][:height, :width]
    return flat @ BASIS.T


def lay_blocks(coefficients: np.ndarray, weights: np.ndarray, shape: tuple[int, int], stride: int) -> np.ndarray:
    """The plane (H, W) whose pixels are the weighted mean of the blocks that lie over them."""
    height, width = weights.shape
    pixels = (coefficients * weights[..., None]) @ BASIS
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for y in range(SIDE):
        for x in range(SIDE):
            part = np.s_[y : y + stride * height : stride, x : x + stride * width : stride]
            total[part][:height, :width] += pixels[..., y * SIDE + x]
            weight[part][:height, :width] += weights
    return total / np.maximum(weight, 1e-20)


def shrink_noise(plane: np.ndarray, left: np.ndarray, spectrum: np.ndarray, stride: int = 2) -> np.ndarray:
    """Take the noise out of a plane: a hard threshold first, then Wiener's gains from what that left, as BM3D does in its two steps.

    Parameters
    ----------
    plane : (H, W) float32
    left : (H, W) float32
        Part of the noise's variance that is left in each pixel.
    spectrum : (64,) float32
        Variance of the noise in each coefficient of a block (:data:`BASIS`), where ``left`` is 1.
    stride : int
        Pixels from block to block, at most 8.

    Returns
    -------
    (H, W) float32
    """
    height, width = plane.shape
    pad = [(SIDE, SIDE + -(side + SIDE) % stride) for side in (height, width)]
    padded, left = (np.pad(part, pad, mode="symmetric") for part in (plane, left))
    # The block at (y, x) has its middle at (y + 4, x + 4).
    around = cv2.blur(left, (SIDE, SIDE))[SIDE // 2 :: stride, SIDE // 2 :: stride]
    noisy = blocks_of(padded, stride)
    around = around[: noisy.shape[0], : noisy.shape[1]]
    noise = np.maximum(around[..., None] * spectrum, 1e-6)
    keep = noisy**2 > _HARD**2 * noise
    keep[..., 0] = True
    basic = lay_blocks(noisy * keep, 1 / (around * keep.sum(axis=-1) + 1e-6), padded.shape, stride)
    power = blocks_of(basic, stride) ** 2
    gain = power / (power + noise)
    gain[..., 0] = 1
    shrunk = lay_blocks(noisy * gain, 1 / ((gain**2 * noise).sum(axis=-1) + 1e-6), padded.shape, stride)
    return shrunk[SIDE : SIDE + height, SIDE : SIDE + width]
