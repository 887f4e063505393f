"""The plan of what is generated: a skeleton on its canvas, an instant and a phase per frame, drawn when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError, Progress
from ..hints import draw_pose_hint
from ..motion.bat_track import BatTrack
from ..motion.measure import SwingMeasurement
from ..pose_sequence import PoseSequence
from .canvas import fit_canvas
from .instants import phase_at, take_instants

#: body: OpenPose's 18 joints. whole body: hands and face too, as DWPose draws them.
STYLES = ("OpenPose body", "DWPose whole body")

#: Float32 RGB, as the host's picture batches are.
BYTES_PER_PIXEL = 12


@dataclass(frozen=True, eq=False)
class HintPlan:
    """Pose hints that are drawn one by one, as often as they are asked for: however long, the plan takes no more room than its skeleton.

    Attributes
    ----------
    pose : PoseSequence
        In pixels of the canvas, which is its ``size``; ``t`` is when each frame is shown.
    phases : (T,) tuple of str
        Of the swing; ``elsewhere`` where none is known.
    details, bat : bool
        Whether hands and face, and the bat, are drawn.
    """

    pose: PoseSequence
    phases: tuple[str, ...]
    details: bool = False
    bat: bool = False

    def __len__(self) -> int:
        return len(self.pose)

    @property
    def size(self) -> tuple[int, int]:
        return self.pose.size

    @property
    def fps(self) -> float:
        """Frames a second, by the median step; 25 for a single frame, which has none."""
        return 1 / float(np.median(np.diff(self.pose.t))) if len(self) > 1 else 25.0

    def draw(self, frame: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the hint of one frame."""
        return draw_pose_hint(self.pose, frame, self.size, bat=self.bat, details=self.details)

    def draw_all(self, first: int = 0, end: int | None = None, progress: Progress | None = None) -> np.ndarray:
        """(n, H, W, 3) float32, 0 to 1: the hints of frames ``first`` to ``end``, as the host's picture batches are."""
        end = len(self) if end is None else end
        batch = np.empty((end - first, self.size[1], self.size[0], 3), np.float32)
        for place, frame in enumerate(range(first, end)):
            np.divide(self.draw(frame), 255, out=batch[place], dtype=np.float32)
            if progress:
                progress(place + 1, len(batch))
        return batch

    def check_room(self, free: int) -> None:
        """Raise when a batch of all hints doesn't fit.

        Parameters
        ----------
        free : int
            Bytes of memory; four fifths of them may be used.

        Raises
        ------
        KineticsError
        """
        needed = len(self) * self.size[0] * self.size[1] * BYTES_PER_PIXEL
        if needed > 0.8 * free:
            raise KineticsError(
                f"{len(self)} hints of {self.size[0]}×{self.size[1]} need {needed / 2**30:.1f} GB of memory, and {free / 2**30:.1f} GB are free; "
                "take a smaller canvas or fewer frames, or switch draw_batch off and plug the plan into Pose-Conditioned Frames, which draws them as they are needed."
            )


def plan_hints(
    pose: PoseSequence,
    bat: SwingMeasurement | BatTrack | None = None,
    *,
    instants: Callable[[PoseSequence], np.ndarray] | np.ndarray | None = None,
    body: Callable[[PoseSequence], PoseSequence] | None = None,
    width: int = 0,
    height: int = 0,
    fit: str = "batter",
    padding: float = 0.1,
    multiple: int = 64,
    style: str = STYLES[0],
    bat_layer: bool = False,
) -> HintPlan:
    """Plan the hints of a skeleton.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    bat : SwingMeasurement or BatTrack, optional
        Of the same frames: hands and tip for the bat layer; a swing gives the phases too.
    instants : callable or (n,) s, optional
        What to take (:mod:`.instants`), as times or from the skeleton; every frame when left out.
    body : callable, optional
        Puts the motion on another body (:func:`kinetics.retarget.retarget`).
    width, height, fit, padding, multiple
        As :func:`.canvas.fit_canvas`.
    style : str
        One of :data:`STYLES`.
    bat_layer : bool
        Draw the bat. It counts for the canvas as well.

    Raises
    ------
    KineticsError
        When the bat is of other frames, the skeleton is not in pixels or empty, or a setting isn't possible.
    """
    if style not in STYLES:
        raise KineticsError(f"Style {style!r} is unknown; use {' or '.join(STYLES)}.")
    if bat is not None:
        pose = with_bat(pose, bat)
    if not bat_layer and "bat_tip" in pose.names:
        pose = pose.select([name for name in pose.names if name != "bat_tip"])
    if bat_layer and "bat_tip" not in pose.names:
        raise KineticsError(
            f"{pose.source or 'The skeleton'} has no bat to draw; plug in a bat from Track Bat or a swing, or switch the bat layer off."
        )
    if body is not None:
        pose = body(pose)
    times = pose.t if instants is None else instants(pose) if callable(instants) else np.asarray(instants, float)
    if instants is not None:
        pose = take_instants(pose, times)
    size, matrices = fit_canvas(pose, width, height, fit=fit, padding=padding, multiple=multiple)
    xy = np.einsum("tij,tkj->tki", matrices[:, :, :2], pose.xy) + matrices[:, None, :, 2]
    placed = pose.with_step("fit_canvas", xy=xy, size=size, fit=fit, padding=padding, from_size=list(pose.size))
    swing = bat if isinstance(bat, SwingMeasurement) else None
    return HintPlan(placed, phase_at(swing, times), style == STYLES[1], bat_layer)


def with_bat(pose: PoseSequence, bat: SwingMeasurement | BatTrack) -> PoseSequence:
    """The skeleton with the joints ``hands`` and ``bat_tip`` of a bat that was followed in the same frames."""
    if len(bat) != len(pose) or np.abs(bat.t - pose.t).max() > 1e-3 or tuple(bat.size) != tuple(pose.size):
        raise KineticsError("Bat and skeleton are not of the same frames; track both in the same clip, trimmed the same.")
    sure = bat.track.confidence if isinstance(bat, SwingMeasurement) else bat.confidence
    pose = pose.with_joint("hands", bat.hands, np.isfinite(bat.hands[:, 0]).astype(float))
    return pose.with_joint("bat_tip", bat.tip, np.where(np.isfinite(bat.tip[:, 0]), np.maximum(sure, 0.01), 0.0))
