"""The subgraph blueprints: listed by the host, and whole when they are dropped on the canvas: the prompt holds the chain's own nodes."""

from __future__ import annotations

import json

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.mark.browser
@pytest.mark.parametrize("vue_nodes", [False, True], ids=["classic", "nodes2"])
def test_blueprints_are_listed_and_whole(server, root, vue_nodes):
    files = sorted((root / "subgraphs").glob("*.json"))
    listed = {entry["name"] for entry in server.get("/global_subgraphs").values() if entry["source"] == "custom_node"}
    assert {path.stem for path in files} == listed
    with open_frontend(server.address, vue_nodes=vue_nodes) as frontend:
        for path in files:
            nodes = frontend.drop(path)
            inner = sorted(node["type"] for node in json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"][0]["nodes"])
            assert [node for node in nodes if node["broken"] or not node["known"]] == []
            assert sorted(node["class_type"] for node in frontend.export_api().values()) == inner
        assert frontend.errors == []
