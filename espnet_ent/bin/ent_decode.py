"""Decode a data directory: text, emotions and their timelines (stage 12)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, add_lm, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument("--data", required=True, help="data directory to decode, e.g. dump/raw/test")
    parser.add_argument("--exp", required=True, help="output directory of training, or a packed model")
    parser.add_argument("--inference_ent_model", help="checkpoint in --exp; default: valid.loss.ave.pth")
    parser.add_argument(
        *("--config", "--inference_config"), help="YAML file with options of decoding; default: that of a packed model"
    )
    parser.add_argument("--max_symbols_per_frame", type=int, help="most labels of one frame; overrides --config")
    parser.add_argument("--beam_size", type=int, help="1: greedy search; more: beam search; overrides --config")
    parser.add_argument("--nbest", type=int, help="hypotheses to write, at most --beam_size")
    add_lm(parser)
    parser.add_argument("--lm_weight", type=float, help="weight of the language model; overrides --config")
    parser.add_argument("--emotion_path", help="best | lattice: how frames get their emotions; overrides --config")
    parser.add_argument("--smoothing", help="none | median | min_duration | viterbi; overrides --config")
    parser.add_argument("--smoothing_frames", type=int, help="width of the median filter, or shortest segment")
    parser.add_argument("--self_loop", type=float, help="viterbi: probability that an emotion stays for a frame more")
    parser.add_argument("--window_seconds", type=float, help="longer recordings are decoded window by window")
    parser.add_argument("--context_seconds", type=float, help="encoded on both sides of a window in addition")
    parser.add_argument("--longest_word_seconds", type=float, help="how long a word lasts where no other follows")
    parser.add_argument("--max_labels_ratio", type=float, help="beam search: most labels by the number of frames")
    parser.add_argument("--emotion_text", help="texts that the utterance head sees in place of the recognised ones")
    parser.add_argument("--out", required=True, help="directory to write")
    parser.add_argument("--batch_size", type=int, default=8, help="utterances that are searched together")
    parser.add_argument("--nj", type=int, default=1, help="parallel processes on the CPU")
    parser.add_argument("--share", metavar="K/N", help="decode one share of N; ent_merge_decoded puts them together")
    parser.add_argument("--num_workers", type=int, default=1, help="threads that read audio ahead, with one process")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    import dataclasses

    from espnet_ent.data.shares import Share
    from espnet_ent.decoding import DecodingOptions, decode_data_dir
    from espnet_ent.inference import InferenceConfig
    from espnet_ent.plugin.packs import open_pack
    from espnet_ent.report.progress import decoding_progress

    with open_pack(args.exp, args.inference_ent_model) as packed:
        file = args.config or packed.inference
        config = InferenceConfig.read(file) if file else InferenceConfig()
        given = {field.name: getattr(args, field.name, None) for field in dataclasses.fields(InferenceConfig)}
        config = dataclasses.replace(config, **{key: value for key, value in given.items() if value is not None})
        own_lm = packed.lm if config.beam_size > 1 else None
        options = DecodingOptions(
            nj=args.nj,
            num_workers=args.num_workers,
            device=args.device,
            batch_size=args.batch_size,
            lm=(args.lm_exp, args.inference_lm) if args.lm_exp else own_lm,
            emotion_text=args.emotion_text,
            share=Share.parse(args.share) if args.share else None,
        )
        place, name = packed.directory, packed.checkpoint.name
        found = decode_data_dir(args.data, place, name, args.out, config, options, decoding_progress)
    print(f"{args.out}: {'decoded already' if found is None else found}")


if __name__ == "__main__":
    run(main)
