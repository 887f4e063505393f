"""Bat tracks, skeletons and cameras of drawn strokes, from their truth: what a perfect tracker would give, and worse."""

from __future__ import annotations

import numpy as np

from kinetics.motion.bat_track import BatTrack
from kinetics.motion.camera_maps import Camera
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic.body import BODY_NAMES
from kinetics.synthetic.scene import ShotScene
from kinetics.synthetic.scenes import default_scene


def bat_track(t, hands, tip, sigma=2.0, size=(1280, 720), source="image", **changes) -> BatTrack:
    """A track as a tracker would give it, NaN where ``tip`` is."""
    seen = np.isfinite(tip[:, 0])
    level = np.full(len(t), float(sigma))
    parts = {
        "t": t, "hands": hands, "tip": tip, "hands_sigma": np.where(np.isfinite(hands[:, 0]), level, np.nan), "tip_sigma": np.where(seen, level, np.nan),
        "source": np.where(seen, source, "").astype("U8"), "confidence": np.where(seen, 0.9, 0.0), "repeat": np.zeros(len(t), bool), "size": size,
    }  # fmt: skip
    return BatTrack(**(parts | changes))


def true_stroke(shot="off_drive", fps=50.0, noise=1.0, seed=0, scene: ShotScene | None = None):
    """Track, skeleton, camera and truth of a drawn stroke; ``noise`` px on every point."""
    scene = scene or default_scene(shot)
    t = np.arange(round(scene.duration * fps)) / fps
    truth, rng = scene.truth(t), np.random.default_rng(seed)
    points = truth.px + noise * rng.normal(size=truth.px.shape)
    at = {name: points[:, truth.names.index(name)] for name in truth.names}
    size = scene.camera.size
    track = bat_track(t, at["hands"], at["bat_tip"], max(noise, 0.1), size)
    names = list(BODY_NAMES)
    xy = np.stack([at[name] for name in names], axis=1)
    pose = PoseSequence(xy, np.full(xy.shape[:2], 0.9), t, names, size, provenance={"source": f"drawn {scene.stroke.shot}", "estimator": "truth", "steps": []})
    matrix = np.linalg.inv(scene.camera.homography(t, scene.reference_time))
    camera = Camera(t, matrix / matrix[:, 2:, 2:], np.zeros(len(t), int), np.zeros(len(t)), size, "homography", provenance={"model": "homography"})
    return track, pose, camera, truth


def turning_bat(fps=50.0, seconds=3.0, peak=20.0, width=0.12, length=150.0, middle=1.6, noise=0.0, seed=0, hands=(320.0, 240.0), size=(640, 480)):
    """A bat that turns about hands that stand still, omega a Gaussian pulse after a slower one the other way: all is known in closed
    form."""
    from scipy.special import erf

    t = np.arange(round(seconds * fps)) / fps

    def turned(rate: float, at: float, sigma: float) -> np.ndarray:
        return rate * sigma * np.sqrt(np.pi / 2) * (1 + erf((t - at) / (np.sqrt(2) * sigma)))

    def pulse(rate: float, at: float, sigma: float) -> np.ndarray:
        return rate * np.exp(-((t - at) ** 2) / (2 * sigma**2))

    lift = (-0.25 * peak, middle - 0.7, 0.15)
    swing = (peak, middle, width / 2.3548)
    angle = np.pi / 2 + turned(*lift) + turned(*swing)
    rng = np.random.default_rng(seed)
    grip = np.tile(np.array(hands), (len(t), 1))
    tip = grip + length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    track = bat_track(t, grip + noise * rng.normal(size=grip.shape), tip + noise * rng.normal(size=tip.shape), max(noise, 0.1), size)
    return track, angle, pulse(*lift) + pulse(*swing)
