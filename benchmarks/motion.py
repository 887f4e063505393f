"""Peak tip speed and omega from noisy tracks with known truth: kinetics against what others use, and against what can be known at all.

    python benchmarks/motion.py [--quick] [--fps 25,30,50,60] [--size 1920x1080] [--cases clean,dirty,impact,told] [--json motion.json]

20 random batters × 6 shots before a camera that stands still, at the zoom of the moment of impact. Tracks: midpoint of the hands and tip of
the bat with 2 px of noise on each axis. ``dirty``: noise with a correlation of 0.5 from frame to frame, 2 % outliers of 25 px, 5 % dropouts
in bursts of 1 to 4. ``impact``: clean noise, and the ball takes 12 % of the bat's angular rate, which is regained within 0.1 s; ``told``:
the same, and the moment is given to half a frame. What is to be found is the motion in the picture: |d tip/dt| and the rate of the angle
hands -> tip, omega only while the bat shows half its length. Errors are |estimate/truth - 1| of the peak in %, median / 90th percentile
(median with its sign); coverage is how many truths lie inside 1 sigma / 2 sigma, in %, of all samples, of those within 0.1 s of the
fastest, and of the peaks. ``split`` counts the swings in which an impact was found or taken.

Rivals get the same tracks (gaps filled by straight lines, since none of them takes gaps): centred differences of the tip, a
Butterworth low-pass of 6 Hz, 4th order, there and back, as Sports2D sets it by default, and the earlier analysis' Savitzky-Golay of
0.2 s, order 2; each then differentiates and takes the largest sample. ``told the roughness`` is no rival but the bound: the best linear smoother
of the same family for somebody who knows the truth's own roughness at every moment, the noise, its correlation, and which samples are
outliers. What is left there is the noise's doing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kinetics.motion.banded import Banded
from kinetics.motion.spline import DIFFERENCES, PenalisedSpline, prior_bands, whiten
from kinetics.motion.swing import SHOWN, Swing, estimate_swing
from kinetics.synthetic import SHOTS, ShotScene, random_scene

NOISE = 2.0
RIVALS = ("centred differences", "Butterworth 6 Hz", "Savitzky-Golay 0.2 s")
BOUND = "told the roughness"

#: Width, s, of the Gaussian over which the bound's roughness is the truth's own.
TOLD = 0.03


def scenes(batters: int, seed: int = 2026, size: tuple[int, int] = (1280, 720), impact: bool = False) -> Iterator[ShotScene]:
    """Random batters, each playing every shot, before a camera that keeps the zoom it has at impact."""
    rng = np.random.default_rng(seed)
    for _ in range(batters):
        for shot in SHOTS:
            scene = random_scene(rng, shot, size)
            focal = scene.camera.angles(np.array([scene.stroke.impact]))[2][0]
            still = replace(scene.camera, px_per_m=focal / scene.camera.distance, pans=(), tilts=(), zooms=(), sway=0.0)
            stroke = replace(scene.stroke, impact_loss=0.12) if impact else scene.stroke
            yield replace(scene, camera=still, stroke=stroke)


def observe(scene: ShotScene, fps: float, rng: np.random.Generator, dirty: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (T,), hands and tip (T, 2) px as a tracker might see them."""
    t = (np.arange(int(scene.duration * fps) - 1) + rng.uniform()) / fps
    truth, n, tracks = scene.truth(t), len(t), []
    for name in ("hands", "bat_tip"):
        e = rng.normal(size=(n, 2))
        if dirty:
            for i in range(1, n):
                e[i] = 0.5 * e[i - 1] + np.sqrt(0.75) * e[i]
        track = truth.point_px(name) + NOISE * e
        if dirty:
            wrong = rng.uniform(size=n) < 0.02
            track[wrong] += rng.normal(0, 25, (wrong.sum(), 2))
        tracks.append(track)
    i = 0
    while dirty and i < n:
        if rng.uniform() < 0.05 / 2.5:
            longer = int(rng.integers(1, 5))
            tracks[1][i : i + longer] = np.nan
            if rng.uniform() < 0.5:
                tracks[0][i : i + longer] = np.nan
            i += longer
        i += 1
    return t, tracks[0], tracks[1]


def rival_peaks(name: str, t: np.ndarray, hands: np.ndarray, tip: np.ndarray) -> tuple[float, float]:
    """Largest tip speed (px/s) and |omega| (rad/s) as others find them."""
    from scipy.signal import butter, savgol_filter, sosfiltfilt

    fps = 1 / np.median(np.diff(t))
    filled = []
    for track in (hands, tip):
        there = ~np.isnan(track[:, 0])
        filled.append(np.stack([np.interp(t, t[there], track[there, k]) for k in (0, 1)], axis=1))
    if name == "Butterworth 6 Hz":
        filled = [sosfiltfilt(butter(2, 6, fs=fps, output="sos"), track, axis=0) for track in filled]
    elif name == "Savitzky-Golay 0.2 s":
        filled = [savgol_filter(track, 2 * round(0.1 * fps) + 1, 2, axis=0) for track in filled]
    hands, tip = filled
    bat = tip - hands
    omega = np.gradient(np.unwrap(np.arctan2(bat[:, 1], bat[:, 0])), t)
    length = np.hypot(*bat.T)
    return np.hypot(*np.gradient(tip, t, axis=0).T).max(), np.abs(omega)[length >= SHOWN * length.max()].max()


def bound_peaks(scene: ShotScene, t: np.ndarray, hands: np.ndarray, tip: np.ndarray, dirty: bool) -> tuple[float, float]:
    """Largest tip speed (px/s) and |omega| (rad/s) by a smoother that is told the roughness of the truth, the noise and the outliers."""
    fine = np.arange(t[0], t[-1], 0.004)
    places, rates = [], []
    for name, track in (("hands", hands), ("bat_tip", tip)):
        true = scene.truth(t).point_px(name)
        good = np.hypot(*(track - true).T) < 4 * NOISE  # comparisons with NaN are False
        place, rate = _told(t[good], track[good], lambda at, name=name: scene.truth(at).point_px(name), 0.5 if dirty else 0.0, fine)
        places.append(place)
        rates.append(rate)
    bat, turning = places[1] - places[0], rates[1] - rates[0]
    length = np.hypot(*bat.T)
    omega = np.abs(bat[:, 0] * turning[:, 1] - bat[:, 1] * turning[:, 0]) / length**2
    return float(np.hypot(*rates[1].T).max()), float(omega[length >= SHOWN * length.max()].max())


def _told(t: np.ndarray, y: np.ndarray, truth, phi: float, fine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place and rate at ``fine`` of the posterior mean under the truth's own roughness."""
    from scipy.ndimage import gaussian_filter1d

    basis = PenalisedSpline(t, y, known=True)
    dense = np.linspace(t[0], t[-1], 4 * basis.size)
    B = basis.design(dense)
    a = Banded(_lower(B.T @ B + 1e-9 * np.eye(basis.size))).solve(B.T @ truth(dense))
    q = gaussian_filter1d((np.diff(a, DIFFERENCES, axis=0) ** 2).mean(axis=1), TOLD / basis.step, mode="nearest") + 1e-8
    apart = np.rint(np.diff(t) / np.median(np.diff(t)))
    rows, targets, _ = whiten(basis.design(t), y, np.full(len(t), NOISE**2), phi**apart if phi else np.zeros(len(apart)))
    bands = _lower((rows.T @ rows).toarray())
    prior = prior_bands(1 / q, len(bands) - 1)
    a = Banded(bands + prior).solve(rows.T @ targets)
    at = np.clip(fine, t[0], t[-1])
    return basis.design(at) @ a, basis.design(at, 1) @ a


def _lower(matrix: np.ndarray) -> np.ndarray:
    """Bands under the diagonal of a dense symmetric matrix, as :class:`Banded` takes them."""
    size = len(matrix)
    width = max(int(np.abs(np.subtract(*np.nonzero(matrix))).max()), DIFFERENCES)
    return np.array([np.pad(np.diagonal(matrix, -j), (0, j)) for j in range(min(width, size - 1) + 1)])


class Tally:
    """Errors and standard scores over scenes."""

    def __init__(self) -> None:
        self.errors: dict[str, list[tuple[float, float]]] = {name: [] for name in ("kinetics", *RIVALS, BOUND)}
        self.scores: dict[str, list[np.ndarray]] = {}
        self.seconds, self.split = 0.0, 0

    def add(self, key: str, z: np.ndarray) -> None:
        self.scores.setdefault(key, []).append(np.abs(np.atleast_1d(z)))

    def take(
        self,
        scene: ShotScene,
        t: np.ndarray,
        hands: np.ndarray,
        tip: np.ndarray,
        seed: int,
        dirty: bool = False,
        impact: float | str = "auto",
    ) -> Swing:
        began = time.process_time()
        swing = estimate_swing(t, hands, tip, seed=seed, impact=impact)
        self.seconds += time.process_time() - began
        self.split += swing.impact is not None
        true = scene.truth(t)
        speed, when, omega, inside = true_peaks(scene)
        self.errors["kinetics"].append((swing.peak_tip_speed.value / speed - 1, swing.peak_omega.value / omega - 1 if inside else np.nan))
        for name in RIVALS:
            v, w = rival_peaks(name, t, hands, tip)
            self.errors[name].append((v / speed - 1, w / omega - 1 if inside else np.nan))
        v, w = bound_peaks(scene, t, hands, tip, dirty)
        self.errors[BOUND].append((v / speed - 1, w / omega - 1 if inside else np.nan))
        kept, near = ~np.isnan(swing.tip_speed), np.abs(t - when) < 0.1
        v = (swing.tip_speed - true.tip_speed_px) / swing.tip_speed_sigma
        w = (swing.omega - true.omega_image) / swing.omega_sigma
        flat = true.apparent_length >= SHOWN
        for key, z, some in (
            ("speed", v, kept),
            ("speed near", v, kept & near),
            ("omega", w, kept & flat),
            ("omega near", w, kept & near & flat),
        ):
            self.add(key, z[some])
        self.add("speed peak", (swing.peak_tip_speed.value - speed) / swing.peak_tip_speed.sigma)
        self.add("time peak", (swing.peak_tip_speed.t - when) / swing.peak_tip_speed.sigma_t)
        if inside:
            self.add("omega peak", (swing.peak_omega.value - omega) / swing.peak_omega.sigma)
        return swing

    def coverage(self) -> dict[str, tuple[float, float]]:
        return {key: tuple(float(100 * (np.concatenate(z) < k).mean()) for k in (1, 2)) for key, z in self.scores.items()}

    def accuracy(self) -> dict[str, dict[str, tuple[float, float, float]]]:
        """Per method: median, 90th percentile of the size and median of the signed error in %, of speed and omega."""
        out = {}
        for name, errors in self.errors.items():
            for k, what in enumerate(("speed", "omega")):
                e = 100 * np.array(errors)[:, k]
                e = e[~np.isnan(e)]
                out.setdefault(name, {})[what] = tuple(float(v) for v in (np.median(np.abs(e)), np.quantile(np.abs(e), 0.9), np.median(e)))
        return out


def true_peaks(scene: ShotScene) -> tuple[float, float, float, bool]:
    """Largest tip speed in the picture (px/s) and its time, largest |omega| in the picture while the bat shows half its length, and whether that
    is a peak: where the bat turns end-on, omega of its image only grows until it is cut off, and there is nothing to compare."""
    t = np.arange(0.0, scene.duration, 0.001)
    true = scene.truth(t)
    k = int(np.argmax(true.tip_speed_px))
    omega = np.where(true.apparent_length >= SHOWN, np.abs(true.omega_image), 0.0)
    j = int(np.argmax(omega))
    return float(true.tip_speed_px[k]), float(t[k]), float(omega[j]), 0 < j < len(t) - 1 and bool(omega[j - 1] and omega[j + 1])


def run(case: str, fps: float, batters: int, size: tuple[int, int], seed: int = 4711) -> Tally:
    tally = Tally()
    for i, scene in enumerate(scenes(batters, seed, size, impact=case in ("impact", "told"))):
        rng = np.random.default_rng([seed, i, int(fps)])
        tracks = observe(scene, fps, rng, dirty=case == "dirty")
        impact = scene.stroke.impact + rng.uniform(-0.5, 0.5) / fps if case == "told" else "auto"
        tally.take(scene, *tracks, seed=i, dirty=case == "dirty", impact=impact)
    return tally


def show(case: str, fps: float, tally: Tally) -> None:
    accuracy, coverage = tally.accuracy(), tally.coverage()
    count = len(tally.errors["kinetics"])
    peaks = sum(not np.isnan(e[1]) for e in tally.errors["kinetics"])
    print(
        f"\n{case}, {fps:g} frames a second, {count} swings ({peaks} with a peak of \u03c9 in the picture), {tally.split} split, "
        f"{tally.seconds / count:.2f} s of one core each"
    )
    print(f"  {'':24}{'peak tip speed, %':>24}{'peak omega, %':>24}")
    for name, found in accuracy.items():
        cells = [f"{found[what][0]:6.1f} /{found[what][1]:5.1f} ({found[what][2]:+.1f})" for what in ("speed", "omega")]
        print(f"  {name:24}{cells[0]:>24}{cells[1]:>24}")
    print("  inside 1\u03c3 / 2\u03c3, %:  " + "   ".join(f"{key} {a:.0f}/{b:.0f}" for key, (a, b) in coverage.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 batters, 25 and 50 frames a second")
    parser.add_argument("--batters", type=int, default=20)
    parser.add_argument("--fps", default="25,30,50,60")
    parser.add_argument("--size", default="1920x1080", help="picture; the batter stands about 585 of 1080 lines tall")
    parser.add_argument("--cases", default="clean,dirty,impact,told")
    parser.add_argument("--seed", type=int, default=4711, help="of the batters and the noise; the default one was used for no tuning")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    batters, rates = (3, "25,50") if args.quick else (args.batters, args.fps)
    size = tuple(int(v) for v in args.size.split("x"))
    figures = {}
    for case in args.cases.split(","):
        for fps in map(float, rates.split(",")):
            tally = run(case, fps, batters, size, args.seed)
            show(case, fps, tally)
            figures[f"{case} {fps:g}"] = {
                "accuracy": tally.accuracy(),
                "coverage": tally.coverage(),
                "split": tally.split,
                "seconds": tally.seconds,
            }
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
