"""Opening a file that should be a video, or saying in one sentence why it isn't."""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError

from ..errors import KineticsError

_GIVE_A_CLIP = "give a clip such as an .mp4, .mov, .mkv, .avi, .webm or .gif"


@contextmanager
def open_video(source: str | bytes, name: str) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open a file, given by its path or its bytes, and yield it with its first stream of pictures.

    Raises
    ------
    KineticsError
        When the file is missing, empty, not a video, cut off before its index, or has no pictures but a cover.
    """
    if isinstance(source, bytes):
        if not source:
            raise KineticsError(f"{name} is empty (0 bytes); copy or export it again.")
        opened: str | io.BytesIO = io.BytesIO(source)
    else:
        _check_file(source, name)
        # "file:" keeps libav from taking a colon in a name for a protocol.
        opened = f"file:{source}"
    try:
        container = av.open(opened, metadata_errors="replace")
    except FFmpegError as error:
        raise KineticsError(_why_unreadable(source, name, error)) from error
    with container:
        if container.format.name == "tty":
            raise KineticsError(f"{name} is a text file, not a video; {_GIVE_A_CLIP}.")
        streams = [stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            what = "holds sound only" if container.streams.audio else "holds no video"
            raise KineticsError(f"{name} {what}; give a clip with a picture.")
        yield container, streams[0]


def _check_file(path: str, name: str) -> None:
    if not os.path.exists(path):
        raise KineticsError(f"There is no file {path}; check the name and the folder.")
    if not os.path.isfile(path):
        raise KineticsError(f"{path} is not a file; give the path of one clip.")
    if not os.access(path, os.R_OK):
        raise KineticsError(f"{path} can't be read; check its permissions.")
    if os.path.getsize(path) == 0:
        raise KineticsError(f"{name} is empty (0 bytes); copy or export it again.")


def _why_unreadable(source: str | bytes, name: str, error: FFmpegError) -> str:
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
        cut_off = _has_index(file) is False
    if cut_off:
        return f"{name} is cut off: its index (the moov box at the end of the file) is missing; copy or export it again."
    return f"{name} is not a video that can be read ({error.strerror}); {_GIVE_A_CLIP}."


def _has_index(file: io.BufferedIOBase) -> bool | None:
    """Whether an MP4 or MOV file has its moov box; None for any other kind of file."""
    head = file.read(12)
    if head[4:8] not in (b"ftyp", b"mdat", b"wide", b"free", b"skip"):
        return None
    position, end = 0, file.seek(0, os.SEEK_END)
    while position + 8 <= end:
        file.seek(position)
        box = file.read(16)
        size = int.from_bytes(box[:4], "big")
        if box[4:8] == b"moov":
            return True
        if size == 1:
            size = int.from_bytes(box[8:16], "big")
        if size < 8:
            return False
        position += size
    return False


class PacketTimes:
    """Times of a stream's packets, in ticks: eight bytes a frame."""

    def __init__(self) -> None:
        self._pts, self._dts = array("q"), array("q")
        self.count = 0
        self.some_untimed = False
        self.reach = Fraction(0)

    def add(self, packet: av.Packet, is_picture: bool) -> None:
        """Count a packet; those that are not of the picture's stream only for how far the file reaches."""
        if not packet.size:
            return
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            self.reach = max(self.reach, (stamp + (packet.duration or 0)) * packet.time_base)
        if not is_picture:
            return
        self.count += 1
        self.some_untimed |= packet.pts is None
        if packet.dts is not None:
            self._dts.append(packet.dts)
        if packet.pts is not None and not packet.is_discard:
            self._pts.append(packet.pts)

    def shown(self) -> np.ndarray:
        """Times at which frames are shown, sorted, each once. Where some are not told, the decoding times: as many, as far apart."""
        return np.unique(np.array(self._dts if self.some_untimed else self._pts, dtype=np.int64))

    @property
    def last_decoded(self) -> int:
        return max(self._dts, default=0)

    @property
    def in_order(self) -> bool:
        return bool((np.diff(np.array(self._dts, dtype=np.int64)) >= 0).all()) and len(self._dts) > 0
