"""What the registry reads of this pack: pyproject.toml against its rules, versions that agree, Python files that Windows can read."""

from __future__ import annotations

import ast
import re
import struct

import pytest
import tomlkit

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[a-zA-Z0-9]+)?")


@pytest.fixture(scope="module")
def config(root):
    return tomlkit.parse((root / "pyproject.toml").read_text("utf-8")).unwrap()


def test_name_description_and_license_follow_the_registrys_rules(config, root):
    """The Comfy Registry's specification: under 100 characters, no two marks in a row, begins with a letter, "ComfyUI" not in it."""
    project = config["project"]
    assert re.fullmatch(r"[A-Za-z](?:[-_.]?[A-Za-z0-9])*", project["name"]) and len(project["name"]) < 100
    assert "comfy" not in project["name"].lower()
    assert 50 < len(project["description"]) < 300
    assert project["license"] == {"file": "LICENSE"} and (root / "LICENSE").read_text("utf-8").startswith("MIT License")
    assert (root / project["readme"]).is_file()
    assert project["requires-python"] == ">=3.10"
    systems = [entry for entry in project["classifiers"] if entry.startswith("Operating System :: ")]
    assert systems == ["Operating System :: OS Independent"]


def test_versions_agree(config, root):
    import kinetics

    version = config["project"]["version"]
    assert SEMVER.fullmatch(version)
    assert kinetics.__version__ == version
    assert re.search(r"^## \[(\d\S*)\]", (root / "CHANGELOG.md").read_text("utf-8"), re.M)[1] == version
    assert re.search(r"^version: (\S+)$", (root / "CITATION.cff").read_text("utf-8"), re.M)[1] == version


def test_dependencies_are_those_of_requirements_and_leave_the_hosts_alone(config, root):
    lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    assert config["project"]["dependencies"] == [line for line in lines if line and not line.startswith("#")]
    names = {re.match(r"[\w-]+", entry)[0].lower() for entry in config["project"]["dependencies"]}
    assert not names & {"torch", "torchvision", "torchaudio", "numpy", "scipy", "av", "pillow", "comfyui-frontend-package"}


def test_comfy_cli_reads_what_was_meant(config, root):
    """The tool that publishes drops a field that it doesn't understand, with a warning only."""
    from comfy_cli.registry import extract_node_configuration

    read = extract_node_configuration(str(root / "pyproject.toml"))
    assert read.project.supported_comfyui_version == config["tool"]["comfy"]["requires-comfyui"]
    assert read.project.supported_os == ["OS Independent"]
    assert (read.project.version, read.project.license.file) == (config["project"]["version"], "LICENSE")
    assert read.project.dependencies == config["project"]["dependencies"]
    assert read.tool_comfy.display_name == "Correlated Kinetics"


def test_comfy_table(config):
    comfy = config["tool"]["comfy"]
    assert comfy["DisplayName"] == "Correlated Kinetics"
    assert re.fullmatch(r">=\d+\.\d+\.\d+", comfy["requires-comfyui"])
    assert "web" not in comfy  # the host would serve web/ under the project's name, and look for help under the folder's
    assert set(comfy) <= {"PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui", "includes"}
    for key in ("Icon", "Banner"):  # empty until the pictures have an address
        assert re.fullmatch(rf"|https://\S+/docs/{key.lower()}\.png", comfy[key])


@pytest.mark.parametrize(("name", "fits"), [("icon", lambda w, h: w == h <= 400), ("banner", lambda w, h: 9 * w == 21 * h and w >= 1000)])
def test_pictures_have_the_sizes_that_the_registry_takes(root, name, fits):
    data = (root / "docs" / f"{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 500_000
    assert fits(*struct.unpack(">II", data[16:24]))


def test_the_table_of_nodes_names_every_node_by_its_id(root):
    """Tools that don't import a pack read NODE_CLASS_MAPPINGS; the host reads node_id."""
    (table,) = (
        node.value
        for node in ast.parse((root / "nodes" / "__init__.py").read_text("utf-8")).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "NODE_CLASS_MAPPINGS"
    )
    told = {key.value: value.id for key, value in zip(table.keys, table.values, strict=True)}
    found = {}
    for path in (root / "nodes").glob("*.py"):
        for kind in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(kind, ast.ClassDef):
                ids = [word.value.value for word in ast.walk(kind) if isinstance(word, ast.keyword) and word.arg == "node_id"]
                found.update(dict.fromkeys(ids, kind.name))
    assert told == found
    assert len(set(told.values())) == len(told)


def test_python_files_hold_nothing_that_windows_code_page_lacks(root):
    """comfy-test's syntax level: a sigma, a root or an arrow in a .py breaks tools that read it as cp1252."""
    for folder in ("kinetics", "nodes", "scripts", "benchmarks", "tests"):
        for path in (root / folder).rglob("*.py"):
            try:
                path.read_text("utf-8").encode("cp1252")
            except UnicodeEncodeError as error:
                line = error.object.count("\n", 0, error.start) + 1
                pytest.fail(f"{path.relative_to(root)}:{line} has {error.object[error.start]!a}: write the word, or an escape in a string")


def test_javascript_is_small(root):
    """150 kB: what a page may load for nodes that perhaps nobody uses (benchmarks/viewer.py measures the time)."""
    assert sum(path.stat().st_size for path in (root / "web" / "js").glob("**/*.js")) <= 150_000
