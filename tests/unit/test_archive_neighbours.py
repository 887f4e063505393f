"""The nearest shots are the true nearest; a description depends on the stroke alone; the graph grows as if it were made anew."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
from archive_samples import drawn_shot, fill_archive
from hypothesis import given
from hypothesis import strategies as st

from kinetics.archive import describe, descriptions, neighbours, search
from kinetics.archive.describe import AFTER, BEFORE, GAP, RATE, describe_shot
from kinetics.archive.neighbours import build_graph, find_nearest, find_nearest_counted
from kinetics.archive.search import Nearest, make_block, measure_distances, search_block
from kinetics.archive.store import Archive
from kinetics.archive.tables import read_table
from kinetics.archive_command import _find_neighbours
from kinetics.cli import main
from kinetics.compare.dtw import dtw, load_compiled
from kinetics.errors import KineticsError
from kinetics.synthetic import SHOTS

WHOLE = int(BEFORE * RATE) + int(AFTER * RATE) + 1


@pytest.fixture(scope="module")
def poses():
    """Six batters' strokes of each kind, at three rates and three tempos."""
    made = {}
    for n in range(36):
        made[f"{n:032x}"] = drawn_shot(SHOTS[n % 6], n, fps=(25, 30, 50)[n % 3], tempo=(0.9, 1.0, 1.1)[n // 6 % 3])
    return made


@pytest.fixture(scope="module")
def archive(poses, tmp_path_factory):
    return fill_archive(tmp_path_factory.mktemp("archive") / "shots", poses)


@pytest.fixture(scope="module")
def stroke():
    return drawn_shot("cover_drive", 1, fps=50, noise=0.0)


# ---- a description


def test_a_whole_stroke_has_all_its_frames(stroke):
    shot = describe_shot(stroke)
    assert shot.shape == (WHOLE, describe.WIDTH) and shot.dtype == np.float32 and np.isfinite(shot).all()
    hips = shot.reshape(WHOLE, 12, 2)[:, 6:8]
    np.testing.assert_allclose(hips.mean(axis=1), 0, atol=1e-6)  # the pelvis is where everything is seen from


def test_place_size_unit_and_the_clips_clock_do_not_matter(stroke):
    moved = replace(stroke, xy=0.37 * stroke.xy + np.array([500, -90]) + 40 * stroke.t[:, None, None], t=stroke.t + 7, size=(640, 360))
    # Half a float32's last digit at two trunk lengths, and braking found in other units.
    np.testing.assert_allclose(describe_shot(moved), describe_shot(stroke), atol=1e-5)


def test_a_turned_picture_is_another_posture_and_so_is_a_mirrored_one(stroke):
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    for xy in (stroke.xy @ turn, stroke.xy * np.array([-1, 1])):
        assert float(measure_distances(describe_shot(stroke), [describe_shot(replace(stroke, xy=xy), 0.9)])[0]) > 0.1


def test_the_rate_of_the_clip_hardly_matters():
    fast, slow = (drawn_shot("hook", 3, fps=fps, noise=0.0) for fps in (50, 25))
    other = describe_shot(drawn_shot("hook", 9, fps=50, noise=0.0), 0.9)
    apart = measure_distances(describe_shot(fast, 0.9), [describe_shot(slow, 0.9), other])
    # A line between frames 0.04 s apart cuts the corner of the quickest hands; another batter is several times as far.
    assert apart[0] < 0.02 and apart[1] > 4 * apart[0]


def test_a_short_gap_is_bridged_and_a_long_one_refused(stroke):
    def without(joint, first, last):
        xy = stroke.xy.copy()
        xy[(stroke.t > first) & (stroke.t < last), stroke.index(joint)] = np.nan
        return replace(stroke, xy=xy)

    short = describe_shot(without("left_wrist", 0.3, 0.3 + GAP - 0.03), 0.9)
    assert np.isfinite(short).all() and np.abs(short - describe_shot(stroke, 0.9)).max() < 0.2
    describe_shot(without("left_wrist", 1.9, 9), 0.9)  # after the stroke nobody looks
    long = 0.4 + GAP + 0.05
    for first, last, joint in ((0.4, long, "left_wrist"), (0, 0.5, "right_ankle"), (1.0, 2.0, "right_hip"), (0, 9, "left_knee")):
        with pytest.raises(KineticsError, match=f"doesn't show the {joint.replace('_', ' ')} for"):
            describe_shot(without(joint, first, last), 0.9)


def test_a_clip_that_is_cut_short_gives_what_it_shows(stroke):
    late = replace(stroke, xy=stroke.xy[20:], conf=stroke.conf[20:], t=stroke.t[20:])
    shot = describe_shot(late, 0.9)
    assert len(shot) == WHOLE - int(BEFORE * RATE) + int((0.9 - 0.4) * RATE + 1e-6)
    # The trunk's median, over other frames, is 1.5 % longer.
    np.testing.assert_allclose(shot[5:], describe_shot(stroke, 0.9)[-len(shot) + 5 :], atol=0.04)


def test_what_shows_no_stroke_is_refused_in_one_sentence(stroke):
    still = replace(stroke, xy=np.repeat(stroke.xy[:1], len(stroke), axis=0))
    for pose, impact, says in (
        (still, None, "shows no swing"),
        (stroke, 9.0, "lies outside its frames"),
        (stroke, 0.1, "shows 0.10 s before"),
        (stroke.select(stroke.names[:-1]), None, "has no right_ankle"),
    ):
        with pytest.raises(KineticsError, match=says) as error:
            describe_shot(pose, impact)
        assert "\n" not in str(error.value)


# ---- the nearest


def walks(seed, count, same_length):
    rng = np.random.default_rng(seed)
    lengths = np.full(count, 20) if same_length else rng.integers(15, 24, count)
    return [(rng.normal(size=(length, 24)).cumsum(axis=0) / 10 + rng.integers(0, 3)).astype(np.float32) for length in lengths]


def by_brute_force(query, keys, shots, exclude, radius):
    frames, width = query.shape
    found = []
    for key, shot in zip(keys, shots, strict=True):
        if key != exclude:
            found.append((np.sqrt(2 * dtw(query, shot, radius, kernel="numpy").cost / (frames + len(shot)) / (width / 2)), key))
    return sorted(found)


@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans(), st.sampled_from([0, 2, 4, None]), st.integers(1, 3), st.booleans())
def test_the_nearest_are_the_true_nearest(seed, k, same_length, radius, blocks, exclude):
    shots = walks(seed, 30, same_length)
    shots[7], shots[23] = shots[11], shots[3]  # ties go by key
    keys = [f"{n * 7 % 30:02d}" for n in range(30)]
    truth = by_brute_force(shots[11], keys, shots, keys[11] if exclude else None, radius)[:k]
    parts = np.array_split(np.arange(30), blocks)
    for compiled in (False, True) if load_compiled() else (False,):
        nearest, work = Nearest(k), search.Work()
        for part in parts:
            block = make_block([keys[n] for n in part], [shots[n] for n in part])
            work += search_block(shots[11], block, nearest, exclude=keys[11] if exclude else None, radius=radius, compiled=compiled)
        assert [key for _, key in nearest.found] == [key for _, key in truth]
        np.testing.assert_allclose([distance for distance, _ in nearest.found], [distance for distance, _ in truth], rtol=1e-9)
        assert work.cells <= work.cells_of_all and work.warped <= work.shots == 30


def test_a_shot_is_nearest_to_itself_then_to_its_own_kind(archive, poses):
    same = []
    for key, pose in poses.items():
        first, *others = find_nearest(pose, archive, 3)
        assert first.key == key and first.distance == 0 and first.path.name.startswith(key)
        same += [SHOTS[int(other.key, 16) % 6] == SHOTS[int(key, 16) % 6] for other in others]
        assert find_nearest(key, archive, 2, exclude=key) == others
    # Five others of the kind, right- and left-handed, seen from six places: chance would be 1 in 7.
    assert np.mean(same) > 0.5


def test_a_search_fills_few_cells_and_describes_once(archive, poses, monkeypatch):
    seen = []
    monkeypatch.setattr(descriptions, "_KEPT", {})
    _, work = find_nearest_counted(poses[f"{0:032x}"], archive, 1, progress=lambda done, total: seen.append((done, total)))
    # Sixteen are warped to have a limit at all: of 10,000 shots it is one cell in 80.
    assert seen == [(1, 1)] and work.shots == 36 and work.cells < work.cells_of_all / 2
    monkeypatch.setattr(descriptions, "_KEPT", {})
    monkeypatch.setattr(descriptions, "_describe", None)
    assert find_nearest(poses[f"{0:032x}"], Archive.open(archive.folder), 1)[0].distance == 0


def test_descriptions_that_are_lost_spoilt_or_of_another_recipe_are_made_again(archive, poses, monkeypatch):
    (kept,) = (archive.folder / "features").iterdir()
    whole = kept.read_bytes()
    half = whole[: len(whole) // 2]
    for damage in (kept.unlink, lambda: kept.write_bytes(half), lambda: monkeypatch.setattr(descriptions, "RECIPE", "other")):
        damage()
        monkeypatch.setattr(descriptions, "_KEPT", {})
        assert find_nearest(poses[f"{5:032x}"], archive, 1)[0].distance == 0


def test_questions_that_can_not_be_answered_are_refused(archive, poses, tmp_path):
    pose = poses[f"{0:032x}"]
    empty = fill_archive(tmp_path / "empty", {})
    for call, says in (
        (lambda: find_nearest(pose, archive, 0), "ask for 1 or more"),
        (lambda: find_nearest(pose, empty), "has no shot to compare with"),
        (lambda: find_nearest("e" * 32, archive), "has no clip"),
        (lambda: build_graph(archive, 0), "ask for 1 or more"),
        (lambda: build_graph(archive, 2, engine="abacus"), "'abacus' is not known"),
    ):
        with pytest.raises(KineticsError, match=says):
            call()
    assert not (archive.folder / "neighbours.parquet").exists()


# ---- the graph


def graph_of(archive):
    return read_table("neighbours", archive.folder / "neighbours.parquet").to_pylist()


def test_the_graph_holds_each_shots_true_nearest(archive, poses, monkeypatch):
    monkeypatch.setattr(neighbours, "_QUERIES", 20)
    seen = []
    work = build_graph(archive, 3, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert sorted(set(seen) - {(0, 36)}) == [(20, 36), (36, 36)] and work.shots == 36 * 36
    rows = graph_of(archive)
    shots = {key: describe_shot(archive.pose(key, stabilised=True)) for key in poses}
    for key in poses:
        mine = [row for row in rows if row["key"] == key]
        truth = by_brute_force(shots[key], list(shots), list(shots.values()), key, search.RADIUS)[:3]
        assert [row["rank"] for row in mine] == [1, 2, 3] and [row["other"] for row in mine] == [other for _, other in truth]
        np.testing.assert_allclose([row["distance"] for row in mine], [distance for distance, _ in truth], rtol=1e-9)


def test_a_graph_that_grew_is_the_graph_made_anew(poses, tmp_path):
    names, still = list(poses), drawn_shot("hook", 77)
    still = replace(still, xy=np.repeat(still.xy[:1], len(still), axis=0))
    made = fill_archive(tmp_path / "a", {key: poses[key] for key in names[:20]})
    build_graph(made, 2)
    made = fill_archive(tmp_path / "a", {key: poses[key] for key in names[20:]} | {"f" * 32: still})
    grown = build_graph(made, 2, workers=1)
    assert 0 < grown.shots == 20 * 16 + 16 * 36  # who was there asks the new ones only
    kept = graph_of(made)
    assert build_graph(made, 2).shots == 0 and graph_of(made) == kept
    (made.folder / "neighbours.parquet").unlink()
    build_graph(made, 2, workers=1)
    assert graph_of(made) == kept and len(kept) == 2 * 36  # who shows no stroke has no neighbours
    with pytest.raises(KineticsError, match="shows no swing"):
        find_nearest("f" * 32, made)
    build_graph(made, 1)
    assert len(graph_of(made)) == 36


def test_a_cancelled_graph_leaves_the_old_one(archive):
    build_graph(archive, 3)
    before = graph_of(archive)

    def stop(done, total):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        build_graph(archive, 4, progress=stop)
    assert graph_of(archive) == before and not list(archive.folder.glob(".*part*"))


def test_few_shots_have_few_neighbours(poses, tmp_path):
    names = list(poses)
    made = fill_archive(tmp_path / "a", {key: poses[key] for key in names[:2]})
    build_graph(made, 5)
    assert [(row["key"], row["rank"], row["other"]) for row in graph_of(made)] == [(names[0], 1, names[1]), (names[1], 1, names[0])]


def test_the_command_line_finds_neighbours_and_groups(poses, tmp_path, capsys):
    names = list(poses)
    made = fill_archive(tmp_path / "a", {key: poses[key] for key in names[:8]})
    _find_neighbours(argparse.Namespace(output=made.folder, neighbours=2, engine="local", workers=1, address=None))
    assert "groups of shots that are alike" in capsys.readouterr().err
    assert len(graph_of(made)) == 16 and len(read_table("clusters", made.folder / "clusters.parquet")) == 8
    poses[names[3]].save(tmp_path / "shot.json")
    assert main(["nearest", str(tmp_path / "shot.json"), "--archive", str(made.folder), "-k", "2"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:3] == ["1", "0.0000", names[3]] and rows[1][0] == "2" and len(rows) == 2
    assert main(["archive", str(tmp_path), "-o", str(tmp_path / "b"), "--neighbours", "0"]) == 2
    assert "give --neighbours 1 or more" in capsys.readouterr().err
