"""Turn a checkpoint of the public ENT code into an experiment directory that decoding and EmotionTranscriber load."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("checkpoint", help="state dict of the public ENT code, model.pth")
    parser.add_argument("--type", required=True, choices=("ent", "fent"), help="which of its two models it is")
    parser.add_argument("--out", required=True, help="directory to write; an earlier import there is replaced")
    parser.add_argument(
        "--ssl",
        help="directory or hub id of the SSL model; default: facebook/wav2vec2-base, or microsoft/wavlm-base for WavLM",
    )
    parser.add_argument("--emotion_list", help="file: emotions in the order of the classes; default: hap ang sad neu")
    parser.add_argument("--token_list", help="file: a token a line; default: the 31 characters of the public code")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.plugin.reference_import import ACCOUNT, ReferenceOptions, import_reference

    options = ReferenceOptions(args.type, args.ssl, args.emotion_list, args.token_list)
    imported = import_reference(args.checkpoint, args.out, options)
    used = len(imported.fates) - imported.num_left_out
    print(f"{args.out}: {used} tensors taken, {imported.num_left_out} not needed; {ACCOUNT} tells which and why")


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
