"""The blocks that a coder leaves: how strongly they show, and what noise comes with them."""

from __future__ import annotations

import numpy as np

from .dct import SIDE

#: Coding noise (standard deviation, grey levels) per grey level by which the step at a block's border exceeds those inside.
_PER_STEP = 6.5
#: Excess below this is chance.
_CHANCE = 0.15
#: Steps are counted no further than this: beyond lie edges of the scene.
_LOW, _HIGH = -4, 12


def measure_blocks(luma: np.ndarray, rows: bool = True) -> float:
    """Coding noise that goes with the 8×8 blocks of a picture, grey levels; 0 where no blocks show.

    The step across a block's border, less the steps beside it, is compared with the same figure at the other places of the grid, where
    only the scene makes steps. The factor between excess and noise was measured on MPEG-2 at quantisers from 4 to 31.

    Parameters
    ----------
    luma : (H, W) uint8
        As stored, so that the grid begins at its corner.
    rows : bool
        Look across rows too; the rows of interlaced pictures are no neighbours in time.
    """
    planes = (luma, luma.T) if rows else (luma,)
    steps = [_steps(plane.astype(np.float32)) for plane in planes if plane.shape[1] >= 4 * SIDE]
    if not steps:
        return 0.0
    steps = np.mean(steps, axis=0)
    # Beside a border the figure is lowered by the border's own step: those two places don't count.
    excess = float(steps[SIDE - 1] - max(steps[1 : SIDE - 2].max(), 0.0))
    return _PER_STEP * excess if excess > _CHANCE else 0.0


def _steps(plane: np.ndarray) -> np.ndarray:
    """(8,): mean step to the right of each column of the grid, less the steps on either side of it."""
    steps = np.abs(np.diff(plane, axis=1))
    inner = steps[:, 2:-2] - (steps[:, :-4] + steps[:, 1:-3] + steps[:, 3:-1] + steps[:, 4:]) / 4
    inner = inner.clip(_LOW, _HIGH).mean(axis=0)
    return np.array([inner[(place - 2) % SIDE :: SIDE].mean() for place in range(SIDE)])


def block_spectrum(noise: float) -> np.ndarray:
    """(3, 64): variance of coding noise of luma, Cr, Cb in each cosine coefficient, as MPEG-2 leaves it: much of it coarse."""
    order = np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel()
    shape = (1 + 0.5 * order) ** -2.0
    shape /= shape.mean()
    return (noise**2 * np.stack([shape, 0.4 * shape, 0.4 * shape])).astype(np.float32)
