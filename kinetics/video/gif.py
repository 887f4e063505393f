"""Animated GIF, its palette made by libavfilter inside PyAV: no other program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av.error import FFmpegError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.format import VideoFormat

from ..errors import KineticsError, Progress
from ..files import write_beside
from .decode import Clip
from .picture import RgbMaker, Scaler
from .resample import on_screen
from .timing import as_rate

#: GIF counts time in these.
_CENTISECONDS = 100
#: Viewers slow frames shorter than two centiseconds down.
_FASTEST = 50
_DITHERS = ("sierra2_4a", "bayer", "none")


def save_gif(
    clip: Clip,
    output: str | os.PathLike,
    width: int | None = None,
    fps: Fraction | float | None = None,
    loop: bool = True,
    dither: Literal["sierra2_4a", "bayer", "none"] = "sierra2_4a",
    progress: Progress | None = None,
) -> Path:
    """Write a clip as an animated GIF with one palette of its own.

    Parameters
    ----------
    clip : Clip
        Decoded twice, one frame in memory: once for the palette, once to write.
    output : path
        The .gif; whole or absent.
    width : int, optional
        Pixels; the height follows. The clip's own when left out.
    fps : number, optional
        Frames per second, at most 50; the clip's own when left out.
    loop : bool
        Play for ever, or once.
    dither : {"sierra2_4a", "bayer", "none"}
        Sierra looks best; bayer packs smaller; none suits flat graphics.
    progress : callable, optional
        Called once per frame of each pass.

    Returns
    -------
    Path
        Of the file.

    Notes
    -----
    Frame k shows what is on screen at k/fps, and appears at the centisecond nearest to it, so the delays differ by one where fps
    does not divide 100 and the total stays right.
    """
    if dither not in _DITHERS:
        raise KineticsError(f"Dither {dither!r} is unknown; use {', '.join(_DITHERS)}.")
    rate = min(as_rate(clip.info.fps if fps is None else fps), Fraction(_FASTEST))
    if rate <= 0 or (width is not None and width < 2):
        raise KineticsError(f"A GIF of width {width} at {float(rate):g} fps can't be made; give 2 pixels or more and a rate above 0.")
    source_width, source_height = clip.layout.size
    wide = source_width if width is None else int(width)
    size = (wide, max(1, round(source_height * wide / source_width)))
    count = max(1, round(clip.info.duration * rate))

    def tell(done: int) -> None:
        if progress:
            progress(done, 2 * count)

    palette = _make_palette(_pictures(clip, size, rate, count), size, tell)
    with write_beside(output) as part:
        try:
            appear = _appearances(rate, count, clip.info.duration)
            _write(part, size, _pictures(clip, size, rate, count), palette, appear, loop, dither, lambda done: tell(count + done))
        except FFmpegError as error:
            raise KineticsError(f"Can't write {output} ({error.strerror}); check the free space and the folder.") from error
    return Path(output)


def _pictures(clip: Clip, size: tuple[int, int], rate: Fraction, count: int) -> Iterator[av.VideoFrame]:
    """Pictures of the GIF's size, one per frame of the GIF, in the format of libavfilter's palette filters."""
    make_rgb, scaler = RgbMaker(clip.layout), Scaler()
    with closing(clip.pictures()) as source:
        items = ((t, picture) for _, t, picture in source)
        for picture, is_new in on_screen(items, (float(k / rate) for k in range(count)), clip.slack):
            if is_new:
                frame = av.VideoFrame.from_ndarray(make_rgb(picture), format="rgb24")
                pixels = scaler(frame, size, "bgra").to_ndarray()
            yield av.VideoFrame.from_ndarray(pixels, format="bgra")


def _appearances(rate: Fraction, count: int, duration: float) -> list[int]:
    """(count + 1) centiseconds at which frames appear, and at which the last one ends."""
    appear = [round(k * _CENTISECONDS / rate) for k in range(count)]
    return [*appear, max(appear[-1] + 2, round(duration * _CENTISECONDS))]


def _buffer(graph: Graph, size: tuple[int, int]) -> FilterContext:
    return graph.add_buffer(width=size[0], height=size[1], format=VideoFormat("bgra"), time_base=Fraction(1, _CENTISECONDS))


def _make_palette(pictures: Iterator[av.VideoFrame], size: tuple[int, int], tell: Callable[[int], None]) -> av.VideoFrame:
    graph = Graph()
    graph.link_nodes(_buffer(graph, size), graph.add("palettegen"), graph.add("buffersink")).configure()
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number, Fraction(1, _CENTISECONDS)
        graph.vpush(picture)
        tell(number + 1)
    graph.vpush(None)
    return graph.vpull()


def _write(
    part: Path, size: tuple[int, int], pictures: Iterator[av.VideoFrame], palette: av.VideoFrame, appear: list[int], loop: bool,
    dither: str, tell: Callable[[int], None],
) -> None:  # fmt: skip
    graph = Graph()
    source, colours = _buffer(graph, size), _buffer(graph, (palette.width, palette.height))
    use = graph.add("paletteuse", dither=dither)
    source.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(graph.add("buffersink"))
    graph.configure()
    palette.pts, palette.time_base = 0, Fraction(1, _CENTISECONDS)
    colours.push(palette)
    colours.push(None)
    options = {"loop": "0" if loop else "-1", "final_delay": str(appear[-1] - appear[-2])}
    with av.open(f"file:{part}", "w", format="gif", options=options) as container:
        stream = container.add_stream("gif", rate=_FASTEST)
        stream.width, stream.height, stream.pix_fmt = *size, "pal8"
        stream.codec_context.time_base = Fraction(1, _CENTISECONDS)
        for number, picture in enumerate(pictures):
            picture.pts, picture.time_base = appear[number], Fraction(1, _CENTISECONDS)
            source.push(picture)
            _drain(graph, container, stream)
            tell(number + 1)
        source.push(None)
        _drain(graph, container, stream)
        container.mux(stream.encode(None))


def _drain(graph: Graph, container: av.container.OutputContainer, stream: av.VideoStream) -> None:
    while True:
        try:
            picture = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        picture.pict_type = 0
        container.mux(stream.encode(picture))
