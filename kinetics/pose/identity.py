"""One person's tracks put together: before and after a cut, a loss, or an absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .appearance import unlikeness
from .estimators import Person
from .follow import Track

#: Unlikeness of two looks up to which they can be one person's; more is allowed the shorter the absence within a shot, up to half a second.
ALIKE, ALIKE_AT_ONCE = 0.45, 0.7

#: Somebody else has to be less like by this much, or nobody is taken.
PLAIN = 0.12

#: Sizes over one another, within a shot and across a cut, that are still believable.
SIZES, SIZES_ACROSS_CUT = 2.0, 3.0

#: Way a person can go while out of sight, in body extents: at once, and per second.
REACH, REACH_SPEED = 0.6, 4.0


def gather(main: Track, tracks: Sequence[Track], cuts: Sequence[int], t: np.ndarray) -> tuple[dict[int, Person], list[Track]]:
    """All frames of the person of one track.

    Starting from the main track, the track that resembles it most is added as long as one is alike in colour, of a believable size,
    within reach in the same shot, not in two places at once for more than a few frames, and plainly more alike than whoever else could be him
    at that time.

    Parameters
    ----------
    main : Track
    tracks : sequence of Track
    cuts : frames at which a shot begins
    t : (T,) seconds

    Returns
    -------
    dict of int to Person, list of Track
        By frame, and the tracks put together.
    """
    people = dict(main.people)
    left = [track for track in tracks if track is not main]
    joined = [main]
    while True:
        likeness = {id(track): unlikeness(track.look, main.look) for track in left}
        able = [track for track in left if _can_join(track, people, cuts, t, likeness[id(track)])]
        fitting = [track for track in able if _is_plain(track, able, likeness)]
        if not fitting:
            return people, joined
        best = min(fitting, key=lambda track: likeness[id(track)])
        for frame, person in best.people.items():
            if frame not in people or person.conf.mean() > people[frame].conf.mean():
                people[frame] = person
        left.remove(best)
        joined.append(best)


def _can_join(track: Track, people: Mapping[int, Person], cuts: Sequence[int], t: np.ndarray, unlike: float) -> bool:
    shared = sorted(track.people.keys() & people.keys())
    if shared and np.median([_apart(track.people[frame], people[frame]) for frame in shared]) > (0.4 if len(shared) > 3 else 1.0):
        return False
    # The two frames, one of each, that lie closest in time.
    here, there = min(((a, b) for a in (track.first, track.last) for b in people), key=lambda pair: abs(pair[0] - pair[1]))
    one, other = track.people[here], people[there]
    across = any(min(here, there) < cut <= max(here, there) for cut in cuts)
    ratio = max(one.extent, other.extent) / min(one.extent, other.extent)
    absent = abs(t[here] - t[there])
    bound = ALIKE if across else max(ALIKE, ALIKE_AT_ONCE - (ALIKE_AT_ONCE - ALIKE) * absent / 0.5)
    if unlike > bound or ratio > (SIZES_ACROSS_CUT if across else SIZES):
        return False
    reach = (REACH + REACH_SPEED * absent) * max(one.extent, other.extent)
    return across or float(np.linalg.norm(one.centre - other.centre)) <= reach


def _apart(one: Person, other: Person) -> float:
    """Distance of two people's middles over the larger one's extent."""
    return float(np.linalg.norm(one.centre - other.centre)) / max(one.extent, other.extent)


def _is_plain(track: Track, tracks: Sequence[Track], likeness: Mapping[int, float]) -> bool:
    """Whether nobody else who is there at the same time is nearly as alike."""
    rivals = [other for other in tracks if other is not track and other.people.keys() & track.people.keys() and not _is_double(other, track)]
    return all(likeness[id(other)] > likeness[id(track)] + PLAIN for other in rivals)


def _is_double(one: Track, other: Track) -> bool:
    """Whether two tracks that overlap in time lie on one person."""
    both = one.people.keys() & other.people.keys()
    return bool(np.median([_apart(one.people[frame], other.people[frame]) for frame in both]) < 0.25)


def number(tracks: Sequence[Track], cuts: Sequence[int], t: np.ndarray) -> list[Track]:
    """One track of each person, in the order of the people's numbers: by the search that found them, then from left to right."""
    ordered = sorted(tracks, key=lambda track: (track.found_at, track.at(track.found_at).centre[0]))
    numbered: list[Track] = []
    known: list[Track] = []
    for track in ordered:
        if not any(track is other for other in known):
            numbered.append(track)
            known += gather(track, tracks, cuts, t)[1]
    return numbered
