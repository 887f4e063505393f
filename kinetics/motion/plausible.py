"""What a bat can't do: tips that no bat of this batter reaches, or that fly; and what a user has to know before he believes a number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .scale import Scale
from .swing import LONGEST_GAP, Peak

#: Farthest a tip can be from the hands, in body heights: a bat of 0.965 m (Law 5) held 0.07 m from its end by a batter 1.5 m tall; 2.1 trunk
#: lengths. And the least that the bat of a batter shows when it shows most: 0.65 m below the hands at 1.95 m is 0.33, seen from a steep angle.
REACH, SHORTEST_BAT = 0.6, 0.22

#: A skeleton's tip of less confidence than this is refused: readers of such files mark so the tips that no bat reaches.
SURE = 0.3

#: A skeleton's tip nearer to the hands than this, in body heights (0.2 trunk lengths), is what its program writes when it saw no bat.
IN_HANDS = 0.06

#: Nor is a tip there and back this fast, body heights a second: 50 m/s at 1.75 m, where the best hit at about 30.
FLIGHT = 29.0

#: The hands are quickest this near the tip's peak in the same stroke, s (48 drawn strokes: 0.12 before to 0.25 after).
STROKE = 0.3

#: A stroke is seen when no measured frames this near the hands' quickest moment, s, lie farther apart than two steps of the clip.
AROUND = 0.1

#: What a frame missing at the peak adds to its relative sigma: of drawn clips measured from pixels one missed its peak by 24 % with three frames missing,
#: others by 0 to 8 % with two to four. Rough, but the curve's own sigma was several times too small.
UNSEEN = 0.06

#: What reading the toe in pictures adds to a peak's relative sigma: on 20 drawn clips peaks were off by 7.6 % RMS where the curve said about 3. Errors
#: in the smears of the fastest frames go together.
READ = 0.07

#: A gap in such tips may be crossed faster than the peak by this part of it, as toes are a little off.
SKIPPED = 0.15

#: A peak of such tips whose sigma is a larger part of it is not told.
VAGUE = 0.25

#: Nor one that is so many times what was measured anywhere: of a pulse 0.1 s wide at half its height two frames missing at 25 a second leave
#: neighbours at 1 / 2.7 of its top, and a curve that leaps higher out of its neighbours has nothing to rest on.
LEAP = 2.5

#: Measured frames that a peak of tips read from the picture has on each side within :data:`.swing.LONGEST_GAP`.
BESIDE = 2

#: When this part of the tips is impossible, what is left isn't a bat either.
TOO_MANY = 0.2


def impossible_tips(t: np.ndarray, hands: np.ndarray, tip: np.ndarray, heights: np.ndarray, sigma: float, told: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], bool]:
    """Tips that can't be the bat's.

    Parameters
    ----------
    t : (T,) s
    hands, tip : (T, 2) px of the reference frame; NaN where unknown
    heights : (T,) px of the reference frame
        The batter's height; changing only where the camera's zoom isn't known.
    sigma : float
        Relative standard error of it; twice that is given as grace.
    told : (T,)
        Confidence of the tips that come from a skeleton, NaN for the others: of what nobody saw, the unsure ones and those in the
        hands are refused as well. A tip that was seen may lie in the hands, end-on.

    Returns
    -------
    (T,) bool
        Tips to refuse.
    tuple of str
        Sentences that say why.
    bool
        Nothing of the track is to be believed.
    """
    grace = 1 + 2 * sigma
    length = np.linalg.norm(tip - hands, axis=1) / heights
    seen = np.isfinite(length)
    count = int(seen.sum())
    none = np.zeros(len(t), bool)
    if not count:
        return none, (), False
    said = []
    far = seen & (np.nan_to_num(length) > REACH * grace)
    if far.any():
        said.append(
            f"{int(far.sum())} of {count} tips lie farther from the hands than any bat reaches (up to {np.nanmax(length):.2f} body heights; {REACH:g} is the most) and were refused."
        )
    unsure = seen & ~far & (np.nan_to_num(told, nan=1.0) < SURE)
    if unsure.any():
        said.append(f"{int(unsure.sum())} of {count} tips have a confidence under {SURE:g} in the skeleton's file and were refused.")
    near = seen & ~unsure & np.isfinite(told) & (np.nan_to_num(length) < IN_HANDS)
    if near.any():
        said.append(f"{int(near.sum())} of {count} tips lie in the hands, where no bat ends, and were refused.")
    flying = _flying(t, tip / heights[:, None], seen & ~far & ~near & ~unsure)
    if flying.any():
        said.append(f"{int(flying.sum())} tips jump away and back faster than {FLIGHT:g} body heights a second and were refused.")
    refused = far | unsure | near | flying
    good = seen & ~refused
    if not good.any() or np.percentile(length[good], 95) * grace < SHORTEST_BAT:
        longest = np.percentile(length[good], 95) if good.any() else np.nan
        if good.any():
            said.append(f"The tip never leaves the hands by more than {longest:.2f} body heights: that is no bat.")
        return seen, tuple(said), True
    return refused, tuple(said), bool(refused.sum() > TOO_MANY * count)


def marks_flag(marked: np.ndarray, refused: np.ndarray, frames: np.ndarray) -> tuple[str, ...]:
    """Which of the user's marks the swing left out as outliers.

    Parameters
    ----------
    marked, refused : (N,) bool
        Tips that a person marked; and those that the tips beside them speak against.
    frames : (N,) int
        Their frames.
    """
    odd = frames[marked & refused]
    if not len(odd):
        return ()
    if len(odd) == 1:
        return (f"The mark in frame {odd[0]} doesn't fit the tips beside it and was left out: put it right, or mark the frames beside it as well.",)
    named = f"{', '.join(map(str, odd[:-1]))} and {odd[-1]}"
    return (f"The marks in frames {named} don't fit the tips beside them and were left out: put them right, or mark the frames beside them as well.",)


def _flying(t: np.ndarray, tip: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Samples that are reached and left faster than a bat flies, while their neighbours are near each other."""
    out = np.zeros(len(t), bool)
    seen = np.flatnonzero(there)
    if len(seen) < 3:
        return out
    step = np.linalg.norm(np.diff(tip[seen], axis=0), axis=1) / np.diff(t[seen])
    past = np.linalg.norm(tip[seen[2:]] - tip[seen[:-2]], axis=1) / (t[seen[2:]] - t[seen[:-2]])
    out[seen[1:-1][(step[:-1] > FLIGHT) & (step[1:] > FLIGHT) & (past < FLIGHT / 2)]] = True
    return out


def blur_flag(speed: float, length: float, interval: float, exposure: float | None) -> tuple[str, ...]:
    """Where the peak smears the tip over more than half the bat's length in one exposure.

    Parameters
    ----------
    speed, length : float
        Peak tip speed and the bat's length from the hands, px/s and px of the same picture.
    interval : float
        From frame to frame, s.
    exposure : float, optional
        s; half the interval when not known.
    """
    smear = speed * (exposure if exposure is not None else 0.5 * interval) / length
    if not smear > 0.5:
        return ()
    how = f"in an exposure of {1000 * exposure:.0f} ms" if exposure is not None else "if the shutter is open for half of each frame"
    return (f"At the peak the tip smears over {smear:.1f} bat lengths {how}: its place, and so the peak, may be off by more than the \u03c3 says.",)


def doubt_peak(
    clock: np.ndarray, hand: tuple[np.ndarray, np.ndarray], tip: np.ndarray, speed: np.ndarray, peak: Peak, told: Peak, body: Scale | None, read: bool
) -> str:
    """The first sentence against telling a peak; empty when it may stand.

    Parameters
    ----------
    clock : (T,) s
    hand : (T,), (T,)
        Speed of the hands and its standard error, px/s of the reference frame.
    tip : (T, 2) px of the reference frame
        NaN where it wasn't seen, or was refused.
    speed : (T,)
        Of the tip, in the unit that is told; NaN where it wasn't measured.
    peak, told : Peak
        In px/s of the reference frame; and as it would be told, in the unit of ``speed``, its sigma with all that widens it.
    body : Scale, optional
        Body heights.
    read : bool
        The tips were read from the picture, where one wrong tip makes a peak: more is asked then.
    """
    doubt = flying_peak(peak, body) or hidden_stroke(clock, *hand, speed, peak.t)
    if doubt or not read:
        return doubt
    return skipped_stroke(clock, tip, peak) or loose_peak(clock, speed, peak.t) or vague_peak(told) or leaping_peak(speed, told)


def hidden_stroke(clock: np.ndarray, hands: np.ndarray, sigma: np.ndarray, speed: np.ndarray, peak_t: float) -> str:
    """The sentence for a peak that isn't the stroke's: elsewhere the hands are far quicker, and the bat isn't seen all the way there.

    Parameters
    ----------
    clock : (T,) s
    hands, sigma : (T,)
        Speed of the hands and its standard error.
    speed : (T,)
        Of the tip, NaN where it wasn't measured.
    peak_t : float
        When the tip was fastest of all that was seen, s.

    Returns
    -------
    str
        Empty when the peak may stand: the hands are quickest within :data:`STROKE` of it, or where the tip was measured without a gap.
    """
    if not np.isfinite(hands).any():
        return ""
    quick = int(np.nanargmax(hands))
    near = hands[np.abs(clock - peak_t) <= STROKE]
    there = float(np.nanmax(near)) if np.isfinite(near).any() else 0.0
    seen = clock[np.isfinite(speed)]
    gaps = (np.diff(seen) > 2.5 * float(np.median(np.diff(clock)))) & (seen[:-1] < clock[quick] + AROUND) & (seen[1:] > clock[quick] - AROUND)
    whole = np.isfinite(speed[quick]) and not gaps.any()
    if whole or abs(clock[quick] - peak_t) <= STROKE or hands[quick] - 3 * sigma[quick] <= there:
        return ""
    return (
        f"No peak is told: the hands are quickest at {clock[quick]:.2f} s, where the bat isn't seen all the way, and what was seen is slower; mark the tip in two or "
        "three frames about then, or give a mask."
    )


def flying_peak(peak: Peak, body: Scale | None) -> str:
    """The sentence for a peak that no bat reaches: tips of something else are in the track.

    Parameters
    ----------
    peak : Peak
        px/s of the reference frame.
    body : Scale, optional
        Body heights; without them nothing is said.

    Returns
    -------
    str
        Empty when the peak may stand.
    """
    if body is None or peak.value <= FLIGHT * body.px_per_unit * (1 + 2 * body.sigma):
        return ""
    return (
        f"No peak is told: the curve reaches {peak.value / body.px_per_unit:.0f} body heights a second, where no bat is faster than {FLIGHT:g}: some tips are "
        "something else's; mark the tip in two or three frames, or give a mask."
    )


def vague_peak(peak: Peak) -> str:
    """The sentence for a peak that is known too badly to be told: its sigma is more than :data:`VAGUE` of it; empty when it may stand."""
    if peak.sigma <= VAGUE * peak.value:
        return ""
    return (
        f"No peak is told: from what was seen of the bat it would be known to {100 * peak.sigma / peak.value:.0f} % only; mark the tip in two or three frames "
        f"about {peak.t:.2f} s, or give a mask."
    )


def leaping_peak(speed: np.ndarray, peak: Peak) -> str:
    """The sentence for a peak that is only drawn: more than :data:`LEAP` times the largest of the speeds (T,) measured, in its own unit; else empty."""
    most = float(np.nanmax(speed))
    if peak.value <= LEAP * most:
        return ""
    return (
        f"No peak is told: it would lie about {peak.t:.2f} s where the bat was not seen, {peak.value / most:.1f} times as fast as wherever it was; mark the tip in "
        "two or three frames there, or give a mask."
    )


def skipped_stroke(clock: np.ndarray, tip: np.ndarray, peak: Peak) -> str:
    """The sentence for a peak that is slower than the tip was, on average and by the shortest way, while it wasn't seen.

    Parameters
    ----------
    clock : (T,) s
    tip : (T, 2) px of the reference frame
        NaN where it wasn't seen.
    peak : Peak
        px/s of the reference frame.

    Returns
    -------
    str
        Empty when the peak may stand: no gap was crossed faster by more than :data:`SKIPPED` of it.
    """
    seen = np.flatnonzero(np.isfinite(tip[:, 0]))
    gaps = np.flatnonzero(np.diff(clock[seen]) > 1.5 * float(np.median(np.diff(clock))))
    if not len(gaps):
        return ""
    crossed = np.linalg.norm(np.diff(tip[seen], axis=0), axis=1)[gaps] / np.diff(clock[seen])[gaps]
    if crossed.max() <= (1 + SKIPPED) * peak.value:
        return ""
    when = clock[seen[gaps[crossed.argmax()]]]
    return (
        f"No peak is told: from {when:.2f} s on the bat was faster than anywhere else, but wasn't seen on its way; mark the tip in two or three frames about then, "
        "or give a mask."
    )


def loose_peak(clock: np.ndarray, speed: np.ndarray, peak_t: float) -> str:
    """The sentence for a peak at the end of a run of measured frames, where one wrong tip makes a speed: :data:`BESIDE` have to stand on both sides.

    Parameters
    ----------
    clock : (T,) s
    speed : (T,)
        NaN where it wasn't measured.
    peak_t : float
        s

    Returns
    -------
    str
        Empty when the peak may stand.
    """
    seen = clock[np.isfinite(speed)]
    before, after = (int(((side * (peak_t - seen) >= 0) & (np.abs(seen - peak_t) <= LONGEST_GAP)).sum()) for side in (1, -1))
    if min(before, after) >= BESIDE:
        return ""
    return (
        f"No peak is told: the largest speed lies at {peak_t:.2f} s, where what was seen of the bat begins or ends, and one wrong tip would make it; mark the "
        "tip in two or three frames about then, or give a mask."
    )


def unseen_flag(clock: np.ndarray, speed: np.ndarray, peak_t: float) -> tuple[str, ...]:
    """Where the peak lies between two measured frames that are farther apart than two steps of the clip."""
    ends = _ends(clock, speed, peak_t)
    if ends is None:
        return ()
    return (
        f"The peak was not seen: it lies between two measured frames {clock[ends[1]] - clock[ends[0]]:.2f} s apart, where the curve is only drawn "
        "through; mark the tip there if it shows.",
    )


def widen_unseen(peak: Peak, clock: np.ndarray, value: np.ndarray) -> Peak:
    """A peak that was not seen, with a sigma that says so.

    Between the measured frames about it the curve is drawn by its stiffness, and a stroke's pulse may be narrower: :data:`UNSEEN` of the peak for
    each frame that is missing there joins its sigma.

    Parameters
    ----------
    peak : Peak
    clock, value : (T,)
        Times and measured values, NaN where there is none.
    """
    ends = _ends(clock, value, peak.t)
    if ends is None:
        return peak
    missing = (clock[ends[1]] - clock[ends[0]]) / float(np.median(np.diff(clock))) - 1
    return replace(peak, sigma=float(np.hypot(peak.sigma, UNSEEN * missing * peak.value)))


def widen_read(peak: Peak) -> Peak:
    """A peak of tips that were read from the picture: :data:`READ` of it joins its sigma."""
    return replace(peak, sigma=float(np.hypot(peak.sigma, READ * peak.value)))


def _ends(clock: np.ndarray, value: np.ndarray, peak_t: float) -> tuple[int, int] | None:
    """The measured frames before and after a peak, when more than two steps of the clip lie between them."""
    seen = np.flatnonzero(np.isfinite(value))
    after = int(np.searchsorted(clock[seen], peak_t))
    if not 0 < after < len(seen) or clock[seen[after]] - clock[seen[after - 1]] <= 2.5 * float(np.median(np.diff(clock))):
        return None
    return int(seen[after - 1]), int(seen[after])


def repeats_flag(t: np.ndarray, repeat: np.ndarray, peak_t: float, late: np.ndarray) -> str:
    """How many frames repeat, how many near the peak, and whether the times there (``late``: their sigma, s) are unsure."""
    near = np.abs(t - peak_t) < 0.15 if np.isfinite(peak_t) else np.zeros(len(t), bool)
    said = f"{int(repeat.sum())} frames repeat the one before and were left out of time"
    if (repeat & near).any():
        said += f", {int((repeat & near).sum())} of them near the peak"
        said += ", where the others came unevenly: their times are known to a frame, and the \u03c3 is wider for it" if late[near].any() else ""
    return said + "."
