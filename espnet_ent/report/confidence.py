"""The section "Confidence" of RESULTS.md: how right probabilities are, before and after a temperature."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from espnet_ent.metrics.confidence import NOT_ASKED
from espnet_ent.report.document import Block, Heading, Paragraph, Table
from espnet_ent.report.experiment import Experiment, ScoredResults
from espnet_ent.report.figures import UNDEFINED, percent

UNITS = ("utterances", "frames")
_HEADER = ("probabilities", "samples", "temperature", "ECE", "NLL", "Brier")
_NOTE = (
    "A temperature T makes softmax(log p / T) of the probabilities p; fitted on development data alone, it changes no "
    "label. Before -> after it: ECE (expected calibration error, in %, 15 bins of equal width) is the mean distance of "
    "the top probability from how often it is right; NLL (in nats) and Brier score judge all probabilities."
)


def confidence_blocks(experiments: Sequence[Experiment], beside: Path | None = None) -> Iterable[Block]:
    """The section; nothing if no system was asked for it.

    Args:
        experiments: Systems to compare.
        beside: Directory of the report, which links to the diagrams; None: no links.
    """
    told = [
        (f"{scored.set_name}, {experiment.title(scored)}", scored)
        for experiment in experiments
        for scored in experiment.scored
        if scored.results.get("calibration") is not None
        or scored.results.get("calibration_left_out", NOT_ASKED) != NOT_ASKED
    ]
    if not told:
        return
    yield Heading("Confidence")
    rows = [row for title, scored in told for row in _rows(title, scored.results["calibration"])]
    if rows:
        yield Table(_HEADER, tuple(rows))
        yield Paragraph(f"{_NOTE} {_fitted_on(told)}")
    yield from (Paragraph(line) for line in dict.fromkeys(_left_out(told)))
    links = [f"[{title}]({_relative(scored.picture, beside)})" for title, scored in told if scored.picture and beside]
    if links:
        yield Paragraph(f"Reliability diagrams: {', '.join(links)}.")


def before_and_after(samples: Mapping[str, Any], name: str, in_percent: bool = False) -> str:
    """A score of raw probabilities and of those at the temperature, e.g. ``8.21 -> 3.10``."""
    values = [samples[when][name] for when in ("before", "after") if samples[when] is not None]
    return " -> ".join(percent(value) if in_percent else f"{value:.3f}" for value in values)


def _rows(title: str, calibration: Mapping[str, Any] | None) -> Iterable[tuple[str, ...]]:
    for unit in UNITS:
        samples = None if calibration is None else calibration[unit]
        if samples is None:
            continue
        temperature = samples["temperature"]
        yield (
            f"{title}: {unit}",
            str(samples["num_samples"]),
            UNDEFINED if temperature is None else f"{temperature:.3f}",
            before_and_after(samples, "ece", in_percent=True),
            before_and_after(samples, "nll"),
            before_and_after(samples, "brier"),
        )


def _fitted_on(told: Sequence[tuple[str, ScoredResults]]) -> str:
    """What the temperatures were fitted on; a set that is scored, too, is no test of them."""
    calibrations = [(scored.set_name, scored.results["calibration"]) for _, scored in told]
    sources = sorted({one["fitted_on"] for _, one in calibrations if one is not None})
    text = f"Fitted on: {', '.join(sources)}"
    if any(one is not None and one["fitted_on"] == name for name, one in calibrations):
        text += " (which says nothing of new data where it is scored itself)"
    return text + "."


def _left_out(told: Sequence[tuple[str, ScoredResults]]) -> Iterable[str]:
    """What has no row, or no temperature, and why."""
    for title, scored in told:
        calibration = scored.results["calibration"]
        if calibration is None:
            yield f"{title}: no confidence is scored: {scored.results['calibration_left_out']}."
            continue
        for unit in UNITS:
            samples = calibration[unit]
            if samples is None:
                yield f"{scored.set_name}: no confidence of {unit} is scored: {calibration[f'{unit}_left_out']}."
            elif samples["temperature"] is None:
                yield f"No temperature of {unit}: set {calibration['fitted_on']} tells no emotion of {unit}."


def _relative(picture: Path, beside: Path) -> str:
    return quote(Path(os.path.relpath(picture, beside)).as_posix())
