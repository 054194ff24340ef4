"""Copy a data directory at several speeds (stage 2)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory")
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--factors", type=float, nargs="+", required=True, help="speeds, such as 0.9 1.0 1.1")
    parser.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
    parser.add_argument("--resample", type=boolean, default=False, help="convert audio of another rate")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes; the result does not depend on it")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.perturbing import perturb_data_dir

    made = perturb_data_dir(
        args.data,
        args.out,
        args.factors,
        args.fs,
        args.nj,
        progress=lambda done: tqdm(done, desc="perturbing", unit="utt", disable=not sys.stderr.isatty()),
        resample=args.resample,
    )
    print(f"{args.out}: {'made' if made else 'is there already'} (factors {' '.join(map(str, args.factors))})")


if __name__ == "__main__":
    run(main)
