"""Runs inside a process of the host without pyarrow: the pack loads, and a node that needs it says so. Prints one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from host_process import enter_host

sys.modules["pyarrow"] = None  # an import of it fails, as where it isn't installed
folder = Path(sys.argv[1])
enter_host(folder)

import folder_paths  # noqa: E402
from ck_pack.kinetics.errors import KineticsError  # noqa: E402
from ck_pack.nodes import NODE_CLASS_MAPPINGS  # noqa: E402

folder_paths.set_output_directory(str(folder))
archive = folder / "correlated_kinetics" / "archives" / "shots"
(archive / "clips").mkdir(parents=True)
(archive / "archive.json").write_text('{"format": 1, "pack": "0.1.0", "settings": {"recipe": 1}, "settings_key": ""}')
told = ""
try:
    NODE_CLASS_MAPPINGS["CK_ArchiveBrowser"].execute("shots", "")
except KineticsError as error:
    told = str(error)
print(json.dumps({"nodes": sorted(name for name in NODE_CLASS_MAPPINGS if "Archive" in name), "told": told}))
