"""The few lines that the scoring stage prints."""

from __future__ import annotations

import json
from pathlib import Path

from espnet_ent.report.terminal import summarise
from tests.report.sample import write_experiments

EXPECTED = """\
test: 4 utterances of 2 speakers; % [95 % CI over speakers]
  WER 50.00 [33.3, 60.0]   CER 48.39   substitutions 1  deletions 2  insertions 1  empty 1
  UA 50.00 [0.0, 100.0]   WA 50.00   F1 38.89
  majority class (neu): UA 33.33   WA 25.00   F1 13.33
  recall hap 0.00  ang 50.00  sad -  neu 100.00
  EDER 44.26 [13.5, 75.0] = false alarm 14.96 + missed 16.80 + confusion 12.50 + overlap 0.00
  EDER duration-weighted 45.50 [10.2, 83.3]
  EDER all neutral 39.55; predicted label everywhere 47.95; gold label everywhere 35.45 (ORACLE)"""


def test_golden(tmp_path: Path) -> None:
    ent, _ = write_experiments(tmp_path)
    results = json.loads((ent / "decode_greedy/test/score/results.json").read_text())
    assert summarise(results) == EXPECTED
    assert max(map(len, EXPECTED.splitlines())) <= 100


def test_words_in_time(tmp_path: Path) -> None:
    ent, _ = write_experiments(tmp_path, words=True)
    results = json.loads((ent / "decode_greedy/test/score/results.json").read_text())
    words = [
        "  correct words 5 of 8: median error of start 0.050 s, end 0.050 s; within 0.1 s 80.00",
        "  their emotions UA 66.67   WA 60.00; all neutral UA 33.33   WA 40.00",
    ]
    lines = EXPECTED.splitlines()
    assert summarise(results).splitlines() == [*lines[:5], *words, *lines[5:]]


def test_says_why_eder_is_left_out(tmp_path: Path) -> None:
    _, fent = write_experiments(tmp_path)
    results = json.loads((fent / "decode_greedy/test2/score/results.json").read_text())
    assert summarise(results).endswith("\n  EDER left out: the reference has no emo_segments")
