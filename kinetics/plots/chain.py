"""The picture of a kinetic chain: the bat's speed above; below, segments by when they are fastest and where on the body, and the chain."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..compare.chain import Chain, ChainSet, label
from ..compare.chain_graph import BAT
from ..compare.chain_segments import PARTS
from ..errors import KineticsError
from .page import FAINT, GRID, PANEL, SIDE_COLOURS, TEXT, open_page, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The chain, and a sentence that there is none: lighter than left's orange and right's blue, so told apart without hue as well.
CHAIN = "#f7e463"

#: Left, right and middle differ in colour, in shape, and in where they lie in their row.
SIDES = {"left": (SIDE_COLOURS["left"], "o", 0.17), "right": (SIDE_COLOURS["right"], "s", -0.17), "": (TEXT, "D", 0.0)}

#: The picture that letters and lines are sized for, pixels wide; others are scaled.
_WIDTH = 960


@dataclass(frozen=True)
class _Node:
    """When (s), its spread (s or NaN)."""

    at: float
    spread: float = float("nan")


@dataclass(frozen=True)
class _Link:
    """An edge as it is drawn: ``strength`` 0 to 1 sets the width, ``text`` stands beside it when it is on the path."""

    leader: str
    follower: str
    strength: float
    text: str
    tested: bool


def plot_chain(chain: Chain, path: str | os.PathLike | None = None, size: tuple[int, int] = (960, 760)) -> np.ndarray:
    """Draw the chain of one clip.

    Above the speed of the bat's tip; below every segment at the time it is fastest, in the row of its part of the body: left an orange
    disc, right a blue square, the middle and the bat a diamond. Edges are thin, dashed where they have no p; the chain is bold, its width
    the weight, and beside each step stand weight and lag. That there is no chain is said in the title.

    Parameters
    ----------
    chain : Chain
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels; letters grow with the width, so that twice the size is the same picture for print.

    Returns
    -------
    (H, W, 3) uint8 RGB
    """
    segments = chain.segments
    nodes = {name: _Node(at) for name, at in zip(segments.names, segments.activation, strict=True) if name in segments.used}
    if chain.preset == "whitepaper" and chain.edges:
        # The whole clip counts there: only what has an edge is shown, or nothing could be told apart.
        nodes = {name: node for name, node in nodes.items() if any(name in (edge.leader, edge.follower) for edge in chain.edges)}
    links = [
        _Link(edge.leader, edge.follower, edge.weight, f"{edge.weight:.2f}, {1000 * edge.lag:.0f} ms", edge.p is not None)
        for edge in chain.edges
    ]
    missing = f"bat: {segments.left_out[BAT]}" if BAT in segments.left_out else ""
    reasons: dict[str, list[str]] = {}
    for name, why in segments.left_out.items():
        reasons.setdefault(why, []).append(label(name))
    notes = [f"{', '.join(names)} {why}" for why, names in reasons.items()]
    caption = " ".join([*([f"Left out: {'; '.join(notes)}."] if notes else []), *segments.flags])
    return _draw(
        nodes, links, chain.path, [(segments.speed_t, segments.speed)], segments.unit, "time in the clip (s)",
        f"{chain.name} · {chain.preset} preset", _headline(chain), missing, caption, "chain: weight, lag", path, size,
    )  # fmt: skip


def plot_chains(found: ChainSet, path: str | os.PathLike | None = None, size: tuple[int, int] = (960, 760)) -> np.ndarray:
    """Draw what the chains of several clips have in common.

    As :func:`plot_chain`, with mean times and their standard deviation; an edge's width is the part of the clips that have it, and beside
    each step stand mean weight, mean lag ± standard deviation, and how many clips have it. Edges of a single clip are left out.

    Raises
    ------
    KineticsError
        When there is one clip only.
    """
    across = found.across
    if across is None:
        raise KineticsError("One clip has nothing in common with others; give two clips or more.")
    nodes = {name: _Node(at, across.activation_spread[name]) for name, at in across.activation.items()}
    links = []
    for edge in across.edges:
        if edge.kind != "single":
            lag = f"{1000 * edge.lag:.0f} ± {1000 * edge.lag_spread:.0f} ms"
            text = f"{edge.weight:.2f}, {lag}, {len(edge.clips)}/{across.clips}"
            links.append(_Link(edge.leader, edge.follower, edge.frequency, text, edge.p is not None))
    strips = [(t, chain.segments.speed) for t, chain in zip(across.speed_times, found.chains, strict=True)]
    core = sum(edge.kind == "core" for edge in across.edges)
    single = sum(edge.kind == "single" for edge in across.edges)
    headline = (
        f"{len(across.path) - 1} steps from {label(across.path[0])} to the bat in most clips" if across.path
        else "No chain through edges that half the clips share reaches the bat"
    )  # fmt: skip
    return _draw(
        nodes, links, across.path, strips, found.chains[0].segments.unit, f"{across.axis} (s)",
        f"{across.clips} clips · {core} core edges, {single} of one clip only", (headline, bool(across.path)), "", "",
        "chain: weight, lag ± SD, clips", path, size,
    )  # fmt: skip


def _headline(chain: Chain) -> tuple[str, bool]:
    """The title, and whether it is good news."""
    if not chain.reaches_bat:
        said = chain.verdict.rstrip(".") if not chain.path else "No chain reaches the bat; bold: the strongest of the graph"
        return said, False
    took = sum(edge.lag for edge in chain.path_edges)
    tested = "" if chain.tested else " (not tested: no p)"
    steps = len(chain.path) - 1
    return f"{steps} step{'s' * (steps > 1)} from {label(chain.path[0])} to the bat, {1000 * took:.0f} ms{tested}", True


def _draw(
    nodes: Mapping[str, _Node], links: Sequence[_Link], chain: Sequence[str], strips: Sequence[tuple[np.ndarray, np.ndarray]], unit: str,
    times: str, title: str, headline: tuple[str, bool], missing: str, caption: str, key: str, path: str | os.PathLike | None,
    size: tuple[int, int],
) -> np.ndarray:  # fmt: skip
    figure = open_page(size)
    scale = size[0] / _WIDTH
    head, strip, body, foot = figure.subplots(4, 1, height_ratios=(0.42, 1.25, 4.2, 0.66 if caption else 0.3))
    strip.sharex(body)
    strip.tick_params(labelbottom=False)
    steps = set(zip(chain[:-1], chain[1:], strict=True))
    at = {name: (node.at, PARTS.index(_part(name)) + SIDES[_side(name)][2]) for name, node in nodes.items()}
    low, high = _limits(nodes)

    _draw_strip(strip, strips, unit, low, high, scale)
    for link in sorted(links, key=lambda one: one.strength):
        if (link.leader, link.follower) not in steps:
            body.plot(
                *np.array([at[link.leader], at[link.follower]]).T, color=FAINT, linewidth=scale * (0.4 + 1.1 * link.strength), alpha=0.45,
                linestyle="-" if link.tested else (0, (4, 3)), zorder=2,
            )  # fmt: skip
    for link in links:
        if (link.leader, link.follower) in steps:
            start, end = np.array(at[link.leader]), np.array(at[link.follower])
            shaft = np.array([start, start + 0.86 * (end - start)])
            body.plot(
                *shaft.T, color=CHAIN, linewidth=scale * (1.0 + 4.5 * link.strength), linestyle="-" if link.tested else (0, (2.2, 0.8)),
                dash_capstyle="butt", zorder=4,
            )  # fmt: skip
            body.annotate("", end, shaft[1], zorder=4, arrowprops={
                "arrowstyle": f"-|>,head_width={0.32 * scale:.2f},head_length={0.62 * scale:.2f}", "color": CHAIN, "shrinkA": 0,
                "shrinkB": 6 * scale, "linewidth": scale * (1.0 + 3.0 * link.strength),
            })  # fmt: skip
    for name, (x, y) in at.items():
        colour, marker, _ = SIDES[_side(name)]
        on = name in chain
        if np.isfinite(nodes[name].spread):
            body.plot([x - nodes[name].spread, x + nodes[name].spread], [y, y], color=colour, linewidth=1.6 * scale, alpha=0.6, zorder=3)
        body.plot(
            [x], [y], marker, color=colour, markersize=scale * (10 if on else 7), markeredgecolor=CHAIN if on else PANEL,
            markeredgewidth=scale * (2 if on else 1), zorder=6,
        )  # fmt: skip
    if missing:
        across = body.get_yaxis_transform()
        body.text(0.5, len(PARTS) - 1, missing, transform=across, color=CHAIN, fontsize=11 * scale, ha="center", va="center", zorder=7)

    body.set_yticks(range(len(PARTS)), [label(part) for part in PARTS])
    body.set_ylim(-0.6, len(PARTS) - 0.4)
    body.set_xlim(low, high)
    body.set_xlabel(times, color=TEXT, fontsize=11 * scale)
    body.set_ylabel("segment, from the ground up", color=TEXT, fontsize=11 * scale)
    for axes in (head, foot):
        axes.set_axis_off()
    said, good = headline
    letters = scale * min(14, 14 * 70 / len(said))
    head.text(0, 1, said, color=TEXT if good else CHAIN, fontsize=letters, fontweight="bold", va="top", in_layout=False)
    head.text(0, 0, title, color=FAINT, fontsize=10.5 * scale, va="bottom")
    if caption:
        lines = textwrap.fill(textwrap.shorten(caption, 370, placeholder=" …"), 128)
        foot.text(0, 0, lines, color=FAINT, fontsize=9 * scale, va="bottom", linespacing=1.25, in_layout=False)
    _draw_key(foot, links, key if chain else "", scale)
    for axes in (strip, body):
        axes.set_facecolor(PANEL)
        axes.grid(True, color=GRID, linewidth=0.6 * scale)
        axes.tick_params(labelsize=10.5 * scale, labelcolor=TEXT, color=FAINT, length=3 * scale)
        for spine in axes.spines.values():
            spine.set_color(GRID)
    figure.canvas.draw()
    figure.set_layout_engine("none")
    _write_labels(body, [link for link in links if (link.leader, link.follower) in steps], at, scale)
    figure.canvas.draw()
    image = np.array(figure.canvas.buffer_rgba())[: size[1], : size[0], :3]
    save_png(image, path)
    return image


def _draw_strip(
    strip: Axes, tracks: Sequence[tuple[np.ndarray, np.ndarray]], unit: str, low: float, high: float, scale: float
) -> None:
    """Speed of the tip of each clip over the times shown."""
    top = 0.0
    width, alpha = (2.0, 1.0) if len(tracks) == 1 else (1.1, 0.6)
    for t, speed in tracks:
        near = (t >= low - 0.1) & (t <= high + 0.1)
        strip.plot(t[near], speed[near], color=CHAIN, linewidth=width * scale, alpha=alpha)
        top = max(top, float(np.nanmax(speed[(t >= low) & (t <= high)], initial=0.0)))
    strip.set_ylim(0, 1.1 * top if top > 0 else 1.0)
    strip.set_ylabel(f"bat tip\n({unit}s/s)", color=TEXT, fontsize=10 * scale)


def _write_labels(body: Axes, links: Sequence[_Link], at: Mapping[str, tuple[float, float]], scale: float) -> None:
    """Weight and lag beside each step of the chain, over no other label and no node; a hair line leads to the step from further off."""
    renderer = body.figure.canvas.get_renderer()
    place = {name: body.transData.transform(point) for name, point in at.items()}
    frame = body.get_window_extent(renderer)
    radius = 9 * scale
    taken = [(point - radius, point + radius) for point in place.values()]
    lines = [np.linspace(place[link.leader], place[link.follower], 40) for link in links]
    for link, line in zip(links, lines, strict=True):
        text = body.text(
            0, 0, link.text, transform=None, color=TEXT, fontsize=10.5 * scale, ha="center", va="center", zorder=8,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": PANEL, "edgecolor": GRID, "linewidth": 0.8 * scale},
        )  # fmt: skip
        box = text.get_window_extent(renderer)
        half = np.array([box.width, box.height]) / 2 + 6 * scale
        middle = line.mean(axis=0)
        x, y = (axis.ravel() for axis in np.meshgrid(
            np.linspace(frame.x0 + half[0], frame.x1 - half[0], 80), np.linspace(frame.y0 + half[1], frame.y1 - half[1], 80)
        ))  # fmt: skip
        cost = np.hypot(x - middle[0], y - middle[1])
        for other in lines:
            cost += 12 * scale * ((np.abs(other[:, 0] - x[:, None]) < half[0]) & (np.abs(other[:, 1] - y[:, None]) < half[1])).sum(axis=1)
        for low, high in taken:
            cost[(x + half[0] > low[0]) & (x - half[0] < high[0]) & (y + half[1] > low[1]) & (y - half[1] < high[1])] += 1e6
        spot = np.array([x[cost.argmin()], y[cost.argmin()]])
        text.set_position(spot)
        taken.append((spot - half, spot + half))
        nearest = line[np.hypot(*(line - spot).T).argmin()]
        if (np.abs(nearest - spot) > half).any():
            ends = body.transData.inverted().transform([spot, nearest])
            body.plot(*ends.T, color=TEXT, linewidth=0.8 * scale, alpha=0.7, zorder=5)


def _draw_key(foot: Axes, links: Sequence[_Link], chain: str, scale: float) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=SIDES[side][0], marker=SIDES[side][1], linestyle="", markersize=7 * scale, label=name)
        for side, name in (("left", "left"), ("right", "right"), ("", "middle, bat"))
    ]
    if any(link.tested for link in links):
        entries.append(Line2D([], [], color=FAINT, linewidth=1.5 * scale, label="edge"))
    if any(not link.tested for link in links):
        entries.append(Line2D([], [], color=FAINT, linewidth=1.5 * scale, linestyle=(0, (4, 3)), label="edge without a p"))
    if chain:
        entries.append(Line2D([], [], color=CHAIN, linewidth=4 * scale, label=chain))
    foot.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(0, 1), ncols=len(entries), frameon=False, labelcolor=TEXT, fontsize=10.5 * scale,
        handlelength=1.8, columnspacing=1.4, handletextpad=0.5, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def _limits(nodes: Mapping[str, _Node]) -> tuple[float, float]:
    """Times shown: those of the nodes, with room for a label on either side."""
    ends = np.array([node.at + sign * np.nan_to_num(node.spread) for node in nodes.values() for sign in (-1, 1)])
    if not len(ends):
        return 0.0, 1.0
    room = max(0.18 * np.ptp(ends), 0.04)
    return float(ends.min() - room), float(ends.max() + room)


def _part(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_").replace("foot", "ankle")


def _side(name: str) -> str:
    return name.partition("_")[0] if name.startswith(("left_", "right_")) else ""
