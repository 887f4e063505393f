"""A style dataset built from clips: crops, hints, masks and captions of frames that the motion chose."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import KineticsError, Progress
from ..files import write_json
from ..hints import draw_pose_hint, hint_points
from ..motion.export import swing_record
from ..motion.phases import PHASES
from ..names import tell_apart
from ..video.picture import RgbMaker
from ..video.repeats import RepeatFinder
from .captions import DEFAULT_TEMPLATE, check_template, shot_label, tempo_words, write_caption
from .choose import choose_frames, split_footage
from .crops import Crop, check_buckets, cut, make_buckets, plan_crops
from .folder import check_place, folder_beside
from .frames import FrameTable, StyleShot, check_shot, judge_frames
from .masks import draw_bat_mask, draw_mask
from .samples import FORMAT, VERSION, StyleDataset, StyleSample, count_samples, is_dataset

__all__ = ["StyleDataset", "StyleSample", "StyleShot", "build_style_dataset"]

#: Longer side of the small grey crops that sharpness is measured in (grain averages away), and side of those that pictures are compared by.
_SMALL, _TINY = 256, 16

#: Crops that are enlarged more than this hold less than their size promises, and a note says so.
_ENLARGED = 1.5

#: A blurred sample still counts this much of a sharp one.
_LEAST_WEIGHT = 0.25


@dataclass(frozen=True, eq=False)
class _Plan:
    """What the first pass over a shot's clip found: rows of its skeleton to take, and the clip's frame that each belongs to."""

    shot: StyleShot
    name: str
    label: str
    table: FrameTable
    crops: list[Crop | None]
    frame: np.ndarray
    chosen: list[int]
    weight: np.ndarray
    left_out: Counter
    frames: int


def build_style_dataset(
    shots: Sequence[StyleShot],
    folder: str | os.PathLike,
    *,
    trigger: str,
    template: str = DEFAULT_TEMPLATE,
    resolution: int = 512,
    buckets: Sequence[tuple[int, int]] | None = None,
    frames_per_clip: int = 24,
    held_out: float = 0.15,
    bat_layer: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> StyleDataset:
    """Build a dataset folder, whole or not at all.

    Parameters
    ----------
    shots : sequence of StyleShot
    folder : path
        New, empty, or an older dataset of this pack, which is replaced.
    trigger, template : str
        The caption is ``template`` with {trigger}, {shot}, {phase} and {tempo} filled in.
    resolution : int, px
        Buckets have an area near its square; a multiple of 64.
    buckets : sequence of (W, H), optional
        Instead of those of the resolution; multiples of 64.
    frames_per_clip : int
        At most; fewer where the rest is blurred, without a pose, or alike.
    held_out : float
        How many footages are kept for validation: a number from 1 on, or below 1 a share, at least one; 0 for none. A clip is never divided.
    bat_layer : bool
        The bat in the hints, as :func:`kinetics.hints.draw_hint` draws it.
    seed : int
        Of the draw of the held-out clips. The same input and seed give the same bytes.
    progress : callable, optional
        Once per frame; clips are decoded twice.

    Returns
    -------
    StyleDataset

    Raises
    ------
    KineticsError
        Without shots, on settings that can't be met, one footage only with ``held_out`` above 0, a skeleton or swing that isn't of its clip,
        a folder that is someone else's, or when no frame is left.
    """
    shots = list(shots)
    footage = [shot.footage or shot.clip.name for shot in shots]
    sizes = check_settings(footage, trigger, template, resolution, buckets, frames_per_clip, held_out)
    names = _names(shots)
    check_place(Path(folder), is_dataset)
    for shot in shots:
        check_shot(shot)
    done, total = 0, 2 * sum(shot.clip.info.frame_count for shot in shots)

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(min(done, total), total)

    plans = [_plan(shot, name, sizes, frames_per_clip, step) for shot, name in zip(shots, names, strict=True)]
    used = [k for k, plan in enumerate(plans) if plan.chosen]
    if not used:
        reasons = sum((plan.left_out for plan in plans), Counter())
        raise KineticsError(f"No frame can be used ({_reasons(reasons)}); check that the skeletons are the batter's, in these clips.")
    if held_out and len({footage[k] for k in used}) < 2:
        raise KineticsError(f"Only {plans[used[0]].name} has frames that can be used, and a clip is never divided: give more clips, or set held_out to 0.")
    out = dict(zip(used, split_footage([footage[k] for k in used], [plans[k].label for k in used], held_out, seed), strict=True))
    settings = {
        "resolution": resolution, "buckets": [list(size) for size in sizes], "frames_per_clip": frames_per_clip, "held_out": held_out,
        "bat_layer": bat_layer, "seed": seed,
    }  # fmt: skip
    samples: list[StyleSample] = []
    with folder_beside(folder, is_dataset) as part:
        for name in ("images", "hints", "masks"):
            (part / name).mkdir()
        for k, plan in enumerate(plans):
            split = "held_out" if out.get(k) else "train"
            samples.extend(_write_samples(plan, part, split, trigger, template, bat_layer, step))
        (part / "metadata.jsonl").write_text("".join(sample.line() for sample in samples), encoding="utf-8", newline="\n")
        write_json(part / "dataset.json", _record(plans, samples, trigger, template, settings))
    if progress:
        progress(total, total)
    return StyleDataset.load(folder)


def check_settings(
    footage: Sequence[str], trigger: str, template: str, resolution: int, buckets: Sequence[tuple[int, int]] | None, frames_per_clip: int, held_out: float
) -> tuple[tuple[int, int], ...]:  # fmt: skip
    """Raise on settings of :func:`build_style_dataset` that can't be met by shots of these footages; the buckets."""
    if not footage:
        raise KineticsError("There is no clip to build a style dataset from; give at least one with its skeleton.")
    check_template(template, trigger)
    if frames_per_clip < 1:
        raise KineticsError(f"{frames_per_clip} frames per clip can't be taken; give 1 or more.")
    if held_out < 0 or (held_out > 1 and held_out != int(held_out)):
        raise KineticsError(f"{held_out:g} clips can't be held out; give a whole number, or a share below 1.")
    different = len(set(footage))
    if held_out and different < 2:
        raise KineticsError("There is one clip only, and a clip is never divided: give more clips, or set held_out to 0 to train without a held-out loss.")
    if held_out >= different:
        raise KineticsError(f"{held_out:g} clips can't be held out of {different}; at least one has to be left for training.")
    return make_buckets(resolution) if buckets is None else check_buckets(buckets)


def _names(shots: Sequence[StyleShot]) -> list[str]:
    """Names that files can have, made different from each other by a number."""
    return tell_apart([re.sub(r"[^\w\-]+", "_", shot.title).strip("_") or "clip" for shot in shots], "{}-{}")


def _plan(shot: StyleShot, name: str, buckets: Sequence[tuple[int, int]], count: int, step) -> _Plan:
    """The first pass: measure each picture in which the batter is seen, then choose."""
    table = judge_frames(shot)
    joints = [joint for joint in table.pose.names if joint not in ("hands", "bat_tip")]
    points, tip = table.pose.select(joints).xy, table.track("bat_tip")
    crops = plan_crops(points, _hands(table), tip, table.heights, table.pose.t, table.stretch, table.pose.size, buckets)
    rows, frame = len(table.pose), np.full(len(table.pose), -1)
    refused, sharpness = table.refused.copy(), np.full(rows, np.nan)
    tiny = np.zeros((rows, _TINY * _TINY), np.uint8)
    finder, make_rgb = RepeatFinder(), RgbMaker(shot.clip.layout, careful=False)
    frames, slack = 0, _slack(table.pose.t)
    for index, t, picture in shot.clip.pictures():
        finder.add(t, picture)
        frames += 1
        row = int(np.abs(table.pose.t - t).argmin())
        if abs(table.pose.t[row] - t) <= slack and frame[row] < 0:
            frame[row] = index
            if crops[row] is not None and not refused[row]:
                sharpness[row], tiny[row] = _look(make_rgb(picture), crops[row], table, row)
        step()
    if (frame < 0).all():
        raise KineticsError(f"The skeleton of {shot.title} and its clip have no time in common; find the skeleton in this clip, trimmed the same way.")
    repeats = np.flatnonzero(finder.report(shot.clip.name, shot.clip.info.fps).repeats)
    refused[(refused == "") & np.isin(frame, repeats)] = "repeated frame"
    refused[(refused == "") & np.isnan(sharpness)] = "no pose"
    usable = (refused == "") & (frame >= 0)
    blur = table.sharp * _relative(sharpness, usable)
    shape = np.concatenate([points, tip[:, None]], axis=1) / table.heights[:, None, None]
    chosen, why_not = choose_frames(table.phase, usable, blur, shape, tiny, count)
    reasons = np.where(refused != "", refused, why_not)[frame >= 0]
    left_out = Counter(str(reason) for reason in reasons if reason)
    left_out["no pose"] += frames - int((frame >= 0).sum())
    weight = table.confidence * np.maximum(blur, _LEAST_WEIGHT)
    return _Plan(shot, name, shot.shot or shot_label(shot.title), table, crops, frame, chosen, weight, +left_out, frames)


def _slack(t: np.ndarray) -> float:
    """Seconds by which a frame's time may differ from its skeleton's."""
    return 0.25 * float(np.diff(t).min()) if len(t) > 1 else 1e-3


def _hands(table: FrameTable) -> np.ndarray:
    """(T, 2) px of the hands: measured, else the middle of the wrists, or the one that is seen."""
    left, right = table.track("left_wrist"), table.track("right_wrist")
    wrists = np.where(np.isnan(left), right, np.where(np.isnan(right), left, (left + right) / 2))
    hands = table.track("hands")
    return np.where(np.isnan(hands), wrists, hands)


def _look(image: np.ndarray, crop: Crop, table: FrameTable, row: int) -> tuple[float, np.ndarray]:
    """Variance of the Laplacian on batter and bat, in a small grey crop, and a tiny one."""
    import cv2

    scale = min(1.0, _SMALL / max(crop.bucket))
    small = Crop(crop.left, crop.top, crop.width, crop.height, tuple(max(1, round(side * scale)) for side in crop.bucket))
    # Only what the crop shows is turned grey and scaled.
    x, y = max(0, int(crop.left)), max(0, int(crop.top))
    part = image[y : int(np.ceil(crop.top + crop.height)), x : int(np.ceil(crop.left + crop.width))]
    grey, _ = cut(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), Crop(crop.left - x, crop.top - y, crop.width, crop.height, small.bucket))
    mask = draw_mask(hint_points(table.pose, row, small.matrix), table.heights[row] * small.scale, small.bucket) > 0.5
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    value = float(edges[mask].var()) if mask.any() else np.nan
    return value, cv2.resize(grey, (_TINY, _TINY), interpolation=cv2.INTER_AREA).ravel()


def _relative(sharpness: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """(T,) sharpness as the square root of its part of the clip's median, at most 1; 1 where it wasn't measured."""
    known = usable & np.isfinite(sharpness)
    middle = float(np.median(sharpness[known])) if known.any() else 0.0
    return np.where(known & (middle > 0), np.sqrt(np.minimum(sharpness / (middle or 1.0), 1.0)), 1.0)


def _write_samples(plan: _Plan, part: Path, split: str, trigger: str, template: str, bat_layer: bool, step) -> Iterator[StyleSample]:
    """The second pass: the pictures of the rows that were chosen, in the order of time."""
    at = {int(plan.frame[row]): row for row in plan.chosen}
    tempo, last = tempo_words(plan.shot.swing), max(at, default=-1)
    if not at:
        return
    for index, t, image in plan.shot.clip.frames():
        step()
        if index in at:
            row = at[index]
            crop, pose = plan.crops[row], plan.table.pose
            stem = f"{plan.name}_{index:05}"
            picture, inside = cut(image, crop)
            hint = draw_pose_hint(pose, row, crop.bucket, crop.matrix, bat=bat_layer)
            mask = _mask(plan, row, crop, image.shape[:2]) * inside
            phase = str(plan.table.phase[row])
            text = write_caption(template, trigger, plan.label, phase, tempo)
            for name, value in (("images", picture), ("hints", hint), ("masks", np.rint(255 * mask).astype(np.uint8))):
                _write_png(part / name / f"{stem}.png", value)
            (part / "images" / f"{stem}.txt").write_text(text + "\n", encoding="utf-8", newline="\n")
            yield StyleSample(
                f"images/{stem}.png", f"hints/{stem}.png", f"masks/{stem}.png", text, plan.name, plan.label, phase, round(float(t), 6), index,
                round(float(plan.weight[row]), 4), *crop.bucket, split,
            )  # fmt: skip
        if index >= last:
            return


def _mask(plan: _Plan, row: int, crop: Crop, size: tuple[int, int]) -> np.ndarray:
    """Batter and bat in a crop, 0 to 1: from the skeleton, or the mask that was given and the bat."""
    points, height = hint_points(plan.table.pose, row, crop.matrix), float(plan.table.heights[row] * crop.scale)
    if plan.shot.masks is None:
        return draw_mask(points, height, crop.bucket)
    import cv2

    given = np.squeeze(np.asarray(plan.shot.masks[row], dtype=np.float32))
    if given.ndim != 2:
        raise KineticsError(f"The mask for frame {row} of {plan.name} has shape {np.shape(plan.shot.masks[row])}; give height × width.")
    whole = np.rint(255 * np.clip(given, 0, 1)).astype(np.uint8)
    if whole.shape != size:
        whole = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.maximum(cut(whole, crop)[0] / np.float32(255), draw_bat_mask(points, height, crop.bucket))


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, compress_level=6)


def _record(plans: Sequence[_Plan], samples: Sequence[StyleSample], trigger: str, template: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The value of ``dataset.json``."""
    return {
        "format": FORMAT, "version": VERSION, "trigger": trigger.strip(), "template": template, "settings": settings,
        "motion": {plan.name: _motion(plan) for plan in plans}, "counts": count_samples(samples),
        "left_out": {plan.name: dict(sorted(plan.left_out.items())) for plan in plans}, "notes": [note for plan in plans for note in _notes(plan)],
        "provenance": {"made_by": f"Correlated Kinetics {__version__}", "clips": {plan.name: _provenance(plan, samples) for plan in plans}},
    }  # fmt: skip


def _motion(plan: _Plan) -> dict[str, Any]:
    """What was measured in a clip; null where nothing was."""
    swing = plan.shot.swing
    record = None if swing is None else swing_record(swing)
    found = {"shot": plan.label, "phases_from": plan.table.phases_from, "tempo": tempo_words(swing) or None}
    if record is None:
        return {**found, "peak_tip_speed": None, "peak_omega": None, "phases": [], "impact": None, "flags": []}
    return {
        **found, "peak_tip_speed": {**record["peak_tip_speed"], "unit": record["per_second"]}, "peak_omega": {**record["peak_omega"], "unit": "rad/s"},
        "phases": record["phases"], "impact": record["impact"], "flags": record["flags"],
    }  # fmt: skip


def _notes(plan: _Plan) -> list[str]:
    notes = list(plan.table.notes)
    if not plan.chosen:
        return [*notes, f"{plan.name}: none of its {plan.frames} frames was taken ({_reasons(plan.left_out)})."]
    if plan.table.phases_from == "swing":
        absent = [phase for phase in PHASES if phase not in plan.table.phase[plan.chosen]]
        if absent:
            notes.append(f"{plan.name}: no frame of {', '.join(absent).replace('_', '-')} was taken.")
    enlarged = max(plan.crops[row].scale for row in plan.chosen)
    if enlarged > _ENLARGED:
        notes.append(f"{plan.name}: the batter is small, his crops are enlarged up to {enlarged:.1f} times; a lower resolution loses nothing.")
    return notes


def _provenance(plan: _Plan, samples: Sequence[StyleSample]) -> dict[str, Any]:
    info, pose, shot = plan.shot.clip.info, plan.shot.pose, plan.shot
    return {
        "file": Path(shot.clip.name).name, "width": info.width, "height": info.height, "fps": round(float(info.fps), 6), "frames": plan.frames,
        "estimator": str(pose.provenance.get("estimator", "")), "steps": [str(step.get("step", "")) for step in pose.provenance.get("steps", ())],
        "bat": None if shot.swing is None else dict(Counter(str(source) for source in shot.swing.source if source)),
        "exposure_s": round(plan.table.exposure, 6), "exposure_from": "half of the frame's time" if shot.exposure is None else "given",
        "masks": "skeleton" if shot.masks is None else "given", "split": next((sample.split for sample in samples if sample.clip == plan.name), None),
    }  # fmt: skip


def _reasons(left_out: Counter) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(left_out.items())) or "none"


def report(dataset: StyleDataset) -> str:
    """What went in and what was left out, as a person reads it."""
    counts, left_out = count_samples(dataset.samples), sum((Counter(part) for part in dataset.info.get("left_out", {}).values()), Counter())
    phases = ", ".join(f"{number} {phase.replace('_', '-')}" for phase, number in counts["by_phase"].items())
    buckets = ", ".join(f"{number} of {size.replace('x', '×')}" for size, number in counts["by_bucket"].items())
    return "\n".join([
        f"{counts['samples']} samples of {counts['clips']} clips: {counts['train']} to train, {counts['held_out']} held out.",
        f"Phases: {phases}.", f"Buckets: {buckets}.", f"Left out: {_reasons(left_out)}.", *dataset.info.get("notes", ()),
    ])  # fmt: skip
