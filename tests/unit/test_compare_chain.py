"""Kinetic chains end to end: both presets on bursts of known order and lag, several clips, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import savgol_filter
from scipy.stats import norm

from kinetics.compare.chain import find_chains
from kinetics.compare.chain_segments import measure_segments
from kinetics.compare.chain_whitepaper import measure_published, published_path
from kinetics.compare.lagged import correlate_published, effective_samples_published
from kinetics.errors import KineticsError
from kinetics.synthetic.bursts import DIRECTION, REST, burst_pose

CHAIN = ("left_ankle", "left_knee", "left_hip", "left_shoulder", "left_wrist", "bat_tip")
LAG = 2 / 30


def chain_times(start=1.0, lags=(LAG,) * 5):
    return dict(zip(CHAIN, start + np.concatenate([[0], np.cumsum(lags)]), strict=True))


def clips(rng, count=8, jitter=0.06, linked=True, noise=1.5):
    """Clips of 14 segments, each late by its own chance in each clip; the chain's segments follow each other when ``linked``."""
    pattern = dict(zip(REST, np.linspace(-0.25, 0, len(REST)), strict=True))
    poses, impacts = [], []
    for _ in range(count):
        impact = rng.uniform(1.2, 1.8)
        times = {name: impact + at + rng.normal(0, jitter) for name, at in pattern.items()}
        if linked:
            times |= chain_times(impact - 5 * LAG + rng.normal(0, jitter), LAG + rng.normal(0, 0.01, 5))
        poses.append(burst_pose(times, 30, 3, 0.14, noise, rng, f"folder/clip_{len(poses)}.json"))
        impacts.append(impact)
    return poses, impacts


@pytest.fixture(scope="module")
def linked():
    """Eight clips with a chain, measured once."""
    poses, impacts = clips(np.random.default_rng(0))
    return poses, impacts, find_chains(poses, anchors=impacts)


def edge_between(chain, leader, follower):
    return next((edge for edge in chain.edges if (edge.leader, edge.follower) == (leader, follower)), None)


@pytest.mark.parametrize("fps", [25, 30, 50])
def test_order_and_lags_of_a_clean_chain(fps):
    rng = np.random.default_rng(fps)
    errors = []
    for _ in range(6):
        lags = rng.uniform(0.025, 0.12, 5)
        pose = burst_pose(chain_times(1 + rng.uniform(0, 0.2), lags), fps, 2.5, {name: rng.uniform(0.1, 0.18) for name in CHAIN})
        chain = find_chains([pose]).chains[0]
        assert chain.path == CHAIN and chain.reaches_bat and not chain.tested
        errors += [edge.lag - lag for edge, lag in zip(chain.path_edges, lags, strict=True)]
    # What the issue asks for; the benchmark's 200 edges have 0.4 ms.
    assert np.sqrt(np.mean(np.square(errors))) < 3e-3


def test_one_clip_has_no_p_and_says_why():
    found = find_chains([burst_pose(chain_times())])
    assert found.across is None and found.null.startswith("No p: inside one clip")
    assert all(edge.p is None and edge.p_adjusted is None for edge in found.chains[0].edges)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    clip = record["clips"][0]
    assert clip["path"] == list(CHAIN) and clip["reaches_bat"] is True and clip["tested"] is False
    assert set(clip["edges"][0]) == {"from", "to", "weight", "lag_s", "p", "p_adjusted", "n_eff"}
    assert clip["against"] == "picture" and "right_elbow" in clip["left_out"]


def test_a_moving_camera_is_taken_out_by_the_pelvis():
    pose = burst_pose(chain_times())
    pan = 900 * np.sin(1.3 * pose.t)[:, None, None] * np.array([1.0, 0.2])
    moved = pose.with_step("pan", xy=pose.xy + pan)
    segments, still = measure_segments(moved), measure_segments(pose)
    assert still.frame == "picture" and segments.frame == "pelvis" and "pelvis" in segments.left_out
    assert any("camera moves" in flag for flag in segments.flags)
    for name in CHAIN:
        # The pelvis stands here, so that what is left is the burst; the window moves with the clock, by rounding.
        k, own = still.names.index(name), segments.names.index(name)
        assert segments.activation[own] == pytest.approx(still.activation[k], abs=2e-3)
    assert measure_segments(moved.with_step("stabilise")).frame == "picture"  # someone took it out: believed
    assert measure_segments(pose, frame="pelvis").frame == "pelvis"


def test_axis_points_where_the_bat_goes_and_activation_is_the_burst():
    times = chain_times(1.003)
    segments = measure_segments(burst_pose(times, fps=30))
    np.testing.assert_allclose(segments.axis, DIRECTION, atol=1e-6)
    for name in CHAIN:
        # Without noise only the spline between frames 33 ms apart errs.
        assert segments.activation[segments.names.index(name)] == pytest.approx(times[name], abs=1e-3)


def test_uneven_times_do_not_shift_a_lag():
    times, rng = chain_times(), np.random.default_rng(1)
    pose = burst_pose(times, fps=60)
    kept = np.sort(rng.choice(len(pose), len(pose) * 3 // 5, replace=False))
    sparse = replace(pose, xy=pose.xy[kept], conf=pose.conf[kept], t=pose.t[kept])
    for edge in find_chains([sparse]).chains[0].path_edges:
        assert edge.lag == pytest.approx(LAG, abs=8e-3)  # frames 17 to 70 ms apart: a quarter of their mean distance


def test_gaps_stay_gaps_and_a_bat_seen_too_little_is_no_end_of_a_chain():
    pose = burst_pose(chain_times(1.0))
    xy = pose.xy.copy()
    xy[24:28, pose.index("left_hip")] = np.nan  # before its burst: 0.13 s of a window of 0.75 s
    segments = measure_segments(pose.with_step("gap", xy=xy))
    assert np.isnan(segments.velocity[segments.names.index("left_hip")]).any() and "left_hip" in segments.used
    xy = pose.xy.copy()
    xy[26:38, pose.index("bat_tip")] = np.nan
    chain = find_chains([pose.with_step("gap", xy=xy)]).chains[0]
    assert chain.path == () and not chain.reaches_bat
    assert chain.verdict.startswith("No chain reaches the bat (bat: seen in")


def test_unsure_joints_are_missing():
    pose = burst_pose(chain_times())
    conf = pose.conf.copy()
    conf[:, pose.index("left_knee")] = 0.1
    segments = measure_segments(pose.with_step("unsure", conf=conf))
    assert segments.left_out["left_knee"] == "never seen"


def test_nothing_is_measured_across_a_cut():
    pose = burst_pose(chain_times(1.0))
    xy = pose.xy.copy()
    xy[29:] += [300, 0]  # at 0.97 s the body is elsewhere, as after a cut
    segments = measure_segments(pose.with_step("cut", xy=xy))
    assert any(flag.startswith("The body jumps at 0.97 s") for flag in segments.flags)
    assert np.isnan(segments.velocity[:, segments.t < 0.96]).all()


def test_no_chain_reaches_a_bat_that_moves_first():
    times = chain_times()
    times["bat_tip"] = 0.9
    chain = find_chains([burst_pose(times)]).chains[0]
    assert chain.path == () and chain.verdict == "No chain reaches the bat: no segment leads it."


def test_links_are_found_across_clips(linked):
    _, _, found = linked
    # Eight clips, five links at a lag of two frames; the benchmark finds 100 % of 200 at p <= 0.05 and all after correction.
    chances = [found.pairs[pair] for pair in zip(CHAIN[:-1], CHAIN[1:], strict=True)]
    assert sum(p <= 0.05 for p, _ in chances) == 5 and sum(adjusted <= 0.05 for _, adjusted in chances) >= 4
    assert found.across.reaches_bat and found.across.path[-1] == "bat_tip"
    shared = {(edge.leader, edge.follower): edge for edge in found.across.edges}
    for pair in zip(CHAIN[:-1], CHAIN[1:], strict=True):
        if pair in shared:
            edge = shared[pair]
            # Lags spread by 10 ms from clip to clip and by about 3 ms of noise: their mean over eight to within three errors of 4 ms.
            assert edge.lag == pytest.approx(LAG, abs=0.012) and edge.lag_spread < 0.03
            assert edge.kind == "core" and edge.frequency >= 0.75 and edge.p <= 0.05


def test_independent_segments_are_rarely_linked():
    poses, impacts = clips(np.random.default_rng(3), linked=False)
    loose = find_chains(poses, anchors=impacts, correction="none")
    p = [value for (a, b), (value, _) in loose.pairs.items() if a < b]
    # 91 pairs of 14 segments, but not the pelvis with either hip between which it lies. At 5 % 4.5 are expected, 13 or more once in 1,000.
    assert len(p) == 89 and sum(value <= 0.05 for value in p) <= 12
    assert {edge.p is not None and edge.p <= 0.05 for chain in loose.chains for edge in chain.edges} <= {True}
    # After correction a set of clips holds any pair at all once in twenty.
    assert sum(adjusted <= 0.05 for (a, b), (_, adjusted) in loose.pairs.items() if a < b) <= 1


def test_clips_with_the_same_timing_are_measured_but_not_tested():
    rng = np.random.default_rng(4)
    poses = [burst_pose(chain_times(1 + 0.1 * k), noise=0.5, rng=rng) for k in range(8)]
    found = find_chains(poses)
    assert found.null.startswith("No p: where 6 clips or more hold two segments, these keep their time") and not found.pairs
    assert all(chain.path == CHAIN and not chain.tested for chain in found.chains)
    assert found.across.path == CHAIN and all(edge.kind == "core" for edge in found.across.edges if edge.leader == "left_ankle")


def test_too_few_clips_say_so(linked):
    poses, impacts, _ = linked
    found = find_chains(poses[:5], anchors=impacts[:5])
    assert found.null.startswith("No p: 5 clips can be paired in only 120 ways") and not found.pairs
    assert find_chains(poses[:5], anchors=impacts[:5], correction="none").pairs  # one pair alone can be told from 120


def test_segments_seen_together_in_few_clips_have_no_edge(linked):
    poses, impacts, found = linked
    assert any(edge.leader == "left_knee" for chain in found.chains for edge in chain.edges)
    rare = [without(pose, "left_knee") if k < 4 else pose for k, pose in enumerate(poses)]
    few = find_chains(rare, anchors=impacts)
    assert not any("left_knee" in (edge.leader, edge.follower) for chain in few.chains for edge in chain.edges)
    assert "seen together in fewer clips" in few.null
    json.dumps(few.to_dict(), allow_nan=False)


def test_edges_of_one_shot_only():
    common = chain_times(1.0)
    odd = {**chain_times(1.0), "right_knee": 1.0 + 2.5 * LAG}
    found = find_chains([burst_pose(common), burst_pose(common), burst_pose(odd)])
    kinds = {(edge.leader, edge.follower): (edge.kind, edge.clips, edge.frequency) for edge in found.across.edges}
    assert kinds["left_ankle", "left_knee"] == ("core", (0, 1, 2), 1.0)
    assert kinds["left_hip", "right_knee"] == ("single", (2,), 1.0)  # in one clip, the only one that could have it
    assert np.isnan(next(edge.lag_spread for edge in found.across.edges if edge.follower == "right_knee"))
    json.dumps(found.to_dict(), allow_nan=False)


def test_lags_on_a_common_time():
    slow = {name: 1 + 2 * (at - 1) for name, at in chain_times(1.0, (0.04,) * 5).items()}
    poses = [burst_pose(chain_times(1.0, (0.04,) * 5), fwhm=0.12), burst_pose(slow, fwhm=0.2)]
    t = poses[0].t
    maps = [(t, t), (t, 1 + (t - 1) / 2)]
    plain, mapped = find_chains(poses).across, find_chains(poses, time_maps=maps).across
    edge = {(one.leader, one.follower): one for one in mapped.edges}["left_ankle", "left_knee"]
    rough = {(one.leader, one.follower): one for one in plain.edges}["left_ankle", "left_knee"]
    # On the common time both clips have 40 ms, on their own 40 and 80; lags are good to 2 ms.
    assert edge.lag == pytest.approx(0.04, abs=2e-3) and edge.lag_spread < 3e-3
    assert rough.lag == pytest.approx(0.06, abs=2e-3) and rough.lag_spread > 0.02
    assert mapped.axis == "common time" and mapped.activation["left_ankle"] == pytest.approx(1.0, abs=2e-3)
    found = find_chains(poses, time_maps=maps)
    own = found.chains[1].segments.speed_t
    np.testing.assert_allclose(found.across.speed_times[1], 1 + (own - 1) / 2, atol=1e-12)  # the picture's curves go through the same map
    repeated = (np.repeat(t, 2), np.repeat(t, 2))  # as a warping path meets a frame twice
    assert find_chains(poses, time_maps=[repeated, maps[1]]).across.activation == pytest.approx(mapped.activation, abs=1e-9)


# The whitepaper preset, one step after the other.


def published_clip():
    rng = np.random.default_rng(5)
    times = {**chain_times(1.0, (0.08,) * 5), "right_elbow": 1.2, "right_hip": 0.7}
    return burst_pose(times, fps=25, seconds=3, noise=2.0, rng=rng)


def test_whitepaper_series_are_made_as_published():
    pose = published_clip()
    segments = measure_published(pose)
    xy = np.stack([pose.joint(name) for name in segments.names], axis=1)
    unit = np.median(np.linalg.norm(pose.joint("left_shoulder") - pose.joint("right_shoulder"), axis=1))
    xy = (xy - pose.joint("pelvis")[:, None]) / unit
    smooth = savgol_filter(xy, 5, 2, axis=0)  # odd(max(5, round(0.2 · 25)))
    velocity = np.gradient(smooth, axis=0) * 25
    velocity[0], velocity[-1] = velocity[1], velocity[-2]
    bat = xy[:, -1] - xy[:, -1].mean(axis=0)
    axis = np.linalg.svd(bat, full_matrices=False)[2][0]
    sign = np.sign(axis @ segments.axis)
    np.testing.assert_allclose(segments.velocity, sign * (velocity @ axis).T, atol=1e-9)
    np.testing.assert_allclose(segments.activation, np.abs(velocity @ axis).argmax(axis=0) / 25, atol=1e-12)
    assert segments.left_out == {"pelvis": "doesn't move"}


def test_whitepaper_edges_follow_its_four_conditions():
    pose = published_clip()
    chain = find_chains([pose], "whitepaper").chains[0]
    segments, found = chain.segments, {(edge.leader, edge.follower): edge for edge in chain.edges}
    assert found
    for i, leader in enumerate(segments.names):
        for j, follower in enumerate(segments.names):
            if i == j or "pelvis" in (leader, follower):
                continue
            x, y = segments.velocity[[i, j]]
            rho = correlate_published(x, y, 10)
            lag, weight, samples = int(rho.argmax()) - 10, rho.max(), effective_samples_published(x, y)
            p = 2 * norm.sf(abs(np.arctanh(weight)) * np.sqrt(samples - 3)) if samples > 3 else 1.0
            wanted = segments.activation[i] < segments.activation[j] and lag > 0 and weight >= 0.4 and p < 0.05
            assert ((leader, follower) in found) == wanted
            if wanted:
                edge = found[leader, follower]
                assert edge.weight == pytest.approx(weight) and edge.lag == pytest.approx(lag / 25) and edge.p == pytest.approx(p)


def test_whitepaper_path_is_the_longest_of_the_graph_cut_at_the_bat():
    pose = published_clip()
    chain = find_chains([pose], "whitepaper").chains[0]
    assert chain.path == published_path(chain.edges)
    assert chain.reaches_bat == (chain.path[-1:] == ("bat_tip",))


def test_whitepaper_bridges_gaps_in_a_line_and_keeps_its_faults():
    pose = published_clip()
    xy = pose.xy.copy()
    xy[20:24, pose.index("left_knee")] = np.nan
    xy[40:] += [300, 0]
    segments = measure_published(pose.with_step("gap", xy=xy))
    assert np.isfinite(segments.velocity).all()
    assert any("as published, velocities are taken across" in flag for flag in segments.flags)
    uneven = replace(pose, t=pose.t + 0.2 * (pose.t > 1))
    assert any("even rate" in flag for flag in measure_published(uneven).flags)


# Bad input: one sentence each.


def without(pose, name):
    xy = pose.xy.copy()
    xy[:, pose.index(name)] = np.nan
    return pose.with_step("lost", xy=xy)


@pytest.mark.parametrize("preset", ["default", "whitepaper"])
@pytest.mark.parametrize(("spoil", "said"), [
    (lambda pose: replace(pose, xy=pose.xy[:2], conf=pose.conf[:2], t=pose.t[:2]), "has 2 frames and a kinetic chain needs at least 5"),
    (lambda pose: pose.with_step("lost", xy=np.full_like(pose.xy, np.nan)), "holds no joint in any frame"),
    (lambda pose: without(pose, "bat_tip"), "has no bat tip, where a kinetic chain ends"),
    (lambda pose: pose.select([name for name in pose.names if name != "bat_tip"]), "has no bat tip"),
])  # fmt: skip
def test_bad_clips(preset, spoil, said):
    with pytest.raises(KineticsError, match=said) as caught:
        find_chains([spoil(burst_pose(chain_times(), source="clip.json"))], preset)
    assert str(caught.value).startswith("clip.json") and "\n" not in str(caught.value)


def test_clips_without_a_swing():
    still = burst_pose({}, noise=1.0, rng=np.random.default_rng(6))
    with pytest.raises(KineticsError, match=r"shows no swing: the bat's tip reaches .* give a clip with a stroke in it"):
        find_chains([still])
    short = burst_pose({"bat_tip": 0.1}, seconds=0.3)
    with pytest.raises(KineticsError, match="nowhere together for long enough between two cuts"):
        find_chains([short])
    with pytest.raises(KineticsError, match=r"nowhere together near 9\.00 s"):
        find_chains([burst_pose(chain_times())], anchors=[9.0])
    with pytest.raises(KineticsError, match="too little round the swing"):
        find_chains([burst_pose({"bat_tip": 2.9}, seconds=3.0)], anchors=[3.3])
    with pytest.raises(KineticsError, match="too little of the body"):
        find_chains([burst_pose(chain_times()).select(["left_wrist", "bat_tip"])])


def test_whitepaper_names_what_it_misses():
    pose = burst_pose(chain_times())
    with pytest.raises(KineticsError, match="never shows left_knee, which the whitepaper preset needs"):
        find_chains([without(pose, "left_knee")], "whitepaper")
    xy = pose.xy.copy()
    xy[:, pose.index("bat_tip")] = pose.joint("pelvis") + np.array([30, 0])
    with pytest.raises(KineticsError, match="never moves"):
        find_chains([pose.with_step("frozen", xy=xy)], "whitepaper")
    xy = pose.xy.copy()
    xy[:, pose.index("left_shoulder")] = pose.joint("right_shoulder")
    with pytest.raises(KineticsError, match="lie on each other"):
        find_chains([pose.with_step("flat", xy=xy)], "whitepaper")


@pytest.mark.parametrize(("settings", "said"), [
    ({"preset": "quick"}, "isn't offered; choose default or whitepaper"),
    ({"names": ["a", "b"]}, "2 names were given for 1 clips"),
    ({"anchors": [float("nan")]}, "isn't a number"),
    ({"window": (0.1, 0.1)}, "can't be met"),
    ({"theta": 1.5}, "between 0 and 1"),
    ({"correction": "bonferroni"}, "choose fdr or none"),
    ({"frame": "world"}, "choose auto, picture or pelvis"),
])  # fmt: skip
def test_settings_that_cannot_be_met(settings, said):
    with pytest.raises(KineticsError, match=said):
        find_chains([burst_pose(chain_times())], **settings)


def test_no_clips_and_bad_time_maps():
    with pytest.raises(KineticsError, match="at least one clip"):
        find_chains([])
    poses = [burst_pose(chain_times())] * 2
    t = poses[0].t
    with pytest.raises(KineticsError, match="time map of clip 2 isn't in order"):
        find_chains(poses, time_maps=[(t, t), (t, -t)])
    with pytest.raises(KineticsError, match="map the whole swing"):
        find_chains(poses, time_maps=[(t, t), (t[:30], t[:30])])


def test_clips_are_named_after_their_files():
    poses = [burst_pose(chain_times(), source=source) for source in ("a/hook_series.npz", "b/hook.pose.json", "c/drive.mp4")]
    assert [chain.name for chain in find_chains(poses).chains] == ["hook (1)", "hook (2)", "drive"]
    assert [chain.name for chain in find_chains(poses, names=["x", "y", "z"]).chains] == ["x", "y", "z"]
