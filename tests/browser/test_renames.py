"""A workflow saved under a node's old name: the canvas offers the new one and keeps its values and links."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend

#: The one line that a rename adds.
RENAME = '(io.NodeReplace(new_node_id="CK_NormaliseClip", old_node_id="CK_EvenOutClip"),)'


@pytest.fixture(scope="module")
def server(tmp_path_factory, root):
    """A server with a copy of the pack in which Normalise Clip had another name before."""
    base = tmp_path_factory.mktemp("base")
    pack = base / "custom_nodes" / "renamed"
    for folder in ("kinetics", "nodes", "web"):
        shutil.copytree(root / folder, pack / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(root / "__init__.py", pack / "__init__.py")
    renames = pack / "nodes" / "renames.py"
    text, lines = re.subn(r"^(RENAMES: .*) = \(.*\)$", lambda line: f"{line[1]} = {RENAME}", renames.read_text("utf-8"), flags=re.M)
    assert lines == 1
    renames.write_text(text, "utf-8")
    with ComfyServer(base / "log.txt", pack=pack.name, base=base, user=base / "user") as running:
        yield running


@pytest.mark.browser
@pytest.mark.parametrize("vue_nodes", [False, True], ids=["classic", "nodes2"])
def test_a_workflow_with_the_old_name_is_mended_by_one_press(server, root, tmp_path, vue_nodes):
    old = tmp_path / "old.json"
    old.write_text((root / "workflows" / "six_shots.json").read_text("utf-8").replace("CK_NormaliseClip", "CK_EvenOutClip"), "utf-8")
    kept = json.loads((root / "workflows" / "api" / "six_shots.json").read_text("utf-8"))
    with open_frontend(server.address, vue_nodes=vue_nodes) as frontend:
        assert [node["type"] for node in frontend.drop(old) if not node["known"]] == ["CK_EvenOutClip"]
        frontend.page.get_by_text("View details").first.click()
        frontend.page.get_by_text("Replace All").first.click()
        frontend.page.wait_for_function("() => window.app.graph._nodes.every(node => node.type !== 'CK_EvenOutClip')")
        made = frontend.export_api()
    (number,) = (name for name, node in kept.items() if node["class_type"] == "CK_NormaliseClip")
    assert made[number] == kept[number]  # every value, and the link that comes in
    followers = {name for name, node in kept.items() if [number, 0] in node["inputs"].values()}
    assert followers and {name for name, node in made.items() if [number, 0] in node["inputs"].values()} == followers
