"""RTMPose through rtmlib, for users who have the package and an ONNX model."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import KineticsError, MissingDependency
from ..pose_sequence import COCO_NAMES
from .estimators import NearestFollower, Person
from .models import file_sha256, find_model


class RTMPoseEstimator:
    """RTMPose with COCO's 17 joints: takes each crop for one person, so people are found by MediaPipe.

    Parameters
    ----------
    weights : path, optional
        An ONNX model with SimCC outputs; ``rtmpose.onnx`` is searched for when left out.
    folders : sequence of path
        Searched first.

    Raises
    ------
    MissingDependency
        When rtmlib, onnxruntime or the model is not there.
    KineticsError
        When the file is not such a model.

    Notes
    -----
    Confidence is the model's own score, the height of its peak, clipped to 0-1.
    """

    name = "rtmpose"
    joint_names = COCO_NAMES
    finds_people = False
    sure = 0.3

    def __init__(self, weights: str | Path | None = None, folders: Sequence[str | Path] = ()):
        try:
            import onnxruntime
            from rtmlib import RTMPose
        except ImportError as error:
            raise MissingDependency(
                f"RTMPose needs the packages rtmlib and onnxruntime ({error.name} is missing); run `pip install --no-deps rtmlib onnxruntime` in the host's Python."
            ) from error
        path = Path(weights) if weights else find_model("rtmpose", folders)
        if not path.is_file():
            raise MissingDependency(f"There is no model file {path}; give the path of an RTMPose ONNX model.")
        self.version = f"rtmlib {metadata.version('rtmlib')}"
        self.weights = f"{path.name} sha256:{file_sha256(path)}"
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            height, width = session.get_inputs()[0].shape[2:]
            joints = [output.shape[1] for output in session.get_outputs()]
        except Exception as error:  # onnxruntime's own exceptions share no other base
            raise KineticsError(f"{path} is not an ONNX pose model that can be read; give an RTMPose body model.") from error
        if joints != [len(COCO_NAMES)] * 2 or not isinstance(height, int) or not isinstance(width, int):
            raise KineticsError(f"{path} is not an RTMPose model with COCO's {len(COCO_NAMES)} joints and a fixed input size; give a body model.")
        # It greets on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = RTMPose(str(path), model_input_size=(width, height), backend="onnxruntime", device="cpu")

    def estimate(self, image: np.ndarray) -> list[Person]:
        # rtmlib expects BGR and widens the box by a quarter: a box that much smaller than the crop makes it look at the whole crop.
        height, width = image.shape[:2]
        box = [width * 0.1, height * 0.1, width * 0.9, height * 0.9]
        joints, scores = self._model(np.ascontiguousarray(image[:, :, ::-1]), bboxes=[box])
        return [Person(np.asarray(joints[0], dtype=np.float64), np.clip(np.asarray(scores[0], dtype=np.float64), 0.0, 1.0))]

    def follower(self) -> NearestFollower:
        return NearestFollower(self)

    def close(self) -> None:
        """The session goes with the object."""
