"""Several processes train as one: each takes its part of every batch, and the gradients are averaged before the step."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes
    ----------
    rank, count : int
        Process 0 writes the files and tells people.
    device
        Where this process computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def average(self, loss: torch.Tensor, weights: Iterable[torch.nn.Parameter]) -> torch.Tensor:
        """Average the gradients, and the loss (), over the processes, in one exchange."""
        import torch

        if self.count == 1:
            return loss
        weights = [weight for weight in weights if weight.grad is not None]
        flat = torch.cat([loss.detach().float().reshape(1), *(weight.grad.float().reshape(-1) for weight in weights)])
        torch.distributed.all_reduce(flat)
        flat /= self.count
        offset = 1
        for weight in weights:
            weight.grad.copy_(flat[offset : offset + weight.numel()].view_as(weight))
            offset += weight.numel()
        return flat[0]

    def any(self, here: bool) -> bool:
        """Whether it is so in one process or more."""
        import torch

        if self.count == 1:
            return here
        flag = torch.tensor([float(here)], device=self.device)
        torch.distributed.all_reduce(flag)
        return flag.item() > 0

    def wait(self) -> None:
        """Until all are here."""
        import torch

        if self.count > 1:
            torch.distributed.barrier()


def join_processes(device: str | None = None) -> Processes:
    """The processes that ``accelerate launch`` started, or this one alone.

    Parameters
    ----------
    device
        None: a CUDA card where there is one.
    """
    import torch

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
        return Processes(state.process_index, state.num_processes, state.device)
    return Processes(0, 1, torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
