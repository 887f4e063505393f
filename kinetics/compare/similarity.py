"""How alike N shots are: every pair warped onto each other, the shots in an order that shows the groups, and the nearest of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import KineticsError, Progress
from ..pose_sequence import PoseSequence
from .all_pairs import compute_costs
from .features import compute_features

LINKAGES = ("average", "complete", "single")


@dataclass(frozen=True)
class Similarity:
    """Distances between shots.

    Attributes
    ----------
    names : tuple of N str
    distance : (N, N) float64
        sqrt(2 cost / (T_i + T_j) / parts): root mean squared distance of a joint (an angle, a speed) from its partner, about, as a path
        has half of all frames when nothing is stretched. 0 on the diagonal; infinite between shots without joints in common. Several kinds
        of features are not divided by their parts: the unit is then their common spread.
    unit : str
        Of the distances; ``""`` when several kinds of features are mixed.
    features : dict
        Kinds and weights.
    """

    names: tuple[str, ...]
    distance: np.ndarray
    unit: str
    features: dict[str, float]

    def nearest(self, query: str | int, count: int = 3) -> list[tuple[str, float]]:
        """The shots most like one of them, nearest first, with their distance.

        Raises
        ------
        KineticsError
            When the query isn't among the shots.
        """
        if isinstance(query, str) and query not in self.names:
            raise KineticsError(f"There is no shot {query!r}; there are {', '.join(self.names)}.")
        row = self.names.index(query) if isinstance(query, str) else int(query)
        if not 0 <= row < len(self.names):
            raise KineticsError(f"There is no shot {query}; they are numbered 0 to {len(self.names) - 1}.")
        others = [k for k in np.argsort(self.distance[row], kind="stable") if k != row and np.isfinite(self.distance[row, k])]
        return [(self.names[k], float(self.distance[row, k])) for k in others[:count]]

    def tree(self, linkage: str = "average") -> np.ndarray:
        """(N - 1, 4) hierarchical clustering, as SciPy's ``linkage`` gives it, leaves ordered so that neighbours are alike.

        Raises
        ------
        KineticsError
            On an unknown linkage, or when two shots can't be compared at all.
        """
        from scipy.cluster.hierarchy import linkage as join
        from scipy.spatial.distance import squareform

        if linkage not in LINKAGES:
            raise KineticsError(f"Linkage {linkage!r} is not known; use one of {', '.join(LINKAGES)}.")
        if not np.isfinite(self.distance).all():
            a, b = np.argwhere(~np.isfinite(self.distance))[0]
            raise KineticsError(f"{self.names[a]} and {self.names[b]} show no joints in common; leave one of them out.")
        return join(squareform(self.distance, checks=False), linkage, optimal_ordering=True)

    def order(self, linkage: str = "average") -> list[int]:
        """Numbers of the shots as the leaves of :meth:`tree` come: neighbours are alike."""
        from scipy.cluster.hierarchy import leaves_list

        return leaves_list(self.tree(linkage)).tolist()

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; null where two shots can't be compared."""
        rows = [[value if np.isfinite(value) else None for value in row] for row in self.distance.tolist()]
        return {"names": list(self.names), "distance": rows, "unit": self.unit, "features": self.features}


def compare_all(
    poses: Sequence[PoseSequence],
    names: Sequence[str] | None = None,
    *,
    features: Mapping[str, float] | Sequence[str] = ("positions",),
    joints: Sequence[str] | None = None,
    band: float | None = None,
    tip_speeds: Sequence[np.ndarray] | None = None,
    backend: str = "auto",
    progress: Progress | None = None,
) -> Similarity:
    """Warp every shot onto every other.

    Parameters
    ----------
    poses : N PoseSequences
        Positions are taken from the pelvis, in the shot's own trunk lengths: N² pairs with a similarity of their own have no distances.
    names : N str, optional
        The clips' files when not given.
    features, joints, tip_speeds
        As in :func:`.features.compute_features`.
    band, backend, progress
        As in :func:`.all_pairs.compute_costs`.

    Returns
    -------
    Similarity

    Raises
    ------
    KineticsError
        As those two; when names don't fit the shots or repeat.
    """
    kinds = dict(features) if isinstance(features, Mapping) else dict.fromkeys(features, 1.0)
    names = tuple(names) if names is not None else tuple(pose.source or f"shot {n + 1}" for n, pose in enumerate(poses))
    if len(names) != len(poses) or len(set(names)) < len(names):
        raise KineticsError(f"{len(poses)} shots have the names {', '.join(names)}; give each its own.")
    parts = compute_features(poses, kinds, joints=joints, root=True, tip_speeds=tip_speeds)
    cost = compute_costs(
        [part.value for part in parts], band, weights=[part.weight for part in parts], missing="mask", backend=backend, progress=progress
    )
    frames = np.array([len(pose) for pose in poses])
    count = 1 if len(kinds) > 1 else max(1, len(parts[0].names) // 2)  # x and y, cosine and sine belong to one part
    return Similarity(names, np.sqrt(2 * cost / (frames[:, None] + frames) / count), parts[0].unit, kinds)
