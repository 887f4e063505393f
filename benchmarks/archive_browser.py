"""Archive Browser with thousands of dots, in both modes of the front end: frames a second while the pointer sweeps over them, and what a look-up costs.

python benchmarks/archive_browser.py [--dots 5000] [--seconds 5]
The clips are made up; the page asks for their skeletons as it would ask a host.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests" / "unit")]

from comfy_server import ComfyServer  # noqa: E402
from drawn_archive import stroke  # noqa: E402
from frontend import open_frontend  # noqa: E402

from kinetics.show.archive import archive_record, stroke_record  # noqa: E402

LOOK = "window.app.graph._nodes[0].widgets.find(w => w.viewer).viewer"
SHOW = """() => {
  window.app.graph.clear();
  const node = LiteGraph.createNode('CK_ArchiveBrowser');
  window.app.graph.add(node);
  node.setSize([1100, 700]);
  window.app.canvas.ds.scale = 1;
  window.app.canvas.ds.offset = [100, 120];
  node.onExecuted({archive_browser: [{data: {filename: 'made_up', type: 'temp'}, archive: 'made_up'}]});
}"""
COUNT = """(seconds) => {
  window.ckTimes = [];
  const first = performance.now(), step = (now) => { window.ckTimes.push(now); if (now - first < 1000 * seconds) requestAnimationFrame(step) };
  requestAnimationFrame(step);
}"""


def made_up(count: int) -> dict:
    """So many clips' record, of four clusters; one in a hundred tells no speed."""
    draw = np.random.default_rng(0)
    group = draw.integers(0, 4, count)
    told = np.arange(count) % 100 != 0
    columns = {
        "peak_tip_speed": np.where(told, 12 + 2 * group + draw.normal(size=count), np.nan), "peak_omega": np.where(told, 20 + 3 * draw.normal(size=count), np.nan),
        "peak_tip_speed_sigma": np.full(count, 0.4), "peak_omega_sigma": np.full(count, 0.8),
        **{name: np.full(count, 1.5) for name in ("peak_tip_speed_t", "peak_omega_t", "impact_t", "duration_s", "fps")},
    }  # fmt: skip
    keys = [f"{n:032x}" for n in range(count)]
    clusters = {"key": keys, "cluster": group.tolist(), "medoid": [n < 4 for n in range(count)], "label": [f"group_{n}" for n in group]}
    texts = {"key": keys, "path": [f"/clips/{n:05}.mp4" for n in range(count)], "unit": ["body"] * count, "swing_reason": [""] * count}
    return archive_record({**columns, **texts, "flags": [[]] * count, "chain_path": [["pelvis", "bat_tip"]] * count}, clusters)


def sweep(frontend, record: str, skeleton: str, seconds: float) -> str:
    page = frontend.page
    page.route("**/view?filename=made_up*", lambda route: route.fulfill(content_type="application/json", body=record))
    page.route("**/archive_stroke*", lambda route: route.fulfill(content_type="application/json", body=skeleton))
    page.evaluate(SHOW)
    page.wait_for_function(f"{LOOK}.data")
    page.wait_for_timeout(1500)
    box = page.evaluate(f"() => {{ const b = {LOOK}.chart.canvas.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }}")
    draw = np.random.default_rng(1)
    page.evaluate(COUNT, seconds)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        across, down = draw.uniform(0.1, 0.95, 2)
        page.mouse.move(box[0] + across * box[2], box[1] + down * box[3])
        time.sleep(draw.choice([0.01, 0.2]))  # passing over, and resting until the skeleton moves
    page.wait_for_timeout(300)
    gaps = np.diff(page.evaluate("window.ckTimes"))
    found = page.evaluate(f"() => {{ const t = performance.now(); for (let k = 0; k < 100; k++) {LOOK}.chart.nearest(100 + 5 * k, 200); return (performance.now() - t) / 100 }}")
    base = page.evaluate(f"() => {{ const t = performance.now(); {LOOK}.chart._drawBase(); return performance.now() - t }}")
    return f"{1000 / gaps.mean():.1f} frames/s, longest wait {gaps.max():.0f} ms; nearest dot {found:.2f} ms, drawing all {base:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dots", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5.0)
    told = parser.parse_args()
    record, skeleton = json.dumps(made_up(told.dots)), json.dumps(stroke_record(stroke("hook", 1280), 1.5))
    print(f"{told.dots} clips: {len(record) / 1e6:.2f} MB for the dots, {len(skeleton) / 1e3:.1f} kB a skeleton")
    with tempfile.TemporaryDirectory() as folder, ComfyServer(Path(folder, "log"), user=Path(folder, "user")) as server:
        for vue in (False, True):
            with open_frontend(server.address, size=(1500, 1000), vue_nodes=vue) as frontend:
                print(f"{'Nodes 2.0' if vue else 'classic'}: {sweep(frontend, record, skeleton, told.seconds)}")


if __name__ == "__main__":
    main()
