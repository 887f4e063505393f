"""An archive written from drawn strokes, without measuring any video: for what reads archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from swing_samples import true_stroke

from kinetics.archive.store import Archive
from kinetics.archive.tables import STEPS, make_table
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import SHOTS

#: Of each shot, so that a test can tell them apart: peak tip speed in body heights/s, peak omega in rad/s.
PEAKS = {shot: (8.0 + 1.5 * n, 18.0 + 2.0 * ((5 * n) % 7)) for n, shot in enumerate(SHOTS)}
REASON = "The bat is seen in 2 frames of the downswing."


def write_archive(folder: Path, clips: list[Path], width: int = 1280) -> dict[str, str]:
    """An archive of clips whose names begin with a shot's (``hook``, ``hook_2``, ...); the key of each name.

    Every fifth clip is measured in pixels, every seventh tells no speed. Clusters are the shots; the first clip of each is its typical one.
    """
    keys, drawn = {}, {}
    with Archive.create_or_open(folder, {"recipe": 1}) as archive:
        for n, clip in enumerate(clips):
            shot = next(shot for shot in SHOTS if clip.stem.startswith(shot))
            if shot not in drawn:
                drawn[shot] = stroke(shot, width)
            keys[clip.stem] = f"{n:032x}"
            archive.add(keys[clip.stem], tables(keys[clip.stem], clip, shot, n, drawn[shot]))
        archive.seal()
        first = {shot: next((name for name in keys if name.startswith(shot)), None) for shot in SHOTS}
        named = {name: next(k for k, shot in enumerate(SHOTS) if name.startswith(shot)) for name in keys}
        archive.replace("clusters", make_table("clusters", {
            "key": list(keys.values()), "cluster": list(named.values()), "medoid": [first[SHOTS[k]] == name for name, k in named.items()],
            "label": [f"like {first[SHOTS[k]]}" for k in named.values()],
        }))  # fmt: skip
    return keys


def stroke(shot: str, width: int) -> PoseSequence:
    """A drawn stroke at 25 frames/s with its bat, as it lies in a picture so wide."""
    track, pose, _, _ = true_stroke(shot, fps=25.0, noise=0.5)
    share = width / pose.size[0]
    whole = pose.with_joint("bat_tip", track.tip, np.where(np.isfinite(track.tip[:, 0]), 0.9, 0.0))
    return PoseSequence(whole.xy * share, whole.conf, whole.t, whole.names, (width, round(pose.size[1] * share)), provenance={"source": shot})


def tables(key: str, clip: Path, shot: str, n: int, pose: PoseSequence) -> dict:
    told, pixels = n % 7 != 6, n % 5 == 4
    # Clips of one shot lie beside each other.
    speed, omega = np.array(PEAKS[shot]) + 0.01 * n
    frames, joints = pose.conf.shape
    row = {
        "key": key, "path": str(clip), "sha256": f"{n:064x}", "duration_s": float(pose.t[-1] + 0.04), "fps": 25.0, "frames": frames, "width": pose.size[0],
        "height": pose.size[1], "subject": "the one who swings", "frames_with_skeleton": frames,
        "peak_tip_speed": speed * (100 if pixels else 1) if told else np.nan, "peak_tip_speed_sigma": 0.4 * (100 if pixels else 1) if told else np.nan,
        "peak_tip_speed_t": 1.5 if told else np.nan, "peak_omega": omega if told else np.nan, "peak_omega_sigma": 0.8 if told else np.nan,
        "peak_omega_t": 1.5 if told else np.nan, "unit": ("px" if pixels else "body") if told else "", "impact_t": 1.5 if told else np.nan,
        "swing_reason": "" if told else REASON, "flags": [], "chain_path": ["pelvis", "left_wrist", "bat_tip"] if told else [], "reaches_bat": told,
        "chain_reason": "" if told else REASON, **{f"seconds_{step}": 0.1 for step in STEPS}, "pack": "0.1.0", "settings_key": "0" * 16,
    }  # fmt: skip
    x, y = pose.xy[..., 0].ravel(), pose.xy[..., 1].ravel()
    return {
        "clips": {name: [value] for name, value in row.items()},
        "frames": {
            "key": [key] * (frames * joints), "frame": np.repeat(np.arange(frames, dtype=np.int32), joints), "t": np.repeat(pose.t, joints),
            "joint": list(pose.names) * frames, "x": x, "y": y, "conf": pose.conf.ravel(), "xs": x, "ys": y,
        },
        "edges": {name: [] for name in ("key", "source", "target", "weight", "lag_s", "p")},
    }  # fmt: skip
