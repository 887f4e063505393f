"""Archives for the tests: filled with drawn skeletons instead of measured clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kinetics.archive.store import Archive
from kinetics.archive.tables import schema
from kinetics.pose_sequence import LIMB_NAMES, PoseSequence
from kinetics.synthetic.scenes import random_scene

SETTINGS = {"estimator": "drawn"}


def drawn_shot(shot: str, seed: int, fps: float = 25.0, tempo: float = 1.0, noise: float = 1.0) -> PoseSequence:
    """The limbs of one batter playing a shot in his own way, 0.9 s before impact and 0.6 s after; noise in pixels."""
    rng = np.random.default_rng([seed, 8])
    scene = random_scene(rng, shot)
    t = np.arange(int(1.5 * fps)) / fps
    shown = np.clip(scene.stroke.impact + tempo * (t - 0.9), 0, scene.duration)
    truth = scene.truth(shown)
    xy = truth.px[:, [truth.names.index(name) for name in LIMB_NAMES]]
    xy = xy + noise * rng.normal(size=xy.shape)
    return PoseSequence(xy, np.full(xy.shape[:2], 0.9), t, LIMB_NAMES, (1280, 720), provenance={"source": f"{shot} {seed}"})


def fill_archive(folder: Path, poses: Mapping[str, PoseSequence]) -> Archive:
    """Add skeletons by their keys, as one batch; the archive is made when it isn't there."""
    with Archive.create_or_open(folder, SETTINGS) as archive:
        for key, pose in poses.items():
            archive.add(key, _tables(key, pose))
        archive.seal()
    return Archive.open(folder)


def _tables(key: str, pose: PoseSequence) -> dict[str, dict[str, list]]:
    empty = {"string": "", "double": float("nan"), "int32": 0, "bool": False}
    clips = {field.name: [empty.get(str(field.type), [])] for field in schema("clips")}
    clips |= {"key": [key], "path": [f"{key}_{pose.source.replace(' ', '_')}.mp4"], "width": [1280], "height": [720], "frames": [len(pose)]}
    joints = len(pose.names)
    x, y = pose.xy[..., 0].ravel(), pose.xy[..., 1].ravel()
    frames = {
        "key": [key] * len(x), "frame": np.repeat(np.arange(len(pose)), joints), "t": np.repeat(pose.t, joints),
        "joint": list(pose.names) * len(pose), "x": x, "y": y, "conf": pose.conf.ravel(), "xs": x, "ys": y,
    }  # fmt: skip
    edges = {field.name: [] for field in schema("edges")}
    return {"clips": clips, "frames": frames, "edges": edges}
