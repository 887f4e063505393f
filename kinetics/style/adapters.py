"""The LoRA itself, W' = W + (alpha/r)·B·A: put into the networks by peft, initialised, averaged, and taken out for the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ..errors import KineticsError
from .batches import generator
from .lora_file import text_key, unet_key
from .settings import TARGETS, TEXT_TARGETS

if TYPE_CHECKING:
    import torch

    from .modules import StyleModules
    from .settings import TrainSettings

NAME = "default"


class Adapters:
    """The LoRA in a base model's networks.

    Parameters
    ----------
    modules
        Get peft's layers in place; :meth:`remove` takes them out again.

    Attributes
    ----------
    weights : dict
        The learned parameters, float32, by the keys that they have in the file.
    average : dict or None
        Their running mean (EMA), when it is asked for.
    """

    def __init__(self, modules: StyleModules, settings: TrainSettings) -> None:
        self.modules, self.settings = modules, settings
        self._layers: list[tuple[str, torch.nn.Module]] = []
        try:
            self._inject(modules.unet, TARGETS[settings.targets], unet_key)
            if settings.train_text:
                for number, encoder in enumerate(modules.encoders.values()):
                    self._inject(encoder, TEXT_TARGETS, partial(text_key, encoder=number, count=len(modules.encoders)))
        except BaseException:
            self.remove()
            raise
        self.weights = {key: weight for name, layer in self._layers for key, weight in pair(name, layer)}
        self._initialise()
        self.average = {key: weight.detach().clone() for key, weight in self.weights.items()} if settings.ema else None

    def _inject(self, network: torch.nn.Module, targets: tuple[str, ...], key: Callable[[str], str]) -> None:
        from peft import LoraConfig, inject_adapter_in_model
        from peft.tuners.lora import LoraLayer

        if not any(name.endswith(targets) for name, _ in network.named_modules()):
            raise KineticsError(f"The network has no modules {', '.join(targets)} to train; choose other target modules.")
        settings = self.settings
        inject_adapter_in_model(
            LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(targets), lora_dropout=0.0), network, NAME
        )
        found = [(key(name), layer) for name, layer in network.named_modules() if isinstance(layer, LoraLayer)]
        self._layers += found

    def _initialise(self) -> None:
        """A uniform within ±1/sqrt(fan)-in, as kohya's (Kaiming with a = sqrt(5)), from a generator of the module's own; B is 0."""
        import torch

        with torch.no_grad():
            for key, weight in self.weights.items():
                if key.endswith(".lora_up.weight"):
                    weight.zero_()
                else:
                    bound = weight[0].numel() ** -0.5
                    values = torch.rand(weight.shape, generator=generator(self.settings.seed, "init", key)) * 2 * bound - bound
                    weight.copy_(values)
        for weight in self.weights.values():
            weight.data = weight.data.float()
            weight.requires_grad_(True)

    def groups(self) -> list[dict]:
        """For an optimiser: the UNet's parameters, and the text encoders' with their own rate."""
        settings = self.settings
        unet = [weight for key, weight in self.weights.items() if key.startswith("lora_unet_")]
        text = [weight for key, weight in self.weights.items() if not key.startswith("lora_unet_")]
        rate = settings.learning_rate if settings.text_learning_rate is None else settings.text_learning_rate
        return [{"params": unet, "lr": settings.learning_rate}] + ([{"params": text, "lr": rate}] if text else [])

    def move_average(self, step: int) -> None:
        """One step of the running mean; early steps count more, so that the start is soon forgotten."""
        import torch

        if self.average is not None:
            decay = min(self.settings.ema, (1 + step) / (10 + step))
            with torch.no_grad():
                for key, weight in self.weights.items():
                    self.average[key].lerp_(weight, 1 - decay)

    def load(self, weights: Mapping[str, torch.Tensor], average: Mapping[str, torch.Tensor] | None) -> None:
        """Put saved values into the parameters."""
        import torch

        with torch.no_grad():
            for key, weight in self.weights.items():
                weight.copy_(weights[key])
            if self.average is not None and average is not None:
                for key, mean in self.average.items():
                    mean.copy_(average[key])

    @contextmanager
    def switched(self, to: str) -> Iterator[None]:
        """For an evaluation: ``base`` without the LoRA, ``saved`` as it would be written (the running mean, when there is one)."""
        import torch

        if to == "base":
            for _, layer in self._layers:
                layer.enable_adapters(False)
            try:
                yield
            finally:
                for _, layer in self._layers:
                    layer.enable_adapters(True)
            return
        kept = None if self.average is None else {key: weight.detach().clone() for key, weight in self.weights.items()}
        try:
            if self.average is not None:
                self.load(self.average, None)
            yield
        finally:
            if kept is not None:
                with torch.no_grad():
                    for key, weight in self.weights.items():
                        weight.copy_(kept[key])

    def tensors(self) -> dict[str, torch.Tensor]:
        """What goes into the file: A, B and the true alpha of every module."""
        import torch

        dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[self.settings.save_precision]
        weights = self.weights if self.average is None else self.average
        found = {key: weight.detach().to("cpu", dtype) for key, weight in weights.items()}
        return found | {f"{name}.alpha": torch.tensor(float(self.settings.alpha)).to(dtype) for name, _ in self._layers}

    def remove(self) -> None:
        """Give the networks back as they were."""
        for network in (self.modules.unet, *self.modules.encoders.values()):
            take_out(network)


def pair(name: str, layer: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return [(f"{name}.lora_down.weight", layer.lora_A[NAME].weight), (f"{name}.lora_up.weight", layer.lora_B[NAME].weight)]


def take_out(network: torch.nn.Module) -> None:
    """Replace peft's layers by the ones that they wrap."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(network.named_modules()):
        if isinstance(layer, LoraLayer):
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, layer.get_base_layer())
    if hasattr(network, "peft_config"):
        del network.peft_config
