"""The protocol that every pose estimator follows, and the list of those that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import KineticsError, Progress
from .models import obtain_model

TORSO_NAMES = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@dataclass(frozen=True, eq=False)
class Person:
    """One person's joints in one picture.

    Attributes
    ----------
    xy : (K, 2) float64
        Pixels, x right and y down, (0, 0) the centre of the top left pixel; NaN where a joint was not found.
    conf : (K,) float64
        Confidence, 0 to 1; 0 where ``xy`` is NaN.
    """

    xy: np.ndarray
    conf: np.ndarray

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) round the joints that are there."""
        low, high = np.nanmin(self.xy, axis=0), np.nanmax(self.xy, axis=0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])

    @property
    def centre(self) -> np.ndarray:
        """(2,) middle of the box."""
        x, y, width, height = self.box
        return np.array((x + width / 2, y + height / 2))

    @property
    def extent(self) -> float:
        """The longer side of the box, in pixels."""
        return max(self.box[2:])

    def distance(self, other: Person) -> float:
        """Mean distance over the joints that both have, in pixels; infinite when they share none."""
        apart = np.linalg.norm(self.xy - other.xy, axis=1)
        return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("inf")


class Follower(Protocol):
    """Keeps to one person through a run of crops in which the person stays in about the same place."""

    def follow(self, image: np.ndarray, expected: Person | None) -> Person | None:
        """The person in this crop; ``expected`` is where the joints should be (crop pixels), None at the start."""

    def forget(self) -> None:
        """Start anew with the next crop."""

    def close(self) -> None:
        """Give back what the follower holds."""


class PoseEstimator(Protocol):
    """A model that finds joints.

    Attributes
    ----------
    name, version, weights : str
        For the provenance; ``weights`` is the file's name and SHA-256.
    joint_names : tuple of str
        COCO's names where COCO has the joint.
    finds_people : bool
        False for a model that takes whatever it is shown for one person: people are then found by MediaPipe.
    sure : float
        Mean confidence of shoulders and hips from which a person is taken to be there.
    """

    name: str
    version: str
    weights: str
    joint_names: tuple[str, ...]
    finds_people: bool
    sure: float

    def estimate(self, image: np.ndarray) -> list[Person]:
        """All people in an (H, W, 3) uint8 RGB picture, joints in its pixels."""

    def follower(self) -> Follower:
        """A new follower of one person."""

    def close(self) -> None:
        """Give back what the estimator holds."""


class NearestFollower:
    """Follows with an estimator that has no memory: of the people in the crop, the one nearest to where he should be."""

    def __init__(self, estimator: PoseEstimator):
        self.estimator = estimator

    def follow(self, image: np.ndarray, expected: Person | None) -> Person | None:
        people = self.estimator.estimate(image)
        if not people:
            return None
        if expected is None:
            return max(people, key=lambda person: float(person.conf.sum()))
        return min(people, key=expected.distance)

    def forget(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


def torso_columns(names: Sequence[str]) -> list[int]:
    """Columns of the shoulders and hips."""
    return [list(names).index(name) for name in TORSO_NAMES]


#: By name: the module, the class in it, and the key of its weights in ``models.MODELS``.
ESTIMATORS = {
    "mediapipe": ("mediapipe_estimator", "MediaPipeEstimator", "pose_landmarker_full"),
    "openpose": ("openpose_estimator", "OpenPoseEstimator", "openpose_body"),
    "rtmpose": ("rtmpose_estimator", "RTMPoseEstimator", "rtmpose"),
}


def make_estimator(
    name: str = "mediapipe", weights: str | Path | None = None, folders: Sequence[str | Path] = (), download: bool = False,
    progress: Progress | None = None,
) -> PoseEstimator:  # fmt: skip
    """Make an estimator by its name.

    Parameters
    ----------
    name : {"mediapipe", "openpose", "rtmpose"}
    weights : path, optional
        The model file; searched for when left out (see ``models.find_model``).
    folders : sequence of path
        Searched first.
    download : bool
        Fetch the model when it is nowhere; only because the user asked for it.
    progress : callable, optional
        Of the download, in bytes.

    Raises
    ------
    MissingDependency
        When its package or its weights are not there.
    KineticsError
        When there is no estimator of that name, or the download fails.
    """
    if name not in ESTIMATORS:
        raise KineticsError(f"There is no pose estimator {name!r}; choose one of {', '.join(ESTIMATORS)}.")
    module, kind, model = ESTIMATORS[name]
    if download and weights is None:
        weights = obtain_model(model, folders, progress)
    return getattr(import_module(f".{module}", __package__), kind)(weights, folders)
