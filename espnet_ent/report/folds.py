"""RESULTS.md over folds and seeds: each fold, the mean of the folds, their spread, and the pooled figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from espnet_ent.metrics.bootstrap import LEVEL, NUM_RESAMPLES, SEED
from espnet_ent.metrics.classification import class_recalls
from espnet_ent.metrics.combining import Combination
from espnet_ent.metrics.set_counts import SYSTEM
from espnet_ent.report.document import Block, Command, Heading, Paragraph, Table
from espnet_ent.report.figures import UNDEFINED, count, percent
from espnet_ent.report.fold_rows import (
    Combined,
    baseline_rows,
    fold_rows,
    have_same_folds,
    reported,
    seed_rows,
    unchosen,
)
from espnet_ent.report.fold_runs import NO_SEED, FoldRuns
from espnet_ent.report.fold_tables import make_table, tables_of

_ORACLE = (
    "ORACLE: every epoch was scored on the test set, and each metric takes its own best epoch there. That choice uses "
    "the test labels, so these figures only compare with published ones that were made in the same way. The rows of "
    "the last epoch, which is not chosen, tell what the choice is worth."
)


def fold_blocks(runs: FoldRuns, command: str | None = None) -> list[Block]:
    """The whole report but for its first line.

    Args:
        runs: What was scored.
        command: How it was run.

    Raises:
        ScoringError: If folds or seeds differ in what is scored.
    """
    blocks: list[Block] = [Heading("RESULTS (ORACLE)" if runs.is_oracle else "RESULTS", level=1)]
    if runs.is_oracle:
        blocks.append(Paragraph(_ORACLE))
    blocks.extend(_setting_blocks(runs, command))
    combined = {name: runs.combinations(name) for name in runs.wanted.sets}
    for name, by_seed in combined.items():
        blocks.extend(_set_blocks(runs, name, by_seed) if by_seed else [Paragraph(f"Set {name}: nothing is scored.")])
    blocks.append(Paragraph(_note(runs)))
    if not runs.is_oracle:
        blocks.extend(_confusion_blocks(combined))
    return blocks


def _setting_blocks(runs: FoldRuns, command: str | None) -> Iterator[Block]:
    yield Heading("What was run")
    wanted = runs.wanted
    configs = sorted({str(config.get("config") or UNDEFINED) for config in runs.configs.values()})
    seeds = sorted({str(config.get("seed", UNDEFINED)) for config in runs.configs.values()})
    rows = (
        ("decoding", wanted.inference_tag),
        ("config", ", ".join(configs)),
        ("protocol", f"{wanted.protocol}{' (ORACLE)' if runs.is_oracle else ''}"),
        ("folds", " ".join(wanted.folds) or UNDEFINED),
        ("seeds", " ".join(wanted.seeds) or ", ".join(seeds)),
        ("checkpoint", ", ".join(runs.checkpoints)),
    )
    yield Table(("system", wanted.pattern), rows)
    if command:
        yield Command(command)
    if runs.missing:
        yield Paragraph(
            f"INCOMPLETE: {count(len(runs.missing), 'result')} missing, and means and pooled figures are those of the "
            f"others: no {', no '.join(runs.missing)}."
        )


def _set_blocks(runs: FoldRuns, name: str, by_seed: Mapping[str, Combined]) -> Iterator[Block]:
    first = next(iter(by_seed.values()))
    brackets = "" if runs.is_oracle else f", [{100 * LEVEL:g} % CI]"
    yield Heading(f"Set {name}: {_size(reported(first))} (in %{brackets})")
    several = len(by_seed) > 1
    tables = list(tables_of(reported(first).pooled[SYSTEM], runs.is_oracle))
    if several and not have_same_folds(by_seed):
        yield Paragraph("No figures over seeds: the seeds have different folds.")
    elif several:
        for columns in tables:
            yield make_table(columns, [*seed_rows(runs, by_seed, columns)])
        if not runs.wanted.folds:
            return
    for seed, one in by_seed.items():
        if seed != NO_SEED and several:
            yield Heading(f"{name}, seed {seed}", level=3)
        for columns in tables:
            yield make_table(columns, [*fold_rows(runs, one), *baseline_rows(runs, one, columns)])


def _size(one: Combination) -> str:
    total, number = one.counts.total.num_utterances, len(one.folds)
    speakers = count(len(one.counts.speakers), "speaker")
    if one.is_same_set:
        return f"the same {count(total // number, 'utterance')} of {speakers} in {number} folds"
    return f"{f'{number} folds, ' if number > 1 else ''}{count(total, 'utterance')} of {speakers}"


def _note(runs: FoldRuns) -> str:
    brackets = (
        "No intervals are given: a figure that was chosen on the test set has none."
        if runs.is_oracle
        else f"In brackets: percentile bootstrap over the speakers ({NUM_RESAMPLES} resamples, seed {SEED}) of what is "
        "pooled; it does not tell how folds or seeds differ."
    )
    return (
        "Mean of folds: unweighted mean of the folds' rates. Pooled: the counts of all folds are added, then divided. "
        "sd over folds, sd over seeds: sample standard deviation (n - 1) over these alone. WER and CER: "
        "errors / reference words or characters. UA, F1: means over the classes of the reference. EDER = FA (false "
        "alarm) + missed + conf. (confusion) + overlap: mean over utterances; weighted: by duration. "
        f"{brackets} ORACLE: uses the reference labels."
    )


def _confusion_blocks(combined: Mapping[str, Mapping[str, Combined]]) -> Iterable[Block]:
    yield Heading("Confusion matrices")
    yield Paragraph("Added up over folds. Rows are references, columns are hypotheses; recall in %.")
    for name, by_seed in combined.items():
        for seed, one in by_seed.items():
            counts = unchosen(one).counts
            confusion = counts.total.confusions.get(SYSTEM)
            if confusion is None:
                continue
            rows = [
                (label, *(str(number) for number in row), str(sum(row)), percent(recall if sum(row) else None))
                for label, row, recall in zip(
                    counts.labels, confusion.tolist(), class_recalls(confusion).tolist(), strict=True
                )
            ]
            yield Heading(f"{name}{seed and f', seed {seed}'}", level=3)
            yield Table(("reference", *counts.labels, "all", "recall"), tuple(rows))
