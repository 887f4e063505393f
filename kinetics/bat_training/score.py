"""How well the network does on samples with known truth, and how its confidence is calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from ..motion.bat_crops import BatCrop
from ..motion.bat_network import BatNetwork


def measure(module: Any, planes: np.ndarray, blades: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Figures on samples as :func:`.train.draw_shard` gives them; the confidence is fitted on one half and measured on the other.

    Returns
    -------
    dict
        ``slope`` and ``offset`` of the confidence; of seen toes the share within 0.1 and 0.2 bat lengths and the median error; of
        hidden ones the share with confidence over one half; over one half and over 0.8: how many, and how often right (within 0.2).
    """
    module.eval()
    crops = [BatCrop(sample, np.zeros(2), 1.0, float(label[5])) for sample, label in zip(planes, labels, strict=True)]
    reading = BatNetwork(module, {"slope": 1.0, "offset": 0.0}, {}).read(crops)
    toe, mass = reading.peak()
    seen, length = labels[:, 4], labels[:, 5]
    error = np.hypot(*(toe - labels[:, :2]).T) / length
    sure = seen >= 0
    right = (seen > 0) & (error < 0.2)
    score = np.log(mass / (1 - mass))
    fit = np.arange(len(score)) % 2 == 0
    slope, offset = fit_logistic(score[fit & sure], right[fit & sure])
    confidence = expit(slope * score + offset)
    rest = ~fit & sure
    figures = {"slope": slope, "offset": offset}
    there = error[seen > 0]
    figures |= {"within_0.1": np.mean(there < 0.1), "within_0.2": np.mean(there < 0.2), "median": np.median(there)}
    fast = error[(seen > 0) & (np.abs(labels[:, 6]) > 15)]
    figures["within_0.2_fast"] = np.mean(fast < 0.2) if len(fast) else np.nan
    for name, level in (("half", 0.5), ("high", 0.8)):
        chosen = rest & (confidence > level)
        figures[f"share_{name}"] = np.sum(chosen) / max(np.sum(rest), 1)
        figures[f"right_{name}"] = np.mean(right[chosen]) if chosen.any() else np.nan
        figures[f"hidden_{name}"] = np.mean(confidence[rest & (seen == 0)] > level)
    figures["blade_overlap"] = float(np.mean([_overlap(p, b / 255) for p, b in zip(reading.blade, blades, strict=True) if b.max() > 127]))
    return {name: round(float(value), 4) for name, value in figures.items()}


def fit_logistic(score: np.ndarray, right: np.ndarray, steps: int = 30) -> tuple[float, float]:
    """Slope and offset of the log-odds of ``right`` against ``score``, by Newton's method; a little ridge keeps them finite."""
    design = np.stack([score, np.ones_like(score)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(steps):
        chance = expit(design @ weights)
        gradient = design.T @ (chance - right) + 1e-3 * (weights - [1.0, 0.0])
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        weights = weights - np.linalg.solve(curvature, gradient)
    return float(weights[0]), float(weights[1])


def _overlap(probability: np.ndarray, cover: np.ndarray) -> float:
    found, there = probability > 0.5, cover > 0.5
    return float((found & there).sum() / max((found | there).sum(), 1))
