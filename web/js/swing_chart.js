/** Tip speed and angular velocity over the clips' common time, with 1σ and 2σ bands, phases, impact, peaks, and a cursor. */

import { COLOURS, make, shown } from "./dom.js";

const LEFT = 46, RIGHT = 8, TOP = 25, GAP = 8, BOTTOM = 14; // px round the panels
const SHARE = 0.56; // of the height that speed gets
const SHADE = ["26", "40"]; // opacity of the 2σ and of the 1σ band, as hexadecimal digits
const PHASES = { stance: "stance", backlift: "backlift", downswing: "downswing", follow_through: "follow-through" };

/** Steps of an axis: 1, 2 or 5 times a power of ten, about `count` of them. */
export function stepOf(span, count) {
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

export class SwingChart {
  constructor() {
    this.root = make("div", "ck-chart");
    this.canvas = make("canvas", "", this.root, { tabIndex: 0, role: "slider", ariaLabel: "Time in the swings" });
    this.note = make("div", "ck-note", null, { ariaLive: "polite" });
    this.base = document.createElement("canvas");
    this.onseek = () => {};
    this.cursor = 0;
    this.series = [];
    this.canvas.addEventListener("pointerdown", (event) => this._drag(event));
    this.canvas.addEventListener("keydown", (event) => this._key(event));
    this.sizer = new ResizeObserver(() => this.resize());
    this.sizer.observe(this.root);
  }

  /**
   * @param {object[]} tiles those without a swing are left out
   * @param {(i: number, seconds: number) => number} toLine seconds of a clip to seconds of the common line
   * @param {number} duration of the common line, s
   */
  load(tiles, toLine, duration) {
    this.duration = Math.max(duration, 1e-3);
    this.series = tiles.map((tile, i) => ({ tile, i, swing: tile.swing })).filter(({ swing }) => swing).map(({ tile, i, swing }) => ({
      name: tile.name, colour: COLOURS[i % COLOURS.length], swing, u: swing.t.map((t) => toLine(i, t)), at: (t) => toLine(i, t),
    }));
    this.note.replaceChildren();
    this.root.after(this.note);
    this.resize();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, width = this.root.clientWidth, height = this.root.clientHeight;
    if (!width || !height) return;
    this.ratio = ratio;
    for (const canvas of [this.canvas, this.base]) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this._drawBase();
    this.setCursor(this.cursor);
  }

  /** Place across of a time of the line, CSS px. */
  x(u) { return LEFT + (u / this.duration) * (this.canvas.width / this.ratio - LEFT - RIGHT); }

  /** The two panels: their name, unit, series, and place. */
  panels() {
    const height = this.canvas.height / this.ratio - TOP - GAP - BOTTOM, split = TOP + height * SHARE;
    const unit = [...new Set(this.series.map(({ swing }) => swing.per_second.replace("body heights", "body")))].join(", ");
    return [
      { kind: "speed", label: "tip speed", unit, top: TOP, bottom: split, ...this._range("speed", true) },
      { kind: "omega", label: "ω", unit: "rad/s", top: split + GAP, bottom: split + GAP + height * (1 - SHARE), ...this._range("omega", false) },
    ];
  }

  _range(kind, fromZero) {
    let low = 0, high = 1e-9;
    for (const { swing } of this.series) {
      swing[kind].value.forEach((value, n) => {
        if (value === null) return;
        const reach = swing[kind].sigma[n] ?? 0;
        high = Math.max(high, value + reach);
        low = Math.min(low, value - reach);
      });
      const peak = kind === "speed" && swing.peak_speed;
      if (peak) high = Math.max(high, peak.value + peak.sigma);
    }
    return { low: fromZero ? 0 : low, high: high * 1.05 };
  }

  _drawBase() {
    const pen = this.base.getContext("2d"), css = getComputedStyle(this.root);
    this.ink = css.color;
    this.dark = css.color.match(/[\d.]+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0) < 384;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.base.width, this.base.height);
    pen.font = "10px system-ui, sans-serif";
    pen.fillStyle = this.ink;
    if (!this.series.length) return void pen.fillText("No swing was measured for these clips.", LEFT, TOP + 20);
    this._drawPhases(pen);
    for (const panel of this.panels()) {
      this._drawAxis(pen, panel);
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, panel.top, this.x(this.duration) - LEFT, panel.bottom - panel.top);
      pen.clip();
      for (const series of this.series) this._drawSeries(pen, panel, series);
      pen.restore();
    }
  }

  y(panel, value) { return panel.bottom - ((value - panel.low) / (panel.high - panel.low)) * (panel.bottom - panel.top); }

  _drawAxis(pen, panel) {
    pen.fillStyle = this.ink;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 0.5;
    pen.textAlign = "right";
    const step = stepOf(panel.high - panel.low, 3);
    for (let value = Math.ceil(panel.low / step) * step; value <= panel.high; value += step) {
      const y = this.y(panel, value);
      pen.globalAlpha = 0.25;
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(this.x(this.duration), y);
      pen.stroke();
      pen.globalAlpha = 1;
      pen.fillText(String(+value.toPrecision(6)), LEFT - 4, y + 3);
    }
    pen.save();
    pen.translate(9, (panel.top + panel.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(`${panel.label}, ${panel.unit}`, 0, 0, panel.bottom - panel.top + 6);
    pen.restore();
    if (panel.kind !== "omega") return;
    const seconds = stepOf(this.duration, 6);
    pen.textAlign = "center";
    for (let u = 0; u <= this.duration; u += seconds) pen.fillText(`${+u.toPrecision(6)}${u ? "" : " s"}`, this.x(u), panel.bottom + 11);
  }

  /** Stretches of the first swing's phases, and every swing's impact. */
  _drawPhases(pen) {
    const { swing, at } = this.series[0], bottom = this.canvas.height / this.ratio - BOTTOM;
    const parts = swing.phases.filter((part) => PHASES[part.name]).map((part) => ({ text: PHASES[part.name], from: this.x(at(part.start)), to: this.x(at(part.end)) }));
    pen.textAlign = "center";
    const ends = [LEFT, LEFT]; // of the labels in the two rows: the next one goes where there is room
    parts.forEach((part, k) => {
      pen.globalAlpha = k % 2 ? 0.05 : 0.11;
      pen.fillStyle = this.ink;
      pen.fillRect(part.from, TOP, part.to - part.from, bottom - TOP);
      pen.globalAlpha = 0.8;
      const half = pen.measureText(part.text).width / 2 + 3, middle = Math.max((part.from + part.to) / 2, LEFT + half);
      const row = ends.findIndex((end) => end <= middle - half);
      if (row < 0) return;
      ends[row] = middle + half;
      pen.fillText(part.text, middle, TOP - 4 - 10 * row);
    });
    pen.globalAlpha = 1;
    for (const { swing: own, colour: its, at: line } of this.series) {
      const colour = this._drawn(its);
      if (!own.impact) continue;
      const [x, low, high] = [own.impact.t, own.impact.t - own.impact.sigma, own.impact.t + own.impact.sigma].map((t) => this.x(line(t)));
      pen.fillStyle = colour + "30";
      pen.fillRect(low, TOP, high - low, bottom - TOP);
      pen.strokeStyle = colour;
      pen.setLineDash([3, 3]);
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x, TOP);
      pen.lineTo(x, bottom);
      pen.stroke();
      pen.setLineDash([]);
    }
  }

  /** A clip's colour, darker by two fifths under dark words, so that it stands out of a light ground too. */
  _drawn(colour) {
    const part = (k) => Math.round(0.6 * parseInt(colour.slice(k, k + 2), 16)).toString(16).padStart(2, "0");
    return this.dark ? `#${part(1)}${part(3)}${part(5)}` : colour;
  }

  _drawSeries(pen, panel, { swing, u, colour: its, at }) {
    const colour = this._drawn(its);
    const { value, sigma } = swing[panel.kind];
    for (const run of runsOf(value)) {
      [2, 1].forEach((times, k) => {
        pen.beginPath();
        run.forEach((n, j) => pen[j ? "lineTo" : "moveTo"](this.x(u[n]), this.y(panel, value[n] + times * (sigma[n] ?? 0))));
        [...run].reverse().forEach((n) => pen.lineTo(this.x(u[n]), this.y(panel, value[n] - times * (sigma[n] ?? 0))));
        pen.fillStyle = colour + SHADE[k];
        pen.fill();
      });
      pen.beginPath();
      run.forEach((n, j) => pen[j ? "lineTo" : "moveTo"](this.x(u[n]), this.y(panel, value[n])));
      if (run.length === 1) pen.lineTo(this.x(u[run[0]]) + 1, this.y(panel, value[run[0]]));
      pen.strokeStyle = colour;
      pen.lineWidth = 1.6;
      pen.stroke();
    }
    const found = panel.kind === "speed" ? swing.peak_speed : swing.peak_omega;
    if (!found) return;
    // The peak of omega is a magnitude: it is drawn on the side on which the curve is then.
    const n = swing.t.reduce((best, t, k) => (value[k] !== null && Math.abs(t - found.t) < Math.abs(swing.t[best] - found.t) ? k : best), 0);
    const peak = { ...found, value: panel.kind === "omega" && value[n] < 0 ? -found.value : found.value };
    const x = this.x(at(peak.t));
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = 1.2;
    pen.beginPath();
    pen.moveTo(x, this.y(panel, peak.value - peak.sigma));
    pen.lineTo(x, this.y(panel, peak.value + peak.sigma));
    pen.stroke();
    pen.beginPath();
    pen.arc(x, this.y(panel, peak.value), 3, 0, 2 * Math.PI);
    pen.fill();
  }

  /** What is measured at a time of the line, per swing: the sample nearest to it, where one is near. */
  valuesAt(u) {
    return this.series.map(({ name, colour, swing, u: line }) => {
      const n = line.reduce((best, place, k) => (Math.abs(place - u) < Math.abs(line[best] - u) ? k : best), 0);
      const step = line.length > 1 ? (line[line.length - 1] - line[0]) / (line.length - 1) : 0, near = Math.abs(line[n] - u) <= step;
      const told = (kind, unit) => {
        const value = near ? swing[kind].value[n] : null;
        return value === null ? "not measured" : `${shown(value, 1)} ± ${shown(swing[kind].sigma[n], 1)} ${unit}`;
      };
      return { name, colour, speed: told("speed", swing.per_second), omega: told("omega", "rad/s") };
    });
  }

  /** Move the cursor to a time of the common line, s. */
  setCursor(u) {
    this.cursor = u;
    if (!this.ratio) return;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.base, 0, 0);
    if (!this.series.length) return;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = this.ink;
    pen.fillRect(this.x(Math.min(u, this.duration)) - 0.5, TOP, 1, this.canvas.height / this.ratio - TOP - BOTTOM);
    this.canvas.ariaValueText = `${shown(u)} s`;
    this.valuesAt(u).forEach(({ name, colour, speed, omega }, k) => {
      const line = this.note.children[k] ?? make("span", "ck-value", this.note);
      line.style.borderColor = colour;
      const said = `${name}: ${speed}, ω ${omega}`;
      if (said !== line.textContent) line.textContent = said;
    });
  }

  _drag(event) {
    event.stopPropagation();
    this.canvas.setPointerCapture(event.pointerId);
    const go = (at) => {
      const box = this.canvas.getBoundingClientRect(), wide = this.canvas.width / this.ratio;
      const x = ((at.clientX - box.left) / box.width) * wide;
      this.onseek(Math.max(0, Math.min(this.duration, ((x - LEFT) / (wide - LEFT - RIGHT)) * this.duration)));
    };
    go(event);
    this.canvas.onpointermove = go;
    this.canvas.onpointerup = this.canvas.onpointercancel = () => { this.canvas.onpointermove = null; };
  }

  _key(event) {
    if (event.key !== "PageUp" && event.key !== "PageDown") return; // the player has the arrows
    event.preventDefault();
    event.stopPropagation();
    this.onseek(Math.max(0, Math.min(this.duration, this.cursor + (event.key === "PageUp" ? 0.1 : -0.1))));
  }

  destroy() {
    this.sizer.disconnect();
    this.note.remove();
    this.root.remove();
  }
}

/** Indices of the runs of values that are there. */
function runsOf(values) {
  const runs = [];
  values.forEach((value, n) => {
    if (value === null) return;
    if (n && values[n - 1] !== null) runs.at(-1).push(n);
    else runs.push([n]);
  });
  return runs;
}
