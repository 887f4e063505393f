"""What moved: each view against what the other frames show in the same place, the camera's movement taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bat_patches import Patch, at

#: Frames that a view is held against, and how many of them have to show a place for it to count.
SAMPLES, FEWEST = 17, 2

#: Difference, grey levels, at which a place counts half as moved: by a sharp bat, and by one that is smeared thin.
_SHARP, _SMEARED = 18.0, 10.0


def moved(
    patch: Patch, others: Sequence[Patch], bats: Sequence[Sequence[np.ndarray]], rank: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each place of a frame's view differs from what the other frames show there.

    Parameters
    ----------
    patch : Patch
        The frame.
    others : sequence of Patch
        Frames of the same shot.
    bats : sequence of sequences of (4, 2) px of the reference frame
        Corners of the parts that the bat fills, or may fill, in each of ``others``: they are left out.
    rank : float
        Which of the differences to the other frames counts, from the smallest (0) to the largest (1). At 0.5 a place has moved when half of
        the others show something else; lower, a ground that the batter uncovers late has not.

    Returns
    -------
    sharp, smeared : (SIDE, SIDE) float32
        d²/(d² + a²) of the largest difference d among the colours, 0-1; a is 18 grey levels for a sharp bat, 10 for a smeared one.
    known : (SIDE, SIDE) bool
        Where there is enough to compare with, inside the frame.
    """
    import cv2

    view = patch.view()
    differences = np.full((len(others), *view.shape[:2]), 255, np.uint8)
    count = np.zeros(view.shape[:2], np.int64)
    for k, (other, bat) in enumerate(zip(others, bats, strict=True)):
        image, known = other.seen_from(patch)
        if len(bat):
            across = patch.to_view @ np.linalg.inv(patch.to_reference)
            hidden = np.zeros(known.shape, np.uint8)
            for corners in bat:
                cv2.fillConvexPoly(hidden, np.round(np.clip(at(across, corners), -1e4, 1e4)).astype(np.int32), 1)
            known &= hidden == 0
        differences[k][known] = cv2.absdiff(view, image).max(axis=2)[known]
        count += known
    # What isn't shown sorts to the end; the place in the order is counted among the rest.
    differences.sort(axis=0)
    place = np.round(rank * np.maximum(count - 1, 0)).astype(np.int64)
    difference = np.take_along_axis(differences, place[None], axis=0)[0].astype(np.float32)
    known = (count >= min(FEWEST, len(others))) & patch.inside()
    d2 = cv2.GaussianBlur(difference, (0, 0), 0.8) ** 2
    return d2 / (d2 + _SHARP**2) * known, d2 / (d2 + _SMEARED**2) * known, known


def spread(count: int, position: int) -> list[int]:
    """Which of ``count`` frames the one at ``position`` is held against: evenly over all, itself and its neighbours left out."""
    chosen = np.unique(np.round(np.linspace(0, count - 1, min(SAMPLES, count))).astype(int))
    return [int(k) for k in chosen if abs(int(k) - position) > 1]
