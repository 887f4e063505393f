"""The benches: a node reads its sockets, calls kinetics, shows the result."""

from .clips import LoadClips, NormaliseClip, SampleClips, SaveGIF
from .composite import DrawSkeleton, GridComposite
from .motion import (
    AlignSkeletons,
    DrawSwing,
    MeasureSwing,
    SaveSwing,
    StabiliseClip,
    StabiliseSkeleton,
    TrackBat,
    TrackCamera,
    TrajectoryPlot,
)
from .pose import CleanSkeleton, ExtractSkeleton, FindPeople, KeypointsToSkeleton, SaveSkeleton, SkeletonToKeypoints

NODES = [
    LoadClips, SampleClips, NormaliseClip,
    FindPeople, ExtractSkeleton, CleanSkeleton, SkeletonToKeypoints, KeypointsToSkeleton, SaveSkeleton,
    TrackCamera, StabiliseSkeleton, StabiliseClip, AlignSkeletons, TrackBat, MeasureSwing, TrajectoryPlot, DrawSwing, SaveSwing,
    DrawSkeleton, GridComposite, SaveGIF,
]  # fmt: skip
