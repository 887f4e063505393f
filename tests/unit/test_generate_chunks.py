"""Chunks cover every frame once, overlaps are blended, and no more than a chunk is held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.generate.chunks import blend_weights, join_chunks, plan_chunks

sizes = st.integers(1, 200).flatmap(lambda frames: st.tuples(st.just(frames), st.integers(0, 40)))


@given(sizes, st.integers(0, 20))
def test_frames_come_once_and_in_order(size, overlap):
    frames, length = size
    if 2 * overlap > (length or frames):
        with pytest.raises(KineticsError, match="at most half a chunk"):
            plan_chunks(frames, length, overlap)
        return
    chunks = plan_chunks(frames, length, overlap)
    assert chunks[0].first == 0 and chunks[-1].end == frames
    assert all(after.first == before.end - overlap and after.end > before.end for before, after in zip(chunks, chunks[1:], strict=False))
    assert all(chunk.end - chunk.first == (length or frames) for chunk in chunks[:-1])
    values = np.arange(frames, dtype=float)[:, None, None, None]
    made = ((chunk, values[chunk.first : chunk.end]) for chunk in chunks)
    joined = list(join_chunks(made, [chunk.overlap for chunk in chunks[1:]] + [0]))
    # Both chunks say the same where they overlap; the weights of a blend add up to 1 but for rounding.
    assert np.allclose(np.ravel(joined), np.arange(frames), rtol=1e-12)


def test_overlap_goes_over_from_one_chunk_to_the_next():
    chunks = plan_chunks(10, 6, 2)
    assert [(chunk.first, chunk.end) for chunk in chunks] == [(0, 6), (4, 10)]
    made = ((chunk, np.full((chunk.end - chunk.first, 1, 1, 3), float(number))) for number, chunk in enumerate(chunks))
    joined = [float(frame[0, 0, 0]) for frame in join_chunks(made, [2, 0])]
    assert joined == pytest.approx([0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1])
    assert blend_weights(0).size == 0


def test_chunks_are_asked_for_one_at_a_time():
    asked = []

    def made():
        for chunk in plan_chunks(8, 4):
            asked.append(chunk.first)
            yield chunk, np.zeros((4, 1, 1, 3))

    frames = join_chunks(made(), [0, 0])
    for _ in range(4):
        next(frames)
    assert asked == [0]
    next(frames)
    assert asked == [0, 4]


def test_no_frame_is_told():
    with pytest.raises(KineticsError, match="no frame to generate"):
        plan_chunks(0, 4)
