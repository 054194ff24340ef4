"""Make one HTML file to look at of a scored experiment: figures, curves, every utterance with sound and emotions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet_ent.bin.command import Parser, run


def get_parser() -> argparse.ArgumentParser:
    """Options of this command."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        *("--exp", "--model"), dest="exp", required=True, help="output directory of training, scored by stage 13"
    )
    parser.add_argument("--data", default="dump/raw", help="where the data directories of the sets are")
    parser.add_argument("--test_sets", nargs="+", default=[], help="sets to show; default: all that are scored")
    parser.add_argument("--inference_tag", help="decoding to show; default: all")
    parser.add_argument("--out", help="file to write; default: report.html in --exp")
    parser.add_argument("--details", type=int, default=300, help="utterances, worst first, that can be opened")
    parser.add_argument("--audio", default="embed", help="embed (MP3 in the page) | link (files beside it) | none")
    parser.add_argument("--audio_megabytes", type=float, default=20.0, help="most that embedded sound takes")
    parser.add_argument("--lattices", type=int, default=0, help="worst utterances of a set with their emotion lattice")
    parser.add_argument("--device", default="cpu", help="where lattices are computed")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    from espnet_ent.report.html.audio_tracks import AudioOptions
    from espnet_ent.report.html.page import write_page
    from espnet_ent.report.html.run_report import ReportOptions, contents_line, run_page

    options = ReportOptions(
        sets=tuple(args.test_sets),
        inference_tag=args.inference_tag,
        details=args.details,
        audio=AudioOptions(args.audio, args.audio_megabytes),
        lattices=args.lattices,
        device=args.device,
    )
    out = Path(args.out or Path(args.exp, "report.html"))
    page = run_page(args.exp, args.data, options, out.parent)
    written = write_page(out, page)
    print(f"{out}: {'written' if written else 'unchanged'}, {out.stat().st_size / 1e6:.1f} MB, {contents_line(page)}")
    print(*page.content["notes"], sep="\n", end="\n" if page.content["notes"] else "")


def cli() -> None:
    """Entry point."""
    run(main)


if __name__ == "__main__":
    cli()
