"""Copy data directories that another recipe has made, with audio paths that hold everywhere (stage 1)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory to copy")
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--emotion_list", help="file to write the set's emotion list to (of the folder above the set)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.data.prepared_set import copy_prepared_set
    from espnet_ent.labels import EmotionInventory

    print(f"{args.out}: {copy_prepared_set(args.data, args.out)} utterances of {args.data}")
    if args.emotion_list:
        emotions = EmotionInventory.read(Path(args.data).parent / "emotion_list")
        atomic_write_text(args.emotion_list, "\n".join(emotions.to_lines()) + "\n")


if __name__ == "__main__":
    run(main)
