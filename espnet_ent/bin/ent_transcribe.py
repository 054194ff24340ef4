"""Transcribe recordings: text, words with times, emotions; into files of any of several formats.

AUDIO is an audio file of any rate and number of channels (wav, flac, ogg, mp3 and whatever else libsndfile reads), a
folder of them, a quoted pattern, a Kaldi-style data directory or wav.scp, a manifest (.tsv, .csv, .jsonl), or - for
standard input. A file that can't be read is reported at the end, and the status is 2; the others are done.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, add_decoding, add_lm, add_model, run

_FORMATS = "txt, json, rttm, ctm, textgrid, audacity, elan, srt, vtt, html: a file a recording; jsonl, csv: one for all"


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", nargs="+", metavar="AUDIO", help="what to transcribe; after -- if it begins with -")
    add_model(parser)
    parser.add_argument("--format", default="txt", help=f"separated by commas (default: txt): {_FORMATS}")
    parser.add_argument("--out", help="directory for the files (default: .), or - for standard output")
    add_decoding(parser)
    add_lm(parser)
    parser.add_argument("--batch_size", type=int, default=8, help="recordings that are searched together")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes on the CPU")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.inference import EmotionTranscriber, InferenceConfig
    from espnet_ent.report.progress import transcription_progress
    from espnet_ent.transcription import Standard, TranscriptionOptions, transcribe_inputs

    def load() -> EmotionTranscriber:
        lm = (args.lm_exp, args.inference_lm) if args.lm_exp else None
        return EmotionTranscriber.from_pretrained(args.model, args.inference_ent_model, config, args.device, lm)

    config = InferenceConfig.read(args.inference_config) if args.inference_config else None
    options = TranscriptionOptions(args.format, args.out, args.batch_size, args.nj)
    standard = Standard(sys.stdin.buffer, sys.stdout.buffer)
    report = transcribe_inputs(args.audio, load, options, standard, transcription_progress)
    print(report, file=sys.stderr)
    for warning in report.warnings:
        print(f"ent-transcribe: warning: {warning}", file=sys.stderr)
    for error in report.errors:
        print(f"ent-transcribe: error: {error}", file=sys.stderr)
    return 2 if report.errors else 0


def cli() -> None:
    """Entry point of the command ``ent-transcribe``."""
    run(main)


if __name__ == "__main__":
    cli()
