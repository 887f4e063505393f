"""Footage restored: kinetics against ffmpeg's filters and OpenCV's multi-frame non-local means, in one run, against the clean frames.

    python benchmarks/restore.py [--shots cover_drive] [--size 640x360] [--only grain ...] [--json restore.json]

The drawn clips without their grain are the truth. Each is degraded, encoded, and restored three ways: by kinetics at its automatic
setting, by (bwdif or yadif +) hqdn3d + unsharp at the best of several strengths, and by OpenCV's fastNlMeansDenoisingColoredMulti
(after bwdif; two frames) at the best of several strengths, so the peers are tuned on the truth and kinetics is not. PSNR over RGB, mean of the
frames scored, those round impact among them; ``bat`` is the PSNR within 10 px of the bat in the frames round impact. Of H.264 at a low
rate what is missing is detail, not noise: it is shown, and nobody restores it. Needs imageio-ffmpeg for the ffmpeg binary.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from kinetics.restore.bat_motion import BatMotion  # noqa: E402
from kinetics.restore.condition import measure_condition  # noqa: E402
from kinetics.restore.pipeline import restore_frames  # noqa: E402
from kinetics.synthetic import default_scene  # noqa: E402
from kinetics.synthetic.render import Renderer  # noqa: E402
from kinetics.video.decode import Clip  # noqa: E402

#: Frames of the clip at 25 a second, impact at number 12; those that are scored.
FRAMES, IMPACT, SCORED, ROUND_IMPACT = 23, 12, (5, 8, 10, 11, 12, 13, 14, 17), (10, 11, 12, 13, 14)
FIELDS = "tinterlace=interleave_top,setfield=tff"
INTERLACED = ["-r", "25", "-flags", "+ilme+ildct"]
LOSSLESS = ["-c:v", "libx264", "-crf", "0", "-preset", "veryfast"]
MPEG2 = ["-c:v", "mpeg2video", "-g", "12", "-bf", "2"]
HQDN3D, UNSHARP, NLM = (0.5, 2, 4, 6, 9, 14, 20), (0.25, 0.5, 1.0, 1.5, 2.5, 4.0), (3, 7, 11)
#: Non-local means takes ten seconds a frame: it is tried on these alone, and compared on these alone.
NLM_FRAMES = (10, 12)
TARGET = 1.5


@dataclass
class Truth:
    """A shot at 50 frames a second, clean, (46, H, W, 3), and the bat's ends in each."""

    frames: np.ndarray
    hands: np.ndarray
    tip: np.ndarray

    def near_bat(self, frame: int) -> np.ndarray:
        mask = np.zeros(self.frames.shape[1:3], np.uint8)
        ends = (tuple(int(v) for v in ends[2 * frame]) for ends in (self.hands, self.tip))
        return cv2.line(mask, *ends, 255, 20) > 0


def draw(shot: str, size: tuple[int, int]) -> Truth:
    scene = default_scene(shot, 0, size, None)
    renderer = Renderer(scene, 50.0, 0.5, 0.0, seed=(0, 0))
    first = round(scene.stroke.impact * 50) // 2 * 2 - 2 * IMPACT
    truth = scene.truth(renderer.t[first : first + 2 * FRAMES])
    frames = np.stack([renderer.frame(first + k) for k in range(2 * FRAMES)])
    return Truth(frames, truth.point_px("hands"), truth.point_px("bat_tip"))


def grainy(frames: np.ndarray, sigma: float) -> np.ndarray:
    """Grain as film and sensors have it: mostly in brightness, a little wider than a pixel."""
    chance, made = np.random.default_rng(3), []
    for frame in frames:
        noise = chance.standard_normal(frame.shape).astype(np.float32)
        noise = cv2.GaussianBlur(0.8 * noise[..., :1] + 0.5 * noise, (0, 0), 0.45)
        made.append((frame + sigma * noise / noise.std() + 0.5).clip(0, 255).astype(np.uint8))
    return np.stack(made)


def soft(frames: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in frames])


def degradations(frames: np.ndarray) -> dict[str, tuple]:
    """By name: pictures, their rate, a filter, the coder's settings, the file's suffix."""
    whole = frames[::2]
    return {
        "clean": (whole, 25, "", LOSSLESS, ".mp4"),
        "grain": (grainy(whole, 12), 25, "", LOSSLESS, ".mp4"),
        "interlace": (frames, 50, FIELDS, [*INTERLACED, *LOSSLESS], ".mp4"),
        "blocks": (whole, 25, "", [*MPEG2, "-qscale:v", "10"], ".mpg"),
        "blocks, heavy": (whole, 25, "", [*MPEG2, "-qscale:v", "20"], ".mpg"),
        "H.264, low rate": (whole, 25, "", ["-c:v", "libx264", "-b:v", "250k", "-preset", "fast"], ".mp4"),
        "blur": (soft(whole, 1.4), 25, "", LOSSLESS, ".mp4"),
        "all": (grainy(soft(frames, 1.0), 8), 50, FIELDS, [*INTERLACED, *MPEG2, "-b:v", "5000k"], ".mpg"),
    }


def ffmpeg(*args: str, **kwargs) -> None:
    import imageio_ffmpeg

    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-threads", "1", *args], check=True, **kwargs)


def encode(frames: np.ndarray, path: Path, rate: int, filters: str, settings: list[str]) -> Path:
    height, width = frames.shape[1:3]
    # Colours are halved frame by frame before fields are woven, as a camera of fields would.
    chain = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p" + (filters and f",{filters}")
    ffmpeg(
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate), "-i", "-", "-vf", chain, "-pix_fmt", "yuv420p",
        "-colorspace", "bt709", "-color_range", "tv", *settings, str(path), input=frames.tobytes(),
    )  # fmt: skip
    return path


def read(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in Clip(path).frames()]


def filtered(path: Path, chain: str) -> list[np.ndarray]:
    """The clip through a chain of ffmpeg's filters."""
    made = path.with_name("filtered.mkv")
    ffmpeg("-i", str(path), "-vf", chain, "-c:v", "libx264", "-crf", "0", "-preset", "ultrafast", str(made))
    return read(made)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(np.float32) - b) ** 2), 1e-6)))


def score(frames: list[np.ndarray] | dict[int, np.ndarray], clean: list[np.ndarray], truth: Truth, only: tuple[int, ...] = SCORED) -> dict[str, float]:
    """PSNR of the frames scored, of those round impact, and near the bat in the latter."""
    impact = [k for k in ROUND_IMPACT if k in only]
    bat = [psnr(frames[k][truth.near_bat(k)], clean[k][truth.near_bat(k)]) for k in impact]
    return {
        "psnr": float(np.mean([psnr(frames[k], clean[k]) for k in only])),
        "impact": float(np.mean([psnr(frames[k], clean[k]) for k in impact])), "bat": float(np.mean(bat)),
    }  # fmt: skip


def by_ffmpeg(path: Path, clean: list[np.ndarray], truth: Truth, interlaced: bool) -> dict:
    """The best strength of hqdn3d, then of unsharp after it, by PSNR."""
    before = ["bwdif=mode=send_frame,", "yadif=mode=0,"] if interlaced else [""]
    best: dict = {"psnr": -1.0}
    for first, strength in itertools.product(before, HQDN3D):
        best = max(best, {**score(filtered(path, f"{first}hqdn3d={strength}"), clean, truth), "by": f"{first}hqdn3d={strength}"}, key=lambda row: row["psnr"])
    denoised = best["by"]
    for amount in UNSHARP:
        chain = f"{denoised},unsharp=5:5:{amount}"
        best = max(best, {**score(filtered(path, chain), clean, truth), "by": chain}, key=lambda row: row["psnr"])
    return best


def by_opencv(path: Path, clean: list[np.ndarray], truth: Truth, interlaced: bool, window: int = 5) -> dict:
    """The best strength of fastNlMeansDenoisingColoredMulti over five frames, by PSNR."""
    frames = filtered(path, "bwdif=mode=send_frame") if interlaced else read(path)
    best: dict = {"psnr": -1.0}
    for h in NLM:
        made = {k: cv2.fastNlMeansDenoisingColoredMulti(frames, k, window, None, h, h, 7, 21) for k in NLM_FRAMES}
        row = {**score(made, clean, truth, NLM_FRAMES), "by": f"h={h}"}
        if row["psnr"] < best["psnr"]:
            break
        best = row
    return best


def by_kinetics(path: Path, clean: list[np.ndarray], truth: Truth, told: bool = False) -> dict:
    """Ours; ``told`` where the bat is, it averages less there."""
    began = time.perf_counter()
    clip = Clip(path)
    condition = measure_condition(clip)
    bat = BatMotion(np.arange(len(truth.tip)) / 50, truth.hands, truth.tip, truth.frames.shape[2:0:-1]) if told else None
    frames = [image for _, image in restore_frames(clip, condition, bat=bat)]
    spent = (time.perf_counter() - began) / len(frames)
    found = f"{condition.scan}, grain {condition.grain:.1f}, blocks {condition.blocks:.1f}, soft {condition.blur:.2f}"
    alike = score(frames, clean, truth, NLM_FRAMES)
    return {**score(frames, clean, truth), "by": found, "s_per_frame": spent, "alike": alike}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shots", default="cover_drive", help="shots by name, separated by commas")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--only", nargs="+", help="degradations by name")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    size = tuple(int(side) for side in args.size.split("x"))
    figures: dict = {}
    print(f"{'':32}{'PSNR':>8}{'impact':>8}{'bat':>8}")
    for shot in args.shots.split(","):
        truth = draw(shot, size)
        with tempfile.TemporaryDirectory() as name:
            clean = read(encode(truth.frames[::2], Path(name, "truth.mp4"), 25, "", LOSSLESS))
            for kind, (frames, rate, chain, settings, suffix) in degradations(truth.frames).items():
                if args.only and kind not in args.only:
                    continue
                path = encode(frames, Path(name, f"degraded{suffix}"), rate, chain, settings)
                fields = bool(chain)
                rows = {"as it is": {**score(read(path), clean, truth), "by": ""}, "kinetics": by_kinetics(path, clean, truth)}
                rows["kinetics, bat told"] = by_kinetics(path, clean, truth, told=True)
                if kind != "clean":
                    rows |= {"ffmpeg": by_ffmpeg(path, clean, truth, fields), "OpenCV": by_opencv(path, clean, truth, fields)}
                figures[f"{shot}: {kind}"] = rows
                show(shot, kind, rows)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def show(shot: str, kind: str, rows: dict[str, dict]) -> None:
    print(f"\n{shot}: {kind}")
    for name, row in rows.items():
        print(f"  {name:30}{row['psnr']:8.2f}{row['impact']:8.2f}{row['bat']:8.2f}  {row['by']}")
    if "ffmpeg" in rows:
        for peer, ours in (("ffmpeg", rows["kinetics"]), ("OpenCV", rows["kinetics"]["alike"])):
            gain, bat = (ours[key] - rows[peer][key] for key in ("psnr", "bat"))
            print(f"  {f'gain over {peer}':30}{gain:+8.2f}{'':8}{bat:+8.2f}  (target \u2265 {TARGET} and \u2265 0)", flush=True)


if __name__ == "__main__":
    main()
