"""A small copy of a clip that every browser plays, and seeks in quickly."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import KineticsError, Progress
from ..files import write_beside
from ..video.decode import Clip
from ..video.encode import VideoWriter

#: Frames from one key frame to the next at most: seeking decodes no more than these.
KEY_EVERY = 12

#: The sound's bits a second.
_SOUND_RATE = 96_000


def proxy_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Even sides of the copy: the longer one at most ``longest``, never enlarged."""
    scale = min(1.0, longest / max(width, height))
    return tuple(max(2, 2 * round(side * scale / 2)) for side in (width, height))


def write_proxy(
    clip: Clip, path: str | os.PathLike, *, longest: int = 640, sound: bool = False, crf: int = 23, progress: Progress | None = None
) -> np.ndarray:
    """Write a small H.264 copy of a clip, on the clip's own times, the first frame at 0.

    Parameters
    ----------
    clip : Clip
    path : path
        The ``.mp4`` to appear, whole or not at all.
    longest : int
        Longer side in pixels at most; a smaller clip keeps its size, but for a row or column that makes it even.
    sound : bool
        Keep the clip's sound, where it has any, as AAC.
    crf : int
        x264's constant quality.
    progress : callable, optional
        progress(frames done, frames of the clip); may raise to cancel.

    Returns
    -------
    (T,) float64 s
        Times of the frames, from 0.

    Raises
    ------
    KineticsError
        When the clip can't be read, ``longest`` is under 16, or the file can't be written.
    """
    import cv2

    if longest < 16:
        raise KineticsError(f"A copy of {longest} pixels shows nothing; give a longer side of 16 pixels or more.")
    info, times = clip.info, []
    size = proxy_size(info.width, info.height, longest)
    with write_beside(Path(path)) as part:
        with VideoWriter(part, *size, info.fps, crf=crf, preset="veryfast", key_every=KEY_EVERY) as writer:
            for frame in clip.frames(careful=False):
                times.append(frame.t)
                same = frame.image.shape[1::-1] == size
                writer.write(frame.image if same else cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), frame.t - times[0])
                if progress:
                    progress(len(times), max(info.frame_count, len(times)))
        if sound and info.has_audio:
            _add_sound(part, clip, times[0], info.duration)
    return np.array(times) - times[0]


def _add_sound(path: Path, clip: Clip, start: float, duration: float) -> None:
    """Put the clip's sound between ``start`` and its end into a silent file."""
    with (
        write_beside(path) as both,
        av.open(f"file:{path}") as pictures,
        av.open(f"file:{both}", "w", format="mp4", options={"movflags": "+faststart"}) as made,
    ):
        seen = pictures.streams.video[0]
        shown, heard = made.add_stream_from_template(seen), made.add_stream("aac", rate=48_000, layout="stereo")
        heard.bit_rate = _SOUND_RATE
        packets = (packet for packet in pictures.demux(seen) if packet.size)
        waiting = next(packets, None)
        for t, samples in clip.sound(rate=48_000):
            place = t - start
            if place + samples.samples / 48_000 <= 0 or place >= duration:
                continue
            samples.pts, samples.time_base = round(max(place, 0.0) * 48_000), Fraction(1, 48_000)
            while waiting is not None and float(waiting.dts * waiting.time_base) <= place:
                waiting.stream = shown
                made.mux(waiting)
                waiting = next(packets, None)
            made.mux(heard.encode(samples))
        made.mux(heard.encode(None))
        while waiting is not None:
            waiting.stream = shown
            made.mux(waiting)
            waiting = next(packets, None)
