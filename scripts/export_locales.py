"""Writes ``locales/en`` from the nodes' own words, and tells what the other languages lack: run it after a node's words were edited."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from comfy_server import ROOT, ComfyServer

LOCALES = ROOT / "locales"


def node_words(info: dict) -> dict:
    """``nodeDefs.json`` in English.

    Parameters
    ----------
    info : dict
        The pack's part of ``/object_info``.

    Returns
    -------
    dict
        For each node its display name, description, inputs and outputs. An input inside another's option is named with an underscore in
        place of the dot, as the front end looks it up.
    """
    return {
        name: {
            "display_name": node["display_name"],
            "description": node["description"],
            "inputs": input_words(node["input"]),
            "outputs": {
                str(index): {"name": output, "tooltip": tooltip}
                for index, (output, tooltip) in enumerate(zip(node["output_name"], node["output_tooltips"], strict=True))
            },
        }
        for name, node in sorted(info.items())
    }


def input_words(sections: dict) -> dict:
    """Name and tooltip of every input, those inside options and growing lists included."""
    found: dict[str, dict] = {}
    for key, name, tooltip in walk_inputs(sections):
        # Inputs of one name in two options of a choice share the key: both are told.
        if key in found and tooltip not in found[key]["tooltip"]:
            tooltip = f"{found[key]['tooltip']} {tooltip}"
        found[key] = {"name": name, "tooltip": tooltip}
    return found


def walk_inputs(sections: dict, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Key, name and tooltip of each input of ``required`` and ``optional``, in order."""
    for section in ("required", "optional"):
        for name, (kind, *rest) in (sections.get(section) or {}).items():
            options = rest[0] if rest else {}
            yield prefix + name, options.get("display_name") or name, options.get("tooltip") or ""
            if kind == "COMFY_DYNAMICCOMBO_V3":
                for option in options["options"]:
                    yield from walk_inputs(option["inputs"], f"{prefix}{name}_")
            elif kind == "COMFY_AUTOGROW_V3":
                template = options["template"]
                for _, _, tooltip in walk_inputs(template["input"]):
                    # The socket that is there from the start; the host counts the later ones itself.
                    yield f"{prefix}{name}_{template['prefix']}0", f"{template['prefix']}0", tooltip


def category_words(info: dict) -> dict:
    """``main.json`` in English: the parts of the nodes' categories."""
    return {"nodeCategories": {part: part for part in sorted({part for node in info.values() for part in node["category"].split("/")})}}


def leaves(words: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Every text of a locale file by its path."""
    return {
        key: text
        for name, value in words.items()
        for key, text in (leaves(value, (*path, name)) if isinstance(value, dict) else {(*path, name): value}).items()
    }


def export() -> None:
    with tempfile.TemporaryDirectory() as folder, ComfyServer(Path(folder, "log"), user=Path(folder, "user")) as server:
        info = {name: node for name, node in server.get("/object_info").items() if name.startswith("CK_")}
    for file, words in (("nodeDefs.json", node_words(info)), ("main.json", category_words(info))):
        english = LOCALES / "en" / file
        before = leaves(json.loads(english.read_text(encoding="utf-8"))) if english.exists() else {}
        english.parent.mkdir(parents=True, exist_ok=True)
        english.write_text(json.dumps(words, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        now = leaves(words)
        changed = {key for key in now.keys() & before.keys() if now[key] != before[key]}
        for path in sorted(LOCALES.glob(f"*/{file}")):
            told = leaves(json.loads(path.read_text(encoding="utf-8")))
            stale = () if path == english else changed
            for what, keys in (("lacks", now.keys() - told.keys()), ("has too much", told.keys() - now.keys()), ("may be stale", stale)):
                for key in sorted(keys):
                    print(f"{path.relative_to(ROOT)} {what}: {' / '.join(key)}")


if __name__ == "__main__":
    export()
