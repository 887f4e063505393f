/** What the host's front end doesn't show by itself: text that a node tells, and pictures of nodes with a VIDEO socket. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { make } from "./dom.js";

// Nodes 2.0 takes the preview of a node with a VIDEO socket for a video; these show a picture.
const PICTURES = new Set([
    "CK_LoadClips", "CK_FindPeople", "CK_ExtractSkeleton", "CK_LoadSkeleton", "CK_KeypointsToSkeleton", "CK_SaveGIF", "CK_TrackCamera", "CK_TrackBat",
    "CK_TrajectoryPlot", "CK_BuildStyleDataset", "CK_ScoreFrames", "CK_BuildArchive",
]);
// These show live pictures as they work, and a video in the end.
const LIVE = new Set(["CK_PoseConditionedFrames"]);
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

/** Classic mode takes a live picture for a video where a node has had one, and fails; and one that stays stands before the result. It goes. */
function dropLive(node) {
    const inside = node.graph && node.graph !== app.rootGraph;
    delete app.nodePreviewImages?.[inside ? `${node.graph.id}:${node.id}` : node.id];
}

/** Classic mode: the result in place of the live picture. */
function showResult(node) {
    dropLive(node);
    const picture = node.widgets?.find((widget) => widget.name === "$$canvas-image-preview");
    if (picture) node.removeWidget(picture);
    node.imgs = node.images = node.preview = undefined;
    node.setDirtyCanvas(true, true);
}

app.registerExtension({
    name: "CorrelatedKinetics.Previews",
    setup() {
        api.addEventListener("b_preview_with_metadata", ({ detail }) => {
            const node = app.graph.getNodeById(detail.displayNodeId ?? detail.nodeId);
            if (LIVE.has(node?.comfyClass) && node.videoContainer && !window.LiteGraph.vueNodesMode) dropLive(node);
        });
    },
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
