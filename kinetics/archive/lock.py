"""One writer at a time; the system lets go of the lock when the process dies, however it dies."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import KineticsError

if os.name == "nt":
    import msvcrt
else:
    import fcntl


class Lock:
    """A lock on a file, held until :meth:`release` or the end of the process.

    Parameters
    ----------
    path : path
        Made when missing; it stays.
    taken : str
        The sentence for when somebody else holds it.

    Raises
    ------
    KineticsError
        When somebody else holds it, or the file can't be opened.
    """

    def __init__(self, path: Path, taken: str):
        try:
            self._handle: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise KineticsError(f"Can't write {path} ({error.strerror}); choose a folder that can be written to.") from error
        try:
            if os.name == "nt":
                msvcrt.locking(self._handle, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise KineticsError(taken) from error

    def release(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
