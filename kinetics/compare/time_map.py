"""The smooth, monotone map of one shot's time onto another's that a warping path stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from ..pose.interpolate import interpolate_pose
from ..pose_sequence import PoseSequence

#: Cells of the grid on which the path is smoothed, per standard deviation of the kernel.
_PER_SIGMA = 32


@dataclass(frozen=True)
class TimeMap:
    """Seconds of the reference to seconds of the other shot; strictly increasing.

    Attributes
    ----------
    t, at : (n,) s
        Knots: times of the reference, and those of the other that belong to them. Linear between; beyond the ends time runs at one rate.
    """

    t: np.ndarray
    at: np.ndarray

    def __call__(self, t: np.ndarray) -> np.ndarray:
        """Times of the other shot at times ``t`` of the reference."""
        return _map(np.asarray(t, dtype=np.float64), self.t, self.at)

    def undo(self, at: np.ndarray) -> np.ndarray:
        """Times of the reference at times ``at`` of the other shot."""
        return _map(np.asarray(at, dtype=np.float64), self.at, self.t)

    def tempo(self, first: float, last: float) -> float:
        """How much faster the other goes through what the reference shows from ``first`` to ``last`` s: 2 is twice as fast."""
        return float((last - first) / (self(last) - self(first)))


def smooth_path(
    path: np.ndarray,
    t: np.ndarray,
    at: np.ndarray,
    *,
    smooth: float = 0.08,
    most: float = 4.0,
    hold: float | None = None,
    through: tuple[float, float] | None = None,
) -> TimeMap:
    """Turn the staircase of a warping path into a map without jumps or stops.

    The path's times (t, at) are averaged with a Gaussian along its own length |dt| + |dat|, reflected at both ends. A Gaussian's weights
    have a monotone likelihood ratio, so the mean of a rising sequence rises, however unevenly the frames come. Then no stretch is let
    run more than ``most`` times as fast as its partner, or as slow: what is cut off moves the times further out, those at ``hold`` stay.

    Parameters
    ----------
    path : (n, 2) int
        Frames of the reference and of the other, in order.
    t, at : (T,), (M,) s
        The times of all their frames.
    smooth : float
        Standard deviation of the Gaussian, seconds of either shot; 0.08 s is two frames at 25 a second.
    most : float
        Greatest tempo, and 1 over the least.
    hold : float, optional
        Time of the reference where the limit moves nothing, such as impact; the middle of the path when not given.
    through : (s, s), optional
        A time of the reference and one of the other that have to meet exactly, such as both impacts; it holds there, and the whole map is
        shifted by what the smoothing leaves, a fraction of a frame where the path passes both.

    Returns
    -------
    TimeMap

    Raises
    ------
    KineticsError
        When the path has fewer than two pairs or isn't in order, or a setting is out of range.
    """
    path = np.asarray(path)
    if path.ndim != 2 or path.shape[1:] != (2,) or len(path) < 2 or (np.diff(path, axis=0) < 0).any():
        raise KineticsError(f"A time map needs a path of two or more pairs in order; this one has shape {path.shape}.")
    if not (smooth > 0 and most > 1):
        raise KineticsError(f"A path can't be smoothed over {smooth} s with a tempo up to {most}; give a time above 0 and a tempo above 1.")
    from scipy.ndimage import gaussian_filter1d

    both = np.stack([np.asarray(t, np.float64)[path[:, 0]], np.asarray(at, np.float64)[path[:, 1]]])
    along = (both - both[:, :1]).sum(axis=0)
    # A second of path is half a second of either shot; a kernel narrower than the steps would leave holes.
    sigma = max(2 * smooth, 1.5 * float(np.diff(along).max()))
    margin = min(4 * sigma, along[-1])
    first, last = along <= margin, along >= along[-1] - margin
    along_all = np.concatenate([-along[first][:0:-1], along, (2 * along[-1] - along[last])[-2::-1]])
    both_all = np.concatenate([2 * both[:, :1] - both[:, first][:, :0:-1], both, (2 * both[:, -1:] - both[:, last])[:, -2::-1]], axis=1)
    cell = sigma / _PER_SIGMA
    where = np.round((along_all - along_all[0]) / cell).astype(int)
    count = np.bincount(where).astype(float)
    sums = np.stack([np.bincount(where, weights=values) for values in both_all])
    weight = gaussian_filter1d(count, _PER_SIGMA, mode="constant")
    smoothed = gaussian_filter1d(sums, _PER_SIGMA, axis=1, mode="constant") / np.maximum(weight, np.finfo(float).tiny)
    inside = slice(where[np.searchsorted(along_all, 0.0)], where[np.searchsorted(along_all, along[-1])] + 1)
    ref, free = smoothed[:, inside]
    moves = np.concatenate([[True], np.diff(ref) > 1e-6 * (ref[-1] - ref[0])])
    ref, free = ref[moves], free[moves]
    rate = np.clip(np.diff(free) / np.diff(ref), 1 / most, most)
    other = np.concatenate([[0.0], np.cumsum(rate * np.diff(ref))])
    hold = through[0] if through else float(np.interp(along[-1] / 2, along, both[0])) if hold is None else hold
    hold = float(np.clip(hold, ref[0], ref[-1]))
    meets = through[1] if through else np.interp(hold, ref, free)
    return TimeMap(ref, other + meets - np.interp(hold, ref, other))


def warp_pose(pose: PoseSequence, time_map: TimeMap, t: np.ndarray) -> PoseSequence:
    """A skeleton as it is at the reference's times ``t``.

    Parameters
    ----------
    pose : PoseSequence
        The other shot.
    time_map : TimeMap
    t : (n,) s
        Times of the reference, e.g. its frames'.

    Returns
    -------
    PoseSequence
        With times ``t``; linear between two frames, NaN outside the clip and where either frame lacks the joint. Step ``warp_pose``.
    """
    t = np.asarray(t, dtype=np.float64)
    xy, conf = interpolate_pose(pose, time_map(t))
    return pose.with_step("warp_pose", xy=xy, conf=conf, t=t)


def _map(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    inside = np.clip(x, knots[0], knots[-1])
    return np.interp(inside, knots, values) + (x - inside)
