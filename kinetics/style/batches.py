"""Which samples a pass sees, what chance decides for each, and their tensors.

Chance has no state: every draw comes from a generator seeded by the run's seed, the pass and the place in it. A resumed run
draws what the uninterrupted one would have drawn, and two processes together draw what one draws with twice the batch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KineticsError, Progress
from ..files import write_beside
from .modules import join_contexts

if TYPE_CHECKING:
    import torch

    from .modules import StyleModules
    from .samples import StyleDataset
    from .settings import TrainSettings


def generator(*parts: object) -> torch.Generator:
    """A generator of its own for each purpose: ``generator(seed, "noise", 12, 0)``."""
    import torch

    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


class Order:
    """Batches of one size of picture each, every sample once an epoch.

    Parameters
    ----------
    sizes : list of (width, height)
        Of the samples.
    batch : int
        Samples of one pass, over all processes. A bucket's last batch is filled up with samples of the same bucket.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], batch: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self.buckets: dict[tuple[int, int], list[int]] = {}
        for number, size in enumerate(sizes):
            self.buckets.setdefault(size, []).append(number)
        self.per_epoch = sum(-(-len(bucket) // batch) for bucket in self.buckets.values())
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def pick(self, number: int) -> list[int]:
        """The samples of pass ``number``, from 0."""
        epoch, place = divmod(number, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffle(epoch))
        return self._epoch[1][place]

    def _shuffle(self, epoch: int) -> list[list[int]]:
        import torch

        chance, batches = generator(self.seed, "order", epoch), []
        for size in sorted(self.buckets):
            bucket = self.buckets[size]
            order = [bucket[k] for k in torch.randperm(len(bucket), generator=chance).tolist()]
            padded = [order[k % len(order)] for k in range(-(-len(order) // self.batch) * self.batch)]
            batches += [padded[k : k + self.batch] for k in range(0, len(padded), self.batch)]
        return [batches[k] for k in torch.randperm(len(batches), generator=chance).tolist()]


@dataclass
class Batch:
    """What one pass needs, on the CPU.

    Attributes
    ----------
    samples : list of int
        Numbers in the split.
    captions : list of str
        Empty where the caption was dropped.
    times (B,), noise (B, C, h, w), weights (B,), strength (B,)
        ``strength`` of the ControlNet is 0 where the hint was dropped.
    hints : (B, 3, H, W) in 0…1, or None without a ControlNet
    mask : (B, 1, h, w)
    """

    samples: list[int]
    captions: list[str]
    times: torch.Tensor
    noise: torch.Tensor
    weights: torch.Tensor
    strength: torch.Tensor
    hints: torch.Tensor | None
    mask: torch.Tensor


def read_picture(path: Path, mode: str) -> torch.Tensor:
    """A picture as uint8 (C, H, W)."""
    import numpy as np
    import torch
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            pixels = np.array(picture.convert(mode))
    except (OSError, UnidentifiedImageError) as error:
        raise KineticsError(f"Can't read the picture {path} of the style dataset ({error}); build the dataset again.") from error
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)


class Source:
    """The tensors of a dataset's samples, the training ones first; latents and text embeddings are made once when caching is on.

    Parameters
    ----------
    cache : path, optional
        A folder in which latents stay from run to run, named by the picture's and the VAE's content.

    Raises
    ------
    KineticsError
        When there is nothing to train on, or a picture's sides don't fit the latents.
    """

    def __init__(
        self, dataset: StyleDataset, modules: StyleModules, settings: TrainSettings, cache: str | os.PathLike | None = None
    ) -> None:
        self.folder, self.modules, self.settings = Path(dataset.folder), modules, settings
        train, held_out = dataset.split("train"), dataset.split("held_out")
        total = sum(sample.weight for sample in train)
        if not total > 0:
            raise KineticsError(
                f"The style dataset {self.folder} has no sample of any weight to train on; build it again, from more clips."
            )
        self.samples = [*train, *held_out]
        #: Numbers of the samples that are not trained on.
        self.held_out = range(len(train), len(self.samples))
        #: Mean 1 over what is trained on.
        self.weights = [sample.weight * len(train) / total for sample in self.samples]
        for sample in self.samples:
            if sample.width % 8 or sample.height % 8:
                raise KineticsError(
                    f"{self.folder / sample.file_name} is {sample.width}x{sample.height}; sides have to be multiples of 8: build the dataset again."
                )
        self.cache = Path(cache) if cache is not None else None
        self._latents: dict[int, torch.Tensor] = {}
        self._masks: dict[int, torch.Tensor] = {}
        self._text: dict[str, tuple] = {}

    @property
    def fingerprint(self) -> str:
        """Changes with captions, weights and splits."""
        return hashlib.sha256("".join(sample.line() for sample in self.samples).encode()).hexdigest()

    def latent(self, number: int) -> torch.Tensor:
        """(C, h, w) in float32."""
        if number in self._latents:
            return self._latents[number]
        path = self.folder / self.samples[number].file_name
        kept = self._kept(path) if self.settings.caching else None
        if kept is not None and kept.is_file():
            from safetensors.torch import load_file

            latent = load_file(kept)["latent"]
        else:
            picture = read_picture(path, "RGB").float().div_(127.5).sub_(1)
            latent = self.modules.encode_images(picture[None])[0].float().cpu()
            if kept is not None:
                from safetensors.torch import save_file

                with write_beside(kept) as part:
                    save_file({"latent": latent.contiguous()}, part)
        if self.settings.caching:
            self._latents[number] = latent
        return latent

    def _kept(self, path: Path) -> Path | None:
        if self.cache is None:
            return None
        return self.cache / f"{hashlib.sha256(path.read_bytes() + self.modules.vae_hash.encode()).hexdigest()}.safetensors"

    def prepare(self, progress: Progress) -> None:
        """Make all latents and, unless the encoders learn, all text embeddings; with caching off nothing is kept and this does nothing."""
        if not self.settings.caching:
            return
        captions = [] if self.settings.train_text else sorted({"", *(sample.text for sample in self.samples)})
        total = len(self.samples) + len(captions)
        for number in range(len(self.samples)):
            self.latent(number)
            progress(number + 1, total)
        for number, caption in enumerate(captions, len(self.samples) + 1):
            self.text([caption])
            progress(number, total)

    def latents(self, numbers: Sequence[int]) -> torch.Tensor:
        """(B, C, h, w)."""
        import torch

        if self.settings.caching:
            return torch.stack([self.latent(number) for number in numbers])
        pictures = [read_picture(self.folder / self.samples[number].file_name, "RGB").float().div_(127.5).sub_(1) for number in numbers]
        return self.modules.encode_images(torch.stack(pictures)).float()

    def hints(self, numbers: Sequence[int]) -> torch.Tensor:
        """(B, 3, H, W) in 0…1."""
        import torch

        return torch.stack([read_picture(self.folder / self.samples[number].hint, "RGB") for number in numbers]).float().div_(255)

    def masks(self, numbers: Sequence[int]) -> torch.Tensor:
        """(B, 1, h, w) in 0…1: the part of each latent pixel that is masked."""
        import torch

        for number in numbers:
            if number not in self._masks:
                mask = read_picture(self.folder / self.samples[number].mask, "L").float().div_(255)
                self._masks[number] = torch.nn.functional.avg_pool2d(mask[None], 8)[0]
        return torch.stack([self._masks[number] for number in numbers])

    def text(self, captions: Sequence[str], *, learning: bool = False) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Context and pooled embedding of captions; each is made once, unless the encoders learn or caching is off."""
        import torch

        if learning:
            return self.modules.encode_text(list(captions))
        if not self.settings.caching:
            with torch.no_grad():
                return self.modules.encode_text(list(captions))
        made = self._text
        for caption in captions:
            if caption not in made:
                with torch.no_grad():
                    made[caption] = self.modules.encode_text([caption])
        pooled = None if made[captions[0]][1] is None else torch.cat([made[caption][1] for caption in captions])
        return join_contexts([made[caption][0] for caption in captions]), pooled

    def batch(self, number: int, picked: Sequence[int], first: int = 0) -> Batch:
        """What pass ``number`` needs for these samples, the first of which has place ``first`` in it."""
        import torch

        settings, times, noises, captions, strength = self.settings, [], [], [], []
        channels = 4
        for place, sample in enumerate((self.samples[k] for k in picked), first):
            chance = generator(settings.seed, "pass", number, place)
            time, drop_hint, drop_caption = torch.rand(3, generator=chance, dtype=torch.float64).tolist()
            times.append(settings.first_time + int(time * (settings.last_time - settings.first_time)))
            strength.append(0.0 if drop_hint < settings.hint_dropout else settings.control_strength)
            captions.append("" if drop_caption < settings.caption_dropout else sample.text)
            noise = torch.randn(channels, sample.height // 8, sample.width // 8, generator=chance)
            if settings.noise_offset:
                noise += settings.noise_offset * torch.randn(channels, 1, 1, generator=chance)
            noises.append(noise)
        return Batch(
            list(picked), captions, torch.tensor(times), torch.stack(noises), torch.tensor([self.weights[k] for k in picked]), torch.tensor(strength),
            self.hints(picked) if self.modules.controlnet is not None else None, self.masks(picked),
        )  # fmt: skip


class Ahead:
    """Calls ``load(number)`` for the next number in a thread of its own while this one's result is worked on."""

    def __init__(self, load: Callable[[int], Batch]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._load, self._pool, self._next = load, ThreadPoolExecutor(1, thread_name_prefix="style-batches"), {}

    def get(self, number: int, following: int | None) -> Batch:
        """The result for ``number``; ``following`` is begun, when there is one."""
        batch = self._next.pop(number, None)
        batch = self._load(number) if batch is None else batch.result()
        if following is not None:
            self._next = {following: self._pool.submit(self._load, following)}
        return batch

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
