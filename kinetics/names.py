"""What clips and shots are called, in pictures and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath


def short_name(source: str | PurePath) -> str:
    """A source without its folder, its endings (``hook.pose.json``) and the ``_series`` of the earlier analysis."""
    return PurePath(source).name.split(".")[0].removesuffix("_series")


def tell_apart(names: Sequence[str], form: str = "{}_{}") -> list[str]:
    """The names, those that come more than once numbered from 1, by ``form``; no two are the same, in capitals or not, as files may not be.

    A number that would make a name which another one has is passed over.
    """
    folded = [name.casefold() for name in names]
    count = Counter(folded)
    taken = {name for name in folded if count[name] == 1}
    told = []
    for name, key in zip(names, folded, strict=True):
        number = 0
        while count[key] > 1 and (number == 0 or name.casefold() in taken):
            number += 1
            name = form.format(names[len(told)], number)
        taken.add(name.casefold())
        told.append(name)
    return told
