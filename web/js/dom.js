/** What the viewers share: elements, files of the host, and their place in a node. */

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addStyle } from "./viewer_style.js";

/** Colours of clips, told apart with every kind of colour vision as far as eight can be. */
export const COLOURS = ["#4fc3f7", "#ffb74d", "#81c784", "#ba68c8", "#e57373", "#fff176", "#a1887f", "#90a4ae"];

/** An element with a class, in a parent, with properties. */
export function make(tag, className, parent, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  parent?.append(element);
  return element;
}

/** Where the host serves a file of its temp, input or output folder. */
export const urlOf = (file) =>
  api.apiURL("/view?" + new URLSearchParams({ filename: file.filename, subfolder: file.subfolder ?? "", type: file.type }));

/** JSON out of the host's folders; null when the file is gone, or the host is. */
async function fetchData(file) {
  const answer = await fetch(urlOf(file)).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

/** Place of a pointer event in a canvas' own pixels, right at any zoom of the graph. */
export function placeIn(event, canvas) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
}

/** Seconds, or another number, with so many digits; an en dash for nothing. */
export const shown = (value, digits = 2) =>
  value === null || value === undefined || Number.isNaN(value) ? "–" : (value.toFixed(digits) * 1 === 0 ? 0 : value).toFixed(digits);

/**
 * The root element of a viewer that lives in a node.
 *
 * Nodes 2.0 lays it out by its own CSS, and draws a shadow that costs half the frame rate; classic mode lays it over the canvas, which then
 * misses the wheel.
 */
export function makeRoot(className, height) {
  const root = make("div", `ck-viewer ${className}`, null, { tabIndex: 0 });
  root.style.minHeight = `${height}px`;
  addStyle(root);
  root.addEventListener("wheel", (event) => {
    if (window.LiteGraph?.vueNodesMode || root.closest("dialog")) return;
    event.preventDefault();
    app.canvas.processMouseWheel(event);
  }, { passive: false });
  return root;
}

/** A viewer: its root, what the workflow keeps of it, and the data that it shows. */
export class Viewer {
  /** @param {() => void} commit is told when what belongs into the workflow changed */
  constructor(className, height, commit) {
    Object.assign(this, { commit, state: {}, key: null, root: makeRoot(className, height) });
    this.root.addEventListener("keydown", (event) => this._key(event));
    this.sizer = new ResizeObserver(() => this.layout());
    // Curves are drawn in the text's colour; a palette that the host changes meanwhile is heard by the transition that its style asks for.
    this.root.addEventListener("transitionend", (event) => { if (event.target === this.root && event.propertyName === "color") this.chart?.resize(); });
  }

  /** What the workflow keeps. */
  restore(text) {
    try { this.state = JSON.parse(text || "{}") ?? {}; } catch { this.state = {}; }
    this._apply();
  }

  _set(change) {
    Object.assign(this.state, change);
    this._apply();
    this.commit();
  }

  /** A result's data, the old ones cleared; null when they are shown already, were overtaken by others, or are gone, which is said. */
  async _take(payload, gone, only = null) {
    const key = JSON.stringify([payload, only]);
    if (key === this.key) return null;
    this.clear();
    this.key = key;
    this.message.hidden = false;
    this.message.textContent = "Loading …";
    const data = await fetchData(payload.data);
    if (this.key !== key) return null;
    this.message.hidden = !!data;
    if (!data) {
      this.key = null;
      this.message.textContent = gone;
    }
    return data;
  }

  destroy() {
    this.clear();
    this.sizer.disconnect();
    this.root.remove();
  }
}

/** Take the shadow off the node that an element lies in. */
export const dropShadow = (root) => root.closest("[data-node-id]")?.style.setProperty("filter", "none");

/** Tell the host that the workflow changed, so that undo knows. */
export const noteChange = () => app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.captureCanvasState?.();

/**
 * Register a node kind whose STRING input is a viewer.
 *
 * @param {object} kind
 * @param {string} kind.node the node's id
 * @param {string} kind.widget the widget's type
 * @param {string} kind.key of the result's payload
 * @param {number} kind.height least height, px
 * @param {number} kind.width least width, px
 * @param {(host: object) => object} kind.build makes the viewer: root, load(payload), state, destroy(); is given commit() and the node
 */
export function registerViewer({ node: nodeId, widget: type, key, height, width, build }) {
  const viewerOf = (node) => node?.widgets?.find((widget) => widget.viewer)?.viewer;
  const show = (node, payload) => {
    if (!payload) return;
    node.properties[key] = payload;
    viewerOf(node)?.load(payload);
  };
  app.registerExtension({
    name: `CorrelatedKinetics.${nodeId.slice(3)}`,
    getCustomWidgets() {
      return {
        [type](node, inputName) {
          const viewer = build({ commit: noteChange, node });
          const widget = node.addDOMWidget(inputName, type, viewer.root, {
            socketless: true, hideOnZoom: false, getMinHeight: () => height,
            getValue: () => JSON.stringify(viewer.state), setValue: (value) => viewer.restore(value),
          });
          widget.viewer = viewer;
          return { widget, minWidth: width, minHeight: height + 80 };
        },
      };
    },
    nodeCreated(node) {
      if (node.comfyClass !== nodeId) return;
      const { onExecuted, onConfigure, onRemoved } = node;
      node.onExecuted = function (output) {
        onExecuted?.apply(this, arguments);
        show(this, output?.[key]?.[0]);
      };
      node.onConfigure = function () {
        onConfigure?.apply(this, arguments);
        show(this, this.properties?.[key]);
      };
      node.onRemoved = function () {
        viewerOf(this)?.destroy();
        onRemoved?.apply(this, arguments);
      };
    },
    // A tab that is shown again gets its results this way, and no onExecuted.
    onNodeOutputsUpdated(outputs) {
      for (const [locator, output] of Object.entries(outputs)) {
        if (!output?.[key]?.[0]) continue;
        const [id, graph] = locator.split(":").reverse();
        const node = (graph ? app.rootGraph?.subgraphs?.get(graph) : app.rootGraph)?.getNodeById(id);
        if (node?.comfyClass === nodeId) show(node, output[key][0]);
      }
    },
  });
}
