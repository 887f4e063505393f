"""The host's own front end in a real browser: workflows dropped on the canvas, exported, and run from its button."""

from __future__ import annotations

import json
import shutil

import pytest
from comfy_server import ComfyServer
from frontend import open_frontend


@pytest.fixture(scope="module")
def server(tmp_path_factory, sample_clips, root):
    base = tmp_path_factory.mktemp("host")
    folder = base / "input" / "correlated_kinetics" / "sample_clips"
    folder.mkdir(parents=True)
    for clip in sample_clips[:2]:
        shutil.copyfile(clip, folder / clip.name)
    # The files that workflows name are only listed here, never loaded: the front end marks a node whose model is missing.
    named = {("checkpoints", "v1-5-pruned-emaonly-fp16.safetensors"), ("controlnet", "control_v11p_sd15_openpose_fp16.safetensors"), ("loras", "ck_style_00001.safetensors")}
    for workflow in (root / "workflows").glob("*.json"):
        for node in json.loads(workflow.read_text(encoding="utf-8"))["nodes"]:
            named |= {(model["directory"], model["name"]) for model in node["properties"].get("models", ())}
    for kind, name in named:
        (base / "models" / kind).mkdir(parents=True, exist_ok=True)
        (base / "models" / kind / name).touch()
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user", "models")}) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["classic", "nodes2"])
def frontend(server, request):
    with open_frontend(server.address, vue_nodes=request.param) as opened:
        yield opened


@pytest.mark.browser
def test_workflows_dropped_on_the_canvas_are_whole_and_export_their_api_form(frontend, root):
    workflows = sorted((root / "workflows").glob("*.json"))
    assert [path.name for path in workflows] == sorted(path.name for path in (root / "workflows" / "api").glob("*.json"))
    for workflow in workflows:
        nodes = frontend.drop(workflow)
        written = json.loads(workflow.read_text(encoding="utf-8"))["nodes"]
        assert sorted(node["type"] for node in nodes) == sorted(node["type"] for node in written)
        assert [node for node in nodes if node["broken"] or not node["known"]] == []
        kept = json.loads((root / "workflows" / "api" / workflow.name).read_text(encoding="utf-8"))
        assert frontend.export_api() == kept, f"run scripts/export_workflows.py {workflow.stem}"
    assert frontend.errors == []


@pytest.mark.browser
def test_run_from_the_button_shows_previews(frontend, root, server):
    frontend.drop(root / "workflows" / "six_shots.json")
    frontend.queue()
    frontend.page.wait_for_function(
        "() => { const find = (type) => window.app.graph._nodes.filter(n => n.type === type);"
        " return [...find('CK_SaveGIF'), ...find('CK_ExtractSkeleton')].every(n => window.app.nodeOutputs[n.id]?.images?.length) }",
        timeout=900_000,
    )
    frontend.page.wait_for_timeout(2000)
    frontend.show_all()
    shots = root / "tests" / "artefacts"
    shots.mkdir(exist_ok=True)
    frontend.page.screenshot(path=shots / f"six_shots_{'nodes2' if frontend.vue_nodes else 'classic'}.png")
    shown = frontend.page.evaluate(
        "() => window.app.graph._nodes.filter(n => n.type.startsWith('CK_')).map(n => [n.type, (window.app.nodeOutputs[n.id]?.images || []).length])"
    )
    assert [kind for kind, count in shown if count == 0] == []
    assert frontend.page.get_by_text("failed to load").count() == 0
    assert frontend.errors == []


@pytest.mark.browser
def test_saved_video_dropped_on_an_empty_canvas_brings_its_graph_back(frontend, root, server):
    """Sample clips, normalised and put side by side, saved by core's Save Video: the file alone restores what made it."""
    page = frontend.page
    page.evaluate(
        """() => { const graph = window.app.graph, L = window.LiteGraph; graph.clear();
        const add = (type) => { const node = L.createNode(type); graph.add(node); return node };
        const clips = add('CK_LoadClips'), grid = add('CK_GridComposite'), save = add('SaveVideo');
        clips.widgets.find(w => w.name === 'folder').value = 'correlated_kinetics/sample_clips';
        grid.widgets.find(w => w.name === 'tile_width').value = 128; grid.widgets.find(w => w.name === 'tile_height').value = 72;
        clips.connect(0, grid, 0); grid.connect(0, save, 0); save.widgets.find(w => w.name === 'filename_prefix').value = 'carried' }"""
    )
    before = frontend.export_api()
    frontend.queue()
    page.wait_for_function("() => Object.values(window.app.nodeOutputs).some(o => o?.images?.some(i => i.filename?.startsWith('carried')))", timeout=300_000)
    saved = max((server.folders["output"]).glob("carried_*.mp4"), key=lambda path: path.stat().st_mtime)
    page.evaluate("window.app.graph.clear()")
    frontend.drop_media(saved, "video/mp4")
    page.wait_for_function("() => window.app.graph._nodes.length === 3", timeout=30_000)
    assert frontend.export_api() == before
    assert frontend.errors == []
