"""Following one person from frame to frame by a window that goes where he is going."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .appearance import look_of, unlikeness
from .estimators import Person, PoseEstimator, torso_columns
from .find import torso_conf
from .region import Region

#: Side of the window over the person's extent. Narrower windows keep somebody behind out of it better, but at 1.25 a person whom the camera
#: zooms in on outgrows his window, and the joints shrink to what it still shows.
WINDOW = 1.5

#: How far the middle of the torso may be from where it was expected, over the person's extent; a longer way is a jump.
JUMP = 0.3

#: Change of the torso-and-legs extent from its running mean that is still one person.
GROWTH = 1.8

#: Unlikeness (0-1) in colour from the person's own mean look beyond which it is somebody else.
OTHER_LOOK = 0.8

#: A person not seen for so long (seconds) is no longer followed; he may be found anew.
PATIENCE = 0.6

#: Widths of the windows in which a person who was missed is looked for, over that of following.
_WIDER = (1.0, 0.8, 1.25)


@dataclass(eq=False)
class Track:
    """One person over consecutive frames.

    Attributes
    ----------
    found_at : int
        Frame of the search that found the person.
    people : dict of int to Person
        Joints in source pixels by frame; a missed frame is not in it.
    look : (2, N) float64
        Running mean of the person's look.
    """

    found_at: int
    people: dict[int, Person] = field(default_factory=dict)
    look: np.ndarray | None = None

    @property
    def first(self) -> int:
        return min(self.people)

    @property
    def last(self) -> int:
        return max(self.people)

    @property
    def size(self) -> float:
        """Median extent in pixels."""
        return float(np.median([person.extent for person in self.people.values()]))

    def at(self, frame: int) -> Person:
        """The person in the frame nearest to this one."""
        return self.people[min(self.people, key=lambda other: abs(other - frame))]

    def sureness(self, last: int) -> float:
        """Mean confidence over so many of the latest frames."""
        return float(np.mean([self.people[frame].conf.mean() for frame in sorted(self.people)[-last:]]))

    def drop(self, frames: Iterable[int]) -> None:
        """Take back frames that turned out to show somebody else."""
        for frame in frames:
            self.people.pop(frame, None)


class TrackFollower:
    """Extends a track by one frame at a time, in either direction.

    Parameters
    ----------
    track : Track
        What to extend; gets the frames that are accepted.
    person, t
        Where the person was last, and when.
    """

    def __init__(self, track: Track, person: Person, t: float, estimator: PoseEstimator):
        self.track = track
        self._estimator = estimator
        self._columns = torso_columns(estimator.joint_names)
        self._follower = estimator.follower()
        self._region = Region.around(person.centre, WINDOW * person.extent)
        self._person = person
        self._t = self._seen = t
        self._velocity = np.zeros(2)
        self._extent = person.extent
        self.missed = 0

    @property
    def expected(self) -> Person:
        """Where the person was last, or is thought to be by now."""
        return self._person

    @property
    def lost(self) -> bool:
        return abs(self._t - self._seen) > PATIENCE

    def step(self, image: np.ndarray, index: int, t: float) -> bool:
        """Look for the person in the next frame; True and a new entry in the track when seen."""
        ahead = self._velocity * (t - self._t) * (0.5**self.missed)
        self._person = Person(self._person.xy + ahead, self._person.conf)
        # The window moves with the person, so that in it he stays where he was: that is where the follower looks.
        region = Region.around(self._region.centre + ahead, self._region.side)
        elapsed, self._t = t - self._t, t
        found = self._follower.follow(region.cut(image), region.to_crop(self._person))
        seen = region.to_source(found) if found is not None else None
        if seen is None or not self._accept(image, seen):
            self._follower.forget()
            seen, region = self._find_again(image, region)
        if seen is None:
            self.missed += 1
            self._region = region
            return False
        self._take(seen, region, index, elapsed)
        return True

    def _find_again(self, image: np.ndarray, region: Region) -> tuple[Person | None, Region]:
        """Anew among all people in windows round where he should be."""
        for width in _WIDER:
            window = Region.around(region.centre, width * region.side)
            people = [window.to_source(person) for person in self._estimator.estimate(window.cut(image))]
            for person in sorted(people, key=self._person.distance):
                if self._accept(image, person):
                    return person, window
        return None, region

    def _accept(self, image: np.ndarray, seen: Person) -> bool:
        """Whether this can be the same person: sure enough, no jump, about as large, in the same colours."""
        torso = seen.xy[self._columns]
        height, width = image.shape[:2]
        if not np.isfinite(torso).all() or torso_conf(seen, self._columns) < 0.6 * self._estimator.sure:
            return False
        middle = torso.mean(axis=0)
        if not (0 <= middle[0] < width and 0 <= middle[1] < height):
            return False
        reach = JUMP * self._extent * (1 + min(self.missed, 4) / 2)
        if np.linalg.norm(middle - self._person.xy[self._columns].mean(axis=0)) > reach:
            return False
        if not 1 / GROWTH < seen.extent / self._extent < GROWTH:
            return False
        look = look_of(image, seen, self._estimator.joint_names)
        if self.track.look is None:
            self.track.look = look
        elif unlikeness(look, self.track.look) > OTHER_LOOK:
            return False
        else:
            self.track.look = 0.95 * self.track.look + 0.05 * look
        return True

    def _take(self, seen: Person, window: Region, index: int, elapsed: float) -> None:
        moved = np.nanmean((seen.xy - self._person.xy)[self._columns], axis=0)
        if elapsed:
            self._velocity = 0.5**self.missed * self._velocity + 0.5 * moved / elapsed
        self._extent += 0.2 * (seen.extent - self._extent)
        # A little at a time, as the follower looks where the joints were in the window before.
        side = window.side + 0.25 * (WINDOW * self._extent - window.side)
        self._region = Region.around(window.centre + 0.3 * (seen.centre - window.centre), side)
        self._person = seen
        self._seen = self._t
        self.missed = 0
        self.track.people[index] = seen

    def estrangement(self, image: np.ndarray) -> float:
        """How unlike the track's own look the person at the present joints is, 0 to 1."""
        return unlikeness(look_of(image, self._person, self._estimator.joint_names), self.track.look)

    def retreat(self, index: int) -> None:
        """Take back this frame: it showed somebody whom another track follows."""
        self.track.drop([index])
        self._follower.forget()
        self.missed += 1

    def close(self) -> None:
        self._follower.close()


