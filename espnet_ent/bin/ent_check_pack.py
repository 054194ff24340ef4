"""Decode a set with a packed model, in an empty directory, and compare with what stage 12 made (stage 16)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--pack", required=True, help="packed model, or hub id")
    parser.add_argument("--data", required=True, help="data directory of the set, e.g. dump/raw/test")
    parser.add_argument("--decoded", required=True, help="what stage 12 made of it")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes on the CPU")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N: that of stage 12")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.pack_check import check_pack

    same = check_pack(args.pack, args.data, args.decoded, args.nj, args.device)
    print(f"{args.pack}: decodes {args.data} as {args.decoded}, byte for byte: {' '.join(same)}")


if __name__ == "__main__":
    run(main)
