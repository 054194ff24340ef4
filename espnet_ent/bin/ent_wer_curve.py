"""UA against the word error rate of the text that the emotion head is given: table and picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, add_decoding, add_model, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    add_model(parser, "--exp", "output directory of training, or a packed model with --out", "valid.loss.ave.pth")
    parser.add_argument("--data", required=True, help="data directory with text and emotions, e.g. dump/raw/test")
    parser.add_argument("--out", help="directory to write; default: EXP/wer_curve/SET")
    add_decoding(parser, "those of a packed model, else greedy search")
    parser.add_argument("--wer", type=float, nargs="+", default=[0, 5, 10, 20, 30, 50, 70, 100], help="in per cent")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the errors, all at each WER")
    parser.add_argument("--vocabulary", help="text whose words are put in, e.g. that of training; default: the set's")
    parser.add_argument("--batch_size", type=int, default=8, help="utterances that are searched together")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes on the CPU")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; what is decoded already is left as it is."""
    args = get_parser().parse_args(argv)
    from espnet_ent.data.datadir import read_table
    from espnet_ent.decoding import DecodingOptions, decode_data_dir
    from espnet_ent.inference import InferenceConfig
    from espnet_ent.plugin.packs import open_pack, results_directory
    from espnet_ent.report.document import render_terminal
    from espnet_ent.report.wer_curve import CurvePlan, CurvePoint, measure_wer_curve
    from espnet_ent.report.wer_curve_report import FILES, write_wer_curve

    vocabulary = tuple(read_table(args.vocabulary).values()) if args.vocabulary else None
    plan = CurvePlan(tuple(wer / 100 for wer in args.wer), tuple(args.seeds), vocabulary=vocabulary)

    def tell(point: CurvePoint) -> None:
        print(f"{point.name}: WER {100 * point.wer:.2f} %, UA {100 * point.ua:.2f} %", flush=True)

    with open_pack(args.exp, args.inference_ent_model) as packed:
        out = results_directory(args.out, args.exp, "wer_curve", args.data)
        file = args.inference_config or packed.inference
        config = InferenceConfig.read(file) if file else InferenceConfig()

        def decode(folder: Path, text: Path | None) -> None:
            given = None if text is None else str(text)
            options = DecodingOptions(args.nj, device=args.device, batch_size=args.batch_size, emotion_text=given)
            decode_data_dir(args.data, packed.directory, packed.checkpoint.name, folder, config, options)

        curve = measure_wer_curve(args.data, out, decode, plan, tell)
    print(render_terminal(write_wer_curve(out, curve, Path(args.exp).resolve().name)))
    print(f"{out}: {' '.join(FILES)}")


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
