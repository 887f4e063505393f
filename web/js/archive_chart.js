/** Peak speed against peak angular velocity, a dot a clip: drawn once, looked up by place, walked through by key. */

import { make, placeIn } from "./dom.js";
import { stepOf } from "./swing_chart.js";

// Okabe and Ito's colours, told apart with every kind of colour vision; shapes go round in another number, so that 56 kinds differ.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const SHAPES = [
  [], [[-1, -1], [1, -1], [1, 1], [-1, 1]], [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]], [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
  [[0, 1.25], [1.15, -0.85], [-1.15, -0.85]], [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4],
    [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
  [[-1.3, -0.9], [0, -0.35], [1.3, -0.9], [0.75, 1.2], [-0.75, 1.2]], [[-1.3, -0.75], [0, -1.4], [1.3, -0.75], [1.3, 0.75], [0, 1.4], [-1.3, 0.75]],
];
const NONE = "#999999";
const LEFT = 50, RIGHT = 10, TOP = 10, BOTTOM = 32; // px round the field
const REACH = 18, DRAGGED = 6; // px from a dot that still mean it, and that make a drag of a click
const MANY = 1500; // dots from which on they are drawn smaller

/** Draw a cluster's sign; null: of none. */
export function drawSign(pen, x, y, size, cluster, ink) {
  const shape = cluster === null ? SHAPES[0] : SHAPES[cluster % SHAPES.length];
  pen.beginPath();
  if (!shape.length) pen.arc(x, y, size, 0, 2 * Math.PI);
  shape.forEach(([a, b], k) => pen[k ? "lineTo" : "moveTo"](x + a * size, y + b * size));
  pen.closePath();
  pen.fillStyle = cluster === null ? NONE : COLOURS[cluster % COLOURS.length];
  pen.fill();
  pen.strokeStyle = ink;
  pen.lineWidth = 0.7;
  pen.stroke();
}

export class ArchiveChart {
  /** @param {{onpoint: (n: number | null) => void, onpick: (n: number) => void}} told the number of the clip under the pointer, and of one that was clicked */
  constructor(parent, { onpoint, onpick }) {
    Object.assign(this, { onpoint, onpick, dots: [], whole: null, field: null, shown: null, picked: null });
    this.canvas = make("canvas", "ck-scatter", parent, { tabIndex: 0, role: "application", ariaLabel: "Peak speed against peak angular velocity, a dot a clip" });
    this.base = document.createElement("canvas");
    this.canvas.addEventListener("pointermove", (event) => this._move(event));
    this.canvas.addEventListener("pointerdown", (event) => this._down(event));
    this.canvas.addEventListener("pointerup", (event) => this._up(event));
    this.canvas.addEventListener("pointercancel", () => this._drop());
    this.canvas.addEventListener("pointerleave", () => { if (!this.from) this.onpoint(null); });
    this.canvas.addEventListener("dblclick", () => this.zoom(null));
  }

  /**
   * @param {{n: number, x: number, y: number, dx: number, dy: number, cluster: number | null, typical: boolean}[]} dots
   * @param {string} unit of x
   */
  load(dots, unit) {
    this.dots = dots;
    this.unit = unit;
    this.across = [...dots].sort((a, b) => a.x - b.x || a.n - b.n);
    this.up = [...dots].sort((a, b) => a.y - b.y || a.n - b.n);
    // With every dot's bar.
    const ends = (value, bar) => {
      let low = Infinity, high = -Infinity, least = Infinity;
      for (const dot of dots) [low, high, least] = [Math.min(low, dot[value] - dot[bar]), Math.max(high, dot[value] + dot[bar]), Math.min(least, dot[value])];
      const room = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
      return [Math.max(low - room, least >= 0 ? 0 : -Infinity), high + room];
    };
    this.whole = this.field = dots.length ? { x: ends("x", "dx"), y: ends("y", "dy") } : null;
    this.resize();
  }

  /** Show a part of the field, or all of it. */
  zoom(field) {
    this.field = field ?? this.whole;
    this._drawBase();
    this.draw();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.ratio = ratio;
    for (const canvas of [this.canvas, this.base]) Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    this._drawBase();
    this.draw();
  }

  _size() { return [this.canvas.width / this.ratio, this.canvas.height / this.ratio]; }

  /** Place of values in the canvas, CSS px. */
  place(x, y) {
    const [width, height] = this._size(), { x: [left, right], y: [low, high] } = this.field;
    return [LEFT + ((x - left) / (right - left)) * (width - LEFT - RIGHT), height - BOTTOM - ((y - low) / (high - low)) * (height - TOP - BOTTOM)];
  }

  _values(px, py) {
    const [width, height] = this._size(), { x: [left, right], y: [low, high] } = this.field;
    return [left + ((px - LEFT) / (width - LEFT - RIGHT)) * (right - left), low + ((height - BOTTOM - py) / (height - TOP - BOTTOM)) * (high - low)];
  }

  _radius() { return this.dots.length > MANY ? 2.6 : 4.5; }

  _within(pen) {
    const [width, height] = this._size();
    pen.beginPath();
    pen.rect(LEFT, TOP - 4, width - LEFT - RIGHT + 4, height - TOP - BOTTOM + 8);
    pen.clip();
  }

  _drawBase() {
    const pen = this.base.getContext("2d"), [width, height] = this._size();
    this.ink = getComputedStyle(this.canvas).color;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (!this.field) return;
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = pen.strokeStyle = this.ink;
    pen.lineWidth = 0.5;
    const { x: [left, right], y: [low, high] } = this.field;
    const marks = (from, to, count) => {
      const step = stepOf(to - from, count), first = Math.ceil(from / step);
      return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, k) => +((first + k) * step).toPrecision(6));
    };
    const line = (x1, y1, x2, y2) => {
      pen.globalAlpha = 0.2;
      pen.beginPath();
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
      pen.stroke();
      pen.globalAlpha = 1;
    };
    pen.textAlign = "center";
    for (const value of marks(left, right, Math.max(2, (width - LEFT) / 90))) {
      const [x] = this.place(value, low);
      line(x, TOP, x, height - BOTTOM);
      pen.fillText(String(value), x, height - BOTTOM + 13);
    }
    pen.textAlign = "right";
    for (const value of marks(low, high, Math.max(2, height / 60))) {
      const [, y] = this.place(left, value);
      line(LEFT, y, width - RIGHT, y);
      pen.fillText(String(value), LEFT - 5, y + 4);
    }
    pen.fillText(`peak tip speed, ${this.unit}`, width - RIGHT, height - 4);
    pen.save();
    pen.translate(12, TOP);
    pen.rotate(-Math.PI / 2);
    pen.fillText("peak ω, rad/s", 0, 0);
    pen.restore();
    pen.save();
    this._within(pen);
    const size = this._radius();
    // Clusters' typical shots lie on top.
    for (const typical of [false, true]) {
      for (const dot of this.dots) if (dot.typical === typical) drawSign(pen, ...this.place(dot.x, dot.y), typical ? 1.7 * size : size, dot.cluster, this.ink);
    }
    pen.restore();
  }

  draw() {
    if (!this.ratio) return;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.base, 0, 0);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (this.box) {
      const [x1, y1, x2, y2] = this.box;
      pen.fillStyle = "#4fc3f733";
      pen.strokeStyle = "#4fc3f7";
      pen.lineWidth = 1;
      pen.fillRect(x1, y1, x2 - x1, y2 - y1);
      pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
    if (!this.field) return;
    pen.save();
    this._within(pen);
    const picked = this.dots.find((dot) => dot.n === this.picked), shown = this.dots.find((dot) => dot.n === this.shown);
    if (picked) this._ring(pen, picked, 3);
    if (shown) {
      this._bars(pen, shown);
      drawSign(pen, ...this.place(shown.x, shown.y), this._radius() + 2, shown.cluster, this.ink);
      this._ring(pen, shown, 1.5);
    }
    pen.restore();
  }

  _ring(pen, dot, width) {
    pen.beginPath();
    pen.arc(...this.place(dot.x, dot.y), this._radius() + 6, 0, 2 * Math.PI);
    pen.strokeStyle = "#ff4081";
    pen.lineWidth = width;
    pen.stroke();
  }

  /** 1 sigma of both values. */
  _bars(pen, { x, y, dx, dy }) {
    pen.beginPath();
    for (const [ax, ay, bx, by, cap] of [[x - dx, y, x + dx, y, [0, 4]], [x, y - dy, x, y + dy, [4, 0]]]) {
      const from = this.place(ax, ay), to = this.place(bx, by);
      pen.moveTo(...from);
      pen.lineTo(...to);
      for (const end of [from, to]) {
        pen.moveTo(end[0] - cap[0], end[1] - cap[1]);
        pen.lineTo(end[0] + cap[0], end[1] + cap[1]);
      }
    }
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  /** The dot nearest to a place, CSS px; null when none is near. */
  nearest(px, py) {
    let best = null, least = REACH ** 2;
    for (const dot of this.field ? this.dots : []) {
      const [x, y] = this.place(dot.x, dot.y), far = (x - px) ** 2 + (y - py) ** 2;
      if (far < least) [best, least] = [dot, far];
    }
    return best;
  }

  /** The dot that comes after another in speed ("across") or in angular velocity ("up"), so many steps on; the first or the last at the ends. */
  after(n, order, by) {
    const row = this[order], at = row.findIndex((dot) => dot.n === n);
    return row[at < 0 ? 0 : Math.max(0, Math.min(row.length - 1, at + by))]?.n ?? null;
  }

  _at(event) { return placeIn(event, this.canvas).map((value) => value / this.ratio); }

  _move(event) {
    const at = this._at(event);
    if (this.from && Math.hypot(at[0] - this.from[0], at[1] - this.from[1]) > DRAGGED) this.box = [...this.from, ...at];
    if (this.box) return this.draw();
    this.onpoint(this.nearest(...at)?.n ?? null);
  }

  _down(event) {
    event.stopPropagation();
    if (event.button || !this.field) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.from = this._at(event);
    this.onpoint(this.nearest(...this.from)?.n ?? null);
  }

  _up() {
    const { from, box } = this;
    this._drop();
    if (box) {
      const [a, b] = [this._values(box[0], box[1]), this._values(box[2], box[3])], pair = (k) => [Math.min(a[k], b[k]), Math.max(a[k], b[k])];
      if (Math.abs(box[2] - box[0]) > DRAGGED && Math.abs(box[3] - box[1]) > DRAGGED) this.zoom({ x: pair(0), y: pair(1) });
    } else if (from) {
      const dot = this.nearest(...from);
      if (dot) this.onpick(dot.n);
    }
  }

  _drop() {
    this.from = this.box = null;
    this.draw();
  }
}
