"""Every shared workflow that can run without large models: dropped, shrunk, queued by its button, and what each node then shows, in both modes.

One server, one page per mode: the second page's run is answered from the host's cache, and so is what one workflow measured of a clip for the next.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comfy_server import ComfyServer
from frontend import Frontend, open_browser
from style_world import write_world
from tiny_style import write_style, write_upscaler

from kinetics.synthetic import write_sample_clips

#: Those that measure the same clips follow each other. The templates for SDXL, Wan and Qwen-Image are not among them: their models are too large to be run here.
WORKFLOWS = (
    "six_shots", "skeleton_interchange", "bat_speed", "kinetic_chain", "six_shots_in_step", "clip_player", "stabilise_and_align", "compare_two_shots",
    "path_explorer", "find_shot", "build_style_dataset", "train_style_lora", "score_style", "style_frames_sd15", "style_frames_long", "full_journey",
    "restore_and_upscale", "archive_search",
)  # fmt: skip
TILE = {"tile_width": 160, "tile_height": 90}
TRAINING = {"steps": 2, "batch": 1, "rank": 4, "evaluate_every": 0, "warmup": 0, "picture_steps": 1, "picture_poses": 0}
#: Widgets set after the drop, so that a run takes seconds. Drawn clips are made alike in all graphs, so that the host measures each once.
SMALL = {
    "CK_SampleClips": {"width": 640, "height": 360, "seed": 0, "second_person": False}, "CK_NormaliseClip": {"width": 320, "height": 180},
    "CK_GridComposite": TILE, "CK_SaveGIF": {"width": 160, "fps": 5}, "KSampler": {"steps": 2},
    "CK_PoseHints": {"time": "number of frames", "time.frames": 4, "width": 64, "height": 64}, "CK_PoseConditionedFrames": {"steps": 2, "chunk": 4},
    "CK_BuildStyleDataset": {"resolution": 64, "frames_per_clip": 3, "held_out": 0}, "CK_TrainStyleLoRA": TRAINING,
    "CK_LoadStyleDataset": {"folder": "output/correlated_kinetics/style_00001_dataset"},
}  # fmt: skip

#: Restoring takes seconds a frame of a real clip's size.
OWN = {"restore_and_upscale": {"CK_SampleClips": {"width": 160, "height": 96}}}

SET = """(small) => { for (const node of window.app.graph._nodes) for (const [name, value] of Object.entries(small[node.type] ?? {})) {
  const widget = node.widgets.find(w => w.name === name);
  widget.value = value;
  widget.callback?.(value);
} }"""
WATCH = """() => { const api = window.comfyAPI.api.api; window.ckEnd = null;
  for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
    api.addEventListener(kind, (event) => { window.ckEnd ??= [kind, event.detail.exception_message ?? "", event.detail.node_type ?? ""] }, {once: true}) }"""
#: Files that a run leaves in the output folder, and that bring their graph back.
SAVED = {"bat_speed": ("bat_path", "image/png"), "style_frames_long": ("long_frames", "video/mp4")}
#: Per node that ran: its type, what it was given to show, and the pictures and videos that have loaded in it.
SHOWN = """(vue) => window.app.graph._nodes.filter(node => node.mode === 0 && !/Note$/.test(node.type)).map(node => {
  const given = window.app.nodeOutputs[node.id] ?? {}, files = given.images ?? [];
  const inside = vue ? [...document.querySelectorAll(`[data-node-id="${node.id}"] :is(img, video)`)]
    : [...(node.imgs ?? []), ...(node.videoContainer ? [...node.videoContainer.querySelectorAll("video")] : [])];
  const loaded = inside.filter(shown => shown instanceof HTMLVideoElement ? shown.readyState >= 2 : shown.naturalWidth > 0);
  const told = node.widgets?.find(widget => widget.told)?.told.textContent ?? null;
  return {type: node.type, text: /^CK_/.test(node.type) ? given.text?.join("\\n") ?? null : null, told, kinds: Object.keys(given), files: files.length, elements: inside.length, loaded: loaded.length};
})"""

#: Nodes that with all that they show reach out of the group in which they begin.
SPILT = """() => window.app.graph._nodes.filter(node => {
  const group = window.app.graph._groups.find(({ pos: [x, y], size: [w, h] }) => node.pos[0] >= x && node.pos[0] < x + w && node.pos[1] >= y && node.pos[1] < y + h);
  return group && (node.pos[0] + node.size[0] > group.pos[0] + group.size[0] || node.pos[1] + node.size[1] > group.pos[1] + group.size[1]);
}).map(node => [node.type, [...node.pos], [...node.size]])"""


@pytest.fixture(scope="module")
def server(root, tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    write_sample_clips(base / "input" / "correlated_kinetics" / "sample_clips", shots=["cover_drive", "off_drive"], size=(640, 360))
    models, host = base / "models", os.environ.get("COMFYUI_PATH") or root / ".comfyui" / "ComfyUI"
    subprocess.run([sys.executable, root / "tests" / "host" / "tiny_models.py", root, host, models], check=True)
    write_style(models / "loras" / "ck_style_00001.safetensors")
    write_upscaler(models / "upscale_models" / "RealESRGAN_x4plus.safetensors")
    write_world(base / "output" / "correlated_kinetics" / "style_00001_dataset", clips=2, per_clip=2)
    with ComfyServer(base / "log.txt", models=models, **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.fixture(scope="module")
def pages(server):
    """A page in classic mode and one in Nodes 2.0; the mode is read when a page loads."""
    with open_browser() as browser:
        yield [
            Frontend(browser.new_context(viewport={"width": 1600, "height": 1000}).new_page(), server.address, vue_nodes) for vue_nodes in (False, True)
        ]


@pytest.mark.browser
@pytest.mark.parametrize("name", WORKFLOWS)
def test_run_by_the_button_every_node_shows_its_result(name, pages, server, root):
    shots = root / "tests" / "artefacts"
    shots.mkdir(exist_ok=True)
    for frontend in pages:
        page = frontend.page
        frontend.drop(root / "workflows" / f"{name}.json")
        page.evaluate(SET, SMALL | OWN.get(name, {}))
        asked = frontend.export_api()
        page.evaluate(WATCH)
        page.get_by_test_id("queue-button").click()
        page.wait_for_function("() => window.ckEnd", timeout=600_000, polling=500)
        assert page.evaluate("() => window.ckEnd")[0] == "execution_success", page.evaluate("() => window.ckEnd")
        frontend.show_all()
        deadline = time.monotonic() + 30  # pictures and videos of a busy machine
        while any(node["files"] and not node["loaded"] for node in page.evaluate(SHOWN, frontend.vue_nodes)) and time.monotonic() < deadline:
            page.wait_for_timeout(500)
        shown = page.evaluate(SHOWN, frontend.vue_nodes)
        page.screenshot(path=shots / f"run_{name}_{'nodes2' if frontend.vue_nodes else 'classic'}.png")
        assert [node for node in shown if node["files"] and not node["loaded"]] == []
        assert [node for node in shown if node["text"] != node["told"]] == []
        assert page.evaluate(SPILT) == []
        assert page.get_by_text("failed to load").count() == 0
        if name in SAVED:
            check_dropped_back(frontend, asked, server.folders["output"], *SAVED[name])
        assert frontend.errors == []
        page.evaluate("window.app.graph.clear()")  # its videos would play on, and take the processor from what runs next


def check_dropped_back(frontend: Frontend, asked: dict, folder: Path, prefix: str, kind: str) -> None:
    """The file alone, dropped on an empty canvas, restores what made it."""
    frontend.page.evaluate("window.app.graph.clear()")
    frontend.drop_media(max(folder.rglob(f"{prefix}_*.{kind[-3:]}"), key=lambda path: path.stat().st_mtime), kind)
    frontend.page.wait_for_function("count => window.app.graph._nodes.filter(node => node.mode === 0).length >= count", arg=len(asked), timeout=30_000)
    assert frontend.export_api() == asked
