"""Make data directories from a manifest of one's own recordings (stage 1); every defect is reported in one run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="TSV, CSV or JSON lines, a row an utterance")
    parser.add_argument("--manifest_format", help="tsv | csv | jsonl (default: by the extension)")
    parser.add_argument("--audio_root", type=Path, help="where relative paths begin (default: the manifest's folder)")
    parser.add_argument("--columns", default="", help="names of columns, e.g. audio=file,emotion=emotion4; - for none")
    parser.add_argument("--out", default="data", help="directory to make data directories in")
    parser.add_argument("--on_defects", default="error", choices=("error", "exclude"))
    cells = parser.add_argument_group("emotions, transcripts, speakers")
    cells.add_argument("--emotion_list", help="inventory of emotions (default: hap ang sad neu)")
    cells.add_argument("--label_map", type=Path, help="file of '<raw label> <class>' lines; class - excludes")
    cells.add_argument("--drop_labels", default="", help="labels to exclude, separated by commas")
    cells.add_argument("--missing_emotion", default="error", choices=("error", "exclude"))
    cells.add_argument("--tags", default="strip", choices=("strip", "keep"), help="tags such as [LAUGHTER]")
    cells.add_argument("--text_case", default="upper", choices=("upper", "keep"), help="keep: text is left as it is")
    cells.add_argument("--speaker_from_id", help="pattern whose first group in the identifier is the speaker")
    splits = parser.add_argument_group("train, dev and test")
    splits.add_argument("--split_map", default="", help="parts of other splits, e.g. valid=test; - for none")
    splits.add_argument("--allow_speaker_overlap", type=boolean, default=False)
    splits.add_argument("--dev_share", type=float, default=0.1, help="of the time, where the manifest has no dev")
    splits.add_argument("--test_share", type=float, default=0.1, help="of the time, where the manifest has no test")
    splits.add_argument("--split_seed", type=int, default=1)
    audio = parser.add_argument_group("audio")
    audio.add_argument("--fs", type=int, default=16000, help="sample rate that stage 3 writes, in Hz")
    audio.add_argument("--resample", type=boolean, default=True, help="false: another rate is a defect")
    audio.add_argument("--nj", type=int, default=1, help="parallel processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.corpora.custom import read_custom
    from espnet_ent.corpora.custom_options import make_config

    reading = read_custom(
        make_config(**{name: value for name, value in vars(args).items() if name != "out"}),
        progress=lambda files: tqdm(files, desc="checking audio", unit="file", disable=not sys.stderr.isatty()),
    )
    for defect in reading.defects:
        print(defect)
    reading.write(args.out)
    for part, summary in reading.summaries().items():
        print(f"{Path(args.out, part)}: {summary}")
    if not reading.has_emotions:
        print("no emotions in the manifest; next: speech recognition alone, --use_emotion false")


if __name__ == "__main__":
    run(main)
