"""Refuse sets of a fold that share speakers, sessions, dialogs or recordings (stage 4)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--train", required=True, help="data directory, before speed perturbation and mixing")
    parser.add_argument("--dev", required=True, help="data directory")
    parser.add_argument("--test", nargs="*", default=[], help="data directories")
    parser.add_argument(
        "--allow", nargs="*", default=[], help="of utterance audio speaker dialog session: may be shared"
    )
    parser.add_argument("--dev_is_test", type=boolean, default=False, help="development may overlap the test sets")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.leakage import KINDS, find_leaks
    from espnet_ent.errors import DataError

    leaks = find_leaks(
        args.train,
        args.dev,
        args.test,
        args.allow,
        dev_is_test=args.dev_is_test,
        nj=args.nj,
        progress=lambda rows: tqdm(rows, desc="comparing", unit="utt", disable=not sys.stderr.isatty()),
    )
    for leak in leaks:
        print(f"leak: {leak}")
    sets = " ".join((args.train, args.dev, *args.test))
    if leaks:
        raise DataError(
            f"{len(leaks)} leaks between {sets}",
            next_step="make the sets anew; what may be shared is named with --leakage_allow",
        )
    print(f"no leak between {sets} ({', '.join(kind for kind in KINDS if kind not in args.allow)})")


if __name__ == "__main__":
    run(main)
