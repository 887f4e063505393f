"""Skeletons as pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetics.draw import contact_sheet, draw_people_choice, fit_view, pose_preview_image, render_skeleton_clip
from kinetics.errors import KineticsError
from kinetics.ink import dot, fill, stroke, write
from kinetics.pose_sequence import PoseSequence
from kinetics.stick_figure import BAT, LEFT, RIGHT, draw_legend, draw_skeleton
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


def black(width=200, height=150) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def nearness(image: np.ndarray, colour) -> np.ndarray:
    """(H, W) bool: pixels of this hue (the same colour but for brightness)."""
    value = image.astype(float)
    strength = np.linalg.norm(value, axis=2)
    cosine = value @ np.array(colour, float) / np.maximum(strength * np.linalg.norm(colour), 1e-9)
    return (strength > 60) & (cosine > 0.99)


def light(image: np.ndarray) -> float:
    return float(image.astype(float).sum())


def leg(*, conf=0.9, side="left", at=((50.0, 30.0), (80.0, 70.0), (90.0, 120.0))) -> tuple:
    return np.array(at), np.full(3, conf), tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle"))


# Ink


@given(st.floats(20, 80), st.floats(20, 80), st.floats(0.5, 8))
def test_a_dot_has_its_area_and_its_middle_to_a_fraction_of_a_pixel(x, y, radius):
    image = black(100, 100)
    dot(image, np.array([x, y]), radius, (255, 255, 255))
    share = image[..., 0] / 255
    ys, xs = np.mgrid[:100, :100]
    # Coverage by distance from the edge integrates to pi(r² + 1/12); sampling it on the pixel grid adds up to 0.63 pixels (6000 drawn).
    assert share.sum() == pytest.approx(np.pi * (radius**2 + 1 / 12), abs=0.8)
    assert (share * xs).sum() / share.sum() == pytest.approx(x, abs=0.13)
    assert (share * ys).sum() / share.sum() == pytest.approx(y, abs=0.13)


@given(st.floats(30, 70), st.floats(1, 6), st.floats(0.2, 1))
def test_a_level_stroke_has_its_width_and_opacity_below_a_pixel(y, width, alpha):
    image = black(100, 100)
    stroke(image, np.array([[20.0, y], [80.0, y]]), (200, 100, 0), width, alpha)
    column = image[:, 50, 0] / 200
    # Each of the few pixels is rounded to 1/255.
    assert column.sum() == pytest.approx(width * alpha, abs=0.03)
    # The middle of what whole pixels cover differs from the line's by up to an eighth of a pixel.
    assert (column * np.arange(100)).sum() / column.sum() == pytest.approx(y, abs=0.13)


def test_a_see_through_line_has_no_knots_where_its_pieces_meet():
    image = black(100, 50)
    stroke(image, np.array([[10.0, 25.0], [50.0, 25.0], [90.0, 25.0]]), (200, 200, 200), 6, 0.5)
    assert set(np.unique(image[25, 15:85])) == {100}


def test_nan_breaks_a_line_and_ink_off_the_picture_is_left_out():
    image = black(100, 50)
    stroke(image, np.array([[10.0, 25.0], [30.0, 25.0], [np.nan, np.nan], [70.0, 25.0], [90.0, 25.0]]), (200, 200, 200), 3)
    assert image[25, 20].all() and image[25, 80].all() and not image[25, 40:60].any()
    before = image.copy()
    stroke(image, np.array([[-50.0, -50.0], [-20.0, -90.0]]), (255, 0, 0), 4)
    stroke(image, np.array([[0.0, 0.0], [1e12, 5.0]]), (255, 0, 0), 4)
    dot(image, np.array([500.0, 20.0]), 9, (255, 0, 0))
    fill(image, np.array([[-9.0, -9.0], [-5.0, -9.0], [-5.0, -4.0]]), (255, 0, 0))
    write(image, "far", (400, 400), 12)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_polygon_has_its_area_either_way_round(turn):
    image = black(100, 100)
    fill(image, np.array([[20.5, 30.0], [70.25, 30.0], [70.25, 60.0], [20.5, 60.0]])[::turn], (255, 255, 255))
    # Exact along the edges; a fraction of a pixel at each of the corners.
    assert (image[..., 0] / 255).sum() == pytest.approx(49.75 * 30, abs=1.5)


# One skeleton


def test_left_is_orange_and_right_is_blue():
    for side, colour, other in (("left", LEFT, RIGHT), ("right", RIGHT, LEFT)):
        image = black()
        draw_skeleton(image, *leg(side=side), scale=60)
        assert nearness(image, colour).sum() > 100 and not nearness(image, other).any()


def test_a_bone_with_a_missing_end_is_not_drawn():
    xy, conf, names = leg()
    xy[1] = np.nan
    image = black()
    draw_skeleton(image, xy, conf, names, scale=60)
    assert not image[45:105].any()
    assert image[30, 50].any() and image[120, 90].any()


def test_nobody_draws_nothing():
    image = black()
    draw_skeleton(image, np.full((3, 2), np.nan), np.zeros(3), leg()[2])
    assert not image.any()


def test_less_sure_is_fainter_and_under_a_half_is_hollow():
    amounts = []
    for conf in (1.0, 0.8, 0.55):
        image = black()
        draw_skeleton(image, *leg(conf=conf), scale=60)
        amounts.append(light(image))
    assert amounts[0] > 1.1 * amounts[1] > 1.1 * 1.1 * amounts[2] * 0.9
    solid, hollow = black(), black()
    draw_skeleton(solid, *leg(conf=0.9), scale=120)
    draw_skeleton(hollow, *leg(conf=0.4), scale=120)
    assert solid[70, 80].sum() > 400 > 100 > hollow[70, 80].sum()


def test_a_dark_edge_sets_it_off_from_bright_footage():
    image = np.full((150, 200, 3), 255, np.uint8)
    draw_skeleton(image, *leg(conf=1.0), scale=100)
    # Across the thigh's middle (65, 50): bright, dark, orange, dark, bright.
    row = image[50].astype(int).sum(axis=1)
    bone = np.flatnonzero(nearness(image[50:51], LEFT)[0])
    assert row[bone[0] - 3 : bone[0]].min() < 350 and row[bone[-1] + 1 : bone[-1] + 4].min() < 350
    assert row[bone[0] - 8] == 765


def test_line_width_follows_the_body_not_the_picture():
    xy, conf, names = leg()
    small, large = black(), black()
    draw_skeleton(small, xy, conf, names, scale=40)
    draw_skeleton(large, xy, conf, names, scale=120)
    assert nearness(large, LEFT).sum() > 2 * nearness(small, LEFT).sum()
    wide = black(800, 600)
    draw_skeleton(wide, xy, conf, names, scale=40)
    assert np.array_equal(wide[:150, :200], small)


def test_the_bat_is_drawn_from_the_hands_to_its_tip():
    names = ("left_wrist", "right_wrist", "bat_tip")
    image = black()
    draw_skeleton(image, np.array([[60, 40], [66, 44], [120, 110]]), np.full(3, 0.9), names, scale=60)
    along = np.linspace(0.5, 0.95, 10)[:, None] * np.array([57.0, 68.0]) + [63, 42]
    assert nearness(image, BAT)[along[:, 1].round().astype(int), along[:, 0].round().astype(int)].all()
    alone = black()
    draw_skeleton(alone, np.array([[np.nan] * 2, [np.nan] * 2, [120, 110]]), np.array([0, 0, 0.9]), names, scale=60)
    assert 4 < nearness(alone, BAT).sum() < 60


def test_a_trail_fades_with_age():
    image = black()
    path = np.column_stack([np.linspace(20, 180, 9), np.full(9, 75.0), np.linspace(1, 0, 9)])
    draw_skeleton(image, np.array([[180.0, 75.0]]), np.array([0.9]), ("left_wrist",), scale=60, trail={"left_wrist": path})
    brightness = image[75, [40, 80, 120, 160], 0].astype(int)
    assert (np.diff(brightness) > 10).all() and nearness(image, LEFT)[75, 150]


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_wild_positions_never_fail(seed):
    rng = np.random.default_rng(seed)
    names = ("left_shoulder", "right_shoulder", "left_wrist", "right_wrist", "left_hip", "right_hip", "bat_tip", "nose")
    xy = rng.choice([0.0, 1e-9, 75.3, -40.0, 1e4, 1e9, np.nan], (8, 2))
    draw_skeleton(black(), xy, rng.random(8), names)


# Views


def test_frame_view_is_the_picture_itself_or_centred_bars(stick_batter):
    pose = stick_batter()
    same = fit_view(pose, (1280, 720))
    np.testing.assert_allclose(same.place(pose.xy), pose.xy, atol=1e-9)
    half = fit_view(pose, (640, 480))
    # Half the size, with bars of 60 rows above and below; the middle of a pixel stays the middle.
    np.testing.assert_allclose(half.place(np.array([[-0.5, -0.5], [1279.5, 719.5]])), [[-0.5, 59.5], [639.5, 419.5]], atol=1e-9)


def test_subject_view_holds_the_person_and_fills_the_canvas(stick_batter):
    pose = stick_batter()
    view = fit_view(pose, (480, 270), "subject")
    placed = view.place(pose.xy).reshape(-1, 2)
    assert (placed >= 0).all() and (placed <= [479, 269]).all()
    assert view.zoom == fit_view(pose.with_step("again"), (480, 270), "subject").zoom
    # The person takes up most of the canvas's height: 1 / (1 + 2 · 15 %) of it, but for the 1 % left out on each side.
    assert np.ptp(placed[:, 1]) > 0.7 * 270


def test_views_that_cannot_be_are_refused(stick_batter):
    with pytest.raises(KineticsError, match="frame or subject"):
        fit_view(stick_batter(), (480, 270), "close")
    with pytest.raises(KineticsError, match="give it in pixels"):
        fit_view(replace(stick_batter(), space="body"), (480, 270))


# Clips


@pytest.fixture
def short(stick_batter) -> PoseSequence:
    """Twelve frames at uneven times, small enough to encode at once; nobody in frame 5."""
    t = np.cumsum([0, 0.04, 0.04, 0.06, 0.04, 0.04, 0.08, 0.04, 0.04, 0.04, 0.04, 0.04])
    pose = stick_batter(t=t, seconds=0.5)
    xy = pose.xy / 4
    xy[5] = np.nan
    return replace(pose, xy=xy, size=(320, 180))


def grey_levels(short: PoseSequence) -> np.ndarray:
    return 40 + 15 * np.arange(len(short))


@pytest.fixture
def footage(short, tmp_path) -> Clip:
    """A clip with the skeleton's times whose frames are evenly grey, each another grey."""
    with VideoWriter(tmp_path / "footage.mp4", 320, 180, Fraction(25), crf=5) as video:
        for level, t in zip(grey_levels(short), short.t, strict=True):
            video.write(np.full((180, 320, 3), level, np.uint8), float(t))
    return Clip(tmp_path / "footage.mp4")


def test_a_rendered_clip_keeps_each_frames_own_time(short, tmp_path):
    seen = []
    out = render_skeleton_clip(short, tmp_path / "out" / "bones.mp4", trails=0.2, progress=lambda done, total: seen.append((done, total)))
    clip = Clip(out)
    frames = list(clip.frames())
    assert (clip.info.width, clip.info.height, len(frames)) == (320, 180, 12)
    # The container's clock ticks 90000 times a second.
    np.testing.assert_allclose([frame.t for frame in frames], short.t, atol=1 / 90000)
    assert seen == [(k, 12) for k in range(1, 13)]


def test_on_the_clip_each_frame_stands_on_its_own_picture(short, footage, tmp_path):
    for background, factor in (("clip", 1.0), ("dim", 0.4)):
        out = render_skeleton_clip(short, tmp_path / f"{background}.mp4", background, clip=footage, legend=False)
        corner = [frame.image[150:, :60].mean() for frame in Clip(out).frames()]
        # Two passes of encoding and limited range: 3 levels of 255.
        np.testing.assert_allclose(corner, factor * grey_levels(short), atol=3)


def test_close_up_on_the_clip_the_joint_lies_where_its_picture_does(short, tmp_path):
    spot = np.array([150.0, 90.0])
    with VideoWriter(tmp_path / "spot.mp4", 320, 180, 25, crf=5) as video:
        for t in short.t:
            image = black(320, 180)
            dot(image, spot, 5, (255, 255, 255))
            video.write(image, float(t))
    pose = replace(short, conf=np.full(short.conf.shape, 0.0))
    out = render_skeleton_clip(
        pose, tmp_path / "o.mp4", "clip", clip=Clip(tmp_path / "spot.mp4"), view="subject", size=(200, 160), legend=False
    )
    image = next(iter(Clip(out).frames())).image.astype(float)
    weight = (image.min(axis=2) > 190) * image.min(axis=2)
    ys, xs = np.mgrid[:160, :200]
    placed = fit_view(pose, (200, 160), "subject").place(spot)
    centre = [(weight * xs).sum() / weight.sum(), (weight * ys).sum() / weight.sum()]
    np.testing.assert_allclose(centre, placed, atol=1.0)


def test_a_frame_with_nobody_says_so(short, tmp_path):
    out = render_skeleton_clip(short, tmp_path / "o.mp4", legend=False)
    image = list(Clip(out).frames())[5].image
    rows = np.flatnonzero((image.max(axis=2) > 90).any(axis=1))
    assert len(rows) and rows.min() > 150


def test_trails_are_drawn_and_end_at_a_cut(short, tmp_path):
    still = replace(short, xy=np.broadcast_to(short.xy[0], short.xy.shape).copy())
    moved = still.xy.copy()
    moved[6:] += [140, 0]
    moving = still.xy.copy()
    wrist = short.index("left_wrist")
    x = round(float(short.xy[0, wrist, 0]))
    moving[:, wrist] = short.xy[0, wrist] - np.array([8.0, 0]) * np.arange(12)[:, None]
    # Looked at is where only a trail can be: between the wrist's two places, and behind the moving wrist.
    for xy, columns, drawn in ((moved, slice(x + 50, x + 90), False), (moving, slice(x - 50, x - 20), True)):
        pose = replace(still, xy=xy)
        images = []
        for trails in (0.0, 0.4):
            out = render_skeleton_clip(pose, tmp_path / "o.mp4", trails=trails, legend=False)
            images.append(list(Clip(out).frames())[8].image[:, columns].astype(int))
        # Encoding changes a pixel by a few levels; this thin trail by 56.
        assert (np.abs(images[1] - images[0]).max() > 20) == drawn


def test_a_cancel_passes_through_and_leaves_nothing(short, tmp_path):
    def cancel(done, total):
        if done == 3:
            raise InterruptedError("stop")

    with pytest.raises(InterruptedError):
        render_skeleton_clip(short, tmp_path / "new" / "o.mp4", progress=cancel)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"background": "white"}, "black, clip or dim"), ({"background": "clip"}, "needs the clip"), ({"trails": -1}, "0 or more"),
        ({"view": "far"}, "frame or subject"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(short, tmp_path, options, said):
    with pytest.raises(KineticsError, match=said):
        render_skeleton_clip(short, tmp_path / "o.mp4", **options)
    assert not (tmp_path / "o.mp4").exists()


def test_a_clip_that_is_not_the_skeletons_is_refused(short, footage, tmp_path):
    longer = replace(short, t=short.t * 3)
    other = replace(short, size=(640, 360))
    gappy = replace(short, t=np.concatenate([short.t[:6], short.t[6:] + 0.25]))
    for pose, said in ((longer, "lasts 0.54 s but the skeleton"), (other, "is 320x180 but the skeleton"), (gappy, "no frame at")):
        with pytest.raises(KineticsError, match=said):
            render_skeleton_clip(pose, tmp_path / "o.mp4", "clip", clip=footage)
        assert [path.name for path in tmp_path.iterdir()] == ["footage.mp4"]


def test_one_frame_is_a_clip_too(short, tmp_path):
    one = PoseSequence(short.xy[:1], short.conf[:1], short.t[:1], short.names, short.size)
    assert len(list(Clip(render_skeleton_clip(one, tmp_path / "o.mp4")).frames())) == 1


# Previews


def test_people_are_numbered_and_the_frame_is_left_alone():
    image = np.full((180, 320, 3), 90, np.uint8)
    out = draw_people_choice(image, [((30, 40, 60, 120),), ((200, 5, 50, 100), *leg(at=((210, 20), (220, 50), (230, 90))))])
    assert (image == 90).all()
    for x, y in ((30, 100), (90, 100), (200, 80), (250, 80)):
        assert nearness(out[y - 1 : y + 2, x - 1 : x + 2], BAT).any()
    assert nearness(out, LEFT).sum() > 50


def test_sheet_lays_out_in_rows():
    tiles = [np.full((10, 20, 3), value, np.uint8) for value in (50, 100, 150)]
    sheet = contact_sheet(tiles, 2, gap=2)
    assert sheet.shape == (22, 42, 3)
    assert [sheet[5, 5, 0], sheet[5, 30, 0], sheet[15, 5, 0], sheet[15, 30, 0]] == [50, 100, 150, 30]
    with pytest.raises(KineticsError, match="0 pictures"):
        contact_sheet([], 2)


def test_preview_shows_the_moments_on_black_and_on_the_clip(short, footage):
    plain = pose_preview_image(short)
    assert plain.shape[1] == 4 * 240 + 6 and nearness(plain, LEFT).sum() > 200
    dimmed = pose_preview_image(short, footage)
    moments = np.round(np.linspace(0, 11, 8)).astype(int)
    corner = [dimmed[2 + row * 137, 238 + col * 242].mean() for row in range(2) for col in range(4)]
    np.testing.assert_allclose(corner, 0.4 * grey_levels(short)[moments], atol=3)
    assert pose_preview_image(short, frames=3).shape[1] == 3 * 320 + 4


def test_legend_is_small_and_in_the_upper_left():
    image = black(480, 270)
    draw_legend(image)
    assert nearness(image, LEFT).any() and nearness(image, RIGHT).any()
    assert not image[30:].any() and not image[:, 100:].any()
