"""What the archive browser and its node show: names that tell clips apart, columns as strict JSON, a stroke small enough to fetch, histograms."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinetics.errors import KineticsError
from kinetics.plots.archive import plot_archive
from kinetics.pose_sequence import PoseSequence
from kinetics.show.archive import AFTER, BEFORE, MOST, STEPS, archive_record, clip_names, stroke_record

NAMES = ("nose", "left_eye", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist", "left_hip", "right_hip", "bat_tip")


def clips(count: int, **changed) -> dict:
    numbers = ("peak_tip_speed", "peak_tip_speed_sigma", "peak_tip_speed_t", "peak_omega", "peak_omega_sigma", "peak_omega_t", "impact_t", "duration_s", "fps")
    columns = {name: [1.5] * count for name in numbers}
    columns |= {
        "key": [f"{n:032x}" for n in range(count)], "path": [f"/clips/shot_{n}.mp4" for n in range(count)], "unit": ["body"] * count,
        "swing_reason": [""] * count, "flags": [[] for _ in range(count)], "chain_path": [["pelvis", "bat_tip"] for _ in range(count)],
    }  # fmt: skip
    return columns | changed


def waving(frames: int, fps: float = 25.0, missing: tuple[str, ...] = ()) -> PoseSequence:
    t = np.arange(frames) / fps
    xy = np.stack([np.stack([300 + 10 * k + 40 * np.sin(3 * t + k), 200 + 30 * k + 5 * t], axis=1) for k in range(len(NAMES))], axis=1)
    for name in missing:
        xy[:, NAMES.index(name)] = np.nan
    return PoseSequence(xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0, 0.8), t=t, names=NAMES, size=(1280, 720))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/hook.mp4", "/b/drive.mp4"], ["hook", "drive"]),
        (["/a/mon/hook.mp4", "/a/fri/hook.mp4", "/a/fri/drive.mp4"], ["mon/hook", "fri/hook", "drive"]),
        (["/a/x/y/hook.mp4", "/b/x/y/hook.mp4"], ["a/x/y/hook", "b/x/y/hook"]),
        (["/a/hook.mp4", "/a/hook.avi"], ["hook.mp4", "hook.avi"]),
        (["/a/day.1/hook.v2.mp4"], ["hook.v2"]),
        ([], []),
    ],
)
def test_clips_are_called_by_as_little_as_tells_them_apart(paths, names):
    assert clip_names(paths) == names


def test_names_of_many_clips_stay_different():
    paths = [f"/games/{game}/{innings}/{ball}.mp4" for game in range(4) for innings in range(2) for ball in range(300)]
    assert len(set(clip_names(paths))) == len(paths)


def test_record_is_strict_json_with_null_where_nothing_is_told():
    columns = clips(3, peak_tip_speed=[12.345678, float("nan"), None], swing_reason=["", "no bat is seen", None], unit=["body", None, "px"])
    clusters = {"key": [f"{n:032x}" for n in (2, 0, 1, 7)], "cluster": [4, 4, -1, 4], "medoid": [True, False, False, False], "label": ["like shot_2"] * 4}
    record = json.loads(json.dumps(archive_record(columns, clusters, failures=2), allow_nan=False))
    assert record["speed"] == [12.346, None, None] and record["reason"] == ["", "no bat is seen", ""] and record["unit"] == ["body heights/s", "", "px/s"]
    assert record["clusters"] == [{"label": "like shot_2", "typical": 2, "count": 2}] and record["cluster"] == [0, None, 0]
    assert record["failures"] == 2 and record["name"] == ["shot_0", "shot_1", "shot_2"]


def test_empty_archive_gives_an_empty_record():
    record = archive_record(clips(0))
    assert record["key"] == [] and record["clusters"] == []


def test_stroke_is_small_and_lies_in_its_box():
    stroke = stroke_record(waving(500, fps=100.0), about=2.0)
    text = json.dumps(stroke, allow_nan=False)
    assert len(stroke["t"]) == len(stroke["pose"]["xy"]) <= MOST and len(text) < 16_000
    assert stroke["t"][0] == 0 and stroke["t"][-1] == pytest.approx(BEFORE + AFTER, abs=0.03)  # the last frames fall into a step of three
    assert abs(stroke["t"][stroke["moment"]] - BEFORE) <= 0.02
    assert max(stroke["box"]) == STEPS and "left_eye" not in stroke["pose"]["names"]
    values = np.array(stroke["pose"]["xy"]).reshape(len(stroke["t"]), -1, 2)
    assert (values >= 0).all() and (values <= stroke["box"]).all()
    # Joints keep their places to each other: the batter isn't squeezed into the box.
    pose = waving(500, fps=100.0)
    first = int(np.flatnonzero(pose.t >= 2.0 - BEFORE)[0])
    a, b = (stroke["pose"]["names"].index(name) for name in ("left_shoulder", "right_hip"))
    own = pose.xy[first, NAMES.index("right_hip")] - pose.xy[first, NAMES.index("left_shoulder")]
    kept = values[0, b] - values[0, a]
    assert kept / np.linalg.norm(kept) == pytest.approx(own / np.linalg.norm(own), abs=0.02)  # whole steps of a thousand


def test_stroke_without_bat_or_with_missing_joints_has_null():
    stroke = json.loads(json.dumps(stroke_record(waving(40, missing=("bat_tip", "left_wrist")), about=None), allow_nan=False))
    assert stroke["bat"] is None and stroke["moment"] is None and len(stroke["t"]) == 40
    column = stroke["pose"]["names"].index("left_wrist")
    assert all(frame[2 * column] is None for frame in stroke["pose"]["xy"])


def test_clip_is_shown_whole_where_nothing_is_seen_about_the_moment():
    assert len(stroke_record(waving(40), about=99.0)["t"]) == 40


def test_clip_without_any_joint_is_refused():
    with pytest.raises(KineticsError, match="no frame in which a joint is seen"):
        stroke_record(waving(5, missing=NAMES))


@pytest.mark.parametrize("count", [1, 2, 400])
def test_histograms_are_drawn_of_the_unit_that_most_have(count):
    columns = clips(count, peak_tip_speed=list(np.linspace(5, 25, count)), peak_omega=[float("nan")] * count)
    picture = plot_archive(columns)
    assert picture.shape == (300, 680, 3) and picture[:, :340].std() > 8 > picture[80:220, 400:640].std()


def test_no_clip_is_no_plot():
    with pytest.raises(KineticsError, match="no clip in the archive"):
        plot_archive(clips(0))
