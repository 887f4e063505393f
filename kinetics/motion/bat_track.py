"""Where the bat is in each frame of a clip: what the trackers give and the swing is measured from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import KineticsError

#: What a tip was read from, in order of trust.
SOURCES = ("mark", "mask", "boxes", "image", "pose", "forearm")


#: What the hand proxy may mean.
GRIPS = ("midpoint", "top", "bottom")


@dataclass(frozen=True)
class Mark:
    """A toe that the user marked: ``frame`` (index from 0 in decode order) and its place in pixels of that frame."""

    frame: int
    x: float
    y: float


def read_mark(text: str) -> Mark:
    """A mark out of ``frame, x, y``.

    Raises
    ------
    KineticsError
        When it isn't three numbers, the frame a whole one from 0.
    """
    try:
        frame, x, y = text.split(",")
        mark = Mark(int(frame), float(x), float(y))
    except ValueError:
        mark = None
    if mark is None or mark.frame < 0 or not np.isfinite([mark.x, mark.y]).all():
        raise KineticsError(f"Can't read the mark {text.strip()!r}: give frame, x, y, like 41, 655.5, 300 (frames from 0, pixels).")
    return mark


@dataclass(frozen=True)
class BatTrack:
    """Hands and bat tip per frame, in the clip's own pixels (x right, y down).

    Attributes
    ----------
    t : (T,) s
        The frames' own timestamps; all frames of the clip, repeated ones too.
    hands : (T, 2) px
        The hand proxy (:attr:`grip`); NaN where unknown.
    tip : (T, 2) px
        Middle of the end edge of the blade; NaN where it wasn't seen, or what was seen was refused.
    hands_sigma, tip_sigma : (T,) px
        Standard deviation per axis; NaN where the place is.
    source : (T,) str
        One of :data:`SOURCES` where there is a tip, else ``""``.
    confidence : (T,)
        0-1: how far the evidence agreed; 0 where there is no tip.
    repeat : (T,) bool
        The frame shows the picture of the one before again: its tip counts as a picture, not as a sample in time.
    size : (W, H) px
    grip : str
        What ``hands`` means, one of :data:`GRIPS`: between both hands, or the top or bottom one.
    flags : tuple of str
        Sentences for the user; empty when nothing is odd.
    provenance : dict
        How the track was made: settings, counts, the figures of each stage.
    """

    t: np.ndarray
    hands: np.ndarray
    tip: np.ndarray
    hands_sigma: np.ndarray
    tip_sigma: np.ndarray
    source: np.ndarray
    confidence: np.ndarray
    repeat: np.ndarray
    size: tuple[int, int]
    grip: str = "midpoint"
    flags: tuple[str, ...] = ()
    provenance: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = (len(self.t),)
        shapes = {"hands": (*frames, 2), "tip": (*frames, 2)} | dict.fromkeys(
            ("hands_sigma", "tip_sigma", "source", "confidence", "repeat"), frames
        )
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise KineticsError(f"The bat track's {name} has shape {np.shape(getattr(self, name))}; it has to be {shape}.")
        unsure = ~((self.confidence >= 0) & (self.confidence <= 1))
        if unsure.any():
            frame = int(np.argmax(unsure))
            raise KineticsError(f"The bat track's confidence at frame {frame} is {self.confidence[frame]:g}; it has to lie between 0 and 1.")

    def __len__(self) -> int:
        return len(self.t)
