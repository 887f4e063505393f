"""Warping error: none for pictures that move as a whole, the noise's own for noisy ones, flicker told."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.score.steadiness import measure_steadiness


def texture(size: int = 96, seed: int = 0) -> np.ndarray:
    """Soft blobs, so that a shift by half a pixel is well defined."""
    noise = np.random.default_rng(seed).normal(size=(size, size, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 3)
    return 128 + 50 * soft / soft.std()


def shifted(picture: np.ndarray, by: tuple[float, float], size: int = 64) -> np.ndarray:
    matrix = np.float32([[1, 0, -16 - by[0]], [0, 1, -16 - by[1]]])
    return np.clip(cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC), 0, 255)


def as_picture(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def test_a_still_picture_has_no_error():
    found = measure_steadiness([as_picture(shifted(texture(), (0, 0)))] * 3)
    assert found.error.tolist() == [0, 0] and found.mean == 0 and (found.occluded < 0.01).all()


def test_motion_is_no_unsteadiness():
    """A shift of 1.5 px a frame: of the 10 grey levels that neighbours differ by, interpolation and rounding leave less than one."""
    frames = [as_picture(shifted(texture(), (1.5 * k, -0.7 * k))) for k in range(5)]
    plain = np.abs(np.diff(np.array(frames, float), axis=0)).mean()
    found = measure_steadiness(frames)
    assert plain > 10 and found.mean < 1 and (found.occluded < 0.2).all()


def test_flicker_is_told_at_its_size():
    """Every other frame brighter by 6: the error is 6, within what flow can hide in a texture (a tenth)."""
    frames = [as_picture(shifted(texture(), (1.5 * k, 0)) * 0.7 + 6 * (k % 2)) for k in range(6)]
    assert measure_steadiness(frames).mean == pytest.approx(6, rel=0.1)


def test_noise_is_told():
    """Two frames' independent noise of sigma differ by sqrt(2) sigma · sqrt(2/pi) on average; flow and interpolation take at most a third
    off."""
    chance = np.random.default_rng(1)
    clean = shifted(texture(), (0, 0))
    error = [measure_steadiness([as_picture(clean + chance.normal(0, sigma, clean.shape)) for _ in range(4)]).mean for sigma in (2, 6)]
    for sigma, value in zip((2, 6), error, strict=True):
        assert 0.65 * 2 * sigma / np.sqrt(np.pi) < value < 1.1 * 2 * sigma / np.sqrt(np.pi)


def test_what_is_covered_does_not_count():
    """A square of another texture runs 4 px a frame over a still one: the strips that it covers and uncovers are left out, at least as much as one of them."""
    back, square = as_picture(shifted(texture(192), (0, 0), 160)), as_picture(shifted(texture(seed=9), (0, 0), 48))
    frames = []
    for k in range(3):
        frame = back.copy()
        frame[50:98, 8 + 4 * k : 56 + 4 * k] = square
        frames.append(frame)
    plain = np.abs(np.diff(np.array(frames, float), axis=0)).mean()
    found = measure_steadiness(frames)
    assert (found.occluded > 48 * 4 / 160**2).all() and (found.occluded < 0.2).all()
    assert found.mean < plain / 3  # plain is the difference of the frames as they are


def test_pictures_are_compared_small_and_bad_ones_refused():
    frames = [as_picture(shifted(texture(), (0, 0)))] * 2
    assert measure_steadiness(frames, side=16).mean == 0
    with pytest.raises(KineticsError, match="at least two frames"):
        measure_steadiness(frames[:1])
    with pytest.raises(KineticsError, match="frames of one size"):
        measure_steadiness([frames[0], frames[0][:32]])


def test_a_cut_is_left_out():
    found = measure_steadiness([as_picture(shifted(texture(seed=seed), (0, 0))) for seed in (0, 5)])
    assert np.isnan(found.mean) or found.occluded[0] > 0.5
