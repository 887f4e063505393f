"""The pack's own sockets, and core's sockets that its nodes share."""

from __future__ import annotations

from comfy_api.v0_0_2 import io

PoseSequenceSocket = io.Custom("POSE_SEQUENCE")
PoseKeypointSocket = io.Custom("POSE_KEYPOINT")
CameraSocket = io.Custom("CAMERA_MOTION")
BatTrackSocket = io.Custom("BAT_TRACK")
SwingSocket = io.Custom("SWING")

CATEGORY = "Correlated Kinetics"
