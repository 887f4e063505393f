"""The same over Ray: two nodes on this machine's loopback; a worker, a node and the driver are killed in the middle of the work."""

from __future__ import annotations

import os
import platform
import signal
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
from archive_tasks import SETTINGS, calls, deadly, fails, make_files, quick, report_process, slow
from test_archive_build import start_driver, wait_for

from kinetics.archive.build import build_archive
from kinetics.archive.measure import measure_item
from kinetics.archive.ray_engine import _import_ray, run_ray
from kinetics.archive.store import Archive
from kinetics.archive.tables import read_table
from kinetics.errors import KineticsError

ray = _import_ray()
from ray.cluster_utils import Cluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    """A head that does no work itself, and two nodes of one worker each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100_000_000})
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=100_000_000)
    yield made
    made.shutdown()


def build(sources: Path, archive: Path, cluster, measure, **options):
    return build_archive([sources], archive, "ray", address=cluster.address, settings=SETTINGS, measure=measure, **options)


def tables(folder: Path) -> dict:
    """Each table in the order of its keys."""
    found = {}
    for name in ("clips", "frames", "edges"):
        parts = [read_table(name, path).to_pandas() for path in sorted((folder / name).iterdir())]
        found[name] = pandas.concat([part.astype({"key": str}) for part in parts]).sort_values("key", kind="stable", ignore_index=True)
    return found


def test_both_engines_make_the_same_tables(tmp_path, cluster):
    clips = tmp_path / "clips"
    make_files(clips, 20)
    assert build(clips, tmp_path / "ray", cluster, quick).measured == 20
    assert build_archive([clips], tmp_path / "local", settings=SETTINGS, workers=2, measure=quick).measured == 20
    ours, theirs = tables(tmp_path / "local"), tables(tmp_path / "ray")
    for name in ours:
        assert ours[name].equals(theirs[name]), name  # bit by bit
    again = build(clips, tmp_path / "ray", cluster, quick)
    assert (again.known, again.measured) == (20, 0) and sum(calls(clips).values()) == 40


def test_failures_and_who_kills_his_worker(tmp_path, cluster):
    clips = tmp_path / "clips"
    make_files(clips, 3)
    make_files(clips, 1, "once_{}.mp4")
    make_files(clips, 1, "deadly_{}.mp4")
    assert build(clips, tmp_path / "a", cluster, deadly).measured == 4
    (failure,) = Archive.open(tmp_path / "a").failures().to_pylist()
    assert failure["path"].endswith("deadly_0.mp4") and (failure["step"], failure["attempts"]) == ("worker", 3)
    assert calls(clips)["deadly_0.mp4"] == 3 and calls(clips)["once_0.mp4"] == 2
    make_files(tmp_path / "more", 2, "bad_{}.mp4")
    assert build(tmp_path / "more", tmp_path / "a", cluster, fails).failed == 2


def test_a_worker_and_then_a_whole_node_die_and_nothing_is_lost(tmp_path, cluster):
    """At most what the dead were at is begun again: one clip each."""
    clips = tmp_path / "clips"
    make_files(clips, 24)
    killed = []

    def kill(done: int, total: int) -> None:
        if done >= 5 and not killed:
            killed.append("worker")
            os.kill(_a_worker(), signal.SIGKILL)
        if done >= 10 and len(killed) == 1:
            killed.append("node")
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    summary = build(clips, tmp_path / "a", cluster, slow, progress=kill)
    assert killed == ["worker", "node"]
    assert (summary.measured, summary.failed) == (24, 0)
    archive = Archive.open(tmp_path / "a")
    assert archive.clips().num_rows == 24 and len(list(archive.poses())) == 24
    begun = calls(clips)
    assert sum(begun.values()) <= 24 + 2 and max(begun.values()) <= 2
    cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    cluster.wait_for_nodes()


def _a_worker() -> int:
    """A process of Ray's that is at one of our clips."""
    import psutil

    end = time.monotonic() + 20
    while time.monotonic() < end:
        for process in psutil.process_iter(["cmdline"]):
            if "ray::work" in " ".join(process.info["cmdline"] or ()):
                return process.pid
        time.sleep(0.02)
    raise AssertionError("no worker is at work")


def test_a_killed_driver_is_taken_up_where_it_was(tmp_path, cluster):
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    make_files(clips, 12)
    driver = start_driver(clips, folder, "slow", engine="ray", address=cluster.address)
    wait_for(lambda: (folder / "pending").is_dir() and len([path for path in (folder / "pending").iterdir() if path.name[0] != "."]) >= 4, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    summary = build(clips, folder, cluster, slow)
    assert summary.known >= 4 and summary.known + summary.measured == 12
    assert Archive.open(folder).clips().num_rows == 12
    # The two clips that were being worked on, and the two that stood behind them.
    assert sum(calls(clips).values()) <= 12 + 4


def test_a_clip_that_a_machine_cannot_see_is_told(tmp_path, cluster):
    item = {"path": str(tmp_path / "only_here.mp4"), "sha256": "0" * 64, "settings": SETTINGS, "weights": None}
    ((_, failure),) = run_ray(measure_item, [item], cluster.address)
    assert failure.step == "decode" and not failure.fatal
    assert f"only_here.mp4 is not there on {platform.node()}; a clip has to lie where every machine that measures can read it." in failure.reason


def test_ray_is_started_here_and_ended():
    items = [{"number": number, "array": np.full(2, number)} for number in range(5)]
    found = list(run_ray(report_process, items, workers=1))
    assert sorted(result["item"] for _, result in found) == list(range(5))
    assert all((result["array"] == 2 * item["array"]).all() for item, result in found)
    assert {(result["threads"], result["omp"]) for _, result in found} == {(1, "1")}
    assert not ray.is_initialized()


def test_a_cluster_that_is_not_there(tmp_path):
    make_files(tmp_path / "clips", 1)
    with pytest.raises(KineticsError, match=r"There is no Ray cluster at 127\.0\.0\.1:9 \(Connection refused\)"):
        build_archive([tmp_path / "clips"], tmp_path / "a", "ray", address="127.0.0.1:9", settings=SETTINGS, measure=quick)
    assert Archive.open(tmp_path / "a").clips().num_rows == 0
