"""POSE_KEYPOINT and OpenPose JSON, in and out.

Read: core SDPose (pixels, real scores, missing -1), controlnet_aux (confidence 0 or 1, hands and face may be None; DWPose in
pixels, OpenPose in shares of the canvas), OpenPose's own files (COCO-18 or BODY_25, one per frame). Written: core's form, or aux's
with ``binarise``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..files import read_json
from ..pose_sequence import PoseSequence
from .body import MIDPOINTS, midpoint
from .people import choose_person, link_people

#: OpenPose's 18 body joints, in its order.
OPENPOSE_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

#: OpenPose's BODY_25, in its order; None for the small toes, which nothing here uses.
BODY_25 = (
    *OPENPOSE_18[:8], "pelvis", *OPENPOSE_18[8:],
    "left_foot", None, "left_heel", "right_foot", None, "right_heel",
)  # fmt: skip

FOOT_6 = ("left_foot", None, "left_heel", "right_foot", None, "right_heel")

#: Knuckles among a hand's 21 points.
KNUCKLES = {2: "thumb", 5: "index", 17: "pinky"}

HANDS = ("left", "right")

#: Every joint that can be read, in the order of the sequence that is made.
READ_NAMES = (
    *OPENPOSE_18, "pelvis", *(name for name in FOOT_6 if name), *(f"{side}_{part}" for side in HANDS for part in KNUCKLES.values()),
)  # fmt: skip

#: Coordinates are shares of the canvas when none is further out than this: a person in pixels is never this small.
LARGEST_SHARE = 1.5

Person = str | int


def from_pose_keypoint(
    value: Any,
    fps: float | None = None,
    *,
    t: Sequence[float] | None = None,
    person: Person = "auto",
    size: tuple[int, int] | None = None,
    source: str = "POSE_KEYPOINT",
) -> PoseSequence:
    """Make a skeleton of one person from a POSE_KEYPOINT value.

    Parameters
    ----------
    value : dict or list of dict
        One frame or a list of frames: ``{canvas_width, canvas_height, people: [...]}``, or OpenPose's ``{version, people: [...]}``.
    fps : float, optional
        Frames per second; or ``t``, the frames' times in seconds. One of them is needed: the value keeps no times.
    person : {"auto", "largest"} or int
        The order of people in a frame is no identity, so they are first followed through the frames by their joints. Then ``"auto"``
        takes the one whose wrists travel most about the body (the one who swings), ``"largest"`` the largest, and a number
        the person at that place in the first frame that has so many.
    size : (W, H), optional
        The picture, where frames have no canvas. Without either it is the smallest that holds every joint.
    source : str
        Named in errors and the provenance.

    Returns
    -------
    PoseSequence
        Pixels. NaN for joints that are missing (confidence 0, or both coordinates -1) and in frames without the person;
        confidence clipped to 0-1. Only joints seen in some frame are kept. Provenance: ``source``, ``person``, ``coordinates``, ``people``.

    Raises
    ------
    KineticsError
        When the value isn't one of these forms, holds animals, has no rate, no such person, or nobody at all.
    """
    frames = [value] if isinstance(value, Mapping) else value
    if not isinstance(frames, Sequence) or isinstance(frames, str) or not frames:
        raise KineticsError(f"{source} is not a list of frames; give a POSE_KEYPOINT value, as pose nodes make it.")
    people = [_read_people(frame, f"frame {number} of {source}") for number, frame in enumerate(frames)]
    times = frame_times(len(frames), fps, t, source)
    canvas, rule = _canvas(frames, size, source)
    present = [points[there, :2] for frame in people for points in frame for there in [points[:, 2] > 0]]
    if not any(len(points) for points in present):
        raise KineticsError(f"Nobody is in {source}; check that the pose node found a person.")
    shares = max(float(np.abs(points).max()) for points in present if len(points)) <= LARGEST_SHARE
    if shares:
        if canvas is None:
            raise KineticsError(f"{source} gives positions as shares of a canvas whose size it doesn't say; give the picture's size.")
        for frame in people:
            for points in frame:
                points[:, :2] *= canvas
    if canvas is None:
        far = np.max(np.concatenate(present), axis=0)
        canvas, rule = (int(np.ceil(far[0])) + 1, int(np.ceil(far[1])) + 1), "smallest that holds every joint"
    for frame in people:
        for points in frame:
            points[points[:, 2] <= 0, :2] = np.nan
    tracks = link_people([[(points[:, :2], points[:, 2]) for points in frame] for frame in people], times)
    track = choose_person(tracks, people, times, READ_NAMES, person, source)
    xy, conf = np.full((len(frames), len(READ_NAMES), 2), np.nan), np.zeros((len(frames), len(READ_NAMES)))
    for frame, place in track.items():
        xy[frame], conf[frame] = people[frame][place][:, :2], people[frame][place][:, 2]
    known = ~np.isnan(xy[..., 0]).all(axis=0)
    return PoseSequence(
        xy[:, known], np.clip(conf[:, known], 0, 1), times, tuple(np.array(READ_NAMES)[known]), canvas,
        provenance={
            "source": source, "estimator": "POSE_KEYPOINT", "person": person, "people": len(tracks), "size_from": rule,
            "coordinates": "shares of the canvas" if shares else "pixels", "steps": [],
        },
    )  # fmt: skip


def to_pose_keypoint(pose: PoseSequence, binarise: bool = False) -> list[dict[str, Any]]:
    """A POSE_KEYPOINT value for core's and controlnet_aux's nodes.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    binarise : bool
        For controlnet_aux, which drops every joint whose confidence is below 1: confidence 1 for a joint that is there, and (0, 0, 0)
        for one that isn't. Otherwise real confidences and core's (-1, -1, 0).

    Returns
    -------
    list of dict
        One per frame, with ``people`` empty where no joint is there. All five lists are always filled (54, 18, 210, 63, 63
        floats): core fails on None. ``neck`` is the middle of the shoulders where the skeleton has none. Of each hand, the wrist
        and the knuckles that are known. Positions are not clamped to the canvas. A joint with confidence 0 comes out as missing.

    Raises
    ------
    KineticsError
        When the skeleton isn't in pixels.
    """
    if pose.space != "px":
        raise KineticsError(
            f"{pose.source or 'The skeleton'} is in unit {pose.space!r}, and POSE_KEYPOINT needs pixels; "
            "give the skeleton before it was normalised."
        )
    tracks = {name: np.column_stack([pose.xy[:, k], pose.conf[:, k]]) for k, name in enumerate(pose.names)}
    if "neck" not in tracks and set(MIDPOINTS["neck"]) <= set(tracks):
        tracks["neck"] = np.column_stack(midpoint(pose.xy, pose.conf, pose.names, "neck"))
    absent = np.array([0.0, 0.0, 0.0] if binarise else [-1.0, -1.0, 0.0])
    for track in tracks.values():
        there = track[:, 2] > 0
        track[~there] = absent
        if binarise:
            track[there, 2] = 1.0
    nothing = np.tile(absent, (len(pose), 1))

    def flat(names: Sequence[str | None]) -> np.ndarray:
        return np.concatenate([tracks.get(name, nothing) for name in names], axis=1)

    parts = {
        "pose_keypoints_2d": flat(OPENPOSE_18),
        "foot_keypoints_2d": flat(FOOT_6),
        # 68 landmarks that no skeleton here has, then the two eyes, as core orders them.
        "face_keypoints_2d": flat([None] * 68 + ["right_eye", "left_eye"]),
        "hand_right_keypoints_2d": flat(_hand_names("right", tracks)),
        "hand_left_keypoints_2d": flat(_hand_names("left", tracks)),
    }
    seen = ((pose.conf > 0) & ~pose.missing).any(axis=1)
    width, height = pose.size
    return [
        {
            "canvas_width": width, "canvas_height": height,
            "people": [{key: values[frame].tolist() for key, values in parts.items()}] if seen[frame] else [],
        }
        for frame in range(len(pose))
    ]  # fmt: skip


def load_pose_keypoint(
    path: str | os.PathLike, fps: float | None = None, *, t: Sequence[float] | None = None, person: Person = "auto",
    size: tuple[int, int] | None = None,
) -> PoseSequence:  # fmt: skip
    """Read a POSE_KEYPOINT or OpenPose JSON file, or a folder with one such file per frame.

    In a folder the frames are ordered by the last number in their names, and a number left out is a frame without anybody.
    Parameters and errors as :func:`from_pose_keypoint`; also a KineticsError for a folder without such files.
    """
    path = Path(path)
    if not path.is_dir():
        return from_pose_keypoint(read_json(path), fps, t=t, person=person, size=size, source=str(path))
    files = sorted(path.glob("*.json"), key=lambda file: (_number(file), file.name))
    if not files:
        raise KineticsError(f"{path} holds no .json files; give the folder that OpenPose wrote, one file per frame.")
    numbers = [_number(file) for file in files]
    if len(set(numbers)) != len(numbers) or numbers[0] < 0:
        raise KineticsError(f"File names in {path} don't number the frames one by one; name them like clip_000000000012_keypoints.json.")
    frames: list[dict[str, Any]] = [{"people": []} for _ in range(numbers[-1] - numbers[0] + 1)]
    for number, file in zip(numbers, files, strict=True):
        value = read_json(file)
        if isinstance(value, Sequence) and len(value) == 1:
            value = value[0]
        if not isinstance(value, Mapping):
            raise KineticsError(f"{file} is not one frame of OpenPose; give a folder with one JSON object per file.")
        frames[number - numbers[0]] = dict(value)
    return from_pose_keypoint(frames, fps, t=t, person=person, size=size, source=str(path))


def frame_times(frames: int, fps: float | None, t: Sequence[float] | None, source: str) -> np.ndarray:
    """(frames,) seconds from a rate or from given times.

    Raises
    ------
    KineticsError
        When neither or both are given, the rate isn't positive, or the times are not one per frame.
    """
    if (fps is None) == (t is None):
        raise KineticsError(f"{source} keeps no times; give its frames per second (--fps, or fps=), or a time for each frame, not both.")
    if t is not None:
        times = np.asarray(t, dtype=np.float64)
        if times.shape != (frames,):
            raise KineticsError(f"{source} has {frames} frames but {times.size} times were given; give one time per frame.")
        return times
    if not (np.isfinite(float(fps)) and fps > 0):
        raise KineticsError(f"Frame rate {fps} for {source} is not a rate; give frames per second above 0.")
    return np.arange(frames) / float(fps)


def _number(file: Path) -> int:
    """The last number in a file's name, -1 when it has none."""
    found = re.findall(r"\d+", re.sub(r"_keypoints$", "", file.stem))
    return int(found[-1]) if found else -1


def _hand_names(side: str, tracks: Mapping[str, np.ndarray]) -> list[str | None]:
    """Names of a hand's 21 points; the wrist only along with a knuckle."""
    names: list[str | None] = [None] * 21
    for place, part in KNUCKLES.items():
        names[place] = f"{side}_{part}"
    if any(name in tracks for name in names):
        names[0] = f"{side}_wrist"
    return names


def _read_people(frame: Any, where: str) -> list[np.ndarray]:
    """One (K, 3) array of x, y, confidence per person, joints as in READ_NAMES, confidence 0 where missing."""
    if not isinstance(frame, Mapping) or "people" not in frame:
        if isinstance(frame, Mapping) and "animals" in frame:
            raise KineticsError(f"{where} holds animals (AP10K), not people; use a pose node for people, such as DWPose or SDPose.")
        raise KineticsError(f"{where} has no people list; give a POSE_KEYPOINT value or an OpenPose JSON.")
    return [_read_person(person, where) for person in frame["people"] or ()]


def _read_person(person: Any, where: str) -> np.ndarray:
    points = np.zeros((len(READ_NAMES), 3))
    if not isinstance(person, Mapping):
        raise KineticsError(f"A person in {where} is {type(person).__name__}, not keypoint lists; give a POSE_KEYPOINT value.")

    def take(key: str, orders: dict[int, dict[int, str]]) -> None:
        flat = person.get(key)
        if flat is None or len(flat) == 0:
            return
        try:
            values = np.array(flat, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise KineticsError(f"{key} in {where} is not a list of numbers ({error}); write the file again.") from error
        if values.ndim != 1 or len(values) not in orders:
            lengths = " or ".join(map(str, orders))
            raise KineticsError(f"{key} in {where} has {values.size} numbers; this kind of skeleton isn't known, give one with {lengths}.")
        values = values.reshape(-1, 3)
        there = np.isfinite(values).all(axis=1) & (values[:, 2] > 0) & ~(values[:, :2] == -1).all(axis=1)
        for place, name in orders[len(flat)].items():
            if there[place]:
                points[READ_NAMES.index(name)] = values[place]

    take("pose_keypoints_2d", {3 * len(order): _places(order) for order in (OPENPOSE_18, BODY_25)})
    take("foot_keypoints_2d", {18: _places(FOOT_6)})
    for side in HANDS:
        take(f"hand_{side}_keypoints_2d", {63: {place: f"{side}_{part}" for place, part in KNUCKLES.items()}})
    return points


def _places(order: Sequence[str | None]) -> dict[int, str]:
    return {place: name for place, name in enumerate(order) if name}


def _canvas(frames: Sequence[Mapping[str, Any]], size: tuple[int, int] | None, source: str) -> tuple[tuple[int, int] | None, str]:
    """The picture's size and where it is from; None when nothing says it."""
    said = [
        (frame["canvas_width"], frame["canvas_height"], number)
        for number, frame in enumerate(frames)
        if frame.get("canvas_width") and frame.get("canvas_height")
    ]
    if size is not None:
        return (int(size[0]), int(size[1])), "given"
    if not said:
        return None, "unknown"
    width, height, _ = said[0]
    for other_width, other_height, number in said:
        if (other_width, other_height) != (width, height):
            raise KineticsError(
                f"Canvas of {source} changes from {width}x{height} to {other_width}x{other_height} at frame {number}; "
                "give frames of one size."
            )
    return (int(width), int(height)), "canvas"
