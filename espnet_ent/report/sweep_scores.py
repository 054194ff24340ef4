"""The scores of a sweep's runs, as stage 13 wrote them."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_ent.report.experiment import read_json
from espnet_ent.report.sweep_plan import Setting, SweepPlan

PARTS = ("false_alarm", "missed_emotion", "confusion")
"""Parts of the EDER."""


@dataclass(frozen=True)
class Scores:
    """Scores of one run on one set, in per cent; NaN where the set has no such reference.

    Attributes:
        eder: Emotion diarization error rate, mean over utterances.
        parts: False alarm, missed emotion, confusion.
        all_neutral: EDER of the all-neutral timeline.
        predicted_label: EDER of the predicted utterance label everywhere.
        wer: Word error rate.
        ua: Unweighted accuracy of the utterance's emotion.
    """

    eder: float
    parts: tuple[float, ...]
    all_neutral: float
    predicted_label: float
    wer: float
    ua: float

    @classmethod
    def read(cls, path: str | Path) -> Scores:
        """Read a ``results.json``.

        Raises:
            ScoringError: If it is missing or damaged.
        """
        results = read_json(path, "rerun the sweep")
        eder, nan = results.get("eder"), float("nan")
        system = eder["system"]["utterance_mean"] if eder else {}
        return cls(
            eder=100 * system.get("eder", nan),
            parts=tuple(100 * system.get(part, nan) for part in PARTS),
            all_neutral=100 * eder["all_neutral"]["utterance_mean"]["eder"] if eder else nan,
            predicted_label=100 * eder["predicted_label"]["utterance_mean"]["eder"] if eder else nan,
            wer=100 * results["recognition"]["wer"]["rate"],
            ua=100 * results["emotion"]["ua"],
        )


@dataclass(frozen=True)
class Row:
    """What is known of a setting with one of its checkpoints.

    Attributes:
        setting: The setting.
        checkpoint: File name of the checkpoint.
        scores: Set -> scores of the seeds that are there.
    """

    setting: Setting
    checkpoint: str
    scores: Mapping[str, tuple[Scores, ...]]

    def num_seeds(self, set_name: str) -> int:
        """Seeds that have been scored on a set."""
        return len(self.scores.get(set_name, ()))

    def mean(self, set_name: str, what: str) -> float:
        """Mean over the seeds of a score."""
        return statistics.fmean(getattr(scores, what) for scores in self.scores[set_name])


@dataclass(frozen=True)
class RunPlaces:
    """Where the runs of a sweep are.

    Attributes:
        plan: What is trained.
        recipe: Directory of ``run.sh``.
        expdir: As of ``run.sh``.
        seeds: Seeds of training.
        inference_tag: Name of a decoding directory up to the checkpoint's name.
    """

    plan: SweepPlan
    recipe: Path
    expdir: str
    seeds: tuple[str, ...]
    inference_tag: str = "decode_greedy"

    @property
    def folder(self) -> Path:
        """The sweep's own directory: configurations, records and logs."""
        return self.recipe / self.expdir / f"sweep_{self.plan.name}"

    def decoding(self, checkpoint: str) -> str:
        """Name of the decoding directory of a checkpoint."""
        return f"{self.inference_tag}_{checkpoint.removesuffix('.pth')}"

    def results(self, setting: Setting, seed: str, checkpoint: str, set_name: str) -> Path:
        """Scores of a run."""
        experiment = self.recipe / self.expdir / f"seed{seed}" / f"ent_{self.plan.tag(setting)}"
        return experiment / self.decoding(checkpoint) / set_name / "score" / "results.json"


def read_rows(places: RunPlaces, sets: Sequence[str], left_out: Collection[tuple[str, str, str]] = ()) -> list[Row]:
    """All that has been scored, in the order of the plan: a row for each setting and checkpoint.

    Args:
        places: The sweep.
        sets: Scored sets; rows without scores of the first one are left out.
        left_out: Setting, seed and set of scores to take no notice of.
    """
    rows = []
    for setting in places.plan.scored:
        for checkpoint in places.plan.checkpoints:
            scores = {}
            for name in sets:
                paths = [
                    places.results(setting, seed, checkpoint, name)
                    for seed in places.seeds
                    if (setting.name, seed, name) not in left_out
                ]
                found = tuple(Scores.read(path) for path in paths if path.is_file())
                if found:
                    scores[name] = found
            if sets[0] in scores:
                rows.append(Row(setting, checkpoint, scores))
    return rows
