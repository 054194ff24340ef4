"use strict";
// The emotion lattice: frames from left to right, tokens from bottom to top, a colour for each node, and the decoding's path.
const GUTTER = 58;
const FOOT = 18;

Ent.latticeButton = (set, row, lattice) => {
  const place = Ent.make("div", { class: "lattice" });
  const button = Ent.make("button", { type: "button", "aria-expanded": "false" }, "Show the emotion lattice");
  button.addEventListener("click", () => {
    const opens = place.children.length === 1;
    button.setAttribute("aria-expanded", String(opens));
    button.textContent = opens ? "Hide the emotion lattice" : "Show the emotion lattice";
    if (opens) place.append(new Ent.Lattice(set, row, lattice).element);
    else place.lastChild.remove();
  });
  place.append(button);
  return place;
};

Ent.Lattice = class {
  constructor(set, row, lattice) {
    Object.assign(this, { set, row, lattice, shown: "best", cursor: null });
    this.values = Ent.bytes(lattice.values);
    this.frames = lattice.nodes.length;
    this.columns = lattice.tokens.length + 1;
    this.readout = Ent.make("output", { class: "readout", "aria-live": "polite" }, "Point at a node, or use the arrow keys.");
    const choices = [["best", "most probable emotion"], ...set.emotions.map((emotion) => [emotion, `probability of ${emotion}`])];
    const choice = Ent.select("Colour", choices, "best", (value) => {
      this.shown = value;
      this.draw();
    });
    this.canvas = Ent.make("canvas", {
      tabindex: "0",
      role: "img",
      "aria-label": `Emotion lattice of ${row.id}: ${this.frames} frames, ${this.columns - 1} tokens. Arrow keys read nodes.`,
      onpointermove: (event) => this.point(event),
      onkeydown: (event) => this.key(event),
    });
    this.frame = Ent.make("div", { class: "frame" }, this.canvas);
    const explained =
      "Each cell is a node: time to the right, tokens written so far upwards. The line is the decoding's path: " +
      "a frame's emotion is read where the path leaves it. Fainter: less sure.";
    this.element = Ent.make("div", null, Ent.make("div", { class: "tools" }, choice), this.frame, this.readout, Ent.make("p", { class: "soft small" }, explained));
    requestAnimationFrame(() => this.draw());
    Ent.redrawLater(this.canvas, () => this.draw());
  }

  draw() {
    const room = Math.max(220, this.frame.clientWidth - GUTTER - 8);
    this.sx = Math.max(3, Math.min(24, room / this.frames));
    this.sy = Math.max(4, Math.min(15, 420 / this.columns));
    const width = Math.ceil(GUTTER + this.sx * this.frames + 6);
    const height = Math.ceil(this.sy * this.columns + FOOT);
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.drawNodes(pen);
    this.drawPath(pen);
    this.drawAxes(pen, height);
    this.drawCursor(pen);
  }

  y(column) {
    return (this.columns - 1 - column) * this.sy;
  }

  at(frame, column) {
    const size = this.set.emotions.length;
    const start = (frame * this.columns + column) * size;
    return this.values.subarray(start, start + size);
  }

  drawNodes(pen) {
    const { emotions } = this.set;
    const tones = emotions.map((emotion) => Emotions.rgb(Ent.tone(this.set, emotion)));
    const chance = 255 / emotions.length;
    for (let frame = 0; frame < this.frames; frame += 1) {
      for (let column = 0; column < this.columns; column += 1) {
        const levels = this.at(frame, column);
        let place = emotions.indexOf(this.shown);
        let strength = place < 0 ? 0 : levels[place] / 255;
        if (place < 0) {
          place = levels.indexOf(Math.max(...levels));
          strength = 0.12 + 0.88 * Math.max(0, (levels[place] - chance) / (255 - chance));
        }
        pen.fillStyle = `rgba(${tones[place].join(",")},${strength.toFixed(3)})`;
        // On whole pixels: paler seams would show between cells.
        const [left, right] = [frame, frame + 1].map((one) => Math.round(GUTTER + one * this.sx));
        const [top, bottom] = [column, column - 1].map((one) => Math.round(this.y(one)));
        pen.fillRect(left, top, right - left, bottom - top);
      }
    }
  }

  drawPath(pen) {
    const style = getComputedStyle(document.documentElement);
    const line = new Path2D();
    let column = 0;
    line.moveTo(GUTTER, this.y(0) + this.sy / 2);
    this.lattice.nodes.forEach((node, frame) => {
      const x = GUTTER + (frame + 0.5) * this.sx;
      line.lineTo(x, this.y(column) + this.sy / 2);
      line.lineTo(x, this.y(node) + this.sy / 2);
      column = node;
    });
    line.lineTo(GUTTER + this.frames * this.sx, this.y(column) + this.sy / 2);
    pen.lineJoin = "round";
    for (const [variable, width] of [["--bg", 4.5], ["--fg", 1.8]]) {
      pen.strokeStyle = style.getPropertyValue(variable);
      pen.lineWidth = width;
      pen.stroke(line);
    }
  }

  drawAxes(pen, height) {
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
    pen.font = "10px system-ui, sans-serif";
    pen.textAlign = "right";
    const every = Math.ceil(10 / this.sy);
    for (let column = 0; column < this.columns; column += every)
      pen.fillText(column ? this.lattice.tokens[column - 1].slice(0, 9) : "start", GUTTER - 5, this.y(column) + this.sy / 2 + 3.5);
    pen.textAlign = "left";
    const step = [0.5, 1, 2, 5].find((one) => (one / this.lattice.seconds) * this.sx >= 50) || 10;
    for (let tick = 0; tick < this.frames * this.lattice.seconds; tick += step) {
      const x = GUTTER + (tick / this.lattice.seconds) * this.sx;
      pen.fillRect(x, height - FOOT, 1, 4);
      pen.fillText(`${Number(tick.toFixed(2))} s`, x + 3, height - 5);
    }
  }

  drawCursor(pen) {
    if (!this.cursor) return;
    pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--bad");
    pen.lineWidth = 2;
    pen.strokeRect(GUTTER + this.cursor[0] * this.sx, this.y(this.cursor[1]), this.sx, this.sy);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const frame = Math.floor((event.clientX - box.left - GUTTER) / this.sx);
    const column = this.columns - 1 - Math.floor((event.clientY - box.top) / this.sy);
    if (frame >= 0 && frame < this.frames && column >= 0 && column < this.columns) this.tell(frame, column);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [frame, column] = this.cursor || [0, 0];
    const inside = (value, size) => Math.min(size - 1, Math.max(0, value));
    this.cursor = [inside(frame + steps[event.key][0], this.frames), inside(column + steps[event.key][1], this.columns)];
    this.draw();
    this.tell(...this.cursor);
  }

  tell(frame, column) {
    const levels = this.at(frame, column);
    const start = frame * this.lattice.seconds;
    const token = column ? `token ${column} "${this.lattice.tokens[column - 1]}"` : "no token";
    const shares = this.set.emotions.map((emotion, place) => `${emotion} ${Math.round(levels[place] / 2.55)} %`);
    const onPath = this.lattice.nodes[frame] === column ? ", on the path" : "";
    this.readout.textContent = `${start.toFixed(2)}-${(start + this.lattice.seconds).toFixed(2)} s, after ${token}${onPath}: ${shares.join(", ")}`;
  }
};
