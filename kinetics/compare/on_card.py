"""All pairs on a graphics card: many pairs' tables are swept together, anti-diagonal by anti-diagonal, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from . import wavefront
from .local_cost import LocalCost

if TYPE_CHECKING:
    import torch

    from .all_pairs import Bank

#: Numbers in the tables of one batch: 1 GB, and half as much beside for the costs.
_BATCH = 125_000_000


def has_card() -> bool:
    """Whether torch can be imported and sees a CUDA card."""
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


def all_costs(bank: Bank, device: str, batch: int = _BATCH) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batches of pairs: first clips (n,), second clips (n,), costs (n,)."""
    cost = LocalCost(bank.values, bank.values, bank.weights, bank.weights)
    first, second = np.triu_indices(len(bank.lengths), 1)
    k = 0
    while k < len(first):
        # Clips are sorted by length: further pairs may need a bigger table, for which the batch is cut.
        n = max(1, batch // _table_size(bank, first[k : k + 1], second[k : k + 1]))
        while n > 1 and n * _table_size(bank, first[k : k + n], second[k : k + n]) > batch:
            n -= -(-n // 8)
        a, b = first[k : k + n], second[k : k + n]
        yield a, b, _costs(bank, cost, a, b, device)
        k += n


def _table_size(bank: Bank, a: np.ndarray, b: np.ndarray) -> int:
    rows, columns = int(bank.lengths[a].max()), int(bank.lengths[b].max())
    return (rows + columns + 1) * (rows + 1)


def _costs(bank: Bank, cost: LocalCost, a: np.ndarray, b: np.ndarray, device: str) -> np.ndarray:
    import torch

    local = _local_costs(bank, cost, a, b, device)
    pairs, rows, columns = local.shape
    table = torch.full((rows + columns + 1, pairs, rows + 1), torch.inf, dtype=torch.float64, device=device)
    table[0, :, 0] = 0.0
    down, across = pairs * (rows + 1), rows + 1
    table.as_strided((pairs, rows, columns), (across, down + 1, down), 2 * down + 1).copy_(local)
    del local
    best = torch.empty_like(table[0, :, 1:])
    for d in range(2, len(table)):
        torch.minimum(table[d - 1, :, :-1], table[d - 1, :, 1:], out=best)
        torch.minimum(best, table[d - 2, :, :-1], out=best)
        table[d, :, 1:] += best
    rows_of, columns_of = (torch.from_numpy(bank.lengths[k]).to(device) for k in (a, b))
    return table[rows_of + columns_of, torch.arange(pairs, device=device), rows_of].cpu().numpy()


def _local_costs(bank: Bank, cost: LocalCost, a: np.ndarray, b: np.ndarray, device: str) -> torch.Tensor:
    """(pairs, rows, columns); what lies beyond a clip's end comes after its last cell on every path, and may hold anything."""
    import torch

    def padded(values: np.ndarray, which: np.ndarray) -> torch.Tensor:
        out = np.zeros((len(which), int(bank.lengths[which].max()), values.shape[1]))
        for n, k in enumerate(which):
            out[n, : bank.lengths[k]] = values[bank.clip(k)]
        return torch.from_numpy(out).to(device)

    left, right, doubt = cost.factors
    local = padded(left, a) @ padded(right.T, b).mT
    if bank.weights is not None:
        common = padded(bank.weights, a) @ padded(bank.weights, b).mT
        local = (local * bank.values.shape[1] / common).masked_fill_(common == 0, torch.inf)
    i, j = (torch.arange(size, device=device) for size in local.shape[1:])
    height, width = (torch.from_numpy(bank.lengths[k]).to(device)[:, None, None] for k in (a, b))
    again = ((local < doubt) & (i[:, None] < height) & (j < width)).nonzero(as_tuple=True)
    n, row, column = (index.cpu().numpy() for index in again)
    exact = cost.pairs(bank.starts[a[n]] + row, bank.starts[b[n]] + column)
    local[again] = torch.from_numpy(exact).to(device)
    if bank.band is not None:
        bands = [wavefront.limits(int(bank.lengths[p]), int(bank.lengths[q]), bank.radius(p, q)) for p, q in zip(a, b, strict=True)]
        low, high = (
            torch.from_numpy(np.stack([np.pad(band[side], (0, len(i) - len(band[side]))) for band in bands])).to(device)[..., None]
            for side in (0, 1)
        )
        local.masked_fill_((j < low) | (j >= high), torch.inf)
    return local
