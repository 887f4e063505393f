"""What a person reads of every node: its own words, help page, place in a workflow, and the same in every language."""

from __future__ import annotations

import json
import re

import pytest
from export_locales import category_words, leaves, node_words

LANGUAGES = ("en", "es", "hi", "zh")
#: These have to be others in each language; names may be the same (video, alpha, GIF).
SENTENCE = ("description", "tooltip")


@pytest.fixture(scope="module")
def nodes(server):
    return {name: info for name, info in server.get("/object_info").items() if name.startswith("CK_")}


@pytest.fixture
def told(root):
    """The words of a language by their path, of one file or both."""

    def read(language: str, *files: str) -> dict:
        folder = root / "locales" / language
        return {key: text for file in files for key, text in leaves(json.loads((folder / file).read_text(encoding="utf-8"))).items()}

    return read


def test_every_node_tells_itself(nodes, root):
    used = {node["type"] for path in (root / "workflows").glob("*.json") for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    silent = [key for key, text in leaves(node_words(nodes)).items() if not text]
    assert silent == []
    assert [name for name, info in nodes.items() if not info["search_aliases"]] == []
    assert [name for name, info in nodes.items() if not info["category"].startswith("Correlated Kinetics/")] == []
    assert sorted(nodes.keys() - used) == []
    pages = {path.stem for path in (root / "web" / "docs").glob("*.md") if path.read_text(encoding="utf-8").strip()}
    assert sorted(nodes.keys() ^ pages) == []


def test_english_is_what_the_nodes_say(nodes, told):
    assert told("en", "nodeDefs.json") == leaves(node_words(nodes)), "run scripts/export_locales.py"
    assert told("en", "main.json") == leaves(category_words(nodes)), "run scripts/export_locales.py"


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_language_is_whole(language, told):
    files = ("nodeDefs.json", "main.json")
    english, translated = told("en", *files), told(language, *files)
    assert sorted(translated.keys() ^ english.keys()) == []
    assert [key for key, text in translated.items() if not text.strip()] == []
    assert [key for key, text in translated.items() if key[-1] in SENTENCE and text == english[key]] == []
    lost = [key for key, text in translated.items() if key[-1] in SENTENCE and numbers(text) != numbers(english[key])]
    assert lost == [], "numbers differ from the English ones"


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_hold_no_syntax_of_the_front_end(language, told):
    """The front end reads names and descriptions as messages, in which these characters command; tooltips it takes as they are."""
    words = told(language, "nodeDefs.json", "main.json")
    assert [key for key, text in words.items() if key[-1] != "tooltip" and re.search(r"[@{}|%]", text)] == []


def test_the_host_serves_every_language(server):
    served = server.get("/i18n")
    for language in LANGUAGES:
        assert "CK_ExtractSkeleton" in served[language]["nodeDefs"]
        assert "Correlated Kinetics" in served[language]["nodeCategories"]


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))
