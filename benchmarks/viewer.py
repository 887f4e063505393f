"""Six clips in the Clip Player, in the real front end, classic and Nodes 2.0: pictures a second, drift, and what the pack's JavaScript costs.

    python benchmarks/viewer.py [--seconds 4] [--side 480]

Headless Chromium without a graphics card. Animation frames: calls of requestAnimationFrame a second while all six play. Drift: how far each
clip is from the common clock, in frames, sampled at every animation frame after the first half second. Page load: from the browser's own
profile of the time spent in the pack's modules until the front end is ready, and the bytes served.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from comfy_server import ComfyServer  # noqa: E402
from frontend import READY, open_frontend  # noqa: E402

from kinetics.video.encode import VideoWriter  # noqa: E402

LOOK = "window.app.graph._nodes.find(n => n.type === 'CK_ClipPlayer').widgets.find(w => w.viewer).viewer"

PLAY = """async (seconds) => {
  const step = LOOK.inStep, drift = [];
  step.loop = true;
  await step.play();
  let pictures = 0;
  const began = performance.now();
  await new Promise((done) => {
    const look = () => {
      pictures += 1;
      if (performance.now() - began > 500) drift.push(...step.drift().filter((value) => value !== null).map(Math.abs));
      performance.now() - began > 1000 * seconds ? done() : requestAnimationFrame(look);
    };
    look();
  });
  const spent = (performance.now() - began) / 1000;
  step.pause();
  return [pictures / spent, drift];
}"""

BUILD = """(width) => {
  const graph = window.app.graph, L = window.LiteGraph;
  graph.clear();
  const clips = L.createNode('CK_LoadClips'), player = L.createNode('CK_ClipPlayer');
  graph.add(clips);
  graph.add(player);
  clips.widgets.find(w => w.name === 'folder').value = 'clips';
  clips.connect(0, player, 0);
  player.pos = [500, 80];
  player.setSize([3 * width + 60, Math.round(2 * width * 9 / 16) + 260]);
}"""


def draw(folder: Path, side: int, seconds: float) -> None:
    folder.mkdir(parents=True)
    height, texture = side * 9 // 16, np.random.default_rng(0).integers(0, 255, (side * 9 // 16, side + 200, 3), np.uint8)
    for number in range(6):
        with VideoWriter(folder / f"clip{number}.mp4", side, height, 25) as writer:
            for frame in range(round(25 * seconds)):
                writer.write(np.ascontiguousarray(texture[:, 2 * frame % 200 : 2 * frame % 200 + side]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--side", type=int, default=480)
    args = parser.parse_args()
    size = sum(path.stat().st_size for path in (ROOT / "web" / "js").glob("*.js"))
    print(f"JavaScript: {size / 1000:.1f} kB in {len(list((ROOT / 'web' / 'js').glob('*.js')))} files (asked: at most 150)")
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        draw(base / "input" / "clips", args.side, args.seconds)
        with ComfyServer(base / "log", **{name: base / name for name in ("input", "output", "temp", "user")}) as server:
            for modern in (False, True):
                with open_frontend(server.address, size=(1900, 1100), vue_nodes=modern) as frontend:
                    page = frontend.page
                    page.evaluate(BUILD, args.side)
                    frontend.queue()
                    page.wait_for_function(f"{LOOK}.cells.length === 6 && {LOOK}.cells.every(c => c.video.readyState >= 2)", timeout=120_000)
                    page.wait_for_timeout(1000)
                    rate, drift = page.evaluate(PLAY.replace("LOOK", LOOK), args.seconds)
                    frames = 25 * np.array(drift)
                    print(
                        f"{'Nodes 2.0' if modern else 'classic':10} {rate:5.1f} animation frames/s (asked: 24); drift {np.median(frames):.2f} frames median, "
                        f"{np.quantile(frames, 0.95):.2f} at 95 % (asked: 0.5)", flush=True,
                    )  # fmt: skip
            with open_frontend(server.address) as frontend:
                print(f"page load: {load_cost(frontend.page):.1f} ms in the pack's modules (asked: at most 50)")


def load_cost(page) -> float:
    """Milliseconds that the browser's sampling profiler finds in the pack's own files while the page loads anew."""
    session = page.context.new_cdp_session(page)
    session.send("Profiler.enable")
    session.send("Profiler.setSamplingInterval", {"interval": 100})
    session.send("Profiler.start")
    page.reload()
    page.wait_for_function(READY, timeout=90_000)
    page.wait_for_timeout(3000)
    profile = session.send("Profiler.stop")["profile"]
    nodes = {node["id"]: node for node in profile["nodes"]}
    parent = {child: node["id"] for node in profile["nodes"] for child in node.get("children", ())}

    def ours(number: int | None) -> bool:
        while number is not None:
            if "correlated_kinetics" in nodes[number]["callFrame"]["url"]:
                return True
            number = parent.get(number)
        return False

    known = {number: ours(number) for number in nodes}
    return sum(delta for number, delta in zip(profile["samples"], profile["timeDeltas"], strict=True) if known[number]) / 1000


if __name__ == "__main__":
    main()
