"""A bat track at a glance: the bat drawn into frames of the clip, most of them about the swing."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ..draw import contact_sheet
from ..ink import dot, stroke, write
from ..stick_figure import BAT, HALO

if TYPE_CHECKING:
    from ..motion.bat_track import BatTrack
    from ..video.decode import Clip

HANDS, LOST, PROXY = (242, 150, 20), (190, 190, 190), (255, 93, 93)

#: Frames over the whole clip, frames about the fastest turn, and the time these span either way, s.
_OVERALL, _SWING, _AROUND = 4, 8, 0.35


def draw_bat_sheet(track: BatTrack, clip: Clip, tile: int = 240) -> np.ndarray:
    """Crops round the hands with the bat drawn in: orange hands, yellow bat, red when it is a guess along the forearms.

    Parameters
    ----------
    track : BatTrack
    clip : Clip
        The clip it was made from.
    tile : int
        Side of one crop, pixels.

    Returns
    -------
    (H, W, 3) uint8 RGB
        Up to twelve crops in order of time, and below them how many tips were read from what, and the track's flags.
    """
    chosen = _choose(track)
    reach = np.nanmedian(np.linalg.norm(track.tip - track.hands, axis=1)) if np.isfinite(track.tip).any() else np.nan
    half = 1.7 * reach if np.isfinite(reach) else 0.2 * min(track.size)
    crops = []
    for frame in clip.frames():
        if frame.index in chosen:
            crops.append(_crop(frame.image, track, frame.index, half, tile))
        if frame.index >= chosen[-1]:
            break
    sheet = contact_sheet(crops, cols=min(4, len(crops)))
    return np.concatenate([sheet, _caption(track, sheet.shape[1])])


def _choose(track: BatTrack) -> list[int]:
    """Frames to show, in order."""
    count = len(track)
    frames = set(np.linspace(0, count - 1, _OVERALL + 2).round().astype(int)[1:-1].tolist())
    bat = track.tip - track.hands
    angle = np.arctan2(bat[:, 1], bat[:, 0])
    seen = np.flatnonzero(np.isfinite(angle) & ~track.repeat)
    if len(seen) > 1:
        turn = np.abs((np.diff(angle[seen]) + np.pi) % (2 * np.pi) - np.pi) / np.diff(track.t[seen])
        fastest = track.t[seen[int(turn.argmax())]]
        near = np.clip(np.searchsorted(track.t, fastest + np.linspace(-_AROUND, _AROUND, _SWING)), 0, count - 1)
        frames |= set(near.tolist())
    return sorted(frames)


def _crop(image: np.ndarray, track: BatTrack, frame: int, half: float, tile: int) -> np.ndarray:
    import cv2

    middle = track.hands[frame] if np.isfinite(track.hands[frame]).all() else np.array(track.size) / 2
    zoom = tile / (2 * half)
    move = np.array([[zoom, 0, tile / 2 - zoom * middle[0]], [0, zoom, tile / 2 - zoom * middle[1]]])
    crop = cv2.warpAffine(image, move, (tile, tile), flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR)
    hands, tip = (point @ move[:, :2].T + move[:, 2] for point in (track.hands[frame], track.tip[frame]))
    colour = PROXY if track.source[frame] == "forearm" else BAT
    if np.isfinite(hands).all() and np.isfinite(tip).all():
        stroke(crop, np.array([hands, tip]), HALO, 4, 0.5)
        stroke(crop, np.array([hands, tip]), colour, 1.8, 0.9)
        dot(crop, tip, 6, HALO, 0.8)
        dot(crop, tip, 4.5, colour, 1.0, ring=1.8)
    if np.isfinite(hands).all():
        dot(crop, hands, 4, HANDS, 0.95)
    size = max(10, tile // 20)
    write(crop, f"{frame}  {track.t[frame]:.2f} s", (size, size), size)
    said = f"{track.source[frame]} {100 * track.confidence[frame]:.0f} %" if track.source[frame] else "not seen"
    write(crop, said + ("  (repeat)" if track.repeat[frame] else ""), (size, tile - size), size, colour if track.source[frame] else LOST)
    return crop


def _caption(track: BatTrack, width: int) -> np.ndarray:
    size = max(12, width // 70)
    seen = int((track.source != "").sum())
    parts = [f"{int((track.source == source).sum())} from {source}" for source in np.unique(track.source[track.source != ""])]
    lines = [f"tip in {seen} of {len(track)} frames" + (f": {', '.join(parts)}" if parts else "")]
    for flag in track.flags:
        lines += textwrap.wrap(flag.encode("ascii", "replace").decode(), max(40, int(width / (0.52 * size))))
    strip = np.full((round((len(lines) * 1.5 + 0.6) * size), width, 3), (21, 23, 28), np.uint8)
    for row, line in enumerate(lines):
        write(strip, line, (size, (row * 1.5 + 1) * size), size, (217, 221, 229) if row == 0 else (240, 192, 64))
    return strip
