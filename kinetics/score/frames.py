"""Generated frames read as a clip is, and the person found again in each of them, without regard to the frame before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError, Progress
from ..pose.find import LEVELS, confirm, look_again, search, tiles_of
from ..pose.region import MARGIN, Region
from ..pose_sequence import PoseSequence
from ..video.decode import Clip, Frame

if TYPE_CHECKING:
    from ..pose.estimators import Person, PoseEstimator


#: Where nothing tells how large the person should be: tiles of this part of the shorter side.
_HALF = 0.5

#: Files of a folder of pictures.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


class Pictures:
    """Pictures without a clock, read as a :class:`~kinetics.video.decode.Clip` is: a batch in memory, or the files of a folder.

    Parameters
    ----------
    count, size
        How many, and (W, H).
    read : callable
        The number of a picture, from 0 -> (H, W, 3) uint8 RGB.
    t : (T,) seconds
        Taken from the requested frames.
    name : str

    Raises
    ------
    KineticsError
        When there isn't one time per picture.
    """

    def __init__(self, count: int, size: tuple[int, int], read: Callable[[int], np.ndarray], t: Sequence[float], name: str):
        if len(t) != count:
            raise KineticsError(f"There are {count} pictures in {name} and {len(t)} requested frames; pictures have no times, so give one per requested frame.")
        self.name, self._read, self._t = name, read, np.asarray(t, float)
        self.info = SimpleNamespace(name=name, frame_count=count, width=size[0], height=size[1])

    @classmethod
    def from_batch(cls, batch, t: Sequence[float], name: str = "the pictures") -> Pictures:
        """Of a (T, H, W, 3) array or tensor: uint8, or float from 0 to 1."""
        if len(batch.shape) != 4 or batch.shape[3] < 3 or not len(batch):
            raise KineticsError(f"Pictures of shape {tuple(batch.shape)} can't be scored; give frames × height × width × 3 colours.")

        def read(index: int) -> np.ndarray:
            picture = batch[index]
            picture = np.asarray(picture.cpu() if hasattr(picture, "cpu") else picture)[..., :3]
            return np.ascontiguousarray(picture if picture.dtype == np.uint8 else np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))

        return cls(len(batch), (int(batch.shape[2]), int(batch.shape[1])), read, t, name)

    @classmethod
    def from_folder(cls, folder: Path, t: Sequence[float]) -> Pictures:
        """Of a folder's picture files, by name."""
        from PIL import Image, UnidentifiedImageError

        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
        if not files:
            raise KineticsError(f"{folder} holds no pictures; give a clip, or a folder of .png files.")

        def read(index: int) -> np.ndarray:
            try:
                with Image.open(files[index]) as picture:
                    pixels = np.asarray(picture.convert("RGB"))
            except (OSError, UnidentifiedImageError) as error:
                raise KineticsError(f"{files[index]} can't be read as a picture ({error}); make it again.") from error
            return pixels

        height, width = read(0).shape[:2]
        return cls(len(files), (width, height), read, t, folder.name)

    def frames(self, careful: bool = True) -> Iterator[Frame]:
        """One picture at a time; ``careful`` has no effect."""
        for index, t in enumerate(self._t):
            picture = self._read(index)
            if picture.shape[:2] != (self.info.height, self.info.width):
                raise KineticsError(
                    f"Picture {index} of {self.name} is {picture.shape[1]}x{picture.shape[0]} and the first {self.info.width}x{self.info.height}; "
                    "give pictures of one size."
                )
            yield Frame(index, float(t), picture)


class DegradedFrames:
    """A source's frames made worse: grain and JPEG blocks, the same each time. How far a detector's joints move in them is its noise.

    Parameters
    ----------
    source : Clip or Pictures
    grain : float
        Standard deviation of the grain, of 255.
    quality : int
        Of JPEG, 1 to 100.
    """

    def __init__(self, source: Clip | Pictures, grain: float = 8.0, quality: int = 40):
        self.name, self.info = source.name, source.info
        self._source, self._grain, self._quality = source, grain, quality

    def frames(self, careful: bool = True) -> Iterator[Frame]:
        import cv2

        for frame in self._source.frames(careful):
            chance = np.random.default_rng(frame.index)
            noisy = frame.image + chance.normal(0, self._grain, frame.image.shape).astype(np.float32)
            picture = np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)
            _, packed = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, self._quality])
            yield Frame(frame.index, frame.t, np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1]))


Frames = Clip | Pictures | DegradedFrames


def find_again(
    frames: Frames, estimator: PoseEstimator, near: PoseSequence, chosen: Sequence[int] | None = None, progress: Progress | None = None
) -> PoseSequence:  # fmt: skip
    """Find the person in every frame by itself.

    Nothing is followed from frame to frame: what flickers shall be seen to flicker. The detector looks where the person was requested first, then
    in the whole picture; of several people the one whose joints lie nearest to the request is taken.

    Parameters
    ----------
    frames : Clip, Pictures or DegradedFrames
    estimator : PoseEstimator
    near : PoseSequence
        Where the person should be: a frame for each that is looked at, in a picture of the same shape.
    chosen : sequence of int, optional
        Numbers of the frames to look at, ascending; one may come several times. All when left out.
    progress : callable, optional
        progress(done, total), once per frame; may raise to cancel.

    Returns
    -------
    PoseSequence
        Pixels of these frames, at their times (from 0, one per frame looked at, when a frame comes several times). NaN where nobody was found.

    Raises
    ------
    KineticsError
        When the frames can't be read, or ``near`` has another number of frames.
    """
    from ..pose.mediapipe_estimator import MediaPipeEstimator

    width, height = frames.info.width, frames.info.height
    places = list(range(frames.info.frame_count)) if chosen is None else list(chosen)
    if len(near) != len(places):
        raise KineticsError(f"There are {len(near)} requested frames and {len(places)} of {frames.info.name}; give as many, or pair them by time.")
    names = estimator.joint_names
    xy, conf, times = np.full((len(places), len(names), 2), np.nan), np.zeros((len(places), len(names))), np.full(len(places), np.nan)
    with nullcontext(estimator) if estimator.finds_people else closing(MediaPipeEstimator()) as finder:
        done = 0
        for frame in frames.frames(careful=False):
            while done < len(places) and places[done] == frame.index:
                wanted = expected(near, done, finder.joint_names, (width, height))
                person = find_person(frame.image, finder, wanted)
                if person is not None and finder is not estimator:
                    person = look_closely(frame.image, person, estimator, expected(near, done, names, (width, height)))
                if person is not None:
                    xy[done], conf[done] = person.xy, person.conf
                times[done] = frame.t
                done += 1
                if progress:
                    progress(done, len(places))
            if done == len(places):
                break
    if done < len(places):
        raise KineticsError(f"{frames.info.name} ends after {done} of the {len(places)} frames that are looked at; export it again, or pair frames by time.")
    t = times if len(set(places)) == len(places) else np.arange(len(places), dtype=float)
    provenance = {
        "source": frames.info.name, "estimator": f"{estimator.name} {estimator.version}, {estimator.weights}", "found": "frame by frame", "steps": [],
    }  # fmt: skip
    return PoseSequence(xy, conf, t, names, (width, height), "px", provenance)


def expected(near: PoseSequence, frame: int, names: tuple[str, ...], size: tuple[int, int]) -> Person | None:
    """The requested person under a detector's names, in the pixels of a picture of this size; None where fewer than two joints are requested."""
    from ..pose.estimators import Person

    scale = np.array(size) / np.array(near.size)
    xy = np.full((len(names), 2), np.nan)
    for k, name in enumerate(names):
        if name in near.names and near.conf[frame, near.index(name)] > 0:
            xy[k] = (near.xy[frame, near.index(name)] + 0.5) * scale - 0.5
    person = Person(xy, np.isfinite(xy[:, 0]).astype(float))
    return person if np.isfinite(xy[:, 0]).sum() >= 2 and person.extent > 0 else None


def find_person(image: np.ndarray, finder: PoseEstimator, wanted: Person | None) -> Person | None:
    """Whoever is where the person was requested, else whoever is in the picture; each find looked at twice."""
    people: list[Person] = []
    if wanted is not None:
        near = search(image, Region.around(wanted.centre, MARGIN * wanted.extent), finder)
        people = [again for person in near if (again := look_again(image, person, finder)) is not None]
    people = people or look_over(image, finder, wanted)
    if not people:
        return None
    return min(people, key=wanted.distance) if wanted is not None else max(people, key=lambda person: person.extent)


def look_over(image: np.ndarray, finder: PoseEstimator, wanted: Person | None) -> list[Person]:
    """People anywhere in the picture who are about as large as requested, or fill it; frames of noise have to be got over quickly."""
    height, width = image.shape[:2]
    level = _HALF if wanted is None else float(np.clip(MARGIN * wanted.extent / min(height, width), LEVELS[-1], 1.0))
    # The whole picture with a margin shows those who fill it.
    tiles = [Region.around(np.array([width - 1, height - 1]) / 2, MARGIN * max(height, width)), *tiles_of(width, height, 1.0)]
    tiles += tiles_of(width, height, level) if level < 1 else []
    return confirm(image, [person for tile in tiles for person in search(image, tile, finder)], finder, [])


def look_closely(image: np.ndarray, person: Person, estimator: PoseEstimator, wanted: Person | None) -> Person | None:
    """The joints that an estimator which finds nobody by itself sees about a person who was found by another."""
    region = Region.around(person.centre, MARGIN * person.extent)
    people = [region.to_source(other) for other in estimator.estimate(region.cut(image))]
    if not people:
        return None
    return min(people, key=wanted.distance) if wanted is not None else max(people, key=lambda other: float(other.conf.sum()))
