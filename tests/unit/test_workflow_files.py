"""The workflows as shared things: laid out to be read, linked, dressed in the colours of their stages, with a note and a thumbnail."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest
import tomlkit
from PIL import Image
from workflow_stages import STAGES, stage_of

FILES = sorted((Path(__file__).resolve().parents[2] / "workflows").glob("*.json"))
#: A node's position is that of its body; its title bar lies above (LiteGraph.NODE_TITLE_HEIGHT).
TITLE = 30

#: Output nodes that the graphs end in: the host runs these, and what leads to them.
ENDS = {
    "CK_BuildStyleDataset", "CK_ClipPlayer", "CK_PathExplorer", "CK_PoseConditionedFrames", "CK_PublishPage", "CK_SaveAnalysis", "CK_SaveGIF",
    "CK_SaveSkeleton", "CK_SaveSwing", "CK_ScoreFrames", "CK_ScoreStyle", "CK_TrainStyleLoRA", "LossGraphNode", "PreviewAny", "PreviewImage",
    "SaveImage", "SaveVideo",
}  # fmt: skip


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def graph(path):
    return json.loads(path.read_text(encoding="utf-8"))


def steps(graph):
    return [node for node in graph["nodes"] if node["type"] != "MarkdownNote"]


def box(node):
    """Left, top with the title bar, right, bottom."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


def group_box(group):
    x, y, width, height = group["bounding"]
    return x, y, x + width, y + height


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def holds(outer, inner):
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def test_nothing_lies_on_anything_else(graph):
    for a, b in combinations(graph["nodes"], 2):
        assert not overlap(box(a), box(b)), (a["type"], b["type"])
    note = [box(node) for node in graph["nodes"] if node["type"] == "MarkdownNote"]
    for a, b in combinations(note + [group_box(group) for group in graph["groups"]], 2):
        assert not overlap(a, b)


def test_every_step_lies_in_one_titled_group_of_a_colour_of_its_stages(graph):
    kinds = {group["id"]: set() for group in graph["groups"]}
    for node in steps(graph):
        around = [group["id"] for group in graph["groups"] if holds(group_box(group), box(node))]
        assert len(around) == 1, node["type"]
        kinds[around[0]].add(STAGES[stage_of(node["type"])][2])
    for group in graph["groups"]:
        assert group["title"].strip() and group["color"] in kinds[group["id"]], group["title"]


def test_a_stage_has_one_colour_in_every_graph(graph):
    for node in steps(graph):
        assert (node["color"], node["bgcolor"]) == STAGES[stage_of(node["type"])][:2], node["type"]


def test_links_lead_right_or_down_and_agree_at_both_ends(graph):
    nodes = {node["id"]: node for node in graph["nodes"]}
    links = {link[0]: link for link in graph["links"]}
    assert len(links) == len(graph["links"]) and max(links) == graph["last_link_id"] and max(nodes) == graph["last_node_id"]
    at_inputs = [(entry["link"], node["id"], slot) for node in nodes.values() for slot, entry in enumerate(node["inputs"]) if entry.get("link")]
    at_outputs = [(link, node["id"], slot) for node in nodes.values() for slot, entry in enumerate(node["outputs"]) for link in entry["links"] or ()]
    assert sorted(at_inputs) == sorted((link[0], link[3], link[4]) for link in links.values())
    assert sorted(at_outputs) == sorted((link[0], link[1], link[2]) for link in links.values())
    for _, source, slot, target, _, kind in links.values():
        start, end = box(nodes[source]), box(nodes[target])
        assert end[0] >= start[2] or end[1] >= start[3], (nodes[source]["type"], nodes[target]["type"])
        assert nodes[source]["outputs"][slot]["type"] == kind


def test_every_step_ends_in_a_node_that_is_run_for_its_own_sake(graph):
    """A node whose outputs lead nowhere is not run, however much it has to show."""
    for node in steps(graph):
        if not any(entry["links"] for entry in node["outputs"]):
            assert node["type"] in ENDS or node["mode"] == 4, node["type"]


def test_a_short_note_at_the_upper_left_says_what_it_does(graph):
    notes = [node for node in graph["nodes"] if node["type"] == "MarkdownNote"]
    assert len(notes) == 1
    text = notes[0]["widgets_values"][0]
    assert text.startswith("## ") and 200 <= len(text) <= 900  # a heading and a few lines: more isn't read
    assert box(notes[0])[0] <= min(box(node)[0] for node in steps(graph)) + 40  # 40 px: the margin between a group and its nodes
    assert box(notes[0])[1] <= min(box(node)[1] for node in steps(graph))


def test_nodes_name_the_pack_and_version_that_they_come_from(graph, path):
    version = tomlkit.parse((path.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for node in steps(graph):
        named = node["properties"]["Node name for S&R"], node["properties"]["cnr_id"]
        assert named == (node["type"], "correlated-kinetics" if node["type"].startswith("CK_") else "comfy-core")
        assert named[1] != "correlated-kinetics" or node["properties"]["ver"] == version


def test_models_are_linked(graph):
    for node in steps(graph):
        if node["type"].endswith(("Loader", "LoaderSimple")):
            models = node["properties"]["models"]
            assert [model["name"] for model in models] == node["widgets_values"][:1]
            for model in models:
                assert model["url"].startswith("https://") and model["url"].endswith("/" + model["name"]) and model["directory"]


def test_thumbnail_is_a_picture_of_a_size_to_be_seen(path):
    with Image.open(path.with_suffix(".jpg")) as image:
        image.load()
        # The template browser shows them about 320 pixels wide.
        assert image.width >= 640 and image.height >= 170 and path.with_suffix(".jpg").stat().st_size > 10_000


def test_api_form_lies_beside(graph, path):
    prompt = json.loads((path.parent / "api" / path.name).read_text(encoding="utf-8"))
    running = {str(node["id"]): node["type"] for node in steps(graph) if node["mode"] == 0}
    assert {key: node["class_type"] for key, node in prompt.items()} == running
