"""Fast toes read again: the smear that a bat on its way through the exposure leaves, drawn for many toes and held against the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bat_image import Look
from .bat_patches import SIDE, at

#: Pixels of the view that one pixel of the comparison takes.
_COARSE = 2

#: Frames on each side whose pictures make the ground behind the bat, and how many have to show a place.
_NEAR, _FEWEST = 8, 4

#: Part of the bat that is drawn, from the hands, and half its width, bat lengths.
_FROM, _HALF = 0.35, 0.055

#: Nothing is compared this near the hands, bat lengths: they move as well.
_HANDS = 0.3

#: Moments in the exposure at which the bat is drawn.
MOMENTS = np.linspace(-0.5, 0.5, 9) * (8 / 9)

#: Difference, grey levels, beyond which a pixel shows something else than bat or ground; pixels that err together; by how much the bat's colour
#: differs from frame to frame as its faces turn, grey levels; least and largest noise of a pixel, grey levels.
_ELSE, _TOGETHER, _TINT, _NOISE = 40.0, 30.0, 30.0, (3.0, 15.0)


@dataclass(frozen=True)
class Smear:
    """A bat during one exposure.

    Attributes
    ----------
    angle, reach : float; rad, px of the view
        Of hands → toe at the middle of the exposure.
    turn, stretch : float; rad, px of the view
        By how much both change from its beginning to its end.
    """

    angle: float
    reach: float
    turn: float
    stretch: float

    def toes(self, hands: np.ndarray) -> np.ndarray:
        """(S, 2) px of the view, at the moments of the exposure."""
        angle, reach = self.angle + MOMENTS * self.turn, self.reach + MOMENTS * self.stretch
        return hands + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


class Ground:
    """What the picture of a look shows, and what it would show without the bat: what the pictures around show there.

    Parameters
    ----------
    looks : sequence of Look
        Of one stretch.
    k : int
        Which of them.
    bats : sequence of sequences of (4, 2) px of the reference frame
        Corners of what the bat fills in each of ``looks``: left out.
    arms : (SIDE, SIDE) float32
        1 where nothing is compared.
    """

    def __init__(self, looks: Sequence[Look], k: int, bats: Sequence[Sequence[np.ndarray]], arms: np.ndarray) -> None:
        import cv2

        look = looks[k]
        near = [n for n in range(max(0, k - _NEAR), min(len(looks), k + _NEAR + 1)) if n != k]
        ground, known = _behind(look, [looks[n] for n in near], [bats[n] for n in near])
        known &= look.patch.inside()
        side = SIDE // _COARSE
        small = lambda plane: cv2.resize(plane.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)  # noqa: E731
        back, seen, weight = small(ground), small(look.patch.view()), (small(known) > 0.99) * (1 - small(arms))
        self._back, self._off = back, seen - back
        noise = np.clip(1.48 * np.median(np.abs(self._off)[weight > 0]), *_NOISE) if weight.any() else _NOISE[1]
        # What no bat would do to the ground counts less.
        self._scale = weight / (3 * noise**2 * _TOGETHER) / (1 + (self._off**2).sum(axis=2) / (3 * _ELSE**2))

    def gain(self, hands: np.ndarray, smear: Smear, colour: np.ndarray, length: float) -> tuple[float, float]:
        """Log likelihood gained by a bat over no bat, and what would be gained if all of it were there as drawn.

        Parameters
        ----------
        hands : (S, 2) px of the view
            At the moments of the exposure.
        smear : Smear
        colour : (3,) grey levels
            Of the blade, to within :data:`_TINT`.
        length : float
            Full bat length, px of the view.

        Returns
        -------
        gained, could : float
            The likelihood is that of Gaussian noise about (1 − α) ground + α bat, α the part of the exposure in which the bat covers a pixel; the
            bat's colour is fitted, held to ``colour`` by :data:`_TINT`.
        """
        side, unit = len(self._scale), length / _COARSE
        hands, toes = ((part - 0.5) / _COARSE for part in (hands, smear.toes(hands)))
        both = np.concatenate([hands, toes])
        low = np.clip(np.floor(both.min(axis=0) - 3), 0, side - 1).astype(int)
        high = np.clip(np.ceil(both.max(axis=0) + 4), low + 1, side).astype(int)
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        x, y = np.arange(low[0], high[0])[None, :], np.arange(low[1], high[1])[:, None]
        arm = toes - hands
        reach = np.maximum(np.hypot(*arm.T), 1e-3)[:, None, None]
        (c, s), (ax, ay) = (arm.T[:, :, None, None] / reach[None]).astype(np.float32), hands.T[:, :, None, None].astype(np.float32)
        dx, dy = x.astype(np.float32) - ax, y.astype(np.float32) - ay
        along, off = dx * c + dy * s, np.abs(dy * c - dx * s)
        ends = np.clip(np.minimum(along - np.float32(_FROM) * reach, reach - along) + 0.5, 0, 1)
        cover = (np.clip(np.float32(_HALF * unit + 0.5) - off, 0, 1) * ends).sum(axis=0)
        middle = hands[len(hands) // 2]
        cover[np.hypot(x - middle[0], y - middle[1]) < _HANDS * unit] = 0
        there = np.flatnonzero(cover.ravel() > 0.01 * len(toes))
        cover = cover.ravel()[there][:, None] / len(toes)
        scale, off, back = (plane[part].reshape((high - low).prod(), -1)[there] for plane in (self._scale, self._off, self._back))
        prior = 1 / _TINT**2
        weight = scale * cover
        found = ((weight * (off + cover * back)).sum(axis=0) + prior * colour) / ((weight * cover).sum() + prior)
        change = cover * (found - back)
        gained = (scale * (2 * off - change) * change).sum() / 2 - prior * ((found - colour) ** 2).sum() / 2
        return float(gained), float((scale * change**2).sum() / 2)


def _behind(look: Look, others: Sequence[Look], bats: Sequence[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Median of what other frames show in a look's view beside their bats, (SIDE, SIDE, 3) uint8; where enough of them do, (SIDE, SIDE) bool."""
    import cv2

    shown = np.full((len(others), SIDE, SIDE, 3), 255, np.uint8)
    count = np.zeros((SIDE, SIDE), np.int64)
    across = look.patch.to_view @ np.linalg.inv(look.patch.to_reference)
    for m, (other, bat) in enumerate(zip(others, bats, strict=True)):
        image, known = other.patch.seen_from(look.patch)
        hidden = np.zeros(known.shape, np.uint8)
        for corners in bat:
            cv2.fillConvexPoly(hidden, np.round(np.clip(at(across, corners), -1e4, 1e4)).astype(np.int32), 1)
        known &= hidden == 0
        shown[m][known] = image[known]
        count += known
    # What isn't shown sorts to the end.
    shown.sort(axis=0)
    return np.take_along_axis(shown, (np.maximum(count - 1, 0) // 2)[None, :, :, None], axis=0)[0], count >= _FEWEST
