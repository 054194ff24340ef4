"""Collect the statistics that training needs (stage 10)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run
from espnet_ent.bin.ent_train import _files, _output_dir, train_once
from espnet_ent.data.provenance import digest_files, is_made_from
from espnet_ent.data.shares import Share


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__, epilog="All other options are those of ent_train, e.g. --config.")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes")
    parser.add_argument("--share", metavar="K/N", help="collect those of one share of N; --merge adds them up")
    parser.add_argument("--merge", type=int, metavar="N", help="add up the statistics of N shares")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; statistics of the same options and data that are there already are left alone."""
    args, of_training = get_parser().parse_known_args(sys.argv[1:] if argv is None else argv)
    share, output_dir = Share.parse(args.share) if args.share else None, _output_dir(of_training)

    def collect(of_training: list[str]) -> bool:
        from espnet_ent.plugin.compat import quiet_imports

        with quiet_imports():
            from espnet_ent.plugin.statistics_shares import collect_share, collect_statistics, merge_statistics
            from espnet_ent.plugin.task import ENTTask
        if share is not None:
            collect_share(ENTTask, of_training, share)
        elif args.merge:
            merge_statistics(ENTTask, of_training, args.merge)
        else:
            collect_statistics(ENTTask, of_training, args.nj)
        return True

    whole = {"command": of_training, "files": digest_files(_files(of_training))}
    if share is not None and output_dir is not None and not is_made_from(output_dir, whole):
        of_training = [*of_training, "--output_dir", str(share.folder(output_dir))]
    train_once(of_training, collect)


if __name__ == "__main__":
    run(main)
