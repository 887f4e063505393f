"""A training while it runs, in its node: the bar, loss and time left in words, and the pictures that the LoRA draws."""

from __future__ import annotations

import time

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

#: Greatest side of the live preview, px; seconds between two lines of words.
PREVIEW, PAUSE = 1536, 0.5
#: Steps over which the loss that is told is averaged.
RECENT = 50


class TrainingDisplay:
    """Takes what a run tells: :meth:`progress` and :meth:`on_event` of ``train_style_lora``.

    Parameters
    ----------
    node_id : str or None
        Where the words go; None where nobody looks.
    """

    def __init__(self, node_id: str | None, steps: int) -> None:
        self.node_id, self.steps, self.bar = node_id, steps, ProgressBar(steps)
        self.recent: list[float] = []
        self.held = ""
        self.first: tuple[int, float] | None = None
        self.told = 0.0

    def progress(self, done: int, total: int) -> None:
        """Move the bar; stop the job on the host's interrupt."""
        throw_exception_if_processing_interrupted()
        self.bar.update_absolute(done, total)

    def on_event(self, kind: str, values: dict) -> None:
        if kind == "caching":
            self.say(f"latents and captions: {values['done']} of {values['total']}")
        elif kind == "step":
            self.recent = [*self.recent, values["loss"]][-RECENT:]
            self.say(self.step_words(values["step"]))
        elif kind == "held_out":
            wrong = f" · wrong pose {values['wrong']:.4f}" if "wrong" in values else ""
            self.held = f"\nheld out, step {values['step']}: right pose {values['right']:.4f}{wrong} · without the LoRA {values['base']:.4f}"
        elif kind == "pictures":
            from PIL import Image

            self.bar.update_absolute(values["step"], self.steps, ("JPEG", Image.fromarray(values["sheet"]), PREVIEW))
        elif kind == "note":
            self.held += f"\n{values['text']}"

    def step_words(self, step: int) -> str:
        """``step 120 of 1500 · loss 0.0432 · 3:12 left``."""
        now = time.monotonic()
        left = ""
        if self.first is None:
            self.first = (step, now)
        elif step < self.steps:
            seconds = round((now - self.first[1]) / (step - self.first[0]) * (self.steps - step))
            left = f" · {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left" if seconds >= 3600 else f" · {seconds // 60}:{seconds % 60:02} left"
        return f"step {step} of {self.steps} · loss {sum(self.recent) / len(self.recent):.4f}{left}{self.held}"

    def say(self, text: str) -> None:
        from server import PromptServer

        now = time.monotonic()
        if self.node_id is not None and now - self.told >= PAUSE:
            self.told = now
            PromptServer.instance.send_progress_text(text, self.node_id)
