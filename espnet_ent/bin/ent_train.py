"""Train a model, or collect the statistics that training needs (stages 10 and 11)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from espnet_ent.bin.command import run
from espnet_ent.data.provenance import digest_files, is_made_from, write_provenance

_NEEDED_LATER = ("config.yaml", "*.ave*.pth", "train/*", "valid/*")
"""What must still be there for a run to count as finished; checkpoints of epochs may be removed."""

_MEETING = ("dist_init_method", "dist_master_addr", "dist_master_port", "dist_rank", "dist_world_size", "local_rank")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; a run that finished before with the same options and data is left alone."""
    from espnet_ent.plugin.compat import quiet_imports

    def train(argv: list[str]) -> bool:
        with quiet_imports():
            from espnet_ent.plugin.task import ENTTask
        return ENTTask.main(cmd=argv)

    train_once(list(sys.argv[1:] if argv is None else argv), train)


def train_once(argv: list[str], train: Callable[[list[str]], bool]) -> None:
    """Train, unless the run finished before with the same options and data.

    ``train`` says whether this process is the one of several that may write.
    """
    output_dir = _output_dir(argv)
    made_from = {"command": _without_meeting(argv), "files": digest_files(_files(argv))}
    if output_dir is not None and is_made_from(output_dir, made_from):
        print(f"{output_dir}: is there already")
        return
    is_first = train(argv)
    if is_first and output_dir is not None:
        needed = [path for pattern in _NEEDED_LATER for path in output_dir.glob(pattern)]
        write_provenance(output_dir, made_from, needed)


def _output_dir(argv: Sequence[str]) -> Path | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--output_dir", type=Path)
    return parser.parse_known_args(argv)[0].output_dir


def _without_meeting(argv: Sequence[str]) -> list[str]:
    """The options without those that say how the processes of one launch find each other."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in _MEETING:
        parser.add_argument(f"--{name}")
    return parser.parse_known_args(argv)[1]


def _files(argv: Sequence[str]) -> list[Path]:
    """Files that the options name; ``path,name,type`` names a path."""
    paths = [Path(part) for value in argv for part in value.split("=")[-1].split(",")[:1]]
    return [path for path in paths if path.is_file()]


if __name__ == "__main__":
    run(main)
