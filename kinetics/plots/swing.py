"""The measured stroke to look at: speed and omega over time, and the paths of tip and hands on a frame of the clip."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..motion.measure import PER_SECOND, SwingMeasurement
from ..motion.swing import Peak
from .page import FAINT, GRID, OUTLIER, TEXT, open_page, save_png, to_pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Speed in the bat's yellow, omega in sea green, the hands in grey.
SPEED, OMEGA, HANDS = "#fae850", "#4fd6b8", "#aab2c0"

#: Shades of the phases, and how strongly they lie under the curves.
PHASE_COLOURS = {"stance": "#7d8696", "backlift": "#8f7bea", "downswing": "#f29614", "follow_through": "#46acf5"}
SHORT_NAMES = {"stance": "st.", "backlift": "lift", "downswing": "down", "follow_through": "foll."}
IMPACT = "#ff5d5d"
_SHADE = 0.13

#: What became of each frame: words of the key and colours, in the order of the key.
STATUS_COLOURS = {
    "measured": (SPEED, ("measured",)), "refused": (OUTLIER, ("refused",)), "repeated": ("#6f7fd8", ("repeat",)),
    "no tip or hands": ("#4a5160", ("no tip", "no hands")), "not measured": ("#2b303a", ("other shot", "no camera")),
}  # fmt: skip

#: A shot longer than this, s, is shown about the stroke only, with so much before and after it.
LONGEST_VIEW, BEFORE, AFTER = 2.5, 0.4, 0.4

#: Part of the picture's height that flags may take.
FLAG_SHARE = 0.3


def plot_swing(swing: SwingMeasurement, path: str | os.PathLike | None = None, size: tuple[int, int] = (1280, 720), view: str = "auto") -> np.ndarray:
    """Plot tip speed and omega over time, with bands of 1 sigma and 2 sigma, the phases, the impact, and the peaks; flags in words below.

    A curve is drawn through adjacent measured frames only (a repeated frame doesn't part them); a lone sample has bars. The strip under the curves
    tells what became of every frame.

    Parameters
    ----------
    swing : SwingMeasurement
    path : path, optional
        A .png to write as well.
    size : (W, H)
        Pixels.
    view : {"auto", "clip"}
        ``auto``: of a shot longer than 2.5 s the stroke only; ``clip``: the whole shot.

    Returns
    -------
    (H, W, 3) uint8 RGB
    """
    figure = open_page(size)
    figure.set_layout_engine("none")
    page = _Sheet(figure, size)
    top = page.header(swing)
    bottom = page.flags(swing)
    span = plot_span(swing, view)
    left, right = page.x(78), 1 - page.x(24)
    names, rug = page.y(22), page.y(16)
    axis_text = page.y(46)
    room = top - bottom - names - rug - axis_text - page.y(16)
    speed_high, omega_high = 0.58 * room, 0.42 * room
    at = bottom + axis_text
    strip = figure.add_axes((left, at, right - left, rug))
    at += rug + page.y(6)
    omega = figure.add_axes((left, at, right - left, omega_high - page.y(6)), sharex=strip)
    at += omega_high
    speed = figure.add_axes((left, at, right - left, speed_high - page.y(4)), sharex=strip)
    ribbon = figure.add_axes((left, at + speed_high, right - left, names - page.y(4)), sharex=strip)
    strip.set_xlim(*span)

    per = PER_SECOND[swing.unit]
    _curve(speed, swing, swing.tip_speed, swing.tip_speed_sigma, SPEED, page)
    hands = np.where(np.isin(swing.status, ("other shot", "repeat")) | (swing.swing is None), np.nan, swing.hand_speed)
    for run in _runs(swing, hands):
        speed.plot(swing.clock[run], hands[run], "-", color=HANDS, linewidth=page.line(1.0), alpha=0.7, zorder=3)
    sure = np.where(swing.unreliable, np.nan, swing.omega)
    _curve(omega, swing, sure, swing.omega_sigma, OMEGA, page, np.where(swing.unreliable, swing.omega, np.nan))
    omega.axhline(0, color=FAINT, linewidth=page.line(0.7), zorder=1)
    turn = swing.peak_omega
    near = np.nanargmin(np.abs(swing.t - turn.t)) if np.isfinite(turn.t) and np.isfinite(swing.omega).any() else None
    sign = 1.0 if near is None or not np.nan_to_num(_nearest(swing.omega, int(near))) < 0 else -1.0
    _frame_axis(speed, f"tip speed ({per})", swing.tip_speed, swing.tip_speed_sigma, span, swing, swing.peak_tip_speed, 1.0)
    _frame_axis(omega, "\u03c9 (rad/s)", sure, swing.omega_sigma, span, swing, turn, sign, floor=False)
    _mark_peak(speed, swing.peak_tip_speed, swing.peak_tip_speed.value, per, SPEED, page, span)
    _mark_peak(omega, turn, sign * turn.value, "rad/s", OMEGA, page, span)
    _shade_phases(swing, ribbon, (speed, omega), page, span)
    _rug(strip, swing, page)
    if swing.swing is None:
        for axes in (speed, omega):
            axes.set_yticks([])  # no numbers on an axis that has none
        speed.text(0.5, 0.5, "nothing was measured", transform=speed.transAxes, color=TEXT, fontsize=page.font(13), ha="center", va="center")
    for axes in (speed, omega):
        axes.tick_params(labelbottom=False)
    image = to_pixels(figure, size, None)
    _restyle(figure, (speed, omega, strip), (ribbon,), page)
    figure.canvas.draw()
    image = np.array(figure.canvas.buffer_rgba())[: size[1], : size[0], :3]
    save_png(image, path)
    return image


def tell_peak(peak: Peak, unit: str, digits: int | None = None) -> str:
    """``12.4 ± 0.3 m/s``: as many digits as the sigma bears."""
    if not np.isfinite(peak.value):
        return "not measured"
    digits = _digits(peak.sigma) if digits is None else digits
    return f"{peak.value:,.{digits}f} ± {peak.sigma:,.{digits}f} {unit}".replace("-", "\u2212")


def _digits(sigma: float) -> int:
    """Decimals at which a value of this sigma is written: two figures of the sigma."""
    return int(np.clip(1 - np.floor(np.log10(sigma)), 0, 3)) if np.isfinite(sigma) and sigma > 0 else 1


def headline(swing: SwingMeasurement) -> list[tuple[str, str, str]]:
    """Name, value and small print of each peak, for people."""
    scale = swing.scale
    small = "in pixels of the reference frame" if swing.unit == "px" else f"scale ± {100 * scale.sigma:.0f} % beside, from {scale.source}"
    if not np.isfinite(swing.peak_tip_speed.value):
        small = ""
    elif swing.unit != "m" and swing.metres is not None:
        metres = swing.peak_tip_speed.value * scale.px_per_unit / swing.metres.px_per_unit
        small = f"about {metres:.0f} m/s ± {100 * swing.metres.sigma:.0f} % with {swing.metres.source}"
    rows = [("peak tip speed", tell_peak(swing.peak_tip_speed, PER_SECOND[swing.unit]), small)]
    turn = swing.peak_omega
    rows.append(("peak \u03c9", tell_peak(turn, "rad/s"), f"{np.degrees(turn.value):,.0f}°/s" if np.isfinite(turn.value) else ""))
    impact = swing.impact
    if impact is not None:
        how = {"estimated": "estimated from the peak", "detected": "from the blow's trace in the motion", "given": "given by the user"}[impact.how]
        rows.append(("impact", f"{impact.t:.3f} ± {impact.sigma:.3f} s", how))
    else:
        rows.append(("impact", "not found", ""))
    return rows


class _Sheet:
    """Sizes of a figure in pixels of a 1280×720 page, and the parts that are words."""

    def __init__(self, figure: Figure, size: tuple[int, int]) -> None:
        self.figure, self.size = figure, size
        self.zoom = min(size[0] / 1280, size[1] / 720)

    def x(self, pixels: float) -> float:
        return pixels * max(self.zoom, 0.55) / self.size[0]

    def y(self, pixels: float) -> float:
        return pixels * max(self.zoom, 0.55) / self.size[1]

    def font(self, points: float) -> float:
        return max(points * self.zoom, min(points, 6.2))

    def line(self, width: float) -> float:
        return max(width * self.zoom, 0.5)

    def header(self, swing: SwingMeasurement) -> float:
        """The peaks in large letters; returns where the plots may begin."""
        colours = (SPEED, OMEGA, IMPACT)
        places = (0.0, 0.47, 0.74)
        left, width = self.x(24), 1 - 2 * self.x(24)
        for (name, value, small), colour, place in zip(headline(swing), colours, places, strict=True):
            x = left + place * width
            self.figure.text(x, 1 - self.y(24), name, color=FAINT, fontsize=self.font(8.5), va="center")
            self.figure.text(x, 1 - self.y(48), value, color=colour, fontsize=self.font(15.5), va="center", weight="bold")
            limit = int((0.45 if place == 0 else 0.25) * width * self.size[0] / (self.font(7.5) * 0.72))
            self.figure.text(x, 1 - self.y(72), textwrap.shorten(small, max(limit, 12), placeholder=" …"), color=FAINT, fontsize=self.font(7.5), va="center")
        return 1 - self.y(86)

    def flags(self, swing: SwingMeasurement) -> float:
        """The flags in words along the lower edge; returns where the plots may end."""
        font = self.font(8.2)
        step = font * 100 / 72 * 1.42 / self.size[1]
        letters = int((1 - self.x(38 + 24)) * self.size[0] / (font * 100 / 72 * 0.52))
        most = max(2, int(FLAG_SHARE / step))
        lines = wrap_flags(swing.flags, letters, most)
        y = self.y(12) + step * len(lines)
        for text, first in lines:
            y -= step
            if first:
                self.figure.text(self.x(24), y + 0.3 * step, "!", color=IMPACT, fontsize=font, va="center", weight="bold")
            self.figure.text(self.x(38), y + 0.3 * step, text, color=TEXT, fontsize=font, va="center")
        return self.y(12) + step * len(lines) + (self.y(8) if lines else 0)


def wrap_flags(flags: Sequence[str], letters: int, most: int) -> list[tuple[str, bool]]:
    """Lines of at most ``letters``, and whether each begins a flag; what doesn't fit into ``most`` lines is counted in the last."""
    lines: list[tuple[str, bool]] = []
    for number, flag in enumerate(flags):
        wrapped = textwrap.wrap(flag, letters)
        left = len(flags) - number
        if len(lines) + len(wrapped) > most - (left > 1):
            lines = [*lines, (f"and {left} more, in swing.json", False)]
            break
        lines += [(line, k == 0) for k, line in enumerate(wrapped)]
    return lines


def plot_span(swing: SwingMeasurement, view: str) -> tuple[float, float]:
    """Times shown."""
    here = swing.t[swing.camera.shot == swing.shot]
    step = float(np.median(np.diff(swing.t))) if len(swing) > 1 else 0.04
    first, last = float(here[0]) - step / 2, float(here[-1]) + step / 2
    phases = [phase for phase in swing.phases.found if phase.name != "stance"]
    if view == "clip" or last - first <= LONGEST_VIEW or not phases:
        return first, last
    return max(first, min(phase.start for phase in phases) - BEFORE), min(last, max(phase.end for phase in phases) + AFTER)


def _runs(swing: SwingMeasurement, value: np.ndarray) -> list[np.ndarray]:
    """Frames of each stretch with a value; repeated frames don't part one."""
    frames = np.flatnonzero(swing.status != "repeat")
    there = np.isfinite(value[frames])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    return [frames[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _curve(axes: Axes, swing: SwingMeasurement, value: np.ndarray, sigma: np.ndarray, colour: str, page: _Sheet, faint=None) -> None:
    """The curve with its bands; ``faint`` samples, not to be trusted, are dots alone."""
    for run in _runs(swing, value):
        t, v, s = swing.clock[run], value[run], np.nan_to_num(sigma[run])
        if len(run) == 1:
            axes.errorbar(t, v, 2 * s, fmt="none", ecolor=colour, alpha=0.3, elinewidth=page.line(1.6), zorder=3)
            axes.errorbar(t, v, s, fmt="none", ecolor=colour, alpha=0.6, elinewidth=page.line(1.6), zorder=3)
        else:
            axes.fill_between(t, v - 2 * s, v + 2 * s, color=colour, alpha=0.16, linewidth=0, zorder=2)
            axes.fill_between(t, v - s, v + s, color=colour, alpha=0.28, linewidth=0, zorder=2)
            axes.plot(t, v, "-", color=colour, linewidth=page.line(1.7), zorder=5)
        axes.plot(t, v, ".", color=colour, markersize=max(5.5 * page.zoom, 2.2), zorder=6)
    if faint is not None:
        axes.plot(swing.clock, faint, ".", color=colour, alpha=0.35, markersize=max(5.5 * page.zoom, 2.2), zorder=2)


def _frame_axis(
    axes: Axes, label: str, value: np.ndarray, sigma: np.ndarray, span: tuple[float, float], swing: SwingMeasurement, peak: Peak, sign: float, floor: bool = True
) -> None:  # fmt: skip
    """Limits that hold the samples, 2 sigma of the sure ones, and the peak."""
    shown = np.isfinite(value) & (swing.t >= span[0]) & (swing.t <= span[1])
    low, high = 0.0, 0.0 if shown.any() else 1.0
    if shown.any():
        reach = np.minimum(2 * np.nan_to_num(sigma[shown]), 0.5 * np.ptp(value[shown]) + 1e-9)
        low, high = min(low, float((value[shown] - reach).min())), max(high, float((value[shown] + reach).max()))
    if np.isfinite(peak.value):
        ends = [sign * (peak.value + sigmas * peak.sigma) for sigmas in (0, 1)]
        low, high = min(low, *ends), max(high, *ends)
    pad = 0.13 * (high - low) + 1e-9
    axes.set_ylim(0 if floor else low - pad, high + pad)
    axes.set_ylabel(label)


def _mark_peak(axes: Axes, peak: Peak, value: float, unit: str, colour: str, page: _Sheet, span: tuple[float, float]) -> None:
    if not np.isfinite(value):
        return
    axes.errorbar(
        [peak.t], [value], [peak.sigma], [peak.sigma_t], fmt="D", color="white", markersize=max(5 * page.zoom, 3), markeredgecolor="#15171c",
        ecolor="white", elinewidth=page.line(1.2), capsize=max(3 * page.zoom, 1.5), zorder=9,
    )  # fmt: skip
    early = peak.t < span[0] + 0.66 * (span[1] - span[0])
    low, high = axes.get_ylim()
    axes.annotate(
        tell_peak(Peak(value, peak.sigma, peak.t, peak.sigma_t), unit), (peak.t, float(np.clip(value, low, high))), xytext=((14 if early else -14) * page.zoom, 0),
        textcoords="offset points", color=colour, fontsize=page.font(10), weight="bold", va="center", ha="left" if early else "right", zorder=10,
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "#15171c", "edgecolor": "none", "alpha": 0.75},
    )  # fmt: skip


def _shade_phases(swing: SwingMeasurement, ribbon: Axes, plots: Sequence[Axes], page: _Sheet, span: tuple[float, float]) -> None:
    width = span[1] - span[0]
    for phase in swing.phases.found:
        colour = PHASE_COLOURS.get(phase.name)
        if colour is None or phase.end <= span[0] or phase.start >= span[1]:
            continue
        start, end = max(phase.start, span[0]), min(phase.end, span[1])
        for axes in plots:
            axes.axvspan(start, end, color=colour, alpha=_SHADE, linewidth=0, zorder=0)
        ribbon.axvspan(start, end, color=colour, alpha=0.55, linewidth=0)
        pixels = 0.92 * (end - start) / width * page.size[0]
        for words in (phase.name.replace("_", "-"), SHORT_NAMES[phase.name]):
            if pixels > (len(words) + 1) * page.font(8) * 0.85:
                break
        else:
            continue
        ribbon.text((start + end) / 2, 0.47, words, color="white", fontsize=page.font(8), ha="center", va="center", clip_on=True)
    impact = swing.impact
    if impact is not None and span[0] <= impact.t <= span[1]:
        for axes in plots:
            axes.axvspan(impact.t - impact.sigma, impact.t + impact.sigma, color=IMPACT, alpha=0.16, linewidth=0, zorder=1)
            axes.axvline(impact.t, color=IMPACT, linewidth=page.line(1.3), linestyle="--" if impact.estimated else "-", zorder=4)
        plots[0].text(
            impact.t, 0.015, " impact (estimated)" if impact.estimated else " impact", transform=plots[0].get_xaxis_transform(), color=IMPACT,
            fontsize=page.font(8), va="bottom", ha="left", zorder=10,
        )  # fmt: skip


def _rug(strip: Axes, swing: SwingMeasurement, page: _Sheet) -> None:
    """One cell per frame, and the key of their colours beside the time axis."""
    from matplotlib.patches import Patch

    half = float(np.median(np.diff(swing.t))) / 2 if len(swing) > 1 else 0.02
    handles = []
    for words, (colour, states) in STATUS_COLOURS.items():
        frames = np.isin(swing.status, states)
        if frames.any():
            strip.bar(swing.t[frames], 1, 2 * half * 0.86, color=colour, linewidth=0)
            handles.append(Patch(color=colour, label=f"{words} {int(frames.sum())}"))
    from matplotlib.lines import Line2D

    if swing.swing is not None:
        handles.append(Line2D([], [], color=HANDS, linewidth=1.2, label="speed of the hands"))
        handles.append(Patch(color=SPEED, alpha=0.4, label="1\u03c3, 2\u03c3: random error;  \u03c9 + is clockwise"))
    strip.set_ylim(0, 1)
    strip.set_yticks([])
    strip.set_xlabel("time (s)", loc="left", labelpad=1)
    legend = strip.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1.0, -1.55), ncols=len(handles), frameon=False, fontsize=page.font(7.5), handlelength=1.0,
        handleheight=0.8, columnspacing=1.4, borderaxespad=0, borderpad=0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_color(FAINT)


def _restyle(figure: Figure, plots: Sequence[Axes], bare: Sequence[Axes], page: _Sheet) -> None:
    """What the house's style leaves to each plot: sizes of letters, and axes that are only strips."""
    for axes in plots:
        axes.tick_params(labelsize=page.font(8))
        axes.xaxis.label.set(color=FAINT, fontsize=page.font(8.5))
        axes.yaxis.label.set(color=FAINT, fontsize=page.font(8.5))
        axes.set_xmargin(0)
    plots[-1].grid(False)
    for axes in bare:
        axes.axis("off")
    for spine in plots[-1].spines.values():
        spine.set_color(GRID)


def _nearest(value: np.ndarray, frame: int) -> float:
    """The value at the frame nearest to one that has one."""
    there = np.flatnonzero(np.isfinite(value))
    return float(value[there[np.argmin(np.abs(there - frame))]])
