"""Which frames go in: phases in turn, sharp frames first, none that looks like one already chosen."""

from __future__ import annotations

import numpy as np

from .samples import ALL_PHASES

#: Two frames are near-duplicates when their joints lie so near (RMS, body heights: about the noise of a pose) and their pictures
#: differ so little (mean grey levels of 255 over a small crop).
SAME_POSE, SAME_PICTURE = 0.012, 6.0

#: A pose that differs this much from all chosen ones (RMS, body heights) is as good as new.
NEW_POSE = 0.06

#: A frame of less quality than this is blurred: left out.
LEAST_QUALITY = 0.10


def choose_frames(
    phase: np.ndarray, usable: np.ndarray, quality: np.ndarray, shape: np.ndarray, pictures: np.ndarray, count: int
) -> tuple[list[int], np.ndarray]:  # fmt: skip
    """Choose up to ``count`` frames of one shot.

    The phase with the fewest frames so far has its turn; of its frames the one with the highest quality × newness is taken, newness being the
    distance to the nearest chosen pose, 1 from :data:`NEW_POSE` on. So a phase with few frames gives all it has, and the others
    share the rest.

    Parameters
    ----------
    phase : (T,) str
    usable : (T,) bool
    quality : (T,)
        0 to 1.
    shape : (T, K, 2) body heights
        Joints and tip, NaN where missing.
    pictures : (T, n) uint8
        Small grey crops.
    count : int

    Returns
    -------
    chosen : list of int
        In the order of time.
    why_not : (T,) str
        ``blurred``, ``near-duplicate`` or ``not needed`` for usable frames that weren't taken; else empty.
    """
    why_not = np.full(len(phase), "", dtype="U24")
    why_not[usable & (quality < LEAST_QUALITY)] = "blurred"
    waiting = usable & (quality >= LEAST_QUALITY)
    distance = np.full(len(phase), np.inf)
    turns = {name: 0 for name in ALL_PHASES if (waiting & (phase == name)).any()}
    chosen: list[int] = []
    while turns and len(chosen) < count:
        name = min(turns, key=lambda name: turns[name])
        rows = np.flatnonzero(waiting & (phase == name))
        if not len(rows):
            del turns[name]
            continue
        best = int(rows[np.argmax(quality[rows] * np.minimum(distance[rows] / NEW_POSE, 1.0))])
        chosen.append(best)
        turns[name] += 1
        waiting[best] = False
        apart = pose_distance(shape, shape[best])
        distance = np.fmin(distance, apart)
        alike = waiting & (apart < SAME_POSE)
        alike[alike] = picture_distance(pictures[alike], pictures[best]) < SAME_PICTURE
        why_not[alike] = "near-duplicate"
        waiting &= ~alike
    why_not[waiting] = "not needed"
    return sorted(chosen), why_not


def pose_distance(shapes: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """(T,) root mean squared distance of the joints that both have, their common shift taken out; infinite where fewer than two are shared."""
    apart = shapes - shape
    both = np.isfinite(apart).all(axis=2)
    count = np.maximum(both.sum(axis=1), 1)
    apart = np.where(both[..., None], apart, 0.0)
    mean = apart.sum(axis=1) / count[:, None]
    square = (apart**2).sum(axis=(1, 2)) / count - (mean**2).sum(axis=1)
    return np.where(both.sum(axis=1) >= 2, np.sqrt(np.maximum(square, 0.0)), np.inf)


def picture_distance(pictures: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """(n,) mean absolute difference, grey levels."""
    return np.abs(pictures.astype(np.int16) - picture.astype(np.int16)).mean(axis=1)


def split_footage(footage: list[str], labels: list[str], held_out: float, seed: int) -> list[bool]:
    """Which shots are held out: whole footages, as many as asked for, so that no footage is on both sides.

    A footage is drawn at random; one goes first whose stroke is also played in another footage, so that training sees every stroke.

    Parameters
    ----------
    footage, labels : list of str
        Per shot: what it was cut from, and its stroke.
    held_out : float
        Below 1 a share of the footages, rounded, but at least one; from 1 on their number. 0 holds none out. Always less than all.
    seed : int
    """
    names = sorted(set(footage))
    wanted = 0 if held_out == 0 else int(held_out) if held_out >= 1 else max(1, round(held_out * len(names)))
    order = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    kept = dict.fromkeys(order)
    out: set[str] = set()
    while len(out) < min(wanted, len(names) - 1):

        def lost(name: str) -> int:
            """Strokes that training would no longer see."""
            own = {label for label, source in zip(labels, footage, strict=True) if source == name}
            rest = {label for label, source in zip(labels, footage, strict=True) if source in kept and source != name}
            return len(own - rest)

        pick = min(kept, key=lost)
        out.add(pick)
        del kept[pick]
    return [source in out for source in footage]
