"""A small network of our own that finds the bat's toe in one frame, and knows when it can't be seen.

    network = load_network()
    hands, length = guess_hands(pose), guess_length(pose)                         # px of the frame; (T, 2), (T,)
    crop = cut_crop(image, hands[n], length[n], joints_at(pose, n), before=(earlier, earlier_to_here), after=(later, later_to_here))
    reading = network.read([crop, ...])                                           # a few hundred crops at a time at most
    toe, confidence = reading.peak()                                              # (N, 2) px of the frame, (N,) 0-1
    reading.toe_log[n], reading.none[n]                                           # map of log P(toe in this cell), P(no toe seen)

The network looks at one crop of 3.2 bat lengths round the hands (bat_crops.py): the frame in colour, the nearest earlier and later frame
*with another picture* in grey, laid on this frame, the skeleton, and which part lies inside the picture. It was trained on drawn bats
alone (kinetics/bat_training; weights/README.md says on what, and how well it does). It is one witness, not a verdict.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError, MissingDependency
from .bat_crops import SIZE, WIDTH, BatCrop, cut_crop, guess_hands, guess_length, joints_at
from .bat_module import build_module

__all__ = [
    "CELLS", "SIZE", "WIDTH", "BatCrop", "BatNetwork", "BatReading", "cut_crop", "guess_hands", "guess_length", "joints_at", "load_network",
]  # fmt: skip

WEIGHTS = Path(__file__).parent / "weights" / "bat_network.safetensors"

#: Cells along a side of the maps.
CELLS = 64

#: Cells along a side of the inner part that is read enlarged.
_INNER = 48

#: Of the peak: the cells within this many bat lengths count as the peak's mass.
_PEAK = 0.15


@dataclass(frozen=True)
class BatReading:
    """What the network says of N crops.

    Attributes
    ----------
    toe_log : (N, 64, 64) float32
        log P(the toe is seen, in this cell); with ``none`` each crop's probabilities add up to 1.
    none : (N,)
        P(no toe seen: hidden, end-on to the camera, out of the picture or the crop, no bat).
    blade : (N, 64, 64) float32
        P(the cell shows bat).
    grip_log : (N, 64, 64) float32
        log P(the middle of the hands on the handle is in this cell); each map adds up to 1.
    origin : (N, 2) px, scale : (N,)
        The middle of cell (row, column) lies at ``origin + scale * (column, row)`` in the frame.
    length : (N,) px
        The bat lengths that the crops were cut for.
    calibration : dict
        Of the weights: ``slope`` and ``offset`` of the confidence.
    """

    toe_log: np.ndarray
    none: np.ndarray
    blade: np.ndarray
    grip_log: np.ndarray
    origin: np.ndarray
    scale: np.ndarray
    length: np.ndarray
    calibration: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.none)

    def peak(self) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest toe and the confidence in it.

        Returns
        -------
        toe : (N, 2) px of the frame
            Mean of the map within 2 cells of its highest cell; given however small the confidence is.
        confidence : (N,)
            0-1: the chance that a toe is seen and lies within 0.2 bat lengths of ``toe``, by the held-out drawn samples.
        """
        from scipy.special import expit

        cells, mass = _peaks(self.toe_log, _PEAK * CELLS / WIDTH)
        mass = np.clip(mass, 1e-6, 1 - 1e-6)
        score = self.calibration.get("slope", 1.0) * np.log(mass / (1 - mass)) + self.calibration.get("offset", 0.0)
        return self.origin + self.scale[:, None] * cells, expit(score)

    def grip(self) -> np.ndarray:
        """(N, 2) px of the frame: the likeliest middle of the hands on the handle."""
        return self.origin + self.scale[:, None] * _peaks(self.grip_log, 2)[0]


class BatNetwork:
    """Weights in memory, ready to read crops. Made by :func:`load_network`; ``module`` is the torch module."""

    def __init__(self, module: Any, calibration: Mapping[str, float], about: Mapping[str, str]):
        self.module = module.eval()
        self.calibration = dict(calibration)
        self.about = dict(about)

    def read(self, crops: Sequence[BatCrop], *, batch: int = 16, flip: bool = True, closer: bool = True) -> BatReading:
        """Read crops.

        Parameters
        ----------
        crops : sequence of BatCrop
            May be empty.
        batch : int
            Crops per pass.
        flip : bool
            Read each crop mirrored as well and average (twice the time; steadier).
        closer : bool
            Read the crop's inner part enlarged as well and average (twice the time; a wrong bat length hurts less).

        Returns
        -------
        BatReading
            About 50 KB a crop.
        """
        import torch

        parts = []
        with torch.inference_mode():
            for first in range(0, len(crops), batch):
                planes = torch.from_numpy(np.stack([crop.planes for crop in crops[first : first + batch]])).float()
                toe, none, blade, grip = self._look(planes, flip)
                if closer:
                    start, stop = (SIZE - 2 * _INNER) // 2, (SIZE + 2 * _INNER) // 2
                    inner = torch.nn.functional.interpolate(planes[:, :, start:stop, start:stop], size=(SIZE, SIZE), mode="bilinear")
                    toe, none = _join(toe, none, *self._look(inner, flip)[:2])
                parts.append((toe, none.exp(), blade, grip))
        shapes = ((0, CELLS, CELLS), (0,), (0, CELLS, CELLS), (0, CELLS, CELLS))
        toe_log, none, blade, grip_log = (torch.cat(part).numpy() for part in zip(*parts, strict=True)) if parts else map(np.zeros, shapes)
        pixel = np.array([crop.scale for crop in crops], dtype=np.float64)
        origin = np.array([crop.origin for crop in crops], dtype=np.float64).reshape(-1, 2)
        cell = SIZE / CELLS
        length = np.array([crop.length for crop in crops], dtype=np.float64)
        return BatReading(toe_log, none, blade, grip_log, origin + pixel[:, None] * (cell - 1) / 2, pixel * cell, length, self.calibration)

    def _look(self, planes: Any, flip: bool) -> tuple[Any, Any, Any, Any]:
        """Logs of the toe's map and of "no toe", the blade's map and logs of the grip's."""
        import torch

        maps, none = self.module(planes)
        if flip:
            mirrored, none_too = self.module(planes.flip(3))
            maps, none = (maps + mirrored.flip(3)) / 2, (none + none_too) / 2
        logs = torch.log_softmax(torch.cat([maps[:, 0].flatten(1), none], dim=1), dim=1)
        grip = torch.log_softmax(maps[:, 1].flatten(1), dim=1).view_as(maps[:, 1])
        return logs[:, :-1].view_as(maps[:, 0]), logs[:, -1], torch.sigmoid(maps[:, 2]), grip


def load_network(path: str | os.PathLike | None = None) -> BatNetwork:
    """Load the network.

    Parameters
    ----------
    path : path, optional
        A file that ``python -m kinetics.bat_training`` wrote; the weights of the package when left out.

    Raises
    ------
    KineticsError
        When the file is missing, or holds something else.
    MissingDependency
        Without torch or safetensors.
    """
    for package in ("torch", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(f"The bat network needs {package}, which isn't installed here; install it, give a mask of the bat, or use ComfyUI's environment.")
    from safetensors import SafetensorError, safe_open

    path = WEIGHTS if path is None else Path(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            about = dict(file.metadata() or {})
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no mapping
    except OSError as error:
        raise KineticsError(
            f"Can't read the bat network {path}: {error}; check the path, or leave it out for the one of the package."
        ) from error
    except SafetensorError as error:
        raise KineticsError(f"{path} is not a safetensors file ({error}); give one that python -m kinetics.bat_training wrote.") from error
    module = build_module()
    try:
        module.load_state_dict(state)
        calibration = {name: float(about[name]) for name in ("slope", "offset")}
    except (RuntimeError, KeyError, ValueError) as error:
        raise KineticsError(
            f"{path} holds no bat network of this version; give one that this version's kinetics.bat_training wrote."
        ) from error
    return BatNetwork(module, calibration, about)


def _join(toe: Any, none: Any, inner_toe: Any, inner_none: Any) -> tuple[Any, Any]:
    """The mean in logs of the readings of a crop and of its inner part: what the inner one calls "no toe" lies in the rim, or is hidden."""
    import torch

    share = torch.nn.functional.interpolate(inner_toe.exp()[:, None], size=(_INNER, _INNER), mode="area")[:, 0] * (CELLS / _INNER) ** 2
    rim = (CELLS - _INNER) // 2
    other = toe.exp()
    other[:, rim : rim + _INNER, rim : rim + _INNER] = 0
    part = inner_none.exp() / (other.sum((1, 2)) + none.exp())
    other = other * part[:, None, None]
    other[:, rim : rim + _INNER, rim : rim + _INNER] = share
    logs = torch.cat([(toe + (other + 1e-9).log()).flatten(1), (none + (none.exp() * part + 1e-9).log())[:, None]], dim=1) / 2
    logs = torch.log_softmax(logs, dim=1)
    return logs[:, :-1].view_as(toe), logs[:, -1]


def _peaks(logs: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Of maps (N, 64, 64): place (N, 2) as column, row, between cells; probability (N,) within ``radius`` cells of it."""
    rows, columns = np.mgrid[:CELLS, :CELLS]
    places, masses = np.zeros((len(logs), 2)), np.zeros(len(logs))
    for n, log in enumerate(logs):
        share = np.exp(log.astype(np.float64))
        row, column = np.unravel_index(share.argmax(), share.shape)
        near = share * ((np.abs(rows - row) <= 2) & (np.abs(columns - column) <= 2))
        places[n] = (near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()
        masses[n] = share[np.hypot(columns - places[n, 0], rows - places[n, 1]) <= radius].sum()
    return places, masses
