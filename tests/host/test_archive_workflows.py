"""The real server builds an archive of small clips, searches it and hands clips out of it; what is wrong is told by name."""

from __future__ import annotations

import shutil
import threading
import time
import urllib.error
import urllib.parse

import pytest
from comfy_server import ComfyServer, ServerError
from drawn_archive import REASON, write_archive

from kinetics.archive.store import Archive
from kinetics.synthetic import SHOTS, write_sample_clips
from kinetics.video.decode import Clip

#: Ways of asking for a file that is none of the archive's.
ASTRAY = ("../drawn", "input/../../output/correlated_kinetics/archives/drawn", "/etc", "", ".", "input/", "drawn/clips", "nowhere")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    clips = base / "input" / "correlated_kinetics" / "sample_clips"
    write_sample_clips(clips / "season", shots=["cover_drive", "off_drive"], size=(640, 360))
    shutil.copyfile(clips / "season" / "off_drive.mp4", clips / "the_same.mp4")
    (clips / "broken.mp4").write_bytes(b"no video")
    write_archive(base / "output" / "correlated_kinetics" / "archives" / "drawn", [clips / "season" / f"{shot}.mp4" for shot in SHOTS], width=640)
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.fixture(scope="module")
def built(server, api_form):
    """The shared workflow on two clips, a copy, and a file that is no video."""
    return server.run(changed(api_form("archive_search"), CK_BuildArchive={"workers": 2}))


def changed(prompt: dict, **values) -> dict:
    for node in prompt.values():
        node["inputs"] |= values.get(node["class_type"], {})
    return prompt


def text_of(history: dict, prompt: dict, kind: str) -> str:
    return history["outputs"][number(prompt, kind)]["text"][0]


def number(prompt: dict, kind: str) -> str:
    return next(key for key, node in prompt.items() if node["class_type"] == kind)


def data_of(server, payload: dict) -> dict:
    return server.get("/view?" + urllib.parse.urlencode(payload["data"]))


def archive_of(server, name: str):
    return server.folders["output"] / "correlated_kinetics" / "archives" / name


def node(kind: str, **inputs) -> dict:
    return {"class_type": f"CK_{kind}", "inputs": inputs}


def saved_video(source: str, slot: int, prefix: str) -> dict:
    return {"class_type": "SaveVideo", "inputs": {"video": [source, slot], "filename_prefix": prefix, "format": "auto", "codec": "auto"}}


def test_the_workflow_builds_browses_and_searches(built, server, api_form, saved):
    prompt = api_form("archive_search")
    lines = text_of(built, prompt, "CK_BuildArchive").splitlines()
    assert lines[0] == "4 clips: 2 measured now, 1 of the same content as another, 1 failed." and lines[1].startswith("broken.mp4: ")
    archive = Archive.open(archive_of(server, "sample_shots"))
    assert sorted(path.stem for path in map(archive.path_of, archive.keys())) == ["cover_drive", "off_drive"]
    assert (archive.folder / "report.html").is_file()
    (payload,) = built["outputs"][number(prompt, "CK_ArchiveBrowser")]["archive_browser"]
    record = data_of(server, payload)
    assert sorted(record["name"]) == ["cover_drive", "off_drive"] and record["failures"] == 1
    query, found = text_of(built, prompt, "CK_ArchiveSearch").splitlines()
    assert query == "Most like cover_drive, of 2 shots:" and found.startswith("1. off_drive: 0.")
    shown = Clip(saved(built)["most_similar.mp4"]).info
    assert (shown.width, shown.height) == (2 * 480 + 4, 270) and shown.duration <= 3.6  # 2 s before impact, 1.5 after it, and a frame


def test_a_second_run_measures_nothing(built, server, api_form):
    before = {path: path.stat().st_mtime_ns for path in archive_of(server, "sample_shots").glob("*/*.parquet")}
    prompt = changed(api_form("archive_search"), CK_BuildArchive={"workers": 1})
    assert text_of(server.run(prompt), prompt, "CK_BuildArchive").startswith("4 clips: 3 there already, 1 failed before")
    assert {path: path.stat().st_mtime_ns for path in archive_of(server, "sample_shots").glob("*/*.parquet")} == before


def test_a_clip_that_the_archive_has_not_is_measured_as_its_own_were(built, server):
    """A part of one of its clips: other frames and another beginning, so that the file's content tells nothing."""
    prompt = {
        "1": {"class_type": "LoadVideo", "inputs": {"file": "correlated_kinetics/sample_clips/season/off_drive.mp4"}},
        "2": {"class_type": "Video Slice", "inputs": {"video": ["1", 0], "start_time": 0.3, "duration": 2.4, "strict_duration": False}},
        "3": node("ArchiveSearch", clip=["2", 0], archive="sample_shots", k=2, itself=False),
    }
    first, second = (line.split(": ") for line in server.run(prompt)["outputs"]["3"]["text"][0].splitlines()[1:])
    assert (first[0], second[0]) == ("1. off_drive", "2. cover_drive")
    # The same stroke, its joints found anew in other pictures: near, but not the same.
    assert 0 < float(first[1].split()[0]) < min(0.1, float(second[1].split()[0]))


def test_cancelled_it_stops_at_once_and_leaves_no_worker_behind(server):
    import psutil

    def workers():
        return [child for child in psutil.Process(server.process.pid).children(recursive=True) if "serve()" in " ".join(child.cmdline())]

    def interrupt():
        deadline = time.monotonic() + 60
        while not workers() and time.monotonic() < deadline:
            time.sleep(0.1)
        server.post("/interrupt", {})

    stopper = threading.Thread(target=interrupt)
    stopper.start()
    with pytest.raises(ServerError, match="interrupted"):
        server.run({"1": node("BuildArchive", folder="correlated_kinetics/sample_clips", name="given_up", workers=1, retry=False)})
    stopper.join()
    deadline = time.monotonic() + 10
    while workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers() == []
    assert list(archive_of(server, "given_up").glob("clips/*.parquet")) == []


def test_a_picked_clip_goes_on_with_its_skeleton(server, saved):
    prompt = {
        "1": node("ArchiveBrowser", archive="drawn", picked="cover_drive"), "2": saved_video("1", 0, "picked"),
        "3": node("DrawSkeleton", skeleton=["1", 1], background="black", view="subject", trails=0.0, legend=False), "4": saved_video("3", 0, "drawn"),
    }  # fmt: skip
    files = saved(server.run(prompt))
    assert Clip(files["picked.mp4"]).info.width == 640 and Clip(files["drawn.mp4"]).info.frame_count == 75


def test_nothing_picked_lets_the_next_nodes_wait_and_a_wrong_pick_is_told(server, saved):
    prompt = {"1": node("ArchiveBrowser", archive="drawn", picked=""), "2": saved_video("1", 0, "nothing")}
    assert "nothing.mp4" not in saved(server.run(prompt))
    prompt["1"]["inputs"]["picked"] = "nobody"
    with pytest.raises(ServerError, match="There is no clip 'nobody' in the archive"):
        server.run(prompt)


def test_a_skeleton_alone_is_searched_for_and_shown(server, saved):
    prompt = {
        "1": node("ArchiveBrowser", archive="drawn", picked="cover_drive"), "2": node("ArchiveSearch", shot=["1", 1], archive="drawn", k=3, itself=False),
        "3": saved_video("2", 3, "by_skeleton"), "4": saved_video("2", 0, "found"),
    }  # fmt: skip
    with pytest.raises(ServerError, match=r"The clip \w+ isn't at .* any more, where the archive has it"):
        server.run(prompt)  # of the drawn archive two clips are there
    prompt["2"]["inputs"]["k"] = 1
    history = server.run(prompt)
    first = history["outputs"]["2"]["text"][0].splitlines()[1]
    assert first.startswith("1. cover_drive: 0.000")  # without its clip nobody can tell that it is the same
    assert Clip(saved(history)["by_skeleton.mp4"]).info.width == 2 * 480 + 4


def test_a_clip_outside_the_hosts_folders_is_not_opened(server, tmp_path):
    (tmp_path / "cover_drive.mp4").touch()
    write_archive(archive_of(server, "elsewhere"), [tmp_path / "cover_drive.mp4"])
    prompt = {"1": node("ArchiveBrowser", archive="elsewhere", picked="cover_drive"), "2": saved_video("1", 0, "outside")}
    with pytest.raises(ServerError, match=r"lies at .* outside ComfyUI's input and output folders"):
        server.run(prompt)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ({"1": node("BuildArchive", folder="(sockets only)", name="none", workers=1, retry=False)}, "Build Archive has no clip"),
        ({"1": node("BuildArchive", folder="correlated_kinetics", name="../out", workers=1, retry=False)}, "can't be a file's"),
        ({"1": node("BuildArchive", folder="../output", name="out", workers=1, retry=False)}, "leads out of ComfyUI's input folder"),
        ({"1": node("ArchiveBrowser", archive="nowhere", picked="")}, "There is no archive 'nowhere'"),
        ({"1": node("ArchiveSearch", archive="drawn", k=5, itself=False)}, "Archive Search has nothing to look for"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(prompt, sentence, server):
    with pytest.raises(ServerError, match=sentence):
        server.run(prompt)


def test_the_browsers_route_gives_a_stroke_and_nothing_else(server):
    keys = Archive.open(archive_of(server, "drawn")).keys()
    stroke = server.get(f"/correlated_kinetics/archive_stroke?archive=drawn&key={min(keys)}")
    assert len(stroke["t"]) == len(stroke["pose"]["xy"]) > 30 and stroke["bat"] is not None
    assert server.get(f"/api/correlated_kinetics/archive_stroke?archive=drawn&key={min(keys)}") == stroke
    for archive, key, status in [("drawn", "f" * 32, 404), ("drawn", "../clips", 400), ("drawn", "", 400), *((name, min(keys), 404) for name in ASTRAY)]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.get(f"/correlated_kinetics/archive_stroke?archive={archive}&key={key}")
        assert refused.value.code == status, (archive, key)


def test_clips_that_tell_no_speed_keep_their_reason(server):
    prompt = {"1": node("ArchiveBrowser", archive="drawn", picked="")}
    (payload,) = server.run(prompt)["outputs"]["1"]["archive_browser"]
    record = data_of(server, payload)
    assert set(record["reason"]) <= {"", REASON} and record["clusters"][0]["label"].startswith("like ")


def test_without_pyarrow_the_pack_loads_and_the_node_says_so(run_in_host):
    told = run_in_host("archive_in_host.py")
    assert told["nodes"] == ["CK_ArchiveBrowser", "CK_ArchiveSearch", "CK_BuildArchive"]
    assert told["told"] == "The package pyarrow is not installed; run `pip install pyarrow` in the host's Python."
