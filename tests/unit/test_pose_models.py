"""Weights: found where they are, downloaded whole or not at all. The server is on loopback."""

from __future__ import annotations

import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from kinetics.errors import KineticsError, MissingDependency
from kinetics.pose import models

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several reads


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/absent":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/cut" else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def published(server, monkeypatch):
    """Puts a model at a path of the server; its SHA-256 is that of CONTENT unless told otherwise."""

    def publish(path: str, sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> None:
        model = replace(models.MODELS["pose_landmarker_full"], url=server + path, sha256=sha256)
        monkeypatch.setitem(models.MODELS, "pose_landmarker_full", model)

    return publish


def test_download_brings_the_whole_file_and_reports_progress(published, tmp_path):
    published("/model")
    calls = []
    path = models.download_model("pose_landmarker_full", tmp_path / "new", progress=lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert [name.name for name in path.parent.iterdir()] == ["pose_landmarker_full.task"]
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_download_keeps_a_right_file_and_replaces_a_wrong_one(published, tmp_path):
    published("/model")
    target = tmp_path / "pose_landmarker_full.task"
    target.write_bytes(b"something else")
    assert models.download_model("pose_landmarker_full", tmp_path).read_bytes() == CONTENT
    published("/absent")  # would fail if it were asked for
    assert models.download_model("pose_landmarker_full", tmp_path) == target


@pytest.mark.parametrize(
    ("path", "sha256", "said"),
    [("/model", "0" * 64, "has SHA-256"), ("/absent", None, "answered 404"), ("/cut", None, "broke off|can't be reached")],
)
def test_a_failed_download_leaves_nothing(published, tmp_path, path, sha256, said):
    published(path, *([sha256] if sha256 else []))
    with pytest.raises(KineticsError, match=said):
        models.download_model("pose_landmarker_full", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_told_in_a_sentence(monkeypatch, tmp_path):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_port
    model = replace(models.MODELS["pose_landmarker_full"], url=f"http://127.0.0.1:{port}/model")
    monkeypatch.setitem(models.MODELS, "pose_landmarker_full", model)
    with pytest.raises(KineticsError, match=r"can't be reached.*check the network"):
        models.download_model("pose_landmarker_full", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cancel_during_a_download_leaves_nothing(published, tmp_path):
    published("/model")

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.download_model("pose_landmarker_full", tmp_path, progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_weights_without_a_known_hash_are_the_users_to_bring(tmp_path):
    with pytest.raises(MissingDependency, match=r"body_pose_model\.pth can't be downloaded"):
        models.download_model("openpose_body", tmp_path)


def test_models_are_looked_for_in_order(monkeypatch, tmp_path):
    given, environment, pack, home = (tmp_path / name for name in ("given", "environment", "pack", "home"))
    monkeypatch.setattr(models, "PACK_ROOT", pack)
    monkeypatch.setenv("KINETICS_MODELS", str(environment))
    monkeypatch.setattr(models.Path, "home", lambda: home)
    places = [given, environment, pack / "models", home / ".cache" / "correlated_kinetics" / "models"]
    assert models.model_folders([given]) == places
    with pytest.raises(MissingDependency, match=r"rtmpose\.onnx.* is not on this machine.*given"):
        models.find_model("rtmpose", [given])
    for place in reversed(places):
        place.mkdir(parents=True)
        (place / "rtmpose.onnx").touch()
        assert models.find_model("rtmpose", [given]) == place / "rtmpose.onnx"


def test_obtain_downloads_only_what_is_nowhere(published, monkeypatch, tmp_path):
    published("/model")
    monkeypatch.delenv("KINETICS_MODELS", raising=False)
    monkeypatch.setattr(models, "PACK_ROOT", tmp_path / "pack")
    monkeypatch.setattr(models.Path, "home", lambda: tmp_path / "home")
    assert models.obtain_model("pose_landmarker_full", [tmp_path / "given"]).read_bytes() == CONTENT
    published("/absent")
    assert models.obtain_model("pose_landmarker_full", [tmp_path / "given"]).parent == tmp_path / "given"
