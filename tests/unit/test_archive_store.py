"""The archive on disk: what goes in comes out, others can read it, and no death of the writer leaves half a table."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
from archive_tasks import JOINTS, SETTINGS, rows

from kinetics.archive.store import GROUP, Archive, clip_key, settings_key
from kinetics.errors import KineticsError


def item(number: int) -> dict:
    sha256 = f"{number:064x}"
    return {"key": clip_key(sha256, settings_key(SETTINGS)), "sha256": sha256, "path": f"/clips/{number}.mp4"}


def filled(folder: Path, count: int, batch: int = 1000) -> Archive:
    with Archive.create_or_open(folder, SETTINGS) as archive:
        for number in range(count):
            archive.add(item(number)["key"], rows(item(number)))
            if (number + 1) % batch == 0:
                archive.seal()
        archive.seal()
    return Archive.open(folder)


def test_what_goes_in_comes_out(tmp_path):
    archive = filled(tmp_path / "a", 2 * GROUP + 3, batch=20)
    assert archive.keys() == {item(number)["key"] for number in range(2 * GROUP + 3)}
    clips = archive.clips()
    assert clips.num_rows == 2 * GROUP + 3
    row = next(row for row in clips.to_pylist() if row["key"] == item(7)["key"])
    put = rows(item(7))
    for name, (value,) in put["clips"].items():
        assert row[name] == value or (np.isnan(value) and np.isnan(row[name])), name
    frames = put["frames"]
    for stabilised, (x, y) in ((False, ("x", "y")), (True, ("xs", "ys"))):
        pose = archive.pose(item(7)["key"], stabilised=stabilised)
        assert pose.names == JOINTS and pose.size == (320, 180)
        # Bit by bit: numbers are stored as they are.
        np.testing.assert_array_equal(pose.xy, np.stack([frames[x], frames[y]], axis=-1).reshape(4, 3, 2))
        np.testing.assert_array_equal(pose.t, frames["t"][::3])
        assert np.isnan(pose.xy).sum() == 2


def test_skeletons_come_in_the_order_of_the_clips(tmp_path):
    archive = filled(tmp_path / "a", 40, batch=25)
    keys = archive.clips(["key"])["key"].to_pylist()
    assert [key for key, _ in archive.poses()] == keys
    some = keys[3:30:4]
    for key, pose in archive.poses(some, stabilised=False):
        np.testing.assert_array_equal(pose.xy, archive.pose(key).xy)
    assert [key for key, _ in archive.poses(reversed(some))] == some
    with pytest.raises(KineticsError, match="has no clip nonsense"):
        next(archive.poses(["nonsense"]))
    with pytest.raises(KineticsError, match="has no clip nonsense"):
        archive.pose("nonsense")


def test_pandas_and_duckdb_read_it_as_it_is(tmp_path):
    archive = filled(tmp_path / "a", 9, batch=4)
    ours = archive.clips().to_pandas().sort_values("key", ignore_index=True)
    theirs = pandas.read_parquet(tmp_path / "a" / "clips").sort_values("key", ignore_index=True)
    assert theirs["peak_omega"].equals(ours["peak_omega"]) and len(theirs) == 9
    asked = duckdb.sql(
        f"select count(*), count(distinct f.key), avg(c.peak_tip_speed) from '{tmp_path}/a/clips/*.parquet' c join '{tmp_path}/a/frames/*.parquet' f using (key) where f.joint = 'bat_tip'"
    ).fetchall()[0]
    assert asked[:2] == (36, 9)
    assert asked[2] == pytest.approx(ours["peak_tip_speed"].mean(), rel=1e-12)  # another order of summing
    assert duckdb.sql(f"select list_contains(chain_path, 'bat_tip') from '{tmp_path}/a/clips/*.parquet'").fetchall() == [(True,)] * 9


def test_what_is_refused(tmp_path):
    filled(tmp_path / "a", 1)
    with pytest.raises(KineticsError, match=r"other settings \(what 'a test', not 'another'\)"):
        Archive.create_or_open(tmp_path / "a", SETTINGS | {"what": "another"})
    with pytest.raises(KineticsError, match="holds no archive"):
        Archive.open(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").write_text("dear")
    with pytest.raises(KineticsError, match="isn't an archive"):
        Archive.create_or_open(tmp_path / "b", SETTINGS)
    record = json.loads((tmp_path / "a" / "archive.json").read_text())
    (tmp_path / "a" / "archive.json").write_text(json.dumps(record | {"format": 2, "pack": "9.9"}))
    for opened in (Archive.open, lambda folder: Archive.create_or_open(folder, SETTINGS)):
        with pytest.raises(KineticsError, match=r"format 2, of a newer version of this pack \(9.9\)"):
            opened(tmp_path / "a")
    (tmp_path / "a" / "archive.json").write_text("[]")
    with pytest.raises(KineticsError, match="isn't an archive's"):
        Archive.open(tmp_path / "a")


def test_one_writer_at_a_time(tmp_path):
    with Archive.create_or_open(tmp_path / "a", SETTINGS) as archive:
        with pytest.raises(KineticsError, match="Somebody else is adding"):
            Archive.create_or_open(tmp_path / "a", SETTINGS)
        archive.add(item(0)["key"], rows(item(0)))
        assert Archive.open(tmp_path / "a").keys() == set()  # a reader waits for nobody, and sees what is sealed
    with Archive.create_or_open(tmp_path / "a", SETTINGS) as archive:
        assert archive.keys() == {item(0)["key"]}
        archive.seal()
    assert Archive.open(tmp_path / "a").keys() == {item(0)["key"]}


def test_what_a_death_between_two_renames_leaves_is_cleared_away(tmp_path):
    folder = tmp_path / "a"
    archive = filled(folder, 5)
    (batch,) = (path.stem for path in (folder / "clips").iterdir())
    before = archive.clips()
    # Dead after frames and edges, before the clips; and in the middle of writing.
    for name in ("frames", "edges"):
        (folder / name / "feed.parquet").write_bytes((folder / name / f"{batch}.parquet").read_bytes())
    (folder / "pending" / ".half").mkdir()
    (folder / "pending" / ".half" / "frames.parquet").write_bytes(b"PAR1")
    (folder / ".paths.x.part.parquet").write_bytes(b"PAR1")
    # Dead after the clips, before what waited was removed.
    (folder / "pending" / item(2)["key"]).mkdir()
    assert Archive.open(folder).clips().to_pandas().equals(before.to_pandas())
    with Archive.create_or_open(folder, SETTINGS) as archive:
        archive.seal()
    assert Archive.open(folder).clips().to_pandas().equals(before.to_pandas())
    assert [path.name for path in (folder / "frames").iterdir()] == [f"{batch}.parquet"]
    assert not list((folder / "pending").iterdir()) and not list(folder.glob(".paths*"))


_WRITER = """
import sys
sys.path[:0] = {paths!r}
from test_archive_store import SETTINGS, item, rows
from kinetics.archive.store import Archive
with Archive.create_or_open({folder!r}, SETTINGS) as archive:
    print("open", flush=True)
    for number in range(len(archive.keys()), 100000):
        archive.add(item(number)["key"], rows(item(number)))
        if number % 3 == 2:
            archive.seal()
"""


def test_a_writer_killed_at_any_moment_leaves_whole_tables(tmp_path):
    """Six deaths at random moments; after each the tables read whole and agree, and nothing sealed is lost."""
    folder, seen = tmp_path / "a", set()
    script = _WRITER.format(paths=[str(Path(__file__).parents[2]), str(Path(__file__).parent)], folder=str(folder))
    pause = random.Random(8)
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"open\n"
        time.sleep(pause.uniform(0.02, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        archive = Archive.open(folder)
        keys = archive.clips(["key"])["key"].to_pylist()
        assert len(set(keys)) == len(keys)
        assert seen <= set(keys)
        seen = set(keys)
        assert {key for key, pose in archive.poses() if len(pose) == 4} == seen
        batches = [path.name for path in (folder / "clips").glob("*.parquet")]
        edges = [key for batch in batches for key in pq.read_table(folder / "edges" / batch)["key"].to_pylist()]
        assert sorted(edges) == sorted(keys)
    assert len(seen) > 6
    with Archive.create_or_open(folder, SETTINGS) as archive:
        everything = archive.keys()
        archive.seal()
    assert Archive.open(folder).keys() == everything == {item(number)["key"] for number in range(len(everything))}


def test_failures_stay_until_the_clip_succeeds(tmp_path):
    def row(number: int, **other) -> dict:
        return {"key": item(number)["key"], "path": item(number)["path"], "sha256": "", "step": "pose", "reason": "Nobody.", "attempts": 1, "when": "now"} | other

    with Archive.create_or_open(tmp_path / "a", SETTINGS) as archive:
        archive.add_failure(row(1))
        archive.add_failure(row(2))
        archive.add_failure(row(9, key="", path="/clips/locked.mp4"))
        assert archive.failures().num_rows == 3
        archive.seal()
        archive.add_failure(row(2, attempts=2))
        archive.add(item(1)["key"], rows(item(1)))
        archive.seal()
    left = {found["path"]: found["attempts"] for found in Archive.open(tmp_path / "a").failures().to_pylist()}
    assert left == {"/clips/2.mp4": 2, "/clips/locked.mp4": 1}


def test_a_damaged_table_is_named(tmp_path):
    archive = filled(tmp_path / "a", 2)
    (file,) = (tmp_path / "a" / "clips").iterdir()
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(KineticsError, match=f"{file.name} can't be read as the archive's table clips"):
        Archive.open(tmp_path / "a").clips()
    assert archive.folder == tmp_path / "a"
