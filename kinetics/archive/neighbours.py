"""The shots of an archive that are most like another one, and the graph of each shot's nearest: exact, and never all pairs at once.

The distance of two shots is the root mean squared distance of a joint from its partner, in trunk lengths, along the least banded warping
path (:mod:`kinetics.compare.dtw`, radius :data:`.search.RADIUS`) of their descriptions (:func:`.describe.describe_shot`):
sqrt(2 cost / (T + M) / 12), as in :mod:`kinetics.compare.similarity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..compare.dtw import choose_kernel
from ..errors import KineticsError, Progress
from ..files import write_beside
from ..pose_sequence import PoseSequence
from .describe import RECIPE, describe_shot
from .descriptions import describe_batch, find_description, is_described, list_batches, load_blocks
from .engine import Failure, run_local
from .search import RADIUS, Nearest, Work, search_block
from .store import Archive
from .tables import arrow, make_table, read_table, schema

#: What bounding a pair and, of a few, warping it costs NumPy, in cells of warping: to tell whether machine code is worth loading.
_CELLS_OF_A_PAIR = 70

#: Shots that one task of the graph asks about.
_QUERIES = 128

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Neighbour:
    """One of the nearest shots.

    Attributes
    ----------
    key : str
        Of the archive.
    path : Path
        Of its clip, where it was when the archive was built.
    distance : float
        Trunk lengths.
    """

    key: str
    path: Path
    distance: float


def find_nearest(
    query: PoseSequence | str, archive: Archive, k: int = 5, *, exclude: str | None = None, progress: Progress | None = None
) -> list[Neighbour]:
    """The ``k`` shots of an archive that are most like a query, nearest first; ties in the order of their keys.

    Parameters
    ----------
    query : PoseSequence or key
        A skeleton, best with the camera taken out as the archive's own are (a zoom during the stroke costs distance); or a shot of the
        archive.
    archive : Archive
    k : int
        Fewer are found where there are fewer.
    exclude : key, optional
        A shot that is not to be found: the query itself, where it is one of the archive.
    progress : callable, optional
        Called while the archive's shots are read, for the first time also described; may raise to cancel.

    Returns
    -------
    list of Neighbour

    Raises
    ------
    KineticsError
        When ``k`` is less than 1, the query shows no stroke, or the archive has no shot to compare with.
    """
    return find_nearest_counted(query, archive, k, exclude=exclude, progress=progress)[0]


def find_nearest_counted(
    query: PoseSequence | str, archive: Archive, k: int = 5, *, exclude: str | None = None, progress: Progress | None = None
) -> tuple[list[Neighbour], Work]:
    """As :func:`find_nearest`, and the work that the search did."""
    if k < 1:
        raise KineticsError(f"The {k} nearest shots can't be found; ask for 1 or more.")
    shot = find_description(archive, query) if isinstance(query, str) else describe_shot(query)
    nearest, work = Nearest(k), Work()
    for block in load_blocks(archive, progress=progress):
        compiled = choose_kernel("auto", _CELLS_OF_A_PAIR * len(block.keys)) is not None
        work += search_block(shot, block, nearest, exclude=exclude, compiled=compiled)
    if not work.shots:
        raise KineticsError(f"{archive.folder} has no shot to compare with; build the archive from clips that show a stroke.")
    return [Neighbour(key, Path(archive.path_of(key)), distance) for distance, key in nearest.found], work


def build_graph(
    archive: Archive, k: int = 10, *, engine: str = "local", workers: int | None = None, address: str | None = None,
    progress: Progress | None = None,
) -> Work:  # fmt: skip
    """Find the ``k`` nearest of every shot among all others and write them to ``neighbours.parquet``.

    Where that table is there already, of the same ``k``, a shot that was added since is searched for among all, and a shot that was there
    only among those added: the table is the one that would be made from nothing.

    Parameters
    ----------
    archive : Archive
    k : int
    engine : {"local", "ray"}
        What the tasks are handed to, each :data:`_QUERIES` shots; see :func:`.build.build_archive`.
    workers, address : optional
        Of the engine.
    progress : callable, optional
        Called with shots done and all shots to ask about, after each task and twice a second; may raise
        to cancel: the old table then stays.

    Returns
    -------
    Work
        Of this call.

    Raises
    ------
    KineticsError
        When ``k`` is less than 1, or a task fails again and again.
    """
    if k < 1:
        raise KineticsError(f"A graph of the {k} nearest shots can't be built; ask for 1 or more.")
    if engine not in ENGINES:
        raise KineticsError(f"Engine {engine!r} is not known; use one of {', '.join(ENGINES)}.")
    path = archive.folder / "neighbours.parquet"
    total, done, work = archive.clips(["key"]).num_rows, 0, Work()

    def tell() -> None:
        if progress:
            progress(done, total)

    run = partial(_in_order, engine=engine, workers=workers, address=address, tick=tell)
    folder, names = str(archive.folder), list_batches(archive.folder)
    for _ in run(describe_item, [{"folder": folder, "batch": name} for name in names if not is_described(archive.folder, name)]):
        tell()
    keys = {name: describe_batch(archive, name).keys for name in names}
    recipe = f"{k} nearest, band {RADIUS}, {RECIPE}"
    old = _read_graph(path, recipe)
    if not set(old) <= {key for batch in keys.values() for key in batch}:
        old = {}
    added = [name for name, batch in keys.items() if not all(key in old for key in batch)]
    if old and not added:
        return Work()
    items = [
        {
            "folder": folder, "batch": name, "first": first, "last": min(first + _QUERIES, len(batch)), "k": k,
            "among": None if name in added else added,
            "found": None if name in added else [old[key] for key in batch[first : first + _QUERIES]],
        }
        for name, batch in keys.items() for first in range(0, len(batch), _QUERIES)
    ]  # fmt: skip
    total = sum(len(batch) for batch in keys.values())
    with (
        closing(run(search_queries, items)) as answers,
        write_beside(path) as part,
        arrow().parquet.ParquetWriter(part, schema("neighbours").with_metadata({"recipe": recipe})) as writer,
    ):
        for item, answer in zip(items, answers, strict=True):
            work += Work(**answer["work"])
            asked = list(zip(keys[item["batch"]][item["first"] : item["last"]], answer["found"], strict=True))
            rows = [(key, rank, other, apart) for key, found in asked for rank, (apart, other) in enumerate(found, 1)]
            columns = dict(zip(("key", "rank", "other", "distance"), zip(*rows, strict=True) if rows else ((),) * 4, strict=True))
            writer.write_table(make_table("neighbours", columns).cast(writer.schema))
            done += len(asked)
            tell()
    return work


def search_queries(item: dict[str, Any]) -> dict[str, Any]:
    """The nearest of some shots of a batch, for an engine: plain data in and out.

    Parameters
    ----------
    item : dict
        ``folder``, ``batch``, ``first``, ``last``: the shots asked about; ``k``; ``among``: batches to look in, all when None; ``found``:
        for each shot [distance, key] of its nearest in the other batches, or None.

    Returns
    -------
    dict
        ``found``: for each shot its nearest [distance, key]; ``work``.
    """
    archive = Archive.open(item["folder"])
    batch, asked = describe_batch(archive, item["batch"]), slice(item["first"], item["last"])
    known = item["found"] or [()] * (item["last"] - item["first"])
    queries = [
        (key, shot, Nearest(item["k"], [(distance, other) for distance, other in found]))
        for key, shot, found in zip(batch.keys[asked], batch.shots[asked], known, strict=True)
    ]
    work = Work()
    for block in load_blocks(archive, item["among"]):
        compiled = choose_kernel("auto", _CELLS_OF_A_PAIR * len(block.keys) * len(queries)) is not None
        for key, shot, nearest in queries:
            work += search_block(shot, block, nearest, exclude=key, compiled=compiled)
    return {"found": [[list(pair) for pair in nearest.found] for _, _, nearest in queries], "work": asdict(work)}


def describe_item(item: dict[str, Any]) -> None:
    """Describe the shots of a ``batch`` of the archive in ``folder``, for an engine."""
    describe_batch(Archive.open(item["folder"]), item["batch"])


def _in_order(
    task: Callable[[dict[str, Any]], Any], items: Sequence[dict[str, Any]], engine: str, workers: int | None, address: str | None,
    tick: Callable[[], None],
) -> Iterator[Any]:  # fmt: skip
    """Answers in the order of the items; a single one is found here, which takes less than starting a worker."""
    if len(items) < 2:
        yield from map(task, items)
        return
    numbered = [{**item, "number": number} for number, item in enumerate(items)]
    if engine == "local":
        answers = run_local(task, numbered, workers, tick=tick)
    else:
        from .ray_engine import run_ray

        answers = run_ray(task, numbered, address, workers, tick=tick)
    waiting: dict[int, Any] = {}
    number = 0
    with closing(answers):
        for item, answer in answers:
            if isinstance(answer, Failure):
                raise KineticsError(f"The shots of batch {item['batch']} can't be searched with: {answer.reason}")
            waiting[item["number"]] = answer
            while number in waiting:
                yield waiting.pop(number)
                number += 1


def _read_graph(path: Path, recipe: str) -> dict[str, list[list[Any]]]:
    """[distance, key] of the nearest of each shot; empty when there is no table, or one of another recipe."""
    if not path.is_file() or (arrow().parquet.read_schema(path).metadata or {}).get(b"recipe") != recipe.encode():
        return {}
    table = read_table("neighbours", path)
    keys, others, distances = table["key"].to_pylist(), table["other"].to_pylist(), table["distance"].to_pylist()
    found: dict[str, list[list[Any]]] = {}
    for key, other, distance in zip(keys, others, distances, strict=True):
        found.setdefault(key, []).append([distance, other])
    return found
