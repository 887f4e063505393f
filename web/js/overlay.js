/** Skeleton, bat, its trail and marks as vectors, in pixels of the clip itself. */

const SIDES = { left: "#f29614", right: "#46acf5", middle: "#e8e8e8" }; // as kinetics/stick_figure.py draws them
const BAT = "#fae850", MARK = "#ff40ff";
const TRAIL = 0.4; // s
const SURE = 0.5; // less sure joints are hollow

/**
 * Draw one frame's overlay.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {number | null} scale pixels of the canvas in one of the clip, the canvas being wiped first; null: as the pen is set, over what is there
 * @param {object} tile of the clip
 * @param {number} frame
 * @param {(layer: string) => boolean} shows
 * @param {{x: number, y: number}[]} marks
 * @param {string | null} colour of all bones, in place of left's, right's and the middle's
 */
export function drawOverlay(pen, scale, tile, frame, shows, marks = [], colour = null) {
  if (scale !== null) {
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
  }
  pen.lineCap = "round";
  const unit = Math.max(...tile.size) / 480;
  if (tile.pose && shows("skeleton")) drawSkeleton(pen, tile.pose, frame, unit, colour);
  if (tile.bat && shows("trail")) drawTrail(pen, tile, frame, unit);
  if (tile.bat && shows("bat")) drawBat(pen, tile.bat, frame, unit);
  for (const mark of marks) drawCross(pen, mark, unit);
}

function stroke(pen, points, colour, width) {
  pen.beginPath();
  points.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}

function drawSkeleton(pen, pose, frame, unit, only) {
  const xy = pose.xy[frame], sure = pose.conf[frame];
  if (!xy) return;
  const at = (k) => (xy[2 * k] === null ? null : [xy[2 * k], xy[2 * k + 1]]);
  const bones = pose.bones.map(([a, b, side]) => [at(a), at(b), only ?? SIDES[side], Math.min(sure[a], sure[b])]).filter(([a, b]) => a && b);
  for (const [a, b] of bones) stroke(pen, [a, b], "#0c0c0eb0", 3.2 * unit);
  for (const [a, b, colour, certain] of bones) {
    pen.globalAlpha = 0.35 + 0.65 * Math.min(1, certain / SURE);
    stroke(pen, [a, b], colour, 1.8 * unit);
  }
  pose.names.forEach((name, k) => {
    const place = at(k);
    if (!place) return;
    const colour = only ?? SIDES[name.split("_")[0]] ?? SIDES.middle;
    pen.beginPath();
    pen.arc(...place, 1.7 * unit, 0, 2 * Math.PI);
    pen.globalAlpha = 1;
    pen.fillStyle = pen.strokeStyle = colour;
    pen.lineWidth = 0.7 * unit;
    if (sure[k] >= SURE) pen.fill(); else pen.stroke();
  });
  pen.globalAlpha = 1;
}

function drawTrail(pen, tile, frame, unit) {
  const now = tile.t[frame];
  for (let n = frame; n > 0 && now - tile.t[n - 1] <= TRAIL; n--) {
    const [from, to] = [tile.bat.tip[n - 1], tile.bat.tip[n]];
    if (!from || !to) continue;
    pen.globalAlpha = 0.85 * (1 - (now - tile.t[n - 1]) / TRAIL);
    stroke(pen, [from, to], BAT, 1.2 * unit);
  }
  pen.globalAlpha = 1;
}

function drawBat(pen, bat, frame, unit) {
  const hands = bat.hands[frame], tip = bat.tip[frame];
  if (hands && tip) {
    stroke(pen, [hands, tip], "#0c0c0eb0", 3.4 * unit);
    stroke(pen, [hands, tip], BAT, 1.8 * unit);
  }
  if (!tip) return;
  pen.beginPath();
  pen.arc(...tip, 3 * unit, 0, 2 * Math.PI);
  pen.strokeStyle = BAT;
  pen.lineWidth = unit;
  pen.stroke();
}

function drawCross(pen, { x, y }, unit) {
  const arm = 6 * unit;
  for (const [colour, width] of [["#000", 2.4 * unit], [MARK, 1.2 * unit]]) {
    stroke(pen, [[x - arm, y], [x + arm, y]], colour, width);
    stroke(pen, [[x, y - arm], [x, y + arm]], colour, width);
  }
}
