"""What viewers show: copies that keep their times, tiles as strict JSON, maps on which impacts coincide, a page that is whole or absent."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from swing_samples import true_stroke
from video_samples import coded, coded_clip, read_code, write_clip

from kinetics.cli import main
from kinetics.compare.align import compare_shots
from kinetics.compare.distances import pair_distances
from kinetics.compare.in_step import InStep
from kinetics.compare.time_map import TimeMap
from kinetics.errors import KineticsError
from kinetics.motion.measure import measure_swing
from kinetics.motion.scale import BatLength
from kinetics.pose_sequence import PoseSequence
from kinetics.show.page import PageClip, page_text, write_page
from kinetics.show.path import MISSING, MOST, path_record
from kinetics.show.proxy import KEY_EVERY, write_proxy
from kinetics.show.sync import sync_maps
from kinetics.show.tile import make_tile
from kinetics.synthetic.scenes import default_scene
from kinetics.video.decode import Clip

EVIL = "<img src=x onerror=alert(1)>"

#: Ticks of 1/1000 s that come neither at one rate nor from 0.
UNEVEN = (40, 80, 120, 133, 190, 230, 310, 350, 390, 430, 470, 520, 560, 600, 650, 700, 730, 770, 810, 850, 890, 930, 970, 1010, 1060, 1100, 1140, 1200)


class Cancel(Exception):
    pass


def cancel_at(count):
    def tell(done, total):
        if done >= count:
            raise Cancel

    return tell


# --- the copy ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ticks", "tick"), [(range(30), Fraction(1, 25)), (range(30), Fraction(1001, 30000)), (UNEVEN, Fraction(1, 1000))])
def test_copy_keeps_every_frame_at_its_own_time(ticks, tick, tmp_path):
    clip = Clip(write_clip(tmp_path / "clip.mp4", (coded(k) for k in range(len(ticks))), ticks, tick))
    times = write_proxy(clip, tmp_path / "copy.mp4", longest=80)
    frames = list(Clip(tmp_path / "copy.mp4").frames())
    wanted = [float((value - ticks[0]) * tick) for value in ticks]
    # Files count in 1/90000 s.
    assert times[0] == 0 and times == pytest.approx(wanted, abs=2e-5)
    assert [frame.t for frame in frames] == pytest.approx(wanted, abs=2e-5)
    assert [read_code(frame.image)[0] for frame in frames] == list(range(len(ticks)))
    assert frames[0].image.shape[:2] == (48, 80)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_copy_starts_at_zero_has_a_key_frame_every_twelve_and_its_index_in_front(tmp_path):
    write_proxy(Clip(coded_clip(tmp_path / "clip.mp4", 50)).trimmed(0.4), tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
    shown = sorted((float(packet.pts * packet.time_base), packet.is_keyframe) for packet in packets)
    keys = [n for n, (_, key) in enumerate(shown) if key]
    assert len(shown) == 40 and shown[0][0] == 0 and keys[0] == 0
    assert max(np.diff([*keys, len(shown)])) <= KEY_EVERY
    raw = (tmp_path / "copy.mp4").read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")


@pytest.mark.parametrize(("size", "longest", "wanted"), [
    ((160, 96), 640, (160, 96)), ((160, 96), 100, (100, 60)), ((96, 160), 100, (60, 100)), ((161, 97), 640, (160, 96)), ((160, 90), 101, (100, 56)),
])  # fmt: skip
def test_copy_s_sides_are_even_at_most_the_longest_and_never_larger(size, longest, wanted, tmp_path):
    clip = Clip(write_clip(tmp_path / "clip.mp4", (coded(k, size=size) for k in range(2)), pix_fmt="yuv444p"))
    write_proxy(clip, tmp_path / "copy.mp4", longest=longest)
    info = Clip(tmp_path / "copy.mp4").info
    # Rounded to the nearest even number: at most one pixel from the true proportion.
    assert info.width % 2 == info.height % 2 == 0 and (info.width, info.height) == pytest.approx(wanted, abs=1 if size[0] % 2 else 0)
    assert max(info.width, info.height) <= longest or longest % 2


def test_copy_too_small_to_see_is_refused(tmp_path):
    with pytest.raises(KineticsError, match="16 pixels or more"):
        write_proxy(Clip(coded_clip(tmp_path / "clip.mp4", 2)), tmp_path / "copy.mp4", longest=8)


@pytest.fixture(scope="module")
def heard_clip(tmp_path_factory):
    """75 frames at 25 fps; silence for 1.5 s, then 440 Hz."""
    path = tmp_path_factory.mktemp("sound") / "sound.mp4"
    rate = 48_000
    with av.open(str(path), "w") as made:
        shown, heard = made.add_stream("libx264", rate=25), made.add_stream("aac", rate=rate, layout="mono")
        shown.width, shown.height, shown.pix_fmt = 160, 96, "yuv420p"
        for k in range(75):
            made.mux(shown.encode(av.VideoFrame.from_ndarray(coded(k), format="rgb24")))
            t = (np.arange(1920) + 1920 * k) / rate
            samples = av.AudioFrame.from_ndarray((0.5 * np.sin(2 * np.pi * 440 * t) * (t >= 1.5)).astype(np.float32)[None], format="fltp", layout="mono")
            samples.rate, samples.pts, samples.time_base = rate, 1920 * k, Fraction(1, rate)
            made.mux(heard.encode(samples))
        made.mux(shown.encode(None))
        made.mux(heard.encode(None))
    return path


def sound_of(path):
    """Seconds and loudness of what is heard, from 0."""
    parts = list(Clip(path).sound())
    t = np.concatenate([when + np.arange(part.samples) / 48_000 for when, part in parts])
    return t, np.abs(np.concatenate([part.to_ndarray()[0] for _, part in parts]))


@pytest.mark.parametrize(("start", "duration"), [(0.0, 3.0), (1.0, 1.2)])
def test_copy_keeps_the_sound_of_the_window(heard_clip, start, duration, tmp_path):
    write_proxy(Clip(heard_clip, start, duration), tmp_path / "copy.mp4", sound=True)
    t, loud = sound_of(tmp_path / "copy.mp4")
    # AAC comes in frames of 21 ms, one of which may hang over at either end.
    assert t[0] == pytest.approx(0, abs=0.05) and t[-1] == pytest.approx(duration, abs=0.05)
    assert t[np.argmax(loud > 0.2)] == pytest.approx(1.5 - start, abs=0.05)
    info = Clip(tmp_path / "copy.mp4").info
    assert info.frame_count == round(25 * duration) and info.duration == pytest.approx(duration, abs=0.001)
    assert read_code(next(Clip(tmp_path / "copy.mp4").frames()).image)[0] == round(25 * start)


def test_copy_is_silent_unless_asked_and_where_there_is_no_sound(heard_clip, tmp_path):
    write_proxy(Clip(heard_clip, 0, 0.2), tmp_path / "a.mp4")
    write_proxy(Clip(coded_clip(tmp_path / "clip.mp4", 5)), tmp_path / "b.mp4", sound=True)
    assert not Clip(tmp_path / "a.mp4").info.has_audio and not Clip(tmp_path / "b.mp4").info.has_audio


def test_cancelled_copy_leaves_nothing_and_the_old_one_stays(heard_clip, tmp_path):
    (tmp_path / "copy.mp4").write_bytes(b"old")
    with pytest.raises(Cancel):
        write_proxy(Clip(heard_clip), tmp_path / "copy.mp4", sound=True, progress=cancel_at(20))
    assert [path.name for path in tmp_path.iterdir()] == ["copy.mp4"] and (tmp_path / "copy.mp4").read_bytes() == b"old"


# --- the tile ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swing():
    track, pose, camera, _ = true_stroke("cover_drive", fps=25, noise=1.0)
    tip = track.tip.copy()
    tip[5] = np.nan
    xy, conf = pose.xy.copy(), pose.conf.copy()
    xy[7, 3], conf[7, 3] = np.nan, 0.0
    return measure_swing(replace(track, tip=tip), replace(pose, xy=xy, conf=conf), camera, scale=BatLength(0.96), draws=40)


def strict(value):
    return json.loads(json.dumps(value, allow_nan=False))


def test_tile_is_strict_json_of_what_was_measured(swing):
    t = 3.2 + swing.t
    tile = strict(make_tile(EVIL, (1280, 720), t, swing=swing))
    assert tile["name"] == EVIL and tile["size"] == [1280, 720]
    assert tile["t"][0] == 0 and tile["t"] == pytest.approx(swing.t - swing.t[0], abs=1e-6)
    pose = tile["pose"]
    names = pose["names"]
    assert names == list(swing.pose.names) and len(pose["xy"]) == len(pose["conf"]) == len(t)
    assert pose["xy"][7][6:8] == [None, None] and pose["conf"][7][3] == 0
    rows = np.array(pose["xy"], dtype=float)
    # Tenths of a pixel.
    assert rows == pytest.approx(swing.pose.xy.reshape(len(t), -1), abs=0.05 + 1e-9, nan_ok=True)
    sides = {(names[a], names[b]): side for a, b, side in pose["bones"]}
    assert sides["left_hip", "left_knee"] == "left" and sides["right_elbow", "right_wrist"] == "right" and sides["left_hip", "right_hip"] == "middle"
    assert tile["bat"]["tip"][5] is None and tile["bat"]["tip"][20] == pytest.approx(swing.tip[20], abs=0.05 + 1e-9)
    assert tile["bat"]["hands"][20] == pytest.approx(swing.hands[20], abs=0.05 + 1e-9)
    told = tile["swing"]
    assert told["unit"] == "m" and told["per_second"] == "m/s" and told["speed"]["value"][5] is None
    for part in ("speed", "omega"):
        assert len(told[part]["value"]) == len(told[part]["sigma"]) == len(t)
    assert told["peak_speed"]["value"] == pytest.approx(swing.peak_tip_speed.value, rel=1e-5) and told["flags"] == list(swing.flags)
    assert {phase["name"] for phase in told["phases"]} >= {"downswing", "follow_through"}
    assert told["impact"]["t"] == pytest.approx(swing.phases.impact.t - swing.t[0], abs=1e-4)
    # A frame of three seconds of drawn body: a whole tile stays far under what a page can't carry.
    assert len(json.dumps(tile)) < 60_000


def test_tile_s_times_count_from_the_first_frame(swing):
    later = replace(swing.pose, t=swing.pose.t + 4.0)
    tile = make_tile("a", (1280, 720), swing.t + 9.0, pose=later)
    assert tile["t"][0] == 0 and tile["pose"]["xy"][20] == make_tile("a", (1280, 720), swing.t, pose=swing.pose)["pose"]["xy"][20]


def test_tile_without_anything_and_with_nothing_measured(swing):
    assert make_tile("a", (64, 48), np.arange(3) / 25) == {
        "name": "a", "size": [64, 48], "t": [0, 0.04, 0.08], "pose": None, "bat": None, "swing": None,
    }  # fmt: skip
    track, pose, camera, _ = true_stroke("cover_drive", fps=25)
    nothing = measure_swing(replace(track, tip=track.hands + 1.0), pose, camera)
    told = strict(make_tile("a", (1280, 720), track.t, swing=nothing))["swing"]
    assert told["peak_speed"] is None and told["peak_omega"] is None and told["impact"] is None and set(told["speed"]["value"]) == {None}


@pytest.mark.parametrize(("change", "words"), [
    (lambda pose: replace(pose, size=(640, 360)), "is of a picture of 640×360, the clip's is 1280×720"),
    (lambda pose: replace(pose, space="m"), "is not in pixels of the clip"),
    (lambda pose: replace(pose, t=2.5 * pose.t), "frames at other times than the clip's"),
    (lambda pose: PoseSequence(pose.xy[:9], pose.conf[:9], pose.t[:9], pose.names, pose.size), "has 9 frames at other times than the clip's"),
])  # fmt: skip
def test_skeleton_of_another_clip_is_refused_in_a_sentence(swing, change, words):
    with pytest.raises(KineticsError, match=re.escape(words)) as caught:
        make_tile("cover", (1280, 720), swing.t, pose=change(swing.pose))
    assert "cover" in str(caught.value) and "\n" not in str(caught.value)


def test_skeleton_that_lacks_a_frame_has_none_there(swing):
    keep = np.arange(len(swing.t)) != 11
    pose = swing.pose
    part = PoseSequence(pose.xy[keep], pose.conf[keep], pose.t[keep], pose.names, pose.size)
    tile = make_tile("a", (1280, 720), swing.t, pose=part)
    whole = make_tile("a", (1280, 720), swing.t, pose=pose)
    assert set(tile["pose"]["xy"][11]) == {None} and tile["pose"]["xy"][12] == whole["pose"]["xy"][12] and tile["pose"]["xy"][10] == whole["pose"]["xy"][10]


# --- on one time line ---------------------------------------------------------------------------------------------------------------------------


def bare(length, impact=None):
    return {"t": [0.0, length], "swing": None if impact is None else {"impact": {"t": impact}}}


def along(line, u):
    return np.interp(u, *np.array(line).T)


def rises(maps):
    return all((np.diff(np.array(line), axis=0) > 0).all() for line in maps)


def test_all_from_their_start_and_by_impact():
    tiles = [bare(3.0, 1.2), bare(2.4, 0.7), bare(4.0, 2.5)]
    maps = sync_maps(tiles)
    assert maps["dtw"] is None and rises(maps["start"]) and rises(maps["impact"])
    assert [line[0] for line in maps["start"]] == [[0, 0]] * 3 and [line[-1] for line in maps["start"]] == [[3, 3], [2.4, 2.4], [4, 4]]
    places = [float(np.interp(tile["swing"]["impact"]["t"], *np.array(line).T[::-1])) for line, tile in zip(maps["impact"], tiles, strict=True)]
    assert places == pytest.approx([2.5] * 3) and min(line[0][0] for line in maps["impact"]) == 0


def test_an_unknown_impact_leaves_that_choice_out():
    maps = sync_maps([bare(3.0, 1.2), bare(3.0)])
    assert maps["impact"] is None and maps["dtw"] is None and maps["start"]


def test_in_step_gives_the_tempo_and_the_impacts_that_are_missing():
    """The second at twice the tempo, the third 0.3 s later at half of it."""
    line = np.array([-1.0, 4.0])
    found = InStep(0, (TimeMap(line, line), TimeMap(line, 2 * line), TimeMap(line, 0.5 * line + 0.3)), (1.2, 2.4, 0.9), ("given", "hands", "hands"), (1.0, 2.0, 0.5))
    maps = sync_maps([bare(3.0, 1.2), bare(5.0), bare(2.0)], in_step=found)
    assert rises(maps["dtw"]) and rises(maps["impact"])
    for choice in ("dtw", "impact"):
        places = [float(np.interp(at, *np.array(own).T[::-1])) for own, at in zip(maps[choice], found.impacts, strict=True)]
        assert places == pytest.approx([places[0]] * 3, abs=1e-5), choice
    # The third begins 0.6 s before the first.
    assert min(own[0][0] for own in maps["dtw"]) == 0 and maps["dtw"][0][0] == pytest.approx([0.6, 0.0])
    u = np.linspace(0.7, 2.5, 9)
    assert along(maps["dtw"][1], u) == pytest.approx(2 * (u - 0.6), abs=1e-5) and along(maps["dtw"][2], u) == pytest.approx(0.5 * (u - 0.6) + 0.3, abs=1e-5)
    straight = InStep(0, (TimeMap(line, line),) * 2, (1.0, 1.0), ("hands",) * 2, (1.0, 1.0))
    assert sync_maps([bare(3.0), bare(3.0)], in_step=straight)["dtw"] is None


def test_in_step_of_other_clips_is_refused():
    line = np.array([0.0, 1.0])
    found = InStep(0, (TimeMap(line, line),) * 2, (1.0, 1.0), ("hands",) * 2, (1.0, 1.0))
    with pytest.raises(KineticsError, match="There are 3 clips, and Shots In Step was made of 2"):
        sync_maps([bare(3.0)] * 3, in_step=found)


# --- the warping path ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [25, 240])
def test_path_s_bytes_are_the_distances_to_half_a_step(stick_batter, rate):
    """At 240 frames a second every second frame is taken: 720 would be more than an edge has."""
    comparison = compare_shots(stick_batter(fps=rate, seconds=3.0, noise=1.0), stick_batter(fps=25, seconds=3.4, noise=1.0, seed=1))
    record = strict(path_record(comparison, ("a", EVIL)))
    told = record["distances"]
    apart, rows, columns = pair_distances(comparison, MOST)
    data = np.frombuffer(base64.b64decode(told["data"]), np.uint8).reshape(told["rows"], told["columns"])
    assert data.shape == apart.shape == (len(rows), len(columns)) and told["row_step"] == (1 if rate == 25 else 2) and told["column_step"] == 1
    # Half a step of 254, and ``most`` itself is told to a thousandth.
    assert (data != MISSING).all() and data * told["most"] / 254 == pytest.approx(apart, abs=told["most"] / 508 + 1e-3)
    assert record["path"] == comparison.alignment.path.tolist() and record["names"] == ["a", EVIL]
    assert [len(t) for t in record["t"]] == [len(comparison.ref), len(comparison.other)] and len(record["tempo"]) == len(comparison.ref)
    left, top, width, height = record["box"]
    xy = np.array(record["poses"][0]["xy"], float).reshape(len(comparison.ref), -1, 2)
    assert left < np.nanmin(xy[..., 0]) and top < np.nanmin(xy[..., 1]) and np.nanmax(xy[..., 0]) < left + width and np.nanmax(xy[..., 1]) < top + height


# --- the page -----------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [Clip(coded_clip(folder / f"{n}.mp4", 12, n)) for n in range(2)]


def parts(clips, **more):
    return [PageClip(clips[0], "One/../two", **more), PageClip(clips[1], EVIL)]


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_page_is_one_file_and_its_media(clips, tmp_path):
    done = []
    index = write_page(tmp_path / "page", parts(clips), progress=lambda *told: done.append(told))
    assert index == tmp_path / "page" / "index.html" and done[-1] == (24, 24) and done == sorted(done)
    assert sorted(everything(tmp_path / "page")) == [
        "index.html", "media/01_One_two.jpg", "media/01_One_two.mp4", "media/02_img_src_x_onerror_alert_1.jpg", "media/02_img_src_x_onerror_alert_1.mp4",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert [read_code(frame.image) for frame in Clip(tmp_path / "page/media/01_One_two.mp4").frames()] == [(k, 0) for k in range(12)]


def test_page_fetches_nothing_and_its_policy_fits(clips, tmp_path):
    text = write_page(tmp_path / "page", parts(clips)).read_text(encoding="utf-8")
    # A name of the language, not an address that anything is fetched from.
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) == {"http://www.w3.org/2000/svg"}
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "connect-src" not in policy
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert len(body) == 1
        assert f"{kind} 'sha256-{base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()}'" in policy
        assert tag != "script" or not re.search(r"^\s*(export|import) ", body[0], re.M)


def test_what_people_wrote_is_escaped(clips, tmp_path):
    video = clips[0]._source
    text = write_page(tmp_path / "page", parts(clips, note=f"</script>{EVIL}"), title=EVIL, composites={EVIL: [video]}).read_text(encoding="utf-8")
    assert "<img" not in text and text.count("</script>") == 2 and "<title>&lt;img src=x onerror=alert(1)&gt;</title>" in text
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.S).group(1))
    assert [tile["name"] for tile in data["tiles"]] == ["One/../two", EVIL] and data["tiles"][0]["note"] == f"</script>{EVIL}"
    assert (tmp_path / "page/media/composite_1.mp4").is_file() and "<figcaption>&lt;img" in text


def test_cancelled_page_leaves_nothing_and_an_old_one_stays(clips, tmp_path):
    with pytest.raises(Cancel):
        write_page(tmp_path / "page", parts(clips), progress=cancel_at(15))
    assert list(tmp_path.iterdir()) == []
    write_page(tmp_path / "page", parts(clips), title="Before")
    before = everything(tmp_path / "page")
    with pytest.raises(Cancel):
        write_page(tmp_path / "page", parts(clips), progress=cancel_at(15))
    assert everything(tmp_path / "page") == before and [path.name for path in tmp_path.iterdir()] == ["page"]
    write_page(tmp_path / "page", parts(clips)[:1], title="After")
    after = everything(tmp_path / "page")
    assert len(after) == 3 and b"<h1>After</h1>" in after["index.html"] and [path.name for path in tmp_path.iterdir()] == ["page"]


def test_a_folder_of_somebody_s_is_left_alone(clips, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("<h1>My own page</h1>", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for name in ("mine", "file"):
        with pytest.raises(KineticsError, match="is there already and isn't a page of ours"):
            write_page(tmp_path / name, parts(clips))
    assert set(everything(tmp_path)) == {"mine/index.html", "file"}
    (tmp_path / "empty").mkdir()
    assert write_page(tmp_path / "empty", parts(clips)[:1]).is_file()


def test_page_of_no_clip_or_a_composite_that_is_missing_is_refused(clips, tmp_path):
    with pytest.raises(KineticsError, match="no clip for the page"):
        write_page(tmp_path / "page", [])
    with pytest.raises(KineticsError, match="Can't read the composite"):
        write_page(tmp_path / "page", parts(clips), composites={"All": [tmp_path / "none.mp4"]})
    assert list(tmp_path.iterdir()) == []


def test_first_picture_is_that_of_the_impact_or_the_middle_one(tmp_path):
    from PIL import Image

    track, pose, camera, _ = true_stroke("cover_drive", fps=25, noise=0.2, scene=default_scene("cover_drive", size=(320, 180)))
    swing = measure_swing(track, pose, camera, draws=20)
    whole = Clip(coded_clip(tmp_path / "whole.mp4", len(swing.t), size=(320, 180)))
    bare = Clip(coded_clip(tmp_path / "bare.mp4", 13))
    write_page(tmp_path / "page", [PageClip(whole, "a", swing=swing), PageClip(bare, "b")], longest=160)
    for name, wanted in (("01_a", round(swing.phases.impact.t * 25)), ("02_b", 6)):
        with Image.open(tmp_path / f"page/media/{name}.jpg") as picture:
            assert read_code(np.asarray(picture))[0] == wanted


def test_the_projects_own_page_carries_todays_player(root):
    own = (root / "docs" / "index.html").read_text(encoding="utf-8")
    policies = [re.search(r"(?:script|style)-src '(sha256-[^']+)'", part).group(1) for part in page_text("", {}).split(";") if "sha256" in part]
    assert len(policies) == 2 and all(policy in own for policy in policies), "scripts/build_page.sh makes it anew"


# --- the command --------------------------------------------------------------------------------------------------------------------------------


def test_command_writes_a_page_of_the_clips_alone(clips, tmp_path, capsys):
    paths = [clip._source for clip in clips]
    assert main(["page", *paths, "-o", str(tmp_path / "page"), "--no-skeletons", "--title", "Two", "--longest", "80"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page" / "index.html")
    media = {path.name for path in (tmp_path / "page" / "media").iterdir()}
    assert {"01_0.mp4", "02_1.mp4", "composite_1.mp4", "composite_1.gif"} <= media
    assert Clip(tmp_path / "page/media/01_0.mp4").info.width == 80


@pytest.mark.parametrize(("change", "words"), [
    (lambda paths, folder: ["page", str(folder / "none.mp4"), "-o", str(folder / "page")], "none.mp4"),
    (lambda paths, folder: ["page", paths[0], "-o", str(folder / "mine"), "--no-skeletons"], "isn't a page of ours"),
    (lambda paths, folder: ["page", paths[0], "-o", str(folder / "page"), "--no-skeletons", "--longest", "3"], "16 pixels or more"),
    (lambda paths, folder: ["page", paths[0], paths[0], "-o", str(folder / "page"), "--no-skeletons"], "given twice"),
])  # fmt: skip
def test_command_tells_bad_input_in_one_line(clips, change, words, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").write_text("mine", encoding="utf-8")
    assert main(change([clip._source for clip in clips], tmp_path)) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert words in told[-1] and told[-1].startswith("kinetics page: ") and sum(line.startswith("kinetics page: ") for line in told) == 1
    assert set(everything(tmp_path)) == {"mine/kept.txt"}
