"""The picture of a chain: size, file, and that no label lies over another."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from kinetics.compare.chain import find_chains
from kinetics.errors import KineticsError
from kinetics.plots import chain as chain_plot
from kinetics.plots.chain import plot_chain, plot_chains
from kinetics.synthetic.bursts import burst_pose

CHAIN = ("left_ankle", "left_knee", "left_hip", "left_shoulder", "left_elbow", "right_wrist", "left_wrist", "bat_tip")


def clip(lag=0.03, **extra):
    return burst_pose({**dict(zip(CHAIN, 1 + lag * np.arange(len(CHAIN)), strict=True)), **extra})


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures that were drawn."""
    made = []
    page = chain_plot.open_page
    monkeypatch.setattr(chain_plot, "open_page", lambda size: made.append(page(size)) or made[-1])
    return made


def overlapping(figure):
    """Pairs of texts whose boxes overlap."""
    renderer = figure.canvas.get_renderer()
    # A tick beyond the limits has a label that isn't drawn.
    hidden = {
        tick.label1
        for axes in figure.axes
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim()))
        for tick in axis.get_major_ticks()
        if not low <= tick.get_loc() <= high or not tick.label1.get_visible()
    }
    texts = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip() and one not in hidden]
    boxes = [(one.get_text(), one.get_window_extent(renderer)) for one in texts]
    boxes = [(text, box) for text, box in boxes if box.height > 1]
    return [(a, b) for k, (a, one) in enumerate(boxes) for b, other in boxes[k + 1 :] if one.overlaps(other)]


@pytest.mark.parametrize("lag", [0.015, 0.03])
def test_no_label_lies_over_another(figures, lag):
    chain = find_chains([clip(lag)]).chains[0]
    assert len(chain.path) >= 6
    plot_chain(chain)
    plot_chains(find_chains([clip(lag), clip(lag + 0.005)]))
    steps = [f"{edge.weight:.2f}, {1000 * edge.lag:.0f} ms" for edge in chain.path_edges]
    texts = [one.get_text() for one in figures[0].findobj(Text)]
    assert all(step in texts for step in steps)
    for figure in figures:
        assert overlapping(figure) == []


def test_every_axis_has_its_unit(figures):
    plot_chain(find_chains([clip()]).chains[0])
    labels = {one.get_text() for one in figures[0].findobj(Text)}
    assert {"bat tip\n(trunk lengths/s)", "time in the clip (s)", "segment, from the ground up"} <= labels


def test_size_file_and_print(tmp_path):
    chain = find_chains([clip()]).chains[0]
    image = plot_chain(chain, tmp_path / "chain.png")
    assert image.shape == (760, 960, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "chain.png")), image)
    large = plot_chain(chain, size=(1920, 1520))
    small = np.asarray(Image.fromarray(large).resize((960, 760), Image.BOX), float)
    # The same picture twice as large: the page agrees, lines and letters but for a pixel, and a label that settles elsewhere.
    assert (np.abs(small - image).max(axis=2) < 25).mean() > 0.85


def test_no_chain_is_said(figures):
    chain = find_chains([clip(bat_tip=0.9)]).chains[0]
    plot_chain(chain)
    assert any("No chain reaches the bat: no segment leads it" in one.get_text() for one in figures[0].findobj(Text))
    published = find_chains([clip(bat_tip=0.9)], "whitepaper").chains[0]
    assert plot_chain(published).shape == (760, 960, 3)


def test_one_clip_has_no_common_picture():
    with pytest.raises(KineticsError, match="give two clips or more"):
        plot_chains(find_chains([clip()]))
