"""Pictures brought to a size by Lanczos' kernel: by Pillow on the processor, by two matrices on a graphics card."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

#: Lobes of the kernel, as in Pillow.
_LOBES = 3


def resize(image: np.ndarray, size: tuple[int, int], device: str | torch.device = "cpu") -> np.ndarray:
    """(H, W, 3) uint8 to (h, w, 3) uint8, ``size`` = (w, h); made smaller, it is filtered, so that it doesn't flicker."""
    if image.shape[1::-1] == tuple(size):
        return image
    if str(device).startswith("cpu"):
        from PIL import Image

        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    return _resize_on_card(image, tuple(size), device)


def _resize_on_card(image: np.ndarray, size: tuple[int, int], device: str | torch.device) -> np.ndarray:
    import torch

    height, width = image.shape[:2]
    down, across = (torch.from_numpy(lanczos_matrix(*sides)).to(device) for sides in ((height, size[1]), (width, size[0])))
    planes = torch.from_numpy(image).to(device).permute(2, 0, 1).float()
    made = down @ planes @ across.T
    return made.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().contiguous().numpy()


@lru_cache(maxsize=8)
def lanczos_matrix(source: int, target: int) -> np.ndarray:
    """(target, source) float32: row k holds what each sample counts for sample k of the new size; rows sum to 1."""
    stretch = max(source / target, 1.0)
    middle = (np.arange(target) + 0.5) * source / target
    x = (np.arange(source)[None] + 0.5 - middle[:, None]) / stretch
    weight = np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0.0)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
