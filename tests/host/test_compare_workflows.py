"""The real server compares shots: two on each other, chains and similarity of six, six struck together, one found in a clip."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from kinetics.video.decode import Clip


@pytest.fixture(scope="module")
def chain(server, api_form):
    return server.run(api_form("kinetic_chain"))


@pytest.fixture(scope="module")
def in_step(chain, server, api_form):
    """After the chains: skeletons and swings of the same clips are in the server's cache."""
    return server.run(api_form("six_shots_in_step"))


def newest(server, pattern):
    return max((server.folders["output"] / "correlated_kinetics").glob(pattern), key=lambda path: path.stat().st_mtime)


def test_chains_of_six_shots(chain, server, sample_clips):
    record = json.loads(newest(server, "chain_*.json").read_text(encoding="utf-8"))
    assert [clip["name"] for clip in record["clips"]] == [clip.stem for clip in sorted(sample_clips)]
    assert record["across"]["times"] == "common time"
    for clip in record["clips"]:
        assert clip["reaches_bat"] == (clip["path"][-1:] == ["bat_tip"])
        for edge in clip["edges"]:
            assert 0 < edge["lag_s"] <= 0.2 and edge["weight"] >= 0.4
    # A picture per shot and one of all together.
    assert len(list((server.folders["output"] / "correlated_kinetics").glob("chain_0*.png"))) == 7


def test_distances_of_six_shots(chain, server, sample_clips):
    record = json.loads(newest(server, "similarity_*.json").read_text(encoding="utf-8"))
    distance = np.array(record["distance"])
    assert record["names"] == [clip.stem for clip in sorted(sample_clips)]
    assert distance.shape == (6, 6) and np.array_equal(distance, distance.T) and not distance.diagonal().any()
    drives = [k for k, name in enumerate(record["names"]) if "drive" in name]
    hook = record["names"].index("hook")
    # Drives are played with a straight bat in front of the body, the hook round it: each drive lies nearer to another drive.
    assert all(min(distance[a, b] for b in drives if b != a) < distance[a, hook] for a in drives)


def test_six_shots_strike_together(in_step, saved, sample_clips):
    """In the encoded file: the source frame that each tile shows at the moment at which all strike, against the clip's truth.

    The moment is the composite's frame at which the tiles together lie nearest to their truths. 3 frames of 25 a second: impact is measured
    here, from a bat whose fastest tips go unseen; with impacts known test_compare_in_step holds one frame.
    """
    clips = sorted(sample_clips)
    truth = [
        json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))["peaks"]["tip_speed_image"]["t"] for clip in clips
    ]  # fmt: skip
    frames = [frame.image for frame in Clip(saved(in_step)["shots_in_step.mp4"]).frames()]
    tile, gap = (480, 270), 4
    shown = np.empty((len(frames), len(clips)))
    for k, clip in enumerate(clips):
        row, column = divmod(k, 3)
        box = np.s_[row * (tile[1] + gap) : row * (tile[1] + gap) + 220, column * (tile[0] + gap) : column * (tile[0] + gap) + tile[0]]
        source = [(frame.t, cv2.resize(frame.image, tile, interpolation=cv2.INTER_AREA)[:220].astype(np.int16)) for frame in Clip(clip).frames()]
        t, pictures = np.array([at for at, _ in source]), np.stack([picture for _, picture in source])
        for n, frame in enumerate(frames):
            shown[n, k] = t[np.abs(pictures - frame[box]).mean(axis=(1, 2, 3)).argmin()]
    assert (np.diff(shown, axis=0) >= 0).all(axis=0).all()  # no clip ever runs back
    assert np.abs(shown - truth).max(axis=1).min() <= 3 / 25


def test_skeletons_keep_the_same_step(in_step, saved):
    files = saved(in_step)
    assert Clip(files["skeletons_in_step.mp4"]).info.frame_count == Clip(files["shots_in_step.mp4"]).info.frame_count


def test_two_shots_compared_warped_and_laid_over_each_other(server, api_form, saved):
    files = saved(server.run(api_form("compare_two_shots")))
    record = json.loads(newest(server, "compare_*.json").read_text(encoding="utf-8"))
    path = np.array(record["path"])
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [74, 74]
    assert set(map(tuple, np.diff(path, axis=0))) <= {(0, 1), (1, 0), (1, 1)}
    assert None not in record["impact_s"]
    assert Clip(files["overlay.mp4"]).info.frame_count == 75
    both = Clip(files["two_in_step.mp4"]).info
    assert (both.width, both.height) == (964, 270)
    for name in ("corrpath.png", "overlay_sheet.png"):
        assert cv2.imread(str(files[name])).std() > 20, name


def test_a_shot_is_found_and_cut_out(server, api_form, saved):
    found = Clip(saved(server.run(api_form("find_shot")))["found.mp4"]).info
    # Both shots are drawn by the same batter model: the stroke looked for takes 1.1 s, and no drive of the set half or twice as long.
    assert 0.6 < found.duration < 2.0
