"""The detector's own noise floor: what it scores on real frames, in which the pose is right by definition."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError, Progress
from ..pose.extract import extract_pose
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from .frames import DegradedFrames, find_again
from .match import same_shape
from .pose import THRESHOLD, PoseScore, detector_of, score_pose

if TYPE_CHECKING:
    from ..pose.estimators import PoseEstimator

#: What a floor was measured in.
REAL, WORSE = "real frames", "real frames made worse (grain, JPEG), as the same detector found the skeleton"


def source_frames(source: Clip, requested: PoseSequence) -> list[int]:
    """Numbers of the source's frames that the requested ones come from: the same numbers, or by the clip's own times.

    Raises
    ------
    KineticsError
        When the counts differ and the requested times aren't the clip's.
    """
    count = source.info.frame_count
    if count == len(requested):
        return list(range(count))
    times = np.array([t for _, t, _ in source.pictures()])
    inside = (requested.t[0] >= times[0] - 1e-3) and (requested.t[-1] <= times[-1] + 1.0 / float(source.info.fps))
    if not inside:
        raise KineticsError(
            f"The requested {len(requested)} frames ({requested.t[0]:.2f} to {requested.t[-1]:.2f} s) are not from {source.name} "
            f"({count} frames, {times[-1]:.2f} s); give the clip that the skeleton was found in."
        )
    return np.maximum.accumulate(np.abs(times[None] - requested.t[:, None]).argmin(axis=1)).tolist()


def measure_floor(
    source: Clip, estimator: PoseEstimator, requested: PoseSequence, *, original: PoseSequence | None = None, threshold: float = THRESHOLD,
    progress: Progress | None = None,
) -> PoseScore:  # fmt: skip
    """Score the detector on the source's own frames.

    The skeleton that is taken for right is ``original``, or the requested one where it lies on the source's picture. When another detector found
    it, the floor is what this detector scores on the clean frames: what two detectors disagree by. When this one found it, the frames are made worse
    first (grain and JPEG), as it would repeat itself otherwise. When there is none (the request was fitted to another canvas), the
    skeleton that this detector follows through the clean frames is taken for right, and what it finds in the worse ones scored.

    Parameters
    ----------
    source : Clip
        That the requested skeleton came from.
    estimator : PoseEstimator
        That finds the skeleton in the generated frames.
    requested : PoseSequence
    original : PoseSequence, optional
        The skeleton in the source's own pixels: of every frame of it, or of those of ``requested``.
    threshold : float
        Of PCK.
    progress : callable, optional

    Returns
    -------
    PoseScore
        Its name says which of the three it is.

    Raises
    ------
    KineticsError
        When the requested frames aren't the source's, or ``original`` has another number of them.
    """
    chosen = source_frames(source, requested)
    size = source.info.width, source.info.height
    right = original if original is not None else requested if same_shape(requested.size, size) else None
    if original is not None and len(original) == source.info.frame_count:
        right = take_frames(original, chosen, requested.t)
    if right is not None and len(right) != len(requested):
        raise KineticsError(f"The source's skeleton has {len(right)} frames and the requested one {len(requested)}; give the skeleton that it was made from.")
    if right is None:
        right = take_frames(extract_pose(source, estimator, progress=progress), chosen, requested.t)
        name, frames = WORSE, DegradedFrames(source)
    elif detector_of(right).split(" ")[0] == estimator.name:
        name, frames = WORSE, DegradedFrames(source)
    else:
        name, frames = REAL, source
    found = find_again(frames, estimator, right, chosen, progress)
    return score_pose(right, found, threshold=threshold, name=name)


def take_frames(pose: PoseSequence, chosen: list[int], t: np.ndarray) -> PoseSequence:
    """These frames of a skeleton, at these times."""
    return replace(pose, xy=pose.xy[chosen], conf=pose.conf[chosen], t=t)
