"""Write new sentences of the mini corpus's grammar, for language models (stage 1 of the mini recipe)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--out", required=True, help="directory to make: text, dev_text")
    parser.add_argument("--seed", type=int, default=1, help="seed of the mini corpus")
    parser.add_argument("--per_class", type=int, default=60, help="as given to ent_make_mini")
    parser.add_argument("--zed_per_speaker", type=int, default=30, help="as given to ent_make_mini")
    parser.add_argument("--emotion_words", type=float, metavar="SHARE", help="as given to ent_make_mini")
    parser.add_argument("--num_sentences", type=int, default=6000)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.corpora.mini.emotion_words import cues_of
    from espnet_ent.corpora.mini.plan import MiniSize
    from espnet_ent.corpora.mini.sentences import write_new_sentences

    size = MiniSize(per_class=args.per_class, zed_per_speaker=args.zed_per_speaker)
    cues = cues_of(args.emotion_words)
    made = write_new_sentences(args.out, args.seed, size, args.num_sentences, cues)
    print(f"{args.out}: {f'{args.num_sentences} new sentences' if made else 'is there already'} (seed {args.seed})")


if __name__ == "__main__":
    run(main)
