"""Find the scores of one system on several folds and with several seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet_ent.data.folds import PROTOCOLS
from espnet_ent.data.provenance import GIVEN_TEXT
from espnet_ent.errors import ConfigError, ScoringError
from espnet_ent.metrics.combining import Combination, combine, figures
from espnet_ent.metrics.oracle_epochs import (
    OracleCombination,
    combine_best_epochs,
    epoch_directory,
    last_epoch,
    read_epochs,
)
from espnet_ent.metrics.set_counts import COUNTS, SYSTEM, SetCounts
from espnet_ent.report.experiment import read_config, read_json

NO_FOLD = NO_SEED = ""
_RESULTS = "results.json"
_SCORE_AGAIN = "rerun stage 13 (scoring)"
_TOLERANCE = 2e-6  # results.json is rounded


@dataclass(frozen=True)
class RunsToCombine:
    """Where the runs lie and which of them there should be.

    Attributes:
        pattern: Output directory of training; ``{fold}`` and ``{seed}`` stand for those of a run.
        inference_tag: Name of the decoding directory in it.
        sets: Names of the scored sets.
        folds: Folds, may be none.
        seeds: Seeds, may be none.
        protocol: ``honest`` or ``paper``.
        allow_missing: Report what there is if some runs are missing.
    """

    pattern: str
    inference_tag: str
    sets: tuple[str, ...]
    folds: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    protocol: str = "honest"
    allow_missing: bool = False

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ConfigError("unknown protocol", expected=" | ".join(PROTOCOLS), got=repr(self.protocol))
        for name, values in (("fold", self.folds), ("seed", self.seeds)):
            if (f"{{{name}}}" in self.pattern) != bool(values):
                raise ConfigError(
                    f"directories and {name}s do not fit together",
                    where=self.pattern,
                    expected=f"{{{name}}} in the directory and --{name}s, or neither",
                    got=f"--{name}s {' '.join(values) or '(none)'}",
                )
            if len(set(values)) != len(values):
                raise ConfigError(f"a {name} is given twice", got=" ".join(values))

    def directory(self, fold: str, seed: str) -> Path:
        """Output directory of training of a run."""
        return Path(self.pattern.replace("{fold}", fold).replace("{seed}", seed))


@dataclass(frozen=True)
class FoldRuns:
    """What was read.

    Attributes:
        wanted: What was asked for.
        counts: Set -> seed -> fold -> epoch -> counts; the epoch is 0 where one checkpoint was chosen in training.
        missing: What is not there: set, fold and seed in words.
        configs: Content of ``config.yaml`` of each run that is there, by (fold, seed).
        checkpoints: Names of the decoded checkpoints.
    """

    wanted: RunsToCombine
    counts: Mapping[str, Mapping[str, Mapping[str, Mapping[int, SetCounts]]]]
    missing: tuple[str, ...]
    configs: Mapping[tuple[str, str], Mapping[str, Any]]
    checkpoints: tuple[str, ...]

    @property
    def is_oracle(self) -> bool:
        """Whether epochs were chosen on the test sets."""
        return self.wanted.protocol == "paper"

    def combinations(self, set_name: str) -> dict[str, Combination | OracleCombination]:
        """Combine the folds of a set for each seed.

        Raises:
            ScoringError: If folds differ in what is scored.
        """
        found = {seed: folds for seed, folds in self.counts[set_name].items() if folds}
        if self.is_oracle:
            return {seed: combine_best_epochs(folds) for seed, folds in found.items()}
        return {seed: combine({fold: counts[0] for fold, counts in folds.items()}) for seed, folds in found.items()}


def read_fold_runs(wanted: RunsToCombine) -> FoldRuns:
    """Read the counts of all runs.

    Raises:
        ScoringError: If runs are missing and that is not allowed, all are missing, or a file is damaged.
        ConfigError: If a run's training configuration is missing.
    """
    counts: dict[str, dict[str, dict[str, Mapping[int, SetCounts]]]] = {}
    missing: list[str] = []
    checkpoints: set[str] = set()
    configs: dict[tuple[str, str], Mapping[str, Any]] = {}
    places = list(itertools.product(wanted.sets, wanted.seeds or (NO_SEED,), wanted.folds or (NO_FOLD,)))
    for set_name, seed, fold in places:
        by_fold = counts.setdefault(set_name, {}).setdefault(seed, {})
        directory = wanted.directory(fold, seed)
        found = _read_run(directory, wanted.inference_tag, set_name, wanted.protocol)
        if found is None:
            run = f"set {set_name}{fold and f' of fold {fold}'}{seed and f' with seed {seed}'}"
            missing.append(f"{run} in {directory / wanted.inference_tag}")
            continue
        by_fold[fold], checkpoint = found
        checkpoints.add(checkpoint)
        if (fold, seed) not in configs:
            configs[fold, seed] = read_config(directory)
    if missing and (not wanted.allow_missing or len(missing) == len(places)):
        raise ScoringError(
            f"{len(missing)} of {len(places)} results are missing",
            got="no " + ", no ".join(missing),
            next_step="rerun stages 12 and 13 of these"
            + ("" if len(missing) == len(places) else ", or report the others with --allow_missing true"),
        )
    return FoldRuns(wanted, counts, tuple(missing), configs, tuple(sorted(checkpoints)))


def _read_run(
    directory: Path, inference_tag: str, set_name: str, protocol: str
) -> tuple[dict[int, SetCounts], str] | None:
    """Counts by epoch (0: one checkpoint) and the checkpoints' name; None if the set is not scored."""
    decoded = directory / inference_tag
    if protocol == "paper":
        if not (epoch_directory(decoded, 1, set_name) / _RESULTS).is_file():
            return None
        num_epochs = last_epoch(directory)
        epochs = read_epochs(decoded, set_name, num_epochs)
        for epoch, counts in epochs.items():
            _read_results(epoch_directory(decoded, epoch, set_name), counts)
        return epochs, f"each metric's best of {num_epochs} epochs (ORACLE)"
    score = decoded / set_name / "score"
    if not (score / _RESULTS).is_file():
        return None
    counts = SetCounts.read(score / COUNTS)
    results = _read_results(score, counts)
    given = " (ORACLE: the utterance head was given a text)" if results.get(GIVEN_TEXT) else ""
    return {0: counts}, str(results.get("checkpoint") or "-") + given


def _read_results(score: Path, counts: SetCounts) -> dict[str, Any]:
    """Read the results that the counts stand beside.

    Raises:
        ScoringError: If the counts are not those of the results.
    """
    results = read_json(score / _RESULTS, _SCORE_AGAIN)
    rates = figures(counts)[SYSTEM]
    try:
        words, emotion, eder = results["recognition"]["wer"], results["emotion"], results["eder"]
        expected = {
            "wer": words and words["rate"],
            "wa": emotion and emotion["wa"],
            "ua": emotion and emotion["ua"],
            "eder": eder and eder[SYSTEM]["utterance_mean"]["eder"],
        }
        is_same_size = results["num_utterances"] == counts.total.num_utterances
    except (KeyError, TypeError) as error:
        raise ScoringError("file is damaged", where=score / _RESULTS, got=error, next_step=_SCORE_AGAIN) from error
    if not is_same_size or not all(_is_same(rates.get(name), value) for name, value in expected.items()):
        raise ScoringError(f"file does not fit {_RESULTS}", where=score / COUNTS, next_step=_SCORE_AGAIN)
    return results


def _is_same(rate: float | None, rounded: float | None) -> bool:
    if rate is None or rounded is None or not math.isfinite(rate):
        return rounded is None and (rate is None or not math.isfinite(rate))
    return abs(rate - rounded) < _TOLERANCE
