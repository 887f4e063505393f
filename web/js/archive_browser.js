/** An archive of shots to look through: a dot a clip, its figures, and its skeleton moving under the pointer. */

import { api } from "../../../scripts/api.js";
import { ArchiveChart, drawSign } from "./archive_chart.js";
import { Viewer, dropShadow, make, shown } from "./dom.js";
import { drawOverlay } from "./overlay.js";

const REST = 60; // ms on a dot before its skeleton is asked for: a pointer that passes over hundreds asks for none
const PAUSE = 0.5; // s between two rounds of the skeleton
const KEPT = 200; // strokes kept in memory
const SIZE = 2000; // of the picture that lines are drawn for, in steps of a stroke's box: bold enough in a small field

export class ArchiveBrowser extends Viewer {
  /** @param {{commit: () => void, pick: (name: string) => void}} host is told what changed in the workflow, and the name of a clip that was picked */
  constructor({ commit = () => {}, pick = () => {} } = {}) {
    super("ck-archive-browser", 420, commit);
    Object.assign(this, { pick, picked: "", at: null, strokes: new Map() });
    this.area = make("div", "ck-archive", this.root);
    this.chart = new ArchiveChart(this.area, { onpoint: (n) => this.show(n ?? this._pickedAt()), onpick: (n) => this.choose(n) });
    const side = make("div", "ck-side", this.area), box = make("div", "ck-cell", side);
    this.figure = make("canvas", "", box, { width: 360, height: 360 });
    this.name = make("div", "ck-name", box);
    this.figures = make("div", "ck-figures", side);
    this.silent = make("label", "ck-silent", side);
    this.silentText = make("span", "", this.silent);
    this.list = make("select", "", this.silent, { size: 4, onchange: () => this.show(+this.list.value), ondblclick: () => this.choose(+this.list.value) });
    this.message = make("div", "ck-message", this.area, { textContent: "Run the node to see the archive." });
    const bar = make("div", "ck-bar", this.root);
    this.button = make("button", "ck-main", bar, { type: "button", textContent: "Pick", title: "Hand this clip on when the node runs next (Enter)", onclick: () => this.choose(this.at) });
    this.units = make("select", "", bar, { ariaLabel: "Unit of speed", onchange: () => this._set({ unit: this.units.value }) });
    this.wide = make("button", "", bar, { type: "button", textContent: "Whole", title: "Show all again; drag a box in the chart to look closer (0)", onclick: () => this.chart.zoom(null) });
    this.legend = make("div", "ck-bar", bar);
    this.note = make("div", "ck-note", this.root, { ariaLive: "polite" });
    for (const kind of ["pointerenter", "focusin"]) this.root.addEventListener(kind, () => this.play());
    for (const kind of ["pointerleave", "focusout"]) this.root.addEventListener(kind, () => this._leave());
    this.sizer.observe(this.area);
    this.clear();
  }

  /** @param {{data: object, archive: string}} payload a file of the host, and what the host calls the archive */
  async load(payload) {
    const data = await this._take(payload, "The browser's data are gone, as ComfyUI empties its temp folder when it starts: run the node again.");
    if (!data) return;
    this.archive = payload.archive;
    this.message.hidden = data.key.length > 0;
    this.message.textContent = "No clip is in this archive yet: run Build Archive with a folder of clips.";
    if (data.key.length) this.data = data;
    this._apply();
  }

  /** Whether a clip has both peaks. */
  _told(n) { return this.data.speed[n] !== null && this.data.omega[n] !== null; }

  _apply() {
    if (!this.data) return;
    const { data } = this, all = data.key.map((_, n) => n), told = all.filter((n) => this._told(n)), count = new Map();
    for (const n of told) count.set(data.unit[n], (count.get(data.unit[n]) ?? 0) + 1);
    const units = [...count.keys()].sort((a, b) => count.get(b) - count.get(a));
    this.unit = units.includes(this.state.unit) ? this.state.unit : units[0];
    this.units.replaceChildren(...units.map((unit) => make("option", "", null, { value: unit, textContent: `${unit} (${count.get(unit)})` })));
    this.units.hidden = units.length < 2;
    this.units.value = this.unit ?? "";
    const hidden = new Set(this.state.hidden ?? []), typical = new Set(data.clusters.map((cluster) => cluster.typical));
    this.chart.load(told.filter((n) => data.unit[n] === this.unit && !hidden.has(data.clusters[data.cluster[n]]?.label)).map((n) => ({
      n, x: data.speed[n], y: data.omega[n], dx: data.speed_sigma[n] ?? 0, dy: data.omega_sigma[n] ?? 0, cluster: data.cluster[n], typical: typical.has(n),
    })), this.unit);
    this.legend.replaceChildren(...data.clusters.map((cluster, k) => this._legend(cluster, k, hidden)));
    const silent = all.filter((n) => !this._told(n));
    this.silent.hidden = !silent.length;
    this.silentText.textContent = `no speed told: ${silent.length}`;
    this.list.replaceChildren(...silent.map((n) => make("option", "", null, { value: n, textContent: data.name[n], title: data.reason[n] })));
    this.setPicked(this.picked);
  }

  _legend({ label, count }, k, hidden) {
    const button = make("button", "", null, {
      type: "button", title: "Show or hide this cluster", ariaPressed: String(!hidden.has(label)),
      onclick: () => this._set({ hidden: hidden.has(label) ? [...hidden].filter((own) => own !== label) : [...hidden, label] }),
    });
    const sign = make("canvas", "ck-sign", button, { width: 28, height: 28 }), pen = sign.getContext("2d");
    pen.scale(2, 2);
    drawSign(pen, 7, 7, 4.5, k, getComputedStyle(this.root).color);
    button.append(`${label.replaceAll("_", " ")} (${count})`);
    return button;
  }

  _pickedAt() {
    const n = this.data?.name.indexOf(this.picked) ?? -1;
    return n < 0 ? null : n;
  }

  /** Mark the clip of this name, as the workflow has it. */
  setPicked(name) {
    this.picked = name ?? "";
    if (!this.data) return;
    this.chart.picked = this._pickedAt();
    this.show(this.chart.picked);
  }

  /** Pick clip n. */
  choose(n) {
    if (n === null || !this.data) return;
    this.picked = this.data.name[n];
    this.chart.picked = n;
    this.pick(this.picked);
    this.show(n);
  }

  /** Show clip n's figures now, and its skeleton as soon as it is there. */
  show(n) {
    if (!this.data) return;
    if (n !== this.at || !this.name.textContent) {
      this.at = n;
      this.stroke = null;
      cancelAnimationFrame(this.frame);
      this._wipe();
      clearTimeout(this.resting);
      if (n !== null) this.resting = setTimeout(() => this._fetch(n), this.strokes.has(n) ? 0 : REST);
    }
    this.chart.shown = n;
    this.chart.draw();
    const row = [...this.list.options].findIndex((option) => +option.value === n);
    if (this.list.selectedIndex !== row) this.list.selectedIndex = row;
    this.button.disabled = n === null;
    this._say(n);
  }

  _say(n) {
    const { data } = this, told = data.key.length - this.list.options.length;
    this.name.hidden = n === null;
    const failed = data.failures ? `, ${data.failures} ${data.failures === 1 ? "file" : "files"} not measured` : "";
    const missing = this.picked && this._pickedAt() === null ? ` ${this.picked} isn't in this archive: pick another.` : "";
    if (n === null) {
      this.name.textContent = "–";
      this.figures.replaceChildren();
      this.note.textContent = `${data.key.length} clips, ${told} with speed and ω${failed}.${missing} Point at a dot; a click picks it.`;
      return;
    }
    this.name.textContent = data.name[n];
    const value = (what, unit) => (data[what][n] === null ? null : `${shown(data[what][n], 1)} ± ${shown(data[`${what}_sigma`][n], 1)} ${unit}`);
    const cluster = data.clusters[data.cluster[n]], lines = [
      ["tip speed", value("speed", data.unit[n])], ["ω", value("omega", "rad/s")], ["no speed told", this._told(n) ? null : data.reason[n]],
      ["cluster", cluster && cluster.label.replaceAll("_", " ") + (cluster.typical === n ? " (its typical shot)" : "")], ["chain", data.chain[n].join(" → ").replaceAll("_", " ")],
      ["clip", data.seconds[n] === null ? null : `${shown(data.seconds[n])} s, ${shown(data.fps[n], 1)} frames/s`], ["note", data.flags[n].join(" ")],
    ];
    this.figures.replaceChildren(...lines.filter(([, text]) => text).flatMap(([what, text]) => [make("dt", "", null, { textContent: what }), make("dd", "", null, { textContent: text })]));
    const peaks = this._told(n) ? `${value("speed", data.unit[n])}, ω ${value("omega", "rad/s")}` : "no speed told";
    this.note.textContent = `${data.name[n]}: ${peaks}${data.name[n] === this.picked ? " · picked: handed on when the node runs" : ""}`;
  }

  async _fetch(n) {
    const key = this.key;
    if (!this.strokes.has(n)) {
      const asked = api.fetchApi("/correlated_kinetics/archive_stroke?" + new URLSearchParams({ archive: this.archive, key: this.data.key[n] })).catch(() => null);
      const answer = await asked, stroke = answer?.ok ? await answer.json() : null;
      if (key !== this.key) return;
      if (this.strokes.size >= KEPT) this.strokes.delete(this.strokes.keys().next().value);
      if (stroke) this.strokes.set(n, stroke);
    }
    if (this.at !== n) return;
    this.stroke = this.strokes.get(n) ?? null;
    if (!this.stroke) return this._wipe("its skeleton can't be read");
    this.play();
  }

  /** Move the skeleton; where nobody looks, its moment stands. */
  play() {
    cancelAnimationFrame(this.frame);
    if (!this.stroke) return;
    if (!this._looked()) return this._draw(this.stroke.moment ?? 0);
    const { t } = this.stroke, began = performance.now();
    const step = (now) => {
      const due = ((now - began) / 1000) % (t.at(-1) + PAUSE);
      let k = 0;
      while (k < t.length - 1 && t[k + 1] <= due) k += 1;
      this._draw(k);
      this.frame = requestAnimationFrame(step);
    };
    step(began);
  }

  _looked() { return this.root.matches(":hover") || this.root.contains(document.activeElement); }

  _leave() {
    // The focus is nowhere yet while it moves.
    setTimeout(() => { if (!this._looked()) this.play(); });
  }

  _draw(k) {
    if (k === this.drawn?.k && this.stroke === this.drawn.stroke) return;
    const { box, pose, bat, t, moment } = this.stroke, pen = this._wipe(), { width, height } = this.figure, foot = 14;
    const scale = Math.min(width / box[0], (height - foot) / box[1]);
    pen.setTransform(scale, 0, 0, scale, (width - scale * box[0]) / 2, (height - foot - scale * box[1]) / 2);
    drawOverlay(pen, null, { size: [SIZE, SIZE], pose, bat, t }, k, () => true);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    const along = (time) => 10 + (time / (t.at(-1) || 1)) * (width - 20);
    pen.fillStyle = "#fff6";
    pen.fillRect(10, height - 8, width - 20, 2);
    if (moment !== null) pen.fillRect(along(t[moment]) - 1, height - 12, 2, 10);
    pen.fillStyle = "#fff";
    pen.fillRect(along(t[k]) - 2, height - 10, 4, 6);
    this.drawn = { k, stroke: this.stroke };
  }

  _wipe(text = "") {
    const pen = this.figure.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.figure.width, this.figure.height);
    this.drawn = null;
    if (text) {
      pen.fillStyle = "#fff";
      pen.font = "20px system-ui, sans-serif";
      pen.fillText(text, 20, this.figure.height / 2);
    }
    return pen;
  }

  layout() {
    dropShadow(this.root);
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = this.figure;
    if (width && height) Object.assign(this.figure, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    if (this.stroke) this._draw(this.stroke.moment ?? 0);
    this.chart.resize();
  }

  _key(event) {
    if (!this.data || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT" || (event.key === "Enter" && event.target.tagName === "BUTTON")) return;
    const by = event.shiftKey ? 10 : 1, go = (order, step) => this.show(this.chart.after(this.at, order, step));
    const acts = {
      ArrowRight: () => go("across", by), ArrowLeft: () => go("across", -by), ArrowUp: () => go("up", by), ArrowDown: () => go("up", -by),
      Home: () => go("across", -Infinity), End: () => go("across", Infinity), Enter: () => this.choose(this.at), 0: () => this.chart.zoom(null),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // the graph's own shortcuts
    acts[event.key]();
  }

  clear() {
    clearTimeout(this.resting);
    cancelAnimationFrame(this.frame);
    this.data = this.key = this.stroke = this.at = this.chart.shown = this.chart.picked = null;
    this.strokes.clear();
    this.chart.load([], "");
    for (const part of [this.legend, this.list, this.figures]) part.replaceChildren();
    for (const part of [this.units, this.silent, this.name]) part.hidden = true;
    this.button.disabled = true;
    this.note.textContent = this.name.textContent = "";
    this._wipe();
  }
}
