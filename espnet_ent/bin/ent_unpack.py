"""Unpack a packed model, which may be somebody else's, into a new directory, and print its checkpoint's name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("model", help="packed model (zip, tar or a directory), or hub id such as user/name")
    parser.add_argument("--out", required=True, help="directory to write; an earlier one is replaced if it was a model")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.plugin.packs import copy_pack

    print(copy_pack(args.model, args.out))


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
