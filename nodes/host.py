"""What the nodes ask of the host: folders, progress and interrupt, clips out of VIDEO sockets, previews."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import folder_paths
from comfy.cli_args import args
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar
from comfy_api.v0_0_2 import InputImpl, io, ui

from ..kinetics.errors import KineticsError, Progress
from ..kinetics.names import tell_apart

if TYPE_CHECKING:
    import numpy as np

    from ..kinetics.video.decode import Clip

#: Weights are looked for in these folders under the host's ``models``.
MODEL_FOLDER = "correlated_kinetics"


def report_progress() -> Progress:
    """A progress call for kinetics: moves the node's bar, and stops the job on the host's interrupt.

    The bar is throttled by the host; the interrupt is asked for on every call, so that a cancel takes
    effect within one frame's work.
    """
    bar: ProgressBar | None = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        throw_exception_if_processing_interrupted()
        if bar is None:
            bar = ProgressBar(max(total, 1))
        bar.update_absolute(done, max(total, 1))

    return progress


def model_folders() -> list[Path]:
    """Where the host keeps weights for this pack."""
    return [Path(folder_paths.models_dir) / MODEL_FOLDER]


def open_clip(video, name: str | None = None) -> Clip:
    """The clip behind a VIDEO socket: its own file and trim window, nothing decoded yet."""
    from ..kinetics.video.decode import Clip

    start, duration = video.get_active_trim_window()
    return Clip(video.get_stream_source(), start=start, duration=duration, name=name)


def video_from(path: str | os.PathLike):
    """A core VIDEO of a file."""
    return InputImpl.VideoFromFile(str(path))


def clip_titles(clips: Sequence[Clip]) -> list[str]:
    """The clips' names without suffix, made different from each other by a number."""
    return tell_apart([Path(clip.name).stem for clip in clips])


def one(values: list | dict):
    """The only value of an input of a node that takes lists; of a dynamic one, the value of each of its parts."""
    return values[0] if isinstance(values, list) else {name: one(value) for name, value in values.items()}


def temp_folder(step: str) -> Path:
    """A new, empty folder under the host's temp folder, which the host clears when it starts."""
    parent = Path(folder_paths.get_temp_directory()) / "correlated_kinetics"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{step}_", dir=parent))


def safe_stem(name: str) -> str:
    """A file name out of a clip's name: any script stays, separators and dots at the front go."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", name).lstrip(".") or "clip"


def saved_result(path: str | os.PathLike, folder: io.FolderType) -> ui.SavedResult:
    """How the front end asks for a file of the host's temp or output folder."""
    root = folder_paths.get_temp_directory() if folder is io.FolderType.temp else folder_paths.get_output_directory()
    relative = Path(path).resolve().relative_to(Path(root).resolve())
    return ui.SavedResult(relative.name, relative.parent.as_posix() if relative.parent != Path(".") else "", folder)


def preview_videos(paths: Sequence[str | os.PathLike], folder: io.FolderType = io.FolderType.temp) -> ui.PreviewVideo:
    """Show video files in the node."""
    return ui.PreviewVideo([saved_result(path, folder) for path in paths])


def preview_image(image: np.ndarray, step: str) -> dict:
    """Show one RGB uint8 picture in the node."""
    return preview_images([image], step)


def preview_images(images: Sequence[np.ndarray], step: str) -> dict:
    """Show RGB uint8 pictures in the node."""
    from PIL import Image

    folder, shown = temp_folder(step), []
    for number, image in enumerate(images, 1):
        path = folder / f"preview_{number:02}.png"
        Image.fromarray(image).save(path, compress_level=1)
        shown.append(saved_result(path, io.FolderType.temp))
    return {"images": shown}


def workflow_metadata(node: type[io.ComfyNode]) -> dict[str, str]:
    """The graph and the prompt of a node that asks for them, as core writes them into the files it saves; empty when the user wants none."""
    hidden = node.hidden
    if args.disable_metadata or hidden is None:
        return {}
    values = {**(hidden.extra_pnginfo or {}), **({} if hidden.prompt is None else {"prompt": hidden.prompt})}
    return {name: json.dumps(value) for name, value in values.items()}


def image_tensor(image: np.ndarray):
    """A core IMAGE of one RGB uint8 picture."""
    import torch

    return torch.from_numpy(image).float().div_(255).unsqueeze(0)


def output_path(prefix: str, suffix: str, width: int, height: int) -> Path:
    """The next numbered file for a filename prefix, inside the host's output folder.

    Raises
    ------
    KineticsError
        When the prefix leads out of the output folder.
    """
    root = Path(folder_paths.get_output_directory()).resolve()
    if not (root / prefix).resolve().is_relative_to(root):
        raise KineticsError(f"The filename prefix {prefix!r} leads out of the output folder; give a name, or folder/name, inside it.")
    folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(root), width, height)
    # The host counts images and videos by their own pattern; a file of ours that is already there is never overwritten.
    while (path := Path(folder) / f"{name}_{counter:05}_{suffix}").exists():
        counter += 1
    return path


#: The folder of the input folder that shared workflows read; Load Clips and Build Archive draw its clips where there are none yet.
SAMPLE_FOLDER = "correlated_kinetics/sample_clips"

#: Fingerprint of the sample clips that were drawn since the host started.
_drawn_samples: str | None = None


def clip_folders() -> list[str]:
    """Folders that clips can be read from: those in the host's input folder, and the sample clips', whether they are drawn or not."""
    there = folder_paths.get_input_subfolders()
    return there if SAMPLE_FOLDER in there else [*there, SAMPLE_FOLDER]


def draw_samples(name: str, progress: Progress) -> None:
    """Where the folder of the sample clips was chosen, and holds no clip, draw them: all, or none when it is cancelled."""
    global _drawn_samples
    folder = Path(folder_paths.get_input_directory()) / SAMPLE_FOLDER
    if name == SAMPLE_FOLDER and not video_files(folder):
        from ..kinetics.archive.engine import count_cores
        from ..kinetics.synthetic import write_sample_clips

        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".drawing_") as beside:
            write_sample_clips(beside, workers=count_cores(), progress=progress)
            for path in Path(beside).iterdir():
                os.replace(path, folder / path.name)
        _drawn_samples = fingerprint_files(video_files(folder))


def input_folder(name: str) -> Path:
    """A folder inside the host's input folder.

    Raises
    ------
    KineticsError
        When it leads out of the input folder, or isn't there.
    """
    root = Path(folder_paths.get_input_directory()).resolve()
    folder = (root / name).resolve()
    if not folder.is_relative_to(root):
        raise KineticsError(f"The folder {name!r} leads out of ComfyUI's input folder; choose one inside it.")
    if not folder.is_dir() and name != SAMPLE_FOLDER:
        raise KineticsError(f"There is no folder {name!r} in ComfyUI's input folder; put your clips there, or choose another folder.")
    return folder


def video_files(folder: Path) -> list[Path]:
    """Video and GIF files of a folder, by name; none where it isn't there."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    names = set(folder_paths.filter_files_content_types([path.name for path in files], ["video"]))
    return [path for path in files if path.name in names or path.suffix.lower() == ".gif"]


def fingerprint_files(paths: Iterable[Path]) -> str:
    """Changes when a file is added, removed, renamed or written to. That the sample clips were drawn is no change: the run that drew them stays valid."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name}|{stat.st_mtime_ns}|{stat.st_size}\n".encode())
    found = digest.hexdigest()
    return hashlib.sha256().hexdigest() if found == _drawn_samples else found


def sentence_or_true(check: Callable[[], object]) -> bool | str:
    """The host's form of a validation: True, or the sentence of the KineticsError that ``check`` raised."""
    try:
        check()
    except KineticsError as error:
        return str(error)
    return True
