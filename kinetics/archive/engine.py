"""Many items through worker processes of this machine: few in flight, and a worker that dies takes only its own item with it."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..errors import KineticsError
from .worker import ONE_THREAD, import_paths, receive, send, task_name

#: How often an item may kill its worker.
ATTEMPTS = 3

#: Items after which a worker is replaced, so that what a library never gives back can't add up.
SERVED = 200

#: Seconds after which a caller who waits is asked whether to go on.
TICK = 0.5

_START = "import sys; paths = {paths!r}; sys.path[:] = paths + [path for path in sys.path if path not in paths]; from kinetics.archive.worker import serve; serve()"


@dataclass(frozen=True)
class Failure:
    """An item without a result.

    Attributes
    ----------
    reason : str
        One sentence.
    step : str
        Where it came: a step of the measurement, ``worker`` when the process died, or "".
    attempts : int
        How often it was tried.
    fatal : bool
        Any other item would fail alike: a package or a model is missing.
    """

    reason: str
    step: str = ""
    attempts: int = 1
    fatal: bool = False


def read_answer(answer: bytes, attempts: int) -> Any:
    """The result, or the failure, that a worker told."""
    told = pickle.loads(answer)
    return told["result"] if "result" in told else Failure(told["reason"], told.get("step", ""), attempts, told.get("fatal", False))


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    task: Callable[[Any], Any], items: Iterable[Any], workers: int | None = None, tick: Callable[[], None] | None = None
) -> Iterator[tuple[Any, Any]]:
    """Do a task on each item, in worker processes of one thread each.

    Parameters
    ----------
    task : callable
        A function of a module, of one argument. What it is given and what it answers is pickled: numbers, texts, lists, dicts, arrays.
    items : iterable
        Taken one by one as workers become free; at most twice as many as there are workers are in flight.
    workers : int, optional
        Processes; one per core when left out.
    tick : callable, optional
        Called twice a second while nothing finishes; may raise to cancel.

    Yields
    ------
    (item, result or Failure)
        As they finish, in any order. When the generator is closed the workers are gone at once.

    Notes
    -----
    A worker that dies, killed or out of memory, is replaced, and its item is tried again, :data:`ATTEMPTS` times in all.
    """
    name, items, count = task_name(task), iter(items), count_cores() if workers is None else workers
    if count < 1:
        raise KineticsError(f"{count} workers can't do anything; give 1 or more.")
    team = _Team(count)
    pool = ThreadPoolExecutor(count, thread_name_prefix="archive")
    running: dict[Future, Any] = {}
    try:
        while True:
            for item in islice(items, 2 * count - len(running)):
                running[pool.submit(team.do, name, pickle.dumps(item, protocol=5))] = item
            if not running:
                return
            done = wait(running, timeout=TICK, return_when=FIRST_COMPLETED).done
            if not done and tick:
                tick()
            for future in done:
                yield running.pop(future), future.result()
    finally:
        team.stop()
        pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """The work was given up."""


class _Team:
    """The worker processes, each started when it is first needed."""

    def __init__(self, count: int):
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = [_Worker() for _ in range(count)]
        self._stopped = False
        for worker in self._all:
            self._idle.put(worker)

    def do(self, name: str, item: bytes) -> Any:
        """One item's result or failure."""
        worker = self._idle.get()
        try:
            for attempt in range(1, ATTEMPTS + 1):
                answer = None if self._stopped else worker.ask(pickle.dumps((name, item), protocol=5))
                if self._stopped:
                    raise _Stopped
                if answer is not None:
                    return read_answer(answer, attempt)
                how = worker.end()
            return Failure(f"It killed its worker {ATTEMPTS} times ({how}); the clip trips a library up, or the memory doesn't suffice.", "worker", ATTEMPTS)
        finally:
            if self._stopped:
                worker.end()
            self._idle.put(worker)

    def stop(self) -> None:
        self._stopped = True
        for worker in self._all:
            worker.kill()
        for worker in self._all:
            worker.end()


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._served = 0

    def ask(self, message: bytes) -> bytes | None:
        """The answer; None when the process died over it."""
        if self._served >= SERVED:
            self.end()
        if self._process is None:
            self._process, self._served = _start(), 0
        self._served += 1
        process = self._process
        try:
            send(process.stdin, message)
            return receive(process.stdout)
        except OSError:  # a pipe that nobody reads any more
            return None

    def kill(self) -> None:
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> str:
        """Take leave of the process; how it ended, in words."""
        process, self._process = self._process, None
        if process is None:
            return "it had ended"
        process.stdin.close()  # it leaves when nobody speaks to it any more
        process.stdout.close()
        code = process.wait()
        return f"signal {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"exit status {code}"


def _start() -> subprocess.Popen:
    command = [sys.executable, "-c", _START.format(paths=import_paths())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ONE_THREAD})
