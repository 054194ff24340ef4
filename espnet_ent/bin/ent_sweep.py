"""Train the settings of a plan with several seeds and write one table; a run that is finished is left as it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("plan", help="YAML file; espnet_ent/report/sweep_plan.py tells what is in it")
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
    from espnet_ent.report.sweep_plan import read_plan
    from espnet_ent.report.sweep_runs import SweepRuns
    from espnet_ent.report.sweep_scores import RunPlaces
    from espnet_ent.report.sweep_table import sweep_blocks

    plan, recipe = read_plan(args.plan), Path(args.recipe)
    if args.tests and args.only:
        raise ConfigError("the test set is read when all settings are done", where="--tests", got="--only")
    places = RunPlaces(plan, recipe, args.expdir, tuple(args.seeds), args.inference_tag)
    runs = SweepRuns(places, args.dev, args.max_jobs_run)
    runs.train(args.only)
    if args.tests and runs.failed:
        print("test sets are not read: runs failed")
    elif args.tests:
        runs.test(runs.rows(), args.tests)
    blocks = sweep_blocks(plan, runs.rows(args.tests), runs.num_seeds, args.dev, args.tests, runs.changed)
    out = args.out or Path(args.recipe, args.expdir, f"sweep_{plan.name}.md")
    write_document(out, blocks)
    print(render_terminal(blocks))
    num_failed = len({run[:2] for run in runs.failed})
    print(f"{out}: written{f'; {num_failed} runs failed' if num_failed else ''}")
    return 1 if num_failed else 0


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
