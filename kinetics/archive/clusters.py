"""Groups of shots that are alike, out of the graph of each shot's nearest, with a typical shot of each.

Neighbours are joined by exp(-d² / (s_i s_j)), s the distance of each one's last neighbour, so that a dense and a sparse group count alike
(Zelnik-Manor and Perona 2004). Groups are the communities of greatest modularity (Blondel et al. 2008,
doi:10.1088/1742-5468/2008/10/P10008), each of which hangs together; shots are asked in the order of their keys, so that the same table
gives the same groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import KineticsError, Progress
from ..names import short_name
from .descriptions import describe_batch, list_batches
from .search import measure_distances
from .store import Archive
from .tables import make_table, read_table

#: Neighbours whose d² is more than this many s_i s_j are not joined: what is unlike everything stays alone.
_FAR = 4.0

#: The typical shot is looked for among so many of the best joined, by its distances from so many of the group.
_CANDIDATES, _MEMBERS = 32, 64

#: A round of moves that gains less than this part of the modularity is the last.
_GAIN = 1e-6


def build_clusters(archive: Archive, progress: Progress | None = None) -> dict[int, str]:
    """Group the shots of an archive by ``neighbours.parquet`` and write ``clusters.parquet``.

    Groups are numbered from 0, the largest first; one has a row per clip with its group, whether it is the typical shot, and as label the
    name of the typical shot's clip. A clip that shows no stroke to compare is in group -1, with the reason as its label.

    Parameters
    ----------
    archive : Archive
    progress : callable, optional
        Called once per group when its typical shot is found; may raise to cancel: the old table then stays.

    Returns
    -------
    dict
        Key of the typical shot of each group.

    Raises
    ------
    KineticsError
        When the neighbours have not been found yet.
    """
    path = archive.folder / "neighbours.parquet"
    if not path.is_file():
        raise KineticsError(f"{archive.folder} has no neighbours to make groups of; find them first (build_graph).")
    table = read_table("neighbours", path)
    batches, shown, refused = list_batches(archive.folder), [], {}
    for name in batches:
        batch = describe_batch(archive, name)
        shown += batch.keys
        refused |= batch.refused
    keys = sorted(shown)
    number = {key: n for n, key in enumerate(keys)}
    pairs = [np.array([number[key] for key in table[side].to_pylist()], np.int64) for side in ("key", "other")]
    graph = join_neighbours(*pairs, table["distance"].to_numpy(), len(keys))
    groups = find_groups(graph)
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max(initial=-1)) + 1)]
    # A million descriptions needn't be in memory at once: those that are compared are.
    asked = {int(n) for group in members for part in _pick(graph, group) for n in part}
    shots = {}
    for name in batches:
        batch = describe_batch(archive, name)
        shots |= {number[key]: shot for key, shot in zip(batch.keys, batch.shots, strict=True) if number[key] in asked}
    typical = {}
    for group, part in enumerate(members):
        typical[group] = keys[find_typical(graph, part, shots)]
        if progress:
            progress(group + 1, len(members))
    names = {row["key"]: short_name(row["path"]) for row in archive.clips(["key", "path"]).to_pylist()}
    rows = [(key, int(group), key == typical[group], names[typical[group]]) for key, group in zip(keys, groups, strict=True)]
    rows += sorted((key, -1, False, reason) for key, reason in refused.items())
    columns = zip(*rows, strict=True) if rows else ((),) * 4
    archive.replace("clusters", make_table("clusters", dict(zip(("key", "cluster", "medoid", "label"), columns, strict=True))))
    return typical


def join_neighbours(first: np.ndarray, second: np.ndarray, distance: np.ndarray, count: int):
    """The graph's weights, a symmetric sparse matrix (count, count), of neighbours (n,) ``second`` of ``first`` at ``distance``."""
    from scipy.sparse import csr_array

    reach = np.zeros(count)
    np.maximum.at(reach, first, distance)
    scale = reach[first] * reach[second]
    apart = np.divide(distance**2, scale, out=np.where(distance > 0, np.inf, 0.0), where=scale > 0)
    near = apart <= _FAR
    weights = csr_array((np.exp(-apart[near]), (first[near], second[near])), shape=(count, count))
    return weights.maximum(weights.T).tocsr()


def find_groups(graph) -> np.ndarray:
    """(N,) number of each shot's group, the largest group 0, ties in the order of their first shots."""
    from scipy.sparse import csr_array

    groups = np.arange(graph.shape[0])
    level = graph
    while True:
        moved = _move(level)
        count = int(moved.max(initial=-1)) + 1
        if count == level.shape[0]:
            break
        groups = moved[groups]
        member = csr_array((np.ones(len(moved)), (np.arange(len(moved)), moved)), shape=(len(moved), count))
        level = (member.T @ level @ member).tocsr()
    return _by_size(_hang_together(graph, groups))


def _move(graph) -> np.ndarray:
    """(N,) groups, numbered as they come, after moving nodes one by one to the group that gains the most, until nothing is gained."""
    starts, others, weights = graph.indptr.tolist(), graph.indices.tolist(), graph.data.tolist()
    degree = np.asarray(graph.sum(axis=1)).ravel()
    total = float(degree.sum()) or 1.0
    share = (degree / total).tolist()
    group = list(range(graph.shape[0]))
    held = list(share)
    gained = 1.0
    while gained > _GAIN:
        gained = 0.0
        for node, own in enumerate(share):
            links: dict[int, float] = {}
            for k in range(starts[node], starts[node + 1]):
                if others[k] != node:
                    there = group[others[k]]
                    links[there] = links.get(there, 0.0) + weights[k]
            home = group[node]
            held[home] -= own
            stay = links.get(home, 0.0) / total - own * held[home]
            best, most = home, stay
            for there, link in links.items():
                gain = link / total - own * held[there]
                if gain > most + 1e-15:
                    best, most = there, gain
            held[best] += own
            group[node] = best
            gained += 2 * (most - stay)
    return np.unique(group, return_inverse=True)[1]


def _hang_together(graph, groups: np.ndarray) -> np.ndarray:
    """Groups parted where no path inside them leads from one shot to another."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    edges = graph.tocoo()
    inside = groups[edges.row] == groups[edges.col]
    kept = csr_array((edges.data[inside], (edges.row[inside], edges.col[inside])), shape=graph.shape)
    return connected_components(kept, directed=False)[1]


def _by_size(groups: np.ndarray) -> np.ndarray:
    """The groups numbered anew, the largest first."""
    _, first, groups, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return np.argsort(order)[groups]


def find_typical(graph, members: np.ndarray, shots: Mapping[int, np.ndarray] | Sequence[np.ndarray]) -> int:
    """Which of a group's members (numbers in the graph, and of their descriptions) has the least mean distance from the others.

    Of a large group only the :data:`_CANDIDATES` best joined are asked, and :data:`_MEMBERS` spread over it measured.
    """
    best, measured = _pick(graph, members)
    others = [shots[n] for n in measured]
    means = [float(measure_distances(shots[n], others).mean()) for n in best]
    return int(best[int(np.argmin(means))])


def _pick(graph, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of a group that may be typical, and those that they are compared with."""
    joined = np.asarray(graph[members][:, members].sum(axis=1)).ravel()
    spread = np.unique(np.linspace(0, len(members) - 1, _MEMBERS).round().astype(int))
    return members[np.lexsort((members, -joined))[:_CANDIDATES]], members[spread]
