"""A picture enlarged by a network tile by tile, the tiles laid over each other without a seam."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError

if TYPE_CHECKING:
    import torch

#: Pixels that neighbouring tiles share; the outer quarter of them on either side, where a tile lacks its surroundings, doesn't count.
OVERLAP = 32
#: Tiles are not made smaller than this (px) when memory runs out.
LEAST = 64


class TileEnlarger:
    """Enlarges pictures through a network of a whole-number scale.

    Parameters
    ----------
    network : callable
        (1, 3, h, w) float tensor 0-1, on the network's device, to (1, 3, scale·h, scale·w).
    scale : int
    tile : int
        A tile has at most ``tile``² pixels: a wide one is as good as a square one, and fewer of them share fewer pixels.
    overlap : int
        Pixels shared by neighbouring tiles.
    device : str or torch.device
    is_out_of_memory : callable, optional
        Whether an exception tells that memory ran out: the tile is made smaller then, and stays so.
    """

    def __init__(
        self, network: Callable, scale: int, tile: int = 512, overlap: int = OVERLAP, device: str | torch.device = "cpu",
        is_out_of_memory: Callable[[BaseException], bool] | None = None,
    ):  # fmt: skip
        self.scale, self.tile, self.overlap = scale, tile, overlap
        self._network, self._device = network, device
        self._is_out_of_memory = is_out_of_memory or (lambda error: isinstance(error, MemoryError))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB to (scale·H, scale·W, 3) float32, 0-255."""
        while True:
            try:
                return self._enlarge(image)
            except Exception as error:
                if not self._is_out_of_memory(error):
                    raise
                if self.tile // 2 < LEAST:
                    raise KineticsError(
                        f"There is not enough memory to enlarge even {self.tile}×{self.tile} pixels at once; use a smaller model, or close other programs."
                    ) from error
                self.tile //= 2

    def _enlarge(self, image: np.ndarray) -> np.ndarray:
        import torch

        height, width = image.shape[:2]
        rows, columns = _grid(height, width, self.tile, self.overlap)
        with torch.inference_mode():
            # In this order of steps torch knows it for channels-last, in which convolutions are a quarter faster on a processor.
            whole = torch.from_numpy(image)[None].permute(0, 3, 1, 2)
            if len(rows) == len(columns) == 1:
                return self._run(whole)
            total = np.zeros((self.scale * height, self.scale * width, 3), np.float32)
            weight = np.zeros((self.scale * height, self.scale * width, 1), np.float32)
            for top, bottom in rows:
                for left, right in columns:
                    made = self._run(whole[:, :, top:bottom, left:right])
                    ramp = _ramp(top, bottom, height, self.overlap, self.scale)[:, None, None] * _ramp(left, right, width, self.overlap, self.scale)[None, :, None]
                    part = np.s_[self.scale * top : self.scale * bottom, self.scale * left : self.scale * right]
                    total[part] += made * ramp
                    weight[part] += ramp
        return total / weight

    def _run(self, part: torch.Tensor) -> np.ndarray:
        made = self._network(part.to(self._device).float() / 255)
        return made[0].clamp(0, 1).mul(255).permute(1, 2, 0).cpu().contiguous().numpy()


def _grid(height: int, width: int, tile: int, overlap: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Rows and columns of tiles, each (from, to): of those that fit the limit, the grid that computes the fewest pixels."""
    overlap = min(overlap, tile // 2)
    best = None
    for across in range(1, width + 1):
        wide = _tile_side(width, across, overlap)
        down = next((n for n in range(1, height + 1) if _tile_side(height, n, overlap) * wide <= tile**2), None)
        if down is not None:
            cost = across * wide * down * _tile_side(height, down, overlap)
            best = min(best or (cost, down, across), (cost, down, across))
        if wide <= tile // 2:
            break
    _, down, across = best
    return _spans(height, down, overlap), _spans(width, across, overlap)


def _tile_side(side: int, count: int, overlap: int) -> int:
    return -(-(side + (count - 1) * overlap) // count)


def _spans(side: int, count: int, overlap: int) -> list[tuple[int, int]]:
    """``count`` equal spans that reach from 0 to ``side``, neighbours overlapping."""
    length = _tile_side(side, count, overlap)
    starts = [round(k * (side - length) / max(count - 1, 1)) for k in range(count)]
    return [(start, start + length) for start in starts]


def _ramp(start: int, end: int, side: int, overlap: int, scale: int) -> np.ndarray:
    """Weight of a tile's pixels along one side: 1 inside, falling over the overlap to next to nothing in its outer quarter."""
    place = (np.arange(scale * (end - start)) + 0.5) / scale
    quarter = overlap / 4
    weight = np.ones(len(place), np.float32)
    for distance, is_rim in ((place, start == 0), (end - start - place, end == side)):
        if not is_rim:
            weight *= np.clip((distance - quarter) / max(overlap - 2 * quarter, 1), 1e-6, 1)
    return weight
