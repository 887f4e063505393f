"""Similarity Procrustes: one scale, one rotation, one shift that lay a skeleton sequence on another.

A point x + iy is held as a complex number, so that a rotation with scale is one complex factor a = s·e^{i phi} and a reflection
cannot come out by accident.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from ..pose.interpolate import interpolate_pose
from ..pose_sequence import PoseSequence

#: Pairs of frames (n, 2): column 0 of ``pose``, column 1 of ``ref``; or a function from times of ``pose`` to times of ``ref``, seconds.
TimeMap = np.ndarray | Sequence[Sequence[int]] | Callable[[np.ndarray], np.ndarray]

#: Points whose thinner spread is below this part of the wider one lie on a line: what is left is rounding.
_THIN = 1e-10


@dataclass(frozen=True)
class Similarity:
    """The map ``ref -> s · R · ref + t``.

    Attributes
    ----------
    s : float
        Scale, > 0.
    R : (2, 2) float64
        Rotation, det +1.
    t : (2,) float64
        Shift, in the unit of the target.
    residual : float
        Weighted root mean square distance after the fit, in the unit of the target.
    variance : float
        sum w|x - s R ref - t|² / (2n - 4): the variance of one coordinate of a point with weight 1.
    sigma_s, sigma_angle : float
        Standard error of the scale and of the angle (rad): Var(a) = variance / sum w|p - p_bar|² on each axis.
    sigma_t : float
        Standard error of the shift on each axis.
    count : int
        Points with a weight above 0.

    Notes
    -----
    The errors take the points' errors as independent. Those of neighbouring frames seldom are, so over a long sequence they are a
    lower bound.
    """

    s: float
    R: np.ndarray
    t: np.ndarray
    residual: float
    variance: float
    sigma_s: float
    sigma_angle: float
    sigma_t: float
    count: int

    @property
    def angle(self) -> float:
        """Rotation in radians, positive from x to y (clockwise on the screen, where y points down)."""
        return float(np.arctan2(self.R[1, 0], self.R[0, 0]))

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) of the reference onto the target. NaN stays NaN."""
        return self.s * np.asarray(points) @ self.R.T + self.t

    def undo(self, points: np.ndarray) -> np.ndarray:
        """Map points (..., 2) of the target onto the reference. NaN stays NaN."""
        return (np.asarray(points) - self.t) @ self.R / self.s


def fit_similarity(x: np.ndarray, ref: np.ndarray, weights: np.ndarray | None = None) -> Similarity:
    """Find s, R in SO(2), t that minimise sum w |x - (s R ref + t)|².

    Closed form: with p = ref, q = x as complex numbers and weighted means p_bar, q_bar,
    a = sum w conj(p - p_bar)(q - q_bar) / sum w |p - p_bar|², s = |a|, R = e^{i·arg a}, t = q_bar - a p_bar.
    Equal to the weighted form of Umeyama (1991, doi:10.1109/34.88573) with its determinant guard.

    Parameters
    ----------
    x, ref : (..., 2) array
        Points that belong together, same shape: joints, or frames × joints. NaN where missing.
    weights : (...) array, optional
        Not negative, e.g. confidence; 1 when not given. A point missing on either side counts 0, whatever its weight.

    Returns
    -------
    Similarity

    Raises
    ------
    KineticsError
        When shapes differ, a weight is negative or not finite, the points common to both sides lie on one line or on one spot
        (rank < 2: a mirror image would fit as well), or the two have nothing in common but their centre (scale 0).
    """
    x = np.asarray(x, dtype=np.float64)
    ref = np.asarray(ref, dtype=np.float64)
    if x.shape != ref.shape or x.ndim < 2 or x.shape[-1] != 2:
        raise KineticsError(f"Can't align points of shape {x.shape} with {ref.shape}: both need the same shape, ending in 2.")
    q = x[..., 0] + 1j * x[..., 1]
    p = ref[..., 0] + 1j * ref[..., 1]
    w = np.ones(q.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != q.shape:
        raise KineticsError(f"Can't align with weights of shape {w.shape}: give one per point, {q.shape}.")
    present = np.isfinite(p) & np.isfinite(q)
    if not (np.isfinite(w[present]).all() and (w[present] >= 0).all()):
        raise KineticsError("Can't align with weights that are negative or not finite: give confidences, 0 or more.")
    used = present & (np.nan_to_num(w) > 0)
    p, q, w = p[used], q[used], w[used]
    if len(p) < 3:
        raise KineticsError(f"Can't align: {len(p)} points are present on both sides; at least 3 that don't lie on one line are needed.")
    total = w.sum()
    a, p_mean, q_mean = solve_similarity(p, q, w)
    for points, mean, name in ((p, p_mean, "reference"), (q, q_mean, "sequence to align")):
        wide, thin = np.linalg.svd(np.sqrt(w / total)[:, None] * _real(points - mean), compute_uv=False)
        # Coordinates carry a rounding error of about eps times their size.
        if thin <= max(_THIN * wide, 8 * np.finfo(float).eps * abs(mean)):
            raise KineticsError(
                f"Can't align: the common points of the {name} lie on one line or one spot; at least 3 that don't are needed."
            )
    p, q = p - p_mean, q - q_mean
    spread = w @ np.abs(p) ** 2
    s = float(abs(a))
    if s**2 * spread <= 1e-20 * (w @ np.abs(q) ** 2):
        raise KineticsError("Can't align: the two sets of points have no common shape (scale 0); check that the joints are the same ones.")
    remaining = float(w @ np.abs(q - a * p) ** 2)
    unit, shift = a / s, q_mean - a * p_mean
    # Weights are inverse variances up to one factor, which the residual gives: 2n coordinates, four parameters.
    variance = remaining / (2 * len(p) - 4)
    sigma_a = float(np.sqrt(variance / spread))
    return Similarity(
        s=s,
        R=np.array([[unit.real, -unit.imag], [unit.imag, unit.real]]),
        t=np.array([shift.real, shift.imag]),
        residual=float(np.sqrt(remaining / total)),
        variance=variance,
        sigma_s=sigma_a,
        sigma_angle=sigma_a / s,
        sigma_t=float(np.sqrt(variance * (1 / total + abs(p_mean) ** 2 / spread))),
        count=len(p),
    )


def solve_similarity(p: np.ndarray, q: np.ndarray, w: np.ndarray) -> tuple[complex, complex, complex]:
    """The closed form over complex points (n,), unchecked: q ~ a (p - p_bar) + q_bar with weights ``w``; NaN where all of ``p`` is one
    spot.

    Returns
    -------
    a, p_bar, q_bar : complex
        a = sum w p'* q' / sum w |p'|² over the points less their weighted means.
    """
    p_mean, q_mean = (w @ p) / w.sum(), (w @ q) / w.sum()
    p = p - p_mean
    with np.errstate(invalid="ignore", divide="ignore"):
        return (w @ (p.conj() * (q - q_mean))) / (w @ np.abs(p) ** 2), p_mean, q_mean


def align_sequence(
    pose: PoseSequence, ref: PoseSequence, joints: Sequence[str] | None = None, mirror: bool = False, time_map: TimeMap | None = None
) -> tuple[PoseSequence, Similarity]:
    """Lay a whole sequence on another with one similarity over all frames and joints.

    Parameters
    ----------
    pose, ref : PoseSequence
        Joints missing in some frames are allowed; weights are the product of both confidences.
    joints : names, optional
        Joints that decide the fit; default all that both have. The result keeps every joint of ``pose``.
    mirror : bool
        Turn ``pose`` into its mirror image first (:func:`mirror_sequence`), to compare a left-hander with a right-hander.
    time_map : optional
        Which frames belong together, e.g. the path of a DTW; see :data:`TimeMap`. Without it both need the same number of frames.
        A function's times are met by linear interpolation of ``ref``; times outside it count as missing.

    Returns
    -------
    PoseSequence
        ``pose`` seen in the frame of ``ref`` (its unit and picture size), with its own times; step ``align_sequence``.
    Similarity
        The fit x ~ s R ref + t that was undone; x is the mirrored sequence when ``mirror``.

    Raises
    ------
    KineticsError
        When no joints are common, lengths differ without a time map, the map points outside the frames, or
        :func:`fit_similarity` refuses.
    """
    x = mirror_sequence(pose) if mirror else pose
    i, at, weight, names = _matched(x, ref, joints, time_map)
    fit = fit_similarity(x.select(names).xy[i], at, weight)
    aligned = x.with_step(
        "align_sequence", xy=fit.undo(x.xy), size=ref.size, space=ref.space, reference=ref.source,
        similarity={"s": fit.s, "R": fit.R.tolist(), "t": fit.t.tolist()},
        residual=fit.residual, sigma_s=fit.sigma_s, sigma_angle=fit.sigma_angle, joints=list(names), points=fit.count,
    )  # fmt: skip
    return aligned, fit


def align_per_frame(
    pose: PoseSequence, ref: PoseSequence, joints: Sequence[str] | None = None, mirror: bool = False, time_map: TimeMap | None = None
) -> PoseSequence:
    """Lay each frame of a sequence on its frame of the reference with a similarity of its own.

    This takes the batter's own travel, turn and growth out, not the camera's alone: use it to compare postures, never speeds.

    Parameters
    ----------
    pose, ref, joints, mirror, time_map
        As in :func:`align_sequence`; a frame paired with several frames of ``ref`` is fitted to all of them.

    Returns
    -------
    PoseSequence
        A frame that can't be fitted (no partner, fewer than 3 common joints, all on a line) is NaN. Step ``align_per_frame`` counts them.

    Raises
    ------
    KineticsError
        As :func:`align_sequence`, and when no frame at all can be fitted.
    """
    x = mirror_sequence(pose) if mirror else pose
    i, at, weight, names = _matched(x, ref, joints, time_map)
    seen = x.select(names).xy
    xy, refused, reason = np.full(x.xy.shape, np.nan), [], ""
    for frame in range(len(x)):
        rows = np.flatnonzero(i == frame)
        try:
            xy[frame] = fit_similarity(seen[i[rows]], at[rows], weight[rows]).undo(x.xy[frame])
        except KineticsError as error:
            refused.append(frame)
            reason = str(error)
    if len(refused) == len(x):
        raise KineticsError(f"No frame of {pose.source or 'the skeleton'} can be aligned by itself. {reason}")
    conf = np.where(np.isnan(xy[..., 0]), 0.0, x.conf)
    return x.with_step(
        "align_per_frame", xy=xy, conf=conf, size=ref.size, space=ref.space, reference=ref.source, joints=list(names), refused=refused
    )


def pair_frames(pose: PoseSequence, ref: PoseSequence, stretched: bool = False) -> tuple[TimeMap, np.ndarray]:
    """Which frames of two sequences belong together when nothing better (a DTW) is known.

    Parameters
    ----------
    pose, ref : PoseSequence
    stretched : bool
        The whole of ``pose`` over the whole of ``ref``; otherwise the same seconds since each one's first frame.

    Returns
    -------
    TimeMap
        Times of ``pose`` to times of ``ref``.
    (n, 2) int
        Frames of ``pose`` inside ``ref``'s time, and the nearest frame of ``ref`` to each.
    """
    span = ref.t[-1] - ref.t[0]
    length = pose.t[-1] - pose.t[0]
    rate = span / length if stretched and length > 0 else 1.0

    def time_map(t: np.ndarray) -> np.ndarray:
        # Clipped where only rounding leads outside, or the last frame of a stretched clip had no partner.
        at = ref.t[0] + (t - pose.t[0]) * rate
        return np.where((at > ref.t[-1]) & (at <= ref.t[-1] + 1e-9 * (1 + span)), ref.t[-1], at)

    at = time_map(pose.t)
    frames = np.flatnonzero(at <= ref.t[-1])
    return time_map, np.stack([frames, np.abs(at[frames, None] - ref.t).argmin(axis=1)], axis=1)


def centre_on_root(pose: PoseSequence) -> PoseSequence:
    """Put the pelvis at the origin of each frame and measure in median shoulder widths.

    Parameters
    ----------
    pose : PoseSequence
        Needs the shoulders, and the pelvis or both hips.

    Returns
    -------
    PoseSequence
        Unit ``body``; a frame without pelvis is NaN. Step ``centre_on_root`` keeps the width in the old unit. The batter's own
        travel is gone with the camera's: relative motion only.

    Raises
    ------
    KineticsError
        When a joint it needs is not among the names or never seen, or the shoulders are one point.
    """
    root = pose.joint("pelvis") if "pelvis" in pose.names else (pose.joint("left_hip") + pose.joint("right_hip")) / 2
    width = np.linalg.norm(pose.joint("left_shoulder") - pose.joint("right_shoulder"), axis=1)
    where = pose.source or "The skeleton"
    if np.isnan(root).all() or np.isnan(width).all():
        part = "pelvis" if np.isnan(root).all() else "both shoulders at once"
        raise KineticsError(f"{where} never shows {part}; it can't be centred on the body, so align it with align_sequence instead.")
    scale = float(np.nanmedian(width))
    if scale == 0:
        raise KineticsError(f"{where} has both shoulders on one point; its size can't be measured from them.")
    xy = (pose.xy - root[:, None]) / scale
    conf = np.where(np.isnan(xy[..., 0]), 0.0, pose.conf)
    return pose.with_step("centre_on_root", xy=xy, conf=conf, space="body", shoulder_width=scale, unit=pose.space)


def mirror_sequence(pose: PoseSequence) -> PoseSequence:
    """The mirror image: x -> -x, and each left joint named right and the reverse. NaN stays NaN."""
    other = {"left": "right", "right": "left"}
    swapped = {name: "_".join(other.get(part, part) for part in name.split("_")) for name in pose.names}
    renamed = PoseSequence(pose.xy * [-1.0, 1.0], pose.conf, pose.t, tuple(swapped.values()), pose.size, pose.space, pose.provenance)
    ordered = renamed.select(pose.names) if set(renamed.names) == set(pose.names) else renamed
    return ordered.with_step("mirror_sequence")


def _real(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], axis=-1)


def _common(pose: PoseSequence, ref: PoseSequence, joints: Sequence[str] | None) -> tuple[str, ...]:
    """Joints that decide the fit."""
    if joints is not None:
        for name in joints:
            pose.index(name), ref.index(name)
        return tuple(joints)
    names = tuple(name for name in pose.names if name in ref.names)
    if not names:
        raise KineticsError(f"{pose.source or 'The skeleton'} and {ref.source or 'the reference'} have no joint in common.")
    return names


def _matched(pose: PoseSequence, ref: PoseSequence, joints: Sequence[str] | None, time_map: TimeMap | None):
    """Frames (n,) of ``pose``, their places (n, K, 2) in ``ref``, weights (n, K), and the joints' names."""
    names = _common(pose, ref, joints)
    pose, ref = pose.select(names), ref.select(names)
    if callable(time_map):
        times = np.asarray(time_map(pose.t), dtype=np.float64)
        if times.shape != pose.t.shape:
            raise KineticsError(f"The time map gives times of shape {times.shape}; give one per frame, {pose.t.shape}.")
        at, conf = interpolate_pose(ref, times)
        return np.arange(len(pose)), at, pose.conf * conf, names
    if time_map is None:
        if len(pose) != len(ref):
            raise KineticsError(
                f"{pose.source or 'The skeleton'} has {len(pose)} frames and {ref.source or 'the reference'} has {len(ref)}; give a time map."
            )
        i = j = np.arange(len(pose))
    else:
        pairs = np.asarray(time_map)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs) or not np.issubdtype(pairs.dtype, np.integer):
            raise KineticsError(
                f"The time map has shape {pairs.shape} and type {pairs.dtype}; give whole numbers n × 2: frame, frame of the reference."
            )
        if pairs.min() < 0 or (pairs.max(axis=0) >= (len(pose), len(ref))).any():
            raise KineticsError(f"The time map points outside the frames: they are 0 to {len(pose) - 1} and 0 to {len(ref) - 1}.")
        i, j = pairs.T
    return i, ref.xy[j], pose.conf[i] * ref.conf[j], names
