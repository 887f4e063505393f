"""The archive that the registry would hand out: packed by comfy-cli, unpacked under another folder's name, in the real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile

import pytest
from comfy_server import ComfyServer, comfyui_path

from kinetics.video.decode import Clip

PACK = "from_the_registry"

#: A rename as the next one will be written, with an input renamed beside the node.
RENAME = """(
    io.NodeReplace(
        new_node_id="CK_NormaliseClip",
        old_node_id="CK_EvenOutClip",
        input_mapping=[
            {"new_id": "clips", "old_id": "clips"}, {"new_id": "fps", "old_id": "rate"},
            *({"new_id": name, "old_id": name} for name in (
                "width", "height", "fit", "start", "duration", "common_duration", "slow_motion", "drop_repeats",
            )),
        ],
    ),
)"""


@pytest.fixture(scope="module")
def archive(root, tmp_path_factory):
    """A fresh repository of the files that git would keep, packed."""
    tree = tmp_path_factory.mktemp("tree") / "pack"
    left_out = shutil.ignore_patterns(".git", ".venv", ".comfyui", ".downloads", "output", "__pycache__")
    shutil.copytree(root, tree, ignore=left_out, symlinks=True)
    quiet = {**os.environ, "DO_NOT_TRACK": "1", "HOME": str(tree.parent)}
    for command in (["git", "init", "-q"], ["git", "add", "-A"], [sys.executable, "-m", "comfy_cli", "--skip-prompt", "node", "pack"]):
        subprocess.run(command, cwd=tree, env=quiet, check=True, capture_output=True)
    return tree / "node.zip"


@pytest.fixture(scope="module")
def installed(archive, root, tmp_path_factory):
    """A server whose only pack is the archive, with one line of nodes/renames.py filled in as a rename would."""
    base = tmp_path_factory.mktemp("base")
    pack = base / "custom_nodes" / PACK
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(pack)
    renames = pack / "nodes" / "renames.py"
    text, lines = re.subn(r"^(RENAMES: .*) = \(.*\)$", lambda line: f"{line[1]} = {RENAME}", renames.read_text("utf-8"), flags=re.M)
    assert lines == 1
    renames.write_text(text, "utf-8")
    with ComfyServer(base / "log.txt", pack=PACK, base=base, user=base / "user") as running:
        yield running


def fetch(server, path):
    with urllib.request.urlopen(f"http://{server.address}{urllib.parse.quote(path)}", timeout=30) as answer:
        return answer.read()


def node_ids(root):
    return set(re.findall(r'"(CK_\w+)":', (root / "nodes" / "__init__.py").read_text("utf-8")))


def test_comfy_test_passes(installed, root, tmp_path):
    """Its levels syntax, coverage, install, registration, javascript and instantiation, none of which needs a network, on the archive."""
    pack = installed.folders["base"] / "custom_nodes" / PACK
    shutil.copyfile(root / "comfy-test.toml", pack / "comfy-test.toml")
    shutil.copyfile(installed.log, tmp_path / "server.log")  # where it looks for errors of the import
    quiet = {
        **os.environ, "HOME": str(tmp_path), "COMFY_TEST_LOGS_DIR": str(tmp_path), "COMFY_TEST_WORKSPACE_DIR": str(tmp_path),
        "PYTHONPATH": str(comfyui_path()),
    }  # fmt: skip
    command = [sys.executable, "-m", "comfy_test", "run", "--server-url", f"http://{installed.address}", "--level", "instantiation"]
    ran = subprocess.run(command, cwd=pack, env=quiet, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    passed = re.findall(r"^\[([A-Z_]+)\] PASSED$", ran.stdout, re.M)
    assert passed == ["SYNTAX", "COVERAGE", "INSTALL", "REGISTRATION", "JAVASCRIPT", "INSTANTIATION"]


def test_archive_holds_what_a_user_needs_and_is_small(archive):
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
    assert archive.stat().st_size < 15e6
    assert {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "CHANGELOG.md"} <= set(names)
    assert {name.split("/")[0] for name in names if "/" in name} <= {"kinetics", "nodes", "web", "workflows", "locales", "subgraphs"}
    assert not [name for name in names if name.startswith(".")]


def test_every_node_is_there_with_its_help(installed, root):
    told = {name: node for name, node in installed.get("/object_info").items() if name.startswith("CK_")}
    assert set(told) == node_ids(root)
    assert {node["python_module"] for node in told.values()} == {f"custom_nodes.{PACK}"}
    for name in told:
        assert fetch(installed, f"/extensions/{PACK}/docs/{name}.md").startswith(b"# "), name


def test_scripts_workflows_and_thumbnails_are_served(installed, root):
    scripts = {f"/extensions/{PACK}/{path.relative_to(root / 'web').as_posix()}" for path in (root / "web").rglob("*.js")}
    assert scripts <= set(installed.get("/extensions"))
    workflows = {path.stem for path in (root / "workflows").glob("*.json")}
    assert set(installed.get("/api/workflow_templates")[PACK]) == workflows
    for name in workflows:
        assert fetch(installed, f"/api/workflow_templates/{PACK}/{name}.json").startswith(b"{")
        assert fetch(installed, f"/api/workflow_templates/{PACK}/{name}.jpg").startswith(b"\xff\xd8")


def test_a_prompt_with_a_nodes_old_name_runs_as_the_new_one(installed):
    """A sample clip, evened out by a node under the name that it had, in a grid: the file has the rate that the renamed input asked for."""
    assert [entry["new_node_id"] for entry in installed.get("/node_replacements")["CK_EvenOutClip"]] == ["CK_NormaliseClip"]
    prompt = {
        "1": ("CK_SampleClips", {"shot": "hook", "fps": 25, "width": 192, "height": 108, "seed": 0,
                                 "second_person": False, "occlusion": False, "cut": False}),
        "2": ("CK_EvenOutClip", {"clips": ["1", 0], "rate": 12, "width": 192, "height": 108, "fit": "letterbox", "start": 0,
                                 "duration": 0.5, "common_duration": "longest", "slow_motion": 1, "drop_repeats": False}),
        "3": ("CK_GridComposite", {"clips": ["2", 0], "titles": "", "rows": 0, "columns": 0, "tile_width": 192, "tile_height": 108,
                                   "fps": 12, "sync": "start", "short_clips": "hold", "fit": "letterbox"}),
        "4": ("SaveVideo", {"video": ["3", 0], "filename_prefix": "grid", "format": "auto", "codec": "auto"}),
    }  # fmt: skip
    told = {name: {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}} for name, (kind, inputs) in prompt.items()}
    history = installed.run(told)
    assert history["status"]["status_str"] == "success"
    (made,) = (installed.folders["base"] / "output").glob("grid*.mp4")
    info = Clip(made).info
    assert (info.width, info.height) == (192, 108)
    assert info.frame_count == 6  # half a second at the 12 frames a second that the old name's input asked for
