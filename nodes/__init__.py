"""The benches: a node reads its sockets, calls kinetics, shows the result."""

from .clips import LoadClips, NormaliseClip, SampleClips, SaveGIF
from .compare import CompareShots, FindShot, KineticChain, SaveAnalysis, ShotSimilarity
from .composite import DrawSkeleton, GridComposite
from .generate import ApplyBattingStyle, PoseConditionedFrames, PoseHints
from .in_step import OverlaySkeletons, PlayInStep, WarpShot
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
from .pose import CleanSkeleton, ExtractSkeleton, FindPeople, KeypointsToSkeleton, SkeletonToKeypoints
from .pose_files import LoadSkeleton, SaveSkeleton
from .restore import RestoreFootage, UpscaleClip
from .score import ScoreFrames, ScoreStyle
from .style import BuildStyleDataset, LoadStyleDataset
from .train import ReadLoraInfo, TrainStyleLora

NODES = [
    LoadClips, SampleClips, NormaliseClip,
    FindPeople, ExtractSkeleton, CleanSkeleton, SkeletonToKeypoints, KeypointsToSkeleton, SaveSkeleton, LoadSkeleton,
    TrackCamera, StabiliseSkeleton, StabiliseClip, AlignSkeletons, TrackBat, MeasureSwing, TrajectoryPlot, DrawSwing, SaveSwing,
    CompareShots, FindShot, PlayInStep, WarpShot, OverlaySkeletons, KineticChain, ShotSimilarity, SaveAnalysis,
    DrawSkeleton, GridComposite, SaveGIF,
    BuildStyleDataset, LoadStyleDataset, TrainStyleLora, ReadLoraInfo,
    ScoreFrames, ScoreStyle,
    PoseHints, ApplyBattingStyle, PoseConditionedFrames,
    RestoreFootage, UpscaleClip,
]  # fmt: skip
