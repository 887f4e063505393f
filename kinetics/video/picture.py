"""From a decoded picture to upright 8-bit RGB with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

#: AVColorSpace, what a frame is tagged with, to swscale's matrices (9, BT.2020, has no name in older PyAV).
_MATRICES = {1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 7: Colorspace.SMPTE240M, 9: 9}
#: Pixel formats that use the full range without saying so.
_FULL_RANGE = ("yuvj", "pal8", "gray", "mono")

#: Pixels narrower or wider than this are a broken header, not a picture.
_WIDEST_PIXEL = 4


#: swscale's SWS_ACCURATE_RND and SWS_FULL_CHR_H_INT, which older PyAV does not name.
BICUBIC, CAREFUL = int(Interpolation.BICUBIC), int(Interpolation.BICUBIC) | 0x40000 | 0x2000
#: Pictures are scaled in threads of ours, or are small: swscale's own threads, where PyAV has them, would only get in the way.
_ONE_THREAD = {"threads": 1} if "threads" in (VideoReformatter.reformat.__doc__ or "") else {}


@dataclass(frozen=True)
class Layout:
    """How a stored picture becomes the one to look at: scale to square pixels, then transpose, then flip.

    ``square`` is the stored picture's (W, H) with square pixels; ``size`` the (W, H) after turning.
    """

    square: tuple[int, int]
    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.square[::-1] if self.transpose else self.square

    @property
    def rotation(self) -> int:
        """Clockwise degrees that make the picture upright (a mirrored picture counts by its transpose and vertical flip)."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def turn(self, image: np.ndarray) -> np.ndarray:
        """View of a stored picture (H, W[, C]), transposed and flipped."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def read_layout(picture: av.VideoFrame, pixel_aspect: Fraction | None) -> Layout:
    """Layout of a decoded picture from its display matrix and the stream's pixel aspect.

    The display matrix sends a stored point (x, y) to (a x + c y, b x + d y); phones write quarter turns and mirrors.
    Pixels that are not square are stretched along the longer side, so that no detail is thrown away.
    """
    width, height = picture.width, picture.height
    aspect = pixel_aspect or Fraction(1)
    if not Fraction(1, _WIDEST_PIXEL) <= aspect <= _WIDEST_PIXEL:
        aspect = Fraction(1)
    square = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    matrix = picture.side_data.get(SideDataType.DISPLAYMATRIX)
    if matrix is None:
        return Layout(square)
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Layout(square, transpose=True, flip_x=c < 0, flip_y=b < 0)
    return Layout(square, flip_x=a < 0, flip_y=d < 0)


def has_alpha(picture: av.VideoFrame) -> bool:
    return picture.format.name == "pal8" or any(part.is_alpha for part in picture.format.components)


def bit_depth(picture: av.VideoFrame) -> int:
    return max(part.bits for part in picture.format.components)


def _is_rgb(pix_fmt: str) -> bool:
    return VideoFormat(pix_fmt).is_rgb or pix_fmt == "pal8"


def _colour_of(picture: av.VideoFrame) -> tuple[int, ColorRange]:
    """Matrix and range of a picture: as tagged, else BT.709 for high definition and BT.601 below, as players do; limited range for YUV."""
    high_definition = picture.width >= 1280 or picture.height > 576
    matrix = _MATRICES.get(int(picture.colorspace), Colorspace.ITU709 if high_definition else Colorspace.ITU601)
    full = picture.format.name.startswith(_FULL_RANGE) or int(picture.color_range) == ColorRange.JPEG
    return matrix, ColorRange.JPEG if full else ColorRange.MPEG


class Scaler:
    """Brings pictures to a size and pixel format, their colours by matrix and range; keeps swscale's tables between pictures.

    YUV comes out as BT.709 in limited range, RGB and grey in full range.
    """

    def __init__(self) -> None:
        self._swscale = VideoReformatter()

    def __call__(self, picture: av.VideoFrame, size: tuple[int, int], pix_fmt: str, interpolation: int = BICUBIC) -> av.VideoFrame:
        from_rgb, to_rgb = _is_rgb(picture.format.name), _is_rgb(pix_fmt)
        colours = {}
        if not (from_rgb and to_rgb):
            matrix, colour_range = (Colorspace.ITU601, ColorRange.JPEG) if from_rgb else _colour_of(picture)
            # The matrix of an RGB side is not used, but older PyAV sets none where both sides name the same one.
            target = Colorspace.ITU709 if not to_rgb or matrix != Colorspace.ITU709 else Colorspace.ITU601
            full = to_rgb or pix_fmt == "gray"
            colours = {
                "src_colorspace": matrix, "src_color_range": colour_range,
                "dst_colorspace": target, "dst_color_range": ColorRange.JPEG if full else ColorRange.MPEG,
            }  # fmt: skip
        return self._swscale.reformat(picture, *size, pix_fmt, interpolation=interpolation, **colours, **_ONE_THREAD)


class RgbMaker:
    """Turns the pictures of one clip into RGB arrays; not ``careful`` takes a fifth of the time and rounds chroma roughly."""

    def __init__(self, layout: Layout, careful: bool = True):
        self.layout = layout
        self._interpolation = CAREFUL if careful else BICUBIC
        self._scaler = Scaler()

    def __call__(self, picture: av.VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB, contiguous: alpha composited on black, square pixels, upright."""
        alpha = has_alpha(picture)
        rgb = self._scaler(picture, self.layout.square, "rgba" if alpha else "rgb24", self._interpolation).to_ndarray()
        if alpha:
            rgb = (rgb[..., :3].astype(np.uint16) * rgb[..., 3:] + 127) // 255
        return np.ascontiguousarray(self.layout.turn(rgb), dtype=np.uint8)
