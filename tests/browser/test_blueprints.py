"""The subgraph blueprints: listed by the host, added from the front end's own library, and run as the plain chain would be."""

from __future__ import annotations

import json
import shutil

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend

from kinetics.pose_sequence import PoseSequence


@pytest.fixture(scope="module")
def server(tmp_path_factory, sample_clips):
    base = tmp_path_factory.mktemp("host")
    folder = base / "input" / "correlated_kinetics" / "sample_clips"
    folder.mkdir(parents=True)
    shutil.copyfile(sample_clips[0], folder / sample_clips[0].name)
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


ADD = """async ([name, source, sink]) => {
  const graph = window.app.graph, L = window.LiteGraph;
  graph.clear();
  const type = Object.keys(L.registered_node_types).find(key => key.startsWith("SubgraphBlueprint.") && key.endsWith(name));
  if (!type) return null;
  const node = L.createNode(type);
  graph.add(node);
  const clips = L.createNode(source), save = L.createNode(sink);
  graph.add(clips);
  graph.add(save);
  clips.connect(0, node, 0);
  node.connect(0, save, 0);
  return type;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("vue_nodes", [False, True], ids=["classic", "nodes2"])
def test_blueprints_are_whole_and_one_runs(server, root, vue_nodes):
    files = sorted((root / "subgraphs").glob("*.json"))
    listed = {entry["name"] for entry in server.get("/global_subgraphs").values() if entry["source"] == "custom_node"}
    assert {path.stem for path in files} == listed
    with open_frontend(server.address, vue_nodes=vue_nodes) as frontend:
        for path in files:
            nodes = frontend.drop(path)
            inner = sorted(node["type"] for node in json.loads(path.read_text(encoding="utf-8"))["definitions"]["subgraphs"][0]["nodes"])
            assert [node for node in nodes if node["broken"] or not node["known"]] == []
            assert sorted(node["class_type"] for node in frontend.export_api().values()) == inner
        added = frontend.page.evaluate(ADD, ["Skeleton from Clip", "CK_LoadClips", "CK_SaveSkeleton"])
        assert added is not None, "the library doesn't hold the blueprint"
        prompt = frontend.export_api()
        assert sorted(node["class_type"] for node in prompt.values()) == ["CK_CleanSkeleton", "CK_ExtractSkeleton", "CK_LoadClips", "CK_SaveSkeleton"]
        history = server.run(prompt)
        assert frontend.errors == []
    saved = sorted((server.folders["output"] / "correlated_kinetics").glob("pose_*.json"))
    assert history["status"]["status_str"] == "success" and saved
    pose = PoseSequence.load(saved[-1])
    assert [step["step"] for step in pose.provenance["steps"]][-1] and len(pose) == 75
