"""A batter with known truth: sample clips for a new user, and the yardstick for everything that is measured from pixels."""

from .body import Batter
from .clips import truth_record, with_extras, write_sample_clips
from .scene import POINT_NAMES, ShotScene, Truth
from .scenes import broadcast_camera, default_scene, random_scene
from .strokes import SHOTS, Stroke, default_stroke, random_shot

__all__ = [
    "POINT_NAMES", "SHOTS", "Batter", "ShotScene", "Stroke", "Truth", "broadcast_camera", "default_scene", "default_stroke",
    "random_scene", "random_shot", "truth_record", "with_extras", "write_sample_clips",
]  # fmt: skip
