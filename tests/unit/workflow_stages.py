"""The stages of a workflow: each has one colour in every graph that is shared, and every node type belongs to one."""

from __future__ import annotations

#: stage -> (title bar, body, group, node types)
STAGES: dict[str, tuple[str, str, str, frozenset[str]]] = {
    "clips and models": ("#233", "#355", "#3f789e", frozenset({
        "CK_LoadClips", "CK_SampleClips", "CK_NormaliseClip", "LoadVideo", "LoadImage", "GetVideoComponents", "ImageFromBatch", "ImageBlur", "Video Slice",
        "CheckpointLoaderSimple", "ControlNetLoader", "UpscaleModelLoader", "CLIPLoader", "CLIPVisionLoader", "UNETLoader", "VAELoader",
        "CK_BuildArchive",
    })),
    "skeleton": ("#232", "#353", "#8A8", frozenset({
        "CK_FindPeople", "CK_ExtractSkeleton", "CK_CleanSkeleton", "CK_SaveSkeleton", "CK_LoadSkeleton", "CK_SkeletonToKeypoints",
        "CK_KeypointsToSkeleton", "SDPoseDrawKeypoints",
    })),
    "motion": ("#1f3438", "#2b4a50", "#3f9e9e", frozenset({
        "CK_TrackCamera", "CK_TrackBat", "CK_MeasureSwing", "CK_StabiliseClip", "CK_StabiliseSkeleton", "CK_AlignSkeletons", "CK_TrajectoryPlot",
    })),
    "comparison and score": ("#3d3518", "#574a20", "#b58b2a", frozenset({
        "CK_CompareShots", "CK_WarpShot", "CK_OverlaySkeletons", "CK_PlayInStep", "CK_FindShot", "CK_KineticChain", "CK_ShotSimilarity",
        "CK_ScoreFrames", "CK_ScoreStyle", "CK_ArchiveSearch",
    })),
    "style": ("#3d2230", "#5a3146", "#b06080", frozenset({
        "CK_BuildStyleDataset", "CK_LoadStyleDataset", "CK_TrainStyleLoRA", "CK_ReadLoRAInfo", "CK_ApplyBattingStyle",
    })),
    "frames": ("#332922", "#593930", "#b06634", frozenset({
        "CK_PoseHints", "CK_PoseConditionedFrames", "CLIPTextEncode", "CLIPVisionEncode", "StringConcatenate", "ControlNetApplyAdvanced", "KSampler",
        "EmptyLatentImage", "EmptySD3LatentImage", "LatentBatchSeedBehavior", "ModelSamplingAuraFlow", "ModelSamplingSD3", "VAEDecode",
        "WanVaceToVideo", "WanSCAILToVideo", "TrimVideoLatent",
    })),
    "restoration": ("#2f361c", "#4b5630", "#8f9f3a", frozenset({
        "CK_RestoreFootage", "CK_UpscaleClip", "ImageUpscaleWithModel", "ImageScaleBy",
    })),
    "look and save": ("#323", "#535", "#a1309b", frozenset({
        "CK_DrawSkeleton", "CK_DrawSwing", "CK_GridComposite", "CK_SaveGIF", "CK_SaveSwing", "CK_SaveAnalysis", "CK_ClipPlayer", "CK_PathExplorer",
        "CK_ArchiveBrowser", "CK_PublishPage", "CreateList", "CreateVideo", "SaveVideo", "SaveImage", "PreviewImage", "PreviewAny", "LossGraphNode",
    })),
}  # fmt: skip


def stage_of(node_type: str) -> str:
    """The stage that a node type belongs to.

    Raises
    ------
    LookupError
        When it has none yet: then it has to be put into one above.
    """
    for stage, (*_, types) in STAGES.items():
        if node_type in types:
            return stage
    raise LookupError(f"{node_type} belongs to no stage")
