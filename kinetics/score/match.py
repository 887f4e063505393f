"""Which found frame answers which requested frame, and which joints are scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import COCO_NAMES, LIMB_NAMES, PoseSequence

#: How requested and found frames are paired.
PAIRINGS = ("index", "time")

#: Two pictures have one shape when their sides agree to this part: canvases are rounded to multiples of 8.
_SHAPE = 0.02


def match_poses(requested: PoseSequence, found: PoseSequence, by: str = "index") -> tuple[PoseSequence, PoseSequence]:
    """Put both skeletons frame by frame beside each other, in the requested one's pixels.

    Parameters
    ----------
    requested, found : PoseSequence
        In pixels. ``found`` may be of a picture of another size but the same shape (upscaled frames): it is scaled back.
    by : {"index", "time"}
        ``index``: frame k answers frame k. ``time``: the found frame nearest in time, both counted from their first frame; then the numbers of
        frames may differ.

    Returns
    -------
    requested, found : PoseSequence
        As many frames, the requested one's times.

    Raises
    ------
    KineticsError
        When the numbers of frames differ (by index), a requested time has no found frame within half a frame of it (by time), a skeleton isn't in
        pixels, or the pictures have different shapes.
    """
    if by not in PAIRINGS:
        raise KineticsError(f"Frames can't be paired by {by!r}; choose {' or '.join(PAIRINGS)}.")
    for pose, what in ((requested, "requested"), (found, "found")):
        if pose.space != "px":
            raise KineticsError(f"The {what} skeleton is in unit {pose.space!r}; scoring needs pixels, so give it before it was normalised.")
    check_shape(requested, found.size)
    if by == "index":
        if len(requested) != len(found):
            raise KineticsError(
                f"There are {len(requested)} requested frames and {len(found)} found ones; give as many, or pair them by time."
            )
        taken = np.arange(len(found))
    else:
        taken = nearest_frames(requested.t, found.t)
    xy = found.xy[taken]
    if found.size != requested.size:
        xy = (xy + 0.5) * (np.array(requested.size) / np.array(found.size)) - 0.5  # pixel centres are whole numbers in both pictures
    return requested, replace(found, xy=xy, conf=found.conf[taken], t=requested.t, size=requested.size)


def check_shape(requested: PoseSequence, size: tuple[int, int]) -> None:
    """Raise when frames of this size can't show the requested skeleton's picture."""
    if not same_shape(requested.size, size):
        raise KineticsError(
            f"The requested skeleton is of a {requested.size[0]}x{requested.size[1]} picture and the frames are {size[0]}x{size[1]}, which is "
            "another shape; give the skeleton that was fitted to the frames' canvas."
        )


def same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pictures (W, H) have the same proportions."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= _SHAPE


def nearest_frames(wanted: np.ndarray, offered: np.ndarray) -> np.ndarray:
    """(T,) number of the offered time nearest to each wanted one, both from their first; the refusal when one is too far."""
    wanted, offered = wanted - wanted[0], offered - offered[0]
    taken = np.abs(wanted[:, None] - offered[None]).argmin(axis=1)
    reach = 0.5 * max(np.median(np.diff(times)) if len(times) > 1 else 0.0 for times in (wanted, offered)) + 1e-3
    far = np.flatnonzero(np.abs(offered[taken] - wanted) > reach)
    if len(far):
        raise KineticsError(
            f"No found frame lies near requested frame {far[0]} ({wanted[far[0]]:.3f} s from the start; the found ones last {offered[-1]:.3f} s); "
            "give frames of the same seconds, or pair them by index."
        )
    return taken


def scored_joints(requested: PoseSequence, found: PoseSequence) -> tuple[str, ...]:
    """COCO's joints that count: limbs that were requested, whether the detector tells them or not; of the face those that both have.

    Raises
    ------
    KineticsError
        When the request has no limb at all.
    """
    there = {name for name, missing in zip(requested.names, (requested.missing | (requested.conf <= 0)).all(axis=0), strict=True) if not missing}
    if not there & set(LIMB_NAMES):
        raise KineticsError(f"The requested skeleton ({requested.source or 'no source'}) holds no joint of arms, legs or trunk; there is nothing to score.")
    return tuple(name for name in COCO_NAMES if name in there and (name in LIMB_NAMES or name in found.names))


def take(pose: PoseSequence, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(T, K, 2) positions and (T, K) confidences of these joints, NaN and 0 where the skeleton has none or confidence 0."""
    xy, conf = np.full((len(pose), len(names), 2), np.nan), np.zeros((len(pose), len(names)))
    for k, name in enumerate(names):
        if name in pose.names:
            column = pose.index(name)
            xy[:, k], conf[:, k] = pose.xy[:, column], pose.conf[:, column]
    return xy, conf
