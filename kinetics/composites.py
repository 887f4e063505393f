"""The main job without a server: clips in, synchronised composites of the clips and of their skeletons out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import KineticsError, Progress
from .video.decode import Clip
from .video.gif import save_gif
from .video.grid import compose_grid, grid_shape

if TYPE_CHECKING:
    import numpy as np

    from .pose_sequence import PoseSequence


def build_composites(
    paths: Sequence[Path],
    out_dir: Path,
    *,
    grid: tuple[int, int] | None = None,
    tile: tuple[int, int] = (480, 270),
    gif_width: int = 960,
    fps: Fraction = Fraction(30),
    skeletons: bool = True,
    sync: Literal["start", "impact", "dtw"] = "start",
    subject: str = "auto",
    download: bool = False,
    poses: Sequence[PoseSequence] | None = None,
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
    gif_width : int
        Of the GIFs at most, in pixels.
    fps : Fraction
        Frames per second of the composites.
    skeletons : bool
        Also find each batter, and compose the skeletons.
    sync : {"start", "impact", "dtw"}
        Start together; or find each batter first and let all strike together, each at its own pace, or warped onto the first's time: see
        :func:`kinetics.compare.in_step.in_step_times`.
    subject : str
        Whom to follow in each clip, see `kinetics.pose.extract.extract_pose`.
    download : bool
        Fetch the pose model when it is missing.
    poses : one PoseSequence per clip, optional
        The batters, where they are known already.
    progress : callable, optional
        Given the name of a step, returns its progress call.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    KineticsError
        On a clip that can't be read, or in which nobody is found, or who plays no shot that could be lined up. Composites finished before
        stay.
    """
    report = progress or (lambda step: None)
    clips = [Clip(path) for path in paths]
    for path in paths:
        if [other.resolve() for other in paths].count(path.resolve()) > 1:
            raise KineticsError(f"{path} is given twice; name each clip once.")
    rows, cols = grid or grid_shape(len(clips))
    titles = [path.stem.replace("_", " ") for path in paths]
    written: list[Path] = []

    def compose(kind: str, sources: list[Clip], times: Sequence[np.ndarray] | None) -> None:
        video = out_dir / f"{kind}_{rows}x{cols}.mp4"
        compose_grid(
            sources, video, rows=rows, cols=cols, tile=tile, fps=fps, titles=titles, sync="times" if times else "start", times=times,
            progress=report(f"{kind} composite"),
        )  # fmt: skip
        gif = video.with_suffix(".gif")
        save_gif(Clip(video), gif, width=min(gif_width, cols * tile[0]), fps=Fraction(25, 2), progress=report(f"{kind} GIF"))
        written.extend((video, gif))

    times = None
    if sync != "start":
        from .compare.in_step import in_step_times

        poses = poses or _find_batters(clips, subject, download, report)
        found = in_step_times(poses, how=sync, progress=report("lining up"))
        times = found.frame_times(fps, [clip.info.duration for clip in clips])
    compose("shots", clips, times)
    if skeletons:
        from .draw import render_skeleton_clip

        with tempfile.TemporaryDirectory(prefix="kinetics_") as folder:
            drawn = []
            for index, (clip, pose) in enumerate(zip(clips, poses or _find_batters(clips, subject, download, report), strict=True)):
                path = Path(folder) / f"{index}.mp4"
                render_skeleton_clip(pose, path, view="subject", trails=0.4, progress=report(f"{clip.name}: drawing"))
                drawn.append(Clip(path, name=clip.name))
            compose("skeletons", drawn, times)
    return written


def _find_batters(
    clips: Sequence[Clip], subject: str, download: bool, report: Callable[[str], Progress | None]
) -> list[PoseSequence]:
    from .pose.clean import clean
    from .pose.estimators import make_estimator
    from .pose.extract import extract_pose

    with closing(make_estimator(download=download)) as estimator:
        return [clean(extract_pose(clip, estimator, subject=subject, progress=report(f"{clip.name}: skeleton"))) for clip in clips]
