"""MediaPipe's pose landmarker, the estimator that needs nothing but the pack's own requirements."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import KineticsError, MissingDependency
from .estimators import Person
from .models import file_sha256, find_model

#: MediaPipe's 33 landmarks in its order, named as COCO names them where COCO has the joint.
JOINT_NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer", "left_ear", "right_ear",
    "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot", "right_foot",
)  # fmt: skip

#: What the C++ library writes to the process's standard error each time a landmarker is made.
_CHATTER = re.compile(rb"inference_feedback_manager|XNNPACK delegate|before InitGoogle|landmark_projection_calculator|GL version|Graph successfully")
_ONE_AT_A_TIME = threading.Lock()

#: Between the pictures given to one follower, in milliseconds. MediaPipe smooths joints over time in the video mode,
#: the less the longer the pause: after 10 s not at all, so that a fast wrist does not lag.
_PAUSE_MS = 10_000

#: Low, as a crouching batter 150 pixels tall scores no more; what is imagined is refused by looking twice (see ``find``).
_DETECTION = 0.15


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep the C++ library's start-up lines out of the host's log; whatever else is written meanwhile is passed on."""
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        outside = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(outside, 2)
            held.seek(0)
            for line in held:
                if not _CHATTER.search(line):
                    os.write(outside, line)
            os.close(outside)


def _people(result, size: int, height: int) -> list[Person]:
    """Landmarks (0 to 1 from edge to edge) as pixels, with pixel centres on whole numbers."""
    scale = np.array((size, height), dtype=np.float64)
    people = []
    for landmarks in result.pose_landmarks:
        xy = np.array([(mark.x, mark.y) for mark in landmarks], dtype=np.float64) * scale - 0.5
        # Visibility: not hidden by anything. Presence: in the picture at all. A joint can be trusted when both hold.
        conf = np.array([(mark.visibility or 0.0) * (mark.presence or 0.0) for mark in landmarks], dtype=np.float64)
        people.append(Person(xy, np.clip(conf, 0.0, 1.0)))
    return people


class MediaPipeEstimator:
    """MediaPipe Tasks' pose landmarker.

    Parameters
    ----------
    weights : path, optional
        ``pose_landmarker_*.task``; the full model is searched for when left out.
    folders : sequence of path
        Searched first.

    Raises
    ------
    MissingDependency
        When mediapipe or the model file is not there.
    KineticsError
        When the file is not a landmarker.

    Notes
    -----
    Confidence is MediaPipe's visibility × presence. ``estimate`` runs the person detector on each picture; a follower runs it on
    the first one only and then looks for the joints where they were in the crop before, which holds on to one person among several.
    """

    name = "mediapipe"
    joint_names = JOINT_NAMES
    finds_people = True
    sure = 0.8

    def __init__(self, weights: str | Path | None = None, folders: Sequence[str | Path] = ()):
        try:
            self.version = metadata.version("mediapipe")
        except metadata.PackageNotFoundError as error:
            raise MissingDependency("The package mediapipe is not installed; run `pip install mediapipe` in the host's Python.") from error
        self._path = Path(weights) if weights else find_model("pose_landmarker_full", folders)
        if not self._path.is_file():
            raise MissingDependency(f"There is no model file {self._path}; give the path of a pose_landmarker .task file.")
        self.weights = f"{self._path.name} sha256:{file_sha256(self._path)}"
        self._has_seen_someone = False
        self._opened: list = []
        # Also when nobody calls close: MediaPipe complains when one is still open as Python ends.
        self.close = weakref.finalize(self, _close_all, self._opened)
        self._finder = self._landmarker(video=False, people=4)
        self._spare: list[_Landmarks] = []

    def _landmarker(self, video: bool, people: int):
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.PoseLandmarkerOptions(
            # The bytes, not the path: the library can't open a path with letters outside ASCII everywhere.
            base_options=BaseOptions(model_asset_buffer=self._path.read_bytes()),
            running_mode=mode, num_poses=people, min_pose_detection_confidence=_DETECTION, min_pose_presence_confidence=0.3,
        )  # fmt: skip
        with _without_chatter():
            try:
                self._opened.append(vision.PoseLandmarker.create_from_options(options))
            except (RuntimeError, ValueError) as error:
                raise KineticsError(f"{self._path} is not a pose landmarker that MediaPipe {self.version} can read; fetch it again.") from error
        return self._opened[-1]

    def run(self, detect: Callable, image: np.ndarray, *when: int) -> list[Person]:
        """One picture through a landmarker of this estimator."""
        picture = _as_mediapipe(image)
        # It writes a line on the first picture, and one more on the first person that it sees.
        with nullcontext() if self._has_seen_someone else _without_chatter():
            people = _people(detect(picture, *when), image.shape[1], image.shape[0])
        self._has_seen_someone |= bool(people)
        return people

    def estimate(self, image: np.ndarray) -> list[Person]:
        return self.run(self._finder.detect, image)

    def follower(self) -> _Landmarks:
        return self._spare.pop() if self._spare else _Landmarks(self)


def _close_all(landmarkers: list) -> None:
    while landmarkers:
        landmarkers.pop().close()


class _Landmarks:
    """A landmarker in the video mode: it finds its person in the first crop and then follows the joints."""

    def __init__(self, estimator: MediaPipeEstimator):
        self._estimator = estimator
        self.landmarker = estimator._landmarker(video=True, people=1)
        self._clock = 0
        self._has_person = False

    def _next(self, image: np.ndarray) -> list[Person]:
        self._clock += _PAUSE_MS
        return self._estimator.run(self.landmarker.detect_for_video, image, self._clock)

    def follow(self, image: np.ndarray, expected: Person | None) -> Person | None:
        found = self._next(image)
        self._has_person = bool(found)
        return found[0] if found else None

    def forget(self) -> None:
        # Nobody is in a black picture, so the next one is searched by the detector.
        while self._has_person:
            self._has_person = bool(self._next(np.zeros((64, 64, 3), np.uint8)))

    def close(self) -> None:
        self.forget()
        self._estimator._spare.append(self)


def _as_mediapipe(image: np.ndarray):
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
