"""Several people through the frames: who is who, and which one is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import KineticsError
from .body import torso_length

#: Two skeletons are one person when their joints lie closer than this, in trunk lengths, on average.
NEAREST_MATCH = 1.5

#: A joint seen in only one of two skeletons counts as this far apart, in trunk lengths: missing is no match.
UNSHARED = 1.0

#: A person out of sight for longer than this, seconds, comes back as somebody new.
LONGEST_ABSENCE = 1.0

#: A person's place in each frame they are in: {frame: place in that frame's list}.
Track = dict[int, int]


def link_people(people: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], t: np.ndarray) -> list[Track]:
    """Follow people through frames whose lists are in any order.

    Each frame's people are assigned to those of the frames before by the smallest total distance (Hungarian), the distance of two
    skeletons being the mean over the joints that either has: the distance of the joints both have, from where the person's last
    motion would take them, and a fixed length for those only one has.

    Parameters
    ----------
    people : per frame, per person, ((K, 2) positions NaN where missing, (K,) confidence)
    t : (T,) seconds

    Returns
    -------
    list of {frame: place}
        In order of first appearance. When no frame has more than one person there is one track: nobody to confuse.
    """
    from scipy.optimize import linear_sum_assignment

    if max(map(len, people)) <= 1:
        return [{frame: 0 for frame, there in enumerate(people) if there}]
    tracks: list[Track] = []
    last: list[tuple[float, np.ndarray, np.ndarray]] = []  # time, positions, velocity of the middle
    for frame, there in enumerate(people):
        bodies = [xy for xy, _ in there]
        open_tracks = [k for k in range(len(tracks)) if t[frame] - last[k][0] <= LONGEST_ABSENCE]
        cost = np.full((len(open_tracks), len(bodies)), np.inf)
        for row, k in enumerate(open_tracks):
            since = t[frame] - last[k][0]
            for column, xy in enumerate(bodies):
                cost[row, column] = _apart(last[k][1] + last[k][2] * since, xy)
        taken = set()
        # Assignment needs finite costs; a pair that is no match is refused after it.
        finite = np.where(cost <= NEAREST_MATCH, cost, 1e6)
        for row, column in zip(*linear_sum_assignment(finite), strict=True):
            if finite[row, column] < 1e6:
                k, since = open_tracks[row], t[frame] - last[open_tracks[row]][0]
                shift = bodies[column] - last[k][1]
                shared = ~np.isnan(shift[:, 0])
                # A joint not seen now is remembered where the body has carried it, so that it can be compared again.
                body = np.where(np.isnan(bodies[column]), last[k][1] + shift[shared].mean(axis=0), bodies[column])
                last[k] = (t[frame], body, 0.5 * last[k][2] + 0.5 * shift[shared].mean(axis=0) / since)
                tracks[k][frame] = int(column)
                taken.add(int(column))
        for column, xy in enumerate(bodies):
            if column not in taken and not np.isnan(xy).all():
                tracks.append({frame: column})
                last.append((t[frame], xy, np.zeros(2)))
    return tracks


def _apart(expected: np.ndarray, xy: np.ndarray) -> float:
    """Mean distance of two (K, 2) skeletons in trunk lengths (0.3 of the larger one's diagonal), inf when they share under 3 joints."""
    seen_a, seen_b = ~np.isnan(expected[:, 0]), ~np.isnan(xy[:, 0])
    shared, either = seen_a & seen_b, seen_a | seen_b
    if shared.sum() < 3:
        return np.inf
    unit = max(0.3 * np.linalg.norm(np.ptp(body[seen], axis=0)) for body, seen in ((expected, seen_a), (xy, seen_b)))
    if unit == 0:
        return np.inf
    distances = np.linalg.norm(expected[shared] - xy[shared], axis=1) / unit
    return float((distances.sum() + UNSHARED * (either.sum() - shared.sum())) / either.sum())


def choose_person(
    tracks: list[Track], people: Sequence[Sequence[np.ndarray]], t: np.ndarray, names: Sequence[str], person: str | int, source: str
) -> Track:
    """The track of the person asked for.

    Parameters
    ----------
    tracks : of :func:`link_people`
    people : per frame, per person, (K, 3) x, y, confidence, NaN where missing
    t : (T,) seconds
    names : K joint names
    person : ``"auto"`` (wrists travel most about the body), ``"largest"``, or a place in the first frame that has so many people

    Raises
    ------
    KineticsError
        When nobody is at that place, or the word isn't known.
    """
    if isinstance(person, (int, np.integer)) and not isinstance(person, bool):
        for frame, there in enumerate(people):
            if 0 <= person < len(there):
                for track in tracks:
                    if track.get(frame) == person:
                        return track
                break
        most = max(map(len, people))
        raise KineticsError(f"{source} has no person {person}; the most in one frame is {most}, counted from 0.")
    if person not in ("auto", "largest"):
        raise KineticsError(f"Person {person!r} of {source} is not known; give auto, largest or a number from 0.")
    return max(tracks, key=lambda track: _measure(track, people, t, list(names), person))


def _measure(track: Track, people: Sequence[Sequence[np.ndarray]], t: np.ndarray, names: list[str], how: str) -> float:
    """Length that ranks a track: its size summed over frames, and for ``auto`` the travel of the wrists about the trunk besides."""
    frames = sorted(track)
    xy = np.array([people[frame][track[frame]][:, :2] for frame in frames])
    size = torso_length(xy, names)
    if not np.isfinite(size):
        return 0.0
    if how == "largest":
        return size * len(frames)
    trunk = xy[:, [names.index(f"{side}_{part}") for side in ("left", "right") for part in ("shoulder", "hip")]].mean(axis=1)
    travel = 0.0
    for side in ("left", "right"):
        wrist = xy[:, names.index(f"{side}_wrist")] - trunk
        seen = ~np.isnan(wrist[:, 0])
        # A step longer than the trunk is a jump of the estimator, not a swing.
        steps = np.minimum(np.linalg.norm(np.diff(wrist[seen], axis=0), axis=1), size)
        travel += float(steps.sum())
    return travel + 1e-3 * size * len(frames)
