"""Write the states of a frozen pretrained encoder into a feature cache, for training to read (stage 9)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command; others are those of ent_train, which say what the encoder is."""
    parser = Parser(description=__doc__, epilog="All other options are those of ent_train, e.g. --config.")
    parser.add_argument("--data", required=True, nargs="+", help="data directories, e.g. dump/raw/train dump/raw/dev")
    parser.add_argument("--out", required=True, help="folder in which each data directory gets its states.scp")
    parser.add_argument("--store", required=True, help="folder of the states themselves; sets and folds share it")
    parser.add_argument("--dtype", default="float16", help="float16, or float32 for twice the size")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes; the result does not depend on it")
    parser.add_argument("--share", metavar="K/N", help="encode one share of N; a call without it must follow")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args, of_training = get_parser().parse_known_args(argv)
    from espnet_ent.data.shares import Share
    from espnet_ent.plugin.compat import quiet_imports

    with quiet_imports():
        from espnet_ent.plugin.builder import build_encoder
        from espnet_ent.plugin.state_encoding import CachingOptions, cache_data_dir
        from espnet_ent.plugin.task import ENTTask
    encoder = build_encoder(vars(ENTTask.get_parser().parse_args(of_training)))
    options = CachingOptions(args.dtype, args.nj, args.device, Share.parse(args.share) if args.share else None)
    for data in args.data:
        out = Path(args.out, Path(data).name)
        report = cache_data_dir(data, out, args.store, encoder, options)
        print(f"{out}: {'is there already' if report is None else report}")


if __name__ == "__main__":
    run(main)
