"""How several clips lie on one common time line: all from their start, by impact, or at one tempo throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compare.in_step import InStep
from ..errors import KineticsError

Map = list[list[float]]


def sync_maps(tiles: Sequence[dict[str, Any]], *, in_step: InStep | None = None) -> dict[str, list[Map] | None]:
    """Maps from the common time line to each clip's own time.

    Parameters
    ----------
    tiles : of :func:`.tile.make_tile`
    in_step : InStep, optional
        Of the same shots in the same order.

    Returns
    -------
    dict
        ``start``, ``impact`` and ``dtw``: a map per clip, [[u, t], …] with u the seconds of the common line, from 0, and t those of the clip; rising, linear
        between, held at the clip's ends outside. ``impact`` is null unless every clip's impact is known, ``dtw`` unless ``in_step`` was found by time warping.

    Raises
    ------
    KineticsError
        When ``in_step`` is of another number of shots.
    """
    if in_step is not None and len(in_step.maps) != len(tiles):
        raise KineticsError(f"There are {len(tiles)} clips, and Shots In Step was made of {len(in_step.maps)}; plug in the same clips.")
    lengths = [tile["t"][-1] for tile in tiles]
    impacts = [tile["swing"] and tile["swing"]["impact"] and tile["swing"]["impact"]["t"] for tile in tiles]
    if None in impacts and in_step is not None:
        impacts = list(in_step.impacts)
    warped = in_step is not None and not all(tempo == 1 for tempo in in_step.tempo)
    return {
        "start": [_straight(0.0, length) for length in lengths],
        "impact": None if None in impacts else _by_impact(impacts, lengths),
        "dtw": _by_maps(in_step, lengths) if warped else None,
    }  # fmt: skip


def _straight(begins: float, length: float) -> Map:
    return [[round(begins, 6), 0.0], [round(begins + max(length, 1e-3), 6), round(max(length, 1e-3), 6)]]


def _by_impact(impacts: Sequence[float], lengths: Sequence[float]) -> list[Map]:
    latest = max(impacts)
    return [_straight(latest - impact, length) for impact, length in zip(impacts, lengths, strict=True)]


def _by_maps(in_step: InStep, lengths: Sequence[float]) -> list[Map]:
    begins = min(float(time_map.undo(0.0)) for time_map in in_step.maps)
    maps = []
    for time_map, length in zip(in_step.maps, lengths, strict=True):
        own = np.unique(np.clip(np.concatenate([[0.0, length], time_map.at]), 0.0, length))
        line = time_map.undo(own) - begins
        rises = np.concatenate([[True], np.diff(line) > 1e-6])
        maps.append([[round(float(u), 6), round(float(t), 6)] for u, t in zip(line[rises], own[rises], strict=True)])
    return maps
