"""What a camera, a broadcaster and a codec do to the drawn picture, alike for the three frames of a sample."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np


def degrade(rng: np.random.Generator, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The frames (n, n, 3) uint8 as a clip shows them: exposure, contrast, colour cast, resolution, grain, coding, sharpening, softness."""
    size = len(frames[0])
    curve = _tone_curve(rng)
    resolution = float(np.exp(rng.uniform(np.log(0.35), 0))) if rng.random() < 0.32 else 1.0
    small = max(int(size * resolution), 24)
    grain = rng.uniform(0, 7) if rng.random() < 0.5 else 0.0
    quality = int(rng.uniform(22, 96)) if rng.random() < 0.85 else 0
    soft = rng.uniform(0.3, 1.3) if rng.random() < 0.4 else 0.0
    halo = rng.uniform(0.3, 1.3) if rng.random() < 0.35 else 0.0
    paint = int(rng.choice([3, 5])) if rng.random() < 0.15 else 0
    cubic = rng.random() < 0.5
    saturation = rng.uniform(0.4, 1.3)
    grey_weights = np.full((3, 3), (1 - saturation) / 3, np.float32) + np.eye(3, dtype=np.float32) * saturation
    shown = []
    for frame in frames:
        picture = cv2.transform(cv2.LUT(frame, curve), grey_weights)
        if small < size:
            picture = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
        elif soft:
            picture = cv2.GaussianBlur(picture, (0, 0), soft)
        if grain:
            cell = rng.normal(0, grain, (small, small)).astype(np.float32)
            picture = np.clip(picture + cell[..., None] + 0.5, 0, 255).astype(np.uint8)
        if paint:
            picture = cv2.medianBlur(picture, paint)
        if quality:
            coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        if small < size:
            picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR)
        if halo:
            picture = cv2.addWeighted(picture, 1 + halo, cv2.GaussianBlur(picture, (0, 0), 1.3), -halo, 0)
        shown.append(picture)
    return shown


def _tone_curve(rng: np.random.Generator) -> np.ndarray:
    """(256, 1, 3) look-up table: contrast, brightness, gamma, colour cast."""
    x = np.arange(256) / 255
    contrast, bright, gamma = rng.uniform(0.65, 1.25), rng.uniform(-0.1, 0.14), rng.uniform(0.7, 1.35)
    tone = np.clip((x - 0.5) * contrast + 0.5 + bright, 0, 1) ** gamma
    return np.clip(255 * tone[:, None, None] * rng.uniform(0.88, 1.1, 3), 0, 255).astype(np.uint8)
