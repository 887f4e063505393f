"""Building an archive with this machine's processes: only what is new is done, whoever dies takes nothing with him, what fails is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from archive_tasks import SETTINGS, calls, deadly, endless, fails, lacks, long, make_files, quick, report_process, rows

from kinetics.archive.build import build_archive
from kinetics.archive.engine import Failure, run_local
from kinetics.archive.sources import list_clips
from kinetics.archive.store import Archive
from kinetics.cli import main
from kinetics.errors import KineticsError


def build(sources, archive: Path, measure=quick, **options):
    return build_archive(sources if isinstance(sources, list) else [sources], archive, settings=SETTINGS, workers=2, measure=measure, **options)


def test_the_second_run_computes_nothing_and_a_third_only_what_is_new(tmp_path):
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    paths = make_files(clips, 12)
    (clips / "again.mp4").write_bytes(paths[3].read_bytes())
    told = []
    first = build(clips, folder, progress=lambda done, total: told.append((done, total)))
    assert (first.given, first.measured, first.duplicates, first.known) == (13, 12, 1, 0)
    assert told[0] == (0, 13) and told[-1] == (13, 13) and told == sorted(told)
    before = Archive.open(folder).clips().to_pandas()
    second = build(clips, folder)
    assert (second.known, second.measured) == (13, 0) and "13 of 13 known" in second.sentence()
    assert sum(calls(clips).values()) == 12
    assert Archive.open(folder).clips().to_pandas().equals(before)
    # A new name, a new time, new content, and a new file.
    paths[0].rename(clips / "moved.mp4")
    os.utime(paths[1], ns=(0, 0))
    paths[2].write_bytes(b"other content")
    (clips / "new.mp4").write_bytes(b"new")
    third = build(clips, folder)
    assert (third.known, third.measured) == (12, 2)
    archive = Archive.open(folder)
    assert archive.clips().num_rows == 14
    moved = next(row for row in archive.paths().to_pylist() if row["path"].endswith("moved.mp4"))
    assert archive.path_of(moved["key"]) == clips / "moved.mp4"  # the one that still lies there


def test_rows_are_those_of_the_task_bit_by_bit(tmp_path):
    make_files(tmp_path / "clips", 3)
    build(tmp_path / "clips", tmp_path / "archive")
    archive = Archive.open(tmp_path / "archive")
    for row in archive.clips().to_pylist():
        frames = rows(row)["frames"]
        np.testing.assert_array_equal(archive.pose(row["key"]).xy[..., 1].ravel(), frames["y"])


def test_workers_have_one_thread_and_take_plain_data():
    items = [{"number": number, "array": np.full(3, number)} for number in range(9)]
    found = list(run_local(report_process, items, workers=2))
    assert sorted(item["number"] for item, _ in found) == list(range(9))
    assert all(result["item"] == item["number"] and (result["array"] == 2 * item["array"]).all() for item, result in found)
    assert {(result["threads"], result["omp"]) for _, result in found} == {(1, "1")}
    pids = {result["pid"] for _, result in found}
    assert 1 <= len(pids) <= 2 and os.getpid() not in pids
    # The generator is at its end: so are they.
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_few_items_are_in_flight():
    taken = []

    def items():
        for number in range(30):
            taken.append(number)
            yield {"number": number, "array": np.zeros(1)}

    for done, _ in enumerate(run_local(report_process, items(), workers=2)):
        assert len(taken) <= done + 4


def test_who_kills_his_worker_is_named_and_takes_nobody_with_him(tmp_path):
    clips = tmp_path / "clips"
    make_files(clips, 8)
    make_files(clips, 2, "once_{}.mp4")
    make_files(clips, 1, "deadly_{}.mp4")
    summary = build(clips, tmp_path / "archive", deadly)
    assert (summary.measured, summary.failed) == (10, 1)
    (failure,) = Archive.open(tmp_path / "archive").failures().to_pylist()
    assert failure["path"].endswith("deadly_0.mp4") and failure["step"] == "worker" and failure["attempts"] == 3
    assert "killed its worker 3 times (signal SIGKILL)" in failure["reason"]
    begun = calls(clips)
    # Each that killed was begun again, and nothing else.
    assert begun.pop("deadly_0.mp4") == 3 and {begun.pop("once_0.mp4"), begun.pop("once_1.mp4")} == {2}
    assert set(begun.values()) == {1}


def test_failures_are_passed_over_until_a_retry(tmp_path):
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    make_files(clips, 3)
    make_files(clips, 2, "bad_{}.mp4")
    make_files(clips, 1, "odd_{}.mp4")
    (clips / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert (build(clips, folder, fails).measured, calls(clips)["bad_0.mp4"]) == (3, 1)
    told = {Path(row["path"]).name: row for row in Archive.open(folder).failures().to_pylist()}
    assert set(told) == {"bad_0.mp4", "bad_1.mp4", "odd_0.mp4", "gone.mp4"}
    assert told["bad_0.mp4"]["step"] == "pose" and told["bad_0.mp4"]["reason"].startswith("Nobody was found")
    assert told["odd_0.mp4"]["reason"].startswith("ZeroDivisionError: somewhere deep (line ")
    assert told["gone.mp4"]["reason"].endswith("(No such file or directory); check the path and its rights.") and told["gone.mp4"]["key"] == ""
    again = build(clips, folder, fails)
    assert (again.known, again.passed_over, again.failed) == (3, 3, 1)  # a file that can't be read is looked at each time
    assert calls(clips)["bad_0.mp4"] == 1 and "--retry" in again.sentence()
    retried = build(clips, folder, fails, retry=True)
    assert (retried.failed, calls(clips)["bad_0.mp4"]) == (4, 2)
    assert {row["attempts"] for row in Archive.open(folder).failures().to_pylist() if row["key"]} == {2}
    (clips / "mended").touch()
    assert build(clips, folder, fails, retry=True).measured == 3
    archive = Archive.open(folder)
    assert [Path(row["path"]).name for row in archive.failures().to_pylist()] == ["gone.mp4"] and archive.clips().num_rows == 6
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "gone.mp4" in page and "script" not in page


def test_the_page_escapes_what_people_wrote(tmp_path):
    clips = tmp_path / "clips"
    make_files(clips, 1)
    make_files(clips, 1, "bad_<i>&{}.mp4")
    build(clips, tmp_path / "<b>archive", fails)
    page = (tmp_path / "<b>archive" / "report.html").read_text(encoding="utf-8")
    assert "bad_&lt;i&gt;&amp;0.mp4" in page and "&lt;b&gt;first&lt;/b&gt;" in page and "Archive &lt;b&gt;archive" in page
    assert "<i>" not in page and "<b>first" not in page and "default-src 'none'" in page


def test_what_every_clip_would_fail_of_stops_the_run(tmp_path):
    clips = tmp_path / "clips"
    make_files(clips, 20)
    with pytest.raises(KineticsError, match="The package nothing is not installed"):
        build(clips, tmp_path / "archive", lacks)
    assert len(calls(clips)) <= 4 and Archive.open(tmp_path / "archive").failures().num_rows == 0


def test_who_cancels_is_obeyed_at_once_and_keeps_what_is_done(tmp_path):
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    make_files(clips, 2)
    build(clips, folder)
    make_files(clips, 4, "more_{}.mp4")
    began = time.monotonic()

    def cancel(done: int, total: int) -> None:
        if time.monotonic() - began > 1.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(clips, folder, endless, progress=cancel)  # else each would take ten minutes
    assert Archive.open(folder).clips().num_rows == 2
    assert (build(clips, folder).measured, build(clips, folder).known) == (4, 6)


_DRIVER = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from kinetics.archive.build import build_archive
from archive_tasks import SETTINGS, {task}
build_archive([{clips!r}], {folder!r}, settings=SETTINGS, workers=2, measure={task}, **{options!r})
"""


def start_driver(clips: Path, folder: Path, task: str, **options) -> subprocess.Popen:
    paths = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    script = _DRIVER.format(paths=paths, clips=str(clips), folder=str(folder), task=task, options=options)
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)


def wait_for(condition, driver: subprocess.Popen) -> None:
    """Until something has come about; a minute is far more than any of it takes."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end and driver.poll() is None
        time.sleep(0.02)


def test_a_killed_driver_is_taken_up_where_it_was(tmp_path):
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    make_files(clips, 16)
    driver = start_driver(clips, folder, "slow")
    wait_for(lambda: (folder / "pending").is_dir() and len([path for path in (folder / "pending").iterdir() if path.name[0] != "."]) >= 6, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    begun = dict(calls(clips))
    time.sleep(0.6)
    assert calls(clips) == begun  # its workers are gone with it
    summary = build(clips, folder)
    assert summary.known >= 6 and summary.known + summary.measured == 16
    archive = Archive.open(folder)
    assert archive.clips().num_rows == 16 and len(list(archive.poses())) == 16
    assert sum(calls(clips).values()) <= 16 + 4  # at most those in flight: one being worked on and one just finished, not yet kept, a worker


@pytest.mark.parametrize("what", ["seal", "clip"])
def test_a_full_disk_stops_with_one_sentence(tmp_path, what):
    """No file may grow beyond a limit: of a batch, or of one clip's tables, which is what a full disk does to a writer, and needs no rights."""
    clips, folder = tmp_path / "clips", tmp_path / "archive"
    make_files(clips, 3)
    build(clips, folder)
    before = Archive.open(folder).clips().to_pandas()
    make_files(clips, 6, "more_{}.mp4")
    limit = 700_000 if what == "seal" else 20_000
    driver = subprocess.Popen(
        [sys.executable, "-c", f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))" + _DRIVER.format(
            paths=[str(Path(__file__).parents[2]), str(Path(__file__).parent)], clips=str(clips), folder=str(folder), task="long", options={},
        )], stderr=subprocess.PIPE,
    )  # fmt: skip
    said = driver.communicate()[1].decode()
    assert driver.returncode == 1 and said.splitlines()[-1].startswith(f"kinetics.errors.KineticsError: Can't write to {folder} (")
    assert Archive.open(folder).clips().to_pandas().equals(before)
    done = build(clips, folder, long)
    assert done.known >= (9 if what == "seal" else 3) and done.known + done.measured == 9
    assert Archive.open(folder).clips().num_rows == len(list(Archive.open(folder).poses())) == 9


def test_sources(tmp_path):
    make_files(tmp_path / "deep" / "er", 2)
    (tmp_path / "deep" / "notes.json").touch()
    (tmp_path / "deep" / ".hidden.mp4").touch()
    (tmp_path / "deep" / "UPPER.MOV").touch()
    (tmp_path / "list.txt").write_bytes("\ufeff# mine\r\ndeep/er/clip_000.mp4\r\n\r\n not there.mp4\r\n".encode())
    found = list_clips([tmp_path / "deep", tmp_path / "list.txt"])
    assert [os.path.relpath(path, tmp_path) for path in found] == ["deep/UPPER.MOV", "deep/er/clip_000.mp4", "deep/er/clip_001.mp4", "not there.mp4"]
    with pytest.raises(KineticsError, match=r"nowhere\.mp4 is not there"):
        list_clips([tmp_path / "nowhere.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(KineticsError, match="No clip was found in"):
        list_clips([tmp_path / "empty"])
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KineticsError, match="not UTF-8 text"):
        list_clips([tmp_path / "binary.txt"])


def test_a_name_that_is_not_text_is_a_failure(tmp_path):
    clips = tmp_path / "clips"
    make_files(clips, 2)
    (clips / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"something")
    summary = build(clips, tmp_path / "archive")
    assert (summary.measured, summary.failed) == (2, 1)
    (failure,) = Archive.open(tmp_path / "archive").failures().to_pylist()
    assert failure["path"].endswith("caf\\udce9.mp4") and "isn't valid UTF-8" in failure["reason"]


def test_what_the_command_line_refuses(tmp_path, capsys):
    make_files(tmp_path / "clips", 1)
    for arguments, said in (
        (["archive", str(tmp_path / "none"), "-o", str(tmp_path / "a")], "none is not there"),
        (["archive", str(tmp_path / "clips"), "-o", str(tmp_path / "a"), "--address", "auto"], "choose the engine ray with it"),
        (["archive", str(tmp_path / "clips"), "-o", str(tmp_path / "a"), "--workers", "0"], "0 workers can't do anything"),
        (["archive", str(tmp_path / "clips"), "-o", str(tmp_path / "clips")], "isn't an archive"),
        (["nearest", str(tmp_path / "clips" / "clip_000.mp4"), "--archive", str(tmp_path / "clips")], "holds no archive"),
    ):
        assert main(arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert said in lines[-1] and lines[-1].startswith(f"kinetics {arguments[0]}: ")


def test_a_task_that_workers_cannot_find_is_refused():
    with pytest.raises(KineticsError, match="can't be done by workers"):
        list(run_local(lambda item: item, [1]))
    assert Failure("why").attempts == 1
