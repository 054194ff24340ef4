"use strict";
// What opens below an utterance.
Ent.detail = (set, row) => {
  const detail = Ent.read(row.detail);
  const element = Ent.make("div", { class: "detail" });
  if (detail.remark) element.append(Ent.make("p", { class: "soft" }, `Remark of the decoding: ${detail.remark}.`));
  if (detail.edits) element.append(edits(detail.edits));
  if (detail.posteriors) element.append(utterancePosteriors(set, row, detail.posteriors));
  const audio = detail.src
    ? Ent.make("audio", { controls: true, preload: "metadata", src: detail.src, "aria-label": `Sound of ${row.id}` })
    : null;
  const chips = Ent.make("ol", { class: "chips", "aria-label": "Words" });
  const figure = new Ent.Figure(set, row, detail, audio, (place) => markWord(chips, place));
  element.append(player(row, detail, audio, figure), figure.element, legend(set, detail));
  words(set, detail, chips, figure, audio);
  if (chips.children.length) element.append(chips);
  if (detail.lattice) element.append(Ent.latticeButton(set, row, detail.lattice));
  if (audio) follow(audio, figure);
  return { element, figure, audio };
};

// The reference with what the system made of it: struck out what is missing, underlined what is in its place.
const edits = (runs) => {
  const text = Ent.make("p", { class: "edits" }, Ent.make("span", { class: "soft small" }, "Words: "));
  for (const [kind, reference, hypothesis] of runs) {
    if (kind === "equal") text.append(`${reference} `);
    if (reference && kind !== "equal") text.append(Ent.make("del", { title: "reference" }, reference), " ");
    if (hypothesis && kind !== "equal") text.append(Ent.make("ins", { title: "system" }, hypothesis), " ");
  }
  return text;
};

const utterancePosteriors = (set, row, posteriors) => {
  const parts = set.emotions.map((emotion, place) =>
    Ent.make("span", null, Ent.label(set, emotion), ` ${Ent.percent(posteriors[place], 1)} %`),
  );
  return Ent.make("div", { class: "posteriors" }, Ent.make("span", { class: "soft" }, "Whole utterance:"), parts);
};

const player = (row, detail, audio, figure) => {
  const line = Ent.make("div", { class: "player" });
  if (audio) line.append(audio);
  else {
    const reason = detail.fault ? `The audio can't be read: ${detail.fault}.` : "No sound in this page.";
    line.append(Ent.make("span", { class: "soft small" }, reason));
  }
  line.append(Ent.make("span", { class: "soft small" }, `${Ent.seconds(row.seconds)} s${detail.peaks ? `, loudest ${detail.loudest}` : ""}`));
  if (row.seconds > Ent.VIEW_SECONDS) {
    const turn = (step) => figure.seekTo(Math.max(0, Math.floor(figure.from / Ent.VIEW_SECONDS + step) * Ent.VIEW_SECONDS));
    line.append(Ent.make("button", { type: "button", onclick: () => turn(-1) }, `Earlier ${Ent.VIEW_SECONDS} s`));
    line.append(Ent.make("button", { type: "button", onclick: () => turn(1) }, `Later ${Ent.VIEW_SECONDS} s`));
  }
  return line;
};

const legend = (set, detail) => {
  if (!detail.frames && !detail.system && !detail.reference) return Ent.make("div");
  const entries = set.emotions.map((emotion) => {
    const look = { x1: 0, x2: 26, y1: 6, y2: 6, stroke: Ent.tone(set, emotion), "stroke-width": 2.5, "stroke-dasharray": Ent.dash(set, emotion) };
    const line = Ent.svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, Ent.svg("line", look));
    return Ent.make("span", { class: "label" }, line, emotion === set.neutral ? `${emotion} (neutral)` : emotion);
  });
  for (const entry of entries) entry.style.setProperty("--tone", "transparent");
  return Ent.make("div", { class: "legend plain" }, entries);
};

const words = (set, detail, chips, figure, audio) => {
  for (const [start, end, word, confidence, emotion, probability] of detail.words || []) {
    const told = [`${start.toFixed(2)}-${end.toFixed(2)} s`];
    if (confidence !== null) told.push(`conf. ${Math.round(100 * confidence)} %`);
    if (emotion) told.push(`${emotion} ${Math.round(100 * probability)} %`);
    const play = () => {
      figure.seekTo(start);
      if (audio) audio.play();
    };
    const chip = Ent.make("button", { type: "button", "data-start": start, "data-end": end, onclick: play }, word, Ent.make("small", null, told.join(" · ")));
    if (emotion) chip.style.setProperty("--tone", Ent.tone(set, emotion));
    chips.append(Ent.make("li", null, chip));
  }
};

const markWord = (chips, place) => {
  for (const chip of chips.querySelectorAll("button")) {
    const isNow = Number(chip.dataset.start) <= place && place < Number(chip.dataset.end) && place > 0;
    chip.classList.toggle("now", isNow);
  }
};

const follow = (audio, figure) => {
  const step = () => {
    figure.seekTo(audio.currentTime, false);
    if (!audio.paused && audio.isConnected) requestAnimationFrame(step);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    step();
  });
  audio.addEventListener("seeked", () => figure.seekTo(audio.currentTime, false));
};
