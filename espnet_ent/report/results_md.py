"""RESULTS.md: what was run, how well it did, and what trivial systems reach on the same data."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.metrics.scoring import SYSTEM
from espnet_ent.metrics.trivial import ALL_NEUTRAL, GOLD_LABEL, PREDICTED_LABEL
from espnet_ent.report.confidence import confidence_blocks
from espnet_ent.report.document import Block, Command, Heading, Paragraph, Table, render_markdown
from espnet_ent.report.experiment import Experiment, ScoredResults
from espnet_ent.report.figures import UNDEFINED, count, interval_percent, interval_title, percent
from espnet_ent.report.word_tables import boundary_tables, word_note, word_tables

_YARDSTICKS = {
    "majority": "majority class",
    "text_only": "words alone (logistic regression)",
    "prosody": "utterance prosody alone (logistic regression)",
}
_EDER_PARTS = ("false_alarm", "missed_emotion", "confusion", "overlap")

System = tuple[Experiment, ScoredResults]


def summary_blocks(experiments: Sequence[Experiment], difficulty: Mapping[str, Any] | None = None) -> list[Block]:
    """The tables of scores beside their baselines, set by set, without the confusion matrices.

    Args:
        experiments: Systems to compare.
        difficulty: What simple classifiers reach: ``set`` and, by yardstick, ``wa`` and ``ua``.
    """
    blocks: list[Block] = []
    if len(experiments) == 1 and len(experiments[0].scored) > 1:
        blocks.extend(_overview_blocks(experiments[0]))
    for name, systems in _by_set(experiments).items():
        blocks.append(
            Heading(f"Set {name}: {_size(systems)} (in %, {interval_title(scored for _, scored in systems)})")
        )
        blocks.append(_utterance_table(systems))
        blocks.extend(_left_out_blocks(systems))
        blocks.extend(_timeline_blocks(systems))
        blocks.extend(boundary_tables(systems))
        blocks.extend(word_tables(systems))
    if difficulty is not None:
        blocks.extend(_difficulty_blocks(difficulty))
    blocks.append(Paragraph(_interval_note(experiments)))
    blocks.extend(word_note(experiments))
    return blocks


def report_blocks(
    experiments: Sequence[Experiment], difficulty: Mapping[str, Any] | None = None, beside: Path | None = None
) -> list[Block]:
    """The whole report but for its first line; arguments as :func:`summary_blocks` and :func:`confidence_blocks`."""
    return [
        Heading("RESULTS", level=1),
        *_setting_blocks(experiments),
        *summary_blocks(experiments, difficulty),
        *confidence_blocks(experiments, beside),
        *_confusion_blocks(experiments),
    ]


def write_results_md(
    path: str | Path, experiments: Sequence[Experiment], difficulty: Mapping[str, Any] | None = None
) -> bool:
    """Write the report; see :func:`write_document`.

    Returns:
        Whether the file was written.
    """
    return write_document(path, report_blocks(experiments, difficulty, Path(path).parent))


def write_document(path: str | Path, blocks: Iterable[Block]) -> bool:
    """Write a report, unless the file says the same already.

    The first line alone carries date, host and commit; where nothing else would change, the file stays as
    it is.

    Returns:
        Whether the file was written.
    """
    path = Path(path)
    body = "\n" + render_markdown(blocks)
    if path.is_file() and path.read_text(encoding="utf-8").partition("\n")[2] == body:
        return False
    atomic_write_text(path, provenance_line() + "\n" + body)
    return True


def provenance_line() -> str:
    """Date (UTC), host and commit of this run."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"*{now}, host {platform.node() or 'unknown'}, commit {_commit()}*"


def _commit() -> str:
    """Commit of the checkout that this package is in, with ``-dirty`` after local changes."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match="]
    try:
        answer = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip() or "unknown"


def _by_set(experiments: Iterable[Experiment]) -> dict[str, list[System]]:
    sets: dict[str, list[System]] = {}
    for experiment in experiments:
        for scored in experiment.scored:
            sets.setdefault(scored.set_name, []).append((experiment, scored))
    return dict(sorted(sets.items()))


def _size(systems: Sequence[System]) -> str:
    sizes = {
        f"{count(scored.results['num_utterances'], 'utterance')} of {count(scored.results['num_speakers'], 'speaker')}"
        for _, scored in systems
    }
    return " / ".join(sorted(sizes))


def _setting_blocks(experiments: Sequence[Experiment]) -> Iterable[Block]:
    yield Heading("What was run")
    rows = []
    for experiment in experiments:
        checkpoints = sorted({str(scored.results.get("checkpoint") or UNDEFINED) for scored in experiment.scored})
        seed = UNDEFINED if experiment.seed is None else str(experiment.seed)
        rows.append((experiment.tag, experiment.config or UNDEFINED, seed, ", ".join(checkpoints)))
    yield Table(("system", "config", "seed", "checkpoint"), tuple(rows))
    commands = dict.fromkeys(experiment.command for experiment in experiments if experiment.command)
    if commands:
        yield Command("\n".join(commands))


def _overview_blocks(experiment: Experiment) -> Iterable[Block]:
    """One system on all sets, a row each."""
    yield Heading(f"All sets (in %, {interval_title(experiment.scored)})")
    several_decodings = len({scored.inference_tag for scored in experiment.scored}) > 1
    rows = []
    for scored in sorted(experiment.scored, key=lambda one: one.set_name):
        results, eder = scored.results, scored.results["eder"]
        mean = None if eder is None else eder[SYSTEM]["utterance_mean"]
        rows.append(
            (
                scored.oracle + scored.set_name + several_decodings * f" / {scored.inference_tag}",
                str(results["num_utterances"]),
                str(results["num_speakers"]),
                _recognition_cells(results["recognition"])[0],
                *_emotion_cells(results["emotion"]),
                UNDEFINED if mean is None else interval_percent(mean["eder"], mean["interval"]),
            )
        )
    yield Table(("set", "utterances", "speakers", "WER", "WA", "UA", "F1", "EDER"), tuple(rows))


def _utterance_table(systems: Sequence[System]) -> Table:
    rows = []
    baselines = []
    for experiment, scored in systems:
        emotion = scored.results["emotion"]
        rows.append(
            (experiment.title(scored), *_recognition_cells(scored.results["recognition"]), *_emotion_cells(emotion))
        )
        if emotion is None:
            continue
        majority = emotion["majority"]
        if majority is None:
            continue
        figures = [percent(majority[name]) for name in ("wa", "ua", "macro_f1")]
        baselines.append((f"baseline: majority class ({majority['label']})", UNDEFINED, UNDEFINED, UNDEFINED, *figures))
    header = ("system", "WER", "CER", "empty", "WA", "UA", "F1")
    return Table(header, (*rows, *dict.fromkeys(baselines)))


def _recognition_cells(recognition: Mapping[str, Any]) -> tuple[str, ...]:
    wer, cer = recognition["wer"], recognition["cer"]
    if wer is None:
        return (UNDEFINED,) * 3
    empty = str(recognition["num_empty_hypotheses"])
    return interval_percent(wer["rate"], wer["interval"]), percent(cer["rate"]), empty


def _emotion_cells(emotion: Mapping[str, Any] | None) -> tuple[str, ...]:
    if emotion is None:
        return (UNDEFINED,) * 3
    return (
        percent(emotion["wa"]),
        interval_percent(emotion["ua"], emotion["ua_interval"]),
        percent(emotion["macro_f1"]),
    )


def _left_out_blocks(systems: Sequence[System]) -> Iterable[Block]:
    """What the tables of a set do not score, and why."""
    results = [scored.results for _, scored in systems]
    if any(scored.oracle for _, scored in systems):
        yield Paragraph(
            "ORACLE (text given): the utterance head read a text that it was given in place of the recognised one, "
            "which makes its figures an upper bound where that is the reference."
        )
    for reason in dict.fromkeys(r["emotion_left_out"] for r in results if r["emotion"] is None):
        yield Paragraph(f"No utterance emotion is scored: {reason}.")
    for reason in dict.fromkeys(r.get("recognition_left_out") for r in results):
        if reason:
            yield Paragraph(f"No words are scored: {reason}.")
    transcribed = [r for r in results if not r.get("recognition_left_out")]
    for number in dict.fromkeys(r["recognition"]["num_untranscribed"] for r in transcribed):
        if number:
            yield Paragraph(f"WER and CER leave out {count(number, 'utterance')} without a transcript.")


def _timeline_blocks(systems: Sequence[System]) -> Iterable[Block]:
    left_out = dict.fromkeys(scored.results["eder_left_out"] for _, scored in systems if scored.results["eder"] is None)
    for reason in left_out:
        yield Paragraph(f"No emotion timeline is scored: {reason}.")
    scored_systems = [system for system in systems if system[1].results["eder"] is not None]
    if not scored_systems:
        return
    rows, predicted, constant = [], [], []
    for experiment, scored in scored_systems:
        eder, title = scored.results["eder"], experiment.title(scored)
        rows.append(_eder_row(title, eder[SYSTEM]))
        predicted.append(_eder_row(f"baseline: predicted label everywhere ({title})", eder[PREDICTED_LABEL]))
        constant.append(_eder_row("baseline: all neutral", eder[ALL_NEUTRAL]))
        constant.append(_eder_row("ORACLE: gold label everywhere", eder[GOLD_LABEL]))
    header = ("timeline", "EDER", "FA", "missed", "conf.", "overlap", "weighted")
    yield Table(header, (*rows, *predicted, *dict.fromkeys(constant)))


def _eder_row(name: str, eder: Mapping[str, Any]) -> tuple[str, ...]:
    mean, weighted = eder["utterance_mean"], eder["duration_weighted"]
    return (
        name,
        interval_percent(mean["eder"], mean["interval"]),
        *(percent(mean[part]) for part in _EDER_PARTS),
        interval_percent(weighted["eder"], weighted["interval"]),
    )


def _difficulty_blocks(difficulty: Mapping[str, Any]) -> Iterable[Block]:
    yield Heading(f"How hard is it? Simple classifiers on set {difficulty.get('set', 'unknown')}")
    rows = [
        (title, percent(difficulty[name]["wa"]), percent(difficulty[name]["ua"]))
        for name, title in _YARDSTICKS.items()
        if name in difficulty
    ]
    yield Table(("classifier (%)", "WA", "UA"), tuple(rows))


def _interval_note(experiments: Sequence[Experiment]) -> str:
    settings = [scored.results["bootstrap"] for experiment in experiments for scored in experiment.scored]
    draws = sorted({f"{s['num_resamples']} resamples, seed {s['seed']}" for s in settings})
    return (
        "WER and CER: errors of all utterances / reference words or characters. UA, F1: means over the "
        "classes of the reference. EDER = FA (false alarm) + missed + conf. (confusion) + overlap: mean over "
        "utterances; weighted: by duration. In brackets: percentile bootstrap over the speakers "
        f"({'; '.join(draws)}), which is coarse where speakers are few. ORACLE: uses the reference label."
    )


def _confusion_blocks(experiments: Sequence[Experiment]) -> Iterable[Block]:
    yield Heading("Confusion matrices")
    yield Paragraph("Rows are references, columns are hypotheses; recall in %.")
    for name, systems in _by_set(experiments).items():
        for experiment, scored in systems:
            emotion = scored.results["emotion"]
            if emotion is None:
                continue
            labels = emotion["labels"]
            rows = [
                (label, *(str(number) for number in row), str(sum(row)), percent(emotion["recall"][label]))
                for label, row in zip(labels, emotion["confusion"], strict=True)
            ]
            yield Heading(f"{name}, {experiment.title(scored)}", level=3)
            yield Table(("reference", *labels, "all", "recall"), tuple(rows))
