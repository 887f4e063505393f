"""The one exception a person is meant to read, and the progress call that may cancel a job."""

from __future__ import annotations

from collections.abc import Callable

#: ``progress(done, total)`` is called once per frame. It may raise to cancel: the job then removes its
#: temporary files and lets the exception through.
Progress = Callable[[int, int], None]


class KineticsError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what to do about it.

    The command line prints the sentence and ends with status 2; the host shows it on the node.
    """


class MissingDependency(KineticsError):
    """An optional package or model file is not there; the sentence names it and says how to get it."""
