"""Broadcast graphics that never move with the camera: a score bar, a channel's logo, a watermark."""

from __future__ import annotations

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_DUPLEX


def draw_overlays(picture: np.ndarray, t: float) -> None:
    """Draw onto ``picture`` (H, W, 3) float32, 0-255, in place; ``t`` seconds drive nothing but the clock of the score bar."""
    height, width = picture.shape[:2]
    unit = height / 720.0
    top, bottom = int(646 * unit), int(694 * unit)

    def bar(x0: float, x1: float, colour) -> None:
        picture[top:bottom, int(x0 * width) : int(x1 * width)] = colour

    def text(words: str, x: float, y: float, scale: float, colour) -> None:
        cv2.putText(picture, words, (int(x * width), int(y * unit)), _FONT, scale * unit, colour, max(1, round(1.6 * unit)), cv2.LINE_AA)

    bar(0.05, 0.95, (34, 28, 92))
    bar(0.05, 0.14, (226, 178, 40))
    bar(0.14, 0.30, (244, 244, 246))
    bar(0.80, 0.95, (178, 30, 48))
    text("CK XI", 0.060, 678, 0.85, (24, 24, 40))
    text("138-2", 0.165, 678, 1.0, (24, 24, 60))
    text("Overs 16.4   Run rate 8.28", 0.33, 678, 0.85, (240, 240, 246))
    text(f"LIVE {int(t):02d}", 0.825, 678, 0.85, (250, 250, 250))
    x0, x1, y0, y1 = int(0.865 * width), int(0.965 * width), int(28 * unit), int(82 * unit)
    picture[y0:y1, x0:x1] = (244, 246, 250)
    text("KINETICS", 0.872, 62, 0.66, (176, 30, 44))
    mark = picture.copy()
    cv2.putText(
        mark, "CORRELATED", (int(0.36 * width), int(600 * unit)), _FONT, 1.9 * unit, (255, 255, 255), max(1, round(4 * unit)), cv2.LINE_AA
    )
    picture += 0.3 * (mark - picture)
