"""Error budget to choose a camera by: frame rate × exposure × pixel noise -> errors of peak tip speed and omega, as a CSV and a plot.

    python benchmarks/sweep.py -o DIR [--quick] [--batters 3] [--size 1920x1080]

Random batters × 6 shots before a still camera, as in motion.py. Exposure acts through blur. While the shutter is open the tip sweeps over a
smear of length v·exposure; what is read is the mean place over the exposure, which lies at its middle (and, on a curve, a little inside
it), with the pixel noise across the smear and, along it, a further tenth of its length, as the two ends of a faint wedge are hard to see.
That reading error of a tenth is an assumption, not a measurement; a tracker can know the length of the smear, so the estimator is given each
sample's sigma. Times are those of the middle of the exposure. A shutter can't be open longer than a frame lasts: those cells are empty.

Writes sweep.csv (one row a cell: median and 90th percentile of |error| in %, share of the peaks inside 1 sigma and 2 sigma) and sweep.png.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion import scenes, true_peaks

from kinetics.motion.swing import estimate_swing
from kinetics.plots.page import FAINT, GRID, PAGE, PANEL, TEXT
from kinetics.synthetic import ShotScene

RATES = (25, 50, 120, 240)
EXPOSURES = (1 / 1000, 1 / 500, 1 / 250, 1 / 100, 1 / 50)
NOISES = (1.0, 2.0, 4.0)

#: Error of a reading along its smear, as part of the smear's length.
ALONG = 0.1

#: Moments within an exposure whose mean is taken.
_MOMENTS = 9

_FIELDS = ("fps", "exposure_s", "noise_px", "swings", "speed_median", "speed_p90", "omega_median", "omega_p90", "inside_1", "inside_2")


def observe(scene: ShotScene, fps: float, exposure: float, noise: float, rng: np.random.Generator):
    """Times (T,), hands and tip (T, 2) px, and the tip's sigma per axis (T,) px, of frames exposed for ``exposure`` s."""
    t = (np.arange(int(scene.duration * fps) - 1) + rng.uniform(0.5, 1.0)) / fps
    t = t[t + exposure / 2 < scene.duration]
    open_ = exposure * (np.arange(_MOMENTS) / (_MOMENTS - 1) - 0.5)
    weight = np.full(_MOMENTS, 1.0 / (_MOMENTS - 1))
    weight[[0, -1]] /= 2
    truth = scene.truth((t[:, None] + open_).ravel())
    hands, tip = (np.einsum("tmk,m->tk", truth.point_px(name).reshape(len(t), _MOMENTS, 2), weight) for name in ("hands", "bat_tip"))
    ends = truth.point_px("bat_tip").reshape(len(t), _MOMENTS, 2)[:, [0, -1]]
    smear = ends[:, 1] - ends[:, 0]
    tip = tip + noise * rng.normal(size=tip.shape) + ALONG * smear * rng.normal(size=(len(t), 1))
    return t, hands + noise * rng.normal(size=hands.shape), tip, np.sqrt(noise**2 + (ALONG * np.hypot(*smear.T)) ** 2 / 2)


def measure(fps: float, exposure: float, noise: float, batters: list[ShotScene], seed: int) -> dict[str, float]:
    """One cell of the table."""
    speeds, turns, inside = [], [], []
    for i, scene in enumerate(batters):
        t, hands, tip, sigma = observe(scene, fps, exposure, noise, np.random.default_rng([seed, i, int(fps)]))
        swing = estimate_swing(t, hands, tip, hands_sigma=noise, tip_sigma=sigma, seed=i)
        speed, _, omega, peaked = true_peaks(scene)
        speeds.append(abs(swing.peak_tip_speed.value / speed - 1))
        inside.append(abs(swing.peak_tip_speed.value - speed) / swing.peak_tip_speed.sigma)
        if peaked:
            turns.append(abs(swing.peak_omega.value / omega - 1))
    found = [100 * float(np.quantile(errors, at)) for errors in (speeds, turns) for at in (0.5, 0.9)]
    cover = [100 * float(np.mean(np.array(inside) < k)) for k in (1, 2)]
    return dict(zip(_FIELDS, (fps, exposure, noise, len(batters), *found, *cover), strict=True))


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """Columns: noise. Rows: error of tip speed and of omega. One line a frame rate: dots at the median, a bar up to the 90th percentile."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    rates, exposures, noises = (sorted({row[name] for row in rows}) for name in ("fps", "exposure_s", "noise_px"))
    colours = ("#ff7a6b", "#f0c040", "#3fc08a", "#46acf5")
    figure = Figure(figsize=(3.7 * len(noises) + 0.8, 7.0), facecolor=PAGE)
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(noises), sharex=True, sharey=True, squeeze=False)
    for column, noise in enumerate(noises):
        for axes, what in zip(grid[:, column], ("speed", "omega"), strict=True):
            axes.axhspan(0.05, 2.0, color="#3fae7a", alpha=0.08, lw=0)
            for k, fps in enumerate(rates):
                mine = [row for row in rows if row["fps"] == fps and row["noise_px"] == noise]
                at = np.array([exposures.index(row["exposure_s"]) for row in mine]) + 0.15 * (k - (len(rates) - 1) / 2)
                middle, high = (np.array([row[f"{what}_{part}"] for row in mine]) for part in ("median", "p90"))
                axes.vlines(at, middle, high, color=colours[k], lw=1.6, alpha=0.5)
                axes.plot(at, high, "_", color=colours[k], ms=8, mew=1.6, alpha=0.8)
                axes.plot(at, middle, "o-", color=colours[k], lw=1.3, ms=6, label=f"{fps:g} frames/s", mec=PAGE, mew=0.8)
            axes.set_facecolor(PANEL)
            axes.set_yscale("log")
            axes.set_ylim(0.15, 1.15 * max(20.0, *(row[f"{part}_p90"] for row in rows for part in ("speed", "omega"))))
            axes.set_yticks([0.2, 0.5, 1, 2, 5, 10, 20], ["0.2", "0.5", "1", "2", "5", "10", "20"])
            axes.yaxis.set_minor_locator(NullLocator())
            axes.grid(axis="y", color=GRID, lw=0.8)
            axes.set_axisbelow(True)
            for spine in axes.spines.values():
                spine.set_visible(False)
            axes.tick_params(length=0, colors=TEXT)
        grid[0, column].set_title(f"{noise:g} px of noise", fontsize=12, weight="bold", loc="left", color=TEXT, pad=8)
        grid[1, column].set_xticks(range(len(exposures)), [f"1/{round(1 / exposure)}" for exposure in exposures])
        grid[1, column].set_xlabel("exposure, s", color=FAINT)
    grid[0, 0].set_ylabel("error of peak tip speed, %", color=TEXT, fontsize=11)
    grid[1, 0].set_ylabel("error of peak \u03c9, %", color=TEXT, fontsize=11)
    figure.text(0.02, 0.955, "How well a camera knows a swing", fontsize=17, weight="bold", color=TEXT)
    legend = (
        f"dot: median, bar: up to the 90th percentile, of {rows[0]['swings']:.0f} swings; the bat is about 290 px long; green: within 2 %"
    )
    figure.text(0.02, 0.918, legend, color=FAINT, fontsize=10.5)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="lower center", ncols=len(rates), frameon=False, labelcolor=TEXT, fontsize=11
    )
    figure.tight_layout(rect=(0.005, 0.05, 1, 0.91))
    figure.savefig(path, dpi=140, facecolor=PAGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for sweep.csv and sweep.png")
    parser.add_argument("--quick", action="store_true", help="1 batter, 25 and 50 frames a second")
    parser.add_argument("--batters", type=int, default=3)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--seed", type=int, default=4712)
    args = parser.parse_args()
    batters, rates = (1, RATES[:2]) if args.quick else (args.batters, RATES)
    drawn = list(scenes(batters, args.seed, tuple(int(v) for v in args.size.split("x"))))
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (args.out / "sweep.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _FIELDS)
        writer.writeheader()
        for fps in rates:
            for exposure in (value for value in EXPOSURES if value <= 1 / fps):
                for noise in NOISES:
                    rows.append(measure(fps, exposure, noise, drawn, args.seed))
                    writer.writerow({name: f"{value:.5g}" for name, value in rows[-1].items()})
                    file.flush()
                    print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
    plot(rows, args.out / "sweep.png")


if __name__ == "__main__":
    main()
