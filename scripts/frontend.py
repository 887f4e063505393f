"""The host's own front end in headless Chromium: workflows dropped on its canvas, and exported as it exports them."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

READY = "window.app?.extensionManager && window.app.graph && document.querySelector('#graph-canvas')"
#: The front end asks these about updates; there may be no network.
HARMLESS = ("Failed to load resource", "net::ERR", "preload", "releases", "Manager")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium that lives as long as the block."""
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_frontend(address: str, size: tuple[int, int] = (1600, 1000), vue_nodes: bool = False) -> Iterator[Frontend]:
    """The front end of a running server, in a browser of its own."""
    with open_browser() as browser:
        yield Frontend(browser.new_context(viewport={"width": size[0], "height": size[1]}).new_page(), address, vue_nodes)


class Frontend:
    """One page of the front end."""

    def __init__(self, page: Page, address: str, vue_nodes: bool) -> None:
        self.page = page
        self.vue_nodes = vue_nodes
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note_console)
        url = f"http://{address}/"
        page.request.post(f"{url}api/settings", data={"Comfy.VueNodes.Enabled": vue_nodes, "Comfy.TutorialCompleted": True})
        page.goto(url)
        page.wait_for_function(READY, timeout=90_000)
        page.wait_for_timeout(3000)
        self.errors.clear()  # the front end's own start, with its own default graph, isn't ours to judge

    def _note_console(self, message: Any) -> None:
        if message.type == "error" and not any(word in message.text for word in HARMLESS):
            self.errors.append(message.text)

    def drop(self, workflow: Path) -> list[dict]:
        """Drop a workflow file on the canvas, as a person does; the nodes that the graph then holds."""
        transfer = self.page.evaluate_handle(
            "([text, name]) => { const data = new DataTransfer(); data.items.add(new File([text], name, {type: 'application/json'})); return data }",
            [workflow.read_text(encoding="utf-8"), workflow.name],
        )
        self.page.dispatch_event("#graph-canvas", "drop", {"dataTransfer": transfer})
        self.page.wait_for_timeout(2500)
        return self.page.evaluate(
            "() => window.app.graph._nodes.map(n => ({id: n.id, type: n.type, broken: !!n.has_errors, known: n.type in LiteGraph.registered_node_types,"
            " size: [...n.size], least: [...n.computeSize()], widgets: (n.widgets || []).map(w => [w.name, w.value])}))"
        )

    def drop_media(self, file: Path, kind: str) -> None:
        """Drop a picture or a video on the canvas."""
        transfer = self.page.evaluate_handle(
            "([bytes, name, type]) => { const data = new DataTransfer(), raw = Uint8Array.from(atob(bytes), c => c.charCodeAt(0));"
            " data.items.add(new File([raw], name, {type})); return data }",
            [base64.b64encode(file.read_bytes()).decode(), file.name, kind],
        )
        self.page.dispatch_event("#graph-canvas", "drop", {"dataTransfer": transfer})
        self.page.wait_for_timeout(2500)

    def export_api(self) -> dict:
        """The graph in the form that is submitted, as the front end makes it."""
        return self.page.evaluate("async () => (await window.app.graphToPrompt()).output")

    def queue(self) -> None:
        """Press Run."""
        self.page.evaluate("() => window.app.queuePrompt(0)")

    def show_all(self) -> None:
        """Bring the whole graph into view."""
        self.page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_timeout(1000)
