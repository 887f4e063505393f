"""From a bat track, a skeleton and a camera to everything that a user sees and takes away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence
from .bat_track import BatTrack
from .camera_maps import Camera, stabilise_pose
from .clock import shot_clock, stretch_sigma
from .hands import hand_speed
from .joints import DEGREE, WINDOW, JointMotion, measure_joints
from .phases import IMPACT_SPREAD, Impact, Phases, find_phases
from .plausible import blur_flag, doubt_peak, impossible_tips, marks_flag, repeats_flag, unseen_flag, widen_read, widen_unseen
from .pose_track import POSE_SOURCE
from .scale import Scale, Yardstick, choose_scale, local_heights, scale_from_body
from .spline import SHORTEST
from .swing import Peak, Swing, estimate_swing, speed_flag

UNITS = ("auto", "px", "body", "m")

#: The unit of a speed, in words.
PER_SECOND = {"px": "px/s", "body": "body heights/s", "m": "m/s"}

#: Least noise of tips that were read from the picture, as part of their sigma: while the bat is slow their errors hardly change from frame to frame,
#: and look smaller than they are in the swing. Of 0 to 1 about the one whose peaks came nearest to the truth on 18 drawn clips.
READ_NOISE = 0.3

_NOTHING = Peak(np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class SwingMeasurement:
    """One stroke, measured. Arrays have one entry per frame of the clip and NaN where there is no value.

    Attributes
    ----------
    t : (T,) s
        The frames' own timestamps.
    clock : (T,) s
        When each picture was taken: ``t``, but within half a frame of it where frames repeat (:func:`.clock.picture_times`). Everything is
        measured on it.
    tip, hands : (T, 2) px of each frame
        Where a tip was refused, here or by the tracker, it is NaN.
    tip_reference, hands_reference : (T, 2) px of the reference frame of their shot
        The camera's movement taken out.
    tip_speed, tip_speed_sigma : (T,) ``unit``/s
        sigma is the random error; the scale's stands apart in ``scale``. NaN in frames that repeat the one before, in other shots, and
        where the tip or the camera is unknown.
    omega, omega_sigma, angle : (T,) rad/s, rad/s, rad
        Clockwise on the screen is positive; the angle is that of hands -> tip, unwrapped inside runs.
    unreliable : (T,) bool
        omega is not to be trusted: the bat points out of the picture's plane, or turns so fast that its sense is not sure.
    hand_speed, hand_speed_sigma : (T,) ``unit``/s
    status : (T,) str
        ``measured``, ``no tip``, ``no hands``, ``repeat``, ``refused``, ``other shot`` or ``no camera``.
    source : (T,) str
        What the tip was read from.
    peak_tip_speed, peak_omega : Peak
        ``unit``/s and rad/s; NaN throughout when nothing could be measured.
    unit : {"px", "body", "m"}
    scale : Scale
        Pixels of the reference frame per ``unit``, and its relative sigma: beside the random one, never in it.
    metres : Scale or None
        The best known scale in metres, be it only the usual length of a bat; for a rough reading when ``unit`` isn't metres.
    phases : Phases
    joints : JointMotion or None
        Speeds in ``unit``/s.
    swing : Swing or None
        The estimator's own result, px of the reference frame, one entry per frame that was used (``used``); None when nothing was measured.
    used : (n,) int
        Frames that the estimate was made from.
    shot : int
        The shot of the camera that is measured.
    size : (W, H) px
    grip : str
    method : str
    flags : tuple of str
    provenance : dict
    track, pose, camera
        What it was measured from.
    """

    t: np.ndarray
    clock: np.ndarray
    tip: np.ndarray
    hands: np.ndarray
    tip_reference: np.ndarray
    hands_reference: np.ndarray
    tip_speed: np.ndarray
    tip_speed_sigma: np.ndarray
    omega: np.ndarray
    omega_sigma: np.ndarray
    angle: np.ndarray
    unreliable: np.ndarray
    hand_speed: np.ndarray
    hand_speed_sigma: np.ndarray
    status: np.ndarray
    source: np.ndarray
    peak_tip_speed: Peak
    peak_omega: Peak
    unit: str
    scale: Scale
    metres: Scale | None
    phases: Phases
    joints: JointMotion | None
    swing: Swing | None
    used: np.ndarray
    shot: int
    size: tuple[int, int]
    grip: str
    method: str
    flags: tuple[str, ...]
    track: BatTrack
    pose: PoseSequence | None
    camera: Camera
    provenance: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.t)

    @property
    def impact(self) -> Impact | None:
        return self.phases.impact

    @property
    def measured(self) -> np.ndarray:
        """(T,) bool: frames with a tip speed."""
        return np.isfinite(self.tip_speed)

    def pose_reference(self) -> PoseSequence | None:
        """The skeleton in pixels of the reference frame."""
        return None if self.pose is None else stabilise_pose(self.pose, self.camera)

    def pose_with_bat(self) -> PoseSequence | None:
        """The skeleton in pixels of the reference frame, with the joint ``bat_tip``."""
        pose = self.pose_reference()
        return None if pose is None else pose.with_joint("bat_tip", self.tip_reference, self.track.confidence)


def measure_swing(
    track: BatTrack,
    pose: PoseSequence | None = None,
    camera: Camera | None = None,
    *,
    scale: Yardstick | Sequence[Yardstick] | None = None,
    unit: str = "auto",
    method: str = "spline",
    window: float = 0.2,
    degree: int = 2,
    exposure: float | None = None,
    impact: float | str | None = "auto",
    draws: int = 200,
    seed: int = 0,
) -> SwingMeasurement:
    """Measure a stroke: tip speed, omega, peaks, phases, joints, each with its standard error, and flags for what is odd.

    Everything is measured in pixels of the reference frame, so that the camera's movement has no part in it, and on the frames' own
    times. Frames that repeat the one before are left out of time. Of a clip with cuts one shot is measured: the one with the most
    tips. Tips that no bat of this batter can reach are refused; when too many are, nothing is measured and the flags say why.

    Parameters
    ----------
    track : BatTrack
    pose : PoseSequence, optional
        The batter's skeleton in the clip's pixels, the same frames. Without it no joints, body heights or tests of reach.
    camera : Camera, optional
        None: taken to stand still, and flagged.
    scale : Scale, MarkedLength, BatLength, BodyHeight, or a sequence of them, optional
        What is known about sizes; several are combined, and flagged where they disagree.
    unit : {"auto", "px", "body", "m"}
        ``auto``: metres when a ``scale`` in metres is given, else body heights when there is a skeleton, else pixels. ``m`` without a scale takes
        the bat to be 0.86 m long, and flags it.
    method, window, degree, impact, draws, seed
        Of :func:`.swing.estimate_swing`.
    exposure : float, optional
        s that the shutter is open; for the flag on blur.

    Returns
    -------
    SwingMeasurement

    Raises
    ------
    KineticsError
        When the parts aren't of the same frames, a setting isn't known, or hands and tip are seen in too few frames to measure anything.
    """
    t = np.asarray(track.t, float)
    _check(track, pose, camera, unit, exposure)
    flags = list(track.flags)
    still = camera is None
    if still:
        camera = Camera.still(t, track.size)
        flags.append("The camera was taken to stand still: where it pans or zooms, its movement is in the speeds.")
    else:
        flags.extend(camera.flags)
    hands, tip = (camera.to_reference(part) for part in (track.hands, track.tip))
    both = np.isfinite(hands[:, 0] + tip[:, 0])
    repeat = np.asarray(track.repeat, bool) | camera.repeat
    shot = _main_shot(camera.shot, both & ~repeat, flags)
    here = camera.shot == shot
    clock, late, together = shot_clock(t, here, repeat)
    body, said = (None, ()) if pose is None else _body_scale(pose, camera, here & ~repeat)
    flags.extend(said)

    # The spline is for the bat; joints and hands, which turn more slowly, take a local polynomial unless the user chose how.
    smoothing = {"method": "savgol", "window": WINDOW, "degree": DEGREE} if method == "spline" else {"method": method, "window": window, "degree": degree}
    refused = np.zeros(len(t), bool)
    hopeless = False
    usable = here & ~repeat
    if body is not None:
        within = np.where(usable[:, None], tip, np.nan)
        # Where the zoom isn't known, a tip is held against what the batter measures about then.
        heights = local_heights(pose) if still else np.full(len(t), body.px_per_unit)
        told = np.where(track.source == POSE_SOURCE, track.confidence, np.nan)
        refused, said, hopeless = impossible_tips(clock, hands, within, heights, body.sigma, told)
        flags.extend(said)
        # A repeated frame shows the refused tip once more.
        refused |= repeat & np.concatenate([[False], refused[:-1]])
    used = np.flatnonzero(usable & np.isfinite(hands[:, 0]))
    clean = np.where((refused | ~usable)[:, None], np.nan, tip)
    if hopeless:
        flags.insert(0, "Nothing was measured: what was followed can't be this batter's bat; mark the tip in a few frames, or give a mask of the bat.")
    swing = None if hopeless else _estimate(clock, hands, clean, track, camera, used, method, window, degree, impact, draws, seed, refused.any())
    if swing is not None:
        flags.extend(marks_flag(np.asarray(track.source)[used] == "mark", swing.refused, used))
        refused[used] |= swing.refused
    if hopeless:
        refused = np.isfinite(track.tip[:, 0])
        clean = np.full_like(tip, np.nan)

    shown = np.linalg.norm(np.where(refused[:, None], np.nan, clean) - hands, axis=1)
    chosen, metres, said = choose_scale(scale, unit, shown, track.grip, body, camera.matrix)
    flags.extend(said)
    phases, hand = Phases(notes=("No phase is told: the stroke was not measured.",)), hand_speed(clock, hands, _known(track.hands_sigma * camera.zoom), used, smoothing)
    per = chosen.px_per_unit
    speed, speed_sigma, omega, omega_sigma, angle = (np.full(len(t), np.nan) for _ in range(5))
    unreliable, peaks = np.zeros(len(t), bool), (_NOTHING, _NOTHING)
    if swing is not None:
        stretched = stretch_sigma(clock[used], late[used])
        speed[used], speed_sigma[used] = swing.tip_speed / per, np.hypot(swing.tip_speed_sigma, swing.tip_speed * stretched) / per
        omega[used], omega_sigma[used], angle[used] = swing.omega, np.hypot(swing.omega_sigma, swing.omega * stretched), swing.angle
        unreliable[used] = swing.unreliable & np.isfinite(swing.omega)
        unsure = np.maximum(late[used], together)
        peaks = tuple(_scaled(peak, by, clock[used], unsure, stretched) for peak, by in ((swing.peak_tip_speed, per), (swing.peak_omega, 1.0)))
        peaks = tuple(widen_unseen(peak, clock, value) for peak, value in zip(peaks, (speed, omega), strict=True))
        peak = swing.peak_tip_speed
        read = _mostly_read(track.source)
        if read:
            peaks = tuple(widen_read(peak) for peak in peaks)
        doubt = doubt_peak(clock, hand, np.where(refused[:, None], np.nan, clean), speed, peak, peaks[0], body, read)
        if doubt:
            flags.insert(0, doubt)
            peaks = (_NOTHING, _NOTHING)
        else:
            phases = find_phases(
                clock, speed, speed_sigma, omega, omega_sigma, unreliable, hand[0] / per, peak.t, peak.value / per, _impact(swing)
            )
            flags.extend(swing.flags)
            if metres is not None:
                flags.extend(speed_flag(peak.value / metres.px_per_unit, metres.source))
            flags.extend(unseen_flag(clock, speed, peak.t))
            flags.extend(blur_flag(peak.value, float(np.nanpercentile(shown, 95)), float(np.median(np.diff(t))), exposure))
    if repeat[here].any():
        flags.append(repeats_flag(t, repeat & here, peaks[0].t, late))
    if (track.source[here] == "forearm").any():
        flags.append(f"In {int((track.source[here] == 'forearm').sum())} frames the bat is only guessed from the forearm: its \u03c3 is wide, and it may be wrong altogether.")
    unknown = int((here & ~camera.known).sum())
    if unknown:
        flags.append(f"The camera's movement is unknown in {unknown} frames; nothing is measured there.")
    joints = None
    if pose is not None and usable.sum() >= 3:
        joints = _joints(pose, camera, hands, np.where(refused[:, None], np.nan, clean), track, usable, per, clock, smoothing)
    status = _status(both, hands, here, repeat, refused, camera.known, np.isfinite(speed))
    return SwingMeasurement(
        t=t, clock=clock, tip=np.where(refused[:, None], np.nan, track.tip), hands=np.array(track.hands, float),
        tip_reference=np.where((refused | ~here)[:, None], np.nan, tip), hands_reference=np.where(here[:, None], hands, np.nan),
        tip_speed=speed, tip_speed_sigma=speed_sigma, omega=omega, omega_sigma=omega_sigma, angle=angle, unreliable=unreliable,
        hand_speed=hand[0] / per, hand_speed_sigma=hand[1] / per, status=status, source=np.where(refused, "", track.source), peak_tip_speed=peaks[0], peak_omega=peaks[1],
        unit=chosen.unit, scale=chosen, metres=metres, phases=phases, joints=joints, swing=swing, used=used, shot=shot, size=track.size,
        grip=track.grip, method=method, flags=tuple(dict.fromkeys(flags)), track=track, pose=pose, camera=camera,
        provenance=_provenance(track, pose, camera, status, method, window, degree, draws, seed, swing),
    )  # fmt: skip


def _check(track: BatTrack, pose: PoseSequence | None, camera: Camera | None, unit: str, exposure: float | None) -> None:
    if unit not in UNITS:
        raise KineticsError(f"Unit {unit!r} isn't offered; choose {', '.join(UNITS)}.")
    if len(track) < SHORTEST:
        raise KineticsError(f"The bat track has {len(track)} frames, and a swing needs at least {SHORTEST}; give a longer clip.")
    if exposure is not None and not exposure > 0:
        raise KineticsError(f"An exposure of {exposure} s can't be; give seconds above 0, e.g. 0.002.")
    for name, part in (("skeleton", pose), ("camera", camera)):
        if part is None:
            continue
        if len(part.t) != len(track) or np.abs(np.asarray(part.t) - track.t).max() > 1e-3:
            raise KineticsError(f"The bat track has {len(track)} frames and the {name} {len(part.t)}, or at other times; find both in the same clip, trimmed the same.")
        if tuple(part.size) != tuple(track.size):
            raise KineticsError(f"The bat track is of pictures {track.size[0]}×{track.size[1]}, the {name} of {part.size[0]}×{part.size[1]}; find both in the same clip.")
    if pose is not None and pose.space != "px":
        raise KineticsError(f"The skeleton is in unit {pose.space!r}; give it in pixels of the clip.")
    if np.isnan(track.hands[:, 0]).all():
        raise KineticsError("The hands were found in no frame; choose another subject, or a skeleton with wrists.")
    if np.isnan(track.tip[:, 0]).all():
        raise KineticsError("The bat's tip was found in no frame; mark it in a few frames, or give a mask of the bat.")


def _main_shot(shot: np.ndarray, usable: np.ndarray, flags: list[str]) -> int:
    """The shot with the most tips."""
    counts = np.bincount(shot, weights=usable)
    best = int(counts.argmax())
    if len(counts) > 1:
        frames = np.flatnonzero(shot == best)
        left = int(counts.sum() - counts[best])
        flags.append(
            f"The clip has {len(counts) - 1} cut{'s' * (len(counts) > 2)}: measured is frame {frames[0]} to {frames[-1]}"
            + (f"; {left} tips in other shots are left out." if left else ".")
        )
    return best


def _body_scale(pose: PoseSequence, camera: Camera, counted: np.ndarray) -> tuple[Scale | None, tuple[str, ...]]:
    """Body heights from the frames that count, or a sentence why there are none."""
    stable = stabilise_pose(pose, camera)
    xy = np.where(counted[:, None, None], stable.xy, np.nan)
    try:
        return scale_from_body(replace(stable, xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0.0, stable.conf))), ()
    except KineticsError as error:
        return None, (str(error),)


def _estimate(t, hands, tip, track, camera, used, method, window, degree, impact, draws, seed, refused: bool) -> Swing | None:
    both = int(np.isfinite(tip[used, 0]).sum())
    if both < SHORTEST:
        because = "many were refused as impossible" if refused else "the rest are hidden, out of the picture, or not sure enough"
        raise KineticsError(
            f"Hands and bat tip are seen together in {both} frames of one shot, {because}; {SHORTEST} are needed: mark the tip in more frames, or give a mask of the bat."
        )
    zoom = camera.zoom
    hands_sigma, tip_sigma = (_known(sigma * zoom)[used] for sigma in (track.hands_sigma, track.tip_sigma))
    return estimate_swing(
        t[used], hands[used], tip[used], hands_sigma, tip_sigma, method=method, window=window, degree=degree, stretch=camera.shot[used],
        draws=draws, seed=seed, impact=impact, least_noise=READ_NOISE if _mostly_read(track.source[used]) else 0.0,
    )  # fmt: skip


def _mostly_read(source: np.ndarray) -> bool:
    """Whether most tips were read from the picture."""
    return bool((source == "image").sum() > 0.5 * (source != "").sum())


def _known(sigma: np.ndarray) -> np.ndarray:
    """sigma with the median where a tracker gave none; 1 px when it gave none at all."""
    there = np.isfinite(sigma) & (sigma > 0)
    return np.where(there, sigma, np.median(sigma[there]) if there.any() else 1.0)


def _impact(swing: Swing) -> Impact:
    """The estimator's impact where one was given or it found the trace of a blow, else the moment of the peak, widened by what the two differ."""
    if swing.impact is not None:
        return Impact(swing.impact.t, swing.impact.sigma, swing.impact.how)
    peak = swing.peak_tip_speed
    return Impact(peak.t, float(np.hypot(peak.sigma_t, IMPACT_SPREAD)))


def _scaled(peak: Peak, per: float, clock: np.ndarray, late: np.ndarray, stretched: np.ndarray) -> Peak:
    """A peak in its unit, less sure where the times about it are."""
    near = int(np.argmin(np.abs(clock - peak.t)))
    return Peak(
        peak.value / per, float(np.hypot(peak.sigma, peak.value * stretched[near])) / per, peak.t, float(np.hypot(peak.sigma_t, late[near]))
    )  # fmt: skip


def _joints(pose, camera, hands, tip, track, usable, per: float, clock, settings: dict) -> JointMotion:
    stable = replace(stabilise_pose(pose, camera), t=clock)
    found = measure_joints(stable, hands, tip, _known(track.tip_sigma * camera.zoom), usable & camera.known, **settings)
    return replace(found, speed=found.speed / per, speed_sigma=found.speed_sigma / per)


def _status(both, hands, here, repeat, refused, known, measured) -> np.ndarray:
    """(T,) str: the first reason that holds."""
    return np.select(
        [~here, ~known, refused, repeat, np.isnan(hands[:, 0]), ~both, measured],
        ["other shot", "no camera", "refused", "repeat", "no hands", "no tip", "measured"], "no tip",
    )  # fmt: skip


def _provenance(track, pose, camera, status, method, window, degree, draws, seed, swing) -> dict:
    counts = {str(name): int((status == name).sum()) for name in np.unique(status)}
    settings = {"method": method} | ({"window_s": window, "degree": degree} if method == "savgol" else {"draws": draws, "seed": seed})
    return {
        "track": track.provenance, "camera": {"model": camera.model, **camera.provenance}, "pose": None if pose is None else dict(pose.provenance),
        "swing": settings, "noise": None if swing is None else dict(swing.noise), "frames": counts,
    }  # fmt: skip
