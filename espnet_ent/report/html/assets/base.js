"use strict";
// What all parts of the page share. Everything that comes from data goes through text nodes and attributes, never markup.
const Ent = {};

Ent.read = (id) => JSON.parse(document.getElementById(id).textContent);

// An element: Ent.make("p", {class: "soft"}, "text", child, ...)
Ent.make = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  return Ent.fill(element, attributes, children);
};

Ent.svg = (tag, attributes, ...children) =>
  Ent.fill(document.createElementNS(document.getElementById("svg").namespaceURI, tag), attributes, children);

Ent.fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
};

// Numbers of 8 bits, as fractions of 1.
Ent.bytes = (text) => {
  const binary = atob(text);
  const values = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) values[i] = binary.charCodeAt(i);
  return values;
};

Ent.percent = (rate, digits = 2) => (rate === null || rate === undefined ? "-" : (100 * rate).toFixed(digits));
Ent.interval = (bounds) => (bounds ? `[${bounds.map((value) => Ent.percent(value, 1)).join(", ")}]` : "");
Ent.seconds = (value) => (value === null || value === undefined ? "-" : value.toFixed(2));

// Beyond six emotions their colours repeat, and the dashes of lines go on differing.
Ent.tone = (set, emotion) => Emotions.tone(set.emotions, set.neutral, emotion);
Ent.DASHES = ["", "7 3", "2 2", "9 3 2 3", "12 4", "4 2 1 2", "1 3"];
Ent.dash = (set, emotion) => Ent.DASHES[set.emotions.indexOf(emotion) % Ent.DASHES.length];

Ent.label = (set, emotion) => {
  if (emotion === null || emotion === undefined) return Ent.make("span", { class: "soft" }, "-");
  const label = Ent.make("span", { class: "label" }, emotion);
  label.style.setProperty("--tone", Ent.tone(set, emotion));
  return label;
};

Ent.table = (header, rows, attributes) =>
  Ent.make(
    "table",
    attributes,
    Ent.make("thead", null, Ent.make("tr", null, header.map((cell) => Ent.make("th", { scope: "col" }, cell)))),
    Ent.make(
      "tbody",
      null,
      rows.map((row) =>
        Ent.make("tr", null, row.map((cell, place) => Ent.make(place ? "td" : "th", place ? null : { scope: "row" }, cell))),
      ),
    ),
  );

Ent.panel = (title, ...children) => Ent.make("section", { class: "panel" }, Ent.make("h3", null, title), ...children);

Ent.select = (name, options, chosen, changed) =>
  Ent.make(
    "label",
    null,
    name,
    Ent.make(
      "select",
      { onchange: (event) => changed(event.target.value) },
      options.map(([value, text]) => Ent.make("option", { value, selected: value === chosen }, text)),
    ),
  );

// Drawings follow the width of the window and the theme.
const drawings = new Map();
Ent.redrawLater = (element, draw) => drawings.set(element, draw);
Ent.redraw = () => {
  for (const [element, draw] of [...drawings]) {
    if (element.isConnected) draw();
    else drawings.delete(element);
  }
};

// A place for a drawing that needs to know its width.
Ent.drawn = (draw) => {
  const place = Ent.make("div", { class: "scroll" });
  const render = () => place.replaceChildren(draw(Math.max(240, place.clientWidth)));
  requestAnimationFrame(render);
  Ent.redrawLater(place, render);
  return place;
};
