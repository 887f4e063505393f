"""The image tracker over a whole clip: stretches of bounded length inside shots, each followed by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import Progress
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from .bat_gates import Verdict, judge, refuse_jumps
from .bat_image import Look, follow
from .bat_network import BatNetwork, guess_hands, guess_length
from .bat_patches import PX, Patch, at, cut_patch
from .bat_stroke import read_stroke
from .camera import Camera

#: Pictures of a stretch, and how many of them it shares with the next: what bounds the memory.
STRETCH, SHARED = 180, 50

#: A stretch shorter than this holds nothing to tell a bat from its background by.
_SHORTEST = 5

#: The patches are cut for a bat this much longer than the limbs foretell, so that no toe lies outside.
_ROOM = 1.1

#: Hands that weren't seen for longer than this on either side are not guessed, s.
_LOST = 0.4

#: The network's hands count where it puts this share of its mass within a tenth of a bat length; their standard deviation, bat lengths.
_GRIP_SURE, _GRIP_SIGMA = 0.5, 0.04


@dataclass
class ImageTips:
    """What the image tracker found.

    Attributes
    ----------
    tip : (T, 2) px
        NaN where nothing was accepted.
    sigma, confidence : (T,)
    hands : (T, 2) px
        Middle of the hands as the network sees it; NaN where it isn't sure.
    hands_sigma : (T,) px
    ratio : float
        The bat's length over what the limbs foretold.
    figures : dict
    """

    tip: np.ndarray
    sigma: np.ndarray
    confidence: np.ndarray
    hands: np.ndarray
    hands_sigma: np.ndarray
    ratio: float = 1.0
    figures: dict[str, Any] = field(default_factory=dict)


def track_image(
    clip: Clip, pose: PoseSequence, camera: Camera, repeat: np.ndarray, anchors: Mapping[int, np.ndarray], network: BatNetwork | None,
    progress: Progress | None = None,
) -> ImageTips:  # fmt: skip
    """Read the bat from the pictures.

    Parameters
    ----------
    clip, pose, camera
        Of the same frames.
    repeat : (T,) bool
        Frames that show the picture before them again: they are not looked at.
    anchors : mapping of frame to (2,) px
        Toes that are known: they lead.
    network : BatNetwork, optional
    progress : callable, optional
        Called three times per frame: once as it is decoded, twice as it is looked at.
    """
    frames = len(pose)
    look, length = _where(pose, camera)
    usable = np.isfinite(look).all(axis=1) & np.isfinite(length) & np.isfinite(camera.matrix).all(axis=(1, 2))
    nothing, nowhere = np.full(frames, np.nan), np.full((frames, 2), np.nan)
    found = ImageTips(nowhere.copy(), nothing.copy(), np.zeros(frames), nowhere.copy(), nothing.copy())
    ratios: list[float] = []
    counts = {"pictures": 0, "followed": 0, "agreed": 0, "objected": 0, "accepted": 0}
    anchors = _on_pictures(anchors, repeat)
    gathered: list[Patch] = []
    context = done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        still()

    def still() -> None:
        """No further, but a chance to cancel."""
        if progress:
            progress(min(done, 3 * frames), 3 * frames)

    def finish(keep: int) -> None:
        """Follow what is gathered, note what is new, and keep the last pictures for the next stretch."""
        nonlocal gathered, context
        if len(gathered) >= _SHORTEST:
            looks, full = follow(gathered, pose.t, pose, network, anchors, tick)
            ratios.append(full / PX * _ROOM)
            verdicts = read_stroke(looks, judge(looks, full, anchors), full, pose, anchors, still)
            verdicts = refuse_jumps(looks, verdicts, full, anchors)
            _note(found, looks, verdicts, full, counts, skip=context // 2)
        gathered = gathered[-keep:] if keep else []
        context = len(gathered)

    last_shot = None
    for frame in clip.frames(careful=False):
        n = frame.index
        if n >= frames:
            break
        if last_shot is not None and camera.shot[n] != last_shot:
            finish(0)
        last_shot = camera.shot[n]
        if usable[n] and not repeat[n]:
            graphics = camera.graphics[camera.shot[n]] if len(camera.graphics) else None
            gathered.append(cut_patch(n, frame.image, look[n], float(length[n]), camera.matrix[n], graphics))
            if len(gathered) == STRETCH:
                finish(SHARED)
        tick()
    finish(0)
    if progress:
        progress(3 * frames, 3 * frames)
    found.ratio = float(np.median(ratios)) if ratios else 1.0
    found.figures = {**counts, "bat_over_limbs": round(found.ratio, 3), "network": network is not None}
    return found


def _where(pose: PoseSequence, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Where to look, (T, 2) px, and the bat length to cut for, (T,) px: steady in the reference frame of each shot."""
    from scipy.ndimage import median_filter

    look, length = guess_hands(pose), _ROOM * guess_length(pose)
    zoom = camera.zoom
    steady = np.full(len(length), np.nan)
    seen = np.isfinite([pose.joint(f"{side}_wrist")[:, 0] for side in ("left", "right")]).any(axis=0)
    for shot in np.unique(camera.shot):
        # Straight lines over gaps lead across cuts, and on to where nobody is.
        here, there = np.flatnonzero(camera.shot == shot), np.flatnonzero((camera.shot == shot) & seen)
        near = [len(there) > 0 and there[0] <= k <= there[-1] and np.abs(pose.t[there] - pose.t[k]).min() <= _LOST for k in here]
        look[here[~np.array(near, bool)]] = np.nan
        part = np.flatnonzero((camera.shot == shot) & np.isfinite(zoom) & np.isfinite(length))
        if len(part):
            steady[part] = median_filter(length[part] * zoom[part], min(31, len(part)), mode="nearest") / zoom[part]
    return look, steady


def _on_pictures(anchors: Mapping[int, np.ndarray], repeat: np.ndarray) -> dict[int, np.ndarray]:
    """Anchors on the frame that first shows their picture."""
    moved = {}
    for frame, toe in anchors.items():
        while frame > 0 and repeat[frame]:
            frame -= 1
        moved[frame] = np.asarray(toe, dtype=np.float64)
    return moved


def _note(found: ImageTips, looks: list[Look], verdicts: list[Verdict | None], full: float, counts: dict[str, int], skip: int) -> None:
    """Write down what was accepted in a stretch; in the pictures shared with the stretch before, its first half stays."""
    for k, (look, verdict) in enumerate(zip(looks, verdicts, strict=True)):
        if k < skip:
            continue
        n = look.patch.frame
        to_frame = np.linalg.inv(look.patch.to_view)
        found.tip[n], found.sigma[n], found.confidence[n] = np.nan, np.nan, 0.0
        if verdict is not None and verdict.accepted:
            found.tip[n] = at(to_frame, verdict.place)
            found.sigma[n] = verdict.sigma * to_frame[0, 0]
            found.confidence[n] = verdict.confidence
        if look.witness is not None and look.witness.grip_sure >= _GRIP_SURE:
            found.hands[n] = at(to_frame, look.witness.grip)
            found.hands_sigma[n] = _GRIP_SIGMA * full * to_frame[0, 0]
        if k >= 2 * skip:  # the first of these were counted with the stretch before
            counts["pictures"] += 1
            counts["followed"] += look.chosen >= 0
            counts["agreed"] += verdict is not None and verdict.agreed
            counts["objected"] += verdict is not None and verdict.objected
            counts["accepted"] += verdict is not None and verdict.accepted
