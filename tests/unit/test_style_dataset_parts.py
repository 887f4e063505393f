"""The parts of a style dataset by themselves: captions, buckets and crops, masks, the choice of frames, the split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.errors import KineticsError
from kinetics.style.captions import DEFAULT_TEMPLATE, check_template, shot_label, write_caption
from kinetics.style.choose import LEAST_QUALITY, choose_frames, pose_distance, split_footage
from kinetics.style.crops import BAT_REACH, Crop, check_buckets, cut, make_buckets, plan_crops
from kinetics.style.masks import draw_bat_mask, draw_mask

# captions


def test_caption_fills_its_fields_and_drops_what_is_empty():
    assert write_caption(DEFAULT_TEMPLATE, "ckx", "cover drive", "follow_through", "quick tempo") == "ckx, cricket batter, cover drive, follow-through, quick tempo"
    assert write_caption(DEFAULT_TEMPLATE, " ckx ", "", "fast", "") == "ckx, cricket batter, fast movement"
    assert write_caption("photo of {trigger} playing a {shot}", "ckx", "hook", "", "") == "photo of ckx playing a hook"


@pytest.mark.parametrize(
    "template, trigger, words",
    [
        ("{trigger}, {colour}", "x", "{colour}"), ("{trigger", "x", "can't be read"), ("{trigger!r}", "x", "plainly"), ("{}", "x", "isn't known"),
        ("  ", "x", "empty"), ("{trigger}", " ", "trigger is empty"), ("{trigger.upper}", "x", "isn't known"),
    ],
)  # fmt: skip
def test_template_that_can_t_be_filled_is_said(template, trigger, words):
    with pytest.raises(KineticsError, match=words.replace("{", r"\{")):
        check_template(template, trigger)


def test_shot_is_told_from_the_name():
    assert shot_label("cover_drive_02") == "cover drive" and shot_label("hook-3") == "hook" and shot_label("2024") == ""


# buckets and crops


@pytest.mark.parametrize("resolution", [256, 512, 768, 1024])
def test_buckets_are_multiples_of_64_of_about_one_area(resolution):
    buckets = make_buckets(resolution)
    assert (resolution, resolution) in buckets and len(set(buckets)) == len(buckets)
    for width, height in buckets:
        assert width % 64 == height % 64 == 0 and 0.5 <= width / height <= 2
        # Half a step of 64 either way on the side that is rounded.
        assert abs(width * height - resolution**2) <= 32 * width


def test_bad_buckets_are_said():
    for wrong in (lambda: make_buckets(500), lambda: make_buckets(0), lambda: check_buckets([]), lambda: check_buckets([(512, 500)])):
        with pytest.raises(KineticsError, match=r"multiples? of 64"):
            wrong()


def a_walk(frames=60, size=(640, 360), noise=0.0, seed=0):
    """Points of a body 150 px tall that walks across the picture, with noise; hands and tip of a bat that turns."""
    rng, t = np.random.default_rng(seed), np.arange(frames) / 25
    middle = np.stack([150 + 120 * t, np.full(frames, 200.0)], axis=1)
    offsets = np.array([[0, -70], [-18, -40], [18, -40], [-12, 5], [12, 5], [-15, 75], [15, 75]], float)
    points = middle[:, None] + offsets + noise * rng.normal(size=(frames, 7, 2))
    hands = middle + np.array([20, -10])
    tip = hands + 70 * np.stack([np.cos(3 * t), np.sin(3 * t)], axis=1)
    return points, hands, tip, np.full(frames, 150.0), t, np.zeros(frames, int), size


def reach(crop):
    return np.array([crop.left, crop.top]), np.array([crop.left + crop.width, crop.top + crop.height])


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([256, 512]))
def test_crops_hold_batter_and_bat_inside_the_picture_in_one_shape(seed, resolution):
    points, hands, tip, heights, t, stretch, size = a_walk(noise=2.0, seed=seed)
    tip[10:14] = np.nan
    crops = plan_crops(points, hands, tip, heights, t, stretch, size, make_buckets(resolution))
    assert len({crop.bucket for crop in crops}) == 1
    for row, crop in enumerate(crops):
        low, high = reach(crop)
        content = np.concatenate([points[row], tip[row : row + 1], hands[row : row + 1]])
        content = content[np.isfinite(content).all(axis=1)]
        assert (content >= low - 1e-6).all() and (content <= high + 1e-6).all()
        assert (low >= -1e-6).all() and (high <= np.array(size) + 1e-6).all()
        assert crop.width / crop.height == pytest.approx(crop.bucket[0] / crop.bucket[1])
        if np.isnan(tip[row, 0]):  # room for a bat that isn't seen
            assert (hands[row] - BAT_REACH * 150 >= low - 1e-6).all() and (hands[row] + BAT_REACH * 150 <= high + 1e-6).all()


def test_crops_do_not_jitter():
    """The body walks 4.8 px a frame, its joints shake by 3 px, and its bat turns; the crop's middle moves far more evenly than what it follows."""
    points, hands, tip, heights, t, stretch, size = a_walk(noise=3.0)
    crops = plan_crops(points, hands, tip, heights, t, stretch, size, make_buckets(256))
    middle = np.array([(crop.left + crop.width / 2, crop.top + crop.height / 2) for crop in crops])
    everything = np.concatenate([points, tip[:, None]], axis=1)
    followed = (everything.min(axis=1) + everything.max(axis=1)) / 2
    shake, left = (np.abs(np.diff(track[5:-5], n=2, axis=0)).mean() for track in (followed, middle))
    # A Gaussian of sigma = 6 frames leaves under a hundredth of white noise's second differences.
    assert left < 0.05 * shake
    grown = np.diff([crop.height for crop in crops])
    assert np.abs(grown).max() < 0.05 * crops[0].height


def test_crop_begins_anew_after_a_cut_and_is_absent_where_nobody_is():
    points, hands, tip, heights, t, stretch, size = a_walk()
    stretch[30:] = 1
    for track in (points, hands, tip):
        track[30:] += (150, 0)
    points[5], tip[5], hands[5] = np.nan, np.nan, np.nan
    crops = plan_crops(points, hands, tip, heights, t, stretch, size, make_buckets(256))
    assert crops[5] is None and all(crop is not None for row, crop in enumerate(crops) if row != 5)
    middle = [crop and crop.left + crop.width / 2 for crop in crops]
    # 150 px and a frame's walk, smoothed on each side of the cut only; the size may change with it.
    assert middle[30] - middle[29] > 100 and max(np.diff(middle[6:30])) < 10


def test_crop_that_can_t_fit_is_padded_never_stretched():
    points, hands, tip, heights, t, stretch, _ = a_walk(frames=12)
    size = (640, 200)  # the picture is cut at the knees
    crops = plan_crops(points, hands, tip, heights, t, stretch, size, [(256, 256)])
    wide = plan_crops(points * (4, 1), hands, tip, heights, t, stretch, size, [(128, 256)])
    assert all(crop.top >= 0 and crop.top + crop.height <= 200.001 for crop in crops)
    image = np.random.default_rng(0).integers(1, 255, (200, 640, 3), np.uint8)
    picture, inside = cut(image, wide[0])
    assert picture.shape == (256, 128, 3) and wide[0].width / wide[0].height == pytest.approx(0.5)
    assert not inside[0].any() and not inside[-1].any() and inside[128].all()
    assert np.array_equal(picture[0], picture[8])  # the edge goes on


@given(st.floats(20, 200), st.floats(20, 100), st.floats(30, 90))
def test_picture_and_map_agree(x, y, side):
    """A soft blob at a known place comes out where the crop's map says."""
    rows, columns = np.mgrid[:150, :260]
    blob = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))
    image = np.repeat(np.rint(blob).astype(np.uint8)[..., None], 3, axis=2)
    crop = Crop(x - 0.6 * side, y - 0.3 * side, side, side, (128, 128))
    picture, _ = cut(image, crop)
    weight = picture[..., 0].astype(float)
    weight[weight < 40] = 0  # what the edge may cut off
    seen = np.array([(weight.sum(axis=0) @ np.arange(128)), (weight.sum(axis=1) @ np.arange(128))]) / weight.sum()
    told = crop.matrix @ (x, y, 1)
    # Whole grey levels and a threshold move the centroid of a blob 4 to 13 px wide by less than a tenth of a pixel.
    assert np.abs(seen - told).max() < 0.15


# masks

BODY = {
    "nose": (100.0, 40), "left_shoulder": (120, 70), "right_shoulder": (80, 70), "left_hip": (112, 140), "right_hip": (88, 140), "left_elbow": (140, 100),
    "right_elbow": (60, 100), "left_wrist": (130, 130), "right_wrist": (120, 134), "left_knee": (115, 190), "right_knee": (85, 190),
    "left_ankle": (118, 240), "right_ankle": (82, 240), "hands": (125, 132), "bat_tip": (190, 190),
}  # fmt: skip


def test_mask_holds_joints_limbs_and_bat_and_is_soft():
    points = {name: np.array(place, float) for name, place in BODY.items()}
    mask = draw_mask(points, 220.0, (256, 288))
    assert mask.shape == (288, 256) and mask.min() == 0 and mask.max() <= 1
    for first, second in (("left_hip", "left_knee"), ("hands", "bat_tip"), ("right_shoulder", "right_elbow"), ("right_shoulder", "left_hip")):
        for share in np.linspace(0, 1, 5):
            x, y = np.round(points[first] + share * (points[second] - points[first])).astype(int)
            assert mask[y, x] > 0.9
    assert mask[20:40, 220:].max() == 0 and mask[270:, :40].max() == 0
    assert ((mask > 0.05) & (mask < 0.95)).sum() > 200


def test_missing_joints_leave_only_their_limbs_out():
    points = {name: np.array(place, float) for name, place in BODY.items() if name not in ("bat_tip", "left_ankle")}
    mask = draw_mask(points, 220.0, (256, 288))
    assert mask[190, 190] == 0 and mask[238, 120] < 0.1 and mask[240, 82] > 0.9
    assert draw_bat_mask(points, 220.0, (256, 288)).max() == 0
    assert draw_mask({}, 220.0, (64, 64)).max() == 0


# the choice of frames


def line_up(frames, step=0.05):
    """Shapes that change by ``step`` body heights from frame to frame, and pictures that all differ."""
    shape = np.zeros((frames, 5, 2))
    shape[:, 0, 0] = step * np.arange(frames) * np.sqrt(5)
    pictures = np.tile((np.arange(frames) * 11 % 251).astype(np.uint8)[:, None], (1, 16))
    return shape, pictures


def test_phases_share_the_places_and_a_short_one_gives_all_it_has():
    phase = np.array(["stance"] * 40 + ["backlift"] * 20 + ["downswing"] * 6 + ["impact"] * 1 + ["follow_through"] * 30)
    shape, pictures = line_up(len(phase))
    chosen, why_not = choose_frames(phase, np.ones(len(phase), bool), np.ones(len(phase)), shape, pictures, 22)
    counts = {name: int((phase[chosen] == name).sum()) for name in np.unique(phase)}
    assert len(chosen) == 22 and counts["impact"] == 1 and max(counts.values()) - min(n for name, n in counts.items() if name != "impact") <= 1
    assert chosen == sorted(chosen) and set(why_not[chosen]) == {""} and (why_not == "not needed").sum() == len(phase) - 22


def test_blurred_frames_and_near_duplicates_are_left_out():
    phase = np.array(["stance"] * 20)
    shape, pictures = line_up(20)
    quality = np.ones(20)
    quality[3:6] = 0.5 * LEAST_QUALITY
    shape[11], pictures[11] = shape[10], pictures[10] + 2
    shape[15] = shape[14]  # the same pose, another picture
    usable = np.ones(20, bool)
    usable[0] = False
    chosen, why_not = choose_frames(phase, usable, quality, shape, pictures, 20)
    assert not set(chosen) & {0, 3, 4, 5} and len({10, 11} & set(chosen)) == 1 and {14, 15} <= set(chosen)
    assert (why_not[3:6] == "blurred").all() and sorted(why_not[[10, 11]]) == ["", "near-duplicate"] and why_not[0] == ""


def test_sharper_and_newer_frames_come_first():
    phase = np.array(["stance"] * 30)
    shape, pictures = line_up(30, step=0.01)
    quality = np.full(30, 0.5)
    quality[12] = 1.0
    chosen, _ = choose_frames(phase, np.ones(30, bool), quality, shape, pictures, 3)
    assert 12 in chosen and np.diff(chosen).min() >= 6  # 0.06 body heights apart, as far as newness counts


def test_pose_distance_takes_the_common_shift_out_and_counts_what_both_have():
    rng = np.random.default_rng(1)
    shape = rng.normal(size=(1, 6, 2))
    moved = shape + np.array([3.0, -2.0])
    assert pose_distance(moved, shape[0])[0] == pytest.approx(0, abs=1e-9)
    other = shape.copy()
    other[0, 2] += (0.6, 0)
    # One of six joints 0.6 away: sqrt(0.36/6 - (0.6/6)²).
    assert pose_distance(other, shape[0])[0] == pytest.approx(np.sqrt(0.06 - 0.01))
    other[0, 2] = np.nan
    assert pose_distance(other, shape[0])[0] == pytest.approx(0, abs=1e-9)
    assert np.isinf(pose_distance(np.full((1, 6, 2), np.nan), shape[0])[0])


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=12), st.one_of(st.integers(0, 4), st.floats(0.05, 0.95)), st.integers(0, 100))
def test_split_never_divides_a_footage_and_leaves_one_to_train(footage, held_out, seed):
    labels = ["drive"] * len(footage)
    out = split_footage(footage, labels, held_out, seed)
    assert out == split_footage(footage, labels, held_out, seed)
    sides = {source: {side for side, name in zip(out, footage, strict=True) if name == source} for source in footage}
    assert all(len(side) == 1 for side in sides.values())
    number, names = sum(True in side for side in sides.values()), len(sides)
    wanted = held_out if held_out == 0 or held_out >= 1 else max(1, round(held_out * names))
    assert number == min(wanted, names - 1)


def test_split_spares_a_stroke_that_is_played_once():
    for seed in range(8):
        out = split_footage(["a", "b", "c", "d"], ["hook", "drive", "drive", "cut"], 1, seed)
        assert out[1] != out[2] and not out[0] and not out[3]
