"""The real front end in another language: the pack's nodes speak it, in both rendering modes, and the prompt stays the same."""

from __future__ import annotations

import json

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend

LABELS = (
    "() => Object.fromEntries(window.app.graph._nodes.filter(n => n.type.startsWith('CK_')).map(n => [n.type, {"
    " title: n.title, category: n.constructor.category, inputs: Object.fromEntries((n.inputs || []).map(i => [i.name, i.localized_name])),"
    " widgets: Object.fromEntries((n.widgets || []).map(w => [w.name, w.label]))}]))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.mark.browser
@pytest.mark.parametrize("vue_nodes", [False, True], ids=["classic", "nodes2"])
@pytest.mark.parametrize("language", ["es", "zh"])
def test_front_end_shows_the_language(language, vue_nodes, server, root):
    words, main = (
        json.loads((root / "locales" / language / file).read_text(encoding="utf-8")) for file in ("nodeDefs.json", "main.json")
    )  # fmt: skip
    server.post("/api/settings", {"Comfy.Locale": language})
    with open_frontend(server.address, vue_nodes=vue_nodes) as frontend:
        frontend.drop(root / "workflows" / "bat_speed.json")
        shown = frontend.page.evaluate(LABELS)
        exported = frontend.export_api()
        shots = root / "tests" / "artefacts"
        shots.mkdir(exist_ok=True)
        frontend.page.evaluate("() => { window.app.canvas.ds.scale = 0.9; window.app.canvas.setDirty(true, true) }")
        frontend.page.wait_for_timeout(500)
        frontend.page.screenshot(path=shots / f"bat_speed_{language}_{'nodes2' if vue_nodes else 'classic'}.png")
        assert frontend.errors == []
    for kind in ("CK_ExtractSkeleton", "CK_TrackBat", "CK_MeasureSwing"):
        told, node = words[kind], shown[kind]
        assert node["title"] == told["display_name"]
        assert node["category"].split("/")[1] in main["nodeCategories"].values()
        for name, label in (node["inputs"] | node["widgets"]).items():
            key = name.replace(".", "_")  # as the front end looks up an input inside a choice
            if key in told["inputs"]:
                assert label == told["inputs"][key]["name"], name
    kept = json.loads((root / "workflows" / "api" / "bat_speed.json").read_text(encoding="utf-8"))
    assert without_titles(exported) == without_titles(kept)


def without_titles(prompt: dict) -> dict:
    return {number: {key: value for key, value in node.items() if key != "_meta"} for number, node in prompt.items()}
