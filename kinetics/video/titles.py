"""A title strip in any script, drawn once."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np


def draw_title(text: str, width: int, height: int) -> np.ndarray:
    """White text on a backing that darkens softly downwards, for the foot of a picture.

    Parameters
    ----------
    text : str
        Shortened with an ellipsis where it is too long. Letters that no font of this machine has are drawn as boxes.
    width, height : int
        Of the picture the title is for, in pixels.

    Returns
    -------
    (h, width, 4) uint8
        RGBA, not premultiplied; h is even, about an eighth of ``height``.
    """
    from PIL import Image, ImageDraw

    size = max(9, round(min(height / 15, width / 22)))
    tall = min(height, 2 * round(1.1 * size))
    text = " ".join(unicodedata.normalize("NFC", text).split())
    room = width - 2 * size
    runs = list(_runs(text, size))
    while text and sum(font.getlength(part) for font, part in runs) > room:
        text = text[:-1]
        runs = list(_runs(text.rstrip() + "…", size))
    ink = Image.new("L", (width, tall), 0)
    pen = ImageDraw.Draw(ink)
    x = float(size * 0.7)
    for font, part in runs:
        pen.text((x, tall - 0.62 * size), part, fill=255, font=font, anchor="ls")
        x += font.getlength(part)
    letters = np.asarray(ink, dtype=np.float64) / 255
    backing = 0.72 * np.sin(np.linspace(0, np.pi / 2, tall))[:, None] ** 1.5
    alpha = letters + backing * (1 - letters)
    white = 245 * np.divide(letters, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    return np.dstack([white, white, white, 255 * alpha]).round().astype(np.uint8)


def title_strip(text: str, width: int, height: int, ground: tuple[int, int, int]) -> np.ndarray:
    """(h, width, 3) uint8: :func:`draw_title` on a ground of one colour."""
    words = draw_title(text, width, height).astype(np.float64)
    alpha = words[..., 3:] / 255
    return (words[..., :3] * alpha + np.array(ground) * (1 - alpha)).round().astype(np.uint8)


def _runs(text: str, size: int) -> Iterator[tuple]:
    """Stretches of text with a font that has their letters; a space stays with what it follows."""
    start, chosen = 0, None
    for position, letter in enumerate(text):
        keep = chosen is not None and (letter.isspace() or unicodedata.combining(letter) or ord(letter) in _letters(chosen))
        if not keep:
            path = next((path for path in _fonts() if ord(letter) in _letters(path)), _fonts()[0])
            if chosen is not None and path != chosen:
                yield _font(chosen, size), text[start:position]
                start = position
            chosen = path
    if text:
        yield _font(chosen, size), text[start:]


@lru_cache(maxsize=64)
def _font(path: str, size: int):
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    """DejaVu Sans, which matplotlib brings everywhere, then the machine's outline fonts, sans-serif and regular ones first."""
    from matplotlib import font_manager, get_data_path

    own = os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    plain = {"oblique": 4, "italic": 4, "serif": 2, "mono": 2, "bold": 1, "light": 1, "condensed": 1, "narrow": 1}
    found = [path for path in font_manager.findSystemFonts() if Path(path).suffix.lower() in (".ttf", ".otf", ".ttc")]

    def rank(path: str) -> tuple[int, str]:
        name = Path(path).name.lower().replace("sansserif", "").replace("sans-serif", "")
        return sum(cost for word, cost in plain.items() if word in name), name

    return [own, *sorted(found, key=rank)]


@lru_cache(maxsize=256)
def _letters(path: str) -> frozenset[int]:
    """Code points a font draws; none for one that can't be read or holds bitmaps of one size only."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ()) if "glyf" in font or "CFF " in font or "CFF2" in font else frozenset()
    except (TTLibError, OSError):
        return frozenset()
