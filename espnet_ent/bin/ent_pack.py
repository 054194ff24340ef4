"""Pack a trained model into a zip file of ESPnet's form (stage 14)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--exp", required=True, help="output directory of training")
    parser.add_argument("--inference_ent_model", default="valid.loss.ave.pth", help="checkpoint in --exp")
    parser.add_argument("--out", required=True, help="zip file to write")
    parser.add_argument("--decoded", nargs="*", default=[], help="decoded sets, whose options and scores are packed")
    parser.add_argument("--lm_exp", help="output directory of a language model's training, to be packed as well")
    parser.add_argument("--inference_lm", default="valid.loss.ave.pth", help="checkpoint in --lm_exp")
    parser.add_argument(
        "--pack_encoder",
        default="auto",
        help="auto | true | false: bring a frozen pretrained encoder along; auto: if it lies in a file or directory",
    )
    parser.add_argument("--lang", default="en", help="language of the speech")
    parser.add_argument("--corpora", nargs="*", default=[], help="what the model was trained and tested on")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.plugin.packing import PackOptions, pack_experiment

    options = PackOptions(
        checkpoint=args.inference_ent_model,
        decoded=tuple(args.decoded),
        lm=(args.lm_exp, args.inference_lm) if args.lm_exp else None,
        pack_encoder=args.pack_encoder,
        language=args.lang,
        corpora=tuple(args.corpora),
    )
    is_written = pack_experiment(args.exp, args.out, options)
    print(f"{args.out}: {'packed' if is_written else 'is there already'}")


if __name__ == "__main__":
    run(main)
