"""The loss on clips that training never saw, at fixed noise and times: with the right pose, with a wrong one, and without the LoRA.

Without a pose ControlNet in the loop the pose plays no part, and only the right one is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Progress
from .adapters import Adapters
from .batches import Source, generator
from .losses import add_noise, sample_losses, target_of

if TYPE_CHECKING:
    import torch

#: Hints are compared at this size (pixels a side) when the most different is looked for.
SMALL = 32


class HeldOut:
    """The fixed evaluation of a run.

    Parameters
    ----------
    source
        Tensors of the dataset; its ``held_out`` samples are used, spread evenly when there are more than the settings ask for.
    adapters
        What :meth:`measure` switches; None where only :meth:`losses` is asked for.
    """

    def __init__(self, source: Source, adapters: Adapters | None, device: torch.device, dtype: torch.dtype) -> None:
        import torch

        self.source, self.adapters, self.device, self.dtype = source, adapters, device, dtype
        settings = source.settings
        self.samples = spread_over(source.held_out, settings.evaluate_samples)
        count = len(self.samples)
        span = settings.last_time - settings.first_time
        order = torch.randperm(count, generator=generator("held out", "times")).tolist()
        #: Spread evenly over the times that are trained, in an order that has nothing to do with the clips'.
        self.times = [settings.first_time + (2 * k + 1) * span // (2 * count) for k in order]
        self.wrong = self._wrong_hints() if source.modules.controlnet is not None else None
        self._base: float | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def _wrong_hints(self) -> list[tuple[int, bool]]:
        """For each sample the hint of its size that differs most from its own: another sample's, or its own mirrored."""
        import torch

        hints = [self.source.hints([number])[0] for number in self.samples]
        small = [torch.nn.functional.adaptive_avg_pool2d(hint, SMALL) for hint in hints]
        found = []
        for k, own in enumerate(small):
            choices = [((small[j] - own).square().mean().item(), j, False) for j in range(len(small)) if hints[j].shape == hints[k].shape]
            choices.append(((own.flip(-1) - own).square().mean().item(), k, True))
            _, number, mirrored = max(choices, key=lambda choice: choice[0])
            found.append((number, mirrored))
        return found

    def measure(self) -> dict[str, float]:
        """Mean squared error of epsilon (or v) on the held-out samples.

        Returns
        -------
        dict
            ``right`` and ``base``; with a ControlNet ``wrong`` too.
        """
        with self.adapters.switched("saved"):
            found = {"right": float(self.losses().mean())}
            if self.wrong is not None:
                found["wrong"] = float(self.losses(wrong=True).mean())
        if self._base is None:
            with self.adapters.switched("base"):
                self._base = float(self.losses().mean())
        return found | {"base": self._base}

    def losses(self, wrong: bool = False, progress: Progress | None = None) -> np.ndarray:
        """Squared error of epsilon (or v), (n,) per held-out sample, under whatever lies on the modules; progress(samples done, in all)."""
        import torch

        found, done = np.empty(len(self)), 0
        with torch.no_grad(), autocast(self.device, self.dtype):
            for places in self._batches():
                found[places] = self._batch_loss(places, wrong).double().cpu().numpy()
                done += len(places)
                if progress:
                    progress(done, len(self))
        return found

    def _batches(self) -> Iterator[list[int]]:
        """Places of samples of one size, no more together than in training."""
        sizes: dict[tuple[int, int], list[int]] = {}
        for place, number in enumerate(self.samples):
            sample = self.source.samples[number]
            sizes.setdefault((sample.width, sample.height), []).append(place)
        batch = self.source.settings.batch
        for places in sizes.values():
            yield from (places[k : k + batch] for k in range(0, len(places), batch))

    def _batch_loss(self, places: list[int], wrong: bool) -> torch.Tensor:
        import torch

        source, modules, numbers = self.source, self.source.modules, [self.samples[place] for place in places]
        latents = source.latents(numbers).to(self.device)
        noise = torch.stack([torch.randn(latents.shape[1:], generator=generator("held out", "noise", place)) for place in places]).to(
            self.device
        )
        times = torch.tensor([self.times[place] for place in places])
        bar = modules.alphas_bar[times].float()
        context, pooled = source.text([source.samples[number].text for number in numbers], learning=source.settings.train_text)
        hints = self._hints(places, wrong) if self.wrong is not None else None
        said = modules.predict(
            add_noise(latents, noise, bar).to(self.dtype), times.to(self.device), context.to(self.device, self.dtype),
            None if pooled is None else pooled.to(self.device, self.dtype),
            None if hints is None else hints.to(self.device, self.dtype), source.settings.control_strength,
        )  # fmt: skip
        return sample_losses(said, target_of(modules.prediction, latents, noise, bar), None, 1.0)

    def _hints(self, places: list[int], wrong: bool) -> torch.Tensor:
        import torch

        if not wrong:
            return self.source.hints([self.samples[place] for place in places])
        chosen = [(self.samples[self.wrong[place][0]], self.wrong[place][1]) for place in places]
        return torch.cat([self.source.hints([number]).flip(-1) if mirrored else self.source.hints([number]) for number, mirrored in chosen])


def spread_over(numbers: Sequence[int], count: int) -> list[int]:
    """``count`` of the numbers, or all when there are fewer, evenly spread over them."""
    count = min(count, len(numbers))
    return [numbers[(2 * k + 1) * len(numbers) // (2 * count)] for k in range(count)]


def autocast(device: torch.device, dtype: torch.dtype):
    """Mixed precision for bf16 and fp16; nothing for fp32."""
    import torch
    from torch.amp import autocast_mode

    return nullcontext() if dtype == torch.float32 else autocast_mode.autocast(device.type, dtype)
