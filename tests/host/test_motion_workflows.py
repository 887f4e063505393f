"""The real server measures the bat in the sample clips, compares shots, finds one in a clip, and takes the camera out.

The workflows in an order in which each finds in the server's cache what the one before has measured of the same clips.
"""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from kinetics.video.decode import Clip


@pytest.fixture(scope="module")
def bat_speed(server, api_form):
    return server.run(api_form("bat_speed"))


def test_every_clip_is_measured_drawn_and_saved(bat_speed, server, sample_clips):
    folder = server.folders["output"] / "correlated_kinetics"
    for suffix in ("json", "csv", "npz", "trc"):
        assert len(list(folder.glob(f"swing_0*.{suffix}"))) == 6, suffix
    videos = sorted(folder.glob("swing_0*.mp4"))
    assert [Clip(path).info.frame_count for path in videos] == [Clip(clip).info.frame_count for clip in sorted(sample_clips)]
    assert len(list(folder.glob("swing_plot_0*.png"))) == 6


def test_speeds_are_those_of_the_drawn_bats(bat_speed, server, sample_clips):
    """That clip, track, camera, scale and unit belong together; how exact the number is, test_motion_from_pixels and benchmarks/bat.py tell.

    A speed in pixels or body heights, of another clip, or without the camera is off by half or more; the worst of these six clips, whose
    fastest tips go unseen, was measured 24 % too slow.
    """
    errors = []
    records = sorted((server.folders["output"] / "correlated_kinetics").glob("swing_0*.json"))
    for path, clip in zip(records, sorted(sample_clips), strict=True):
        swing = json.loads(path.read_text(encoding="utf-8"))
        peak = json.loads(clip.with_suffix(".truth.json").read_text(encoding="utf-8"))["peaks"]["tip_speed_image"]
        assert swing["unit"] == "m"
        errors.append(abs(swing["peak_tip_speed"]["value"] / peak["value"] - 1))
    assert np.median(errors) < 0.15 and max(errors) < 0.4


@pytest.fixture(scope="module")
def chain(bat_speed, server, api_form):
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
    assert (np.diff(shown, axis=0) >= -1.5 / 25).all()  # no clip ever runs back; while a batter stands still, a frame and its neighbour can be taken for each other
    assert np.abs(shown - truth).max(axis=1).min() <= 3 / 25


def test_skeletons_keep_the_same_step(in_step, saved):
    files = saved(in_step)
    assert Clip(files["skeletons_in_step.mp4"]).info.frame_count == Clip(files["shots_in_step.mp4"]).info.frame_count


def test_camera_taken_out_and_shots_aligned(server, api_form, saved):
    files = saved(server.run(api_form("stabilise_and_align")))
    stabilised = [frame.image.astype(float) for frame in Clip(files["stabilised.mp4"]).frames()]
    # The drawn camera pans over a hundred pixels and zooms: as it came, the sky-line moves; stabilised, the boards stand still.
    moved = np.abs(stabilised[10] - stabilised[30])
    boards = moved[60:140, 100 : moved.shape[1] // 2]
    assert np.median(boards) < 8  # grain and compression move grey levels by a few
    assert Clip(files["aligned.mp4"]).info.frame_count == 75


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
