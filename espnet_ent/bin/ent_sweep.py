"""Train the settings of a plan with several seeds and write one table; a run that is finished is left as it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("plan", help="YAML file; espnet_ent/report/sweep.py tells what is in it")
    parser.add_argument("--recipe", default=".", help="directory of run.sh, whose stages 1 to 10 have been run")
    parser.add_argument("--seeds", nargs="+", default=["1"], help="seeds of training")
    parser.add_argument("--dev", default="zed_dev", help="set that chooses setting and checkpoint, by its EDER")
    parser.add_argument("--tests", nargs="*", default=[], help="sets to decode with the chosen setting, at the end")
    parser.add_argument("--only", nargs="+", help="names of the settings to train, of all")
    parser.add_argument("--max-jobs-run", "--max_jobs_run", type=int, default=1, help="trainings at a time")
    parser.add_argument("--inference_tag", default="decode_greedy", help="name of the decoding directories")
    parser.add_argument("--expdir", default="exp", help="as of run.sh")
    parser.add_argument("--out", help="file to write; default: EXPDIR/sweep_PLAN.md in the recipe")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 if a run failed."""
    args = get_parser().parse_args(argv)
    from espnet_ent.errors import ConfigError
    from espnet_ent.report.document import render_terminal
    from espnet_ent.report.results_md import write_document
    from espnet_ent.report.sweep import read_plan, read_rows, sweep_blocks
    from espnet_ent.report.sweep_runs import SweepRuns

    plan = read_plan(args.plan)
    runs = SweepRuns(plan, Path(args.recipe), args.expdir, tuple(args.seeds), args.max_jobs_run, args.inference_tag)
    if args.tests and args.only:
        raise ConfigError("the test set is read when all settings are done", where="--tests", got="--only")
    failed = runs.train(args.dev, args.only)
    place = (plan, args.recipe, args.expdir, args.inference_tag, args.seeds)
    if args.tests and failed:
        print("test sets are not read: runs failed")
    elif args.tests:
        failed += runs.test(read_rows(*place, [args.dev]), args.dev, args.tests)
    blocks = sweep_blocks(read_rows(*place, [args.dev, *args.tests]), plan, args.dev, args.tests)
    out = args.out or Path(args.recipe, args.expdir, f"sweep_{plan.name}.md")
    write_document(out, blocks)
    print(render_terminal(blocks))
    print(f"{out}: written{f'; {failed} runs failed' if failed else ''}")
    return 1 if failed else 0


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
