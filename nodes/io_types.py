"""The pack's own sockets, and core's sockets that its nodes share."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

PoseSequenceSocket = io.Custom("POSE_SEQUENCE")
PoseKeypointSocket = io.Custom("POSE_KEYPOINT")
CameraSocket = io.Custom("CAMERA_MOTION")
BatTrackSocket = io.Custom("BAT_TRACK")
SwingSocket = io.Custom("SWING")
AlignmentSocket = io.Custom("DTW_ALIGNMENT")
ChainSocket = io.Custom("KINETIC_CHAIN")
ShotSimilaritySocket = io.Custom("SHOT_SIMILARITY")
InStepSocket = io.Custom("IN_STEP")
StyleDatasetSocket = io.Custom("STYLE_DATASET")
HintPlanSocket = io.Custom("HINT_PLAN")

#: A stroke: a measured swing knows its tip speed and impact too.
STROKE = [PoseSequenceSocket, SwingSocket]
STROKE_TIP = "a swing from Measure Swing, which knows impact and tip speed too, or a skeleton"

CATEGORY = "Correlated Kinetics"
