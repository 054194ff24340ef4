"""Two hand-made experiments with scores, for the tests of reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.metrics.calibration import Calibration
from espnet_ent.metrics.scoring import score_directories, to_json
from tests.metrics.confident_pair import CHECKPOINT, write_confident_pair
from tests.metrics.oracles import write_lines, write_scored_pair, write_words

DIFFICULTY = {
    "set": "test",
    "majority": {"wa": 0.25, "ua": 0.25},
    "text_only": {"wa": 0.26, "ua": 0.27},
    "prosody": {"wa": 0.61, "ua": 0.62},
}


def write_experiments(root: Path, *, words: bool = False) -> tuple[Path, Path]:
    """Score one hypothesis as the experiments ``ent`` (with timelines) and ``fent`` (test2, without).

    Words have times only if wanted.
    """
    for tag, set_name in (("ent", "test"), ("fent", "test"), ("fent", "test2")):
        reference, hypothesis = write_scored_pair(root / "work", set_name)
        if words:
            write_words(reference, hypothesis)
        if set_name == "test2":
            (reference / "emo_segments").unlink()
        results = score_directories(
            reference,
            hypothesis,
            root / "work" / "emotion_list",
            root / "work" / "train_utt2emo",
            f"exp/{tag}/valid.loss.ave.pth",
        )
        experiment = root / "exp" / tag
        atomic_write_text(experiment / "decode_greedy" / set_name / "score" / "results.json", to_json(results))
        write_lines(experiment / "config.yaml", f"config: conf/train_{tag}.yaml", "seed: 7", "token_list: [a, b]")
    return root / "exp" / "ent", root / "exp" / "fent"


def write_confident_results(root: Path, set_name: str = "test", fitted_on: str = "dev") -> dict[str, Any]:
    """Scores with those of confidence, as ``results.json`` holds them; temperatures 2 (utterances) and 1.5 (frames)."""
    reference, hypothesis = write_confident_pair(root, set_name)
    Calibration(2.0, 1.5, 30, 300, fitted_on, CHECKPOINT).write(root / "calibration.json")
    lists = (root / "emotion_list", root / "train_utt2emo")
    results = score_directories(reference, hypothesis, *lists, calibration=root / "calibration.json")
    return json.loads(to_json(results))
