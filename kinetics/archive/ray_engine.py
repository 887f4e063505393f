"""The same items over a Ray cluster: one that is started here for the occasion, or one that is joined."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

from ..errors import KineticsError, MissingDependency
from .engine import ATTEMPTS, SERVED, TICK, Failure, count_cores, read_answer
from .worker import ONE_THREAD, ROOT, import_paths, task_name

#: What a Ray that is started here sets aside for results on their way, bytes; a clip's are about a quarter of a megabyte.
_STORE = 200_000_000

#: Its workers are as nice as this process is; Ray would let them wait for everybody else.
_SYSTEM = {"worker_niceness": 0}

#: How long a cluster's head may take to answer, s.
_PATIENCE = 10.0


def run_ray(
    task: Callable[[Any], Any], items: Iterable[Any], address: str | None = None, workers: int | None = None,
    tick: Callable[[], None] | None = None,
) -> Iterator[tuple[Any, Any]]:  # fmt: skip
    """Do a task on each item, on a Ray cluster. As :func:`.engine.run_local`, but for where.

    Parameters
    ----------
    task, items, tick
        As there. On a cluster of several machines every path in an item has to mean the same file everywhere.
    address : str, optional
        Of a cluster (``host:6379``, ``ray://host:10001``, ``auto``), to which the pack's code is sent; its machines need the packages that the task
        imports. When left out, Ray is started on this machine and ended afterwards.
    workers : int, optional
        Tasks at a time; as many as there are cores when left out, be they more or fewer as machines come and go.

    Yields
    ------
    (item, result or Failure)
        As they finish, in any order. What a worker or a machine that died was at is done again, :data:`.engine.ATTEMPTS` times in all.

    Raises
    ------
    MissingDependency
        When Ray is not installed.
    KineticsError
        When the cluster can't be reached or is lost.
    """
    if workers is not None and workers < 1:
        raise KineticsError(f"{workers} workers can't do anything; give 1 or more.")
    ray = _import_ray()
    name, items, paths = task_name(task), iter(items), import_paths()
    first = list(islice(items, 1))
    if not first:
        return  # no cluster is started for nothing
    items = chain(first, items)
    lost = (
        ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectLostError,
        ray.exceptions.LocalRayletDiedError,
    )  # fmt: skip
    ours = not ray.is_initialized()
    running: dict[Any, tuple[Any, int]] = {}
    try:
        if ours:
            _join(ray, address, workers)
        remote = _remote(ray)

        def begin(item: Any, attempt: int) -> None:
            running[remote.remote(paths, name, pickle.dumps(item, protocol=5))] = (item, attempt)

        while True:
            room = 2 * (workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
            for item in islice(items, max(0, room - len(running))):
                begin(item, 1)
            if not running:
                return
            done, _ = ray.wait(list(running), timeout=TICK)
            if not done and tick:
                tick()
            for future in done:
                item, attempt = running.pop(future)
                try:
                    result = read_answer(ray.get(future), attempt)
                except lost as error:
                    if attempt < ATTEMPTS:
                        begin(item, attempt + 1)
                        continue
                    reason = f"It killed its worker {ATTEMPTS} times ({type(error).__name__}); the clip trips a library up, or the memory doesn't suffice."
                    result = Failure(reason, "worker", ATTEMPTS)
                yield item, result
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise KineticsError(f"The Ray cluster failed ({' '.join(str(error).split())[:300]}); what was done is kept, so the same command goes on from there.") from error
    finally:
        for future in running:
            ray.cancel(future, force=True)
        if ours:
            ray.shutdown()


def _import_ray():
    # Read as Ray is imported: it would ask, or tell its makers about this machine.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingDependency("The package ray is not installed; run `pip install \"ray>=2.9\"`, or use the engine local.") from error
    return ray


def _join(ray, address: str | None, workers: int | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(address="local", num_cpus=workers or count_cores(), include_dashboard=False, object_store_memory=_STORE, _system_config=_SYSTEM, **quiet)
        return
    _check_address(address)
    try:
        ray.init(address=address, runtime_env={"py_modules": [str(ROOT / "kinetics")]}, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise KineticsError(f"There is no Ray cluster at {address} ({' '.join(str(error).split())[:200]}); check the address, or leave it out to start one here.") from error


def _check_address(address: str) -> None:
    """Knock first: Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except OSError as error:
        raise KineticsError(f"There is no Ray cluster at {address} ({error.strerror or error}); check the address, or leave it out to start one here.") from error


def _remote(ray):
    """The function that Ray's workers run. It is sent by value, as a worker can import the pack only once the function has told it where."""

    def work(paths: list[str], name: str, item: bytes) -> bytes:
        import sys

        sys.path.extend(path for path in paths if path not in sys.path)
        from kinetics.archive.worker import call

        return call(name, item)

    # A worker that died is told to us, who count: Ray's own retries would hide which item it was.
    return ray.remote(num_cpus=1, max_retries=0, max_calls=SERVED, runtime_env={"env_vars": ONE_THREAD})(work)
