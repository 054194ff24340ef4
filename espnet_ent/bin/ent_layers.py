"""Which layer of an encoder tells the emotion: UA (and EDER) of a linear probe of each, and the learned weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, add_model, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    add_model(parser, "--exp", "output directory of training, or a packed model with --out", "valid.loss.ave.pth")
    parser.add_argument("--train", required=True, help="data directory to fit probes on, e.g. dump/raw/train")
    parser.add_argument("--dev", required=True, help="data directory that chooses their regularisation")
    parser.add_argument("--test", required=True, help="data directory to score")
    parser.add_argument("--out", help="directory to write; default: EXP/layers/TEST")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; what was made from the same is left as it is."""
    args = get_parser().parse_args(argv)
    from tqdm import tqdm

    from espnet_ent.data.provenance import digest_data_dir, digest_files
    from espnet_ent.inference import EmotionTranscriber
    from espnet_ent.plugin.layer_states import EncoderLayers, LearnedWeights
    from espnet_ent.plugin.packs import open_pack, results_directory
    from espnet_ent.report.document import render_terminal
    from espnet_ent.report.layer_probe import probe_layers
    from espnet_ent.report.layer_report import FILES, is_layers_of, write_layers

    sets = {"train": args.train, "dev": args.dev, "test": args.test}
    with open_pack(args.exp, args.inference_ent_model) as packed:
        out = results_directory(args.out, args.exp, "layers", args.test)
        digests = [digest_files([packed.checkpoint, packed.directory / "config.yaml"])]
    made_from = digests + [digest_data_dir(data) for data in sets.values()]
    if is_layers_of(out, made_from):
        print(f"{out}: is there already")
        return
    transcriber = EmotionTranscriber.from_pretrained(
        args.exp, args.inference_ent_model, device=args.device, calibration=False
    )
    layers = EncoderLayers(transcriber.model.encoder, args.device)
    report = probe_layers(
        layers,
        sets,
        transcriber.emotions,
        LearnedWeights(transcriber.model, layers),
        lambda utterances, name: tqdm(utterances, desc=f"hearing {name}", disable=not sys.stderr.isatty()),
    )
    print(render_terminal(write_layers(out, report, Path(args.exp).resolve().name, made_from)))
    print(f"{out}: {' '.join(FILES)}")


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
