"""Report every defect of data directories; the exit status is 2 if there is one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("data", nargs="+", help="data directories")
    parser.add_argument("--emotion_list", help="emotion list that all labels must be in")
    parser.add_argument("--fs", type=int, help="sample rate that all audio must have, in Hz")
    parser.add_argument("--audio", default="decode", help="decode | header | none: how audio is checked")
    parser.add_argument(
        "--allow_empty_text",
        type=boolean,
        default=True,
        help="true: an utterance without text is a warning, for stage 4 to drop",
    )
    parser.add_argument("--emotion", type=boolean, default=True, help="false: data without utt2emo are sound too")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes; the result does not depend on it")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from dataclasses import replace

    from tqdm import tqdm

    from espnet_ent.data.validate import make_config, validate_data_dir
    from espnet_ent.errors import DataError

    config = make_config(args.emotion_list, args.fs, args.audio, args.allow_empty_text, args.emotion)
    config, total = replace(config, nj=args.nj), 0
    for data in args.data:
        defects = validate_data_dir(
            data,
            config,
            progress=lambda rows: tqdm(rows, desc="validating", unit="file", disable=not sys.stderr.isatty()),
        )
        for defect in defects:
            print(defect)
        num_defects = sum(not defect.warning for defect in defects)
        print(f"{data}: {num_defects or 'no'} defects, {len(defects) - num_defects or 'no'} warnings")
        total += num_defects
    if total:
        raise DataError(
            f"{total} defects in {' '.join(args.data)}",
            next_step="mend them, or let ent_fix write a directory without the utterances at fault",
        )


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
