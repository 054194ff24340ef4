"use strict";
// The list of utterances: sorted, filtered, searched, and opened one by one.
const PAGE = 100;
const wer = (row) => (row.words ? row.words[0] / Math.max(1, row.words[1]) : -1);
const isWrong = (row) => Boolean(row.emotion[0] && row.emotion[1] && row.emotion[0] !== row.emotion[1]);
const byName = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

const ORDERS = {
  worst: ["worst first (EDER, emotion, WER)", (a, b) => a.worst - b.worst],
  eder: ["EDER", (a, b) => (b.eder ?? -1) - (a.eder ?? -1) || byName(a, b)],
  wer: ["WER", (a, b) => wer(b) - wer(a) || byName(a, b)],
  emotion: ["wrong emotion first", (a, b) => isWrong(b) - isWrong(a) || a.worst - b.worst],
  longest: ["longest first", (a, b) => b.seconds - a.seconds || byName(a, b)],
  id: ["name", byName],
};

Ent.Utterances = class {
  constructor(set, isRun) {
    Object.assign(this, { set, isRun, order: isRun ? "worst" : "given", words: "", reference: "", system: "", speaker: "", only: "", shown: PAGE });
    this.list = Ent.make("ol", { class: isRun ? "rows" : "rows recordings" });
    this.count = Ent.make("p", { class: "soft small", role: "status" });
    this.more = Ent.make("button", { type: "button", onclick: () => this.showMore() }, "Show more");
    const title = Ent.make("h2", { id: "utterances", tabindex: "-1" }, isRun ? "Utterances" : "Recordings");
    this.element = Ent.make("section", null, title, this.tools(), this.count, this.head(), this.list, this.more);
    this.render();
    if (!isRun && set.utterances.length === 1) requestAnimationFrame(() => this.list.querySelector("button.row").click());
  }

  tools() {
    const { set, isRun } = this;
    const change = (name) => (value) => {
      this[name] = value;
      this.shown = PAGE;
      this.render();
    };
    const box = Ent.make("div", { class: "tools", role: "search" });
    if (!isRun && set.utterances.length < 2) return box;
    box.append(Ent.make("label", { class: "grow" }, "Search", Ent.make("input", { type: "search", placeholder: "name, word, speaker", oninput: (event) => change("words")(event.target.value) })));
    const emotions = [["", "any"], ...set.emotions.map((emotion) => [emotion, emotion])];
    if (isRun) {
      box.append(Ent.select("Order", Object.entries(ORDERS).map(([value, [text]]) => [value, text]), this.order, change("order")));
      if (set.results.emotion) box.append(Ent.select("Reference", emotions, "", change("reference")));
    }
    if (set.utterances.some((row) => row.emotion[1])) box.append(Ent.select("System", emotions, "", change("system")));
    const speakers = [...new Set(set.utterances.map((row) => row.speaker))].filter(Boolean).sort();
    if (speakers.length > 1) box.append(Ent.select("Speaker", [["", "any"], ...speakers.map((one) => [one, one])], "", change("speaker")));
    if (isRun) {
      const choices = [["", "all"], ["emotion", "wrong emotion"], ["words", "wrong words"], ["detail", "with details"], ["lattice", "with a lattice"]];
      box.append(Ent.select("Only", choices, "", change("only")));
    }
    return box;
  }

  head() {
    const titles = this.isRun ? ["utterance", "system's words", "emotion", "WER %", "EDER %"] : ["recording", "words", "emotion", "seconds"];
    return Ent.make("div", { class: this.isRun ? "rows" : "rows recordings", "aria-hidden": "true" },
      Ent.make("div", { class: "row rowhead" }, titles.map((title, place) => Ent.make("span", { class: place > 2 ? "number" : "" }, title))));
  }

  found() {
    const wanted = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const { only } = this;
    const rows = this.set.utterances.filter((row) => {
      const text = [row.id, row.speaker, row.text, row.reference].filter(Boolean).join(" ").toLowerCase();
      if (!wanted.every((word) => text.includes(word))) return false;
      if (this.reference && row.emotion[0] !== this.reference) return false;
      if (this.system && row.emotion[1] !== this.system) return false;
      if (this.speaker && row.speaker !== this.speaker) return false;
      if (only === "emotion") return isWrong(row);
      if (only === "words") return Boolean(row.words && row.words[0]);
      return !only || Boolean(only === "detail" ? row.detail : row.lattice);
    });
    return this.order in ORDERS ? rows.sort(ORDERS[this.order][1]) : rows;
  }

  render() {
    const rows = this.found();
    this.list.replaceChildren(...rows.slice(0, this.shown).map((row) => this.item(row)));
    this.count.textContent = `${rows.length} of ${this.set.utterances.length}${rows.length > this.shown ? `, the first ${this.shown} are shown` : ""}`;
    this.more.hidden = rows.length <= this.shown;
  }

  showMore() {
    const rows = this.found();
    this.list.append(...rows.slice(this.shown, this.shown + PAGE).map((row) => this.item(row)));
    this.shown += PAGE;
    this.more.hidden = rows.length <= this.shown;
    this.count.textContent = `${rows.length} of ${this.set.utterances.length}, the first ${Math.min(this.shown, rows.length)} are shown`;
  }

  item(row) {
    const number = (name, value) => Ent.make("span", { class: "number" }, Ent.make("small", null, `${name} `), value);
    const [truth, guess] = row.emotion;
    const emotion = Ent.make("span", null, guess ? Ent.label(this.set, guess) : Ent.make("span", { class: "soft" }, "-"));
    if (truth && guess && truth !== guess) emotion.append(Ent.make("span", { class: "wrong small" }, ` not ${truth}`));
    const cells = [
      Ent.make("span", { class: "id" }, row.id),
      Ent.make("span", { class: "words" }, row.text || Ent.make("span", { class: "soft" }, "(no words)")),
      emotion,
    ];
    if (this.isRun) cells.push(number("WER", row.words ? Ent.percent(wer(row), 1) : "-"), number("EDER", Ent.percent(row.eder, 1)));
    else cells.push(Ent.make("span", { class: "number" }, Ent.seconds(row.seconds)));
    const item = Ent.make("li", null);
    if (!row.detail) {
      item.append(Ent.make("div", { class: "row" }, cells));
      return item;
    }
    const button = Ent.make("button", { type: "button", class: "row", "aria-expanded": "false" }, cells);
    button.addEventListener("click", () => this.toggle(item, button, row));
    item.append(button);
    return item;
  }

  toggle(item, button, row) {
    const opens = item.children.length === 1;
    button.setAttribute("aria-expanded", String(opens));
    if (!opens) {
      item.lastChild.querySelectorAll("audio").forEach((audio) => audio.pause());
      item.lastChild.remove();
      return;
    }
    const { element, figure } = Ent.detail(this.set, row);
    item.append(element);
    figure.draw();
    Ent.redrawLater(figure.element, () => figure.draw());
  }
};
