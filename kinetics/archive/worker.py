"""A worker process: it is given one item at a time on its standard input, and answers on its standard output."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from ..errors import KineticsError, MissingDependency

#: The folder that holds the package, and the package's own name, which a host may have put under another.
ROOT = Path(__file__).resolve().parents[2]
_PACKAGE, _HERE = "kinetics.", __name__.removesuffix("archive.worker")

#: One thread in each worker: workers share the cores, and sums don't depend on how many threads made them.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1",
}  # fmt: skip

_LENGTH = struct.Struct("<Q")


def task_name(task: Callable) -> str:
    """``module:function`` by which a worker finds a task; a function of a module, not one made on the spot.

    Raises
    ------
    KineticsError
        When it isn't one.
    """
    if "." in task.__qualname__ or task.__module__ == "__main__":
        raise KineticsError(f"{task.__qualname__} can't be done by workers; give a function of a module that they can import.")
    module = task.__module__
    return f"{_PACKAGE + module.removeprefix(_HERE) if module.startswith(_HERE) else module}:{task.__qualname__}"


def import_paths() -> list[str]:
    """Where a worker looks for modules: the pack first, then where this process looks."""
    return [str(ROOT), *(path for path in sys.path if path and path != str(ROOT))]


def call(name: str, item: bytes) -> bytes:
    """Do a task on an item, both pickled; the answer tells its result, or why there is none.

    Any exception becomes an answer: one clip that trips a library up must not stop thousands of others.
    """
    try:
        module, function = name.split(":")
        answer = {"result": getattr(import_module(module), function)(pickle.loads(item))}
    except MissingDependency as error:
        answer = {"reason": str(error), "fatal": True}
    except KineticsError as error:
        answer = {"reason": str(error), "step": getattr(error, "step", "")}
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} (line {last.lineno} of {Path(last.filename).name})"
        answer = {"reason": reason, "step": getattr(error, "step", "")}
    return pickle.dumps(answer, protocol=5)


def send(stream: BinaryIO, message: bytes) -> None:
    """Write one message."""
    stream.write(_LENGTH.pack(len(message)))
    stream.write(message)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read one message; None when the other side is gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    message = stream.read(length)
    return message if len(message) == length else None


def serve() -> None:
    """Work until the other side is gone: then at once, in the middle of an item too."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    given: queue.Queue[bytes] = queue.Queue()

    def listen() -> None:
        while (message := receive(sys.stdin.buffer)) is not None:
            given.put(message)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        name, item = pickle.loads(given.get())
        send(answers, call(name, item))
