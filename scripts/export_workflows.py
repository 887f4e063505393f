"""Makes the API form of each workflow with the host's own front end: run it after a workflow was edited."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from comfy_server import ROOT, ComfyServer
from frontend import open_frontend


def export(names: list[str]) -> None:
    workflows = [ROOT / "workflows" / f"{name}.json" for name in names] or sorted((ROOT / "workflows").glob("*.json"))
    with (
        tempfile.TemporaryDirectory() as folder,
        ComfyServer(Path(folder, "log"), user=Path(folder, "user")) as server,
        open_frontend(server.address) as frontend,
    ):
        for path in workflows:
            frontend.drop(path)
            target = ROOT / "workflows" / "api" / path.name
            target.write_text(json.dumps(frontend.export_api(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(target.relative_to(ROOT))


if __name__ == "__main__":
    export(sys.argv[1:])
