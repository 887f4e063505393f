"""The motion of the camera, measured on the background of a clip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import KineticsError, Progress
from ..pose.cuts import CutFinder
from ..pose_sequence import PoseSequence
from ..video.decode import Clip
from ..video.picture import RgbMaker
from ..video.repeats import RepeatFinder
from .background import View, find_corners, people_mask
from .camera_maps import MODELS, Camera, apply_maps, invert_maps, normalised, stabilise_pose
from .camera_pairs import PairFinder, Piece
from .graphics import GraphicsFinder
from .pan_tilt import solve_pan_tilt
from .pose_graph import distances, similarity_maps, solve_similarities

__all__ = ["MODELS", "Camera", "apply_maps", "invert_maps", "normalised", "stabilise_pose", "track_camera"]

#: Longer side of the grey pictures that are compared, px.
_SIDE = 1280
#: Fewer frames than this that hang together by themselves are lost frames, not a shot.
_LEAST_FRAMES = 3
#: A camera whose map never moves a corner of the picture by more (px) stands still.
_STILL = 0.3
#: Homographies are taken when they bring the median residual of the pairs over more than one frame down to this part, and move a corner
#: of some frame by so many px. They have one number per shot more than similarities, so there is little to overfit.
_BETTER, _MATTERS = 0.985, 0.1
#: Zoom within one shot beyond which the chain has gone wrong, and the least weight of a corner: nearer to the horizon no picture is.
_WIDEST_ZOOM, _HORIZON = 12.0, 0.2


@dataclass
class _Survey:
    """What the first pass over a clip found; ``graphics`` has a mask per shot, of the shape that pictures are compared in."""

    t: np.ndarray
    cuts: list[int]
    repeat: np.ndarray
    graphics: list[np.ndarray]


def track_camera(clip: Clip, pose: PoseSequence | None = None, *, model: str = "auto", progress: Progress | None = None) -> Camera:
    """Measure how the camera moved.

    Corners of the background are followed over 1, 4, 12 and 36 frames and back to key frames; a similarity is fitted to each pair of
    frames, and all pairs of a shot are solved for at once, so that the chain can't drift away from what the longer spans saw. Where a
    camera that turns and zooms on the spot fits them clearly better, its homographies are taken. The batter is masked where a pose is
    given, other people are outvoted; graphics that stand still on the screen are found first and left out.

    Parameters
    ----------
    clip : Clip
        Decoded twice, a bounded window of grey frames in memory.
    pose : PoseSequence, optional
        The batter in the same frames, in pixels.
    model : {"auto", "still", "similarity", "homography"}
        ``still``: the camera is known to stand on a tripod; only cuts and repeated frames are looked for.
    progress : callable, optional
        ``progress(done, total)``, once per frame of each of the two passes.

    Returns
    -------
    Camera

    Raises
    ------
    KineticsError
        When the clip can't be read, the model is unknown, or the pose is of another clip.
    """
    if model not in ("auto", *MODELS):
        raise KineticsError(f"Camera model {model!r} is unknown; use auto, {', '.join(MODELS)}.")
    size = (clip.info.width, clip.info.height)
    if pose is not None and (tuple(pose.size) != size or pose.space != "px"):
        raise KineticsError(
            f"{pose.source or 'The skeleton'} is in {pose.space} of a picture of {pose.size[0]}×{pose.size[1]}, {clip.name} is "
            f"{size[0]}×{size[1]} pixels; give the skeleton of this clip, in pixels."
        )
    scale = min(1.0, _SIDE / max(size))
    eyes = _Eyes(clip, pose, scale)
    survey = _look_over(eyes, progress)
    if pose is not None and len(pose) != len(survey.t):
        raise KineticsError(
            f"{pose.source or 'The skeleton'} has {len(pose)} frames, {clip.name} {len(survey.t)}; give the skeleton of this clip."
        )
    pieces = _follow(eyes, survey, progress) if model != "still" else []
    return _Solution(clip.name, survey, size, scale, model).camera(pieces)


class _Eyes:
    """The frames of a clip as they are compared: grey, not too large, and where the batter is not."""

    def __init__(self, clip: Clip, pose: PoseSequence | None, scale: float) -> None:
        self.clip, self._pose, self._scale = clip, pose, scale
        self.shape = (round(clip.info.height * scale), round(clip.info.width * scale))
        self.make_rgb = RgbMaker(clip.layout, careful=False)

    def grey(self, image: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey if grey.shape == self.shape else cv2.resize(grey, self.shape[::-1], interpolation=cv2.INTER_AREA)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8, 0 on the batter."""
        pose = self._pose if self._pose is not None and index < len(self._pose) else None
        return people_mask(pose, index, self._scale, self.shape)


def _look_over(eyes: _Eyes, progress: Progress | None) -> _Survey:
    """The first pass: times, cuts, repeated frames, graphics."""
    clip = eyes.clip
    cut_finder, repeat_finder, graphics = CutFinder(), RepeatFinder(), [GraphicsFinder()]
    total, times, cuts = clip.info.frame_count, [], []
    for index, t, picture in clip.pictures():
        image = eyes.make_rgb(picture)
        if cut_finder.is_cut(image):
            cuts.append(index)
            graphics.append(GraphicsFinder())
        repeat_finder.add(t, picture)
        graphics[-1].add(eyes.grey(image), eyes.mask(index))
        times.append(t)
        if progress:
            progress(index + 1, 2 * max(total, index + 1))
    repeat = repeat_finder.report(clip.name, clip.info.fps).repeats
    repeat[cuts] = False
    return _Survey(np.array(times), cuts, repeat, [finder.mask() for finder in graphics])


def _follow(eyes: _Eyes, survey: _Survey, progress: Progress | None) -> list[Piece]:
    """The second pass: pairs of frames, measured as the clip goes by."""
    finder, frames, shot = PairFinder(), len(survey.t), 0
    for index, _, picture in eyes.clip.pictures():
        if index in survey.cuts:
            shot += 1
            finder.begin_shot()
        if not survey.repeat[index]:
            grey, mask = eyes.grey(eyes.make_rgb(picture)), eyes.mask(index)
            mask[survey.graphics[shot]] = 0
            finder.add(View(index, grey, find_corners(grey, mask)), mask)
        if progress:
            progress(frames + index + 1, 2 * frames)
    return finder.pieces


class _Solution:
    """Gathers the maps of all shots."""

    def __init__(self, name: str, survey: _Survey, size: tuple[int, int], scale: float, model: str) -> None:
        self._name, self._survey, self._size, self._scale, self._model = name, survey, size, scale, model
        frames = len(survey.t)
        self._matrix, self._residual, self._shot = np.full((frames, 3, 3), np.nan), np.full(frames, np.nan), np.zeros(frames, int)
        self._flags: list[str] = []
        self._records: list[dict] = []
        self._graphics: list[np.ndarray] = []

    def camera(self, pieces: list[Piece]) -> Camera:
        survey, frames = self._survey, len(self._survey.t)
        starts = [0, *survey.cuts]
        for mask, first, end in zip(survey.graphics, starts, [*survey.cuts, frames], strict=True):
            here = [piece for piece in pieces if first <= piece.frames[0] < end]
            solid = [piece for piece in here if len(piece.frames) >= _LEAST_FRAMES]
            self._begin_shot(first, mask)
            if self._model == "still":
                self._matrix[first:end] = np.eye(3)
            for piece in solid:
                if piece is not solid[0]:
                    self._begin_shot(piece.frames[0], mask)
                    self._flags.append(
                        f"{self._name}: frame {piece.frames[0]} can't be linked to the frames before it; the camera is measured anew "
                        "from there, as after a cut."
                    )
                self._place(piece)
        for index in np.flatnonzero(survey.repeat):
            self._matrix[index], self._residual[index] = self._matrix[index - 1], self._residual[index - 1]
        lost = np.flatnonzero(np.isnan(self._matrix[:, 0, 0]))
        if len(lost):
            self._flags.append(
                f"{self._name}: in {len(lost)} of {frames} frames, first in frame {lost[0]}, the camera can't be told from the background; "
                "nothing is measured there."
            )
        models = [record["model"] for record in self._records] or ["still"]
        provenance = {"source": self._name, "model": self._model, "cuts": list(survey.cuts), "shots": self._records}
        return Camera(
            survey.t, self._matrix, self._shot, self._residual, self._size, max(models, key=MODELS.index), tuple(self._flags), provenance,
            survey.repeat, tuple(self._graphics),
        )  # fmt: skip

    def _begin_shot(self, frame: int, mask: np.ndarray) -> None:
        self._shot[frame:] = len(self._graphics)
        width, height = self._size
        large = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        self._graphics.append(mask if mask.shape == (height, width) else large)

    def _place(self, piece: Piece) -> None:
        """Solve for the maps of a piece and write them down."""
        frames, pairs = np.array(piece.frames), piece.pairs
        a, b, _ = solve_similarities(frames, pairs)
        maps, model, focal = similarity_maps(a, b), "similarity", None
        off = distances(frames, pairs, maps)
        turned = solve_pan_tilt(frames, pairs, a, b, self._scale * max(self._size)) if self._model in ("auto", "homography") else None
        if turned is not None:
            off_turned = distances(frames, pairs, turned.maps)
            moved = np.abs(self._corners(turned.maps) - self._corners(maps)).max()
            if self._model == "homography" or (moved > _MATTERS and _wide_median(off_turned, pairs) < _BETTER * _wide_median(off, pairs)):
                maps, model, off, focal = turned.maps, "homography", off_turned, turned.focal / self._scale
        if self._model == "auto" and np.abs(self._corners(maps) - self._corners(np.eye(3)[None])).max() < _STILL:
            maps, model = np.tile(np.eye(3), (len(maps), 1, 1)), "still"
        # From pixels counted from the middle of the compared picture to pixels of the clip.
        k, x, y = self._scale, (self._size[0] - 1) / 2, (self._size[1] - 1) / 2
        to_middle, from_middle = np.array([[k, 0, -k * x], [0, k, -k * y], [0, 0, 1]]), np.array([[1 / k, 0, x], [0, 1 / k, y], [0, 0, 1]])
        possible = self._possible(maps)
        if not possible.all():
            first = int(np.argmin(possible))
            self._flags.append(
                f"{self._name}: from frame {frames[first]} on the background seems to zoom or turn as no camera can; the camera is left "
                "unknown there, so trim the clip to the stroke or give a skeleton so that the batter can be masked."
            )
            maps = np.where(np.arange(len(maps))[:, None, None] >= first, np.nan, maps)
        self._matrix[frames] = normalised(from_middle @ maps @ to_middle)
        by_frame: dict[int, list[np.ndarray]] = {int(frame): [] for frame in frames[np.isfinite(maps[:, 0, 0])]}
        for pair, distance in zip(pairs, off, strict=True):
            for frame in (pair.i, pair.j):
                if frame in by_frame:
                    by_frame[frame].append(distance / k)
        for frame, parts in by_frame.items():
            self._residual[frame] = np.median(np.concatenate(parts))
        self._records.append({
            "first": int(frames[0]), "frames": len(frames), "model": model, "pairs": len(pairs),
            "residual_px": round(float(np.median(np.concatenate(off))) / k, 4),
            # How far the chain of neighbours alone ends up from the answer.
            "chain_drift_px": round(float(np.nanmax(np.abs(apply_maps(maps, np.zeros((len(maps), 2))) - _chained(pairs, frames))) / k), 3),
            **({"focal_px": round(focal, 1)} if focal else {}),
        })  # fmt: skip

    def _corners(self, maps: np.ndarray) -> np.ndarray:
        """(N, 4, 2) where maps between pictures, from the middle, take the corners; px of the clip."""
        half = 0.5 * np.array(self._size) * self._scale
        corners = half * [[-1, -1], [1, -1], [-1, 1], [1, 1]]
        return apply_maps(maps, np.tile(corners, (len(maps), 1, 1))) / self._scale

    def _possible(self, maps: np.ndarray) -> np.ndarray:
        """(N,) bool: maps that a camera can have made."""
        half = 0.5 * np.array(self._size) * self._scale
        weight = 1.0 - np.abs(maps[:, 2, :2]) @ half
        zoom = np.sqrt(np.abs(np.linalg.det(maps)))
        return (weight > _HORIZON) & (np.abs(np.log(np.maximum(zoom, 1e-12))) < np.log(_WIDEST_ZOOM))


def _chained(pairs: list, frames: np.ndarray) -> np.ndarray:
    """(N, 2) where the middle of each frame lies in the first one by the links alone, each frame to the one before: what drifts."""
    chain = {int(frames[0]): (1.0 + 0j, 0j)}
    for pair in pairs:
        if pair.j not in chain:
            s, t = chain[pair.i]
            chain[pair.j] = (pair.s * s, pair.s * t + pair.t)
    middle = np.array([-chain[int(frame)][1] / chain[int(frame)][0] for frame in frames])
    return np.stack([middle.real, middle.imag], axis=1)


def _wide_median(off: list[np.ndarray], pairs: list) -> float:
    """Median of distances in the pairs over more than one frame."""
    wide = [part for part, pair in zip(off, pairs, strict=True) if pair.j - pair.i > 1]
    return float(np.median(np.concatenate(wide or off)))
