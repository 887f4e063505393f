/** What the host's front end doesn't show by itself: text that a node tells, and pictures of nodes with a VIDEO socket. */

import { app } from "../../../scripts/app.js";
import { make } from "./dom.js";

// Nodes 2.0 takes the preview of a node with a VIDEO socket for a video; these show a picture.
const PICTURES = new Set([
    "CK_LoadClips", "CK_FindPeople", "CK_ExtractSkeleton", "CK_LoadSkeleton", "CK_KeypointsToSkeleton", "CK_SaveGIF", "CK_TrackCamera", "CK_TrackBat",
    "CK_TrajectoryPlot", "CK_BuildStyleDataset", "CK_ScoreFrames", "CK_BuildArchive",
]);
// Classic mode: the last live picture of a run stands in for the video when both are there as the node is drawn, fails as a video, and nothing is tried again.
const LIVE = new Set(["CK_PoseConditionedFrames"]);
const GONE = 1000, TRIES = 20; // ms after which the live picture should be gone, and how often that is looked for
const LINE = 17, LINES = 8; // px of a line of text, and how many show without scrolling

/** The text under a node's widgets; neither part of the workflow nor sent to the host. */
function showText(node, text) {
    let widget = node.widgets?.find((other) => other.told);
    if (!widget) {
        const told = make("pre", "ck-told", null, { tabIndex: 0 });
        told.style.cssText = "margin:0;padding:4px 8px;overflow:auto;white-space:pre-wrap;user-select:text;font:12px/17px system-ui,sans-serif;"
            + "color:var(--input-text);background:var(--comfy-input-bg);border-radius:6px";
        told.addEventListener("pointerdown", (event) => event.stopPropagation()); // marking text isn't moving the node
        const height = () => 10 + LINE * Math.min(LINES, Math.max(1, told.textContent.split("\n").length));
        widget = node.addDOMWidget("told", "ck_told", told, { serialize: false, getMinHeight: height, getValue: () => told.textContent, setValue: () => {} });
        widget.serialize = false;
        widget.told = told;
    }
    widget.told.textContent = text;
    const [width, height] = node.computeSize();
    if (node.size[1] < height || node.size[0] < width) node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
    node.setDirtyCanvas(true, true);
}

/** Have the node's result loaded anew once its live picture is gone. */
function showResult(node, tries = TRIES) {
    setTimeout(() => {
        if (tries && app.nodePreviewImages?.[node.id]) return showResult(node, tries - 1);
        const picture = node.widgets?.find((widget) => widget.name === "$$canvas-image-preview");
        if (picture) node.removeWidget(picture);
        node.imgs = node.images = undefined;
        node.setDirtyCanvas(true, true);
    }, GONE);
}

app.registerExtension({
    name: "CorrelatedKinetics.Previews",
    nodeCreated(node) {
        if (PICTURES.has(node.comfyClass)) node.previewMediaType = "image";
        if (!node.comfyClass?.startsWith("CK_")) return;
        const before = node.onExecuted;
        node.onExecuted = function (message) {
            before?.apply(this, arguments);
            if (LIVE.has(this.comfyClass) && !window.LiteGraph.vueNodesMode) showResult(this);
            if (message?.text?.length) showText(this, message.text.join("\n"));
        };
    },
});
