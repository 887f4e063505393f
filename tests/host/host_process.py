"""This process made one of the host's, on the CPU, with the pack in it: for scripts and benchmarks that compare networks without a server."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def find_host() -> Path:
    """The ComfyUI that ``scripts/setup.sh`` made, or ``COMFYUI_PATH`` names."""
    return Path(os.environ.get("COMFYUI_PATH") or ROOT / ".comfyui" / "ComfyUI").resolve()


def enter_host(folder: Path, threads: int | None = 1) -> None:
    """Make the host's modules importable, and the pack as ``ck_pack``; work in a folder. Before anything of the host is imported."""
    sys.argv = [sys.argv[0], "--cpu"]
    sys.path[:0] = [str(find_host()), str(ROOT / "tests" / "unit")]
    sys.path.append(str(ROOT))  # last: the pack has a folder nodes, and the host a module of that name
    os.chdir(folder)
    import comfy.options

    comfy.options.enable_args_parsing()
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    told = importlib.util.spec_from_file_location("ck_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    pack = importlib.util.module_from_spec(told)
    sys.modules["ck_pack"] = pack
    told.loader.exec_module(pack)
