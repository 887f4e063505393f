"""Learning from drawn samples: a pool that is drawn by other processes while this one trains, and weights written every few minutes."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..errors import KineticsError
from ..files import write_beside
from ..motion.bat_crops import SIZE
from ..motion.bat_module import build_module
from ..motion.bat_network import CELLS, load_network
from .score import measure

#: Samples per drawing job, in the pool at most, in a step, and in the held-out set.
SHARD, POOL, BATCH, HELD_OUT = 100, 30_000, 32, 800

#: Each drawn sample is learned from about this often, changed a little each time.
REUSE = 5

_bank = None


def draw_shard(seed: tuple[int, ...], photos: list[np.ndarray], count: int = SHARD) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes (count, 8, 128, 128), blades (count, 64, 64), both uint8, and labels (count, 7) float32; the same for the same seed.

    The bank of backdrops is made once a process, from ``seed[0]`` alone, and renewed as it is used.
    """
    import cv2

    from .backdrops import Bank
    from .sample import draw_sample

    global _bank
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    if _bank is None:
        _bank = Bank(np.random.default_rng(seed), photos)
    planes = np.empty((count, 8, SIZE, SIZE), np.uint8)
    blades = np.empty((count, CELLS, CELLS), np.uint8)
    labels = np.empty((count, 7), np.float32)
    for k in range(count):
        if k % 5 == 0:
            _bank.renew()
        sample = draw_sample(rng, _bank)
        planes[k], blades[k], labels[k] = sample.planes, sample.blade, sample.label()
    return planes, blades, labels


class Pool:
    """Drawn samples in memory, the oldest replaced; ``workers`` processes draw more meanwhile, this one itself where there are none."""

    def __init__(self, seed: int, photos: list[np.ndarray], workers: int, size: int = POOL):
        self._seed, self._photos, self._next = seed, photos, 0
        self._executor = multiprocessing.get_context("spawn").Pool(workers, initializer=_be_nice) if workers else None
        self._jobs: list = []
        self._workers = workers
        self._size = size
        self.planes = np.empty((size, 8, SIZE, SIZE), np.uint8)
        self.blades = np.empty((size, CELLS, CELLS), np.uint8)
        self.labels = np.empty((size, 7), np.float32)
        self.drawn = 0

    def __len__(self) -> int:
        return min(self.drawn, self._size)

    def refill(self, wanted: int) -> None:
        """Take in what has been drawn; ask for more while fewer than ``wanted`` samples have been drawn. Waits only for the first shard."""
        if self._executor is None:
            if self.drawn < wanted:
                self._take(*draw_shard((self._seed, self._next), self._photos))
                self._next += 1
            return
        while len(self._jobs) < 2 * self._workers and self.drawn + SHARD * len(self._jobs) < wanted:
            self._jobs.append(self._executor.apply_async(draw_shard, ((self._seed, self._next), self._photos)))
            self._next += 1
        if self._jobs and (self._jobs[0].ready() or not self.drawn):
            self._take(*self._jobs.pop(0).get())

    def _take(self, planes: np.ndarray, blades: np.ndarray, labels: np.ndarray) -> None:
        place = (self.drawn + np.arange(len(planes))) % self._size
        self.planes[place], self.blades[place], self.labels[place] = planes, blades, labels
        self.drawn += len(planes)

    def close(self) -> None:
        """End the workers."""
        if self._executor is not None:
            self._executor.terminate()
            self._executor.join()


def train(
    out: str | os.PathLike,
    minutes: float,
    seed: int = 0,
    *,
    device: str = "auto",
    resume: str | os.PathLike | None = None,
    photos: list[np.ndarray] | None = None,
    workers: int = 1,
    rate: float = 2.5e-3,
    export_every: float = 8.0,
    held_out: int = HELD_OUT,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train for ``minutes`` and write ``out`` (safetensors, half precision) every ``export_every`` minutes and at the end.

    Parameters
    ----------
    resume : path, optional
        Weights to begin from.
    photos : list of (H, W, 3) uint8, optional
        Pictures whose texture backdrops may borrow.
    rate : float
        Learning rate at its height; it falls along a half cosine over the given minutes.

    Returns
    -------
    dict
        The figures on held-out drawn samples (:func:`.score.measure`), also in the file's metadata.
    """
    import torch
    from torch import autocast

    torch.manual_seed(seed)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    start = None if resume is None else load_network(resume)
    module = (build_module() if start is None else start.module).to(device).train()
    earlier = np.array([float(start.about.get(name, 0)) if start else 0.0 for name in ("samples_learned", "samples_drawn", "minutes")])
    average = {name: value.detach().clone() for name, value in module.state_dict().items()}
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=1e-3)
    pool = Pool(seed, photos or [], workers)
    try:
        # Drawn in this process, the workers' samples in theirs: held-out samples have a seed and a bank of their own.
        held = draw_shard((seed, 987_654_321), photos or [], held_out)
        say(
            f"{sum(p.numel() for p in module.parameters())} weights; {held_out} held-out samples, "
            f"toe seen in {(held[2][:, 4] > 0).mean():.2f}"
        )
        begin, step, learned, loss_sum, last_export = time.monotonic(), 0, 0, 0.0, time.monotonic()
        rng = np.random.default_rng((seed, 1))
        figures: dict[str, float] = {}
        while (spent := time.monotonic() - begin) < 60 * minutes:
            pool.refill(3000 + learned // REUSE)
            share = spent / (60 * minutes)
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 200) * (0.5 * (1 + math.cos(math.pi * share)) + 0.003)
            pick = rng.integers(0, len(pool), BATCH)
            batch = augment(rng, pool.planes[pick], pool.blades[pick], pool.labels[pick])
            planes, blades, labels = (torch.from_numpy(part).to(device) for part in batch)
            with autocast(device, torch.bfloat16, enabled=device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()):
                maps, none = module(planes)
            loss = losses(maps, none, blades.float() / 255, labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimiser.step()
            step, learned, loss_sum = step + 1, learned + BATCH, loss_sum + loss.item()
            keep = min(0.999, 1 - 1 / (0.1 * step + 1))
            with torch.no_grad():
                for name, value in module.state_dict().items():
                    average[name].lerp_(value, 1 - keep) if value.is_floating_point() else average[name].copy_(value)
            if step % 100 == 0:
                say(f"{spent:.0f} s, step {step}, drawn {pool.drawn}, loss {loss_sum / 100:.3f}")
                loss_sum = 0.0
            if time.monotonic() - last_export > 60 * export_every:
                last_export = time.monotonic()
                figures = export(out, average, held, earlier + np.array([learned, pool.drawn, spent / 60]))
                say(f"{spent:.0f} s: {json.dumps(figures)}")
        figures = export(out, average, held, earlier + np.array([learned, pool.drawn, spent / 60]))
        say(f"{spent:.0f} s, finished: {json.dumps(figures)}")
        return figures
    finally:
        pool.close()


def losses(maps, none, blades, labels):
    """Cross-entropy over the cells and "no toe", the same for the grip, and for the blade cross-entropy and overlap."""
    import torch
    from torch.nn import functional

    seen = labels[:, 4]
    goal = torch.cat([_bump(labels[:, :2]).flatten(1) * (seen > 0)[:, None], (seen == 0).float()[:, None]], dim=1)
    toe = -(goal * functional.log_softmax(torch.cat([maps[:, 0].flatten(1), none], dim=1), dim=1)).sum(dim=1)
    toe = toe.sum() / (seen >= 0).sum().clamp(min=1)
    grip = -(_bump(labels[:, 2:4]).flatten(1) * functional.log_softmax(maps[:, 1].flatten(1), dim=1)).sum(dim=1).mean()
    blade = torch.sigmoid(maps[:, 2])
    overlap = (1 - (2 * (blade * blades).sum((1, 2)) + 1) / (blade.sum((1, 2)) + blades.sum((1, 2)) + 1)).mean()
    return toe + 0.25 * grip + 15 * functional.binary_cross_entropy_with_logits(maps[:, 2], blades) + overlap


def augment(
    rng: np.random.Generator, planes: np.ndarray, blades: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A batch as drawn (uint8 and labels) turned, scaled, shifted, mirrored, run backwards and recoloured; new arrays, labels to match."""
    import cv2

    planes, blades, labels = planes.copy(), blades.copy(), labels.copy()
    for n in range(len(planes)):
        turn = _random_turn(rng)
        # Cells are two pixels wide: the same map between their middles.
        halved = np.array([[1, 1, 0.5], [1, 1, 0.5]]) * turn
        halved[:, 2] += (turn[:, :2].sum(axis=1) - 1) * 0.25
        for plane in planes[n]:
            plane[:] = cv2.warpAffine(plane, turn, (SIZE, SIZE))
        blades[n] = cv2.warpAffine(blades[n], halved, (CELLS, CELLS))
        for first in (0, 2):
            labels[n, first : first + 2] = turn[:, :2] @ labels[n, first : first + 2] + turn[:, 2]
        labels[n, 5] *= np.sqrt(abs(np.linalg.det(turn[:, :2])))
        if rng.random() < 0.5:
            planes[n, [3, 4]] = planes[n, [4, 3]]
        if rng.random() < 0.2:
            planes[n, :3] = planes[n, rng.permutation(3)]
        for plane in (3, 4):
            if rng.random() < 0.08:  # a neighbour that repeats the frame, or is missing
                planes[n, plane] = planes[n, :3].mean(axis=0)
        levels = np.clip(np.arange(256) * rng.uniform(0.8, 1.2) + rng.uniform(-20, 20), 0, 255).astype(np.uint8)
        planes[n, :5] = cv2.LUT(planes[n, :5].reshape(5, -1), levels).reshape(5, SIZE, SIZE) & np.where(planes[n, 7] > 127, 255, 0).astype(
            np.uint8
        )
    gone = (labels[:, :2].min(axis=1) < 1) | (labels[:, :2].max(axis=1) > SIZE - 2)
    labels[gone, 4] = 0
    return planes, blades, labels


def _random_turn(rng: np.random.Generator) -> np.ndarray:
    """(2, 3): a small turn, change of size and shift about the crop's middle, mirrored half the time."""
    angle, zoom, shift = rng.normal(0, 0.15), np.exp(rng.normal(0, 0.06)), rng.normal(0, 2, 2)
    mirror = rng.choice([-1.0, 1.0])
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    linear = np.array([[c * mirror, -s], [s * mirror, c]])
    middle = np.full(2, (SIZE - 1) / 2)
    return np.column_stack([linear, middle + shift - linear @ middle])


def export(out: str | os.PathLike, state: dict, held: tuple, effort: np.ndarray) -> dict[str, float]:
    """Measure the weights on the held-out samples and write them with the figures and the calibration; whole or not at all.

    ``effort``: samples learned from, samples drawn, minutes, those of the weights that the training began from included.
    """
    from safetensors.torch import save_file

    module = build_module()
    # What is measured is what is written: half precision.
    state = {name: value.cpu().half() if value.is_floating_point() else value.cpu() for name, value in state.items()}
    module.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in state.items()})
    figures = measure(module, *held)
    about = {name: repr(float(value)) for name, value in figures.items()}
    about |= {name: f"{value:.0f}" for name, value in zip(("samples_learned", "samples_drawn", "minutes"), effort, strict=True)}
    with write_beside(Path(out)) as part:
        save_file({name: value.contiguous() for name, value in state.items()}, str(part), metadata=about)
    return figures


def read_photos(folder: str | os.PathLike | None) -> list[np.ndarray]:
    """The pictures of a folder, RGB."""
    import cv2

    if folder is None:
        return []
    photos = [cv2.imread(str(path)) for path in _pictures(Path(folder))]
    photos = [cv2.cvtColor(photo, cv2.COLOR_BGR2RGB) for photo in photos if photo is not None and min(photo.shape[:2]) >= 64]
    if not photos:
        raise KineticsError(
            f"{folder} holds no picture of 64 pixels or more; give a folder with PNG or JPEG files, or leave the option out."
        )
    return photos


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".png", ".jpg", ".jpeg"))


def _bump(places, width: float = 1.1):
    """(N, 64, 64) goals that add up to 1: a Gaussian of ``width`` cells about places (N, 2) in pixels of the crop."""
    import torch

    cells = torch.arange(CELLS, device=places.device)
    at = (places - 0.5) / 2
    x, y = (torch.exp(-((cells - at[:, axis : axis + 1]) ** 2) / (2 * width**2)) for axis in (0, 1))
    bump = y[:, :, None] * x[:, None, :]
    return bump / bump.sum((1, 2), keepdim=True).clamp(min=1e-6)


def _be_nice() -> None:
    if hasattr(os, "nice"):
        os.nice(5)
