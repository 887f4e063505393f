"""PoseSequence: the one value that flows through every room."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .errors import KineticsError
from .files import read_json, write_json

#: The 17 keypoints of COCO, in COCO's order.
COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

#: The 12 joints of the limbs, the ones that scores are counted on.
LIMB_NAMES = COCO_NAMES[5:]

SPACES = ("px", "body", "m")


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """One person's joints over time.

    Attributes
    ----------
    xy : (T, K, 2) float64
        Positions, x right and y down; both coordinates NaN where a joint is missing.
    conf : (T, K) float64
        Confidence, 0 to 1. Where ``xy`` is NaN it is 0.
    t : (T,) float64
        Seconds, strictly increasing, from the frames' own timestamps.
    names : tuple of K str
        Joints are found by name, never by a number.
    size : (W, H)
        The picture that ``xy`` is measured in, in pixels.
    space : {"px", "body", "m"}
        Unit of ``xy``.
    provenance : dict
        ``source``, ``estimator`` and ``steps``: a list with one dict per step that changed the sequence.

    Raises
    ------
    KineticsError
        On shapes that disagree, times that don't increase, confidence outside 0-1, infinite positions,
        names that repeat.
    """

    xy: np.ndarray
    conf: np.ndarray
    t: np.ndarray
    names: tuple[str, ...]
    size: tuple[int, int]
    space: str = "px"
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        xy = np.array(self.xy, dtype=np.float64)
        conf = np.array(self.conf, dtype=np.float64)
        t = np.array(self.t, dtype=np.float64)
        names = tuple(str(name) for name in self.names)
        where = self.provenance.get("source", "the skeleton")
        if xy.ndim != 3 or xy.shape[2] != 2:
            raise KineticsError(f"Positions of {where} have shape {xy.shape}; give frames × joints × 2.")
        frames, joints = xy.shape[:2]
        if frames == 0:
            raise KineticsError(f"{where} has no frames; give at least one.")
        if conf.shape != (frames, joints) or t.shape != (frames,) or len(names) != joints:
            raise KineticsError(
                f"Parts of {where} disagree: positions {xy.shape}, confidence {conf.shape}, times {t.shape}, "
                f"{len(names)} names; give one confidence per position, one time per frame, one name per joint."
            )
        if len(set(names)) != joints:
            twice = sorted({name for name in names if names.count(name) > 1})
            raise KineticsError(f"Joint names of {where} repeat ({', '.join(twice)}); give each joint one name.")
        if not np.isfinite(t).all() or (np.diff(t) <= 0).any():
            bad = int(np.argmax(~np.isfinite(t))) if not np.isfinite(t).all() else int(np.argmax(np.diff(t) <= 0)) + 1
            raise KineticsError(f"Times of {where} don't increase at frame {bad}; give each frame a later time than the one before.")
        if np.isinf(xy).any():
            raise KineticsError(f"{where} has an infinite position at frame {int(np.argwhere(np.isinf(xy))[0, 0])}; use null where a joint is missing.")
        missing = np.isnan(xy).any(axis=2)
        xy[missing] = np.nan
        conf[missing] = 0.0
        if not ((conf >= 0) & (conf <= 1)).all():
            frame, joint = np.argwhere(~((conf >= 0) & (conf <= 1)))[0]
            raise KineticsError(
                f"Confidence of {names[joint]} at frame {frame} of {where} is {conf[frame, joint]:g}; it has to lie between 0 and 1."
            )
        if self.space not in SPACES:
            raise KineticsError(f"Unit {self.space!r} of {where} is unknown; use px, body or m.")
        size = tuple(int(value) for value in self.size)
        if len(size) != 2 or min(size) <= 0:
            raise KineticsError(f"Picture size {self.size} of {where} is not a width and a height in pixels.")
        for array in (xy, conf, t):
            array.setflags(write=False)
        for name, value in (("xy", xy), ("conf", conf), ("t", t), ("names", names), ("size", size)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.t)

    @property
    def missing(self) -> np.ndarray:
        """(T, K) bool: joints that are not there."""
        return np.isnan(self.xy[..., 0])

    @property
    def source(self) -> str:
        return str(self.provenance.get("source", ""))

    def index(self, name: str) -> int:
        """Column of a joint.

        Raises
        ------
        KineticsError
            When no joint has that name.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise KineticsError(f"{self.source or 'The skeleton'} has no joint {name!r}; it has {', '.join(self.names)}.") from None

    def joint(self, name: str) -> np.ndarray:
        """(T, 2) track of one joint, NaN where missing."""
        return self.xy[:, self.index(name)]

    def select(self, names: Sequence[str]) -> PoseSequence:
        """The same sequence with these joints only, in this order."""
        columns = [self.index(name) for name in names]
        return replace(self, xy=self.xy[:, columns], conf=self.conf[:, columns], names=tuple(names))

    def with_step(self, step: str, /, *, xy=None, conf=None, t=None, size=None, space=None, **details: Any) -> PoseSequence:
        """A copy with new values, and the step that made them added to the provenance.

        Parameters
        ----------
        step : str
            Name of the step, e.g. ``"hampel"``.
        xy, conf, t, size, space : optional
            What the step changed.
        **details
            Settings and counts of the step; kept in the provenance, so JSON values only.
        """
        given = {"xy": xy, "conf": conf, "t": t, "size": size, "space": space}
        steps = [*self.provenance.get("steps", ()), {"step": step, **details}]
        return replace(
            self, provenance={**self.provenance, "steps": steps}, **{key: value for key, value in given.items() if value is not None}
        )

    def with_joint(self, name: str, xy: np.ndarray, conf: np.ndarray) -> PoseSequence:
        """A copy with one joint more, or with this joint's values when it is there.

        Parameters
        ----------
        name : str
        xy : (T, 2)
            NaN where missing.
        conf : (T,)
            0-1; taken as 0 where missing.
        """
        kept = [column for column, other in enumerate(self.names) if other != name]
        conf = np.where(np.isnan(xy).any(axis=1), 0.0, conf)
        return replace(
            self, names=(*(self.names[column] for column in kept), name),
            xy=np.concatenate([self.xy[:, kept], xy[:, None]], axis=1), conf=np.concatenate([self.conf[:, kept], conf[:, None]], axis=1),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The value of ``pose.json``: null where a joint is missing."""
        xy: list[list[list[float] | list[None]]] = self.xy.tolist()
        for frame, joint in np.argwhere(self.missing):
            xy[frame][joint] = [None, None]
        return {
            "names": list(self.names), "size": list(self.size), "t": self.t.tolist(), "xy": xy,
            "conf": self.conf.tolist(), "space": self.space, "provenance": self.provenance,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], where: str = "the skeleton") -> PoseSequence:
        """Read the value of ``pose.json``; a missing joint is null or [null, null].

        Raises
        ------
        KineticsError
            When a key is missing or a value has the wrong shape.
        """
        absent = [key for key in ("names", "size", "t", "xy", "conf") if key not in value]
        if absent:
            raise KineticsError(f"{where} lacks {', '.join(absent)}; give a pose.json that `python -m kinetics pose` wrote.")
        try:
            names = tuple(value["names"])
            xy = np.array(
                [[point if point is not None else (None, None) for point in frame] for frame in value["xy"]], dtype=np.float64
            ).reshape(len(value["xy"]), len(names), 2)
            conf = np.array(value["conf"], dtype=np.float64)
            t = np.array(value["t"], dtype=np.float64)
            size = tuple(int(side) for side in value["size"])
            provenance = {"source": where, **dict(value.get("provenance") or {})}
        except (TypeError, ValueError) as error:
            raise KineticsError(f"{where} holds arrays of the wrong shape ({error}); give a pose.json that `python -m kinetics pose` wrote.") from error
        return cls(xy, conf, t, names, size, value.get("space", "px"), provenance)

    def save(self, path: str | os.PathLike) -> None:
        """Write ``pose.json``, whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike) -> PoseSequence:
        """Read ``pose.json``."""
        value = read_json(path)
        if not isinstance(value, Mapping):
            raise KineticsError(f"{path} is not a pose.json; give one that `python -m kinetics pose` wrote.")
        return cls.from_dict(value, where=str(path))
