"""Whom to follow: what the user asked for, and which of the people in the clip that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import KineticsError
from .estimators import Person
from .follow import Track

#: Seconds of the window in which a swing is looked for.
SWING_TIME = 0.5

#: Wrists nearer to each other than this, in the body's extent, can hold one handle.
ON_ONE_HANDLE = 0.15

#: Weight of being large and in the middle beside a swing's travel: it decides when nobody swings.
PRESENCE = 0.02

#: Seconds to either side of the asked frame in which the person pointed at may be seen first.
_NEAR = 0.5


@dataclass(frozen=True)
class Subject:
    """What the user asked for.

    Attributes
    ----------
    kind : {"auto", "largest", "index", "point", "box", "boxes"}
    index : int
        Of ``index``: people are numbered from 0 in the order in which they are found, from left to right among those found in one frame.
    frame : int
        Of ``point`` and ``box``.
    point : (x, y)
        Source pixels.
    boxes : dict of int to (x, y, width, height)
        By frame, source pixels: one of ``box``, any number of ``boxes``.
    """

    kind: str
    index: int = 0
    frame: int = 0
    point: tuple[float, float] = (0.0, 0.0)
    boxes: Mapping[int, tuple[float, float, float, float]] | None = None

    @classmethod
    def parse(cls, text: str | int, frame: int = 0) -> Subject:
        """Read ``auto``, ``largest``, ``N``, ``X,Y`` or ``X,Y@FRAME``.

        Raises
        ------
        KineticsError
            When it is none of these.
        """
        words = str(text).strip().lower()
        if words in ("auto", "largest"):
            return cls(words)
        place, _, at = words.partition("@")
        try:
            numbers = [float(part) for part in place.split(",")]
            frame = int(at) if at else frame
        except ValueError:
            numbers = []
        if len(numbers) == 2 and np.isfinite(numbers).all() and frame >= 0:
            return cls("point", point=(numbers[0], numbers[1]), frame=frame)
        if len(numbers) == 1 and not at and place.isdecimal():
            return cls("index", index=int(place))
        raise KineticsError(f"Subject {text!r} is not understood; give auto, largest, X,Y in pixels (X,Y@FRAME for another frame), or a person's number.")

    @classmethod
    def boxed(cls, boxes: Mapping[int, tuple[float, float, float, float]], where: str) -> Subject:
        """From boxes by frame: one is a person to find and follow, several say in each frame where the person is.

        Raises
        ------
        KineticsError
            When there is none.
        """
        if not boxes:
            raise KineticsError(f"The boxes or masks for {where} mark nobody in any frame; mark the person in at least one.")
        return cls("box" if len(boxes) == 1 else "boxes", frame=min(boxes), boxes=dict(boxes))

    def words(self, asked: str | int) -> str:
        """What was asked for, for the provenance."""
        return f"{len(self.boxes)} box{'es' * (len(self.boxes) > 1)}" if self.boxes else str(asked)


def read_boxes(value: Any, frames: int, start_frame: int = 0) -> dict[int, tuple[float, float, float, float]]:
    """BOUNDING_BOX values by frame.

    Parameters
    ----------
    value : dict, (x, y, width, height), or a list of either, or a list with a list of boxes for each frame
        A dict has ``x, y, width, height`` and perhaps ``score``. A list of as many as the clip has frames is one per frame (None or an
        empty list where there is none); one alone is for ``start_frame``. Of several in one frame the one that overlaps the
        frame before's most is taken, or else the one of the highest score.
    frames : int
        Frames of the clip.

    Raises
    ------
    KineticsError
        When it is none of these.
    """
    per_frame = list(value) if isinstance(value, Sequence) and not _is_box(value) else [value]
    if len(per_frame) != 1 and len(per_frame) != frames:
        raise KineticsError(f"{len(per_frame)} boxes don't fit {frames} frames; give one box, or one per frame.")
    first = start_frame if len(per_frame) == 1 and frames != 1 else 0
    boxes: dict[int, tuple[float, float, float, float]] = {}
    last = None
    for frame, entry in enumerate(per_frame, start=first):
        choices = [] if entry is None else [entry] if _is_box(entry) else list(entry)
        read = [(_as_box(choice), float(choice.get("score", 0.0)) if isinstance(choice, Mapping) else 0.0) for choice in choices]
        if read:
            boxes[frame], _ = max(read, key=lambda pair: (_overlap(pair[0], last) if last else 0.0, pair[1], pair[0][2] * pair[0][3]))
            last = boxes[frame]
    return boxes


def _is_box(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and len(value) == 4 and all(isinstance(part, int | float) for part in value))


def _as_box(value: Any) -> tuple[float, float, float, float]:
    try:
        numbers = [float(value[key]) for key in ("x", "y", "width", "height")] if isinstance(value, Mapping) else [float(part) for part in value]
    except (KeyError, TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all() or min(numbers[2:]) <= 0:
        raise KineticsError(f"Box {value!r} is not x, y, width and height in pixels; give boxes of that form.")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def read_masks(masks: Any, frames: int, size: tuple[int, int], start_frame: int = 0) -> dict[int, tuple[float, float, float, float]]:
    """Boxes by frame round what masks mark.

    Parameters
    ----------
    masks : (T, H, W) or (H, W) array or tensor, 0 to 1
        One per frame of the clip, or one alone for ``start_frame``; of any size, stretched to the clip's.
    size : (W, H)
        Of the clip's pictures.

    Raises
    ------
    KineticsError
        When the number of masks is neither one nor the clip's.
    """
    array = np.asarray(masks)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or len(array) not in (1, frames):
        raise KineticsError(f"Masks of shape {array.shape} don't fit {frames} frames; give one mask, or one per frame.")
    scale_x, scale_y = size[0] / array.shape[2], size[1] / array.shape[1]
    boxes = {}
    for frame, mask in enumerate(array, start=start_frame if len(array) == 1 and frames != 1 else 0):
        rows, columns = np.nonzero(mask.max(axis=1) > 0.5)[0], np.nonzero(mask.max(axis=0) > 0.5)[0]
        if len(rows):
            x, y = columns[0] * scale_x - 0.5, rows[0] * scale_y - 0.5
            boxes[frame] = (x, y, (columns[-1] + 1) * scale_x - 0.5 - x, (rows[-1] + 1) * scale_y - 0.5 - y)
    return boxes


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    common = float(np.prod(np.clip(high - low, 0, None)))
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def fits_box(person: Person, box: Sequence[float]) -> float:
    """How well a person fills a box: intersection over union, the person's box grown to the head and hands that joints leave out."""
    x, y, width, height = person.box
    grow = 0.06 * max(width, height)
    return _overlap((x - grow, y - 1.5 * grow, width + 2 * grow, height + 2.5 * grow), box)


def hit(person: Person, point: Sequence[float]) -> float:
    """How near a point is to a person: distance to the nearest joint over the extent; infinite outside the person's box."""
    x, y, width, height = person.box
    grow = 0.12 * max(width, height)
    if not (x - grow <= point[0] <= x + width + grow and y - grow <= point[1] <= y + height + grow):
        return float("inf")
    return float(np.nanmin(np.linalg.norm(person.xy - point, axis=1))) / person.extent


def swing_travel(track: Track, names: Sequence[str], t: np.ndarray) -> float:
    """How far the hands travel together within half a second.

    The largest distance between two places of the wrists' midpoint, seen from the shoulders and over the body's extent, in any window of
    ``SWING_TIME``, times the share of the window in which the wrists are close enough to hold one handle. A bowler's arm is
    faster than a bat, but alone.

    Parameters
    ----------
    track : Track
    names : joint names
    t : (T,) seconds of all frames of the clip

    Returns
    -------
    float
        0 for hands that don't move or are apart.
    """
    columns = [list(names).index(name) for name in ("left_wrist", "right_wrist", "left_shoulder", "right_shoulder")]
    frames = np.array(sorted(track.people))
    xy = np.stack([track.people[frame].xy[columns] for frame in frames])
    usable = np.isfinite(xy).all(axis=(1, 2))
    frames, xy = frames[usable], xy[usable]
    if len(frames) < 3:
        return 0.0
    together = np.linalg.norm(xy[:, 0] - xy[:, 1], axis=1) < ON_ONE_HANDLE * track.size
    hands = (xy[:, :2].mean(axis=1) - xy[:, 2:].mean(axis=1)) / track.size
    # A mean of three takes the tremor of the estimate away.
    padded = np.pad(hands, ((1, 1), (0, 0)), mode="edge")
    hands = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    times = t[frames]
    best = 0.0
    for begin, end in enumerate(np.searchsorted(times, times + SWING_TIME, side="right")):
        if times[end - 1] - times[begin] < 0.4 * SWING_TIME:
            continue
        window = hands[begin:end]
        way = np.linalg.norm(window[:, None] - window[None], axis=2).max()
        best = max(best, float(way * together[begin:end].mean()))
    return best


def choose(
    subject: Subject, tracks: Sequence[Track], numbered: Sequence[Track], names: Sequence[str], t: np.ndarray, size: tuple[int, int], where: str
) -> tuple[Track, str]:
    """The track of the person asked for, and a sentence on how he was chosen.

    Parameters
    ----------
    subject : Subject
    tracks : sequence of Track
        Everybody.
    numbered : sequence of Track
        One of each person, in the order of their numbers.
    names : joint names
    t : (T,) seconds
    size : (W, H)
    where : str
        The clip's name.

    Raises
    ------
    KineticsError
        When nobody was found, or nobody where the user pointed, or there are not so many people.
    """
    if not tracks:
        raise KineticsError(
            f"Nobody was found in {where}; point at the person (subject X,Y@FRAME or a box), give a clip in which the person is larger, or try another estimator."
        )
    if subject.kind == "index":
        if subject.index >= len(numbered):
            raise KineticsError(f"There is no person {subject.index} in {where}: {len(numbered)} found, numbered from 0; choose one of those.")
        return numbered[subject.index], f"person {subject.index} of {len(numbered)}, numbered from 0 as they are found, left to right"
    if subject.kind == "largest":
        longest = max(len(track.people) for track in tracks)
        largest = max(tracks, key=lambda track: track.size * min(1.0, 4 * len(track.people) / longest))
        return largest, f"the largest of {len(tracks)}, {largest.size:.0f} px"
    if subject.kind == "boxes":
        return tracks[0], f"whoever fills the box in each of {len(subject.boxes)} frames"
    if subject.kind in ("point", "box"):
        return _pointed_at(subject, tracks, t, where)
    longest = max(len(track.people) for track in tracks)
    tallest = max(track.size for track in tracks)
    # Somebody seen for a moment, or a part taken for a body, may seem to swing: they count the less, the shorter and the smaller.
    swings = [swing_travel(track, names, t) * len(track.people) / longest * float(np.sqrt(track.size / tallest)) for track in tracks]
    scores = [swing + PRESENCE * presence(track, tallest, size) for swing, track in zip(swings, tracks, strict=True)]
    order = np.argsort(scores)[::-1]
    first = tracks[order[0]]
    said = f"the one who swings: both hands together through {swings[order[0]]:.2f} of the body's height in {SWING_TIME} s"
    if len(tracks) > 1:
        said += f"; the next of {len(numbered)} people: {swings[order[1]]:.2f}"
    return first, said


def presence(track: Track, tallest: float, size: tuple[int, int]) -> float:
    """0 to 1: how large a person is beside the others, and how near to the middle."""
    middle = np.median([person.centre[0] for person in track.people.values()])
    return track.size / tallest * (1 - 0.5 * min(1.0, abs(middle / size[0] - 0.5) * 2))


def _pointed_at(subject: Subject, tracks: Sequence[Track], t: np.ndarray, where: str) -> tuple[Track, str]:
    if subject.frame >= len(t):
        raise KineticsError(f"{where} has no frame {subject.frame}: its {len(t)} frames are numbered from 0; point at one of those.")
    asked = t[subject.frame]
    best: tuple[float, Track] | None = None
    for track in tracks:
        for frame, person in track.people.items():
            if abs(t[frame] - asked) > _NEAR:
                continue
            if subject.boxes:
                fit = fits_box(person, subject.boxes[subject.frame])
                miss = 1 - fit if fit > 0.15 else float("inf")
            else:
                miss = hit(person, subject.point)
            # The asked frame itself counts first, then how near the point is.
            miss += 4 * abs(t[frame] - asked)
            if np.isfinite(miss) and (best is None or miss < best[0]):
                best = miss, track
    what = f"box {subject.boxes[subject.frame]}" if subject.boxes else f"{subject.point[0]:g},{subject.point[1]:g}"
    if best is None:
        raise KineticsError(f"Nobody was found at {what} in frame {subject.frame} of {where}; point at the middle of a body, or at a frame where it is plain.")
    return best[1], f"the person at {what} in frame {subject.frame}"


def gather_boxed(tracks: Sequence[Track], boxes: Mapping[int, Sequence[float]]) -> dict[int, Person]:
    """Frame by frame the person who fills the box; in a frame without a box, whoever was followed there from a frame with one."""
    people: dict[int, Person] = {}
    for track in tracks:
        for frame, person in track.people.items():
            rank = fits_box(person, boxes[frame]) if frame in boxes else 1.0
            if rank > 0.2 and (frame not in people or (frame in boxes and rank > fits_box(people[frame], boxes[frame]))):
                people[frame] = person
    return people
