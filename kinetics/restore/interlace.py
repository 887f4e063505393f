"""Interlaced pictures: found out by their combs, taken apart into fields, each on its own time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import av
import cv2
import numpy as np

from ..errors import KineticsError
from ..video.picture import Layout, Scaler

#: What a clip may be said to be: found out, whole frames, or fields with the top or the bottom one first.
SCANS = ("auto", "progressive", "top field first", "bottom field first")

#: Combs have to differ by this part of themselves before they tell anything.
_CLEAR = 0.02


@dataclass(frozen=True)
class Field:
    """One field as a whole picture.

    ``known`` (H, W, 2) float32, turned as the picture is, is 1 on the field's own rows and 0 on those in between: of brightness, and of
    colour, whose rows are twice as high in 4:2:0. Of a whole frame it is None.
    """

    t: float
    picture: av.VideoFrame
    known: np.ndarray | None


class CombCounter:
    """Tells from successive pictures whether they hold two fields of different times, and which came first.

    A frame's top field is put together with the bottom field of its own, the previous and the next frame. The combs that this
    makes grow with the time between the two: of whole frames the own one fits best, of fields the own one and that of the
    neighbour on the side of the earlier field fit equally well. Grain combs all three alike and falls out of the differences.
    """

    def __init__(self) -> None:
        self._own = self._before = self._after = 0.0

    def add(self, before: np.ndarray, own: np.ndarray, after: np.ndarray) -> None:
        """Three successive luma planes, (H, W) uint8."""
        if own.shape[0] < 8 or not before.shape == own.shape == after.shape:
            return
        top = own[::2].astype(np.float32)
        rows = min(len(top) - 1, len(own[1::2]))
        between = (top[:rows] + top[1 : rows + 1]) / 2
        before, own, after = (
            float(((plane[1::2][:rows] - between) ** 2).mean(dtype=np.float64)) for plane in (before, own, after)
        )
        self._before, self._own, self._after = self._before + before, self._own + own, self._after + after

    @property
    def scan(self) -> str:
        """One of the :data:`SCANS`; whole frames where nothing moved."""
        near, far = sorted((self._before, self._after))
        told = (far - near) - 2 * (near - self._own)
        if told <= 0 or far - near <= _CLEAR * far:
            return "progressive"
        return "top field first" if self._before < self._after else "bottom field first"


def luma(picture: av.VideoFrame) -> np.ndarray:
    """Luma of a picture as stored, (H, W) uint8."""
    if picture.format.name.startswith("yuv") and picture.format.components[0].bits == 8:
        plane = picture.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
    return Scaler()(picture, (picture.width, picture.height), "gray").to_ndarray()


class FieldSplitter:
    """Takes pictures apart into fields, brightness and colour by rows of their own, before anything mixes them."""

    def __init__(self, scan: str, layout: Layout, name: str = "The clip"):
        if scan not in SCANS[1:]:
            raise KineticsError(f"A scan of {scan!r} is unknown; use one of {', '.join(SCANS[1:])}.")
        self._first = {"progressive": None, "top field first": 0, "bottom field first": 1}[scan]
        self._layout, self._name = layout, name
        self._scaler = Scaler()

    def split(self, pictures: Iterable[tuple[float, av.VideoFrame]]) -> Iterator[Field]:
        """Fields of (t, picture), two of each, the second half-way to the next frame's time; of whole frames the frames.

        The rows in between are bwdif's, from the rows and fields around them: libavfilter's best deinterlacer that needs no weights.
        """
        if self._first is None:
            yield from (Field(t, picture, None) for t, picture in pictures)
            return
        waiting: deque[tuple[float, av.VideoFrame]] = deque()
        graph, gap, halves = None, 0.04, 0
        for t, picture in chain(pictures, [(math.inf, None)]):
            if picture is not None and picture.height < 8:
                raise KineticsError(f"{self._name} is {picture.height} rows high: too few for fields; restore it as progressive.")
            plain = None if picture is None else self._plain(picture)
            graph = graph or self._graph(plain)
            if plain is not None:
                # libavfilter's clock only has to count: the times are kept here.
                plain.pts, plain.time_base = (halves // 2 + len(waiting)), Fraction(1, 1000)
            waiting.append((t, plain))
            graph.push(plain)
            while (whole := _pull(graph)) is not None:
                (began, stored), ahead = waiting[0], waiting[1][0] if len(waiting) > 1 else math.inf
                gap = ahead - began if math.isfinite(ahead) else gap
                half = halves % 2
                whole.colorspace, whole.color_range = stored.colorspace, stored.color_range
                yield Field(began + half * gap / 2, whole, self._known(whole, self._first ^ half))
                halves += 1
                if half:
                    waiting.popleft()

    def _graph(self, picture: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        entry = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format.name, time_base=Fraction(1, 1000))
        bwdif = graph.add("bwdif", f"mode=send_field:parity={'bff' if self._first else 'tff'}:deint=all")
        end = graph.add("buffersink")
        entry.link_to(bwdif)
        bwdif.link_to(end)
        graph.configure()
        return graph

    def _plain(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture as 8-bit planes that keep the rows of their chroma."""
        name = picture.format.name
        kept = next((kind for kind in ("yuv420p", "yuv422p") if name.startswith((kind, kind.replace("yuv", "yuvj")))), "yuv444p")
        return picture if name == kept else self._scaler(picture, (picture.width, picture.height), kept)

    def _known(self, picture: av.VideoFrame, parity: int) -> np.ndarray:
        columns = []
        for plane in (picture.planes[0], picture.planes[1]):
            rows = np.zeros((plane.height, 1), np.float32)
            rows[parity::2] = 1
            columns.append(cv2.resize(rows, (1, self._layout.square[1]), interpolation=cv2.INTER_LINEAR).reshape(-1, 1))
        rows = np.stack(columns, axis=-1)
        width, height = self._layout.square
        return np.ascontiguousarray(self._layout.turn(np.broadcast_to(rows, (height, width, 2))))


def _pull(graph: av.filter.Graph) -> av.VideoFrame | None:
    try:
        return graph.pull()
    except (av.BlockingIOError, av.EOFError):
        return None
