"""Groups of alike shots: found where they are, the same every time, each whole and with a typical shot."""

from dataclasses import replace

import numpy as np
import pytest
from archive_samples import drawn_shot, fill_archive
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from kinetics.archive.clusters import build_clusters, find_groups, find_typical, join_neighbours
from kinetics.archive.neighbours import build_graph
from kinetics.archive.tables import read_table
from kinetics.errors import KineticsError


def neighbours_of(points, k):
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :k]
    return np.repeat(np.arange(len(points)), k), near.ravel(), np.take_along_axis(apart, near, axis=1).ravel()


@given(st.integers(0, 1000), st.integers(2, 5))
def test_blobs_far_apart_are_never_mixed(seed, blobs):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(blobs), rng.integers(10, 25, blobs))
    # A dense and a sparse blob alike: spreads differ tenfold.
    points = rng.normal(size=(len(truth), 3)) * 10.0 ** rng.uniform(-1, 0, blobs)[truth, None] + 100 * truth[:, None]
    groups = find_groups(join_neighbours(*neighbours_of(points, 5), len(points)))
    for group in range(groups.max() + 1):
        assert len(set(truth[groups == group])) == 1
    sizes = np.bincount(groups)
    assert (np.diff(sizes) <= 0).all() and sizes.sum() == len(points)


def test_two_groups_with_a_bridge_are_two_and_an_outsider_is_alone():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + np.array([7, 0]), [[3.5, 0], [60, 60]]])
    groups = find_groups(join_neighbours(*neighbours_of(points, 30), len(points)))
    assert len(set(groups[:40])) == 1 and len(set(groups[40:80])) == 1 and groups[0] != groups[40]
    assert (groups == groups[81]).sum() == 1


def test_a_group_hangs_together_and_twins_belong_to_each_other():
    first, second = np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2])
    graph = join_neighbours(first, second, np.zeros(4), 5)
    assert find_groups(graph).tolist() == [0, 0, 1, 1, 2]
    assert find_groups(csr_array((0, 0))).tolist() == []


def test_the_typical_shot_is_the_one_in_the_middle():
    shots = [np.full((20, 24), value, np.float32) for value in (0.0, 1.0, 1.1, 1.2, 3.0)]
    points = np.array([[shot[0, 0]] for shot in shots])
    graph = join_neighbours(*neighbours_of(points, 4), 5)
    assert find_typical(graph, np.arange(5), shots) == 2
    assert find_typical(graph, np.array([4]), shots) == 4


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Four hooks, four cover drives, each four times with other noise; a man who stands still."""
    poses = {}
    for n in range(32):
        pose = drawn_shot(("hook", "cover_drive")[n % 2], n // 8, noise=0.0)
        noise = np.random.default_rng(n).normal(size=pose.xy.shape)
        poses[f"{n:032x}"] = pose.with_step("noise", xy=pose.xy + noise)
    still = replace(pose, xy=np.repeat(pose.xy[:1], len(pose), axis=0))
    made = fill_archive(tmp_path_factory.mktemp("archive") / "shots", {**poses, "f" * 32: still})
    with pytest.raises(KineticsError, match="has no neighbours"):
        build_clusters(made)
    build_graph(made, 3)
    return made


def test_every_clip_has_a_row_and_every_group_one_typical_shot(archive):
    seen = []
    typical = build_clusters(archive, progress=lambda done, total: seen.append((done, total)))
    rows = read_table("clusters", archive.folder / "clusters.parquet").to_pylist()
    assert [row["key"] for row in rows] == [*(f"{n:032x}" for n in range(32)), "f" * 32]
    assert rows[-1]["cluster"] == -1 and "shows no swing" in rows[-1]["label"] and not rows[-1]["medoid"]
    for group, key in typical.items():
        members = [row for row in rows if row["cluster"] == group]
        assert [row["key"] for row in members if row["medoid"]] == [key]
        assert len({row["label"] for row in members}) == 1 and members[0]["label"].startswith(key)
        assert len({(n % 2, n // 8) for n in (int(row["key"], 16) for row in members)}) == 1  # one batter's one shot
    assert seen[-1] == (len(typical), len(typical))
    assert len(typical) == 8
    build_clusters(archive)
    assert read_table("clusters", archive.folder / "clusters.parquet").to_pylist() == rows
