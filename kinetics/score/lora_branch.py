"""A LoRA file of any trainer laid beside the base model's modules: W·x + (alpha/r)·B·A·x, exactly as a trained network computes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import KineticsError
from ..style.lora_file import SUFFIXES, LoraInfo, module_of, read_lora_info, text_key, unet_key

if TYPE_CHECKING:
    import torch

    from ..style.modules import StyleModules


@dataclass(frozen=True)
class LoraFile:
    """A LoRA read whole.

    Attributes
    ----------
    name : str
    parts : dict of module's name -> (A, B, alpha)
        A (r, ...), B (..., r); alpha is r where the file gives none.
    info : LoraInfo or None
        What the file says of itself.
    """

    name: str
    parts: dict[str, tuple[torch.Tensor, torch.Tensor, float]] = field(repr=False)
    info: LoraInfo | None = None

    @property
    def has_text(self) -> bool:
        """Whether it changes a text encoder."""
        return any(name.startswith("lora_te") for name in self.parts)


def read_lora(path: str | os.PathLike) -> LoraFile:
    """Read a LoRA in kohya's layout.

    Raises
    ------
    KineticsError
        When the file is missing, no LoRA, in another layout, or holds a kind of LoRA that isn't a plain product B·A.
    """
    from safetensors.torch import load_file

    info = read_lora_info(path)
    return take_apart(load_file(path), Path(path).stem, info)


def take_apart(tensors: Mapping[str, torch.Tensor], name: str, info: LoraInfo | None = None) -> LoraFile:
    """A LoRA's tensors by module; errors as :func:`read_lora`."""
    strange = sorted(key for key in tensors if module_of(key) is None)
    if strange:
        raise KineticsError(
            f"The LoRA {name} holds {len(strange)} tensors that are no plain down, up or alpha of kohya's layout ({strange[0]}); "
            "score a LoRA of this pack, or one that kohya's scripts wrote."
        )
    parts = {}
    for module in sorted({module_of(key) for key in tensors}):
        down, up, alpha = (tensors.get(module + suffix) for suffix in SUFFIXES)
        if down is None or up is None:
            raise KineticsError(f"The LoRA {name} lacks one half of {module}; the file is damaged, so get it again.")
        parts[module] = down.float(), up.float(), float(alpha) if alpha is not None else float(down.shape[0])
    return LoraFile(name, parts, info)


def find_modules(modules: StyleModules) -> dict[str, torch.nn.Module]:
    """The base model's linear and convolution layers under the names that LoRA files have for them."""
    import torch

    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    found = {unet_key(name): layer for name, layer in modules.unet.named_modules() if isinstance(layer, kinds)}
    for number, encoder in enumerate(modules.encoders.values()):
        found |= {
            text_key(name, number, len(modules.encoders)): layer for name, layer in encoder.named_modules() if isinstance(layer, kinds)
        }
    return found


@contextmanager
def applied(lora: LoraFile, modules: StyleModules) -> Iterator[None]:
    """The base model with the LoRA on it inside the block; as it was afterwards. Its weights are never touched.

    Raises
    ------
    KineticsError
        When the LoRA names modules that the base model doesn't have, or of another shape: it was made for another base.
    """
    layers = find_modules(modules)
    strange = sorted(set(lora.parts) - set(layers))
    if strange:
        raise KineticsError(
            f"The LoRA {lora.name} changes {len(strange)} of its {len(lora.parts)} modules that {modules.base_name or 'the base model'} doesn't have "
            f"({strange[0]}); score it on the base that it was trained on."
        )
    hooks = []
    try:
        for name, (down, up, alpha) in lora.parts.items():
            layer = layers[name]
            # The host's files keep 1 × 1 convolutions of a linear layer with two more axes.
            down, up = (part.reshape(part.shape[: layer.weight.ndim]) if part.shape[layer.weight.ndim :].numel() == 1 else part for part in (down, up))
            if (up.shape[0], *down.shape[1:]) != tuple(layer.weight.shape):
                raise KineticsError(
                    f"The LoRA {lora.name} has {tuple(down.shape)} and {tuple(up.shape)} for {name}, and the base model's weight there is "
                    f"{tuple(layer.weight.shape)}; score it on the base that it was trained on."
                )
            hooks.append(layer.register_forward_hook(branch(layer, down, up, alpha / down.shape[0])))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def branch(layer: torch.nn.Module, down: torch.Tensor, up: torch.Tensor, factor: float) -> Callable:
    """The LoRA's part of a layer, added to what the layer says."""
    import torch
    from torch.nn.functional import conv2d, linear

    down, up = (part.to(layer.weight.device) for part in (down, up))

    def add(layer: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        x = inputs[0].to(down.dtype)
        if isinstance(layer, torch.nn.Linear):
            said = linear(linear(x, down), up)
        else:
            said = conv2d(conv2d(x, down, None, layer.stride, layer.padding, layer.dilation), up)
        return output + (said * factor).to(output.dtype)

    return add
