"""Upload a packed model with its card to the Hugging Face hub; without a token, a dry run (stage 15)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--pack", required=True, help="packed model of stage 14")
    parser.add_argument("--hf_repo", help="user/name on the hub; none: dry run")
    parser.add_argument("--license", help="licence of the weights, as the hub names it; default: by the corpora")
    parser.add_argument("--card", help="file to write the model card to as well")
    parser.add_argument("--private", type=boolean, default=False, help="make the repository private")
    parser.add_argument("--dry_run", type=boolean, default=False, help="upload nothing, even with a token")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.publishing import PublishOptions, publish

    publish(args.pack, PublishOptions(args.hf_repo or None, args.license, args.card, args.private, args.dry_run))


if __name__ == "__main__":
    run(main)
