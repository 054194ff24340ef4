"use strict";
// Figures of a set: cards, and tables by class and by speaker.
const card = (name, value, more) => Ent.make("div", { class: "card" }, Ent.make("span", null, name), Ent.make("b", null, value), Ent.make("span", null, more || " "));

Ent.cards = ({ results }) => {
  const { recognition, emotion, eder } = results;
  const cards = [card("Utterances", String(results.num_utterances), `of ${results.num_speakers} ${results.num_speakers === 1 ? "speaker" : "speakers"}`)];
  if (recognition.wer) {
    cards.push(card("WER %", Ent.percent(recognition.wer.rate), Ent.interval(recognition.wer.interval)));
    cards.push(card("CER %", Ent.percent(recognition.cer.rate), Ent.interval(recognition.cer.interval)));
  }
  if (emotion) {
    cards.push(card("WA %", Ent.percent(emotion.wa), "accuracy"));
    cards.push(card("UA %", Ent.percent(emotion.ua), Ent.interval(emotion.ua_interval)));
    cards.push(card("F1 %", Ent.percent(emotion.macro_f1), "mean over classes"));
  }
  if (eder) {
    const mean = eder.system.utterance_mean;
    cards.push(card("EDER %", Ent.percent(mean.eder), Ent.interval(mean.interval)));
  }
  return Ent.make("div", { class: "cards" }, cards);
};

// What was not scored, and why.
Ent.leftOut = ({ results }) => {
  const reasons = [];
  if (results.emotion_text) reasons.push("ORACLE: the utterance head read a text that it was given in place of the recognised one.");
  if (results.recognition_left_out) reasons.push(`No words are scored: ${results.recognition_left_out}.`);
  else if (results.recognition.num_untranscribed) reasons.push(`WER and CER leave out ${results.recognition.num_untranscribed} utterances without a transcript.`);
  if (!results.emotion) reasons.push(`No utterance emotion is scored: ${results.emotion_left_out}.`);
  if (!results.eder) reasons.push(`No emotion timeline is scored: ${results.eder_left_out}.`);
  if (!results.words && results.words_left_out) reasons.push(`No times of words are scored: ${results.words_left_out}.`);
  return reasons.map((reason) => Ent.make("p", { class: "soft" }, reason));
};

Ent.classTable = (set) =>
  Ent.panel(
    "By emotion",
    Ent.make(
      "div",
      { class: "scroll" },
      Ent.table(
        ["emotion", "ref.", "system", "recall %", "precision %", "F1 %"],
        set.classes.map((row) => [Ent.label(set, row.emotion), String(row.reference), String(row.system), Ent.percent(row.recall), Ent.percent(row.precision), Ent.percent(row.f1)]),
      ),
    ),
  );

Ent.speakerTable = (set) => {
  const columns = [["wer", "WER %"], ["wa", "WA %"], ["ua", "UA %"], ["eder", "EDER %"], ["false_alarm", "false alarm"], ["missed_emotion", "missed"], ["confusion", "confusion"]]
    .filter(([name]) => set.speakers.some((row) => row[name] !== undefined && row[name] !== null));
  const rows = set.speakers.map((row) => [row.speaker, String(row.utterances), ...columns.map(([name]) => Ent.percent(row[name]))]);
  const panel = Ent.panel("By speaker", Ent.make("div", { class: "scroll" }, Ent.table(["speaker", "utt.", ...columns.map(([, title]) => title)], rows)));
  panel.classList.add("wide");
  return panel;
};

Ent.timeTable = ({ results }) => {
  const { boundaries, words } = results;
  const rows = [];
  const number = (value) => (value === null || value === undefined ? "-" : value.toFixed(3));
  if (boundaries) {
    rows.push(["emotion changes: reference / system", `${boundaries.num_reference} / ${boundaries.num_hypothesis}`]);
    rows.push(["distance to the nearest change, median / mean s", `${number(boundaries.median)} / ${number(boundaries.mean)}`]);
  }
  if (words) {
    rows.push(["correct words", `${words.num_correct} of ${words.num_reference}`]);
    rows.push(["start of a word, median / mean error s", `${number(words.start.median)} / ${number(words.start.mean)}`]);
    rows.push(["end of a word, median / mean error s", `${number(words.end.median)} / ${number(words.end.mean)}`]);
    rows.push([`both within ${words.tolerance_seconds} s`, `${Ent.percent(words.within_tolerance)} %`]);
    if (words.emotion) rows.push(["emotion of words, WA / UA %", `${Ent.percent(words.emotion.wa)} / ${Ent.percent(words.emotion.ua)}`]);
  }
  return rows.length ? Ent.panel("In time", Ent.make("div", { class: "scroll" }, Ent.table(["", "value"], rows, { class: "parts" }))) : null;
};

// All sets of a run, a row each.
Ent.overview = (sets, open) => {
  const decodings = new Set(sets.map((set) => set.decoding));
  const rows = sets.map((set, place) => {
    const { recognition, emotion, eder } = set.results;
    const name = Ent.make("button", { type: "button", onclick: () => open(place) }, decodings.size > 1 ? `${set.name} / ${set.decoding}` : set.name);
    const wer = recognition.wer ? recognition.wer.rate : null;
    return [name, String(set.results.num_utterances), Ent.percent(wer), Ent.percent(emotion && emotion.wa), Ent.percent(emotion && emotion.ua), Ent.percent(emotion && emotion.macro_f1), Ent.percent(eder && eder.system.utterance_mean.eder)];
  });
  const header = [decodings.size > 1 ? "set / decoding" : "set", "utt.", "WER %", "WA %", "UA %", "F1 %", "EDER %"];
  return Ent.panel("All sets", Ent.make("div", { class: "scroll" }, Ent.table(header, rows)));
};
