"""The benches: a node reads its sockets, calls kinetics, shows the result."""

from .clips import LoadClips, NormaliseClip, SampleClips, SaveGIF
from .composite import DrawSkeleton, GridComposite
from .pose import CleanSkeleton, ExtractSkeleton, FindPeople, KeypointsToSkeleton, SaveSkeleton, SkeletonToKeypoints

NODES = [
    LoadClips, SampleClips, NormaliseClip,
    FindPeople, ExtractSkeleton, CleanSkeleton, SkeletonToKeypoints, KeypointsToSkeleton, SaveSkeleton,
    DrawSkeleton, GridComposite, SaveGIF,
]  # fmt: skip
