"""The report of a sweep: one table of the development set, one of each test set, and what was chosen."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from espnet_ent.report.document import Block, Heading, Paragraph, Table
from espnet_ent.report.sweep_choice import ALLOWED_LOSS, chosen
from espnet_ent.report.sweep_plan import SweepPlan
from espnet_ent.report.sweep_scores import PARTS, Row

_HEADER = ("setting", "checkpoint", "seeds", "EDER", "FA", "missed", "conf.", "WER", "UA")


def sweep_blocks(
    plan: SweepPlan,
    rows: Sequence[Row],
    num_seeds: int,
    dev: str,
    tests: Sequence[str] = (),
    changed: Sequence[str] = (),
) -> list[Block]:
    """The report: a table of development, and one of each test set for the rows that have it.

    Args:
        plan: The plan.
        rows: One a setting.
        num_seeds: Seeds of the sweep.
        dev: The development set.
        tests: Test sets.
        changed: Names of settings whose scores are left out, since the plan has changed.
    """
    best = chosen(rows, num_seeds, dev)
    blocks: list[Block] = [Heading(f"Sweep {plan.name}", level=1), Heading(f"Development set {dev}")]
    if rows:
        blocks += [_table(rows, dev, best), Paragraph(_trivial(rows, dev))]
    if changed:
        blocks.append(Paragraph(f"Not what they were trained with any more, left out: {', '.join(changed)}."))
    known = {row.setting.name for row in rows} | set(changed)
    missing = [setting.name for setting in plan.scored if setting.name not in known]
    if missing:
        blocks.append(Paragraph(f"Without scores, not run or failed: {', '.join(missing)}."))
    blocks.append(Paragraph(_choice(plan, best)))
    for name in tests:
        tested = [row for row in rows if name in row.scores]
        if tested:
            blocks += [Heading(f"Test set {name}"), _table(tested, name, best), Paragraph(_trivial(tested, name))]
    return blocks


def _choice(plan: SweepPlan, best: Row | None) -> str:
    others: dict[str, list[str]] = {}
    for setting in plan.scored:
        if setting.baseline not in (setting.name, plan.baseline):
            others.setdefault(setting.baseline, []).append(setting.name)
    held = "; ".join([plan.baseline, *(f"{name} for {', '.join(names)}" for name, names in others.items())])
    what = "None chosen" if best is None else f"Chosen: {best.setting.name} with {best.checkpoint}"
    checkpoints = f" Checkpoints offered: {', '.join(plan.checkpoints)}." if len(plan.checkpoints) > 1 else ""
    return (
        f"{what}; the rule: the smallest mean EDER among the settings that have been scored with all seeds and cost at "
        f"most {ALLOWED_LOSS:g} points of WER and of UA against their baseline ({held})."
        f"{checkpoints} Settings marked (supervised) know more than one label an utterance and are never chosen."
    )


def _table(rows: Sequence[Row], name: str, best: Row | None) -> Table:
    cells = []
    for row in rows:
        scores = row.scores[name]
        title = row.setting.name + (" (supervised)" if row.setting.is_supervised else "")
        title += " <- chosen" if row is best else ""
        parts = (f"{statistics.fmean(s.parts[i] for s in scores):.2f}" for i in range(len(PARTS)))
        figures = (_spread([getattr(s, what) for s in scores]) for what in ("wer", "ua"))
        eder = _spread([s.eder for s in scores])
        cells.append((title, row.checkpoint.removesuffix(".pth"), str(len(scores)), eder, *parts, *figures))
    return Table(_HEADER, tuple(cells))


def _spread(values: Sequence[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.2f}" if len(values) == 1 else f"{mean:.2f} +- {statistics.stdev(values):.2f}"


def _trivial(rows: Sequence[Row], name: str) -> str:
    labels = [row.mean(name, "predicted_label") for row in rows]
    return (
        f"In %, mean +- standard deviation over the seeds. All neutral: EDER {rows[0].mean(name, 'all_neutral'):.2f}; "
        f"each system's own utterance label everywhere: {min(labels):.2f} to {max(labels):.2f}."
    )
