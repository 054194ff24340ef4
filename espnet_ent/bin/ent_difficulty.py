"""How hard is a test set? What the majority, the words alone and utterance-level prosody reach on it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--train", required=True, help="data directory to fit on")
    parser.add_argument("--test", required=True, help="data directory to score")
    parser.add_argument("--emotion_list", required=True)
    parser.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
    parser.add_argument("--out", required=True, help="JSON file to write")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; a file that was made from the same data is left alone."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.data.provenance import digest_data_dir
    from espnet_ent.labels import EmotionInventory
    from espnet_ent.metrics.difficulty import measure_difficulty, read_emotion_samples

    out = Path(args.out)
    made_from = [digest_data_dir(args.train), digest_data_dir(args.test)]
    if out.is_file() and json.loads(out.read_text()).get("made_from") == made_from:
        print(f"{out}: is there already")
        return
    emotions = EmotionInventory.read(args.emotion_list)
    train, test = (read_emotion_samples(data, emotions, args.fs) for data in (args.train, args.test))
    measured = measure_difficulty(
        train, test, args.fs, progress=lambda part: tqdm(part, desc="listening", disable=not sys.stderr.isatty())
    )
    result = {"set": Path(args.test).name, "made_from": made_from}
    for name, scores in measured.items():
        result[name] = {metric: round(value, 6) for metric, value in scores.items()}
        print(f"{result['set']}: {name}: UA {100 * scores['ua']:.1f} %, WA {100 * scores['wa']:.1f} %")
    atomic_write_text(out, json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    run(main)
