"""Frames scored in one call: the pose found again, the detector's floor, steadiness, looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError, MissingDependency, Progress
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from .floor import REAL, measure_floor, source_frames
from .frames import Frames, Pictures, find_again
from .match import check_shape, nearest_frames
from .perceptual import check_look, measure_look
from .pose import THRESHOLD, detector_of, score_pose
from .report import FrameReport
from .steadiness import measure_steadiness

if TYPE_CHECKING:
    from pathlib import Path

    from ..pose.estimators import PoseEstimator


def score_frames(
    requested: PoseSequence, frames: Clip | Pictures | None, estimator: PoseEstimator | None, *, found: PoseSequence | None = None,
    source: Clip | None = None, source_pose: PoseSequence | None = None, floor_pose: PoseSequence | None = None, by: str = "index",
    threshold: float = THRESHOLD, looks: Collection[str] = (), prompt: str = "", folders: Sequence[Path] = (), progress: Progress | None = None,
) -> FrameReport:  # fmt: skip
    """Score frames against the skeleton that drove them.

    Parameters
    ----------
    requested : PoseSequence
        In pixels of the frames' canvas.
    frames : Clip or Pictures, optional
        May be left out when ``found`` is given; steadiness and looks then aren't measured.
    estimator : PoseEstimator, optional
        Finds the skeleton again, and the floor's; not asked when ``found`` is given.
    found : PoseSequence, optional
        The skeleton in the frames, from another detector.
    source : Clip, optional
        That the requested skeleton came from: gives the noise floor, and the steadiness and looks to compare with.
    source_pose : PoseSequence, optional
        Its skeleton in its own pixels, where the requested one was fitted to another canvas.
    floor_pose : PoseSequence, optional
        What the other detector found in the source, for the floor when ``found`` is given.
    by : {"index", "time"}
        How frames are paired.
    looks : collection of {"lpips", "kid", "clip"}
        What else to measure, with weights that are on this machine; what is missing is said in the notes.
    prompt : str
        For the CLIP score.
    folders : sequence of path
        Where weights are looked for first.

    Returns
    -------
    FrameReport

    Raises
    ------
    KineticsError
        When the frames don't fit the request (see :func:`.match.match_poses`), nothing finds the skeleton, or a look lacks source or prompt.
    """
    for look in looks:
        check_look(look, source is not None, prompt)
    chosen = None if frames is None else pair(requested, frames, by)
    own = None if source is None else source_frames(source, requested)
    notes, floor = [], None
    if floor_pose is not None:
        floor = score_pose(source_pose or requested, floor_pose, by=by, threshold=threshold, name=REAL)
    if found is not None:
        pose = score_pose(requested, found, by=by, threshold=threshold)
        if source is not None and floor is None:
            notes.append(f"The noise floor of {pose.detector} isn't known; give what it found in {source.info.name} too.")
    elif frames is None or estimator is None:
        raise KineticsError("There is nothing to score: give the frames and an estimator, or the skeleton that was found in them.")
    else:
        found = find_again(frames, estimator, requested, chosen, progress)
        pose = score_pose(requested, found, threshold=threshold)
        if source is not None and floor is None:
            floor = measure_floor(source, estimator, requested, original=source_pose, threshold=threshold, progress=progress)
    if pose.detector.split(" ")[0] == detector_of(requested).split(" ")[0]:
        notes.append("The same detector found the requested skeleton and scored the frames, so its own habits count as right; another detector tells more.")
    steady = source_steady = None
    if frames is not None and len(chosen) > 1:
        steady = measure_steadiness(pick(frames, set(chosen)), progress=progress, total=len(chosen))
        if source is not None:
            source_steady = measure_steadiness(pick(source, set(own)), progress=progress, total=len(own))
    measured: dict[str, float] = {}
    for name in looks if frames is not None else ():
        try:
            measured |= measure_look(
                name, lambda: pick(frames, chosen), None if source is None else lambda: pick(source, own), prompt=prompt,
                folders=folders, progress=progress, total=len(chosen),
            )  # fmt: skip
        except MissingDependency as error:
            notes.append(str(error))
    return FrameReport(
        "the skeleton given" if frames is None else frames.info.name, requested.source or "a skeleton", pose, floor, steady, source_steady, measured, tuple(notes), found
    )


def pair(requested: PoseSequence, frames: Frames, by: str) -> list[int]:
    """Numbers of the frames that answer the requested ones.

    Raises
    ------
    KineticsError
        As :func:`.match.match_poses`.
    """
    check_shape(requested, (frames.info.width, frames.info.height))
    if by == "time" and isinstance(frames, Clip):
        return nearest_frames(requested.t, np.array([t for _, t, _ in frames.pictures()])).tolist()
    if frames.info.frame_count != len(requested):
        raise KineticsError(
            f"There are {len(requested)} requested frames and {frames.info.frame_count} in {frames.info.name}; give as many, or pair them by time."
        )
    return list(range(len(requested)))


def pick(frames: Frames, chosen: Collection[int]) -> Iterator[np.ndarray]:
    """The pictures of these numbers in order, each as often as it is asked for."""
    times = Counter(chosen)
    for frame in frames.frames():
        for _ in range(times[frame.index]):
            yield frame.image
