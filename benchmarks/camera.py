"""The camera's motion measured: residuals against truth on drawn clips, and how still fixed points stand on any clip.

    python benchmarks/camera.py [--drawn 6] [--draws 6] [--fps 25] [--size 1280x720] [--json camera.json] [CLIP ...]

Drawn clips: random batters and cameras of kinetics.synthetic, 3 s, encoded, with a score bar, a logo and a watermark; every second one
pans to 40 px/frame and zooms to double. The batter is masked by his true joints. Error: for a grid over each frame, the distance in pixels
of the reference frame between where the camera puts it and where it belongs, over all frames: median / 95 % / largest. Beside it what a
chain of neighbouring frames gives (similarities), and what the same code gives when graphics are not looked for.

Speed: the batter's true hands and tip of each drawn clip with 2 px of noise in the moving picture (``--draws`` draws of it) go through that
camera and into estimate_swing, and the same noisy points through the exact camera; beside them the same noise in the picture of a camera that
stands still with the view of the moment of impact. Printed are the error of the peak tip speed, and the root mean square of the error of every
frame's speed over the peak: median and 90th percentile, and their ratios.

CLIPs (with NAME.pose.json beside, if there is one) are measured too, without truth: corners of the reference frame are looked for afresh in
every stabilised frame that shows their surroundings, and the median and 95 % of their distance from where they were is printed; points that
can't be found there and back within a pixel don't count. Speed: frames per second of CPU time, both passes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kinetics.motion import camera as camera_module
from kinetics.motion import camera_pairs
from kinetics.motion.background import find_corners
from kinetics.motion.camera import Camera, apply_maps, track_camera
from kinetics.motion.stabilise import warp_to
from kinetics.motion.swing import estimate_swing
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import SHOTS, ShotScene, random_scene
from kinetics.synthetic.render import Renderer
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


def scenes(count: int, fps: float, size: tuple[int, int]):
    """Random scenes; every second one with a fast pan there and back and a zoom to double."""
    rng = np.random.default_rng(2027)
    for k in range(count):
        scene = replace(random_scene(rng, SHOTS[k % len(SHOTS)], size), duration=3.0)
        yield faster(scene, fps) if k % 2 else scene


def faster(scene: ShotScene, fps: float, peak: float = 40.0) -> ShotScene:
    """The scene with a pan that reaches ``peak`` px/frame and a zoom of 2."""
    camera, impact, width = scene.camera, scene.stroke.impact, 0.30
    wide = replace(
        camera, px_per_m=0.62 * camera.px_per_m, zooms=((2.0, impact - 0.1, 0.35),), tilts=((0.25, impact - 0.2, 0.3),),
        pans=((1.0, impact - 0.55, width), (-2.0, impact + 0.25, width)),
    )  # fmt: skip
    found = fastest(wide, fps)
    return replace(scene, camera=replace(wide, pans=tuple((peak / found * m, c, w) for m, c, w in wide.pans)))


def fastest(camera, fps: float, seconds: float = 3.0) -> float:
    """Largest shift of the middle of the picture from one frame to the next, px."""
    t = np.arange(round(seconds * fps)) / fps
    h = camera.homography(t, 0.0)
    middle = np.array([camera.size[0] / 2, camera.size[1] / 2, 1.0])
    moved = h[1:] @ np.linalg.inv(h[:-1]) @ middle
    return float(np.linalg.norm(moved[:, :2] / moved[:, 2:] - middle[:2], axis=1).max())


def write(scene: ShotScene, path: Path, fps: float, seed: int) -> None:
    with VideoWriter(path, *scene.camera.size, fps, crf=20) as writer:
        for image in Renderer(scene, fps, overlays=True, seed=(seed, 7)).frames():
            writer.write(image)


def errors(camera: Camera, truth: np.ndarray) -> np.ndarray:
    """(N, M) px; ``truth`` (T, 3, 3) takes reference px to frame px. Unknown frames count as infinitely wrong."""
    width, height = camera.size
    x, y = np.meshgrid(np.linspace(20, width - 21, 9), np.linspace(20, height - 21, 7))
    grid = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    true, found = np.linalg.inv(truth) @ grid, camera.matrix @ grid
    off = np.linalg.norm(true[:, :2] / true[:, 2:] - found[:, :2] / found[:, 2:], axis=1)
    return np.where(np.isfinite(off), off, np.inf)


def words(off: np.ndarray) -> str:
    return f"{np.median(off):8.3f} {np.percentile(off, 95):8.3f} {off.max():8.2f}"


def figures(off: np.ndarray) -> dict[str, float]:
    return {"median": float(np.median(off)), "p95": float(np.percentile(off, 95))}


class _NoGraphics(camera_module.GraphicsFinder):
    def mask(self) -> np.ndarray:
        return np.zeros(self._shape, bool)


NOISE = 2.0
VIEWS = ("tracked", "exact", "still")


def speed_errors(scene: ShotScene, camera: Camera, fps: float, draws: int, seed: int) -> np.ndarray:
    """(draws, view, 2) in %: error of the peak tip speed, and root mean square error of all frames' speeds over the peak."""
    t = np.arange(round(scene.duration * fps)) / fps
    truth, still = scene.truth(t), replace(scene, reference_time=scene.stroke.impact)
    points = np.stack([truth.point_px("hands"), truth.point_px("bat_tip")], axis=1)
    # Picture of each frame -> picture at the reference time, of the exact camera.
    exact, at_impact = (np.linalg.inv(scene.camera.homography(t, t0)) for t0 in (0.0, scene.stroke.impact))
    rng, found = np.random.default_rng([seed, 11]), []
    for draw in range(draws):
        noise = NOISE * rng.standard_normal(points.shape)
        views = {
            "tracked": (camera.to_reference(points + noise), NOISE * camera.zoom, scene),
            "exact": (apply_maps(exact, points + noise), NOISE * camera.zoom, scene),
            "still": (apply_maps(at_impact, points) + noise, NOISE, still),
        }
        found.append([one_swing(t, seen, sigma, view, draw) for seen, sigma, view in views.values()])
    return np.array(found)


def one_swing(t: np.ndarray, seen: np.ndarray, sigma: np.ndarray | float, scene: ShotScene, seed: int) -> tuple[float, float]:
    """Errors in % of the peak and of all speeds of one noisy swing in the picture of ``scene`` at its reference time."""
    swing = estimate_swing(t, seen[:, 0], seen[:, 1], sigma, sigma, seed=seed)
    peak = float(scene.truth(np.arange(0.0, scene.duration, 0.001)).tip_speed_px.max())
    off = swing.tip_speed - scene.truth(t).tip_speed_px
    return 100 * abs(swing.peak_tip_speed.value / peak - 1), 100 * float(np.sqrt(np.nanmean(off**2))) / peak


def show_speeds(name: str, found: np.ndarray) -> dict:
    """Print and return median and 90th percentile of :func:`speed_errors`, (n, view, 2), and how they compare with the tracked camera's."""
    figures_of = {}
    for k, what in enumerate(("peak speed", "speed of all frames")):
        shares = {view: (np.median(found[:, v, k]), np.percentile(found[:, v, k], 90)) for v, view in enumerate(VIEWS)}
        cells = "   ".join(f"{view} {a:.2f} / {b:.2f} %" for view, (a, b) in shares.items())
        ratios = {view: [float(x / y) for x, y in zip(shares["tracked"], shares[view], strict=True)] for view in VIEWS[1:]}
        print(
            f"{name}, {len(found)} swings, error of the {what}, median / 90 %: {cells};   tracked over exact "
            f"{ratios['exact'][0]:.2f} / {ratios['exact'][1]:.2f}, over still {ratios['still'][0]:.2f} / {ratios['still'][1]:.2f}"
        )
        figures_of[what] = {"percent": {view: [float(v) for v in pair] for view, pair in shares.items()}, "ratio": ratios}
    return figures_of


def drawn(count: int, fps: float, size: tuple[int, int], draws: int) -> dict:
    ours, chains, blind, speeds, report = [], [], [], [], {}
    head = f"{'median':>8s} {'95 %':>8s} {'largest':>8s}"
    print(f"{'drawn clip':34s} {head}  model       fps | {'chain of neighbours':26s} | graphics not looked for")
    with tempfile.TemporaryDirectory() as folder:
        for k, scene in enumerate(scenes(count, fps, size)):
            path = Path(folder) / f"{k}.mp4"
            write(scene, path, fps, k)
            pose, truth = scene.pose_sequence(fps), scene.camera.homography(np.arange(round(scene.duration * fps)) / fps, 0.0)
            began = time.process_time()
            camera = track_camera(Clip(path), pose)
            speed = len(camera) / (time.process_time() - began)
            with patch.multiple(camera_pairs, _EVERY=(10**9,) * 3, _KEY_EVERY=10**9):
                chain = track_camera(Clip(path), pose, model="similarity")
            with patch.object(camera_module, "GraphicsFinder", _NoGraphics):
                pinned = track_camera(Clip(path), pose)
            off = errors(camera, truth)
            ours.append(off)
            chains.append(errors(chain, truth))
            blind.append(errors(pinned, truth))
            speeds.append(speed_errors(scene, camera, fps, draws, k))
            name = f"{scene.stroke.shot}, {fastest(scene.camera, fps):.0f} px/frame, zoom {1 / camera.zoom.min():.2f}"
            print(f"{name:34s} {words(off)}  {camera.model:10s} {speed:4.1f} | {words(chains[-1])} | {words(blind[-1])}", flush=True)
            report[f"{k} {name}"] = {**figures(off), "fps": speed, "model": camera.model}
    whole = {"all, ours": ours, "fast ones, ours": ours[1::2], "all, chain": chains, "all, graphics not looked for": blind}
    for name, off in whole.items():
        print(f"{name:34s} {words(np.concatenate(off))}")
        report[name] = figures(np.concatenate(off))
    for name, some in (("speed, all clips", speeds), ("speed, fast ones", speeds[1::2])):
        if some and draws:
            report[name] = show_speeds(name, np.concatenate(some))
    return report


def fixed_points(clip: Clip, camera: Camera) -> dict[int, np.ndarray]:
    """By frame, px of the reference frame: how far corners of the reference frame are from where they were, in the stabilised frame."""
    shot, home, corners, found = -1, None, None, {}
    for index, _, image in clip.frames(careful=False):
        if not camera.known[index]:
            continue
        warped, valid = warp_to(camera, image, index)
        grey = cv2.cvtColor(warped, cv2.COLOR_RGB2GRAY)
        inside = cv2.erode(valid.astype(np.uint8), np.ones((31, 31), np.uint8))
        if camera.shot[index] != shot:
            shot, home, corners = camera.shot[index], grey, find_corners(grey, 255 * inside)
            continue
        if camera.repeat[index] or not len(corners):
            continue
        shown = corners[inside[corners[:, 1].astype(int), corners[:, 0].astype(int)] > 0]
        if len(shown) < 8:
            continue
        there, ok, _ = cv2.calcOpticalFlowPyrLK(home, grey, shown[:, None], None, winSize=(15, 15), maxLevel=1)
        back, ok2, _ = cv2.calcOpticalFlowPyrLK(grey, home, there, None, winSize=(15, 15), maxLevel=1)
        good = (ok[:, 0] > 0) & (ok2[:, 0] > 0) & (np.linalg.norm(back[:, 0] - shown, axis=1) < 1.0)
        found[index] = np.linalg.norm(there[good, 0] - shown[good], axis=1)
    return found


def real(path: Path, pose_path: Path | None) -> dict:
    clip = Clip(path)
    beside = pose_path or path.with_suffix(".pose.json")
    pose = PoseSequence.load(beside) if beside.exists() else None
    began = time.process_time()
    camera = track_camera(clip, pose)
    speed = len(camera) / (time.process_time() - began)
    with_pose = "with" if pose else "without"
    print(f"{path.name}: {len(camera)} frames, {with_pose} a skeleton, {camera.model}, {speed:.1f} frames/s, {camera.repeat.sum()} repeats")
    for flag in camera.flags:
        print(f"  {flag}")
    found, report = fixed_points(clip, camera), {"fps": speed, "model": camera.model}
    for shot in range(camera.shot.max() + 1):
        frames = [k for k in found if camera.shot[k] == shot]
        zoom = camera.zoom[(camera.shot == shot) & camera.known]
        where = np.flatnonzero(camera.shot == shot)
        text = f"  shot {shot}, frames {where[0]}-{where[-1]}: graphics {100 * camera.graphics[shot].mean():.0f} % of the picture"
        if len(zoom):
            text += f", scale {zoom.min():.3f}-{zoom.max():.3f}, residual {np.nanmedian(camera.residual[where]):.3f} px"
        if frames:
            off = np.concatenate([found[k] for k in frames])
            text += f"; fixed points {np.median(off):.3f} px median, {np.percentile(off, 95):.2f} px 95 % ({len(off)} in {len(frames)})"
            report[f"shot {shot}"] = figures(off)
        print(text, flush=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    parser.add_argument("--drawn", type=int, default=6, help="how many clips to draw; 0 for none")
    parser.add_argument("--draws", type=int, default=6, help="draws of noise per drawn clip, for the speed's error; 0 for none")
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--pose", type=Path, help="skeleton of the CLIP, where it doesn't lie beside it")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    size = tuple(int(side) for side in given.size.split("x"))
    report = {path.name: real(path, given.pose) for path in given.clips}
    if given.drawn:
        report["drawn"] = drawn(given.drawn, given.fps, size, given.draws)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
