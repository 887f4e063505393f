"""From a clip to one person's skeleton."""

from __future__ import annotations

import queue
import threading
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import Progress
from ..pose_sequence import PoseSequence
from ..video.decode import Clip, Frame
from .body import MIDPOINTS, midpoint
from .crowd import Crowd
from .cuts import CutFinder
from .estimators import Person, PoseEstimator
from .identity import gather, number
from .subject import Subject, choose, gather_boxed, read_boxes, read_masks

#: Frames decoded ahead while the estimator works on one.
_AHEAD = 2


def extract_pose(
    clip: Clip, estimator: PoseEstimator | None = None, subject: str | int = "auto", boxes: Any = None, masks: Any = None, start_frame: int = 0,
    progress: Progress | None = None,
) -> PoseSequence:  # fmt: skip
    """Follow one person through a clip.

    Parameters
    ----------
    clip : Clip
    estimator : PoseEstimator, optional
        MediaPipe when left out.
    subject : str or int
        ``auto``: the one who swings, both hands on one handle. ``largest``. ``X,Y`` or ``X,Y@FRAME``: the person at a point, in source
        pixels. ``N``: a number; people are numbered from 0 in the order in which they are found, from left to right among those found
        in one frame, so that the numbers of the first frame are those of ``find_people``.
    boxes : BOUNDING_BOX value, optional
        One box, or one per frame (see ``subject.read_boxes``); takes the place of ``subject``.
    masks : (T, H, W) array or tensor, optional
        The same as masks.
    start_frame : int
        The frame that a point, a lone box or a lone mask is meant for, from 0.
    progress : callable, optional
        progress(frames done, frames in all); may raise to cancel.

    Returns
    -------
    PoseSequence
        In source pixels on the frames' own times, with ``neck`` and ``pelvis`` derived. Frames in which the person is not seen are NaN:
        nothing is filled in or smoothed. ``provenance`` holds the source, the estimator, how the person was chosen, the cuts, the frames
        without the person, and what of the clip could not be decoded.

    Raises
    ------
    KineticsError
        When nobody is found, or not whom the user asked for; when the clip can't be read.

    Notes
    -----
    One pass. Everybody is followed, as knowing where the others are is what keeps people apart, and the subject is chosen at the end from
    the whole motion. Memory holds the joints of everybody and the last three dozen pictures (at most 192 MB), from which a person
    found late is followed backwards.
    """
    info = clip.info
    wanted = _read_subject(subject, boxes, masks, start_frame, info)
    with _Estimators(estimator) as (estimator, finder):
        crowd = Crowd(estimator, finder, wanted)
        times = array("d")
        try:
            for frame, begins_shot in _decode_ahead(clip):
                crowd.see(frame.image, frame.index, frame.t, begins_shot)
                times.append(frame.t)
                if progress:
                    progress(len(times), max(info.frame_count, len(times)))
        finally:
            crowd.close()
        t = np.array(times)
        numbered = number(crowd.tracks, crowd.cuts, t)
        main, how = choose(wanted, crowd.tracks, numbered, estimator.joint_names, t, (info.width, info.height), info.name)
        if wanted.kind == "boxes":
            people = gather_boxed(crowd.tracks, wanted.boxes)
        else:
            people, _ = gather(main, crowd.tracks, crowd.cuts, t)
        provenance = {
            "source": info.name,
            "estimator": f"{estimator.name} {estimator.version}, {estimator.weights}",
            "subject": {"asked": wanted.words(subject), "chosen": how, "people": len(numbered)},
            "cuts": crowd.cuts,
            "frames_without_person": [index for index in range(len(t)) if index not in people],
            "losses": list(clip.losses),
            "steps": [],
        }
        return _sequence(people, estimator.joint_names, t, (info.width, info.height), provenance)


def _read_subject(subject: str | int, boxes: Any, masks: Any, start_frame: int, info) -> Subject:
    if boxes is not None:
        return Subject.boxed(read_boxes(boxes, info.frame_count, start_frame), info.name)
    if masks is not None:
        return Subject.boxed(read_masks(masks, info.frame_count, (info.width, info.height), start_frame), info.name)
    return Subject.parse(subject, start_frame)


class _Estimators:
    """The estimator and the finder, those that were made here closed at the end."""

    def __init__(self, estimator: PoseEstimator | None):
        self._given = estimator
        self._made: list[PoseEstimator] = []

    def _make(self) -> PoseEstimator:
        from .mediapipe_estimator import MediaPipeEstimator

        self._made.append(MediaPipeEstimator())
        return self._made[-1]

    def __enter__(self) -> tuple[PoseEstimator, PoseEstimator]:
        estimator = self._given or self._make()
        return estimator, estimator if estimator.finds_people else self._make()

    def __exit__(self, *_: object) -> None:
        for estimator in self._made:
            estimator.close()


def _decode_ahead(clip: Clip) -> Iterator[tuple[Frame, bool]]:
    """The clip's frames and whether a shot begins there, found in a thread of its own while the estimator works."""
    frames: queue.Queue[tuple[Frame, bool] | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def put(item: tuple[Frame, bool] | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                frames.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def decode() -> None:
        try:
            cuts = CutFinder()
            for frame in clip.frames(careful=False):
                if not put((frame, cuts.is_cut(frame.image))):
                    return
            put(None)
        except BaseException as error:  # handed to the thread that waits for the frame
            put(error)

    worker = threading.Thread(target=decode, name="decode", daemon=True)
    worker.start()
    try:
        while (item := frames.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        worker.join()


def _sequence(
    people: Mapping[int, Person], names: tuple[str, ...], t: np.ndarray, size: tuple[int, int], provenance: dict[str, Any]
) -> PoseSequence:
    xy = np.full((len(t), len(names), 2), np.nan)
    conf = np.zeros((len(t), len(names)))
    for frame, person in people.items():
        xy[frame], conf[frame] = person.xy, person.conf
    for joint in MIDPOINTS:
        if joint not in names:
            place, sure = midpoint(xy, conf, names, joint)
            xy, conf = np.concatenate((xy, place[:, None]), axis=1), np.concatenate((conf, sure[:, None]), axis=1)
            names = (*names, joint)
    return PoseSequence(xy, conf, t, names, size, "px", provenance)
