"""Write RESULTS.md for one or several scored experiments (stage 13)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--exp", required=True, nargs="+", help="output directories of training")
    parser.add_argument("--command", nargs="+", default=[], help="how they were run: one for all, or one each")
    parser.add_argument("--difficulty", help="difficulty.json of the data; left out of the report if absent")
    parser.add_argument("--out", required=True, help="file to write, e.g. RESULTS.md")
    parser.add_argument("--print", type=boolean, default=False, dest="print_summary", help="print the tables, too")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.errors import ConfigError
    from espnet_ent.report.document import render_terminal
    from espnet_ent.report.experiment import read_experiment, read_json
    from espnet_ent.report.results_md import summary_blocks, write_results_md

    if len(args.command) > 1 and len(args.command) != len(args.exp):
        raise ConfigError("--command does not fit --exp", expected=f"1 or {len(args.exp)}", got=len(args.command))
    commands = (args.command or [None]) * (len(args.exp) if len(args.command) < 2 else 1)
    experiments = [read_experiment(exp, command) for exp, command in zip(args.exp, commands, strict=True)]
    has_difficulty = args.difficulty is not None and Path(args.difficulty).is_file()
    difficulty = read_json(args.difficulty, "rerun stage 1") if has_difficulty else None
    written = write_results_md(args.out, experiments, difficulty)
    if args.print_summary:
        print(render_terminal(summary_blocks(experiments, difficulty)))
    print(f"{args.out}: {'written' if written else 'unchanged'}")


if __name__ == "__main__":
    run(main)
