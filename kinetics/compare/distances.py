"""How far apart two compared shots are in every pair of their frames."""

from __future__ import annotations

import numpy as np

from .align import ShotComparison
from .features import trunk_length
from .local_cost import LocalCost


def pair_distances(comparison: ShotComparison, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root mean squared distance of the joints after Procrustes, for every pair of frames.

    Parameters
    ----------
    comparison : ShotComparison
    most : int
        Frames along an edge at most; of a longer shot every so-manyth is taken.

    Returns
    -------
    (n, m) float64
        Percent of the other shot's trunk length; NaN where the frames have no joint in common.
    (n,), (m,) s
        Times of the reference's and of the other's frames taken.
    """
    ref, other, joints = comparison.ref, comparison.other, comparison.joints
    rows, columns = (slice(None, None, -(-len(pose) // most)) for pose in (ref, other))
    x, y = (pose.select(joints) for pose in (ref, other))
    places = np.nan_to_num(comparison.similarity.apply(x.xy[rows])).reshape(len(ref.t[rows]), -1)
    target = np.nan_to_num(y.xy[columns]).reshape(len(other.t[columns]), -1)
    weights = (np.repeat(pose.conf[part], 2, axis=1) for pose, part in ((x, rows), (y, columns)))
    cost = LocalCost(places, target, *weights).block(0, len(places), 0, len(target))
    cost[np.isinf(cost)] = np.nan
    return 100 * np.sqrt(cost / len(joints)) / trunk_length(other), ref.t[rows], other.t[columns]
