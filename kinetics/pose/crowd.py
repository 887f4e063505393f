"""Everybody in a clip, followed frame by frame: tracks out, no pictures kept but the last few."""

from __future__ import annotations

from collections import deque
from itertools import combinations

import numpy as np

from .appearance import unlikeness
from .estimators import Person, PoseEstimator
from .find import LEVELS, TOO_FAR, confirm, find_people, part_of, same_person, search, tiles_of
from .follow import Track, TrackFollower
from .identity import ALIKE
from .region import Region
from .subject import Subject, fits_box, hit

#: People followed at a time: a batter, the keeper, slip, bowler, umpire, non-striker.
MOST_PEOPLE = 6

#: Pictures kept for looking back from a person found late; fewer when they are large.
_LOOK_BACK = 36
_LOOK_BACK_BYTES = 192 << 20

#: A person found has to be followed for so many frames before time is spent on looking back.
_PROVEN = 4

#: Tiles looked at per frame: early in a shot, when not everybody may have been found; later; and while someone is missing.
_TILES_EARLY, _TILES_CALM, _TILES_LOST = 2.0, 0.5, 3.0

#: A shot with no more tiles than this shows somebody so large that nobody else is likely to be overlooked.
_CLOSE_UP = 8

#: Seconds that count as early.
_EARLY = 1.0


class Crowd:
    """Follows everybody.

    Parameters
    ----------
    estimator : PoseEstimator
        Finds the joints.
    finder : PoseEstimator
        Finds people; the estimator itself when it can.
    subject : Subject
        Whom the user points at; with a box for many frames, nobody else is looked for.

    Attributes
    ----------
    tracks : list of Track
    cuts : list of int
        Frames at which a new shot begins.
    """

    def __init__(self, estimator: PoseEstimator, finder: PoseEstimator, subject: Subject):
        self._estimator, self._finder = estimator, finder
        self._subject = subject
        self._live: list[TrackFollower] = []
        self._recent: deque[tuple[int, float, np.ndarray]] = deque(maxlen=_LOOK_BACK)
        self._tiles: list[Region] = []
        self._coarse_tiles: list[Region] = []
        self._tiles_due = 0.0
        self._anyone_lost_at = -np.inf
        self._shot_began = 0.0
        self.tracks: list[Track] = []
        self.cuts: list[int] = []

    def see(self, image: np.ndarray, index: int, t: float, begins_shot: bool) -> None:
        """Take the next frame; ``begins_shot`` when it follows a cut."""
        if index == 0:
            self._recent = deque(maxlen=max(2, min(_LOOK_BACK, _LOOK_BACK_BYTES // image.nbytes)))
        if begins_shot:
            self.cuts.append(index)
            self.close()
            self._recent.clear()
            self._tiles = []
            self._shot_began = t
        for follower in self._live:
            follower.step(image, index, t)
        self._settle_doubles(image, index)
        self._let_go(t)
        if index in (self._subject.boxes or [self._subject.frame] * (self._subject.kind == "point")):
            self._look_where_pointed(image, index, t)
        if self._subject.kind != "boxes":
            self._search(image, index, t)
        self._recent.append((index, t, image))
        for follower in self._live:
            if len(follower.track.people) == _PROVEN and follower.track.first == follower.track.found_at:
                self._look_back(follower.track)

    def close(self) -> None:
        """Stop following, at a cut or at the end."""
        for follower in self._live:
            follower.close()
        self._live = []
        # What was seen once or twice was no person.
        self.tracks = [track for track in self.tracks if len(track.people) >= min(_PROVEN, self._most_frames(track))]

    def _most_frames(self, track: Track) -> int:
        """Frames in which a track could have been seen so far, for clips and shots of a few frames."""
        return max(1, self._recent[-1][0] - track.found_at + 1) if self._recent else _PROVEN

    def _settle_doubles(self, image: np.ndarray, index: int) -> None:
        """When two followers lie on one person, one of them gives way."""
        for one, other in combinations(list(self._live), 2):
            pair = one.track.people.get(index), other.track.people.get(index)
            if pair[0] is None or pair[1] is None:
                continue
            together = lie_together(*pair)
            if not (together or part_of(*pair) or part_of(*reversed(pair))):
                continue
            if unlikeness(one.track.look, other.track.look) < ALIKE:
                # One person found twice: the less sure of the two goes, and with it the frames in which it shadowed the other.
                weak, strong = sorted((one, other), key=lambda follower: follower.track.sureness(5))
                self._live.remove(weak)
                weak.close()
                weak.track.drop([frame for frame in weak.track.people if frame >= strong.track.found_at])
                break
            if together:
                # One has been drawn to the person of the other: the one that no longer looks like itself lets go of this frame.
                (one if one.estrangement(image) > other.estrangement(image) else other).retreat(index)

    def _let_go(self, t: float) -> None:
        if any(follower.missed for follower in self._live if len(follower.track.people) > _PROVEN):
            self._anyone_lost_at = t
        for follower in [follower for follower in self._live if follower.lost]:
            follower.close()
            self._live.remove(follower)

    def _look_where_pointed(self, image: np.ndarray, index: int, t: float) -> None:
        """Make sure that whoever the user points at is followed, if he can be seen there."""
        box = self._subject.boxes[index] if self._subject.boxes else None

        def is_meant(person: Person) -> bool:
            return fits_box(person, box) > 0.2 if box else bool(np.isfinite(hit(person, self._subject.point)))

        if any(index in follower.track.people and is_meant(follower.track.people[index]) for follower in self._live):
            return
        if self._subject.kind == "boxes":
            for follower in self._live:
                follower.track.drop([index])
                follower.close()
            self._live = []
        if box:
            centre, sides = np.array((box[0] + box[2] / 2, box[1] + box[3] / 2)), [max(box[2:]) * width for width in (1.3, 1.7, 1.05)]
        else:
            centre, sides = np.array(self._subject.point), [min(image.shape[:2]) * level for level in LEVELS[1:]]
        for side in sides:
            meant = [person for person in search(image, Region.around(centre, side), self._finder) if is_meant(person)]
            if meant:
                self._begin(image, index, t, meant[:1])
                return

    def _search(self, image: np.ndarray, index: int, t: float) -> None:
        known = [follower.expected for follower in self._live]
        if not self._tiles and index in (0, *self.cuts[-1:]):
            people = find_people(image, self._finder)
            self._plan(image, people)
            self._begin(image, index, t, [person for person in people if not any(same_person(person, other) for other in known)])
            return
        if t - self._shot_began > _EARLY:
            self._tiles = self._coarse_tiles
        if not self._live or t - self._anyone_lost_at <= 1.0:
            self._tiles_due += min(_TILES_LOST, len(self._tiles))
        elif self._tiles is not self._coarse_tiles and len(self._tiles) > _CLOSE_UP:
            self._tiles_due += _TILES_EARLY
        else:
            self._tiles_due += _TILES_CALM
        finds = []
        while self._tiles_due >= 1:
            self._tiles_due -= 1
            self._tiles.append(self._tiles.pop(0))
            finds += search(image, self._tiles[-1], self._finder)
        self._begin(image, index, t, confirm(image, finds, self._finder, known))

    def _plan(self, image: np.ndarray, people: list[Person]) -> None:
        """Tiles to go round for the rest of the shot: as fine as the people in it call for."""
        height, width = image.shape[:2]
        largest = max((person.extent for person in people), default=0.0)
        levels = [level for level in LEVELS[:3] if level == 1.0 or largest <= TOO_FAR * 0.5 * level * min(width, height)]
        self._coarse_tiles = [tile for level in levels if level in LEVELS[:2] for tile in tiles_of(width, height, level)]
        # The coarse ones twice a round: they find most people, though not in every frame.
        self._tiles = self._coarse_tiles * 2 + [tile for level in levels if level not in LEVELS[:2] for tile in tiles_of(width, height, level)]

    def _begin(self, image: np.ndarray, index: int, t: float, people: list[Person]) -> None:
        for person in sorted(people, key=lambda person: person.centre[0]):
            if len(self._live) >= MOST_PEOPLE:
                return
            track = Track(found_at=index)
            follower = TrackFollower(track, person, t, self._estimator)
            if follower.step(image, index, t):
                self.tracks.append(track)
                self._live.append(follower)
            else:
                follower.close()

    def _look_back(self, track: Track) -> None:
        """Follow a person who was found late backwards, as far as the pictures kept go."""
        earlier = [frame for frame in reversed(self._recent) if frame[0] <= track.found_at]
        if len(earlier) < 2:
            return
        person = track.people[track.found_at]
        backwards = Track(track.found_at, look=track.look)
        follower = TrackFollower(backwards, person, earlier[0][1], self._estimator)
        for index, t, image in earlier:
            taken = any(index in other.people and same_person(other.people[index], follower.expected) for other in self.tracks if other is not track)
            if (taken and index != track.found_at) or not (follower.step(image, index, t) or follower.missed < 3):
                break
        follower.close()
        track.people = {**backwards.people, **track.people}


def lie_together(one: Person, other: Person) -> bool:
    """Whether two sets of joints are on one body: nearly the same joints, or the same middle, however the limbs are taken."""
    size = max(one.extent, other.extent)
    return one.distance(other) < 0.1 * size or (one.distance(other) < 0.4 * size and float(np.linalg.norm(one.centre - other.centre)) < 0.12 * size)
