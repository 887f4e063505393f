import { app } from "../../../scripts/app.js";

// Nodes 2.0 takes the preview of a node with a VIDEO socket for a video; these show a picture.
const PICTURES = new Set([
    "CK_LoadClips", "CK_FindPeople", "CK_ExtractSkeleton", "CK_LoadSkeleton", "CK_KeypointsToSkeleton", "CK_SaveGIF", "CK_TrackCamera", "CK_TrackBat",
    "CK_TrajectoryPlot", "CK_BuildStyleDataset", "CK_ScoreFrames",
]);

app.registerExtension({
    name: "CorrelatedKinetics.Previews",
    nodeCreated(node) {
        if (PICTURES.has(node.comfyClass)) node.previewMediaType = "image";
    },
});
