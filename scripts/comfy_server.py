"""A ComfyUI server started for one job, and a client that submits a prompt to it and follows it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class ServerError(RuntimeError):
    """The server did not start, refused the prompt, or a node failed; told in one sentence."""


def comfyui_path() -> Path:
    """The ComfyUI that the set-up uses."""
    return Path(os.environ.get("COMFYUI_PATH") or ROOT / ".comfyui" / "ComfyUI").resolve()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ComfyServer:
    """A context manager: the server runs inside the block, on a free loopback port, with this pack and no other.

    Parameters
    ----------
    log : path
        Everything the server prints.
    pack : str
        The pack's folder in ``custom_nodes``.
    base : path, optional
        A folder in place of the host's own for all of them, ``custom_nodes`` too.
    output, input, temp, user : path, optional
        Folders in place of the host's own.
    models : path, optional
        A folder of models (``checkpoints``, ``controlnet``, ...) beside the host's own.
    """

    def __init__(self, log: Path, pack: str = "correlated_kinetics", **folders: Path | None) -> None:
        self.log = log
        self.pack = pack
        self.folders = {name: Path(path).resolve() for name, path in folders.items() if path is not None}
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> ComfyServer:
        command = [
            sys.executable, "main.py", "--listen", "127.0.0.1", "--port", str(self.port), "--disable-auto-launch", "--disable-api-nodes",
            "--disable-all-custom-nodes", "--whitelist-custom-nodes", self.pack,
        ]  # fmt: skip
        if not has_gpu():
            command.append("--cpu")
        for name, path in self.folders.items():
            path.mkdir(parents=True, exist_ok=True)
            if name != "models":
                command += [f"--{name}-directory", str(path)]
        if "models" in self.folders:
            kinds = "".join(f"  {kind.name}: {kind.name}\n" for kind in self.folders["models"].iterdir() if kind.is_dir())
            paths = self.folders["models"] / "paths.yaml"
            paths.write_text(f"more:\n  base_path: {json.dumps(str(self.folders['models']))}\n{kinds}", encoding="utf-8")
            command += ["--extra-model-paths-config", str(paths)]
        if "user" in self.folders:
            command += ["--database-url", f"sqlite:///{self.folders['user'] / 'comfyui.db'}"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=comfyui_path(), stdout=log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerError(f"ComfyUI ended while starting; its last words are in {self.log}.")
            try:
                self.get("/system_stats")
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise ServerError(f"ComfyUI did not answer within {seconds:.0f} s; see {self.log}.")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, value: Any) -> Any:
        request = urllib.request.Request(
            f"http://{self.address}{path}", data=json.dumps(value).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def run(self, prompt: dict, on_event: Callable[[str, dict], None] | None = None) -> dict:
        """Submit a prompt in API format and wait for its end.

        Returns
        -------
        dict
            The prompt's entry of ``/history``.

        Raises
        ------
        ServerError
            When the server refuses the prompt, or a node fails, or it is interrupted.
        """
        return asyncio.run(self._run(prompt, on_event or (lambda kind, data: None)))

    async def _run(self, prompt: dict, on_event: Callable[[str, dict], None]) -> dict:
        import aiohttp

        client = uuid.uuid4().hex
        async with aiohttp.ClientSession() as session, session.ws_connect(
            f"http://{self.address}/ws?clientId={client}", max_msg_size=0, heartbeat=30
        ) as channel:  # fmt: skip
            async with session.post(f"http://{self.address}/prompt", json={"prompt": prompt, "client_id": client}) as answer:
                reply = await answer.json()
            if answer.status != 200:
                raise ServerError(refusal_sentence(reply, prompt))
            job = reply["prompt_id"]
            async for message in channel:
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue
                event = json.loads(message.data)
                data = event.get("data") or {}
                if data.get("prompt_id") not in (None, job):
                    continue
                on_event(event["type"], data)
                if event["type"] == "execution_error":
                    raise ServerError(f"{title(prompt, data['node_id'])}: {data['exception_message'].strip()}")
                if event["type"] == "execution_interrupted":
                    raise ServerError(f"{title(prompt, data['node_id'])}: interrupted.")
                if event["type"] == "execution_success" or (event["type"] == "executing" and data.get("node") is None):
                    async with session.get(f"http://{self.address}/history/{job}") as answer:
                        history = await answer.json()
                    if job in history:
                        return history[job]
        raise ServerError(f"ComfyUI closed the connection; its last words are in {self.log}.")


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()


def title(prompt: dict, node: str) -> str:
    """A node's title, as the person sees it in the graph."""
    entry = prompt.get(str(node), {})
    return entry.get("_meta", {}).get("title") or entry.get("class_type", f"node {node}")


def refusal_sentence(reply: dict, prompt: dict) -> str:
    """Why the server refused a prompt."""
    errors = [
        f"{title(prompt, node)}: {error['details'] or error['message']}"
        for node, entry in (reply.get("node_errors") or {}).items()
        for error in entry["errors"]
    ]
    return "; ".join(errors) or reply.get("error", {}).get("message", "ComfyUI refused the prompt.")
