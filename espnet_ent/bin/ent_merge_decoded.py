"""Put together a decoding that was shared among the jobs of an array (stage 12): ent_decode --share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--out", required=True, help="directory to write, as ent_decode was given it")
    parser.add_argument("--shares", required=True, type=int, help="how many there are")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.export.merging import merge_decoded

    number = merge_decoded(args.out, args.shares)
    told = "decoded already" if number is None else f"{number} utterances, decoded in {args.shares} shares"
    print(f"{args.out}: {told}")


if __name__ == "__main__":
    run(main)
