"use strict";
// Waveform, words, timelines and posteriors over one time axis, a window of the recording at a time.
Ent.VIEW_SECONDS = 30;
const PIXELS_PER_SECOND = 120;
const pen = document.createElement("canvas").getContext("2d");
const textWidth = (text) => {
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
};
const HEIGHTS = { wave: 54, words: 20, timeline: 22, posteriors: 92, axis: 20 };

Ent.Figure = class {
  // audio: the player, or null. moved(seconds): told when the place changes.
  constructor(set, row, detail, audio, moved) {
    Object.assign(this, { set, row, detail, audio, moved, from: 0, place: 0 });
    this.seconds = Math.max(row.seconds, 0.05);
    this.length = Math.min(this.seconds, Ent.VIEW_SECONDS);
    this.lanes = this.lanesThere();
    this.names = Ent.make("div", { class: "lanes", "aria-hidden": "true" });
    for (const lane of this.lanes) {
      const name = Ent.make("div", null, lane.name);
      name.style.height = `${lane.height}px`;
      this.names.append(name);
    }
    this.stage = Ent.make("div", {
      class: "stage",
      tabindex: "0",
      role: "slider",
      "aria-label": `Place in ${row.id}: arrow keys move, space plays`,
      "aria-valuemin": "0",
      "aria-valuemax": this.seconds.toFixed(2),
      onkeydown: (event) => this.key(event),
      onclick: (event) => this.click(event),
    });
    this.element = Ent.make("div", { class: "figure" }, this.names, this.stage);
    this.seekTo(0, false);
  }

  lanesThere() {
    const { detail } = this;
    const lanes = [];
    const add = (name, height, draw) => lanes.push({ name, height, draw });
    if (detail.peaks) add("audio", HEIGHTS.wave, (lane, top) => this.drawWave(lane, top));
    if (detail.reference_words && detail.reference_words.length)
      add("ref. words", HEIGHTS.words, (lane, top) => this.drawWords(lane, top, detail.reference_words));
    if (detail.words && detail.words.length) {
      const apart = detail.words.map((word, number) => [...(detail.places[number] || word.slice(0, 2)), ...word.slice(2)]);
      add("words", HEIGHTS.words, (lane, top) => this.drawWords(lane, top, apart));
    }
    if (detail.reference) add("reference", HEIGHTS.timeline, (lane, top) => this.drawTimeline(lane, top, detail.reference));
    if (detail.system) add("system", HEIGHTS.timeline, (lane, top) => this.drawTimeline(lane, top, detail.system));
    if (detail.frames) add("posteriors", HEIGHTS.posteriors, (lane, top) => this.drawPosteriors(lane, top));
    add("seconds", HEIGHTS.axis, (lane, top) => this.drawAxis(lane, top));
    return lanes;
  }

  draw() {
    const width = Math.max(this.stage.clientWidth || 600, Math.ceil(this.length * PIXELS_PER_SECOND));
    this.scale = width / this.length;
    const height = this.lanes.reduce((sum, lane) => sum + lane.height, 0);
    this.canvas = Ent.svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    let top = 0;
    for (const lane of this.lanes) {
      if (top) this.canvas.append(Ent.svg("line", { class: "grid", x1: 0, x2: width, y1: top, y2: top }));
      lane.draw(lane, top);
      top += lane.height;
    }
    this.playhead = Ent.svg("line", { class: "playhead", y1: 0, y2: height });
    this.canvas.append(this.playhead);
    this.stage.replaceChildren(this.canvas);
    this.show();
  }

  x(seconds) {
    return (seconds - this.from) * this.scale;
  }

  // Of intervals [start, end, ...] those in view.
  inView(intervals) {
    return intervals.filter(([start, end]) => end >= this.from && start <= this.from + this.length);
  }

  drawWave(lane, top) {
    const peaks = this.detailBytes("peaks");
    const perSecond = peaks.length / this.seconds;
    const middle = top + lane.height / 2;
    const first = Math.floor(this.from * perSecond);
    const last = Math.min(peaks.length, Math.ceil((this.from + this.length) * perSecond));
    const upper = [];
    const lower = [];
    for (let i = first; i < last; i += 1) {
      const x = this.x((i + 0.5) / perSecond).toFixed(1);
      const y = Math.max(0.5, (peaks[i] / 255) * (lane.height / 2 - 3));
      upper.push(`${x} ${(middle - y).toFixed(1)}`);
      lower.push(`${x} ${(middle + y).toFixed(1)}`);
    }
    if (upper.length)
      this.canvas.append(Ent.svg("path", { d: `M${upper.join("L")}L${lower.reverse().join("L")}Z`, fill: "var(--wave)" }));
  }

  drawWords(lane, top, words) {
    for (const [start, end, word, , emotion] of this.inView(words)) {
      const x = this.x(start);
      const width = Math.max(2, this.x(end) - x - 1);
      const tone = emotion ? Ent.tone(this.set, emotion) : "var(--soft)";
      this.canvas.append(Ent.svg("line", { x1: x, x2: x, y1: top + 2, y2: top + lane.height - 2, stroke: tone, "stroke-width": 1.5 }));
      this.text(word, x + 3, top + 14, Math.min(width, this.roomAfter(words, start)) - 5);
    }
  }

  // Pixels until the next word begins: words of a reference may overlap.
  roomAfter(words, start) {
    const later = words.map(([other]) => other).filter((other) => other > start);
    return later.length ? (Math.min(...later) - start) * this.scale : Infinity;
  }

  drawTimeline(lane, top, segments) {
    for (const [start, end, emotion] of this.inView(segments)) {
      const x = this.x(start);
      const width = Math.max(1, this.x(end) - x);
      const tone = Ent.tone(this.set, emotion);
      const isNeutral = emotion === this.set.neutral;
      const box = { x, y: top + 3, width: Math.max(1, width - 1), height: lane.height - 6, rx: 3, fill: tone };
      this.canvas.append(
        Ent.svg("rect", { ...box, "fill-opacity": isNeutral ? 0.28 : 1 }, Ent.svg("title", null, `${emotion} ${start.toFixed(2)}-${end.toFixed(2)} s`)),
      );
      const text = this.text(emotion, x + 4, top + 15, width - 4);
      if (text && !isNeutral) text.style.fill = Emotions.ink(tone);
    }
  }

  drawPosteriors(lane, top) {
    const { emotions } = this.set;
    const { seconds, count } = this.detail.frames;
    const values = this.detailBytes("frames");
    const y = (level) => top + 5 + (1 - level / 255) * (lane.height - 10);
    for (const level of [0, 127.5, 255])
      this.canvas.append(Ent.svg("line", { class: "grid", x1: 0, x2: this.length * this.scale, y1: y(level), y2: y(level) }));
    const first = Math.max(0, Math.floor(this.from / seconds) - 1);
    const last = Math.min(count, Math.ceil((this.from + this.length) / seconds) + 1);
    emotions.forEach((emotion, place) => {
      const points = [];
      for (let t = first; t < last; t += 1)
        points.push(`${this.x((t + 0.5) * seconds).toFixed(1)},${y(values[t * emotions.length + place]).toFixed(1)}`);
      const look = { fill: "none", stroke: Ent.tone(this.set, emotion), "stroke-width": 2, "stroke-dasharray": Ent.dash(this.set, emotion) };
      this.canvas.append(Ent.svg("polyline", { points: points.join(" "), ...look }));
    });
  }

  drawAxis(lane, top) {
    const step = [0.5, 1, 2, 5].find((one) => one * this.scale >= 55) || 10;
    for (let tick = Math.ceil(this.from / step) * step; tick <= this.from + this.length + 1e-6; tick += step) {
      const x = this.x(tick);
      if (x > this.length * this.scale - 12) continue;
      this.canvas.append(Ent.svg("line", { class: "axis", x1: x, x2: x, y1: top, y2: top + 4 }));
      this.canvas.append(Ent.svg("text", { x: x + 2, y: top + 15 }, String(Number(tick.toFixed(2)))));
    }
  }

  // Text as far as it fits; it is written out below the figure in any case.
  text(words, x, y, width) {
    let cut = words;
    while (cut && textWidth(cut) > width) cut = cut.endsWith("…") ? (cut.length > 2 ? `${cut.slice(0, -2)}…` : "") : `${cut.slice(0, -1)}…`;
    if (!cut) return null;
    const text = Ent.svg("text", { x, y }, cut);
    this.canvas.append(text);
    return text;
  }

  detailBytes(name) {
    this.cache = this.cache || {};
    if (!this.cache[name]) this.cache[name] = Ent.bytes(name === "frames" ? this.detail.frames.values : this.detail[name]);
    return this.cache[name];
  }

  click(event) {
    const left = this.stage.getBoundingClientRect().left - this.stage.scrollLeft;
    this.seekTo(this.from + (event.clientX - left) / this.scale);
  }

  key(event) {
    const steps = { ArrowLeft: -0.1, ArrowRight: 0.1, PageUp: -1, PageDown: 1 };
    if (event.key in steps) this.seekTo(this.place + steps[event.key]);
    else if (event.key === "Home") this.seekTo(0);
    else if (event.key === "End") this.seekTo(this.seconds);
    else if (event.key === " " && this.audio) this.audio[this.audio.paused ? "play" : "pause"]();
    else return;
    event.preventDefault();
  }

  // The window moves only when the place leaves it.
  seekTo(seconds, tells = true) {
    this.place = Math.min(this.seconds, Math.max(0, seconds));
    if (tells && this.audio) this.audio.currentTime = this.place;
    const window = Math.floor(this.place / Ent.VIEW_SECONDS) * Ent.VIEW_SECONDS;
    const from = Math.min(window, Math.max(0, this.seconds - this.length));
    if (from !== this.from) {
      this.from = from;
      if (this.canvas) this.draw();
    }
    this.show();
  }

  show() {
    this.stage.setAttribute("aria-valuenow", this.place.toFixed(2));
    this.stage.setAttribute("aria-valuetext", `${this.place.toFixed(2)} s`);
    this.moved(this.place);
    if (!this.playhead) return;
    const x = this.x(this.place);
    this.playhead.setAttribute("x1", x);
    this.playhead.setAttribute("x2", x);
    const { scrollLeft, clientWidth } = this.stage;
    if (x < scrollLeft || x > scrollLeft + clientWidth) this.stage.scrollLeft = Math.max(0, x - 40);
  }
};
