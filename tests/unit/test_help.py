"""Each node's help page: its sections, its picture, every input and output named, and sentences that the node really says."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "web" / "docs"
PAGES = sorted(DOCS.glob("CK_*.md"))
SECTIONS = ["## Inputs", "## Outputs", "## Example", "## What can go wrong"]
IMAGE = re.compile(r"!\[([^\]]+)\]\(([^)]+)\)")


@cache
def words() -> dict:
    """Every node with its inputs and outputs as the front end shows them."""
    return json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


@cache
def sentences() -> str:
    """One pattern of every text in the code; what is filled in may be anything."""
    patterns = set()
    for folder in ("nodes", "kinetics"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".*?" for part in node.values]
                    patterns.add("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    patterns.add(re.escape(node.value))
    for path in (ROOT / "web" / "js").rglob("*.js"):
        patterns |= {re.escape(text) for text in re.findall(r'"([^"\n]+)"', path.read_text(encoding="utf-8"))}
    return "|".join(f"(?:{pattern})" for pattern in patterns if len(re.sub(r"\.\*\?|\\", "", pattern)) >= 20)


def section(text: str, name: str) -> str:
    return text.split(f"\n{name}\n", 1)[1].split("\n## ", 1)[0]


def test_every_node_has_a_page_and_every_page_a_node():
    assert {page.stem for page in PAGES} == {name for name in words() if name.startswith("CK_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
class TestPage:
    def test_has_every_section_in_order(self, page):
        text = page.read_text(encoding="utf-8")
        assert text.splitlines()[0] == f"# {words()[page.stem]['display_name']}"
        found = [line for line in text.splitlines() if line in SECTIONS]
        assert found == SECTIONS
        assert all(section(text, name).strip() for name in SECTIONS)

    def test_shows_its_own_picture_before_the_inputs(self, page):
        head = page.read_text(encoding="utf-8").split("## Inputs")[0]
        assert [where for _, where in IMAGE.findall(head)] == [f"pictures/{page.stem}.jpg"]
        assert (DOCS / "pictures" / f"{page.stem}.jpg").is_file()

    def test_names_every_input_and_output(self, page):
        """In bold, as the widget or socket is called; those that the host itself hides or adds have no words in the locale."""
        text, told = page.read_text(encoding="utf-8"), words()[page.stem]
        for name, parts in (("## Inputs", told.get("inputs", {})), ("## Outputs", told.get("outputs", {}))):
            missing = [part["name"] for part in parts.values() if f"**{part['name']}**" not in section(text, name)]
            assert missing == []

    def test_quotes_what_the_node_really_says(self, page):
        quoted = re.findall("“([^”]+)”", section(page.read_text(encoding="utf-8"), "## What can go wrong"))
        assert [words for words in quoted if not re.fullmatch(sentences(), words)] == []

    def test_workflows_that_it_names_are_there(self, page):
        example = section(page.read_text(encoding="utf-8"), "## Example")
        named = re.findall(r"\*([a-z0-9]+(?:_[a-z0-9]+)+)\*", example)
        assert [name for name in named if not (ROOT / "workflows" / f"{name}.json").is_file()] == []

    def test_links_lead_somewhere(self, page):
        """The host's help opens a link as it is written: only whole addresses work from there."""
        text = IMAGE.sub("", page.read_text(encoding="utf-8"))
        assert [where for where in re.findall(r"\[[^\]]*\]\(([^)]+)\)", text) if not where.startswith("https://")] == []


def test_pictures_are_all_used_and_small():
    """60 kB each and 2.5 MB together: a help page is opened while working, and the registry's archive carries them all."""
    pictures = sorted((DOCS / "pictures").iterdir())
    used = {where for page in PAGES for _, where in IMAGE.findall(page.read_text(encoding="utf-8"))}
    assert {f"pictures/{picture.name}" for picture in pictures} == used
    assert [picture.name for picture in pictures if picture.stat().st_size > 60_000] == []
    assert sum(picture.stat().st_size for picture in pictures) <= 2_500_000
    for picture in pictures:
        with Image.open(picture) as opened:
            assert opened.format == "JPEG" and 200 <= opened.width <= 640 and opened.height <= 1000
