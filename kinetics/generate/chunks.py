"""Chunks: the stretches of a long sequence that are generated together, and how they overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..errors import KineticsError


class Chunk(NamedTuple):
    """Frames ``first`` to ``end``; the first ``overlap`` of them are in the chunk before too."""

    first: int
    end: int
    overlap: int


def plan_chunks(frames: int, length: int, overlap: int = 0) -> list[Chunk]:
    """Chunks that cover all frames, each but the last so long.

    Parameters
    ----------
    frames : int
    length : int
        Frames in a chunk; 0 takes all at once.
    overlap : int
        Frames that a chunk shares with the one before.

    Raises
    ------
    KineticsError
        When there is no frame, or a frame would lie in three chunks.
    """
    if frames < 1:
        raise KineticsError("There is no frame to generate; give at least one pose hint.")
    length = length or frames
    if length < 1 or not 0 <= 2 * overlap <= length:
        raise KineticsError(f"Chunks of {length} frames can't overlap by {overlap}; give an overlap of at most half a chunk.")
    chunks = [Chunk(0, min(length, frames), 0)]
    while chunks[-1].end < frames:
        first = chunks[-1].end - overlap
        chunks.append(Chunk(first, min(first + length, frames), overlap))
    return chunks


def blend_weights(overlap: int) -> np.ndarray:
    """(overlap,) weight of the later chunk in the frames that two chunks share: rising evenly, neither 0 nor 1."""
    return np.arange(1, overlap + 1) / (overlap + 1)


def join_chunks(made: Iterator[tuple[Chunk, np.ndarray]], overlaps: list[int]) -> Iterator[np.ndarray]:
    """Frames one by one out of chunks that overlap.

    Parameters
    ----------
    made : iterator of (Chunk, (n, H, W, 3))
        In order, arrays or tensors. No more than one chunk and one overlap are held.
    overlaps : list of int
        How many frames each chunk shares with the one *after* it; 0 for the last.

    Yields
    ------
    (H, W, 3)
        Where two chunks overlap, (1 - w)·earlier + w·later with w of :func:`blend_weights`.
    """
    held: list[np.ndarray] = []
    for (chunk, frames), after in zip(made, overlaps, strict=True):
        for place, weight in enumerate(blend_weights(chunk.overlap)):
            yield (1 - weight) * held[place] + weight * frames[place]
        yield from frames[chunk.overlap : len(frames) - after]
        # Copies: a view would keep the whole chunk in memory while the next one is made.
        held = [1 * frame for frame in frames[len(frames) - after :]] if after else []
