"""Drop utterances that training can't use, with a report by class (stage 4)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="dumped data directory")
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--min_wav_duration", type=float, default=0.1, help="seconds")
    parser.add_argument("--max_wav_duration", type=float, default=20.0, help="seconds")
    parser.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
    parser.add_argument("--keep_empty_text", type=boolean, default=False, help="for a model that learns no words")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.filtering import filter_data_dir

    report = filter_data_dir(
        args.data,
        args.out,
        args.min_wav_duration,
        args.max_wav_duration,
        args.fs,
        keep_empty_text=args.keep_empty_text,
    )
    for line in report.lines():
        print(f"{args.out}: {line}")


if __name__ == "__main__":
    run(main)
