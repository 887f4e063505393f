"""Sample clips on disk: an H.264 file and the truth about it beside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import KineticsError, Progress
from ..files import write_json
from ..video.encode import VideoWriter
from .body import BODY_NAMES
from .render import Renderer
from .scene import BAT_NAMES, ShotScene
from .scenes import crossing_passer, default_scene, wide_camera
from .strokes import SHOTS, check_shot
from .visibility import person_box, visible

_DEFINITIONS = {
    "t": "middle of the frame's exposure, seconds since the middle of the first frame's exposure; an exposure lasts shutter/fps",
    "axes": "world, m: x down the pitch to the bowler, y to a right-hander's leg side, z up, origin in the middle of the popping crease",
    "px": "picture of that frame, x right, y down, (0, 0) the middle of the first pixel",
    "still": "the first camera held still as at frame 0: pan, tilt and zoom taken out",
    "bat_tip": "end of the blade, on the bat's axis",
    "hands": "on the handle's axis, midway between the two hands",
    "omega.rad_s": "|u x du/dt|, u the bat's axis from handle to toe, in space",
    "omega.vector_rad_s": "u x du/dt, world axes",
    "omega.image_rad_s": "derivative of arg(bat_tip - hands) in the still picture; clockwise on the screen is positive",
    "tip_speed.m_s": "|d bat_tip/dt| in space",
    "tip_speed.image_m_s": "its part across the line of sight from the first camera",
    "tip_speed.still_px_s": "|d bat_tip/dt| in the still picture",
    "camera": "x_px ~ K R (X - place); homography and similarity take pixels of the segment's first frame to this frame",
    "apparent_length": "hands to bat_tip in the still picture over its true length; peaks.omega_image counts only from 0.5 up",
    "visible": "inside the picture and not behind a limb, the trunk or another person",
    "derivatives": "exact, by complex step on the closed form; nothing is differenced",
}


def write_sample_clips(
    out_dir: str | os.PathLike,
    shots: Sequence[str] = SHOTS,
    fps: Fraction | float = 25,
    size: tuple[int, int] = (1280, 720),
    seed: int = 0,
    *,
    shutter: float = 0.5,
    grain: float = 3.0,
    crf: int = 20,
    duration: float = 3.0,
    batter_px: float | None = None,
    second_person: bool = False,
    occlusion: bool = False,
    cut: bool = False,
    overlays: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw sample clips: ``<shot>.mp4`` and ``<shot>.truth.json`` in ``out_dir``, each whole or absent, old ones replaced.

    Parameters
    ----------
    out_dir : path
        Made when missing.
    shots : sequence of str
        Names out of ``SHOTS``.
    fps : Fraction or float
    size : (W, H)
        Pixels.
    seed : int
        0 draws the canonical batter and camera; another number another batter, another way of playing and another camera.
        The same seed gives the same frames and the same truth, byte for byte.
    shutter : float
        Exposure as part of the frame time, 0 to 1.
    grain : float
        Standard deviation of the noise, 8-bit levels.
    crf : int
        H.264 constant quality, 0 (lossless) to 51.
    duration : float
        Seconds; at least 2.6, so that the stroke is whole.
    batter_px : float, optional
        Height in pixels of the batter standing upright once zoomed in; default 460/720 of the picture's height.
    second_person : bool
        A fielder walks across behind the batter.
    occlusion : bool
        An umpire walks across in front of the batter before the stroke.
    cut : bool
        The clip ends on a wide view of the field.
    overlays : bool
        A score bar, a logo and a watermark.
    workers : int
        Clips drawn at the same time, each in a process of its own.
    progress : callable, optional
        ``progress(done, total)`` after each frame, counted over all clips; with several workers after each clip, and twice a second meanwhile. May raise to cancel.

    Returns
    -------
    list of Path
        The clips, in the order of ``shots``.

    Raises
    ------
    KineticsError
        When a shot is unknown, a number out of range, or the folder can't be written to.
    """
    if isinstance(shots, str) or not shots:
        raise KineticsError(f"Shots to draw are {shots!r}; give a list of names out of {', '.join(SHOTS)}.")
    for shot in shots:
        check_shot(shot)
    if not 1 <= fps <= 1000 or not duration >= 2.6:
        raise KineticsError(f"Sample clips of {duration:g} s at {fps:g} fps can't be drawn; give 1 to 1000 fps and at least 2.6 s.")
    if min(size) < 64 or not 0.0 <= shutter <= 1.0 or grain < 0.0:
        raise KineticsError(
            f"Sample clips of {size[0]}×{size[1]} with shutter {shutter:g} and grain {grain:g} can't be drawn; "
            "give at least 64×64 pixels, a shutter of 0 to 1 and a grain of 0 or more."
        )
    settings = {
        "fps": fps, "size": size, "seed": seed, "shutter": shutter, "grain": grain, "crf": crf, "duration": duration, "batter_px": batter_px,
        "second_person": second_person, "occlusion": occlusion, "cut": cut, "overlays": overlays,
    }  # fmt: skip
    if min(workers, len(shots)) > 1:
        return _draw_side_by_side(Path(out_dir), shots, settings, min(workers, len(shots)), progress)
    rate, fps = fps, float(fps)  # the file keeps 30000/1001 exact
    total, done, paths = len(shots) * round(duration * fps), 0, []
    for shot in shots:
        scene = replace(default_scene(shot, seed, size, batter_px), duration=float(duration))
        scene = with_extras(scene, fps, second_person, occlusion, cut)
        renderer = Renderer(scene, fps, shutter, grain, seed=(seed, SHOTS.index(shot)), overlays=overlays)
        path = Path(out_dir) / f"{shot}.mp4"
        with VideoWriter(path, size[0], size[1], rate, crf=crf) as writer:
            for image in renderer.frames():
                writer.write(image)
                done += 1
                if progress is not None:
                    progress(done, total)
        told = {name: settings[name] for name in ("seed", "shutter", "grain", "crf", "overlays")}
        write_json(path.with_suffix(".truth.json"), truth_record(scene, fps, told))
        paths.append(path)
    return paths


def _draw_side_by_side(folder: Path, shots: Sequence[str], settings: dict[str, Any], workers: int, progress: Progress | None) -> list[Path]:
    """Each clip in a worker process."""
    from ..archive.engine import Failure, run_local

    frames, done = round(settings["duration"] * float(settings["fps"])), 0

    def tell() -> None:
        if progress is not None:
            progress(done * frames, len(shots) * frames)

    items = [{"out_dir": str(folder), "shots": [shot], **settings} for shot in dict.fromkeys(shots)]
    with closing(run_local(draw_item, items, workers, tick=tell)) as results:
        for _, result in results:
            if isinstance(result, Failure):
                raise KineticsError(result.reason)
            done += 1
            tell()
    return [folder / f"{shot}.mp4" for shot in shots]


def draw_item(item: dict[str, Any]) -> None:
    """:func:`write_sample_clips` with the arguments that a worker is given."""
    write_sample_clips(**item)


def with_extras(scene: ShotScene, fps: float, second_person: bool = False, occlusion: bool = False, cut: bool = False) -> ShotScene:
    """The scene with another person behind, an umpire crossing in front, or a cut to a wide view, as asked."""
    impact, passers = scene.stroke.impact, {}
    if second_person:
        passers["second"] = crossing_passer(scene, "behind", "fielder", impact - 0.62, pace=2.3)
    if occlusion:
        passers["occluder"] = crossing_passer(scene, "front", "umpire", impact - 0.85, pace=1.9)
    if cut:
        # Half a frame early, so that no frame's time lies on the cut itself.
        frame = round(min(impact + 0.9, scene.duration - 0.3) * fps)
        scene = replace(scene, cut_time=(frame - 0.5) / fps, cut_camera=wide_camera(scene))
    return replace(scene, passers=passers)


def truth_record(scene: ShotScene, fps: float, settings: dict[str, Any]) -> dict[str, Any]:
    """The value of ``<shot>.truth.json``: everything of :meth:`ShotScene.truth` at the frames' times, as plain lists.

    Pixels are rounded to 1e-4, metres, seconds and rates to 1e-6.
    """
    t = np.arange(round(scene.duration * fps)) / fps
    truth, seen = scene.truth(t), visible(scene, t)
    batter, width = scene.batter, scene.camera.size

    def spot(name: str) -> dict[str, Any]:
        return {"px": _list(truth.point_px(name), 4), "m": _list(truth.point(name))}

    ball = scene.ball(t)
    cut_frame = None if scene.cut_time is None else int(np.ceil(scene.cut_time * fps))
    return {
        "shot": scene.stroke.shot, "fps": float(fps), "size": list(width), "duration_s": scene.duration, "frames": len(t), **settings,
        "definitions": _DEFINITIONS,
        "t": _list(t, 9),
        "batter": {"height_m": batter.height, "handed": batter.handed, "bat_length_m": batter.bat_length, "kit": batter.kit},
        "joints": {name: {**spot(name), "visible": seen[name].tolist()} for name in BODY_NAMES},
        **{name: spot(name) for name in BAT_NAMES},
        "bat_tip_visible": seen["bat_tip"].tolist(),
        "ball": {"px": _list(scene.picture(ball[:, None], t)[0][:, 0], 4), "m": _list(ball)},
        "box": _list(person_box(scene, scene.points(t), batter.height, t), 2),
        "px_per_m": _list(truth.px_per_m), "apparent_length": _list(truth.apparent_length),
        "omega": {
            "rad_s": _list(truth.omega), "vector_rad_s": _list(truth.omega_vector),
            "image_rad_s": _list(truth.omega_image), "image_angle_rad": _list(truth.angle_image),
        },
        "tip_speed": {"m_s": _list(truth.tip_speed), "image_m_s": _list(truth.tip_speed_image), "still_px_s": _list(truth.tip_speed_px, 4)},
        "impact_time_s": scene.stroke.impact,
        "peaks": {name: {"value": round(value, 6), "t": round(when, 6)} for name, (value, when) in scene.peaks.items()},
        "camera": _cameras(scene, t),
        "people": {
            name: {
                "joints": {
                    joint: {"px": _list(scene.picture(points[joint][:, None], t)[0][:, 0], 4), "m": _list(points[joint])}
                    for joint in BODY_NAMES
                },
                "box": _list(person_box(scene, points, passer.body.height, t), 2),
            }
            for name, passer in scene.passers.items()
            for points in (passer.joints(t),)
        },
        "cut": None if cut_frame is None else {"frame": cut_frame, "time_s": round(float(t[cut_frame]), 9)},
    }  # fmt: skip


def _cameras(scene: ShotScene, t: np.ndarray) -> list[dict[str, Any]]:
    """One record per frame."""
    records, first = [], 0
    for i, s in enumerate(t):
        camera, now = scene.camera_at(s), np.array([s])
        first = i if i and camera is not scene.camera_at(t[i - 1]) else first
        pan, tilt, focal = (float(value[0]) for value in camera.angles(now))
        similarity, error = camera.similarity(now, t[first])
        records.append({
            "segment_start": first, "place_m": list(map(float, camera.place)), "pan_rad": pan, "tilt_rad": tilt, "focal_px": focal,
            "K": camera.intrinsics(now)[0].tolist(), "R": camera.rotation(now)[0].tolist(),
            "homography": camera.homography(now, t[first])[0].tolist(), "similarity": similarity[0].tolist(),
            "similarity_error_px": round(float(error[0]), 4),
        })  # fmt: skip
    return records


def _list(values: np.ndarray, digits: int = 6) -> list:
    return np.round(values, digits).tolist()
