"""Make data directories from a corpus (stage 1)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_ent.bin.command import Parser, boolean, run

if TYPE_CHECKING:
    from espnet_ent.corpora.reading import CorpusReading
    from espnet_ent.labels import EmotionInventory


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--corpus", required=True, choices=("iemocap", "msp_improv", "zed"))
    parser.add_argument("--root", required=True, help="directory of the corpus")
    parser.add_argument("--out", default="data", help="directory to make data directories in")
    parser.add_argument("--set_name", help="one data directory of this name with the whole corpus (ZED: zed_test)")
    parser.add_argument("--tags", default="strip", choices=("strip", "keep"), help="tags such as [LAUGHTER]")
    sessions = parser.add_argument_group("IEMOCAP and MSP-IMPROV")
    sessions.add_argument("--fold", type=int, default=1, help="session to test on")
    sessions.add_argument("--protocol", default="honest", help="honest | paper: what is developed on")
    sessions.add_argument("--train_sessions", type=int, nargs="+", help="sessions of train, in place of a fold")
    sessions.add_argument("--dev_sessions", type=int, nargs="+", help="sessions of dev, in place of a fold")
    sessions.add_argument(
        "--missing_transcripts", choices=("error", "exclude", "keep"), help="IEMOCAP: error; MSP-IMPROV: keep"
    )
    sessions.add_argument("--published_counts", type=boolean, default=True, help="false: another corpus in this layout")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.corpora.zed import read_zed
    from espnet_ent.data.atomic import atomic_write_text
    from espnet_ent.labels import FOUR_EMOTIONS

    out = Path(args.out)
    if args.corpus == "zed":
        sets = {args.set_name or "zed_test": read_zed(args.root, FOUR_EMOTIONS, args.tags)}
    else:
        sets = _read_sessions(args, FOUR_EMOTIONS)
    for name, part in sets.items():
        part.write(out / name)
        print(f"{out / name}: {part.summary()}")
    atomic_write_text(out / "emotion_list", "\n".join(FOUR_EMOTIONS.to_lines()) + "\n")


def _read_sessions(args: argparse.Namespace, emotions: EmotionInventory) -> dict[str, CorpusReading]:
    """The data directories of a corpus with sessions, its counts shown beside the published ones."""
    from espnet_ent.corpora.published import count_report
    from espnet_ent.corpora.session_corpora import SESSION_CORPORA
    from espnet_ent.data.folds import session_parts

    corpus = SESSION_CORPORA[args.corpus]
    choice = (args.fold, corpus.num_sessions, args.protocol, args.train_sessions or (), args.dev_sessions or ())
    sessions = {} if args.set_name else session_parts(*choice)  # a wrong fold is found before reading
    reading = corpus.read(args.root, emotions, args.tags, args.missing_transcripts or corpus.missing_transcripts)
    print(f"{corpus.title}: {reading.summary()}")
    if args.published_counts:
        table, differences = count_report(reading, corpus.published)
        print(f"{corpus.title}: used utterances (published)", *table, sep="\n")
        for difference in differences:
            print(f"ent_prepare: warning: {corpus.title}: not the published counts: {difference}", file=sys.stderr)
    if args.set_name:
        return {args.set_name: reading}
    return {name: reading.of_sessions(part) for name, part in sessions.items()}


if __name__ == "__main__":
    run(main)
