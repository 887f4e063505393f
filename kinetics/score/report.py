"""What was scored, as a table to read, a CSV, and JSON."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_json, write_text
from ..pose_sequence import LIMB_NAMES, PoseSequence
from .pose import PoseScore
from .steadiness import Steadiness

#: Figures kept in files.
_FIGURES = 6


@dataclass(frozen=True)
class Row:
    """One measure: its name, unit, which way is better, and its value on the frames, on real frames, by chance, and of the source clip."""

    key: str
    words: str
    unit: str
    better: str
    frames: float
    floor: float = math.nan
    chance: float = math.nan
    source: float = math.nan


#: Columns of table and CSV beside the measure: attribute of Row, title.
COLUMNS = (("frames", "frames"), ("floor", "noise floor"), ("chance", "chance"), ("source", "source"))

#: Measures of a pose: attribute of PoseScore and Chance, words, unit, which way is better.
_MEASURES = (
    ("pck", "PCK@{threshold:g} trunk, all requested", "", "higher"), ("pck_found", "PCK@{threshold:g} trunk, of those found", "", "higher"),
    ("missed", "joints not found", "", "lower"), ("without_person", "frames without a person", "", "lower"),
    ("oks", "OKS (COCO)", "", "higher"), ("ap", "OKS-AP 0.50-0.95", "", "higher"),
    ("angle_error", "joint angles, mean error", "deg", "lower"), ("velocity_error", "joint velocities, RMS error", "body lengths/s", "lower"),
    ("velocity_relative", "the same over the requested speed", "", "lower"),
)  # fmt: skip


@dataclass(frozen=True)
class FrameReport:
    """Everything that was scored of one batch of frames.

    Attributes
    ----------
    frames, requested : str
        What was scored, and what was asked for.
    pose : PoseScore
    floor : PoseScore or None
        The detector on real frames.
    steadiness, source_steadiness : Steadiness or None
    looks : dict
        ``lpips``, ``kid``, ``kid_sigma``, ``clip``: those that could be measured.
    notes : tuple of str
        Sentences on what could not be, and on what limits the numbers.
    skeleton : PoseSequence or None
        That was found in the frames.
    """

    frames: str
    requested: str
    pose: PoseScore
    floor: PoseScore | None = None
    steadiness: Steadiness | None = None
    source_steadiness: Steadiness | None = None
    looks: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skeleton: PoseSequence | None = field(default=None, repr=False)

    def rows(self) -> list[Row]:
        """The table, a row per measure."""
        rows = []
        for key, words, unit, better in _MEASURES:
            floor = math.nan if self.floor is None else getattr(self.floor, key)
            words = words.format(threshold=self.pose.threshold)
            rows.append(Row(key, words, unit, better, getattr(self.pose, key), floor, getattr(self.pose.chance, key, math.nan)))
        if self.steadiness is not None:
            own = math.nan if self.source_steadiness is None else self.source_steadiness.mean
            rows.append(Row("warping_error", "warping error between frames", "of 255", "lower", self.steadiness.mean, source=own))
            if own > 0:
                rows.append(Row("warping_ratio", "warping error over the source's", "", "lower", self.steadiness.mean / own, source=1.0))
        for key, words, better in (
            ("lpips", "LPIPS to the source", "lower"), ("lpips_next", "LPIPS to the next frame", "lower"), ("kid", "KID to the source", "lower"),
            ("clip", "CLIP score of the prompt", "higher"),
        ):  # fmt: skip
            if key in self.looks:
                rows.append(Row(key, words, "", better, self.looks[key], source=self.looks.get(f"{key}_source", math.nan)))
        return rows

    def sentences(self) -> str:
        """For people: the table in lines, the joints that fail most, and the notes."""
        rows, used = self.rows(), []
        for column, title in COLUMNS:
            if column == "frames" or any(math.isfinite(getattr(row, column)) for row in rows):
                used.append((column, title))
        names = [f"{row.words} ({row.unit})" if row.unit else row.words for row in rows]
        wide = max(map(len, names))
        lines = [" " * wide + "".join(f"{title:>14}" for _, title in used)]
        for name, row in zip(names, rows, strict=True):
            cells = [shown(getattr(row, column)) for column, _ in used]
            if row.key == "pck" and math.isfinite(self.pose.chance.pck_sigma):
                cells[[column for column, _ in used].index("chance")] += f" ±{self.pose.chance.pck_sigma:.2f}"
            lines.append(f"{name:<{wide}}" + "".join(f"{cell:>14}" for cell in cells))
        worst = sorted(((wrong, joint) for joint, wrong in wrong_shares(self.pose).items() if wrong > 0), reverse=True)[:3]
        if worst:
            lines.append("Wrong most often: " + ", ".join(f"{joint.replace('_', ' ')} {wrong:.0%}" for wrong, joint in worst) + ".")
        lines.append(f"Found again by {self.pose.detector}.")
        if self.floor is not None:
            other = "" if self.floor.detector == self.pose.detector else f", by {self.floor.detector}"
            lines.append(f"Noise floor: {self.floor.name}{other}.")
        return "\n".join([*lines, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """The value of ``score.json``; null where there is no value."""
        return plain({
            "frames": self.frames, "requested": self.requested,
            "table": [
                {"measure": row.key, "words": row.words, "unit": row.unit, "better": row.better, **{column: getattr(row, column) for column, _ in COLUMNS}}
                for row in self.rows()
            ],
            "pose": pose_record(self.pose), "floor": None if self.floor is None else pose_record(self.floor),
            "steadiness": None if self.steadiness is None else steadiness_record(self.steadiness),
            "source_steadiness": None if self.source_steadiness is None else steadiness_record(self.source_steadiness),
            "looks": self.looks, "notes": list(self.notes),
        })  # fmt: skip

    def write_csv(self, path: str | os.PathLike) -> None:
        """A row per measure, then a row per joint, units in a column, an empty field where there is no value."""
        rows = self.rows()
        floor = {} if self.floor is None else joint_values(self.floor)
        for key, words, unit, better in (
            ("pck", "PCK", "", "higher"), ("missed", "not found", "", "lower"), ("median_error", "median distance of those found", "trunk lengths", "lower"),
        ):  # fmt: skip
            for joint, values in joint_values(self.pose).items():
                other = floor.get(joint, {}).get(key, math.nan)
                rows.append(Row(f"{key}:{joint}", f"{words}, {joint.replace('_', ' ')}", unit, better, values[key], other))
        write_table(path, ["measure", "words", "unit", "better", *(title for _, title in COLUMNS)], [
            [row.key, row.words, row.unit, row.better, *(getattr(row, column) for column, _ in COLUMNS)] for row in rows
        ])  # fmt: skip


def joint_values(score: PoseScore) -> dict[str, dict[str, float]]:
    """Per joint ``pck``, ``missed`` and ``median_error``; NaN where it was never requested."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pck, missed = score.correct / score.requested, 1 - score.found / score.requested
    return {
        joint: {"pck": pck[k], "missed": missed[k], "median_error": score.median_error[k]} for k, joint in enumerate(score.joints)
    }  # fmt: skip


def wrong_shares(score: PoseScore) -> dict[str, float]:
    """Per limb joint that was requested the share of frames in which it was wrong or not found."""
    return {
        joint: float(1 - right / asked)
        for joint, right, asked in zip(score.joints, score.correct, score.requested, strict=True)
        if joint in LIMB_NAMES and asked
    }


def pose_record(score: PoseScore) -> dict[str, Any]:
    """A PoseScore as JSON's own types would hold it."""
    return {
        "name": score.name, "detector": score.detector, "threshold": score.threshold, "trunk_px": score.trunk, "frame_count": len(score),
        **{key: getattr(score, key) for key, *_ in _MEASURES}, "angles_compared": score.angles_compared,
        "chance": {key: getattr(score.chance, key) for key in ("pck", "pck_sigma", "oks", "angle_error", "velocity_error")},
        "joints": {
            joint: {"requested": score.requested[k], "found": score.found[k], "correct": score.correct[k], "median_error": score.median_error[k]}
            for k, joint in enumerate(score.joints)
        },
        "per_frame": {"t": score.t, "pck": score.frame_pck, "oks": score.frame_oks, "angle_error": score.frame_angle},
    }  # fmt: skip


def steadiness_record(found: Steadiness) -> dict[str, Any]:
    return {"mean": found.mean, "error": found.error, "occluded": found.occluded}


def export_report(report: FrameReport, folder: str | os.PathLike, name: str = "score") -> list[Path]:
    """Write ``<name>.json``, ``.csv`` and ``.png`` into a folder, each whole or not at all."""
    from ..plots.score import plot_score

    paths = [Path(folder) / f"{name}.{suffix}" for suffix in ("json", "csv", "png")]
    write_json(paths[0], report.to_dict())
    report.write_csv(paths[1])
    plot_score(report, path=paths[2])
    return paths


def write_table(path: str | os.PathLike, header: list[str], rows: list[list[Any]]) -> None:
    """Write a CSV, whole or not at all; NaN is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if isinstance(cell, float) and math.isnan(cell) else f"{cell:.{_FIGURES}g}" if isinstance(cell, float) else cell for cell in row])
    write_text(path, text.getvalue())


def shown(value: float) -> str:
    """Three or four figures, a dash for nothing."""
    return "-" if not math.isfinite(value) else f"{value:.4f}" if abs(value) < 0.01 else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def plain(value: Any) -> Any:
    """The same in JSON's own types; NaN becomes null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_FIGURES}g}") if math.isfinite(value) else None
    return value
