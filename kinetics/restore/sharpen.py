"""How soft a picture is, measured at its edges, and the softness taken back as far as the noise allows."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.fft

#: Edges of a good picture are this soft (px, standard deviation): lens, sensor, and the grid itself.
SHARP = 0.65
#: Softness that is left alone: within what the measure errs by.
TOLERATED = 0.25
#: The picture is blurred again by this much (px) to see how much its edges change.
_AGAIN = 1.0
#: Frequencies (cycles per px) beyond which a soft picture shows nothing, and the width over which power is averaged.
_BEYOND, _AROUND = 0.52, 9
#: Noise is counted so many times: what is left of it is not quite white.
_OVER = 4.0
#: How far a pixel may leave the range of those around it, in parts of that range: more would be a halo.
_ROOM = 0.6


def measure_blur(luma: np.ndarray, noise: float = 0.0) -> float:
    """Softness of the sharper edges of a picture.

    An edge of softness s has the slope 1/s, and blurred again by a the slope 1/sqrt(s² + a²): the ratio of both tells s (Zhuo and Sim,
    Pattern Recognition 44, 2011, doi:10.1016/j.patcog.2011.03.009).

    Parameters
    ----------
    luma : (H, W) float32
        0-255.
    noise : float
        Standard deviation of what grain there is; weaker edges are left out.

    Returns
    -------
    float
        Standard deviation, px, as a slope taken over two pixels sees it (which adds up to 0.76 px in squares), of the sharper edges (a tenth are sharper); NaN where a picture has hardly any.
    """
    slopes = [_slope(luma), _slope(cv2.GaussianBlur(luma, (0, 0), _AGAIN))]
    # A soft texture has slopes too; the steep ones are those of edges.
    strong = slopes[0] > max(12.0, 6 * noise, 0.4 * float(np.quantile(slopes[0], 0.998)))
    ridge = strong & (slopes[0] >= cv2.dilate(slopes[0], np.ones((3, 3))) - 1e-3)
    ratio = slopes[0][ridge] / np.maximum(slopes[1][ridge], 1e-3)
    if len(ratio) < 30:
        return float("nan")
    softness = _AGAIN / np.sqrt(np.maximum(ratio**2 - 1, 1e-3))
    return float(np.quantile(softness, 0.1))


def _slope(luma: np.ndarray) -> np.ndarray:
    across, down = cv2.Scharr(luma, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(luma, cv2.CV_32F, 0, 1) / 32
    return np.sqrt(across**2 + down**2)


def sharpen(plane: np.ndarray, blur: float, noise: float, most: float) -> np.ndarray:
    """Bring a picture that is ``blur`` soft to :data:`SHARP`.

    Wiener's filter with the power read from the picture itself: a frequency is raised by what the blur took from it, and less the more of
    it is noise. What leaves the range of the pixels around is held back, so that edges get no halos.

    Parameters
    ----------
    plane : (H, W) float32
        Luma or chroma.
    blur : float
        Measured softness, px.
    noise : float
        Standard deviation of the noise left, grey levels; at least that of the finest frequencies is counted.
    most : float
        No frequency is raised more than this.

    Returns
    -------
    (H, W) float32
    """
    height, width = plane.shape
    pad = 24
    high, wide = (cv2.getOptimalDFTSize(side + 2 * pad) for side in (height, width))
    framed = cv2.copyMakeBorder(plane, pad, high - height - pad, pad, wide - width - pad, cv2.BORDER_REFLECT)
    spectrum = scipy.fft.rfft2(framed)
    squared = (scipy.fft.fftfreq(high)[:, None] ** 2 + scipy.fft.rfftfreq(wide)[None] ** 2).astype(np.float32)
    gain = np.minimum(np.exp(2 * np.pi**2 * (blur**2 - SHARP**2) * squared), most)
    power = cv2.blur(np.abs(spectrum) ** 2, (_AROUND, _AROUND), borderType=cv2.BORDER_REFLECT)
    floor = float(np.median(power[squared > _BEYOND**2]))
    grain = _OVER * max(noise**2 * high * wide, floor, 1e-6)
    signal = np.maximum(power - grain, 0)
    # Least error after a gain g on signal S with noise N: S / (S + N) of it.
    spectrum *= 1 + (gain - 1) * signal / (signal + grain)
    sharp = scipy.fft.irfft2(spectrum, s=(high, wide))[pad : pad + height, pad : pad + width]
    low, top = cv2.erode(plane, np.ones((5, 5))), cv2.dilate(plane, np.ones((5, 5)))
    room = _ROOM * (top - low) + 1
    return np.clip(sharp, low - room, top + room)


def find_smear(luma: np.ndarray, blur: float, noise: float) -> np.ndarray:
    """(H, W) 0-1: where edges are much softer than the picture's own softness: smeared by motion, or out of focus.

    Of an edge of softness s, blurred again by 1 and by 3 px, fine detail over coarse tells s: a step's error function of widths a and b
    differs by sqrt(2(a² + b²)) - a - b in squares. From one and a half times ``blur`` on an edge counts as smeared, at three times all through.
    """
    once, thrice = cv2.GaussianBlur(luma, (0, 0), 1.0), cv2.GaussianBlur(luma, (0, 0), 3.0)
    fine, coarse = (cv2.GaussianBlur(part**2, (0, 0), 4.0) for part in (luma - once, once - thrice))
    own, smeared = _fine_over_coarse(1.5 * blur), _fine_over_coarse(3 * blur)
    ratio = fine / np.maximum(coarse, 1e-3)
    soft = np.clip((own - ratio) / (own - smeared), 0, 1)
    # Where there is hardly any detail there is nothing to be smeared.
    return soft * coarse / (coarse + 4.0 + noise**2)


def _fine_over_coarse(softness: float) -> float:
    widths = np.sqrt(softness**2 + np.array([0.0, 1.0, 9.0]))
    squares = np.sqrt(2 * (widths[:-1] ** 2 + widths[1:] ** 2)) - widths[:-1] - widths[1:]
    return float(squares[0] / squares[1])
