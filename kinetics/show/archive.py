"""An archive as a viewer shows it: what was measured of every clip, column by column, and one clip's stroke when it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from ..errors import KineticsError
from ..motion.measure import PER_SECOND
from ..pose_sequence import PoseSequence
from ..stick_figure import BONES
from .tile import bones_of

#: Seconds of a stroke that are shown before and after its moment, and frames at most.
BEFORE, AFTER, MOST = 0.9, 0.6, 60

#: Steps along the longer side of a stroke's box.
STEPS = 1000

#: Columns of numbers: their name in the archive, and in the record.
_NUMBERS = {
    "peak_tip_speed": "speed", "peak_tip_speed_sigma": "speed_sigma", "peak_tip_speed_t": "speed_t", "peak_omega": "omega",
    "peak_omega_sigma": "omega_sigma", "peak_omega_t": "omega_t", "impact_t": "impact_t", "duration_s": "seconds", "fps": "fps",
}  # fmt: skip

#: Figures that are kept of a number.
_FIGURES = 5

#: Fingers are too small to be seen in so small a picture.
_DRAWN = {joint for bone in BONES for joint in bone[:2] if not joint.endswith(("index", "pinky", "thumb"))}


def clip_names(paths: Sequence[str]) -> list[str]:
    """What clips are called: the file without folder and suffix, with as many folders before it as it takes to tell it from the others.

    Parameters
    ----------
    paths : sequence of str
        Different ones.

    Returns
    -------
    list of str
        Different ones: ``hook``; or ``monday/hook`` and ``friday/hook``. Two files that differ by their suffix alone keep it.
    """
    pure = [PurePath(path) for path in paths]
    plain = [path.with_suffix("").parts for path in pure]
    count = Counter(plain)
    parts = [path.parts if count[own] > 1 else own for path, own in zip(pure, plain, strict=True)]
    names, depth, open_ = [""] * len(parts), 1, list(range(len(parts)))
    while open_:
        tails: dict[str, list[int]] = {}
        for k in open_:
            tails.setdefault("/".join(parts[k][-depth:]), []).append(k)
        open_ = []
        for tail, holders in tails.items():
            for k in holders:
                names[k] = tail
            open_ += holders if len(holders) > 1 and depth < max(len(parts[k]) for k in holders) else []
        depth += 1
    return names


def archive_record(clips: Mapping[str, Sequence], clusters: Mapping[str, Sequence] | None = None, failures: int = 0) -> dict[str, Any]:
    """What the archive browser needs of all clips, JSON-ready.

    Parameters
    ----------
    clips : mapping
        The columns of the archive's table of clips.
    clusters : mapping, optional
        The columns of its table of clusters: ``key``, ``cluster``, ``medoid``, ``label``.
    failures : int
        Files that are not in the archive because nothing could be measured.

    Returns
    -------
    dict
        Columns, a value per clip: ``key``, ``name``, ``unit`` (of the speed), ``speed``, ``speed_sigma``, ``speed_t``, ``omega``, ``omega_sigma``, ``omega_t``, ``impact_t``, ``seconds``,
        ``fps`` (null where there is none), ``reason`` (why no peak is told), ``flags``, ``chain`` (names from ground to bat), ``cluster`` (its number in
        ``clusters``, or null). And ``clusters``: ``label`` and ``typical`` (number of a clip) of each, the largest first; ``failures``.
    """
    keys = list(clips["key"])
    row = {key: n for n, key in enumerate(keys)}
    record: dict[str, Any] = {"key": keys, "name": clip_names(list(clips["path"])), "unit": [PER_SECOND.get(unit, "") for unit in clips["unit"]]}
    for column, short in _NUMBERS.items():
        record[short] = [_number(value) for value in clips[column]]
    record |= {
        "reason": [reason or "" for reason in clips["swing_reason"]], "flags": [list(flags or ()) for flags in clips["flags"]],
        "chain": [list(path or ()) for path in clips["chain_path"]], "cluster": [None] * len(keys), "clusters": [], "failures": failures,
    }  # fmt: skip
    members: dict[Any, list[int]] = {}
    typical, labels = {}, {}
    for key, cluster, medoid, label in zip(*(clusters[name] for name in ("key", "cluster", "medoid", "label")), strict=True) if clusters else ():
        # Below 0: in no cluster.
        if key in row and cluster is not None and cluster >= 0:
            members.setdefault(cluster, []).append(row[key])
            labels[cluster] = label or f"cluster {cluster + 1}"
            if medoid:
                typical[cluster] = row[key]
    for number, cluster in enumerate(sorted(members, key=lambda own: (-len(members[own]), own))):
        record["clusters"].append({"label": labels[cluster], "typical": typical.get(cluster), "count": len(members[cluster])})
        for n in members[cluster]:
            record["cluster"][n] = number
    return record


def stroke_record(pose: PoseSequence, about: float | None = None) -> dict[str, Any]:
    """One clip's stroke, small enough to be fetched while the pointer rests on it.

    Parameters
    ----------
    pose : PoseSequence
        With a joint ``bat_tip`` where the bat is known.
    about : s, optional
        The stroke's moment; without it, or where nothing is seen about it, all of the clip is shown.

    Returns
    -------
    dict
        ``t`` (seconds from the first frame shown), ``moment`` (number of the frame, or null), ``box`` (width and height, the longer one is :data:`STEPS`), ``pose``
        (``names``, ``bones``, ``xy`` per frame [x0, y0, x1, …] in whole steps, null where missing, ``conf``) and ``bat`` (``hands`` and ``tip`` per frame, or null).

    Raises
    ------
    KineticsError
        When no joint is seen in any frame.
    """
    drawn = [name for name in pose.names if name in _DRAWN]
    joints = pose.select(drawn)
    tip = pose.select(["bat_tip"]).xy[:, 0] if "bat_tip" in pose.names else np.full((len(pose), 2), np.nan)
    seen = np.isfinite(joints.xy[..., 0]).any(axis=1)
    if not seen.any():
        raise KineticsError(f"{pose.source or 'The clip'} has no frame in which a joint is seen.")
    near = np.ones(len(pose), bool) if about is None else (pose.t >= about - BEFORE) & (pose.t <= about + AFTER)
    near = np.flatnonzero(near if (near & seen).any() else np.ones(len(pose), bool))
    frames = near[:: -(-len(near) // MOST)]
    xy, tip, t = joints.xy[frames], tip[frames], pose.t[frames]
    points = np.concatenate([xy.reshape(-1, 2), tip])
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    room = 0.06 * float((high - low).max())
    low, high = low - room, high + room
    side = max(float((high - low).max()), 1e-9)

    def steps(values: np.ndarray) -> list[int | None]:
        return [None if np.isnan(value) else round(float(value)) for value in ((values - low) * STEPS / side).ravel()]

    wrists = [name for name in ("left_wrist", "right_wrist") if name in drawn]
    hands = joints.select(wrists).xy[frames].mean(axis=1) if wrists else np.full_like(tip, np.nan)
    return {
        "t": [round(float(value - t[0]), 4) for value in t], "moment": None if about is None else int(np.abs(t - about).argmin()),
        "box": [round(float(value)) for value in (high - low) * STEPS / side],
        "pose": {
            "names": drawn, "bones": bones_of(drawn), "xy": [steps(frame) for frame in xy], "conf": np.round(joints.conf[frames], 2).tolist(),
        },
        "bat": None if np.isnan(tip).all() else {
            "hands": [None if None in point else point for point in map(steps, hands)], "tip": [None if None in point else point for point in map(steps, tip)],
        },
    }  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.{_FIGURES}g}")
