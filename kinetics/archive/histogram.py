"""A histogram as a drawing for a page."""

from __future__ import annotations

import html

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _FOOT, _TOP = 520, 210, 44, 34, 8


def draw_histogram(values: np.ndarray, title: str, unit: str) -> str:
    """HTML of a heading and an SVG: how many values lie where, and a broken line at the median.

    Parameters
    ----------
    values : (n,) float
        At least one, no NaN.
    title, unit : str
    """
    low, step, count = _bins(values)
    tally = np.bincount(np.clip(((values - low) / step).astype(int), 0, count - 1), minlength=count)
    middle = float(np.median(values))
    quarters = np.percentile(values, (25, 75))
    wide, tall = (_WIDTH - _LEFT - 10) / count, _HEIGHT - _FOOT - _TOP
    parts = []
    for level in _levels(int(tally.max())):
        y = _TOP + tall * (1 - level / tally.max())
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/><text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{level:,}</text>')
    for k, number in enumerate(tally):
        high = tall * number / tally.max()
        if number:
            told = f"{low + k * step:.3g} to {low + (k + 1) * step:.3g} {unit}: {number:,}"
            parts.append(
                f'<rect class="bar" x="{_LEFT + k * wide + 1:.1f}" y="{_TOP + tall - high:.1f}" width="{wide - 2:.1f}" height="{high:.1f}"><title>{html.escape(told)}</title></rect>'
            )
    for k in range(0, count + 1, max(1, round(count / 6))):
        parts.append(f'<text x="{_LEFT + k * wide:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{low + k * step:.4g}</text>')
    at = _LEFT + (middle - low) / step * wide
    parts.append(f'<line class="middle" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_TOP + tall}"/>')
    parts.append(f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 3}" text-anchor="end">{html.escape(unit)}</text>')
    said = f"{len(values):,} clips; median {middle:.3g} {unit}, the middle half {quarters[0]:.3g} to {quarters[1]:.3g}"
    return (
        f'<h3>{html.escape(title)}</h3><p class="soft">{html.escape(said)}</p>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(f"{title}: {said}")}">{"".join(parts)}</svg>'
    )


def _bins(values: np.ndarray) -> tuple[float, float, int]:
    """Lower end, width and number of the bins: round widths, at most 30 bins."""
    low, high = float(values.min()), float(values.max())
    step = _round_up(max(high - low, 1e-3 * abs(high), 1e-9) / min(30, max(5, round(np.sqrt(len(values))))))
    first = np.floor(low / step)
    return first * step, step, max(1, int(np.floor(high / step) - first) + 1)


def _levels(most: int) -> list[int]:
    """Round whole numbers for the scale at the side."""
    return list(range(0, most + 1, max(1, round(_round_up(most / 5)))))


def _round_up(width: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= width * 0.999)
