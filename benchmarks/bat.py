"""The bat from pixels: drawn clips against their truth, or a clip of yours against toes that you marked.

    python benchmarks/bat.py --drawn 12 [--seed 1] [--size 1280x720] [--network FILE|none] [--json bat.json] [--keep DIR]
    python benchmarks/bat.py CLIP --marks FILE [--pose pose.json] [--mark F,X,Y]... [--network FILE|none] [--sheet PNG]

``--drawn``: random batters before random cameras, none of them used for tuning; pads and stumps in the picture, every third clip with a
fielder walking behind, H.264, grain, a panning and zooming camera; shutter 0.5 and 1.0 in turn. Each runs pose -> camera -> bat -> swing,
from the encoded file to the number. In view: tips inside the picture that no limb hides. Errors are in parts of the bat's length (hands to
toe). Peak speed: the largest speed of the tip across the picture, pixels a second of the first frame's picture.

``--marks``: JSON with ``frames``: {"<index>": {"toe": [x, y] or null, "grip": [x, y] or null}}, and perhaps ``cuts``. ``--mark`` gives the
tracker a toe; frames given that way are left out of the score. Right: within a tenth of the bat's length of the marked toe.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.signal import argrelmax

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kinetics.errors import KineticsError
from kinetics.motion.bat import track_bat
from kinetics.motion.bat_network import guess_length
from kinetics.motion.bat_track import BatTrack, Mark
from kinetics.motion.camera import Camera, track_camera
from kinetics.motion.measure import measure_swing
from kinetics.pose.extract import extract_pose
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import SHOTS, ShotScene, random_scene
from kinetics.synthetic.clips import with_extras
from kinetics.synthetic.render import Renderer
from kinetics.synthetic.visibility import visible
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter

FPS, GRAIN, CRF = 25, 3.0, 23

#: Maxima of a stroke that reach this part of the largest count as its peak too, for the peak's time.
AS_FAST = 0.97


def drawn(count: int, seed: int, size: tuple[int, int], folder: Path) -> Iterator[tuple[Path, ShotScene, float]]:
    """Clips one after the other: path, scene and shutter."""
    for k in range(count):
        shot = SHOTS[k % len(SHOTS)]
        rng = np.random.default_rng([seed, k])
        scene = with_extras(random_scene(rng, shot, size), FPS, second_person=k % 3 == 2)
        shutter = 0.5 if (k // len(SHOTS) + k) % 2 == 0 else 1.0
        path = folder / f"{k:02d}_{shot}.mp4"
        if not path.exists():
            with VideoWriter(path, *size, FPS, crf=CRF) as writer:
                for image in Renderer(scene, FPS, shutter, GRAIN, seed=(seed, k)).frames():
                    writer.write(image)
        yield path, scene, shutter


def score_drawn(path: Path, scene: ShotScene, network) -> dict:
    """One clip's figures."""
    clip, started = Clip(path), time.perf_counter()
    pose = _kept(path.with_suffix(".pose.json"), lambda: extract_pose(clip))
    posed = time.perf_counter()
    camera = track_camera(clip, pose)
    camera_done = time.perf_counter()
    truth, fine = scene.truth(pose.t), scene.truth(np.arange(0.0, scene.duration, 0.001))
    figures = {"clip": path.stem, "pose_s": posed - started, "camera_s": camera_done - posed}
    try:
        track = track_bat(clip, pose, camera, network=network)
    except KineticsError as error:
        return figures | {"refused": str(error)}
    figures["bat_s"] = time.perf_counter() - camera_done
    toe, hands = truth.point_px("bat_tip"), truth.point_px("hands")
    length = np.linalg.norm(toe - hands, axis=1) / truth.apparent_length
    view, accepted = visible(scene, pose.t)["bat_tip"], np.isfinite(track.tip[:, 0])
    error = np.linalg.norm(track.tip - toe, axis=1) / length
    inside = np.abs(track.tip - toe)[accepted] / track.tip_sigma[accepted, None]
    swing = measure_swing(track, pose, camera, unit="px")
    peak, at = float(fine.tip_speed_px.max()), float(fine.t[fine.tip_speed_px.argmax()])
    found = swing.peak_tip_speed
    # A bat that passes end-on is fastest twice, and no picture tells maxima apart that are within a few per cent: the nearest of them counts.
    tops = fine.t[argrelmax(fine.tip_speed_px)[0]]
    tops = tops[fine.tip_speed_px[np.searchsorted(fine.t, tops)] >= AS_FAST * peak]
    return figures | {
        "in_view": int(view.sum()), "accepted": float((accepted & view).sum() / view.sum()), "right": float((error[accepted] < 0.1).mean()),
        "error": float(np.median(error[accepted])), "in_1_sigma": float((inside < 1).mean()), "in_2_sigma": float((inside < 2).mean()),
        "wrong": np.flatnonzero(accepted & ~(error < 0.1)).tolist(), "missed": np.flatnonzero(view & ~accepted).tolist(),
        "hands": float(np.nanmedian(np.linalg.norm(track.hands - hands, axis=1) / length)),
        "speed_error": 100 * (found.value / peak - 1), "speed_sigma": 100 * found.sigma / peak, "frames_late": (found.t - at) * FPS, "frames_off_a_top": float(np.abs(found.t - tops).min() * FPS),
        "sigmas_off": (found.value - peak) / found.sigma, "flags": list(swing.flags),
    }  # fmt: skip


def _kept(path: Path, make) -> PoseSequence:
    if path.exists():
        return PoseSequence.load(path)
    pose = make()
    pose.save(path)
    return pose


def run_drawn(args: argparse.Namespace) -> None:
    """Print the table of drawn clips."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{'clip':18} {'shutter':>7} {'view':>4} {'accepted':>8} {'right':>6} {'error':>6} {'1/2 sigma':>9} {'speed %':>8} {'sd %':>5} {'off':>5} {'late':>6} {'bat s':>6}")
        for path, scene, shutter in drawn(args.drawn, args.seed, args.size, folder):
            row = score_drawn(path, scene, args.network) | {"shutter": shutter}
            rows.append(row)
            if "refused" in row:
                print(f"{row['clip']:18} {shutter:7.1f} {row['refused']}", flush=True)
                continue
            print(
                f"{row['clip']:18} {shutter:7.1f} {row['in_view']:4d} {row['accepted']:8.3f} {row['right']:6.3f} {row['error']:6.3f} "
                f"{100 * row['in_1_sigma']:4.0f}/{100 * row['in_2_sigma']:3.0f} {row['speed_error']:+8.1f} {row['speed_sigma']:5.1f} "
                f"{row['sigmas_off']:+5.1f} {row['frames_late']:+6.2f} {row['bat_s']:6.1f}  wrong {row['wrong']} missed {row['missed']}", flush=True,
            )  # fmt: skip
    kept = [row for row in rows if "refused" not in row]
    if kept:
        mean = lambda name: np.average([row[name] for row in kept], weights=[row["in_view"] for row in kept])  # noqa: E731
        off = np.abs([row["speed_error"] for row in kept])
        late, top = (np.abs([row[name] for row in kept]) for name in ("frames_late", "frames_off_a_top"))
        print(
            f"{len(kept)} of {len(rows)} clips: accepted {mean('accepted'):.3f} of the tips in view, right {mean('right'):.3f}; a peak told in "
            f"{np.isfinite(off).sum()}, off by {np.nanmedian(off):.1f} % median, {np.nanmax(off):.1f} % worst; its time by {np.nanmax(late):.2f} frames at worst, "
            f"{np.nanmax(top):.2f} from the nearest maximum of at least {100 * AS_FAST:.0f} %; inside 2\u03c3 in "
            f"{sum(abs(row['sigmas_off']) <= 2 for row in kept)}"
        )
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1))


def run_marked(args: argparse.Namespace) -> None:
    """Print how a track lies on marks made by eye."""
    clip = Clip(args.clip)
    marks = json.loads(Path(args.marks).read_text())
    pose = PoseSequence.load(args.pose) if args.pose else extract_pose(clip)
    camera = track_camera(clip, pose)
    print(f"cuts found at {(np.flatnonzero(np.diff(camera.shot)) + 1).tolist()}, marked {marks.get('cuts', [])}; {int(camera.repeat.sum())} repeated frames")
    try:
        track = track_bat(clip, pose, camera, marks=args.mark, network=args.network)
    except KineticsError as error:
        print(error)
        return
    frames = {int(k): value for k, value in marks["frames"].items()}
    toe, grip = (np.full((len(pose), 2), np.nan) for _ in range(2))
    for k, value in frames.items():
        for place, name in ((toe, "toe"), (grip, "grip")):
            if value.get(name):
                place[k] = value[name]
    # The bat's length in each frame: its largest part of what the limbs foretell.
    foretold = guess_length(pose)
    length = np.nanquantile(np.linalg.norm(toe - grip, axis=1) / foretold, 0.9) * foretold
    given = [mark.frame for mark in args.mark]
    scored = np.isfinite(toe[:, 0]) & ~np.isin(np.arange(len(pose)), given)
    accepted = np.isfinite(track.tip[:, 0])
    error = np.linalg.norm(track.tip - toe, axis=1) / length
    right = error < 0.1
    both = scored & accepted
    hidden = np.isin(np.arange(len(pose)), [k for k, value in frames.items() if not value.get("toe")])
    print(f"visible toes {scored.sum()}: accepted {both.sum() / scored.sum():.3f}, accepted and right {(both & right).sum() / scored.sum():.3f}")
    print(f"of the accepted right {(both & right).sum() / max(1, both.sum()):.3f}, median error {np.median(error[both]):.3f}; hidden toes accepted {int((hidden & accepted).sum())}")
    print(f"wrong {[(int(k), round(float(error[k]), 2)) for k in np.flatnonzero(both & ~right)]}; missed {np.flatnonzero(scored & ~accepted).tolist()}")
    print(f"hands off the marked grip by {np.nanmedian(np.linalg.norm(track.hands - grip, axis=1) / length):.3f} of the bat's length, median")
    print("\n".join([str(track.provenance), *track.flags]))
    if args.sheet:
        draw_sheet(clip, track, camera, toe, length, Path(args.sheet))


def draw_sheet(clip: Clip, track: BatTrack, camera: Camera, toe: np.ndarray, length: np.ndarray, path: Path) -> None:
    """Every third picture round the hands: the track in orange, marks in magenta."""
    import cv2

    tiles = []
    for frame in clip.frames(careful=False):
        n = frame.index
        if track.repeat[n] or (n % 3 and not np.isfinite(toe[n, 0])) or not np.isfinite(track.hands[n]).all():
            continue
        scale = 100 / length[n]
        across = np.array([[scale, 0, 160 - scale * track.hands[n, 0]], [0, scale, 160 - scale * track.hands[n, 1]]])
        tile = cv2.warpAffine(frame.image, across, (320, 320))
        place = lambda point: tuple(np.round(across[:, :2] @ point + across[:, 2]).astype(int).tolist())  # noqa: B023, E731
        if np.isfinite(toe[n]).all():
            cv2.drawMarker(tile, place(toe[n]), (255, 0, 255), cv2.MARKER_CROSS, 14, 1)
        if np.isfinite(track.tip[n]).all():
            cv2.line(tile, place(track.hands[n]), place(track.tip[n]), (255, 140, 0), 1, cv2.LINE_AA)
            cv2.circle(tile, place(track.tip[n]), 6, (255, 140, 0), 1, cv2.LINE_AA)
        cv2.putText(tile, f"{n} {track.source[n]} {track.confidence[n]:.2f}", (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 8)
    rows = [np.hstack(tiles[k : k + 8]) for k in range(0, len(tiles), 8)]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?")
    parser.add_argument("--drawn", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=lambda text: tuple(int(part) for part in text.split("x")), default=(1280, 720))
    parser.add_argument("--network", type=lambda text: False if text == "none" else text, default=None)
    parser.add_argument("--json")
    parser.add_argument("--keep", help="folder for the drawn clips and their skeletons, to be used again")
    parser.add_argument("--marks")
    parser.add_argument("--pose")
    parser.add_argument("--mark", type=lambda text: Mark(int(text.split(",")[0]), *map(float, text.split(",")[1:])), action="append", default=[])
    parser.add_argument("--sheet")
    args = parser.parse_args()
    if (args.drawn is None) == (args.clip is None) or (args.clip and not args.marks):
        parser.error("give --drawn N, or a clip and its --marks")
    return args


if __name__ == "__main__":
    arguments = _arguments()
    run_drawn(arguments) if arguments.drawn else run_marked(arguments)
