"""The pictures of a camera's way and of a bat track: what is drawn where, and what is not."""

from fractions import Fraction

import numpy as np
import pytest

from kinetics.motion.bat_track import BatTrack
from kinetics.motion.camera import Camera
from kinetics.plots.bat_sheet import LOST, draw_bat_sheet
from kinetics.plots.camera import plot_camera
from kinetics.stick_figure import BAT
from kinetics.video.decode import Clip
from kinetics.video.encode import VideoWriter


@pytest.fixture(scope="module")
def dark_clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("dark") / "dark.mp4"
    with VideoWriter(path, 320, 240, Fraction(25)) as video:
        for _ in range(40):
            video.write(np.full((240, 320, 3), 30, np.uint8))
    return Clip(path)


def turning_track(seen, **more):
    t = np.arange(40) / 25
    angle = 3 * np.tanh(8 * (t - 0.8))
    hands = np.full((40, 2), [160.0, 120.0])
    tip = np.where(seen[:, None], hands + 60 * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.nan)
    source = np.where(seen, "image", "")
    sigma = np.where(seen, 1.0, np.nan)
    fields = {"confidence": np.where(seen, 0.9, 0.0), "repeat": np.zeros(40, bool), "size": (320, 240)} | more
    return BatTrack(t, hands, tip, np.ones(40), sigma, source, **fields)


def near(image, colour):
    return np.abs(image.astype(int) - np.array(colour)).max(axis=2) < 25


def test_sheet_draws_a_bat_in_every_crop_where_it_is_seen(dark_clip):
    sheet = draw_bat_sheet(turning_track(np.ones(40, bool)), dark_clip, tile=200)
    tiles = [sheet[y : y + 200, x : x + 200] for y in (0, 202) for x in (0, 202, 404, 606)]
    assert all(near(tile[25:170], BAT).sum() > 40 for tile in tiles)  # a line of 1.8 px along some 58 px at least


def test_sheet_of_a_lost_bat_draws_none_and_says_so(dark_clip):
    sheet = draw_bat_sheet(turning_track(np.zeros(40, bool), flags=("The bat was not found; mark its tip in two frames.",)), dark_clip, tile=200)
    assert near(sheet[:200], BAT).sum() == 0
    assert near(sheet[170:200, :200], LOST).sum() > 10  # "not seen"


def test_camera_plot_shows_each_shot_and_its_cut():
    t = np.arange(50) / 25
    matrix = np.repeat(np.eye(3)[None], 50, axis=0)
    matrix[:, 0, 2] = np.concatenate([np.linspace(0, 200, 25), np.zeros(25)])
    shot = np.repeat([0, 1], 25)
    image = plot_camera(Camera(t, matrix, shot, np.full(50, 0.1), (320, 240)), "clip.mp4")
    whole = plot_camera(Camera(t, matrix, np.zeros(50, int), np.full(50, 0.1), (320, 240)), "clip.mp4")
    red = [near(picture, (0xFF, 0x5D, 0x5D)).sum() for picture in (image, whole)]
    assert image.shape == (560, 1000, 3)
    assert red[0] > 100 and red[1] == 0  # the dashed line of the cut over three panels


def test_camera_plot_leaves_unknown_frames_out():
    t = np.arange(50) / 25
    matrix = np.repeat(np.eye(3)[None], 50, axis=0)
    matrix[:, 0, 2] = 40 * t
    known = plot_camera(Camera(t, matrix, np.zeros(50, int), np.full(50, 0.1), (320, 240)))
    matrix[20:] = np.nan
    partly = plot_camera(Camera(t, matrix, np.zeros(50, int), np.where(np.arange(50) < 20, 0.1, np.nan), (320, 240)))
    orange = [near(picture, (0xF2, 0x96, 0x14)).sum() for picture in (known, partly)]
    assert 0 < orange[1] < 0.7 * orange[0]
