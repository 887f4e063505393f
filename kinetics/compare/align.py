"""Two shots laid on each other in space and in time: Procrustes and time warping in turn, until the cost stops falling."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..files import write_json
from ..motion.procrustes import Similarity, fit_similarity, mirror_sequence
from ..pose_sequence import PoseSequence
from .dtw import Alignment, dtw
from .features import centre_frames, common_joints, compute_features, trunk_length
from .tempo import Tempo, measure_tempo
from .time_map import TimeMap, smooth_path

#: Fewer frames say nothing about a shot.
FEWEST = 5

#: Joints that stay within this part of a trunk length of their median place don't play a shot.
_STILL = 0.05

#: Rounds of Procrustes and warping at most; it settles in three to six.
_ROUNDS = 50


@dataclass(frozen=True)
class ShotComparison:
    """Two shots in step.

    Attributes
    ----------
    ref, other : PoseSequence
        As compared: ``other`` mirrored if asked for, both centred on the pelvis with ``root``.
    joints : tuple of str
        That decided the fit.
    similarity : Similarity
        other ~ s R ref + t, fitted over the pairs of the path.
    alignment : Alignment
        Frames of ``ref`` and of ``other``. On positions its cost is sum over the path of sum over the joints w|other - (s R ref + t)|², in
        the square of ``other``'s unit, w the product of the confidences over its mean in that pair.
    unit : str
        Of sqrt(cost).
    history : tuple of float
        The positions' cost after each warping and each fit; it never rises.
    features : dict
        Kinds and weights.
    time_map : TimeMap
        Smooth and monotone, seconds of ``ref`` to seconds of ``other``.
    rms : float
        Root mean squared distance of a joint from its partner over the path, in trunk lengths of ``other``; NaN when no joint takes part.
    impact : (float or None, float or None)
        Seconds in ``ref`` and in ``other``, where known.
    """

    ref: PoseSequence
    other: PoseSequence
    joints: tuple[str, ...]
    similarity: Similarity
    alignment: Alignment
    unit: str
    history: tuple[float, ...]
    features: dict[str, float]
    time_map: TimeMap
    rms: float
    impact: tuple[float | None, float | None]

    @property
    def tempo(self) -> Tempo:
        """How the paces of the two differ."""
        return measure_tempo(self.ref, self.joints, self.time_map, (self.other.t[0], self.other.t[-1]), self.impact)

    @property
    def aligned(self) -> PoseSequence:
        """``other`` in the frame of ``ref``, with its own times."""
        return self.other.with_step(
            "align_shots", xy=self.similarity.undo(self.other.xy), size=self.ref.size, space=self.ref.space, reference=self.ref.source
        )

    def frame_times(self, fps: float | None = None) -> tuple[np.ndarray, float]:
        """Seconds of ``other`` to show in each frame of a video at the reference's pace, as long as the reference.

        Parameters
        ----------
        fps : float, optional
            Of that video; the reference's own when not given.

        Returns
        -------
        (n,) float64 s, rising; and the rate.
        """
        t = self.ref.t
        rate = float(1 / np.median(np.diff(t))) if fps is None else float(fps)
        return self.time_map(t[0] + np.arange(round((t[-1] - t[0]) * rate) + 1) / rate), rate

    def to_dict(self) -> dict[str, Any]:
        """The value of ``compare.json``."""
        fit, tempo = self.similarity, self.tempo
        return {
            "ref": self.ref.source, "other": self.other.source, "frames": [len(self.ref), len(self.other)],
            "cost": self.alignment.cost, "unit": f"({self.unit})²" if self.unit else "", "rms_trunk_lengths": _json(self.rms),
            "path": self.alignment.path.tolist(),
            "similarity": {
                "s": fit.s, "R": fit.R.tolist(), "t": fit.t.tolist(),
                "residual": fit.residual, "sigma_s": fit.sigma_s, "sigma_angle": fit.sigma_angle,
            },
            "similarity_maps": "ref to other: other = s R ref + t", "joints": list(self.joints), "features": self.features,
            "band": self.alignment.band, "skipped": [list(frames) for frames in self.alignment.skipped], "history": list(self.history),
            "time_map": {"ref_s": self.ref.t.tolist(), "other_s": self.time_map(self.ref.t).tolist()},
            "impact_s": list(self.impact), "tempo": tempo.to_dict(), "tempo_in_words": tempo.words(),
            "provenance": {"ref": self.ref.provenance, "other": self.other.provenance},
        }  # fmt: skip

    def save(self, path: str | os.PathLike) -> None:
        """Write ``compare.json``, whole or not at all."""
        write_json(path, self.to_dict())


def compare_shots(
    ref: PoseSequence,
    other: PoseSequence,
    *,
    features: Mapping[str, float] | Sequence[str] = ("positions",),
    joints: Sequence[str] | None = None,
    band: float | None = None,
    root: bool = False,
    mirror: bool = False,
    tip_speeds: tuple[np.ndarray, np.ndarray] | None = None,
    impact: tuple[float | None, float | None] = (None, None),
    through_impact: bool = False,
    smooth: float = 0.08,
    kernel: str = "auto",
) -> ShotComparison:
    """Lay ``other`` on ``ref`` in space and in time.

    Parameters
    ----------
    ref, other : PoseSequence
        Pan and zoom taken out (:func:`kinetics.motion.camera.stabilise_pose`), or ``root``: one similarity can't follow a camera.
    features, joints, tip_speeds
        As in :func:`.features.compute_features`. The positions always decide the similarity; with other features a last warping on
        those decides the path.
    band : int or float, optional
        As in :func:`.dtw.dtw`.
    root : bool
        Take the pelvis' travel out of every frame, and the camera's with it.
    mirror : bool
        Compare with ``other``'s mirror image: a left-hander with a right-hander.
    impact : (s, s)
        When bat meets ball in each, where known; for the tempo, the picture, and as the moment at which the smooth time map is held.
    through_impact : bool
        Make the path pair the two impacts: shots of different kinds strike at different moments of the same posture. Needs both.
    smooth : float
        Of the time map; see :func:`.time_map.smooth_path`.
    kernel : str
        As in :func:`.dtw.dtw`.

    Returns
    -------
    ShotComparison

    Raises
    ------
    KineticsError
        When a clip is too short or nobody moves in it, or the parts refuse: different joints, nothing seen, nothing in common.
    """
    kinds = dict(features) if isinstance(features, Mapping) else dict.fromkeys(features, 1.0)
    other = mirror_sequence(other) if mirror else other
    joints = common_joints((ref, other), joints)
    for pose in (ref, other):
        _check_moves(pose, joints)
    if root:
        ref, other = centre_frames(ref), centre_frames(other)
    anchors = _pair_impacts(ref, other, impact) if through_impact else ()
    fit, alignment, history = align_shots(ref, other, joints, band=band, anchors=anchors, kernel=kernel)
    unit = other.space
    if set(kinds) != {"positions"}:
        laid = other.with_step("laid on the reference", xy=fit.undo(other.xy), size=ref.size, space=ref.space)
        first, second = compute_features((ref, laid), kinds, joints=joints, tip_speeds=tip_speeds)
        alignment = dtw(
            first.value, second.value, band, weights=(first.weight, second.weight), missing="mask", anchors=anchors, kernel=kernel
        )
        unit = first.unit
    pairs = alignment.path
    apart = _pair_costs(
        fit.apply(ref.select(joints).xy)[pairs[:, 0]], other.select(joints).xy[pairs[:, 1]], _pair_weights(ref, other, joints, pairs)
    )
    time_map = smooth_path(pairs, ref.t, other.t, smooth=smooth, hold=impact[0], through=impact if through_impact else None)
    rms = float(np.sqrt(np.nanmean(apart) / len(joints))) / trunk_length(other) if np.isfinite(apart).any() else float("nan")
    return ShotComparison(ref, other, joints, fit, alignment, unit, history, kinds, time_map, rms, impact)


def align_shots(
    ref: PoseSequence,
    other: PoseSequence,
    joints: Sequence[str],
    *,
    band: float | None = None,
    anchors: Sequence[tuple[int, int]] = (),
    kernel: str = "auto",
) -> tuple[Similarity, Alignment, tuple[float, ...]]:
    """Procrustes and warping in turn: each minimises the same cost with the other held fast, so it never rises.

    The cost is sum over the path of K sum w|other_j - (s R ref_i + t)|² / sum w over the K joints, w the product of the confidences, 0
    where either lacks the joint. It starts from the two bodies' mean place and size, unturned.

    Returns
    -------
    Similarity
        other ~ s R ref + t.
    Alignment
        Frames of ``ref`` and ``other``.
    tuple of float
        The cost after each warping and each fit.

    Raises
    ------
    KineticsError
        As :func:`.dtw.dtw` and :func:`kinetics.motion.procrustes.fit_similarity`.
    """
    x, y = ref.select(joints), other.select(joints)
    weights = tuple(np.repeat(pose.conf, 2, axis=1) for pose in (x, y))
    target = y.xy.reshape(len(y), -1)

    def warp(places: np.ndarray) -> Alignment:
        return dtw(places.reshape(len(x), -1), target, band, weights=weights, missing="mask", anchors=anchors, kernel=kernel)

    (middle, size), (middle_y, size_y) = _place(x), _place(y)
    alignment = warp((x.xy - middle) * (size_y / size) + middle_y)
    history = [alignment.cost]
    for _ in range(_ROUNDS):
        i, j = alignment.path.T
        share = _pair_weights(ref, other, joints, alignment.path)
        fit = fit_similarity(y.xy[j], x.xy[i], share)
        history.append(float(_pair_costs(fit.apply(x.xy[i]), y.xy[j], share).sum()))
        closer = warp(fit.apply(x.xy))
        history.append(closer.cost)
        settled = np.array_equal(closer.path, alignment.path)
        alignment = closer
        if settled:
            break
    return fit, alignment, tuple(history)


def find_shot(
    shot: PoseSequence, clip: PoseSequence, *, joints: Sequence[str] | None = None, mirror: bool = False, kernel: str = "auto"
) -> Alignment:
    """Where in a long clip a shot is played most alike: posture alone, from the pelvis, in trunk lengths; open at both ends.

    Returns
    -------
    Alignment
        Frames of ``shot`` and of ``clip``; the shot lies in ``clip`` from ``path[0, 1]`` to ``path[-1, 1]``.

    Raises
    ------
    KineticsError
        As :func:`compare_shots`.
    """
    shot = mirror_sequence(shot) if mirror else shot
    joints = common_joints((shot, clip), joints)
    for pose in (shot, clip):
        _check_moves(pose, joints)
    f, g = compute_features((shot, clip), ("positions",), joints=joints, root=True)
    return dtw(f.value, g.value, weights=(f.weight, g.weight), missing="mask", open_begin=True, open_end=True, kernel=kernel)


def cut_shot(
    shot: PoseSequence, clip: PoseSequence, *, joints: Sequence[str] | None = None, mirror: bool = False
) -> tuple[PoseSequence, float]:
    """The part of a long clip's skeleton in which a shot is played most alike (:func:`find_shot`), at its own times.

    Returns
    -------
    PoseSequence
    float
        Root mean squared distance of a joint from its partner there, in trunk lengths.
    """
    found = find_shot(shot, clip, joints=joints, mirror=mirror)
    first, last = int(found.path[0, 1]), int(found.path[-1, 1]) + 1
    count = len(common_joints((shot, clip), joints))
    part = clip.with_step("cut_shot", xy=clip.xy[first:last], conf=clip.conf[first:last], t=clip.t[first:last], like=shot.source)
    return part, float(np.sqrt(found.cost / len(found.path) / count))


def _check_moves(pose: PoseSequence, joints: Sequence[str]) -> None:
    """Refuse a clip that is too short to hold a shot, or in which the body keeps its shape."""
    where = pose.source or "The skeleton"
    if len(pose) < FEWEST:
        raise KineticsError(f"{where} has {len(pose)} frames; comparing shots needs at least {FEWEST}.")
    x = pose.select(joints).xy
    if np.isnan(x).all():
        raise KineticsError(f"{where} shows none of the joints to compare in any frame; choose other joints, or find the batter again.")
    trunk = trunk_length(pose)
    seen = np.isfinite(x[..., 0])
    x = x[seen.any(axis=1)][:, seen.any(axis=0)]
    shape = x - np.nanmedian(x, axis=1, keepdims=True)
    apart = np.linalg.norm(shape - np.nanmedian(shape, axis=0), axis=2)
    most = float(np.nanmax(np.nanpercentile(apart, 95, axis=0))) / trunk
    if most < _STILL:
        raise KineticsError(
            f"{where} shows no swing: no joint leaves its place by more than {100 * most:.0f} % of a trunk length; choose another clip."
        )


def _pair_impacts(ref: PoseSequence, other: PoseSequence, impact: tuple[float | None, float | None]) -> list[tuple[int, int]]:
    """The two frames nearest impact."""
    if None in impact:
        raise KineticsError("The path can't be led through impact: give the time of impact of both shots.")
    for pose, at in ((ref, impact[0]), (other, impact[1])):
        if not pose.t[0] <= at <= pose.t[-1]:
            raise KineticsError(
                f"Impact of {pose.source or 'a shot'} at {at:.2f} s lies outside its frames, {pose.t[0]:.2f} to {pose.t[-1]:.2f} s."
            )
    return [(int(np.abs(ref.t - impact[0]).argmin()), int(np.abs(other.t - impact[1]).argmin()))]


def _place(pose: PoseSequence) -> tuple[np.ndarray, float]:
    """Mean place (2,) of the joints, and their root mean squared distance from the middle of their frame."""
    frames = pose.xy[~pose.missing.all(axis=1)]
    middle = np.nanmean(frames, axis=1, keepdims=True)
    return np.nanmean(middle, axis=(0, 1)), float(np.sqrt(np.nanmean((frames - middle) ** 2)))


def _pair_weights(ref: PoseSequence, other: PoseSequence, joints: Sequence[str], path: np.ndarray) -> np.ndarray:
    """(n, K) product of the confidences over its mean among the joints of that pair; NaN for a pair without any."""
    x, y = ref.select(joints), other.select(joints)
    both = x.conf[path[:, 0]] * y.conf[path[:, 1]]
    total = both.sum(axis=1, keepdims=True)
    return np.divide(len(joints) * both, total, out=np.full(both.shape, np.nan), where=total > 0)


def _pair_costs(x: np.ndarray, y: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(n,) weighted sum of squared distances of each pair; missing joints have share 0."""
    return (share * np.where(share > 0, ((x - y) ** 2).sum(axis=2), 0.0)).sum(axis=1)


def _json(value: float) -> float | None:
    return value if np.isfinite(value) else None
