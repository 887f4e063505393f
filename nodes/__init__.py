"""The benches: a node reads its sockets, calls kinetics, shows the result."""

from .archive import ArchiveBrowser, ArchiveSearch, BuildArchive
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
from .path_viewer import PathExplorer
from .pose import CleanSkeleton, ExtractSkeleton, FindPeople, KeypointsToSkeleton, SkeletonToKeypoints
from .pose_files import LoadSkeleton, SaveSkeleton
from .publish import PublishPage
from .restore import RestoreFootage, UpscaleClip
from .score import ScoreFrames, ScoreStyle
from .style import BuildStyleDataset, LoadStyleDataset
from .train import ReadLoraInfo, TrainStyleLora
from .viewers import ClipPlayer

# Keyed by node_id: tools that read a pack without importing it (comfy-test, ComfyUI-Manager) find the nodes here.
# It stays in this module: on the pack's own __init__ the host would take it for a V1 pack and leave the V3 entry point out.
NODE_CLASS_MAPPINGS = {
    "CK_LoadClips": LoadClips, "CK_SampleClips": SampleClips, "CK_NormaliseClip": NormaliseClip,
    "CK_FindPeople": FindPeople, "CK_ExtractSkeleton": ExtractSkeleton, "CK_CleanSkeleton": CleanSkeleton,
    "CK_SkeletonToKeypoints": SkeletonToKeypoints, "CK_KeypointsToSkeleton": KeypointsToSkeleton,
    "CK_SaveSkeleton": SaveSkeleton, "CK_LoadSkeleton": LoadSkeleton,
    "CK_TrackCamera": TrackCamera, "CK_StabiliseSkeleton": StabiliseSkeleton, "CK_StabiliseClip": StabiliseClip,
    "CK_AlignSkeletons": AlignSkeletons, "CK_TrackBat": TrackBat, "CK_MeasureSwing": MeasureSwing,
    "CK_TrajectoryPlot": TrajectoryPlot, "CK_DrawSwing": DrawSwing, "CK_SaveSwing": SaveSwing,
    "CK_CompareShots": CompareShots, "CK_FindShot": FindShot, "CK_PlayInStep": PlayInStep, "CK_WarpShot": WarpShot,
    "CK_OverlaySkeletons": OverlaySkeletons, "CK_KineticChain": KineticChain, "CK_ShotSimilarity": ShotSimilarity,
    "CK_SaveAnalysis": SaveAnalysis,
    "CK_DrawSkeleton": DrawSkeleton, "CK_GridComposite": GridComposite, "CK_SaveGIF": SaveGIF,
    "CK_BuildStyleDataset": BuildStyleDataset, "CK_LoadStyleDataset": LoadStyleDataset,
    "CK_TrainStyleLoRA": TrainStyleLora, "CK_ReadLoRAInfo": ReadLoraInfo,
    "CK_ScoreFrames": ScoreFrames, "CK_ScoreStyle": ScoreStyle,
    "CK_PoseHints": PoseHints, "CK_ApplyBattingStyle": ApplyBattingStyle,
    "CK_PoseConditionedFrames": PoseConditionedFrames,
    "CK_ClipPlayer": ClipPlayer, "CK_PathExplorer": PathExplorer, "CK_PublishPage": PublishPage,
    "CK_RestoreFootage": RestoreFootage, "CK_UpscaleClip": UpscaleClip,
    "CK_BuildArchive": BuildArchive, "CK_ArchiveSearch": ArchiveSearch, "CK_ArchiveBrowser": ArchiveBrowser,
}  # fmt: skip
