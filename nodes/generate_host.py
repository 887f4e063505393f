"""Frames made chunk by chunk with the host's ControlNet, sampler and VAE."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from comfy.k_diffusion.sampling import BrownianTreeNoiseSampler
from comfy.model_management import intermediate_device, intermediate_dtype, throw_exception_if_processing_interrupted
from PIL import Image

from nodes import ControlNetApplyAdvanced, VAEDecode

from ..kinetics.errors import KineticsError
from ..kinetics.generate.chunks import Chunk, join_chunks, plan_chunks
from ..kinetics.generate.plan import HintPlan

#: Pixels of a picture per pixel of its latent, as empty latents are made; the host brings them to the model's own.
LATENT_STEP = 8

#: The longer side of the picture that is shown when a chunk is finished.
PREVIEW_SIDE = 512


@dataclass(frozen=True)
class Sampling:
    """Settings of the host's sampler, and how chunks hang together.

    Attributes
    ----------
    shared_noise : bool
        Every frame begins from the same noise; otherwise from the noise of its own number, whatever chunk it is in.
    chunk : int
        Frames that are made together; 0: all.
    overlap : int
        Frames that two chunks share, blended.
    carry : float
        0: every chunk starts from noise. Above: from the last frame of the chunk before, at this denoise.
    """

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0
    shared_noise: bool = True
    chunk: int = 16
    overlap: int = 0
    carry: float = 0.0


@dataclass(frozen=True)
class Control:
    """A ControlNet, how strongly and for which part of the steps it holds."""

    net: Any
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


def generate_frames(
    model, positive: list, negative: list, vae, control: Control, hints: torch.Tensor | HintPlan, sampling: Sampling,
    latents: dict | None = None, shown: Callable[[float, Any], None] | None = None,
) -> Iterator[torch.Tensor]:  # fmt: skip
    """Yield frames (H, W, 3), 0 to 1, one by one; never more than a chunk and an overlap is held.

    Parameters
    ----------
    hints : (N, H, W, 3) tensor or HintPlan
        Hint k drives frame k.
    latents : dict, optional
        The host's LATENT with N samples, to start from in place of empty ones.
    shown : callable, optional
        Called with the share that is done, 0 to 1, and a preview (format, picture, greatest size) or None.

    Raises
    ------
    KineticsError
        When counts or sizes disagree, or the model gives another number of pictures than it was given latents.
    """
    count, size = count_hints(hints)
    check_latents(latents, count, size, model)
    positive, negative = (check_conditioning(cond, count) for cond in (positive, negative))
    chunks = plan_chunks(count, sampling.chunk, sampling.overlap)
    overlaps = [chunk.overlap for chunk in chunks[1:]] + [0]
    made = _make_chunks(model, positive, negative, vae, control, hints, sampling, latents, chunks, shown or (lambda share, preview: None))
    return join_chunks(made, overlaps)


def _make_chunks(model, positive, negative, vae, control, hints, sampling, latents, chunks, shown) -> Iterator[tuple[Chunk, torch.Tensor]]:
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    count, size = count_hints(hints)
    before: torch.Tensor | None = None

    def sampled(number: int, chunk: Chunk) -> torch.Tensor:
        pictures = (
            hints[chunk.first : chunk.end] if isinstance(hints, torch.Tensor) else torch.from_numpy(hints.draw_all(chunk.first, chunk.end))
        )
        conds = [slice_conditioning(cond, chunk, count) for cond in (positive, negative)]
        conds = ControlNetApplyAdvanced().apply_controlnet(
            *conds, control.net, pictures, control.strength, control.start, control.end, vae=vae
        )
        start, denoise = (
            slice_latents(latents, chunk, count) if latents is not None else empty_latents(chunk.end - chunk.first, size),
            sampling.denoise,
        )
        if before is not None:
            start, denoise = {"samples": carry_on(before, chunk)}, sampling.carry

        def step(index, clean, noisy, steps):
            preview = previewer.decode_latent_to_preview_image("JPEG", clean) if previewer else None
            shown((number + (index + 1) / steps) / len(chunks), preview)
            throw_exception_if_processing_interrupted()

        return sample(model, *conds, start, range(chunk.first, chunk.end), sampling, denoise, step)

    for number, chunk in enumerate(chunks):
        samples = sampled(number, chunk)
        before = samples if sampling.carry else None
        decoded = VAEDecode().decode(vae, {"samples": samples})[0]
        if len(decoded) != chunk.end - chunk.first:
            raise KineticsError(
                f"The model made {len(decoded)} pictures out of {chunk.end - chunk.first} hints; it is no model for single pictures, so use its own video nodes with these hints."
            )
        shown((number + 1) / len(chunks), ("JPEG", as_picture(decoded[-1]), PREVIEW_SIDE))
        yield chunk, decoded


def carry_on(before: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """Latents to start a chunk from: those of the frames that it shares with the chunk before, then that chunk's last one."""
    shared = before[len(before) - chunk.overlap :]
    return torch.cat([shared, before[-1:].expand(chunk.end - chunk.first - chunk.overlap, *before.shape[1:])])


def as_picture(frame: torch.Tensor) -> Image.Image:
    """A frame (H, W, 3) for a preview."""
    return Image.fromarray(frame.clamp(0, 1).mul(255).round().byte().cpu().numpy())


def sample(model, positive, negative, start: dict, numbers: range, sampling: Sampling, denoise: float, step: Callable) -> torch.Tensor:
    """The host's KSampler on one chunk, with a noise that doesn't know what chunk a frame is in.

    Parameters
    ----------
    numbers : range
        Of the frames in the whole sequence.
    """
    latent = comfy.sample.fix_empty_latent_channels(
        model, start["samples"], start.get("downscale_ratio_spacial"), start.get("downscale_ratio_temporal")
    )
    places = [0] * len(numbers) if sampling.shared_noise else list(numbers)
    noise = comfy.sample.prepare_noise(latent, sampling.seed, places)
    device, options = model.load_device, model.model_options
    settings = comfy.samplers.KSampler(
        model,
        steps=sampling.steps,
        device=device,
        sampler=sampling.sampler,
        scheduler=sampling.scheduler,
        denoise=denoise,
        model_options=options,
    )
    sampler = comfy.samplers.sampler_object(settings.sampler)
    noise_in_step = step_noise(sampling.sampler, sampler.sampler_function, noise.to(device), places, sampling.seed, settings.sigmas)
    sampler.extra_options = {**sampler.extra_options, **noise_in_step}
    mask = start.get("noise_mask")
    return comfy.sample.sample_custom(
        model, noise, sampling.cfg, sampler, settings.sigmas, positive, negative, latent, noise_mask=mask, callback=step,
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED, seed=sampling.seed,
    )  # fmt: skip


def step_noise(name: str, function: Callable, like: torch.Tensor, places: Sequence[int], seed: int, sigmas: torch.Tensor) -> dict:
    """What a sampler that adds noise in every step has to be told, so that a frame's noise is its own whatever chunk it is in.

    Parameters
    ----------
    like : (n, ...)
        Of the latents' shape, type and device.
    places : n int
        Which noise each frame takes.
    """
    if "noise_sampler" not in inspect.signature(function).parameters or not len(sigmas):
        return {}
    distinct = sorted(set(places))
    order = [distinct.index(place) for place in places]
    if name.startswith("dpmpp") and "sde" in name:
        above = sigmas[sigmas > 0]
        tree = BrownianTreeNoiseSampler(
            like[: len(distinct)], above.min(), sigmas.max(), seed=[seed + place for place in distinct], cpu=True
        )
        return {"noise_sampler": lambda sigma, following: tree(sigma, following)[order]}
    # As the host's own: on the CPU the seed is one more, lest the noise be that of the start.
    first = seed + (like.device.type == "cpu")
    generators = [torch.Generator(device=like.device).manual_seed(first + place) for place in distinct]

    def draw(sigma, following) -> torch.Tensor:
        drawn = [torch.randn(like[:1].shape, dtype=like.dtype, device=like.device, generator=generator) for generator in generators]
        return torch.cat(drawn)[order]

    return {"noise_sampler": draw}


def count_hints(hints: torch.Tensor | HintPlan) -> tuple[int, tuple[int, int]]:
    """How many, and of what size (W, H).

    Raises
    ------
    KineticsError
        When there is none, or the sides are no multiples of 8.
    """
    count, size = (len(hints), hints.size) if isinstance(hints, HintPlan) else (hints.shape[0], (hints.shape[2], hints.shape[1]))
    if not count:
        raise KineticsError("There is no pose hint; plug in Pose Hints.")
    if size[0] % LATENT_STEP or size[1] % LATENT_STEP:
        raise KineticsError(
            f"The hints are {size[0]}×{size[1]}; their sides have to be multiples of {LATENT_STEP}, as Pose Hints makes them."
        )
    return count, size


def check_latents(latents: dict | None, count: int, size: tuple[int, int], model) -> None:
    """Raise unless there is one latent per hint, of the hints' size."""
    if latents is None:
        return
    shape = latents["samples"].shape
    if shape[0] != count:
        raise KineticsError(f"There are {count} hints and {shape[0]} latents; give one latent per hint, from the same frames.")
    ratio = model.get_model_object("latent_format").spacial_downscale_ratio
    if (shape[-1] * ratio, shape[-2] * ratio) != size:
        raise KineticsError(
            f"The hints are {size[0]}×{size[1]} and the latents are of {shape[-1] * ratio}×{shape[-2] * ratio}; make both of one size."
        )


def check_conditioning(conditioning: list, count: int) -> list:
    """Raise unless masks that tell frames apart are of as many frames as there are hints."""
    for _, details in conditioning:
        mask = details.get("mask")
        if mask is not None and mask.ndim == 3 and mask.shape[0] not in (1, count):
            raise KineticsError(
                f"The text is for {mask.shape[0]} frames and there are {count} hints; plug the plan of these hints into Apply Batting Style."
            )
    return conditioning


def slice_conditioning(conditioning: list, chunk: Chunk, count: int) -> list:
    """What concerns a chunk's frames: masks that tell frames apart are sliced, and texts for other frames only are left out."""
    kept = []
    for text, details in conditioning:
        mask = details.get("mask")
        if count > 1 and mask is not None and mask.ndim == 3 and mask.shape[0] == count:
            mask = mask[chunk.first : chunk.end]
            if not mask.any():
                continue
            details = {**details, "mask": mask}
        kept.append([text, details])
    return kept


def slice_latents(latents: dict, chunk: Chunk, count: int) -> dict:
    """The latents, and the mask where there is one, of a chunk's frames."""
    part = {"samples": latents["samples"][chunk.first : chunk.end]}
    mask = latents.get("noise_mask")
    if mask is not None:
        part["noise_mask"] = mask[chunk.first : chunk.end] if mask.shape[0] == count else mask
    return part


def empty_latents(frames: int, size: tuple[int, int]) -> dict:
    """As the host's Empty Latent Image gives them."""
    samples = torch.zeros(
        frames, 4, size[1] // LATENT_STEP, size[0] // LATENT_STEP, device=intermediate_device(), dtype=intermediate_dtype()
    )
    return {"samples": samples, "downscale_ratio_spacial": LATENT_STEP}
