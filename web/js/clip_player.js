/** Clips played in step, with skeleton and bat drawn over them; and a click that says where the batter, or the tip of the bat, is. */

import { COLOURS, Viewer, dropShadow, make, placeIn, shown, urlOf } from "./dom.js";
import { InStep } from "./in_step.js";
import { drawOverlay } from "./overlay.js";
import { SwingChart } from "./swing_chart.js";

const LAYERS = [["video", "Video", "v"], ["skeleton", "Skeleton", "s"], ["bat", "Bat", "b"], ["trail", "Trail", "t"], ["names", "Names", "n"]];
const RATES = [0.1, 0.25, 0.5, 0.75, 1];
const SYNCS = { start: "from the start", impact: "by impact", dtw: "in step (DTW)" };
const FINEST = 960; // px, longest side of an overlay

export class ClipPlayer extends Viewer {
  /** @param {{commit: () => void, height?: number}} host is told when what belongs into the workflow changed */
  constructor({ commit = () => {}, height = 330 } = {}) {
    super("ck-clip-player", height, commit);
    this.cells = [];
    this.tiles = [];
    this.marks = [];
    this.onpick = null;
    this.grid = make("div", "ck-grid", this.root);
    this.message = make("div", "ck-message", this.grid, { textContent: "Run the node to see the clips." });
    this._buildBar();
    this.sizer.observe(this.grid);
  }

  _buildBar() {
    const bar = make("div", "ck-bar", this.root);
    const button = (text, title, onclick, className = "") => make("button", className, bar, { type: "button", textContent: text, title, onclick });
    this.button = button("▶ Play all", "Play or pause all clips (space)", () => this.toggle(), "ck-main");
    button("◀", "One frame back (left arrow; with shift ten)", () => this.inStep?.step(-1)).ariaLabel = "One frame back";
    this.slider = make("input", "", bar, { type: "range", min: 0, max: 0, value: 0, step: 1, ariaLabel: "Place in the clips, in frames" });
    this.slider.oninput = () => this._scrub(+this.slider.value);
    button("▶", "One frame on (right arrow; with shift ten)", () => this.inStep?.step(1)).ariaLabel = "One frame on";
    this.time = make("span", "ck-time", bar, { textContent: "" });
    const tools = make("div", "ck-bar", this.root);
    this.rate = make("select", "", tools, { title: "Speed", ariaLabel: "Speed" });
    for (const value of RATES) make("option", "", this.rate, { value, textContent: `${value}×` });
    this.rate.onchange = () => this._set({ rate: +this.rate.value });
    this.sync = make("select", "", tools, { title: "What the clips have in common", ariaLabel: "What the clips have in common" });
    this.sync.onchange = () => this._set({ sync: this.sync.value });
    const toggle = (name, text, key, change) => make("button", "", tools, { type: "button", textContent: text, title: `${text} (${key})`, onclick: change, name });
    this.loop = toggle("loop", "Loop", "l", () => this._set({ loop: !this.state.loop }));
    this.layers = LAYERS.map(([name, text, key]) => toggle(name, text, key, () => this._set({ hidden: this._flip(name) })));
    this.picks = make("div", "ck-picks", this.root);
    this._apply();
  }

  _flip(name) {
    const hidden = new Set(this.state.hidden ?? []);
    if (!hidden.delete(name)) hidden.add(name);
    return [...hidden];
  }

  shows(layer) { return !(this.state.hidden ?? []).includes(layer); }

  _apply() {
    this.rate.value = this.state.rate ?? 1;
    this.loop.ariaPressed = String(!!this.state.loop);
    this.layers.forEach((button) => { button.ariaPressed = String(this.shows(button.name)); });
    if (!this.inStep) return;
    this.inStep.rate = this.state.rate ?? 1;
    this.inStep.loop = !!this.state.loop;
    const sync = this.syncs[this.state.sync] ? this.state.sync : "start";
    this.sync.value = sync;
    if (this.inStep.maps !== this.syncs[sync]) {
      this.inStep.setMaps(this.syncs[sync]);
      this._measure();
      this.chart?.load(this.tiles, (i, seconds) => this.inStep.lineOf(i, seconds), this.inStep.duration);
    }
    this.cells.forEach((cell) => cell.box.classList.toggle("ck-no-video", !this.shows("video")));
    this.cells.forEach((cell) => { cell.name.hidden = !this.shows("names"); });
    this.draw();
  }

  /**
   * Show clips.
   *
   * @param {{clips: object[], data: object}} payload files of the host: the videos, and the JSON of tiles and sync
   * @param {number | null} only the number of the one clip to show
   */
  async load(payload, only = null) {
    const data = await this._take(payload, "The clips' copies are gone, as ComfyUI empties its temp folder when it starts: run the node again.", only);
    if (!data) return;
    const chosen = only === null ? data.tiles.map((_, i) => i) : [only];
    this.tiles = chosen.map((i) => data.tiles[i]);
    this.syncs = Object.fromEntries(Object.entries(data.sync).filter(([, maps]) => maps).map(([name, maps]) => [name, chosen.map((i) => maps[i])]));
    this.cells = chosen.map((i, place) => this._cell(urlOf(payload.clips[i]), this.tiles[place], place));
    this.sync.replaceChildren(...Object.keys(this.syncs).map((name) => make("option", "", null, { value: name, textContent: SYNCS[name] })));
    this.sync.hidden = Object.keys(this.syncs).length < 2 || this.cells.length < 2;
    this.inStep = new InStep(this.cells.map((cell) => cell.video), this.tiles.map((tile) => tile.t), this.syncs.start);
    this.inStep.onframe = () => this.draw();
    this.inStep.onstate = () => { this.button.textContent = this.inStep.playing ? "❚❚ Pause" : this._playText(); };
    this.button.textContent = this._playText();
    if (this.tiles.some((tile) => tile.swing)) this._addChart();
    this._measure();
    this._apply();
    this.layout();
  }

  _playText() { return this.cells.length > 1 ? "▶ Play all" : "▶ Play"; }

  _addChart() {
    this.chart = new SwingChart();
    this.grid.after(this.chart.root);
    this.chart.load(this.tiles, (i, seconds) => this.inStep.lineOf(i, seconds), this.inStep.duration);
    this.chart.onseek = (u) => {
      this.inStep.pause();
      this.inStep.seek(u);
    };
  }

  _measure() {
    const own = this.tiles[this.inStep.master].t;
    this.tick = own.length > 1 ? (own.at(-1) - own[0]) / (own.length - 1) : this.inStep.duration;
    this.slider.max = Math.max(0, Math.ceil(this.inStep.duration / this.tick - 1e-6) - 1);
  }

  _cell(url, tile, place) {
    const box = make("div", "ck-cell", this.grid);
    const video = make("video", "", box, { muted: true, playsInline: true, preload: "auto", src: url, disablePictureInPicture: true });
    const scale = Math.min(1, FINEST / Math.max(...tile.size));
    const canvas = make("canvas", "", box, { width: Math.round(tile.size[0] * scale), height: Math.round(tile.size[1] * scale) });
    const name = make("div", "ck-name", box, { textContent: tile.name });
    name.style.borderColor = COLOURS[place % COLOURS.length];
    const cell = { box, video, canvas, name, scale };
    canvas.addEventListener("pointerdown", (event) => this._press(event, cell, place));
    video.addEventListener("error", () => { name.textContent = `${tile.name}: this browser can't play it`; });
    return cell;
  }

  _press(event, cell, place) {
    event.stopPropagation();
    this.root.focus({ preventScroll: true });
    if (!this.onpick) return;
    event.preventDefault();
    this.inStep.pause();
    const [x, y] = placeIn(event, cell.canvas).map((value) => Math.round((value / cell.scale) * 10) / 10);
    this.onpick({ clip: place, frame: this.inStep.frameOf(place), x, y });
  }

  /** Columns that give the largest cells. */
  layout() {
    dropShadow(this.root);
    const width = this.grid.clientWidth, height = this.grid.clientHeight, count = this.cells.length;
    if (!count || !width || !height) return;
    const shape = Math.max(...this.tiles.map((tile) => tile.size[0] / tile.size[1]));
    let best = [1, 0];
    for (let columns = 1; columns <= count; columns++) {
      const wide = Math.min(width / columns, (height / Math.ceil(count / columns)) * shape);
      if (wide > best[1]) best = [columns, wide];
    }
    const [columns, wide] = best, high = wide / shape;
    const left = (width - columns * wide) / 2, top = (height - Math.ceil(count / columns) * high) / 2;
    this.cells.forEach((cell, i) => {
      const own = this.tiles[i].size[0] / this.tiles[i].size[1], fit = Math.min(1, own / shape);
      Object.assign(cell.box.style, {
        left: `${left + (i % columns) * wide + (wide * (1 - fit)) / 2}px`, top: `${top + Math.floor(i / columns) * high}px`,
        width: `${wide * fit - 2}px`, height: `${(wide * fit) / own - 2}px`,
      });
    });
    this.draw();
  }

  toggle() { this.inStep?.playing ? this.inStep.pause() : this.inStep?.play(); }

  _scrub(n) {
    this.inStep.pause();
    this.inStep.seek((n + 0.5) * this.tick);
  }

  _key(event) {
    if (!this.inStep || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const by = event.shiftKey ? 10 : 1, step = this.inStep;
    const layer = LAYERS.find(([, , key]) => key === event.key);
    const acts = {
      " ": () => this.toggle(), ArrowLeft: () => step.step(-by), ArrowRight: () => step.step(by),
      Home: () => { step.pause(); step.seek(0); }, End: () => { step.pause(); step.seek(step.duration); }, l: () => this.loop.click(),
    };
    const act = layer ? () => this._set({ hidden: this._flip(layer[0]) }) : acts[event.key];
    if (!act || (event.key === " " && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    event.stopPropagation(); // the graph's own shortcuts
    act();
  }

  /** Draw the overlays of all clips, the time, and the chart's cursor. */
  draw() {
    if (!this.inStep) return;
    this.cells.forEach((cell, i) => {
      const frame = this.inStep.frameOf(i);
      const marks = this.marks.filter((mark) => mark.clip === i && (mark.frame === null || mark.frame === frame));
      drawOverlay(cell.canvas.getContext("2d"), cell.scale, this.tiles[i], frame, (layer) => this.shows(layer), marks);
    });
    const master = this.inStep.master;
    this.slider.value = Math.floor(this.inStep.now / this.tick + 1e-6);
    this.time.textContent = `${shown(this.inStep.now)} s · frame ${this.inStep.frameOf(master)} of ${this.tiles[master].t.length}`;
    this.chart?.setCursor(this.inStep.now);
  }

  clear() {
    this.inStep?.destroy();
    this.chart?.destroy();
    this.cells.forEach((cell) => cell.box.remove());
    this.cells = [];
    this.tiles = [];
    this.inStep = this.chart = this.key = null;
  }
}
