"""What the LoRA draws as it stands: held-out poses with their captions, each from the same noise every time, so that only the LoRA differs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import KineticsError
from ..files import write_beside
from .adapters import Adapters
from .batches import Source, generator, read_picture
from .held_out import autocast, spread_over
from .picture_sheet import picture_sheet

if TYPE_CHECKING:
    import torch
    from diffusers import DPMSolverMultistepScheduler

    from .modules import StyleModules
    from .samples import StyleDataset, StyleSample


class Pictures:
    """Draws the held-out poses of a run.

    No state of chance is touched, and the weights are left as they were: training goes on as if nothing had been drawn.

    Attributes
    ----------
    samples : list of int
        Numbers of the samples in the source, spread over the held-out ones: as many as the settings ask for.
    album : Album
        Where the pictures go.
    """

    def __init__(self, source: Source, adapters: Adapters, dataset: StyleDataset, out: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.source, self.adapters, self.device, self.dtype = source, adapters, device, dtype
        self.samples = spread_over(source.held_out, source.settings.picture_poses)
        self.album = Album(out, dataset, [source.samples[number] for number in self.samples])

    def draw_all(self, step: int, between: Callable[[], None]) -> np.ndarray:
        """Draw every pose after ``step`` steps of training, and the page of all pictures so far, which is returned."""
        for place in range(len(self.samples)):
            write_picture(self.album.path(place, step), self.draw(place, between))
        return self.album.write_sheet()

    def draw(self, place: int, between: Callable[[], None]) -> np.ndarray:
        """The picture of pose ``place`` by DPM-Solver++ (Lu et al. 2022) from fixed noise, with classifier-free guidance.

        Parameters
        ----------
        between
            Called after every step of the solver; may raise to cancel.

        Returns
        -------
        (H, W, 3) uint8
        """
        import torch

        source, settings, modules = self.source, self.source.settings, self.source.modules
        number = self.samples[place]
        sample = source.samples[number]
        scheduler = make_scheduler(modules)
        scheduler.set_timesteps(settings.picture_steps)
        captions = [sample.text, ""] if settings.picture_guidance != 1 else [sample.text]
        latents = torch.randn(1, 4, sample.height // 8, sample.width // 8, generator=generator(settings.seed, "picture", place))
        with torch.no_grad(), autocast(self.device, self.dtype), self.adapters.switched("saved"):
            context, pooled = source.text(captions, learning=settings.train_text)
            context = context.to(self.device, self.dtype)
            pooled = None if pooled is None else pooled.to(self.device, self.dtype)
            hints = None
            if modules.controlnet is not None:
                hints = source.hints([number] * len(captions)).to(self.device, self.dtype)
            for time in scheduler.timesteps:
                noisy, times = latents.repeat(len(captions), 1, 1, 1), time.repeat(len(captions))
                said = modules.predict(
                    noisy.to(self.device, self.dtype), times.to(self.device), context, pooled, hints, settings.control_strength
                )
                said, free = said.float().cpu().chunk(2) if len(captions) == 2 else (said.float().cpu(), 0.0)
                latents = scheduler.step(free + settings.picture_guidance * (said - free), time, latents).prev_sample
                between()
        with torch.no_grad():
            picture = modules.decode_latents(latents.to(self.device))[0]
        pixels = picture.float().cpu().nan_to_num().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        return pixels.permute(1, 2, 0).contiguous().numpy()


def make_scheduler(modules: StyleModules) -> DPMSolverMultistepScheduler:
    """diffusers' DPM-Solver++ on the base model's own schedule, from the last time on."""
    import torch
    from diffusers import DPMSolverMultistepScheduler

    bar = modules.alphas_bar
    betas = 1 - bar / torch.cat([torch.ones(1, dtype=bar.dtype), bar[:-1]])
    return DPMSolverMultistepScheduler(
        trained_betas=betas.numpy(), num_train_timesteps=len(bar), prediction_type=modules.prediction, timestep_spacing="trailing"
    )


class Album:
    """The pictures of a run on disk: ``NAME.pictures/pose1_000100.png`` beside the LoRA, and a page of them, ``NAME.pictures.png``.

    Parameters
    ----------
    samples
        What is drawn, in the order of the poses' numbers.
    """

    def __init__(self, out: Path, dataset: StyleDataset, samples: Sequence[StyleSample]) -> None:
        self.folder, self.dataset, self.samples = out.with_name(f"{out.stem}.pictures"), dataset, samples
        self.sheet_path = self.folder.with_name(f"{self.folder.name}.png")

    def path(self, place: int, step: int) -> Path:
        return self.folder / f"pose{place + 1}_{step:06}.png"

    def begin(self, step: int) -> None:
        """Take away the pictures of steps after ``step``, which an earlier run left."""
        for _, at, path in self._found():
            if at > step:
                path.unlink()

    def has(self, step: int) -> bool:
        """Whether all poses of a step are there."""
        return all(self.path(place, step).is_file() for place in range(len(self.samples)))

    def write_sheet(self) -> np.ndarray:
        """Draw the page of what is there, at least one picture, and write it."""
        rows = [(sample, {}) for sample in self.samples]
        for place, step, path in self._found():
            if place < len(rows):
                rows[place][1][step] = read_picture(path, "RGB").permute(1, 2, 0).numpy()
        sheet = picture_sheet(self.dataset, rows)
        write_picture(self.sheet_path, sheet)
        return sheet

    def _found(self) -> list[tuple[int, int, Path]]:
        """Pose, step and file of every picture in the folder."""
        matches = [(re.fullmatch(r"pose(\d+)_(\d{6,})\.png", path.name), path) for path in sorted(self.folder.glob("*.png"))]
        return [(int(match[1]) - 1, int(match[2]), path) for match, path in matches if match]


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """A .png, whole or not at all."""
    from PIL import Image

    try:
        with write_beside(path) as part:
            Image.fromarray(picture).save(part, format="PNG")
    except OSError as error:
        raise KineticsError(f"Can't write the picture {path}: {error.strerror or error}; free some space or choose another folder.") from error
