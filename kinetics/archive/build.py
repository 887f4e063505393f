"""An archive out of clips: only what is new is measured, on the engine of one's choice, and every finished clip is kept at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import KineticsError, MissingDependency, Progress
from .engine import Failure, run_local
from .measure import find_weights, make_settings, measure_item
from .ray_engine import run_ray
from .report import write_report
from .sources import list_clips
from .store import Archive, clip_key
from .tables import make_table

ENGINES = ("local", "ray")

#: Clips in a batch: three files, of some 20 MB in all.
BATCH = 256


@dataclass
class Summary:
    """What a run did. ``given`` = ``known`` + ``duplicates`` + ``passed_over`` + ``measured`` + ``failed`` when it came to its end.

    Attributes
    ----------
    given : int
        Files.
    known : int
        Measured in an earlier run.
    duplicates : int
        Of the same content as another file of this run.
    passed_over : int
        Failed in an earlier run, and not tried again.
    measured, failed : int
        In this run.
    seconds : float
        Of this run, start to end.
    report : Path or None
        The page.
    """

    given: int = 0
    known: int = 0
    duplicates: int = 0
    passed_over: int = 0
    measured: int = 0
    failed: int = 0
    seconds: float = 0.0
    report: Path | None = None

    @property
    def done(self) -> int:
        return self.known + self.duplicates + self.passed_over + self.measured + self.failed

    def sentence(self) -> str:
        """In words, for people."""
        parts = [f"{self.known} of {self.given} known", f"{self.measured} measured"]
        if self.duplicates:
            parts.append(f"{self.duplicates} of the same content as another")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.passed_over:
            parts.append(f"{self.passed_over} failed before and passed over (--retry tries them again)")
        return ", ".join(parts)


def build_archive(
    sources: Iterable[str | os.PathLike], archive: str | os.PathLike, engine: str = "local", workers: int | None = None, address: str | None = None,
    retry: bool = False, settings: Mapping[str, Any] | None = None, weights: str | os.PathLike | None = None, progress: Progress | None = None,
    measure: Callable[[dict[str, Any]], dict[str, dict[str, Any]]] = measure_item,
) -> Summary:  # fmt: skip
    """Measure clips and keep the results as tables; clips whose content is in the archive already are passed over.

    Parameters
    ----------
    sources : iterable of path
        Clips, folders, lists (:func:`.sources.list_clips`).
    archive : path
        A folder, made when missing, or an archive of the same settings.
    engine : {"local", "ray"}
    workers : int, optional
        One per core when left out.
    address : str, optional
        Of a Ray cluster; Ray is started here when left out.
    retry : bool
        Try those again that failed in an earlier run.
    settings : mapping, optional
        Of :func:`.measure.make_settings`; its defaults when left out.
    weights : path, optional
        The estimator's model file, where it isn't in a usual place.
    progress : callable, optional
        progress(files done, files given), at the start, after each, and twice a second meanwhile; may raise to cancel: the workers are then gone at once,
        and what is finished is kept.
    measure : callable
        What is done with a clip: a function of a module, from an item (``path``, ``sha256``, ``key``, ``settings``, ``weights``) to the plain columns of the
        three tables.

    Returns
    -------
    Summary

    Raises
    ------
    KineticsError
        When there is no clip, the archive is of other settings or a newer format, the disk is full, or no clip can be measured for a lack on this machine.
        Clips that fail by themselves are no error: they stand in the table ``failures``.
    """
    began = time.monotonic()
    if engine not in ENGINES:
        raise KineticsError(f"Engine {engine!r} isn't offered; choose {' or '.join(ENGINES)}.")
    if address is not None and engine != "ray":
        raise KineticsError("An address is that of a Ray cluster; choose the engine ray with it.")
    files = list_clips(sources)
    settings = dict(make_settings(weights=weights) if settings is None else settings)
    weights = str(find_weights(settings["estimator"], weights)) if measure is measure_item else weights
    with Archive.create_or_open(archive, settings) as store:
        run = _Run(store, files, retry, weights, progress)
        start = partial(run_local, workers=workers) if engine == "local" else partial(run_ray, address=address, workers=workers)
        try:
            with closing(start(measure, run.items(), tick=run.tell)) as results:
                for item, result in results:
                    run.keep(item, result)
        finally:
            run.save()
        run.summary.report = write_report(store)
        run.summary.seconds = time.monotonic() - began
        return run.summary


@dataclass
class _Run:
    """One run: which clips are new, and where results go."""

    store: Archive
    files: list[str]
    retry: bool
    weights: str | None
    progress: Progress | None
    summary: Summary = field(init=False)

    def __post_init__(self) -> None:
        self.summary = Summary(given=len(self.files))
        self._paths = {row["path"]: row for row in self.store.paths().to_pylist()}
        self._failed = {row["key"] or row["path"]: row["attempts"] for row in self.store.failures().to_pylist()}
        self._known, self._begun, self._waiting = self.store.keys(), set(), self.store.waiting()
        self._paths_due = 0.0

    def tell(self) -> None:
        if self.progress:
            self.progress(self.summary.done, self.summary.given)

    def items(self) -> Iterator[dict[str, Any]]:
        """What is to be measured. First the files that look as they did are looked up, so that what is left is known; others are read as their turn comes."""
        new = []
        for path in self.files:
            key = self._recall(path)
            if key is None or not self._passes(key):
                new.append(path)
        self.tell()
        for path in new:
            try:
                path.encode()
                row = self._look_at(path)
            except UnicodeEncodeError:
                self._fail("", path.encode("utf-8", "backslashreplace").decode(), "", Failure("Its name isn't valid UTF-8; give the file another one.", "read"))
                continue
            except OSError as error:
                self._fail("", path, "", Failure(f"Can't read {path} ({error.strerror}); check the path and its rights.", "read"))
                continue
            if not self._passes(row["key"]):
                self._begun.add(row["key"])
                yield {**row, "settings": self.store.settings, "weights": self.weights}

    def _recall(self, path: str) -> str | None:
        """The key of a file that looks as it did in an earlier run."""
        row = self._paths.get(path)
        if row is None:
            return None
        try:
            stat = os.stat(path)
        except OSError:
            return None  # told when its turn comes
        return row["key"] if (stat.st_size, stat.st_mtime_ns) == (row["size"], row["mtime_ns"]) else None

    def _look_at(self, path: str) -> dict[str, Any]:
        """Size, time, content and key of a file."""
        from ..pose.models import file_sha256

        stat = os.stat(path)
        key = self._recall(path)
        if key is None:
            sha256 = file_sha256(path)
            key = clip_key(sha256, self.store.settings_key)
            self._paths[path] = {"path": path, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256, "key": key}
        return self._paths[path]

    def _passes(self, key: str) -> bool:
        """Whether a content needs nothing; counts it then."""
        summary = self.summary
        if key in self._begun:
            summary.duplicates += 1
        elif key in self._known:
            summary.known += 1
        elif key in self._failed and not self.retry:
            summary.passed_over += 1
        else:
            return False
        return True

    def keep(self, item: Mapping[str, Any], result: Any) -> None:
        """Put a result where it can't be lost."""
        if isinstance(result, Failure) and result.fatal:
            raise MissingDependency(result.reason)
        if isinstance(result, Failure):
            self._fail(item["key"], item["path"], item["sha256"], result)
        else:
            with self._writing():
                self.store.add(item["key"], result)
            self.summary.measured += 1
            self._count()

    def _fail(self, key: str, path: str, sha256: str, failure: Failure) -> None:
        attempts = self._failed.get(key or path, 0) + failure.attempts
        row = {
            "key": key, "path": path, "sha256": sha256, "step": failure.step, "reason": failure.reason, "attempts": attempts,
            "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }  # fmt: skip
        with self._writing():
            self.store.add_failure(row)
        self.summary.failed += 1
        self._count()

    def _count(self) -> None:
        self._waiting += 1
        if self._waiting >= BATCH:
            self.save(paths=time.monotonic() >= self._paths_due)
        self.tell()

    def save(self, paths: bool = True) -> None:
        """Seal what is finished, and remember the files."""
        with self._writing():
            self.store.seal()
            self._waiting = 0
            if paths:
                began = time.monotonic()
                rows = [self._paths[path] for path in sorted(self._paths)]
                self.store.replace("paths", make_table("paths", {name: [row[name] for row in rows] for name in ("path", "size", "mtime_ns", "sha256", "key")}))
                # The table is written anew each time: of a million files, seldom.
                self._paths_due = time.monotonic() + 20 * (time.monotonic() - began)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise KineticsError(
                f"Can't write to {self.store.folder} ({error.strerror or error}); what was finished before is kept: make room, and the same command goes on from there."
            ) from error
