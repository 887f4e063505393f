"""The loss of one training step: E|epsilon - epsilon_theta(sqrt(alpha_bar)·x + sqrt(1-alpha_bar)·epsilon, t, c)|², or the same of v,
masked and weighted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def spread(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(B,) -> (B, 1, 1, 1), in the dtype and on the device of ``like``."""
    return values.to(like.device, like.dtype).reshape(-1, 1, 1, 1)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    """sqrt(alpha_bar)·x + sqrt(1-alpha_bar)·epsilon.

    Parameters
    ----------
    latents, noise : (B, C, h, w)
    bar : (B,)
        alpha_bar at each sample's time.
    """
    return spread(bar.sqrt(), latents) * latents + spread((1 - bar).sqrt(), latents) * noise


def target_of(prediction: str, latents: torch.Tensor, noise: torch.Tensor, bar: torch.Tensor) -> torch.Tensor:
    """What the UNet should say: epsilon, or v = sqrt(alpha_bar)·epsilon - sqrt(1-alpha_bar)·x (Salimans & Ho 2022)."""
    if prediction == "epsilon":
        return noise
    return spread(bar.sqrt(), latents) * noise - spread((1 - bar).sqrt(), latents) * latents


def snr_weights(prediction: str, bar: torch.Tensor, gamma: float) -> torch.Tensor:
    """Min-SNR-gamma weights (B,) (Hang et al. 2023, eq. 6): min(snr, gamma)/snr for epsilon, min(snr, gamma)/(snr + 1) for v; gamma = 0
    gives ones."""
    import torch

    if gamma == 0:
        return torch.ones_like(bar)
    snr = bar / (1 - bar)
    return snr.clamp(max=gamma) / (snr if prediction == "epsilon" else snr + 1)


def sample_losses(said: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor | None, background: float) -> torch.Tensor:
    """Mean square of the difference per sample (B,), in float32.

    Parameters
    ----------
    said, wanted : (B, C, h, w)
    mask : (B, 1, h, w) or None
        1 where the batter is.
    background : float
        Weight outside it. The weights of a sample are normalised, so that a small batter counts as much as a large one.
    """
    square = (said.float() - wanted.float()) ** 2
    if mask is None or background == 1:
        return square.mean(dim=(1, 2, 3))
    weight = background + (1 - background) * mask
    return (square * weight).sum(dim=(1, 2, 3)) / (weight.sum(dim=(1, 2, 3)) * square.shape[1]).clamp(min=1e-8)
