"""Check this machine: versions, known conflicts, and the command that mends each fault."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run
from espnet_ent.errors import EXIT_USER_ERROR


def get_parser() -> argparse.ArgumentParser:
    """Options of this command: none."""
    return Parser(description=__doc__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; status 2 if something has failed."""
    get_parser().parse_args(argv)
    from espnet_ent.doctor import diagnose

    failed = False
    for finding in diagnose():
        print(finding, flush=True)
        failed = failed or finding.level == "FAIL"
    return EXIT_USER_ERROR if failed else 0


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
