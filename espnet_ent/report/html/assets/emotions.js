"use strict";
// The colours of emotions (values: emotions.css), for every page that draws them.
const Emotions = {};

// A variable of the theme; beyond six emotions colours repeat.
Emotions.tone = (names, neutral, emotion) => {
  if (emotion === neutral) return "var(--neutral)";
  const place = names.filter((name) => name !== neutral).indexOf(emotion);
  return place < 0 ? "var(--line)" : `var(--e${place % 6})`;
};

Emotions.rgb = (tone) => {
  const name = tone.slice(4, -1);
  const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((start) => parseInt(value.slice(start, start + 2), 16));
};

// Black or white, whichever is read better on a colour (relative luminance as in WCAG 2).
Emotions.ink = (tone) => {
  const linear = Emotions.rgb(tone).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000" : "#fff";
};
