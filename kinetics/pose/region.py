"""A square window on the picture, and the exact way from its pixels back to the source's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .estimators import Person

#: Side of the crops that estimators are given: MediaPipe looks at 256 pixels of the person's surroundings within it.
CROP_SIZE = 384

#: A crop in which a person is to be recognised is this much wider than the joints, which end at the eyes and toes.
MARGIN = 1.5


@dataclass(frozen=True)
class Region:
    """A square of whole source pixels: top left corner and side. It may reach beyond the picture."""

    x: int
    y: int
    side: int

    @classmethod
    def around(cls, centre: np.ndarray, side: float) -> Region:
        """The square of about this side round a point."""
        whole = max(16, round(float(side)))
        return cls(round(float(centre[0]) + 0.5 - whole / 2), round(float(centre[1]) + 0.5 - whole / 2), whole)

    @property
    def centre(self) -> np.ndarray:
        return np.array((self.x, self.y), dtype=np.float64) + (self.side - 1) / 2

    def cut(self, image: np.ndarray, size: int = CROP_SIZE) -> np.ndarray:
        """(size, size, 3) uint8: the window resampled, black outside the picture."""
        height, width = image.shape[:2]
        left, top = max(0, self.x), max(0, self.y)
        right, bottom = min(width, self.x + self.side), min(height, self.y + self.side)
        if right <= left or bottom <= top:
            return np.zeros((size, size, 3), np.uint8)
        window = image[top:bottom, left:right]
        if window.shape[:2] != (self.side, self.side):
            window = cv2.copyMakeBorder(
                window, top - self.y, self.y + self.side - bottom, left - self.x, self.x + self.side - right, cv2.BORDER_CONSTANT
            )
        if self.side == size:
            return np.ascontiguousarray(window)
        return cv2.resize(window, (size, size), interpolation=cv2.INTER_AREA if self.side > 1.5 * size else cv2.INTER_LINEAR)

    def to_source(self, person: Person, size: int = CROP_SIZE) -> Person:
        """Joints in the crop's pixels as source pixels; pixel centres are whole numbers in both."""
        return Person((person.xy + 0.5) * (self.side / size) - 0.5 + (self.x, self.y), person.conf)

    def to_crop(self, person: Person, size: int = CROP_SIZE) -> Person:
        """Joints in source pixels as the crop's pixels."""
        return Person((person.xy - (self.x, self.y) + 0.5) * (size / self.side) - 0.5, person.conf)

    def share_inside(self, person: Person) -> float:
        """Share of the person's joints (source pixels) that lie in the window."""
        there = person.xy[np.isfinite(person.xy[:, 0])] - (self.x, self.y)
        return float(((there >= -0.5) & (there <= self.side - 0.5)).all(axis=1).mean()) if len(there) else 0.0
