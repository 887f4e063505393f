"""Requested pose against found pose: PCK, OKS, joint angles and velocities, and what shuffled frames would reach by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ..errors import KineticsError
from ..motion.derivatives import differentiate
from ..motion.joints import HINGES, SHOWN
from ..pose.body import torso_length
from ..pose_sequence import LIMB_NAMES, PoseSequence
from .match import match_poses, scored_joints, take

#: A joint is right within this part of the trunk's length (PCK@0.1 torso).
THRESHOLD = 0.1

#: COCO's spread of human annotations per joint, sigma over the root of the person's area (cocodataset.org, keypoints evaluation); k = 2
#: sigma.
OKS_SIGMA = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107, "knee": 0.087, "ankle": 0.089,
}  # fmt: skip

#: COCO's thresholds of OKS that AP is averaged over, and the recalls at which precision is read.
OKS_THRESHOLDS = np.arange(0.5, 0.96, 0.05)
_RECALLS = np.linspace(0, 1, 101)

#: Part of its box that a body covers, as where COCO's own areas (of outlines) are not known; never less than the square of the trunk.
_BOX_AREA = 0.53

#: A standing body's trunk is near this part of its height.
TRUNK_OF_HEIGHT = 0.3

#: Slower than this, body lengths/s, nothing moves.
_STILL = 1e-3

#: Frames, spread evenly, whose pairings chance is worked out from.
_CHANCE_FRAMES = 300


@dataclass(frozen=True)
class Chance:
    """What the found frames reach in random order: mean over all orders, and for PCK its spread.

    ``pck``, ``pck_sigma``, ``oks``, ``angle_error`` (degrees), ``velocity_error`` (body lengths/s); NaN where there is nothing to tell.
    """

    pck: float
    pck_sigma: float
    oks: float
    angle_error: float
    velocity_error: float


@dataclass(frozen=True)
class PoseScore:
    """How well a found skeleton answers a requested one.

    Attributes
    ----------
    name : str
        What was scored, for table and plot.
    detector : str
        What found the skeleton.
    threshold : float
        Of PCK, in trunk lengths.
    trunk : float (px)
        The requested trunk's median length.
    joints : tuple of K str
        Joints that OKS counts; PCK counts the limbs' twelve among them.
    requested, found, correct : (K,) int
        Frames in which a joint was requested, was then found, and was then within the threshold.
    median_error : (K,) float
        Median distance of the found ones, in trunk lengths; NaN where none was found.
    pck : float
        Correct over requested, limbs only: a joint that was not found is wrong.
    pck_found : float
        Correct over found: how right what was found is. NaN when nothing was.
    missed : float
        Share of requested limb joints that were not found.
    without_person : float
        Share of the requested frames in which no joint was found.
    oks, ap : float
        Mean object keypoint similarity over the requested frames (0 where nobody was found); and COCO's average precision, over OKS thresholds
        0.50 to 0.95, ranked by the found joints' mean confidence.
    angle_error : float (degrees)
        Mean absolute error of elbows, shoulders, hips, knees and the trunk's lean, where both skeletons show them. NaN where none.
    angles_compared : float
        Share of the requested angles that this could be told of.
    velocity_error, velocity_relative : float
        RMS of the joints' velocity error (vectors, limbs), in body lengths/s; and over the RMS of the requested velocity. NaN with fewer than three
        frames; ``velocity_relative`` also where nothing moves.
    frame_pck, frame_oks, frame_angle : (T,) float
        Per frame; NaN where nothing was requested (``frame_angle``: where nothing could be compared).
    t : (T,) float (s)
    chance : Chance
    """

    name: str
    detector: str
    threshold: float
    trunk: float
    joints: tuple[str, ...]
    requested: np.ndarray
    found: np.ndarray
    correct: np.ndarray
    median_error: np.ndarray
    pck: float
    pck_found: float
    missed: float
    without_person: float
    oks: float
    ap: float
    angle_error: float
    angles_compared: float
    velocity_error: float
    velocity_relative: float
    frame_pck: np.ndarray = field(repr=False)
    frame_oks: np.ndarray = field(repr=False)
    frame_angle: np.ndarray = field(repr=False)
    t: np.ndarray = field(repr=False)
    chance: Chance

    def __len__(self) -> int:
        return len(self.t)


def score_pose(
    requested: PoseSequence, found: PoseSequence, *, by: str = "index", threshold: float = THRESHOLD, name: str = "frames"
) -> PoseScore:
    """Score a found skeleton against the requested one.

    Parameters
    ----------
    requested, found : PoseSequence
        In pixels. A joint that the request lacks (NaN, or confidence 0) counts nowhere; one that is requested and not found counts as wrong.
    by : {"index", "time"}
        How frames are paired, see :func:`.match.match_poses`.
    threshold : float
        Of PCK, in trunk lengths: the distance from the middle of the shoulders to that of the hips, median over the request.
    name : str
        What is scored.

    Returns
    -------
    PoseScore

    Raises
    ------
    KineticsError
        When the two can't be paired (see :func:`.match.match_poses`), the request holds no limb, or the threshold isn't above 0.
    """
    if not (math.isfinite(threshold) and threshold > 0):
        raise KineticsError(f"The threshold of PCK is {threshold}; give a part of the trunk's length above 0, like 0.1.")
    wanted, got = match_poses(requested, found, by)
    joints = scored_joints(wanted, got)
    trunk = torso_length(*without_doubtful(wanted))
    (x, x_conf), (y, y_conf) = take(wanted, joints), take(got, joints)
    x[x_conf <= 0] = np.nan
    limbs = np.isin(joints, LIMB_NAMES)
    asked, seen = np.isfinite(x[..., 0]), np.isfinite(x[..., 0]) & np.isfinite(y[..., 0])
    distance = np.linalg.norm(y - x, axis=2) / trunk
    correct = seen & (np.nan_to_num(distance, nan=np.inf) <= threshold)
    spread = oks_spread(x, joints, trunk)
    similar = np.where(seen, np.exp(-np.nan_to_num(distance * trunk) ** 2 / spread), 0.0)
    frames = asked.any(axis=1)
    with np.errstate(invalid="ignore"):
        frame_pck = correct[:, limbs].sum(axis=1) / np.where(asked[:, limbs].any(axis=1), asked[:, limbs].sum(axis=1), np.nan)
        frame_oks = similar.sum(axis=1) / np.where(frames, asked.sum(axis=1), np.nan)
    there = seen.any(axis=1)
    sure = np.array([row[known].mean() if known.any() else 0.0 for row, known in zip(y_conf, np.isfinite(y[..., 0]), strict=True)])
    x_angles, y_angles = read_angles(x, joints), read_angles(y, joints)
    turned = turn_between(x_angles, y_angles)
    dx, dy = (velocities(points[:, limbs], wanted.t) * (TRUNK_OF_HEIGHT / trunk) for points in (x, y))
    told = np.isfinite(dx[..., 0]) & np.isfinite(dy[..., 0])
    wrong_way = root_mean_square((dy - dx)[told])
    asked_speed = root_mean_square(dx[told])
    return PoseScore(
        name=name, detector=detector_of(found), threshold=threshold, trunk=trunk, joints=joints,
        requested=asked.sum(axis=0), found=seen.sum(axis=0), correct=correct.sum(axis=0),
        median_error=np.array([np.median(column[known]) if known.any() else np.nan for column, known in zip(distance.T, seen.T, strict=True)]),
        pck=share(correct[:, limbs].sum(), asked[:, limbs].sum()), pck_found=share(correct[:, limbs].sum(), seen[:, limbs].sum()),
        missed=share((asked & ~seen)[:, limbs].sum(), asked[:, limbs].sum()), without_person=share((frames & ~there).sum(), frames.sum()),
        oks=float(frame_oks[frames].mean()), ap=average_precision(frame_oks[frames], sure[frames], there[frames]),
        angle_error=mean(turned), angles_compared=share(np.isfinite(turned).sum(), np.isfinite(x_angles).sum()),
        velocity_error=wrong_way, velocity_relative=wrong_way / asked_speed if asked_speed > _STILL else math.nan,
        frame_pck=frame_pck, frame_oks=frame_oks, frame_angle=np.array([mean(row) for row in turned]), t=wanted.t,
        chance=expect_by_chance(x, y, limbs, threshold * trunk, spread, (x_angles, y_angles), (dx, dy)),
    )  # fmt: skip


def without_doubtful(pose: PoseSequence) -> tuple[np.ndarray, tuple[str, ...]]:
    """Positions with those of confidence 0 taken out, and the names."""
    return np.where((pose.conf > 0)[..., None], pose.xy, np.nan), pose.names


def detector_of(pose: PoseSequence) -> str:
    """The estimator's name out of a skeleton's provenance, without its weights' checksum."""
    return str(pose.provenance.get("estimator", "not told")).split(" sha256:")[0]


def oks_spread(x: np.ndarray, joints: tuple[str, ...], trunk: float) -> np.ndarray:
    """(T, K) 2·s²·k² of the exponent of OKS, px²: s² the requested body's area, k twice COCO's sigma of the joint."""
    with np.errstate(invalid="ignore"):
        box = np.nan_to_num(
            np.fmax.reduce(x, axis=1, initial=-np.inf, where=np.isfinite(x)) - np.fmin.reduce(x, axis=1, initial=np.inf, where=np.isfinite(x)),
            neginf=0.0,
        )
    area = np.maximum(_BOX_AREA * box[:, 0] * box[:, 1], trunk**2)
    sigma = np.array([OKS_SIGMA[joint.split("_")[-1]] for joint in joints])
    return 2 * area[:, None] * (2 * sigma) ** 2


def average_precision(similarity: np.ndarray, sure: np.ndarray, there: np.ndarray) -> float:
    """COCO's AP of one person per frame.

    Parameters
    ----------
    similarity : (T,) OKS of each frame's person
    sure : (T,)
        His confidence, which ranks the detections.
    there : (T,) bool
        Whether anybody was found; the others are people who were missed.
    """
    order = np.flatnonzero(there)[np.argsort(-sure[there], kind="stable")]
    found = []
    for least in OKS_THRESHOLDS:
        right = np.cumsum(similarity[order] >= least)
        recall, precision = right / len(similarity), right / np.arange(1, len(order) + 1)
        # Precision at a recall is the best at that recall or a higher one.
        envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        found.append(envelope[np.searchsorted(recall, _RECALLS)].mean())
    return float(np.mean(found))


def read_angles(xy: np.ndarray, joints: tuple[str, ...]) -> np.ndarray:
    """(T, 9) radians: elbow, shoulder, hip and knee of either side, 0 folded up to pi straight; and the trunk's lean from the upright, -pi to pi.

    NaN where a joint is missing, or a segment is so short in the picture (under a quarter of its longest) that it points at the camera.
    """
    at = {name: xy[:, k] for k, name in enumerate(joints)}
    nowhere = np.full((len(xy), 2), np.nan)
    columns = []
    for side in ("left", "right"):
        for ends in HINGES.values():
            first, middle, last = (at.get(f"{side}_{end}", nowhere) for end in ends)
            u, v = first - middle, last - middle
            angle = np.abs(np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], (u * v).sum(axis=1)))
            columns.append(np.where(is_shown(u) & is_shown(v), angle, np.nan))
    neck, pelvis = ((at.get(f"left_{part}", nowhere) + at.get(f"right_{part}", nowhere)) / 2 for part in ("shoulder", "hip"))
    trunk = neck - pelvis
    columns.append(np.where(is_shown(trunk), np.arctan2(trunk[:, 0], -trunk[:, 1]), np.nan))
    return np.stack(columns, axis=1)


def is_shown(segment: np.ndarray) -> np.ndarray:
    """(T,) bool: where a segment (T, 2) is long enough in the picture to have a direction."""
    length = np.linalg.norm(segment, axis=1)
    if not np.isfinite(length).any():
        return np.zeros(len(length), bool)
    return (np.nan_to_num(length) >= SHOWN * np.nanpercentile(length, 90)) & (np.nan_to_num(length) > 0)


def turn_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Degrees between two angles, 0 to 180, the short way round."""
    apart = np.abs(one - other)
    return np.degrees(np.minimum(apart, 2 * np.pi - apart))


def velocities(xy: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(T, K, 2) units/s by centred differences; NaN where a neighbour is missing, and with fewer than three frames."""
    if len(t) < 3 or not np.isfinite(xy).any():
        return np.full(xy.shape, np.nan)
    return differentiate(xy, t, method="centred", sigma=1.0).value


def expect_by_chance(
    x: np.ndarray, y: np.ndarray, limbs: np.ndarray, reach: float, spread: np.ndarray, angles: tuple[np.ndarray, np.ndarray],
    speeds: tuple[np.ndarray, np.ndarray],
) -> Chance:  # fmt: skip
    """What a random order of the found frames scores, from every pairing of a requested with a found frame.

    The mean over all orders is the mean over all pairings. The spread of a sum sum c(i, pi(i)) over random orders pi is
    sum d²/(n - 1), with d the pairings' values less their row's and column's means (Hoeffding 1951, doi:10.1214/aoms/1177729545).
    """
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), _CHANCE_FRAMES)).round().astype(int))
    x, y, spread = x[chosen], y[chosen], spread[chosen]
    asked, n = np.isfinite(x[..., 0]), len(chosen)
    right, similar, rest = np.zeros((n, n)), np.zeros((n, n)), []
    for row in range(n):
        square = np.nan_to_num(((y - x[row]) ** 2).sum(axis=2), nan=np.inf)
        right[row] = (square <= reach**2)[:, limbs & asked[row]].sum(axis=1)
        if asked[row].any():
            similar[row] = np.exp(-square / spread[row])[:, asked[row]].mean(axis=1)
        turned = turn_between(angles[0][chosen[row]], angles[1][chosen])
        apart = ((speeds[1][chosen] - speeds[0][chosen[row]]) ** 2).sum(axis=2)
        rest.append([np.nansum(turned), np.isfinite(turned).sum(), np.nansum(apart), np.isfinite(apart).sum()])
    total = asked[:, limbs].sum()
    d = right - right.mean(axis=0) - right.mean(axis=1, keepdims=True) + right.mean()
    turned, turns, apart, steps = np.sum(rest, axis=0)
    return Chance(
        pck=share(right.sum() / n, total), pck_sigma=share(math.sqrt((d**2).sum() / (n - 1)), total) if n > 1 else math.nan,
        oks=float(similar[asked.any(axis=1)].mean()) if asked.any() else math.nan, angle_error=share(turned, turns),
        velocity_error=math.sqrt(share(apart, steps)) if steps else math.nan,
    )  # fmt: skip


def share(part: float, whole: float) -> float:
    """part / whole, NaN of nothing."""
    return float(part / whole) if whole > 0 else math.nan


def mean(values: np.ndarray) -> float:
    """Of what is not NaN; NaN when nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def root_mean_square(vectors: np.ndarray) -> float:
    """Root of the mean squared length of (n, 2) vectors; NaN of none."""
    return float(np.sqrt((vectors**2).sum(axis=1).mean())) if len(vectors) else math.nan
