"""Decode a data directory: text, emotions and their timelines (stage 12)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory to decode, e.g. dump/raw/test")
    parser.add_argument("--exp", required=True, help="output directory of training")
    parser.add_argument("--inference_ent_model", default="valid.loss.ave.pth", help="checkpoint in --exp")
    parser.add_argument("--config", help="YAML file with options of decoding")
    parser.add_argument("--max_symbols_per_frame", type=int, help="most labels of one frame; overrides --config")
    parser.add_argument("--emotion_path", help="best | lattice: how frames get their emotions; overrides --config")
    parser.add_argument("--smoothing", help="none | median | min_duration | viterbi; overrides --config")
    parser.add_argument("--smoothing_frames", type=int, help="width of the median filter, or shortest segment")
    parser.add_argument("--self_loop", type=float, help="viterbi: probability that an emotion stays for a frame more")
    parser.add_argument("--out", required=True, help="directory to write")
    parser.add_argument("--batch_size", type=int, default=8, help="utterances that are searched together")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes on the CPU")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    import dataclasses
    import time

    from tqdm import tqdm

    from espnet_ent.decoding import decode_data_dir
    from espnet_ent.inference import InferenceConfig

    start = time.monotonic()
    config = InferenceConfig.read(args.config) if args.config else InferenceConfig()
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(InferenceConfig)}
    config = dataclasses.replace(config, **{key: value for key, value in given.items() if value is not None})
    count = decode_data_dir(
        args.data,
        args.exp,
        args.inference_ent_model,
        args.out,
        config,
        nj=args.nj,
        device=args.device,
        batch_size=args.batch_size,
        progress=lambda done: tqdm(done, desc="decoding", unit="utt", disable=not sys.stderr.isatty()),
    )
    if count is None:
        print(f"{args.out}: decoded already")
    else:
        print(f"{args.out}: {count} utterances decoded in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    run(main)
