"""Edges between segments, and the paths through them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

#: The bat's node, where a chain ends.
BAT = "bat_tip"

#: The ground, where it begins: feet and pelvis. Centred on the pelvis, a body's pelvis is still and its hips carry its turn.
SOURCES = ("left_foot", "right_foot", "left_ankle", "right_ankle", "left_hip", "right_hip", "pelvis")


@dataclass(frozen=True)
class Edge:
    """``leader`` moves first and ``follower`` does the same ``lag`` seconds later, their velocities correlated by ``weight``.

    Attributes
    ----------
    leader, follower : str
    weight : float
        Lagged correlation at its peak.
    lag : float
        s.
    p : float or None
        Chance of such a correlation under the null of the preset; None where no null can be had.
    p_adjusted : float or None
        The same, corrected for the number of pairs looked at.
    samples : float
        Effective number of independent samples.
    """

    leader: str
    follower: str
    weight: float
    lag: float
    p: float | None = None
    p_adjusted: float | None = None
    samples: float = float("nan")


def heaviest_path(edges: Iterable[Edge], sources: Collection[str] | None = SOURCES, target: str | None = BAT) -> tuple[str, ...]:
    """The directed path with the largest sum of weights.

    Parameters
    ----------
    edges : iterable of Edge
        Without a directed circle, as edges from an earlier to a later peak are; weights above 0.
    sources, target
        Where the path may begin and has to end; None: anywhere.

    Returns
    -------
    tuple of str
        Nodes in order; empty when no path leads there. Of paths that weigh the same, the one whose nodes come first in the alphabet.

    Raises
    ------
    ValueError
        When the edges hold a circle.
    """
    edges = list(edges)
    into: dict[str, list[Edge]] = {}
    for edge in edges:
        into.setdefault(edge.follower, []).append(edge)
    # Best path that ends at each node: its weight, then the path itself, which settles ties.
    best: dict[str, tuple[float, tuple[str, ...]] | None] = {}
    for node in _in_order({name for edge in edges for name in (edge.leader, edge.follower)}, into):
        begins = (0.0, (node,)) if sources is None or node in sources else None
        ways = [begins] if begins else []
        ways += [(way[0] + edge.weight, (*way[1], node)) for edge in into.get(node, ()) if (way := best[edge.leader])]
        best[node] = min(ways, key=lambda way: (-way[0], way[1])) if ways else None
    ends = [way for node, way in best.items() if way and len(way[1]) > 1 and (target is None or node == target)]
    return min(ends, key=lambda way: (-way[0], way[1]))[1] if ends else ()


def cut_at(path: tuple[str, ...], target: str = BAT) -> tuple[str, ...]:
    """The path up to ``target``, or the whole of it where ``target`` isn't on it."""
    return path[: path.index(target) + 1] if target in path else path


def path_edges(path: tuple[str, ...], edges: Iterable[Edge]) -> list[Edge]:
    """The edges along a path, in order."""
    between = {(edge.leader, edge.follower): edge for edge in edges}
    return [between[pair] for pair in zip(path[:-1], path[1:], strict=True)]


def _in_order(nodes: set[str], into: Mapping[str, list[Edge]]) -> list[str]:
    """Nodes such that each comes after all its leaders."""
    order: list[str] = []
    left = sorted(nodes)
    while left:
        ready = [node for node in left if all(edge.leader in order for edge in into.get(node, ()))]
        if not ready:
            raise ValueError(f"The edges between {', '.join(left)} go in a circle.")
        order += ready
        left = [node for node in left if node not in ready]
    return order
