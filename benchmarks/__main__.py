"""Run all benchmarks, print their tables and write docs/BENCHMARKS.md (``make bench``)."""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.decode import decode_table
from benchmarks.demo_step import demo_table
from benchmarks.dense import Case
from benchmarks.lattice_growth import audio_table, scaling_table
from benchmarks.ssl_cache import cache_table, format_table
from benchmarks.train_step import CASES, LARGE, SPARSE, Timing, agreement, measure, peak_memory
from espnet_ent.data.atomic import atomic_write_text
from espnet_ent.report.document import Block, Heading, Paragraph, Table, render_markdown, render_terminal

_OUT = Path(__file__).parents[1] / "docs" / "BENCHMARKS.md"
_TIME_NOTE = (
    "Forward and backward pass of the joint networks, the transducer loss and lattice max pooling; {runs} runs in "
    "turns after one to warm up: median (least-most) in ms, and ratios of paired runs to dense. dense: the plain "
    "implementation (benchmarks/dense.py); checkpointed: the same in 8 chunks of frames, computed again in the "
    f"backward pass; fused: this package, exact; sparse: occupancy_eps {SPARSE:g}. limit: time of fused / sparse over "
    "that of the matrix products that are unavoidable and one tanh a node, by the same library (torch.tanh; ours "
    "is a product and a reciprocal, so that figures below 1 are possible). occupied: share of nodes with a gradient."
)
_AGREEMENT_NOTE = (
    "Relative difference of the losses from dense, and the largest difference of a gradient by the largest value in "
    "it. The recursion of dense is torchaudio's in float32, ours is in float64: these are errors of dense "
    "(tests/losses compare ours with a float64 recursion)."
)
_CACHE_NOTE = (
    "ENT as in conf/tuning/train_ent_wav2vec2_base.yaml, random weights of the real size, 2 utterances of 4 and 8 s, "
    "30 tokens: forward and backward pass, clipping and update; median (least-most) of runs in turns, ratios of paired "
    "runs. computed: the frozen model runs in every step, one utterance after the other (one_by_one), which is less "
    "work than a padded batch; from the cache: read, checked, converted and padded within the step. dense: joint "
    "networks and losses of benchmarks/dense.py. Differences of the loss are from the first row."
)
_FORMAT_NOTE = (
    "13 layers of 768 for utterances of 4 and 8 s, written and read one by one at their offsets, from the page cache, "
    "to float32 (medians). error: the largest, in standard deviations of the values, where two dimensions are 100 "
    "times the others, as trained models have some (these not counted)."
)


def _case_cells(case: Case) -> tuple[str, ...]:
    return case.name, str(len(case.lengths)), *map(str, (case.num_frames, case.num_labels, case.vocab_size, case.size))


def _times(timing: Timing, name: str) -> str:
    runs = timing.seconds[name]
    return f"{1000 * statistics.median(runs):.0f} ({1000 * min(runs):.0f}-{1000 * max(runs):.0f})"


def _time_table(timings: dict[Case, Timing]) -> Table:
    header = ("case", "B", "T", "U", "V", "D", "dense ms", "checkpointed", "fused", "sparse", "limit", "occupied")
    rows = []
    for case, timing in timings.items():
        ratios = (f"{timing.ratio(name):.1f}x" for name in ("checkpointed", "fused", "sparse"))
        distances = " / ".join(f"{timing.median(name) / timing.limits[name]:.2f}" for name in ("fused", "sparse"))
        occupied = " / ".join(f"{100 * timing.occupied[name]:.0f} %" for name in ("fused", "sparse"))
        rows.append((*_case_cells(case), _times(timing, "dense"), *ratios, distances, occupied))
    return Table(header, tuple(rows))


def _memory_table() -> Table:
    header = ("case", "B", "T", "U", "V", "D", "dense MiB", "checkpointed", "fused", "sparse", "dense / fused")
    rows = []
    for case in (*CASES, *LARGE):
        names = ("dense", "checkpointed", "fused", "sparse") if case in CASES else ("fused", "sparse")
        peaks = {name: peak_memory(case, name) for name in names}
        told = [_memory(peaks, name) for name in ("dense", "checkpointed", "fused", "sparse")]
        dense, fused = peaks.get("dense"), peaks["fused"]
        rows.append((*_case_cells(case), *told, f"{dense / fused:.0f}" if dense and fused else "-"))
    return Table(header, tuple(rows))


def _memory(peaks: dict[str, float | None], name: str) -> str:
    if name not in peaks:
        return "not run"
    peak = peaks[name]
    return "out of memory" if peak is None else f"{peak:.0f}"


def _agreement_table() -> Table:
    rows = []
    for case in CASES:
        found = agreement(case)
        rows.append((*_case_cells(case), *(f"{value:.1e}" for value in found.values())))
    header = ("case", "B", "T", "U", "V", "D", "fused loss", "fused gradients", "sparse loss", "sparse gradients")
    return Table(header, tuple(rows))


def blocks(num_runs: int) -> Iterator[Block]:
    """The whole report."""
    yield Heading("Benchmarks", level=1)
    yield Paragraph(
        f"{_processor()}, one thread, {platform.system()}, Python {platform.python_version()}, torch "
        f"{torch.__version__}. `make bench` writes this file. Ratios hold on other machines better than times do."
    )
    yield Heading("Joint networks and losses: time of a training step without the encoder")
    yield _time_table({case: measure(case, num_runs) for case in CASES})
    yield Paragraph(_TIME_NOTE.format(runs=num_runs))
    yield Heading("Joint networks and losses: peak memory")
    yield _memory_table()
    yield Paragraph("Growth of the peak over one step in a fresh process, gradients of parameters and inputs included.")
    yield Heading("Same results")
    yield _agreement_table()
    yield Paragraph(_AGREEMENT_NOTE)
    yield Heading("Growth with the size of the lattice")
    yield scaling_table(num_runs)
    yield Paragraph("Time and peak memory of fused with one size doubled at a time, FENT, V = 31, D = 768.")
    yield Heading("Memory by the length of the audio")
    yield audio_table()
    yield Paragraph(
        "One utterance, joint networks and losses alone, FENT, V = 31, D = 768, 25 encoder frames and 15 characters a "
        "second. --lattice_bins bounds the sum of the nodes of a batch."
    )
    yield Heading("Greedy search with the emotion of every frame")
    yield decode_table(num_runs)
    yield Paragraph(
        "Random weights, D = 768, V = 31, up to 374 frames an utterance. plain: one utterance, one frame after the "
        "other, stock torch layers; fast: batched label looping, emotions of all frames at once (medians; ratios of "
        "paired runs). other labels: utterances in which the labels differ."
    )
    yield Heading("A training step on frozen wav2vec 2.0 base")
    yield cache_table(num_runs)
    yield Paragraph(_CACHE_NOTE)
    yield Heading("Formats of a feature cache")
    yield format_table(num_runs)
    yield Paragraph(_FORMAT_NOTE)
    yield Heading("A training step of make demo")
    yield demo_table(num_runs)
    yield Paragraph(
        "12 utterances of 2.2 to 3.6 s, forward and backward pass and update, one thread. before: dense joint networks "
        "and losses, and the encoder's convolutions in torch's default layout; after: as this package trains. A part: "
        "what a step with it takes longer than one without. Reading the batch's audio takes about 7 ms more."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each implementation")
    parser.add_argument("--out", default=str(_OUT), help="file to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    report = list(blocks(args.runs))
    print(render_terminal(report))
    atomic_write_text(args.out, render_markdown(report))
    print(f"{args.out}: written")


if __name__ == "__main__":
    main()
