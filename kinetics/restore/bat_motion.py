"""Where the bat is and how fast, so that frames are averaged less where it flies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import KineticsError
from ..motion.forearm import forearm_line

if TYPE_CHECKING:
    from ..motion.bat_track import BatTrack
    from ..motion.measure import SwingMeasurement
    from ..pose_sequence import PoseSequence

#: A bat that moves this part of its own length from frame to frame leaves its neighbours no say.
_FAST = 0.6

#: A bat reaches about so many forearms beyond the hands.
BAT_FOREARMS = 1.5


@dataclass(frozen=True)
class BatMotion:
    """The bat's ends over time: ``t`` (T,) s, ``hands`` and ``tip`` (T, 2) px of the picture of ``size``; NaN where unknown."""

    t: np.ndarray
    hands: np.ndarray
    tip: np.ndarray
    size: tuple[int, int]

    def hold_back(self, t: float, shape: tuple[int, int], interval: float) -> np.ndarray | None:
        """How far neighbouring frames count, (H, W) 0-1: little within the bat's reach where it moves fast. None where it is unknown, or slow.

        Parameters
        ----------
        t : s
        shape : (H, W)
        interval : s
            From frame to frame.
        """
        ends = np.concatenate([self._at(t), self._at(t - interval), self._at(t + interval)]).reshape(3, 2, 2)
        if np.isnan(ends[0]).any():
            return None
        length = max(float(np.linalg.norm(ends[0, 1] - ends[0, 0])), 4.0)
        steps = np.linalg.norm(ends[1:, 1] - ends[0, 1], axis=1)
        fast = min(float(np.nanmax(steps)) / (_FAST * length), 1.0) if np.isfinite(steps).any() else 0.0
        if fast < 0.1:
            return None
        scale = np.array([shape[1] / self.size[0], shape[0] / self.size[1]])
        near, wide = np.zeros(shape, np.uint8), max(int(0.3 * length), 3)
        cv2.line(near, *(tuple(int(v) for v in end * scale) for end in ends[0]), 255, 2 * wide)
        soft = cv2.GaussianBlur(near.astype(np.float32) / 255, (0, 0), wide / 2)
        return 1 - fast * soft

    def _at(self, t: float) -> np.ndarray:
        """Hands and tip, (4,), at a time: between two known moments, NaN else."""
        both = np.concatenate([self.hands, self.tip], axis=1)
        after = int(np.searchsorted(self.t, t - 1e-6))
        if after >= len(self.t):
            return np.full(4, np.nan)
        if abs(self.t[after] - t) < 1e-4 or after == 0:
            return both[after] if abs(self.t[after] - t) < 1e-4 else np.full(4, np.nan)
        part = (t - self.t[after - 1]) / (self.t[after] - self.t[after - 1])
        return (1 - part) * both[after - 1] + part * both[after]


def bat_motion(signal: SwingMeasurement | BatTrack | PoseSequence, size: tuple[int, int]) -> BatMotion:
    """The bat's ends out of a swing, a bat track, or a skeleton (its ``bat_tip`` where it has one, else the elbow-to-wrist line prolonged).

    Raises
    ------
    KineticsError
        When the signal is of another picture than ``size``, or a skeleton is not in pixels or lacks the wrists (without ``bat_tip`` the elbows too).
    """
    if tuple(signal.size) != tuple(size):
        raise KineticsError(
            f"The bat's motion is of a picture of {signal.size[0]}×{signal.size[1]}, the clip's is {size[0]}×{size[1]}; measure it on this clip."
        )
    if not hasattr(signal, "xy"):
        return BatMotion(np.asarray(signal.t), np.asarray(signal.hands), np.asarray(signal.tip), tuple(size))
    if signal.space != "px":
        raise KineticsError("The skeleton for Restore Footage is not in pixels of the clip; plug in the one from Extract Skeleton.")
    hands = (signal.joint("left_wrist") + signal.joint("right_wrist")) / 2
    if "bat_tip" in signal.names:
        tip = signal.joint("bat_tip")
    else:
        along, forearm = forearm_line(signal)
        tip = hands + BAT_FOREARMS * forearm[:, None] * along
    return BatMotion(signal.t, hands, tip, tuple(size))
