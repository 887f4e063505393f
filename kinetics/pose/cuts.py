"""Hard cuts: where a picture has nothing to do with the one before."""

from __future__ import annotations

import cv2
import numpy as np

#: Grey levels by which a place has to change to take part: what stays (a logo, a score bar) says nothing about a cut.
_CHANGED = 10

#: Share of the picture that a cut changes at least.
_LEAST_CHANGED = 0.25

#: A cut when fewer of the corners than this can be found again in the next picture. Measured on real clips: at a cut 0.10 and 0.25,
#: in the fastest pan and in flicker without one 0.53 and more.
_LEAST_FOUND = 0.45


class CutFinder:
    """Looks at one picture after the other."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def is_cut(self, image: np.ndarray) -> bool:
        """Whether (H, W, 3) uint8 RGB begins a new shot; False for the first picture."""
        # Every nth pixel first: the mean over the rest is good enough and a large picture's would cost time.
        step = max(1, min(image.shape[:2]) // 216)
        thin = cv2.cvtColor(np.ascontiguousarray(image[::step, ::step]), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(thin, (192, 108), interpolation=cv2.INTER_AREA)
        last, self._last = self._last, small
        return last is not None and changed_share(last, small) >= _LEAST_CHANGED and found_share(last, small) < _LEAST_FOUND


def _changed(last: np.ndarray, now: np.ndarray) -> np.ndarray:
    return (cv2.GaussianBlur(cv2.absdiff(last, now), (0, 0), 1.5) >= _CHANGED).astype(np.uint8)


def changed_share(last: np.ndarray, now: np.ndarray) -> float:
    """Share of the picture that changed; grey uint8 pictures of one size."""
    return float(_changed(last, now).mean())


def found_share(last: np.ndarray, now: np.ndarray) -> float:
    """Share of the corners of the changed part that optical flow finds again, there and back within a pixel; 0 when it has none."""
    mask = cv2.dilate(_changed(last, now), np.ones((5, 5), np.uint8))
    corners = cv2.goodFeaturesToTrack(last, 150, 0.01, 5, mask=mask)
    if corners is None:
        return 0.0
    there, seen, _ = cv2.calcOpticalFlowPyrLK(last, now, corners, None, winSize=(15, 15), maxLevel=3)
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(now, last, there, None, winSize=(15, 15), maxLevel=3)
    returned = np.linalg.norm(back - corners, axis=2) < 1.0
    return float((returned & (seen == 1) & (seen_back == 1)).mean())
