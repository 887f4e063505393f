"""Makes the subgraph blueprints out of shared workflows with the host's own front end: run it after those workflows were edited."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from comfy_server import ROOT, ComfyServer
from frontend import open_frontend

#: By name: the workflow, the nodes that go in, what it does, and the widgets that stay outside.
BLUEPRINTS = {
    "Skeleton from Clip": (
        "clip_player", ["CK_ExtractSkeleton", "CK_CleanSkeleton"], "Finds the batter in a clip, follows that one person, and cleans the skeleton.",
        [("CK_ExtractSkeleton", "chosen"), ("CK_ExtractSkeleton", "subject"), ("CK_CleanSkeleton", "confidence"), ("CK_CleanSkeleton", "fill_gap")],
    ),
    "Bat Speed": (
        "clip_player", ["CK_ExtractSkeleton", "CK_CleanSkeleton", "CK_TrackCamera", "CK_TrackBat", "CK_MeasureSwing"],
        "From a clip to the swing: the batter's skeleton, the camera's movement, the bat, its tip speed and angular velocity with their errors.",
        [("CK_ExtractSkeleton", "chosen"), ("CK_TrackBat", "marks"), ("CK_MeasureSwing", "unit"), ("CK_MeasureSwing", "exposure")],
    ),
    "Compare Two Clips": (
        "path_explorer", ["CK_ExtractSkeleton", "CK_CompareShots"], "From two clips to their correlation path: both skeletons, laid on each other in space and time.",
        [("CK_CompareShots", "band"), ("CK_CompareShots", "mirror"), ("CK_CompareShots", "from_pelvis")],
    ),
    "Composite in Step": (
        "clip_player", ["CK_PlayInStep", "CK_GridComposite"], "Several measured shots side by side, so that they reach impact together.",
        [("CK_PlayInStep", "sync"), ("CK_GridComposite", "titles"), ("CK_GridComposite", "fps")],
    ),
}  # fmt: skip

_CONVERT = """([types, name, description, outside]) => {
  const graph = window.app.graph, taken = new Set();
  for (const type of types) for (const node of graph._nodes.filter(n => n.type === type)) {
    if (type !== "CK_GridComposite" || node.title === "Shots side by side") taken.add(node);
  }
  const kept = [...taken].map(node => [node.type, String(node.id)]);
  const { subgraph, node } = graph.convertToSubgraph(taken);
  subgraph.name = node.title = name;
  node.properties.proxyWidgets = outside.map(([type, widget]) => [kept.find(([own]) => own === type)[1], widget]);
  for (const other of [...graph._nodes]) if (other !== node) graph.remove(other);
  for (const group of [...graph._groups]) graph.remove(group);
  node.pos = [100, 100];
  const made = graph.serialize();
  for (const own of made.definitions.subgraphs) Object.assign(own, { name, description, category: "Correlated Kinetics" });
  return { revision: 0, last_node_id: made.last_node_id, last_link_id: 0, nodes: made.nodes, links: [], version: 0.4, definitions: made.definitions, extra: {} };
}"""


def export() -> None:
    folder = ROOT / "subgraphs"
    folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        ComfyServer(Path(scratch, "log"), user=Path(scratch, "user")) as server,
        open_frontend(server.address) as frontend,
    ):
        for name, (workflow, types, description, outside) in BLUEPRINTS.items():
            frontend.drop(ROOT / "workflows" / f"{workflow}.json")
            made = frontend.page.evaluate(_CONVERT, [types, name, description, outside])
            path = folder / f"{name}.json"
            path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    export()
