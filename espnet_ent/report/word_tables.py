"""Tables of RESULTS.md about words in time and about emotion changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from espnet_ent.report.document import Block, Paragraph, Table
from espnet_ent.report.experiment import Experiment, ScoredResults
from espnet_ent.report.figures import UNDEFINED, percent, seconds


def boundary_tables(systems: Sequence[tuple[Experiment, ScoredResults]]) -> Iterable[Block]:
    """How near to the emotion changes of the reference the systems change; nothing where no timeline is scored."""
    # Results of older versions have neither key.
    found = [(experiment.title(scored), scored.results.get("boundaries")) for experiment, scored in systems]
    rows = [(title, *_boundary_cells(boundaries)) for title, boundaries in found if boundaries is not None]
    if rows:
        yield Table(("emotion changes", "reference", "system", "median s", "mean s", "system has none"), tuple(rows))


def _boundary_cells(boundaries: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(boundaries["num_reference"]),
        str(boundaries["num_hypothesis"]),
        seconds(boundaries["median"]),
        seconds(boundaries["mean"]),
        percent(boundaries["share_without"]),
    )


def word_tables(systems: Sequence[tuple[Experiment, ScoredResults]]) -> Iterable[Block]:
    """Times and emotions of the correct words; nothing where the reference has no times of words."""
    found = [(experiment.title(scored), scored.results) for experiment, scored in systems]
    rows, neutral = [], []
    for title, results in found:
        words = results.get("words")
        if words is None:
            continue
        emotion = words["emotion"]
        rows.append((title, *_word_cells(words), *_emotion_cells(emotion)))
        if emotion is not None:
            cells = _emotion_cells(emotion["always_neutral"])
            neutral.append((f"baseline: all neutral ({title})", *(UNDEFINED,) * 4, *cells))
    if rows:
        tolerance = next(r["words"]["tolerance_seconds"] for _, r in found if r.get("words") is not None)
        header = ("words in time", "correct", "start s", "end s", f"both <= {tolerance:g} s", "WA", "UA")
        yield Table(header, (*rows, *neutral))
        for reason in dict.fromkeys(r.get("words_left_out") for _, r in found if r.get("words") is None):
            yield Paragraph(f"No word times of some systems are scored: {reason}.")


def _word_cells(words: Mapping[str, Any]) -> tuple[str, ...]:
    errors = (f"{seconds(words[edge]['median'])} / {seconds(words[edge]['mean'])}" for edge in ("start", "end"))
    return f"{words['num_correct']} of {words['num_reference']}", *errors, percent(words["within_tolerance"])


def _emotion_cells(emotion: Mapping[str, Any] | None) -> tuple[str, str]:
    return (UNDEFINED, UNDEFINED) if emotion is None else (percent(emotion["wa"]), percent(emotion["ua"]))


def word_note(experiments: Sequence[Experiment]) -> Iterable[Block]:
    """What the figures of these tables are, where there are any."""
    results = [scored.results for experiment in experiments for scored in experiment.scored]
    if any(r.get("boundaries") is not None for r in results):
        yield Paragraph(
            "Emotion changes: distance from each change of the reference to the nearest one of the system in the same "
            "utterance; in the last column, the share of changes in utterances in which the system has none."
        )
    if any(r.get("words") is not None for r in results):
        yield Paragraph(
            "Words in time: the correct words, aligned as for WER; median / mean absolute error of start and end, the "
            "share with both in bounds, and their emotions, of which the reference is what covers most of the word."
        )
