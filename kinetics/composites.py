"""The main job without a server: clips in, synchronised composites of the clips and of their skeletons out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from .errors import KineticsError, Progress
from .video.decode import Clip
from .video.gif import save_gif
from .video.grid import compose_grid, grid_shape


def build_composites(
    paths: Sequence[Path],
    out_dir: Path,
    *,
    grid: tuple[int, int] | None = None,
    tile: tuple[int, int] = (480, 270),
    fps: Fraction = Fraction(30),
    skeletons: bool = True,
    subject: str = "auto",
    download: bool = False,
    progress: Callable[[str], Progress] | None = None,
) -> list[Path]:
    """Write ``shots_RxC.mp4/.gif`` and ``skeletons_RxC.mp4/.gif``.

    Parameters
    ----------
    paths : sequence of path
        The clips, in the order of the tiles.
    out_dir : path
        Where the composites go; made when missing.
    grid : (rows, columns), optional
        By the number of clips when not given.
    tile : (width, height)
        Of each tile, in pixels.
    fps : Fraction
        Frames per second of the composites.
    skeletons : bool
        Also find each batter, and compose the skeletons.
    subject : str
        Whom to follow in each clip, see `kinetics.pose.extract.extract_pose`.
    download : bool
        Fetch the pose model when it is missing.
    progress : callable, optional
        Given the name of a step, returns its progress call.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    KineticsError
        On a clip that can't be read, or in which nobody is found. Composites finished before stay.
    """
    report = progress or (lambda step: None)
    clips = [Clip(path) for path in paths]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise KineticsError(f"{path} is given twice; name each clip once.")
    rows, cols = grid or grid_shape(len(clips))
    titles = [path.stem.replace("_", " ") for path in paths]
    written: list[Path] = []

    def compose(kind: str, sources: list[Clip]) -> None:
        video = out_dir / f"{kind}_{rows}x{cols}.mp4"
        compose_grid(sources, video, rows=rows, cols=cols, tile=tile, fps=fps, titles=titles, progress=report(f"{kind} composite"))
        gif = video.with_suffix(".gif")
        save_gif(Clip(video), gif, width=min(960, cols * tile[0]), fps=Fraction(25, 2), progress=report(f"{kind} GIF"))
        written.extend((video, gif))

    compose("shots", clips)
    if skeletons:
        from .draw import render_skeleton_clip
        from .pose.clean import clean
        from .pose.estimators import make_estimator
        from .pose.extract import extract_pose

        with tempfile.TemporaryDirectory(prefix="kinetics_") as folder, closing(make_estimator(download=download)) as estimator:
            drawn = []
            for index, clip in enumerate(clips):
                pose = clean(extract_pose(clip, estimator, subject=subject, progress=report(f"{clip.name}: skeleton")))
                path = Path(folder) / f"{index}.mp4"
                render_skeleton_clip(pose, path, view="subject", trails=0.4, progress=report(f"{clip.name}: drawing"))
                drawn.append(Clip(path, name=clip.name))
            compose("skeletons", drawn)
    return written
