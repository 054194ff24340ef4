"""Perplexity of a language model on a text (stage 8)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--lm_exp", required=True, help="output directory of the language model's training")
    parser.add_argument("--inference_lm", default="valid.loss.ave.pth", help="checkpoint in --lm_exp")
    parser.add_argument("--text", required=True, help="text file: <id> <words>")
    parser.add_argument("--batch_size", type=int, default=64, help="sentences at once")
    parser.add_argument("--out", required=True, help="directory to write: ppl, utt2nll, utt2ntokens")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.plugin.compat import quiet_imports

    with quiet_imports():
        from espnet_ent.plugin.perplexity import write_perplexity
    perplexity = write_perplexity(args.lm_exp, args.inference_lm, args.text, args.out, args.batch_size)
    if perplexity is None:
        print(f"{args.out}: is there already")
    else:
        print(f"{args.text}: perplexity {perplexity.value:.3f} a token, {perplexity.num_tokens} tokens")


if __name__ == "__main__":
    run(main)
