"""The series that a kinetic chain is read from: each segment's velocity along the swing axis, in a window round the swing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.stats import trim_mean

from ..errors import KineticsError
from ..motion.derivatives import differentiate
from ..motion.stencils import find_runs
from ..pose.body import find_stretches, midpoint, torso_length
from ..pose_sequence import PoseSequence
from .chain_graph import BAT
from .lagged import is_still

#: From the ground up.
PARTS = ("ankle", "knee", "hip", "pelvis", "shoulder", "elbow", "wrist", BAT)

FRAMES = ("auto", "picture", "pelvis")

#: Joints less sure than this are missing; Savitzky-Golay window, s; grid of the series, s.
LEAST_CONFIDENCE, SMOOTH, STEP = 0.3, 0.2, 0.01

#: What counts as the swing, s before and after the bat's fastest moment.
WINDOW = (0.6, 0.15)

#: A tip that goes more than so many times as fast as the faster hand looks like a slip of the tracker; what is beyond counts this part.
REACH_RATIO, BEYOND = 5.0, 0.4

#: Under this peak, trunk lengths/s (a trunk is near 0.5 m), nothing was swung; and a velocity has to be this many times its sigma.
LEAST_SWING, LEAST_SIGNAL = 2.0, 4.0

#: The slower foot stands, and so does the camera, when it mostly goes slower than this, trunk lengths/s.
PLANTED = 0.5

#: A segment has to be seen in this part of the window, and the window has to hold so much of the clip, s.
LEAST_SEEN, LEAST_WINDOW = 0.7, 0.4

#: A segment's peak has to reach this part of its largest speed in the window, or it was fastest elsewhere.
LEAST_PEAK = 0.7

#: How far from a given anchor the bat's fastest moment is looked for, s.
_NEAR = 0.5


@dataclass(frozen=True)
class Segments:
    """Velocities along the swing axis.

    Attributes
    ----------
    names : tuple of K str
    t : (n,) s
        An even grid.
    velocity : (K, n)
        In ``unit`` per second, positive the way the bat goes at its fastest; NaN where missing.
    activation : (K,) s
        When each is fastest; NaN where it was left out.
    speed, speed_t : (m,)
        Speed of the tip, ``unit`` per second, and its times, s.
    axis : (x, y)
        The swing axis, picture axes.
    unit : str
        Of length.
    frame : str
        What positions were measured against: ``"picture"`` or ``"pelvis"``.
    clock : float
        The clip's time zero for comparison with other clips, s.
    step : float
        Grid, s.
    left_out : mapping of name to reason
    flags : tuple of str
    """

    names: tuple[str, ...]
    t: np.ndarray
    velocity: np.ndarray
    activation: np.ndarray
    speed: np.ndarray
    speed_t: np.ndarray
    axis: tuple[float, float]
    unit: str
    frame: str
    clock: float
    step: float
    left_out: Mapping[str, str]
    flags: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """Names that were not left out."""
        return tuple(name for name in self.names if name not in self.left_out)


def measure_segments(
    pose: PoseSequence, window: tuple[float, float] = WINDOW, anchor: float | None = None, frame: str = "auto"
) -> Segments:
    """Velocities of feet, legs, pelvis, arms and bat along the swing axis, round the swing.

    The swing is where the bat's tip is fastest against the pelvis (more than the hands allow counts little); the window lies round it,
    or round ``anchor``. It ends soon after, because the follow-through is no part of the chain. The swing axis is the main direction of
    the tip's velocity there. The clock is ``anchor``, or else the body's own time: the mean of the middle half of all segments' activations.

    Parameters
    ----------
    pose : PoseSequence
        With ``bat_tip``.
    window : (before, after)
        s.
    anchor : float, optional
        The swing's time in the clip, s: impact, say.
    frame : {"auto", "picture", "pelvis"}
        What velocities are measured against. ``picture`` is right when the camera stands still or its motion was taken out, and leaves the
        pelvis as a segment; ``pelvis`` takes a moving camera out, at the price of putting the pelvis's motion into every other segment.
        ``auto``: picture when the skeleton was stabilised, or a foot stands still in it.

    Returns
    -------
    Segments
        On a grid of :data:`STEP` that spans the window, NaN outside the clip.

    Raises
    ------
    KineticsError
        When there is no bat, no swing, or too little of it.
    """
    if frame not in FRAMES:
        raise KineticsError(f"Velocities against {frame!r} aren't offered; choose auto, picture or pelvis.")
    check_pose(pose, 5)
    names, xy = _gather(pose)
    source = pose.source or "The skeleton"
    unit = torso_length(xy, names)
    if not np.isfinite(unit) or unit <= 0 or "pelvis" not in names:
        raise KineticsError(f"{source} shows too little of the body to measure by; track shoulders and hips as well.")
    stretch = find_stretches(pose)
    motion = differentiate(xy, pose.t, 1, "savgol", SMOOTH, 2, stretch=stretch)
    velocity, sigma = motion.value / unit, motion.sigma / unit
    relative = velocity - velocity[:, [names.index("pelvis")]]

    swing = _find_swing(pose, names, relative, sigma, anchor, stretch)
    middle = float(pose.t[swing]) if anchor is None else anchor
    stretched = stretch == stretch[swing]
    near = stretched & (pose.t >= middle - window[0]) & (pose.t <= middle + window[1])
    if frame == "auto":
        frame = "picture" if _stands(pose, names, velocity[near]) else "pelvis"
    if frame == "pelvis":
        velocity = relative
    bat = names.index(BAT)
    if np.isnan(velocity[near, bat]).all() or np.ptp(pose.t[near]) < LEAST_WINDOW:
        raise KineticsError(
            f"{source} shows too little round the swing at {middle:.2f} s; give a clip with the {window[0]:g} s before it "
            f"and {window[1]:g} s after."
        )
    axis = _find_axis(velocity[near, bat], velocity[swing, bat])
    along, error = velocity @ axis, np.sqrt((sigma**2) @ axis**2)
    left_out = _left_out(names, along[near], error[near])

    span = pose.t[stretched][[0, -1]]
    fine = middle + STEP * np.arange(-round(window[0] / STEP), round(window[1] / STEP) + 1)
    moving = [k for k, name in enumerate(names) if name not in left_out]
    first = np.array([_activation(fine, _resample(pose.t[stretched], along[stretched, k], fine)) for k in moving])
    first = first[np.isfinite(first)]
    clock = anchor if anchor is not None else float(trim_mean(first, 0.25)) if len(first) else middle
    # The grid runs through the clock, so that other clips' series lie on the same one.
    t = clock + STEP * np.arange(np.ceil((middle - window[0] - clock) / STEP), np.floor((middle + window[1] - clock) / STEP) + 1)
    series = np.stack([_resample(pose.t[stretched], track[stretched], t) for track in along.T])
    inside = (t >= span[0]) & (t <= span[1])
    for name, row in zip(names, series, strict=True):
        seen = np.isfinite(row[inside]).mean()
        if name not in left_out and seen < LEAST_SEEN:
            left_out[name] = f"seen in {100 * seen:.0f} % of the swing"
    activation = np.array([np.nan if name in left_out else _activation(t, row) for name, row in zip(names, series, strict=True)])
    for name, at in zip(names, activation, strict=True):
        if np.isnan(at):
            left_out.setdefault(name, "its peak isn't seen")
    return Segments(
        names=names, t=t, velocity=series, activation=activation, speed=np.linalg.norm(velocity[:, bat], axis=1), speed_t=pose.t,
        axis=(float(axis[0]), float(axis[1])), unit="trunk length", frame=frame, clock=clock, step=STEP, left_out=left_out,
        flags=_flags(pose, left_out, frame, inside, window),
    )  # fmt: skip


def check_pose(pose: PoseSequence, least: int) -> None:
    """Raise the sentence for a skeleton that no chain can be read from: too short, empty, or without a bat."""
    source = pose.source or "The skeleton"
    if len(pose) < least:
        raise KineticsError(f"{source} has {len(pose)} frames and a kinetic chain needs at least {least}; give a clip of the whole swing.")
    if pose.missing.all():
        raise KineticsError(f"{source} holds no joint in any frame; track the batter again, or choose another person.")
    if BAT not in pose.names or pose.missing[:, pose.index(BAT)].all():
        raise KineticsError(f"{source} has no bat tip, where a kinetic chain ends; track the bat or mark its toe.")


def describe_jumps(pose: PoseSequence) -> str:
    """When the body is suddenly elsewhere, the beginning of a sentence; empty when it never is."""
    jumps = pose.t[1:][np.diff(find_stretches(pose)) != 0]
    shown = ", ".join(f"{at:.2f}" for at in jumps[:3]) + (" …" if len(jumps) > 3 else "")
    return f"The body jumps at {shown} s (a cut, lost frames or another person)" if len(jumps) else ""


def _gather(pose: PoseSequence) -> tuple[tuple[str, ...], np.ndarray]:
    """Segments from the ground up, and (T, K, 2) positions, NaN where missing or unsure."""
    names, columns = [], []
    sure = pose.conf >= LEAST_CONFIDENCE
    xy = np.where(sure[..., None], pose.xy, np.nan)
    for part in PARTS:
        for name in (part,) if part in ("pelvis", BAT) else (f"left_{part}", f"right_{part}"):
            stand_in = name if name in pose.names else name.replace("ankle", "foot")
            if stand_in in pose.names:
                names.append(stand_in)
                columns.append(xy[:, pose.index(stand_in)])
            elif name == "pelvis" and {"left_hip", "right_hip"} <= set(pose.names):
                names.append(name)
                columns.append(midpoint(xy, pose.conf, pose.names, "pelvis")[0])
    return tuple(names), np.stack(columns, axis=1)


def _find_swing(
    pose: PoseSequence, names: Sequence[str], relative: np.ndarray, sigma: np.ndarray, anchor: float | None, stretch: np.ndarray
) -> int:
    """The frame of the swing's fastest moment, in a stretch that is long enough to measure a chain in."""
    source, bat = pose.source or "The skeleton", names.index(BAT)
    speed = np.linalg.norm(relative[:, bat], axis=1)
    score = speed.copy()
    hands = [names.index(name) for name in ("left_wrist", "right_wrist") if name in names]
    if hands:
        fastest = np.fmax.reduce(np.linalg.norm(relative[:, hands], axis=2), axis=1)
        allowed = np.fmin(speed, np.where(np.isnan(fastest), speed, REACH_RATIO * fastest))
        score = allowed + BEYOND * (speed - allowed)
    spans = np.array([np.ptp(pose.t[stretch == number]) for number in range(stretch[-1] + 1)])
    near = np.isfinite(score) & (spans[stretch] >= LEAST_WINDOW)
    if anchor is not None:
        near &= np.abs(pose.t - anchor) <= _NEAR
    if not near.any():
        where = "for long enough between two cuts" if anchor is None else f"near {anchor:.2f} s"
        raise KineticsError(f"{source} shows the bat and the body nowhere together {where}; track the bat in more frames.")
    frame = int(np.nanargmax(np.where(near, score, np.nan)))
    noise = float(np.hypot(*sigma[frame, bat]))
    if score[frame] < max(LEAST_SWING, LEAST_SIGNAL * noise):
        raise KineticsError(
            f"{source} shows no swing: the bat's tip reaches {score[frame]:.1f} trunk lengths/s against the body "
            f"(noise {noise:.1f}), and a swing at least {max(LEAST_SWING, LEAST_SIGNAL * noise):.1f}; give a clip with a stroke in it."
        )
    return frame


def _stands(pose: PoseSequence, names: Sequence[str], velocity: np.ndarray) -> bool:
    """Whether positions in the picture can be taken as they are: the camera was taken out, or a foot stands still in the picture."""
    if any(step.get("step") == "stabilise" for step in pose.provenance.get("steps", ())):
        return True
    feet = [names.index(name) for name in names if name.endswith(("ankle", "foot"))]
    if not feet:
        return False
    slower = np.fmin.reduce(np.linalg.norm(velocity[:, feet], axis=2), axis=1)
    return bool(np.isfinite(slower).any() and np.nanmedian(slower) < PLANTED)


def _find_axis(velocity: np.ndarray, fastest: np.ndarray) -> np.ndarray:
    """Unit vector along which the tip mostly moves, the way it goes at its fastest."""
    known = velocity[np.isfinite(velocity).all(axis=1)]
    axis = np.linalg.eigh(known.T @ known)[1][:, 1]
    return axis if axis @ fastest >= 0 else -axis


def _left_out(names: Sequence[str], along: np.ndarray, error: np.ndarray) -> dict[str, str]:
    """Segments that tell nothing, and why."""
    reasons = {}
    for k, name in enumerate(names):
        speed, noise = np.abs(along[:, k]), error[np.isfinite(error[:, k]), k]
        if np.isnan(speed).all():
            reasons[name] = "never seen"
        elif is_still(along[:, k]):
            reasons[name] = "doesn't move"
        elif len(noise) and np.nanmax(speed) < LEAST_SIGNAL * np.median(noise):
            reasons[name] = "moves no more than its noise"
    return reasons


def _resample(t: np.ndarray, track: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """A track on another grid by a cubic spline inside each run; NaN outside the runs."""
    found = np.full(len(grid), np.nan)
    holes = np.concatenate([[0], np.cumsum(np.diff(t) > SMOOTH)])
    for first, _, length in zip(*find_runs(np.isfinite(track)[:, None], holes), strict=True):
        if length >= 4:
            run = slice(first, first + length)
            inside = (grid >= t[run][0] - 1e-9) & (grid <= t[run][-1] + 1e-9)
            found[inside] = CubicSpline(t[run], track[run])(grid[inside])
    return found


def _activation(t: np.ndarray, row: np.ndarray) -> float:
    """When |v| peaks, between samples by a parabola; NaN where it goes higher at an end or a gap (:data:`LEAST_PEAK`)."""
    size = np.where(np.isnan(row), -np.inf, np.abs(row))
    middle = size[1:-1]
    peaks = np.flatnonzero((middle > size[:-2]) & (middle >= size[2:]) & np.isfinite(size[:-2]) & np.isfinite(size[2:])) + 1
    if not len(peaks) or size[peaks].max() < LEAST_PEAK * size.max():
        return float("nan")
    k = peaks[size[peaks].argmax()]
    bend = size[k - 1] - 2 * size[k] + size[k + 1]
    return float(t[k] + 0.5 * (size[k - 1] - size[k + 1]) / bend * (t[1] - t[0]))


def _flags(
    pose: PoseSequence, left_out: Mapping[str, str], frame: str, inside: np.ndarray, window: tuple[float, float]
) -> tuple[str, ...]:
    jumps = describe_jumps(pose)
    flags = [f"{jumps}; nothing is measured across."] if jumps else []
    if frame == "pelvis":
        flags.append("The camera moves, so velocities are measured against the pelvis, whose own motion is then in every other segment.")
    if not inside.all():
        flags.append(f"The clip holds {100 * inside.mean():.0f} % of the {sum(window):g} s round the swing.")
    if BAT in left_out:
        flags.append(f"The bat was left out ({left_out[BAT]}), so no chain can reach it.")
    return tuple(flags)
