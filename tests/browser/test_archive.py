"""The Archive Browser and its neighbours in the real front end, in both of its modes: dots, skeleton, keys and picks are checked against the archive."""

from __future__ import annotations

import json

import pytest
from comfy_server import ComfyServer
from drawn_archive import PEAKS, REASON, write_archive
from frontend import open_frontend

from kinetics.archive.store import Archive
from kinetics.synthetic import SHOTS, write_sample_clips

LOOK = "window.app.graph._nodes.find(n => n.type === 'CK_ArchiveBrowser').widgets.find(w => w.viewer).viewer"
#: Ten rounds of the six shots, of which two clips are there.
NAMES = [f"{shot}_{n}" if n else shot for n in range(10) for shot in SHOTS]
ADD = """([type, values, at, size]) => {
  const node = LiteGraph.createNode(type);
  node.pos = at;
  window.app.graph.add(node);
  for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value;
  node.setSize(size);
  return node.id;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    folder = base / "input" / "clips"
    write_sample_clips(folder, shots=["cover_drive", "hook"], size=(320, 180))
    archives = base / "output" / "correlated_kinetics" / "archives"
    write_archive(archives / "drawn", [folder / f"{name}.mp4" for name in NAMES], width=320)
    Archive.create_or_open(archives / "empty", {"recipe": 1}).close()
    with ComfyServer(base / "log.txt", **{name: base / name for name in ("input", "output", "temp", "user")}) as running:
        yield running


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "nodes2"])
def frontend(server, request):
    with open_frontend(server.address, size=(1500, 1000), vue_nodes=request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(frontend):
    """The browser of the drawn archive, run by the button."""
    fresh(frontend, "drawn")
    frontend.page.wait_for_function(f"{LOOK}.data?.key.length === {len(NAMES)}", timeout=60_000)
    frontend.errors.clear()  # of the front end's own start: its default graph asks for models of the network
    return frontend.page


def fresh(frontend, archive: str) -> None:
    page = frontend.page
    page.evaluate("() => { window.app.graph.clear(); window.app.canvas.ds.scale = 1; window.app.canvas.ds.offset = [0, 0] }")
    page.evaluate(ADD, ["CK_ArchiveBrowser", {"archive": archive}, [90, 130], [1000, 700]])
    page.wait_for_timeout(800)
    frontend.queue()


def told() -> list[str]:
    """Names of the clips on the chart, the slowest first."""
    shown = [(PEAKS[next(shot for shot in SHOTS if name.startswith(shot))][0] + 0.01 * n, name) for n, name in enumerate(NAMES) if n % 7 != 6 and n % 5 != 4]
    return [name for _, name in sorted(shown)]


def dot(page, name: str) -> tuple[float, float]:
    """Where a clip's dot is on the screen."""
    return page.evaluate(
        f"(name) => {{ const v = {LOOK}, c = v.chart, b = c.canvas.getBoundingClientRect(), d = c.dots.find(d => v.data.name[d.n] === name);"
        " const [x, y] = c.place(d.x, d.y); return [b.x + x / c.canvas.clientWidth * b.width, b.y + y / c.canvas.clientHeight * b.height] }",
        name,
    )


def away(page) -> None:
    page.mouse.move(20, 960)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(150)


def shown_name(page) -> str:
    return page.evaluate(f"{LOOK}.at === null ? null : {LOOK}.data.name[{LOOK}.at]")


PAINTED = f"() => {{ const c = {LOOK}.figure; return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].reduce((sum, v, k) => (sum * 31 + v) % 1000003, 7) }}"


@pytest.mark.browser
def test_a_dot_tells_its_figures_and_moves_its_skeleton(browser, frontend, root):
    away(browser)
    assert browser.evaluate(f"{LOOK}.chart.dots.length") == len(told())
    name = told()[7]
    browser.mouse.move(*dot(browser, name))
    browser.wait_for_function(f"{LOOK}.stroke && {LOOK}.data.name[{LOOK}.at] === '{name}'")
    n = NAMES.index(name)
    speed, omega = (value + 0.01 * n for value in PEAKS[next(shot for shot in SHOTS if name.startswith(shot))])
    note = browser.evaluate(f"{LOOK}.note.textContent")
    assert f"{name}: {speed:.1f} ± 0.4 body heights/s, \u03c9 {omega:.1f} ± 0.8 rad/s" in note
    assert "pelvis \u2192 left wrist \u2192 bat tip" in browser.evaluate(f"{LOOK}.figures.textContent")
    # Error bars: ink one sigma beside the dot, in the colour of the text.
    ink = (
        f"(at) => {{ const v = {LOOK}, c = v.chart, d = c.dots.find(d => d.n === v.at), [x, y] = c.place(d.x + at * d.dx, d.y), g = c.canvas.getContext('2d');"
        " return [...g.getImageData(Math.round(x * c.ratio) - 1, Math.round(y * c.ratio) - 3, 3, 7).data].filter((v, k) => k % 4 === 3).reduce((a, b) => a + b) }"
    )
    assert browser.evaluate(ink, 1.0) > 500 and browser.evaluate(ink, -1.0) > 500
    # A dot that is in the middle, with bars that reach beyond all others.
    field = browser.evaluate(
        f"() => {{ const c = {LOOK}.chart, {{ dots, unit }} = c, dot = (n, x, y, dx, dy) => ({{ n, x, y, dx, dy, cluster: null, typical: false }});"
        " c.load([dot(0, 10, 20, 1, 1), dot(1, 11, 21, 4, 30), dot(2, 12, 22, 1, 1)], unit); const { whole } = c; c.load(dots, unit); return [...whole.x, ...whole.y] }"
    )
    assert field[0] < 7 and field[1] > 15 and field[2] == 0 and field[3] > 51  # no speed is below zero, whatever its bar
    pictures = set()
    for _ in range(8):
        pictures.add(browser.evaluate(PAINTED))
        browser.wait_for_timeout(120)
    assert len(pictures) >= 3  # a stroke of 1.5 s and a pause of 0.5 s, looked at for a second
    browser.screenshot(path=artefact(root, f"archive_browser_{'nodes2' if frontend.vue_nodes else 'classic'}.png"))


def artefact(root, name: str):
    folder = root / "tests" / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder / name


@pytest.mark.browser
def test_nothing_moves_where_nobody_looks(browser):
    browser.mouse.move(*dot(browser, told()[3]))
    browser.wait_for_function(f"{LOOK}.stroke")
    browser.evaluate(f"{LOOK}.choose({LOOK}.at)")  # stays shown when the pointer leaves
    away(browser)
    still = {browser.evaluate(PAINTED)}
    for _ in range(5):
        browser.wait_for_timeout(120)
        still.add(browser.evaluate(PAINTED))
    assert len(still) == 1 and browser.evaluate(f"{LOOK}.drawn.k === {LOOK}.stroke.moment")


@pytest.mark.browser
def test_keys_walk_in_order_of_speed_and_of_omega(browser):
    browser.mouse.move(20, 960)
    order = told()
    by_omega = browser.evaluate(f"{LOOK}.chart.up.map(d => {LOOK}.data.name[d.n])")
    assert sorted(by_omega) == sorted(order)
    browser.evaluate(f"{LOOK}.root.focus()")
    for key, name in (
        ("Home", order[0]), ("ArrowRight", order[1]), ("ArrowRight", order[2]), ("Shift+ArrowRight", order[12]), ("ArrowLeft", order[11]), ("End", order[-1]),
        ("ArrowRight", order[-1]),
    ):  # fmt: skip
        browser.keyboard.press(key)
        assert shown_name(browser) == name, key
    browser.keyboard.press("Home")
    at = by_omega.index(order[0])
    for key, by in (("ArrowUp", 1), ("ArrowUp", 1), ("ArrowDown", -1)):
        at += by
        browser.keyboard.press(key)
        assert shown_name(browser) == by_omega[at], key
    browser.keyboard.press("Enter")
    assert browser.evaluate(f"{LOOK}.picked") == by_omega[at]


@pytest.mark.browser
def test_a_click_picks_a_clip_for_the_next_run_and_the_workflow_keeps_it(browser, frontend, tmp_path):
    name = "hook"
    browser.mouse.click(*dot(browser, name))
    prompt = frontend.export_api()
    assert next(node for node in prompt.values() if node["class_type"] == "CK_ArchiveBrowser")["inputs"]["picked"] == name
    assert browser.evaluate(f"{LOOK}.note.textContent").endswith("picked: handed on when the node runs")
    away(browser)
    assert shown_name(browser) == name  # the one that is picked stays
    # The other way round: a name that is typed is marked.
    browser.evaluate("() => { const w = window.app.graph._nodes[0].widgets.find(w => w.name === 'picked'); w.value = 'cover_drive'; w.callback('cover_drive') }")
    assert shown_name(browser) == "cover_drive"
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(browser.evaluate("window.app.graph.serialize()")), encoding="utf-8")
    assert [node for node in frontend.drop(path) if node["broken"]] == []
    browser.wait_for_function(f"{LOOK}.data && {LOOK}.at !== null", timeout=30_000)
    assert shown_name(browser) == "cover_drive"
    browser.evaluate("() => { const d = window.app.canvas.ds; d.scale = 1; d.offset = [0, 0]; window.app.canvas.setDirty(true, true) }")
    browser.wait_for_timeout(600)


@pytest.mark.browser
def test_a_finger_picks_too(browser):
    x, y = dot(browser, "hook_1")
    browser.evaluate(
        f"([x, y]) => {{ for (const kind of ['pointerdown', 'pointerup']) {LOOK}.chart.canvas.dispatchEvent("
        "new PointerEvent(kind, {clientX: x, clientY: y, pointerType: 'touch', pointerId: 1, button: 0, bubbles: true})) }",
        [x - 4, y - 5],  # beside the dot, across the line in which those of its kind lie
    )
    assert browser.evaluate(f"{LOOK}.picked") == "hook_1"
    assert browser.evaluate(f"getComputedStyle({LOOK}.chart.canvas).touchAction") == "none"


@pytest.mark.browser
def test_units_clusters_and_zoom_choose_what_is_shown(browser):
    select = browser.locator(".ck-archive-browser:visible .ck-bar select").first
    select.select_option("px/s")
    assert browser.evaluate(f"{LOOK}.chart.dots.every(d => {LOOK}.data.unit[d.n] === 'px/s') && {LOOK}.chart.dots.length") == sum(n % 5 == 4 and n % 7 != 6 for n in range(len(NAMES)))
    select.select_option("body heights/s")
    browser.locator(".ck-archive-browser:visible button", has_text="like hook").click()
    left = browser.evaluate(f"{LOOK}.chart.dots.map(d => {LOOK}.data.name[d.n])")
    assert sorted(left) == sorted(name for name in told() if not name.startswith("hook"))
    assert json.loads(next(value for value in browser.evaluate("window.app.graph.serialize().nodes[0].widgets_values") if str(value).startswith("{"))) == {
        "unit": "body heights/s", "hidden": ["like hook"],
    }  # fmt: skip
    browser.locator(".ck-archive-browser:visible button", has_text="like hook").click()
    # A box about one dot: nothing else is in the field then, and that dot lies in its middle.
    x, y = dot(browser, "cover_drive")
    browser.mouse.move(x - 30, y - 25)
    browser.mouse.down()
    browser.mouse.move(x, y)
    browser.mouse.move(x + 30, y + 25)
    browser.mouse.up()
    box = browser.evaluate(f"() => {{ const b = {LOOK}.chart.canvas.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }}")
    # The field has margins of 50 and 10 px beside it, 10 and 32 above and below.
    assert dot(browser, "cover_drive") == pytest.approx([box[0] + (box[2] + 40) / 2, box[1] + (box[3] - 22) / 2], abs=0.03 * box[2])
    browser.locator(".ck-archive-browser:visible button", has_text="Whole").click()
    assert dot(browser, "cover_drive") == pytest.approx([x, y], abs=1)


@pytest.mark.browser
def test_clips_without_a_speed_stand_at_the_side(browser):
    silent = [name for n, name in enumerate(NAMES) if n % 7 == 6]
    assert browser.evaluate(f"{LOOK}.silentText.textContent") == f"no speed told: {len(silent)}"
    browser.locator(".ck-archive-browser:visible .ck-silent select").select_option(label=silent[2])
    assert shown_name(browser) == silent[2] and REASON in browser.evaluate(f"{LOOK}.figures.textContent")
    browser.wait_for_function(f"{LOOK}.stroke")
    browser.locator(".ck-archive-browser:visible .ck-main").click()
    assert browser.evaluate(f"{LOOK}.picked") == silent[2]


@pytest.mark.browser
def test_a_search_shows_its_composite_and_its_distances(browser, frontend, root):
    """From the browser's pick to the search, by links; the search has only the clips that are there to choose from when two are asked for."""
    browser.evaluate(ADD, ["CK_ArchiveSearch", {"archive": "drawn", "k": 1, "itself": True}, [1130, 130], [330, 520]])
    browser.evaluate("() => { const [a, b] = window.app.graph._nodes; a.widgets.find(w => w.name === 'picked').value = 'hook'; a.connect(1, b, b.inputs.findIndex(i => i.name === 'shot')) }")
    frontend.queue()
    browser.wait_for_function("() => window.app.nodeOutputs[window.app.graph._nodes[1].id]?.images?.length", timeout=120_000)
    browser.wait_for_function("() => [...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.src.includes('nearest'))", timeout=30_000)
    text = browser.evaluate("() => window.app.nodeOutputs[window.app.graph._nodes[1].id].text[0]")
    assert text == f"Most like hook, of {len(NAMES)} shots:\n1. hook: 0.000 trunk lengths"
    browser.screenshot(path=artefact(root, f"archive_search_{'nodes2' if frontend.vue_nodes else 'classic'}.png"))


@pytest.mark.browser
def test_an_empty_archive_says_so_and_a_node_that_goes_leaves_nothing(browser, frontend):
    browser.evaluate(f"window.ckGone = {LOOK}")
    fresh(frontend, "empty")
    browser.wait_for_function(f"{LOOK}.message.textContent.startsWith('No clip is in this archive yet')", timeout=30_000)
    assert browser.evaluate("!window.ckGone.root.isConnected && window.ckGone.data === null && window.ckGone.stroke === null")
    assert frontend.errors == []
