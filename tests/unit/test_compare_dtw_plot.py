"""The correlation path's picture: its parts are there, at node size and in print, and nothing is drawn without being known."""

import numpy as np
import pytest

from kinetics.compare.align import compare_shots
from kinetics.compare.distances import pair_distances
from kinetics.errors import KineticsError
from kinetics.plots.corrpath import _default_series, _moments, _short_names, plot_corrpath
from kinetics.pose_sequence import PoseSequence


def near(image, colour):
    return int((np.abs(image.astype(int) - colour).max(axis=2) < 12).sum())


@pytest.fixture
def comparison(stick_batter):
    ref = stick_batter(seconds=2.0, seed=1, noise=1)
    other = stick_batter(seconds=2.4, seed=2, noise=1)
    other = PoseSequence(0.7 * other.xy + 50, other.conf, other.t, other.names, other.size, provenance={"source": "/clips/cover_drive.mp4"})
    return compare_shots(ref, other, impact=(1.1, 1.32))


def test_the_picture_shows_path_series_and_both_skeletons(comparison, tmp_path):
    image = plot_corrpath(comparison, path=tmp_path / "x_corrpath.png")
    assert image.shape == (640, 960, 3) and (tmp_path / "x_corrpath.png").exists()
    left, right = image[:, :500], image[:, 500:]
    assert near(left, (255, 255, 255)) > 300  # the path
    for colour in ((0x2B, 0xC7, 0x9A), (0xE5, 0x8F, 0xC0)):
        assert near(left, colour) > 100  # both series
    for half in (right[:280], right[280:560]):
        for colour in ((0xF2, 0x96, 0x14), (0x46, 0xAC, 0xF5), (0xFA, 0xE8, 0x50)):
            assert near(half, colour) > 40  # left, right and bat of each shot
    small, large = plot_corrpath(comparison, size=(640, 427)), plot_corrpath(comparison, size=(1500, 1000))
    assert small.shape == (427, 640, 3) and large.shape == (1000, 1500, 3)
    # The same picture, larger: the path's share of the area stays.
    assert near(large, (255, 255, 255)) / 2.44 == pytest.approx(near(image, (255, 255, 255)), rel=0.3)


def test_a_series_is_given_or_measured(comparison):
    first, second, name = _default_series(comparison)
    assert name == "tip speed (trunks/s)" and len(first) == len(comparison.ref) and np.nanmax(first) > 5 and np.isfinite(second).any()
    image = plot_corrpath(comparison, series=(first * 2, second * 2, "tip speed (m/s)"), names=("one", "two"))
    assert not np.array_equal(image, plot_corrpath(comparison, names=("one", "two")))
    with pytest.raises(KineticsError, match="one number per frame"):
        plot_corrpath(comparison, series=(first[:-1], second, "tip speed (m/s)"))


def test_instants_are_in_order_and_impact_is_one(comparison):
    moments = _moments(comparison)
    assert [word for _, _, word in moments] == ["start", "", "impact", "end"] and moments[2][0] == pytest.approx(1.1)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in zip(moments, moments[1:], strict=False))


def test_the_matrix_is_thinned_for_long_clips_and_empty_where_nothing_is_common(stick_batter):
    ref, other = stick_batter(seconds=4.0), stick_batter(seconds=30.0)
    xy = ref.xy.copy()
    xy[5] = np.nan
    holed = PoseSequence(xy, np.where(np.isnan(xy[..., 0]), 0, ref.conf), ref.t, ref.names, ref.size)
    apart, t, at = pair_distances(compare_shots(holed, other), 600)
    assert apart.shape == (100, 375) == (len(t), len(at)) and np.isnan(apart[5]).all() and np.isfinite(np.delete(apart, 5, 0)).all()


def test_shots_are_named_after_their_files(stick_batter):
    a = stick_batter(seconds=1.0)
    b = PoseSequence(a.xy, a.conf, a.t, a.names, a.size, provenance={"source": "/x/hook_2.pose.json"})
    assert _short_names(a, b) == ("stick batter", "hook 2")
    assert _short_names(b, b) == ("A hook 2", "B hook 2")
