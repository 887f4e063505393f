"""The network asked about every frame of a stretch, and how much of its map lies near a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..pose_sequence import PoseSequence
from .bat_network import SIZE, BatNetwork, cut_crop, joints_at
from .bat_patches import OUTSIDE, PATCH, SIDE, Patch, at

#: Toes that the network offers per frame, and how far apart they are, bat lengths.
_OFFERS, _APART = 4, 0.15


@dataclass(frozen=True)
class Witness:
    """What the network says of one frame, in pixels of the view.

    Attributes
    ----------
    cells : (64 * 64, 2) px of the view
        Middles of the map's cells.
    share : (64 * 64,)
        P(toe in the cell).
    none : float
        P(no toe seen).
    length : float, px of the view
        The bat length it was asked for.
    sure : float
        Its confidence in its likeliest toe, 0-1.
    grip : (2,) px of the view
        Its likeliest middle of the hands.
    grip_sure : float
        P(the hands within a tenth of a bat length of there).
    """

    cells: np.ndarray
    share: np.ndarray
    none: float
    length: float
    sure: float
    grip: np.ndarray
    grip_sure: float

    def mass(self, toe: np.ndarray, reach: float = 0.12) -> float:
        """P(toe within ``reach`` bat lengths of a point)."""
        return float(self.share[((self.cells - toe) ** 2).sum(axis=1) <= (reach * self.length) ** 2].sum())

    def offers(self) -> np.ndarray:
        """(K, 2) px of the view: the likeliest toes, each the mean of the map round its peak."""
        left, found = self.share.copy(), []
        for _ in range(_OFFERS):
            peak = int(left.argmax())
            if left[peak] < 1e-3:
                break
            distance = np.linalg.norm(self.cells - self.cells[peak], axis=1)
            near = (distance <= 0.08 * self.length) * self.share
            found.append((near[:, None] * self.cells).sum(axis=0) / near.sum())
            left[distance <= _APART * self.length] = 0.0
        return np.array(found).reshape(-1, 2)


def ask(network: BatNetwork, patches: Sequence[Patch], hands: np.ndarray, length: float, pose: PoseSequence) -> list[Witness]:
    """Read every patch.

    Parameters
    ----------
    network : BatNetwork
    patches : sequence of Patch
        Of one shot, every picture once.
    hands : (T, 2) px of each view
        Where to cut.
    length : float
        Full bat length, px of the view.
    pose : PoseSequence
    """
    import cv2

    crops = []
    shift = (PATCH - SIDE) / 2
    for k, patch in enumerate(patches):
        joints = {name: at(patch.to_patch, place) for name, place in joints_at(pose, patch.frame).items()}
        hand = hands[k] + shift

        def beside(other: Patch, here: Patch = patch) -> tuple[np.ndarray, np.ndarray]:
            across = here.to_patch @ np.linalg.inv(here.to_reference) @ other.to_reference @ np.linalg.inv(other.to_patch)
            return other.image, across

        before = beside(patches[k - 1]) if k else None
        after = beside(patches[k + 1]) if k + 1 < len(patches) else None
        crop = cut_crop(patch.image, hand, length, joints, before=before, after=after)
        to_crop = np.array([[1 / crop.scale, 0.0, -crop.origin[0] / crop.scale], [0.0, 1 / crop.scale, -crop.origin[1] / crop.scale]])
        # The crop is cut from the patch, whose black margin is not the frame's.
        crop.planes[7] = cv2.warpAffine((patch.shows < OUTSIDE).astype(np.uint8) * 255, to_crop, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
        crops.append(crop)
    reading = network.read(crops)
    sure, grip = reading.peak()[1], reading.grip() - shift
    witnesses = []
    for k in range(len(crops)):
        rows, columns = np.mgrid[: reading.toe_log.shape[1], : reading.toe_log.shape[2]]
        cells = reading.origin[k] - shift + reading.scale[k] * np.stack([columns.ravel(), rows.ravel()], axis=1)
        toe, hold = (np.exp(part[k].astype(np.float64)).ravel() for part in (reading.toe_log, reading.grip_log))
        near = ((cells - grip[k]) ** 2).sum(axis=1) <= (0.1 * length) ** 2
        witnesses.append(Witness(cells, toe, float(reading.none[k]), length, float(sure[k]), grip[k], float(hold[near].sum())))
    return witnesses
