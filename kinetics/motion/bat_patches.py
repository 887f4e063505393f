"""Small pictures round the hands: one per frame, all of the same scale in bat lengths, and the maps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Pixels of a patch per bat length, and half the side of a patch and of the part round its middle that is looked at, in bat lengths.
PX, REACH, VIEW = 60.0, 2.6, 1.6

#: Sides in pixels, of the patch and of the view.
PATCH, SIDE = int(2 * REACH * PX), int(2 * VIEW * PX)

#: What a pixel of a patch shows.
SCENE, GRAPHICS, OUTSIDE = 0, 1, 2


@dataclass
class Patch:
    """One frame's picture round the hands.

    Attributes
    ----------
    frame : int
    image : (PATCH, PATCH, 3) uint8
        RGB; what lies outside the frame is black.
    to_patch : (3, 3)
        Pixels of the frame -> pixels of the patch (a scaling and a shift).
    to_reference : (3, 3)
        Pixels of the frame -> pixels of the shot's reference frame.
    shows : (PATCH, PATCH) uint8
        :data:`SCENE`, :data:`GRAPHICS` (what stands still on the screen) or :data:`OUTSIDE` (of the frame).
    """

    frame: int
    image: np.ndarray
    to_patch: np.ndarray
    to_reference: np.ndarray
    shows: np.ndarray

    @property
    def to_view(self) -> np.ndarray:
        """Pixels of the frame -> pixels of the view, the middle part of the patch."""
        return _shifted((SIDE - PATCH) / 2) @ self.to_patch

    def view(self) -> np.ndarray:
        """(SIDE, SIDE, 3) uint8: the middle part."""
        return _middle(self.image)

    def inside(self) -> np.ndarray:
        """(SIDE, SIDE) bool: what of the view lies inside the frame, graphics included."""
        return _middle(self.shows) < OUTSIDE

    def seen_from(self, other: Patch) -> tuple[np.ndarray, np.ndarray]:
        """This patch as the view of ``other`` would show it, the camera's movement taken out.

        Returns
        -------
        image : (SIDE, SIDE, 3) uint8
        known : (SIDE, SIDE) bool
            What of it this patch shows.
        """
        import cv2

        across = other.to_view @ np.linalg.inv(other.to_reference) @ self.to_reference @ np.linalg.inv(self.to_patch)
        image = cv2.warpPerspective(self.image, across, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        shows = cv2.warpPerspective(self.shows, across, (SIDE, SIDE), flags=cv2.INTER_NEAREST, borderValue=OUTSIDE)
        return image, shows == SCENE


def cut_patch(
    frame: int, image: np.ndarray, hand: np.ndarray, length: float, to_reference: np.ndarray, graphics: np.ndarray | None = None
) -> Patch:
    """Cut a patch out of a frame.

    Parameters
    ----------
    frame : int
    image : (H, W, 3) uint8
    hand : (2,) px
        Its middle.
    length : float
        Bat length, px of the frame.
    to_reference : (3, 3)
        Pixels of the frame -> pixels of the shot's reference frame.
    graphics : (H, W) bool, optional
        What stands still on the screen whatever the camera does.
    """
    import cv2

    scale = PX / length
    middle = (PATCH - 1) / 2
    to_patch = np.array([[scale, 0.0, middle - scale * hand[0]], [0.0, scale, middle - scale * hand[1]], [0.0, 0.0, 1.0]])
    height, width = image.shape[:2]
    half = REACH / scale * PX + 8
    low = np.clip(np.floor(hand - half), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(hand + half), low + 1, (width, height)).astype(int)
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
    if scale < 0.7:
        part = cv2.GaussianBlur(part, (0, 0), 0.4 / scale)
    shift = np.array([[1.0, 0.0, low[0]], [0.0, 1.0, low[1]], [0.0, 0.0, 1.0]])
    small = cv2.warpPerspective(part, to_patch @ shift, (PATCH, PATCH), flags=cv2.INTER_LINEAR)
    shows = np.full((high - low)[::-1], SCENE, np.uint8)
    if graphics is not None:
        shows[graphics[low[1] : high[1], low[0] : high[0]]] = GRAPHICS
    # The outermost pixel of a frame is often a border.
    for edge, cut in ((low[1] == 0, np.s_[:1]), (low[0] == 0, np.s_[:, :1]), (high[1] == height, np.s_[-1:]), (high[0] == width, np.s_[:, -1:])):
        if edge:
            shows[cut] = OUTSIDE
    shows = cv2.warpPerspective(shows, to_patch @ shift, (PATCH, PATCH), flags=cv2.INTER_NEAREST, borderValue=OUTSIDE)
    return Patch(frame, small, to_patch, to_reference, shows)


def at(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) through a 3×3 map."""
    points = np.asarray(points, dtype=np.float64)
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved / (points @ matrix[2, :2] + matrix[2, 2])[..., None]


def _shifted(by: float) -> np.ndarray:
    return np.array([[1.0, 0.0, by], [0.0, 1.0, by], [0.0, 0.0, 1.0]])


def _middle(plane: np.ndarray) -> np.ndarray:
    first = (PATCH - SIDE) // 2
    return plane[first : first + SIDE, first : first + SIDE]
