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

#: Difference, grey levels, beyond which a pixel shows something else than bat or ground; pixels that err together; least and largest noise of a
#: pixel, grey levels.
_ELSE, _TOGETHER, _NOISE = 40.0, 30.0, (3.0, 15.0)

#: Of a change this much, grey levels, may be missing: codecs flatten what is faint, and what lies behind isn't known better.
_FAINT = 5.0

#: What it costs to take the bat to be behind the body, log likelihood.
_HIDDEN = 2.0

#: Bands of the blade that are coloured each by itself: stickers differ from the wood. By how much a band's colour differs at least from frame to
#: frame as the faces turn in the light, and with it those of all bands together, grey levels.
BANDS, _TINT, _LIGHT = 8, 35.0, 15.0


@dataclass(frozen=True)
class Blade:
    """Colours along the blade, hands -> toe, from :data:`_FROM` to its end.

    Attributes
    ----------
    colour : (BANDS, 3) grey levels
    spread : (BANDS,) grey levels
        Standard deviation from frame to frame.
    """

    colour: np.ndarray
    spread: np.ndarray

    @classmethod
    def seen(cls, pictures: Sequence[np.ndarray], hands: Sequence[np.ndarray], toes: Sequence[np.ndarray]) -> Blade:
        """From sharp bats: pictures (H, W, 3), and (2,) px hands and toes of each, the whole of them inside."""
        found = []
        middles = _FROM + (1 - _FROM) * (np.arange(BANDS)[:, None] + np.linspace(0.15, 0.85, 5)) / BANDS
        for picture, hand, toe in zip(pictures, hands, toes, strict=True):
            points = np.round(hand + middles[..., None] * (toe - hand)).astype(int)
            x, y = (np.clip(points[..., axis], 0, picture.shape[1 - axis] - 1) for axis in (0, 1))
            found.append(np.median(picture[y, x].astype(np.float64), axis=1))
        colour = np.median(found, axis=0)
        return cls(colour, 1.48 * np.median(np.abs(found - colour), axis=0).mean(axis=1))

    def covariance(self) -> np.ndarray:
        """(BANDS, BANDS) of a colour from frame to frame: each band's own, and the light on all of them."""
        return np.diag(_TINT**2 + self.spread**2) + _LIGHT**2


@dataclass(frozen=True)
class Smear:
    """A bat during one exposure.

    Attributes
    ----------
    angle, reach : float; rad, px of the view
        Of hands -> toe at the middle of the exposure.
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
    arms, body : (SIDE, SIDE) float32
        1 where nothing is compared; and where the bat may be hidden.
    """

    def __init__(self, looks: Sequence[Look], k: int, bats: Sequence[Sequence[np.ndarray]], arms: np.ndarray, body: np.ndarray) -> None:
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
        self._free = 1 - small(body)

    def gain(self, hands: np.ndarray, smear: Smear, blade: Blade, length: float) -> tuple[float, float]:
        """Log likelihood gained by a bat over no bat, and what would be gained if all of it were there as drawn.

        Parameters
        ----------
        hands : (S, 2) px of the view
            At the moments of the exposure.
        smear : Smear
        blade : Blade
        length : float
            Full bat length, px of the view.

        Returns
        -------
        gained, could : float
            The likelihood is that of Gaussian noise about (1 - sum alpha) ground + sum alpha c, alpha the part of the exposure in which a band of the blade covers a
            pixel and c its colour, which is fitted, held to ``blade`` by its covariance; of a bat in front of the body, or of one behind it where
            that is likelier.
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
        cover = (np.clip(np.float32(_HALF * unit + 0.5) - off, 0, 1) * ends).reshape(len(toes), -1)
        middle = hands[len(hands) // 2]
        cover[:, (np.hypot(x - middle[0], y - middle[1]) < _HANDS * unit).ravel()] = 0
        there = np.flatnonzero(cover.sum(axis=0) > 0.01 * len(toes))
        if not len(there):
            return 0.0, 0.0
        cover = cover[:, there] / len(toes)
        band = np.clip((along / reach - _FROM) * (BANDS / (1 - _FROM)), 0, BANDS - 1).astype(int).reshape(len(toes), -1)[:, there]
        share = np.bincount((band * len(there) + np.arange(len(there))).ravel(), cover.ravel(), BANDS * len(there)).reshape(BANDS, -1)
        scale, off, back = (plane[part].reshape((high - low).prod(), -1)[there].astype(np.float64) for plane in (self._scale, self._off, self._back))
        # What changes at a pixel is sum alpha (c - ground): linear in the colours.
        ground = share.sum(axis=0)[:, None] * back
        prior = np.linalg.inv(blade.covariance())
        found = []
        for weight, cost in ((scale, 0.0), (scale * self._free[part].ravel()[there, None], _HIDDEN)):
            weighed = weight[:, 0] * share
            colour = np.linalg.solve(weighed @ share.T + prior, weighed @ (off + ground) + prior @ blade.colour)
            change, away = share.T @ colour - ground, colour - blade.colour
            seen, whole = off * np.sign(change), np.abs(change)
            missed = seen - np.clip(seen, np.maximum(whole - _FAINT, 0), whole)
            gained = (weight * (off**2 - missed**2)).sum() / 2 - (away * (prior @ away)).sum() / 2
            found.append((float(gained) - cost, float((weight * change**2).sum() / 2)))
        return max(found)


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
