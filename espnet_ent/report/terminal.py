"""The scores of one set in a few lines, as stages show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from espnet_ent.data.provenance import GIVEN_TEXT
from espnet_ent.metrics.confidence import NOT_ASKED
from espnet_ent.metrics.scoring import SYSTEM
from espnet_ent.metrics.trivial import ALL_NEUTRAL, GOLD_LABEL, PREDICTED_LABEL
from espnet_ent.report.confidence import UNITS, before_and_after
from espnet_ent.report.figures import count, interval_percent, percent, seconds


def summarise(results: Mapping[str, Any]) -> str:
    """Lines of at most 100 columns, without a newline at the end.

    Args:
        results: The content of a ``results.json``.
    """
    eder = results["eder"]
    speakers = count(results["num_speakers"], "speaker")
    lines = [
        f"{results['set']}: {count(results['num_utterances'], 'utterance')} of {speakers}; "
        f"% [{100 * results['bootstrap']['level']:g} % CI over speakers]",
        *(["  ORACLE: the utterance head was given a text"] if results.get(GIVEN_TEXT) else []),
        *_recognition_lines(results),
        *_emotion_lines(results),
        *_word_lines(results.get("words")),
        *_confidence_lines(results),
    ]
    if eder is None:
        return "\n".join([*lines, f"  EDER left out: {results['eder_left_out']}"])
    mean, weighted = eder[SYSTEM]["utterance_mean"], eder[SYSTEM]["duration_weighted"]
    baselines = {name: percent(eder[name]["utterance_mean"]["eder"]) for name in eder}
    return "\n".join(
        [
            *lines,
            f"  EDER {interval_percent(mean['eder'], mean['interval'])} = "
            f"false alarm {percent(mean['false_alarm'])} + missed {percent(mean['missed_emotion'])} + "
            f"confusion {percent(mean['confusion'])} + overlap {percent(mean['overlap'])}",
            f"  EDER duration-weighted {interval_percent(weighted['eder'], weighted['interval'])}",
            f"  EDER all neutral {baselines[ALL_NEUTRAL]}; predicted label everywhere "
            f"{baselines[PREDICTED_LABEL]}; gold label everywhere {baselines[GOLD_LABEL]} (ORACLE)",
        ]
    )


def _recognition_lines(results: Mapping[str, Any]) -> Iterator[str]:
    recognition = results["recognition"]
    if results.get("recognition_left_out"):
        yield f"  WER left out: {results['recognition_left_out']}"
        return
    wer, cer = recognition["wer"], recognition["cer"]
    if wer is not None:
        yield (
            f"  WER {interval_percent(wer['rate'], wer['interval'])}   CER {percent(cer['rate'])}   "
            f"substitutions {wer['substitutions']}  deletions {wer['deletions']}  "
            f"insertions {wer['insertions']}  empty {recognition['num_empty_hypotheses']}"
        )
    if recognition["num_untranscribed"]:
        yield f"  WER leaves out {count(recognition['num_untranscribed'], 'utterance')} without a transcript"


def _confidence_lines(results: Mapping[str, Any]) -> Iterator[str]:
    calibration, left_out = results.get("calibration"), results.get("calibration_left_out", NOT_ASKED)
    if calibration is None:
        if left_out != NOT_ASKED:
            yield f"  confidence left out: {left_out}"
        return
    for unit in UNITS:
        samples = calibration[unit]
        if samples is not None:
            known = samples["temperature"] is not None
            temperature = f"temperature {samples['temperature']:.3f}" if known else "no temperature"
            ece = before_and_after(samples, "ece", in_percent=True)
            yield f"  ECE of {unit} {ece}   NLL {before_and_after(samples, 'nll')} ({temperature})"


def _emotion_lines(results: Mapping[str, Any]) -> Iterator[str]:
    emotion = results["emotion"]
    if emotion is None:
        yield f"  emotion left out: {results['emotion_left_out']}"
        return
    majority = emotion["majority"]
    yield (
        f"  UA {interval_percent(emotion['ua'], emotion['ua_interval'])}   WA {percent(emotion['wa'])}   "
        f"F1 {percent(emotion['macro_f1'])}"
    )
    if majority is not None:
        yield (
            f"  majority class ({majority['label']}): UA {percent(majority['ua'])}   "
            f"WA {percent(majority['wa'])}   F1 {percent(majority['macro_f1'])}"
        )
    yield "  recall " + "  ".join(f"{label} {percent(emotion['recall'][label])}" for label in emotion["labels"])


def _word_lines(words: Mapping[str, Any] | None) -> Iterator[str]:
    if words is None:
        return
    yield (
        f"  correct words {words['num_correct']} of {words['num_reference']}: median error of start "
        f"{seconds(words['start']['median'])} s, end {seconds(words['end']['median'])} s; "
        f"within {words['tolerance_seconds']:g} s {percent(words['within_tolerance'])}"
    )
    emotion = words["emotion"]
    if emotion is not None:
        neutral = emotion["always_neutral"]
        yield (
            f"  their emotions UA {percent(emotion['ua'])}   WA {percent(emotion['wa'])}; "
            f"all neutral UA {percent(neutral['ua'])}   WA {percent(neutral['wa'])}"
        )
