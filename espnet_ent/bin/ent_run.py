"""Run a command, or an array of them, with its output in a log: ent_run [options] [JOB=1:n] log command ...

The contract is that of Kaldi's run.pl, so it also serves as --cmd of espnet2.bin.launch. The exit status is that of the
command. An array that was interrupted, or of which a job failed, goes on with what is missing when it is run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--backend", default="local", help="local | slurm")
    parser.add_argument("--max-jobs-run", "--max_jobs_run", type=int, help="jobs of an array at a time")
    parser.add_argument("--on-failure", "--on_failure", default="finish", help="finish | cancel: what the others do")
    parser.add_argument("--resume", type=boolean, default=True, help="false: run jobs of an array that are done, too")
    parser.add_argument("--show", action="append", metavar="TEXT", help="print the lines of output that hold TEXT, too")
    parser.add_argument("--prefix", help="what to print in front of them")
    schedulers = parser.add_argument_group("for Slurm; the local backend ignores them")
    schedulers.add_argument("--gpu", type=int, default=0, help="GPUs a node")
    schedulers.add_argument("--mem", help="memory a node, such as 8G")
    schedulers.add_argument("--time", help="time limit a job, such as 4:00:00")
    schedulers.add_argument("--num-threads", "--num_threads", type=int, default=1, help="CPU cores a job")
    schedulers.add_argument("--num-nodes", "--num_nodes", type=int, default=1, help="machines a job")
    schedulers.add_argument(
        "--slurm-option",
        "--slurm_option",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="any option of sbatch, such as partition=long; NAME= leaves out what is asked for otherwise",
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[JOB=1:n] log command ...")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = get_parser().parse_args(argv)
    from espnet_ent.jobs.array import Job, expand_jobs
    from espnet_ent.jobs.backends import make_runner
    from espnet_ent.jobs.outcome import failure_lines, message_of, overall_status
    from espnet_ent.jobs.runner import Resources, RunOptions, parse_options

    others = parse_options(args.slurm_option)
    resources = Resources(args.gpu, args.mem, args.time, args.num_threads, args.num_nodes, others)
    runner = make_runner(args.backend, RunOptions(args.max_jobs_run, args.on_failure, args.resume), resources)

    def show(_job: Job, line: str) -> None:
        if any(text in line for text in args.show):
            print(f"{args.prefix}: {message_of(line)}" if args.prefix else message_of(line), flush=True)

    results = runner.run(expand_jobs(args.words), show if args.show else None)
    for line in failure_lines(results):
        print(line, file=sys.stderr)
    return overall_status(results)


if __name__ == "__main__":
    run(main)
