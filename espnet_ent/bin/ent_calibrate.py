"""Fit the temperatures of emotion probabilities on a decoded development set (stage 13)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--ref", required=True, help="data directory, e.g. dump/raw/dev; never a test set")
    parser.add_argument("--hyp", required=True, help="its decoding directory")
    parser.add_argument("--out", required=True, nargs="+", help="files to write, e.g. exp/ent/calibration.json")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.metrics.confidence import fit_directories

    fitted = fit_directories(args.ref, args.hyp)
    written = [fitted.write(out) for out in args.out]
    found = [("utterances", fitted.utterance_temperature), ("frames", fitted.frame_temperature)]
    numbers = [fitted.num_utterances, fitted.num_frames]
    told = [f"{t:.3f} for {n} {name}" for (name, t), n in zip(found, numbers, strict=True) if t is not None]
    changed = "" if any(written) else " (unchanged)"
    print(f"{args.out[0]}: temperatures of {fitted.fitted_on}: {', '.join(told) or 'none'}{changed}")


if __name__ == "__main__":
    run(main)
