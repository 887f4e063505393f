/** A warping path to walk along: the matrix of distances, and both shots in the frames under the pointer. */

import { COLOURS, Viewer, dropShadow, make, placeIn, shown, urlOf } from "./dom.js";
import { InStep } from "./in_step.js";
import { drawOverlay } from "./overlay.js";

// Dark blue to yellow in even steps of lightness (points of cividis); near is dark.
const MAP = [[0, 32, 76], [33, 59, 110], [76, 85, 107], [108, 110, 114], [142, 137, 120], [178, 165, 110], [217, 196, 86], [255, 233, 69]];
const MISSING = 255;
const REST = 400; // ms without another pin, after which undo knows of the last

/** Colour of 0 to 1. */
function colourOf(value) {
  const place = value * (MAP.length - 1), low = Math.min(MAP.length - 2, Math.floor(place)), part = place - low;
  return MAP[low].map((channel, k) => Math.round(channel + part * (MAP[low + 1][k] - channel)));
}

export class PathExplorer extends Viewer {
  /** @param {{commit: () => void}} host is told when what belongs into the workflow changed */
  constructor({ commit = () => {} } = {}) {
    super("ck-path-explorer", 420, commit);
    this.stills = [null, null];
    this.pair = [0, 0];
    this.area = make("div", "ck-path", this.root);
    this.canvas = make("canvas", "ck-matrix", this.area, { tabIndex: 0, role: "application", ariaLabel: "Distances of all pairs of frames; arrow keys walk along the path" });
    this.side = make("div", "ck-frames", this.area);
    this.message = make("div", "ck-message", this.area, { textContent: "Run the node to see the path." });
    const bar = make("div", "ck-bar", this.root);
    this.button = make("button", "ck-main", bar, { type: "button", textContent: "▶ Walk", title: "Walk along the path at the reference's pace (space)", onclick: () => this.toggle() });
    this.slider = make("input", "", bar, { type: "range", min: 0, max: 0, value: 0, step: 1, ariaLabel: "Place on the path" });
    this.slider.oninput = () => { this.stop(); this.go(+this.slider.value); };
    this.snap = make("button", "", bar, { type: "button", textContent: "Keep to the path", title: "Show the pair of the path nearest to the pointer (p)", onclick: () => this._set({ free: !this.state.free }) });
    this.note = make("div", "ck-note", this.root, { ariaLive: "polite" });
    this.canvas.addEventListener("pointermove", (event) => this._point(event, false));
    this.canvas.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.canvas.setPointerCapture(event.pointerId);
      this.root.focus({ preventScroll: true });
      this._point(event, true);
    });
    this.canvas.addEventListener("pointerleave", () => { if (this.data && this.state.pin && !this.walking) this.show(...this._pinned()); });
    this.sizer.observe(this.area);
    this._apply();
  }

  _apply() {
    this.snap.ariaPressed = String(!this.state.free);
    if (this.data) this.show(...this._pinned());
  }

  /** The pair that was pinned, where these shots have it; else the path's first. */
  _pinned() {
    const { pin } = this.state, has = Array.isArray(pin) && pin.length === 2 && pin.every((n, k) => Number.isInteger(n) && n >= 0 && n < this.data.t[k].length);
    return has ? pin : this.data.path[0];
  }

  /** Pin a pair now, and tell the workflow when the hand rests. */
  _pin(pair) {
    this.state.pin = pair;
    this.show(...pair);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.commit(), REST);
  }

  /** @param {{data: object, videos: (object | null)[]}} payload files of the host */
  async load(payload) {
    const data = await this._take(payload, "The explorer's data are gone, as ComfyUI empties its temp folder when it starts: run the node again.");
    if (!data) return;
    this.data = data;
    this.slider.max = data.path.length - 1;
    this.boxes = data.names.map((name, k) => this._frame(name, COLOURS[k]));
    this.stills = payload.videos.map((file, k) => file && this._still(urlOf(file), data.frames[k], this.boxes[k]));
    this.both = this._frame("over each other", "#e8e8e8");
    this._drawBase();
    this.layout();
    this._apply();
  }

  _frame(title, colour) {
    const box = make("div", "ck-cell", this.side), canvas = make("canvas", "", box, { width: 480, height: 360 });
    make("div", "ck-name", box, { textContent: title }).style.borderColor = colour;
    return { box, canvas };
  }

  /** A clip of which one frame is shown at a time. */
  _still(url, times, { box, canvas }) {
    const video = make("video", "", null, { muted: true, playsInline: true, preload: "auto", src: url });
    box.prepend(video);
    canvas.hidden = true;
    return new InStep([video], [times], [[[0, 0], [Math.max(times.at(-1), 1e-3), Math.max(times.at(-1), 1e-3)]]]);
  }

  /** The matrix in its own pixels, one a pair. */
  _drawBase() {
    const { rows, columns, data } = this.data.distances, bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    this.base = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
    const picture = new ImageData(columns, rows);
    bytes.forEach((byte, k) => {
      const colour = byte === MISSING ? [60, 60, 60] : colourOf(byte / 254);
      // Rows run upwards: time goes up and to the right.
      const place = ((rows - 1 - Math.floor(k / columns)) * columns + (k % columns)) * 4;
      picture.data.set([...colour, 255], place);
    });
    this.bytes = bytes;
    this.base.getContext("2d").putImageData(picture, 0, 0);
  }

  layout() {
    dropShadow(this.root);
    const ratio = window.devicePixelRatio || 1, box = this.canvas.parentElement;
    if (!this.data || !box.clientWidth) return;
    const tall = box.clientHeight, wide = Math.min(box.clientWidth * 0.56, tall * (this.data.t[1].length / this.data.t[0].length) * 1.4);
    this.canvas.style.width = `${wide}px`;
    Object.assign(this.canvas, { width: Math.round(wide * ratio), height: Math.round(tall * ratio) });
    this.draw();
  }

  /** Place of a pair's middle in the canvas, its own pixels. */
  place(i, j) {
    const [n, m] = this.data.t.map((own) => own.length);
    return [((j + 0.5) / m) * this.canvas.width, (1 - (i + 0.5) / n) * this.canvas.height];
  }

  _point(event, pinned) {
    if (!this.data || (this.walking && !pinned)) return;
    const [x, y] = placeIn(event, this.canvas), [n, m] = this.data.t.map((own) => own.length);
    const held = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value)));
    let pair = [held((1 - y / this.canvas.height) * n, n), held((x / this.canvas.width) * m, m)];
    if (!this.state.free) pair = this.data.path[this.nearest(...pair)];
    this.stop();
    if (pinned || event.buttons & 1) this._pin(pair);
    else this.show(...pair);
  }

  /** Number of the path's step nearest to a pair. */
  nearest(i, j) {
    const [n, m] = this.data.t.map((own) => own.length);
    const far = ([a, b]) => ((a - i) / n) ** 2 + ((b - j) / m) ** 2;
    return this.data.path.reduce((best, step, k, path) => (far(step) < far(path[best]) ? k : best), 0);
  }

  /** Go to a step of the path, and pin it. */
  go(k) { this._pin(this.data.path[Math.max(0, Math.min(this.data.path.length - 1, k))]); }

  /** Show frame i of the reference and frame j of the other. */
  show(i, j) {
    this.pair = [i, j];
    this.slider.value = this.nearest(i, j);
    [i, j].forEach((frame, k) => {
      this.stills[k]?.seek(this.data.t[k][frame]);
      if (!this.stills[k]) this._drawPose(this.boxes[k].canvas, [[k, frame]]);
    });
    this._drawPose(this.both.canvas, [[0, i], [1, j]]);
    this.draw();
    this._say(i, j);
  }

  _say(i, j) {
    const { t, distances, tempo, names } = this.data;
    const byte = this.bytes[Math.floor(i / distances.row_step) * distances.columns + Math.floor(j / distances.column_step)];
    const apart = byte === MISSING ? "no joint in common" : `${shown((byte / 254) * distances.most, 0)} % of a trunk length apart`;
    const onPath = this.data.path.some(([a, b]) => a === i && b === j) ? "on the path" : "off the path";
    this.note.textContent =
      `${names[0]}: frame ${i}, ${shown(t[0][i])} s · ${names[1]}: frame ${j}, ${shown(t[1][j])} s · ${apart} · tempo ${shown(tempo[i])} · ${onPath}`;
  }

  /** Skeletons in the reference's place; alone in left and right, two of them each in its clip's colour. */
  _drawPose(canvas, which) {
    const { poses, box } = this.data, pen = canvas.getContext("2d");
    const scale = Math.min(canvas.width / box[2], canvas.height / box[3]);
    const tile = (k) => ({ size: [box[2], box[3]], pose: poses[k], bat: null, t: this.data.t[k] });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const left = (canvas.width - scale * box[2]) / 2 - scale * box[0], top = (canvas.height - scale * box[3]) / 2 - scale * box[1];
    for (const [k, frame] of which) {
      pen.setTransform(scale, 0, 0, scale, left, top);
      drawOverlay(pen, null, tile(k), frame, () => true, [], which.length > 1 ? COLOURS[k] : null);
    }
    canvas.hidden = false;
  }

  draw() {
    if (!this.data) return;
    const pen = this.canvas.getContext("2d"), { width, height } = this.canvas, ratio = window.devicePixelRatio || 1;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.base, 0, 0, width, height);
    pen.lineWidth = 2 * ratio;
    pen.strokeStyle = "#fff";
    pen.beginPath();
    this.data.path.forEach(([i, j], k) => pen[k ? "lineTo" : "moveTo"](...this.place(i, j)));
    pen.stroke();
    pen.setLineDash([4 * ratio, 4 * ratio]);
    this.data.impact.forEach((frame, k) => {
      if (frame === null) return;
      const [x, y] = k ? this.place(0, frame) : this.place(frame, 0);
      this._line(pen, k ? [x, 0, x, height] : [0, y, width, y], COLOURS[k], ratio);
    });
    pen.setLineDash([]);
    const [x, y] = this.place(...this.pair);
    this._line(pen, [x, 0, x, height], "#fff8", ratio);
    this._line(pen, [0, y, width, y], "#fff8", ratio);
    pen.beginPath();
    pen.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
    pen.fillStyle = "#ff4081";
    pen.fill();
    pen.fillStyle = "#fff";
    pen.font = `${11 * ratio}px system-ui, sans-serif`;
    pen.textAlign = "right";
    pen.fillText(`${this.data.names[1]} →`, width - 6 * ratio, height - 6 * ratio);
    pen.save();
    pen.translate(13 * ratio, 6 * ratio);
    pen.rotate(-Math.PI / 2);
    pen.fillText(`${this.data.names[0]} →`, 0, 0);
    pen.restore();
  }

  _line(pen, [x1, y1, x2, y2], colour, width) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
  }

  toggle() {
    if (!this.data) return;
    if (this.walking) return this.stop();
    const { t, path } = this.data;
    let from = this.nearest(...this.pair);
    if (from >= path.length - 1) from = 0;
    const began = performance.now(), first = t[0][path[from][0]];
    this.button.textContent = "❚❚ Stop";
    const walk = (now) => {
      const due = first + (now - began) / 1000;
      // Where several steps belong to one frame of the reference, they share its time.
      while (from < path.length - 1 && t[0][path[from + 1][0]] <= due) from += 1;
      if (this.pair[0] !== path[from][0] || this.pair[1] !== path[from][1]) this.show(...path[from]);
      if (from >= path.length - 1) return this.stop();
      this.walking = requestAnimationFrame(walk);
    };
    this.walking = requestAnimationFrame(walk);
  }

  stop() {
    cancelAnimationFrame(this.walking);
    this.walking = 0;
    this.button.textContent = "▶ Walk";
  }

  _key(event) {
    if (!this.data || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.nearest(...this.pair), by = event.shiftKey ? 10 : 1;
    const acts = {
      ArrowRight: () => this.go(at + by), ArrowUp: () => this.go(at + by), ArrowLeft: () => this.go(at - by), ArrowDown: () => this.go(at - by),
      Home: () => this.go(0), End: () => this.go(this.data.path.length - 1), " ": () => this.toggle(), p: () => this.snap.click(),
    };
    if (!acts[event.key] || (event.key === " " && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    event.stopPropagation(); // the graph's own shortcuts
    if (event.key !== " ") this.stop();
    acts[event.key]();
  }

  clear() {
    this.stop();
    clearTimeout(this.resting);
    this.stills.forEach((still) => still?.destroy());
    this.side.replaceChildren();
    this.stills = [null, null];
    this.data = this.key = null;
  }
}
