"use strict";
// Puts the page together.
{
  const content = Ent.read("data");
  const isRun = content.kind === "run";
  const main = document.getElementById("main");
  const place = Ent.make("div");

  const theme = () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    Ent.redraw();
  };

  const show = (number) => {
    const set = content.sets[number];
    if (!isRun) {
      place.replaceChildren(new Ent.Utterances(set, false).element);
      return;
    }
    const { emotion, eder, calibration } = set.results;
    const panels = [
      emotion ? Ent.confusion(set, emotion) : null,
      eder ? Ent.ederParts(eder) : null,
      emotion ? Ent.classTable(set) : null,
      Ent.timeTable(set),
      Ent.speakerTable(set),
      content.learning ? Ent.learning(content.learning) : null,
      calibration ? Ent.reliability(calibration) : null,
    ].filter(Boolean);
    place.replaceChildren(
      Ent.make("h2", null, `Set ${set.name}`),
      Ent.cards(set),
      ...Ent.leftOut(set),
      Ent.make("div", { class: "panels" }, panels),
      new Ent.Utterances(set, true).element,
    );
  };

  const about = content.about.map(([name, value]) => `${name}: ${value}`).join(" · ");
  const sub = isRun ? "Report of a run" : "Transcript with emotions";
  document.getElementById("header").append(
    Ent.make("div", null, Ent.make("p", { class: "soft small" }, sub), Ent.make("h1", null, content.title), Ent.make("p", { class: "about" }, about)),
    Ent.make("button", { type: "button", onclick: theme }, "Light / dark"),
  );
  if (content.notes.length) main.append(Ent.make("div", { class: "notes" }, content.notes.map((note) => Ent.make("p", null, note))));
  if (content.sets.length > 1) main.append(Ent.overview(content.sets, show));
  main.append(place);
  show(0);

  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    requestAnimationFrame(Ent.redraw);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", Ent.redraw);
}
