"""Run a command, or an array of them, with its output in a log: ent_run [options] [JOB=1:n] log command ...

The contract is that of Kaldi's run.pl, so it also serves as --cmd of espnet2.bin.launch. The exit status is that of the
command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--backend", default="local", help="local | slurm (not there yet)")
    parser.add_argument("--max-jobs-run", "--max_jobs_run", type=int, help="jobs of an array at a time")
    parser.add_argument("--show", action="append", metavar="TEXT", help="print the lines of output that hold TEXT, too")
    parser.add_argument("--prefix", help="what to print in front of them")
    schedulers = parser.add_argument_group("for schedulers; the local backend ignores them")
    schedulers.add_argument("--gpu", type=int, default=0, help="GPUs a job")
    schedulers.add_argument("--mem", help="memory a job, such as 8G")
    schedulers.add_argument("--time", help="time limit a job, such as 4:00:00")
    schedulers.add_argument("--num-threads", "--num_threads", type=int, default=1, help="CPU cores a job")
    schedulers.add_argument("--num-nodes", "--num_nodes", type=int, default=1, help="machines")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="[JOB=1:n] log command ...")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = get_parser().parse_args(argv)
    from espnet_ent.errors import ConfigError
    from espnet_ent.jobs.array import Job, expand_jobs
    from espnet_ent.jobs.local import run_local
    from espnet_ent.jobs.outcome import failure_lines, message_of, overall_status

    if args.backend != "local":
        raise ConfigError("this backend is not there", where="--backend", expected="local", got=args.backend)
    if args.num_nodes > 1:
        raise ConfigError("the local backend has one machine", where="--num-nodes", expected=1, got=args.num_nodes)
    if args.max_jobs_run is not None and args.max_jobs_run < 1:
        raise ConfigError("no job could run", where="--max-jobs-run", expected="1 or more", got=args.max_jobs_run)

    def show(_job: Job, line: str) -> None:
        if any(text in line for text in args.show):
            print(f"{args.prefix}: {message_of(line)}" if args.prefix else message_of(line), flush=True)

    results = run_local(expand_jobs(args.words), args.max_jobs_run, show if args.show else None)
    for line in failure_lines(results):
        print(line, file=sys.stderr)
    return overall_status(results)


if __name__ == "__main__":
    run(main)
