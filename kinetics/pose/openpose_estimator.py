"""OpenPose's body model through controlnet-aux, for users who have the package and the weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import KineticsError, MissingDependency
from .estimators import NearestFollower, Person
from .models import file_sha256, find_model

#: OpenPose's 18 body joints in its order; its neck is midway between the shoulders.
JOINT_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip


@contextmanager
def _without_mediapipe() -> Iterator[None]:
    """Hide mediapipe: controlnet-aux 0.0.10 takes its presence for that of ``mediapipe.solutions``, which newer ones lack."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "mediapipe" or name.startswith("mediapipe.")}
    sys.modules["mediapipe"] = None  # makes `import mediapipe` an ImportError, which controlnet-aux allows for
    try:
        yield
    finally:
        del sys.modules["mediapipe"]
        sys.modules.update(hidden)


class OpenPoseEstimator:
    """OpenPose's body model.

    Parameters
    ----------
    weights : path, optional
        ``body_pose_model.pth``; searched for when left out.
    folders : sequence of path
        Searched first.

    Raises
    ------
    MissingDependency
        When controlnet-aux (or what it imports) or the weights are not there.
    KineticsError
        When the file is not OpenPose's body model.

    Notes
    -----
    Confidence is the height of the joint's peak in the heat map, clipped to 0-1. Joints are found to a whole pixel of the crop.
    """

    name = "openpose"
    joint_names = JOINT_NAMES
    finds_people = True
    sure = 0.25

    def __init__(self, weights: str | Path | None = None, folders: Sequence[str | Path] = ()):
        try:
            self.version = f"controlnet-aux {metadata.version('controlnet-aux')}"
            with _without_mediapipe():
                from controlnet_aux.open_pose.body import Body
        except (ImportError, metadata.PackageNotFoundError) as error:
            raise MissingDependency(
                f"OpenPose needs the package controlnet-aux ({error.name or error} is missing); run `pip install controlnet-aux` in the host's Python."
            ) from error
        path = Path(weights) if weights else find_model("openpose_body", folders)
        if not path.is_file():
            raise MissingDependency(f"There is no model file {path}; give the path of body_pose_model.pth.")
        self.weights = f"{path.name} sha256:{file_sha256(path)}"
        try:
            self._body = Body(str(path))
        except Exception as error:  # torch.load and load_state_dict raise what they like
            raise KineticsError(f"{path} is not OpenPose's body model; give body_pose_model.pth.") from error

    def estimate(self, image: np.ndarray) -> list[Person]:
        candidates, people = self._body(np.ascontiguousarray(image[:, :, ::-1]))
        return [self._person(candidates, row) for row in people]

    @staticmethod
    def _person(candidates: np.ndarray, row: np.ndarray) -> Person:
        """One row of the assembly: for each joint the index of its peak, or -1."""
        xy, conf = np.full((len(JOINT_NAMES), 2), np.nan), np.zeros(len(JOINT_NAMES))
        for joint, candidate in enumerate(row[: len(JOINT_NAMES)].astype(int)):
            if candidate >= 0:
                xy[joint], conf[joint] = candidates[candidate, :2], np.clip(candidates[candidate, 2], 0.0, 1.0)
        return Person(xy, conf)

    def follower(self) -> NearestFollower:
        return NearestFollower(self)

    def close(self) -> None:
        """The model goes with the object."""
