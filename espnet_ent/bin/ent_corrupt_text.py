"""Put word errors into a Kaldi-style text until it has a word error rate."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--text", required=True, help="file of lines <utterance> <words>")
    parser.add_argument("--out", required=True, help="file to write")
    parser.add_argument("--wer", type=float, required=True, help="word error rate in per cent, 0 to 100")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocabulary", help="text whose words are put in, e.g. that of training; default: --text")
    parser.add_argument(
        "--shares",
        type=float,
        nargs=3,
        default=(60, 25, 15),
        metavar=("SUB", "DEL", "INS"),
        help="proportions of substitutions, deletions and insertions",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.text_corruption import ErrorShares, corrupt_file

    shares = ErrorShares(*args.shares)
    found = corrupt_file(args.text, args.out, args.wer / 100, args.seed, args.vocabulary, shares)
    print(f"{args.out}: {found.num_errors} errors in {found.num_words} words, WER {100 * found.wer:.2f} %")


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
