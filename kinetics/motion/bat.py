"""Hands and bat tip of a clip: from marks, masks, boxes, or the picture itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import KineticsError, Progress
from ..pose.subject import read_boxes
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from ..video.repeats import find_repeats
from .bat_boxes import box_tips
from .bat_mask import mask_tips, read_masks
from .bat_network import BatNetwork, guess_length, load_network
from .bat_stretches import track_image
from .bat_track import GRIPS, BatTrack, Mark
from .camera import Camera
from .forearm import forearm_tips
from .hands import hold, join_hands, read_hands

#: Standard deviation per axis of a toe that a person marked, px.
MARK_SIGMA = 2.0

#: The tip of an image track has to be seen in this many pictures, and in this part of those that show the batter.
FEWEST_TIPS, FEWEST_PART = 8, 0.12


def track_bat(
    clip: Clip, pose: PoseSequence, camera: Camera, *, masks: Any = None, boxes: Any = None, marks: Iterable[Mark | Sequence[float]] = (),
    forearm: bool = False, grip: str = "midpoint", network: BatNetwork | str | os.PathLike | bool | None = None, progress: Progress | None = None,
) -> BatTrack:  # fmt: skip
    """Find the bat in every frame in which it can be seen.

    In each frame the most trusted source that shows the toe counts: a mark, a mask, a box, the image tracker, and only when asked the
    forearm. A tip is NaN where no source shows it or what was seen was refused.

    Parameters
    ----------
    clip : Clip
    pose : PoseSequence
        The batter in the same frames, in pixels.
    camera : Camera
        Of the same clip; nothing is followed across its shots.
    masks : (T, H, W) array or tensor, or a list with one (H, W) array or None per frame, optional
        The bat, from a segmenter. An empty mask says nothing.
    boxes : BOUNDING_BOX value, one per frame, optional
        Round the bat.
    marks : iterable of Mark or (frame, x, y)
        Toes that the user marked, in pixels of their frame: trusted, and what they teach (colour, length, side) leads the image tracker
        through the frames around.
    forearm : bool
        Where nothing else is seen, point the bat along the forearms: a guess, flagged, with a wide sigma.
    grip : {"midpoint", "top", "bottom"}
        What the hand proxy is.
    network : BatNetwork, path or bool, optional
        The network beside the foreground: that of the package, one from a file, or (False) none.
    progress : callable, optional
        ``progress(done, total)``; may raise to cancel.

    Returns
    -------
    BatTrack

    Raises
    ------
    KineticsError
        On parts that don't belong together, marks outside the clip, or when the bat can't be told from what is around it.
    """
    _check(clip, pose, camera, grip)
    marks = _read_marks(marks, len(pose), pose.size)
    frames = len(pose)
    repeat = camera.repeat.copy() if camera.repeat.any() else find_repeats(clip).repeats
    length = guess_length(pose)
    if np.isnan(length).all():
        raise KineticsError(f"{clip.name} shows too little of the batter to know how long the bat is; choose another subject.")
    hands = read_hands(pose, camera, length)
    track = _Track.empty(frames)
    flags: list[str] = []
    figures: dict[str, Any] = {"marks": len(marks)}
    for mark in marks:
        track.put(mark.frame, np.array([mark.x, mark.y]), MARK_SIGMA, "mark", 1.0)
    if masks is not None:
        planes = read_masks(masks, frames)
        for frame, tip, sigma in mask_tips(planes, hands.middle, length, pose.size):
            track.put(frame, tip, sigma, "mask", 0.95)
        figures["masks"] = {"given": sum(plane is not None for plane in planes), "used": int((track.source == "mask").sum())}
    if boxes is not None:
        for frame, (tip, sigma) in box_tips(read_boxes(boxes, frames), hands.middle, length, pose.size).items():
            track.put(frame, tip, sigma, "boxes", 0.6)
        figures["boxes"] = int((track.source == "boxes").sum())
    _spread_repeats(track, repeat)
    found = None
    if (track.source == "").any():
        anchors = {int(k): track.tip[k] for k in np.flatnonzero(np.isin(track.source, ("mark", "mask")))}
        found = track_image(clip, pose, camera, repeat, anchors, _read_network(network), progress)
        figures["image"] = found.figures
        for frame in np.flatnonzero(repeat):
            found.hands[frame], found.hands_sigma[frame] = found.hands[frame - 1], found.hands_sigma[frame - 1]
        hands = join_hands(hands, found.hands, found.hands_sigma)
        for frame in np.flatnonzero(~np.isnan(found.tip[:, 0])).tolist():
            track.put(frame, found.tip[frame], float(found.sigma[frame]), "image", float(found.confidence[frame]))
        _spread_repeats(track, repeat)
    if forearm:
        for frame, (tip, sigma) in forearm_tips(pose, hands.middle, length if found is None else length * found.ratio).items():
            track.put(frame, tip, sigma, "forearm", 0.1)
        count = int((track.source == "forearm").sum())
        if count:
            flags.append(f"In {count} of {frames} frames the bat is only guessed to point along the forearms; trust no speed from there.")
    _refuse_weak(clip.name, track, repeat, hands.middle)
    place, sigma, flag = hold(hands, track.tip, grip)
    if flag:
        flags.append(flag)
    return BatTrack(
        t=pose.t.copy(), hands=place, tip=track.tip, hands_sigma=sigma, tip_sigma=track.sigma, source=track.source,
        confidence=track.confidence, repeat=repeat, size=pose.size, grip="midpoint" if flag else grip, flags=tuple(flags),
        provenance={"source": clip.name, "grip": grip, "tips": {str(name): int((track.source == name).sum()) for name in np.unique(track.source) if name}, **figures},
    )  # fmt: skip


@dataclass
class _Track:
    """Tips as they are gathered: what is there already is more trusted than what comes."""

    tip: np.ndarray
    sigma: np.ndarray
    source: np.ndarray
    confidence: np.ndarray

    @classmethod
    def empty(cls, frames: int) -> _Track:
        return cls(np.full((frames, 2), np.nan), np.full(frames, np.nan), np.full(frames, "", dtype="<U8"), np.zeros(frames))

    def put(self, frame: int, tip: np.ndarray, sigma: float, source: str, confidence: float) -> None:
        if self.source[frame] == "":
            self.tip[frame], self.sigma[frame], self.source[frame], self.confidence[frame] = tip, sigma, source, confidence


def _spread_repeats(track: _Track, repeat: np.ndarray) -> None:
    """A repeated frame shows the same picture: its tip is the picture's, whichever of the frames it was found in."""
    frame = 0
    while frame < len(repeat):
        last = frame
        while last + 1 < len(repeat) and repeat[last + 1]:
            last += 1
        run = np.arange(frame, last + 1)
        known = run[track.source[run] != ""]
        for k in run if len(known) else ():
            track.put(int(k), track.tip[known[0]], float(track.sigma[known[0]]), str(track.source[known[0]]), float(track.confidence[known[0]]))
        frame = last + 1


def _check(clip: Clip, pose: PoseSequence, camera: Camera, grip: str) -> None:
    if grip not in GRIPS:
        raise KineticsError(f"Hand proxy {grip!r} isn't offered; choose {', '.join(GRIPS)}.")
    if pose.space != "px":
        raise KineticsError(f"The skeleton of {clip.name} is in {pose.space}; the bat is looked for in the picture, so give it in pixels.")
    if len(pose) != len(camera.t) or pose.size != tuple(camera.size):
        raise KineticsError(
            f"Skeleton ({len(pose)} frames, {pose.size[0]}×{pose.size[1]}) and camera ({len(camera.t)} frames, {camera.size[0]}×{camera.size[1]}) "
            f"don't belong together; make both from {clip.name}."
        )
    info = clip.info
    if pose.size != (info.width, info.height):
        raise KineticsError(f"{clip.name} is {info.width}×{info.height}, its skeleton {pose.size[0]}×{pose.size[1]}; make the skeleton from this clip.")


def _read_marks(marks: Iterable[Mark | Sequence[float]], frames: int, size: tuple[int, int]) -> list[Mark]:
    read = [mark if isinstance(mark, Mark) else Mark(int(mark[0]), float(mark[1]), float(mark[2])) for mark in marks]
    for mark in read:
        if not 0 <= mark.frame < frames:
            raise KineticsError(f"The mark in frame {mark.frame} lies outside the clip, which has frames 0 to {frames - 1}.")
        if not (0 <= mark.x < size[0] and 0 <= mark.y < size[1]):
            raise KineticsError(f"The mark at {mark.x:g}, {mark.y:g} in frame {mark.frame} lies outside the {size[0]}×{size[1]} picture.")
    return read


def _read_network(network: BatNetwork | str | os.PathLike | bool | None) -> BatNetwork | None:
    if isinstance(network, BatNetwork):
        return network
    if network is False:
        return None
    return load_network(None if network is None or network is True else network)


def _refuse_weak(name: str, track: _Track, repeat: np.ndarray, hands: np.ndarray) -> None:
    """Raise when so little is seen that no use remains."""
    pictures = ~repeat & ~np.isnan(hands[:, 0])
    seen = (track.source != "") & (track.source != "forearm") & pictures
    if np.isin(track.source, ("mark", "mask", "boxes", "forearm")).any():
        return
    if seen.sum() < FEWEST_TIPS or seen.sum() < FEWEST_PART * pictures.sum():
        raise KineticsError(
            f"The bat can't be told surely from what is around it in {name} (sure in {int(seen.sum())} of {int(pictures.sum())} pictures); "
            "mark its toe in two or three frames, or give a mask of it."
        )
