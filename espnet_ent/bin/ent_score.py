"""Score a decoded set: WER, CER, WA, UA, F1, EDER, and trivial baselines (stage 13)."""

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
    parser.add_argument("--train_utt2emo", required=True, help="training labels, for the majority baseline")
    parser.add_argument("--inference_ent_model", help="checkpoint that was decoded, to be told in RESULTS.md")
    parser.add_argument("--out", required=True, help="directory for results.json")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    import json

    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.metrics.scoring import score_directories, to_json
    from espnet_ent.report.terminal import summarise

    content = to_json(
        score_directories(args.ref, args.hyp, args.emotion_list, args.train_utt2emo, args.inference_ent_model)
    )
    path = Path(args.out, "results.json")
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        atomic_write_text(path, content)
    print(summarise(json.loads(content)))


if __name__ == "__main__":
    run(main)
