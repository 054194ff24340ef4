"""Mix recordings of one speaker into utterances with known emotion changes (stage 2)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory with texts and emotions")
    parser.add_argument("--out", required=True, help="directory to make")
    parser.add_argument("--emotion_list", required=True)
    parser.add_argument(
        "--patterns",
        nargs="+",
        type=_share,
        metavar="PATTERN=SHARE",
        help="shares of neu_emo emo_neu neu_emo_neu emo (default: equal), and of neu on top",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of patterns and partners")
    parser.add_argument("--copies", type=int, default=1, help="times that each emotional recording is used")
    parser.add_argument("--match_loudness", type=boolean, default=True)
    parser.add_argument("--resample", type=boolean, default=False, help="convert audio of another rate")
    parser.add_argument("--fs", type=int, default=16000, help="sample rate in Hz")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes; the result does not depend on it")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.mixing import MixingConfig, mix_data_dir
    from espnet_ent.labels import EmotionInventory

    config = MixingConfig(
        shares=dict(args.patterns) if args.patterns else None,
        seed=args.seed,
        copies=args.copies,
        match_loudness=args.match_loudness,
        resample=args.resample,
    )
    made = mix_data_dir(
        args.data,
        args.out,
        EmotionInventory.read(args.emotion_list),
        config,
        sample_rate=args.fs,
        nj=args.nj,
        progress=lambda done: tqdm(done, desc="mixing", unit="utt", disable=not sys.stderr.isatty()),
    )
    patterns = "is there already" if made is None else " ".join(f"{name} {made[name]}" for name in sorted(made))
    print(f"{args.out}: mixtures: {patterns}")


def _share(value: str) -> tuple[str, float]:
    name, _, share = value.partition("=")
    try:
        return name, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected PATTERN=SHARE, got {value!r}") from None


if __name__ == "__main__":
    run(main)
