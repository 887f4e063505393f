"""What a viewer needs of one clip, as plain JSON values: its times, skeleton, bat and measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..motion.bat_track import BatTrack
from ..motion.export import points_record, swing_record
from ..motion.measure import SwingMeasurement
from ..pose_sequence import PoseSequence
from ..stick_figure import BONES

#: A pose's frames may lie so far from the clip's, in steps of the clip.
_STEP = 0.5


def make_tile(
    name: str, size: tuple[int, int], t: np.ndarray, *, pose: PoseSequence | None = None, track: BatTrack | None = None,
    swing: SwingMeasurement | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Gather what is shown of one clip.

    Parameters
    ----------
    name : str
        What the clip is called; any text.
    size : (W, H) px
        Of the clip itself; all coordinates are in its pixels.
    t : (T,) s
        Times of its frames; the first is taken as 0.
    pose, track, swing : optional
        Of this clip. A swing brings its own skeleton and bat.

    Returns
    -------
    dict
        ``name``, ``size``, ``t``; ``pose`` (``names``, ``bones`` as [joint, joint, side], ``xy`` per frame [x0, y0, x1, …], ``conf``), ``bat`` (``hands``
        and ``tip`` per frame) and ``swing`` (``unit``, ``per_second``, ``speed`` and ``omega`` with ``value`` and ``sigma``, ``peak_speed``,
        ``peak_omega``, ``phases``, ``impact``, ``flags``), each null where there is none. Missing numbers are null; times count from the first frame.

    Raises
    ------
    KineticsError
        When skeleton, bat or swing are not in pixels of this clip, or have other frames.
    """
    t = np.asarray(t, dtype=np.float64)
    if swing is not None:
        pose, track = pose or swing.pose, swing.track
    tip = swing.tip if swing is not None else None if track is None else track.tip
    return {
        "name": name, "size": [int(side) for side in size], "t": [round(float(value), 6) for value in t - t[0]],
        "pose": None if pose is None else _pose(pose, name, size, t),
        "bat": None if track is None else _bat(track, tip, name, size, t),
        "swing": None if swing is None else _swing(swing, float(np.asarray(swing.t)[0])),
    }  # fmt: skip


def frames_of(other: np.ndarray, t: np.ndarray, name: str, what: str) -> np.ndarray:
    """(T,) int: for each frame of the clip the frame of ``other`` shown then, -1 where it has none.

    Raises
    ------
    KineticsError
        When ``other`` has more frames than the clip, or half of either's frames have none of the other's at their time.
    """
    other, own = np.asarray(other, float) - float(other[0]), t - t[0]
    if len(other) == len(own):
        other = own if np.abs(other - own).max(initial=0.0) < _step(own) else other
    after = np.clip(np.searchsorted(other, own), 1, max(len(other) - 1, 1))
    nearest = np.where(np.abs(other[after - 1] - own) <= np.abs(other[np.minimum(after, len(other) - 1)] - own), after - 1, np.minimum(after, len(other) - 1))
    found = np.where(np.abs(other[nearest] - own) <= _STEP * _step(own), nearest, -1)
    if len(other) > len(own) + 1 or (found < 0).sum() > len(own) / 2 or len(np.unique(found[found >= 0])) < len(other) / 2:
        raise KineticsError(f"The {what} of {name} has {len(other)} frames at other times than the clip's {len(own)}; plug in the one that was made from this clip.")
    return found


def _step(t: np.ndarray) -> float:
    return float(np.median(np.diff(t))) if len(t) > 1 else np.inf


def _check_size(size: tuple[int, int], own: tuple[int, int], name: str, what: str) -> None:
    if tuple(size) != tuple(own):
        raise KineticsError(f"The {what} of {name} is of a picture of {size[0]}×{size[1]}, the clip's is {own[0]}×{own[1]}; plug in the one that was made from this clip.")


def _pose(pose: PoseSequence, name: str, size: tuple[int, int], t: np.ndarray) -> dict[str, Any]:
    if pose.space != "px":
        raise KineticsError(f"The skeleton of {name} is not in pixels of the clip; plug in the one from Extract Skeleton or Clean Skeleton.")
    _check_size(pose.size, size, name, "skeleton")
    frames = frames_of(pose.t, t, name, "skeleton")
    xy = np.where((frames >= 0)[:, None, None], pose.xy[frames], np.nan)
    conf = np.where((frames >= 0)[:, None], pose.conf[frames], 0.0)
    return {"names": list(pose.names), "bones": bones_of(pose.names), "xy": pose_rows(xy), "conf": np.round(np.nan_to_num(conf), 2).tolist()}


def bones_of(names: Sequence[str]) -> list[list]:
    """The bones between joints that are there, [joint, joint, side]."""
    column = {joint: k for k, joint in enumerate(names)}
    return [[column[a], column[b], _side(a, b)] for a, b, _ in BONES if a in column and b in column]


def pose_rows(xy: np.ndarray) -> list[list[float | None]]:
    """(T, K, 2) px as [x0, y0, x1, ...] per frame, None where missing."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in np.round(xy.reshape(len(xy), -1), 1)]


def _side(a: str, b: str) -> str:
    sides = {joint.split("_")[0] for joint in (a, b)}
    return next(iter(sides)) if len(sides) == 1 and sides <= {"left", "right"} else "middle"


def _bat(track: BatTrack, tip: np.ndarray, name: str, size: tuple[int, int], t: np.ndarray) -> dict[str, Any]:
    _check_size(track.size, size, name, "bat track")
    frames = frames_of(track.t, t, name, "bat track")
    there = (frames >= 0)[:, None]
    return {"hands": points_record(np.where(there, track.hands[frames], np.nan)), "tip": points_record(np.where(there, tip[frames], np.nan))}


def _swing(swing: SwingMeasurement, first: float) -> dict[str, Any]:
    record = swing_record(swing)

    def moved(value: dict | None) -> dict | None:
        return None if value is None or value["t"] is None else {**value, "t": round(value["t"] - first, 4)}

    return {
        "unit": record["unit"], "per_second": record["per_second"], "t": [round(value - first, 4) for value in record["t"]],
        "speed": record["tip_speed"], "omega": record["omega"], "peak_speed": moved(record["peak_tip_speed"]), "peak_omega": moved(record["peak_omega"]),
        "phases": [{"name": phase["name"], "start": round(phase["start"] - first, 4), "end": round(phase["end"] - first, 4)} for phase in record["phases"]],
        "impact": moved(record["impact"]), "flags": record["flags"],
    }  # fmt: skip
