"""Make the token list from training text and check the emotion list (stage 5)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True, help="data directories whose text is used")
    parser.add_argument("--out", required=True, help="directory to make, e.g. data/token_list/char")
    parser.add_argument("--token_type", default="char", help="char | bpe")
    parser.add_argument("--nbpe", type=int, default=100, help="number of units of bpe")
    parser.add_argument("--bpemode", default="unigram", help="unigram | bpe")
    parser.add_argument("--nlsyms", nargs="*", default=[], help="symbols that are one token, also joined by commas")
    parser.add_argument("--nlsyms_txt", help="file with such symbols, one a line")
    parser.add_argument("--text", help="file of <id> <text> lines to use in place of the text of --data")
    parser.add_argument("--emotion_list", required=True, help="emotion list that all labels must be in")
    parser.add_argument("--labelled", nargs="*", default=[], help="data directories whose utt2emo is checked")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.datadir import read_lines, read_table
    from espnet_ent.data.token_lists import TokenListConfig, make_token_list, read_texts
    from espnet_ent.labels import EmotionInventory

    emotions = EmotionInventory.read(args.emotion_list)
    for data in args.labelled:
        for utt_id, label in read_table(Path(data) / "utt2emo").items():
            emotions.index(label, where=f"{Path(data) / 'utt2emo'}: {utt_id}")
    symbols = [symbol for value in args.nlsyms for symbol in value.split(",")]
    symbols += read_lines(args.nlsyms_txt) if args.nlsyms_txt else []
    texts = list(read_table(args.text).values()) if args.text else read_texts(args.data)
    config = TokenListConfig(args.token_type, args.nbpe, args.bpemode, tuple(filter(None, symbols)))
    tokens = make_token_list(texts, args.out, config)
    print(f"{args.out}: {len(tokens)} tokens ({args.token_type}); emotions: {' '.join(emotions.names)}")


if __name__ == "__main__":
    run(main)
