"""Skeletons from files: pose.json, OpenPose/POSE_KEYPOINT JSON, and the ``*_series.npz`` of the earlier analysis."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import KineticsError
from ..files import read_json
from ..pose_sequence import PoseSequence
from .body import torso_length
from .openpose_json import frame_times, from_pose_keypoint, load_pose_keypoint

#: Joints of the earlier analysis, in its order.
SERIES_NAMES = (
    "left_ankle", "right_ankle", "left_knee", "right_knee", "left_hip", "right_hip", "pelvis",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip

#: Confidence given to a bat tip of the earlier analysis, which kept none: one that can be, and one that can't.
TIP_CONFIDENCE, IMPOSSIBLE_TIP_CONFIDENCE = 0.5, 0.1

#: A tip can be this far from the nearer wrist, in trunk lengths (a bat is at most 0.965 m, a trunk near 0.5 m).
TIP_REACH = (0.2, 2.1)


def load_pose(
    path: str | os.PathLike, fps: float | None = None, *, t: Sequence[float] | None = None, person: str | int = "auto",
    size: tuple[int, int] | None = None,
) -> PoseSequence:  # fmt: skip
    """Read one person's skeleton from a file or a folder.

    Parameters
    ----------
    path : path
        ``pose.json``; a POSE_KEYPOINT or OpenPose JSON; a folder of OpenPose's JSON files, one per frame; or a ``*_series.npz``.
    fps : float, optional
        Frames per second. This or ``t`` is needed for all but ``pose.json``, which has its own times (then both are ignored). Never guessed.
    t : sequence of float, optional
        The time of each frame, s, as of the clip that the skeleton was found in.
    person : {"auto", "largest"} or int
        Whom to take where a file holds several people; see :func:`.openpose_json.from_pose_keypoint`.
    size : (W, H), optional
        The picture's size, where the file doesn't say it.

    Returns
    -------
    PoseSequence
        In source pixels. Missing joints NaN.

    Raises
    ------
    KineticsError
        When the path is missing, not one of these files, lacks a rate, or holds arrays of the wrong shape.
    """
    path = Path(path)
    if not path.exists():
        raise KineticsError(f"{path} is not there; check the path of the skeleton.")
    if path.is_dir():
        return load_pose_keypoint(path, fps=fps, t=t, person=person, size=size)
    if path.suffix.lower() == ".npz":
        return load_series(path, fps=fps, t=t, size=size)
    if path.suffix.lower() != ".json":
        raise KineticsError(
            f"{path} is not a skeleton file; give a pose.json, an OpenPose or POSE_KEYPOINT .json (or a folder of them), or a *_series.npz."
        )
    value = read_json(path)
    if isinstance(value, Mapping) and "xy" in value:
        return PoseSequence.from_dict(value, where=str(path))
    return from_pose_keypoint(value, fps=fps, t=t, person=person, size=size, source=str(path))


def keeps_times(path: str | os.PathLike) -> bool:
    """Whether a skeleton's file says when its frames were, as ``pose.json`` does; for others :func:`load_pose` has to be told."""
    path = Path(path)
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    value = read_json(path)
    return isinstance(value, Mapping) and "xy" in value


def load_series(
    path: str | os.PathLike, fps: float | None = None, *, t: Sequence[float] | None = None, size: tuple[int, int] | None = None
) -> PoseSequence:
    """Read a ``*_series.npz`` of the earlier analysis: ``kps`` (T, 13, 2), ``conf`` (T, 13), ``bat`` (T, 2).

    The joints get COCO's names, the bat's tip becomes ``bat_tip``. The file keeps no confidence for the tip: it gets 0.5 where it is
    0.2 to 2.1 trunk lengths from the nearer wrist, and 0.1 where a bat can't reach (so that a gate at 0.3 removes it).
    Nor does it keep the picture's size: without ``size`` it is the smallest that holds every joint and tip, 16 pixels spare.
    The pickled part of the file is never opened.

    Raises
    ------
    KineticsError
        When the file can't be read, lacks an array, holds one of the wrong shape, or neither ``fps`` nor ``t`` is given.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
            for key in ("kps", "conf", "bat"):
                if key not in file.files:
                    raise KineticsError(f"{path} has no {key!r}; give a *_series.npz with kps, conf and bat.")
                arrays[key] = np.asarray(file[key], dtype=np.float64)
    except KineticsError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise KineticsError(f"{path} can't be read as a *_series.npz ({error}); it may be damaged, make it again.") from error
    kps, conf, bat = arrays["kps"], arrays["conf"], arrays["bat"]
    frames = len(kps) if kps.ndim else 0
    if kps.shape != (frames, 13, 2) or conf.shape != (frames, 13) or bat.shape != (frames, 2) or frames == 0:
        raise KineticsError(
            f"{path} holds kps {kps.shape}, conf {conf.shape} and bat {bat.shape}; a *_series.npz has (T, 13, 2), (T, 13) and (T, 2)."
        )
    t = frame_times(frames, fps, t, str(path))
    wrists = kps[:, [SERIES_NAMES.index("left_wrist"), SERIES_NAMES.index("right_wrist")]]
    apart = np.linalg.norm(wrists - bat[:, None], axis=2)
    reach = np.where(np.isnan(apart), np.inf, apart).min(axis=1) / torso_length(kps, SERIES_NAMES)
    possible = (reach >= TIP_REACH[0]) & (reach <= TIP_REACH[1])
    xy = np.concatenate([kps, bat[:, None]], axis=1)
    rule = "given"
    if size is None:
        far = np.max(xy, axis=(0, 1), where=np.isfinite(xy), initial=0.0)
        size = (int(np.ceil(far[0])) + 16, int(np.ceil(far[1])) + 16)
        rule = "smallest that holds every joint, 16 px spare"
    return PoseSequence(
        xy, np.concatenate([conf, np.where(possible, TIP_CONFIDENCE, IMPOSSIBLE_TIP_CONFIDENCE)[:, None]], axis=1), t,
        (*SERIES_NAMES, "bat_tip"), size,
        provenance={
            "source": str(path), "estimator": "earlier analysis (MediaPipe)", "size_from": rule,
            "bat_tip": {"confidence": "set by reach, the file has none", "out_of_reach": int((~possible).sum())}, "steps": [],
        },
    )  # fmt: skip
