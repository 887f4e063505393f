"""Learn a batter's style: a LoRA trained with the pose ControlNet in the loop."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KineticsError, Progress
from .adapters import Adapters
from .batches import Ahead, Batch, Order, Source
from .held_out import HeldOut, autocast
from .lora_file import describe_lora, write_lora
from .losses import add_noise, sample_losses, snr_weights, target_of
from .memory import cure, is_out_of_memory
from .modules import require
from .optimiser import make_optimiser
from .pictures import Pictures
from .processes import Processes, join_processes
from .state import TrainState, check_resumable, load_state, save_state, state_path

if TYPE_CHECKING:
    import numpy as np
    import torch

    from .modules import StyleModules
    from .samples import StyleDataset
    from .settings import TrainSettings

#: ``on_event(kind, values)``: ``caching`` (done, total), ``step`` (step, loss, rate), ``held_out`` (step, right, wrong, base),
#: ``pictures`` (step, sheet, path), ``checkpoint`` (step, path), ``note`` (text).
OnEvent = Callable[[str, dict], None]


@dataclass
class TrainResult:
    """What a run leaves.

    Attributes
    ----------
    path, tensors
        The LoRA file, and what is in it.
    step : int
        Steps that it was trained for.
    losses : list of float
        Of every step.
    held_out : list of dict
        ``step``, ``right``, ``wrong`` (with a ControlNet) and ``base``.
    sheet : (H, W, 3) uint8 or None
        Held-out poses as the LoRA drew them over the steps; None when none was drawn.
    """

    path: Path
    tensors: dict[str, torch.Tensor] = field(repr=False)
    step: int
    losses: list[float]
    held_out: list[dict]
    sheet: np.ndarray | None = field(default=None, repr=False)


#: fp16: below this factor of the loss a gradient that is still not finite is no matter of its range.
SMALLEST_SCALE = 1.0


class NotFinite(KineticsError):
    """The loss or the gradient is no number any more; the weights are those of the step before."""


def train_style_lora(
    modules: StyleModules, dataset: StyleDataset, settings: TrainSettings, *, out: str | os.PathLike, progress: Progress | None = None,
    on_event: OnEvent | None = None, resume: bool = False, cache: str | os.PathLike | None = None, processes: Processes | None = None,
) -> TrainResult:  # fmt: skip
    """Train a LoRA and write it.

    Parameters
    ----------
    modules
        The base model; it is given back as it was, on the device and in the precision that training used.
    out
        The LoRA file, ``NAME.safetensors``. Beside it: ``NAME.resume.pt``, the checkpoint to go on from; with ``keep_checkpoints``
        a ``NAME-000250.safetensors`` for every checkpoint; and the pictures that were drawn, see :class:`.pictures.Album`.
    progress
        Called after every step, in every process; may raise to cancel: all stop, and what was learned is saved, as LoRA and as checkpoint, before
        it goes on up (a KeyboardInterrupt says so).
    resume
        Go on from the checkpoint beside ``out``, as if the run had never stopped.
    cache
        A folder in which latents stay from run to run.
    processes
        None: those that ``accelerate launch`` started, or this one.

    Returns
    -------
    TrainResult

    Raises
    ------
    KineticsError
        For a dataset or a checkpoint that doesn't fit; a loss that is not finite (the last good weights are saved); no memory (with the
        setting to change); no space on the disk.

    Notes
    -----
    The loss is E|epsilon - epsilon_theta(sqrt(alpha_bar)·x + sqrt(1-alpha_bar)·epsilon, t, c)|², with c the caption and, through the
    frozen ControlNet, the pose; or the same of v. The same seed gives the same file on a CPU.
    """
    require("torch", "diffusers", "peft", "accelerate", "safetensors", "PIL")
    out = Path(out)
    if out.suffix != ".safetensors":
        raise KineticsError(f"The LoRA's file {out} has to end in .safetensors.")
    try:
        run = Run(modules, dataset, settings, out, on_event or (lambda kind, values: None), cache, processes or join_processes())
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise KineticsError(
            "The memory is not enough to hold the base model; use precision bf16, or close what else uses the card."
        ) from error
    try:
        return run.train(progress or (lambda done, total: None), resume)
    finally:
        run.close()


class Run:
    """One training run; see :func:`train_style_lora`."""

    def __init__(
        self, modules: StyleModules, dataset: StyleDataset, settings: TrainSettings, out: Path, on_event: OnEvent,
        cache: str | os.PathLike | None, processes: Processes,
    ) -> None:  # fmt: skip
        import torch

        self.modules, self.dataset, self.settings, self.out, self.processes = modules, dataset, settings, out, processes
        self.tell: OnEvent = on_event if processes.first else lambda kind, values: None
        self.device = processes.device
        self.dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]
        self.source = Source(dataset, modules, settings, cache)
        sizes = [(sample.width, sample.height) for sample in dataset.split("train")]
        self.order = Order(sizes, settings.batch * processes.count, settings.seed)
        modules.to(self.device, self.dtype)
        self.adapters = Adapters(modules, settings)
        try:
            groups = self.adapters.groups()
            self.rates = [group["lr"] for group in groups]
            self.optimiser = make_optimiser(groups, settings)
        except BaseException:
            self.adapters.remove()
            raise
        if settings.gradient_checkpointing:
            modules.unet.enable_gradient_checkpointing()
        # Checkpointing happens in training mode only; there is no dropout that it would wake.
        modules.unet.train(settings.gradient_checkpointing)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.precision == "fp16")
        self.ahead = Ahead(self._load)
        self.step, self.losses, self.held_out = 0, [], []
        self.pictures: Pictures | None = None
        self.sheet: np.ndarray | None = None
        #: While the weights are half changed they are not worth saving.
        self.updating = False

    def close(self) -> None:
        self.ahead.close()
        self.adapters.remove()
        if self.settings.gradient_checkpointing:
            self.modules.unet.disable_gradient_checkpointing()
        self.modules.unet.eval()

    def train(self, progress: Progress, resume: bool) -> TrainResult:
        if resume:
            self._restore()
        try:
            evaluation = self._prepare(progress)
            for step in range(self.step, self.settings.steps):
                loss = self._update(step)
                self.step = step + 1
                self.losses.append(loss)
                self.tell("step", {"step": self.step, "loss": loss, "rate": self.optimiser.param_groups[0]["lr"]})
                self._evaluate(evaluation, progress)
                if self.settings.save_every and self.step % self.settings.save_every == 0 and self.step < self.settings.steps:
                    self._checkpoint()
                self._report(progress)
        except NotFinite as error:
            raise KineticsError(f"{error} {self._rescue()} Lower the learning rate, or use bf16 in place of fp16.") from None
        except Exception as error:
            if not is_out_of_memory(error):
                self._rescue()
                raise
            raise KineticsError(f"The memory is not enough: {cure(self.settings)}. {self._rescue()}") from error
        except KeyboardInterrupt as stopped:
            raise KeyboardInterrupt(self._rescue()) from stopped
        except BaseException:
            self._rescue()
            raise
        self._save()
        return TrainResult(self.out, self.adapters.tensors(), self.step, self.losses, self.held_out, self.sheet)

    def _report(self, progress: Progress) -> None:
        """Tell the progress; when it raises in one process all stop, so that none waits for another in vain."""
        stopped = None
        try:
            progress(self.step, self.settings.steps)
        except BaseException as error:
            stopped = error
        if self.processes.any(stopped is not None):
            raise stopped or KeyboardInterrupt

    def _prepare(self, progress: Progress) -> HeldOut | None:
        """Make what is cached; the evaluation, when there is something to evaluate on."""

        def made(done: int, total: int) -> None:
            self.tell("caching", {"done": done, "total": total})
            if self.processes.count == 1:
                progress(self.step, self.settings.steps)

        self.source.prepare(made)
        if self.settings.caching and not self.settings.train_text:
            for encoder in self.modules.encoders.values():
                encoder.to("cpu")
        if not self.settings.evaluate_every:
            return None
        if not self.source.held_out:
            self.tell("note", {"text": "The dataset holds no clip out, so no held-out loss is measured; give at least two clips."})
            return None
        evaluation = HeldOut(self.source, self.adapters, self.device, self.dtype)
        if self.processes.first and self.settings.picture_poses:
            self._open_album()
        if self.step == 0:
            self._evaluate(evaluation, progress)
        elif self._due() and self.pictures is not None and not self.pictures.album.has(self.step):
            self._draw(progress)  # stopped while they were drawn
        return evaluation

    def _open_album(self) -> None:
        """Make ready for the pictures, when they can be drawn."""
        if self.modules.decode_latents is None:
            self.tell("note", {"text": "The VAE has no decoder, so no pictures are drawn."})
            return
        self.pictures = Pictures(self.source, self.adapters, self.dataset, self.out, self.device, self.dtype)
        self.pictures.album.begin(self.step or -1)

    def _load(self, number: int) -> Batch:
        first = self.processes.rank * self.settings.batch
        picked = self.order.pick(number)[first : first + self.settings.batch]
        return self.source.batch(number, picked, first)

    def _update(self, step: int) -> float:
        """One optimiser step.

        Returns
        -------
        float
            The loss before it.
        """
        import torch

        settings, parts = self.settings, self.settings.accumulation
        weights = list(self.adapters.weights.values())
        total, seen = torch.zeros((), device=self.device), []
        self.optimiser.zero_grad(set_to_none=True)
        last = settings.steps * parts - 1
        for number in range(step * parts, (step + 1) * parts):
            batch = self.ahead.get(number, number + 1 if number < last else None)
            seen.append(batch)
            loss = self._loss(batch) / parts
            self.scaler.scale(loss).backward()
            total += loss.detach()
        total = self.processes.average(total, weights)
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(weights, settings.max_norm or math.inf)
        value = total.item()
        # With fp16 a gradient too large for it is expected now and then: the scaler passes over that step and multiplies the loss by half as much.
        shrunk = self.scaler.is_enabled() and self.scaler.get_scale() < SMALLEST_SCALE
        if not math.isfinite(value) or not (math.isfinite(norm.item()) or (self.scaler.is_enabled() and not shrunk)):
            raise NotFinite(self._where(step, "loss" if not math.isfinite(value) else "gradient", seen))
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * settings.rate_factor(step)
        self.updating = True
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.adapters.move_average(step)
        self.updating = False
        return value

    def _loss(self, batch: Batch) -> torch.Tensor:
        import torch

        settings, modules, device, dtype = self.settings, self.modules, self.device, self.dtype
        latents = self.source.latents(batch.samples).to(device)
        noise = batch.noise.to(device)
        bar = modules.alphas_bar[batch.times].float()
        posed = batch.hints is not None and bool(batch.strength.any())
        with autocast(device, dtype):
            context, pooled = self.source.text(batch.captions, learning=settings.train_text)
            said = modules.predict(
                add_noise(latents, noise, bar).to(dtype), batch.times.to(device), context.to(device, dtype),
                None if pooled is None else pooled.to(device, dtype), batch.hints.to(device, dtype) if posed else None, batch.strength,
            )  # fmt: skip
        wanted = target_of(modules.prediction, latents, noise, bar)
        losses = sample_losses(said, wanted, batch.mask.to(device), settings.background)
        weights = (batch.weights * snr_weights(modules.prediction, bar, settings.min_snr)).to(device, torch.float32)
        return (losses * weights).mean()

    def _where(self, step: int, what: str, seen: list[Batch]) -> str:
        names = [
            f"{self.source.samples[number].file_name} at time {time}"
            for batch in seen
            for number, time in zip(batch.samples, batch.times.tolist(), strict=True)
        ]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return f"The {what} is not a number at step {step + 1} ({', '.join(names[:3])}{more})."

    def _due(self) -> bool:
        return self.step % self.settings.evaluate_every == 0 or self.step == self.settings.steps

    def _evaluate(self, evaluation: HeldOut | None, progress: Progress) -> None:
        if evaluation is None or not self._due():
            return
        if self.processes.first:
            self.held_out.append({"step": self.step, **evaluation.measure()})
            self.tell("held_out", self.held_out[-1])
            self._draw(progress)
        self.processes.wait()

    def _draw(self, progress: Progress) -> None:
        """Draw the held-out poses as the LoRA stands, and the page of all pictures so far."""

        def between() -> None:
            if self.processes.count == 1:
                progress(self.step, self.settings.steps)

        if self.pictures is None:
            return
        try:
            self.sheet = self.pictures.draw_all(self.step, between)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self.pictures = None
            self.tell("note", {"text": "The memory is not enough to draw pictures (picture_poses); training goes on without them."})
            return
        self.tell("pictures", {"step": self.step, "sheet": self.sheet, "path": str(self.pictures.album.sheet_path)})

    def _rescue(self) -> str:
        """Save what was learned before the run ends early, and say where."""
        if not self.processes.first:
            return ""
        kept = state_path(self.out)
        if self.updating or self.step == 0:
            return f"The checkpoint {kept} is the last one." if kept.exists() else "Nothing was learned yet."
        self._save()
        return f"What was learned in {self.step} steps is in {self.out}, and can be resumed."

    def _checkpoint(self) -> None:
        if self.processes.first:
            self._save_state()
            if self.settings.keep_checkpoints:
                self._save_lora(self.out.with_name(f"{self.out.stem}-{self.step:06}.safetensors"))
            self.tell("checkpoint", {"step": self.step, "path": str(state_path(self.out))})
        self.processes.wait()

    def _save(self) -> None:
        if self.processes.first:
            self._save_state()
            self._save_lora(self.out)

    def _save_state(self) -> None:
        save_state(
            state_path(self.out),
            TrainState(
                self.step, self.settings.to_dict(), self.modules.base_hash, self.source.fingerprint,
                {key: weight.detach() for key, weight in self.adapters.weights.items()}, self.adapters.average,
                self.optimiser.state_dict(), self.scaler.state_dict(), self.losses, self.held_out,
            ),
        )  # fmt: skip

    def _restore(self) -> None:
        path = state_path(self.out)
        state = load_state(path)
        check_resumable(state, self.settings, self.modules.base_hash, self.source.fingerprint, path)
        self.adapters.load(state.weights, state.average)
        self.optimiser.load_state_dict(state.optimiser)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state.scaler)
        self.step, self.losses, self.held_out = state.step, state.losses, state.held_out

    def _save_lora(self, path: Path) -> None:
        settings, modules = self.settings, self.modules
        train = self.dataset.split("train")
        info, unseen = self.dataset.info, {sample.clip for sample in self.dataset.samples} - {sample.clip for sample in train}
        metadata = describe_lora(
            family=modules.family, prediction=modules.prediction, rank=settings.rank, alpha=settings.alpha, title=settings.title or self.out.stem,
            trigger=self.dataset.trigger, date=settings.date or info.get("created", ""), base_name=modules.base_name, base_hash=modules.base_hash,
            captions=[sample.text for sample in train], resolution=Counter((sample.width, sample.height) for sample in train).most_common(1)[0][0],
            motion={name: found for name, found in info.get("motion", {}).items() if name not in unseen}, settings=settings.deciding(), step=self.step,
        )  # fmt: skip
        write_lora(path, self.adapters.tensors(), metadata, known=modules.known, where=modules.reader)
