"""A real ComfyUI server per test module, with its own folders; the sample clips lie in its input folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from comfy_server import ComfyServer


def pytest_collection_modifyitems(items):
    for item in items:
        if "host" in item.path.parts:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="module")
def server(tmp_path_factory, sample_clips):
    base = tmp_path_factory.mktemp("host")
    folder = base / "input" / "correlated_kinetics" / "sample_clips"
    folder.mkdir(parents=True)
    for clip in sample_clips:
        shutil.copyfile(clip, folder / clip.name)
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.fixture(scope="session")
def run_in_host(tmp_path_factory):
    """Runs a script of this folder in a process of the host; what it printed last, read as JSON."""

    def run(script: str) -> dict:
        command = [sys.executable, Path(__file__).with_name(script), tmp_path_factory.mktemp("host")]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-4000:]
        return json.loads(ran.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def api_form(root):
    """The API form of a workflow, by name."""

    def load(name: str) -> dict:
        return json.loads((root / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))

    return load


@pytest.fixture
def saved(server):
    """Paths of the files that a run put into the output folder, by the name without the host's number."""

    def find(history: dict) -> dict:
        files = {}
        for output in history["outputs"].values():
            for entry in output.get("images", ()):
                if entry["type"] == "output":
                    files[re.sub(r"_\d{5}_", "", entry["filename"])] = server.folders["output"] / entry["subfolder"] / entry["filename"]
        return files

    return find
