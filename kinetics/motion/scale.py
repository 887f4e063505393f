"""From pixels to body heights or metres: lengths whose true size is known, each with its own standard error.

The scale's error is one number for the whole clip: a wrong scale makes every speed wrong by the same part. It is therefore kept apart from
the random error of the samples and never mixed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import KineticsError
from ..pose_sequence import PoseSequence

#: Lengths with a true size, m: height of the stumps, popping crease to bowling crease (Laws 7 and 8). A drawn line is met to 1 %.
STUMPS, CREASE = 0.711, 1.22

#: A full-size bat, m, and its spread: short handle 0.85, long handle 0.87-0.89; 0.965 at most (Law 5).
BAT_LENGTH, BAT_SPREAD = 0.86, 0.02

#: From the end of the handle to the hand proxy, m, by what the proxy means, and how far batters differ.
GRIP_FROM_END, GRIP_SPREAD = {"top": 0.07, "midpoint": 0.13, "bottom": 0.19}, 0.025

#: The bat's full length in the picture is the 95th percentile of what it shows over this: 60 drawn strokes by random batters before random
#: cameras show 0.966 ± 0.022 of it (worst 0.912).
ENVELOPE, ENVELOPE_SPREAD = 0.966, 0.03

#: Trunk, thigh, shank, upper arm and forearm at their longest in the picture, together, in body heights; and the spread between bodies and
#: poses. 60 drawn strokes: 1.080 ± 0.020; Drillis and Contini (1966) give 0.288 + 0.245 + 0.246 + 0.186 + 0.146 = 1.111 for joints pointed out
#: by hand. The spread covers both and an estimator's own idea of where a joint lies.
SEGMENTS, SEGMENTS_SPREAD = 1.08, 0.045

#: Part of a body height that each segment is, to fill in for one that is never seen.
_PARTS = {"trunk": 0.284, "thigh": 0.236, "shank": 0.243, "upper_arm": 0.162, "forearm": 0.154}
_ENDS = {"thigh": ("hip", "knee"), "shank": ("knee", "ankle"), "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist")}

#: A segment at its longest: this percentile of its lengths, so that single wild joints don't count.
_LONGEST = 90

#: Segments that make up less than this part of a body height don't tell it; and how far about a frame they are looked at, s.
_LEAST_SHARE, _ABOUT = 0.4, 0.5

#: A scale less certain than this is flagged.
UNSURE_SCALE = 0.08

#: Standard error per axis, px, of a point that a person marks in a frame.
MARKING_ERROR = 1.5

#: A thing marked in the picture stands nearer or farther than the bat; at a broadcast camera's 50-100 m a metre is 1-2 %.
DEPTH_SPREAD = 0.02


@dataclass(frozen=True)
class Scale:
    """How many pixels of the reference frame make a unit at the batter.

    Attributes
    ----------
    unit : {"px", "body", "m"}
        ``body`` is the batter's height.
    px_per_unit : float
    sigma : float
        Relative standard error, e.g. 0.05; a speed in ``unit`` has it beside its random one.
    source : str
        What it was taken from, in words.
    """

    unit: str
    px_per_unit: float
    sigma: float
    source: str

    def __post_init__(self) -> None:
        if self.unit not in ("px", "body", "m"):
            raise KineticsError(f"Unit {self.unit!r} of a scale is unknown; use px, body or m.")
        if not (np.isfinite(self.px_per_unit) and self.px_per_unit > 0 and 0 <= self.sigma < 1):
            raise KineticsError(
                f"A scale of {self.px_per_unit:g} pixels per {self.unit} ± {100 * self.sigma:g} % can't be; give pixels above 0 and an error under 100 %."
            )


@dataclass(frozen=True)
class MarkedLength:
    """A length the user marked: two points of one frame, in its own pixels, and how far apart they are in truth.

    Attributes
    ----------
    frame : int
        From 0 in decode order.
    start, end : (x, y) px
    metres : float
        :data:`STUMPS`, :data:`CREASE`, or any other; it has to lie across the line of sight, about as far away as the batter.
    name : str
    """

    frame: int
    start: tuple[float, float]
    end: tuple[float, float]
    metres: float
    name: str = "a marked length"


@dataclass(frozen=True)
class BatLength:
    """The whole bat's length, m; :data:`BAT_LENGTH` where nobody measured it, with the spread of bats on sale."""

    metres: float = BAT_LENGTH
    sigma: float = BAT_SPREAD


@dataclass(frozen=True)
class BodyHeight:
    """The batter's height, m."""

    metres: float
    sigma: float = 0.015


Yardstick = Scale | MarkedLength | BatLength | BodyHeight


def scale_from_bat(shown: np.ndarray, bat: BatLength | None = None, grip: str = "midpoint") -> Scale:
    """Metres from the length that the bat shows in the picture: its upper envelope is the bat across the line of sight.

    Parameters
    ----------
    shown : (n,) px of the reference frame
        Hands to tip; NaN where unknown.
    bat : BatLength, optional
    grip : {"midpoint", "top", "bottom"}
        What the hand proxy means.

    Returns
    -------
    Scale
        sigma joins those of the bat's length, of where it is held, and of the envelope: 5.4 % for a bat that nobody measured.

    Raises
    ------
    KineticsError
        When no length is given, or the bat's is none a bat can have.
    """
    bat = bat or BatLength()
    if not 0.5 <= bat.metres <= 0.965:
        raise KineticsError(f"A bat of {bat.metres:g} m can't be; give its whole length in metres, 0.5 to 0.965 (Law 5).")
    shown = np.asarray(shown, float)
    if not np.isfinite(shown).any():
        raise KineticsError("The bat is seen in no frame, so it gives no scale; mark another length.")
    part = bat.metres - GRIP_FROM_END[grip]
    px = np.nanpercentile(shown, 95) / ENVELOPE
    sigma = np.sqrt((bat.sigma**2 + GRIP_SPREAD**2) / part**2 + ENVELOPE_SPREAD**2)
    assumed = bat == BatLength()
    return Scale("m", float(px / part), float(sigma), f"the bat, {'taken to be' if assumed else ''} {bat.metres:.2f} m long".replace("  ", " "))


def scale_from_length(mark: MarkedLength, matrix: np.ndarray) -> Scale:
    """Metres from a length marked in one frame.

    Parameters
    ----------
    mark : MarkedLength
    matrix : (3, 3)
        From pixels of its frame to those of the reference frame.

    Raises
    ------
    KineticsError
        When the length is zero or the camera is unknown in that frame.
    """
    ends = np.array([[*mark.start, 1.0], [*mark.end, 1.0]]) @ np.asarray(matrix, float).T
    px = float(np.linalg.norm(ends[0, :2] / ends[0, 2] - ends[1, :2] / ends[1, 2]))
    own = float(np.hypot(*np.subtract(mark.end, mark.start)))
    if not np.isfinite(px):
        raise KineticsError(f"The camera is unknown in frame {mark.frame}, where {mark.name} was marked; mark it in another frame.")
    if not own > 4 * MARKING_ERROR or not mark.metres > 0:
        raise KineticsError(f"{mark.name.capitalize()} in frame {mark.frame} is {own:.1f} pixels and {mark.metres:g} m long; mark two points far apart.")
    sigma = np.hypot(np.sqrt(2) * MARKING_ERROR / own, DEPTH_SPREAD)
    return Scale("m", px / mark.metres, float(sigma), f"{mark.name}, {mark.metres:g} m, in frame {mark.frame}")


def scale_from_body(pose: PoseSequence) -> Scale:
    """Body heights from the skeleton: its segments at their longest, added up.

    A crouching batter's height can't be seen; his segments can, each in the frames in which it lies across the line of sight.

    Parameters
    ----------
    pose : PoseSequence
        In pixels of the reference frame.

    Raises
    ------
    KineticsError
        When neither trunk and legs nor arms are ever seen.
    """
    lengths = _segments(pose)
    longest = {part: np.nanpercentile(values, _LONGEST) for part, values in lengths.items() if np.isfinite(values).any()}
    share = sum(_PARTS[part] for part in longest)
    if share < _LEAST_SHARE:
        raise KineticsError(f"Too little of the batter is seen in {pose.source or 'the skeleton'} to tell his height; use px, or mark a length.")
    # Fewer segments average less of what bodies differ by.
    sigma = SEGMENTS_SPREAD * np.sqrt(sum(_PARTS.values()) / share)
    height = sum(longest.values()) / share * sum(_PARTS.values()) / SEGMENTS
    return Scale("body", float(height), float(sigma), "the batter's height, added up from his segments at their longest")


def local_heights(pose: PoseSequence) -> np.ndarray:
    """(T,) px: the batter's height about each frame, half a second either way, for a camera whose zoom isn't known; NaN where he isn't seen."""
    lengths = _segments(pose)
    out = np.full(len(pose), np.nan)
    first, end = (np.searchsorted(pose.t, pose.t + shift) for shift in (-_ABOUT, _ABOUT))
    for frame in range(len(pose)):
        window = slice(first[frame], max(end[frame], frame + 1))
        near = {part: values[window] for part, values in lengths.items() if np.isfinite(values[window]).any()}
        share = sum(_PARTS[part] for part in near)
        if share >= _LEAST_SHARE:
            out[frame] = sum(np.nanpercentile(values, _LONGEST) for values in near.values()) / share * sum(_PARTS.values()) / SEGMENTS
    return out


def _segments(pose: PoseSequence) -> dict[str, np.ndarray]:
    """(T,) length of each segment, of the longer of the two sides."""
    names, found = set(pose.names), {}
    if {"left_shoulder", "right_shoulder", "left_hip", "right_hip"} <= names:
        shoulders, hips = ((pose.joint(f"left_{part}") + pose.joint(f"right_{part}")) / 2 for part in ("shoulder", "hip"))
        found["trunk"] = np.linalg.norm(shoulders - hips, axis=1)
    for part, (a, b) in _ENDS.items():
        for side in ("left", "right"):
            if {f"{side}_{a}", f"{side}_{b}"} <= names:
                length = np.linalg.norm(pose.joint(f"{side}_{a}") - pose.joint(f"{side}_{b}"), axis=1)
                found[part] = np.fmax(found[part], length) if part in found else length
    return found


def scale_from_height(body: Scale, person: BodyHeight) -> Scale:
    """Metres from body heights and the batter's height in metres."""
    if not 1.0 <= person.metres <= 2.3:
        raise KineticsError(f"A batter {person.metres:g} m tall can't be; give his height in metres.")
    return Scale("m", body.px_per_unit / person.metres, float(np.hypot(body.sigma, person.sigma / person.metres)), f"the batter, {person.metres:.2f} m tall")


def combine_scales(scales: Sequence[Scale]) -> tuple[Scale, str]:
    """One scale from several in metres: the mean of their logarithms weighted by 1/sigma².

    Returns
    -------
    Scale, str
        The second is a sentence where two of them disagree by more than three standard errors, else empty. Their joint sigma then is at
        least half of what they differ by.
    """
    if len(scales) == 1:
        return scales[0], ""
    logs, sigmas = np.log([scale.px_per_unit for scale in scales]), np.array([max(scale.sigma, 1e-4) for scale in scales])
    weights = 1 / sigmas**2
    mean, sigma = float(weights @ logs / weights.sum()), float(1 / np.sqrt(weights.sum()))
    low, high = int(np.argmin(logs)), int(np.argmax(logs))
    apart = float(logs[high] - logs[low])
    said = ""
    if apart > 3 * np.hypot(sigmas[low], sigmas[high]):
        said = f"The scales disagree by {100 * np.expm1(apart):.0f} % ({scales[low].source}; {scales[high].source}): check the marks."
        sigma = max(sigma, apart / 2)
    return Scale(scales[0].unit, float(np.exp(mean)), min(sigma, 0.99), " and ".join(scale.source for scale in scales)), said


def choose_scale(
    given: Yardstick | Sequence[Yardstick] | None, unit: str, shown: np.ndarray, grip: str, body: Scale | None, matrix: np.ndarray
) -> tuple[Scale, Scale | None, tuple[str, ...]]:  # fmt: skip
    """The scale of the unit that is asked for, from what is known.

    Parameters
    ----------
    given : Scale, MarkedLength, BatLength, BodyHeight, or a sequence of them, optional
    unit : {"auto", "px", "body", "m"}
        ``auto``: metres when a scale in metres is given, else the unit of another given scale, else body heights when there are any, else pixels.
    shown : (T,) px of the reference frame
        Length that the bat shows.
    grip : str
    body : Scale, optional
        Body heights.
    matrix : (T, 3, 3)
        Frame pixels -> reference pixels.

    Returns
    -------
    Scale
        Of the unit.
    Scale or None
        The best one in metres, be it the usual length of a bat.
    tuple of str
        Sentences for the user.

    Raises
    ------
    KineticsError
        When nothing gives the unit asked for, or a yardstick can't be used.
    """
    asked = [] if given is None else list(given) if isinstance(given, Sequence) else [given]
    known = [_measured(yardstick, shown, grip, body, matrix) for yardstick in asked]
    metric, own = ([scale for scale in known if (scale.unit == "m") == wanted] for wanted in (True, False))
    metres, flags = None, []
    if metric:
        metres, said = combine_scales(metric)
        flags += [said] if said else []
    elif np.isfinite(shown).any():
        metres = scale_from_bat(shown, grip=grip)
    if unit == "auto":
        unit = "m" if metric else own[0].unit if own else "body" if body is not None else "px"
    if unit == "px":
        return Scale("px", 1.0, 0.0, "pixels of the reference frame"), metres, tuple(flags)
    if unit == "body":
        mine = next((scale for scale in own if scale.unit == "body"), body)
        if mine is None:
            raise KineticsError("Body heights need a skeleton with trunk and legs; give one, or choose px or m.")
        return mine, metres, tuple(flags)
    if metres is None:
        raise KineticsError("Nothing gives a scale in metres; mark a length, such as the stumps (0.711 m), or choose px or body.")
    if not metric:
        flags.append(f"Metres rest on {metres.source}: give its length, or mark the stumps or the crease.")
    if metres.sigma > UNSURE_SCALE:
        flags.append(f"The scale is known to {100 * metres.sigma:.0f} % only: every speed in metres may be off by that, all alike.")
    return metres, metres, tuple(flags)


def _measured(yardstick: Yardstick, shown: np.ndarray, grip: str, body: Scale | None, matrix: np.ndarray) -> Scale:
    if isinstance(yardstick, Scale):
        return yardstick
    if isinstance(yardstick, BatLength):
        return scale_from_bat(shown, yardstick, grip)
    if isinstance(yardstick, BodyHeight):
        if body is None:
            raise KineticsError("The batter's height gives a scale only with a skeleton that shows trunk and legs; mark a length instead.")
        return scale_from_height(body, yardstick)
    if isinstance(yardstick, MarkedLength):
        if not 0 <= yardstick.frame < len(matrix):
            raise KineticsError(f"{yardstick.name.capitalize()} is marked in frame {yardstick.frame}, but the clip has frames 0 to {len(matrix) - 1}.")
        return scale_from_length(yardstick, matrix[yardstick.frame])
    raise KineticsError(f"{type(yardstick).__name__} is no scale; give a Scale, MarkedLength, BatLength or BodyHeight.")
