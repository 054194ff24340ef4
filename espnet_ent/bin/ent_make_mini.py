"""Make a mini corpus (stage 1 of the mini recipe)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--layout", default="iemocap_zed", choices=("iemocap_zed", "msp_improv"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nj", type=int, default=1, help="parallel processes; the result does not depend on it")
    parser.add_argument("--per_class", type=int, default=60, help="utterances a class and session; even")
    parser.add_argument("--zed_per_speaker", type=int, default=30)
    parser.add_argument("--emotion_words", type=float, metavar="SHARE", help="utterances whose emotion word fits")
    parser.add_argument("--emotion_voice", type=float, default=1.0, metavar="SHARE", help="with an emotional voice")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.corpora.mini.corpus import MiniSize, make_mini_corpus
    from espnet_ent.corpora.mini.emotion_words import cues_of

    size = MiniSize(per_class=args.per_class, zed_per_speaker=args.zed_per_speaker)
    made = make_mini_corpus(
        args.out,
        seed=args.seed,
        nj=args.nj,
        size=size,
        layout=args.layout,
        cues=cues_of(args.emotion_words, args.emotion_voice),
        progress=lambda finished: tqdm(finished, desc="speaking", unit="utt", disable=not sys.stderr.isatty()),
    )
    print(f"{args.out}: mini corpus {'made' if made else 'is there already'} (seed {args.seed})")


if __name__ == "__main__":
    run(main)
