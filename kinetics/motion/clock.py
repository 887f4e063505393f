"""When the pictures of a clip with repeated frames were taken.

A clip of 24 pictures a second stored at 30 shows each picture at the first of its own frames after it was taken: its timestamp is late by anything
up to one frame. Velocities on those stamps alternate: measured on drawn swings, 20 and 24 pictures a second stored at 30, they put the peak off by
16 to 25 % in the middle and the sigma by far too small; on even times 1 to 5 %, as with the true ones. Where the repeats follow no pattern nobody knows: frames may have been
lost, and the stamps of the others be right, or they may be late; then the stamps stand and count as known to a frame.

All times together may still be off by half a frame: programs show a picture at the first frame after it was taken, or at the nearest one, and a
clip doesn't say which. No speed feels that, and the numbers of a frame are those of its picture; only the moment of a peak is less sure.
"""

from __future__ import annotations

import numpy as np

#: A repeat tells something about the clock this many kept frames around it; farther away the stamps stand as they are.
REACH = 16

#: Pull towards the stamps against unevenness: enough to fix what evenness leaves open, which is a common shift.
_PULL = 1e-2

#: Over so many kept frames either way, even pictures have intervals within this part of each other: 0.16 at most in tests with 12 to 25 pictures
#: a second shown at 30 or 60. Where they spread more the source itself was uneven, or frames were lost on the way.
ABOUT, UNEVEN = 6, 0.3

#: A stretch of which no more than this part is uneven (its ends, where the stamps take over) was taken evenly.
MOSTLY = 0.15


def picture_times(t: np.ndarray, repeat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times of the frames that aren't repeats, as even as their stamps allow.

    Around repeats the times s minimise the sum of squared second differences with |s - t| <= half a frame. Where that makes them even they are
    taken; elsewhere, and without repeats, s = t.

    Parameters
    ----------
    t : (T,) s
        The frames' own timestamps.
    repeat : (T,) bool

    Returns
    -------
    (n,) s
        One per frame that isn't a repeat; increasing.
    (n,) s
        Standard error of each: 0 where the pictures were taken evenly or nothing repeats, else that of a time known to one frame, frame/sqrt(12).
    """
    from scipy.ndimage import maximum_filter1d, minimum_filter1d
    from scipy.optimize import lsq_linear
    from scipy.sparse import diags_array, eye_array, vstack

    kept = np.flatnonzero(~repeat)
    times, sigma = t[kept].astype(float), np.zeros(len(kept))
    if not repeat.any() or len(kept) < 3:
        return times, sigma
    frame = float(np.median(np.diff(t)))
    followed = np.diff(np.append(kept, len(t))) > 1  # kept frames whose picture is shown again
    near = maximum_filter1d(followed.astype(np.int8), 2 * REACH + 1, mode="constant") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], near, [False]]).astype(int)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        count = end - first
        if count < 3:
            continue
        stamps = times[first:end].copy()
        second = diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(count - 2, count))
        system = vstack([second, _PULL * eye_array(count)]).tocsr()
        low, high = np.full(count, -0.5), np.full(count, 0.5)
        for edge, inside in ((0, first > 0), (-1, end < len(times))):
            if inside:  # where the stamps stand as they are beyond, nothing may jump
                low[edge], high[edge] = -1e-6, 1e-6
        moved = lsq_linear(system, np.concatenate([-(second @ stamps) / frame, np.zeros(count)]), bounds=(low, high)).x
        # Half a frame each way never crosses two stamps; the solver may end a hair off its bounds.
        even = stamps + frame * np.clip(moved, -0.499, 0.499)
        step = np.diff(even)
        spread = maximum_filter1d(step, 2 * ABOUT) - minimum_filter1d(step, 2 * ABOUT)
        if np.mean(spread > UNEVEN * np.median(step)) <= MOSTLY:
            times[first:end] = even
        else:
            sigma[first:end] = frame / np.sqrt(12)
    return times, sigma


def shot_clock(t: np.ndarray, here: np.ndarray, repeat: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """(T,) s when the pictures of the measured shot were taken, the standard error of each against the others, and, s, of all together.

    Repeats have their stamps.
    """
    clock, late = np.array(t), np.zeros(len(t))
    frames = np.flatnonzero(here)
    kept = frames[~repeat[frames]]
    clock[kept], late[kept] = picture_times(t[frames], repeat[frames])
    return clock, late, float(np.median(np.diff(t)) / np.sqrt(12)) if repeat[frames].any() else 0.0


def stretch_sigma(clock: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Relative standard error that unsure times leave in a velocity, which is seen over two intervals: sqrt(2) sigma_t / (t+ - t-)."""
    span = np.full(len(clock), np.inf)
    span[1:-1] = clock[2:] - clock[:-2]
    return np.sqrt(2) * late / span
