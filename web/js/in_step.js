/**
 * Several videos on one time line. Depends on nothing: the published page carries the same text.
 *
 * A clock runs on the common line; every clip has a map [[u, t], …] from seconds of the line to its own seconds (linear between, held at the ends).
 * While playing, the rate of a video that has left the clock is bent back towards it, and the clock is drawn to where the videos are on average, so
 * that a slow machine slows all of them alike; only a large error is mended by a seek. A video that is near the clock is let alone: each change of
 * its rate makes the browser's own clock jump by up to 25 ms.
 */

const BEND = 1, MOST = 0.15; // relative change of rate per second of drift, and at most
const LEFT = 0.016, BACK = 0.004; // s of drift at which a video has left the clock, and at which it is back
const NOTCH = 0.01; // relative change of rate, as a map's slope asks for it, that is worth setting
const FAR = 0.2; // s of drift at which a video is sent instead of bent
const DRAW = 0.1; // of the videos' mean drift that the clock takes over at each picture
const ASLEEP = 0.5; // s between two pictures after which the clock starts anew from the videos
const SLOWEST = 0.0625, FASTEST = 16; // rates that browsers take
const EDGE = 1e-4; // s

/** Value at x of the polyline [[x, y], …], held at its ends; and its slope there. */
function along(line, x, from = 0, to = 1) {
  const last = line.length - 1;
  if (x < line[0][from]) return [line[0][to], 0];
  if (x >= line[last][from]) return [line[last][to], 0];
  let low = 0, high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (line[middle][from] <= x) low = middle; else high = middle;
  }
  const slope = (line[high][to] - line[low][to]) / (line[high][from] - line[low][from]);
  return [line[low][to] + slope * (x - line[low][from]), slope];
}

/** Index of the frame on screen at a time. */
export function frameAt(times, seconds) {
  let low = 0, high = times.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= seconds + EDGE) low = middle; else high = middle;
  }
  return low;
}

export class InStep {
  /**
   * @param {HTMLVideoElement[]} videos whose first frame lies at 0 s
   * @param {number[][]} times of each clip's frames, s
   * @param {number[][][]} maps per clip
   */
  constructor(videos, times, maps) {
    this.videos = videos;
    this.times = times;
    this.playing = false;
    this.loop = false;
    this.now = 0;
    this.onframe = () => {};
    this.onstate = () => {};
    this._rate = 1;
    this._want = videos.map(() => null);
    this._bending = videos.map(() => false);
    this._shown = videos.map(() => 0);
    this._calls = videos.map(() => 0);
    this._sent = videos.map(() => 0); // ms, when a video was last sent
    this._takes = videos.map(() => 0); // s that its last seek took
    this._listening = new AbortController();
    this.master = times.reduce((best, own, i) => (own.length > times[best].length ? i : best), 0);
    videos.forEach((video, i) => this._listen(video, i));
    this.setMaps(maps);
    this.seek(0);
  }

  _listen(video, i) {
    const { signal } = this._listening;
    video.addEventListener("seeked", () => {
      this._takes[i] = (performance.now() - this._sent[i]) / 1000;
      if (this._want[i] === null) return this._show(i, video.currentTime);
      const time = this._want[i];
      this._want[i] = null;
      this._sent[i] = performance.now();
      video.currentTime = time;
    }, { signal });
    video.addEventListener("loadeddata", () => this._show(i, video.currentTime), { signal });
    if (!video.requestVideoFrameCallback) return void video.addEventListener("timeupdate", () => this._show(i, video.currentTime), { signal });
    const shown = (_, frame) => {
      this._show(i, frame.mediaTime);
      this._calls[i] = video.requestVideoFrameCallback(shown);
    };
    this._calls[i] = video.requestVideoFrameCallback(shown);
  }

  _show(i, seconds) {
    this._shown[i] = frameAt(this.times[i], seconds);
    this.onframe(this);
  }

  /** Other maps, e.g. another way of synchronising; what the master shows stays. */
  setMaps(maps) {
    const held = this.maps && this.secondsOf(this.master);
    this.maps = maps;
    this.duration = Math.max(...maps.map((map, i) => map[map.length - 1][0] + this._step(i)));
    if (held !== undefined) this.seek(this.lineOf(this.master, held));
  }

  /** s that a clip's last frame stays. */
  _step(i) {
    const own = this.times[i];
    return own.length > 1 ? (own[own.length - 1] - own[0]) / (own.length - 1) : 0;
  }

  get rate() { return this._rate; }
  set rate(value) {
    this._rate = Math.max(0.05, Math.min(4, value));
    this._mark = performance.now();
  }

  /** Seconds of clip i at the clock, or at another place of the line. */
  secondsOf(i, u = this.now) { return along(this.maps[i], u)[0]; }
  /** Place on the line of a time of clip i. */
  lineOf(i, seconds) { return along(this.maps[i], seconds, 1, 0)[0]; }
  /** The frame that clip i shows. */
  frameOf(i) { return this._shown[i]; }
  /** Whether clip i runs at the clock; before and after it is held. */
  runs(i, u = this.now) {
    const map = this.maps[i];
    return u >= map[0][0] && u < map[map.length - 1][0];
  }
  /** s by which each running clip is ahead of the clock; null where one is held. */
  drift() { return this.videos.map((video, i) => (this.runs(i) ? video.currentTime - this.secondsOf(i) : null)); }

  async play() {
    if (this.playing || !this.videos.length) return;
    if (this.now >= this.duration - EDGE) this.seek(0);
    this.playing = true;
    this.onstate(this);
    await this._settled();
    await Promise.allSettled(this.videos.filter((_, i) => this.runs(i)).map((video) => video.play()));
    if (!this.playing) return this._halt();
    this._mark = null;
    cancelAnimationFrame(this._raf);
    this._raf = requestAnimationFrame((at) => this._tick(at));
  }

  /** Once no video is seeking any more. */
  async _settled() {
    while (this.playing && this.videos.some((video, i) => video.seeking || this._want[i] !== null)) await new Promise((done) => setTimeout(done, 10));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this._halt();
    this.seek(this.now); // all on the same moment again
    this.onstate(this);
  }

  _halt() {
    cancelAnimationFrame(this._raf);
    for (const video of this.videos) {
      video.pause();
      video.playbackRate = 1;
    }
  }

  _tick(at) {
    if (!this.playing) return;
    this._raf = requestAnimationFrame((next) => this._tick(next));
    const gone = this._mark == null ? Infinity : (at - this._mark) / 1000;
    this._mark = at;
    if (gone < ASLEEP) this.now += Math.max(gone, 0) * this._rate;
    if (this.now >= this.duration) return this._end();
    const leads = [];
    this.videos.forEach((video, i) => {
      const [wanted, slope] = along(this.maps[i], this.now);
      if (!this.runs(i)) return this._hold(i, wanted);
      if (video.paused && !video.ended) video.play().catch(() => {}); // not allowed, or taken out of the page: tried again at the next picture
      if (video.seeking) return;
      const drift = video.currentTime - wanted;
      leads.push(drift / slope);
      if (gone < ASLEEP && Math.abs(drift) > FAR) return this._send(i, this.secondsOf(i, this.now + this._rate * this._takes[i])); // where the clock will be by then
      const before = this._bending[i];
      this._bending[i] = Math.abs(drift) > (before ? BACK : LEFT);
      const bend = this._bending[i] ? Math.max(-MOST, Math.min(MOST, BEND * drift)) : 0;
      const rate = Math.max(SLOWEST, Math.min(FASTEST, slope * this._rate * (1 - bend)));
      if (before || this._bending[i] || Math.abs(rate / video.playbackRate - 1) > NOTCH) video.playbackRate = rate;
    });
    if (!leads.length) return;
    leads.sort((a, b) => a - b);
    const lead = leads[leads.length >> 1];
    this.now = Math.max(0, Math.min(this.duration - EDGE, this.now + (gone < ASLEEP ? DRAW * Math.max(-FAR, Math.min(FAR, lead)) : lead)));
  }

  _hold(i, wanted) {
    const video = this.videos[i];
    if (!video.paused) video.pause();
    if (frameAt(this.times[i], video.currentTime) !== frameAt(this.times[i], wanted)) this._send(i, this._middle(i, wanted));
  }

  _end() {
    if (!this.loop) {
      this.playing = false;
      this._halt();
      this.seek(this.duration);
      return this.onstate(this);
    }
    this.playing = false;
    this._halt();
    this.seek(0);
    this.play();
  }

  /** The middle of the frame that is on screen at a time: a seek there can't miss it by rounding. */
  _middle(i, seconds) {
    const own = this.times[i], n = frameAt(own, seconds);
    return n + 1 < own.length ? (own[n] + own[n + 1]) / 2 : own[n] + this._step(i) / 2;
  }

  _send(i, seconds) {
    const video = this.videos[i];
    if (video.seeking) this._want[i] = seconds;
    else {
      this._sent[i] = performance.now();
      video.currentTime = seconds;
    }
  }

  /** Go to a place on the line; playing goes on from there. */
  seek(u) {
    this.now = Math.max(0, Math.min(this.duration, u));
    this._mark = null;
    this.videos.forEach((_, i) => this._send(i, this._middle(i, this.secondsOf(i))));
    this.onframe(this);
  }

  /** Show frame n of the clip with most frames. */
  seekFrame(n) {
    const own = this.times[this.master], frame = Math.max(0, Math.min(own.length - 1, n));
    this.seek(this.lineOf(this.master, Math.min(this._middle(this.master, own[frame]), this.maps[this.master].at(-1)[1])));
  }

  /** Show frame n of clip i alone, off the line. */
  showFrame(i, n) { this._send(i, this._middle(i, this.times[i][n])); }

  /** One frame of the clip with most frames, or several, on or back; as long a time where that clip is held. */
  step(by) {
    if (this.playing) this.pause();
    const own = this.times[this.master], n = frameAt(own, this.secondsOf(this.master)) + by;
    const map = this.maps[this.master], within = this.now >= map[0][0] && this.now <= map.at(-1)[0];
    if (within && n >= 0 && n < own.length) this.seekFrame(n);
    else this.seek(this.now + by * this._step(this.master));
  }

  /** Free the videos. */
  destroy() {
    this.playing = false;
    this._halt();
    this._listening.abort();
    this.videos.forEach((video, i) => {
      video.cancelVideoFrameCallback?.(this._calls[i]);
      video.removeAttribute("src");
      video.load();
    });
    this.videos = [];
  }
}
