"""Finding people: the picture in overlapping square tiles at several scales, each find looked at twice."""

from __future__ import annotations

import numpy as np

from .estimators import Person, PoseEstimator, torso_columns
from .region import MARGIN, Region

#: Sides of the tiles, coarse to fine, over the picture's shorter side. The finest is for pictures in which the others find nobody.
LEVELS = (1.0, 0.56, 0.36, 0.22)

#: The longer side of a person that a tile shows well, over the tile's side: (least, most). Smaller finds are mostly
#: imagined, larger ones cut off by the tile.
FITS = (0.17, 0.85)

#: Finer tiles are not looked at when the largest person is at least this much taller than what those tiles are for:
#: whoever only they would show is far behind.
TOO_FAR = 2.2


def tiles_of(width: int, height: int, level: float) -> list[Region]:
    """Squares that cover a picture, half overlapping."""
    side = round(min(width, height) * level)

    def starts(length: int) -> np.ndarray:
        count = 1 + int(np.ceil((length - side) / (side * 0.5) - 1e-9)) if length > side else 1
        return np.round(np.linspace(0, length - side, count)).astype(int)

    return [Region(int(x), int(y), side) for y in starts(height) for x in starts(width)]


def torso_conf(person: Person, columns: list[int]) -> float:
    """Mean confidence of the shoulders and hips."""
    return float(person.conf[columns].mean())


def same_person(one: Person, other: Person) -> bool:
    """Whether two finds are of one person: joints close together for their size, and of about the same size."""
    size = max(one.extent, other.extent)
    return one.distance(other) < 0.25 * size and min(one.extent, other.extent) > 0.5 * size


def part_of(person: Person, whole: Person) -> bool:
    """Whether a find is only a part of somebody taken for a body: much smaller and inside his box."""
    x, y, width, height = whole.box
    inside = ((person.xy >= (x, y)) & (person.xy <= (x + width, y + height))).all(axis=1)
    return person.extent < 0.6 * whole.extent and float(inside[np.isfinite(person.xy[:, 0])].mean()) > 0.8


def search(image: np.ndarray, region: Region, estimator: PoseEstimator) -> list[Person]:
    """People whom one tile shows whole, in source pixels, the surest first."""
    columns = torso_columns(estimator.joint_names)
    found = []
    for person in estimator.estimate(region.cut(image)):
        if not np.isfinite(person.xy[columns]).all():
            continue
        person = region.to_source(person)
        fits = FITS[0] <= person.extent / region.side <= FITS[1]
        if fits and region.share_inside(person) >= 0.9 and torso_conf(person, columns) >= estimator.sure:
            found.append(person)
    return sorted(found, key=lambda person: -float(person.conf.mean()))


def look_again(image: np.ndarray, person: Person, estimator: PoseEstimator) -> Person | None:
    """The person seen in a crop of his own size; None when that look doesn't confirm the first."""
    region = Region.around(person.centre, MARGIN * person.extent)
    again = [other for other in search(image, region, estimator) if same_person(person, other)]
    return min(again, key=person.distance) if again else None


def confirm(image: np.ndarray, finds: list[Person], estimator: PoseEstimator, known: list[Person]) -> list[Person]:
    """Each person once: the finds that a second look confirms and that are not among the known."""
    kept: list[Person] = []
    for person in sorted(finds, key=lambda person: -float(person.conf.mean())):
        if any(same_person(person, other) or part_of(person, other) for other in [*known, *kept]):
            continue
        again = look_again(image, person, estimator)
        if again is not None and not any(same_person(again, other) or part_of(again, other) for other in [*known, *kept]):
            kept.append(again)
    return kept


def find_people(image: np.ndarray, estimator: PoseEstimator) -> list[Person]:
    """All people in a picture, from left to right.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB
    estimator : PoseEstimator
        One that finds people.

    Returns
    -------
    list of Person
        Joints in the picture's pixels. A person's place in the list is the index that ``subject`` takes.
    """
    height, width = image.shape[:2]
    people: list[Person] = []
    for level in LEVELS[:3]:
        people = _add_level(image, level, estimator, people, width, height)
        following = LEVELS[LEVELS.index(level) + 1] * min(width, height)
        if people and max(person.extent for person in people) > TOO_FAR * 0.5 * following:
            break
    if not people:
        people = _add_level(image, LEVELS[3], estimator, people, width, height)
    return sorted(people, key=lambda person: person.centre[0])


def _add_level(image: np.ndarray, level: float, estimator: PoseEstimator, people: list[Person], width: int, height: int) -> list[Person]:
    finds = [person for tile in tiles_of(width, height, level) for person in search(image, tile, estimator)]
    return [*people, *confirm(image, finds, estimator, people)]
