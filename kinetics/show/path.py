"""A warping path as a viewer shows it: the distances of all pairs of frames, the path through them, and both skeletons in one place."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..compare.align import ShotComparison
from ..compare.distances import pair_distances
from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .tile import bones_of, pose_rows

#: Frames along an edge of the matrix at most.
MOST = 512

#: The byte of a pair that has no joint in common.
MISSING = 255


def path_record(comparison: ShotComparison, names: tuple[str, str]) -> dict[str, Any]:
    """What the path explorer needs, JSON-ready.

    Returns
    -------
    dict
        ``names``; ``t`` (seconds of the frames of both, in their clips); ``path`` [[i, j], …]; ``distances``: ``rows``, ``columns``, ``row_step``, ``column_step``
        (frames from one to the next), ``most`` (% of a trunk length, the byte 254) and ``data`` (base64 of bytes, row by row, 255 where there is none);
        ``tempo`` (of the other over the reference, per frame of the reference); ``rms`` and ``cost`` of the path; ``impact`` (frames, or null);
        ``poses``: both skeletons in the reference's place (``names``, ``bones``, ``xy``, ``conf``), and ``box`` [x, y, w, h] round them.
    """
    ref, other = comparison.ref, comparison.other
    apart, rows, columns = pair_distances(comparison, MOST)
    most = float(np.nanmax(apart)) if np.isfinite(apart).any() else 1.0
    scaled = np.where(np.isfinite(apart), np.round(254 * np.nan_to_num(apart) / max(most, 1e-9)), MISSING).astype(np.uint8)
    tempo = np.gradient(comparison.time_map(ref.t), ref.t)
    impact = [None if at is None else int(np.abs(pose.t - at).argmin()) for pose, at in zip((ref, other), comparison.impact, strict=True)]
    first, second = ref, comparison.aligned
    corners = np.concatenate([pose.xy.reshape(-1, 2) for pose in (first, second)])
    low, high = np.nanpercentile(corners, 0.5, axis=0), np.nanpercentile(corners, 99.5, axis=0)
    room = 0.08 * float((high - low).max())
    return {
        "names": list(names), "t": [[round(float(value), 4) for value in pose.t] for pose in (ref, other)], "path": comparison.alignment.path.tolist(),
        "distances": {
            "rows": len(rows), "columns": len(columns), "row_step": -(-len(ref) // MOST), "column_step": -(-len(other) // MOST), "most": round(most, 3),
            "data": base64.b64encode(scaled.tobytes()).decode(),
        },
        "tempo": [round(float(value), 3) for value in tempo], "rms": round(100 * comparison.rms, 2) if np.isfinite(comparison.rms) else None,
        "cost": comparison.alignment.cost, "impact": impact, "poses": [_pose(pose) for pose in (first, second)],
        "box": [round(float(value), 1) for value in (*(low - room), *(high - low + 2 * room))],
    }  # fmt: skip


def _pose(pose: PoseSequence) -> dict[str, Any]:
    return {"names": list(pose.names), "bones": bones_of(pose.names), "xy": pose_rows(pose.xy), "conf": np.round(pose.conf, 2).tolist()}


def check_clip(pose: PoseSequence, times: np.ndarray, name: str) -> None:
    """Whether a compared shot's frames are those of a clip.

    Parameters
    ----------
    pose : PoseSequence
        All of the clip's frames, or those of one camera shot of it.
    times : (T,) s
        Of the clip's frames, from 0.
    name : str

    Raises
    ------
    KineticsError
        When more than one frame in ten lies half a frame or farther from every frame of the clip.
    """
    nearest = np.abs(times[None, :] - np.asarray(pose.t)[:, None]).min(axis=1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    if (nearest > 0.5 * step).mean() > 0.1:
        raise KineticsError(f"The clip plugged in for {name} has other frame times than the shot that was compared; plug in the clip that it was measured in.")
