"""Show a page on this machine that transcribes what one records or drops, and draws its emotions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from espnet_ent.bin.command import Parser, add_decoding, add_lm, add_model, boolean, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    add_model(parser)
    add_decoding(parser)
    add_lm(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
    parser.add_argument("--port", type=int, default=7860, help="port; 0: a free one")
    parser.add_argument("--allow_remote", type=boolean, default=False, help="true: other machines may reach --host")
    parser.add_argument("--max_megabytes", type=float, default=20.0, help="largest upload")
    parser.add_argument("--max_seconds", type=float, default=120.0, help="longest recording")
    parser.add_argument("--max_connections", type=int, default=16, help="connections at a time")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.demo.server import DemoServer
    from espnet_ent.demo.service import DemoLimits, DemoService
    from espnet_ent.inference import EmotionTranscriber, InferenceConfig

    limits = DemoLimits(args.max_megabytes, args.max_seconds, args.max_connections)
    config = InferenceConfig.read(args.inference_config) if args.inference_config else None
    lm = (args.lm_exp, args.inference_lm) if args.lm_exp else None
    transcriber = EmotionTranscriber.from_pretrained(args.model, args.inference_ent_model, config, args.device, lm)
    service = DemoService(transcriber, limits)
    with DemoServer(service.transcribe, limits, args.host, args.port, args.allow_remote) as server:
        print(f"{server.url} shows the page; Ctrl-C ends it", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
