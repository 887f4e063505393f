const DATA = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#1f9bd1", "#e08a1e", "#4e9f50", "#a255b5", "#d65f5f", "#b8a106", "#8d6e63", "#78909c"];
const SYNCS = { start: "From the start", impact: "By impact", dtw: "In step (DTW)" };
const FINEST = 960;
const HAS_PICTURE = 2; // readyState of a video that has one
const make = (tag, parent, properties = {}, className = "") => {
  const element = Object.assign(document.createElement(tag), properties);
  if (className) element.className = className;
  parent?.append(element);
  return element;
};
const number = (value, digits = 1) => value.toFixed(digits);

/** A tile of one clip: picture, its own controls, figures, chart. */
function makeTile(tile, i, parent) {
  const article = make("article", parent, {}, "tile"), picture = make("div", article, {}, "picture");
  picture.style.aspectRatio = `${tile.size[0]} / ${tile.size[1]}`;
  const video = make("video", picture, { src: tile.video, poster: tile.poster, playsInline: true, preload: "auto", muted: true, ariaLabel: tile.name });
  const scale = Math.min(1, FINEST / Math.max(...tile.size));
  const canvas = make("canvas", picture, { width: Math.round(tile.size[0] * scale), height: Math.round(tile.size[1] * scale) });
  const own = make("div", article, {}, "own");
  const play = make("button", own, { type: "button", textContent: "▶", title: "Play this clip alone", ariaLabel: `Play ${tile.name} alone` });
  const scrub = make("input", own, { type: "range", min: 0, max: tile.t.length - 1, value: 0, ariaLabel: `Frame of ${tile.name}` });
  const mute = make("button", own, { type: "button", textContent: "Sound off", title: "Sound of this clip", hidden: !tile.sound });
  const full = make("button", own, { type: "button", textContent: "Full", title: "Full screen", ariaLabel: "Full screen", onclick: () => picture.requestFullscreen() });
  full.hidden = !document.fullscreenEnabled;
  const words = make("div", article, {}, "words"), title = make("h3", words, { textContent: tile.name });
  title.style.borderColor = COLOURS[i % COLOURS.length];
  tellFigures(tile, words);
  if (tile.swing && tile.swing.speed.value.some((value) => value !== null)) words.append(chartOf(tile, COLOURS[i % COLOURS.length]));
  const said = [...(tile.note ? [tile.note] : []), ...(tile.swing?.flags ?? [])];
  if (said.length) {
    const details = make("details", words), list = make("ul", details);
    make("summary", details, { textContent: `${said.length} ${said.length === 1 ? "remark" : "remarks"}` });
    said.forEach((text) => make("li", list, { textContent: text }));
  }
  return { tile, video, canvas, scale, play, scrub, mute, words };
}

function tellFigures({ swing }, parent) {
  const list = make("dl", parent);
  const row = (name, value, ...rest) => {
    make("dt", list, { textContent: name });
    const told = make("dd", list);
    make("b", told, { textContent: value });
    rest.forEach((text) => told.append(" ", make("span", null, { textContent: text })));
  };
  const within = (value, digits) => `${number(value.value ?? value.t, digits)} ± ${number(value.sigma, digits)}`;
  const peak = (name, value, unit) => (value ? row(name, within(value, 1), `${unit},`, `at ${number(value.t, 2)} s`) : row(name, "not measured"));
  peak("Peak speed", swing?.peak_speed, swing?.per_second);
  peak("Peak ω", swing?.peak_omega, "rad/s");
  if (swing?.impact) row("Impact", `${within(swing.impact, 2)} s`, ...(swing.impact.estimated ? ["taken at the peak"] : []));
}

/** Tip speed over the clip's time with its 1σ band. */
function chartOf({ swing, t }, colour) {
  const W = 400, H = 96, left = 34, bottom = 16, svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const draw = (tag, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.textContent = text;
    svg.append(element);
    return element;
  };
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.setAttribute("role", "img");
  const { value, sigma } = swing.speed, last = Math.max(t[t.length - 1], 1e-3);
  const most = 1.05 * Math.max(...value.map((speed, n) => (speed === null ? 0 : speed + (sigma[n] ?? 0))), swing.peak_speed ? swing.peak_speed.value + swing.peak_speed.sigma : 0, 1e-9);
  const x = (seconds) => left + (seconds / last) * (W - left - 4), y = (speed) => H - bottom - (Math.max(speed, 0) / most) * (H - bottom - 6);
  const runs = [];
  value.forEach((speed, n) => { if (speed !== null) (n && value[n - 1] !== null && runs.length ? runs[runs.length - 1] : runs[runs.push([]) - 1]).push(n); });
  svg.setAttribute("aria-label", `Tip speed over time, in ${swing.per_second}`);
  for (const run of runs) {
    const edge = (sign, order) => order.map((n) => `${x(swing.t[n])},${y(value[n] + sign * (sigma[n] ?? 0))}`);
    draw("polygon", { points: [...edge(1, run), ...edge(-1, [...run].reverse())].join(" "), fill: colour, opacity: 0.25 });
    draw("polyline", { points: run.map((n) => `${x(swing.t[n])},${y(value[n])}`).join(" "), fill: "none", stroke: colour, "stroke-width": 1.8 });
  }
  if (swing.peak_speed) {
    const { value: top, sigma: about } = swing.peak_speed, cx = x(swing.peak_speed.t);
    draw("line", { x1: cx, x2: cx, y1: y(top - about), y2: y(top + about), stroke: colour, "stroke-width": 1.4 });
    draw("circle", { cx, cy: y(top), r: 3.2, fill: colour });
  }
  const text = { "font-size": 10, fill: "currentColor" };
  draw("text", { ...text, x: left - 4, y: 12, "text-anchor": "end" }, number(most / 1.05, most < 10 ? 1 : 0));
  draw("text", { ...text, x: left - 4, y: H - bottom, "text-anchor": "end" }, "0");
  draw("text", { ...text, x: left, y: H - 3 }, `${swing.per_second} over 0 to ${number(last, 1)} s`);
  draw("line", { x1: left, x2: W - 4, y1: H - bottom, y2: H - bottom, stroke: "currentColor", "stroke-width": 0.6 });
  const cursor = draw("line", { x1: left, x2: left, y1: 4, y2: H - bottom, stroke: "currentColor", "stroke-width": 1 });
  svg.moveTo = (seconds) => { for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(Math.min(seconds, last))); };
  return svg;
}

const $ = (id) => document.getElementById(id);
const cells = DATA.tiles.map((tile, i) => makeTile(tile, i, $("tiles")));
const group = new InStep(cells.map((cell) => cell.video), DATA.tiles.map((tile) => tile.t), DATA.sync.start);
const shows = (layer) => layer !== "video";
const seconds = (u) => `${number(u, 2)} s`;

function draw() {
  cells.forEach((cell, i) => {
    const frame = group.frameOf(i);
    if (cell.video.readyState < HAS_PICTURE || cell.drawn === frame) return;
    cell.drawn = frame;
    drawOverlay(cell.canvas.getContext("2d"), cell.scale, cell.tile, frame, shows);
    cell.scrub.value = frame;
    cell.words.querySelector("svg")?.moveTo(cell.tile.t[frame]);
  });
  $("line").value = Math.round((group.now / group.duration) * 1000);
  $("clock").textContent = seconds(group.now);
}

let due = 0; // six clips tell of their frames one by one: drawn once per picture of the screen
group.onframe = () => {
  cancelAnimationFrame(due);
  due = requestAnimationFrame(draw);
};
group.onstate = () => {
  $("play").textContent = group.playing ? "❚❚ Pause all" : "▶ Play all";
  cells.forEach((cell) => { cell.play.textContent = "▶"; });
};
$("play").onclick = () => (group.playing ? pauseAll() : playAll());
$("line").oninput = () => { pauseAll(); group.seek((+$("line").value / 1000) * group.duration); };
$("rate").onchange = () => { group.rate = +$("rate").value; cells.forEach((cell) => { cell.video.playbackRate = group.rate; }); };
$("loop").onclick = () => { group.loop = !group.loop; $("loop").ariaPressed = String(group.loop); };
Object.entries(DATA.sync).filter(([, maps]) => maps).forEach(([name]) => make("option", $("sync"), { value: name, textContent: SYNCS[name] }));
$("sync").hidden = $("sync").options.length < 2;
$("sync").onchange = () => group.setMaps(DATA.sync[$("sync").value]);
$("mute").hidden = !DATA.tiles.some((tile) => tile.sound);
$("mute").onclick = () => muteAll(!cells.every((cell) => cell.video.muted));

function playAll() {
  cells.forEach((cell) => cell.video.pause());
  group.play();
}

function pauseAll() {
  group.pause();
  cells.forEach((cell) => { cell.video.pause(); cell.play.textContent = "▶"; });
}

function muteAll(on) {
  cells.forEach((cell) => { cell.video.muted = on; });
  tellSound();
}

function tellSound() {
  cells.forEach((cell) => { cell.mute.textContent = cell.video.muted ? "Sound off" : "Sound on"; });
  $("mute").textContent = cells.every((cell) => cell.video.muted) ? "Unmute all" : "Mute all";
}

cells.forEach((cell, i) => {
  cell.play.onclick = () => {
    const on = cell.video.paused || group.playing;
    pauseAll();
    if (!on) return;
    if (cell.video.currentTime >= cell.tile.t[cell.tile.t.length - 1]) cell.video.currentTime = 0;
    cell.video.playbackRate = group.rate;
    cell.video.play();
    cell.play.textContent = "❚❚";
  };
  cell.video.addEventListener("ended", () => { cell.play.textContent = "▶"; });
  cell.scrub.oninput = () => { pauseAll(); group.showFrame(i, +cell.scrub.value); };
  cell.mute.onclick = () => { cell.video.muted = !cell.video.muted; tellSound(); };
});
for (const button of document.querySelectorAll("#view button")) {
  button.onclick = () => {
    document.body.className = button.value;
    document.querySelectorAll("#view button").forEach((other) => { other.ariaPressed = String(other === button); });
  };
}
$("view").hidden = !DATA.tiles.some((tile) => tile.pose);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|BUTTON|SUMMARY|VIDEO)$/.test(event.target.tagName)) return;
  const acts = { " ": () => $("play").click(), ArrowLeft: () => group.step(-1), ArrowRight: () => group.step(1), l: () => $("loop").click(), m: () => muteAll(!cells.every((cell) => cell.video.muted)) };
  if (!acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
});
tellSound();
draw();
