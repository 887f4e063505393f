"""H.264 files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange

from ..errors import KineticsError
from ..files import write_beside
from .picture import CAREFUL, Scaler
from .timing import as_rate

#: Ticks per second of the files written: the clock of MPEG, divisible by 24, 25, 30, 50 and 60.
TICKS = 90_000

#: AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic all give BT.709 the number 1.
_BT709 = 1


class VideoWriter:
    """Writes RGB pictures to an .mp4: H.264, yuv420p, BT.709 limited range, index at the front.

    Parameters
    ----------
    path : path
        The file to appear when the ``with`` block ends well. On any exception, a cancel included, nothing is left.
    width, height : int
        Size of the pictures. Odd sizes are padded to even ones by repeating the last column or row, as yuv420p needs.
    fps : Fraction, int or float
        Nominal rate; the rate of pictures written without a time.
    crf : int
        x264's constant quality, 0 (lossless) to 51.
    preset : str
        x264's preset.
    key_every : int, optional
        Frames from one key frame to the next at most; x264's own 250 when left out.
    metadata : mapping of str to str, optional
        Put into the file's header under these names.

    Raises
    ------
    KineticsError
        When the folder can't be written to, the disk is full, the settings are not ones x264 knows, no picture was written,
        a picture has another size or type, or a time does not increase.
    """

    def __init__(
        self, path: str | os.PathLike, width: int, height: int, fps: Fraction | float, crf: int = 18, preset: str = "fast",
        key_every: int | None = None, metadata: Mapping[str, str] | None = None,
    ):  # fmt: skip
        self.path = Path(path)
        self.size = (int(width), int(height))
        self.fps = as_rate(fps)
        if min(self.size) < 1 or self.fps <= 0:
            what = f"{self.path} at {width}×{height} pixels and {float(fps):g} fps"
            raise KineticsError(f"Can't write {what}; give sizes and a rate above 0.")
        if not 0 <= crf <= 51:
            raise KineticsError(f"Can't write {self.path} at quality (crf) {crf}; give 0 (lossless) to 51.")
        self._metadata = dict(metadata or {})
        self.frames = 0
        self._last_tick = -1
        self._next = Fraction(0)
        self._options = {"crf": str(crf), "preset": preset} | ({} if key_every is None else {"g": str(key_every)})
        self._scaler = Scaler()

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            stack.enter_context(_said_plainly(self.path))
            part = stack.enter_context(write_beside(self.path))
            self._container = stack.enter_context(av.open(f"file:{part}", "w", format="mp4", options={"movflags": "+faststart+use_metadata_tags"}))
            self._container.metadata.update(self._metadata)
            self._stream = self._add_stream()
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *raised) -> bool | None:
        if raised[0] is not None:
            return self._exit.__exit__(*raised)
        with self._exit:
            if not self.frames:
                raise KineticsError(f"No picture came for {self.path}; give a clip with at least one frame.")
            self._container.mux(self._stream.encode(None))
        return None

    def write(self, image: np.ndarray, t: float | None = None) -> None:
        """Add a picture.

        Parameters
        ----------
        image : (H, W, 3) uint8
            RGB.
        t : float, optional
            Seconds; rounded to 1/90000 s. One frame of ``fps`` after the last picture (0 for the first) when left out.
        """
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise KineticsError(
                f"Picture {self.frames} for {self.path} is {image.shape} {image.dtype}; give {(height, width, 3)} uint8, the file's size."
            )
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        self.write_picture(self._scaler(rgb, (rgb.width, rgb.height), "yuv420p", CAREFUL), t)

    def write_picture(self, picture: av.VideoFrame, t: float | None = None) -> None:
        """Add a picture that is yuv420p, BT.709 limited range and of the file's (even) size already; see ``write``."""
        when = self._next if t is None else Fraction(t)
        tick = round(when * TICKS)
        if tick <= self._last_tick:
            raise KineticsError(
                f"Picture {self.frames} for {self.path} comes at {float(when):.5f} s, not after the one before; give times that increase."
            )
        self._last_tick, self._next = tick, when + 1 / self.fps
        picture.pts, picture.time_base = tick, Fraction(1, TICKS)
        picture.pict_type = 0
        self.frames += 1
        with _said_plainly(self.path):
            self._container.mux(self._stream.encode(picture))

    def _add_stream(self) -> av.VideoStream:
        try:
            stream = self._container.add_stream("libx264", rate=self.fps, options=self._options)
        except ValueError as error:
            raise KineticsError("This PyAV can't write H.264 (libx264 is missing); install the av package from PyPI.") from error
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, TICKS)
        # PyAV asks for slices, which make each call wait for its picture; whole frames in parallel are x264's own default.
        context.thread_type = "FRAME"
        context.color_range, context.colorspace = ColorRange.MPEG, _BT709
        context.color_primaries = context.color_trc = _BT709
        return stream


@contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    try:
        yield
    except FFmpegError as error:
        raise KineticsError(f"Can't write {path} ({error.strerror}); check the free space, the folder and the settings.") from error
