"""Takes the help pages' pictures again: runs the shared workflows in the real front end and crops each node out of the canvas.

python scripts/node_pictures.py [WORKFLOW ...] [--clips FOLDER] [--only NODE_ID]
Without names all workflows run, one at a time (half an hour on two cores). --clips takes sample clips that are drawn already.
The pictures of Clip Player, Path Explorer and Publish Page show what they open, not the node: those are not taken here.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from comfy_server import ROOT, ComfyServer
from frontend import Frontend, open_frontend
from PIL import Image

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]

PICTURES = ROOT / "web" / "docs" / "pictures"
#: A page is read in a narrow panel over a slow line: no picture is larger, in bytes and in pixels.
MOST_BYTES, MOST_WIDTH, MOST_HEIGHT = 60_000, 640, 1000
#: The window, and where in it a node is put: clear of the front end's own bars.
WINDOW, CORNER, MARGIN = (1700, 1700), (90, 200), 10
SAMPLES = Path("correlated_kinetics") / "sample_clips"
#: The picture that a node shows is loaded when the node first comes into view.
SHOWN = """(id) => {
    const node = window.app.graph.getNodeById(id);
    const films = (node.widgets || []).some(w => w.element && w.element.querySelector && w.element.querySelector('video'));
    return !window.app.nodeOutputs[id]?.images?.length || films || (node.imgs?.length && node.imgs.every(i => i.complete));
}"""
#: As high as its first picture needs at the node's width: no dead room, and nothing smaller than it could be.
FIT = """(id) => {
    const node = window.app.graph.getNodeById(id);
    const room = (node.widgets || []).find(w => w.name.startsWith('$$canvas-image'));
    if (node.imgs?.length && room) {
        node.imageIndex = 0;
        const height = node.size[0] * node.imgs[0].naturalHeight / node.imgs[0].naturalWidth + 30;
        node.setSize([node.size[0], node.size[1] + height - room.computedHeight]);
    } else if (!node.imgs && !(node.widgets || []).some(w => w.element)) {
        node.setSize([node.size[0], node.computeSize()[1]]);
    }
    window.app.canvas.setDirty(true, true);
}"""
#: A film's preview shows the middle of the stroke, and stands still.
HALT = """async () => {
    for (const video of document.querySelectorAll('video')) {
        video.pause();
        video.controls = false;
        if (video.duration) video.currentTime = 0.55 * video.duration;
    }
    await new Promise((done) => setTimeout(done, 1500));
}"""
WATCH = """(type) => {
    const node = window.app.graph._nodes.find(n => n.type === type);
    const preview = LiteGraph.createNode('PreviewAny');
    preview.pos = [-9000, -9000];
    window.app.graph.add(preview);
    node.connect(node.outputs.length - 1, preview, 0);
}"""
PLACE = """([id, x, y]) => {
    const node = window.app.graph.getNodeById(id);
    node.title = node.constructor.title;
    window.app.canvas.deselectAll();
    window.app.canvas.ds.scale = 1;
    window.app.canvas.ds.offset = [x - node.pos[0], y - node.pos[1]];
    window.app.canvas.setDirty(true, true);
}"""


@dataclass(frozen=True)
class Job:
    """What is taken from one shared workflow.

    Attributes
    ----------
    nodes : tuple of str
        Node ids without ``CK_``; of several of one kind the first is taken.
    clips : int
        So many sample clips lie in the folder that Load Clips reads.
    run : bool
        Off: the nodes are shown as they stand in the graph, because what a tiny model makes would mislead.
    muted : tuple of str
        Node types that don't run: they need models of several gigabytes.
    watched : tuple of str
        Nodes (as in ``nodes``) whose results nothing else takes; they get a text preview, far off, so that they run.
    """

    nodes: tuple[str, ...]
    clips: int = 6
    run: bool = True
    muted: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()


GENERATING = (
    "CheckpointLoaderSimple", "ControlNetLoader", "CLIPTextEncode", "StringConcatenate", "CK_ApplyBattingStyle", "CK_PoseConditionedFrames",
    "CK_DrawSkeleton", "CreateList", "CK_GridComposite", "SaveVideo", "PreviewAny",
)  # fmt: skip
LEARNING = ("CheckpointLoaderSimple", "ControlNetLoader", "CK_TrainStyleLoRA", "LossGraphNode", "SaveImage")
JOBS = {
    "six_shots": Job(("LoadClips", "NormaliseClip", "GridComposite", "SaveGIF")),
    "skeleton_interchange": Job(("SampleClips", "FindPeople", "ExtractSkeleton", "SkeletonToKeypoints", "KeypointsToSkeleton", "SaveSkeleton", "LoadSkeleton")),
    "bat_speed": Job(("CleanSkeleton", "TrackBat", "MeasureSwing", "TrajectoryPlot", "DrawSwing", "SaveSwing"), clips=1, watched=("TrajectoryPlot",)),
    "stabilise_and_align": Job(("TrackCamera", "StabiliseSkeleton", "StabiliseClip", "AlignSkeletons", "DrawSkeleton")),
    "compare_two_shots": Job(("CompareShots", "WarpShot", "OverlaySkeletons", "SaveAnalysis")),
    "find_shot": Job(("FindShot",)),
    "archive_search": Job(("BuildArchive", "ArchiveSearch", "ArchiveBrowser")),
    "kinetic_chain": Job(("KineticChain", "ShotSimilarity")),
    "six_shots_in_step": Job(("PlayInStep",), run=False),
    "build_style_dataset": Job(("BuildStyleDataset",), clips=2),
    "train_style_lora": Job(("LoadStyleDataset", "ReadLoRAInfo"), muted=LEARNING, watched=("LoadStyleDataset",)),
    "restore_and_upscale": Job(("RestoreFootage", "UpscaleClip")),
    "style_frames_long": Job(("PoseHints",), muted=GENERATING, watched=("PoseHints",)),
    "full_journey": Job(("TrainStyleLoRA", "ApplyBattingStyle", "PoseConditionedFrames"), run=False),
    "score_style": Job(("ScoreFrames",), muted=("CheckpointLoaderSimple", "ControlNetLoader", "CK_LoadStyleDataset", "CK_ScoreStyle")),
}
#: Shown as they stand, after their workflow ran without them.
STANDING = {"score_style": ("ScoreStyle",)}


def write_models(folder: Path) -> None:
    """A small LoRA and a small enlarger that are read; the files of large models are only listed, never loaded."""
    from tiny_style import write_style, write_upscaler

    write_style(folder / "loras" / "ck_style_00001.safetensors", rank=16)
    write_upscaler(folder / "upscale_models" / "RealESRGAN_x4plus.safetensors")
    named = {("checkpoints", "v1-5-pruned-emaonly-fp16.safetensors"), ("controlnet", "control_v11p_sd15_openpose_fp16.safetensors")}
    for workflow in JOBS:
        for node in read_workflow(workflow)["nodes"]:
            named |= {(model["directory"], model["name"]) for model in node.get("properties", {}).get("models", ())}
    for kind, name in named:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / name).touch()


def read_workflow(name: str) -> dict:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


def prepare(name: str, job: Job, folder: Path) -> Path:
    """The workflow as it is shared, with the nodes muted that don't run, and with files in place of what those would hand on."""
    graph = read_workflow(name)
    for node in graph["nodes"]:
        if node["type"] in job.muted:
            node["mode"] = 2
        if name == "train_style_lora" and node["type"] == "CK_LoadStyleDataset":
            node["widgets_values"] = ["output/correlated_kinetics/style_00001_dataset"]
        if name == "train_style_lora" and node["type"] == "CK_ReadLoRAInfo":
            node["widgets_values"] = ["ck_style_00001.safetensors"]
            cut = {entry["link"] for entry in node["inputs"] if entry["name"] == "file"}
            node["inputs"] = [entry for entry in node["inputs"] if entry["name"] != "file"]
            graph["links"] = [link for link in graph["links"] if link[0] not in cut]
            for other in graph["nodes"]:
                for output in other.get("outputs") or ():
                    output["links"] = [link for link in output.get("links") or () if link not in cut]
    path = folder / f"{name}.json"
    path.write_text(json.dumps(graph), encoding="utf-8")
    return path


def run_to_end(frontend: Frontend, server: ComfyServer, minutes: float = 40) -> None:
    """Press Run, and wait until nothing is left to do.

    Raises
    ------
    RuntimeError
        When the host refuses the graph or a node fails.
    """
    before, idle = set(server.get("/history")), 0
    frontend.queue()
    deadline = time.monotonic() + 60 * minutes
    while time.monotonic() < deadline:
        frontend.page.wait_for_timeout(1000)
        done = {job: entry for job, entry in server.get("/history").items() if job not in before}
        if done:
            status = next(iter(done.values()))["status"]
            if status["status_str"] != "success":
                raise RuntimeError(f"The workflow failed: {status['messages'][-1]}")
            return
        waiting = server.get("/queue")
        idle = 0 if waiting["queue_running"] or waiting["queue_pending"] else idle + 1
        if idle > 15:
            raise RuntimeError(f"The host took no job from the graph; its reason stands in {server.log}.")
    raise RuntimeError(f"The workflow did not end within {minutes} minutes.")


def take(frontend: Frontend, kind: str) -> Image.Image:
    """The node, cropped out of the canvas."""
    nodes = frontend.page.evaluate("() => window.app.graph._nodes.map(n => [n.id, n.type])")
    number = next(number for number, name in nodes if name == f"CK_{kind}")
    frontend.page.evaluate(PLACE, [number, *CORNER])
    frontend.page.wait_for_timeout(1000)
    frontend.page.wait_for_function(SHOWN, arg=number, timeout=30_000)
    frontend.page.wait_for_timeout(500)
    frontend.page.evaluate(FIT, number)
    frontend.page.evaluate(HALT)
    width, height = frontend.page.evaluate("(id) => [...window.app.graph.getNodeById(id).size]", number)  # drawn by now: the host may have let it grow again
    x, y = CORNER[0] - MARGIN, CORNER[1] - 30 - MARGIN  # the title bar stands 30 px above a node's place
    shot = frontend.page.screenshot(clip={"x": x, "y": y, "width": width + 2 * MARGIN, "height": min(height + 30 + 2 * MARGIN, WINDOW[1] - y)})
    return Image.open(io.BytesIO(shot)).convert("RGB")


def write_picture(picture: Image.Image, path: Path) -> None:
    """As a JPEG within the bounds, as good as they allow."""
    share = min(1.0, MOST_WIDTH / picture.width, MOST_HEIGHT / picture.height)
    if share < 1:
        picture = picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)
    for quality in range(88, 30, -4):
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
        if data.tell() <= MOST_BYTES:
            break
    path.write_bytes(data.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workflows", nargs="*", help="Names of shared workflows; without any, all.")
    parser.add_argument("--clips", type=Path, help="A folder with the six sample clips; without it they are drawn.")
    parser.add_argument("--only", action="append", help="Take this node's picture alone, for example CK_TrackBat.")
    parser.add_argument("--folder", type=Path, help="Keep the server's folders here, so that a later call goes on from them.")
    told = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        base = told.folder or Path(scratch)
        clips = base / "clips"
        if told.clips is None and not clips.exists():
            from kinetics.synthetic import write_sample_clips

            write_sample_clips(clips)
        films = sorted((told.clips or clips).glob("*.mp4"))
        write_models(base / "models")
        with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user", "models")}) as server:
            for name in told.workflows or JOBS:
                take_workflow(server, name, JOBS[name], films, base, told.only)


def take_workflow(server: ComfyServer, name: str, job: Job, films: list[Path], base: Path, only: list[str] | None) -> None:
    """Run one workflow and write its nodes' pictures."""
    folder = base / "input" / SAMPLES
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {film.name: film for film in films[: job.clips]}
    for there in set(folder.iterdir()):
        if there.name not in wanted:
            there.unlink()
    for film in wanted.values():
        shutil.copy2(film, folder)  # with its time: what the host measured of it for the workflow before still counts
    with open_frontend(server.address, size=WINDOW) as frontend:
        plain = {"Comfy.Minimap.Visible": False, "Comfy.ColorPalette": "dark", "Comfy.NodeBadge.NodeSourceBadgeMode": "None"}
        frontend.page.request.post(f"http://{server.address}/api/settings", data=plain)
        frontend.page.reload()
        frontend.page.wait_for_timeout(6000)
        frontend.drop(prepare(name, job, base))
        for kind in job.watched:
            frontend.page.evaluate(WATCH, f"CK_{kind}")
        if job.run:
            run_to_end(frontend, server)
            frontend.page.wait_for_timeout(3000)
        for kind in job.nodes + STANDING.get(name, ()):
            if only is None or f"CK_{kind}" in only:
                if kind in STANDING.get(name, ()):
                    frontend.page.evaluate("(type) => window.app.graph._nodes.filter(n => n.type === type).forEach(n => { n.mode = 0; })", f"CK_{kind}")
                write_picture(take(frontend, kind), PICTURES / f"CK_{kind}.jpg")
                print(f"{name}: CK_{kind}", flush=True)


if __name__ == "__main__":
    main()
