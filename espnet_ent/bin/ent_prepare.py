"""Make data directories from a corpus (stage 1)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, choices=("iemocap", "zed"))
    parser.add_argument("--root", required=True, help="directory of the corpus")
    parser.add_argument("--out", default="data", help="directory to make data directories in")
    parser.add_argument("--fold", type=int, default=1, help="IEMOCAP: session to test on")
    parser.add_argument("--set_name", default="zed_test", help="ZED: name of the data directory")
    parser.add_argument("--tags", default="strip", choices=("strip", "keep"), help="tags such as [LAUGHTER]")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.corpora.iemocap import NUM_SESSIONS, read_iemocap
    from espnet_ent.corpora.zed import read_zed
    from espnet_ent.data.folds import session_fold
    from espnet_ent.labels import FOUR_EMOTIONS

    out = Path(args.out)
    if args.corpus == "zed":
        sets = {args.set_name: read_zed(args.root, FOUR_EMOTIONS, args.tags)}
    else:
        fold = session_fold(args.fold, NUM_SESSIONS)
        reading = read_iemocap(args.root, FOUR_EMOTIONS, args.tags)
        print(f"IEMOCAP: {reading.summary()}")
        sets = {name: reading.of_sessions(getattr(fold, name)) for name in ("train", "dev", "test")}
    for name, part in sets.items():
        part.write(out / name)
        print(f"{out / name}: {part.summary()}")
    FOUR_EMOTIONS.write(out / "emotion_list")


if __name__ == "__main__":
    run(main)
