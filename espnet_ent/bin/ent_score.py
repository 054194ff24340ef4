"""Score a decoded set: WER, CER, WA, UA, F1, EDER, words in time, and trivial baselines (stage 13)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--ref", required=True, help="data directory, e.g. dump/raw/test")
    parser.add_argument("--hyp", required=True, help="decoding directory; its name is the set's")
    parser.add_argument("--emotion_list", required=True, help="emotion classes, e.g. data/emotion_list")
    parser.add_argument("--train_utt2emo", help="training labels, for the majority baseline")
    parser.add_argument("--inference_ent_model", help="checkpoint that was decoded, to be told in RESULTS.md")
    parser.add_argument("--calibration", help="temperatures of a development set, for the scores of confidence")
    parser.add_argument("--out", required=True, help="directory for results.json, counts.json and reliability.png")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    import json

    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.metrics.scoring import count_directories, score_directories, to_json
    from espnet_ent.metrics.set_counts import COUNTS
    from espnet_ent.report.experiment import PICTURE
    from espnet_ent.report.reliability_diagram import write_reliability_diagram
    from espnet_ent.report.terminal import summarise

    scored = (args.ref, args.hyp, args.emotion_list, args.train_utt2emo)
    content = to_json(score_directories(*scored, args.inference_ent_model, args.calibration))
    results = json.loads(content)
    write_reliability_diagram(Path(args.out, PICTURE), results)
    # results.json comes last: where it is, the counts that folds are pooled from are there, too.
    for name, text in ((COUNTS, count_directories(*scored).to_json()), ("results.json", content)):
        path = Path(args.out, name)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            atomic_write_text(path, text)
    print(summarise(results))


if __name__ == "__main__":
    run(main)
