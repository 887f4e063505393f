"""A style dataset at a glance: for each clip its phases, each as a picture beside its pose hint."""

from __future__ import annotations

import numpy as np

from ..ink import write
from ..video.titles import title_strip
from .samples import ALL_PHASES, StyleDataset, StyleSample, count_samples

#: Width of the sheet, px: twice the width at which its words can still be read.
WIDTH = 1800

#: Pairs side by side, and clips at most.
COLUMNS, ROWS = 5, 12

_GROUND, _TEXT, _QUIET = (22, 22, 26), (236, 236, 236), (165, 165, 172)
_GAP, _FOOT, _SIZE = 12, 48, 26

#: Height of a picture whose title is as large as the sheet's lines.
_TITLE = 450


def contact_sheet(dataset: StyleDataset) -> np.ndarray:
    """Draw up to 12 clips, each a row: of every phase the sample of most weight, its hint beside it; counts above.

    Returns
    -------
    (H, 1800, 3) uint8
        RGB; its words can be read at half the size.

    Raises
    ------
    KineticsError
        When a picture can't be decoded.
    """
    clips: dict[str, list[StyleSample]] = {}
    for sample in dataset.samples:
        clips.setdefault(sample.clip, []).append(sample)
    shown = list(clips.items())[:ROWS]
    parts = [_title(dataset, len(clips) - len(shown))]
    for name, samples in shown:
        parts += [_heading(name, samples), _row(dataset, samples)]
    return np.concatenate(parts)


def _title(dataset: StyleDataset, more: int) -> np.ndarray:
    counts = count_samples(dataset.samples)
    text = f"{counts['samples']} samples of {counts['clips']} clips · {counts['train']} to train, {counts['held_out']} held out"
    return _words(f"{text} · trigger {dataset.trigger}" + (f" · {more} more clips not shown" if more else ""))


def _heading(name: str, samples: list[StyleSample]) -> np.ndarray:
    held = " · HELD OUT" if samples[0].split == "held_out" else ""
    sizes = ", ".join(size.replace("x", "×") for size in count_samples(samples)["by_bucket"])
    return _words(f"{name} · {samples[0].shot} · {len(samples)} samples of {sizes}{held}")


def _words(text: str) -> np.ndarray:
    """A strip with a line of text in any script."""
    return title_strip(text, WIDTH, _TITLE, _GROUND)


def _row(dataset: StyleDataset, samples: list[StyleSample]) -> np.ndarray:
    """One pair of each phase; free places go to further samples of the phases with most."""
    from PIL import Image

    cell = (WIDTH - (COLUMNS + 1) * _GAP) // COLUMNS
    side = cell // 2
    chosen = _pick(samples)
    tall = max(round(side * sample.height / sample.width) for sample in chosen)
    row = _strip(tall + _FOOT)
    for k, sample in enumerate(chosen):
        x = _GAP + k * (cell + _GAP)
        height = round(side * sample.height / sample.width)
        for place, picture in enumerate(dataset.pictures(sample)[:2]):
            small = np.asarray(Image.fromarray(picture).resize((side, height), Image.Resampling.LANCZOS))
            row[:height, x + place * side : x + (place + 1) * side] = small
        words = f"{sample.phase.replace('_', '-')}  {sample.t:.2f} s"
        end = x + write(row, words, (x, tall + 0.45 * _FOOT), _SIZE, _TEXT) + _GAP
        write(row, f"w {sample.weight:.2f}", (end, tall + 0.45 * _FOOT), _SIZE - 2, _QUIET)
    return row


def _pick(samples: list[StyleSample]) -> list[StyleSample]:
    """Up to five samples in the order of time: the weightiest of each phase, then those farthest in time from what is picked."""
    by_weight = sorted(samples, key=lambda sample: (-sample.weight, sample.frame))
    picked = [next(sample for sample in by_weight if sample.phase == phase) for phase in ALL_PHASES if any(s.phase == phase for s in samples)]
    picked = picked or by_weight[:1]
    rest = [sample for sample in samples if sample not in picked]
    while rest and len(picked) < COLUMNS:
        far = max(rest, key=lambda sample: min(abs(sample.t - other.t) for other in picked))
        picked.append(far)
        rest.remove(far)
    return sorted(picked[:COLUMNS], key=lambda sample: sample.frame)


def _strip(height: int) -> np.ndarray:
    return np.full((height, WIDTH, 3), _GROUND, np.uint8)
