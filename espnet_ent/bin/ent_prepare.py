"""Make data directories from a corpus (stage 1)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--corpus", required=True, choices=("iemocap", "zed"))
    parser.add_argument("--root", required=True, help="directory of the corpus")
    parser.add_argument("--out", default="data", help="directory to make data directories in")
    parser.add_argument("--tags", default="strip", choices=("strip", "keep"), help="tags such as [LAUGHTER]")
    iemocap = parser.add_argument_group("IEMOCAP")
    iemocap.add_argument("--fold", type=int, default=1, help="session to test on")
    iemocap.add_argument("--protocol", default="honest", help="honest | paper: what is developed on")
    iemocap.add_argument("--train_sessions", type=int, nargs="+", help="sessions of train, in place of a fold")
    iemocap.add_argument("--dev_sessions", type=int, nargs="+", help="sessions of dev, in place of a fold")
    iemocap.add_argument("--missing_transcripts", default="error", choices=("error", "exclude"))
    zed = parser.add_argument_group("ZED")
    zed.add_argument("--set_name", default="zed_test", help="name of the data directory")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.corpora.iemocap import read_iemocap
    from espnet_ent.corpora.zed import read_zed
    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.labels import FOUR_EMOTIONS

    out = Path(args.out)
    if args.corpus == "zed":
        sets = {args.set_name: read_zed(args.root, FOUR_EMOTIONS, args.tags)}
    else:
        sessions = _sessions(args)
        reading = read_iemocap(args.root, FOUR_EMOTIONS, args.tags, args.missing_transcripts)
        print(f"IEMOCAP: {reading.summary()}")
        sets = {name: reading.of_sessions(part) for name, part in sessions.items()}
    for name, part in sets.items():
        part.write(out / name)
        print(f"{out / name}: {part.summary()}")
    atomic_write_text(out / "emotion_list", "\n".join(FOUR_EMOTIONS.to_lines()) + "\n")


def _sessions(args: argparse.Namespace) -> dict[str, Sequence[int]]:
    """Sessions of each data directory: those of a fold, or as the user says."""
    from espnet_ent.corpora.iemocap import NUM_SESSIONS
    from espnet_ent.data.folds import chosen_sessions, session_fold

    if args.train_sessions or args.dev_sessions:
        chosen = chosen_sessions(args.train_sessions or (), args.dev_sessions or (), NUM_SESSIONS)
        return {"train": chosen.train, "dev": chosen.dev}
    fold = session_fold(args.fold, NUM_SESSIONS, args.protocol)
    return {"train": fold.train, "dev": fold.dev, "test": fold.test}


if __name__ == "__main__":
    run(main)
