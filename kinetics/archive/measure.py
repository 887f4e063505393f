"""One clip, measured into rows: skeleton, camera, bat, swing and kinetic chain, by the functions that the nodes use."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import KineticsError, MissingDependency, Progress
from .store import clip_key, settings_key
from .tables import STEPS

if TYPE_CHECKING:
    from ..motion.camera_maps import Camera
    from ..motion.measure import SwingMeasurement
    from ..pose_sequence import PoseSequence
    from ..video.decode import Clip

#: Changes when the same clip and settings would give other rows: an archive then isn't continued with the newer way of measuring.
RECIPE = 1

Columns = dict[str, Any]


def make_settings(
    estimator: str = "mediapipe", subject: str = "auto", camera: str = "auto", unit: str = "auto",
    weights: str | os.PathLike | None = None, folders: Sequence[str | os.PathLike] = (),
) -> dict[str, Any]:  # fmt: skip
    """What clips are to be measured with; it becomes part of every clip's key.

    Parameters
    ----------
    estimator : {"mediapipe", "openpose", "rtmpose"}
    subject : str
        Whom to follow (:func:`kinetics.pose.extract.extract_pose`).
    camera : {"auto", "still", "similarity", "homography"}
    unit : {"auto", "px", "body", "m"}
        Of speeds; ``auto``: body heights, and ``m`` takes every bat to be 0.86 m long.
    weights : path, optional
        The estimator's model file; searched for when left out, in ``folders`` first. Its SHA-256 is in the settings, its place isn't.

    Raises
    ------
    MissingDependency
        When the model is not on this machine.
    KineticsError
        When there is no estimator of that name.
    """
    from ..motion.measure import UNITS
    from ..pose.estimators import ESTIMATORS
    from ..pose.models import file_sha256

    if estimator not in ESTIMATORS:
        raise KineticsError(f"There is no pose estimator {estimator!r}; choose one of {', '.join(ESTIMATORS)}.")
    if unit not in UNITS:
        raise KineticsError(f"Unit {unit!r} isn't offered; choose {', '.join(UNITS)}.")
    model = file_sha256(find_weights(estimator, weights, folders))
    return {"recipe": RECIPE, "estimator": estimator, "model": model, "subject": str(subject), "camera": camera, "unit": unit}


def find_weights(estimator: str, weights: str | os.PathLike | None = None, folders: Sequence[str | os.PathLike] = ()) -> Path:
    """The estimator's model file: the one given, or the one found in ``folders`` or the usual places.

    Raises
    ------
    MissingDependency
        When it is not on this machine.
    """
    from ..pose.estimators import ESTIMATORS
    from ..pose.models import find_model

    path = Path(weights) if weights else find_model(ESTIMATORS[estimator][2], folders)
    if not path.is_file():
        raise MissingDependency(f"There is no model file {path}; check the path of the weights.")
    return path


def measure_clip(path: str | os.PathLike, settings: Mapping[str, Any], sha256: str = "", weights: str | os.PathLike | None = None) -> dict[str, Columns]:
    """Measure a clip.

    Parameters
    ----------
    path : path
    settings : mapping
        Of :func:`make_settings`.
    sha256 : str
        Of the file's content, for the key; found here when empty.
    weights : path, optional
        The model file, where it isn't in a usual place.

    Returns
    -------
    dict
        Plain columns of ``clips`` (one row), ``frames`` and ``edges``. Where bat, swing or chain can't be told the numbers are NaN and a reason is given.

    Raises
    ------
    KineticsError
        When the clip can't be read or nobody is found in it; ``step`` on the exception says where.
    MissingDependency
        When this machine lacks a package or the model that the settings name.
    """
    from ..pose.models import file_sha256
    from ..video.decode import Clip

    clock = _Clock()
    with clock("decode"):
        if not os.path.exists(path):
            raise KineticsError(f"{path} is not there on {platform.node()}; a clip has to lie where every machine that measures can read it.")
        clip = Clip(path)
        info = clip.info
        sha256 = sha256 or file_sha256(path)
    with clock("pose"):
        pose = _find_batter(clip, settings, weights)
    camera, swing, why = _follow_bat(clip, pose, settings, clock)
    edges, chain, chain_why = [], (), "No swing was measured."
    if swing is not None:
        with clock("chain"):
            edges, chain, chain_why = _find_chain(swing)
    own = settings_key(settings)
    key = clip_key(sha256, own)
    chosen = pose.provenance.get("subject", {}).get("chosen", "")
    flags = list(dict.fromkeys([*(swing.flags if swing else camera.flags if camera else ()), *clip.losses, *info.notes]))
    row = {
        "key": key, "path": os.path.abspath(path), "sha256": sha256, "duration_s": float(info.duration), "fps": float(info.fps), "frames": len(pose),
        "width": info.width, "height": info.height, "subject": chosen, "frames_with_skeleton": int((~pose.missing).any(axis=1).sum()),
        **_peaks(swing), "swing_reason": why, "flags": flags, "chain_path": list(chain), "reaches_bat": bool(chain) and chain[-1] == "bat_tip",
        "chain_reason": chain_why, **{f"seconds_{step}": clock.spent.get(step, 0.0) for step in STEPS}, "pack": __version__, "settings_key": own,
    }  # fmt: skip
    return {
        "clips": {name: [value] for name, value in row.items()},
        "frames": _frames(key, pose, camera, swing),
        "edges": {
            "key": [key] * len(edges), "source": [edge.leader for edge in edges], "target": [edge.follower for edge in edges],
            "weight": [edge.weight for edge in edges], "lag_s": [edge.lag for edge in edges],
            "p": [np.nan if edge.p is None else edge.p for edge in edges],
        },
    }  # fmt: skip


def measure_item(item: Mapping[str, Any]) -> dict[str, Columns]:
    """:func:`measure_clip` of what a worker is given: ``path``, ``sha256``, ``settings`` and ``weights``."""
    return measure_clip(item["path"], item["settings"], item["sha256"], item["weights"])


def find_skeleton(
    clip: Clip, settings: Mapping[str, Any], weights: str | os.PathLike | None = None, progress: Progress | None = None
) -> PoseSequence:
    """The skeleton of a clip as an archive of these settings would hold it, the camera's movement taken out; to search with.

    Parameters
    ----------
    clip : Clip
    settings : mapping
        ``Archive.settings``.
    weights : path, optional
        Of :func:`find_weights`, where the model isn't in a usual place.
    progress : callable, optional
        progress(done, 1000); may raise to cancel.

    Raises
    ------
    KineticsError
        As :func:`measure_clip`.
    """
    from ..motion.camera import stabilise_pose, track_camera

    def part(first: float, share: float) -> Progress | None:
        return progress and (lambda done, total: progress(round(1000 * (first + share * done / max(total, 1))), 1000))

    pose = _find_batter(clip, settings, weights, part(0, 0.5))
    return stabilise_pose(pose, track_camera(clip, pose, model=settings["camera"], progress=part(0.5, 0.5)))


class _Clock:
    """Seconds spent in each step; an error that passes is told in which step it came."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            error.step = step
            raise
        finally:
            self.spent[step] = time.perf_counter() - began


def _find_batter(clip: Clip, settings: Mapping[str, Any], weights: str | os.PathLike | None, progress: Progress | None = None) -> PoseSequence:
    from ..pose.clean import clean
    from ..pose.estimators import make_estimator
    from ..pose.extract import extract_pose

    known = weights if weights and Path(weights).is_file() else None  # another machine has it where its models lie
    with closing(make_estimator(settings["estimator"], weights=known)) as estimator:
        if settings["model"] not in estimator.weights:
            raise MissingDependency(
                f"{platform.node()} has another model for {settings['estimator']} ({estimator.weights}) than the archive ({settings['model'][:12]}…); put the same one there."
            )
        return clean(extract_pose(clip, estimator, subject=settings["subject"], progress=progress))


def _follow_bat(clip: Clip, pose: PoseSequence, settings: Mapping[str, Any], clock: _Clock) -> tuple[Camera | None, SwingMeasurement | None, str]:
    """Camera, swing, and why no peak is told ("" when one is); what can't be found is None."""
    from ..motion.bat import track_bat
    from ..motion.camera import track_camera
    from ..motion.measure import measure_swing

    camera = None
    try:
        with clock("camera"):
            camera = track_camera(clip, pose, model=settings["camera"])
        with clock("bat"):
            track = track_bat(clip, pose, camera)
        with clock("swing"):
            swing = measure_swing(track, pose, camera, unit=settings["unit"])
    except MissingDependency:
        raise
    except KineticsError as error:
        return camera, None, str(error)
    if np.isfinite(swing.peak_tip_speed.value):
        return camera, swing, ""
    return camera, swing, swing.flags[0] if swing.flags else "No peak stands out."


def _find_chain(swing: SwingMeasurement) -> tuple[list, tuple[str, ...], str]:
    """Edges, path, and why the path doesn't reach the bat ("" when it does)."""
    from ..compare.chain import find_chains
    from ..compare.shot import as_shot

    try:
        chain = find_chains([as_shot(swing).pose]).chains[0]
    except KineticsError as error:
        return [], (), str(error)
    return list(chain.edges), chain.path, "" if chain.reaches_bat else chain.verdict


def _peaks(swing: SwingMeasurement | None) -> Columns:
    found = {}
    for name in ("peak_tip_speed", "peak_omega"):
        peak = getattr(swing, name, None)
        found |= {name: getattr(peak, "value", np.nan), f"{name}_sigma": getattr(peak, "sigma", np.nan), f"{name}_t": getattr(peak, "t", np.nan)}
    impact = swing.impact if swing is not None else None
    return {**found, "unit": "" if swing is None else swing.unit, "impact_t": np.nan if impact is None else float(impact.t)}


def _frames(key: str, pose: PoseSequence, camera: Camera | None, swing: SwingMeasurement | None) -> Columns:
    """A row per frame and joint. ``xs``, ``ys`` are missing where the camera is unknown, and in other shots than the one that was measured."""
    from ..motion.camera_maps import stabilise_pose

    stable = np.full_like(pose.xy, np.nan) if camera is None else stabilise_pose(pose, camera).xy
    if swing is not None:
        pose = pose.with_joint("bat_tip", swing.tip, swing.track.confidence)
        tip = np.where(camera.known[:, None], swing.tip_reference, np.nan)
        stable = np.where((camera.shot == swing.shot)[:, None, None], np.concatenate([stable, tip[:, None]], axis=1), np.nan)
    frames, joints = pose.conf.shape
    return {
        "key": [key] * (frames * joints), "frame": np.repeat(np.arange(frames, dtype=np.int32), joints), "t": np.repeat(pose.t, joints),
        "joint": list(pose.names) * frames, "x": pose.xy[..., 0].ravel(), "y": pose.xy[..., 1].ravel(), "conf": pose.conf.ravel(),
        "xs": stable[..., 0].ravel(), "ys": stable[..., 1].ravel(),
    }  # fmt: skip
