"""Runs over folds and seeds with scores, for the tests of their reports.

Fold 1 is the set of ``write_scored_pair`` (speakers a, b; 8 words); all other folds are the utterances of its speaker
a under another speaker's name (c in fold 2, 5 words), so that means and pooled figures differ. Speaker and fold of the
same hypothesis have, in %, WER, WA, UA, EDER = 50, 50, 50, 44.26 (fold 1) and 60, 100, 100, 13.52 (others).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from espnet_ent.bin.ent_score import main as score
from tests.metrics.oracles import write_lines, write_scored_pair

EVERYTHING = ("text", "utt2emo", "emo_segments")
"""All that a hypothesis can have right."""


def write_fold_pair(root: Path, fold: str, set_name: str = "test", right: Collection[str] = ()) -> tuple[Path, Path]:
    """A reference and a hypothesis of a fold; the files ``right`` of the hypothesis equal those of the reference."""
    reference, hypothesis = write_scored_pair(root, set_name)
    if fold not in ("", "1"):
        speaker = chr(ord("a") + int(fold))
        for path in (*reference.iterdir(), *hypothesis.iterdir()):
            lines = [line.replace(" a", f" {speaker}") if path.name == "utt2spk" else line for line in _of_a(path)]
            write_lines(path, *(speaker + line[1:] for line in lines))
    for name in right:
        (hypothesis / name).write_bytes((reference / name).read_bytes())
    return reference, hypothesis


def _of_a(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("a")]


def write_run(
    experiment: Path,
    fold: str = "",
    right: Collection[str] = (),
    sets: Sequence[str] = ("test",),
    folder: str = "decode",
    seed: int = 7,
) -> None:
    """Score a training directory as stage 13 does.

    Args:
        experiment: Output directory of training.
        fold: Which utterances, see above.
        right: What the hypothesis has right, see :data:`EVERYTHING`.
        sets: Names of the scored sets.
        folder: Decoding directory, relative to the experiment.
        seed: Of training, for its ``config.yaml``.
    """
    write_lines(experiment / "config.yaml", "config: conf/train_ent.yaml", f"seed: {seed}", "token_list: [a, b]")
    for name in sets:
        work = experiment / "work" / folder
        reference, hypothesis = write_fold_pair(work, fold, name, right)
        options = ["--emotion_list", str(work / "emotion_list"), "--train_utt2emo", str(work / "train_utt2emo")]
        options += ["--inference_ent_model", "valid.loss.ave.pth", "--out", str(experiment / folder / name / "score")]
        score(["--ref", str(reference), "--hyp", str(hypothesis), *options])


def write_epochs(experiment: Path, fold: str, rights: Sequence[Collection[str]]) -> None:
    """Score one epoch for each member of ``rights``, as protocol ``paper`` does."""
    for epoch, right in enumerate(rights, 1):
        write_run(experiment, fold, right, folder=f"decode/{epoch}epoch")
    (experiment / "latest.pth").symlink_to(f"{len(rights)}epoch.pth")


def write_two_folds(root: Path) -> str:
    """Two runs of protocol ``honest``: fold 1 as it is, fold 2 without a fault; returns the pattern."""
    write_run(root / "exp" / "fold1" / "ent", "1")
    write_run(root / "exp" / "fold2" / "ent", "2", EVERYTHING)
    return str(root / "exp" / "fold{fold}" / "ent")


def write_two_oracle_folds(root: Path) -> str:
    """Two runs of protocol ``paper`` with three epochs, of which none is best for all metrics; returns the pattern."""
    write_epochs(root / "exp" / "fold1" / "ent", "1", [("utt2emo",), ("text",), ()])
    write_epochs(root / "exp" / "fold2" / "ent", "2", [(), (), ("emo_segments",)])
    return str(root / "exp" / "fold{fold}" / "ent")
