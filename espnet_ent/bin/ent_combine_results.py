"""Write RESULTS.md over folds and seeds of one system (after stage 13 of each)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--exp", required=True, help="output directories of training, e.g. exp/fold{fold}/seed{seed}/ent"
    )
    parser.add_argument("--inference_tag", required=True, help="name of the decoding directory in each of them")
    parser.add_argument("--sets", required=True, nargs="+", help="names of the scored sets")
    parser.add_argument("--folds", nargs="*", default=[], help="values of {fold}")
    parser.add_argument("--seeds", nargs="*", default=[], help="values of {seed}")
    parser.add_argument("--protocol", default="honest", help="honest | paper: best epochs on the test set (ORACLE)")
    parser.add_argument("--allow_missing", type=boolean, default=False, help="report what there is, and mark it")
    parser.add_argument("--command", help="how the system was run")
    parser.add_argument("--out", required=True, help="file to write, e.g. exp/RESULTS.md")
    parser.add_argument("--json", help="file to write the same figures to, e.g. exp/results.json")
    parser.add_argument("--print", type=boolean, default=False, dest="print_all", help="print the report, too")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.metrics.scoring import to_json
    from espnet_ent.report.document import render_terminal
    from espnet_ent.report.fold_results import combined_results
    from espnet_ent.report.fold_runs import RunsToCombine, read_fold_runs
    from espnet_ent.report.folds import fold_blocks
    from espnet_ent.report.results_md import write_document

    names = (tuple(dict.fromkeys(args.sets)), tuple(args.folds), tuple(args.seeds))
    runs = read_fold_runs(RunsToCombine(args.exp, args.inference_tag, *names, args.protocol, args.allow_missing))
    blocks = fold_blocks(runs, args.command)
    if args.json:
        content = to_json(combined_results(runs))
        if not Path(args.json).is_file() or Path(args.json).read_text(encoding="utf-8") != content:
            atomic_write_text(args.json, content)
    written = write_document(args.out, blocks)
    if args.print_all:
        print(render_terminal(blocks))
    print(f"{args.out}: {'written' if written else 'unchanged'}")


if __name__ == "__main__":
    run(main)
