"""Clips, decoded one frame at a time on the frames' own clock."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError

from ..errors import KineticsError
from .picture import Layout, RgbMaker, bit_depth, read_layout
from .source import PacketTimes, open_video
from .timing import describe_spans, measure_timing

#: Two instants closer than this are one: far below the finest tick in use (1/90000 s), far above float rounding.
INSTANT = Fraction(1, 1_000_000)

#: Containers whose index can be trusted to lead to a key frame with its right time. Others are decoded from their beginning.
_INDEXED = ("mov,mp4", "matroska", "avi")



class Frame(NamedTuple):
    """One decoded picture.

    ``index`` counts from 0 inside the trim window, ``t`` is in seconds from the start of the window,
    ``image`` is (H, W, 3) uint8 RGB, contiguous, upright, with square pixels.
    """

    index: int
    t: float
    image: np.ndarray


@dataclass(frozen=True)
class ClipInfo:
    """What a clip is, without decoding more than its first frame.

    ``width`` and ``height`` are those of the pictures handed out: after rotation, with square pixels. ``fps`` is the
    average rate, ``rate_range`` (slowest, fastest); both, and ``duration`` and ``frame_count``, are those of the trim window,
    read from the packets. ``rotation`` is the clockwise turn, in degrees, that makes the picture upright.
    ``notes`` are sentences on what is odd about the file as a whole.
    """

    name: str
    width: int
    height: int
    fps: Fraction
    duration: float
    frame_count: int
    variable_rate: bool
    rotation: int
    codec: str
    pix_fmt: str
    bit_depth: int
    has_audio: bool
    rate_range: tuple[float, float] = (0.0, 0.0)
    interlaced: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Survey:
    """What the first pass over a file found: the clip's facts, where its clock starts, how its pictures lie.

    ``clock`` holds the times of the frames in order, in ticks, where the packets don't say which is whose (H.264 in AVI).
    """

    info: ClipInfo
    origin: Fraction
    interval: Fraction
    tick: Fraction
    layout: Layout
    in_order: bool
    clock: np.ndarray | None

    def when(self, picture: av.VideoFrame, position: int) -> Fraction | None:
        """Seconds from the clip's first frame to a picture, the ``position``-th to come; None where nothing tells."""
        if self.clock is not None:
            return int(self.clock[position]) * self.tick - self.origin if position < len(self.clock) else None
        stamp = picture.dts if picture.pts is None else picture.pts
        return None if stamp is None else stamp * self.tick - self.origin


@dataclass
class _Trouble:
    """What went wrong in one pass over the frames, in seconds from the start of the window."""

    missing: list[float] = field(default_factory=list)
    damaged: list[float] = field(default_factory=list)
    misplaced: list[float] = field(default_factory=list)
    untimed: int = 0
    broken_off: str = ""
    intra_only: bool = False

    def sentences(self, name: str, interval: float) -> list[str]:
        said = []
        if self.missing:
            gone = "that frame is missing" if len(self.missing) == 1 else "those frames are missing"
            smears = "" if self.intra_only else ", and frames that build on them, up to the next key frame, may be smeared"
            lost = f"{_count(self.missing, 'packet')} {describe_spans(self.missing, interval)}"
            said.append(f"{name}: {lost} could not be decoded; {gone}{smears}.")
        if self.untimed:
            said.append(f"{name}: {self.untimed} packet{'s' * (self.untimed > 1)} without a time of their own could not be decoded; frames are missing.")
        if self.damaged:
            hurt = f"{_count(self.damaged, 'frame')} {describe_spans(self.damaged, interval)}"
            said.append(f"{name}: {hurt} decoded with damage; look at them before you trust them.")
        if self.misplaced:
            moved = f"{_count(self.misplaced, 'frame')} {describe_spans(self.misplaced, interval)}"
            said.append(f"{name}: {moved} had no time later than the frame before; each was placed {1000 * interval:.0f} ms after it.")
        if self.broken_off:
            said.append(f"{name}: reading broke off ({self.broken_off}); what came before is used.")
        return said


def _count(times: list[float], noun: str) -> str:
    return f"{len(times)} {noun}{'s' * (len(times) != 1)}"


class Clip:
    """A video file, or a part of one.

    Parameters
    ----------
    source : path or BytesIO
        What ComfyUI's ``VIDEO.get_stream_source()`` gives.
    start : float
        Seconds from the first frame at which the window begins.
    duration : float
        Length of the window in seconds; 0 means to the end. The window is half-open: [start, start + duration).
    name : str, optional
        What to call the clip in sentences; the file's name when left out.

    Attributes
    ----------
    losses : list of str
        Sentences on what could not be decoded. Filled by the latest pass over the frames, complete when that pass has ended.

    Raises
    ------
    KineticsError
        From the constructor when the window is not finite or negative. From ``info`` and ``frames`` when the file is missing,
        empty, not a video, has sound only, is cut off before its index, or no frame of the window decodes.
    """

    def __init__(self, source: str | os.PathLike | io.BytesIO, start: float = 0.0, duration: float = 0.0, name: str | None = None):
        self._source: str | bytes = source.getvalue() if isinstance(source, io.BytesIO) else os.fspath(source)
        self.name = name or ("The clip" if isinstance(self._source, bytes) else Path(self._source).name)
        if not (np.isfinite([start, duration]).all() and start >= 0 and duration >= 0):
            raise KineticsError(f"Trim window of {self.name} starts at {start} s and lasts {duration} s; give finite seconds, 0 or more.")
        # A decimal that was typed (0.04) has to meet the tick it means (1/25 s).
        self._start = Fraction(start).limit_denominator(1_000_000)
        self._end = self._start + Fraction(duration).limit_denominator(1_000_000) if duration else None
        self.losses: list[str] = []
        self._survey_result: _Survey | None = None

    def trimmed(self, start: float = 0.0, duration: float = 0.0) -> Clip:
        """A window within this clip's window, ``start`` counted from its start; it never reaches outside."""
        opened = float(self._start) + start
        room = float(self._end) - opened if self._end is not None else 0.0
        if self._end is not None and room <= 0:
            raise KineticsError(f"{self._window_words()} has nothing from {start:g} s on; choose an earlier start.")
        length = min(duration or room, room) if self._end is not None else duration
        return Clip(io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source, opened, length, self.name)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when the file is written to, or the window is another one."""
        if isinstance(self._source, bytes):
            what = hashlib.sha256(self._source).hexdigest()
        else:
            try:
                stat = os.stat(self._source)
            except OSError as error:
                raise KineticsError(f"Can't read {self.name} ({error.strerror}); check the path.") from error
            what = f"{os.path.abspath(self._source)}|{stat.st_mtime_ns}|{stat.st_size}"
        return hashlib.sha256(f"{what}|{self._start}|{self._end}".encode()).hexdigest()[:16]

    @property
    def info(self) -> ClipInfo:
        """What the clip is. The first call reads the file's packets once and decodes its first frame."""
        return self._survey().info

    def frames(self, careful: bool = True) -> Iterator[Frame]:
        """Decode the window, one ``Frame`` at a time; each call starts anew. Pictures to be measured, not shown, need no careful colours."""
        make_rgb = RgbMaker(self._survey().layout, careful)
        for index, t, picture in self.pictures():
            yield Frame(index, t, make_rgb(picture))

    @property
    def layout(self) -> Layout:
        """How the stored pictures have to be scaled and turned to be looked at."""
        return self._survey().layout

    @property
    def slack(self) -> float:
        """Seconds by which a timestamp may lie after the instant it means: half a tick, unless the ticks are the frames."""
        survey = self._survey()
        return float((survey.tick / 2 if survey.tick * 2 <= survey.interval else 0) + INSTANT)

    def pictures(self, threads: int = 0) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """Decode the window into (index, t, picture), the pictures as libav stores them: not converted, scaled or turned.

        Parameters
        ----------
        threads : int
            Threads of the decoder; 0 means one per core.
        """
        survey = self._survey()
        trouble = _Trouble()
        self.losses = []
        index = 0
        try:
            for when, picture in self._decode(survey, threads, trouble):
                yield index, max(0.0, float(when - self._start)), picture
                index += 1
        finally:
            self.losses = [*survey.info.notes, *trouble.sentences(self.name, float(survey.interval))]
        if index == 0:
            raise KineticsError(f"No frame of {self._window_words()} can be decoded; choose another part of the clip or export it again.")

    def sound(self, rate: int = 48_000) -> Iterator[tuple[float, av.AudioFrame]]:
        """Decode the window's sound, what touches its ends included: (t, stereo samples at ``rate``), t from the window's start.

        Nothing when the clip has none; packets that don't decode are passed over.
        """
        survey = self._survey()
        with open_video(self._source, self.name) as (container, _):
            if not container.streams.audio:
                return
            stream, clock = container.streams.audio[0], Fraction(1, rate)
            resampler = av.AudioResampler(format="fltp", layout="stereo", rate=rate)
            for packet in _packets(container, stream, _Trouble()):
                with suppress(FFmpegError):
                    for samples in packet.decode():
                        for part in resampler.resample(samples):
                            when = part.pts * clock - survey.origin
                            if self._past(when):
                                return
                            if when + part.samples * clock > self._start:
                                yield float(when - self._start), part

    def _window_words(self) -> str:
        if self._end is not None:
            return f"{self.name} between {float(self._start):g} s and {float(self._end):g} s"
        return f"{self.name} from {float(self._start):g} s on" if self._start else self.name

    def _inside(self, when: Fraction) -> bool:
        return when >= self._start - INSTANT and not self._past(when)

    def _past(self, when: Fraction) -> bool:
        return self._end is not None and when >= self._end - INSTANT

    def _decoder(self, stream: av.VideoStream, threads: int) -> av.VideoCodecContext:
        decoder = stream.codec_context
        if stream.metadata.get("alpha_mode") == "1" and decoder.name in ("vp8", "vp9"):
            # libav's own decoders of VP8 and VP9 leave the alpha plane out.
            decoder = av.CodecContext.create(f"libvpx{'-vp9' if decoder.name == 'vp9' else ''}", "r")
        decoder.thread_type = "AUTO"
        decoder.thread_count = threads
        return decoder

    def _survey(self) -> _Survey:
        if self._survey_result is None:
            self._survey_result = self._look()
        return self._survey_result

    def _look(self) -> _Survey:
        """Read every packet's time and decode the first frame."""
        packets, picture = PacketTimes(), None
        with open_video(self._source, self.name) as (container, stream):
            tick, decoder = stream.time_base, self._decoder(stream, threads=1)
            for packet in _packets(container, None, _Trouble()):
                packets.add(packet, packet.stream_index == stream.index)
                if picture is None and packet.stream_index == stream.index:
                    with suppress(FFmpegError):
                        picture = next(iter(decoder.decode(packet)), None)
            # AVI has no presentation times; libav makes them up, wrongly where frames are reordered.
            packets.some_untimed |= container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
            stated, nominal = stream.frames, stream.average_rate or stream.guessed_rate
            promised = Fraction(container.duration or 0, av.time_base) + Fraction(container.start_time or 0, av.time_base)
            codec, pixel_aspect, has_audio = stream.codec_context.name, stream.sample_aspect_ratio, bool(container.streams.audio)
        if picture is None:
            raise KineticsError(f"No frame of {self.name} can be decoded; the file is damaged, so export it again.")
        layout = read_layout(picture, pixel_aspect)
        ticks = packets.shown()
        origin = int(ticks[0]) * tick if len(ticks) else Fraction(0)
        window = ticks[[self._inside(int(value) * tick - origin) for value in ticks]] if len(ticks) else ticks
        # Of a file that was cut off, the frames shown after its last decoding time are there only in part: B-frames come later.
        timing = measure_timing(window[window <= packets.last_decoded] if stated > packets.count else window, tick, nominal)
        if len(ticks) >= packets.count:
            end, count = int(ticks[-1]) * tick - origin + timing.interval, len(window)
        else:
            # No times, or a clock that starts anew on the way: the frames follow one another.
            end = packets.count * timing.interval
            count = sum(self._inside(k * timing.interval) for k in range(packets.count))
        if not len(ticks):
            notes = (f"{self.name} carries no times; its frames are placed at the {float(1 / timing.interval):g} fps it states.",)
        elif stated > packets.count:
            notes = (f"{self.name} ends early: {stated - packets.count} of its {stated} frames are missing, from {float(end):.2f} s on.",)
        elif promised > packets.reach + Fraction(1, 2):
            notes = (f"{self.name} ends early: it states {float(promised - origin):.2f} s, its pictures end at {float(end):.2f} s.",)
        else:
            notes = ()
        info = ClipInfo(
            name=self.name, width=layout.size[0], height=layout.size[1], fps=timing.fps,
            duration=max(0.0, float(min(end, self._end or end) - self._start)), frame_count=count, variable_rate=timing.variable,
            rotation=layout.rotation, codec=codec, pix_fmt=picture.format.name, bit_depth=bit_depth(picture), has_audio=has_audio,
            rate_range=(timing.slowest, timing.fastest), interlaced=picture.interlaced_frame, notes=notes,
        )  # fmt: skip
        return _Survey(info, origin, timing.interval, tick, layout, packets.in_order, ticks if packets.some_untimed else None)

    def _decode(self, survey: _Survey, threads: int, trouble: _Trouble) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Frames of the window with their times from the clip's first frame."""
        waiting: dict[int, tuple[int, Fraction]] = {}  # by stamp: the packet's number, its time
        last: Fraction | None = None
        position = 0
        entry = self._entry(survey) if self._start and survey.in_order and survey.clock is None else None
        with open_video(self._source, self.name) as (container, stream):
            decoder = self._decoder(stream, threads)
            trouble.intra_only = decoder.codec.intra_only
            if entry is not None:
                container.seek(entry, stream=stream)
            for number, packet in enumerate(_packets(container, stream, trouble)):
                if survey.clock is None and packet.size and packet.pts is not None and not packet.is_discard and decoder.name != "vp8":
                    due = packet.pts * survey.tick - survey.origin
                    if self._inside(due):
                        waiting[packet.pts] = (number, due)
                try:
                    pictures = decoder.decode(packet)
                except FFmpegError:
                    trouble.untimed += (packet.pts is None or survey.clock is not None) and packet.size > 0
                    position += 1
                    continue
                for picture in pictures:
                    # Sent earlier, due earlier, and not here: lost.
                    number_here, due_here = waiting.pop(picture.pts, (-1, Fraction(0)))
                    for late in [key for key, (sent, due) in waiting.items() if sent < number_here and due < due_here]:
                        trouble.missing.append(float(waiting.pop(late)[1] - self._start))
                    when = survey.when(picture, position)
                    position += 1
                    if when is None or (last is not None and when <= last):
                        when = Fraction(0) if last is None else last + survey.interval
                        trouble.misplaced.append(float(when - self._start))
                    last = when
                    if self._past(when):
                        return
                    if self._inside(when):
                        if picture.is_corrupt:
                            trouble.damaged.append(float(when - self._start))
                        yield when, picture
        trouble.missing.extend(float(lost - self._start) for _, lost in waiting.values())

    def _entry(self, survey: _Survey) -> int | None:
        """Tick to seek to, from which a key frame at or before the window is met; None when only the beginning will do."""
        wanted = survey.origin + self._start
        target = int(wanted / survey.tick)
        with open_video(self._source, self.name) as (container, stream):
            if not container.format.name.startswith(_INDEXED):
                return None
            try:
                container.seek(target, stream=stream)
                packet = next(container.demux(stream))
            except FFmpegError:
                return None
            met = packet.is_keyframe and packet.pts is not None and packet.pts * survey.tick <= wanted
            return target if met else None


def _packets(container: av.container.InputContainer, stream: av.VideoStream | None, trouble: _Trouble) -> Iterator[av.Packet]:
    """Packets of a stream, or of all, closing empty ones included; a read error ends them and is noted."""
    try:
        yield from container.demux(*([stream] if stream else []))
    except FFmpegError as error:
        trouble.broken_off = error.strerror
