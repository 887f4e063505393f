"""Bad skeletons: one clear sentence from the commands that measure (status 2, one line, nothing written) and from the functions under them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from swing_samples import bat_track

from kinetics.cli import main
from kinetics.compare.align import compare_shots, find_shot
from kinetics.compare.chain import find_chains
from kinetics.errors import KineticsError
from kinetics.motion.bat_track import BatTrack
from kinetics.motion.derivatives import differentiate
from kinetics.motion.measure import measure_swing
from kinetics.motion.pose_track import track_from_pose
from kinetics.motion.procrustes import align_per_frame, align_sequence
from kinetics.motion.swing import estimate_swing
from kinetics.pose_sequence import PoseSequence
from kinetics.synthetic import default_scene


@pytest.fixture(scope="module")
def pose() -> PoseSequence:
    return default_scene("off_drive", size=(640, 360)).pose_sequence(25)


@pytest.fixture(scope="module")
def good(pose) -> dict:
    return pose.to_dict()


def at(value: dict, key: str, number: float | None, frame: int = 3, joint: int = 2) -> dict:
    """With one joint's ``key`` changed in one frame."""
    changed = copy.deepcopy(value)
    changed[key][frame][joint] = number
    return changed


def frames(value: dict, numbers) -> dict:
    return value | {key: [value[key][k] for k in numbers] for key in ("t", "xy", "conf")}


def joints(value: dict, keep) -> dict:
    columns = [k for k, name in enumerate(value["names"]) if keep(name)]
    return value | {
        "names": [value["names"][k] for k in columns],
        "xy": [[frame[k] for k in columns] for frame in value["xy"]],
        "conf": [[frame[k] for k in columns] for frame in value["conf"]],
    }


EVERYTHING = ("swing", "compare", "chain", "whitepaper")

#: What is wrong: (how a good pose.json is spoilt, commands that have to refuse it, words of the sentence by command or for all).
SPOILT = {
    "two frames": (lambda v: frames(v, [0, 1]), EVERYTHING, "2"),
    "no frames": (lambda v: frames(v, []), EVERYTHING, "no frames"),
    "all missing": (
        lambda v: v | {"xy": [[None] * len(v["names"])] * len(v["t"])}, EVERYTHING,
        {"swing": "no place for it in any frame", "compare": "shows no joint in any", "chain": "holds no joint", "whitepaper": "holds no joint"},
    ),
    "one joint": (
        lambda v: joints(v, lambda name: name == "left_wrist"), EVERYTHING,
        {"swing": "has no joint 'right_wrist'", "compare": "1 joints in common", "chain": "no bat tip", "whitepaper": "no bat tip"},
    ),
    "only the bat": (
        lambda v: joints(v, lambda name: name == "bat_tip"), EVERYTHING,
        {"swing": "has no joint 'left_wrist'", "compare": "1 joints in common", "chain": "too little of the body", "whitepaper": "never shows"},
    ),
    "no bat": (
        lambda v: joints(v, lambda name: name != "bat_tip"), ("swing", "chain", "whitepaper"),
        {"swing": "has no joint 'bat_tip'", "chain": "no bat tip", "whitepaper": "no bat tip"},
    ),
    "a bat never seen": (
        lambda v: v | {"xy": [[p if n != "bat_tip" else None for p, n in zip(f, v["names"], strict=True)] for f in v["xy"]]},
        ("swing", "chain", "whitepaper"), {"swing": "bat_tip but no place", "chain": "no bat tip", "whitepaper": "no bat tip"},
    ),
    "no swing": (
        lambda v: v | {"xy": [v["xy"][0]] * len(v["t"])}, ("compare", "chain", "whitepaper"),
        {"compare": "shows no swing", "chain": "shows no swing", "whitepaper": "never moves"},
    ),
    "constant times": (lambda v: v | {"t": [0.04] * len(v["t"])}, EVERYTHING, "don't increase at frame 1"),
    "times backwards": (lambda v: v | {"t": v["t"][::-1]}, EVERYTHING, "don't increase at frame 1"),
    "two times swapped": (lambda v: v | {"t": [*v["t"][:9], v["t"][10], v["t"][9], *v["t"][11:]]}, EVERYTHING, "don't increase at frame 10"),
    "a time missing": (lambda v: v | {"t": [*v["t"][:4], None, *v["t"][5:]]}, EVERYTHING, "don't increase at frame 4"),
    "confidence over 1": (lambda v: at(v, "conf", 1.5), EVERYTHING, "between 0 and 1"),
    "confidence under 0": (lambda v: at(v, "conf", -0.1), EVERYTHING, "between 0 and 1"),
    "no confidence": (lambda v: at(v, "conf", None), EVERYTHING, "between 0 and 1"),
    "infinite": (lambda v: at(v, "xy", [1e400, 2.0]), EVERYTHING, "infinite position at frame 3"),
    "a size in words": (lambda v: v | {"size": "1280x720"}, EVERYTHING, "wrong shape"),
    "provenance a list": (lambda v: v | {"provenance": [1, 2]}, EVERYTHING, "wrong shape"),
    "a name twice": (lambda v: v | {"names": ["nose", *v["names"][1:-1], "nose"]}, EVERYTHING, "Joint names"),
    "times cut short": (lambda v: v | {"t": v["t"][:-1]}, EVERYTHING, "disagree"),
}  # fmt: skip


@pytest.mark.parametrize(("what", "command"), [(what, command) for what, (_, commands, _) in SPOILT.items() for command in commands])
def test_a_bad_pose_json_is_one_line_and_status_2(what, command, good, tmp_path, capsys):
    spoil, _, words = SPOILT[what]
    path, other, out = tmp_path / "bad.json", tmp_path / "good.json", tmp_path / "out"
    path.write_text(json.dumps(spoil(good)), encoding="utf-8")
    other.write_text(json.dumps(good), encoding="utf-8")
    arguments = {"compare": ["compare", other, path], "whitepaper": ["chain", path, "--preset", "whitepaper"]}.get(command, [command, path])
    assert main([*map(str, arguments), "-o", str(out)]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1 and (words if isinstance(words, str) else words[command]) in error
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"not JSON", b"\xff\xfe\x00", b"[1, 2, 3]", b"{}", b'"xy"', b"null"])
@pytest.mark.parametrize("command", ["swing", "compare", "chain"])
def test_a_file_that_is_no_skeleton_is_one_line_and_status_2(command, content, tmp_path, capsys):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main([command, str(path), *([str(path)] if command == "compare" else []), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1 and "bad.json" in error and not (tmp_path / "out").exists()


def test_skeletons_without_a_joint_in_common_can_not_be_compared(good, tmp_path, capsys):
    paths = tmp_path / "arms.json", tmp_path / "legs.json"
    for path, words in zip(paths, (("wrist", "elbow", "shoulder"), ("hip", "knee", "ankle")), strict=True):
        path.write_text(json.dumps(joints(good, lambda name, words=words: name.split("_")[-1] in words)), encoding="utf-8")
    assert main(["compare", *map(str, paths), "-o", str(tmp_path / "out")]) == 2
    assert "0 joints in common" in capsys.readouterr().err


def nowhere(pose: PoseSequence) -> PoseSequence:
    return replace(pose, xy=np.full(pose.xy.shape, np.nan))


def still(pose: PoseSequence) -> PoseSequence:
    return replace(pose, xy=np.repeat(pose.xy[:1], len(pose), axis=0))


def begin(pose: PoseSequence, count: int) -> PoseSequence:
    return replace(pose, xy=pose.xy[:count], conf=pose.conf[:count], t=pose.t[:count])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda p: compare_shots(p, begin(p, 2)), "2 frames; comparing shots needs at least 5"),
        (lambda p: compare_shots(p, nowhere(p)), "shows no joint in any"),
        (lambda p: compare_shots(p, still(p)), "shows no swing"),
        (lambda p: compare_shots(p, p.select(["nose"])), "1 joints in common"),
        (lambda p: find_shot(nowhere(p), p), "shows no joint in any"),
        (lambda p: find_shot(p, begin(p, 2)), "2 frames; comparing shots needs"),
        (lambda p: find_chains([begin(p, 2)]), "2 frames and a kinetic chain needs at least 5"),
        (lambda p: find_chains([p, nowhere(p)]), "holds no joint"),
        (lambda p: find_chains([still(p)]), "shows no swing"),
        (lambda p: align_sequence(p, nowhere(p)), "0 points are present"),
        (lambda p: align_per_frame(p.select(["nose"]), p.select(["nose"])), "1 points are present"),
        (lambda p: track_from_pose(p.select(["left_wrist"])), "no joint 'right_wrist'"),
        (lambda p: track_from_pose(nowhere(p)), "no place for it in any frame"),
        (lambda p: measure_swing(track_from_pose(begin(p, 2))), "bat track has 2 frames, and a swing needs at least 8"),
    ],
)
def test_functions_on_skeletons_say_what_is_wrong(call, says, pose):
    with pytest.raises(KineticsError, match=says):
        call(pose)


def track(**changes) -> BatTrack:
    """A track of 20 frames that turns once, with parts of it changed."""
    t = np.arange(20) / 25
    hands = np.tile([200.0, 150.0], (20, 1))
    turned = np.linspace(0, 2 * np.pi, 20)
    return replace(bat_track(t, hands, hands + 90 * np.stack([np.cos(turned), np.sin(turned)], axis=1), size=(640, 360)), **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"t": np.zeros(20)}, "don't increase at frame 1"),
        ({"t": -np.arange(20) / 25}, "don't increase at frame 1"),
        ({"t": np.where(np.arange(20) == 7, np.nan, np.arange(20) / 25)}, "don't increase at frame 7"),
        ({"tip": np.full((20, 2), np.nan)}, "tip was found in no frame"),
        ({"hands": np.full((20, 2), np.nan)}, "hands were found in no frame"),
        ({"confidence": np.full(20, 1.01)}, "confidence at frame 0 is 1.01"),
        ({"confidence": np.where(np.arange(20) == 4, -0.1, 0.9)}, "confidence at frame 4 is -0.1"),
        ({"confidence": np.where(np.arange(20) == 5, np.nan, 0.9)}, "confidence at frame 5 is nan"),
        ({"hands": np.zeros((19, 2))}, "has to be"),
    ],
)
def test_a_bad_track_of_the_bat_is_told_in_a_sentence(changes, says):
    with pytest.raises(KineticsError, match=says):
        measure_swing(track(**changes))


@pytest.mark.parametrize(
    ("t", "says"),
    [
        (np.arange(2) / 25, "{needs} at least . frames"),
        (np.full(12, 0.04), "don't increase at frame 1"),
        (np.arange(12)[::-1] / 25, "don't increase at frame 1"),
    ],
)
def test_times_are_looked_at_before_anything_is_measured(t, says):
    x = np.random.default_rng(0).normal(0, 50, (len(t), 2))
    with pytest.raises(KineticsError, match=says.format(needs="needs")):
        estimate_swing(t, x, x + 80)
    with pytest.raises(KineticsError, match=says.format(needs="needs")):
        differentiate(x, t)


def test_nothing_to_measure_is_said():
    t, nothing = np.arange(12) / 25, np.full((12, 2), np.nan)
    with pytest.raises(KineticsError, match="hands can't be seen in any frame"):
        estimate_swing(t, nothing, np.zeros((12, 2)))
    with pytest.raises(KineticsError, match="tip can't be seen in any frame"):
        estimate_swing(t, np.zeros((12, 2)), nothing)
    with pytest.raises(KineticsError, match="no position at all"):
        differentiate(nothing, t)
