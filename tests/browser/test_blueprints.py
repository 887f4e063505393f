"""The subgraph blueprints: listed by the host, and whole when they are dropped on the canvas: the prompt holds the chain's own nodes."""

from __future__ import annotations

import json

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend

from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import write_sample_clips
from kinetics.video.decode import Clip

ADD = """() => { const graph = window.app.graph, [chain] = graph._nodes, add = (type, at, widgets) => {
    const node = LiteGraph.createNode(type);
    node.pos = at;
    graph.add(node);
    for (const [name, value] of Object.entries(widgets)) node.widgets.find(w => w.name === name).value = value;
    return node;
  };
  add("LoadVideo", [100, 300], { file: "hook.mp4" }).connect(0, chain, chain.inputs.findIndex(i => i.name === "clip"));
  const saved = add("CK_SaveSkeleton", [1100, 300], {});
  chain.connect(chain.outputs.findIndex(o => o.name === "skeleton"), saved, saved.inputs.findIndex(i => i.name === "skeleton"));
  window.ckEnd = null;
  for (const kind of ["execution_success", "execution_error"])
    window.comfyAPI.api.api.addEventListener(kind, (event) => { window.ckEnd ??= [kind, event.detail.exception_message ?? ""] }, { once: true });
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    write_sample_clips(base / "input", shots=["hook"], size=(640, 360))
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


@pytest.mark.browser
@pytest.mark.parametrize("vue_nodes", [False, True], ids=["classic", "nodes2"])
def test_a_blueprint_is_found_placed_wired_and_run(server, vue_nodes):
    """As a person does it: double-click, type its name, Enter, place it; a clip in front, its skeleton saved behind; Run."""
    with open_frontend(server.address, vue_nodes=vue_nodes) as frontend:
        page = frontend.page
        page.evaluate("window.app.graph.clear()")
        page.mouse.dblclick(800, 500)
        page.keyboard.type("Skeleton from Clip", delay=30)
        page.get_by_text("Subgraph Blueprints / Correlated Kinetics").first.wait_for(timeout=15_000)
        page.keyboard.press("Enter")
        page.wait_for_function("() => window.app.graph._nodes.length === 1", timeout=15_000)
        page.mouse.click(800, 500)
        assert page.evaluate("() => window.app.graph._nodes.map(n => [n.title, n.isSubgraphNode?.()])") == [["Skeleton from Clip", True]]
        page.evaluate(ADD)
        page.get_by_test_id("queue-button").click()
        page.wait_for_function("() => window.ckEnd", timeout=300_000)
        assert page.evaluate("() => window.ckEnd") == ["execution_success", ""]
        assert frontend.errors == []
    saved = [PoseSequence.load(path) for path in server.folders["output"].rglob("*.json")]
    assert len(saved) >= 1 and all(len(pose) == Clip(server.folders["input"] / "hook.mp4").info.frame_count for pose in saved)
