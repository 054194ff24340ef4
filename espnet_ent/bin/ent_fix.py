"""Write a sound data directory of a faulty one, with a list of what was dropped and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory; it is not touched")
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--emotion_list", help="emotion list that all labels must be in")
    parser.add_argument("--fs", type=int, help="sample rate that all audio must have, in Hz")
    parser.add_argument("--audio", default="decode", help="decode | header | none: how audio is checked")
    parser.add_argument("--allow_empty_text", type=boolean, default=True, help="false: drop utterances without text")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.fix import DROPPED, fix_data_dir
    from espnet_ent.data.validate import make_config

    report = fix_data_dir(
        args.data,
        args.out,
        make_config(args.emotion_list, args.fs, args.audio, args.allow_empty_text),
        progress=lambda rows: tqdm(rows, desc="checking", unit="file", disable=not sys.stderr.isatty()),
    )
    for defect in report.repaired:
        print(f"repaired: {defect}")
    for utt_id, reason in report.dropped:
        print(f"dropped {utt_id}: {reason}")
    print(
        f"{args.out}: found {report.num_found}, used {len(report.used)}, dropped {report.num_dropped}"
        f" (see {args.out}/{DROPPED}), repaired {len(report.repaired)}"
    )


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
