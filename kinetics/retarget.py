"""A skeleton's motion on another body: every bone keeps its direction and takes the other body's length, the feet stay on the ground."""

from __future__ import annotations

import numpy as np

from .errors import KineticsError
from .hints import FACE_NAMES, hand_names
from .motion.scale import scale_from_body
from .pose.body import MIDPOINTS
from .pose.openpose_json import HANDS
from .pose_sequence import PoseSequence

#: Each joint and the one it hangs on, from the pelvis outwards.
PARENTS = {
    "neck": "pelvis", "nose": "neck", "bat_tip": "hands",
    **{f"{side}_{joint}": parent.format(side) for side in HANDS for joint, parent in (
        ("hip", "pelvis"), ("knee", "{}_hip"), ("ankle", "{}_knee"), ("heel", "{}_ankle"), ("foot", "{}_ankle"),
        ("shoulder", "neck"), ("elbow", "{}_shoulder"), ("wrist", "{}_elbow"), ("eye", "nose"), ("ear", "nose"),
        ("eye_inner", "nose"), ("eye_outer", "nose"),
    )},
    **{name: "nose" for name in (*FACE_NAMES[:68], "mouth_left", "mouth_right")},
    **{name: f"{side}_wrist" for side in HANDS for name in hand_names(side)[1:]},
}  # fmt: skip

#: Bones whose lengths are measured one by one; those of head, hands and feet go with the bone named here: one landmark jitters too much.
MEASURED = ("neck", "hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_WITH = {"nose": "neck", "eye": "neck", "ear": "neck", "mouth": "neck", "face": "neck", "heel": "ankle", "foot": "ankle"}

#: A bone at its longest: this percentile of its lengths in the picture, so that single wild joints don't count.
LONGEST = 90

#: Bones are never stretched or shrunk by more than this: beyond, one of the two was only seen end-on.
MOST = 2.0

#: A foot this high above the other, body heights, bears e^-1 times as much of where the body stands.
BEARING = 0.03

FEET = ("left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot", "right_foot")

WRISTS = ("left_wrist", "right_wrist")


def retarget(pose: PoseSequence, reference: PoseSequence | None = None, *, scale: float = 1.0, own_height: bool = True) -> PoseSequence:
    """Put a motion on another body.

    Parameters
    ----------
    pose : PoseSequence
        In pixels.
    reference : PoseSequence, optional
        The other body, in pixels; any motion in which it shows its limbs' lengths.
    scale : float
        Every length times this, above 0.
    own_height : bool
        Take the reference's proportions, but keep this body's height; otherwise its size in pixels too.

    Returns
    -------
    PoseSequence
        Same joints, times and confidences. A joint is missing where it was, and where neither pelvis nor neck is known in its frame.

    Raises
    ------
    KineticsError
        When a unit isn't pixels, the scale isn't above 0, or too little of a body is seen to tell its lengths.

    Notes
    -----
    Bone b of length ratio r_b: x'_joint = x'_parent + r_b·(x_joint - x_parent), where a missing parent is passed over with the mean ratio
    of the bones between. Lengths are the 90th percentile of what the bone shows, the longer of left and right, so foreshortening stays as
    it is in every frame; that both clips are seen from a like side is taken for granted. With a the place on the ground where the motion
    begins and r the ratio of the legs, the pelvis goes where the feet land on a + r·(x_foot - a), each weighted by how near it is to the
    ground: feet that are planted stay planted, and the path through the picture is r times as long.
    """
    for body in (pose, reference):
        if body is not None and body.space != "px":
            raise KineticsError(
                f"{body.source or 'The skeleton'} is in unit {body.space!r}, and retargeting needs pixels; give it before it was normalised."
            )
    if not (np.isfinite(scale) and scale > 0):
        raise KineticsError(f"A body can't be {scale:g} times as large; give a scale above 0.")
    ratios = {part: scale * ratio for part, ratio in _length_ratios(pose, reference, own_height).items()}
    tracks = _tracks(pose)
    moved, root = _hang(tracks, ratios)
    legs = [ratios[part] for part in ("knee", "ankle")]
    shift = _stand(tracks, moved, root, float(np.mean(legs)), _body_height(pose))
    xy = np.stack([moved[name] + shift for name in pose.names], axis=1)
    return pose.with_step(
        "retarget", xy=xy, conf=np.where(np.isnan(xy[..., 0]), 0.0, pose.conf), reference="" if reference is None else reference.source,
        scale=scale, own_height=own_height, ratios={part: round(ratio, 4) for part, ratio in ratios.items()},
    )  # fmt: skip


def bone_lengths(pose: PoseSequence) -> dict[str, float]:
    """px: each of :data:`MEASURED`, named by its outer joint; those that are never seen are left out."""
    tracks, found = _tracks(pose), {}
    for part in MEASURED:
        shown = []
        for name in [part] if part in PARENTS else [f"{side}_{part}" for side in HANDS]:
            if name in tracks and PARENTS[name] in tracks:
                length = np.linalg.norm(tracks[name] - tracks[PARENTS[name]], axis=1)
                if np.isfinite(length).any():
                    shown.append(float(np.nanpercentile(length, LONGEST)))
        if shown and max(shown) > 0:
            found[part] = max(shown)
    return found


def _body_height(pose: PoseSequence) -> float:
    return scale_from_body(pose).px_per_unit


def _length_ratios(pose: PoseSequence, reference: PoseSequence | None, own_height: bool) -> dict[str, float]:
    """The other body's length over this one's, per bone of :data:`MEASURED`, and for the bat, which grows with the body."""
    if reference is None:
        return dict.fromkeys((*MEASURED, "bat_tip"), 1.0)
    taller = _body_height(reference) / _body_height(pose)
    own, other = bone_lengths(pose), bone_lengths(reference)
    both = own.keys() & other.keys()
    ratios = {part: float(np.clip(other[part] / own[part] / taller, 1 / MOST, MOST)) if part in both else 1.0 for part in MEASURED}
    return {part: ratio * (1.0 if own_height else taller) for part, ratio in (*ratios.items(), ("bat_tip", 1.0))}


def _ratio(name: str, ratios: dict[str, float]) -> float:
    part = name.removeprefix("left_").removeprefix("right_")
    return ratios[part] if part in ratios else ratios[_WITH.get(part.split("_")[0], "wrist")]


def _tracks(pose: PoseSequence) -> dict[str, np.ndarray]:
    """(T, 2) of every joint, and of those that lie midway between two, where the skeleton has none."""
    tracks = {name: pose.xy[:, k] for k, name in enumerate(pose.names)}
    for name, ends in MIDPOINTS.items():
        if name not in tracks:
            tracks[name] = sum(tracks[end] for end in ends) / 2 if set(ends) <= set(tracks) else np.full((len(pose), 2), np.nan)
    wrists = [tracks[name] for name in WRISTS if name in tracks]
    if "hands" not in tracks and wrists:
        tracks["hands"] = _middle(wrists)
    return tracks


def _hang(tracks: dict[str, np.ndarray], ratios: dict[str, float]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every joint on its scaled bones, and (T, 2) their root: the pelvis, or the neck where that isn't known, at its own place."""
    pelvis, neck = tracks["pelvis"], tracks["neck"]
    root = np.where(np.isfinite(pelvis), pelvis, neck)
    moved = {"pelvis": pelvis, "neck": np.where(np.isfinite(pelvis), pelvis + ratios["neck"] * (neck - pelvis), neck)}

    def place(name: str) -> np.ndarray:
        if name in moved:
            return moved[name]
        at, result, chain, ancestor = tracks[name], np.full_like(root, np.nan), [], name
        if name == "hands":
            wrists = [wrist for wrist in WRISTS if wrist in tracks]
            # Beside the wrists that are known, where they were.
            result = _middle([place(wrist) for wrist in wrists]) + ratios["wrist"] * (at - _middle([tracks[wrist] for wrist in wrists]))
        while ancestor in PARENTS:
            chain.append(_ratio(ancestor, ratios))
            ancestor = PARENTS[ancestor]
            if ancestor in tracks:
                result = np.where(np.isfinite(result), result, place(ancestor) + float(np.mean(chain)) * (at - tracks[ancestor]))
        whole = float(np.mean(chain or [ratios["neck"]]))
        moved[name] = np.where(np.isfinite(result), result, root + whole * (at - np.where(np.isfinite(pelvis), pelvis, neck)))
        return moved[name]

    for name in tracks:
        place(name)
    return moved, root


def _middle(points: list[np.ndarray]) -> np.ndarray:
    """(T, 2) mean of those that are there."""
    there = np.isfinite(points)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, points, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _stand(tracks: dict[str, np.ndarray], moved: dict[str, np.ndarray], root: np.ndarray, legs: float, height: float) -> np.ndarray:
    """(T, 2) shift that puts the feet where they belong; in frames in which no foot is seen, what those before and after say."""
    feet = [name for name in FEET if name in tracks]
    own, new = (np.stack([of[name] for name in feet]) if feet else np.full((1, *root.shape), np.nan) for of in (tracks, moved))
    known = np.isfinite(own).all(axis=2) & np.isfinite(new).all(axis=2)
    seen = known.any(axis=0)
    if not seen.any():
        there = np.isfinite(root).all(axis=1)
        return (legs - 1) * (root - root[np.argmax(there)])
    depth = np.where(known, own[..., 1], -np.inf)
    lowest = np.where(seen, depth.max(axis=0), 0.0)
    weight = np.exp((depth - lowest) / (BEARING * height))
    weight = (weight / np.maximum(weight.sum(axis=0), 1.0))[..., None]
    own, new = (np.where(known[..., None], feet_at, 0.0) for feet_at in (own, new))
    anchor = (weight * own).sum(axis=0)[np.argmax(seen)]
    stride = (legs - 1) * (root - anchor)
    offset = (weight * np.where(known[..., None], anchor + legs * (own - anchor) - new, 0.0)).sum(axis=0) - stride
    frames = np.arange(len(root))
    return stride + np.stack([np.interp(frames, frames[seen], offset[seen, axis]) for axis in (0, 1)], axis=1)
