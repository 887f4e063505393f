"""Captions out of an editable template."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

from ..errors import KineticsError

if TYPE_CHECKING:
    from ..motion.measure import SwingMeasurement

#: What a template may name.
FIELDS = ("trigger", "shot", "phase", "tempo")

DEFAULT_TEMPLATE = "{trigger}, cricket batter, {shot}, {phase}, {tempo}"

#: How a caption says a phase; ``slow`` to ``fast`` stand for the phases of a clip whose bat was not measured.
PHASE_WORDS = {
    "stance": "in stance", "backlift": "backlift", "downswing": "downswing", "impact": "impact", "follow_through": "follow-through",
    "slow": "slow movement", "medium": "medium movement", "fast": "fast movement",
}  # fmt: skip

#: A downswing shorter than the first number of seconds is quick, one longer than the second is slow. In drives of internationals it begins
#: 0.36 s before impact.
TEMPO_BOUNDS = (0.30, 0.45)


def check_template(template: str, trigger: str) -> None:
    """Raise unless a template can be filled.

    Raises
    ------
    KineticsError
        When it is empty, names a field that isn't known, has braces that don't close, or names a trigger that is empty.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise KineticsError(f"The caption template {template!r} can't be read ({error}); write fields like {{trigger}}, and {{{{ for a brace.") from error
    named = [name for _, name, _, _ in parts if name is not None]
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        raise KineticsError(f"The caption template names {{{unknown[0]}}}, which isn't known; use {', '.join(f'{{{name}}}' for name in FIELDS)}.")
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise KineticsError(f"The caption template {template!r} formats a field; give the fields plainly, like {{shot}}.")
    if not template.strip():
        raise KineticsError("The caption template is empty; give one, like {trigger}, {shot}, {phase}.")
    if "trigger" in named and not trigger.strip():
        raise KineticsError("The caption template names {trigger}, and the trigger is empty; give a word that calls the style up.")


def write_caption(template: str, trigger: str, shot: str, phase: str, tempo: str) -> str:
    """Fill a template; a part between commas that comes out empty goes, with its comma."""
    text = template.format(trigger=trigger.strip(), shot=shot, phase=PHASE_WORDS.get(phase, phase), tempo=tempo)
    parts = (" ".join(part.split()) for part in text.split(","))
    return ", ".join(part for part in parts if part)


def shot_label(name: str) -> str:
    """A shot's name as words: ``cover_drive_02`` -> ``cover drive``."""
    return re.sub(r"[\d_\-\s]+", " ", name).strip()


def tempo_words(swing: SwingMeasurement | None) -> str:
    """``quick tempo``, ``steady tempo`` or ``slow tempo`` by the downswing's length; empty where it isn't known whole."""
    downswing = None if swing is None else swing.phases["downswing"]
    if downswing is None or not downswing.whole:
        return ""
    quick, slow = TEMPO_BOUNDS
    length = downswing.end - downswing.start
    return f"{'quick' if length < quick else 'slow' if length > slow else 'steady'} tempo"
