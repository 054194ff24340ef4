"use strict";
// Pictures of a whole set.
Ent.confusion = (set, emotion) => {
  const { labels, confusion } = emotion;
  const rows = confusion.map((row, place) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count) => {
      const share = total ? count / total : 0;
      const cell = Ent.make("td", { class: "cell", title: `${Ent.percent(share, 1)} % of ${labels[place]}` }, String(count));
      cell.style.backgroundColor = `rgba(var(--heat), ${(0.6 * share).toFixed(3)})`;
      return cell;
    });
    const recall = Ent.make("td", null, Ent.percent(emotion.recall[labels[place]]));
    return Ent.make("tr", null, Ent.make("th", { scope: "row" }, Ent.label(set, labels[place])), cells, Ent.make("td", null, String(total)), recall);
  });
  const header = [Ent.make("span", { class: "corner" }, "reference ↓\nsystem →"), ...labels.map((label) => Ent.label(set, label)), "all", "recall"];
  const table = Ent.table(header, [], { class: "matrix" });
  table.tBodies[0].append(...rows);
  return Ent.panel("Confusion matrix", Ent.make("div", { class: "scroll" }, table));
};

const EDER_PARTS = [
  ["false_alarm", "false alarm", "var(--e0)"],
  ["missed_emotion", "missed", "var(--e2)"],
  ["confusion", "confusion", "var(--e1)"],
  ["overlap", "overlap", "var(--e3)"],
];
const SYSTEMS = [
  ["system", "system"],
  ["predicted_label", "baseline: predicted label everywhere"],
  ["all_neutral", "baseline: all neutral"],
  ["gold_label_oracle", "ORACLE: gold label everywhere"],
];

Ent.ederParts = (eder) => {
  const blocks = SYSTEMS.filter(([key]) => key in eder).map(([key, name]) => {
    const mean = eder[key].utterance_mean;
    const bar = Ent.make("div", { class: "bar", role: "img", "aria-label": `EDER ${Ent.percent(mean.eder)} %` });
    for (const [part, title, tone] of EDER_PARTS) {
      if (!mean[part]) continue;
      const piece = Ent.make("i", { title: `${title} ${Ent.percent(mean[part])} %` });
      piece.style.width = `${100 * mean[part]}%`;
      piece.style.background = tone;
      bar.append(piece);
    }
    const figures = EDER_PARTS.filter(([part]) => part !== "overlap" || mean[part]).map(([part, title]) => `${title} ${Ent.percent(mean[part])}`);
    const weighted = `by duration ${Ent.percent(eder[key].duration_weighted.eder)}`;
    const total = Ent.make("b", null, `${Ent.percent(mean.eder)} `, Ent.make("span", { class: "soft small" }, Ent.interval(mean.interval)));
    const line = Ent.make("div", { class: "partline" }, Ent.make("span", null, name), total);
    return Ent.make("div", { class: "part" }, line, bar, Ent.make("div", { class: "soft small" }, [...figures, weighted].join(" · ")));
  });
  const keys = Ent.make("div", { class: "legend" }, EDER_PARTS.map(([, title, tone]) => swatch(title, tone)));
  return Ent.panel("Emotion timeline: EDER and its parts, % of the time", ...blocks, keys);
};

const swatch = (name, tone) => {
  const label = Ent.make("span", { class: "label" }, name);
  label.style.setProperty("--tone", tone);
  return label;
};

// Axes from 0 to 1 or between given values; gives functions from values to pixels.
const axes = (width, height, [x0, x1], [y0, y1], ticks) => {
  const box = { left: 46, right: 12, top: 8, bottom: 30 };
  const picture = Ent.svg("svg", { class: "chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "img" });
  const x = (value) => box.left + ((value - x0) / (x1 - x0 || 1)) * (width - box.left - box.right);
  const y = (value) => height - box.bottom - ((value - y0) / (y1 - y0 || 1)) * (height - box.top - box.bottom);
  for (const tick of ticks.y) {
    picture.append(Ent.svg("line", { class: "grid", x1: box.left, x2: width - box.right, y1: y(tick), y2: y(tick) }));
    picture.append(Ent.svg("text", { x: box.left - 6, y: y(tick) + 4, "text-anchor": "end" }, shortNumber(tick)));
  }
  for (const tick of ticks.x) {
    picture.append(Ent.svg("line", { class: "axis", x1: x(tick), x2: x(tick), y1: height - box.bottom, y2: height - box.bottom + 4 }));
    picture.append(Ent.svg("text", { x: x(tick), y: height - box.bottom + 15, "text-anchor": "middle" }, shortNumber(tick)));
  }
  const named = (xName) => picture.append(Ent.svg("text", { x: width - box.right, y: height - 3, "text-anchor": "end" }, xName));
  return { picture, x, y, named };
};

const shortNumber = (value) => String(Number(value.toPrecision(3)));

const niceTicks = (low, high, wanted) => {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  return ticks;
};

Ent.reliability = (calibration) => {
  const panels = [];
  for (const [unit, one] of [["utterances", calibration.utterances], ["frames", calibration.frames]]) {
    if (!one) continue;
    const told = [["raw", one.before]];
    if (one.after) told.push([`temperature ${one.temperature.toFixed(2)}, fitted on ${calibration.fitted_on}`, one.after]);
    for (const [name, scores] of told) {
      const figures = `ECE ${Ent.percent(scores.ece, 1)} %, NLL ${scores.nll.toFixed(3)}, Brier ${scores.brier.toFixed(3)}`;
      panels.push(
        Ent.make("div", null, Ent.make("p", { class: "small" }, Ent.make("b", null, `${unit}, ${name}`), Ent.make("br"), Ent.make("span", { class: "soft" }, figures)),
          Ent.drawn((width) => reliabilityPicture(scores, Math.min(width, 420), `${unit}, ${name}`)), binTable(scores)),
      );
    }
  }
  const grid = Ent.make("div", { class: "panels" }, panels);
  const note = "Bars: how often the top probability is right; the dashed line is perfect confidence, a dot the mean confidence of a bin. Paler bars hold fewer samples.";
  return Ent.panel("Reliability: are the probabilities right?", grid, Ent.make("p", { class: "soft small" }, note));
};

const filledBins = ({ bins }) =>
  bins.count.map((count, place) => ({ place, count, accuracy: bins.accuracy[place], confidence: bins.confidence[place] })).filter((bin) => bin.count);

const reliabilityPicture = (scores, width, name) => {
  const size = scores.bins.count.length;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const { picture, x, y, named } = axes(width, 220, [0, 1], [0, 1], { x: ticks, y: ticks });
  picture.setAttribute("aria-label", `Reliability diagram, ${name}`);
  const most = Math.max(...scores.bins.count);
  for (const { place, count, accuracy, confidence } of filledBins(scores)) {
    const left = x(place / size) + 1;
    const width_ = x((place + 1) / size) - left - 1;
    const title = Ent.svg("title", null, `${count} samples: right ${Ent.percent(accuracy, 1)} %, confidence ${Ent.percent(confidence, 1)} %`);
    picture.append(Ent.svg("rect", { x: left, y: y(accuracy), width: width_, height: y(0) - y(accuracy), fill: "var(--e2)", "fill-opacity": 0.3 + 0.6 * Math.sqrt(count / most) }, title));
    picture.append(Ent.svg("circle", { cx: left + width_ / 2, cy: y(confidence), r: 3, fill: "var(--e0)", stroke: "var(--bg)" }));
  }
  picture.append(Ent.svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), stroke: "var(--fg)", "stroke-dasharray": "5 4" }));
  named("confidence");
  return picture;
};

const binTable = (scores) => {
  const rows = filledBins(scores).map((bin) => [`${bin.place + 1}`, String(bin.count), Ent.percent(bin.accuracy, 1), Ent.percent(bin.confidence, 1)]);
  return Ent.make("details", null, Ent.make("summary", null, "Numbers"), Ent.make("div", { class: "scroll" }, Ent.table(["bin", "samples", "right %", "confidence %"], rows)));
};

Ent.learning = ({ epochs, curves }) => {
  const names = Object.keys(curves);
  const place = Ent.make("div");
  const show = (name) => {
    const drawing = Ent.drawn((width) => learningPicture(name, epochs, curves[name], width));
    const rows = epochs.map((epoch, row) => [String(epoch), ...Object.values(curves[name]).map((values) => (values[row] === null ? "-" : shortNumber(values[row])))]);
    const table = Ent.make("details", null, Ent.make("summary", null, "Numbers"), Ent.make("div", { class: "scroll" }, Ent.table(["epoch", ...Object.keys(curves[name])], rows)));
    const keys = Object.keys(curves[name]).map((phase) => swatch(`${phase}${phase === "valid" ? " (dots)" : ""}`, PHASES[phase]));
    place.replaceChildren(drawing, Ent.make("div", { class: "legend" }, keys), table);
  };
  const choice = Ent.select("Figure", names.map((name) => [name, name]), names[0], show);
  show(names[0]);
  return Ent.panel("Learning curves", Ent.make("div", { class: "tools" }, choice), place);
};

const PHASES = { train: "var(--e2)", valid: "var(--e0)" };

const learningPicture = (name, epochs, phases, width) => {
  const values = Object.values(phases).flat().filter((value) => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = (high - low || 1) * 0.05;
  const ticks = { x: niceTicks(epochs[0], epochs[epochs.length - 1], Math.min(8, epochs.length)).filter(Number.isInteger), y: niceTicks(low, high, 5) };
  const { picture, x, y, named } = axes(width, 240, [epochs[0], epochs[epochs.length - 1]], [low - pad, high + pad], ticks);
  picture.setAttribute("aria-label", `${name} by epoch`);
  for (const [phase, series] of Object.entries(phases)) {
    const points = series.map((value, place) => (value === null ? null : [x(epochs[place]), y(value)])).filter(Boolean);
    picture.append(Ent.svg("polyline", { points: points.map((point) => point.map((one) => one.toFixed(1)).join(",")).join(" "), fill: "none", stroke: PHASES[phase], "stroke-width": 2 }));
    if (phase === "valid" || points.length === 1)
      for (const [cx, cy] of points) picture.append(Ent.svg("circle", { cx, cy, r: 3, fill: PHASES[phase] }));
  }
  named("epoch");
  return picture;
};
